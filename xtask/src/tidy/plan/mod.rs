//! The plan of the house, as data: which rooms there are, on which floor, and what each may use. What the columns mean is
//! told by [`rooms`].
//!
//! A crate of several rooms has a file; those of one room share `single`.

mod generator;
mod host;
mod observe;
mod protocol;
mod single;
mod virglrenderer;

use generator::GEN;
use host::HOST;
use observe::OBSERVE;
use protocol::PROTOCOL;
use rooms::{Crate, Exception, Room};
use single::{
    BENCH, CAPI, CASES, COMMAND, COUNT, FFI, GUEST, GUEST_C, IN_PROCESS, MOCK_DRIVER, MODELS, ROOMS, TESTBED, TESTS,
    VERIFY, XTASK,
};
use virglrenderer::VIRGLRENDERER;

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
        ("xtask/src/macos/root.rs", "the root has no network, and the crates were put into it just before"),
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
    MODELS,
    VERIFY,
    TESTBED,
    TESTS,
    COUNT,
    BENCH,
    CASES,
    IN_PROCESS,
    ROOMS,
    XTASK,
];

pub(super) const EXCEPTIONS: &[Exception] = &[];
