//! The records of a recording.
//!
//! Types are serialised with [postcard](https://docs.rs/postcard), whose wire format is specified and stable. The order
//! of variants and fields is part of the file format: new variants go to the end, and anything else is a new
//! [`VERSION`].

use std::{borrow::Cow, fmt};

use serde::{Deserialize, Serialize};
use venus_host::endpoint::{Place, Source};

/// Version of the format that this program writes, and the only one that it reads.
pub const VERSION: u32 = 1;

/// The beginning of a recording: what was recorded, and by which program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Header {
    /// The context's name: the guest program's.
    pub name: String,
    /// The program that recorded, with its version.
    pub recorder: String,
    /// When the recording began, in nanoseconds of the Unix epoch.
    pub started_unix_ns: u64,
    /// The driver profile that the guest saw (`--profile`).
    pub profile: String,
    /// Whether contents of guest-visible memory are part of it.
    pub has_memory: bool,
}

/// One event. Records are in the order in which things happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Record<'a> {
    /// Nanoseconds since the recording began.
    pub time_ns: u64,
    /// What happened.
    #[serde(borrow)]
    pub event: Event<'a>,
}

/// The serialised form of a [`Source`].
#[derive(Serialize, Deserialize)]
#[serde(remote = "Source")]
enum SourceForm {
    Direct,
    Ring(u64),
}

/// The serialised form of a [`Place`].
#[derive(Serialize, Deserialize)]
#[serde(remote = "Place")]
struct PlaceForm {
    #[serde(with = "SourceForm")]
    source: Source,
    depth: u8,
    position: u64,
}

/// The reason in the [`Outcome::Failed`] of a command that was abandoned because its context was being destroyed.
pub(crate) const STOPPED: &str = "the context is being destroyed";

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Outcome {
    /// It was executed. What the driver said is in the reply, if the guest asked for one.
    Done,
    /// It has to wait and will be executed again from its beginning. Only on rings that are polled.
    Again,
    /// It failed and ended the context, for this reason.
    Failed(String),
    /// It was not executed, for this reason, and the context went on.
    LeftOut(String),
}

/// An event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A command was decoded and is about to be executed. Its number is how many `Begin`s there were before.
    Begin {
        /// Where it stood.
        #[serde(with = "PlaceForm")]
        place: Place,
        /// All of its bytes, header first.
        #[serde(borrow)]
        request: Bytes<'a>,
    },
    /// The command of this source and depth that began last has ended.
    End {
        /// The endpoint.
        #[serde(with = "SourceForm")]
        source: Source,
        /// As in its `Begin`.
        depth: u8,
        /// How it ended.
        outcome: Outcome,
        /// The reply; empty if the guest had not asked for one.
        #[serde(borrow)]
        reply: Bytes<'a>,
    },
    /// Bytes that are no command. The context ends with it.
    Undecodable {
        /// Where they stood.
        #[serde(with = "PlaceForm")]
        place: Place,
        /// The beginning of what was left of the stream.
        #[serde(borrow)]
        bytes: Bytes<'a>,
        /// What is wrong.
        reason: String,
    },
    /// The contents of a stream that the current vkExecuteCommandStreamsMESA of this source names, as they were copied
    /// for execution.
    Stream {
        /// The endpoint.
        #[serde(with = "SourceForm")]
        source: Source,
        /// The resource that holds the stream.
        resource: u32,
        /// Byte position in it.
        offset: u64,
        /// The contents.
        #[serde(borrow)]
        bytes: Bytes<'a>,
    },
    /// A resource was asked for.
    Blob {
        /// Its id.
        resource: u32,
        /// What the guest wants to do with it, as `VIRTGPU_BLOB_FLAG_USE_*`.
        flags: u32,
        /// The `VkDeviceMemory` that it shares; 0 for plain shared memory.
        blob_id: u64,
        /// Bytes asked for.
        size: u64,
        /// Why it could not be created; absent if it was.
        error: Option<String>,
    },
    /// A resource was dropped.
    Unref {
        /// Its id.
        resource: u32,
    },
    /// A fence was put on a timeline.
    Fence {
        /// The timeline.
        ring_idx: u32,
        /// How many fences there were before.
        number: u64,
    },
    /// A fence retired.
    Retired {
        /// Its number.
        number: u64,
    },
    /// Contents of guest-visible memory have changed.
    Memory {
        /// The resource that maps it.
        resource: u32,
        /// Byte position of the change.
        offset: u64,
        /// The new contents.
        #[serde(borrow)]
        bytes: Bytes<'a>,
    },
    /// The context ended before its guest did.
    Lost {
        /// Why.
        reason: String,
    },
    /// The guest left. Nothing follows.
    Left,
}

/// Bytes, borrowed from the chunk that they were read from.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Bytes<'a>(#[serde(borrow, with = "serde_bytes")] pub Cow<'a, [u8]>);

impl<'a> From<&'a [u8]> for Bytes<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self(Cow::Borrowed(bytes))
    }
}

impl std::ops::Deref for Bytes<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Bytes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}
