//! Takes what a guest would get: replies, and the news that its context is lost.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use parking_lot::Mutex;
use venus_host::endpoint::{self, EndpointObserver, Observer, Place, Source};

/// Takes the replies that a guest would get.
#[derive(Debug, Default)]
pub(super) struct Listener {
    /// The last reply of each endpoint, unless it was empty.
    replies: Arc<Mutex<BTreeMap<Source, Vec<u8>>>>,
    lost: Mutex<Option<String>>,
    /// Whether `lost` is set, cheap enough to be read before each command.
    is_lost: AtomicBool,
}

impl Listener {
    pub(super) fn take_reply(&self, source: Source) -> Vec<u8> {
        self.replies.lock().remove(&source).unwrap_or_default()
    }

    /// Why the context is lost, if it is.
    pub(super) fn lost(&self) -> Option<String> {
        self.lost.lock().clone()
    }

    /// Whether the context is lost.
    pub(super) fn is_lost(&self) -> bool {
        self.is_lost.load(Ordering::Acquire)
    }
}

/// Takes the replies of one endpoint.
struct EndpointListener(Arc<Mutex<BTreeMap<Source, Vec<u8>>>>);

impl EndpointObserver for EndpointListener {
    fn end(&mut self, place: Place, _outcome: endpoint::Outcome<'_>, reply: &[u8]) {
        let mut replies = self.0.lock();
        match reply.is_empty() {
            true => drop(replies.remove(&place.source)),
            false => drop(replies.insert(place.source, reply.to_vec())),
        }
    }
}

impl Observer for Listener {
    fn endpoint(&self, _source: Source, _has_thread: bool) -> Option<Box<dyn EndpointObserver>> {
        Some(Box::new(EndpointListener(Arc::clone(&self.replies))))
    }

    fn lost(&self, reason: &str) {
        *self.lost.lock() = Some(reason.to_owned());
        self.is_lost.store(true, Ordering::Release);
    }
}
