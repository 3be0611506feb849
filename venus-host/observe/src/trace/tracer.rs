//! A context's tracer: what the endpoints and the writer share.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
};

use parking_lot::{Condvar, Mutex};
use venus_host::endpoint::{EndpointObserver, Observer, Sampler, Source};

use super::{
    EXTENSION, Settings, Switch,
    counters::Watched,
    endpoint::{EndpointTracer, Track},
    fences::{self, Fences},
    writer::Writer,
};
use crate::file::{self, CreateError};

/// Writes the trace of one context.
pub struct Tracer {
    pub(super) core: Arc<Core>,
    thread: Option<JoinHandle<()>>,
}

/// What endpoints and the writer share.
pub(super) struct Core {
    pub(super) path: PathBuf,
    switch: Switch,
    /// Whether writing to the file failed, so that nothing is traced any more.
    pub(super) is_broken: AtomicBool,
    /// Commands that have begun, traced or not.
    pub(super) commands: AtomicU64,
    pub(super) fences: Fences,
    pub(super) watched: Watched,
    /// Endpoints that the writer does not know yet.
    pub(super) new_tracks: Mutex<Vec<Arc<Track>>>,
    pub(super) is_ending: Mutex<bool>,
    pub(super) wake: Condvar,
}

impl Core {
    #[inline]
    pub(super) fn is_on(&self) -> bool {
        self.switch.is_on() && !self.is_broken.load(Ordering::Relaxed)
    }

    pub(super) fn add_track(&self, track: Arc<Track>) {
        self.new_tracks.lock().push(track);
    }

    /// Wakes the writer early, because a buffer fills fast.
    #[cold]
    pub(super) fn wake_writer(&self) {
        self.wake.notify_one();
    }
}

impl Tracer {
    /// Starts the trace of a context called `name`, in a new file in the settings' folder.
    ///
    /// # Errors
    ///
    /// The folder or the file cannot be made, or the thread.
    pub fn create(settings: &Settings, name: &str) -> Result<Arc<Self>, CreateError> {
        let folder = &settings.folder;
        let fail = |error| CreateError::new("trace", folder, error);
        let (path, file) = file::create(folder, &settings.ahead, name, EXTENSION).map_err(fail)?;
        let state = if settings.switch.is_on() { "" } else { ", which is off for now" };
        tracing::info!("tracing {name} into {}{state}", path.display());
        let core = Arc::new(Core {
            path,
            switch: settings.switch.clone(),
            is_broken: AtomicBool::new(false),
            commands: AtomicU64::new(0),
            fences: Fences::default(),
            watched: Watched::default(),
            new_tracks: Mutex::default(),
            is_ending: Mutex::new(false),
            wake: Condvar::new(),
        });
        let mut writer = Writer::new(Arc::clone(&core), file, name);
        let thread = thread::Builder::new().name("venus-tracer".to_owned()).spawn(move || writer.write_on());
        Ok(Arc::new(Self { core, thread: Some(thread.map_err(fail)?) }))
    }

    /// Where the trace is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.core.path
    }

    /// Stops tracing until [`Tracer::resume`], in all tracers with the same switch.
    pub fn pause(&self) {
        self.core.switch.set(false);
    }

    /// Continues tracing, in all tracers with the same switch.
    pub fn resume(&self) {
        self.core.switch.set(true);
    }

    /// Whether what happens is traced.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.core.is_on()
    }
}

impl Observer for Tracer {
    fn attach(&self, sampler: Sampler) {
        self.core.watched.set(sampler);
    }

    fn endpoint(&self, source: Source, has_thread: bool) -> Option<Box<dyn EndpointObserver>> {
        Some(Box::new(EndpointTracer::new(Arc::clone(&self.core), source, has_thread)))
    }

    fn fence(&self, ring_idx: u32) -> u64 {
        if self.core.is_on() { self.core.fences.create(ring_idx) } else { fences::UNTRACED }
    }

    fn retired(&self, number: u64) {
        self.core.fences.retire(number);
    }

    fn lost(&self, reason: &str) {
        self.core.fences.lose(reason);
    }

    fn left(&self) {
        self.core.watched.set(Sampler::default());
    }
}

impl Drop for Tracer {
    fn drop(&mut self) {
        *self.core.is_ending.lock() = true;
        self.core.wake.notify_one();
        if let Some(thread) = self.thread.take() {
            let _panicked = thread.join();
        }
    }
}

impl fmt::Debug for Tracer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tracer").field("path", &self.core.path).finish_non_exhaustive()
    }
}

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Core").field("path", &self.path).finish_non_exhaustive()
    }
}
