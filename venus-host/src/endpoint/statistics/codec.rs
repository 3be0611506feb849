//! Statistics as bytes, for whoever serves a context in one process and looks at it from another.
//!
//! All numbers are little-endian. Lists and texts begin with their length as four bytes; an optional value begins with a
//! byte that is 1 if it is there, and 0 if not.

use venus_protocol::{vk, wire::CommandType};

use super::{CommandStatistics, ObjectStatistics, RingSample, Statistics};
use crate::driver::{GpuMemory, HeapMemory};

impl Statistics {
    /// The statistics as bytes, for [`Statistics::decode`] of the same version of this crate.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut to = Writer::default();
        for number in [self.executed, self.failures, self.findings, self.submissions, self.allocations] {
            to.u64(number);
        }
        for number in [self.device_memory_bytes, self.blob_memory_bytes, self.shared_memory_bytes] {
            to.u64(number);
        }
        to.optional(self.lost.as_ref(), |to, text| to.text(text));
        to.optional(self.last_error.as_ref(), |to, text| to.text(text));
        to.list(&self.commands, |to, row| {
            to.u32(row.command.0);
            for number in [row.dispatched, row.handled, row.refused, row.failed] {
                to.u64(number);
            }
        });
        to.list(&self.objects, |to, row| {
            to.u32(row.object_type.as_raw().cast_unsigned());
            to.u64(row.count);
        });
        to.list(&self.rings, |to, ring| {
            to.u64(ring.id);
            to.u32(ring.unexecuted_bytes);
        });
        to.list(&self.gpus, |to, gpu| {
            to.text(&gpu.name);
            to.list(&gpu.heaps, |to, heap| {
                to.u64(heap.size);
                to.bytes(&[u8::from(heap.is_device_local)]);
                to.optional(heap.budget, Writer::u64);
                to.optional(heap.usage, Writer::u64);
            });
        });
        to.0
    }

    /// What [`Statistics::encode`] has written. Nothing of it is believed: bytes that are none are `None`, what is
    /// decoded takes no more memory than a small multiple of the bytes, and texts are fit for a terminal.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let mut from = Reader(bytes);
        let this = Self {
            executed: from.u64()?,
            failures: from.u64()?,
            findings: from.u64()?,
            submissions: from.u64()?,
            allocations: from.u64()?,
            device_memory_bytes: from.u64()?,
            blob_memory_bytes: from.u64()?,
            shared_memory_bytes: from.u64()?,
            lost: from.optional(Reader::text)?,
            last_error: from.optional(Reader::text)?,
            commands: from.list(|from| {
                Some(CommandStatistics {
                    command: CommandType(from.u32()?),
                    dispatched: from.u64()?,
                    handled: from.u64()?,
                    refused: from.u64()?,
                    failed: from.u64()?,
                })
            })?,
            objects: from.list(|from| {
                let object_type = vk::ObjectType::from_raw(from.u32()?.cast_signed());
                Some(ObjectStatistics { object_type, count: from.u64()? })
            })?,
            rings: from.list(|from| Some(RingSample { id: from.u64()?, unexecuted_bytes: from.u32()? }))?,
            gpus: from.list(|from| {
                Some(GpuMemory {
                    name: from.text()?,
                    heaps: from.list(|from| {
                        Some(HeapMemory {
                            size: from.u64()?,
                            is_device_local: from.flag()?,
                            budget: from.optional(Reader::u64)?,
                            usage: from.optional(Reader::u64)?,
                        })
                    })?,
                })
            })?,
        };
        (from.0.is_empty() && this.is_bounded()).then_some(this)
    }

    /// Whether the lists that [`Statistics::add`] merges are as long as they can be, and in their order: who adds those of many
    /// guests must not be held by one.
    fn is_bounded(&self) -> bool {
        // Vulkan has some 60.
        const OBJECT_TYPES: usize = 256;
        let is_command = |row: &CommandStatistics| usize::try_from(row.command.0).is_ok_and(|n| n < CommandType::COUNT);
        self.commands.iter().all(is_command)
            && self.commands.is_sorted_by(|one, next| one.command.0 < next.command.0)
            && self.objects.len() <= OBJECT_TYPES
            && self.objects.is_sorted_by(|one, next| one.object_type < next.object_type)
    }
}

#[derive(Default)]
struct Writer(Vec<u8>);

impl Writer {
    fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    fn u32(&mut self, number: u32) {
        self.bytes(&number.to_le_bytes());
    }

    fn u64(&mut self, number: u64) {
        self.bytes(&number.to_le_bytes());
    }

    fn text(&mut self, text: &str) {
        self.list(text.as_bytes(), |to, byte| to.bytes(&[*byte]));
    }

    fn optional<T>(&mut self, value: Option<T>, put: impl FnOnce(&mut Self, T)) {
        self.bytes(&[u8::from(value.is_some())]);
        if let Some(value) = value {
            put(self, value);
        }
    }

    fn list<T>(&mut self, items: &[T], mut put: impl FnMut(&mut Self, &T)) {
        // Nothing that is counted here comes near the end of four bytes.
        let length = u32::try_from(items.len()).unwrap_or(u32::MAX);
        self.u32(length);
        for (item, _) in items.iter().zip(0..length) {
            put(self, item);
        }
    }
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn chunk<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (chunk, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*chunk)
    }

    fn u32(&mut self) -> Option<u32> {
        self.chunk().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.chunk().map(u64::from_le_bytes)
    }

    fn flag(&mut self) -> Option<bool> {
        match self.chunk()? {
            [0] => Some(false),
            [1] => Some(true),
            _ => None,
        }
    }

    fn text(&mut self) -> Option<String> {
        let length = usize::try_from(self.u32()?).ok()?;
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(String::from_utf8_lossy(text).chars().filter(|c| !c.is_control()).collect())
    }

    fn optional<T>(&mut self, take: impl FnOnce(&mut Self) -> Option<T>) -> Option<Option<T>> {
        match self.flag()? {
            true => take(self).map(Some),
            false => Some(None),
        }
    }

    /// Every item takes some bytes, so a length that is a lie ends with them.
    fn list<T>(&mut self, mut take: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        (0..self.u32()?).map(|_| take(self)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statistics() -> Statistics {
        let heap = HeapMemory { size: 9, is_device_local: true, budget: Some(8), usage: None };
        Statistics {
            executed: 1,
            shared_memory_bytes: 2,
            last_error: Some("it failed".to_owned()),
            commands: vec![CommandStatistics {
                command: CommandType::CMD_DRAW,
                dispatched: 6,
                handled: 3,
                refused: 2,
                failed: 1,
            }],
            objects: vec![ObjectStatistics { object_type: vk::ObjectType::ACCELERATION_STRUCTURE_KHR, count: 4 }],
            rings: vec![RingSample { id: u64::MAX, unexecuted_bytes: 5 }],
            gpus: vec![GpuMemory { name: "a GPU".to_owned(), heaps: vec![heap, heap] }],
            ..Statistics::default()
        }
    }

    #[test]
    fn statistics_travel_as_they_are() {
        for sent in [Statistics::default(), statistics()] {
            assert_eq!(Statistics::decode(&sent.encode()), Some(sent));
        }
    }

    #[test]
    fn nothing_but_the_whole_is_statistics() {
        let bytes = statistics().encode();
        for length in 0..bytes.len() {
            assert_eq!(Statistics::decode(&bytes[..length]), None, "{length}");
        }
        assert_eq!(Statistics::decode(&[&bytes[..], &[0]].concat()), None);
    }

    #[test]
    fn lengths_that_lie_take_no_memory() {
        let mut bytes = Statistics::default().encode();
        let at = bytes.len() - 16;
        for list in (at..bytes.len()).step_by(4) {
            bytes[list..list + 4].fill(0xff);
            assert_eq!(Statistics::decode(&bytes), None);
            bytes[list..list + 4].fill(0);
        }
    }

    #[test]
    fn rows_are_few_and_in_order() {
        let command = |number| CommandStatistics { command: CommandType(number), ..statistics().commands[0] };
        let object = |number| ObjectStatistics { object_type: vk::ObjectType::from_raw(number), count: 1 };
        let is_read = |statistics: Statistics| Statistics::decode(&statistics.encode()).is_some();
        let commands = |commands| is_read(Statistics { commands, ..Statistics::default() });
        let objects = |objects| is_read(Statistics { objects, ..Statistics::default() });
        assert!(commands(vec![command(1), command(2)]) && objects(vec![object(1), object(2)]));
        assert!(!commands(vec![command(1), command(1)]) && !objects(vec![object(2), object(1)]));
        assert!(!commands(vec![command(u32::MAX)]) && !objects((0..100_000).map(object).collect()));
    }

    #[test]
    fn nothing_of_a_workers_moves_the_cursor() {
        let sent = Statistics { last_error: Some("it\r\x1b]0;failed".to_owned()), ..Statistics::default() };
        let told = Statistics::decode(&sent.encode()).unwrap();
        assert_eq!(told.last_error.as_deref(), Some("it]0;failed"));
    }
}
