//! Executes a stream of commands: the one place where bytes, decoder, handlers and reply stream meet.
//!
//! For each command: decode it from a private copy into the arena, with ids turned into driver handles on the way; let
//! the handler of its name work; copy the reply, if one was asked for, to the endpoint's reply stream. Nothing here
//! allocates, locks or formats unless something goes wrong; arena and reply buffer keep the size of the largest command
//! so far.

use venus_protocol::{dispatch, vk, wire::Decoder};

use super::{explain::explain, skipped::Tools};
use crate::{
    endpoint::{Endpoint, Scratch, Shortfall},
    error::{Fatal, Interrupt, hint},
    resource::{Mapping, ResourceId},
    ring::{Execute, Rest},
};

impl Execute for Endpoint {
    fn enter(&mut self, base: u64) {
        self.enter(base);
    }

    fn leave(&mut self) {
        self.leave();
    }

    fn execute(&mut self, stream: &[u8], at: usize) -> Result<usize, Interrupt> {
        let mut scratch = self.take_scratch();
        // Each by itself, which is returned in registers. As one value it is moved, in one go, out of where it was just
        // written in two, and the processor waits for that.
        match self.execute_with(&mut scratch, stream, at) {
            Ok(next) => {
                self.put_back(scratch);
                Ok(next)
            }
            Err(interrupt) => {
                self.put_back(scratch);
                Err(interrupt)
            }
        }
    }

    fn is_lost(&self) -> bool {
        self.shared.is_lost()
    }

    fn fail(&self, reason: Fatal) {
        self.shared.fail(reason);
    }

    fn rest(&mut self, rest: Rest) {
        self.tell_rest(rest);
    }
}

impl Endpoint {
    /// Executes the command at byte `at` of `stream` and returns where the next one starts. Inline in both its callers: a call
    /// would save and restore for each command what hardly one needs.
    #[inline(always)]
    fn execute_with(&mut self, scratch: &mut Scratch, stream: &[u8], at: usize) -> Result<usize, Interrupt> {
        scratch.reset();
        let Scratch { shared, arena, resolved, reply } = scratch;
        let objects = shared.objects.cached(resolved);
        let mut decoder = Decoder::at(stream, at, arena, &objects).at_level(self.protocol);
        self.approach(at);
        let next = match dispatch::dispatch(self, &mut decoder, reply) {
            Ok(_) => decoder.offset(),
            Err(interrupt) => {
                let mut tools = Tools { shared, arena, resolved, reply };
                self.recover(&mut tools, (stream, at), interrupt)?
            }
        };
        let reply = reply.bytes();
        self.tell_end(reply);
        if !reply.is_empty() {
            let written = self.reply_stream.write(self.command(), reply);
            written.map_err(|fatal| self.located(fatal.into()))?;
        }
        self.finish();
        Ok(next)
    }

    /// Goes on after the command at byte `at` of `stream`, which was interrupted, if that can be. Says where the next one
    /// starts.
    #[cold]
    fn recover(
        &mut self,
        tools: &mut Tools<'_>,
        (stream, at): (&[u8], usize),
        interrupt: Interrupt,
    ) -> Result<usize, Interrupt> {
        self.look_again(tools, (stream, at), interrupt).map_err(|interrupt| {
            let interrupt = explain(interrupt, self.protocol, &tools.shared.objects, stream, at);
            self.tell_interrupt(&interrupt, tools.reply.bytes(), stream.get(at..).unwrap_or_default());
            self.located(interrupt)
        })
    }

    /// The interrupt, with the place where it was met.
    #[cold]
    fn located(&self, interrupt: Interrupt) -> Interrupt {
        match interrupt {
            Interrupt::Lost(fatal) => {
                self.fall_short(Shortfall::Fatal);
                self.locate(*fatal).into()
            }
            other => other,
        }
    }

    /// Executes a direct submission to its end. False if it was abandoned, since the context was lost before or by
    /// another endpoint, or nobody listens any more. An error has ended the context.
    pub(super) fn submit(&mut self, stream: &[u8]) -> Result<bool, Fatal> {
        self.enter(0);
        let outcome = self.execute_all(stream);
        self.leave();
        match outcome {
            Ok(()) => Ok(true),
            Err(Interrupt::Stopped) => Ok(false),
            Err(interrupt) => {
                let fatal = interrupt.into_fatal("direct submission");
                self.shared.fail(fatal.clone());
                Err(fatal)
            }
        }
    }

    /// Executes the commands of a stream that the current command names: `size` bytes at `offset` of a resource's
    /// mapping. They are copied first: the guest could change them while they are decoded.
    pub(super) fn execute_indirect(
        &mut self,
        (resource, mapping): (ResourceId, &Mapping),
        offset: usize,
        size: usize,
    ) -> Result<(), Interrupt> {
        let mut stream = std::mem::take(&mut self.stream);
        if stream.try_reserve_exact(size.saturating_sub(stream.len())).is_err() {
            let reason = format!("the host has no memory for a stream of {size} bytes");
            return Err(self.fatal(reason).advice(hint(vk::Result::ERROR_OUT_OF_HOST_MEMORY)).into());
        }
        stream.resize(size, 0);
        mapping.copy_out(offset, &mut stream).map_err(|error| self.fatal(error.to_string()))?;
        self.tell_stream(resource, offset, &stream);
        let outer = self.enter_stream();
        let outcome = self.execute_all(&stream);
        self.stream = stream;
        self.leave_stream(outer);
        match outcome {
            // It would begin again with the commands before it.
            Err(Interrupt::Blocked) => {
                Err(self.fatal("a command of the stream has to wait, and its ring is polled").into())
            }
            outcome => outcome,
        }
    }

    /// Executes the commands of a private copy, unless the context ends meanwhile.
    fn execute_all(&mut self, stream: &[u8]) -> Result<(), Interrupt> {
        let mut scratch = self.take_scratch();
        let outcome = self.execute_in_turn(&mut scratch, stream);
        self.put_back(scratch);
        outcome
    }

    fn execute_in_turn(&mut self, scratch: &mut Scratch, stream: &[u8]) -> Result<(), Interrupt> {
        let mut at = 0;
        while at < stream.len() {
            if self.shared.is_lost() || self.is_stopped() {
                return Err(Interrupt::Stopped);
            }
            at = self.execute_with(scratch, stream, at)?;
        }
        Ok(())
    }
}
