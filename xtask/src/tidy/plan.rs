//! The plan of the house, as data: which rooms there are, on which floor, and what each may use. What the columns mean is
//! told by [`rooms`].

use rooms::{Crate, Exception, Room};

/// A word that must not stand in chores and tests.
#[derive(Debug)]
pub(super) struct Word {
    pub(super) word: &'static str,
    pub(super) folders: &'static [&'static str],
    /// Where it stands all the same, and why.
    pub(super) places: &'static [(&'static str, &'static str)],
    pub(super) why: &'static str,
}

pub(super) const OFFLINE: Word = Word {
    word: concat!('"', "--off", "line", '"'),
    folders: &["xtask/src", "tests", "venus-gen/tests", "venus-protocol/tests", "venus-host"],
    places: &[
        ("xtask/src/macos/mod.rs", "the root has no network, and the crates were put into it just before"),
        ("venus-gen/tests/common/mod.rs", "asks for nothing but ash, which these tests depend on themselves"),
        ("venus-gen/tests/compile.rs", "builds with nothing but what these tests depend on themselves"),
    ],
    why: "a chore or a test must not depend on what an earlier command happened to download",
};

/// A room without walls, for rows to say what is theirs.
const ROOM: Room = Room { name: "", modules: &[], floor: 0, rooms: &[], crates: &[], tests: &[], why: "" };

/// Every crate, in the order in which data flows.
pub(super) const CRATES: &[Crate] = &[
    GEN,
    PROTOCOL,
    HOST,
    OBSERVE,
    COMMAND,
    FFI,
    CAPI,
    VIRGLRENDERER,
    GUEST,
    GUEST_C,
    MOCK_DRIVER,
    VERIFY,
    TESTBED,
    TESTS,
    BENCH,
    CASES,
    IN_PROCESS,
    ROOMS,
    XTASK,
];

/// What makes tokens.
const TOKENS: &[&str] = &["heck", "prettyplease", "proc_macro2", "quote", "syn"];

const GEN: Crate = Crate {
    name: "venus_gen",
    folder: "venus-gen",
    shared: &["thiserror"],
    forbidden: &[
        "std::fs",
        "std::env",
        "std::io",
        "std::net",
        "std::os",
        "std::path",
        "std::process",
        "std::thread",
        "std::time",
        "std::collections::HashMap",
        "std::collections::HashSet",
    ],
    why: "the generator is a pure function from text to text with the same output every time: xtask reads and writes \
          files, and maps are BTreeMap or Vec in registry order",
    rooms: &[
        Room {
            name: "lib.rs",
            modules: &[""],
            floor: 6,
            rooms: &["emit", "lower", "resolve", "model", "parse", "diag"],
            why: "the pipeline, readable in one screen: what a step does is in its room",
            ..ROOM
        },
        Room {
            name: "emit",
            floor: 5,
            rooms: &["lower", "model", "diag"],
            crates: TOKENS,
            why: "emitters print a plan; a look back at the XML would decide something a second time",
            ..ROOM
        },
        Room {
            name: "lower",
            floor: 4,
            rooms: &["resolve", "model", "diag"],
            why: "decisions about the wire are made from the resolved model alone, and make no tokens",
            ..ROOM
        },
        Room {
            name: "resolve",
            floor: 3,
            rooms: &["parse", "model", "diag"],
            why: "passes over the model make no tokens; how a thing looks in Rust is decided in `emit`",
            ..ROOM
        },
        Room {
            name: "parse",
            floor: 2,
            rooms: &["xml", "diag"],
            why: "parsing turns text into records and decides nothing; meaning is given in `resolve`",
            ..ROOM
        },
        Room {
            name: "reduce",
            floor: 2,
            rooms: &["xml", "diag"],
            why: "the registry is reduced as it is written, not as it is understood",
            ..ROOM
        },
        Room {
            name: "model",
            floor: 1,
            rooms: &["diag"],
            why: "the model is plain data that knows neither XML nor the wire nor Rust's syntax",
            ..ROOM
        },
        Room {
            name: "xml",
            floor: 1,
            rooms: &["diag"],
            crates: &["quick_xml"],
            why: "XML ends here and in the readers above; everything after them works on plain records",
            ..ROOM
        },
        Room { name: "diag", why: "a diagnostic is a place and a text", ..ROOM },
    ],
};

const PROTOCOL: Crate = Crate {
    name: "venus_protocol",
    folder: "venus-protocol",
    shared: &["ash::vk"],
    forbidden: &["alloc::alloc"],
    why: "memory is reached through the helpers of `wire` alone, where the proofs are",
    rooms: &[
        Room {
            name: "lib.rs",
            modules: &["", "generated", "generated/extensions"],
            floor: 5,
            rooms: &["codec", "wire", "vk"],
            why: "the map of the rooms, and what the protocol covers",
            ..ROOM
        },
        Room {
            name: "message",
            floor: 4,
            rooms: &["reflect", "wire"],
            why: "what things are called in print; nothing on the way of a command asks",
            ..ROOM
        },
        Room {
            name: "reflect",
            modules: &["reflect", "generated/reflect"],
            floor: 3,
            rooms: &["codec", "wire", "vk"],
            why: "tables describe what travels; nothing on the way of a command reads them",
            ..ROOM
        },
        Room {
            name: "dispatch",
            modules: &["dispatch", "generated/dispatch"],
            floor: 3,
            rooms: &["codec", "wire", "vk"],
            why: "a command goes to whoever handles it, by its number",
            ..ROOM
        },
        Room {
            name: "procs",
            modules: &["procs", "generated/procs", "generated/calls"],
            floor: 3,
            rooms: &["codec", "wire", "vk"],
            why: "decoded arguments are ready for a driver's entry points, whosever these are",
            ..ROOM
        },
        Room {
            name: "codec",
            modules: &[
                "generated/args",
                "generated/chains",
                "generated/decode",
                "generated/encode",
                "generated/minima",
                "generated/nodes",
                "generated/scalars",
            ],
            floor: 2,
            rooms: &["wire", "vk"],
            why: "commands and structures are sequences of what `wire` reads and writes; structures hold each other by chains",
            ..ROOM
        },
        Room {
            name: "wire",
            modules: &["wire", "generated/commands"],
            floor: 1,
            crates: &["bumpalo"],
            why: "one primitive at a cursor; which follows which is the codec's",
            ..ROOM
        },
        Room {
            name: "vk",
            modules: &["vk", "generated/types"],
            why: "types are ash's, and what ash lacks is like them",
            ..ROOM
        },
    ],
};

const HOST: Crate = Crate {
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
            rooms: &["context", "endpoint", "driver", "resource", "socket", "error", "limits", "thread"],
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
                "venus_protocol::EXTENSIONS",
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
            rooms: &["driver", "error", "limits"],
            crates: &["venus_protocol::vk", "venus_protocol::wire"],
            why: "the table turns ids into handles, and lets the driver free what is gone; commands are unknown to it",
            ..ROOM
        },
        Room {
            name: "ring",
            floor: 3,
            rooms: &["resource", "error", "limits", "thread"],
            why: "a ring copies bytes out of shared memory; what they mean is decided above",
            ..ROOM
        },
        Room {
            name: "driver",
            floor: 2,
            rooms: &["resource", "error", "limits", "thread"],
            crates: &[
                "ash",
                "rustix",
                "std::env",
                "venus_protocol::EXTENSIONS",
                "venus_protocol::Extension",
                "venus_protocol::args",
                "venus_protocol::procs",
                "venus_protocol::vk",
            ],
            tests: &["venus_protocol::wire"],
            why: "the driver room calls Vulkan with Vulkan's own handles; guests and their ids are unknown to it",
            ..ROOM
        },
        Room {
            name: "resource",
            floor: 1,
            rooms: &["error", "limits"],
            crates: &["rustix"],
            why: "memory that is shared knows neither what it holds nor who made it",
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
        Room { name: "limits", why: "a limit is a number with a reason", ..ROOM },
        Room { name: "thread", crates: &["rustix"], why: "what threads need on one system and not on another", ..ROOM },
    ],
};

const OBSERVE: Crate = Crate {
    name: "venus_observe",
    folder: "venus-host/observe",
    shared: &["foldhash", "hashbrown", "parking_lot", "thiserror", "tracing"],
    forbidden: &["std::net", "std::os::unix::net", "std::process", "std::env"],
    why: "who looks on needs no sockets and starts no programs",
    rooms: &[
        Room {
            name: "lib.rs",
            modules: &["", "test_memory"],
            floor: 3,
            rooms: &["recording", "trace", "file"],
            crates: &["venus_host"],
            why: "the map of the rooms, and the settings of who looks on",
            ..ROOM
        },
        Room {
            name: "replay",
            floor: 2,
            rooms: &["recording"],
            crates: &[
                "png",
                "venus_protocol",
                "venus_host::HostError",
                "venus_host::context",
                "venus_host::driver",
                "venus_host::endpoint",
                "venus_host::error",
                "venus_host::limits",
                "venus_host::resource",
            ],
            tests: &["tempfile", "lib.rs"],
            why: "a player feeds a context as an embedder does: all that a recording holds goes through the interpreter",
            ..ROOM
        },
        Room {
            name: "dump",
            floor: 2,
            rooms: &["recording"],
            crates: &["serde", "serde_json", "venus_protocol::reflect", "venus_protocol::wire", "venus_host::limits"],
            tests: &["tempfile", "venus_host", "venus_verify"],
            why: "the printer works from the tables alone, on any machine, with no driver",
            ..ROOM
        },
        Room {
            name: "trace",
            floor: 2,
            rooms: &["recording", "file"],
            crates: &[
                "prost",
                "rustix",
                "venus_protocol::reflect",
                "venus_protocol::wire",
                "venus_host::endpoint",
                "venus_host::error",
                "venus_host::limits",
            ],
            tests: &["tempfile"],
            why: "a tracer is told what happens; it asks the tables for names, and no context",
            ..ROOM
        },
        Room {
            name: "recording",
            floor: 1,
            rooms: &["file"],
            crates: &[
                "crc32fast",
                "lz4_flex",
                "postcard",
                "serde",
                "serde_bytes",
                "venus_protocol::wire",
                "venus_host::driver",
                "venus_host::endpoint",
                "venus_host::error",
                "venus_host::resource",
            ],
            tests: &["tempfile", "lib.rs"],
            why: "a recording is bytes and when they came; what they mean is for those who read it",
            ..ROOM
        },
        Room {
            name: "file",
            crates: &["std::process::id"],
            why: "where files of observers go, and how they are called",
            ..ROOM
        },
    ],
};

const COMMAND: Crate = Crate {
    name: "venus_command",
    folder: "venus-host/command",
    shared: &[],
    forbidden: &[],
    why: "",
    rooms: &[Room {
        name: "all of it",
        modules: &["*"],
        crates: &[
            "anyhow",
            "clap",
            "clap_complete",
            "clap_mangen",
            "indicatif",
            "rustix",
            "serde_json",
            "signal_hook",
            "tracing",
            "tracing_subscriber",
            "venus_host",
            "venus_observe",
        ],
        tests: &["tempfile"],
        why: "the command is words for people; what they ask for is done by the libraries",
        ..ROOM
    }],
};

const FFI: Crate = Crate {
    name: "venus_ffi",
    folder: "venus-host/ffi",
    shared: &[],
    forbidden: &[],
    why: "",
    rooms: &[Room {
        name: "all of it",
        modules: &["*"],
        crates: &["tracing", "venus_host"],
        why: "a library that is linked into a monitor brings nothing but the host",
        ..ROOM
    }],
};

const VIRGLRENDERER: Crate = Crate {
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

const CAPI: Crate = Crate {
    name: "venus_host_c",
    folder: "venus-host/capi",
    shared: &[],
    forbidden: &[],
    why: "",
    rooms: &[Room {
        name: "all of it",
        modules: &["*"],
        crates: &["venus_ffi", "venus_host"],
        tests: &["testbed"],
        why: "a function for C is a check of its arguments and one call of the host",
        ..ROOM
    }],
};

const GUEST_C: Crate = Crate {
    name: "venus_guest_c",
    folder: "tests/guest/c",
    shared: &[],
    forbidden: &[],
    why: "",
    rooms: &[Room {
        name: "all of it",
        modules: &["*"],
        crates: &["anyhow", "venus_guest"],
        why: "the guest for monitors in other languages is the guest, behind pointers to functions",
        ..ROOM
    }],
};

const GUEST: Crate = Crate {
    name: "venus_guest",
    folder: "tests/guest",
    shared: &[],
    forbidden: &[],
    why: "",
    rooms: &[Room {
        name: "all of it",
        modules: &["*"],
        crates: &["anyhow", "clap", "png", "rustix", "venus_protocol"],
        tests: &["tempfile"],
        why: "the guest shares the protocol with a host, and nothing else: it speaks to any",
        ..ROOM
    }],
};

const MOCK_DRIVER: Crate = Crate {
    name: "mock_driver",
    folder: "tests/mock-driver",
    shared: &[],
    forbidden: &[],
    why: "",
    rooms: &[Room {
        name: "all of it",
        modules: &["*"],
        crates: &["parking_lot", "tempfile", "venus_protocol"],
        why: "a driver does not know who calls it",
        ..ROOM
    }],
};

const VERIFY: Crate = Crate {
    name: "venus_verify",
    folder: "tests/verify",
    shared: &[],
    forbidden: &[],
    why: "",
    rooms: &[Room {
        name: "all of it",
        modules: &["*"],
        crates: &["venus_protocol"],
        why: "the codec is checked against bytes and tables, by nobody who uses it",
        ..ROOM
    }],
};

const TESTS: Crate = Crate {
    name: "venus_tests",
    folder: "tests",
    shared: &[],
    forbidden: &[],
    why: "",
    rooms: &[Room {
        name: "all of it",
        modules: &["*"],
        crates: &["anyhow", "clap", "venus_protocol", "venus_verify"],
        why: "what end-to-end tests share is about bytes; whoever executes them is another program",
        ..ROOM
    }],
};

const TESTBED: Crate = Crate {
    name: "testbed",
    folder: "tests/testbed",
    shared: &[],
    forbidden: &[],
    why: "",
    rooms: &[Room {
        name: "all of it",
        modules: &["*"],
        crates: &["anyhow", "clap", "indicatif", "png", "rustix", "serde_json", "sha2", "tempfile"],
        why: "chores must build on a day when the generated code does not: what is under test is built when it is needed",
        ..ROOM
    }],
};

const BENCH: Crate = Crate {
    name: "bench",
    folder: "tests/bench",
    shared: &[],
    forbidden: &[],
    why: "",
    rooms: &[Room {
        name: "all of it",
        modules: &["*"],
        crates: &[
            "anyhow",
            "clap",
            "foldhash",
            "hashbrown",
            "parking_lot",
            "serde_json",
            "tempfile",
            "testbed",
            "venus_guest",
            "venus_protocol",
        ],
        why: "hosts are measured from outside, so that any can be",
        ..ROOM
    }],
};

const CASES: Crate = Crate {
    name: "venus_cases",
    folder: "tests/cases",
    shared: &[],
    forbidden: &[],
    why: "",
    rooms: &[Room {
        name: "all of it",
        modules: &["*"],
        crates: &["anyhow", "ash", "clap"],
        why: "an application knows Vulkan, and neither guest nor host",
        ..ROOM
    }],
};

const IN_PROCESS: Crate = Crate {
    name: "venus_in_process",
    folder: "tests/in-process",
    shared: &[],
    forbidden: &[],
    why: "",
    rooms: &[Room {
        name: "all of it",
        modules: &["*"],
        crates: &[
            "anyhow",
            "ash",
            "clap",
            "libc",
            "libloading",
            "parking_lot",
            "rustix",
            "tracing",
            "tracing_subscriber",
            "venus_host",
            "venus_protocol::EXTENSIONS",
        ],
        tests: &["tempfile"],
        why: "an embedder like any other, between a C library and the host's public surface",
        ..ROOM
    }],
};

const ROOMS: Crate = Crate {
    name: "rooms",
    folder: "tests/rooms",
    shared: &[],
    forbidden: &[],
    why: "",
    rooms: &[Room {
        name: "all of it",
        modules: &["*"],
        crates: &["anyhow", "proc_macro2", "syn"],
        why: "sources are looked at by somebody who knows none of them",
        ..ROOM
    }],
};

const XTASK: Crate = Crate {
    name: "xtask",
    folder: "xtask",
    shared: &[],
    forbidden: &[],
    why: "",
    rooms: &[Room {
        name: "all of it",
        modules: &["*"],
        crates: &[
            "anyhow",
            "cbindgen",
            "clap",
            "object",
            "rooms",
            "serde_json",
            "sha2",
            "similar",
            "syn",
            "tempfile",
            "testbed",
            "venus_gen",
        ],
        why: "what regenerates the protocol crate must build on a day when that does not",
        ..ROOM
    }],
};

pub(super) const EXCEPTIONS: &[Exception] = &[];
