//! From records to jobs: which worker executes what, and what has to be finished before.
//!
//! Records are in the order in which things happened. A command therefore starts only when all commands of other
//! endpoints are finished that had ended before it began in the recording; commands that overlapped may overlap.
//! Commands of one endpoint follow each other anyway and are queued without waiting.
//!
//! A recording holds each command that a vkExecuteCommandStreamsMESA executed. A replay executes those, and not the
//! command around them: no stream has to be put back into memory, and each command waits for what it waited for. Of the
//! outer command only its place in the ring remains, and where the replies go.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use venus_host::limits;
use venus_protocol::wire::CommandType;

use super::{
    ReplayError,
    job::{Command, End, Task},
    request,
    workers::{Interrupted, Stalled, WorkerId, Workers},
};
use crate::recording::{Event, Outcome, Place, Record, STOPPED, Source};

/// Where jobs are executed. The real one is [`super::stage`]; that of the tests only takes notes.
pub(super) trait Stage {
    /// Starts the thread of a new worker for an endpoint.
    fn open(&mut self, source: Source, worker: WorkerId) -> Result<(), ReplayError>;

    /// Writes bytes to memory. All jobs are finished that had ended.
    fn write_memory(&mut self, resource: u32, offset: u64, bytes: &[u8]);

    /// Notes that a fence retired in the recording.
    fn retired(&mut self, number: u64);

    /// Waits until a fence has retired in the replay, too.
    fn wait_retired(&mut self, number: u64) -> Result<(), ReplayError>;

    /// Whether the context is lost, so that nothing more can be executed.
    fn is_lost(&self) -> bool;
}

/// Whether to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flow {
    Continue,
    /// The last command has been queued, or no further one can be executed.
    Stop,
}

/// A command whose beginning was read and whose end was not.
#[derive(Debug)]
enum Open {
    /// A job was queued for it.
    Job,
    /// A vkExecuteCommandStreamsMESA: the position after it, and the reply positions of its remaining streams.
    Streams { end: u64, positions: Vec<u64> },
}

#[derive(Debug)]
struct EndpointState {
    worker: WorkerId,
    open: Vec<Open>,
}

/// Turns records into jobs, in order.
pub(super) struct Sequencer<'a, S> {
    workers: &'a Workers<Task, End>,
    stage: S,
    endpoints: BTreeMap<Source, EndpointState>,
    /// Rings that the recording has created so far.
    rings: BTreeSet<u64>,
    /// Number of the next command.
    next: u64,
    /// Number of the last command to execute.
    until: u64,
    /// Fences that retired in the recording, and have not been waited for.
    retired: Vec<u64>,
    /// When the replay began, if commands are to begin at their recorded times.
    paced_since: Option<Instant>,
}

impl<'a, S: Stage> Sequencer<'a, S> {
    pub(super) fn new(workers: &'a Workers<Task, End>, stage: S, until: Option<u64>, paced: bool) -> Self {
        Self {
            workers,
            stage,
            endpoints: BTreeMap::new(),
            rings: BTreeSet::new(),
            next: 0,
            until: until.unwrap_or(u64::MAX),
            retired: Vec::new(),
            paced_since: paced.then(Instant::now),
        }
    }

    /// Starts the worker of an endpoint before its first command: direct submissions need one even without commands.
    pub(super) fn open(&mut self, source: Source) -> Result<(), ReplayError> {
        self.endpoint(source, self.next).map(|_| ())
    }

    /// Commands that have begun.
    pub(super) fn commands(&self) -> u64 {
        self.next
    }

    /// The stage, to be ended after the last record.
    pub(super) fn into_stage(self) -> S {
        self.stage
    }

    /// Queues what a record tells of.
    pub(super) fn play(&mut self, record: &Record<'_>) -> Result<Flow, ReplayError> {
        match &record.event {
            Event::Begin { place, request } => {
                if self.next > self.until || self.stage.is_lost() {
                    return Ok(Flow::Stop);
                }
                self.pace(record.time_ns);
                self.begin(*place, request)?;
            }
            Event::End { source, outcome, reply, .. } => self.end(*source, outcome, reply)?,
            Event::Stream { source, .. } => self.stream(*source)?,
            Event::Blob { resource, flags, blob_id, size, error } => {
                let task = Task::Blob { resource: *resource, flags: *flags, blob_id: *blob_id, size: *size };
                self.at_once(Source::Direct, task, End::Blob(error.clone()))?;
            }
            Event::Unref { resource } => {
                self.at_once(Source::Direct, Task::Unref { resource: *resource }, End::Nothing)?;
            }
            Event::Fence { ring_idx, number } => {
                let task = Task::Fence { ring_idx: *ring_idx, number: *number };
                self.at_once(Source::Direct, task, End::Nothing)?;
            }
            Event::Retired { number } => {
                self.stage.retired(*number);
                self.retired.push(*number);
            }
            Event::Memory { resource, offset, bytes } => {
                self.workers.wait_for_all()?;
                self.wait_retired()?;
                self.stage.write_memory(*resource, *offset, bytes);
            }
            Event::Undecodable { .. } | Event::Lost { .. } | Event::Left => {}
        }
        Ok(Flow::Continue)
    }

    /// Sleeps until a command's time has come.
    fn pace(&self, time_ns: u64) {
        if let Some(since) = self.paced_since {
            let left = Duration::from_nanos(time_ns).saturating_sub(since.elapsed());
            if !left.is_zero() {
                std::thread::sleep(left);
            }
        }
    }

    fn begin(&mut self, place: Place, bytes: &[u8]) -> Result<(), ReplayError> {
        let number = self.next;
        self.next = self.next.saturating_add(1);
        let Some(header) = request::header(bytes) else {
            return Err(ReplayError::Damaged(format!("#{number} is too short for a command")));
        };
        let endpoint = self.endpoint(place.source, number)?;
        let fits = match (endpoint.open.last(), place.depth) {
            (None, 0) | (Some(Open::Streams { .. }), 1) => true,
            (None | Some(_), _) => false,
        };
        if !fits {
            return Err(ReplayError::Damaged(format!("#{number} begins in the middle of another command")));
        }
        let end = place.position.wrapping_add(bytes.len() as u64);
        if header.command == CommandType::EXECUTE_COMMAND_STREAMS_MESA && place.depth == 0 {
            endpoint.open.push(Open::Streams { end, positions: request::reply_positions(bytes) });
            return Ok(());
        }
        endpoint.open.push(Open::Job);
        let worker = endpoint.worker;
        if let (Source::Direct, CommandType::CREATE_RING_MESA) = (place.source, header.command) {
            self.rings.extend(request::first_word(bytes));
        }
        self.wait_for_others(worker)?;
        let command = Command { number, place, header, request: bytes.to_vec() };
        Ok(self.workers.begin(worker, Task::Command(command))?)
    }

    fn end(&mut self, source: Source, outcome: &Outcome, reply: &[u8]) -> Result<(), ReplayError> {
        let endpoint = self.endpoints.get_mut(&source);
        let Some((open, worker)) = endpoint.and_then(|endpoint| Some((endpoint.open.pop()?, endpoint.worker))) else {
            return Err(ReplayError::Damaged(format!("a command of {source} ends that had not begun")));
        };
        match open {
            Open::Job => {
                // An interrupted command waits for something that never comes, so nothing may wait for it.
                let counts = !is_interrupted(outcome);
                self.workers.end(worker, End::Command { outcome: outcome.clone(), reply: reply.to_vec() }, counts);
                Ok(())
            }
            Open::Streams { end, .. } => self.at_once(source, Task::Pass { position: end }, End::Nothing),
        }
    }

    fn stream(&mut self, source: Source) -> Result<(), ReplayError> {
        let position = self.endpoints.get_mut(&source).and_then(|endpoint| match endpoint.open.last_mut()? {
            Open::Streams { positions, .. } => positions.pop(),
            Open::Job => None,
        });
        match position {
            Some(position) => self.at_once(source, Task::SeekReply { position }, End::Nothing),
            None => Ok(()),
        }
    }

    /// Queues a job that is one record in the recording: it ended as soon as it began.
    fn at_once(&mut self, source: Source, task: Task, end: End) -> Result<(), ReplayError> {
        let number = self.next;
        let worker = self.endpoint(source, number)?.worker;
        self.wait_for_others(worker)?;
        self.workers.begin(worker, task)?;
        self.workers.end(worker, end, true);
        Ok(())
    }

    fn wait_for_others(&mut self, worker: WorkerId) -> Result<(), ReplayError> {
        self.workers.wait_for_others(worker)?;
        self.wait_retired()
    }

    fn wait_retired(&mut self) -> Result<(), ReplayError> {
        for number in std::mem::take(&mut self.retired) {
            self.stage.wait_retired(number)?;
        }
        Ok(())
    }

    /// The state of an endpoint, with a new worker if it has none.
    fn endpoint(&mut self, source: Source, number: u64) -> Result<&mut EndpointState, ReplayError> {
        if !self.endpoints.contains_key(&source) {
            if let Source::Ring(id) = source
                && !self.rings.contains(&id)
            {
                return Err(ReplayError::Damaged(format!("#{number} is of ring {id:#x}, which nothing has created")));
            }
            if self.endpoints.len() > limits::ALL_RINGS {
                return Err(ReplayError::Damaged(format!("#{number} is of ring number {}", self.endpoints.len())));
            }
            let worker = self.workers.add();
            self.stage.open(source, worker)?;
            self.endpoints.insert(source, EndpointState { worker, open: Vec::new() });
        }
        self.endpoints.get_mut(&source).ok_or_else(|| ReplayError::Damaged(format!("there is no {source}")))
    }
}

/// Whether a command was abandoned because its context was being destroyed.
pub(super) fn is_interrupted(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Failed(reason) if reason == STOPPED)
}

impl From<Interrupted> for ReplayError {
    fn from(interrupted: Interrupted) -> Self {
        match interrupted {
            Interrupted::Stalled(stalled) => stalled.into(),
            Interrupted::Broken => Self::Panicked,
        }
    }
}

impl From<Stalled> for ReplayError {
    fn from(Stalled { label, others, after }: Stalled) -> Self {
        let mut waits_for = match label.what {
            "vkWaitForFences" | "vkWaitSemaphores" | "vkGetQueryPoolResults" => "work of the GPU",
            "vkWaitRingSeqnoMESA" => "a ring",
            "vkWaitVirtqueueSeqnoMESA" => "a direct submission",
            _ => "the driver",
        }
        .to_owned();
        for (index, other) in others.iter().enumerate() {
            let separator = if index == 0 { ", while others execute " } else { ", " };
            waits_for.push_str(separator);
            waits_for.push_str(&other.to_string());
        }
        Self::Stalled { what: label.to_string(), waits_for, after }
    }
}

#[cfg(test)]
mod tests;
