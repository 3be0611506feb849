//! Records a context: from its endpoints to a file.
//!
//! Endpoints append records to a buffer in memory, under a lock that is held as long as a copy takes. A thread of the
//! recorder compresses and writes the buffer whenever a chunk is full, and at least ten times a second. So a killed
//! process loses a tenth of a second. With [`Settings::immediate`] it loses nothing: every command is in the file
//! before it is executed, which finds the command that crashes a driver.
//!
//! A recording must never hurt its guest. When the disk is full, the recorder logs it once and stops recording. When
//! the disk is slower than the guest for long, endpoints wait for it.

use std::{
    error::Error,
    fmt,
    fs::File,
    io::{self, Write as _},
    mem,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use parking_lot::{Condvar, Mutex, MutexGuard};
use venus_host::{
    driver,
    endpoint::{self, BlobRequest, Command, EndpointObserver, Observer, Place, Source},
    error::HostError,
    resource::{Blob, ResourceId},
};
use venus_protocol::wire::CommandType;

use super::{
    EXTENSION, MAGIC,
    event::{Event, Header, Outcome, Record, STOPPED, VERSION},
    format,
    memory::Memories,
};
use crate::file::{self, Ahead, CreateError};

/// How often the buffer is written even if no chunk is full.
const PERIOD: Duration = Duration::from_millis(100);

/// Endpoints wait for the disk once so many bytes are not written.
const UNWRITTEN_BYTES: usize = 64 << 20;

/// Most bytes that are recorded of what could not be decoded.
const UNDECODABLE_BYTES: usize = 64 << 10;

/// How to record.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Settings {
    /// The folder for recordings, which is made if it is missing. Each context gets a file of its own in it.
    pub folder: PathBuf,
    /// Whether to record changes of guest-visible memory, at each submission to a queue.
    pub memory: bool,
    /// Whether each command is written to the file before it is executed.
    pub immediate: bool,
    /// The first context's file, if it was opened ahead.
    ahead: Ahead,
}

impl Settings {
    /// Records into `folder`: no memory, and written in the background.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), ..Self::default() }
    }

    /// Whether to record changes of guest-visible memory, at each submission to a queue.
    #[must_use]
    pub fn memory(mut self, memory: bool) -> Self {
        self.memory = memory;
        self
    }

    /// Whether each command is written to the file before it is executed.
    #[must_use]
    pub fn immediate(mut self, immediate: bool) -> Self {
        self.immediate = immediate;
        self
    }

    /// Records the first context into a file that was opened ahead, in the same folder.
    #[must_use]
    pub fn ahead(mut self, ahead: Ahead) -> Self {
        self.ahead = ahead;
        self
    }
}

/// Writes the recording of one context.
pub struct Recorder {
    shared: Arc<Shared>,
    fences: AtomicU64,
    thread: Option<JoinHandle<()>>,
}

/// Records one endpoint.
struct EndpointRecorder {
    shared: Arc<Shared>,
    source: Source,
}

struct Shared {
    path: PathBuf,
    started: Instant,
    /// Whether endpoints write what they append themselves. Then the thread never has any work, so chunks stay in
    /// order.
    immediate: bool,
    /// Memory whose changes are recorded; absent if none are.
    memories: Option<Mutex<Memories>>,
    state: Mutex<State>,
    /// Wakes the thread: a chunk is full, or the end.
    filled: Condvar,
    /// Wakes endpoints that wait for the disk.
    written: Condvar,
}

struct State {
    file: File,
    /// Records that are not in the file yet.
    buffer: Vec<u8>,
    /// How many commands have begun.
    commands: u64,
    /// Whether writing to the file failed, so that nothing is recorded any more.
    is_broken: bool,
    is_ending: bool,
}

impl Recorder {
    /// Starts the recording of a context called `name`, in a new file in the settings' folder. `driver` is the
    /// context's driver.
    ///
    /// # Errors
    ///
    /// The folder or the file cannot be made, or the thread.
    pub fn create(settings: &Settings, name: &str, driver: &driver::Config) -> Result<Arc<Self>, CreateError> {
        let folder = &settings.folder;
        let fail = |error| CreateError::new("record", folder, error);
        let (path, mut file) = file::create(folder, &settings.ahead, name, EXTENSION).map_err(fail)?;
        let started = Instant::now();
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let header = Header {
            name: name.to_owned(),
            recorder: concat!("venus-host ", env!("CARGO_PKG_VERSION")).to_owned(),
            started_unix_ns: nanoseconds(since_epoch),
            profile: driver.profile.name().to_owned(),
            has_memory: settings.memory,
        };
        let header = postcard::to_stdvec(&header).map_err(|error| fail(io::Error::other(error)))?;
        let mut start = [MAGIC.as_slice(), &VERSION.to_le_bytes()].concat();
        start.extend_from_slice(&format::encode(&header).map_err(fail)?);
        file.write_all(&start).map_err(fail)?;
        tracing::info!("recording {name} into {}", path.display());

        let state = State { file, buffer: Vec::new(), commands: 0, is_broken: false, is_ending: false };
        let shared = Arc::new(Shared {
            path,
            started,
            immediate: settings.immediate,
            memories: settings.memory.then(Mutex::default),
            state: Mutex::new(state),
            filled: Condvar::new(),
            written: Condvar::new(),
        });
        let writer = Arc::clone(&shared);
        let thread = thread::Builder::new().name("venus-recorder".to_owned()).spawn(move || writer.write_on());
        Ok(Arc::new(Self { shared, fences: AtomicU64::new(0), thread: Some(thread.map_err(fail)?) }))
    }

    /// Where the recording is.
    pub fn path(&self) -> &Path {
        &self.shared.path
    }

    fn append(&self, event: Event<'_>) {
        let _number = self.shared.append(event);
    }
}

impl Observer for Recorder {
    fn endpoint(&self, source: Source, _has_thread: bool) -> Option<Box<dyn EndpointObserver>> {
        Some(Box::new(EndpointRecorder { shared: Arc::clone(&self.shared), source }))
    }

    fn blob(&self, request: &BlobRequest, made: Result<&Blob, &HostError>) {
        let BlobRequest { resource, flags, blob_id, size, .. } = *request;
        if let (Some(memories), Ok(blob), true) = (&self.shared.memories, made, blob_id != 0) {
            memories.lock().add(resource, blob);
        }
        let error = made.err().map(ToString::to_string);
        self.append(Event::Blob { resource: resource.0, flags: flags.0, blob_id, size, error });
    }

    fn unref(&self, resource: ResourceId) {
        if let Some(memories) = &self.shared.memories {
            memories.lock().remove(resource);
        }
        self.append(Event::Unref { resource: resource.0 });
    }

    fn fence(&self, ring_idx: u32) -> u64 {
        let number = self.fences.fetch_add(1, Ordering::Relaxed);
        self.append(Event::Fence { ring_idx, number });
        number
    }

    fn retired(&self, number: u64) {
        self.append(Event::Retired { number });
    }

    fn lost(&self, reason: &str) {
        self.append(Event::Lost { reason: reason.to_owned() });
    }

    fn left(&self) {
        self.append(Event::Left);
    }
}

impl EndpointObserver for EndpointRecorder {
    fn begin(&mut self, command: &Command<'_>) -> Option<u64> {
        if let Some(memories) = &self.shared.memories
            && is_submission(command.header.command)
        {
            memories.lock().for_each_change(|resource, offset, bytes| {
                self.append(Event::Memory { resource, offset, bytes: bytes.into() });
            });
        }
        self.shared.append(Event::Begin { place: command.place, request: command.request.into() })
    }

    fn end(&mut self, place: Place, outcome: endpoint::Outcome<'_>, reply: &[u8]) {
        let outcome = match outcome {
            endpoint::Outcome::Done => Outcome::Done,
            endpoint::Outcome::LeftOut(reason) => Outcome::LeftOut(reason.to_owned()),
            endpoint::Outcome::Blocked => Outcome::Again,
            endpoint::Outcome::Stopped => Outcome::Failed(STOPPED.to_owned()),
            endpoint::Outcome::Failed(error) => Outcome::Failed(error.to_string()),
        };
        let Place { source, depth, .. } = place;
        self.append(Event::End { source, depth, outcome, reply: reply.into() });
    }

    fn undecodable(&mut self, place: Place, bytes: &[u8], reason: &(dyn Error + 'static)) {
        let bytes = bytes.get(..UNDECODABLE_BYTES).unwrap_or(bytes).into();
        self.append(Event::Undecodable { place, bytes, reason: reason.to_string() });
    }

    fn stream(&mut self, resource: ResourceId, offset: u64, bytes: &[u8]) {
        self.append(Event::Stream { source: self.source, resource: resource.0, offset, bytes: bytes.into() });
    }
}

impl EndpointRecorder {
    fn append(&self, event: Event<'_>) {
        let _number = self.shared.append(event);
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.shared.state.lock().is_ending = true;
        self.shared.filled.notify_one();
        if let Some(thread) = self.thread.take() {
            let _panicked = thread.join();
        }
    }
}

impl Shared {
    /// Appends an event. If that is the beginning of a command, returns its number.
    fn append(&self, event: Event<'_>) -> Option<u64> {
        let mut state = self.state.lock();
        while state.buffer.len() >= UNWRITTEN_BYTES && !state.is_broken {
            self.written.wait(&mut state);
        }
        if state.is_broken {
            return None;
        }
        let number = matches!(event, Event::Begin { .. }).then_some(state.commands);
        state.commands = state.commands.saturating_add(u64::from(number.is_some()));
        let buffer = mem::take(&mut state.buffer);
        let record = Record { time_ns: nanoseconds(self.started.elapsed()), event };
        match postcard::to_extend(&record, buffer) {
            Ok(buffer) => state.buffer = buffer,
            Err(error) => self.give_up(&mut state, &io::Error::other(error)),
        }
        if self.immediate {
            self.write_out(&mut state);
        } else if state.buffer.len() >= format::CHUNK_BYTES {
            self.filled.notify_one();
        }
        number
    }

    /// The body of the recorder's thread.
    fn write_on(&self) {
        let mut state = self.state.lock();
        loop {
            let is_ending = state.is_ending;
            if !state.buffer.is_empty() && !state.is_broken {
                let plain = mem::take(&mut state.buffer);
                // Without the lock: only this thread takes the buffer, so chunks stay in order.
                let chunk = MutexGuard::unlocked(&mut state, || format::encode(&plain));
                let written = chunk.and_then(|chunk| state.file.write_all(&chunk));
                if let Err(error) = written {
                    self.give_up(&mut state, &error);
                }
                self.written.notify_all();
            } else if is_ending {
                return;
            }
            if !state.is_ending && state.buffer.len() < format::CHUNK_BYTES {
                self.filled.wait_for(&mut state, PERIOD);
            }
        }
    }

    /// Writes the buffer on the caller's thread.
    fn write_out(&self, state: &mut State) {
        let written = format::encode(&state.buffer).and_then(|chunk| state.file.write_all(&chunk));
        state.buffer.clear();
        if let Err(error) = written {
            self.give_up(state, &error);
        }
    }

    #[cold]
    fn give_up(&self, state: &mut State, error: &io::Error) {
        state.is_broken = true;
        state.buffer = Vec::new();
        tracing::error!("cannot write to {}, the recording ends here: {error}", self.path.display());
        self.written.notify_all();
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// Whether a command submits to a queue, so that the GPU may read what the guest has written to memory.
fn is_submission(command: CommandType) -> bool {
    [CommandType::QUEUE_SUBMIT, CommandType::QUEUE_SUBMIT2, CommandType::QUEUE_BIND_SPARSE].contains(&command)
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder").field("path", &self.shared.path).finish_non_exhaustive()
    }
}
