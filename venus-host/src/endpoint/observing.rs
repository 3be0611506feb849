//! Telling observers what an endpoint does. Without any, each of these is one predictable branch.

use venus_protocol::wire::{CommandHeader, CommandType, Decoder};

use super::{Command, Endpoint, EndpointObservers, Origin, Outcome, Place, Position, Span};
use crate::{error::Interrupt, resource::ResourceId, ring::Rest};

impl EndpointObservers {
    /// The endpoint turns to the command at `place`.
    #[cold]
    fn approach(&mut self, place: Place) {
        self.tell(|observer| observer.approach(place));
    }

    /// The command is decoded.
    #[cold]
    fn begin(&mut self, mut command: Command<'_>) {
        self.tell(|observer| {
            let number = observer.begin(&command);
            command.number = command.number.or(number);
        });
    }

    /// The command that began at `place` is over.
    #[cold]
    fn end(&mut self, place: Place, outcome: Outcome<'_>, reply: &[u8]) {
        self.tell_end(|observer| observer.end(place, outcome, reply));
    }

    /// There is no command at `place`.
    #[cold]
    fn undecodable(&mut self, place: Place, bytes: &[u8], reason: &Interrupt) {
        self.tell_end(|observer| observer.undecodable(place, bytes, reason));
    }

    /// A part of the current command begins.
    #[cold]
    pub(crate) fn enter_span(&mut self, span: Span) {
        self.tell(|observer| observer.enter_span(span));
    }

    /// The part that began last is over.
    #[cold]
    pub(crate) fn exit_span(&mut self) {
        self.tell_end(|observer| observer.exit_span());
    }

    /// Runs a part of the current command that is worth a look of its own.
    #[cold]
    pub(crate) fn within<T>(&mut self, span: Span, run: impl FnOnce() -> T) -> T {
        self.enter_span(span);
        let returned = run();
        self.exit_span();
        returned
    }
}

/// Where the current command of an endpoint stands.
fn place(origin: &Origin, position: &Position) -> Place {
    Place {
        source: origin.source(),
        depth: u8::from(position.is_indirect),
        position: position.base.wrapping_add(position.at),
    }
}

impl Endpoint {
    pub(super) fn tell_enter(&mut self) {
        if let Some(observers) = &mut self.observers {
            observers.tell(|observer| observer.enter());
        }
    }

    #[inline]
    pub(super) fn tell_approach(&mut self) {
        if let Some(observers) = &mut self.observers {
            observers.approach(place(&self.origin, &self.position));
        }
    }

    #[inline]
    pub(super) fn tell_begin(&mut self, header: CommandHeader, decoder: &Decoder<'_>) {
        if self.observers.is_some() {
            self.tell_begin_bytes(header, decoder.consumed());
        }
    }

    pub(super) fn tell_begin_bytes(&mut self, header: CommandHeader, bytes: &[u8]) {
        if let Some(observers) = &mut self.observers {
            let place = place(&self.origin, &self.position);
            observers.begin(Command::new(place, header, bytes));
        }
    }

    /// The current command is over.
    #[inline]
    pub(crate) fn tell_end(&mut self, reply: &[u8]) {
        let Some(observers) = &mut self.observers else { return };
        let left_out = self.left_out.take();
        let outcome = left_out.as_deref().map_or(Outcome::Done, Outcome::LeftOut);
        observers.end(place(&self.origin, &self.position), outcome, reply);
    }

    /// The current command was interrupted. `rest` is what was left of the stream when the endpoint turned to it.
    pub(crate) fn tell_interrupt(&mut self, reason: &Interrupt, reply: &[u8], rest: &[u8]) {
        let Some(observers) = &mut self.observers else { return };
        self.left_out = None;
        let place = place(&self.origin, &self.position);
        match self.position.command {
            CommandType::NONE => observers.undecodable(place, rest, reason),
            _ => observers.end(place, Outcome::of(reason), reply),
        }
    }

    /// The current command names a stream, which stands at byte `offset` of a resource.
    pub(crate) fn tell_stream(&mut self, resource: ResourceId, offset: usize, bytes: &[u8]) {
        let offset = u64::try_from(offset).unwrap_or(u64::MAX);
        if let Some(observers) = &mut self.observers {
            observers.tell(|observer| observer.stream(resource, offset, bytes));
        }
    }

    /// There are no commands.
    pub(crate) fn tell_rest(&mut self, rest: Rest) {
        if let Some(observers) = &mut self.observers {
            observers.tell(|observer| observer.rest(rest));
        }
    }

    /// Runs a part of the current command that is worth a look of its own.
    #[inline]
    pub(crate) fn within<T>(&mut self, span: Span, run: impl FnOnce(&Self) -> T) -> T {
        if let Some(observers) = &mut self.observers {
            observers.enter_span(span);
        }
        let returned = run(self);
        if let Some(observers) = &mut self.observers {
            observers.exit_span();
        }
        returned
    }
}
