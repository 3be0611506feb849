//! Connections that nobody serves: those that have not said a word yet, those that were refused, and those whose worker
//! has died.
//!
//! A connection gets a worker when its first byte arrives. Until then it costs a descriptor and nothing else, and it
//! counts for no limit of guests, so that connections without words lock nobody out.
//!
//! A guest that cannot be served is told so, by an answer to its handshake that no server of today would give: the
//! answer to `RESOURCE_BUSY_WAIT` before the one to `PING_PROTOCOL_VERSION`, which means protocol version 0. Mesa's driver
//! then gives up in milliseconds and the Vulkan loader goes on to the next driver. The socket stays open until the guest
//! has closed it: Mesa takes a signal for a write to a closed socket, and spins on the end of a stream.

use std::{
    collections::{BTreeMap, VecDeque},
    os::unix::net::UnixStream,
    time::Instant,
};

use rustix::net::SendFlags;

use super::{
    super::framing::{answer, command},
    orphan::Orphan,
};

/// A connection that has not said a word.
#[derive(Debug)]
pub(super) struct Arrival {
    pub(super) socket: UnixStream,
    /// The user at the other end, where the system tells.
    pub(super) user: Option<u32>,
}

/// All of them.
#[derive(Debug)]
pub(super) struct Unserved {
    /// By number, so the oldest is first.
    pub(super) waiting: BTreeMap<u64, Arrival>,
    /// Oldest first.
    pub(super) refused: VecDeque<(u64, UnixStream)>,
    /// Oldest first.
    pub(super) orphans: VecDeque<Orphan>,
    capacity: usize,
}

impl Unserved {
    /// Room for `capacity` of each kind.
    pub(super) fn new(capacity: usize) -> Self {
        Self { waiting: BTreeMap::new(), refused: VecDeque::new(), orphans: VecDeque::new(), capacity: capacity.max(1) }
    }

    /// Keeps a connection until it says something. Where there is no room, one that has not said a word for longest is
    /// refused: of the user who has most of them. Returns what is to be said of that.
    pub(super) fn admit(&mut self, number: u64, arrival: Arrival) -> Option<String> {
        let complaint = if self.waiting.len() >= self.capacity { self.evict() } else { None };
        self.waiting.insert(number, arrival);
        complaint
    }

    fn evict(&mut self) -> Option<String> {
        let mut per_user = BTreeMap::<Option<u32>, usize>::new();
        for arrival in self.waiting.values() {
            let count = per_user.entry(arrival.user).or_default();
            *count = count.saturating_add(1);
        }
        let greediest = per_user.into_iter().max_by_key(|(_, count)| *count).map(|(user, _)| user);
        let oldest =
            self.waiting.iter().find(|(_, arrival)| Some(arrival.user) == greediest).map(|(number, _)| *number);
        let (number, arrival) = oldest.and_then(|number| self.waiting.remove_entry(&number))?;
        self.refuse(number, arrival.socket);
        Some(format!(
            "a connection that never said a word is refused, since {} like it are open{}",
            self.capacity,
            of_user(arrival.user)
        ))
    }

    /// Tells a guest that it will not be served, and keeps its socket until it has closed it.
    pub(super) fn refuse(&mut self, number: u64, socket: UnixStream) {
        let words = answer(command::RESOURCE_BUSY_WAIT, &[0]);
        // Twelve bytes fit in any socket's queue; a guest that has gone needs none.
        if rustix::net::send(&socket, &words, no_wait()).is_err() {
            return;
        }
        if self.refused.len() >= self.capacity {
            self.refused.pop_front();
        }
        self.refused.push_back((number, socket));
    }

    /// Keeps the socket of a guest that has lost its worker.
    pub(super) fn adopt(&mut self, number: u64, socket: UnixStream) {
        if self.orphans.len() >= self.capacity {
            self.orphans.pop_front();
        }
        self.orphans.push_back(Orphan::new(number, socket));
    }

    /// A guest without a worker has said something.
    pub(super) fn hear(&mut self, number: u64) {
        self.orphans.iter_mut().filter(|orphan| orphan.number == number).for_each(Orphan::speaks);
    }

    /// Resets those that wait for an answer.
    pub(super) fn settle(&mut self, now: Instant) {
        self.orphans.retain_mut(|orphan| orphan.stays(now));
    }

    /// Closes the socket of a guest that will not be served.
    pub(super) fn forget(&mut self, number: u64) {
        self.refused.retain(|(other, _)| *other != number);
        self.orphans.retain(|orphan| orphan.number != number);
    }

    /// Refuses everybody who has not said a word.
    pub(super) fn refuse_all(&mut self) {
        for (number, arrival) in std::mem::take(&mut self.waiting) {
            self.refuse(number, arrival.socket);
        }
    }
}

/// Whose connection it is, for the end of a sentence.
pub(super) fn of_user(user: Option<u32>) -> String {
    user.map(|user| format!(" (user {user})")).unwrap_or_default()
}

#[cfg(target_os = "linux")]
fn no_wait() -> SendFlags {
    SendFlags::NOSIGNAL | SendFlags::DONTWAIT
}

#[cfg(not(target_os = "linux"))]
fn no_wait() -> SendFlags {
    SendFlags::DONTWAIT
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    fn arrival(user: u32) -> (UnixStream, Arrival) {
        let (guest, socket) = UnixStream::pair().unwrap();
        guest.set_nonblocking(true).unwrap();
        (guest, Arrival { socket, user: Some(user) })
    }

    fn is_refused(guest: &mut UnixStream) -> bool {
        let mut words = [0; 12];
        guest.read_exact(&mut words).is_ok_and(|()| words == [1, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0])
    }

    #[test]
    fn a_full_room_refuses_the_oldest_of_the_user_with_most() {
        let mut unserved = Unserved::new(3);
        let mut guests = Vec::new();
        for (number, user) in [(1, 7), (2, 8), (3, 8), (4, 9)] {
            let (guest, arrival) = arrival(user);
            let complaint = unserved.admit(number, arrival);
            assert_eq!(complaint.is_some(), number == 4);
            guests.push(guest);
        }
        assert_eq!(unserved.waiting.keys().copied().collect::<Vec<_>>(), [1, 3, 4]);
        let refused: Vec<bool> = guests.iter_mut().map(is_refused).collect();
        assert_eq!(refused, [false, true, false, false]);
        // It hears its answer, then nothing: the socket is still open.
        assert_eq!(guests[1].read(&mut [0]).unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
        unserved.forget(2);
        assert_eq!(guests[1].read(&mut [0]).unwrap(), 0);
    }

    #[test]
    fn refused_guests_that_never_leave_are_few() {
        let mut unserved = Unserved::new(2);
        let guests: Vec<_> = (0..5)
            .map(|number| {
                let (guest, arrival) = arrival(0);
                unserved.refuse(number, arrival.socket);
                guest
            })
            .collect();
        assert_eq!(unserved.refused.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [3, 4]);
        drop(guests);
    }
}
