//! Sync objects: 64-bit timelines that a guest waits for through descriptors.
//!
//! The guest creates syncs, writes them itself or has fences write them, and asks for a descriptor that becomes
//! readable once its condition holds. Fences retire on other threads, so the table is shared; nothing blocks under its
//! lock.
//!
//! A wait that is never satisfied costs a descriptor until the guest's own time-out has passed, or until the connection
//! ends. The guest may close its end at any time without telling us.

use std::{
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use parking_lot::Mutex;

use super::framing::FramingError;
use crate::{error::HostError, limits};

/// How much longer than the guest we remember a wait: it starts its clock when it has our answer.
const GRACE: Duration = Duration::from_millis(100);

/// The syncs of one connection.
#[derive(Debug, Default)]
pub(super) struct Syncs {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    by_id: HashMap<u32, Arc<Sync>, RandomState>,
    ids: Ids,
    waits: Vec<Wait>,
}

/// One timeline. Its value changes under the table's lock only; a wait or a fence keeps it alive after the guest has
/// dropped its id.
#[derive(Debug)]
pub(super) struct Sync {
    value: AtomicU64,
}

#[derive(Debug)]
struct Wait {
    any: bool,
    conditions: Vec<(Arc<Sync>, u64)>,
    /// When the guest has stopped waiting; never, if there is none.
    expires: Option<Instant>,
    event: Event,
}

impl Wait {
    fn is_satisfied(&self) -> bool {
        let holds = |(sync, wanted): &(Arc<Sync>, u64)| sync.value.load(Ordering::Relaxed) >= *wanted;
        if self.any { self.conditions.iter().any(holds) } else { self.conditions.iter().all(holds) }
    }
}

impl State {
    /// Signals the waits whose condition holds by now and forgets them.
    fn evaluate(&mut self) {
        self.waits.retain(|wait| {
            let satisfied = wait.is_satisfied();
            if satisfied {
                wait.event.signal();
            }
            !satisfied
        });
    }

    fn lookup(&self, id: u32) -> Result<&Arc<Sync>, FramingError> {
        self.by_id.get(&id).ok_or_else(|| FramingError::Illegal(format!("no sync has id {id}")))
    }
}

impl Syncs {
    /// Makes a sync and returns its id.
    pub(super) fn create(&self, initial: u64) -> Result<u32, HostError> {
        let mut state = self.state.lock();
        if state.by_id.len() >= limits::SYNCS {
            return Err(HostError::limit("syncs of one connection", limits::SYNCS));
        }
        let id = state.ids.allocate();
        state.by_id.insert(id, Arc::new(Sync { value: AtomicU64::new(initial) }));
        Ok(id)
    }

    /// Forgets an id. Waits and fences that refer to the sync are not affected; an unknown id is ignored.
    pub(super) fn unref(&self, id: u32) {
        let mut state = self.state.lock();
        if state.by_id.remove(&id).is_some() {
            state.ids.free(id);
        }
    }

    /// The current value.
    pub(super) fn read(&self, id: u32) -> Result<u64, FramingError> {
        Ok(self.state.lock().lookup(id)?.value.load(Ordering::Relaxed))
    }

    /// Sets the value, up or down, and wakes whoever that satisfies.
    pub(super) fn write(&self, id: u32, value: u64) -> Result<(), FramingError> {
        let mut state = self.state.lock();
        state.lookup(id)?.value.store(value, Ordering::Relaxed);
        state.evaluate();
        Ok(())
    }

    /// Resolves ids for a signal that comes later.
    pub(super) fn resolve(&self, syncs: &[(u32, u64)]) -> Result<Vec<(Arc<Sync>, u64)>, FramingError> {
        let state = self.state.lock();
        syncs.iter().map(|(id, value)| Ok((Arc::clone(state.lookup(*id)?), *value))).collect()
    }

    /// Sets resolved syncs to their values.
    pub(super) fn signal(&self, syncs: &[(Arc<Sync>, u64)]) {
        let mut state = self.state.lock();
        for (sync, value) in syncs {
            sync.value.store(*value, Ordering::Relaxed);
        }
        state.evaluate();
    }

    /// A descriptor that becomes readable once any or all of the syncs have reached their values, which may be at once.
    pub(super) fn wait(&self, any: bool, timeout_ms: u32, syncs: &[(u32, u64)]) -> Result<OwnedFd, WaitFailure> {
        let conditions = self.resolve(syncs)?;
        let (event, guest_end) = Event::new()?;
        let now = Instant::now();
        let timeout = Duration::from_millis(u64::from(timeout_ms)).saturating_add(GRACE);
        // What is negative as a signed number means for ever.
        let expires = i32::try_from(timeout_ms).ok().and_then(|_finite| now.checked_add(timeout));
        let wait = Wait { any, conditions, expires, event };

        let mut state = self.state.lock();
        if wait.is_satisfied() {
            wait.event.signal();
            return Ok(guest_end);
        }
        state.waits.retain(|wait| wait.expires.is_none_or(|expires| expires > now));
        if state.waits.len() >= limits::PENDING_WAITS {
            return Err(HostError::limit("pending waits of one connection", limits::PENDING_WAITS).into());
        }
        state.waits.push(wait);
        Ok(guest_end)
    }
}

/// Why there is no descriptor to wait with.
#[derive(Debug, thiserror::Error)]
pub(super) enum WaitFailure {
    #[error(transparent)]
    Guest(#[from] FramingError),
    #[error(transparent)]
    Host(#[from] HostError),
}

/// Small numbers, used again.
#[derive(Debug, Default)]
pub(super) struct Ids {
    free: Vec<u32>,
    used: u32,
}

impl Ids {
    /// A number that is not in use; never 0.
    pub(super) fn allocate(&mut self) -> u32 {
        self.free.pop().unwrap_or_else(|| {
            self.used = self.used.saturating_add(1);
            self.used
        })
    }

    /// Gives a number back.
    pub(super) fn free(&mut self, id: u32) {
        self.free.push(id);
    }
}

/// What makes a guest's descriptor readable: an eventfd where there is one, else the other end of a socket pair. Not a
/// pipe: writing to one that the guest has closed is a signal, which only a socket can be told not to raise.
#[derive(Debug)]
struct Event(OwnedFd);

impl Event {
    #[cfg(target_os = "linux")]
    fn new() -> Result<(Self, OwnedFd), HostError> {
        use rustix::event::{EventfdFlags, eventfd};

        let fail = |error| HostError::io("cannot create an event for a waiting guest", error);
        let ours = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK).map_err(|error| fail(error.into()))?;
        let theirs = ours.try_clone().map_err(fail)?;
        Ok((Self(ours), theirs))
    }

    #[cfg(not(target_os = "linux"))]
    fn new() -> Result<(Self, OwnedFd), HostError> {
        let fail = |error| HostError::io("cannot create a socket pair for a waiting guest", error);
        let (theirs, ours) = std::os::unix::net::UnixStream::pair().map_err(fail)?;
        super::socket::prepare(&ours).map_err(fail)?;
        Ok((Self(ours.into()), theirs.into()))
    }

    fn signal(&self) {
        // The guest may have closed its end, which is its right; nothing else can fail for a first write of eight
        // bytes.
        if let Err(error) = rustix::io::write(&self.0, &1_u64.to_ne_bytes()) {
            tracing::debug!("a guest's wait could not be signalled: {error}");
        }
    }
}

impl AsFd for Event {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    fn readable(fd: &OwnedFd) -> bool {
        let mut fds = [PollFd::new(fd, PollFlags::IN)];
        poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).unwrap() == 1
    }

    #[test]
    fn a_wait_ends_when_its_condition_holds() {
        let syncs = Syncs::default();
        let (a, b) = (syncs.create(0).unwrap(), syncs.create(5).unwrap());
        assert!(a != 0 && b != 0 && a != b);
        assert!(readable(&syncs.wait(false, u32::MAX, &[(b, 5)]).unwrap()), "satisfied already");
        let all = syncs.wait(false, u32::MAX, &[(a, 1), (b, 6)]).unwrap();
        let any = syncs.wait(true, u32::MAX, &[(a, 1), (b, 6)]).unwrap();
        assert!(!readable(&all) && !readable(&any));
        syncs.write(a, 1).unwrap();
        assert!(!readable(&all) && readable(&any));
        syncs.write(b, 7).unwrap();
        assert!(readable(&all));
        assert_eq!(syncs.read(b).unwrap(), 7);
    }

    #[test]
    fn a_fence_signals_a_sync_that_has_lost_its_id() {
        let syncs = Syncs::default();
        let id = syncs.create(0).unwrap();
        let fd = syncs.wait(false, u32::MAX, &[(id, 3)]).unwrap();
        let resolved = syncs.resolve(&[(id, 3)]).unwrap();
        syncs.unref(id);
        syncs.unref(id);
        assert!(syncs.read(id).is_err());
        syncs.signal(&resolved);
        assert!(readable(&fd));
    }

    #[test]
    fn ids_are_used_again() {
        let syncs = Syncs::default();
        let id = syncs.create(0).unwrap();
        syncs.unref(id);
        assert_eq!(syncs.create(0).unwrap(), id);
    }

    #[test]
    fn expired_waits_make_room() {
        let syncs = Syncs::default();
        let id = syncs.create(0).unwrap();
        for _ in 0..limits::PENDING_WAITS {
            drop(syncs.wait(false, 0, &[(id, 1)]).unwrap());
        }
        assert!(syncs.wait(false, 0, &[(id, 1)]).is_err());
        std::thread::sleep(GRACE + Duration::from_millis(10));
        assert!(syncs.wait(false, 0, &[(id, 1)]).is_ok());
    }

    #[test]
    fn a_guest_that_stopped_listening_harms_nobody() {
        let syncs = Syncs::default();
        let id = syncs.create(0).unwrap();
        drop(syncs.wait(false, u32::MAX, &[(id, 1)]).unwrap());
        syncs.write(id, 1).unwrap();
    }
}
