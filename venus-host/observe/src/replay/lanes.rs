//! Lanes: the order in which commands of several endpoints begin, and how far each endpoint is.
//!
//! Every source of a recording has a lane: a bounded queue of jobs, and a thread that does them one after the other.
//! The sequencer puts jobs in and tells when the recording says that they were over; before a job of one lane it waits
//! for what was over in the others ([`Lanes::wait_for_others`]).
//!
//! None of its waits can last for ever unless a job does. A job waits inside Vulkan or for another lane, and only for
//! what had begun when it was over in the recording, which is in its lane before the sequencer waits for the job. A job
//! that does not come to an end all the same is a [`Stalled`].
//!
//! Nothing here knows what a job is.

use std::{
    collections::VecDeque,
    fmt, thread,
    time::{Duration, Instant},
};

use parking_lot::{Condvar, Mutex, MutexGuard};
use std::sync::Arc;

/// Jobs that may lie in one lane: enough to keep its thread busy, few enough to be near the recording's order.
const LANE_JOBS: usize = 1024;

/// Bytes of jobs that may lie in all lanes together, one job more than that excepted.
const QUEUED_BYTES: usize = 64 << 20;

/// How often a wait of the sequencer looks for jobs that do not come to an end.
const LOOK: Duration = Duration::from_millis(50);

/// What a lane needs to know of a job.
pub(super) trait Job: Send {
    /// What to call it.
    fn label(&self) -> Label;

    /// Bytes that it holds.
    fn bytes(&self) -> usize;
}

/// What to call a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Label {
    /// The command's number, if it is a command.
    pub(super) number: Option<u64>,
    /// The command's name, or what is done.
    pub(super) what: &'static str,
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.number {
            Some(number) => write!(f, "#{number} {}", self.what),
            None => f.write_str(self.what),
        }
    }
}

/// A job that takes longer than it may.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stalled {
    pub(super) label: Label,
    /// What other lanes are doing meanwhile.
    pub(super) others: Vec<Label>,
    pub(super) after: Duration,
}

/// Why a wait of the sequencer ended without what it waited for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Interrupted {
    /// A job takes too long.
    Stalled(Stalled),
    /// A lane's thread has ended: it panicked.
    Broken,
}

/// Number of a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct LaneId(pub(super) usize);

/// All lanes of one replay. `J` is what is to be done, `E` what the recording says of its end.
pub(super) struct Lanes<J, E> {
    state: Mutex<State<J, E>>,
    /// Wakes the sequencer.
    progress: Condvar,
    stall: Duration,
}

struct State<J, E> {
    lanes: Vec<Lane<J, E>>,
    queued_bytes: usize,
    /// Nothing more will be said of any job.
    is_complete: bool,
    is_broken: bool,
}

struct Lane<J, E> {
    jobs: VecDeque<J>,
    /// What the recording says of the end of the job being done and of those that follow it.
    ends: VecDeque<(E, Instant)>,
    is_closed: bool,
    /// The job being done, and since when; absent while it waits for the recording.
    doing: Option<(Label, Instant)>,
    /// When the end of the job being done was read, once its thread has been told.
    end_read: Option<Instant>,
    /// Whether its thread has asked.
    is_told: bool,
    /// Jobs that others have to wait for: those whose end was read.
    ended: u64,
    done: u64,
    /// Wakes the lane's thread.
    work: Arc<Condvar>,
}

impl<J: Job, E: Send> Lanes<J, E> {
    /// None yet. Jobs may take `stall`.
    pub(super) fn new(stall: Duration) -> Self {
        let state = State { lanes: Vec::new(), queued_bytes: 0, is_complete: false, is_broken: false };
        Self { state: Mutex::new(state), progress: Condvar::new(), stall }
    }

    // The sequencer's side.

    /// A new lane, which somebody has to [`work`](Self::work).
    pub(super) fn add(&self) -> LaneId {
        let mut state = self.state.lock();
        state.lanes.push(Lane {
            jobs: VecDeque::new(),
            ends: VecDeque::new(),
            is_closed: false,
            doing: None,
            end_read: None,
            is_told: false,
            ended: 0,
            done: 0,
            work: Arc::new(Condvar::new()),
        });
        LaneId(state.lanes.len().saturating_sub(1))
    }

    /// Puts a job into a lane, as soon as there is room.
    pub(super) fn begin(&self, id: LaneId, job: J) -> Result<(), Interrupted> {
        let mut state = self.state.lock();
        let bytes = job.bytes();
        self.wait(&mut state, |state| {
            let room = state.queued_bytes == 0 || state.queued_bytes.saturating_add(bytes) <= QUEUED_BYTES;
            room && state.lanes.get(id.0).is_none_or(|lane| lane.jobs.len() < LANE_JOBS)
        })?;
        state.queued_bytes = state.queued_bytes.saturating_add(bytes);
        if let Some(lane) = state.lanes.get_mut(id.0) {
            lane.jobs.push_back(job);
            lane.work.notify_one();
        }
        Ok(())
    }

    /// The recording says that the first job of the lane that it has not said so of was over, and how. Others wait for
    /// it if it `counts`.
    pub(super) fn end(&self, id: LaneId, end: E, counts: bool) {
        let mut state = self.state.lock();
        if let Some(lane) = state.lanes.get_mut(id.0) {
            lane.ends.push_back((end, Instant::now()));
            lane.ended = lane.ended.saturating_add(u64::from(counts));
            lane.work.notify_one();
        }
    }

    /// Waits until everything that was over in other lanes is.
    pub(super) fn wait_for_others(&self, id: LaneId) -> Result<(), Interrupted> {
        let mut state = self.state.lock();
        self.wait(&mut state, |state| {
            let mut others = state.lanes.iter().enumerate().filter(|(index, _)| *index != id.0);
            others.all(|(_, lane)| lane.done >= lane.ended)
        })
    }

    /// Waits until everything that was over is.
    pub(super) fn wait_for_all(&self) -> Result<(), Interrupted> {
        let mut state = self.state.lock();
        self.wait(&mut state, |state| state.lanes.iter().all(|lane| lane.done >= lane.ended))
    }

    /// The recording has been read. A job whose end was not in it waits for that no longer, so that those who wait for
    /// the job are not kept for ever.
    pub(super) fn complete(&self) {
        let mut state = self.state.lock();
        state.is_complete = true;
        for lane in &state.lanes {
            lane.work.notify_one();
        }
    }

    /// Lets the lane's thread end once its jobs are done.
    pub(super) fn close(&self, id: LaneId) {
        let mut state = self.state.lock();
        if let Some(lane) = state.lanes.get_mut(id.0) {
            lane.is_closed = true;
            lane.work.notify_one();
        }
    }

    fn wait(
        &self,
        state: &mut MutexGuard<'_, State<J, E>>,
        until: impl Fn(&State<J, E>) -> bool,
    ) -> Result<(), Interrupted> {
        loop {
            if state.is_broken {
                return Err(Interrupted::Broken);
            }
            if until(state) {
                return Ok(());
            }
            if self.progress.wait_for(state, LOOK).timed_out()
                && let Some(stalled) = state.overdue(self.stall)
            {
                return Err(Interrupted::Stalled(stalled));
            }
        }
    }

    /// A job that takes longer than it may, if there is one.
    pub(super) fn overdue(&self) -> Option<Stalled> {
        self.state.lock().overdue(self.stall)
    }

    // The threads' side.

    /// Does a lane's jobs until it is closed. The body of a lane's thread.
    pub(super) fn work(&self, id: LaneId, mut work: impl FnMut(J, &Turn<'_, J, E>)) {
        let _guard = BreakOnPanic(self);
        let turn = Turn { lanes: self, id };
        while let Some(job) = self.next(id) {
            work(job, &turn);
            let _unasked = turn.end();
            let mut state = self.state.lock();
            if let Some(lane) = state.lanes.get_mut(id.0) {
                (lane.doing, lane.end_read, lane.is_told) = (None, None, false);
                lane.done = lane.done.saturating_add(1);
            }
            self.progress.notify_one();
        }
    }

    fn next(&self, id: LaneId) -> Option<J> {
        let mut state = self.state.lock();
        loop {
            let lane = state.lanes.get_mut(id.0)?;
            if let Some(job) = lane.jobs.pop_front() {
                lane.doing = Some((job.label(), Instant::now()));
                state.queued_bytes = state.queued_bytes.saturating_sub(job.bytes());
                self.progress.notify_one();
                return Some(job);
            }
            if lane.is_closed {
                return None;
            }
            let work = Arc::clone(&lane.work);
            work.wait(&mut state);
        }
    }
}

impl<J, E> State<J, E> {
    fn overdue(&self, stall: Duration) -> Option<Stalled> {
        let now = Instant::now();
        let (index, label, after) = self.lanes.iter().enumerate().find_map(|(index, lane)| {
            let (label, since) = lane.doing?;
            // As long as the recording is in the middle of it, it may take its time.
            let end_read = lane.end_read.or_else(|| lane.ends.front().map(|(_, at)| *at))?;
            let after = now.saturating_duration_since(since.max(end_read));
            (after >= stall).then_some((index, label, after))
        })?;
        let others = self.lanes.iter().enumerate().filter(|(other, _)| *other != index);
        let others = others.filter_map(|(_, lane)| Some(lane.doing?.0)).collect();
        Some(Stalled { label, others, after })
    }
}

/// The job that a lane's thread is doing.
pub(super) struct Turn<'a, J, E> {
    lanes: &'a Lanes<J, E>,
    id: LaneId,
}

impl<J, E> Turn<'_, J, E> {
    /// What the recording says of the job's end, as soon as it has been read; `None` if the recording ends before, or
    /// if it was told before.
    pub(super) fn end(&self) -> Option<E> {
        let mut state = self.lanes.state.lock();
        let lane = state.lanes.get_mut(self.id.0)?;
        if std::mem::replace(&mut lane.is_told, true) {
            return None;
        }
        let doing = lane.doing.take();
        loop {
            let lane = state.lanes.get_mut(self.id.0)?;
            if let Some((end, at)) = lane.ends.pop_front() {
                lane.end_read = Some(at);
                lane.doing = doing.map(|(label, _)| (label, Instant::now()));
                return Some(end);
            }
            let work = Arc::clone(&lane.work);
            if state.is_complete {
                return None;
            }
            work.wait(&mut state);
        }
    }

    /// The job is being done once more: its time begins anew.
    pub(super) fn again(&self) {
        let mut state = self.lanes.state.lock();
        if let Some((_, since)) = state.lanes.get_mut(self.id.0).and_then(|lane| lane.doing.as_mut()) {
            *since = Instant::now();
        }
    }
}

/// Lets the sequencer know that a lane's thread is gone.
struct BreakOnPanic<'a, J, E>(&'a Lanes<J, E>);

impl<J, E> Drop for BreakOnPanic<'_, J, E> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.state.lock().is_broken = true;
            self.0.progress.notify_one();
        }
    }
}

impl<J, E> fmt::Debug for Lanes<J, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lanes").field("stall", &self.stall).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    impl Job for &'static str {
        fn label(&self) -> Label {
            Label { number: None, what: self }
        }

        fn bytes(&self) -> usize {
            self.len()
        }
    }

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn what_was_over_elsewhere_is_waited_for_and_what_was_not_is_not() {
        let lanes: Lanes<&str, ()> = Lanes::new(LONG);
        let (one, other) = (lanes.add(), lanes.add());
        let (release, gate) = mpsc::channel::<()>();
        thread::scope(|scope| {
            let lanes = &lanes;
            scope.spawn(move || lanes.work(one, |_, _| gate.recv().unwrap()));
            scope.spawn(move || lanes.work(other, |_, _| {}));
            lanes.begin(one, "open").unwrap();
            lanes.wait_for_others(other).unwrap();
            lanes.end(one, (), true);
            lanes.wait_for_others(one).unwrap();
            let waiter = scope.spawn(move || lanes.wait_for_others(other));
            assert!(!waiter.is_finished());
            release.send(()).unwrap();
            waiter.join().unwrap().unwrap();
            assert_eq!(lanes.state.lock().lanes[0].done, 1);
            lanes.close(one);
            lanes.close(other);
        });
    }

    #[test]
    fn a_job_learns_how_it_ended_or_that_nobody_knows() {
        let lanes: Lanes<&str, u32> = Lanes::new(LONG);
        let lane = lanes.add();
        let mut seen = Vec::new();
        thread::scope(|scope| {
            let worker = scope.spawn(|| lanes.work(lane, |job, turn| seen.push((job, turn.end()))));
            lanes.begin(lane, "a").unwrap();
            lanes.begin(lane, "b").unwrap();
            lanes.end(lane, 7, true);
            lanes.complete();
            lanes.close(lane);
            worker.join().unwrap();
        });
        assert_eq!(seen, [("a", Some(7)), ("b", None)]);
    }

    #[test]
    fn a_job_that_does_not_end_is_named() {
        let lanes: Lanes<&str, ()> = Lanes::new(Duration::ZERO);
        let (one, other) = (lanes.add(), lanes.add());
        let (release, gate) = mpsc::channel::<()>();
        thread::scope(|scope| {
            let lanes = &lanes;
            scope.spawn(move || lanes.work(one, |_, _| gate.recv().unwrap()));
            lanes.begin(one, "stuck").unwrap();
            lanes.end(one, (), true);
            let Err(Interrupted::Stalled(stalled)) = lanes.wait_for_others(other) else {
                panic!("it waits for nothing")
            };
            assert_eq!(stalled.label.to_string(), "stuck");
            lanes.complete();
            lanes.close(one);
            release.send(()).unwrap();
        });
    }

    #[test]
    fn the_end_of_the_recording_keeps_nobody_waiting() {
        let lanes: Lanes<&str, ()> = Lanes::new(LONG);
        let (one, other) = (lanes.add(), lanes.add());
        let (pass, passed) = mpsc::channel::<()>();
        thread::scope(|scope| {
            let lanes = &lanes;
            scope.spawn(move || {
                lanes.work(one, |_, turn| {
                    assert_eq!(turn.end(), None);
                    pass.send(()).unwrap();
                });
            });
            scope.spawn(move || lanes.work(other, |_, _| passed.recv().unwrap()));
            lanes.begin(one, "never ends in the recording").unwrap();
            lanes.begin(other, "waits for it").unwrap();
            lanes.end(other, (), true);
            lanes.complete();
            lanes.wait_for_all().unwrap();
            lanes.close(one);
            lanes.close(other);
        });
    }

    #[test]
    fn a_thread_that_panics_does_not_leave_the_sequencer_waiting() {
        let lanes: Lanes<&str, ()> = Lanes::new(LONG);
        let lane = lanes.add();
        thread::scope(|scope| {
            let worker = scope.spawn(|| lanes.work(lane, |_, _| panic!("as the test wants it")));
            lanes.begin(lane, "a").unwrap();
            lanes.end(lane, (), true);
            assert_eq!(lanes.wait_for_all(), Err(Interrupted::Broken));
            assert!(worker.join().is_err());
        });
    }
}
