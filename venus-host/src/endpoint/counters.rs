//! Running counters of what a context has done so far, and the log lines about single commands.
//!
//! Commands that failed, so that the guest was told a `VkResult`, have a line each, up to [`limits::LOGGED_FAILURES`]:
//! guests often send them without asking for the result, and fall over the consequences much later.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use parking_lot::Mutex;
use venus_protocol::wire::CommandType;

use super::{CommandStatistics, Endpoint, Lost, Shared, Shortfall, Source, Tallies, Tally};
use crate::{
    driver::{
        Failure,
        memory::{Allocated, Charge},
    },
    error::{Fatal, ResultName},
    limits,
    resource::SharedCount,
    ring::RingId,
};

/// Running counters of one context. Endpoints add to them at the end of each batch, so nothing per command is shared.
#[derive(Debug)]
pub(crate) struct Counters {
    commands: AtomicU64,
    by_command: Arc<Tallies>,
    failures: AtomicU64,
    findings: Arc<AtomicU64>,
    submissions: AtomicU64,
    last_failure: Mutex<Option<String>>,
    memory: Allocated,
    lost: Arc<Lost>,
}

impl Counters {
    /// Those of a context that has done nothing; `lost` is its end, and allocations are counted in `shown`, too.
    pub(super) fn new(lost: Arc<Lost>, shown: Option<SharedCount>) -> Self {
        Self {
            commands: AtomicU64::new(0),
            by_command: Arc::default(),
            failures: AtomicU64::new(0),
            findings: Arc::default(),
            submissions: AtomicU64::new(0),
            last_failure: Mutex::new(None),
            memory: Allocated::shown(shown),
            lost,
        }
    }

    /// Commands executed, on all endpoints.
    pub(crate) fn commands(&self) -> u64 {
        self.commands.load(Ordering::Relaxed)
    }

    /// What became of each command.
    pub(super) fn by_command(&self) -> Vec<CommandStatistics> {
        self.by_command.read()
    }

    /// Where a new endpoint counts its commands.
    pub(super) fn tally(&self) -> Tally {
        self.by_command.endpoint()
    }

    /// Commands that the guest was told to have failed: by the driver, or because this host refused them. Only those
    /// that create or allocate something, and whatever lost the device.
    pub(crate) fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    /// Messages of the validation layers, if those are on ([`driver::Config::validate`](crate::driver::Config)).
    pub(crate) fn findings(&self) -> u64 {
        self.findings.load(Ordering::Relaxed)
    }

    /// Submissions to queues, with command buffers or without.
    pub(crate) fn submissions(&self) -> u64 {
        self.submissions.load(Ordering::Relaxed)
    }

    /// Why the context was lost; if it was not, the last command that the guest was told to have failed, in the words of
    /// the log.
    pub(crate) fn last_error(&self) -> Option<String> {
        self.lost().map(ToString::to_string).or_else(|| self.last_failure.lock().clone())
    }

    /// Why the context was lost, if it was.
    pub(crate) fn lost(&self) -> Option<&Fatal> {
        self.lost.reason()
    }

    /// Bytes of the guest's allocations.
    pub(crate) fn memory_bytes(&self) -> u64 {
        self.memory.bytes()
    }

    /// How many allocations of the guest live.
    pub(crate) fn allocations(&self) -> u64 {
        self.memory.allocations()
    }

    /// Counts an allocation for as long as the answer lives; none that alone is more than `most`.
    pub(crate) fn charge(&self, bytes: u64, most: u64) -> Option<Charge> {
        self.memory.charge(bytes, most)
    }

    /// Adds the commands of one batch.
    pub(crate) fn add_commands(&self, commands: u64) {
        self.commands.fetch_add(commands, Ordering::Relaxed);
    }

    /// Adds a failure, and says how many there were before.
    pub(crate) fn add_failure(&self) -> u64 {
        self.failures.fetch_add(1, Ordering::Relaxed)
    }

    /// Counts a submission to a queue.
    pub(crate) fn add_submission(&self) {
        self.submissions.fetch_add(1, Ordering::Relaxed);
    }

    /// The counter of findings, for whoever finds.
    pub(crate) fn finding_counter(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.findings)
    }
}

impl Shared {
    /// Logs and counts a command that the guest was told to have failed.
    #[cold]
    pub(crate) fn log_failure(&self, line: &Fatal) {
        let context = &*self.name;
        self.breadcrumbs.note_failure();
        *self.counters.last_failure.lock() = Some(line.to_string());
        match self.counters.add_failure() {
            n if n < limits::LOGGED_FAILURES => tracing::warn!(context, "{line}"),
            limits::LOGGED_FAILURES => {
                tracing::warn!(context, "{line}; further failures are only counted, see --log debug");
            }
            _ => tracing::debug!(context, "{line}"),
        }
    }
}

impl Shared {
    /// Logs that a ring does not end, since it is inside a command that does not.
    #[cold]
    pub(crate) fn log_stuck(&self, ring: RingId) {
        let context = &*self.name;
        let source = Source::Ring(ring.0);
        let command = self.breadcrumbs.command_of(source).unwrap_or("a command");
        let patience = limits::RING_JOIN_TIMEOUT;
        tracing::error!(
            context,
            "{source} is still inside {command} {patience:?} after its guest left, and is left behind; the driver may be \
             stuck: look for messages of the GPU in the system's log"
        );
    }
}

impl Endpoint {
    /// Counts that the command being executed is not executed as the guest asked, once.
    #[cold]
    pub(crate) fn fall_short(&self, shortfall: Shortfall) {
        if self.position.command != CommandType::NONE && !self.fell_short.replace(true) {
            self.shared.counters.by_command.fall_short(self.position.command, shortfall);
        }
    }

    /// Logs and counts that the command being executed failed, with the driver's reason or this host's own.
    #[cold]
    pub(crate) fn note_failure(&self, failure: &Failure) {
        self.fall_short(if failure.refusal.is_some() { Shortfall::Refused } else { Shortfall::Failed });
        let name = ResultName(failure.result);
        let line = match &failure.refusal {
            None => self.fatal(format!("the driver answers {name}")),
            Some(refusal) => {
                let line = self.fatal(format!("{}; refused with {name}", refusal.reason));
                if refusal.member.is_empty() { line } else { line.member(refusal.member) }
            }
        };
        self.shared.log_failure(&self.locate(line.advice(failure.advice())));
    }
}
