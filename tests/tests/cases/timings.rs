//! Programs that time themselves: here, that what they time works. The times are for `cargo xtask bench`.

use crate::common::{SID, rows};

rows! {
    starts_are_timed: SID, &["time-start", "1"];
    calls_are_timed: SID, &["time-call", "10"];
    recording_is_timed: SID, &["time-record", "1"];
    submits_are_timed: SID, &["time-submit", "10"];
    frames_in_flight_are_timed: SID, &["time-three-in-flight", "10"];
    buffers_are_timed: SID, &["time-buffer", "10"];
    buffers_that_are_not_mapped_are_timed: SID, &["time-buffer-unmapped", "10"];
    maps_are_timed: SID, &["time-map", "10"];
    jobs_are_timed: SID, &["time-job", "10"];
    pipelines_are_timed: SID, &["time-pipeline", "2"];
    draws_are_timed: SID, &["time-1000-draws", "1"];
}
