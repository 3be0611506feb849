//! The hand-written runtime under the generated code: reading, writing, arena, chains, handles, limits.
//!
//! Everything that decides how a *kind* of item travels lives here (scalars, counts, strings, chains); what
//! travels *where* is generated. The rules are those of the Venus wire format, version 1:
//!
//! * little endian, every item a multiple of 4 bytes, commands and items 4-byte aligned;
//! * a pointer is a 64-bit marker, an array a 64-bit count, both followed by what they announce;
//! * nothing refers to another position of the stream, so one forward pass decodes it.
//!
//! Who validates: [`Decoder`] checks everything that concerns memory safety and framing (lengths, counts, tags,
//! structure types, handles, limits). It does not check Vulkan's valid usage; that is the driver's contract with
//! the guest.

mod arena;
mod chain;
mod command;
mod count;
mod decoder;
mod encoder;
mod error;
mod handle;
mod level;
pub mod limits;
mod scalar;

pub use arena::Arena;
pub use chain::{Announced, ChainMode, ChainTable, DecodeBody, EncodeBody, Node};
pub(crate) use chain::{chain_tables, merged, nodes};
pub(crate) use command::returns;
pub use command::{Command, CommandHeader, CommandType, Reply, Returned};
#[cfg(feature = "host")]
pub(crate) use count::packed_stride;
pub(crate) use count::{Count, as_mut_ptr_or_null, as_ptr_or_null, filled, to_ptr};
pub use decoder::Decoder;
pub use encoder::Encoder;
pub use error::{DecodeError, DecodeErrorKind, ErrorClass, Member};
pub use handle::{Handle, HandleError, HandleResolver, Handles, IdentityResolver, NewHandles};
pub use level::{Level, UnknownLevel};
pub use scalar::Scalar;
pub(crate) use scalar::{wire_enums, wire_flags};
