//! A program that polls while the GPU is busy.

use crate::common::{BOTH, rows};

rows! {
    fences_are_polled_without_patience: BOTH, &["poll-fence-0"];
    fences_are_polled_with_a_nanosecond: BOTH, &["poll-fence-1ns"];
    fences_are_polled_with_a_microsecond: BOTH, &["poll-fence-1us"];
    fences_are_polled_with_a_millisecond: BOTH, &["poll-fence-1ms"];
    fences_are_polled_in_eight_threads: BOTH, &["poll-fence-8-threads"];
    seven_hundred_threads_wait_for_two_seconds_each: BOTH, &["poll-fence-700-threads"];
    timelines_are_polled_without_patience: BOTH, &["poll-timeline"];
    any_of_three_timelines_is_polled_without_patience: BOTH, &["poll-any-timeline"];
    status_is_polled_beside_a_recorder: BOTH, &["poll-status"];
}
