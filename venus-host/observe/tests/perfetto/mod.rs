//! Reads a trace as strictly as nobody else does: by Perfetto's schema, every field, and by the rules that its own
//! reader leaves to the writer.

#![allow(dead_code, reason = "each test program uses a part of it")]

mod wire;

use std::collections::BTreeMap;

use self::wire::{Message, Value};

/// `TrackEvent.Type`.
const SLICE_BEGIN: u64 = 1;
const SLICE_END: u64 = 2;
const INSTANT: u64 = 3;
const COUNTER: u64 = 4;

/// `TracePacket.SequenceFlags`.
const INCREMENTAL_STATE_CLEARED: u64 = 1;
const NEEDS_INCREMENTAL_STATE: u64 = 2;

/// An argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Argument {
    Number(u64),
    Text(String),
}

/// A slice that has ended.
#[derive(Debug, Clone)]
pub(crate) struct Slice {
    /// The name of its track.
    pub(crate) track: String,
    pub(crate) categories: Vec<String>,
    pub(crate) name: String,
    /// The names of those around it, outermost first.
    pub(crate) inside: Vec<String>,
    pub(crate) from: u64,
    pub(crate) to: u64,
    pub(crate) arguments: BTreeMap<String, Argument>,
}

impl Slice {
    /// An argument that is a number.
    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        match self.arguments.get(name)? {
            Argument::Number(number) => Some(*number),
            Argument::Text(_) => None,
        }
    }

    /// An argument that is a text.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        match self.arguments.get(name)? {
            Argument::Text(text) => Some(text),
            Argument::Number(_) => None,
        }
    }
}

/// What is in a trace.
#[derive(Debug, Default)]
pub(crate) struct Trace {
    /// In the order of their ends.
    pub(crate) slices: Vec<Slice>,
    /// Names of instants and their arguments.
    pub(crate) instants: Vec<(String, BTreeMap<String, Argument>)>,
    /// Values by the name of their track.
    pub(crate) counters: BTreeMap<String, Vec<u64>>,
    /// Names of all tracks that were declared, with how often.
    pub(crate) tracks: BTreeMap<String, usize>,
    /// Names of what began and did not end.
    pub(crate) open: Vec<String>,
}

impl Trace {
    /// The slices of that name.
    pub(crate) fn named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Slice> {
        self.slices.iter().filter(move |slice| slice.name == name)
    }

    /// Whether a slice of that name has begun and not ended.
    pub(crate) fn has_begun(&self, name: &str) -> bool {
        self.open.iter().any(|open| open == name)
    }

    /// The only slice of that name.
    pub(crate) fn only(&self, name: &str) -> &Slice {
        let mut slices = self.slices.iter().filter(|slice| slice.name == name);
        let slice = slices.next().unwrap_or_else(|| panic!("no slice is called {name}"));
        assert!(slices.next().is_none(), "there are more slices called {name}");
        slice
    }
}

/// The words that a sequence has said, by kind and number, and where its events go.
#[derive(Default)]
struct Sequence {
    words: BTreeMap<(&'static str, u64), String>,
    default_track: Option<u64>,
    last: u64,
}

impl Sequence {
    fn word(&self, kind: &'static str, number: u64) -> String {
        self.words.get(&(kind, number)).unwrap_or_else(|| panic!("{kind} {number} was never said")).clone()
    }
}

#[derive(Debug)]
struct Track {
    name: String,
    is_counter: bool,
}

#[derive(Default)]
struct Reader {
    trace: Trace,
    sequences: BTreeMap<u64, Sequence>,
    tracks: BTreeMap<u64, Track>,
    open: BTreeMap<u64, Vec<Slice>>,
}

/// Reads a trace that has come to its end.
pub(crate) fn read(bytes: &[u8]) -> Trace {
    let trace = read_packets(bytes);
    assert!(trace.open.is_empty(), "slices have no end: {:?}", trace.open);
    trace
}

/// Reads a trace that is still being written, or whose writer was killed: its last packet may be cut off.
pub(crate) fn read_unfinished(bytes: &[u8]) -> Trace {
    read_packets(wire::whole_fields(bytes))
}

fn read_packets(bytes: &[u8]) -> Trace {
    let message = wire::parse("Trace", bytes).unwrap_or_else(|error| panic!("{error}"));
    let mut reader = Reader::default();
    for packet in message.messages("packet") {
        reader.packet(packet);
    }
    Trace { open: reader.open.into_values().flatten().map(|slice| slice.name).collect(), ..reader.trace }
}

impl Reader {
    fn packet(&mut self, packet: &Message) {
        let number = packet.number("trusted_packet_sequence_id").expect("every packet has a sequence");
        assert_ne!(number, 0, "0 is no sequence");
        let flags = packet.number("sequence_flags").unwrap_or(0);
        let sequence = self.sequences.entry(number).or_default();
        if flags & INCREMENTAL_STATE_CLEARED != 0 {
            *sequence = Sequence { last: sequence.last, ..Sequence::default() };
        }
        if let Some(defaults) = packet.message("trace_packet_defaults") {
            let defaults = defaults.message("track_event_defaults").expect("defaults say something");
            sequence.default_track = defaults.number("track_uuid");
        }
        if let Some(words) = packet.message("interned_data") {
            for (kind, text) in [
                ("event_categories", "name"),
                ("event_names", "name"),
                ("debug_annotation_names", "name"),
                ("debug_annotation_string_values", "str"),
            ] {
                for word in words.messages(kind) {
                    let iid = word.number("iid").filter(|iid| *iid != 0).expect("words have numbers");
                    let text = word.text(text).expect("words have a text");
                    assert!(sequence.words.insert((kind, iid), text).is_none(), "{kind} {iid} is said twice");
                }
            }
        }
        if let Some(track) = packet.message("track_descriptor") {
            self.declare(track);
        }
        if let Some(event) = packet.message("track_event") {
            assert_ne!(flags & NEEDS_INCREMENTAL_STATE, 0, "an event that uses words says so");
            let at = packet.number("timestamp").expect("events have times");
            let sequence = self.sequences.get_mut(&number).expect("it was just seen");
            assert!(at >= sequence.last, "time runs backwards on sequence {number}: {at} after {}", sequence.last);
            sequence.last = at;
            self.event(number, at, event);
        }
        if let Some(snapshot) = packet.message("clock_snapshot") {
            let clocks: Vec<_> = snapshot.messages("clocks").map(|clock| clock.number("clock_id")).collect();
            assert_eq!(clocks, [6, 3, 1].map(Some), "boot time, monotonic, time of day");
        }
    }

    fn declare(&mut self, track: &Message) {
        let uuid = track.number("uuid").expect("tracks have ids");
        if let Some(parent) = track.number("parent_uuid") {
            assert!(self.tracks.contains_key(&parent), "a track is declared before its parent");
        }
        let [process, thread] = ["process", "thread"].map(|kind| track.message(kind));
        let own = process.and_then(|process| process.text("process_name"));
        let own = own.or_else(|| thread.and_then(|thread| thread.text("thread_name")));
        for message in process.iter().chain(&thread) {
            assert!(message.number("pid").is_some_and(|pid| pid > 0), "processes have numbers");
        }
        if let Some(thread) = thread {
            assert!(thread.number("tid").is_some_and(|tid| tid > 0), "threads have numbers");
        }
        let name = own.or_else(|| track.text("name")).expect("tracks have names");
        *self.trace.tracks.entry(name.clone()).or_default() += 1;
        let track = Track { name, is_counter: track.message("counter").is_some() };
        assert!(self.tracks.insert(uuid, track).is_none(), "a track is declared twice");
    }

    fn event(&mut self, sequence: u64, at: u64, event: &Message) {
        let sequence = &self.sequences[&sequence];
        let uuid = event.number("track_uuid").or(sequence.default_track).expect("events are on tracks");
        let track = self.tracks.get(&uuid).expect("tracks are declared before they are used");
        let arguments: BTreeMap<_, _> =
            event.messages("debug_annotations").map(|argument| read_argument(sequence, argument)).collect();
        let name = event.number("name_iid").map(|number| sequence.word("event_names", number));
        let kind = event.number("type").expect("events have a type");
        assert_eq!(kind == COUNTER, track.is_counter, "counters, and only they, are on counters' tracks");
        match kind {
            SLICE_BEGIN => {
                let categories = event.numbers("category_iids");
                let open = self.open.entry(uuid).or_default();
                let slice = Slice {
                    track: track.name.clone(),
                    categories: categories.map(|number| sequence.word("event_categories", number)).collect(),
                    name: name.expect("slices have names"),
                    inside: open.iter().map(|slice| slice.name.clone()).collect(),
                    from: at,
                    to: at,
                    arguments,
                };
                open.push(slice);
            }
            SLICE_END => {
                let slice = self.open.get_mut(&uuid).and_then(Vec::pop);
                let mut slice = slice.unwrap_or_else(|| panic!("nothing is open on {}", track.name));
                slice.to = at;
                slice.arguments.extend(arguments);
                self.trace.slices.push(slice);
            }
            INSTANT => self.trace.instants.push((name.expect("instants have names"), arguments)),
            COUNTER => {
                let value = event.number("counter_value").expect("counters have values");
                self.trace.counters.entry(track.name.clone()).or_default().push(value);
            }
            other => panic!("no event is of type {other}"),
        }
    }
}

fn read_argument(sequence: &Sequence, argument: &Message) -> (String, Argument) {
    let name = argument.number("name_iid").expect("arguments have names");
    let name = sequence.word("debug_annotation_names", name);
    let [(_, value)] = argument.fields_but("name_iid")[..] else { panic!("{name} has one value") };
    let value = match value {
        Value::Text(text) => Argument::Text(text.clone()),
        Value::Number(number) => match argument.number("string_value_iid") {
            Some(word) => Argument::Text(sequence.word("debug_annotation_string_values", word)),
            None => Argument::Number(*number),
        },
        Value::Message(_) => panic!("{name} is a message"),
    };
    (name, value)
}
