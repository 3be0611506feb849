//! Command numbers, headers, and what all commands have in common.

use ash::vk;

use super::{DecodeError, Decoder, Encoder};

/// `VkCommandTypeEXT`: a command's number on the wire.
///
/// The associated constants, one for each of the 453 names, are in `generated/commands.rs`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommandType(pub u32);

impl CommandType {
    /// Stands for "no command" in errors. No command will ever have this number.
    pub const NONE: Self = Self(u32::MAX);
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

    /// The value that stands for a command which was not executed: `result`, where it can be told, else nothing.
    fn unexecuted(result: vk::Result) -> Self {
        let _ = result;
        Self::success()
    }

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

    fn unexecuted(result: Self) -> Self {
        result
    }

    fn read(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        decoder.read()
    }

    fn write(self, encoder: &mut Encoder) {
        encoder.write(self);
    }
}

/// What a command has to say once it was called: what it returned, and its outputs.
///
/// Generated for commands with outputs. Where there are none, a reply is what the command returned.
pub trait Reply<'a>: Sized {
    /// Decodes what follows the command's number.
    fn decode(decoder: &mut Decoder<'a>) -> Result<Self, DecodeError>;

    /// Encodes the command's number and what follows it.
    fn encode(&self, encoder: &mut Encoder, command: CommandType);
}

impl<R: Returned> Reply<'_> for R {
    fn decode(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        Self::read(decoder)
    }

    fn encode(&self, encoder: &mut Encoder, command: CommandType) {
        encoder.write(command.0);
        self.write(encoder);
    }
}

/// The arguments of one Vulkan command, on either side of the wire. Implemented by every generated `…Args`.
pub trait Command<'a>: Sized {
    /// Number on the wire.
    const TYPE: CommandType;
    /// Canonical Vulkan name.
    const NAME: &'static str = Self::TYPE.name();
    /// Whether the registry lists `VK_ERROR_DEVICE_LOST` for it: lost without a reply, it ends the context.
    const REPORTS_DEVICE_LOST: bool = false;
    /// The command's return type.
    type Return: Returned;
    /// What a reply to it holds.
    type Reply<'r>: Reply<'r>
    where
        Self: 'r;

    /// Decodes the arguments that follow the header.
    fn decode(decoder: &mut Decoder<'a>) -> Result<Self, DecodeError>;

    /// Encodes header and arguments, as a guest sends them.
    fn encode(&self, encoder: &mut Encoder, flags: u32);

    /// The reply that these arguments amount to once the driver has filled them.
    fn reply(&self, returned: Self::Return) -> Self::Reply<'_>;

    /// Decodes a reply, as a guest reads it.
    fn decode_reply<'r>(decoder: &mut Decoder<'r>) -> Result<Self::Reply<'r>, DecodeError>
    where
        Self: 'r,
    {
        decoder.read_reply_header(Self::TYPE)?;
        Self::Reply::decode(decoder)
    }

    /// Encodes a reply, as a host sends it.
    #[inline]
    fn encode_reply(encoder: &mut Encoder, reply: &Self::Reply<'_>) {
        reply.encode(encoder, Self::TYPE);
    }
}

/// In an implementation of [`Command`]: a command without outputs, whose reply is what it returned.
macro_rules! returns {
    ($returns:ty) => {
        type Return = $returns;
        type Reply<'r>
            = $returns
        where
            Self: 'r;

        #[inline]
        fn reply(&self, returned: $returns) -> $returns {
            returned
        }
    };
}
pub(crate) use returns;
