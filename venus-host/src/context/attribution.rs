//! Tells the validation layer's listener which command of the guest's is being executed.

use venus_protocol::wire::CommandHeader;

use super::Observer;
use crate::{
    driver::validation::{self, Current},
    error::HostError,
    recording::{Place, Source},
};

/// Names the command of each thread, so that what the layer finds has a cause. Only in contexts that validate.
#[derive(Debug)]
pub(crate) struct Attribution;

impl Observer for Attribution {
    fn begin(&self, place: Place, header: CommandHeader, _request: &[u8]) -> Option<u64> {
        let ring = match place.source {
            Source::Direct => None,
            Source::Ring(id) => Some(id),
        };
        validation::begin(Current {
            command: header.command.name(),
            ring,
            is_indirect: place.depth != 0,
            position: place.position,
        });
        None
    }

    fn end(&self, _place: Place, _outcome: Result<(), &HostError>, _reply: &[u8]) {
        validation::end();
    }
}
