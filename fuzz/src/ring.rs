//! A guest of a context whose rings have threads of their own, on the noting driver, and a second thread of the guest that
//! writes over their shared memory meanwhile.
//!
//! What comes of one input depends on who is faster, so a finding need not come again at once; what must hold is the same for
//! each order.

use std::{
    hint,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use mock_driver::Mock;
use venus_host::{
    context::{Context, Options},
    resource::HostMapping,
};
use venus_verify::content::ring::{BUFFER, BUFFER_BYTES, HEAD, TAIL};

use crate::{
    guest::{Guest, Memory, Service, budget, config},
    source::Source,
};

/// What one guest may do, so that each is over soon.
const STEPS: usize = 48;
/// Words that are written over and over.
const WORDS: usize = 16;
/// How often a word that comes back is written at a time.
const FLIPS: usize = 16;
/// Longest wait for rings to come to what was sent: most take much less.
const PATIENCE: Duration = Duration::from_micros(300);

/// An input of the target `ring`.
pub fn race(data: &[u8]) {
    let mock = Mock::take();
    let mut source = Source::new(data);
    let words = (0..source.below(WORDS + 1)).map(|_| word(&mut source)).collect::<Vec<_>>();
    let shared = Arc::new(Shared::default());
    let scribbler = thread::spawn({
        let shared = Arc::clone(&shared);
        move || shared.scribble(&words)
    });
    // What only another thread of the guest could end does not last.
    let options = Options::new("fuzz", config(&mock)).budget(budget()).abandoned(|| true);
    let service = Raced { context: Context::new(options), shared: Arc::clone(&shared) };
    let mut guest = Guest::new(&mock, source, service, 1).expect("shared memory");
    for _ in 0..STEPS {
        if guest.source.is_empty() || guest.service.is_lost() {
            break;
        }
        guest.step();
    }
    drop(guest);
    shared.is_over.store(true, Ordering::Relaxed);
    scribbler.join().expect("it does not panic");
    mock.assert_clean();
}

/// What is written over and over.
struct Word {
    at: usize,
    bytes: Vec<u8>,
    /// Whether what was there comes back each time: so one who looks twice may see two different things.
    comes_back: bool,
    /// Rounds of doing nothing in between.
    spins: u8,
}

/// A word: most often where something is that the ring looks at.
fn word(source: &mut Source<'_>) -> Word {
    let at = match source.byte() {
        0..0x60 => TAIL,
        0x60..0x70 => HEAD,
        0x70..0xe0 => BUFFER + source.below(BUFFER_BYTES),
        _ => source.below(BUFFER + BUFFER_BYTES),
    };
    let value = source.number().to_le_bytes();
    let how = source.byte();
    let bytes = value[..if how & 1 == 0 { 4 } else { 8 }].to_vec();
    Word { at: at & !3, bytes, comes_back: how & 2 == 0, spins: how >> 2 }
}

impl Word {
    fn write(&self, memory: &HostMapping) {
        let spin = || (0..self.spins).for_each(|_| hint::spin_loop());
        if !self.comes_back {
            return memory.put(self.at, &self.bytes);
        }
        for _ in 0..FLIPS {
            let mut before = [0; 8];
            let before = &mut before[..self.bytes.len()];
            memory.get(self.at, before);
            memory.put(self.at, &self.bytes);
            spin();
            memory.put(self.at, before);
            spin();
        }
    }
}

/// What both threads of the guest have.
#[derive(Default)]
struct Shared {
    memory: Mutex<Vec<HostMapping>>,
    is_over: AtomicBool,
}

impl Shared {
    fn scribble(&self, words: &[Word]) {
        while !self.is_over.load(Ordering::Relaxed) && !words.is_empty() {
            let memory = self.memory.lock().expect("nobody panics with it").clone();
            for word in words {
                memory.iter().for_each(|memory| word.write(memory));
                thread::yield_now();
            }
        }
    }

    /// Whether a ring may have something left to do.
    fn is_behind(&self) -> bool {
        let word = |memory: &HostMapping, at| {
            let mut bytes = [0; 4];
            memory.get(at, &mut bytes);
            u32::from_le_bytes(bytes)
        };
        self.memory.lock().expect("nobody panics with it").iter().any(|memory| word(memory, HEAD) != word(memory, TAIL))
    }
}

/// A context whose guest has two threads.
struct Raced {
    context: Context,
    shared: Arc<Shared>,
}

impl Service for Raced {
    type Memory = HostMapping;

    fn submit(&mut self, stream: &[u8]) -> bool {
        Service::submit(&mut self.context, stream)
    }

    fn is_lost(&self) -> bool {
        Service::is_lost(&self.context)
    }

    fn create_blob(&mut self, resource: u32, flags: u32, memory: u64, size: u64) -> bool {
        Service::create_blob(&mut self.context, resource, flags, memory, size)
    }

    fn map(&mut self, resource: u32) -> Option<HostMapping> {
        let mapping = Service::map(&mut self.context, resource)?;
        self.shared.memory.lock().expect("nobody panics with it").push(mapping.clone());
        Some(mapping)
    }

    fn unref(&mut self, resource: u32) {
        Service::unref(&mut self.context, resource);
    }

    fn fence(&mut self, ring_idx: u32) {
        Service::fence(&mut self.context, ring_idx);
    }

    /// Gives rings time for what was sent.
    fn process_rings(&mut self) {
        let begun = Instant::now();
        while self.shared.is_behind() && begun.elapsed() < PATIENCE && !self.is_lost() {
            thread::yield_now();
        }
    }

    /// A ring may be told to reply to where the others do.
    fn keeps_replies(&self) -> bool {
        false
    }
}
