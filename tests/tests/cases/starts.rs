//! Programs that start.

use crate::common::{SID, rows};

rows! {
    // A host that is slow to get its threads going may not be taken for dead.
    every_start_on_busy_cores_works: SID, &["starts", "60"];
    instances_are_made_in_many_threads: SID, &["instance-threads", "5"];
}
