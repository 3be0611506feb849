//! Programs that start.

use crate::common::{SID, as_natively};

/// A host that is slow to get its threads going may not be taken for dead.
#[test]
fn every_start_on_busy_cores_works() {
    as_natively("every_start_on_busy_cores_works", SID, &["starts", "60"]);
}
