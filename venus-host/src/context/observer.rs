//! Looking over the shoulder of a context: recorders, tracers, whoever compares.
//!
//! An observer is told what every endpoint does, on that endpoint's thread, while the command waits: what it does with
//! that had better be quick. Contexts without observers pay one predictable branch per command.

use std::{
    fmt,
    sync::{Arc, Weak},
};

use venus_protocol::wire::CommandHeader;

use super::Shared;
use crate::{
    error::HostError,
    recording::{Place, Source},
    resource::{Blob, BlobFlags, ResourceId},
    trace::Lane,
};

/// Is told what happens in a context. All methods but those that it needs may stay as they are.
#[expect(unused_variables, reason = "the names are the documentation")]
pub(crate) trait Observer: Send + Sync {
    /// The context that it observes has been made. Comes first.
    fn attach(&self, context: Weak<Shared>) {}

    /// What an endpoint shall tell about itself that is more than commands; `is_thread` if it has a thread of its own.
    /// Of several observers that want it, the first has it.
    fn lane(&self, source: Source, is_thread: bool) -> Option<Lane> {
        None
    }

    /// An endpoint turns to the command at `place`, whose bytes nobody has looked at.
    fn approach(&self, place: Place) {}

    /// The command is decoded and about to be executed. Returns how many there were before, if the observer counts.
    fn begin(&self, place: Place, header: CommandHeader, request: &[u8]) -> Option<u64> {
        None
    }

    /// It is over. `reply` is what the guest will be answered. Only after a `begin` at the same place.
    fn end(&self, place: Place, outcome: Result<(), &HostError>, reply: &[u8]) {}

    /// There is no command at `place`. `bytes` is what is left of the stream.
    fn undecodable(&self, place: Place, bytes: &[u8], reason: &HostError) {}

    /// A stream that a vkExecuteCommandStreamsMESA names was copied and is about to be executed.
    fn stream(&self, source: Source, resource: ResourceId, offset: u64, bytes: &[u8]) {}

    /// A resource was asked for.
    fn blob(&self, id: ResourceId, flags: BlobFlags, blob_id: u64, size: u64, blob: Result<&Blob, &HostError>) {}

    /// A resource was dropped.
    fn unref(&self, id: ResourceId) {}

    /// A fence is put on a timeline. Returns a number of the observer's choice, to be told when it retires.
    fn fence(&self, ring_idx: u32) -> u64 {
        0
    }

    /// The fence with this number retires.
    fn retired(&self, number: u64) {}

    /// The context is lost.
    fn lost(&self, reason: &str) {}

    /// The guest has left and all that it had is gone.
    fn left(&self) {}
}

/// The observers of one context, in the order in which they are told.
#[derive(Clone, Default)]
pub(crate) struct Observers(Arc<[Arc<dyn Observer>]>);

impl Observers {
    pub(crate) fn new(observers: impl IntoIterator<Item = Arc<dyn Observer>>) -> Self {
        Self(observers.into_iter().collect())
    }

    /// Whether there are none, so that nothing need be prepared for them.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What an endpoint tells about itself, if anybody wants to know.
    pub(crate) fn lane(&self, source: Source, is_thread: bool) -> Option<Lane> {
        self.0.iter().find_map(|observer| observer.lane(source, is_thread))
    }

    /// Tells all.
    pub(crate) fn tell(&self, mut tell: impl FnMut(&dyn Observer)) {
        for observer in &*self.0 {
            tell(&**observer);
        }
    }

    /// Tells of a fence, and returns what tells of its end.
    pub(crate) fn fence(&self, ring_idx: u32) -> impl FnOnce() + Send + use<> {
        let pending: Vec<_> = self.0.iter().map(|observer| (Arc::clone(observer), observer.fence(ring_idx))).collect();
        move || {
            for (observer, number) in pending {
                observer.retired(number);
            }
        }
    }
}

impl fmt::Debug for Observers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} observers", self.0.len())
    }
}
