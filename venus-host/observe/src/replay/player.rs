//! Executes the recorded commands of one endpoint, and compares what comes of them.
//!
//! Commands go through the same code that serves guests, so whatever a recording holds is checked as if a guest had
//! sent it. Replies are taken by an observer, not read back from memory.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use venus_host::{
    context::Feed,
    endpoint::{Place, Source},
    error::{Fatal, HostError},
    resource::{Blob, BlobKind, HostMapping, ResourceId},
};
use venus_protocol::wire::CommandType;

use super::{
    ReplayError,
    addresses::{Addresses, Contents, Unknown},
    compare::{compare, is_behind},
    fences::Fences,
    images::Images,
    in_flight::InFlight,
    job::{Command, End, Task},
    listener::Listener,
    memory::{Memory, Uses},
    report::Report,
    request,
    sequencer::is_interrupted,
    workers::Turn,
};
use crate::recording::Outcome;

/// How long a command is repeated until the driver has come as far as it had in the recording.
const CATCH_UP: Duration = Duration::from_secs(10);

/// Pause between two attempts: the first, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_micros(20), Duration::from_millis(2));

/// State that all players of a replay share.
pub(super) struct Play {
    pub(super) report: Mutex<Report>,
    pub(super) in_flight: InFlight,
    pub(super) memory_types: Mutex<Memory>,
    pub(super) addresses: Mutex<Addresses>,
    pub(super) contents: Mutex<Contents>,
    /// What cannot be executed, so that nothing is any more.
    pub(super) stopped: OnceLock<Stop>,
    /// How the program uses its memory, once that is needed.
    pub(super) uses: OnceLock<Uses>,
    /// Finds out how the program uses its memory.
    pub(super) survey: Box<dyn Fn() -> Result<Uses, String> + Send + Sync>,
    pub(super) fences: Arc<Fences>,
    /// Memory that the recording or the pictures need, by resource.
    pub(super) memory: Option<Mutex<BTreeMap<u32, HostMapping>>>,
    pub(super) images: Option<Mutex<Images>>,
    pub(super) listener: Arc<Listener>,
    /// Whether the program has mapped device memory.
    pub(super) maps_memory: AtomicBool,
    /// Set when the recording has been read, so that nothing waits for it any more.
    pub(super) is_over: Arc<AtomicBool>,
}

/// A command that is not executed, and ends the replay.
#[derive(Debug)]
pub(super) struct Stop {
    number: u64,
    command: &'static str,
    unknown: Unknown,
}

impl Stop {
    /// What the caller of the replay is told.
    pub(super) fn error(&self) -> ReplayError {
        let Unknown { member, address } = self.unknown;
        ReplayError::Address { number: self.number, command: self.command, member: member.to_string(), address }
    }
}

/// Why nothing came of a command.
pub(super) enum Unexecuted {
    /// It was cut short by the end of its ring or context, or came after that.
    Ended,
    /// It has ended the context.
    Lost(Fatal),
}

impl From<Fatal> for Unexecuted {
    fn from(fatal: Fatal) -> Self {
        Self::Lost(fatal)
    }
}

/// An endpoint that executes commands.
pub(super) trait Endpoint {
    fn source(&self) -> Source;

    /// Executes one command, which stands at `place`.
    fn execute(&mut self, place: Place, request: &[u8]) -> Result<(), Unexecuted>;

    /// Tells waiters that everything before `position` has been executed.
    fn pass(&mut self, position: u64);

    /// The door to the context's rings and timelines.
    fn feed(&self) -> &Feed;
}

/// Plays the commands of one endpoint.
pub(super) struct Player<P> {
    pub(super) endpoint: P,
    play: Arc<Play>,
    /// Where the next reply goes, so that a repeated command can overwrite its own.
    reply_position: u64,
}

impl<P: Endpoint> Player<P> {
    pub(super) fn new(endpoint: P, play: Arc<Play>) -> Self {
        Self { endpoint, play, reply_position: 0 }
    }

    /// Executes a job that any endpoint can execute; returns other jobs.
    pub(super) fn play(&mut self, task: Task, turn: &Turn<'_, Task, End>) -> Option<Task> {
        match task {
            Task::Command(command) => self.play_command(command, turn),
            Task::SeekReply { position } => {
                let place = Place { source: self.endpoint.source(), depth: 0, position: 0 };
                self.seek_reply(place, position);
            }
            Task::Pass { position } => self.endpoint.pass(position),
            other => return Some(other),
        }
        None
    }

    fn play_command(&mut self, mut command: Command, turn: &Turn<'_, Task, End>) {
        if self.play.is_over() {
            return;
        }
        let kind = command.header.command;
        // A polled ring retries this command; here it would block, so its recorded end is needed first.
        let known = (kind == CommandType::WAIT_VIRTQUEUE_SEQNO_MESA).then(|| turn.end());
        if matches!(known, Some(None | Some(End::Command { outcome: Outcome::Again, .. }))) {
            return;
        }
        self.prepare(kind, &mut command.request);
        if !self.translate(&mut command) {
            return;
        }
        let at = self.reply_position;
        let mut attempt = self.attempt(&command);
        if attempt.is_ok() {
            self.follow_up(&command);
        }
        if let Some(Some(End::Command { outcome, reply })) = known.or_else(|| Some(turn.end())) {
            if outcome == Outcome::Done {
                self.catch_up(&command, at, &reply, &mut attempt, turn);
            }
            self.settle(&command, &outcome, &reply, attempt);
        }
        if command.place.depth == 0 {
            self.endpoint.pass(command.end());
        }
    }

    /// Waits for work that the command must not disturb, and adapts allocations to this driver.
    fn prepare(&self, kind: CommandType, request: &mut [u8]) {
        self.play.in_flight.before(kind, request);
        if kind == CommandType::ALLOCATE_MEMORY && self.play.memory_types.lock().is_foreign(request) {
            self.adapt_allocation(request);
        }
    }

    /// Puts this driver's addresses in the place of the recorded one's. `false` if that cannot be done.
    fn translate(&self, command: &mut Command) -> bool {
        let kind = command.header.command;
        let translated = self.play.addresses.lock().translate(kind, &mut command.request);
        if let Err(unknown) = translated {
            let _first = self.play.stopped.set(Stop { number: command.number, command: kind.name(), unknown });
            // Nobody waits for what it would have done.
            self.play.is_over.store(true, Ordering::Relaxed);
            return false;
        }
        true
    }

    fn adapt_allocation(&self, request: &mut [u8]) {
        let play = &self.play;
        let uses = play.uses.get_or_init(|| {
            (play.survey)().unwrap_or_else(|reason| {
                play.report.lock().note(format!("what memory is used for cannot be told: {reason}"));
                Uses::default()
            })
        });
        // Not both locks at a time: others take them in another order.
        let change = play.memory_types.lock().adapt(request, uses);
        if let Some(change) = change {
            play.report.lock().add_change(&change);
        }
    }

    /// Executes a command and returns the reply.
    fn attempt(&mut self, command: &Command) -> Result<Vec<u8>, Unexecuted> {
        let outcome = self.endpoint.execute(command.place, &command.request);
        let reply = self.play.listener.take_reply(self.endpoint.source());
        outcome?;
        self.reply_position = match command.header.command {
            CommandType::SET_REPLY_COMMAND_STREAM_MESA => 0,
            CommandType::SEEK_REPLY_COMMAND_STREAM_MESA => request::first_word(&command.request).unwrap_or(0),
            _ => self.reply_position.saturating_add(reply.len() as u64),
        };
        Ok(reply)
    }

    /// After a command: watches submissions and saves pictures.
    fn follow_up(&self, command: &Command) {
        let kind = command.header.command;
        let submission = self.play.in_flight.after(kind, &command.request, self.endpoint.feed());
        let (Some(images), Some(memory)) = (&self.play.images, &self.play.memory) else { return };
        let copies = images.lock().learn(kind, &command.request);
        let Some(submission) = submission.filter(|_| !copies.is_empty()) else { return };
        if !self.play.in_flight.wait_for(&BTreeSet::from([submission])) {
            let note = "pictures are missing: the work that copies them waits for something that comes later";
            return self.play.report.lock().note(note);
        }
        for copy in copies {
            let saved = images.lock().save(command.number, &copy, &memory.lock());
            let mut report = self.play.report.lock();
            match saved {
                Ok(()) => report.pictures = report.pictures.saturating_add(1),
                Err(reason) => report.note(reason),
            }
        }
    }

    /// Repeats a command until the driver has come as far as it had in the recording.
    fn catch_up(
        &mut self,
        command: &Command,
        reply_at: u64,
        expected: &[u8],
        attempt: &mut Result<Vec<u8>, Unexecuted>,
        turn: &Turn<'_, Task, End>,
    ) {
        let since = Instant::now();
        let mut pause = PAUSES.0;
        let mut repeated = false;
        while let Ok(got) = attempt
            && is_behind(command.header.command, expected, got)
            && since.elapsed() < CATCH_UP
        {
            thread::sleep(pause);
            pause = pause.saturating_mul(2).min(PAUSES.1);
            turn.again();
            if !self.seek_reply(command.place, reply_at) {
                break;
            }
            *attempt = self.attempt(command);
            repeated = true;
        }
        if repeated {
            let mut report = self.play.report.lock();
            report.repeated = report.repeated.saturating_add(1);
        }
    }

    fn seek_reply(&mut self, place: Place, position: u64) -> bool {
        let outcome = self.endpoint.execute(place, &request::seek_reply(position));
        self.reply_position = position;
        outcome.is_ok()
    }

    /// Compares the outcome of a command with the recording.
    fn settle(&self, command: &Command, outcome: &Outcome, expected: &[u8], attempt: Result<Vec<u8>, Unexecuted>) {
        let kind = command.header.command;
        if let (Outcome::Done, Ok(got)) = (outcome, &attempt) {
            self.play.memory_types.lock().learn(kind, &command.request, expected, got);
            self.play.addresses.lock().learn(kind, &command.request, expected, got);
        }
        let mut report = self.play.report.lock();
        match (outcome, attempt) {
            // Abandoned with its context, here or in the recording: there is nothing to compare.
            (_, Err(Unexecuted::Ended)) => {}
            (outcome, _) if is_interrupted(outcome) => {}
            (Outcome::Done, Ok(got)) => {
                report.commands = report.commands.saturating_add(1);
                if !(expected.is_empty() && got.is_empty()) {
                    report.add_verdict(command.number, kind, compare(kind, expected, &got));
                }
            }
            (Outcome::Failed(reason), Ok(_)) => {
                report.add_result(Some(command.number), kind.name(), reason.clone(), "done".to_owned());
            }
            (Outcome::Done, Err(Unexecuted::Lost(error))) => {
                report.add_result(Some(command.number), kind.name(), "done".to_owned(), error.to_string());
            }
            // What this driver can create is executed here.
            (Outcome::LeftOut(_), Ok(_)) => report.commands = report.commands.saturating_add(1),
            (Outcome::LeftOut(_), Err(Unexecuted::Lost(error))) => {
                report.add_result(Some(command.number), kind.name(), "left out".to_owned(), error.to_string());
            }
            (Outcome::Failed(_), Err(_)) => report.commands = report.commands.saturating_add(1),
            (Outcome::Again, _) => {}
        }
    }
}

impl Play {
    /// Compares the creation of a resource with its recorded end, and keeps the resource's memory.
    pub(super) fn settle_blob(&self, id: ResourceId, blob_id: u64, blob: Result<Blob, HostError>, end: Option<End>) {
        let expected = match &end {
            Some(End::Blob(expected)) => expected.as_deref(),
            _ => None,
        };
        let what = "creating a resource";
        match (blob, expected) {
            (Ok(blob), None) => self.keep_memory(id, blob_id, blob),
            (Ok(_), Some(reason)) => {
                self.report.lock().add_result(None, what, reason.to_owned(), format!("resource {id} is there"));
            }
            (Err(error), None) => {
                self.report.lock().add_result(None, what, format!("resource {id} is there"), error.to_string());
            }
            (Err(_), Some(_)) => {}
        }
    }

    fn keep_memory(&self, id: ResourceId, blob_id: u64, blob: Blob) {
        self.maps_memory.fetch_or(blob_id != 0, Ordering::Relaxed);
        let Some(memory) = &self.memory else { return };
        if blob_id == 0 || blob.kind() == BlobKind::Opaque {
            return;
        }
        match blob.map() {
            Ok(mapping) => {
                self.contents.lock().forget(id.0);
                memory.lock().insert(id.0, mapping);
                if let Some(images) = &self.images {
                    images.lock().show(blob_id, id.0);
                }
            }
            Err(error) => self.report.lock().note(format!("what resource {id} holds cannot be reached: {error}")),
        }
    }

    /// Puts into memory what the recording has there, with this driver's addresses.
    pub(super) fn write(
        &self,
        resource: u32,
        mapping: &HostMapping,
        offset: u64,
        bytes: &[u8],
    ) -> Result<(), HostError> {
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        mapping.copy_in(offset, bytes)?;
        let words = self.contents.lock().write((resource, offset), bytes, &self.addresses.lock());
        words.into_iter().try_for_each(|(at, word)| mapping.copy_in(at, &word))
    }

    /// Whether there was a command that cannot be executed.
    pub(super) fn is_stopped(&self) -> bool {
        self.stopped.get().is_some()
    }

    /// Whether nothing should wait any more, because the replay is ending.
    pub(super) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }
}
