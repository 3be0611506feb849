//! Workers: the order in which commands of several endpoints begin, and how far each endpoint is.
//!
//! Every source of a recording has a worker: a bounded queue of jobs, and a thread that does them one after the other.
//! The sequencer puts jobs in and tells when the recording says that they were over; before a job of one worker it waits
//! for what was over in the others ([`Workers::wait_for_others`]).
//!
//! None of its waits can last for ever unless a job does. A job waits inside Vulkan or for another worker, and only for
//! what had begun when it was over in the recording, which is in its worker before the sequencer waits for the job. A job
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

/// Jobs that may lie in one worker: enough to keep its thread busy, few enough to be near the recording's order.
const WORKER_JOBS: usize = 1024;

/// Bytes of jobs that may lie in all workers together, one job more than that excepted.
const QUEUED_BYTES: usize = 64 << 20;

/// How often a wait of the sequencer looks for jobs that do not come to an end.
const LOOK: Duration = Duration::from_millis(50);

/// What a worker needs to know of a job.
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
    /// What other workers are doing meanwhile.
    pub(super) others: Vec<Label>,
    pub(super) after: Duration,
}

/// Why a wait of the sequencer ended without what it waited for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Interrupted {
    /// A job takes too long.
    Stalled(Stalled),
    /// A worker's thread has ended: it panicked.
    Broken,
}

/// Number of a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct WorkerId(pub(super) usize);

/// All workers of one replay. `J` is what is to be done, `E` what the recording says of its end.
pub(super) struct Workers<J, E> {
    state: Mutex<State<J, E>>,
    /// Wakes the sequencer.
    progress: Condvar,
    stall: Duration,
}

struct State<J, E> {
    workers: Vec<Worker<J, E>>,
    queued_bytes: usize,
    /// Nothing more will be said of any job.
    is_complete: bool,
    is_broken: bool,
}

struct Worker<J, E> {
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
    /// Wakes the worker's thread.
    work: Arc<Condvar>,
}

impl<J: Job, E: Send> Workers<J, E> {
    /// None yet. Jobs may take `stall`.
    pub(super) fn new(stall: Duration) -> Self {
        let state = State { workers: Vec::new(), queued_bytes: 0, is_complete: false, is_broken: false };
        Self { state: Mutex::new(state), progress: Condvar::new(), stall }
    }

    // The sequencer's side.

    /// A new worker, which somebody has to [`work`](Self::work).
    pub(super) fn add(&self) -> WorkerId {
        let mut state = self.state.lock();
        state.workers.push(Worker {
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
        WorkerId(state.workers.len().saturating_sub(1))
    }

    /// Puts a job into a worker, as soon as there is room.
    pub(super) fn begin(&self, id: WorkerId, job: J) -> Result<(), Interrupted> {
        let mut state = self.state.lock();
        let bytes = job.bytes();
        self.wait(&mut state, |state| {
            let room = state.queued_bytes == 0 || state.queued_bytes.saturating_add(bytes) <= QUEUED_BYTES;
            room && state.workers.get(id.0).is_none_or(|worker| worker.jobs.len() < WORKER_JOBS)
        })?;
        state.queued_bytes = state.queued_bytes.saturating_add(bytes);
        if let Some(worker) = state.workers.get_mut(id.0) {
            worker.jobs.push_back(job);
            worker.work.notify_one();
        }
        Ok(())
    }

    /// The recording says that the first job of the worker that it has not said so of was over, and how. Others wait for
    /// it if it `counts`.
    pub(super) fn end(&self, id: WorkerId, end: E, counts: bool) {
        let mut state = self.state.lock();
        if let Some(worker) = state.workers.get_mut(id.0) {
            worker.ends.push_back((end, Instant::now()));
            worker.ended = worker.ended.saturating_add(u64::from(counts));
            worker.work.notify_one();
        }
    }

    /// Waits until everything that was over in other workers is.
    pub(super) fn wait_for_others(&self, id: WorkerId) -> Result<(), Interrupted> {
        let mut state = self.state.lock();
        self.wait(&mut state, |state| {
            let mut others = state.workers.iter().enumerate().filter(|(index, _)| *index != id.0);
            others.all(|(_, worker)| worker.done >= worker.ended)
        })
    }

    /// Waits until everything that was over is.
    pub(super) fn wait_for_all(&self) -> Result<(), Interrupted> {
        let mut state = self.state.lock();
        self.wait(&mut state, |state| state.workers.iter().all(|worker| worker.done >= worker.ended))
    }

    /// The recording has been read. A job whose end was not in it waits for that no longer, so that those who wait for
    /// the job are not kept for ever.
    pub(super) fn complete(&self) {
        let mut state = self.state.lock();
        state.is_complete = true;
        for worker in &state.workers {
            worker.work.notify_one();
        }
    }

    /// Lets the worker's thread end once its jobs are done.
    pub(super) fn close(&self, id: WorkerId) {
        let mut state = self.state.lock();
        if let Some(worker) = state.workers.get_mut(id.0) {
            worker.is_closed = true;
            worker.work.notify_one();
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

    /// Does a worker's jobs until it is closed. The body of a worker's thread.
    pub(super) fn work(&self, id: WorkerId, mut work: impl FnMut(J, &Turn<'_, J, E>)) {
        let _guard = BreakOnPanic(self);
        let turn = Turn { workers: self, id };
        while let Some(job) = self.next(id) {
            work(job, &turn);
            let _unasked = turn.end();
            let mut state = self.state.lock();
            if let Some(worker) = state.workers.get_mut(id.0) {
                (worker.doing, worker.end_read, worker.is_told) = (None, None, false);
                worker.done = worker.done.saturating_add(1);
            }
            self.progress.notify_one();
        }
    }

    fn next(&self, id: WorkerId) -> Option<J> {
        let mut state = self.state.lock();
        loop {
            let worker = state.workers.get_mut(id.0)?;
            if let Some(job) = worker.jobs.pop_front() {
                worker.doing = Some((job.label(), Instant::now()));
                state.queued_bytes = state.queued_bytes.saturating_sub(job.bytes());
                self.progress.notify_one();
                return Some(job);
            }
            if worker.is_closed {
                return None;
            }
            let work = Arc::clone(&worker.work);
            work.wait(&mut state);
        }
    }
}

impl<J, E> State<J, E> {
    fn overdue(&self, stall: Duration) -> Option<Stalled> {
        let now = Instant::now();
        let (index, label, after) = self.workers.iter().enumerate().find_map(|(index, worker)| {
            let (label, since) = worker.doing?;
            // As long as the recording is in the middle of it, it may take its time.
            let end_read = worker.end_read.or_else(|| worker.ends.front().map(|(_, at)| *at))?;
            let after = now.saturating_duration_since(since.max(end_read));
            (after >= stall).then_some((index, label, after))
        })?;
        let others = self.workers.iter().enumerate().filter(|(other, _)| *other != index);
        let others = others.filter_map(|(_, worker)| Some(worker.doing?.0)).collect();
        Some(Stalled { label, others, after })
    }
}

/// The job that a worker's thread is doing.
pub(super) struct Turn<'a, J, E> {
    workers: &'a Workers<J, E>,
    id: WorkerId,
}

impl<J, E> Turn<'_, J, E> {
    /// What the recording says of the job's end, as soon as it has been read; `None` if the recording ends before, or
    /// if it was told before.
    pub(super) fn end(&self) -> Option<E> {
        let mut state = self.workers.state.lock();
        let worker = state.workers.get_mut(self.id.0)?;
        if std::mem::replace(&mut worker.is_told, true) {
            return None;
        }
        let doing = worker.doing.take();
        loop {
            let worker = state.workers.get_mut(self.id.0)?;
            if let Some((end, at)) = worker.ends.pop_front() {
                worker.end_read = Some(at);
                worker.doing = doing.map(|(label, _)| (label, Instant::now()));
                return Some(end);
            }
            let work = Arc::clone(&worker.work);
            if state.is_complete {
                return None;
            }
            work.wait(&mut state);
        }
    }

    /// The job is being done once more: its time begins anew.
    pub(super) fn again(&self) {
        let mut state = self.workers.state.lock();
        if let Some((_, since)) = state.workers.get_mut(self.id.0).and_then(|worker| worker.doing.as_mut()) {
            *since = Instant::now();
        }
    }
}

/// Lets the sequencer know that a worker's thread is gone.
struct BreakOnPanic<'a, J, E>(&'a Workers<J, E>);

impl<J, E> Drop for BreakOnPanic<'_, J, E> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.state.lock().is_broken = true;
            self.0.progress.notify_one();
        }
    }
}

impl<J, E> fmt::Debug for Workers<J, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Workers").field("stall", &self.stall).finish_non_exhaustive()
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
        let workers: Workers<&str, ()> = Workers::new(LONG);
        let (one, other) = (workers.add(), workers.add());
        let (release, gate) = mpsc::channel::<()>();
        thread::scope(|scope| {
            let workers = &workers;
            scope.spawn(move || workers.work(one, |_, _| gate.recv().unwrap()));
            scope.spawn(move || workers.work(other, |_, _| {}));
            workers.begin(one, "open").unwrap();
            workers.wait_for_others(other).unwrap();
            workers.end(one, (), true);
            workers.wait_for_others(one).unwrap();
            let waiter = scope.spawn(move || workers.wait_for_others(other));
            assert!(!waiter.is_finished());
            release.send(()).unwrap();
            waiter.join().unwrap().unwrap();
            assert_eq!(workers.state.lock().workers[0].done, 1);
            workers.close(one);
            workers.close(other);
        });
    }

    #[test]
    fn a_job_learns_how_it_ended_or_that_nobody_knows() {
        let workers: Workers<&str, u32> = Workers::new(LONG);
        let worker = workers.add();
        let mut seen = Vec::new();
        thread::scope(|scope| {
            let thread = scope.spawn(|| workers.work(worker, |job, turn| seen.push((job, turn.end()))));
            workers.begin(worker, "a").unwrap();
            workers.begin(worker, "b").unwrap();
            workers.end(worker, 7, true);
            workers.complete();
            workers.close(worker);
            thread.join().unwrap();
        });
        assert_eq!(seen, [("a", Some(7)), ("b", None)]);
    }

    #[test]
    fn a_job_that_does_not_end_is_named() {
        let workers: Workers<&str, ()> = Workers::new(Duration::ZERO);
        let (one, other) = (workers.add(), workers.add());
        let (release, gate) = mpsc::channel::<()>();
        thread::scope(|scope| {
            let workers = &workers;
            scope.spawn(move || workers.work(one, |_, _| gate.recv().unwrap()));
            workers.begin(one, "stuck").unwrap();
            workers.end(one, (), true);
            let Err(Interrupted::Stalled(stalled)) = workers.wait_for_others(other) else {
                panic!("it waits for nothing")
            };
            assert_eq!(stalled.label.to_string(), "stuck");
            workers.complete();
            workers.close(one);
            release.send(()).unwrap();
        });
    }

    #[test]
    fn the_end_of_the_recording_keeps_nobody_waiting() {
        let workers: Workers<&str, ()> = Workers::new(LONG);
        let (one, other) = (workers.add(), workers.add());
        let (pass, passed) = mpsc::channel::<()>();
        thread::scope(|scope| {
            let workers = &workers;
            scope.spawn(move || {
                workers.work(one, |_, turn| {
                    assert_eq!(turn.end(), None);
                    pass.send(()).unwrap();
                });
            });
            scope.spawn(move || workers.work(other, |_, _| passed.recv().unwrap()));
            workers.begin(one, "never ends in the recording").unwrap();
            workers.begin(other, "waits for it").unwrap();
            workers.end(other, (), true);
            workers.complete();
            workers.wait_for_all().unwrap();
            workers.close(one);
            workers.close(other);
        });
    }

    #[test]
    fn a_thread_that_panics_does_not_leave_the_sequencer_waiting() {
        let workers: Workers<&str, ()> = Workers::new(LONG);
        let worker = workers.add();
        thread::scope(|scope| {
            let thread = scope.spawn(|| workers.work(worker, |_, _| panic!("as the test wants it")));
            workers.begin(worker, "a").unwrap();
            workers.end(worker, (), true);
            assert_eq!(workers.wait_for_all(), Err(Interrupted::Broken));
            assert!(thread.join().is_err());
        });
    }
}
