//! How a guest is doing, by its worker's account: the server asks, and the worker answers.
//!
//! A worker does what its guest makes it do, so its server believes nothing of it: it waits for an answer no longer than
//! it says, asks nothing further before it has one, reads no more than one, and takes it for words to be shown to people.

use std::{
    io::{self, Read as _, Write as _},
    os::unix::net::UnixStream,
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    net::{RecvFlags, SendFlags},
};

use super::handoff::STATE;
use crate::{
    endpoint::{Counters, Sampler},
    socket::SEND,
};

/// How long a server waits for workers that are asked how their guests are doing. The answer takes some locks that are
/// never held for long; a worker that is stopped gives none.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);

/// Longest text that travels.
const TEXT_BYTES: usize = 1024;

/// Numbers in a [`GuestStatistics`].
const NUMBERS: usize = 10;

/// Bytes of the length of an answer.
const LENGTH_BYTES: usize = 4;

/// Longest answer.
pub(super) const ANSWER_BYTES: usize = LENGTH_BYTES + 8 * NUMBERS + TEXT_BYTES;

/// How a guest is doing, in numbers, and its last misfortune.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct GuestStatistics {
    /// Commands executed.
    pub commands: u64,
    /// Commands that the guest was told to have failed.
    pub failures: u64,
    /// What the validation layer found, if it was asked.
    pub findings: u64,
    /// Submissions to queues.
    pub submissions: u64,
    /// Devices that exist.
    pub devices: u64,
    /// Vulkan objects that have an id.
    pub objects: u64,
    /// Rings.
    pub rings: u64,
    /// Bytes of `VkDeviceMemory`.
    pub device_memory_bytes: u64,
    /// Bytes of that which are mapped by the guest, or shared.
    pub blob_memory_bytes: u64,
    /// Bytes of plain memory that guest and host share: rings, replies, command streams.
    pub shared_memory_bytes: u64,
    /// The GPUs that it has devices of.
    pub gpus: Vec<String>,
    /// The last command that failed, or why the context is lost: the line that the log has.
    pub last_error: Option<String>,
}

impl GuestStatistics {
    /// That of a context.
    pub(super) fn of(counters: &Counters, sampler: &Sampler) -> Self {
        let sample = sampler.sample().unwrap_or_default();
        Self {
            commands: counters.commands(),
            failures: counters.failures(),
            findings: counters.findings(),
            submissions: counters.submissions(),
            devices: sample.devices,
            objects: sample.objects,
            rings: u64::try_from(sample.rings.len()).unwrap_or(u64::MAX),
            device_memory_bytes: sample.device_memory_bytes,
            blob_memory_bytes: sample.blob_memory_bytes,
            shared_memory_bytes: sample.shared_memory_bytes,
            gpus: sampler.gpus(),
            last_error: counters.last_error(),
        }
    }

    fn numbers(&self) -> [u64; NUMBERS] {
        [
            self.commands,
            self.failures,
            self.findings,
            self.submissions,
            self.devices,
            self.objects,
            self.rings,
            self.device_memory_bytes,
            self.blob_memory_bytes,
            self.shared_memory_bytes,
        ]
    }

    fn encode(&self) -> Vec<u8> {
        let names = self.gpus.iter().map(|name| format!("{name}\n"));
        let error = self.last_error.iter().map(|error| error.replace('\n', " "));
        let mut text: String = names.chain(error).collect();
        text.truncate(text.floor_char_boundary(TEXT_BYTES));
        let mut body: Vec<u8> = self.numbers().iter().flat_map(|number| number.to_le_bytes()).collect();
        body.extend(text.as_bytes());
        let length = u32::try_from(body.len()).unwrap_or(0);
        let mut bytes = length.to_le_bytes().to_vec();
        bytes.append(&mut body);
        bytes
    }

    fn decode(body: &[u8]) -> Option<Self> {
        let (numbers, text) = body.split_first_chunk::<{ 8 * NUMBERS }>()?;
        let text = String::from_utf8_lossy(text);
        let mut lines: Vec<&str> = text.split('\n').collect();
        let error = lines.pop().filter(|error| !error.is_empty());
        let mut numbers = numbers.as_chunks::<8>().0.iter().map(|number| u64::from_le_bytes(*number));
        let mut number = || numbers.next().unwrap_or_default();
        Some(Self {
            commands: number(),
            failures: number(),
            findings: number(),
            submissions: number(),
            devices: number(),
            objects: number(),
            rings: number(),
            device_memory_bytes: number(),
            blob_memory_bytes: number(),
            shared_memory_bytes: number(),
            gpus: lines.into_iter().map(printable).collect(),
            last_error: error.map(printable),
        })
    }
}

/// Words of a worker's, fit for a terminal.
pub(super) fn printable(words: &str) -> String {
    words.chars().filter(|c| !c.is_control()).collect()
}

/// What a worker was asked, and what of the answer has come.
#[derive(Debug, Default)]
pub(super) struct Inquiry {
    is_open: bool,
    heard: Vec<u8>,
}

impl Inquiry {
    /// Asks a worker how its guest is doing, if it has answered what it was asked before. Answers whether it did.
    pub(super) fn ask(&mut self, worker: &UnixStream) -> bool {
        if self.is_open && self.answer(worker, Instant::now()).is_none() {
            return false;
        }
        self.is_open = rustix::net::send(worker, &[STATE], SEND | SendFlags::DONTWAIT).is_ok();
        self.is_open
    }

    /// The answer, if all of it comes before `until`.
    pub(super) fn answer(&mut self, worker: &UnixStream, until: Instant) -> Option<GuestStatistics> {
        while let missing @ 1.. = self.missing()? {
            self.hear(worker, missing, until)?;
        }
        self.is_open = false;
        let heard = std::mem::take(&mut self.heard);
        GuestStatistics::decode(heard.get(LENGTH_BYTES..)?)
    }

    /// What was heard of an answer that is not whole. Nothing is asked any more.
    pub(super) fn end(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.heard)
    }

    /// How many bytes are still to come, as far as is known. Nothing if it will be no answer.
    fn missing(&self) -> Option<usize> {
        let whole = match self.heard.first_chunk() {
            None => LENGTH_BYTES,
            Some(length) => usize::try_from(u32::from_le_bytes(*length)).ok()?.checked_add(LENGTH_BYTES)?,
        };
        if whole > ANSWER_BYTES { None } else { whole.checked_sub(self.heard.len()) }
    }

    /// Reads some of them. Nothing if it is too late.
    fn hear(&mut self, worker: &UnixStream, missing: usize, until: Instant) -> Option<()> {
        let mut bytes = vec![0; missing];
        match rustix::net::recv(worker, &mut *bytes, RecvFlags::DONTWAIT) {
            Ok((0, _)) => None,
            Ok((count, _)) => {
                self.heard.extend_from_slice(bytes.get(..count)?);
                Some(())
            }
            Err(Errno::INTR) => Some(()),
            Err(Errno::AGAIN) => wait(worker, until),
            Err(_) => None,
        }
    }
}

/// Waits until there is something to read. Nothing if it is too late.
fn wait(worker: &UnixStream, until: Instant) -> Option<()> {
    let left = until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())?;
    let timeout = Timespec::try_from(left).ok()?;
    match poll(&mut [PollFd::new(worker, PollFlags::IN)], Some(&timeout)) {
        Ok(_) | Err(Errno::INTR) => Some(()),
        Err(_) => None,
    }
}

/// Answers the server's questions with what `statistics` says, until the server has gone.
pub(super) fn answer(mut control: UnixStream, statistics: impl Fn() -> GuestStatistics) {
    let mut question = [0];
    loop {
        match control.read(&mut question) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Ok(1..) if question == [STATE] => {
                if control.write_all(&statistics().encode()).is_err() {
                    return;
                }
            }
            Ok(_) | Err(_) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{os::fd::AsFd as _, thread};

    use super::*;
    use crate::thread::deadline;

    fn ask(worker: &UnixStream, inquiry: &mut Inquiry) -> Option<GuestStatistics> {
        inquiry.ask(worker).then(|| inquiry.answer(worker, deadline(PATIENCE))).flatten()
    }

    #[test]
    fn a_worker_says_how_its_guest_is_doing() {
        let (server, worker) = UnixStream::pair().unwrap();
        let long = format!("{}ä", "x".repeat(TEXT_BYTES - 1 - "a GPU\n".len()));
        let gpus = vec!["a GPU".to_owned()];
        let statistics = GuestStatistics {
            commands: 1,
            shared_memory_bytes: 10,
            gpus,
            last_error: Some(long.clone()),
            ..Default::default()
        };
        let told = statistics.clone();
        let thread = thread::spawn(move || answer(worker, move || told.clone()));
        let mut inquiry = Inquiry::default();
        for _ in 0..2 {
            let said = ask(&server, &mut inquiry).unwrap();
            assert_eq!((said.commands, said.shared_memory_bytes), (1, 10));
            assert_eq!(said.gpus, ["a GPU"]);
            assert_eq!(said.last_error.as_deref(), long.strip_suffix('ä'), "cut where a character ends");
        }
        drop(server);
        thread.join().unwrap();
    }

    #[test]
    fn statistics_travel_as_they_are() {
        for gpus in [vec![], vec!["one".to_owned(), "two".to_owned()]] {
            for last_error in [None, Some("it failed".to_owned())] {
                let statistics = GuestStatistics { rings: 7, gpus: gpus.clone(), last_error, ..Default::default() };
                let bytes = statistics.encode();
                assert_eq!(GuestStatistics::decode(&bytes[4..]), Some(statistics));
            }
        }
    }

    #[test]
    fn a_worker_that_has_gone_says_nothing() {
        let (server, worker) = UnixStream::pair().unwrap();
        drop(worker);
        assert_eq!(ask(&server, &mut Inquiry::default()), None);
    }

    #[test]
    fn a_worker_that_does_not_answer_is_asked_once() {
        let (server, mut worker) = UnixStream::pair().unwrap();
        let mut inquiry = Inquiry::default();
        assert!(inquiry.ask(&server));
        assert_eq!(inquiry.answer(&server, Instant::now()), None);
        // However often: nothing fills the socket's queue.
        for _ in 0..100 {
            assert!(!inquiry.ask(&server));
        }
        let answer = GuestStatistics { commands: 7, ..Default::default() }.encode();
        worker.write_all(&answer[..5]).unwrap();
        assert!(!inquiry.ask(&server), "half of an answer is none");
        worker.write_all(&answer[5..]).unwrap();
        assert!(inquiry.ask(&server), "what came late is of no use, but it came");
        let mut questions = [0; 8];
        assert_eq!(worker.read(&mut questions).unwrap(), 2);
        worker.write_all(&answer).unwrap();
        assert_eq!(inquiry.answer(&server, Instant::now()).unwrap().commands, 7);
    }

    #[test]
    fn a_worker_that_never_ends_is_not_listened_to() {
        let (server, worker) = UnixStream::pair().unwrap();
        worker.set_nonblocking(true).unwrap();
        let flood = [0xff; 4096];
        while rustix::net::send(&worker, &flood, SEND).is_ok() {}
        let mut inquiry = Inquiry::default();
        assert_eq!(ask(&server, &mut inquiry), None);
        let left = rustix::io::ioctl_fionread(server.as_fd()).unwrap();
        assert!(left > 4096, "{left}");
        assert!(!inquiry.ask(&server));
    }

    #[test]
    fn nothing_of_a_workers_moves_the_cursor() {
        let told = GuestStatistics {
            gpus: vec!["a \x1b[2JGPU".to_owned()],
            last_error: Some("it\r\x1b]0;failed".to_owned()),
            ..Default::default()
        };
        let said = GuestStatistics::decode(&told.encode()[LENGTH_BYTES..]).unwrap();
        assert_eq!((&*said.gpus[0], said.last_error.as_deref()), ("a [2JGPU", Some("it]0;failed")));
    }
}
