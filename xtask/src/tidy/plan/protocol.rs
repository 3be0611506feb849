//! The rooms of the protocol.

use super::ROOM;
use rooms::{Crate, Room};

pub(super) const PROTOCOL: Crate = Crate {
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
