//! Crates of one room, in the order of the list of all.

use super::ROOM;
use rooms::{Crate, Room};

/// A crate of which nothing is said but who is in its room.
const CRATE: Crate = Crate { name: "", folder: "", shared: &[], forbidden: &[], why: "", rooms: &[] };

/// The room of a crate that has no other.
const WHOLE: Room = Room { name: "all of it", modules: &["*"], ..ROOM };

pub(super) const COMMAND: Crate = Crate {
    name: "venus_command",
    folder: "venus-host/command",
    rooms: &[Room {
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
        ..WHOLE
    }],
    ..CRATE
};

pub(super) const FFI: Crate = Crate {
    name: "venus_ffi",
    folder: "venus-host/ffi",
    rooms: &[Room {
        crates: &["tracing", "venus_host"],
        why: "a library that is linked into a monitor brings nothing but the host",
        ..WHOLE
    }],
    ..CRATE
};

pub(super) const CAPI: Crate = Crate {
    name: "venus_host_c",
    folder: "venus-host/capi",
    rooms: &[Room {
        crates: &["venus_ffi", "venus_host"],
        tests: &["testbed"],
        why: "a function for C is a check of its arguments and one call of the host",
        ..WHOLE
    }],
    ..CRATE
};

pub(super) const GUEST: Crate = Crate {
    name: "venus_guest",
    folder: "tests/guest",
    rooms: &[Room {
        crates: &["anyhow", "clap", "png", "rustix", "venus_protocol"],
        tests: &["tempfile"],
        why: "the guest shares the protocol with a host, and nothing else: it speaks to any",
        ..WHOLE
    }],
    ..CRATE
};

pub(super) const GUEST_C: Crate = Crate {
    name: "venus_guest_c",
    folder: "tests/guest/c",
    rooms: &[Room {
        crates: &["anyhow", "venus_guest"],
        why: "the guest for monitors in other languages is the guest, behind pointers to functions",
        ..WHOLE
    }],
    ..CRATE
};

pub(super) const MOCK_DRIVER: Crate = Crate {
    name: "mock_driver",
    folder: "tests/mock-driver",
    rooms: &[Room {
        crates: &["foldhash", "hashbrown", "parking_lot", "tempfile", "venus_protocol"],
        why: "a driver does not know who calls it",
        ..WHOLE
    }],
    ..CRATE
};

pub(super) const MODELS: Crate = Crate {
    name: "venus_models",
    folder: "tests/models",
    rooms: &[Room {
        crates: &["loom", "venus_protocol"],
        why: "the host's files are compiled into it, so it has nothing of the host but stand-ins",
        ..WHOLE
    }],
    ..CRATE
};

pub(super) const VERIFY: Crate = Crate {
    name: "venus_verify",
    folder: "tests/verify",
    rooms: &[Room {
        crates: &["venus_protocol"],
        why: "the codec is checked against bytes and tables, by nobody who uses it",
        ..WHOLE
    }],
    ..CRATE
};

pub(super) const TESTBED: Crate = Crate {
    name: "testbed",
    folder: "tests/testbed",
    rooms: &[Room {
        crates: &["anyhow", "clap", "indicatif", "png", "rustix", "serde_json", "sha2", "tempfile"],
        why: "chores must build on a day when the generated code does not: what is under test is built when it is needed",
        ..WHOLE
    }],
    ..CRATE
};

pub(super) const TESTS: Crate = Crate {
    name: "venus_tests",
    folder: "tests",
    rooms: &[Room {
        crates: &["anyhow", "clap", "venus_protocol", "venus_verify"],
        why: "what end-to-end tests share is about bytes; whoever executes them is another program",
        ..WHOLE
    }],
    ..CRATE
};

pub(super) const BENCH: Crate = Crate {
    name: "bench",
    folder: "tests/bench",
    rooms: &[Room {
        crates: &[
            "anyhow",
            "clap",
            "serde_json",
            "tempfile",
            "testbed",
            "venus_count",
            "venus_guest",
            "venus_protocol",
        ],
        why: "hosts are measured from outside, so that any can be",
        ..WHOLE
    }],
    ..CRATE
};

pub(super) const COUNT: Crate = Crate {
    name: "venus_count",
    folder: "tests/count",
    rooms: &[Room {
        crates: &[
            "anyhow",
            "foldhash",
            "hashbrown",
            "mock_driver",
            "parking_lot",
            "tempfile",
            "venus_guest",
            "venus_host",
            "venus_protocol",
        ],
        why: "what is counted is built for each check, so it takes little; and it reads no clock",
        ..WHOLE
    }],
    ..CRATE
};

pub(super) const CASES: Crate = Crate {
    name: "venus_cases",
    folder: "tests/cases",
    rooms: &[Room {
        crates: &["anyhow", "ash", "clap", "venus_protocol::vk"],
        why: "an application knows Vulkan, also what is newer than ash, and neither guest nor host",
        ..WHOLE
    }],
    ..CRATE
};

pub(super) const IN_PROCESS: Crate = Crate {
    name: "venus_in_process",
    folder: "tests/in-process",
    rooms: &[Room {
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
        ],
        tests: &["tempfile"],
        why: "an embedder like any other, between a C library and the host's public surface",
        ..WHOLE
    }],
    ..CRATE
};

pub(super) const ROOMS: Crate = Crate {
    name: "rooms",
    folder: "tests/rooms",
    rooms: &[Room {
        crates: &["anyhow", "proc_macro2", "syn"],
        why: "sources are looked at by somebody who knows none of them",
        ..WHOLE
    }],
    ..CRATE
};

pub(super) const XTASK: Crate = Crate {
    name: "xtask",
    folder: "xtask",
    rooms: &[Room {
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
        ..WHOLE
    }],
    ..CRATE
};
