//! A program that polls while the GPU is busy.

use crate::common::{BOTH, rows};

rows! {
    fences_are_polled_with_a_nanosecond: BOTH, &["poll-fence-1ns"];
    fences_are_polled_with_a_microsecond: BOTH, &["poll-fence-1us"];
    fences_are_polled_with_a_millisecond: BOTH, &["poll-fence-1ms"];
    status_is_polled_beside_a_recorder: BOTH, &["poll-status"];
}
