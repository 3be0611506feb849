//! The end of one context.
//!
//! Once a guest broke the protocol nothing it sends can be trusted to be in step, so its context executes no further
//! command. The state is set once and never cleared; the first reason is kept and logged, later ones are consequences
//! and are only told in the debug log.

use std::{
    fmt,
    sync::{
        OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

use crate::error::{Fatal, GUEST_DRIVER};

/// One flag that every endpoint of the context looks at, and the reason why it is set.
#[derive(Default)]
pub(crate) struct Lost {
    flag: AtomicBool,
    reason: OnceLock<Fatal>,
    tell: OnceLock<Tell>,
}

/// Tells the embedder of the end.
pub(crate) type Tell = Box<dyn Fn() + Send + Sync>;

impl Lost {
    /// Whether the context is lost. Cheap enough to ask once per polling round.
    #[inline]
    pub(crate) fn is_set(&self) -> bool {
        // Whoever sees the flag finds the reason, too.
        self.flag.load(Ordering::Acquire)
    }

    /// Why it is lost.
    pub(crate) fn reason(&self) -> Option<&Fatal> {
        self.reason.get()
    }

    /// Whom to tell; the first stays.
    pub(crate) fn tell(&self, tell: Tell) {
        self.tell.get_or_init(|| tell);
    }

    /// Marks the context as lost. Logs the reason if it is the first, and says whether it was.
    #[cold]
    pub(crate) fn set(&self, context: &str, reason: Fatal) -> bool {
        self.keep(context, reason.or_advice(GUEST_DRIVER), |kept| {
            tracing::error!(context, "guest context lost: {kept}")
        })
    }

    /// The same for a reason that nobody is to blame for, and nothing is to be done about.
    #[cold]
    pub(crate) fn set_quietly(&self, context: &str, reason: Fatal) -> bool {
        self.keep(context, reason, |kept| tracing::info!(context, "guest context ended: {kept}"))
    }

    fn keep(&self, context: &str, reason: Fatal, log: impl FnOnce(&Fatal)) -> bool {
        let mut first = false;
        let kept = self.reason.get_or_init(|| {
            first = true;
            reason.clone()
        });
        self.flag.store(true, Ordering::Release);
        if first {
            log(kept);
            if let Some(tell) = self.tell.get() {
                tell();
            }
        } else {
            tracing::debug!(context, "and then: {reason}");
        }
        first
    }
}

impl fmt::Debug for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lost").field("flag", &self.flag).field("reason", &self.reason).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, atomic::AtomicU32};

    use super::*;

    #[test]
    fn the_first_reason_wins() {
        let state = Lost::default();
        let told = Arc::new(AtomicU32::new(0));
        let counter = Arc::clone(&told);
        state.tell(Box::new(move || {
            counter.fetch_add(1, Ordering::Relaxed);
        }));
        assert!(!state.is_set());
        assert!(state.set("test", Fatal::new("vkCmdDraw", "first")));
        assert!(!state.set("test", Fatal::new("vkCmdDraw", "second")));
        assert!(state.is_set());
        assert_eq!(told.load(Ordering::Relaxed), 1);
        assert_eq!(state.reason().map(|fatal| &*fatal.reason), Some("first"));
    }

    #[test]
    fn advice_is_for_those_who_are_to_blame() {
        let (foul, quiet) = (Lost::default(), Lost::default());
        assert!(
            foul.set("test", Fatal::new("vkCmdDraw", "wrong")) && quiet.set_quietly("test", Fatal::new("end", "so"))
        );
        assert!(!quiet.set("test", Fatal::new("vkCmdDraw", "a consequence")));
        assert_eq!(foul.reason().map(|fatal| &*fatal.advice), Some(GUEST_DRIVER));
        assert_eq!(quiet.reason().map(ToString::to_string).as_deref(), Some("end: so"));
    }
}
