//! What a context has done so far, for whoever wants to know.

use std::sync::atomic::{AtomicU64, Ordering};

/// Running counters of one context. Endpoints add to them at the end of each batch, so nothing per command is shared.
#[derive(Debug, Default)]
pub struct Statistics {
    commands: AtomicU64,
}

impl Statistics {
    /// Commands executed, on all endpoints.
    #[must_use]
    pub fn commands(&self) -> u64 {
        self.commands.load(Ordering::Relaxed)
    }

    /// Adds the commands of one batch.
    pub(crate) fn add_commands(&self, commands: u64) {
        self.commands.fetch_add(commands, Ordering::Relaxed);
    }
}
