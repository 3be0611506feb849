//! Printing what a guest did: recordings, or plain streams of commands, as text, JSON or statistics (`venus dump`).
//!
//! Nothing here knows a command by name. Names, structures, enums and which ids are objects come from the protocol's
//! tables ([`venus_protocol::reflect`]); so a command that the protocol learns is printed from then on.
//!
//! | file | what |
//! |---|---|
//! | [`follow`] | the records in their order: which end belongs to which command, what is shown at all |
//! | [`raw`] | commands of a plain stream |
//! | [`objects`] | which command made an object, and which ended it |
//! | [`filter`] | what to show |
//! | [`view`] | what there is to print, whatever the form |
//! | [`text`] with [`values`], [`json`], [`statistics`] | the forms |
//! | [`queue`] | each command with its end, in the order in which they began |
//! | [`units`] | times, sizes, bytes |
//!
//! A recording is read once, front to back, in memory that does not grow with it: what is kept are the commands that
//! have not ended, the objects that live, and a bounded number of those that do not.
//!
//! Files come from crashes, so none of their bytes is trusted: whatever they are, printing ends without a panic, with
//! everything up to the damage and a last line that names it.
//!
//! # JSON
//!
//! Every object has a `kind`. Members are only ever added to this schema, so skip what you do not know. Ids, addresses
//! and anything else that is an identity rather than a quantity are strings in hexadecimal, because JavaScript rounds
//! numbers; other numbers beyond 2^53 are strings in decimal. Nothing is shortened but contents of memory, which
//! `--full` adds.
//!
//! | kind | members |
//! |---|---|
//! | `recording` | first line: `name`, `recorder`, `started_unix_ns`, `profile`, `has_memory` |
//! | `command` | see below |
//! | `end` | the second half of a `command` whose `ended` is false because too much happened meanwhile |
//! | `undecodable` | bytes that are no command: as `command`, without `n`, with `reason` where a host said it |
//! | `stream` | contents of an indirect stream: `source`, `ring`, `resource`, `offset`, `bytes` (how many) |
//! | `blob` | `resource`, `flags`, `blob_id`, `size`, `error` |
//! | `unref` | `resource` |
//! | `fence` | `timeline`, `fence` |
//! | `retired` | `fence`, `duration_ns` |
//! | `memory` | `resource`, `offset`, `bytes`, with `--full` also `hex` |
//! | `lost` | `reason` |
//! | `left` | |
//! | `ending` | last line: `ending` (`complete`, `open`, `cut`, `damaged`), `text`, `commands` |
//!
//! All but the first and last have `time_ns`, since the recording began; it is null in plain streams.
//!
//! A `command` has `n` (its number), `source` (`direct` or `ring`), `ring` (an id or null), `depth` (1 in an indirect
//! stream), `position` (bytes), `command` (its name), `request_bytes`, `wants_reply`, `args`, if something is wrong
//! `warnings` and `stop`, and then what is known of its end:
//!
//! | member | |
//! |---|---|
//! | `ended` | whether the rest is here |
//! | `duration_ns` | |
//! | `outcome` | `done`, `again` (has to wait, and will be another command), `failed` |
//! | `error` | why it failed; the context ends with it |
//! | `reply_bytes` | 0 if the guest asked for no reply |
//! | `return` | what the command returned, if the guest was told; 64 bits in hexadecimal, because they are addresses |
//! | `outputs` | the outputs in the reply, as in `args` |
//!
//! Values in `args` and `outputs`:
//!
//! | value | JSON |
//! |---|---|
//! | number | number; `VkBool32` true or false; not-a-number and infinities as strings; `VkDeviceAddress` as `"0x…"` |
//! | enum, flags | `"VK_…"`, `"VK_A_BIT \| VK_B_BIT"`, or a number without a name |
//! | handle | `{"type": "VkBuffer", "id": "0x12", "created_by": 341, "destroyed_by": 400}`, null for none |
//! | string | string |
//! | untyped bytes | hexadecimal string |
//! | array | array |
//! | null pointer, array of nothing | null |
//! | structure | `{"struct": "VkSubmitInfo", "sType": …, "pNext": [structures], members…}` |
//! | union | `{"union": "VkClearValue", "color": …}` |
//! | output in a request | `{"capacity": n}` |

mod filter;
mod follow;
mod json;
mod objects;
mod queue;
mod raw;
mod statistics;
#[cfg(test)]
mod tests;
mod text;
mod units;
mod values;
mod view;

use std::{
    fmt,
    io::{self, Cursor, Read, Write},
};

pub use self::filter::{Filter, FilterError};
use self::follow::Follower;
use crate::recording::{Ending, MAGIC, ReadError, Reader};

/// How much to print of each command.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Detail {
    /// One line.
    Brief,
    /// All values, the beginning of long ones.
    #[default]
    Usual,
    /// All of all values.
    Full,
}

/// How to print.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Options {
    /// JSON objects, one a line, instead of text.
    pub json: bool,
    /// A table of all commands instead of each.
    pub statistics: bool,
    /// How much of each command.
    pub detail: Detail,
    /// Which commands and events.
    pub filter: Filter,
}

impl Options {
    /// All commands and events as text, with the beginning of long values.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether to print JSON objects, one a line, instead of text.
    #[must_use]
    pub fn json(mut self, json: bool) -> Self {
        self.json = json;
        self
    }

    /// Whether to print a table of all commands instead of each.
    #[must_use]
    pub fn statistics(mut self, statistics: bool) -> Self {
        self.statistics = statistics;
        self
    }

    /// How much to print of each command.
    #[must_use]
    pub fn detail(mut self, detail: Detail) -> Self {
        self.detail = detail;
        self
    }

    /// Which commands and events to print.
    #[must_use]
    pub fn filter(mut self, filter: Filter) -> Self {
        self.filter = filter;
        self
    }
}

/// What to print.
#[derive(Debug)]
#[non_exhaustive]
pub enum Input<R> {
    /// A recording.
    Recording(Reader<io::Chain<Cursor<Vec<u8>>, R>>),
    /// Commands, one after the other.
    Raw(io::Chain<Cursor<Vec<u8>>, R>),
}

impl<R: Read> Input<R> {
    /// Looks at the first bytes to know which it is. What does not begin as recordings do is a plain stream.
    ///
    /// # Errors
    ///
    /// It begins like a recording and cannot be read as one.
    pub fn open(mut input: R) -> Result<Self, ReadError> {
        let mut start = Vec::new();
        input.by_ref().take(MAGIC.len() as u64).read_to_end(&mut start)?;
        if start.len() < MAGIC.len() && MAGIC.starts_with(&start) {
            return Err(ReadError::NoHeader(Ending::Cut { at: 0, bytes: start.len() as u64 }));
        }
        let is_recording = start == MAGIC;
        let input = Cursor::new(start).chain(input);
        Ok(if is_recording { Self::Recording(Reader::new(input)?) } else { Self::Raw(input) })
    }

    /// Takes the bytes for a plain stream, whatever they begin with.
    pub fn raw(input: R) -> Self {
        Self::Raw(Cursor::new(Vec::new()).chain(input))
    }
}

/// How a dump ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum End {
    /// The whole recording is printed, and it is complete.
    Recording(Ending),
    /// The whole stream is printed.
    Stream {
        /// Its bytes.
        bytes: u64,
    },
    /// A command of the stream cannot be decoded.
    Damaged {
        /// At the command that begins at this byte.
        at: u64,
    },
}

impl End {
    /// Whether the input is complete: the guest left, or the stream ends after a whole command.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        matches!(self, Self::Recording(Ending::Complete) | Self::Stream { .. })
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Recording(ending) => write!(f, "{ending}"),
            Self::Stream { bytes } => write!(f, "the stream is complete: {bytes} bytes"),
            Self::Damaged { at } => write!(f, "the stream stops making sense at the command at byte {at}"),
        }
    }
}

/// Prints all of `input`.
///
/// # Errors
///
/// Reading or writing fails. What is wrong with the input itself is printed, and is its [`End`].
pub fn dump<R: Read, W: Write>(input: Input<R>, options: &Options, out: W) -> io::Result<End> {
    let mut follower = Follower::new(options, out);
    let end = match input {
        Input::Recording(mut reader) => {
            follower.header(reader.header())?;
            while let Some(record) = reader.next_record()? {
                follower.record(&record)?;
            }
            // The reader has said that there is no more.
            End::Recording(reader.ending().unwrap_or(Ending::Open { bytes: reader.position() }))
        }
        Input::Raw(input) => dump_raw(raw::Commands::new(input), &mut follower)?,
    };
    follower.finish(&end)?;
    Ok(end)
}

fn dump_raw<R: Read, W: Write>(mut commands: raw::Commands<R>, follower: &mut Follower<'_, W>) -> io::Result<End> {
    let mut end = 0;
    while let Some((position, bytes)) = commands.next_command()? {
        let Some(len) = follower.raw_command(position, bytes)? else {
            return Ok(End::Damaged { at: position });
        };
        end = position.saturating_add(len as u64);
        commands.advance(len);
    }
    Ok(End::Stream { bytes: end })
}
