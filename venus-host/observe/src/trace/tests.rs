//! What only shows up close: overlap, full buffers, slices that nobody ends. What a whole context writes is in
//! `tests/trace.rs`.

#[path = "../../tests/perfetto/mod.rs"]
mod perfetto;

use std::{fs, sync::Arc};

use tempfile::TempDir;
use venus_host::{
    endpoint::{Command, EndpointObserver, Observer as _, Outcome, Place, Rest, Source, Span},
    limits,
};
use venus_protocol::wire::{CommandHeader, CommandType};

use self::perfetto::{Argument, Trace};
use super::{EXTENSION, Settings, Tracer, endpoint::EVENTS};

const RING: Source = Source::Ring(0x55);

/// vkQueueSubmit, with a reply.
const HEADER: CommandHeader = CommandHeader { command: CommandType::QUEUE_SUBMIT, flags: 1 };

/// The trace of a tracer that was driven by hand.
fn trace(play: impl FnOnce(&Arc<Tracer>)) -> Trace {
    let folder = TempDir::new().unwrap();
    let settings = Settings::new(folder.path().join("made"));
    let tracer = Tracer::create(&settings, "vk cube/é").unwrap();
    let path = tracer.path().to_owned();
    assert_eq!(path.extension().unwrap(), EXTENSION);
    assert!(path.file_name().unwrap().to_str().unwrap().starts_with("vk-cube---"));
    play(&tracer);
    assert_eq!(Arc::strong_count(&tracer), 1, "nobody else has it");
    drop(tracer);
    perfetto::read(&fs::read(path).unwrap())
}

/// A ring that is traced.
fn ring(tracer: &Tracer) -> Box<dyn EndpointObserver> {
    tracer.endpoint(RING, true).unwrap()
}

/// Where a ring's command stands.
fn place(position: u64) -> Place {
    Place { source: RING, depth: 0, position }
}

/// A command on the way, its number the position that it stands at.
fn begin(endpoint: &mut dyn EndpointObserver, position: u64) {
    endpoint.approach(place(position));
    let mut command = Command::new(place(position), HEADER, &[0; 32]);
    command.number = Some(position);
    endpoint.begin(&command);
}

/// A reply with that result.
fn reply(result: i32) -> Vec<u8> {
    [HEADER.command.0.to_le_bytes(), result.to_le_bytes()].concat()
}

#[test]
fn a_command_has_its_result_and_parts() {
    let trace = trace(|tracer| {
        let mut endpoint = ring(tracer);
        endpoint.rest(Rest::Polling);
        endpoint.enter();
        begin(&mut *endpoint, 7);
        endpoint.enter_span(Span::Wait("queue"));
        endpoint.exit_span();
        endpoint.enter_span(Span::Driver("vkQueueSubmit"));
        endpoint.exit_span();
        endpoint.end(place(7), Outcome::Done, &reply(-4));
        begin(&mut *endpoint, 8);
        endpoint.enter_span(Span::DriverWait("vkWaitForFences"));
        // The handler fails in the middle, and the command is tried again.
        endpoint.end(place(8), Outcome::Blocked, &[]);
    });
    let names: Vec<_> = trace.slices.iter().map(|slice| slice.name.as_str()).collect();
    let expected = "polling, decode, wait queue, driver vkQueueSubmit, handler, vkQueueSubmit, decode, \
                    wait vkWaitForFences, handler, vkQueueSubmit";
    assert_eq!(names.join(", "), expected);
    let [failed, again] = trace.named("vkQueueSubmit").collect::<Vec<_>>()[..] else { panic!("two commands") };
    assert_eq!((failed.number("number"), failed.number("position")), (Some(7), Some(7)));
    assert_eq!((failed.number("request bytes"), failed.number("reply bytes")), (Some(32), Some(8)));
    assert_eq!(failed.text("result"), Some("VK_ERROR_DEVICE_LOST"));
    assert_eq!(failed.text("outcome"), None);
    assert_eq!((again.number("number"), again.text("result")), (Some(8), None));
    assert_eq!(again.text("outcome"), Some("has to wait, will be tried again"));
    assert_eq!(trace.only("wait vkWaitForFences").categories, ["wait", "driver"]);
    assert_eq!(trace.tracks["ring 0x55"], 1);
}

#[test]
fn fences_that_overlap_have_rows_of_their_own() {
    let trace = trace(|tracer| {
        let first = tracer.fence(1);
        let second = tracer.fence(1);
        let other = tracer.fence(2);
        tracer.retired(first);
        let third = tracer.fence(1);
        tracer.retired(third);
        tracer.retired(second);
        tracer.retired(other);
        // A guest may ask for any number, and as often as it likes.
        for ring_idx in [limits::TIMELINES, u32::MAX] {
            tracer.retired(tracer.fence(ring_idx));
        }
        tracer.fence(3);
    });
    assert_eq!(trace.tracks["queue timeline 1"], 2);
    assert_eq!(trace.tracks["queue timeline 2"], 1);
    let on = |track: &str| trace.slices.iter().filter(|slice| slice.track == track).count();
    // The last one never retires and ends with the trace.
    assert_eq!([1, 2, 3].map(|n| on(&format!("queue timeline {n}"))), [3, 1, 1]);
    assert_eq!(trace.slices.len(), 5);
}

#[test]
fn a_full_buffer_loses_whole_slices_and_says_how_many() {
    /// More than there is room for.
    const COMMANDS: u64 = 50_000;
    const ROOM: u64 = EVENTS as u64 / 4;

    let mut dropped = 0;
    let trace = trace(|tracer| {
        let mut endpoint = ring(tracer);
        // Keeps the writer from its work.
        let writer = tracer.core.new_tracks.lock();
        begin(&mut *endpoint, 0);
        for n in 1..=COMMANDS {
            begin(&mut *endpoint, n);
            endpoint.enter_span(Span::Driver("vkQueueSubmit"));
            endpoint.exit_span();
            endpoint.end(place(n), Outcome::Done, &[]);
        }
        endpoint.end(place(0), Outcome::Done, &[]);
        drop(endpoint);
        drop(writer);
        // A second endpoint, so that the buffer that was full is used again.
        begin(&mut *ring(tracer), 0);
    });
    for (name, arguments) in &trace.instants {
        let [Argument::Number(slices)] = arguments.values().collect::<Vec<_>>()[..] else { panic!("{arguments:?}") };
        assert_eq!(name, "slices were left out");
        dropped += slices;
    }
    let commands = trace.named("vkQueueSubmit").count() as u64;
    assert!((ROOM - 2..=ROOM + 2).contains(&commands), "{commands} commands found room");
    let spans = trace.named("driver vkQueueSubmit").count() as u64;
    assert!(spans <= commands, "{spans} driver calls in {commands} commands");
    // The last that found room may have had none for its driver call.
    let all = commands + dropped;
    assert!(all == COMMANDS + 2 || all == COMMANDS + 3, "{commands} commands and {dropped} slices left out");
    assert!(trace.named("vkQueueSubmit").any(|slice| slice.inside.is_empty() && slice.number("number") == Some(0)));
}

#[test]
fn what_nobody_ends_ends_with_its_endpoint_or_the_trace() {
    let mut survivor = None;
    let trace = trace(|tracer| {
        let mut gone = ring(tracer);
        begin(&mut *gone, 0);
        gone.enter_span(Span::Driver("vkQueueSubmit"));
        drop(gone);
        let mut stuck = tracer.endpoint(Source::Direct, true).unwrap();
        begin(&mut *stuck, 1);
        stuck.enter_span(Span::Driver("vkQueueSubmit"));
        survivor = Some(stuck);
    });
    assert_eq!(trace.named("vkQueueSubmit").count(), 2);
    assert_eq!(trace.named("driver vkQueueSubmit").count(), 2);
    // Nobody listens any more.
    drop(survivor);
}

#[test]
fn endpoints_say_much_at_once() {
    const COMMANDS: u64 = 2_000;
    let trace = trace(|tracer| {
        std::thread::scope(|threads| {
            for ring in 0..4 {
                threads.spawn(move || {
                    let mut endpoint = tracer.endpoint(Source::Ring(ring), true).unwrap();
                    for n in 0..COMMANDS {
                        begin(&mut *endpoint, n);
                        endpoint.end(place(n), Outcome::Done, &[]);
                        if n % 100 == 0 {
                            endpoint.rest(Rest::Idle);
                            std::thread::yield_now();
                            endpoint.enter();
                        }
                    }
                });
            }
        });
    });
    assert!(trace.instants.is_empty(), "there was room for all");
    for ring in 0..4 {
        let on_ring: Vec<_> = trace.slices.iter().filter(|slice| slice.track == format!("ring {ring:#x}")).collect();
        let commands = on_ring.iter().filter(|slice| slice.categories == ["command"]);
        let numbers: Vec<_> = commands.map(|slice| slice.number("position").unwrap()).collect();
        assert!(numbers.iter().copied().eq(0..COMMANDS), "ring {ring} is out of order");
    }
}

#[test]
fn a_folder_that_cannot_be_made_is_said() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let settings = Settings::new(file.path().join("below"));
    let error = Tracer::create(&settings, "test").unwrap_err().to_string();
    assert!(error.starts_with("cannot trace into "), "{error}");
}
