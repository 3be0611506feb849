//! Rings that share a thread, because as many as may have one of their own do.
//!
//! Nothing a guest sends says that a ring could not be had, so it must not be that there is none. Such a ring is
//! polled as one in [`Mode::Polled`](super::Mode::Polled) is, by a thread that does nothing else: a command that waits
//! for a submission is tried again, and one that compiles for a second holds up all of them for a second.

use std::{fmt, sync::Arc, time::Duration};

use super::{
    Progress,
    consumer::{self, LONG_REST, Poll},
};
use crate::{
    allocator,
    error::HostError,
    sync::{
        Instant, Mutex,
        atomic::{AtomicBool, Ordering},
        thread::{self, JoinHandle, Thread},
    },
    thread::sharpen_timers,
};

/// Longest sleep between two looks at rings whose guests count on being polled.
const LONGEST_SLEEP: Duration = Duration::from_millis(1);

/// What the thread is told.
struct Inbox {
    /// `None` once the thread is no more.
    newcomers: Mutex<Option<Vec<Box<dyn Poll>>>>,
    stop: AtomicBool,
}

impl Inbox {
    fn add(&self, ring: Box<dyn Poll>) {
        // Outside of the lock: a ring that nobody polls ends.
        let _homeless = match &mut *self.newcomers.lock() {
            Some(newcomers) => {
                newcomers.push(ring);
                None
            }
            None => Some(ring),
        };
    }

    fn take(&self) -> Vec<Box<dyn Poll>> {
        self.newcomers.lock().as_mut().map(std::mem::take).unwrap_or_default()
    }
}

/// Closes the inbox when the thread ends, be it by a panic.
struct Owner(Arc<Inbox>);

impl Drop for Owner {
    fn drop(&mut self) {
        let homeless = self.0.newcomers.lock().take();
        drop(homeless);
    }
}

/// The thread, and the way to it.
pub(super) struct SharedThread {
    inbox: Arc<Inbox>,
    thread: JoinHandle<()>,
}

impl SharedThread {
    /// Starts the thread.
    pub(super) fn start() -> Result<Self, HostError> {
        let inbox = Arc::new(Inbox { newcomers: Mutex::new(Some(Vec::new())), stop: AtomicBool::new(false) });
        let owner = Owner(Arc::clone(&inbox));
        let thread = thread::Builder::new()
            .name("venus-rings".to_owned())
            .spawn(move || {
                sharpen_timers();
                allocator::use_large_pages();
                run(&owner.0);
                allocator::give_back();
            })
            .map_err(|error| HostError::io("cannot start the thread that rings share", error))?;
        Ok(Self { inbox, thread })
    }

    /// Whom to wake when a ring has something to do.
    pub(super) fn waker(&self) -> Thread {
        self.thread.thread().clone()
    }

    /// Adds a ring, which stays until it has ended.
    pub(super) fn join(&self, ring: Box<dyn Poll>) {
        self.inbox.add(ring);
        self.thread.thread().unpark();
    }

    /// Lets the thread end with the last of its rings.
    pub(super) fn stop(self) -> JoinHandle<()> {
        self.inbox.stop.store(true, Ordering::SeqCst);
        self.thread.thread().unpark();
        self.thread
    }
}

impl fmt::Debug for SharedThread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedThread").finish_non_exhaustive()
    }
}

fn run(inbox: &Inbox) {
    let mut rings = Vec::new();
    let mut round = 0;
    // Since commands were executed.
    let mut gave_back = false;
    loop {
        rings.append(&mut inbox.take());
        let progress = poll_each(&mut rings);
        // After the rings have ended, since whoever stops this thread may have woken it once for both.
        if rings.is_empty() && inbox.stop.load(Ordering::SeqCst) {
            return;
        }
        match progress {
            Progress::Worked => (round, gave_back) = (0, false),
            // Whoever has something for a ring wakes this thread, which also counts before it sleeps.
            Progress::Idle | Progress::Ended => {
                rest(&mut gave_back);
                round = 0;
            }
            Progress::Empty | Progress::Blocked => {
                consumer::back_off(round, LONGEST_SLEEP);
                round = round.saturating_add(1);
            }
        }
    }
}

/// Has the thread sleep until somebody wakes it. Once it has slept for a while it gives back what is kept of its heap,
/// and returns: whoever calls looks at its rings again before it sleeps for good. A wake-up that came at the end of that
/// while is used up, and would be missed otherwise.
fn rest(gave_back: &mut bool) {
    if *gave_back || !allocator::keeps() {
        thread::park();
        return;
    }
    let since = Instant::now();
    thread::park_timeout(LONG_REST);
    if since.elapsed() >= LONG_REST {
        allocator::give_back();
        *gave_back = true;
    }
}

/// Polls each ring once, lets go of those that have ended, and reports the busiest of the others.
fn poll_each(rings: &mut Vec<Box<dyn Poll>>) -> Progress {
    let mut busiest = Progress::Idle;
    rings.retain_mut(|ring| {
        let progress = ring.process_available();
        busiest = busiest.min(progress);
        progress != Progress::Ended
    });
    busiest
}
