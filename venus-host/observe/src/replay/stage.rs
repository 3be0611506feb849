//! The threads of a replay: one for the context and its direct submissions, one for each ring.

use std::{
    sync::{Arc, atomic::Ordering},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use venus_host::{
    context::{Context, FedRing, Feed},
    limits,
    resource::{BlobFlags, ResourceId},
};

use super::{
    ReplayError,
    job::{End, Task},
    player::{Endpoint, Play, Player, Unexecuted},
    sequencer::Stage,
    workers::{WorkerId, Workers},
};
use crate::recording::{Place, Source};

/// Interval of polling: for a ring to be created, and for threads to end.
const LOOK: Duration = Duration::from_micros(200);

/// Executes jobs on threads, in a context.
pub(super) struct Threads {
    workers: Arc<Workers<Task, End>>,
    play: Arc<Play>,
    feed: Feed,
    /// Until its thread has it.
    context: Option<Context>,
    threads: Vec<(WorkerId, JoinHandle<()>)>,
    stall: Duration,
}

impl Threads {
    pub(super) fn new(
        workers: Arc<Workers<Task, End>>,
        play: Arc<Play>,
        (context, feed): (Context, Feed),
        stall: Duration,
    ) -> Self {
        Self { workers, play, feed, context: Some(context), threads: Vec::new(), stall }
    }

    /// Ends all threads, those of rings first, since they use the context. False if one does not end in time.
    pub(super) fn finish(mut self) -> bool {
        self.play.is_over.store(true, Ordering::Relaxed);
        self.feed.stop();
        let since = Instant::now();
        let mut all = true;
        // Last the context's, which was the first.
        while let Some((worker, thread)) = self.threads.pop() {
            self.workers.close(worker);
            while !thread.is_finished() && since.elapsed() < limits::RING_JOIN_TIMEOUT {
                thread::sleep(LOOK);
            }
            all &= thread.is_finished() && thread.join().is_ok();
        }
        all
    }

    fn spawn(
        &mut self,
        name: String,
        worker: WorkerId,
        body: impl FnOnce() + Send + 'static,
    ) -> Result<(), ReplayError> {
        let thread = thread::Builder::new().name(name).spawn(body);
        self.threads.push((worker, thread.map_err(ReplayError::Thread)?));
        Ok(())
    }
}

impl Stage for Threads {
    fn open(&mut self, source: Source, worker: WorkerId) -> Result<(), ReplayError> {
        let (workers, play, feed) = (Arc::clone(&self.workers), Arc::clone(&self.play), self.feed.clone());
        match (source, self.context.take()) {
            (Source::Direct, Some(context)) => self.spawn("venus-replay".to_owned(), worker, move || {
                let mut player = Player::new(Direct { context, feed }, Arc::clone(&play));
                workers.work(worker, |task, turn| {
                    if let Some(task) = player.play(task, turn) {
                        player.endpoint.play(task, &play, || turn.end());
                    }
                });
            }),
            (Source::Ring(id), context) => {
                self.context = context;
                let ring = Ring { id, feed, play: Arc::clone(&play), ring: None };
                self.spawn(format!("venus-replay-{}", worker.0), worker, move || {
                    let mut player = Player::new(ring, play);
                    workers.work(worker, |task, turn| {
                        // Rings get no other jobs.
                        let _done = player.play(task, turn);
                    });
                })
            }
            (Source::Direct, None) => Err(ReplayError::Damaged("direct submissions have two beginnings".to_owned())),
        }
    }

    fn write_memory(&mut self, resource: u32, offset: u64, bytes: &[u8]) {
        self.play.in_flight.wait_for_all();
        let Some(memory) = &self.play.memory else { return };
        let written = match memory.lock().get(&resource) {
            Some(mapping) => self.play.write(resource, mapping, offset, bytes).map_err(|error| error.to_string()),
            None => Err("it is not there".to_owned()),
        };
        if let Err(reason) = written {
            let note = format!("what was recorded of the memory of resource {resource} cannot be put there: {reason}");
            self.play.report.lock().note(note);
        }
    }

    fn retired(&mut self, number: u64) {
        self.play.fences.expect(number);
    }

    fn wait_retired(&mut self, number: u64) -> Result<(), ReplayError> {
        let since = Instant::now();
        while !self.play.fences.wait(number, Duration::from_millis(50)) {
            if let Some(stalled) = self.workers.overdue() {
                return Err(stalled.into());
            }
            if since.elapsed() >= self.stall {
                let what = format!("fence {number}");
                let waits_for = "work on its queue".to_owned();
                return Err(ReplayError::Stalled { what, waits_for, after: self.stall });
            }
        }
        Ok(())
    }

    fn is_lost(&self) -> bool {
        self.play.listener.is_lost() || self.play.is_stopped()
    }
}

/// Direct submissions, and everything else that the context's own thread does.
struct Direct {
    context: Context,
    feed: Feed,
}

impl Direct {
    fn play(&mut self, task: Task, play: &Arc<Play>, end: impl FnOnce() -> Option<End>) {
        match task {
            Task::Blob { resource, flags, blob_id, size } => {
                let id = ResourceId(resource);
                let blob = self.context.create_blob(id, BlobFlags(flags), blob_id, size);
                play.settle_blob(id, blob_id, blob, end());
            }
            Task::Unref { resource } => {
                if let Some(memory) = &play.memory {
                    memory.lock().remove(&resource);
                }
                self.context.destroy_resource(ResourceId(resource));
            }
            Task::Fence { ring_idx, number } => {
                play.fences.create(number, ring_idx);
                let fences = Arc::clone(&play.fences);
                if let Err(error) = self.context.create_fence(ring_idx, Box::new(move |_| fences.retire(number))) {
                    play.report.lock().note(error.to_string());
                }
            }
            Task::Command(_) | Task::SeekReply { .. } | Task::Pass { .. } => {}
        }
    }
}

impl Endpoint for Direct {
    fn source(&self) -> Source {
        Source::Direct
    }

    fn execute(&mut self, _place: Place, request: &[u8]) -> Result<(), Unexecuted> {
        if self.feed.is_lost() {
            return Err(Unexecuted::Ended);
        }
        if Feed::submit(&mut self.context, request)? { Ok(()) } else { Err(Unexecuted::Ended) }
    }

    fn pass(&mut self, _position: u64) {}

    fn feed(&self) -> &Feed {
        &self.feed
    }
}

/// The commands of a ring, without the ring's memory.
struct Ring {
    id: u64,
    feed: Feed,
    play: Arc<Play>,
    /// Once the context has it.
    ring: Option<FedRing>,
}

impl Ring {
    /// Waits until the context has the ring. A guest may write to a ring before it is created, and create another one
    /// with the number of one that is gone.
    fn ring(&mut self) -> Option<&mut FedRing> {
        if self.ring.as_ref().is_some_and(FedRing::is_stopped) {
            self.ring = None;
        }
        while self.ring.is_none() {
            self.ring = self.feed.ring(self.id);
            if self.ring.is_none() {
                if self.play.is_over() || self.feed.is_lost() {
                    break;
                }
                thread::sleep(LOOK);
            }
        }
        self.ring.as_mut()
    }
}

impl Endpoint for Ring {
    fn source(&self) -> Source {
        Source::Ring(self.id)
    }

    fn execute(&mut self, place: Place, request: &[u8]) -> Result<(), Unexecuted> {
        let ring = self.ring().ok_or(Unexecuted::Ended)?;
        if ring.execute(place.position, request)? { Ok(()) } else { Err(Unexecuted::Ended) }
    }

    fn pass(&mut self, position: u64) {
        if let Some(ring) = self.ring() {
            ring.pass(position);
        }
    }

    fn feed(&self) -> &Feed {
        &self.feed
    }
}
