//! Requests that wait for whoever serves a context.
//!
//! A monitor must not wait for a guest that keeps its host busy, so requests are queued; and a guest must not fill the
//! monitor's memory, so only so many bytes of them are. Who asks for more waits a while, which slows a guest down that is
//! in a hurry, and ends one that never comes to an end.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use parking_lot::{Condvar, Mutex, MutexGuard};

use crate::{limits, thread::deadline};

/// How often who waits for others to need less looks whether they do.
const LOOK: Duration = Duration::from_millis(20);

/// What waits in all queues of a monitor's together, in bytes.
#[derive(Debug, Default)]
pub(crate) struct AllQueued(AtomicUsize);

impl AllQueued {
    /// Whether a queue that has so many bytes may have as many more. Several that ask at once may both be told so.
    fn permits(&self, has: usize, more: usize) -> bool {
        let all = self.0.load(Ordering::Relaxed);
        has.saturating_add(more) <= limits::SHARE_BYTES || all.saturating_add(more) <= limits::ALL_QUEUED_BYTES
    }

    fn add(&self, bytes: usize) {
        let _before = self.0.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Takes back what was added.
    fn subtract(&self, bytes: usize) {
        let _before = self.0.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// A bounded queue.
#[derive(Debug)]
pub(super) struct Outbox<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
    /// Most bytes.
    most: usize,
}

#[derive(Debug)]
pub(super) struct State<T> {
    items: VecDeque<(T, usize)>,
    bytes: usize,
    is_closed: bool,
    all: Arc<AllQueued>,
}

/// Why something could not be queued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unsent {
    /// Nobody takes anything any more.
    Closed,
    /// There was no room for too long.
    Full,
}

impl<T> Outbox<T> {
    /// One of `all` that a monitor has, which has room for `most` bytes.
    pub(super) fn new(most: usize, all: Arc<AllQueued>) -> Self {
        let state = State { items: VecDeque::new(), bytes: 0, is_closed: false, all };
        Self { state: Mutex::new(state), changed: Condvar::new(), most }
    }

    /// Waits until there is room for `bytes`, no longer than `patience`. What is larger than the whole queue has room where
    /// nothing else is. What all queues have together counts, too, except for a small share that each may have in any case.
    pub(super) fn room(&self, bytes: usize, patience: Duration) -> Result<MutexGuard<'_, State<T>>, Unsent> {
        let until = deadline(patience);
        let mut state = self.state.lock();
        loop {
            if state.is_closed {
                return Err(Unsent::Closed);
            }
            let fits = state.items.is_empty() || state.bytes.saturating_add(bytes) <= self.most;
            if fits && state.all.permits(state.bytes, bytes) {
                return Ok(state);
            }
            if Instant::now() >= until {
                return Err(Unsent::Full);
            }
            // Nobody tells that another queue has less in it.
            let look = if fits { deadline(LOOK).min(until) } else { until };
            let _timed_out = self.changed.wait_until(&mut state, look);
        }
    }

    /// Queues something of so many bytes.
    pub(super) fn push(&self, item: T, bytes: usize, patience: Duration) -> Result<(), Unsent> {
        let mut state = self.room(bytes, patience)?;
        state.put(item, bytes);
        drop(state);
        self.ring();
        Ok(())
    }

    /// Says that something was put into it.
    pub(super) fn ring(&self) {
        self.changed.notify_all();
    }

    /// Waits for something. None at the end.
    pub(super) fn pop(&self) -> Option<T> {
        let mut state = self.state.lock();
        loop {
            if state.is_closed {
                return None;
            }
            if let Some(item) = state.take() {
                self.changed.notify_all();
                return Some(item);
            }
            self.changed.wait(&mut state);
        }
    }

    /// Lets `send` have the first item, again and again, until there is none or it does not want it. An item that it has
    /// sent goes.
    pub(super) fn flush<E>(&self, mut send: impl FnMut(&mut T) -> Result<bool, E>) -> Result<(), E> {
        let mut state = self.state.lock();
        while let Some((item, _)) = state.items.front_mut() {
            if !send(item)? {
                break;
            }
            state.take();
            self.changed.notify_all();
        }
        Ok(())
    }

    /// Whether anything waits.
    pub(super) fn is_empty(&self) -> bool {
        self.state.lock().items.is_empty()
    }

    /// Ends the queue: what is in it is dropped.
    pub(super) fn close(&self) {
        let mut state = self.state.lock();
        state.is_closed = true;
        let dropped = state.take_all();
        drop(state);
        drop(dropped);
        self.changed.notify_all();
    }

    /// Whether it has ended.
    pub(super) fn is_closed(&self) -> bool {
        self.state.lock().is_closed
    }
}

impl<T> State<T> {
    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    pub(super) fn put(&mut self, item: T, bytes: usize) {
        self.items.push_back((item, bytes));
        self.all.add(bytes);
        self.bytes = self.bytes.saturating_add(bytes);
    }

    fn take(&mut self) -> Option<T> {
        let (item, bytes) = self.items.pop_front()?;
        self.bytes = self.bytes.saturating_sub(bytes);
        self.all.subtract(bytes);
        Some(item)
    }

    fn take_all(&mut self) -> VecDeque<(T, usize)> {
        self.all.subtract(std::mem::take(&mut self.bytes));
        std::mem::take(&mut self.items)
    }
}

impl<T> Drop for State<T> {
    fn drop(&mut self) {
        drop(self.take_all());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT_ONCE: Duration = Duration::ZERO;

    #[test]
    fn all_queues_together_have_room_for_so_much_and_each_for_its_share() {
        let all = Arc::new(AllQueued::default());
        let queue = || Outbox::new(limits::ALL_QUEUED_BYTES, Arc::clone(&all));
        let (first, second) = (queue(), queue());
        first.push(1, limits::ALL_QUEUED_BYTES, AT_ONCE).unwrap();
        assert_eq!(second.push(1, limits::SHARE_BYTES + 1, AT_ONCE), Err(Unsent::Full));
        assert_eq!(second.push(1, limits::SHARE_BYTES, AT_ONCE), Ok(()));
        assert_eq!(second.push(2, 1, AT_ONCE), Err(Unsent::Full));
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| second.push(2, 1, Duration::from_secs(60)));
            assert_eq!((first.pop(), waiting.join().unwrap()), (Some(1), Ok(())));
        });
        second.close();
        first.push(1, 1, AT_ONCE).unwrap();
        drop(first);
        assert_eq!(all.0.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn there_is_room_for_so_much() {
        let outbox = Outbox::new(10, Arc::default());
        assert_eq!(outbox.push(1, 100, AT_ONCE), Ok(()), "the first has room");
        assert_eq!(outbox.push(2, 1, AT_ONCE), Err(Unsent::Full));
        assert_eq!(outbox.pop(), Some(1));
        assert_eq!((outbox.push(3, 5, AT_ONCE), outbox.push(4, 5, AT_ONCE)), (Ok(()), Ok(())));
        assert_eq!(outbox.push(5, 1, AT_ONCE), Err(Unsent::Full));
        assert_eq!((outbox.pop(), outbox.pop()), (Some(3), Some(4)));
        assert!(outbox.is_empty());
    }

    #[test]
    fn whoever_waits_for_room_gets_it_or_hears_of_the_end() {
        let outbox = Outbox::new(1, Arc::default());
        outbox.push(1, 1, AT_ONCE).unwrap();
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| outbox.push(2, 1, Duration::from_secs(60)));
            assert_eq!(outbox.pop(), Some(1));
            assert_eq!(waiting.join().unwrap(), Ok(()));
            let waiting = scope.spawn(|| outbox.push(3, 1, Duration::from_secs(60)));
            outbox.close();
            assert_eq!(waiting.join().unwrap(), Err(Unsent::Closed));
        });
        assert_eq!((outbox.pop(), outbox.is_closed()), (None, true));
    }

    #[test]
    fn what_is_not_sent_stays_first() {
        let outbox = Outbox::new(10, Arc::default());
        for item in [1, 2, 3] {
            outbox.push(item, 1, AT_ONCE).unwrap();
        }
        let mut sent = Vec::new();
        let flushed: Result<(), ()> = outbox.flush(|item| {
            sent.push(*item);
            Ok(*item != 2)
        });
        assert_eq!((flushed, sent), (Ok(()), vec![1, 2]));
        assert_eq!(outbox.flush(|item| if *item == 3 { Err(()) } else { Ok(true) }), Err(()));
        assert_eq!(outbox.pop(), Some(3));
    }
}
