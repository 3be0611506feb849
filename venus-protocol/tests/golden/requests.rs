//! One request of every other command, of all that came with later levels, and of what their structures follow: decodes, encodes to the same bytes, and gets a reply of the right length.

use venus_protocol::wire::Arena;
use venus_verify::vectors;

const REQUESTS: &str = include_str!("requests.tsv");

#[test]
fn every_request_survives() {
    let mut arena = Arena::default();
    let mut failures = Vec::new();
    let rows = vectors::parse(REQUESTS);
    for (line, row) in &rows {
        let outcome = row.clone().and_then(|vector| vectors::check(&vector, &arena));
        arena.reset();
        if let Err(failure) = outcome {
            failures.push(format!("requests.tsv:{line}: {failure}"));
        }
    }
    assert_eq!(failures, [""; 0], "{} of {} requests fail", failures.len(), rows.len());
    assert_eq!(rows.len(), 233);
}
