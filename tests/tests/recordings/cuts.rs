//! A recording that ends anywhere is readable up to there.

use crate::common::{chunk_ends, fixtures, places, read};
use venus_observe::recording::Ending;

/// All records of a file's bytes, in words, and how it ends.
fn records(bytes: &[u8]) -> (Vec<String>, Ending) {
    let mut records = Vec::new();
    let ending = read(bytes, |record| records.push(format!("{record:?}")));
    (records, ending)
}

#[test]
fn a_cut_recording_holds_everything_before_the_cut() {
    for path in fixtures() {
        let name = path.display();
        let bytes = std::fs::read(&path).unwrap();
        let (all, ending) = records(&bytes);
        assert_eq!(ending, Ending::Complete, "{name}");
        let ends = chunk_ends(&bytes);
        let mut most = 0;
        for cut in places(&bytes) {
            let (some, ending) = records(&bytes[..cut]);
            assert_eq!(some, all[..some.len()], "{name} cut at {cut}");
            let whole = ends.iter().rev().copied().find(|end| *end <= cut).expect("the header");
            let expected = match cut - whole {
                0 => Ending::Open { bytes: whole as u64 },
                bytes => Ending::Cut { at: whole as u64, bytes: bytes as u64 },
            };
            assert_eq!(ending, expected, "{name} cut at {cut}");
            assert_eq!(some.len(), records(&bytes[..whole]).0.len(), "{name} cut at {cut}");
            most = most.max(some.len());
        }
        assert!(most > 0, "{name}: no cut left a record: it has too few chunks to show anything");
    }
}
