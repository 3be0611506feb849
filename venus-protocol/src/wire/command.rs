//! Command numbers, headers, and what all commands have in common.

use core::fmt;

use ash::vk;

use super::{DecodeError, Decoder, Encoder};
use crate::procs::Procs;

/// `VkCommandTypeEXT`: a command's number on the wire.
///
/// The associated constants, one for each of the 433 names, are in `generated/commands.rs`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommandType(pub u32);

impl CommandType {
    /// Stands for "no command" in errors. No command will ever have this number.
    pub const NONE: Self = Self(u32::MAX);

    /// The canonical Vulkan name, `"unknown command"` if no command has this number.
    pub fn name(self) -> &'static str {
        usize::try_from(self.0)
            .ok()
            .and_then(|index| crate::generated::commands::NAMES.get(index))
            .filter(|name| !name.is_empty())
            .copied()
            .unwrap_or("unknown command")
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

/// The first eight bytes of every request.
///
/// | offset | bytes | field   | meaning                                  |
/// |-------:|------:|---------|------------------------------------------|
/// |      0 |     4 | command | `VkCommandTypeEXT`                       |
/// |      4 |     4 | flags   | bit 0: reply wanted; other bits undefined |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommandHeader {
    /// Which command.
    pub command: CommandType,
    /// `VkCommandFlagsEXT`. Unknown bits are ignored.
    pub flags: u32,
}

impl CommandHeader {
    /// `VK_COMMAND_GENERATE_REPLY_BIT_EXT`.
    pub const GENERATE_REPLY: u32 = 0x1;

    /// Whether the guest waits for a reply.
    pub fn wants_reply(self) -> bool {
        self.flags & Self::GENERATE_REPLY != 0
    }
}

/// What a Vulkan command returns.
pub trait Returned: Copy {
    /// Whether this is `VK_ERROR_DEVICE_LOST`.
    fn is_device_lost(self) -> bool {
        false
    }

    /// The value that stands for success where no driver was asked, as in a test of the codec.
    fn success() -> Self;

    /// Reads it from a reply.
    fn read(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError>;

    /// Writes it to a reply.
    fn write(self, encoder: &mut Encoder);
}

impl Returned for () {
    fn success() -> Self {}

    fn read(_decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        Ok(())
    }

    fn write(self, _encoder: &mut Encoder) {}
}

impl Returned for u32 {
    fn success() -> Self {
        0
    }

    fn read(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        decoder.read()
    }

    fn write(self, encoder: &mut Encoder) {
        encoder.write(self);
    }
}

impl Returned for u64 {
    fn success() -> Self {
        0
    }

    fn read(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        decoder.read()
    }

    fn write(self, encoder: &mut Encoder) {
        encoder.write(self);
    }
}

impl Returned for vk::Result {
    fn is_device_lost(self) -> bool {
        self == Self::ERROR_DEVICE_LOST
    }

    fn success() -> Self {
        Self::SUCCESS
    }

    fn read(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        decoder.read()
    }

    fn write(self, encoder: &mut Encoder) {
        encoder.write(self);
    }
}

/// The arguments of one Vulkan command, on either side of the wire. Implemented by every generated `…Args`.
pub trait Command<'a>: Sized {
    /// Number on the wire.
    const TYPE: CommandType;
    /// Canonical Vulkan name.
    const NAME: &'static str;
    /// Whether the registry lists `VK_ERROR_DEVICE_LOST` for it: lost without a reply, it ends the context.
    const REPORTS_DEVICE_LOST: bool;
    /// The command's return type.
    type Return: Returned;

    /// Decodes the arguments that follow the header.
    fn decode(decoder: &mut Decoder<'a>) -> Result<Self, DecodeError>;

    /// Encodes header and arguments, as a guest sends them.
    fn encode(&self, encoder: &mut Encoder, flags: u32);

    /// Encodes the reply from what the call left in the arguments, as a host sends it.
    fn encode_reply(&self, encoder: &mut Encoder, returned: Self::Return);

    /// The id of the object that the command acts on: its first parameter if that is a handle, else 0.
    fn owner_id(&self) -> u64;

    /// Calls the driver's entry point; `None` if the driver has none.
    ///
    /// # Safety
    ///
    /// - Every handle in the arguments is a live handle of the driver that `procs` was loaded from, at the level
    ///   (instance or device) that the command belongs to.
    /// - What the specification demands of the application for this command holds, as far as the driver relies on
    ///   it for memory safety.
    unsafe fn call(&mut self, procs: &Procs) -> Option<Self::Return>;
}

/// Implements [`Command`] by the generated functions of one command.
macro_rules! impl_command {
    (
        $args:ident $(<$life:lifetime>)?, $constant:ident, $name:literal, $returns:ty,
        device_lost: $lost:literal, owner: $owner:ident, slot: $slot:ident,
        $decode:ident, $encode:ident, $encode_reply:ident
    ) => {
        impl<'a> $crate::wire::Command<'a> for $args $(<$life>)? {
            const TYPE: CommandType = CommandType::$constant;
            const NAME: &'static str = $name;
            const REPORTS_DEVICE_LOST: bool = $lost;
            type Return = $returns;

            #[inline]
            fn decode(decoder: &mut Decoder<'a>) -> Result<Self, DecodeError> {
                $decode(decoder)
            }

            fn encode(&self, encoder: &mut Encoder, flags: u32) {
                $encode(encoder, flags, self);
            }

            #[inline]
            fn encode_reply(&self, encoder: &mut Encoder, returned: $returns) {
                $encode_reply(encoder, &self.reply(returned));
            }

            #[inline]
            fn owner_id(&self) -> u64 {
                impl_command!(@owner self $owner)
            }

            #[inline]
            unsafe fn call(&mut self, procs: &$crate::procs::Procs) -> Option<$returns> {
                impl_command!(@call self procs $slot)
            }
        }
    };
    (@owner $self:ident none) => { 0 };
    (@owner $self:ident $owner:ident) => { $self.$owner.id };
    (@call $self:ident $procs:ident none) => {{
        let _ = $procs;
        None
    }};
    (@call $self:ident $procs:ident $slot:ident) => {{
        let function = $procs.$slot?;
        // SAFETY: the caller keeps `Command::call`'s contract, which is the one `call_with` states.
        Some(unsafe { $self.call_with(function) })
    }};
}
pub(crate) use impl_command;

/// Calls a driver's entry point with arguments made from decoded ones.
macro_rules! call {
    ($function:ident $(, $argument:expr)* $(,)?) => {
        // SAFETY:
        // - Handles and valid usage are the promise of the caller of `call_with`.
        // - Every pointer leads to a decoded value, or to a slice as long as its length argument says; it is null
        //   where the guest's was.
        unsafe { $function($($argument),*) }
    };
}
pub(crate) use call;

/// The reply of a command without outputs, and its codec.
macro_rules! bare_reply {
    ($reply:ident, $constant:ident, $name:literal, $returns:ty, $encode:ident, $decode:ident) => {
        #[doc = concat!("Reply to `", $name, "`.")]
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $reply {
            /// What the command returned.
            pub returned: $returns,
        }

        #[doc = concat!("Encodes a reply to `", $name, "`.")]
        pub fn $encode(e: &mut Encoder, reply: &$reply) {
            e.write(CommandType::$constant.0);
            $crate::wire::Returned::write(reply.returned, e);
        }

        #[doc = concat!("Decodes a reply to `", $name, "`.")]
        pub fn $decode(d: &mut Decoder<'_>) -> Result<$reply, DecodeError> {
            d.read_reply_header(CommandType::$constant)?;
            Ok($reply { returned: $crate::wire::Returned::read(d)? })
        }
    };
}
pub(crate) use bare_reply;
