//! What a monitor has heard of whoever serves a context.
//!
//! A worker process does what its guest makes it do, so nothing it says is believed: what it was not asked for, or says
//! about fences that there are not, ends its context. What it says of a blob is checked in [`check`](super::check).

use std::{
    fmt,
    time::{Duration, Instant},
};

use parking_lot::{Condvar, Mutex};

use super::{
    fences::{Fences, Sink},
    message::{Event, Malformed},
};
use crate::{HostError, resource::Blob, thread::deadline};

/// The monitor's view of one context.
pub(super) struct Inbox {
    /// What the log calls it.
    pub(super) name: String,
    pub(super) fences: Fences,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    lost: Option<String>,
    /// Nobody serves it any more, or nobody wants to hear of it.
    is_closed: bool,
    answer: Answer,
}

/// The answer to a request for a blob.
#[derive(Debug, Default)]
enum Answer {
    #[default]
    NotAsked,
    Awaited,
    Here(Result<Blob, HostError>),
}

impl Inbox {
    pub(super) fn new(name: String, sink: Sink) -> Self {
        Self { name, fences: Fences::new(sink), state: Mutex::default(), changed: Condvar::new() }
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
            Event::Blob(made) => {
                let mut state = self.state.lock();
                if !matches!(state.answer, Answer::Awaited) {
                    return if state.is_closed {
                        Ok(())
                    } else {
                        Err(Malformed("it gives a blob without being asked"))
                    };
                }
                state.answer = Answer::Here(made);
                self.changed.notify_all();
                Ok(())
            }
            Event::Lost(reason) => {
                self.lose(reason);
                Ok(())
            }
        }
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
        self.state.lock().answer = Answer::Awaited;
    }

    /// Waits for the blob that was asked for. None if it does not come in time.
    pub(super) fn await_blob(&self, patience: Duration) -> Option<Result<Blob, HostError>> {
        let until = deadline(patience);
        let mut state = self.state.lock();
        loop {
            match std::mem::take(&mut state.answer) {
                Answer::Here(made) => return Some(made),
                awaited => state.answer = awaited,
            }
            if state.is_closed {
                let reason = state.lost.clone().unwrap_or_default();
                return Some(Err(HostError::Lost(reason.into())));
            }
            if Instant::now() >= until {
                return None;
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
