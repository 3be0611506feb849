//! Memory that decoding a command takes, kept from one command to the next.

use std::{fmt, sync::Arc};

use venus_protocol::wire::{Arena, Encoder};

use super::Shared;
use crate::{limits, object::ResolveCache};

/// What decoding and answering commands needs to keep between them. One is in use for each command under way: those of
/// a stream that a vkExecuteCommandStreamsMESA names need another, since that command's own arguments have to survive
/// them.
pub(crate) struct Scratch {
    /// The context, for those who borrow the rest while the endpoint is at work.
    pub(crate) shared: Arc<Shared>,
    /// Decoded values.
    pub(crate) arena: Arena,
    /// The objects that were named last.
    pub(crate) resolved: ResolveCache,
    /// The reply.
    pub(crate) reply: Encoder,
}

impl Scratch {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        let arena = Arena::new(shared.budget.max_command_bytes());
        Self { shared, arena, resolved: ResolveCache::default(), reply: new_reply_encoder() }
    }

    /// Makes room for the next command.
    #[inline]
    pub(crate) fn reset(&mut self) {
        self.arena.reset();
        self.reply.clear();
    }

    /// Gives back what an unusually large command has taken.
    pub(super) fn trim(&mut self) {
        if self.arena.allocated_bytes() > limits::KEPT_BYTES {
            self.arena = Arena::new(self.arena.limit_bytes());
        }
        if self.reply.bytes().len() > limits::KEPT_BYTES {
            self.reply = new_reply_encoder();
        }
    }
}

#[expect(unsafe_code, reason = "the encoder reads through the pointers of the values it is given")]
fn new_reply_encoder() -> Encoder {
    // SAFETY: the only values given to this encoder are arguments that the decoder has built in its arena, in the
    // course of the same `dispatch`, or of the same `visit_command` where no driver is called. All pointers in them lead
    // to that arena, with the counts that go with them, or to what the driver wrote into it as the specification of the
    // command demands.
    unsafe { Encoder::new() }
}

impl fmt::Debug for Scratch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scratch").field("arena_bytes", &self.arena.allocated_bytes()).finish_non_exhaustive()
    }
}
