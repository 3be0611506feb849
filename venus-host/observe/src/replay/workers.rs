//! Workers: a thread and a queue of jobs for each endpoint of a recording.
//!
//! The sequencer appends jobs to the queues and marks jobs as ended when it reads their ends in the recording. Before
//! it starts a job on one worker, it waits until all others have finished the jobs that are marked as ended
//! ([`Workers::wait_for_others`]). So jobs start in the recorded order, and those that overlapped may overlap.
//!
//! The sequencer never waits for ever unless a job never finishes. A job can wait for Vulkan or for another worker's
//! job, but only for one that started before its own end in the recording; and that one is in its queue already. A job
//! that takes too long all the same is reported as [`Stalled`].
//!
//! Nothing here knows what a job is.

use std::{
    collections::VecDeque,
    fmt, thread,
    time::{Duration, Instant},
};

use parking_lot::{Condvar, Mutex, MutexGuard};
use std::sync::Arc;

/// Longest queue of one worker, in jobs: enough to keep its thread busy, few enough to stay near the recorded order.
const WORKER_JOBS: usize = 1024;

/// Bytes of all queued jobs together. A single larger job is queued alone.
const QUEUED_BYTES: usize = 64 << 20;

/// How often the sequencer looks for stalled jobs while it waits.
const LOOK: Duration = Duration::from_millis(50);

/// A unit of work for a worker.
pub(super) trait Job: Send {
    /// Its name in messages.
    fn label(&self) -> Label;

    /// Bytes of memory that it holds.
    fn bytes(&self) -> usize;
}

/// The name of a job in messages.
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

/// A job that exceeds its time limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stalled {
    pub(super) label: Label,
    /// The jobs that other workers are executing.
    pub(super) others: Vec<Label>,
    pub(super) after: Duration,
}

/// Why a wait of the sequencer failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Interrupted {
    /// A job exceeds its time limit.
    Stalled(Stalled),
    /// A worker's thread has panicked.
    Broken,
}

/// Index of a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct WorkerId(pub(super) usize);

/// All workers of one replay. `J` is a job, `E` the recorded end of one.
pub(super) struct Workers<J, E> {
    state: Mutex<State<J, E>>,
    /// Wakes the sequencer.
    progress: Condvar,
    stall: Duration,
}

struct State<J, E> {
    workers: Vec<Worker<J, E>>,
    queued_bytes: usize,
    /// The recording has been read: no further end will be told.
    is_complete: bool,
    is_broken: bool,
}

struct Worker<J, E> {
    jobs: VecDeque<J>,
    /// Recorded ends of the current job and the queued ones, oldest first, with the time at which each was read.
    ends: VecDeque<(E, Instant)>,
    is_closed: bool,
    /// The current job, and when it started; absent while it waits for its recorded end.
    current: Option<(Label, Instant)>,
    /// When the recorded end of the current job was read, once the thread has taken it.
    end_read: Option<Instant>,
    /// Whether the thread has asked for the recorded end of the current job.
    is_end_taken: bool,
    /// How many jobs are marked as ended, so that other workers' jobs have to wait for them.
    ended: u64,
    done: u64,
    /// Wakes the worker's thread.
    work: Arc<Condvar>,
}

impl<J: Job, E: Send> Workers<J, E> {
    /// No workers yet. A job may take `stall`.
    pub(super) fn new(stall: Duration) -> Self {
        let state = State { workers: Vec::new(), queued_bytes: 0, is_complete: false, is_broken: false };
        Self { state: Mutex::new(state), progress: Condvar::new(), stall }
    }

    // The sequencer's side.

    /// Adds a worker. The caller runs [`work`](Self::work) on a thread of its own.
    pub(super) fn add(&self) -> WorkerId {
        let mut state = self.state.lock();
        state.workers.push(Worker {
            jobs: VecDeque::new(),
            ends: VecDeque::new(),
            is_closed: false,
            current: None,
            end_read: None,
            is_end_taken: false,
            ended: 0,
            done: 0,
            work: Arc::new(Condvar::new()),
        });
        WorkerId(state.workers.len().saturating_sub(1))
    }

    /// Appends a job to a worker's queue, and waits for room if there is none.
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

    /// Marks the oldest unfinished job as ended, with its recorded end. Jobs of other workers wait for it if it
    /// `counts`.
    pub(super) fn end(&self, id: WorkerId, end: E, counts: bool) {
        let mut state = self.state.lock();
        if let Some(worker) = state.workers.get_mut(id.0) {
            worker.ends.push_back((end, Instant::now()));
            worker.ended = worker.ended.saturating_add(u64::from(counts));
            worker.work.notify_one();
        }
    }

    /// Waits until all other workers have finished the jobs that are marked as ended.
    pub(super) fn wait_for_others(&self, id: WorkerId) -> Result<(), Interrupted> {
        let mut state = self.state.lock();
        self.wait(&mut state, |state| {
            let mut others = state.workers.iter().enumerate().filter(|(index, _)| *index != id.0);
            others.all(|(_, worker)| worker.done >= worker.ended)
        })
    }

    /// Waits until all workers have finished the jobs that are marked as ended.
    pub(super) fn wait_for_all(&self) -> Result<(), Interrupted> {
        let mut state = self.state.lock();
        self.wait(&mut state, |state| state.workers.iter().all(|worker| worker.done >= worker.ended))
    }

    /// Tells all workers that the recording has been read. A job without a recorded end stops waiting for one.
    pub(super) fn complete(&self) {
        let mut state = self.state.lock();
        state.is_complete = true;
        for worker in &state.workers {
            worker.work.notify_one();
        }
    }

    /// Ends the worker's thread once its queue is empty.
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

    /// The first job that exceeds its time limit.
    pub(super) fn overdue(&self) -> Option<Stalled> {
        self.state.lock().overdue(self.stall)
    }

    // The workers' side.

    /// Executes a worker's jobs until it is closed. The body of its thread.
    pub(super) fn work(&self, id: WorkerId, mut work: impl FnMut(J, &Turn<'_, J, E>)) {
        let _guard = BreakOnPanic(self);
        let turn = Turn { workers: self, id };
        while let Some(job) = self.next(id) {
            work(job, &turn);
            let _unasked = turn.end();
            let mut state = self.state.lock();
            if let Some(worker) = state.workers.get_mut(id.0) {
                (worker.current, worker.end_read, worker.is_end_taken) = (None, None, false);
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
                worker.current = Some((job.label(), Instant::now()));
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
            let (label, since) = worker.current?;
            // Its time limit starts with its recorded end: until then it may rightly be waiting.
            let end_read = worker.end_read.or_else(|| worker.ends.front().map(|(_, at)| *at))?;
            let after = now.saturating_duration_since(since.max(end_read));
            (after >= stall).then_some((index, label, after))
        })?;
        let others = self.workers.iter().enumerate().filter(|(other, _)| *other != index);
        let others = others.filter_map(|(_, worker)| Some(worker.current?.0)).collect();
        Some(Stalled { label, others, after })
    }
}

/// The current job of a worker, as its thread sees it.
pub(super) struct Turn<'a, J, E> {
    workers: &'a Workers<J, E>,
    id: WorkerId,
}

impl<J, E> Turn<'_, J, E> {
    /// Waits for the recorded end of the job. `None` if the recording has none, or if this was called before.
    pub(super) fn end(&self) -> Option<E> {
        let mut state = self.workers.state.lock();
        let worker = state.workers.get_mut(self.id.0)?;
        if std::mem::replace(&mut worker.is_end_taken, true) {
            return None;
        }
        let current = worker.current.take();
        loop {
            let worker = state.workers.get_mut(self.id.0)?;
            if let Some((end, at)) = worker.ends.pop_front() {
                worker.end_read = Some(at);
                worker.current = current.map(|(label, _)| (label, Instant::now()));
                return Some(end);
            }
            let work = Arc::clone(&worker.work);
            if state.is_complete {
                return None;
            }
            work.wait(&mut state);
        }
    }

    /// Restarts the job's time limit, because it is executed once more.
    pub(super) fn again(&self) {
        let mut state = self.workers.state.lock();
        if let Some((_, since)) = state.workers.get_mut(self.id.0).and_then(|worker| worker.current.as_mut()) {
            *since = Instant::now();
        }
    }
}

/// Tells the sequencer if a worker's thread panics.
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
