//! What can be wrong with bytes from the other side. How it is put into words is `message.rs`'s business, which may look
//! names up by reflection; nothing here does.

use core::fmt;

use ash::vk;

use super::{CommandType, HandleError};

/// The structure or command, and the member in it, that an error concerns. Both are spelled as in the registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// Structure or command, for example `VkBufferCreateInfo`.
    pub owner: &'static str,
    /// Member or parameter, for example `pQueueFamilyIndices`; `pNext` for a fault in the chain's headers.
    pub name: &'static str,
}

impl fmt::Display for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.owner, self.name)
    }
}

/// Why decoding stopped. The peer is at fault in every case; the stream cannot be resynchronised, so whoever owns
/// it must give it up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodeError {
    /// Byte position of the offending item, from the start of the buffer that was decoded.
    pub offset: usize,
    /// What was wrong there.
    pub kind: DecodeErrorKind,
    /// The command being decoded; [`CommandType::NONE`] while reading its header.
    pub command: CommandType,
    /// The member being decoded, where it could be told.
    pub member: Option<Member>,
}

impl DecodeError {
    /// An error at `offset`, not yet attributed to a command.
    pub const fn new(offset: usize, kind: DecodeErrorKind) -> Self {
        Self { offset, kind, command: CommandType::NONE, member: None }
    }

    /// A byte of the member that the error concerns.
    #[cfg(feature = "reflect")]
    pub(crate) fn blamed(&self) -> usize {
        match self.kind {
            // What the arena had no room for is what was read before.
            DecodeErrorKind::ArenaFull { .. } => self.offset.saturating_sub(1),
            _ => self.offset,
        }
    }
}

/// The coarse sorts of errors, which call for different answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorClass {
    /// The buffer ends inside the item. With more bytes it might have been valid.
    Truncated,
    /// No continuation can make the bytes valid.
    Malformed,
    /// The bytes may be valid, but accepting them would exceed a limit of this implementation.
    OverLimit,
}

/// What exactly is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecodeErrorKind {
    /// The item needs `wanted` bytes and the buffer has fewer left.
    Truncated {
        /// Bytes the item needs.
        wanted: u64,
        /// Bytes left in the buffer.
        left: u64,
    },
    /// No command has this number.
    UnknownCommand(u32),
    /// The command has a number but never travels (it returns pointers, file descriptors or the like).
    NotEncodable(u32),
    /// A structure announces itself as another one.
    WrongStructureType {
        /// The `sType` the registry gives this structure.
        expected: i32,
        /// The `sType` in the stream.
        found: i32,
    },
    /// A `pNext` chain holds a structure that the registry does not allow there.
    UnknownChainNode {
        /// Its `sType`.
        s_type: i32,
    },
    /// A `pNext` chain is longer than [`MAX_CHAIN_NODES`](super::limits::MAX_CHAIN_NODES), or nested too deep.
    ChainTooLong,
    /// A union's tag names no member.
    WrongUnionTag {
        /// The tag in the stream.
        tag: u32,
    },
    /// An array's count differs from the value of its length expression.
    CountMismatch {
        /// Value of the length expression.
        expected: u64,
        /// Count in the stream.
        found: u64,
    },
    /// A null pointer where the registry asks for an object.
    NullPointer,
    /// An object where only a null pointer can travel (`pAllocator`, host pointers).
    MustBeNull,
    /// An element of a string array has no bytes, not even its NUL.
    EmptyString,
    /// A handle did not resolve.
    Handle {
        /// The id in the stream.
        id: u64,
        /// The object type the registry asks for.
        expected: vk::ObjectType,
        /// Why it did not resolve.
        error: HandleError,
    },
    /// A 64-bit size does not fit this machine's `usize`.
    SizeTooLarge {
        /// The value in the stream.
        value: u64,
    },
    /// The command needs more memory than the arena may hold.
    ArenaFull {
        /// The arena's cap.
        limit_bytes: usize,
    },
}

impl DecodeErrorKind {
    /// The sort of error this is.
    pub const fn class(self) -> ErrorClass {
        match self {
            Self::Truncated { .. } => ErrorClass::Truncated,
            Self::ChainTooLong | Self::ArenaFull { .. } | Self::SizeTooLarge { .. } => ErrorClass::OverLimit,
            Self::UnknownCommand(_)
            | Self::NotEncodable(_)
            | Self::WrongStructureType { .. }
            | Self::UnknownChainNode { .. }
            | Self::WrongUnionTag { .. }
            | Self::CountMismatch { .. }
            | Self::NullPointer
            | Self::MustBeNull
            | Self::EmptyString
            | Self::Handle { .. } => ErrorClass::Malformed,
        }
    }
}
