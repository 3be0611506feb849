//! Where a context stands, in memory that outlives the process which serves it.
//!
//! A driver that crashes takes its process along, and with it everything that could say what happened. So the little that
//! a survivor wants to know is kept in a memory file, which the process's server holds as well: the guest's name, whether
//! it was ever answered, and for each endpoint the command that it is in. An endpoint pays one relaxed store per command
//! for it, into a cache line of its own.
//!
//! | offset | bytes | what |
//! |-------:|------:|------|
//! | 0      | 4     | 1 once the guest was sent anything |
//! | 4      | 4     | commands that the guest was told to have failed |
//! | 8      | 4     | length of the name |
//! | 16     | 128   | name |
//! | 256    | 40    | what the guest holds ([`holdings`](super::holdings)): may hold, allocations, plain memory; messages about resources: sent, handled |
//! | 4096   | 64 each | endpoints |
//!
//! An endpoint's 64 bytes:
//!
//! | offset | bytes | what |
//! |-------:|------:|------|
//! | 0      | 4     | number of its last command, plus one; bit 31: it is still in it |
//! | 4      | 4     | 1 while an endpoint has these bytes |
//! | 8      | 8     | the ring's id; 0 for direct submissions |
//! | 16     | 8     | commands executed by all who had these bytes |
//!
//! Whoever reads it may do so while it is written, or after a crash in the middle of a store: but for what the guest holds,
//! every value is only words for a person.

use std::{
    fmt,
    os::fd::OwnedFd,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use venus_protocol::wire::CommandType;

use super::Source;
use crate::{
    error::HostError,
    limits,
    resource::{Mapping, MemoryFile, SharedCount},
};

const ANSWERED: usize = 0;
const FAILURES: usize = 4;
const NAME_LENGTH: usize = 8;
const NAME: usize = 16;
const COUNTS: [usize; 5] = [256, 264, 272, 280, 288];
const SLOTS: usize = 4096;

const SLOT_BYTES: usize = 64;
/// Endpoints that are told apart. A guest with more rings than that has some whose commands are not noted.
const SLOT_COUNT: usize = 1024;
const COMMAND: usize = 0;
const TAKEN: usize = 4;
const RING: usize = 8;
const EXECUTED: usize = 16;
/// Bytes of the whole.
const BYTES: usize = SLOTS + SLOT_COUNT * SLOT_BYTES;
const _: () = assert!(NAME + limits::CONTEXT_NAME_BYTES <= COUNTS[0] && COUNTS[4] + 8 <= SLOTS);

/// The endpoint is inside the command.
const INSIDE: u32 = 1 << 31;

/// Where one context stands.
#[derive(Clone, Default)]
pub(crate) struct Breadcrumbs(Option<Arc<Mapping>>);

/// What a memory file of these says, for people.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Report {
    /// Whether the guest was sent anything.
    pub(crate) answered: bool,
    /// The guest program's name; empty before it has said it.
    pub(crate) name: String,
    /// Commands executed, up to the last whole batch of each endpoint.
    pub(crate) commands: u64,
    /// Commands that the guest was told to have failed.
    pub(crate) failures: u64,
    /// Endpoints that are in a command, and its Vulkan name.
    pub(crate) inside: Vec<(Source, &'static str)>,
    /// Last commands of endpoints that are in none.
    pub(crate) last: Vec<(Source, &'static str)>,
}

/// How many of a guest's rings a line about a death has commands of.
const PLACES: usize = 8;

impl Report {
    /// Which command it was in, for the middle of a sentence. `unheard` is what it means that there was none.
    pub(crate) fn place(&self, unheard: &str) -> String {
        let listed = |list: &[(Source, &str)]| {
            let (first, others) = list.split_at(list.len().min(PLACES));
            let first: Vec<_> = first.iter().map(|(source, command)| format!("{command} ({source})")).collect();
            let others = if others.is_empty() { String::new() } else { format!(" and {} more", others.len()) };
            first.join(", ") + &others
        };
        match (&*self.inside, &*self.last) {
            ([], []) => unheard.to_owned(),
            ([], last) => format!("between commands, the last being {}", listed(last)),
            (inside, _) => format!("in {}", listed(inside)),
        }
    }
}

impl Breadcrumbs {
    /// Memory for one context, all of it zero.
    pub(crate) fn file() -> Result<MemoryFile, HostError> {
        MemoryFile::create(u64::try_from(BYTES).unwrap_or(u64::MAX))
    }

    /// The memory in `file`.
    pub(crate) fn open(file: impl Into<Arc<OwnedFd>>) -> Result<Self, HostError> {
        Ok(Self(Some(Arc::new(MemoryFile::adopt(file)?.map()?))))
    }

    /// Memory that only this process sees. Without any, nothing is noted.
    pub(crate) fn private() -> Self {
        match Self::file().and_then(|file| file.map()) {
            Ok(mapping) => Self(Some(Arc::new(mapping))),
            Err(error) => {
                tracing::debug!("what commands are under way is not noted: {error}");
                Self(None)
            }
        }
    }

    fn word(&self, offset: usize) -> Option<&AtomicU32> {
        self.0.as_ref().and_then(|mapping| mapping.atomic_u32(offset).ok())
    }

    /// The numbers that say what the guest holds.
    pub(super) fn counts(&self) -> Option<[SharedCount; 5]> {
        let mapping = self.0.as_ref()?;
        Some(COUNTS.map(|at| SharedCount::new(Arc::clone(mapping), at)))
    }

    /// The guest has said its name.
    #[cfg(any(test, feature = "vtest"))]
    pub(crate) fn set_name(&self, name: &str) {
        let name = name.as_bytes();
        let name = name.get(..limits::CONTEXT_NAME_BYTES).unwrap_or(name);
        let Some(mapping) = &self.0 else { return };
        let written = mapping.copy_in(NAME, name);
        if let (Ok(()), Some(length)) = (written, self.word(NAME_LENGTH)) {
            length.store(u32::try_from(name.len()).unwrap_or(0), Ordering::Release);
        }
    }

    /// The guest is sent something.
    #[cfg(any(test, feature = "vtest"))]
    pub(crate) fn note_answer(&self) {
        if let Some(word) = self.word(ANSWERED) {
            word.store(1, Ordering::Release);
        }
    }

    /// The guest is told that a command has failed.
    pub(crate) fn note_failure(&self) {
        if let Some(word) = self.word(FAILURES) {
            word.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The place where a new endpoint notes its commands.
    pub(crate) fn slot(&self, source: Source) -> Slot {
        let free = (0..SLOT_COUNT).find(|index| {
            let taken = self.word(slot_at(*index).saturating_add(TAKEN));
            taken.is_some_and(|word| word.compare_exchange(0, 1, Ordering::Acquire, Ordering::Relaxed).is_ok())
        });
        let slot = Slot { mapping: free.and(self.0.clone()), at: free.map_or(0, slot_at) };
        let ring = match source {
            Source::Direct => 0,
            Source::Ring(id) => id,
        };
        slot.write_u64(RING, ring);
        slot
    }

    /// The Vulkan name of the command that an endpoint is in.
    pub(crate) fn command_of(&self, source: Source) -> Option<&'static str> {
        self.read().inside.into_iter().find(|(place, _)| *place == source).map(|(_, command)| command)
    }

    /// What it says now.
    pub(crate) fn read(&self) -> Report {
        let Some(mapping) = &self.0 else { return Report::default() };
        let word = |offset| self.word(offset).map_or(0, |word| word.load(Ordering::Acquire));
        let wide = |offset| {
            let mut bytes = [0; 8];
            mapping.copy_out(offset, &mut bytes).map_or(0, |()| u64::from_le_bytes(bytes))
        };
        let length = usize::try_from(word(NAME_LENGTH)).unwrap_or(0).min(limits::CONTEXT_NAME_BYTES);
        let mut name = vec![0; length];
        let _in_range = mapping.copy_out(NAME, &mut name);
        let name = String::from_utf8_lossy(&name).chars().filter(|c| !c.is_control()).collect();
        let mut report =
            Report { answered: word(ANSWERED) != 0, name, failures: word(FAILURES).into(), ..Report::default() };
        for at in (0..SLOT_COUNT).map(slot_at) {
            report.commands = report.commands.saturating_add(wide(at.saturating_add(EXECUTED)));
            let noted = word(at.saturating_add(COMMAND));
            let Some(command) = (noted & !INSIDE).checked_sub(1) else { continue };
            let source = match wide(at.saturating_add(RING)) {
                0 => Source::Direct,
                id => Source::Ring(id),
            };
            let list = if noted & INSIDE != 0 { &mut report.inside } else { &mut report.last };
            list.push((source, CommandType(command).name()));
        }
        report
    }
}

/// Where an endpoint's bytes begin.
fn slot_at(index: usize) -> usize {
    SLOTS.saturating_add(index.saturating_mul(SLOT_BYTES))
}

/// Where one endpoint notes its commands.
pub(crate) struct Slot {
    mapping: Option<Arc<Mapping>>,
    at: usize,
}

impl Slot {
    #[inline]
    fn word(&self, offset: usize) -> Option<&AtomicU32> {
        self.mapping.as_ref().and_then(|mapping| mapping.atomic_u32(self.at.wrapping_add(offset)).ok())
    }

    fn write_u64(&self, offset: usize, value: u64) {
        if let Some(mapping) = &self.mapping {
            let _in_range = mapping.copy_in(self.at.wrapping_add(offset), &value.to_le_bytes());
        }
    }

    /// The endpoint is inside this command.
    #[inline]
    pub(crate) fn enter(&self, command: CommandType) {
        if let Some(word) = self.word(COMMAND) {
            word.store(command.0.wrapping_add(1) | INSIDE, Ordering::Relaxed);
        }
    }

    /// The endpoint is between commands.
    pub(crate) fn leave(&self) {
        if let Some(word) = self.word(COMMAND) {
            word.store(word.load(Ordering::Relaxed) & !INSIDE, Ordering::Relaxed);
        }
    }

    /// The endpoint has executed `commands` more.
    pub(crate) fn count(&self, commands: u64) {
        let Some(mapping) = &self.mapping else { return };
        let mut bytes = [0; 8];
        // Only this endpoint writes here.
        if mapping.copy_out(self.at.wrapping_add(EXECUTED), &mut bytes).is_ok() {
            self.write_u64(EXECUTED, u64::from_le_bytes(bytes).wrapping_add(commands));
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        for (offset, order) in [(COMMAND, Ordering::Relaxed), (TAKEN, Ordering::Release)] {
            if let Some(word) = self.word(offset) {
                word.store(0, order);
            }
        }
    }
}

impl fmt::Debug for Breadcrumbs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.read().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_about_a_death_has_an_end() {
        let rings = |count| (0..count).map(|ring| (Source::Ring(ring), "vkCmdDraw")).collect();
        let report = Report { inside: rings(2), ..Report::default() };
        assert_eq!(report.place(""), "in vkCmdDraw (ring 0x0), vkCmdDraw (ring 0x1)");
        let line = Report { last: rings(1000), ..Report::default() }.place("");
        assert!(line.ends_with("vkCmdDraw (ring 0x7) and 992 more"), "{line}");
        assert_eq!(Report::default().place("unheard"), "unheard");
    }

    const DRAW: CommandType = CommandType(102);

    #[test]
    fn a_second_process_reads_what_the_first_was_doing() {
        let file = Breadcrumbs::file().unwrap();
        let seen_by_server = Breadcrumbs::open(Arc::<OwnedFd>::from(file.clone())).unwrap();
        let worker = Breadcrumbs::open(Arc::<OwnedFd>::from(file)).unwrap();
        assert_eq!(seen_by_server.read(), Report::default());

        worker.set_name("cube");
        worker.note_answer();
        worker.note_failure();
        let (direct, ring) = (worker.slot(Source::Direct), worker.slot(Source::Ring(0x1000)));
        direct.enter(CommandType(0));
        direct.count(3);
        direct.leave();
        ring.count(4);
        ring.enter(DRAW);
        let report = seen_by_server.read();
        assert!(report.answered);
        assert_eq!((&*report.name, report.commands, report.failures), ("cube", 7, 1));
        assert_eq!(report.inside, [(Source::Ring(0x1000), DRAW.name())]);
        assert_eq!(report.last, [(Source::Direct, "vkCreateInstance")]);
        let command_of = |source| seen_by_server.command_of(source);
        assert_eq!([command_of(Source::Ring(0x1000)), command_of(Source::Direct)], [Some(DRAW.name()), None]);
    }

    #[test]
    fn a_slot_is_used_again_and_keeps_its_count() {
        let breadcrumbs = Breadcrumbs::private();
        for round in 1..=2 * u64::try_from(SLOT_COUNT).unwrap() {
            let slot = breadcrumbs.slot(Source::Ring(round));
            slot.enter(DRAW);
            slot.count(1);
            assert_eq!(breadcrumbs.read().inside, [(Source::Ring(round), DRAW.name())]);
            drop(slot);
            assert_eq!(breadcrumbs.read().commands, round);
        }
        assert_eq!(breadcrumbs.read().inside, []);
    }

    #[test]
    fn more_endpoints_than_there_is_room_for_are_not_noted() {
        let breadcrumbs = Breadcrumbs::private();
        let slots: Vec<_> = (0..=SLOT_COUNT).map(|_| breadcrumbs.slot(Source::Direct)).collect();
        for slot in &slots {
            slot.enter(DRAW);
            slot.leave();
        }
        assert_eq!(breadcrumbs.read().last.len(), SLOT_COUNT);
    }
}
