//! The recordings, and their records.

use std::path::{Path, PathBuf};
use std::time::Duration;
use testbed::process::{Running, tethered};
use testbed::programs::Program;
use testbed::sandbox::Guest;
use testbed::skipping::{HOST_VARIABLE, path_or_skip, skip};
use venus_observe::recording::{Ending, Reader, Record};

/// Longest that the doctor may take; a driver may have to be loaded from a cold disk.
const LIMIT: Duration = Duration::from_secs(60);

/// The recordings in the repository. There is always at least one.
pub(crate) fn fixtures() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("recordings");
    let mut found = testbed::recorder::recordings(&folder).expect("tests/recordings can be listed");
    found.sort();
    assert!(!found.is_empty(), "no recordings in {}", folder.display());
    found
}

/// Reads all records of a file's bytes, and says how it ends.
pub(crate) fn read(bytes: &[u8], mut each: impl FnMut(&Record<'_>)) -> Ending {
    let mut reader = Reader::new(bytes).expect("a recording");
    while let Some(record) = reader.next_record().expect("memory can be read") {
        each(&record);
    }
    reader.ending().expect("the reader has come to the end")
}

/// Places at which each recording is cut.
const CUTS: usize = 50;

/// Where the chunks of a recording end, by the layout that `venus_observe::recording` documents: 12 bytes, then chunks of
/// 16 bytes and as many as their second word says.
pub(crate) fn chunk_ends(bytes: &[u8]) -> Vec<usize> {
    let mut ends = vec![12];
    while let Some(at) = ends.last().copied().filter(|at| *at < bytes.len()) {
        let stored = u32::from_le_bytes(bytes[at + 4..at + 8].try_into().expect("four bytes"));
        ends.push(at + 16 + stored as usize);
    }
    ends
}

/// Places to cut a recording at, the same in every run: spread over all of it but its first chunk. Before the end of
/// that one nothing was recorded, and opening the file says so.
pub(crate) fn places(bytes: &[u8]) -> impl Iterator<Item = usize> {
    let (begin, end) = (chunk_ends(bytes)[1], bytes.len());
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    (0..CUTS).map(move |_| {
        // Knuth's MMIX generator; its upper bits are the good ones.
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        begin + usize::try_from((state >> 33) % (end - begin) as u64).expect("less than a length")
    })
}

/// The host under test, where it can use lavapipe; without it, the test `name` is skipped.
pub(crate) fn lavapipe_host(name: &str) -> Option<PathBuf> {
    let host = path_or_skip(name, HOST_VARIABLE)?;
    let mut doctor = tethered(&host);
    doctor.args(["doctor", "--gpu", "llvmpipe"]);
    let doctor = Running::start(&mut doctor, LIMIT).and_then(|mut doctor| doctor.finish()).expect("the doctor runs");
    if !doctor.success() {
        skip(name, "this machine has no lavapipe, on which the recordings were made");
        return None;
    }
    Some(host)
}

/// The host under test and the guest that runs the standard programs; without either, the test `name` is skipped.
pub(crate) fn host_and_guest(name: &str) -> Option<(PathBuf, Guest)> {
    let suite = Program::SUITE;
    let host = path_or_skip(name, HOST_VARIABLE)?;
    Some((host, Guest::at(suite.name(), path_or_skip(name, suite.variable())?)))
}
