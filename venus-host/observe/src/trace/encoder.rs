//! From events to packets.
//!
//! Each track is a sequence of its own, because Perfetto requires that times never go back within a sequence. A
//! sequence defines every word once and then refers to it by number (interning).

use hashbrown::HashMap;
use venus_host::endpoint::{Rest, Span};
use venus_protocol::{
    reflect::{self, Returns},
    wire::CommandType,
};

use super::{
    endpoint::{Command, Event, Outcome},
    schema::{
        DebugAnnotation, EventType, Interned, InternedData, SEQ_INCREMENTAL_STATE_CLEARED, SEQ_NEEDS_INCREMENTAL_STATE,
        TracePacket, TracePacketDefaults, TrackEvent, TrackEventDefaults,
    },
};

/// A word in two parts, so that most need no allocation.
type Word = (&'static str, &'static str);

/// A word by its address, which is quick to compare. A word at two addresses gets two numbers.
type Key = [(usize, usize); 2];

/// The words of one kind that a sequence has defined.
#[derive(Debug, Default)]
struct Words {
    known: HashMap<Key, u64, foldhash::fast::RandomState>,
    /// Those that the next packet defines.
    fresh: Vec<Interned>,
}

impl Words {
    /// The number of a word.
    fn number(&mut self, word: Word) -> u64 {
        let next = u64::try_from(self.known.len()).unwrap_or(u64::MAX).saturating_add(1);
        let key = [word.0, word.1].map(|part| (part.as_ptr().addr(), part.len()));
        *self.known.entry(key).or_insert_with(|| {
            self.fresh.push(Interned { iid: Some(next), name: Some([word.0, word.1].concat()) });
            next
        })
    }
}

/// The argument of an event.
#[derive(Debug)]
pub(super) enum Value<'a> {
    Number(u64),
    Word(&'static str),
    Text(&'a str),
}

/// A sequence of packets in the making.
#[derive(Debug)]
pub(super) struct Sequence {
    number: u32,
    /// The track of events that name none.
    track: u64,
    has_begun: bool,
    categories: Words,
    names: Words,
    arguments: Words,
    values: Words,
    /// Time of the last packet.
    last: u64,
}

impl Sequence {
    pub(super) fn new(number: u32, track: u64) -> Self {
        Self {
            number,
            track,
            has_begun: false,
            categories: Words::default(),
            names: Words::default(),
            arguments: Words::default(),
            values: Words::default(),
            last: 0,
        }
    }

    /// Time of the last event.
    pub(super) fn last(&self) -> u64 {
        self.last
    }

    /// Begins a slice.
    pub(super) fn begin(
        &mut self,
        trace: &mut Vec<u8>,
        at: u64,
        track: Option<u64>,
        (category, name): (&'static [&'static str], Word),
        arguments: &[(&'static str, Value<'_>)],
    ) {
        let event = TrackEvent {
            track_uuid: track,
            category_iids: category.iter().map(|category| self.categories.number((category, ""))).collect(),
            name_iid: Some(self.names.number(name)),
            debug_annotations: self.annotations(arguments),
            ..TrackEvent::default()
        };
        self.event(trace, at, EventType::SliceBegin, event);
    }

    /// Ends the slice that began last on that track.
    pub(super) fn end(
        &mut self,
        trace: &mut Vec<u8>,
        at: u64,
        track: Option<u64>,
        arguments: &[(&'static str, Value<'_>)],
    ) {
        let debug_annotations = self.annotations(arguments);
        let event = TrackEvent { track_uuid: track, debug_annotations, ..TrackEvent::default() };
        self.event(trace, at, EventType::SliceEnd, event);
    }

    /// Adds an event without duration.
    pub(super) fn instant(
        &mut self,
        trace: &mut Vec<u8>,
        at: u64,
        name: Word,
        arguments: &[(&'static str, Value<'_>)],
    ) {
        let event = TrackEvent {
            name_iid: Some(self.names.number(name)),
            debug_annotations: self.annotations(arguments),
            ..TrackEvent::default()
        };
        self.event(trace, at, EventType::Instant, event);
    }

    /// Adds a value of a counter.
    pub(super) fn count(&mut self, trace: &mut Vec<u8>, at: u64, track: u64, value: u64) {
        let value = i64::try_from(value).unwrap_or(i64::MAX);
        let event = TrackEvent { track_uuid: Some(track), counter_value: Some(value), ..TrackEvent::default() };
        self.event(trace, at, EventType::Counter, event);
    }

    fn annotations(&mut self, arguments: &[(&'static str, Value<'_>)]) -> Vec<DebugAnnotation> {
        let annotation = |(name, value): &(&'static str, Value<'_>)| {
            let name_iid = Some(self.arguments.number((name, "")));
            match *value {
                Value::Number(number) => {
                    DebugAnnotation { name_iid, uint_value: Some(number), ..DebugAnnotation::default() }
                }
                Value::Word(word) => {
                    let string_value_iid = Some(self.values.number((word, "")));
                    DebugAnnotation { name_iid, string_value_iid, ..DebugAnnotation::default() }
                }
                Value::Text(text) => {
                    DebugAnnotation { name_iid, string_value: Some(text.to_owned()), ..DebugAnnotation::default() }
                }
            }
        };
        arguments.iter().map(annotation).collect()
    }

    fn event(&mut self, trace: &mut Vec<u8>, at: u64, kind: EventType, mut event: TrackEvent) {
        event.r#type = Some(kind.into());
        let is_first = !std::mem::replace(&mut self.has_begun, true);
        let defaults = TrackEventDefaults { track_uuid: Some(self.track) };
        let mut flags = SEQ_NEEDS_INCREMENTAL_STATE;
        if is_first {
            flags |= SEQ_INCREMENTAL_STATE_CLEARED;
        }
        let packet = TracePacket {
            timestamp: Some(at),
            trusted_packet_sequence_id: Some(self.number),
            sequence_flags: Some(flags),
            first_packet_on_sequence: is_first.then_some(true),
            trace_packet_defaults: is_first.then_some(TracePacketDefaults { track_event_defaults: Some(defaults) }),
            interned_data: self.fresh_words(),
            track_event: Some(event),
            ..TracePacket::default()
        };
        packet.append_to(trace);
        self.last = at;
    }

    fn fresh_words(&mut self) -> Option<InternedData> {
        let [event_categories, event_names, debug_annotation_names, debug_annotation_string_values] =
            [&mut self.categories, &mut self.names, &mut self.arguments, &mut self.values]
                .map(|words| std::mem::take(&mut words.fresh));
        let data =
            InternedData { event_categories, event_names, debug_annotation_names, debug_annotation_string_values };
        (data != InternedData::default()).then_some(data)
    }
}

/// What is open on an endpoint's track.
#[derive(Debug, Clone, Copy)]
enum Open {
    /// A command and its handler.
    Command(CommandType),
    /// One slice.
    Plain,
}

/// Writes an endpoint's events.
#[derive(Debug)]
pub(super) struct Endpoint {
    sequence: Sequence,
    open: Vec<Open>,
}

impl Endpoint {
    pub(super) fn new(sequence: Sequence) -> Self {
        Self { sequence, open: Vec::new() }
    }

    /// Appends an event.
    pub(super) fn append(&mut self, trace: &mut Vec<u8>, event: Event) {
        let Self { sequence, open } = self;
        match event {
            Event::Command(command) => {
                begin_command(sequence, trace, command);
                open.push(Open::Command(command.command));
            }
            Event::CommandEnd { at, outcome, reply_bytes, word } => {
                let Some(Open::Command(command)) = open.pop() else { return };
                sequence.end(trace, at, None, &[]);
                let mut arguments = vec![("reply bytes", Value::Number(reply_bytes as u64))];
                arguments.extend(result(command, word).map(|result| ("result", Value::Word(result))));
                match outcome {
                    Outcome::Done => {}
                    Outcome::LeftOut => arguments.push(("outcome", Value::Word("is left out"))),
                    Outcome::Again => arguments.push(("outcome", Value::Word("has to wait, will be tried again"))),
                    Outcome::Failed => arguments.push(("outcome", Value::Word("the context ends"))),
                }
                sequence.end(trace, at, None, &arguments);
            }
            Event::Undecodable { from, to } => {
                sequence.begin(trace, from, None, (&["command"], ("no command", "")), &[]);
                sequence.end(trace, to, None, &[]);
            }
            Event::Span { at, span } => {
                let label: (&[_], _) = match span {
                    Span::Driver(command) => (&["driver"], ("driver ", command)),
                    Span::DriverWait(command) => (&["wait", "driver"], ("wait ", command)),
                    Span::Wait(reason) => (&["wait"], ("wait ", reason)),
                };
                sequence.begin(trace, at, None, label, &[]);
                open.push(Open::Plain);
            }
            Event::Rest { at, rest } => {
                let name = match rest {
                    Rest::Polling => "polling",
                    Rest::Idle => "idle",
                };
                sequence.begin(trace, at, None, (&["ring"], (name, "")), &[]);
                open.push(Open::Plain);
            }
            Event::End { at } => {
                open.pop();
                sequence.end(trace, at, None, &[]);
            }
        }
    }

    /// Adds an event that so many slices are missing here.
    pub(super) fn miss(&mut self, trace: &mut Vec<u8>, slices: u64) {
        let at = self.sequence.last();
        self.sequence.instant(trace, at, ("slices were left out", ""), &[("slices", Value::Number(slices))]);
    }

    /// Ends all open slices.
    pub(super) fn finish(&mut self, trace: &mut Vec<u8>, at: u64) {
        while let Some(open) = self.open.pop() {
            self.sequence.end(trace, at, None, &[]);
            if let Open::Command(_) = open {
                self.sequence.end(trace, at, None, &[]);
            }
        }
    }
}

/// A command's slice, its `decode`, and the beginning of its `handler`.
fn begin_command(sequence: &mut Sequence, trace: &mut Vec<u8>, command: Command) {
    let Command { approached, decoded, command, number, position, is_indirect, request_bytes } = command;
    let place = if is_indirect { "position in the indirect stream" } else { "position" };
    let arguments = [
        ("number", Value::Number(number)),
        (place, Value::Number(position)),
        ("request bytes", Value::Number(request_bytes as u64)),
    ];
    sequence.begin(trace, approached, None, (&["command"], (command.name(), "")), &arguments);
    sequence.begin(trace, approached, None, (&["decode"], ("decode", "")), &[]);
    sequence.end(trace, decoded, None, &[]);
    sequence.begin(trace, decoded, None, (&["handler"], ("handler", "")), &[]);
}

/// The name of the result in a command's reply, if that has one.
fn result(command: CommandType, word: Option<i32>) -> Option<&'static str> {
    if reflect::command(command)?.returns != Returns::Result {
        return None;
    }
    Some(reflect::RESULT.name_of(word?.into()).unwrap_or("an unknown VkResult"))
}
