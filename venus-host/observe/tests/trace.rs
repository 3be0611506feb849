//! Traces: what a tool that goes by Perfetto's schema finds in them. No driver is needed.

mod perfetto;

use std::{
    fs,
    os::unix::net::UnixStream,
    path::PathBuf,
    thread::{self, JoinHandle},
};

use perfetto::{Argument, Trace};
use tempfile::TempDir;
use venus_guest::bare::{Guest, STATUS_FATAL, STATUS_IDLE, command, until};
use venus_host::vtest::{SessionOptions, serve_connection};
use venus_observe::{
    recording::{self, Event, Reader},
    trace::{EXTENSION, Settings, Switch},
};
use venus_protocol::wire::CommandType;

/// A host that traces, and records if asked to.
struct Host {
    folder: TempDir,
    switch: Switch,
    thread: JoinHandle<()>,
}

impl Host {
    fn start(is_on: bool, records: bool) -> (Guest, Self) {
        let folder = TempDir::new().unwrap();
        let switch = Switch::new(is_on);
        let path = folder.path().to_owned();
        let recording = records.then(|| recording::Settings::new(&path));
        let observe = venus_observe::Settings::new(recording, Some(Settings::new(path).switch(switch.clone())));
        let options = SessionOptions::default().observers(move |name, driver| observe.observers(name, driver));
        let (ours, theirs) = UnixStream::pair().unwrap();
        let thread = thread::spawn(move || drop(serve_connection(theirs, options)));
        let mut guest = Guest::over(ours);
        guest.shake_hands();
        (guest, Self { folder, switch, thread })
    }

    fn file(&self, extension: &str) -> PathBuf {
        let files = fs::read_dir(self.folder.path()).unwrap().map(|entry| entry.unwrap().path());
        let mut files = files.filter(|path| path.extension().is_some_and(|other| other == extension));
        let file = files.next().expect("there is a file");
        assert!(files.next().is_none(), "a context has one file");
        file
    }

    /// What is in the file while it is being written.
    fn so_far(&self) -> Trace {
        perfetto::read_unfinished(&fs::read(self.file(EXTENSION)).unwrap())
    }

    /// What is in the file once the guest has left.
    fn finish(self, guest: Guest) -> (Trace, TempDir) {
        drop(guest);
        let file = self.file(EXTENSION);
        self.thread.join().unwrap();
        (perfetto::read(&fs::read(file).unwrap()), self.folder)
    }
}

/// Lets ring 5 go on that waits for submission `seqno`, and waits for the ring.
fn submission(seqno: u64, tail: u32) -> Vec<u32> {
    [command::submit_virtqueue_seqno(5, seqno), command::wait_ring_seqno(5, tail)].concat()
}

/// A ring that has executed a command, slept, and waited for a direct submission, which has waited for the ring.
fn play(guest: &mut Guest, host: &Host) {
    let mut ring = guest.create_ring(5, 4096);
    let (reply, _memory) = guest.create_shmem(64);
    ring.send(&command::set_reply_stream(reply, 0, 64));
    guest.notify(&ring);
    ring.until_drained();
    until("idle", || ring.status() & STATUS_IDLE != 0);
    ring.send(&[command::wait_virtqueue_seqno(1), command::seek_reply_stream(8)].concat());
    guest.notify(&ring);
    until("the ring waits", || host.so_far().has_begun("wait direct submission"));
    guest.submit_and_wait(&submission(1, ring.tail));
    guest.submit_and_wait(&command::destroy_ring(ring.id));
}

#[test]
fn a_trace_shows_what_each_endpoint_did() {
    let (mut guest, host) = Host::start(true, false);
    play(&mut guest, &host);
    let (trace, _) = host.finish(guest);

    let wait = trace.only("wait direct submission");
    assert_eq!(wait.track, "ring 0x5");
    assert_eq!(wait.categories, ["wait"]);
    assert_eq!(wait.inside, ["vkWaitVirtqueueSeqnoMESA", "handler"]);
    let command = trace.only("vkWaitVirtqueueSeqnoMESA");
    assert!(command.inside.is_empty() && command.categories == ["command"]);
    assert!(command.from <= wait.from && wait.from < wait.to && wait.to <= command.to);
    assert_eq!(command.number("position"), Some(36));
    assert_eq!((command.number("request bytes"), command.number("reply bytes")), (Some(16), Some(0)));
    // What lets it go on comes after it began.
    assert!(trace.only("vkSubmitVirtqueueSeqnoMESA").from < wait.to);
    assert_eq!(trace.only("wait end of ring").inside, ["vkDestroyRingMESA", "handler"]);

    for name in ["decode", "handler"] {
        assert!(trace.named(name).all(|slice| slice.inside.len() == 1));
    }
    let commands: Vec<_> = trace.slices.iter().filter(|slice| slice.categories == ["command"]).collect();
    assert_eq!(trace.named("decode").count(), commands.len());
    assert_eq!(trace.named("handler").count(), commands.len());
    let mut numbers: Vec<_> = commands.iter().map(|slice| slice.number("number").unwrap()).collect();
    numbers.sort_unstable();
    assert!(numbers.iter().copied().eq(0..commands.len() as u64), "{numbers:?}");

    // The ring's thread polls or sleeps whenever it has no commands.
    for name in ["polling", "idle"] {
        assert!(trace.named(name).all(|slice| slice.track == "ring 0x5" && slice.inside.is_empty()), "{name}");
    }
    assert!(trace.named("polling").count() >= 2 && trace.named("idle").count() >= 1);
    let state = |at: u64| trace.slices.iter().find(|slice| slice.track == "ring 0x5" && slice.from == at);
    assert!(trace.named("idle").all(|idle| state(idle.from).is_some()));

    assert_eq!(trace.tracks["venus test"], 1);
    assert_eq!(trace.tracks["direct submissions"], 1);
    assert_eq!(trace.tracks["ring 0x5"], 1);
    // Fences of direct submissions alone retire at once.
    assert!(trace.named("fence").all(|fence| fence.track == "CPU timeline"));
    assert_eq!(trace.named("fence").count(), 3);
}

#[test]
fn counters_follow_the_context() {
    let (mut guest, host) = Host::start(true, false);
    let mut ring = guest.create_ring(5, 4096);
    guest.create_shmem(8192);
    // The ring waits for what does not come for now, and the rest is not executed.
    ring.send(&[command::wait_virtqueue_seqno(1), command::wait_virtqueue_seqno(1)].concat());
    guest.notify(&ring);
    let last = |name: &str| host.so_far().counters.get(name).and_then(|values| values.last().copied());
    until("the ring is seen to be filled", || last("ring 0x5 fill") == Some(32));
    assert_eq!(last("plain shared memory"), Some(4096 + 196 + 8192));
    assert_eq!(last("objects"), Some(0));
    guest.submit(&command::submit_virtqueue_seqno(5, 1));
    until("the ring is seen to be empty", || last("ring 0x5 fill") == Some(0));
    let (trace, _) = host.finish(guest);
    assert!(trace.counters["commands per second"].iter().any(|rate| *rate > 0));
    for (name, values) in &trace.counters {
        assert!(values.windows(2).all(|pair| pair[0] != pair[1]), "{name} repeats itself");
    }
}

#[test]
fn a_tracer_is_switched_off_and_on() {
    let (mut guest, host) = Host::start(false, false);
    let commands = |host: &Host, name: &str| host.so_far().named(name).count();
    let mut ring = guest.create_ring(5, 4096);
    assert!(host.so_far().slices.is_empty());
    // The ring is in the middle of a command when tracing begins, and in the middle of another when it ends.
    ring.send(&command::wait_virtqueue_seqno(1));
    guest.notify(&ring);
    assert!(host.switch.toggle());
    guest.submit_and_wait(&submission(1, ring.tail));
    ring.send(&command::wait_virtqueue_seqno(2));
    guest.notify(&ring);
    until("the second wait has begun", || host.so_far().has_begun("wait direct submission"));
    assert!(!host.switch.toggle());
    guest.submit_and_wait(&submission(2, ring.tail));
    until("the second wait is written to its end", || commands(&host, "vkWaitVirtqueueSeqnoMESA") >= 1);
    let submissions = commands(&host, "vkSubmitVirtqueueSeqnoMESA");
    assert!(submissions <= 1, "{submissions} submissions, of which one was made while the tracer was on");
    let (trace, _) = host.finish(guest);
    // Before it came what created the ring, at least, while the tracer was off.
    let number = trace.only("vkWaitRingSeqnoMESA").number("number");
    assert!(number >= Some(2), "commands are counted all the time: {number:?}");
}

#[test]
fn numbers_are_those_of_a_recording() {
    let (mut guest, host) = Host::start(true, true);
    play(&mut guest, &host);
    let recording = host.file(recording::EXTENSION);
    let (trace, _folder) = host.finish(guest);
    let bytes = fs::read(recording).unwrap();
    let mut reader = Reader::new(&bytes[..]).unwrap();
    let mut recorded = Vec::new();
    while let Some(record) = reader.next_record().unwrap() {
        if let Event::Begin { request, place } = record.event {
            let number = u32::from_le_bytes(request.as_ref()[..4].try_into().unwrap());
            recorded.push((CommandType(number).name().to_owned(), place.position));
        }
    }
    let commands = trace.slices.iter().filter(|slice| slice.categories == ["command"]);
    let mut traced: Vec<_> = commands.collect();
    traced.sort_by_key(|slice| slice.number("number"));
    let traced: Vec<_> = traced.iter().map(|slice| (slice.name.clone(), slice.number("position").unwrap())).collect();
    assert_eq!(traced, recorded);
}

#[test]
fn what_ends_a_context_is_in_its_trace() {
    let (mut guest, host) = Host::start(true, false);
    let ring = guest.create_ring(5, 4096);
    guest.submit_and_lose(&[0xffff, 0]);
    until("fatal", || ring.status() & STATUS_FATAL != 0);
    let (trace, _) = host.finish(guest);
    assert_eq!(trace.only("no command").track, "direct submissions");
    let [(name, arguments)] = &trace.instants[..] else { panic!("{:?}", trace.instants) };
    assert_eq!(name, "the context is lost");
    assert!(matches!(&arguments["reason"], Argument::Text(reason) if reason.contains("65535")), "{arguments:?}");
}

#[test]
fn every_beginning_of_a_trace_is_a_trace() {
    let (mut guest, host) = Host::start(true, false);
    play(&mut guest, &host);
    let file = host.file(EXTENSION);
    let (whole, folder) = host.finish(guest);
    let bytes = fs::read(file).unwrap();
    drop(folder);
    let mut seen = 0;
    for end in (0..bytes.len()).step_by(7).chain([bytes.len()]) {
        let slices = perfetto::read_unfinished(&bytes[..end]).slices.len();
        assert!(slices >= seen);
        seen = slices;
    }
    assert_eq!(seen, whole.slices.len());
}
