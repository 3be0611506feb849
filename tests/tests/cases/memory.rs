//! Memory of odd sizes, refused memory, more than there is, and churn.

use crate::common::{BOTH, SID, as_natively, guest, place, rows, verdict};

rows! {
    odd_sizes_hold_every_byte: BOTH, &["memory-sizes"];
    a_heap_is_asked_for_twice: BOTH, &["memory-twice"];
    refused_memory_is_freed: BOTH, &["memory-refused-free"];
}

#[test]
fn budgets_are_at_most_heaps() {
    let name = "budgets_are_at_most_heaps";
    let (Some(place), Some(guest)) = (place(name), guest(name, SID[0])) else { return };
    let host = place.resident(&guest);
    let finished = place.through(&guest, &host.socket(), &["memory-budget"]).output().unwrap();
    verdict(finished, "budgets", &host.log());
}

/// As often as it likes, with far fewer descriptors than rounds: what is freed comes back.
#[test]
fn freed_memory_leaves_no_descriptor() {
    let name = "freed_memory_leaves_no_descriptor";
    let Some(place) = place(name) else { return };
    for suite in BOTH {
        let Some(guest) = guest(name, *suite) else { return };
        let host = place.host_with_descriptors(500);
        let finished = place.through(&guest, &host.socket(), &["memory-churn", "5000"]).output().unwrap();
        verdict(finished, &format!("churn in {}", guest.name()), &host.log());
    }
}

#[test]
fn as_many_allocations_as_there_are_descriptors_for() {
    as_natively("as_many_allocations_as_there_are_descriptors_for", BOTH, &["memory-many", "4000"]);
}
