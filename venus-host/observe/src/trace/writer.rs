//! Writes a trace: from the buffers of a context's endpoints to a file.
//!
//! A thread of the tracer empties the buffers a hundred times a second, samples the counters, and appends whole packets
//! to the file. So the trace of a killed process lacks its last hundredth of a second, and the ends of open slices.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Write as _},
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use super::{
    counters::Counter,
    encoder::{Endpoint, Sequence, Value},
    endpoint::{Event, Track},
    fences::{self, Row},
    schema::{
        ClockSnapshot, CounterDescriptor, ProcessDescriptor, ThreadDescriptor, TracePacket, TrackDescriptor, Unit,
    },
    system,
    tracer::Core,
};

/// How often buffers are emptied and counters sampled.
const PERIOD: Duration = Duration::from_millis(10);

/// The same while the tracer is off, to write what is left and to notice that it is on again.
const PERIOD_OFF: Duration = Duration::from_millis(100);

/// Bytes that are gathered before they are written.
const WRITE_BYTES: usize = 1 << 20;

/// Sequences of packets are numbered: first what is not an endpoint's, then the endpoints.
const FENCES: u32 = 1;
const COUNTERS: u32 = 2;
const ENDPOINTS: u32 = 3;

/// An endpoint, as the writer knows it.
struct Written {
    track: Arc<Track>,
    uuid: u64,
    endpoint: Endpoint,
    is_declared: bool,
}

/// The writing end.
pub(super) struct Writer {
    core: Arc<Core>,
    file: File,
    /// Packets that are not in the file yet.
    trace: Vec<u8>,
    process: i32,
    process_track: u64,
    next_uuid: u64,
    next_sequence: u32,
    written: Vec<Written>,
    /// An empty buffer for the next endpoint.
    spare: Vec<Event>,
    fences: Sequence,
    /// Tracks of fences, and whether one is pending there.
    rows: BTreeMap<Row, (u64, bool)>,
    counts: Sequence,
    /// Tracks of counters, and their last values.
    counters: BTreeMap<Counter, (u64, u64)>,
    /// When the rate of commands was last computed, and the number of commands then.
    counted: (u64, u64),
    dropped: u64,
}

impl Writer {
    pub(super) fn new(core: Arc<Core>, file: File, name: &str) -> Self {
        let process = system::process();
        // Different from those of other traces, so that several can be merged.
        let process_track = mix(u64::from(process.unsigned_abs()) ^ mix(system::now()));
        let mut writer = Self {
            core,
            file,
            trace: Vec::new(),
            process,
            process_track,
            next_uuid: process_track,
            next_sequence: ENDPOINTS,
            written: Vec::new(),
            spare: Vec::new(),
            fences: Sequence::new(FENCES, process_track),
            rows: BTreeMap::new(),
            counts: Sequence::new(COUNTERS, process_track),
            counters: BTreeMap::new(),
            counted: (system::now(), 0),
            dropped: 0,
        };
        writer.packet(TracePacket {
            timestamp: Some(system::now()),
            clock_snapshot: Some(ClockSnapshot { clocks: system::clocks() }),
            ..TracePacket::default()
        });
        writer.declare(TrackDescriptor {
            uuid: Some(process_track),
            process: Some(ProcessDescriptor { pid: Some(process), process_name: Some(format!("venus {name}")) }),
            ..TrackDescriptor::default()
        });
        writer
    }

    /// The body of the tracer's thread.
    pub(super) fn write_on(&mut self) {
        loop {
            let is_ending = {
                let mut is_ending = self.core.is_ending.lock();
                if !*is_ending {
                    let period = if self.core.is_on() { PERIOD } else { PERIOD_OFF };
                    self.core.wake.wait_for(&mut is_ending, period);
                }
                *is_ending
            };
            self.write_endpoints();
            self.write_fences();
            self.write_counters();
            if is_ending {
                self.finish();
            }
            self.write_out();
            if is_ending {
                return;
            }
        }
    }

    fn write_endpoints(&mut self) {
        let new = std::mem::take(&mut *self.core.new_tracks.lock());
        for track in new {
            let uuid = self.new_uuid();
            let endpoint = Endpoint::new(Sequence::new(self.next_sequence, uuid));
            self.next_sequence = self.next_sequence.wrapping_add(1);
            self.written.push(Written { track, uuid, endpoint, is_declared: false });
        }
        let mut written = std::mem::take(&mut self.written);
        written.retain_mut(|endpoint| !self.write_endpoint(endpoint));
        self.written = written;
    }

    /// Writes the events of an endpoint; true if the endpoint is gone.
    fn write_endpoint(&mut self, written: &mut Written) -> bool {
        let mut taken = written.track.take(std::mem::take(&mut self.spare));
        if !taken.events.is_empty() && !std::mem::replace(&mut written.is_declared, true) {
            self.declare(self.describe(&written.track, written.uuid));
        }
        for event in taken.events.drain(..) {
            written.endpoint.append(&mut self.trace, event);
            if self.trace.len() >= WRITE_BYTES {
                self.write_out();
            }
        }
        self.spare = taken.events;
        if taken.dropped > 0 {
            self.dropped = self.dropped.saturating_add(taken.dropped);
            written.endpoint.miss(&mut self.trace, taken.dropped);
        }
        taken.has_ended
    }

    fn describe(&self, track: &Track, uuid: u64) -> TrackDescriptor {
        let name = Some(track.name.clone());
        let uuid = Some(uuid);
        match track.thread.get() {
            Some(&thread) if track.is_thread => TrackDescriptor {
                uuid,
                thread: Some(ThreadDescriptor { pid: Some(self.process), tid: Some(thread), thread_name: name }),
                ..TrackDescriptor::default()
            },
            _ => TrackDescriptor { uuid, name, parent_uuid: Some(self.process_track), ..TrackDescriptor::default() },
        }
    }

    fn write_fences(&mut self) {
        let (events, dropped) = self.core.fences.take();
        for event in events {
            match event {
                fences::Event::Fence { at, row } => {
                    let track = self.row(row);
                    self.fences.begin(&mut self.trace, at, Some(track), (&["fence"], ("fence", "")), &[]);
                    self.rows.insert(row, (track, true));
                }
                fences::Event::Retired { at, row } => {
                    let track = self.row(row);
                    self.fences.end(&mut self.trace, at, Some(track), &[]);
                    self.rows.insert(row, (track, false));
                }
                fences::Event::Lost { at, reason } => {
                    let arguments = [("reason", Value::Text(&reason))];
                    self.fences.instant(&mut self.trace, at, ("the context is lost", ""), &arguments);
                }
            }
        }
        if dropped > 0 {
            self.dropped = self.dropped.saturating_add(dropped);
            let arguments = [("fences", Value::Number(dropped))];
            self.fences.instant(&mut self.trace, self.fences.last(), ("fences were left out", ""), &arguments);
        }
    }

    /// The track of that row.
    fn row(&mut self, row: Row) -> u64 {
        if let Some((track, _)) = self.rows.get(&row) {
            return *track;
        }
        let name = match row.ring_idx {
            0 => "CPU timeline".to_owned(),
            ring_idx => format!("queue timeline {ring_idx}"),
        };
        self.new_track(name, None)
    }

    fn write_counters(&mut self) {
        if !self.core.is_on() {
            return;
        }
        let mut samples = self.core.watched.sample();
        let now = system::now();
        // A ring that has gone is empty.
        for &counter in self.counters.keys() {
            if matches!(counter, Counter::RingFill(_)) && !samples.iter().any(|(other, _)| *other == counter) {
                samples.push((counter, 0));
            }
        }
        let commands = self.core.commands.load(Ordering::Relaxed);
        let (before, commands_before) = std::mem::replace(&mut self.counted, (now, commands));
        let elapsed = now.saturating_sub(before).max(1);
        let per_second = u128::from(commands.saturating_sub(commands_before)).saturating_mul(1_000_000_000);
        let rate = per_second.checked_div(u128::from(elapsed)).unwrap_or_default();
        samples.push((Counter::CommandsPerSecond, u64::try_from(rate).unwrap_or(u64::MAX)));
        for (counter, value) in samples {
            self.count(now, counter, value);
        }
    }

    fn count(&mut self, at: u64, counter: Counter, value: u64) {
        let track = match self.counters.get(&counter) {
            Some((_, last)) if *last == value => return,
            Some((track, _)) => *track,
            None => {
                let (unit, unit_name) = match counter {
                    Counter::CommandsPerSecond => (Unit::Unspecified, Some("commands/s".to_owned())),
                    counter if counter.is_bytes() => (Unit::SizeBytes, None),
                    _ => (Unit::Count, None),
                };
                self.new_track(counter.name(), Some(CounterDescriptor { unit: Some(unit.into()), unit_name }))
            }
        };
        self.counts.count(&mut self.trace, at, track, value);
        self.counters.insert(counter, (track, value));
    }

    /// Ends all open slices: those of endpoints that are gone, and of fences that will not retire.
    fn finish(&mut self) {
        let now = system::now();
        for written in &mut self.written {
            written.endpoint.finish(&mut self.trace, now);
        }
        for (track, is_pending) in self.rows.values_mut() {
            if std::mem::take(is_pending) {
                self.fences.end(&mut self.trace, now, Some(*track), &[]);
            }
        }
        if self.dropped > 0 {
            tracing::warn!(
                "{} lacks {} slices for which there was no room; the trace says where",
                self.core.path.display(),
                self.dropped
            );
        }
    }

    fn new_track(&mut self, name: String, counter: Option<CounterDescriptor>) -> u64 {
        let uuid = self.new_uuid();
        let parent_uuid = Some(self.process_track);
        self.declare(TrackDescriptor {
            uuid: Some(uuid),
            name: Some(name),
            parent_uuid,
            counter,
            ..TrackDescriptor::default()
        });
        uuid
    }

    fn new_uuid(&mut self) -> u64 {
        self.next_uuid = self.next_uuid.wrapping_add(1);
        self.next_uuid
    }

    fn declare(&mut self, track: TrackDescriptor) {
        self.packet(TracePacket { track_descriptor: Some(track), ..TracePacket::default() });
    }

    /// Appends a packet that needs nothing of a sequence but its number.
    fn packet(&mut self, packet: TracePacket) {
        TracePacket { trusted_packet_sequence_id: Some(FENCES), ..packet }.append_to(&mut self.trace);
    }

    fn write_out(&mut self) {
        let written = match self.core.is_broken.load(Ordering::Relaxed) || self.trace.is_empty() {
            true => Ok(()),
            false => self.file.write_all(&self.trace),
        };
        self.trace.clear();
        if let Err(error) = written {
            self.give_up(&error);
        }
    }

    #[cold]
    fn give_up(&self, error: &io::Error) {
        self.core.is_broken.store(true, Ordering::Relaxed);
        tracing::error!("cannot write to {}, the trace ends here: {error}", self.core.path.display());
    }
}

/// Spreads the bits of a number: the last step of splitmix64.
fn mix(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}
