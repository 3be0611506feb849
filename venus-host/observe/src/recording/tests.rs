//! What is recorded comes back, however the file ends.

use std::{fs, path::PathBuf};

use tempfile::TempDir;
use venus_host::{
    driver,
    endpoint::{self, BlobRequest, Command, Observer as _, Place, Source},
    error::HostError,
    resource::{BlobFlags, ResourceId},
};
use venus_protocol::wire::{CommandHeader, CommandType};

use super::{Ending, Event, Outcome, ReadError, Reader, Recorder, Settings};

const HEADER: CommandHeader = CommandHeader { command: CommandType::CREATE_BUFFER, flags: 1 };

const RING: Source = Source::Ring(0x55);

fn place(position: u64) -> Place {
    Place { source: RING, depth: 0, position }
}

fn record(settings: &Settings, play: impl FnOnce(&Recorder)) -> PathBuf {
    let recorder = Recorder::create(settings, "vk cube/é", &driver::Config::default()).unwrap();
    play(&recorder);
    recorder.path().to_owned()
}

fn settings(folder: &TempDir) -> Settings {
    Settings::new(folder.path().join("made"))
}

/// Everything in a file, as text, and how it ends.
fn read(bytes: &[u8]) -> (Vec<String>, Ending) {
    let mut reader = Reader::new(bytes).unwrap();
    let mut records = Vec::new();
    let mut before = 0;
    while let Some(record) = reader.next_record().unwrap() {
        assert!(record.time_ns >= before, "time runs backwards");
        before = record.time_ns;
        records.push(format!("{:?}", record.event));
    }
    assert!(reader.next_record().unwrap().is_none(), "the end is not the end");
    (records, reader.ending().unwrap())
}

fn play_a_little(recorder: &Recorder) {
    let mut ring = recorder.endpoint(RING, true).unwrap();
    let mut direct = recorder.endpoint(Source::Direct, true).unwrap();
    recorder.blob(
        &BlobRequest::new(ResourceId(1), BlobFlags::MAPPABLE, 0, 4096),
        Err(&HostError::Unsupported("the context is being destroyed".into())),
    );
    ring.begin(&Command::new(place(0), HEADER, b"request"));
    ring.end(place(0), endpoint::Outcome::Done, b"reply");
    direct.stream(ResourceId(3), 64, b"stream");
    ring.undecodable(place(7), b"rest", &HostError::fatal("vkCmdDraw", "is wrong"));
    let number = recorder.fence(2);
    recorder.retired(number);
    recorder.unref(ResourceId(1));
    recorder.lost("for a reason");
    recorder.left();
}

const LITTLE: [&str; 10] = [
    "Blob { resource: 1, flags: 1, blob_id: 0, size: 4096, error: Some(\"the context is being destroyed\") }",
    "Begin { place: Place { source: Ring(85), depth: 0, position: 0 }, request: 7 bytes }",
    "End { source: Ring(85), depth: 0, outcome: Done, reply: 5 bytes }",
    "Stream { source: Direct, resource: 3, offset: 64, bytes: 6 bytes }",
    "Undecodable { place: Place { source: Ring(85), depth: 0, position: 7 }, bytes: 4 bytes, reason: \"vkCmdDraw: is wrong\" }",
    "Fence { ring_idx: 2, number: 0 }",
    "Retired { number: 0 }",
    "Unref { resource: 1 }",
    "Lost { reason: \"for a reason\" }",
    "Left",
];

#[test]
fn what_is_recorded_comes_back() {
    let folder = TempDir::new().unwrap();
    for immediate in [false, true] {
        let path = record(&settings(&folder).immediate(immediate), play_a_little);
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(name.starts_with("vk-cube---") && name.ends_with(".venusrec"), "{name}");
        let bytes = fs::read(path).unwrap();
        let reader = Reader::new(&*bytes).unwrap();
        assert_eq!((&*reader.header().name, &*reader.header().profile), ("vk cube/é", "native"));
        assert_eq!(read(&bytes), (LITTLE.map(str::to_owned).to_vec(), Ending::Complete));
    }
}

#[test]
fn each_command_is_in_the_file_before_it_is_executed_if_asked() {
    let folder = TempDir::new().unwrap();
    record(&settings(&folder).immediate(true), |recorder| {
        recorder.endpoint(RING, true).unwrap().begin(&Command::new(place(0), HEADER, b"request"));
        let bytes = fs::read(recorder.path()).unwrap();
        assert_eq!(read(&bytes), (vec![LITTLE[1].to_owned()], Ending::Open { bytes: bytes.len() as u64 }));
    });
}

#[test]
fn a_file_that_was_cut_is_read_up_to_the_cut() {
    let folder = TempDir::new().unwrap();
    let path = record(&settings(&folder).immediate(true), play_a_little);
    let bytes = fs::read(path).unwrap();
    let (whole, _) = read(&bytes);
    let mut last = 0;
    for cut in 0..bytes.len() {
        match Reader::new(&bytes[..cut]) {
            Err(ReadError::NotARecording | ReadError::NoHeader(_)) => assert_eq!(last, 0, "cut at {cut}"),
            Err(error) => panic!("cut at {cut}: {error}"),
            Ok(_) => {
                let (records, ending) = read(&bytes[..cut]);
                assert!(records.len() >= last && whole.starts_with(&records), "cut at {cut}");
                assert!(matches!(ending, Ending::Open { .. } | Ending::Cut { .. }), "cut at {cut}: {ending}");
                last = records.len();
            }
        }
    }
    assert_eq!(last, whole.len() - 1);
}

#[test]
fn damage_is_found_and_ends_the_reading() {
    let folder = TempDir::new().unwrap();
    let path = record(&settings(&folder).immediate(true), play_a_little);
    let bytes = fs::read(path).unwrap();
    let (whole, _) = read(&bytes);
    for at in 0..bytes.len() {
        let mut bytes = bytes.clone();
        bytes[at] ^= 0xff;
        let Ok(_) = Reader::new(&*bytes) else { continue };
        let (records, ending) = read(&bytes);
        assert!(records.len() < whole.len() && whole.starts_with(&records), "byte {at}");
        assert!(matches!(ending, Ending::Damaged { .. } | Ending::Cut { .. }), "byte {at}: {ending}");
    }
}

#[test]
fn much_is_recorded_in_order_from_many_threads() {
    const THREADS: u64 = 4;
    const COMMANDS: u64 = 2_000;
    let folder = TempDir::new().unwrap();
    let path = record(&settings(&folder), |recorder| {
        std::thread::scope(|scope| {
            for thread in 0..THREADS {
                scope.spawn(move || {
                    let source = Source::Ring(thread);
                    let mut ring = recorder.endpoint(source, true).unwrap();
                    for position in 0..COMMANDS {
                        let place = Place { source, depth: 0, position };
                        ring.begin(&Command::new(place, HEADER, &[position as u8; 200]));
                        ring.end(place, endpoint::Outcome::Done, &[]);
                    }
                });
            }
        });
    });
    let mut reader = Reader::open(&path).unwrap();
    let mut next = [0; THREADS as usize];
    let mut open = [false; THREADS as usize];
    while let Some(record) = reader.next_record().unwrap() {
        match record.event {
            Event::Begin { place: Place { source: Source::Ring(ring), position, .. }, request } => {
                assert_eq!((position, &*request), (next[ring as usize], &[position as u8; 200][..]));
                assert!(!std::mem::replace(&mut open[ring as usize], true));
                next[ring as usize] += 1;
            }
            Event::End { source: Source::Ring(ring), outcome: Outcome::Done, .. } => {
                assert!(std::mem::replace(&mut open[ring as usize], false));
            }
            other => panic!("{other:?} was not recorded"),
        }
    }
    assert_eq!(next, [COMMANDS; THREADS as usize]);
    assert!(matches!(reader.ending(), Some(Ending::Open { .. })));
}
