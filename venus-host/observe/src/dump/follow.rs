//! From records to what is printed: matches ends with commands, keeps track of objects, applies the filter.

use std::{
    collections::BTreeMap,
    io::{self, Write},
};

use venus_protocol::{
    reflect::value::{Reply, Request},
    wire::CommandType,
};

use super::{
    End as InputEnd, Options,
    json::Json,
    objects::Objects,
    queue::{Block, Queue, Ticket},
    statistics::{Execution, Statistics},
    text::Text,
    view::{Command, End, Other, Unfinished},
};
use crate::recording::{Event, Header, Outcome, Place, Record, Source};

/// Most fences that are remembered for their durations; more than a host permits at a time.
const FENCES: usize = 4 * venus_host::limits::FENCES;

/// Most open commands: more than the endpoints and depths that a host permits.
const OPEN_COMMANDS: usize = 8 * venus_host::limits::ALL_RINGS;

/// Prints records.
pub(super) struct Follower<'o, W> {
    options: &'o Options,
    printer: Printer,
    queue: Queue<W>,
    objects: Objects,
    open: BTreeMap<(Source, u8), Open>,
    /// When each pending fence was created.
    fences: BTreeMap<u64, u64>,
    statistics: Statistics,
    /// How many commands there were.
    commands: u64,
    /// The time of the last record.
    time_ns: Option<u64>,
}

/// A command that has not ended.
struct Open {
    number: u64,
    command: Option<CommandType>,
    begun_ns: u64,
    /// Time of commands that it contains.
    nested_ns: u64,
    request_bytes: usize,
    /// Objects that it creates.
    created: Vec<u64>,
    /// Where it is printed; none if it is not.
    ticket: Option<Ticket>,
    /// Whether it is in the statistics.
    is_counted: bool,
}

impl<'o, W: Write> Follower<'o, W> {
    pub(super) fn new(options: &'o Options, out: W) -> Self {
        let detail = options.detail;
        Self {
            options,
            printer: if options.json { Printer::Json(Json { detail }) } else { Printer::Text(Text { detail }) },
            queue: Queue::new(out),
            objects: Objects::default(),
            open: BTreeMap::new(),
            fences: BTreeMap::new(),
            statistics: Statistics::default(),
            commands: 0,
            time_ns: None,
        }
    }

    /// Prints the header of a recording.
    pub(super) fn header(&mut self, header: &Header) -> io::Result<()> {
        let mut block = Block::default();
        if !self.options.statistics {
            self.printer.header(header, &mut block);
        }
        self.queue.push(block)
    }

    /// Prints one record of a recording.
    pub(super) fn record(&mut self, record: &Record<'_>) -> io::Result<()> {
        self.time_ns = Some(record.time_ns);
        match &record.event {
            Event::Begin { place, request } => self.begin(record.time_ns, *place, request),
            Event::End { source, depth, outcome, reply } => self.end(record.time_ns, (*source, *depth), outcome, reply),
            Event::Undecodable { place, bytes, reason } => self.undecodable(record.time_ns, *place, bytes, reason),
            event => self.other(record.time_ns, event),
        }
    }

    fn begin(&mut self, time_ns: u64, place: Place, bytes: &[u8]) -> io::Result<()> {
        let number = self.commands;
        self.commands = self.commands.saturating_add(1);
        let request = Request::read(bytes);
        let is_shown = self.covers(time_ns, number, place, request.as_ref().ok());
        let mut ticket = None;
        if is_shown && !self.options.statistics {
            let complaints = request.as_ref().map(|request| self.objects.complaints(request)).unwrap_or_default();
            let command = Command {
                number: Some(number),
                time_ns: Some(time_ns),
                place,
                bytes,
                request: request.as_ref().map_err(|stop| *stop),
                complaints: &complaints,
                objects: &self.objects,
            };
            let mut block = Block::default();
            self.printer.begin(&command, &mut block);
            let printer = self.printer;
            ticket = Some(self.queue.open(block, |block| printer.unfinished(Unfinished::Later, None, block))?);
        }
        let created = request.as_ref().map(|request| self.objects.begin(request, number)).unwrap_or_default();
        let open = Open {
            number,
            command: request.as_ref().ok().map(|request| request.row.command),
            begun_ns: time_ns,
            nested_ns: 0,
            request_bytes: bytes.len(),
            created,
            ticket,
            is_counted: is_shown,
        };
        let forgotten = match self.open.insert((place.source, place.depth), open) {
            None if self.open.len() > OPEN_COMMANDS => self.open.pop_first().map(|(_, open)| open),
            replaced => replaced,
        };
        match forgotten {
            Some(open) => self.give_up(&open, Unfinished::Lost),
            None => Ok(()),
        }
    }

    fn covers(&self, time_ns: u64, number: u64, place: Place, request: Option<&Request<'_>>) -> bool {
        let filter = &self.options.filter;
        filter.covers(Some(time_ns), number)
            && filter.covers_source(place.source)
            && filter.covers_command(request.map(|request| request.row.command), request)
    }

    fn end(&mut self, time_ns: u64, key: (Source, u8), outcome: &Outcome, bytes: &[u8]) -> io::Result<()> {
        // An end without a beginning is damage, and there is nothing to print.
        let Some(open) = self.open.remove(&key) else { return Ok(()) };
        let reply = Reply::read(bytes).ok().filter(|reply| Some(reply.row.command) == open.command);
        if let Some(reply) = &reply {
            self.objects.end(&open.created, reply);
        }
        let duration_ns = time_ns.saturating_sub(open.begun_ns);
        if let Some(outer) = key.1.checked_sub(1).and_then(|depth| self.open.get_mut(&(key.0, depth))) {
            outer.nested_ns = outer.nested_ns.saturating_add(duration_ns);
        }
        let result = reply.as_ref().and_then(Reply::result);
        let is_unexecuted = matches!(outcome, Outcome::Failed(_) | Outcome::LeftOut(_));
        let has_failed = is_unexecuted || result.is_some_and(|result| result.as_raw() < 0);
        if let Some(command) = open.command
            && open.is_counted
            && (has_failed || !self.options.filter.only_failed())
        {
            self.statistics.add(&Execution {
                command,
                has_failed,
                request_bytes: open.request_bytes,
                reply_bytes: bytes.len(),
                duration_ns: duration_ns.saturating_sub(open.nested_ns),
            });
        }
        let Some(ticket) = open.ticket else { return Ok(()) };
        let end = End { duration_ns, outcome, bytes, reply: reply.as_ref(), objects: &self.objects };
        let (printer, only_failed) = (self.printer, self.options.filter.only_failed());
        let was_waiting = self.queue.close(ticket, |block| match only_failed && !has_failed {
            true => *block = Block::default(),
            false => printer.end(open.number, key.1, &end, block),
        })?;
        if !was_waiting && (has_failed || !only_failed) {
            let name = open.command.map_or("unknown command", CommandType::name);
            let mut block = Block::default();
            self.printer.late_end(open.number, name, time_ns, &end, &mut block);
            self.queue.push(block)?;
        }
        Ok(())
    }

    /// Prints a command whose end will not come.
    fn give_up(&mut self, open: &Open, why: Unfinished) -> io::Result<()> {
        let Some(ticket) = open.ticket else { return Ok(()) };
        let printer = self.printer;
        self.queue.close(ticket, |block| printer.unfinished(why, None, block)).map(|_| ())
    }

    fn undecodable(&mut self, time_ns: u64, place: Place, bytes: &[u8], reason: &str) -> io::Result<()> {
        let filter = &self.options.filter;
        if !filter.covers(Some(time_ns), self.commands) || !filter.covers_source(place.source) {
            return Ok(());
        }
        let request = Request::read(bytes);
        self.put_broken(Some(time_ns), place, bytes, &request, Some(reason))
    }

    /// Prints a command that was not executed, or whose execution is not recorded.
    fn put_broken(
        &mut self,
        time_ns: Option<u64>,
        place: Place,
        bytes: &[u8],
        request: &Result<Request<'_>, venus_protocol::reflect::Stop>,
        reason: Option<&str>,
    ) -> io::Result<()> {
        if self.options.statistics {
            return Ok(());
        }
        let mut complaints = request.as_ref().map(|request| self.objects.complaints(request)).unwrap_or_default();
        if let (Some(reason), Printer::Text(_)) = (reason, self.printer) {
            complaints.insert(0, format!("not executed: {reason}"));
        }
        let command = Command {
            number: None,
            time_ns,
            place,
            bytes,
            request: request.as_ref().map_err(|stop| *stop),
            complaints: &complaints,
            objects: &self.objects,
        };
        let mut block = Block::default();
        self.printer.begin(&command, &mut block);
        self.printer.unfinished(Unfinished::NotRun, reason, &mut block);
        self.queue.push(block)
    }

    fn other(&mut self, time_ns: u64, event: &Event<'_>) -> io::Result<()> {
        let duration_ns = match event {
            Event::Fence { number, .. } if self.fences.len() < FENCES => {
                self.fences.insert(*number, time_ns);
                None
            }
            Event::Retired { number } => self.fences.remove(number).map(|made| time_ns.saturating_sub(made)),
            _ => None,
        };
        let other = Other { time_ns, event, duration_ns, objects: &self.objects };
        let object = match event {
            Event::Blob { blob_id, .. } => Some(*blob_id),
            _ => None,
        };
        // The end of the context is shown whatever the filter.
        let filter = &self.options.filter;
        let is_wanted = matches!(event, Event::Lost { .. }) || filter.covers_event(other.source(), object);
        if self.options.statistics || !is_wanted || !filter.covers(Some(time_ns), self.commands) {
            return Ok(());
        }
        let mut block = Block::default();
        self.printer.other(&other, &mut block);
        self.queue.push(block)
    }

    /// Prints the next command of a plain stream. Returns its length in bytes; none if it cannot be decoded.
    pub(super) fn raw_command(&mut self, position: u64, bytes: &[u8]) -> io::Result<Option<usize>> {
        let place = Place { source: Source::Direct, depth: 0, position };
        let request = match Request::read(bytes) {
            Ok(request) if request.stop.is_none() => request,
            broken => {
                self.put_broken(None, place, bytes, &broken, None)?;
                return Ok(None);
            }
        };
        let number = self.commands;
        self.commands = self.commands.saturating_add(1);
        let filter = &self.options.filter;
        let is_shown = filter.covers(None, number)
            && filter.covers_source(place.source)
            && filter.covers_command(Some(request.row.command), Some(&request))
            && !filter.only_failed();
        if is_shown && self.options.statistics {
            self.statistics.add(&Execution {
                command: request.row.command,
                has_failed: false,
                request_bytes: request.len,
                reply_bytes: 0,
                duration_ns: 0,
            });
        } else if is_shown {
            let complaints = self.objects.complaints(&request);
            let command = Command {
                number: Some(number),
                time_ns: None,
                place,
                bytes,
                request: Ok(&request),
                complaints: &complaints,
                objects: &self.objects,
            };
            let mut block = Block::default();
            self.printer.begin(&command, &mut block);
            self.printer.unfinished(Unfinished::NotRun, None, &mut block);
            self.queue.push(block)?;
        }
        self.objects.begin(&request, number);
        Ok(Some(request.len))
    }

    /// Prints the end. Returns the writer.
    pub(super) fn finish(mut self, end: &InputEnd) -> io::Result<W> {
        for open in std::mem::take(&mut self.open).into_values() {
            self.give_up(&open, Unfinished::Never)?;
        }
        let mut block = Block::default();
        match (self.printer, self.options.statistics) {
            (Printer::Text(_), true) => self.statistics.print_text(&mut block),
            (Printer::Json(_), true) => self.statistics.print_json(&mut block),
            (_, false) => {}
        }
        self.printer.ending(self.commands, self.time_ns, end, &mut block);
        self.queue.push(block)?;
        self.queue.finish()
    }
}

/// The output format.
#[derive(Debug, Clone, Copy)]
enum Printer {
    Text(Text),
    Json(Json),
}

impl Printer {
    fn header(self, header: &Header, block: &mut Block) {
        match self {
            Self::Text(text) => text.header(header, block),
            Self::Json(json) => json.header(header, block),
        }
    }

    fn begin(self, command: &Command<'_>, block: &mut Block) {
        match self {
            Self::Text(text) => text.begin(command, block),
            Self::Json(json) => json.begin(command, block),
        }
    }

    fn end(self, number: u64, depth: u8, end: &End<'_>, block: &mut Block) {
        match self {
            Self::Text(text) => text.end(number, depth, end, block),
            Self::Json(json) => json.end(end, block),
        }
    }

    fn unfinished(self, why: Unfinished, reason: Option<&str>, block: &mut Block) {
        match self {
            Self::Text(text) => text.unfinished(why, block),
            Self::Json(json) => json.unfinished(reason, block),
        }
    }

    fn late_end(self, number: u64, name: &str, time_ns: u64, end: &End<'_>, block: &mut Block) {
        match self {
            Self::Text(text) => text.late_end(number, name, time_ns, end, block),
            Self::Json(json) => json.late_end(number, name, time_ns, end, block),
        }
    }

    fn other(self, other: &Other<'_>, block: &mut Block) {
        match self {
            Self::Text(text) => text.other(other, block),
            Self::Json(json) => json.other(other, block),
        }
    }

    fn ending(self, commands: u64, time_ns: Option<u64>, end: &InputEnd, block: &mut Block) {
        match self {
            Self::Text(text) => text.ending(commands, time_ns, end, block),
            Self::Json(json) => json.ending(commands, end, block),
        }
    }
}
