//! What is printed, independently of the format: commands, their ends, and other events.

use venus_protocol::{
    reflect::{
        self, MemberRow, Stop, Why,
        value::{Reply, Request},
    },
    wire::CommandType,
};

use super::{objects::Objects, units};
use crate::recording::{Event, Outcome, Place, Source};

/// How many bytes are shown at which decoding failed.
const CULPRIT_BYTES: usize = 16;

/// Members whose 64-bit number names something, although the registry calls it a number: they are printed in
/// hexadecimal, as ids are everywhere else.
const IDENTITIES: [&str; 2] = ["ring", "objectHandle"];

/// Whether a number is an identity, not a quantity.
pub(super) fn is_identity(row: &MemberRow) -> bool {
    IDENTITIES.contains(&row.name)
}

/// A command that begins.
pub(super) struct Command<'a> {
    /// Its number; none if it never began to be executed.
    pub(super) number: Option<u64>,
    /// When, in nanoseconds since the recording began; none in plain streams.
    pub(super) time_ns: Option<u64>,
    /// Where it stood.
    pub(super) place: Place,
    /// Its bytes, and in a damaged stream what follows.
    pub(super) bytes: &'a [u8],
    /// Its decoded request; the error if not even its type can be decoded.
    pub(super) request: Result<&'a Request<'a>, Stop>,
    /// What is wrong with the objects that it names.
    pub(super) complaints: &'a [String],
    /// The objects before it.
    pub(super) objects: &'a Objects,
}

/// A command that ends.
pub(super) struct End<'a> {
    /// How long it took, in nanoseconds.
    pub(super) duration_ns: u64,
    /// How it ended.
    pub(super) outcome: &'a Outcome,
    /// What the guest was answered, in bytes.
    pub(super) bytes: &'a [u8],
    /// The decoded reply, if there is one.
    pub(super) reply: Option<&'a Reply<'a>>,
    /// The objects before it.
    pub(super) objects: &'a Objects,
}

/// Why a command is printed without its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unfinished {
    /// Too much happened meanwhile; its end is printed separately.
    Later,
    /// The recording ends before it.
    Never,
    /// Its endpoint began another command, which only damage can explain.
    Lost,
    /// It was not executed: the stream is plain, or it could not be decoded.
    NotRun,
}

/// An event that is no command.
pub(super) struct Other<'a> {
    /// When, in nanoseconds since the recording began.
    pub(super) time_ns: u64,
    /// What.
    pub(super) event: &'a Event<'a>,
    /// For the end of a fence, how long it took in nanoseconds.
    pub(super) duration_ns: Option<u64>,
    /// The objects before it.
    pub(super) objects: &'a Objects,
}

impl Command<'_> {
    /// The name, as far as there is one.
    pub(super) fn name(&self) -> &'static str {
        self.request.as_ref().map_or("bytes that are no command", |request| request.row.command.name())
    }

    /// Where and why decoding failed.
    pub(super) fn fault(&self) -> Option<Fault> {
        let stop = match &self.request {
            Ok(request) => request.stop?,
            Err(stop) => *stop,
        };
        Some(Fault {
            offset: stop.offset,
            path: reflect::path(self.bytes, stop.offset),
            why: explain(self.bytes, stop),
            bytes: hex_at(self.bytes, stop.offset),
        })
    }
}

impl End<'_> {
    /// As [`Command::fault`], for the reply.
    pub(super) fn fault(&self) -> Option<Fault> {
        let stop = self.reply.map_or(
            (!self.bytes.is_empty()).then_some(Stop { offset: 0, member: None, why: Why::Unreadable }),
            |reply| reply.stop,
        )?;
        Some(Fault {
            offset: stop.offset,
            path: reflect::path_reply(self.bytes, stop.offset),
            why: explain(self.bytes, stop),
            bytes: hex_at(self.bytes, stop.offset),
        })
    }
}

impl Other<'_> {
    /// The endpoint that it concerns.
    pub(super) fn source(&self) -> Option<Source> {
        match self.event {
            Event::Stream { source, .. } => Some(*source),
            _ => None,
        }
    }
}

/// Where decoding failed.
pub(super) struct Fault {
    /// Position in the command.
    pub(super) offset: usize,
    /// The way to the member there.
    pub(super) path: Option<String>,
    /// What is wrong.
    pub(super) why: String,
    /// The bytes there, in hexadecimal.
    pub(super) bytes: String,
}

fn hex_at(bytes: &[u8], at: usize) -> String {
    let rest = bytes.get(at..).unwrap_or_default();
    let mut hex = String::new();
    units::push_hex(&mut hex, rest.get(..CULPRIT_BYTES).unwrap_or(rest));
    hex
}

fn explain(bytes: &[u8], stop: Stop) -> String {
    let word = bytes.get(stop.offset..).and_then(|rest| rest.first_chunk()).map(|word| u32::from_le_bytes(*word));
    match (stop.why, stop.member, word) {
        (Why::Truncated, ..) => "the bytes end inside it".to_owned(),
        (Why::Asked, ..) => "it has more values than are printed of one command".to_owned(),
        (Why::Unreadable, Some(member), Some(word)) if matches!(member.name, "pNext" | "sType") => {
            let s_type = word.cast_signed();
            let name = reflect::structure_type_name(s_type).unwrap_or("which has no name");
            let verb = if member.name == "pNext" { "must not follow in the chain of" } else { "is not the sType of" };
            format!("{s_type} ({name}) {verb} {}", member.owner)
        }
        (Why::Unreadable, None, Some(word)) => match reflect::obstacle(CommandType(word)) {
            Some(obstacle) => format!("{} never travels: {obstacle}", CommandType(word)),
            None => format!("no command has the number {word}"),
        },
        (Why::Unreadable, ..) => "what stands there cannot be".to_owned(),
    }
}
