//! The rooms of the host.

use super::ROOM;
use rooms::{Crate, Room};

pub(super) const HOST: Crate = Crate {
    name: "venus_host",
    folder: "venus-host",
    shared: &["foldhash", "hashbrown", "parking_lot", "thiserror", "tracing"],
    forbidden: &["std::env", "std::net", "std::os::unix::net", "std::process"],
    why: "only who serves guests has sockets and starts programs, and only a command reads its environment",
    rooms: &[
        Room {
            name: "lib.rs",
            modules: &[""],
            floor: 9,
            rooms: &["error"],
            why: "the map of the rooms, and the names that everybody needs",
            ..ROOM
        },
        Room {
            name: "host",
            floor: 8,
            rooms: &["worker", "context", "endpoint", "driver", "resource", "socket", "error", "limits", "thread"],
            crates: &["std::os::unix::net"],
            why: "a device knows numbers; who serves a context and how is decided in `worker`",
            ..ROOM
        },
        Room {
            name: "vtest",
            floor: 8,
            rooms: &["worker", "context", "endpoint", "driver", "resource", "socket", "error", "limits", "thread"],
            crates: &["rustix", "std::os::unix::net", "std::process"],
            why: "a transport moves bytes between a guest and its context; what they mean is decided behind `context`",
            ..ROOM
        },
        Room {
            name: "worker",
            floor: 7,
            rooms: &[
                "context",
                "endpoint",
                "driver",
                "resource",
                "sandbox",
                "socket",
                "allocator",
                "error",
                "limits",
                "thread",
            ],
            crates: &["rustix", "std::os::unix::net", "std::process"],
            tests: &["tempfile"],
            why: "who serves a context is told by messages; what its commands mean is decided behind `context`",
            ..ROOM
        },
        Room {
            name: "context",
            floor: 6,
            rooms: &["handlers", "endpoint", "object", "ring", "driver", "resource", "error", "limits", "thread"],
            crates: &["venus_protocol"],
            why: "a context knows no sockets, and calls Vulkan through the driver room alone",
            ..ROOM
        },
        Room {
            name: "handlers",
            floor: 5,
            rooms: &["endpoint", "object", "driver", "resource", "error", "limits"],
            crates: &[
                "venus_protocol::args",
                "venus_protocol::dispatch",
                "venus_protocol::procs",
                "venus_protocol::vk",
                "venus_protocol::wire",
            ],
            why: "handlers are policy over objects and driver calls; bytes, sockets and shared memory were dealt with before",
            ..ROOM
        },
        Room {
            name: "endpoint",
            floor: 4,
            rooms: &["object", "ring", "driver", "resource", "error", "limits"],
            crates: &["venus_protocol::dispatch", "venus_protocol::vk", "venus_protocol::wire"],
            why: "an endpoint is where commands come in; what they do is decided in the rooms above",
            ..ROOM
        },
        Room {
            name: "object",
            floor: 3,
            rooms: &["driver", "error", "limits", "sync"],
            crates: &["venus_protocol::vk", "venus_protocol::wire"],
            why: "the table turns ids into handles, and lets the driver free what is gone; commands are unknown to it",
            ..ROOM
        },
        Room {
            name: "ring",
            floor: 3,
            rooms: &["resource", "allocator", "error", "limits", "sync", "thread"],
            why: "a ring copies bytes out of shared memory; what they mean is decided above",
            ..ROOM
        },
        Room {
            name: "driver",
            floor: 2,
            rooms: &["resource", "error", "limits", "thread"],
            crates: &[
                "ash",
                "hmac",
                "rustix",
                "sha2",
                "std::env",
                "venus_protocol::Extension",
                "venus_protocol::Level",
                "venus_protocol::UnknownLevel",
                "venus_protocol::args",
                "venus_protocol::procs",
                "venus_protocol::vk",
            ],
            tests: &["tempfile", "venus_protocol::wire"],
            why: "the driver room calls Vulkan with Vulkan's own handles; guests and their ids are unknown to it",
            ..ROOM
        },
        Room {
            name: "resource",
            floor: 1,
            rooms: &["error", "limits", "sync"],
            crates: &["rustix"],
            why: "memory that is shared knows neither what it holds nor who made it",
            ..ROOM
        },
        Room {
            name: "sandbox",
            floor: 1,
            rooms: &["error"],
            crates: &["landlock", "libc", "rustix", "seccompiler", "std::env"],
            tests: &["tempfile"],
            why: "a process gives up what the system lets it give up; whom it serves, and by which driver, is decided above",
            ..ROOM
        },
        Room {
            name: "socket",
            floor: 1,
            rooms: &["thread"],
            crates: &["rustix", "std::os::unix::net"],
            why: "a socket carries bytes and descriptors; what they say is for those who talk",
            ..ROOM
        },
        Room {
            name: "error",
            crates: &["rustix::io", "venus_protocol::vk", "venus_protocol::wire", "venus_protocol::reflect"],
            why: "an error is said in the words of the protocol, and by everybody",
            ..ROOM
        },
        Room {
            name: "allocator",
            crates: &["rustix::mm"],
            tests: &["std::env", "std::process"],
            why: "what the C library is told about memory that was freed",
            ..ROOM
        },
        Room {
            name: "sync",
            why: "what threads meet by has its names in one place, for a model to put its own there",
            ..ROOM
        },
        Room { name: "limits", why: "a limit is a number with a reason", ..ROOM },
        Room { name: "thread", crates: &["rustix"], why: "what threads need on one system and not on another", ..ROOM },
    ],
};
