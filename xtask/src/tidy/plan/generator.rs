//! The rooms of the generator.

use super::ROOM;
use rooms::{Crate, Room};

/// What makes tokens.
const TOKENS: &[&str] = &["heck", "prettyplease", "proc_macro2", "quote", "syn"];

pub(super) const GEN: Crate = Crate {
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
