//! The order of things, with a stage that takes notes instead of executing.

use std::{
    sync::{Arc, mpsc},
    thread,
};

use parking_lot::Mutex;

use super::*;
use crate::recording::Bytes;

/// What happened, in order.
type Notes = Arc<Mutex<Vec<String>>>;

/// Takes notes instead of executing. Jobs named in `gates` wait for a word.
struct Notebook {
    workers: Arc<Workers<Task, End>>,
    notes: Notes,
    gates: Vec<(u64, mpsc::Receiver<()>)>,
    retired: Vec<u64>,
}

impl Stage for Notebook {
    fn open(&mut self, _source: Source, worker: WorkerId) -> Result<(), ReplayError> {
        let (workers, notes) = (Arc::clone(&self.workers), Arc::clone(&self.notes));
        let gates = if worker.0 == 0 { std::mem::take(&mut self.gates) } else { Vec::new() };
        thread::spawn(move || {
            workers.work(worker, |task, _| {
                if let Task::Command(command) = &task
                    && let Some((_, gate)) = gates.iter().find(|(number, _)| *number == command.number)
                {
                    gate.recv().unwrap();
                }
                notes.lock().push(match task {
                    Task::Command(command) => format!("#{}", command.number),
                    Task::SeekReply { position } => format!("seek {position}"),
                    Task::Pass { position } => format!("pass {position}"),
                    Task::Blob { resource, .. } => format!("blob {resource}"),
                    Task::Unref { resource } => format!("unref {resource}"),
                    Task::Fence { number, .. } => format!("fence {number}"),
                });
            });
        });
        Ok(())
    }

    fn write_memory(&mut self, resource: u32, _offset: u64, _bytes: &[u8]) {
        self.notes.lock().push(format!("memory {resource}"));
    }

    fn retired(&mut self, number: u64) {
        self.retired.push(number);
    }

    fn wait_retired(&mut self, number: u64) -> Result<(), ReplayError> {
        self.notes.lock().push(format!("retired {number}"));
        Ok(())
    }

    fn is_lost(&self) -> bool {
        false
    }
}

struct Fixture {
    workers: Arc<Workers<Task, End>>,
    notes: Notes,
}

impl Fixture {
    fn new() -> Self {
        Self { workers: Arc::new(Workers::new(Duration::from_secs(60))), notes: Notes::default() }
    }

    fn stage(&self, gates: Vec<(u64, mpsc::Receiver<()>)>) -> Notebook {
        Notebook { workers: Arc::clone(&self.workers), notes: Arc::clone(&self.notes), gates, retired: Vec::new() }
    }

    fn notes(&self) -> Vec<String> {
        self.workers.wait_for_all().unwrap();
        self.notes.lock().clone()
    }
}

const RING: Source = Source::Ring(0x10);

fn request(command: CommandType, argument: u64) -> Vec<u8> {
    [command.0.to_le_bytes().as_slice(), &0_u32.to_le_bytes(), &argument.to_le_bytes()].concat()
}

fn begin(source: Source, depth: u8, request: &[u8]) -> Event<'_> {
    Event::Begin { place: Place { source, depth, position: 64 }, request: request.into() }
}

fn end(source: Source, depth: u8) -> Event<'static> {
    Event::End { source, depth, outcome: Outcome::Done, reply: Bytes::from(&[][..]) }
}

fn play(sequencer: &mut Sequencer<'_, Notebook>, event: Event<'_>) -> Result<Flow, ReplayError> {
    sequencer.play(&Record { time_ns: 0, event })
}

fn create_ring() -> Vec<u8> {
    request(CommandType::CREATE_RING_MESA, 0x10)
}

#[test]
fn a_command_waits_for_what_was_over_elsewhere() {
    let fixture = Fixture::new();
    let (release, gate) = mpsc::channel();
    let mut sequencer = Sequencer::new(&fixture.workers, fixture.stage(vec![(1, gate)]), None, false);
    let draw = request(CommandType::CMD_DRAW, 1);
    for event in [
        begin(Source::Direct, 0, &create_ring()),
        end(Source::Direct, 0),
        // #1 is stuck and overlaps with #2.
        begin(Source::Direct, 0, &draw),
        begin(RING, 0, &draw),
        end(RING, 0),
    ] {
        play(&mut sequencer, event).unwrap();
    }
    while !fixture.notes.lock().contains(&"#2".to_owned()) {
        thread::yield_now();
    }
    assert_eq!(*fixture.notes.lock(), ["#0", "#2"]);
    play(&mut sequencer, end(Source::Direct, 0)).unwrap();
    thread::scope(|scope| {
        let player = scope.spawn(|| {
            play(&mut sequencer, begin(RING, 0, &draw)).unwrap();
            play(&mut sequencer, end(RING, 0)).unwrap();
        });
        assert!(!fixture.notes.lock().contains(&"#3".to_owned()));
        release.send(()).unwrap();
        player.join().unwrap();
    });
    assert_eq!(fixture.notes(), ["#0", "#2", "#1", "#3"]);
}

#[test]
fn commands_of_streams_are_done_one_by_one_and_the_outer_one_passes_on() {
    let fixture = Fixture::new();
    let mut sequencer = Sequencer::new(&fixture.workers, fixture.stage(Vec::new()), None, false);
    let execute = request(CommandType::EXECUTE_COMMAND_STREAMS_MESA, 0);
    let draw = request(CommandType::CMD_DRAW, 1);
    for event in [
        begin(Source::Direct, 0, &create_ring()),
        end(Source::Direct, 0),
        begin(RING, 0, &execute),
        Event::Stream { source: RING, resource: 3, offset: 0, bytes: Bytes::from(&draw[..]) },
        begin(RING, 1, &draw),
        end(RING, 1),
        end(RING, 0),
    ] {
        play(&mut sequencer, event).unwrap();
    }
    assert_eq!(sequencer.commands(), 3);
    assert_eq!(fixture.notes(), ["#0", "#2", "pass 80"]);
}

#[test]
fn resources_fences_and_memory_keep_their_places() {
    let fixture = Fixture::new();
    let mut sequencer = Sequencer::new(&fixture.workers, fixture.stage(Vec::new()), None, false);
    let draw = request(CommandType::CMD_DRAW, 1);
    for event in [
        Event::Blob { resource: 5, flags: 1, blob_id: 0, size: 4096, error: None },
        begin(Source::Direct, 0, &create_ring()),
        end(Source::Direct, 0),
        Event::Fence { ring_idx: 1, number: 0 },
        Event::Memory { resource: 5, offset: 0, bytes: Bytes::from(&[1, 2][..]) },
        begin(RING, 0, &draw),
        end(RING, 0),
        Event::Retired { number: 0 },
        Event::Unref { resource: 5 },
        Event::Left,
    ] {
        play(&mut sequencer, event).unwrap();
    }
    assert_eq!(fixture.notes(), ["blob 5", "#0", "fence 0", "memory 5", "#1", "retired 0", "unref 5"]);
    assert_eq!(sequencer.into_stage().retired, [0]);
}

#[test]
fn it_ends_after_the_command_that_was_asked_for() {
    let fixture = Fixture::new();
    let mut sequencer = Sequencer::new(&fixture.workers, fixture.stage(Vec::new()), Some(1), false);
    let draw = request(CommandType::CMD_DRAW, 1);
    let mut flows = Vec::new();
    for _ in 0..3 {
        flows.push(play(&mut sequencer, begin(Source::Direct, 0, &draw)).unwrap());
        if flows.last() == Some(&Flow::Continue) {
            play(&mut sequencer, end(Source::Direct, 0)).unwrap();
        }
    }
    assert_eq!(flows, [Flow::Continue, Flow::Continue, Flow::Stop]);
    assert_eq!(fixture.notes(), ["#0", "#1"]);
}

#[test]
fn records_that_make_no_sense_are_refused() {
    let fixture = Fixture::new();
    let draw = request(CommandType::CMD_DRAW, 1);
    for event in [
        begin(RING, 0, &draw),
        begin(Source::Direct, 1, &draw),
        end(Source::Direct, 0),
        end(RING, 1),
        begin(Source::Direct, 0, &draw[..7]),
    ] {
        let mut sequencer = Sequencer::new(&fixture.workers, fixture.stage(Vec::new()), None, false);
        assert!(matches!(play(&mut sequencer, event.clone()), Err(ReplayError::Damaged(_))), "{event:?}");
    }
    let mut sequencer = Sequencer::new(&fixture.workers, fixture.stage(Vec::new()), None, false);
    play(&mut sequencer, begin(Source::Direct, 0, &draw)).unwrap();
    let inner = play(&mut sequencer, begin(Source::Direct, 0, &draw));
    assert!(matches!(inner, Err(ReplayError::Damaged(_))), "a command inside of another");
}
