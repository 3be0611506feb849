//! The rooms of what looks on: recordings, dumps, replays, traces.

use super::ROOM;
use rooms::{Crate, Room};

pub(super) const OBSERVE: Crate = Crate {
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
            crates: &["rustix::fs", "std::process::id"],
            tests: &["tempfile"],
            why: "where files of observers go, and how they are called",
            ..ROOM
        },
    ],
};
