//! Traces one endpoint, into a buffer of its own.
//!
//! An [`EndpointTracer`] belongs to its endpoint and is used by one thread at a time. Its [`Track`] is shared with the
//! writer, which takes the events away.
//!
//! Events of a track are in the order of their times, and slices are nested. For every event that begins a slice, room
//! for the event that ends it is reserved. So a full buffer loses whole slices with everything inside them, and never
//! an end alone.

use std::{
    error::Error,
    sync::{Arc, OnceLock, atomic::Ordering},
};

use parking_lot::Mutex;
use venus_host::endpoint::{self, EndpointObserver, Place, Rest, Source, Span};
use venus_protocol::wire::CommandType;

use super::{system, tracer::Core};

/// Most events of a track that wait to be written. A forwarded command makes four, so a buffer holds a burst of 32 000
/// commands while the writer is not running.
pub(super) const EVENTS: usize = 1 << 17;

/// Most memory of a track: 7 MiB.
const _: () = assert!(size_of::<Event>() * EVENTS <= 7 << 20);

/// The writer is woken when a track has so many events.
const MANY_EVENTS: usize = EVENTS / 4;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Done,
    /// It was not executed, and the context goes on.
    LeftOut,
    /// It has to wait and will be executed again.
    Again,
    Failed,
}

/// Something on a track. Times are in nanoseconds.
#[derive(Debug, Clone, Copy)]
pub(super) enum Event {
    Command(Command),
    CommandEnd {
        at: u64,
        outcome: Outcome,
        reply_bytes: usize,
        /// The word after the command's type in the reply: its result, if it returns one.
        word: Option<i32>,
    },
    /// Bytes that are no command.
    Undecodable {
        from: u64,
        to: u64,
    },
    Span {
        at: u64,
        span: Span,
    },
    Rest {
        at: u64,
        rest: Rest,
    },
    /// The end of a span or a rest.
    End {
        at: u64,
    },
}

/// A decoded command.
#[derive(Debug, Clone, Copy)]
pub(super) struct Command {
    pub(super) approached: u64,
    pub(super) decoded: u64,
    pub(super) command: CommandType,
    pub(super) number: u64,
    pub(super) position: u64,
    pub(super) is_indirect: bool,
    pub(super) request_bytes: usize,
}

/// What the writer sees of an endpoint.
#[derive(Debug)]
pub(super) struct Track {
    pub(super) name: String,
    /// Whether the endpoint has a thread of its own; then the track is that thread's.
    pub(super) is_thread: bool,
    /// The thread's id, once it has recorded an event.
    pub(super) thread: OnceLock<i32>,
    buffer: Mutex<Buffer>,
}

/// Events that are not written yet.
#[derive(Debug, Default)]
pub(super) struct Buffer {
    pub(super) events: Vec<Event>,
    /// How many slices were dropped because the buffer was full. Slices inside them count only if they are commands.
    pub(super) dropped: u64,
    /// The endpoint is gone.
    pub(super) has_ended: bool,
}

impl Buffer {
    /// Counts a dropped slice.
    fn miss(&mut self) {
        self.dropped = self.dropped.saturating_add(1);
    }
}

impl Track {
    /// Takes the events, and leaves `spare` to be filled.
    pub(super) fn take(&self, spare: Vec<Event>) -> Buffer {
        let mut buffer = self.buffer.lock();
        let has_ended = buffer.has_ended;
        std::mem::replace(&mut *buffer, Buffer { events: spare, dropped: 0, has_ended })
    }
}

/// What becomes of an open slice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Written,
    /// Not written: the tracer was off when it began.
    Untraced,
    /// Not written: the buffer was full.
    Dropped,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Command,
    Span,
    Rest,
}

/// An open slice.
#[derive(Debug, Clone, Copy)]
struct Open {
    kind: Kind,
    fate: Fate,
}

/// Traces one endpoint.
#[derive(Debug)]
pub(super) struct EndpointTracer {
    core: Arc<Core>,
    track: Arc<Track>,
    /// The open slices, outermost first.
    open: Vec<Open>,
    /// How many of them are written, so that room is reserved for their ends.
    ends: usize,
    /// When the endpoint began to decode the current command; 0 if the tracer was off.
    approached: u64,
}

impl EndpointObserver for EndpointTracer {
    fn enter(&mut self) {
        if let Some(open) = self.open.pop_if(|open| open.kind == Kind::Rest) {
            self.close_plain(open);
        }
    }

    fn approach(&mut self, _place: Place) {
        self.approached = if self.core.is_on() { system::now() } else { 0 };
    }

    fn begin(&mut self, command: &endpoint::Command<'_>) -> Option<u64> {
        let counted = self.core.commands.fetch_add(1, Ordering::Relaxed);
        let approached = std::mem::take(&mut self.approached);
        let inside = self.open.last().map_or(Fate::Written, |open| open.fate);
        let fate = match inside {
            // The tracer was off then, whether or not it is on now.
            Fate::Written if approached == 0 => Fate::Untraced,
            Fate::Written => self.push(Event::Command(Command {
                approached,
                decoded: system::now(),
                command: command.header.command,
                number: command.number.unwrap_or(counted),
                position: command.place.position,
                is_indirect: command.place.depth > 0,
                request_bytes: command.request.len(),
            })),
            Fate::Untraced => Fate::Untraced,
            Fate::Dropped => {
                self.track.buffer.lock().miss();
                Fate::Dropped
            }
        };
        self.open(Kind::Command, fate);
        Some(counted)
    }

    fn end(&mut self, _place: Place, outcome: endpoint::Outcome<'_>, reply: &[u8]) {
        self.end_command(
            match outcome {
                endpoint::Outcome::Done => Outcome::Done,
                endpoint::Outcome::LeftOut(_) => Outcome::LeftOut,
                endpoint::Outcome::Blocked => Outcome::Again,
                _ => Outcome::Failed,
            },
            reply,
        );
    }

    fn undecodable(&mut self, _place: Place, _bytes: &[u8], _reason: &(dyn Error + 'static)) {
        let from = std::mem::take(&mut self.approached);
        let is_inside = self.open.last().is_none_or(|open| open.fate == Fate::Written);
        if from != 0 && is_inside {
            self.push(Event::Undecodable { from, to: system::now() });
        }
    }

    fn enter_span(&mut self, span: Span) {
        let fate = match self.open.last() {
            Some(Open { fate: Fate::Written, .. }) => self.push(Event::Span { at: system::now(), span }),
            Some(open) => open.fate,
            None => Fate::Untraced,
        };
        self.open(Kind::Span, fate);
    }

    fn exit_span(&mut self) {
        if let Some(open) = self.open.pop_if(|open| open.kind == Kind::Span) {
            self.close_plain(open);
        }
    }

    fn rest(&mut self, rest: Rest) {
        self.enter();
        let fate = match self.core.is_on() {
            true => self.push(Event::Rest { at: system::now(), rest }),
            false => Fate::Untraced,
        };
        self.open(Kind::Rest, fate);
    }
}

impl EndpointTracer {
    pub(super) fn new(core: Arc<Core>, source: Source, is_thread: bool) -> Self {
        let name = match source {
            Source::Direct => "direct submissions".to_owned(),
            Source::Ring(_) => source.to_string(),
        };
        let track = Arc::new(Track { name, is_thread, thread: OnceLock::new(), buffer: Mutex::default() });
        core.add_track(Arc::clone(&track));
        Self { core, track, open: Vec::new(), ends: 0, approached: 0 }
    }

    /// Ends the innermost command, and the spans that a failed handler has left open inside it.
    fn end_command(&mut self, outcome: Outcome, reply: &[u8]) {
        while let Some(open) = self.open.pop() {
            match open.kind {
                Kind::Command => {
                    if open.fate == Fate::Written {
                        let word = reply.get(4..8).and_then(|word| word.try_into().ok()).map(i32::from_le_bytes);
                        self.close(Event::CommandEnd { at: system::now(), outcome, reply_bytes: reply.len(), word });
                    }
                    return;
                }
                Kind::Span | Kind::Rest => self.close_plain(open),
            }
        }
    }

    fn open(&mut self, kind: Kind, fate: Fate) {
        self.ends = self.ends.saturating_add(usize::from(fate == Fate::Written));
        self.open.push(Open { kind, fate });
    }

    fn close_plain(&mut self, open: Open) {
        if open.fate == Fate::Written {
            self.close(Event::End { at: system::now() });
        }
    }

    /// Adds an event, if there is room for it and for all ends to come.
    fn push(&self, event: Event) -> Fate {
        let thread = &self.track.thread;
        if thread.get().is_none() {
            let _set_before = thread.set(system::thread());
        }
        let mut buffer = self.track.buffer.lock();
        if buffer.events.len().saturating_add(self.ends).saturating_add(2) > EVENTS {
            buffer.miss();
            return Fate::Dropped;
        }
        buffer.events.push(event);
        if buffer.events.len() == MANY_EVENTS {
            self.core.wake_writer();
        }
        Fate::Written
    }

    /// Adds an end, for which room was reserved.
    fn close(&mut self, end: Event) {
        self.ends = self.ends.saturating_sub(1);
        self.track.buffer.lock().events.push(end);
    }
}

impl Drop for EndpointTracer {
    fn drop(&mut self) {
        while let Some(open) = self.open.last().copied() {
            match open.kind {
                Kind::Command => self.end_command(Outcome::Failed, &[]),
                Kind::Span | Kind::Rest => {
                    self.open.pop();
                    self.close_plain(open);
                }
            }
        }
        self.track.buffer.lock().has_ended = true;
    }
}
