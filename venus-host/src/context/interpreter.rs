//! Executes a stream of commands: the one place where bytes, decoder, handlers and reply stream meet.
//!
//! For each command: decode it from a private copy into the arena, with ids turned into driver handles on the way; let
//! the handler of its name work; copy the reply, if one was asked for, to the endpoint's reply stream. Nothing here
//! allocates, locks or formats unless something goes wrong; arena and reply buffer keep the size of the largest command
//! so far.

use std::{
    fmt,
    sync::{Arc, atomic::Ordering},
};

use venus_protocol::{
    dispatch,
    wire::{Arena, Decoder, Encoder},
};

use super::{Dispatcher, Endpoint, Shared, explain::explain};
use crate::{
    error::{Fatal, HostError},
    limits,
    object::ResolveCache,
    resource::{Mapping, ResourceId},
    ring::{self, Rest},
};

/// What decoding needs to keep between commands. An endpoint has one, and one more for the streams that
/// vkExecuteCommandStreamsMESA names, whose own arguments have to survive the commands in them.
pub(crate) struct Codec {
    arena: Arena,
    /// The objects that this endpoint named last.
    resolved: ResolveCache,
    reply: Encoder,
    /// Commands executed since they were last counted.
    executed: u64,
}

impl Codec {
    pub(crate) fn new() -> Self {
        Self {
            arena: Arena::new(limits::DECODED_COMMAND_BYTES),
            resolved: ResolveCache::default(),
            reply: new_reply_encoder(),
            executed: 0,
        }
    }

    /// Gives back what an unusually large command has taken.
    fn trim(&mut self) {
        if self.arena.allocated_bytes() > limits::KEPT_BYTES {
            self.arena = Arena::new(limits::DECODED_COMMAND_BYTES);
        }
        if self.reply.bytes().len() > limits::KEPT_BYTES {
            self.reply = new_reply_encoder();
        }
    }

    /// Adds what was executed since the last time to the context's statistics.
    fn count(&mut self, shared: &Shared) {
        shared.statistics.add_commands(std::mem::take(&mut self.executed));
    }

    /// Executes the command at byte `at` of `stream` and returns where the next one starts.
    pub(crate) fn execute(
        &mut self,
        shared: &Shared,
        dispatcher: &mut Dispatcher,
        stream: &[u8],
        at: usize,
    ) -> Result<usize, HostError> {
        self.arena.reset();
        self.reply.clear();
        let objects = shared.objects.cached(&self.resolved);
        let mut decoder = Decoder::at(stream, at, &self.arena, &objects);
        if let Some(watch) = &mut dispatcher.watch {
            watch.approach(at);
        }
        dispatcher.at = at;
        let outcome = dispatch::dispatch(dispatcher, &mut decoder, &mut self.reply)
            .map_err(|error| explain(error, &shared.objects, stream, at));
        let reply = self.reply.bytes();
        if let Some(watch) = &mut dispatcher.watch {
            watch.end(outcome.as_ref().map(|_| ()), reply, stream.get(at..).unwrap_or_default());
        }
        let header = outcome?;
        if !reply.is_empty() {
            dispatcher.reply_stream.write(header.command.name(), reply)?;
        }
        let next = decoder.offset();
        self.executed = self.executed.wrapping_add(1);
        shared.objects.boundary(&mut dispatcher.presence);
        Ok(next)
    }
}

#[expect(unsafe_code, reason = "the encoder reads through the pointers of the values it is given")]
fn new_reply_encoder() -> Encoder {
    // SAFETY: the only values given to this encoder are arguments that the decoder has built in its arena, in the
    // course of the same `dispatch`. All pointers in them lead to that arena, with the counts that go with them, or to
    // what the driver wrote into it as the specification of the command demands.
    unsafe { Encoder::new() }
}

impl Default for Codec {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Codec").field("arena_bytes", &self.arena.allocated_bytes()).finish_non_exhaustive()
    }
}

/// An endpoint at work.
#[derive(Debug)]
pub(crate) struct Interpreter {
    shared: Arc<Shared>,
    dispatcher: Dispatcher,
    codec: Codec,
}

impl Interpreter {
    pub(crate) fn new(shared: Arc<Shared>, endpoint: Endpoint) -> Self {
        Self { dispatcher: Dispatcher::new(Arc::clone(&shared), endpoint), shared, codec: Codec::new() }
    }

    /// The handlers' view.
    pub(crate) fn dispatcher(&self) -> &Dispatcher {
        &self.dispatcher
    }

    /// Executes a direct submission to its end. An error has ended the context.
    pub(crate) fn submit(&mut self, stream: &[u8]) -> Result<(), HostError> {
        ring::Executor::enter(self, 0);
        let outcome = self.submit_entered(stream);
        ring::Executor::leave(self);
        outcome
    }

    fn submit_entered(&mut self, stream: &[u8]) -> Result<(), HostError> {
        let mut at = 0;
        while at < stream.len() {
            if self.shared.fatal.is_set() {
                return Err(HostError::Stopped);
            }
            match self.codec.execute(&self.shared, &mut self.dispatcher, stream, at) {
                Ok(next) => at = next,
                Err(HostError::Stopped) => return Err(HostError::Stopped),
                Err(error) => {
                    let position = u64::try_from(at).unwrap_or(u64::MAX);
                    let fatal = error.into_fatal("direct submission").located("direct submission", 0, position);
                    self.shared.fail(fatal.clone());
                    return Err(fatal.into());
                }
            }
        }
        Ok(())
    }
}

impl ring::Executor for Interpreter {
    fn enter(&mut self, base: u64) {
        if let Some(watch) = &mut self.dispatcher.watch {
            watch.enter(base);
        }
        self.shared.objects.enter(&mut self.dispatcher.presence);
    }

    fn leave(&mut self) {
        self.shared.objects.leave(&mut self.dispatcher.presence);
        self.codec.count(&self.shared);
        self.codec.trim();
    }

    fn execute(&mut self, stream: &[u8], at: usize) -> Result<usize, HostError> {
        self.codec.execute(&self.shared, &mut self.dispatcher, stream, at)
    }

    fn is_lost(&self) -> bool {
        self.shared.fatal.is_set()
    }

    fn fail(&self, reason: Fatal) {
        self.shared.fail(reason);
    }

    fn rest(&mut self, rest: Rest) {
        if let Some(watch) = &mut self.dispatcher.watch {
            watch.rest(rest);
        }
    }
}

/// Private memory of vkExecuteCommandStreamsMESA: the copy of a stream, and a codec of its own.
#[derive(Debug, Default)]
pub(crate) struct Indirect {
    stream: Vec<u8>,
    codec: Codec,
}

impl Indirect {
    /// Executes `size` bytes at `offset` of a resource's mapping. They are copied first: the guest could change them
    /// while they are decoded.
    pub(crate) fn execute(
        &mut self,
        shared: &Shared,
        dispatcher: &mut Dispatcher,
        (resource, mapping): (ResourceId, &Mapping),
        offset: usize,
        size: usize,
    ) -> Result<(), HostError> {
        self.stream.resize(size, 0);
        mapping
            .copy_out(offset, &mut self.stream)
            .map_err(|error| Fatal::new("vkExecuteCommandStreamsMESA", error.to_string()))?;
        let outer = dispatcher.watch.as_mut().map(|watch| watch.enter_stream(resource, offset, &self.stream));
        let outcome = self.execute_copied(shared, dispatcher);
        if let (Some(watch), Some(outer)) = (&mut dispatcher.watch, outer) {
            watch.leave_stream(outer);
        }
        outcome?;
        self.codec.count(shared);
        self.codec.trim();
        if self.stream.len() > limits::KEPT_BYTES {
            self.stream = Vec::new();
        }
        Ok(())
    }

    fn execute_copied(&mut self, shared: &Shared, dispatcher: &mut Dispatcher) -> Result<(), HostError> {
        let mut at = 0;
        while at < self.stream.len() {
            if shared.fatal.is_set() || dispatcher.is_stopped() {
                return Err(HostError::Stopped);
            }
            at = self.codec.execute(shared, dispatcher, &self.stream, at).map_err(|error| match error {
                HostError::Stopped => HostError::Stopped,
                error => {
                    let place = format!("indirect stream of {}", dispatcher.endpoint_name());
                    let fatal = error.into_fatal("vkExecuteCommandStreamsMESA");
                    HostError::from(fatal.located(place, 0, u64::try_from(at).unwrap_or(u64::MAX)))
                }
            })?;
        }
        Ok(())
    }

    /// Names the resource that is being executed to those who may destroy it; 0 for none.
    pub(crate) fn announce(endpoint: &Endpoint, resource: u32) {
        if let Endpoint::Ring(ring) = endpoint {
            ring.indirect_resource.store(resource, Ordering::Relaxed);
        }
    }
}
