//! Rings that name resources which the context is yet to hear of.
//!
//! A monitor gives its guest a resource at once, and whoever serves the context hears of it by a message, in order with direct
//! submissions. A ring is memory that it shares with the guest, so a command there may come before the message. Both sides
//! count these messages (`endpoint/holdings.rs`): a ring that does not find a resource waits for it as long as some are on
//! their way that were sent before it looked. An id that nobody was told of is wrong as soon as there are none.
//!
//! # Why nobody waits in a circle
//!
//! The thread that handles messages may be inside a vkWaitRingSeqnoMESA, for a position of this very ring, with messages behind
//! it. A guest writes a command after it was given what the command names, and waits for the command's position after it
//! has written it; so the message lies before that wait, and was handled when the wait began. What a ring *finds* it must
//! not wait for: messages about other resources may lie behind the wait. Therefore the one thing that a lookup could get
//! wrong, an id that still means what it meant before, is seen to by the monitor, which gives no id a second meaning before the
//! first was forgotten (`worker/served.rs`). A guest that keeps to none of this holds its own ring, until that or the
//! context ends.

use std::sync::Arc;

use super::Context;
use crate::{
    endpoint::{Endpoint, Origin},
    error::Interrupt,
    resource::ResourceId,
    ring::{Control, Mode},
};

impl Endpoint {
    /// Waits for a resource that a command of a ring is about to look up, if it is on its way.
    ///
    /// For a command that has done nothing yet: it may be executed again.
    pub(super) fn await_resource(&mut self, id: ResourceId) -> Result<(), Interrupt> {
        match self.what_to_await(id) {
            Some((ring, last)) => self.await_message(&ring, id, last),
            None => Ok(()),
        }
    }

    /// The same for a command that names objects, too: they may go meanwhile, so it is executed anew if it has waited. Inside an
    /// indirect stream it cannot be, and does not wait.
    pub(crate) fn await_import(&mut self, id: ResourceId) -> Result<(), Interrupt> {
        match self.what_to_await(id) {
            Some((ring, last)) if !self.is_indirect() => {
                self.await_message(&ring, id, last)?;
                Err(Interrupt::Blocked)
            }
            _ => Ok(()),
        }
    }

    /// This ring, and the last message of those that may bring a resource; none if it is here, or is not going to come.
    fn what_to_await(&self, id: ResourceId) -> Option<(Arc<Control>, u64)> {
        let Origin::Ring(ring) = &self.origin else { return None };
        let last = self.shared.holdings.as_ref()?.last_on_its_way()?;
        self.shared.resources.lookup(id).is_none().then(|| (Arc::clone(ring), last))
    }

    fn await_message(&mut self, ring: &Control, id: ResourceId, last: u64) -> Result<(), Interrupt> {
        // Others share its thread, and those may be waited for.
        if ring.mode == Mode::Shared && !self.is_indirect() {
            return Err(Interrupt::Blocked);
        }
        self.while_absent("resource", |endpoint| {
            let shared = &endpoint.shared;
            let has_ended = || ring.is_stopped() || shared.is_lost() || (shared.abandoned)();
            let is_handled = || shared.holdings.as_ref().is_none_or(|holdings| holdings.handled() >= last);
            shared.resources.await_arrival(id, || is_handled() || has_ended());
            if has_ended() { Err(Interrupt::Stopped) } else { Ok(()) }
        })
    }
}

impl Context {
    /// A message about a resource was handled.
    pub(crate) fn note_handled(&self) {
        if let Some(holdings) = &self.shared.holdings {
            holdings.note_handled();
        }
        self.shared.resources.wake();
    }
}
