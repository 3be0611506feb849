//! Whole recordings, made by hand, and what they are printed as.
//!
//! | file | what |
//! |---|---|
//! | [`printing`] | the exact text of what happens |
//! | [`files`] | files and streams: cut, damaged, hostile |

mod files;
mod printing;

use venus_protocol::wire::CommandType;

use super::{End, Options, follow::Follower};
use crate::recording::{Ending, Event, Outcome, Place, Record, Source};

const RING: Source = Source::Ring(0x7f);
const REPLY_WANTED: u32 = 1;

/// The bytes of a command, made by hand.
#[derive(Clone, Default)]
struct Bytes(Vec<u8>);

impl Bytes {
    fn request(command: CommandType, flags: u32) -> Self {
        Self::default().word(command.0).word(flags)
    }

    fn reply(command: CommandType) -> Self {
        Self::default().word(command.0)
    }

    fn word(mut self, value: u32) -> Self {
        self.0.extend(value.to_le_bytes());
        self
    }

    fn double_word(mut self, value: u64) -> Self {
        self.0.extend(value.to_le_bytes());
        self
    }
}

fn create_buffer(id: u64, size: u64) -> Bytes {
    Bytes::request(CommandType::CREATE_BUFFER, REPLY_WANTED)
        .double_word(3) // device
        .double_word(1) // pCreateInfo
        .word(12) // sType
        .double_word(1) // pNext: present
        .word(1_000_072_000) // VkExternalMemoryBufferCreateInfo
        .double_word(0) // and no more
        .word(0x200) // handleTypes
        .word(0) // flags
        .double_word(size)
        .word(0x3) // usage
        .word(0) // sharingMode
        .word(0) // queueFamilyIndexCount
        .double_word(0) // pQueueFamilyIndices
        .double_word(0) // pAllocator
        .double_word(1) // pBuffer
        .double_word(id)
}

fn buffer_reply(id: u64, result: i32) -> Bytes {
    Bytes::reply(CommandType::CREATE_BUFFER).word(result.cast_unsigned()).double_word(1).double_word(id)
}

fn destroy_buffer(id: u64) -> Bytes {
    Bytes::request(CommandType::DESTROY_BUFFER, 0).double_word(3).double_word(id).double_word(0)
}

fn buffer_requirements(id: u64) -> Bytes {
    Bytes::request(CommandType::GET_BUFFER_MEMORY_REQUIREMENTS2, REPLY_WANTED)
        .double_word(3) // device
        .double_word(1) // pInfo
        .word(1_000_146_000)
        .double_word(0)
        .double_word(id)
        .double_word(1) // pMemoryRequirements
        .word(1_000_146_003)
        .double_word(0)
}

fn requirements_reply() -> Bytes {
    Bytes::reply(CommandType::GET_BUFFER_MEMORY_REQUIREMENTS2)
        .double_word(1)
        .word(1_000_146_003)
        .double_word(0)
        .double_word(512) // size
        .double_word(16) // alignment
        .word(0x7) // memoryTypeBits
}

fn wait_idle() -> Bytes {
    Bytes::request(CommandType::DEVICE_WAIT_IDLE, REPLY_WANTED).double_word(3)
}

fn push_constants(bytes: u64) -> Bytes {
    let words = usize::try_from(bytes).unwrap() / 4;
    let head = Bytes::request(CommandType::CMD_PUSH_CONSTANTS, 0)
        .double_word(0x10)
        .double_word(0)
        .word(1)
        .word(0)
        .word(u32::try_from(bytes).unwrap())
        .double_word(bytes);
    (0..words).fold(head, |bytes, word| bytes.word(u32::try_from(word).unwrap()))
}

fn execute_streams() -> Bytes {
    Bytes::request(CommandType::EXECUTE_COMMAND_STREAMS_MESA, 0)
        .word(1)
        .double_word(1)
        .word(5) // resourceId
        .double_word(64)
        .double_word(24)
        .double_word(0)
        .word(0)
        .double_word(0)
        .word(0)
}

/// Prints records, one microsecond apart.
struct Script<'o> {
    follower: Follower<'o, Vec<u8>>,
    time_ns: u64,
}

fn print(options: &Options, ending: Ending, play: impl FnOnce(&mut Script<'_>)) -> String {
    let mut script = Script { follower: Follower::new(options, Vec::new()), time_ns: 0 };
    play(&mut script);
    let out = script.follower.finish(&End::Recording(ending)).unwrap();
    String::from_utf8(out).unwrap()
}

impl Script<'_> {
    fn event(&mut self, event: Event<'_>) {
        self.time_ns += 1_000;
        self.follower.record(&Record { time_ns: self.time_ns, event }).unwrap();
    }

    fn begin(&mut self, source: Source, depth: u8, position: u64, request: &Bytes) {
        let place = Place { source, depth, position };
        self.event(Event::Begin { place, request: request.0.as_slice().into() });
    }

    fn end(&mut self, source: Source, depth: u8, reply: &Bytes) {
        self.event(Event::End { source, depth, outcome: Outcome::Done, reply: reply.0.as_slice().into() });
    }

    fn execute(&mut self, request: &Bytes, reply: &Bytes) {
        self.begin(RING, 0, 640, request);
        self.end(RING, 0, reply);
    }
}

#[track_caller]
fn check(options: &Options, ending: Ending, expected: &str, play: impl FnOnce(&mut Script<'_>)) {
    let printed = print(options, ending, play);
    assert_eq!(printed, expected, "\n--- printed ---\n{printed}");
}
