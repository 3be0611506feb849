//! Calls that Vulkan forbids or need not grant: refused or dropped, and the program goes on.

use crate::common::{BOTH, SID, as_natively, rows};

rows! {
    a_buffer_of_no_bytes: BOTH, &["empty-buffer"];
}

/// Where no queue only copies there is nothing to see; natively and through the host alike.
#[test]
fn timestamps_of_a_queue_that_only_copies() {
    as_natively("timestamps_of_a_queue_that_only_copies", SID, &["transfer-timestamps"]);
}
