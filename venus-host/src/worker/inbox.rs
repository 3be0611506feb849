//! What a monitor has heard of whoever serves a context.
//!
//! A worker process does what its guest makes it do, so nothing it says is believed: what it was not asked for, or says
//! about fences that there are not, ends its context. What it says of a blob is checked in [`check`](super::check).

use std::{
    fmt,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use parking_lot::{Condvar, Mutex};
use tracing::Level;

use super::{
    fences::{Fences, Sink},
    message::Event,
    packet::Malformed,
};
use crate::{HostError, endpoint::Statistics, limits, resource::Blob, thread::deadline};

/// The monitor's view of one context.
pub(super) struct Inbox {
    /// What the log calls it.
    pub(super) name: String,
    pub(super) fences: Fences,
    /// Lines of the log that its worker has said.
    lines: AtomicU64,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    lost: Option<String>,
    /// Nobody serves it any more, or nobody wants to hear of it.
    is_closed: bool,
    blob: Answer<Result<Blob, HostError>>,
    statistics: Answer<Statistics>,
}

/// The answer to a question.
#[derive(Debug, Default)]
enum Answer<T> {
    #[default]
    NotAsked,
    Awaited,
    Here(T),
}

impl<T> Answer<T> {
    /// Here it is. False if nobody asked.
    fn fill(&mut self, answer: T) -> bool {
        let is_asked = matches!(self, Self::Awaited);
        if is_asked {
            *self = Self::Here(answer);
        }
        is_asked
    }

    fn take(&mut self) -> Option<T> {
        match std::mem::take(self) {
            Self::Here(answer) => Some(answer),
            other => {
                *self = other;
                None
            }
        }
    }
}

impl Inbox {
    pub(super) fn new(name: String, sink: Sink) -> Self {
        Self {
            name,
            fences: Fences::new(sink),
            lines: AtomicU64::new(0),
            state: Mutex::default(),
            changed: Condvar::new(),
        }
    }

    /// Takes in what was said.
    pub(super) fn take(&self, event: Event) -> Result<(), Malformed> {
        match event {
            Event::Retired { ring_idx, token, retired } => {
                if self.fences.retire(ring_idx, token, retired) {
                    Ok(())
                } else {
                    Err(Malformed("a fence has retired that there is not"))
                }
            }
            Event::Blob(made) => self.fill(|state| state.blob.fill(made)),
            Event::Statistics(statistics) => self.fill(|state| state.statistics.fill(*statistics)),
            Event::Lost(reason) => {
                self.lose(reason);
                Ok(())
            }
            Event::Line(level, line) => {
                self.log(level, &line);
                Ok(())
            }
        }
    }

    /// Logs what a worker has said, up to an end: it may be in its guest's hands.
    fn log(&self, level: Level, line: &str) {
        match self.lines.fetch_add(1, Ordering::Relaxed) {
            ..limits::WORKER_LINES => {}
            limits::WORKER_LINES => {
                tracing::warn!(context = &*self.name, "its worker has said too much; no further line of it is logged");
                return;
            }
            _ => return,
        }
        match level {
            Level::ERROR => tracing::error!("{line}"),
            Level::WARN => tracing::warn!("{line}"),
            Level::INFO => tracing::info!("{line}"),
            Level::DEBUG => tracing::debug!("{line}"),
            Level::TRACE => tracing::trace!("{line}"),
        }
    }

    /// Takes in an answer, to what was asked.
    fn fill(&self, fill: impl FnOnce(&mut State) -> bool) -> Result<(), Malformed> {
        let mut state = self.state.lock();
        let is_asked = fill(&mut state);
        self.changed.notify_all();
        if is_asked || state.is_closed { Ok(()) } else { Err(Malformed("it answers without being asked")) }
    }

    /// The context is lost. The first reason counts. Its fences retire as whoever serves it says.
    pub(super) fn lose(&self, reason: String) {
        let mut state = self.state.lock();
        state.lost.get_or_insert(reason);
        self.changed.notify_all();
    }

    /// Nobody will say anything any more, for this reason: what was asked has no answer, and fences are lost.
    pub(super) fn close(&self, reason: String) {
        self.lose(reason);
        self.state.lock().is_closed = true;
        self.changed.notify_all();
        self.fences.close();
    }

    /// Why the context is lost, if it is.
    pub(super) fn lost(&self) -> Option<String> {
        self.state.lock().lost.clone()
    }

    /// Fails if the context is lost.
    pub(super) fn check(&self) -> Result<(), HostError> {
        self.lost().map_or(Ok(()), |reason| Err(HostError::Lost(reason.into())))
    }

    /// A blob is going to be asked for.
    pub(super) fn expect_blob(&self) {
        self.state.lock().blob = Answer::Awaited;
    }

    /// Waits for the blob that was asked for. None if it does not come in time.
    pub(super) fn await_blob(&self, patience: Duration) -> Option<Result<Blob, HostError>> {
        self.wait(patience, |state| state.blob.take()).transpose().map(|answer| answer.and_then(|made| made))
    }

    /// Statistics are wanted: whether they are to be asked for. What was asked before and has not come will do.
    pub(super) fn expect_statistics(&self) -> bool {
        let mut state = self.state.lock();
        let is_asked = matches!(state.statistics, Answer::Awaited);
        state.statistics = Answer::Awaited;
        !is_asked
    }

    /// The statistics that are wanted could not be asked for.
    pub(super) fn expect_no_statistics(&self) {
        self.state.lock().statistics = Answer::NotAsked;
    }

    /// Waits for the statistics that were asked for. None if they do not come in time.
    pub(super) fn await_statistics(&self, patience: Duration) -> Result<Option<Statistics>, HostError> {
        self.wait(patience, |state| state.statistics.take())
    }

    /// Waits for an answer. None if it does not come in time; an error if it never will.
    fn wait<T>(
        &self,
        patience: Duration,
        mut take: impl FnMut(&mut State) -> Option<T>,
    ) -> Result<Option<T>, HostError> {
        let until = deadline(patience);
        let mut state = self.state.lock();
        loop {
            if let Some(answer) = take(&mut state) {
                return Ok(Some(answer));
            }
            if state.is_closed {
                return Err(HostError::Lost(state.lost.clone().unwrap_or_default().into()));
            }
            if Instant::now() >= until {
                return Ok(None);
            }
            let _timed_out = self.changed.wait_until(&mut state, until);
        }
    }
}

impl fmt::Debug for Inbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inbox").field("name", &self.name).field("state", &self.state).finish_non_exhaustive()
    }
}
