//! What commands and errors are called in print. With the feature `reflect` errors call values by their names, without it
//! by their numbers.

use core::fmt;

use crate::generated::commands::NAMES;
use crate::wire::{CommandType, DecodeError, DecodeErrorKind, HandleError};

use self::names::{object_type, structure_type};

impl CommandType {
    /// Every command's number is below this.
    pub const COUNT: usize = NAMES.len();

    /// The canonical Vulkan name, `"unknown command"` if no command has this number.
    #[expect(clippy::as_conversions, reason = "there is no const conversion, and no target has smaller addresses")]
    pub const fn name(self) -> &'static str {
        match NAMES.split_at_checked(self.0 as usize) {
            Some((_, [name, ..])) if !name.is_empty() => name,
            _ => "unknown command",
        }
    }
}

impl fmt::Debug for CommandType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CommandType({} {})", self.0, self.name())
    }
}

impl fmt::Display for CommandType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for DecodeErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Truncated { wanted, left } => write!(f, "{wanted} bytes wanted, {left} left"),
            Self::UnknownCommand(id) => write!(f, "no command has number {id}"),
            Self::NotEncodable(id) => write!(f, "command number {id} never travels"),
            Self::WrongStructureType { expected, found } => {
                write!(f, "sType is {}, must be {}", structure_type(found), structure_type(expected))
            }
            Self::UnknownChainNode { s_type } => {
                write!(f, "{} is not allowed in this pNext chain", structure_type(s_type))
            }
            Self::ChainTooLong => f.write_str("pNext chain too long or nested too deep"),
            Self::WrongUnionTag { tag } => write!(f, "union tag {tag} names no member"),
            Self::CountMismatch { expected, found } => write!(f, "array count is {found}, must be {expected}"),
            Self::NullPointer => f.write_str("null pointer not allowed here"),
            Self::MustBeNull => f.write_str("only a null pointer can travel here"),
            Self::EmptyString => f.write_str("string without its terminating NUL"),
            Self::Handle { id, expected, error: HandleError::Unknown } => {
                write!(f, "no object has id {id:#x} (wanted {})", object_type(expected))
            }
            Self::Handle { id, expected, error: HandleError::WrongType(found) } => {
                write!(f, "object {id:#x} is {}, wanted {}", object_type(found), object_type(expected))
            }
            Self::Handle { id, expected, error: HandleError::OtherDevice } => {
                let expected = expected.as_raw();
                write!(f, "object {id:#x} of object type {expected} belongs to another device than the command acts on")
            }
            Self::Handle { id, expected, error: HandleError::Phantom } => {
                write!(f, "object {id:#x} (wanted {}) could not be created", object_type(expected))
            }
            Self::Handle { id, error: HandleError::NullOwner, .. } => {
                write!(f, "null handle (id {id:#x}) as the object the command acts on")
            }
            Self::Handle { expected, error: HandleError::Null, .. } => {
                write!(f, "null handle where {} is required", object_type(expected))
            }
            Self::SizeTooLarge { value } => write!(f, "size {value} does not fit this machine"),
            Self::ArenaFull { limit_bytes } => write!(f, "command needs more than the {limit_bytes} bytes allowed"),
        }
    }
}

/// Structure types and object types, by name.
#[cfg(feature = "reflect")]
mod names {
    use ash::vk;

    use crate::reflect::{EnumValue, OBJECT_TYPE, STRUCTURE_TYPE};

    pub(super) fn structure_type(s_type: i32) -> EnumValue<'static> {
        STRUCTURE_TYPE.display(s_type.into())
    }

    pub(super) fn object_type(object_type: vk::ObjectType) -> EnumValue<'static> {
        OBJECT_TYPE.display(object_type.as_raw().into())
    }
}

/// Structure types and object types, by number.
#[cfg(not(feature = "reflect"))]
mod names {
    use alloc::{format, string::String};

    use ash::vk;

    pub(super) fn structure_type(s_type: i32) -> String {
        format!("structure type {s_type}")
    }

    pub(super) fn object_type(object_type: vk::ObjectType) -> String {
        format!("object type {}", object_type.as_raw())
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.command, self.member) {
            (CommandType::NONE, _) => write!(f, "command header")?,
            (command, None) => write!(f, "{command}")?,
            (command, Some(member)) if member.owner == command.name() => write!(f, "{member}")?,
            (command, Some(member)) => write!(f, "{command}: {member}")?,
        }
        write!(f, " at byte {}: {}", self.offset, self.kind)
    }
}

impl core::error::Error for DecodeError {}
