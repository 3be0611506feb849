//! The format for people: a line for each command, and below it a line for each of its values.

use std::fmt::Write as _;

use venus_protocol::reflect::{Scalar, value::Value};

use super::{
    Detail, End as InputEnd, objects,
    queue::Block,
    units::{Date, Duration, Time},
    values::{self, Writer, line, pad, push, push_bytes, push_origin},
    view::{Command, End, Fault, Other, Unfinished},
};
use crate::recording::{Event, Header, Outcome, Place};

/// Spaces per step inwards.
pub(super) const STEP: usize = 4;

/// Prints text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Text {
    pub(super) detail: Detail,
}

impl Text {
    pub(super) fn header(self, header: &Header, block: &mut Block) {
        let Header { name, recorder, started_unix_ns, profile, has_memory } = header;
        let memory = if *has_memory { ", with memory" } else { "" };
        let date = Date(*started_unix_ns);
        line(&mut block.head, 0, |text| {
            write!(text, "recording of {name:?} by {recorder}, begun {date}, profile {profile}{memory}")
        });
    }

    pub(super) fn begin(self, command: &Command<'_>, block: &mut Block) {
        let indent = usize::from(command.place.depth).saturating_mul(STEP);
        pad(&mut block.head, indent);
        match command.number {
            Some(number) => push(&mut block.head, format_args!("#{number:<6} ")),
            None => push(&mut block.head, format_args!("!       ")),
        }
        push_place(&mut block.head, command.time_ns, command.place);
        block.head.push_str(command.name());
        if let (Detail::Brief, Ok(request)) = (self.detail, &command.request) {
            values::push_brief(&mut block.head, &request.params, self.detail);
        } else if let Ok(request) = &command.request {
            let mut writer = Writer { text: &mut block.body, detail: self.detail, objects: Some(command.objects) };
            writer.fields(&request.params, indent.saturating_add(STEP));
        }
        for complaint in command.complaints {
            line(&mut block.body, indent.saturating_add(2), |text| write!(text, "! {complaint}"));
        }
        if let Some(fault) = command.fault() {
            push_fault(&mut block.body, indent.saturating_add(2), "", &fault);
        }
    }

    pub(super) fn end(self, number: u64, depth: u8, end: &End<'_>, block: &mut Block) {
        let indent = usize::from(depth).saturating_mul(STEP);
        match end.reply.and_then(|reply| reply.returned.as_ref()) {
            None => {}
            Some(Value::Number(Scalar::U64, bits)) => push(&mut block.head, format_args!(" = {bits:#x}")),
            Some(returned) => {
                block.head.push_str(" = ");
                Writer { text: &mut block.head, detail: self.detail, objects: None }.inline(None, returned);
            }
        }
        push(&mut block.head, format_args!("  {}", Duration(end.duration_ns)));
        match end.outcome {
            Outcome::Done => {}
            Outcome::Again => block.head.push_str("  (has to wait, will be executed again)"),
            Outcome::Failed(reason) => push(&mut block.head, format_args!("  FAILED: {reason}")),
            Outcome::LeftOut(reason) => push(&mut block.head, format_args!("  LEFT OUT: {reason}")),
        }
        block.head.push('\n');
        let Some(reply) = end.reply else {
            if let Some(fault) = end.fault() {
                push_fault(&mut block.body, indent.saturating_add(2), "reply ", &fault);
            }
            return;
        };
        let mut outputs = reply.outputs.iter().filter(|field| !objects::is_new(field)).peekable();
        if self.detail != Detail::Brief && outputs.peek().is_some() {
            line(&mut block.body, indent.saturating_add(2), |text| write!(text, "reply to #{number}"));
            let mut writer = Writer { text: &mut block.body, detail: self.detail, objects: Some(end.objects) };
            outputs.for_each(|field| writer.field(field, indent.saturating_add(STEP)));
        }
        if let Some(fault) = end.fault() {
            push_fault(&mut block.body, indent.saturating_add(2), "reply ", &fault);
        }
    }

    pub(super) fn unfinished(self, why: Unfinished, block: &mut Block) {
        block.head.push_str(match why {
            Unfinished::Later => "  (its end follows)\n",
            Unfinished::Never => "  (still executing when the recording ends)\n",
            Unfinished::Lost => "  (its end is not in the recording)\n",
            Unfinished::NotRun => "\n",
        });
    }

    pub(super) fn late_end(self, number: u64, name: &str, time_ns: u64, end: &End<'_>, block: &mut Block) {
        push(&mut block.head, format_args!("        {}  end of #{number} {name}", Time(time_ns)));
        self.end(number, 0, end, block);
    }

    pub(super) fn other(self, other: &Other<'_>, block: &mut Block) {
        let text = &mut block.head;
        push(text, format_args!("        {}  ", Time(other.time_ns)));
        match other.event {
            Event::Begin { .. } | Event::End { .. } => {}
            Event::Undecodable { reason, .. } => push(text, format_args!("undecodable: {reason}")),
            Event::Stream { source, resource, offset, bytes } => {
                let len = bytes.len();
                push(text, format_args!("{source}: stream of {len} bytes at byte {offset} of resource {resource}"));
            }
            Event::Blob { resource, flags, blob_id, size, error } => {
                push(text, format_args!("resource {resource}: {size} bytes"));
                if *blob_id != 0 {
                    push(text, format_args!(" of VkDeviceMemory {blob_id:#x}"));
                    push_origin(text, other.objects, "VkDeviceMemory", *blob_id);
                }
                push(text, format_args!(", {}", blob_flags(*flags)));
                if let Some(error) = error {
                    push(text, format_args!("  FAILED: {error}"));
                }
            }
            Event::Unref { resource } => push(text, format_args!("resource {resource} is dropped")),
            Event::Fence { ring_idx, number } => push(text, format_args!("fence {number} on timeline {ring_idx}")),
            Event::Retired { number } => {
                push(text, format_args!("fence {number} retires"));
                if let Some(duration) = other.duration_ns {
                    push(text, format_args!("  {}", Duration(duration)));
                }
            }
            Event::Memory { resource, offset, bytes } => {
                push(text, format_args!("memory of resource {resource} from byte {offset} on: "));
                push_bytes(text, bytes, self.detail);
            }
            Event::Lost { reason } => push(text, format_args!("THE CONTEXT IS LOST: {reason}")),
            Event::Left => text.push_str("the guest leaves"),
        }
        text.push('\n');
    }

    /// The last line.
    pub(super) fn ending(self, commands: u64, time_ns: Option<u64>, end: &InputEnd, block: &mut Block) {
        let plural = if commands == 1 { "" } else { "s" };
        let time = time_ns.map_or_else(String::new, |time| format!(" in {}", Duration(time)));
        line(&mut block.head, 0, |text| write!(text, "{commands} command{plural}{time}; {end}"));
    }
}

/// `VIRTGPU_BLOB_FLAG_USE_*`.
fn blob_flags(flags: u32) -> String {
    const NAMES: [&str; 3] = ["mappable", "shareable", "cross-device"];
    let names = NAMES.iter().enumerate().filter(|(bit, _)| flags >> bit & 1 != 0).map(|(_, name)| *name);
    let mut names: Vec<_> = names.map(str::to_owned).collect();
    if flags >> NAMES.len() != 0 {
        names.push(format!("flags {flags:#x}"));
    }
    if names.is_empty() { "no flags".to_owned() } else { names.join(", ") }
}

fn push_place(text: &mut String, time_ns: Option<u64>, place: Place) {
    match time_ns {
        Some(time) if place.depth == 0 => {
            push(text, format_args!("{}  {}@{}  ", Time(time), place.source, place.position));
        }
        Some(time) => push(text, format_args!("{}  @{}  ", Time(time), place.position)),
        None => push(text, format_args!("@{}  ", place.position)),
    }
}

fn push_fault(text: &mut String, indent: usize, what: &str, fault: &Fault) {
    let Fault { offset, path, why, bytes } = fault;
    line(text, indent, |text| {
        write!(text, "! {what}stops at byte {offset}")?;
        if let Some(path) = path {
            write!(text, ", {path}")?;
        }
        write!(text, ": {why}")?;
        if bytes.is_empty() { Ok(()) } else { write!(text, "\n{:indent$}  {bytes}", "") }
    });
}
