//! Guests of whom somebody is told what is left out.

use std::sync::{Arc, Mutex};

use mock_driver::Mock;
use venus_host::{
    context::Options,
    endpoint::{EndpointObserver, Observer, Outcome, Place, Source},
};

use super::{World, config};

/// Keeps why commands were left out.
#[derive(Clone, Default)]
pub(crate) struct LeftOut(Arc<Mutex<Vec<String>>>);

impl LeftOut {
    /// Why, of each that was left out so far.
    pub(crate) fn reasons(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

impl Observer for LeftOut {
    fn endpoint(&self, _source: Source, _has_thread: bool) -> Option<Box<dyn EndpointObserver>> {
        Some(Box::new(self.clone()))
    }
}

impl EndpointObserver for LeftOut {
    fn end(&mut self, _place: Place, outcome: Outcome<'_>, _reply: &[u8]) {
        if let Outcome::LeftOut(reason) = outcome {
            self.0.lock().unwrap().push(reason.to_owned());
        }
    }
}

impl<'m> World<'m> {
    /// A world, and what is told of it.
    pub(crate) fn observed(mock: &'m Mock) -> (Self, LeftOut) {
        let left_out = LeftOut::default();
        let options = Options::new("test", config(mock)).observer(Arc::new(left_out.clone()));
        (Self::of(mock, options), left_out)
    }
}
