//! A guest of a context on the noting driver: whole streams of commands, on rings that are polled and beside them.
//!
//! What must not happen is checked by the driver, which reads all that it is given, and holds its caller to the life of
//! each object; by the sanitizer; and by the tables, for replies.

use mock_driver::Mock;
use venus_host::context::{Context, Options};

use crate::{
    guest::{Guest, Service as _, budget, config},
    source::Source,
};

/// What one guest may do, so that each is over soon.
const STEPS: usize = 64;

/// An input of the target `stream`.
pub fn serve(data: &[u8]) {
    let mock = Mock::take();
    // What only another thread of the guest could end does not last.
    let options = Options::new("fuzz", config(&mock)).poll_rings().budget(budget()).abandoned(|| true);
    let mut guest = Guest::new(&mock, Source::new(data), Context::new(options), 1).expect("shared memory");
    for _ in 0..STEPS {
        if guest.source.is_empty() || guest.service.is_lost() {
            break;
        }
        guest.step();
    }
    drop(guest);
    mock.assert_clean();
}
