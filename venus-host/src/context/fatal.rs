//! The sticky fatal state of one context, and the log lines about single commands.
//!
//! Once a guest broke the protocol nothing it sends can be trusted to be in step, so its context executes no further
//! command. The state is set once and never cleared; the first reason is kept and logged, later ones are consequences
//! and are only told in the debug log.
//!
//! Commands that merely failed, so that the guest was told a `VkResult`, have a line each, too, up to
//! [`limits::LOGGED_FAILURES`]: guests often send them without asking for the result, and fall over the consequences
//! much later.

use std::sync::{
    OnceLock,
    atomic::{AtomicBool, Ordering},
};

use super::{Dispatcher, Shared};
use crate::{
    driver::Failure,
    error::{Fatal, GUEST_DRIVER, ResultName},
    limits,
};

/// One flag that every endpoint of the context looks at, and the reason why it is set.
#[derive(Debug, Default)]
pub(crate) struct FatalState {
    flag: AtomicBool,
    reason: OnceLock<Fatal>,
}

impl FatalState {
    /// Whether the context is lost. Cheap enough to ask once per polling round.
    pub(crate) fn is_set(&self) -> bool {
        self.flag.load(Ordering::Relaxed)
    }

    /// Why it is lost.
    pub(crate) fn reason(&self) -> Option<&Fatal> {
        self.reason.get()
    }

    /// Marks the context as lost. Logs the reason if it is the first, and says whether it was.
    #[cold]
    pub(crate) fn set(&self, context: &str, reason: Fatal) -> bool {
        let reason = reason.or_advice(GUEST_DRIVER);
        let mut first = false;
        let kept = self.reason.get_or_init(|| {
            first = true;
            reason.clone()
        });
        self.flag.store(true, Ordering::Release);
        if first {
            tracing::error!(context, "guest context lost: {kept}");
        } else {
            tracing::debug!(context, "and then: {reason}");
        }
        first
    }
}

impl Shared {
    /// Logs and counts a command that the guest was told to have failed.
    #[cold]
    pub(crate) fn complain(&self, complaint: &Fatal) {
        let context = &*self.name;
        match self.statistics.add_failure() {
            n if n < limits::LOGGED_FAILURES => tracing::warn!(context, "{complaint}"),
            limits::LOGGED_FAILURES => {
                tracing::warn!(context, "{complaint}; further failures are only counted, see --log debug");
            }
            _ => tracing::debug!(context, "{complaint}"),
        }
    }
}

impl Dispatcher {
    /// Logs and counts that the command being executed failed, with the driver's reason or this host's own.
    #[cold]
    pub(crate) fn note_failure(&self, command: &'static str, failure: &Failure) {
        let name = ResultName(failure.result);
        let complaint = match &failure.refusal {
            None => Fatal::new(command, format!("the driver answers {name}")),
            Some(refusal) => {
                let reason = format!("{}; refused with {name}", refusal.reason);
                let complaint = Fatal::new(command, reason);
                if refusal.member.is_empty() { complaint } else { complaint.member(refusal.member) }
            }
        };
        let (stream, at) = self.place();
        self.shared.complain(&complaint.advice(failure.advice()).located(stream, 0, at));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_reason_wins() {
        let state = FatalState::default();
        assert!(!state.is_set());
        assert!(state.set("test", Fatal::new("vkCmdDraw", "first")));
        assert!(!state.set("test", Fatal::new("vkCmdDraw", "second")));
        assert!(state.is_set());
        assert_eq!(state.reason().map(|fatal| &*fatal.reason), Some("first"));
    }
}
