//! More fences, timelines and waits at a time than usual. Bounds are above what is legal, so the numbers are the reports'.

use crate::common::{BOTH, rows};

rows! {
    seventy_thousand_fences_are_alive: BOTH, &["fences"];
    forty_thousand_timelines_are_alive: BOTH, &["timelines"];
    one_wait_takes_five_thousand_fences: BOTH, &["wait-all"];
    one_wait_takes_any_of_two_thousand_timelines: BOTH, &["wait-any"];
    six_hundred_threads_wait_for_timelines: BOTH, &["timeline-threads"];
    six_hundred_threads_wait_for_fences: BOTH, &["fence-threads"];
    twenty_thousand_submissions_are_pending: BOTH, &["pending"];
}
