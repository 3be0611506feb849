//! Memory of odd sizes, refused memory, more than there is, and churn.

use crate::common::{BOTH, SID, as_natively, content, guest, place, rows, verdict};

rows! {
    odd_sizes_hold_every_byte: BOTH, &["memory-sizes"];
    a_heap_is_asked_for_twice: BOTH, &["memory-twice"];
    refused_memory_is_freed: BOTH, &["memory-refused-free"];
}

#[test]
fn budgets_are_at_most_heaps() {
    let name = "budgets_are_at_most_heaps";
    let (Some(place), Some(guest)) = (place(name), guest(name, SID[0])) else { return };
    let host = place.resident(&guest, &[]);
    let finished = place.through(&guest, &host.socket(), &["memory-budget"]).output().unwrap();
    verdict(finished, "budgets", &host.log());
}

/// Mesa allocates without asking for the answer, so the first that the program hears of a refusal is the mapping.
#[test]
fn mapping_refused_memory_is_an_error_code() {
    let Some((said, _)) = content("mapping_refused_memory_is_an_error_code", BOTH, &["memory-refused-map"]) else {
        return;
    };
    assert_eq!(said, "OK vkMapMemory: Err(ERROR_MEMORY_MAP_FAILED)");
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

/// Where the host has fewer descriptors than the program wants allocations, there is an error code at the bound.
#[test]
fn too_many_allocations_are_an_error_code() {
    let name = "too_many_allocations_are_an_error_code";
    let Some(place) = place(name) else { return };
    for suite in BOTH {
        let Some(guest) = guest(name, *suite) else { return };
        for case in ["memory-many", "memory-many-unmapped"] {
            let host = place.host_with_descriptors(2000);
            let finished = place.through(&guest, &host.socket(), &[case, "2500"]).output().unwrap();
            verdict(finished, &format!("{case} in {}", guest.name()), &host.log());
        }
    }
}

#[test]
fn as_many_allocations_as_there_are_descriptors_for() {
    as_natively("as_many_allocations_as_there_are_descriptors_for", BOTH, &["memory-many", "4000"]);
}
