//! Fences that have retired, on their way to the monitor.

use std::{
    fmt,
    io::{Read as _, Write as _},
    os::{
        fd::{AsFd as _, BorrowedFd},
        unix::net::UnixStream,
    },
    sync::Arc,
};

use parking_lot::Mutex;

use super::{ContextId, RetiredFence, options::Callback};
use crate::{HostError, worker::Sink};

/// Where retired fences go: to the monitor's callback, or into a list with a descriptor that says whether it has any.
#[derive(Clone)]
pub(super) struct Retirements(Arc<Inner>);

struct Inner {
    callback: Option<Callback>,
    list: Mutex<Vec<RetiredFence>>,
    /// Readable while the list has something.
    wake: UnixStream,
    bell: UnixStream,
}

impl Retirements {
    pub(super) fn new(callback: Option<Callback>) -> Result<Self, HostError> {
        let failed = |error| HostError::io("cannot make a socket to tell of fences with", error);
        let (wake, bell) = UnixStream::pair().map_err(failed)?;
        for end in [&wake, &bell] {
            end.set_nonblocking(true).map_err(failed)?;
        }
        Ok(Self(Arc::new(Inner { callback, list: Mutex::default(), wake, bell })))
    }

    /// Where those of one context go.
    pub(super) fn sink(&self, context: ContextId) -> Sink {
        let inner = Arc::clone(&self.0);
        Arc::new(move |ring_idx, fence, retired| inner.add(RetiredFence { context, ring_idx, fence, retired }))
    }

    /// Adds one that belongs to no context.
    pub(super) fn add(&self, retired: RetiredFence) {
        self.0.add(retired);
    }

    /// What has come since the last time.
    pub(super) fn take(&self) -> Vec<RetiredFence> {
        let mut list = self.0.list.lock();
        let _heard = (&self.0.wake).read(&mut [0]);
        std::mem::take(&mut *list)
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.0.wake.as_fd()
    }
}

impl Inner {
    fn add(&self, retired: RetiredFence) {
        if let Some(callback) = &self.callback {
            callback(retired);
            return;
        }
        let mut list = self.list.lock();
        list.push(retired);
        // One byte stands for however many there are.
        if let [_] = list.as_slice() {
            let _rung = (&self.bell).write(&[0]);
        }
    }
}

impl fmt::Debug for Retirements {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Retirements").field("list", &self.0.list).finish_non_exhaustive()
    }
}
