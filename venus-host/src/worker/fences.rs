//! The fences of one context that have not retired.
//!
//! Whoever serves the context may retire fences in any order and from any thread; whoever asked for them hears of those
//! of one timeline in order, since guests' kernels take the end of a fence for the end of all before it. And each retires
//! once, whatever happens: a guest's kernel waits for ever.

use std::{collections::VecDeque, fmt, sync::Arc};

use parking_lot::Mutex;

use crate::{context::Retired, limits};

/// Told of fences that retire: of which timeline, which fence, and how. Called without a lock, on any thread.
pub(crate) type Sink = Arc<dyn Fn(u32, u64, Retired) + Send + Sync>;

/// The fences of one context.
pub(crate) struct Fences {
    state: Mutex<State>,
    sink: Sink,
}

#[derive(Default)]
struct State {
    /// By `ring_idx`, grown as needed.
    timelines: Vec<Timeline>,
    pending: usize,
    last_token: u64,
    /// Nothing will retire any more but as lost.
    is_closed: bool,
}

#[derive(Default)]
struct Timeline {
    fences: VecDeque<Pending>,
    /// A thread is telling of some. It goes on with those that retire meanwhile.
    is_telling: bool,
}

struct Pending {
    token: u64,
    fence: u64,
    retired: Option<Retired>,
}

/// What became of a new fence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Added {
    /// It waits to be [retired](Fences::retire) by this token.
    Waits(u64),
    /// It has retired, as lost.
    Lost,
    /// It has retired or will, as lost, because there are too many.
    TooMany,
}

impl Fences {
    pub(crate) fn new(sink: Sink) -> Self {
        Self { state: Mutex::default(), sink }
    }

    /// Adds a fence. `ring_idx` is less than [`limits::TIMELINES`].
    pub(crate) fn add(&self, ring_idx: u32, fence: u64) -> Added {
        let index = usize::try_from(ring_idx).unwrap_or(usize::MAX);
        let mut state = self.state.lock();
        state.last_token = state.last_token.wrapping_add(1);
        let token = state.last_token;
        let added = if state.is_closed {
            Added::Lost
        } else if state.pending >= limits::FENCES || ring_idx >= limits::TIMELINES {
            Added::TooMany
        } else {
            Added::Waits(token)
        };
        let retired = if let Added::Waits(_) = added { None } else { Some(Retired::Lost) };
        if state.timelines.len() <= index && ring_idx < limits::TIMELINES {
            state.timelines.resize_with(index.saturating_add(1), Timeline::default);
        }
        let Some(timeline) = state.timelines.get_mut(index) else {
            drop(state);
            (self.sink)(ring_idx, fence, Retired::Lost);
            return added;
        };
        timeline.fences.push_back(Pending { token, fence, retired });
        state.pending = state.pending.saturating_add(1);
        drop(state);
        if retired.is_some() {
            self.tell(ring_idx);
        }
        added
    }

    /// Retires a fence. False if there is none with this token on this timeline, or it has retired before.
    pub(crate) fn retire(&self, ring_idx: u32, token: u64, retired: Retired) -> bool {
        let mut state = self.state.lock();
        if state.is_closed {
            // All have retired.
            return true;
        }
        let timeline = usize::try_from(ring_idx).ok().and_then(|index| state.timelines.get_mut(index));
        let found = timeline.and_then(|timeline| {
            let index = timeline.fences.partition_point(|pending| pending.token < token);
            timeline.fences.get_mut(index).filter(|pending| pending.token == token && pending.retired.is_none())
        });
        let Some(pending) = found else { return false };
        pending.retired = Some(retired);
        drop(state);
        self.tell(ring_idx);
        true
    }

    /// Retires all, as lost, and all that come later.
    pub(crate) fn close(&self) {
        let mut state = self.state.lock();
        state.is_closed = true;
        for pending in state.timelines.iter_mut().flat_map(|timeline| &mut timeline.fences) {
            pending.retired.get_or_insert(Retired::Lost);
        }
        drop(state);
        (0..limits::TIMELINES).for_each(|ring_idx| self.tell(ring_idx));
    }

    /// Tells of the fences at the front of a timeline that have retired.
    fn tell(&self, ring_idx: u32) {
        let index = usize::try_from(ring_idx).unwrap_or(usize::MAX);
        let mut is_telling = false;
        loop {
            let mut state = self.state.lock();
            let Some(timeline) = state.timelines.get_mut(index) else { return };
            if !is_telling && timeline.is_telling {
                return;
            }
            let Some((fence, retired)) = timeline.next() else {
                timeline.is_telling = false;
                return;
            };
            is_telling = true;
            timeline.is_telling = true;
            state.pending = state.pending.saturating_sub(1);
            drop(state);
            (self.sink)(ring_idx, fence, retired);
        }
    }
}

impl Timeline {
    fn next(&mut self) -> Option<(u64, Retired)> {
        let retired = self.fences.front()?.retired?;
        self.fences.pop_front().map(|pending| (pending.fence, retired))
    }
}

impl fmt::Debug for Fences {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fences").field("pending", &self.state.lock().pending).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Told = Arc<Mutex<Vec<(u32, u64, Retired)>>>;

    fn fences() -> (Fences, Told) {
        let told = Told::default();
        let sink = Arc::clone(&told);
        (Fences::new(Arc::new(move |ring, fence, retired| sink.lock().push((ring, fence, retired)))), told)
    }

    fn token(added: Added) -> u64 {
        match added {
            Added::Waits(token) => token,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn fences_of_a_timeline_retire_in_order() {
        let (fences, told) = fences();
        let [one, two, other] = [(1, 10), (1, 11), (2, 20)].map(|(ring, fence)| token(fences.add(ring, fence)));
        assert!(fences.retire(1, two, Retired::Done));
        assert!(told.lock().is_empty());
        assert!(fences.retire(2, other, Retired::Done));
        assert!(fences.retire(1, one, Retired::DeviceLost));
        let expected = [(2, 20, Retired::Done), (1, 10, Retired::DeviceLost), (1, 11, Retired::Done)];
        assert_eq!(*told.lock(), expected);
    }

    #[test]
    fn nothing_retires_twice_or_without_having_been() {
        let (fences, told) = fences();
        let (one, two) = (token(fences.add(0, 1)), token(fences.add(0, 2)));
        assert!(!fences.retire(1, one, Retired::Done) && !fences.retire(0, 77, Retired::Done));
        assert!(fences.retire(0, two, Retired::Done) && !fences.retire(0, two, Retired::Done));
        assert!(fences.retire(0, one, Retired::Done) && !fences.retire(0, one, Retired::Done));
        assert!(!fences.retire(u32::MAX, one, Retired::Done));
        assert_eq!(told.lock().len(), 2);
    }

    #[test]
    fn the_end_retires_what_is_left_and_what_comes() {
        let (fences, told) = fences();
        let one = token(fences.add(3, 1));
        fences.add(3, 2);
        fences.close();
        assert!(fences.retire(3, one, Retired::Done), "too late is not wrong");
        assert_eq!(fences.add(0, 3), Added::Lost);
        let lost = |ring, fence| (ring, fence, Retired::Lost);
        assert_eq!(*told.lock(), [lost(3, 1), lost(3, 2), lost(0, 3)]);
    }

    #[test]
    fn a_timeline_that_there_is_not_loses_its_fences() {
        let (fences, told) = fences();
        assert_eq!(fences.add(limits::TIMELINES, 1), Added::TooMany);
        assert_eq!(fences.add(u32::MAX, 2), Added::TooMany);
        assert_eq!(told.lock().len(), 2);
    }

    #[test]
    fn telling_from_many_threads_keeps_the_order() {
        let (fences, told) = fences();
        let tokens: Vec<_> = (0..1000).map(|fence| token(fences.add(5, fence))).collect();
        std::thread::scope(|scope| {
            for part in 0..4 {
                let (fences, tokens) = (&fences, &tokens);
                scope.spawn(move || {
                    tokens.iter().skip(part).step_by(4).for_each(|token| {
                        assert!(fences.retire(5, *token, Retired::Done));
                    });
                });
            }
        });
        assert!(told.lock().iter().map(|(_, fence, _)| *fence).eq(0..1000));
    }
}
