//! The one machine that every test run boots.

use crate::common::{run, steady};
use testbed::provision::Suite;
use testbed::vm::jobs::{SUMMARY, rates, summary};

#[test]
fn a_guest_finds_venus_and_reads_frames_back() {
    let Some(place) = steady("a_guest_finds_venus_and_reads_frames_back", Suite::Trixie) else { return };
    let report = run(place.machine(&format!("{SUMMARY} && ./venus-cases frames 300")));
    let summary = summary(&report).unwrap();
    assert!(summary.device.starts_with("Virtio-GPU Venus (llvmpipe"), "{summary:?}");
    assert_eq!(summary.driver, "venus", "{summary:?}");
    assert!(rates(&report.out).is_some(), "{}", report.out);
}
