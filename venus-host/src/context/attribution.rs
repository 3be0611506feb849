//! Tells the validation layer's listener which command of the guest's is being executed.

use crate::{
    driver::validation::{self, Current},
    endpoint::{Command, EndpointObserver, Observer, Outcome, Place, Source},
};

/// Names the command of each thread, so that what the layer finds has a cause. Only in contexts that validate.
#[derive(Debug)]
pub(crate) struct Attribution;

impl Observer for Attribution {
    fn endpoint(&self, _source: Source, _has_thread: bool) -> Option<Box<dyn EndpointObserver>> {
        Some(Box::new(Self))
    }
}

impl EndpointObserver for Attribution {
    fn begin(&mut self, command: &Command<'_>) -> Option<u64> {
        let Command { place, header, .. } = *command;
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

    fn end(&mut self, _place: Place, _outcome: Outcome<'_>, _reply: &[u8]) {
        validation::end();
    }
}
