//! Replaying: executes a recording on this machine's driver, without a guest, and compares what comes of it.
//!
//! [`replay`] makes a context as a server would and feeds it what a [`Reader`] reads: commands on a thread for each
//! endpoint, resources, fences, and the contents of memory. Replies and results are compared with the recorded ones,
//! and the [`Report`] says what differs.
//!
//! | file | what |
//! |---|---|
//! | [`sequencer`] | from records to jobs: which worker executes what, and what has to be finished before |
//! | [`workers`] | a thread and a queue of jobs for each endpoint |
//! | [`job`] | what workers execute |
//! | [`stage`] | the threads: one for the context, one for each ring |
//! | [`player`] | one endpoint: executes, tries again where the driver is behind, compares |
//! | [`listener`] | takes replies, and the news that the context is lost |
//! | [`compare`] | replies member by member, and what may differ between any two runs |
//! | [`in_flight`] | submissions that still execute, and commands that have to wait for them |
//! | [`fences`] | fences of the guest's kernel, and their order |
//! | [`memory`] | adapts allocations to another driver |
//! | [`addresses`] | addresses of the recorded driver's memory, translated to this one's |
//! | [`images`] | pictures from what the program copied to memory |
//! | [`request`] | members of requests and replies, by name |
//! | [`report`] | the result |
//!
//! # Trust
//!
//! A recording can do no more than a guest: everything goes through a context, which checks it. Numbers that replays
//! use themselves (positions, sizes of pictures) are checked where they are used. A file that was cut or damaged is
//! replayed up to there.
//!
//! # Limits
//!
//! A replay lacks what the recording lacks. Without `--record-memory`, what the guest wrote to mapped memory is
//! missing: shaders and commands are there, vertices and textures that were uploaded through memory are zero. Addresses
//! that a program has computed, instead of asking for them, are those of the driver that was recorded: a command with
//! one ends the replay, and one in data may end the process. So may a program with descriptor heaps: what it writes there are
//! descriptors of the driver that was recorded, in a form that only that driver knows.

mod addresses;
mod compare;
mod fences;
mod images;
mod in_flight;
mod job;
mod listener;
mod memory;
mod player;
mod report;
mod request;
mod sequencer;
mod stage;
#[cfg(test)]
mod tests;
mod workers;

use std::{
    collections::BTreeMap,
    fmt,
    io::{self, Read},
    path::PathBuf,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use venus_host::{
    context::{self, Feed},
    driver,
};

pub use self::report::{MemberDifference, Report, ResultDifference, Seconds};
use self::{
    fences::Fences,
    images::Images,
    in_flight::InFlight,
    listener::Listener,
    memory::{Memory, Uses},
    player::Play,
    sequencer::{Flow, Sequencer},
    stage::Threads,
    workers::Workers,
};
use crate::recording::{ReadError, Reader, Source};

/// Records between two reports of progress.
const PROGRESS_RECORDS: u32 = 256;

/// How to replay.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Options {
    /// The driver, and what guests see of it.
    pub driver: driver::Config,
    /// Whether commands begin when they did, instead of as soon as they can.
    pub paced: bool,
    /// The number of the last command to execute; all if absent.
    pub until: Option<u64>,
    /// How long one command may take.
    pub stall: Duration,
    /// Where to save pictures; nowhere if absent.
    pub images: Option<PathBuf>,
}

impl Options {
    /// Replays everything, as fast as it goes. A command may take 30 s.
    #[must_use]
    pub fn new(driver: driver::Config) -> Self {
        Self { driver, paced: false, until: None, stall: Duration::from_secs(30), images: None }
    }

    /// Whether commands begin when they did, instead of as soon as they can.
    #[must_use]
    pub fn paced(mut self, paced: bool) -> Self {
        self.paced = paced;
        self
    }

    /// The number of the last command to execute; all if absent.
    #[must_use]
    pub fn until(mut self, until: Option<u64>) -> Self {
        self.until = until;
        self
    }

    /// How long one command may take.
    #[must_use]
    pub fn stall(mut self, stall: Duration) -> Self {
        self.stall = stall;
        self
    }

    /// Where to save pictures; nowhere if absent.
    #[must_use]
    pub fn images(mut self, images: Option<PathBuf>) -> Self {
        self.images = images;
        self
    }
}

/// How far a replay is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// Bytes of the recording that were read.
    pub bytes: u64,
    /// Commands that have begun.
    pub commands: u64,
}

/// Why a replay has no report.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// The file is no recording, or cannot be opened.
    #[error(transparent)]
    Open(#[from] ReadError),
    /// The file cannot be read. What is wrong with its contents is an [`Ending`](crate::recording::Ending).
    #[error("cannot read the recording: {0}")]
    Read(#[from] io::Error),
    /// The records are well-formed and make no sense.
    #[error("the recording makes no sense: {0}")]
    Damaged(String),
    /// The system has no thread for an endpoint.
    #[error("cannot start a thread to replay on: {0}")]
    Thread(#[source] io::Error),
    /// Something does not come to an end. Threads are left behind, which end with the process.
    #[error("{what} has not come to an end for {} s; it waits for {waits_for}", after.as_secs())]
    Stalled {
        /// The command, or the fence.
        what: String,
        /// What it waits for, as far as can be told.
        waits_for: String,
        /// For how long.
        after: Duration,
    },
    /// A command names memory by an address that cannot be translated to this driver's.
    #[error(
        "#{number} {command} names memory by the address {address:#x} ({member}), which the program never asked for: it is \
         one of the driver that was recorded, and this one would crash; replay up to there with --until #{}",
        number.saturating_sub(1)
    )]
    Address {
        /// The command's number.
        number: u64,
        /// Its Vulkan name.
        command: &'static str,
        /// Where in it the address stands.
        member: String,
        /// The address.
        address: u64,
    },
    /// A bug in this program.
    #[error("a thread of the replay panicked; this is a bug in the host")]
    Panicked,
}

/// Replays a recording. `open` is called to read it; a second time if the driver's memory is so different that one has
/// to know beforehand what the program does with it.
///
/// # Errors
///
/// What keeps it from being replayed to its end. Differences are no errors.
pub fn replay<R: Read>(
    open: impl Fn() -> Result<Reader<R>, ReadError> + Send + Sync + 'static,
    options: &Options,
    progress: &mut dyn FnMut(Progress),
) -> Result<Report, ReplayError> {
    let mut reader = open()?;
    let survey = Box::new(move || {
        let reader = open().map_err(|error| error.to_string())?;
        Uses::survey(reader).map_err(|error| error.to_string())
    });
    let header = reader.header().clone();
    let play = Arc::new(Play {
        report: Mutex::new(Report::default()),
        in_flight: InFlight::default(),
        memory_types: Mutex::new(Memory::default()),
        addresses: Mutex::default(),
        contents: Mutex::default(),
        stopped: OnceLock::new(),
        uses: OnceLock::new(),
        survey,
        fences: Arc::new(Fences::default()),
        memory: (header.has_memory || options.images.is_some()).then(|| Mutex::new(BTreeMap::new())),
        images: options.images.clone().map(|folder| Mutex::new(Images::new(folder))),
        listener: Arc::new(Listener::default()),
        maps_memory: AtomicBool::new(false),
        is_over: Arc::new(AtomicBool::new(false)),
    });
    let is_over = Arc::clone(&play.is_over);
    let context_options = context::Options::new(format!("replay of {}", header.name), options.driver.clone())
        .abandoned(move || is_over.load(Ordering::Relaxed))
        .observer(Arc::clone(&play.listener) as _);
    let workers = Arc::new(Workers::new(options.stall));
    let threads = Threads::new(Arc::clone(&workers), Arc::clone(&play), Feed::open(context_options), options.stall);
    let mut sequencer = Sequencer::new(&workers, threads, options.until, options.paced);

    let started = Instant::now();
    let mut records = 0_u32;
    sequencer.open(Source::Direct)?;
    while let Some(record) = reader.next_record()? {
        if sequencer.play(&record)? == Flow::Stop {
            break;
        }
        records = records.wrapping_add(1);
        if records.is_multiple_of(PROGRESS_RECORDS) {
            progress(Progress { bytes: reader.position(), commands: sequencer.commands() });
        }
    }
    workers.complete();
    workers.wait_for_all().map_err(ReplayError::from)?;
    play.in_flight.wait_for_all();
    let elapsed = started.elapsed();
    progress(Progress { bytes: reader.position(), commands: sequencer.commands() });
    let lost = play.listener.lost();
    let all_ended = sequencer.into_stage().finish();
    if let Some(stop) = play.stopped.get() {
        return Err(stop.error());
    }

    let mut report = play.report.lock().clone();
    report.elapsed = elapsed;
    report.ending = reader.ending();
    report.lost = lost;
    (report.fences, report.fences_different) = play.fences.compare();
    if !all_ended {
        report.note("a command that the recording does not see the end of was still being executed");
    }
    if !header.has_memory && play.maps_memory.load(Ordering::Relaxed) {
        report.note("the recording lacks what was in memory: what the program has uploaded there is zero");
    }
    match play.in_flight.given_up() {
        0 => {}
        count => {
            report.note(format!("{count} submissions were not waited for: they wait for something that comes later"))
        }
    }
    let profile = options.driver.profile.name();
    if header.profile != profile {
        let recorded = &header.profile;
        report.note(format!("it was recorded with --profile {recorded}, and is replayed with --profile {profile}"));
    }
    report.conclude();
    Ok(report)
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.commands)
    }
}
