//! The format for programs: one JSON object on each line. [`crate::dump`] describes the objects.

use serde::{
    Serialize, Serializer,
    ser::{SerializeMap, SerializeSeq},
};
use venus_protocol::reflect::{
    self, MemberRow, Scalar,
    value::{Field, Struct, Value},
};

use super::{
    Detail, End as InputEnd,
    objects::{End as ObjectEnd, Objects},
    queue::Block,
    units,
    view::{Command, End, Fault, Other, is_identity},
};
use crate::recording::{Ending, Event, Header, Outcome, Place, Source};

/// The largest integer up to which a double holds all.
const EXACT: u64 = 1 << 53;

/// Prints JSON.
#[derive(Debug, Clone, Copy)]
pub(super) struct Json {
    pub(super) detail: Detail,
}

impl Json {
    pub(super) fn header(self, header: &Header, block: &mut Block) {
        #[derive(Serialize)]
        struct Line<'a> {
            kind: &'static str,
            #[serde(flatten)]
            header: &'a Header,
        }
        push_line(&mut block.head, &Line { kind: "recording", header });
    }

    /// The first half of a command's object: everything up to `args`, and no brace after it.
    pub(super) fn begin(self, command: &Command<'_>, block: &mut Block) {
        #[derive(Serialize)]
        struct Line<'a> {
            kind: &'static str,
            #[serde(skip_serializing_if = "Option::is_none")]
            n: Option<u64>,
            time_ns: Option<u64>,
            #[serde(flatten)]
            place: PlaceLine,
            command: Option<&'static str>,
            request_bytes: usize,
            wants_reply: bool,
            args: Option<Fields<'a>>,
            #[serde(skip_serializing_if = "<[String]>::is_empty")]
            warnings: &'a [String],
            #[serde(skip_serializing_if = "Option::is_none")]
            stop: Option<FaultLine>,
        }
        let request = command.request.as_ref().ok();
        push_first_half(
            &mut block.head,
            &Line {
                kind: if command.number.is_some() { "command" } else { "undecodable" },
                n: command.number,
                time_ns: command.time_ns,
                place: command.place.into(),
                command: request.map(|request| request.row.command.name()),
                request_bytes: request.map_or(command.bytes.len(), |request| request.len),
                wants_reply: request.is_some_and(|request| request.header.wants_reply()),
                args: request.map(|request| Fields { fields: &request.params, objects: command.objects }),
                warnings: command.complaints,
                stop: command.fault().map(FaultLine::from),
            },
        );
    }

    /// The second half.
    pub(super) fn end(self, end: &End<'_>, block: &mut Block) {
        #[derive(Serialize)]
        struct Line<'a> {
            ended: bool,
            duration_ns: u64,
            outcome: &'static str,
            #[serde(skip_serializing_if = "Option::is_none")]
            error: Option<&'a str>,
            reply_bytes: usize,
            #[serde(rename = "return", skip_serializing_if = "Option::is_none")]
            returned: Option<Shown<'a>>,
            #[serde(skip_serializing_if = "Option::is_none")]
            outputs: Option<Fields<'a>>,
            #[serde(skip_serializing_if = "Option::is_none")]
            reply_stop: Option<FaultLine>,
        }
        let (outcome, error) = match end.outcome {
            Outcome::Done => ("done", None),
            Outcome::Again => ("again", None),
            Outcome::Failed(reason) => ("failed", Some(reason.as_str())),
            Outcome::LeftOut(reason) => ("left out", Some(reason.as_str())),
        };
        let returned = end.reply.and_then(|reply| reply.returned.as_ref());
        push_second_half(
            &mut block.head,
            &Line {
                ended: true,
                duration_ns: end.duration_ns,
                outcome,
                error,
                reply_bytes: end.bytes.len(),
                returned: returned.map(|value| Shown { value, row: None, objects: end.objects }),
                outputs: end.reply.map(|reply| Fields { fields: &reply.outputs, objects: end.objects }),
                reply_stop: end.fault().map(FaultLine::from),
            },
        );
    }

    pub(super) fn unfinished(self, reason: Option<&str>, block: &mut Block) {
        #[derive(Serialize)]
        struct Line<'a> {
            ended: bool,
            #[serde(skip_serializing_if = "Option::is_none")]
            reason: Option<&'a str>,
        }
        push_second_half(&mut block.head, &Line { ended: false, reason });
    }

    pub(super) fn late_end(self, number: u64, name: &str, time_ns: u64, end: &End<'_>, block: &mut Block) {
        push_first_half(
            &mut block.head,
            &Members(&[
                ("kind", "end".into()),
                ("n", number.into()),
                ("time_ns", time_ns.into()),
                ("command", name.into()),
            ]),
        );
        self.end(end, block);
    }

    pub(super) fn other(self, other: &Other<'_>, block: &mut Block) {
        let mut members: Vec<(&'static str, serde_json::Value)> = match other.event {
            Event::Begin { .. } | Event::End { .. } | Event::Undecodable { .. } => return,
            Event::Stream { source, resource, offset, bytes } => {
                let SourceLine { source, ring } = (*source).into();
                vec![
                    ("kind", "stream".into()),
                    ("source", source.into()),
                    ("ring", ring.into()),
                    ("resource", (*resource).into()),
                    ("offset", (*offset).into()),
                    ("bytes", bytes.len().into()),
                ]
            }
            Event::Blob { resource, flags, blob_id, size, error } => vec![
                ("kind", "blob".into()),
                ("resource", (*resource).into()),
                ("flags", (*flags).into()),
                ("blob_id", hex(*blob_id).into()),
                ("size", (*size).into()),
                ("error", error.clone().into()),
            ],
            Event::Unref { resource } => vec![("kind", "unref".into()), ("resource", (*resource).into())],
            Event::Fence { ring_idx, number } => {
                vec![("kind", "fence".into()), ("timeline", (*ring_idx).into()), ("fence", (*number).into())]
            }
            Event::Retired { number } => {
                vec![("kind", "retired".into()), ("fence", (*number).into()), ("duration_ns", other.duration_ns.into())]
            }
            Event::Memory { resource, offset, bytes } => {
                let contents = (self.detail == Detail::Full).then(|| ("hex", digits(bytes).into()));
                let members = [
                    ("kind", "memory".into()),
                    ("resource", (*resource).into()),
                    ("offset", (*offset).into()),
                    ("bytes", bytes.len().into()),
                ];
                members.into_iter().chain(contents).collect()
            }
            Event::Lost { reason } => vec![("kind", "lost".into()), ("reason", reason.clone().into())],
            Event::Left => vec![("kind", "left".into())],
        };
        members.insert(1, ("time_ns", other.time_ns.into()));
        push_line(&mut block.head, &Members(&members));
    }

    pub(super) fn ending(self, commands: u64, end: &InputEnd, block: &mut Block) {
        let name = match end {
            InputEnd::Recording(Ending::Complete) | InputEnd::Stream { .. } => "complete",
            InputEnd::Recording(Ending::Open { .. }) => "open",
            InputEnd::Recording(Ending::Cut { .. }) => "cut",
            InputEnd::Recording(Ending::Damaged { .. }) | InputEnd::Damaged { .. } => "damaged",
        };
        let text = end.to_string();
        push_line(
            &mut block.head,
            &Members(&[
                ("kind", "ending".into()),
                ("ending", name.into()),
                ("text", text.into()),
                ("commands", commands.into()),
            ]),
        );
    }
}

/// An object whose members stay in this order.
struct Members<'a>(&'a [(&'static str, serde_json::Value)]);

impl Serialize for Members<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

/// Appends a line. What is printed here always serialises: no map has keys that are no strings, and text takes any
/// byte.
pub(super) fn push_line(text: &mut String, line: &impl Serialize) {
    text.push_str(&serde_json::to_string(line).unwrap_or_default());
    text.push('\n');
}

fn push_first_half(text: &mut String, line: &impl Serialize) {
    let json = serde_json::to_string(line).unwrap_or_default();
    text.push_str(json.strip_suffix('}').unwrap_or(&json));
}

fn push_second_half(text: &mut String, line: &impl Serialize) {
    let json = serde_json::to_string(line).unwrap_or_default();
    text.push(',');
    text.push_str(json.strip_prefix('{').unwrap_or(&json));
    text.push('\n');
}

fn hex(id: u64) -> String {
    format!("{id:#x}")
}

fn digits(bytes: &[u8]) -> String {
    let mut digits = String::with_capacity(bytes.len().saturating_mul(2));
    units::push_digits(&mut digits, bytes);
    digits
}

#[derive(Serialize)]
struct SourceLine {
    source: &'static str,
    ring: Option<String>,
}

impl From<Source> for SourceLine {
    fn from(source: Source) -> Self {
        match source {
            Source::Direct => Self { source: "direct", ring: None },
            Source::Ring(id) => Self { source: "ring", ring: Some(hex(id)) },
        }
    }
}

#[derive(Serialize)]
struct PlaceLine {
    #[serde(flatten)]
    source: SourceLine,
    depth: u8,
    position: u64,
}

impl From<Place> for PlaceLine {
    fn from(place: Place) -> Self {
        Self { source: place.source.into(), depth: place.depth, position: place.position }
    }
}

#[derive(Serialize)]
struct FaultLine {
    offset: usize,
    path: Option<String>,
    why: String,
    hex: String,
}

impl From<Fault> for FaultLine {
    fn from(fault: Fault) -> Self {
        let Fault { offset, path, why, bytes } = fault;
        Self { offset, path, why, hex: bytes.replace(' ', "") }
    }
}

/// Members as an object.
struct Fields<'a> {
    fields: &'a [Field<'a>],
    objects: &'a Objects,
}

impl Serialize for Fields<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.fields.len()))?;
        put_fields(&mut map, self.fields, self.objects)?;
        map.end()
    }
}

fn put_fields<M: SerializeMap>(map: &mut M, fields: &[Field<'_>], objects: &Objects) -> Result<(), M::Error> {
    fields.iter().try_for_each(|field| {
        map.serialize_entry(field.row.name, &Shown { value: &field.value, row: Some(field.row), objects })
    })
}

/// One value.
struct Shown<'a> {
    value: &'a Value<'a>,
    /// What it is the value of, if that is known.
    row: Option<&'static MemberRow>,
    objects: &'a Objects,
}

impl Serialize for Shown<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let objects = self.objects;
        match self.value {
            // What commands return in 64 bits are addresses, but for one size.
            Value::Number(Scalar::U64, bits) if self.row.is_none_or(is_identity) => {
                serializer.serialize_str(&hex(*bits))
            }
            Value::Number(kind, bits) => number(*kind, *bits, serializer),
            Value::Enum(row, value) => match row.name_of(*value) {
                Some(name) => serializer.serialize_str(name),
                None if row.is_bits && *value != 0 => serializer.collect_str(&row.display(*value)),
                None => serializer.serialize_i64(*value),
            },
            Value::Handle(_, 0) | Value::Null => serializer.serialize_unit(),
            Value::Handle(row, id) => {
                let mut map = serializer.serialize_map(None)?;
                map.serialize_entry("type", row.name)?;
                map.serialize_entry("id", &hex(*id))?;
                if let Some(object) = objects.lookup(*id) {
                    map.serialize_entry("created_by", &object.created.number)?;
                    if let Some(ObjectEnd::Destroyed(by)) = object.end {
                        map.serialize_entry("destroyed_by", &by.number)?;
                    }
                }
                map.end()
            }
            Value::Room => capacity(1, serializer),
            Value::Capacity(count) => capacity(*count, serializer),
            Value::Packed(..) | Value::List { .. } => {
                let count = self.value.elements();
                let mut seq = serializer.serialize_seq(Some(count))?;
                for element in (0..count).map_while(|index| self.value.element(index)) {
                    seq.serialize_element(&Shown { value: &element, row: self.row, objects })?;
                }
                seq.end()
            }
            Value::Text(bytes) => {
                let bytes = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
                serializer.serialize_str(&String::from_utf8_lossy(bytes))
            }
            Value::Bytes(bytes) => serializer.serialize_str(&digits(bytes)),
            Value::Struct(value) => structure(value, objects, serializer),
            Value::Union(value) => {
                let mut map = serializer.serialize_map(None)?;
                map.serialize_entry("union", value.row.name)?;
                put_fields(&mut map, value.field.as_slice(), objects)?;
                map.end()
            }
        }
    }
}

fn structure<S: Serializer>(value: &Struct<'_>, objects: &Objects, serializer: S) -> Result<S::Ok, S::Error> {
    struct Node<'a>(&'a Struct<'a>, &'a Objects);

    impl Serialize for Node<'_> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            structure(self.0, self.1, serializer)
        }
    }

    let mut map = serializer.serialize_map(None)?;
    map.serialize_entry("struct", value.row.name)?;
    if let Some(s_type) = value.row.s_type {
        map.serialize_entry("sType", &reflect::STRUCTURE_TYPE.display(s_type.into()).to_string())?;
        if !value.chain.is_empty() {
            let nodes: Vec<_> = value.chain.iter().map(|node| Node(node, objects)).collect();
            map.serialize_entry("pNext", &nodes)?;
        }
    }
    put_fields(&mut map, &value.fields, objects)?;
    map.end()
}

fn capacity<S: Serializer>(count: u64, serializer: S) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(1))?;
    map.serialize_entry("capacity", &Number(count))?;
    map.end()
}

/// A quantity.
struct Number(u64);

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0 <= EXACT { serializer.serialize_u64(self.0) } else { serializer.collect_str(&self.0) }
    }
}

fn number<S: Serializer>(kind: Scalar, bits: u64, serializer: S) -> Result<S::Ok, S::Error> {
    let low = (bits & u64::from(u32::MAX)).try_into().unwrap_or(0_u32);
    match kind {
        Scalar::F32 => match f32::from_bits(low) {
            number if number.is_finite() => serializer.serialize_f32(number),
            number => serializer.collect_str(&number),
        },
        Scalar::F64 => match f64::from_bits(bits) {
            number if number.is_finite() => serializer.serialize_f64(number),
            number => serializer.collect_str(&number),
        },
        Scalar::I32 => serializer.serialize_i32(low.cast_signed()),
        Scalar::I64 if bits.cast_signed().unsigned_abs() > EXACT => serializer.collect_str(&bits.cast_signed()),
        Scalar::I64 => serializer.serialize_i64(bits.cast_signed()),
        Scalar::Bool32 if bits <= 1 => serializer.serialize_bool(bits == 1),
        Scalar::DeviceAddress => serializer.serialize_str(&hex(bits)),
        _ => Number(bits).serialize(serializer),
    }
}
