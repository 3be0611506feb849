//! What a context has done so far, for whoever wants to know.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicU64, Ordering},
};

use crate::{
    driver::memory::{AllocatedBytes, Charge},
    error::Fatal,
};

/// Running counters of one context. Endpoints add to them at the end of each batch, so nothing per command is shared.
#[derive(Debug, Default)]
pub struct Statistics {
    commands: AtomicU64,
    failures: AtomicU64,
    findings: Arc<AtomicU64>,
    memory: AllocatedBytes,
    lost: OnceLock<Fatal>,
}

impl Statistics {
    /// Commands executed, on all endpoints.
    #[must_use]
    pub fn commands(&self) -> u64 {
        self.commands.load(Ordering::Relaxed)
    }

    /// Commands that the guest was told to have failed: by the driver, or because this host refused them. Only those
    /// that create or allocate something, and whatever lost the device.
    #[must_use]
    pub fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    /// Messages of the validation layers, if those are on ([`driver::Config::validate`](crate::driver::Config)).
    #[must_use]
    pub fn findings(&self) -> u64 {
        self.findings.load(Ordering::Relaxed)
    }

    /// Why the context was lost, if it was.
    #[must_use]
    pub fn lost(&self) -> Option<&Fatal> {
        self.lost.get()
    }

    /// Writes down why the context is lost. Only the first reason counts.
    pub(crate) fn set_lost(&self, reason: Fatal) {
        // An endpoint that fails at the same time is as good a reason.
        let _later = self.lost.set(reason);
    }

    /// Bytes of the guest's allocations.
    #[must_use]
    pub fn memory_bytes(&self) -> u64 {
        self.memory.get()
    }

    /// Counts an allocation for as long as the answer lives.
    pub(crate) fn charge(&self, bytes: u64) -> Charge {
        self.memory.charge(bytes)
    }

    /// Adds the commands of one batch.
    pub(crate) fn add_commands(&self, commands: u64) {
        self.commands.fetch_add(commands, Ordering::Relaxed);
    }

    /// Adds a failure, and says how many there were before.
    pub(crate) fn add_failure(&self) -> u64 {
        self.failures.fetch_add(1, Ordering::Relaxed)
    }

    /// The counter of findings, for whoever finds.
    pub(crate) fn finding_counter(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.findings)
    }
}
