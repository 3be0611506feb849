//! Calls that Vulkan forbids or need not grant: refused or dropped, and the program goes on.

use crate::common::{BOTH, SID, as_natively, content, guest, place, rows, verdict};

rows! {
    a_clear_of_no_rectangle: BOTH, &["clear-no-rectangle"];
    a_clear_of_no_texels: BOTH, &["clear-no-texels"];
    a_buffer_of_no_bytes: BOTH, &["empty-buffer"];
    a_shader_of_half_a_word: BOTH, &["half-a-word"];
}

/// Natively it is the driver's death.
#[test]
fn a_clear_of_no_layers() {
    content("a_clear_of_no_layers", BOTH, &["clear-no-layers"]);
}

#[test]
fn a_priority_that_few_may_have() {
    let name = "a_priority_that_few_may_have";
    let (Some(place), Some(guest)) = (place(name), guest(name, SID[0])) else { return };
    let host = place.resident(&guest, &[]);
    let finished = place.through(&guest, &host.socket(), &["global-priority"]).output().unwrap();
    verdict(finished, "a priority", &host.log());
}

/// Where no queue only copies there is nothing to see; natively and through the host alike.
#[test]
fn timestamps_of_a_queue_that_only_copies() {
    as_natively("timestamps_of_a_queue_that_only_copies", SID, &["transfer-timestamps"]);
}
