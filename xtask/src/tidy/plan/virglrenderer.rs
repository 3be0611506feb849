//! The rooms of the library in the place of virglrenderer.

use super::ROOM;
use rooms::{Crate, Room};

pub(super) const VIRGLRENDERER: Crate = Crate {
    name: "virglrenderer",
    folder: "venus-host/virglrenderer",
    shared: &[],
    forbidden: &["std::net", "std::os::unix::net", "std::process", "std::env", "std::fs"],
    why: "a library inside a monitor starts and opens nothing of its own accord: what it takes from the world comes by the \
          host",
    rooms: &[
        Room { name: "lib.rs", modules: &[""], floor: 4, why: "the map of the rooms", ..ROOM },
        Room {
            name: "exports",
            floor: 3,
            rooms: &["renderer", "log", "abi", "failure"],
            crates: &["parking_lot", "rustix::mm", "tracing", "venus_ffi", "venus_host::context"],
            why: "a C function checks its pointers and calls one safe function; what it means is decided in `renderer`",
            ..ROOM
        },
        Room {
            name: "worker",
            floor: 3,
            rooms: &["renderer", "log"],
            crates: &["std::process", "tracing", "venus_host"],
            why: "a process that serves a context does what the host does for it, as the same environment says",
            ..ROOM
        },
        Room {
            name: "renderer",
            floor: 2,
            rooms: &["scanout", "fences", "abi", "failure"],
            crates: &["parking_lot", "rustix", "tracing", "venus_ffi", "venus_host"],
            why: "the device is the host and what virtio-gpu has besides; nobody else keeps state",
            ..ROOM
        },
        Room {
            name: "scanout",
            floor: 1,
            rooms: &["abi"],
            crates: &["libloading", "tracing"],
            why: "pictures are pixels and textures, and have nothing to do with Venus",
            ..ROOM
        },
        Room {
            name: "fences",
            floor: 1,
            rooms: &["abi"],
            crates: &["parking_lot", "tracing"],
            why: "when a monitor is told does not depend on what it is told of",
            ..ROOM
        },
        Room {
            name: "log",
            floor: 1,
            crates: &["venus_ffi::log"],
            why: "callbacks for lines, and nothing about what stands in them",
            ..ROOM
        },
        Room {
            name: "abi",
            crates: &["venus_host::resource::volatile"],
            why: "the border is data, copied as memory that a guest writes to is, and calls of the monitor's functions",
            ..ROOM
        },
        Room {
            name: "failure",
            crates: &["venus_ffi::Error", "venus_host::HostError", "venus_host::error"],
            why: "an error is said by everybody",
            ..ROOM
        },
    ],
};
