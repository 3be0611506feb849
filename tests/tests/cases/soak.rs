//! A short soak; `cargo xtask soak` is the long one.

use crate::common::{BOTH, guest, place};
use std::time::Duration;
use testbed::soak;

#[test]
fn half_a_minute_of_guests_leaves_nothing() {
    let name = "half_a_minute_of_guests_leaves_nothing";
    let Some(place) = place(name) else { return };
    let guests: Option<Vec<_>> = BOTH.iter().map(|suite| guest(name, *suite)).collect();
    let Some(guests) = guests else { return };
    let seconds = Duration::from_secs;
    let options = soak::Options {
        host: place.host,
        cases: place.cases,
        guests,
        duration: seconds(30),
        round: seconds(10),
        at_once: 4,
        seed: 1,
    };
    let report = soak::run(&options, |line| eprintln!("{line}")).unwrap();
    assert!(report.complaints.is_empty(), "{:#?}", report.complaints);
    assert!(report.killed > 0 && report.killed < report.guests, "{report:?}");
}
