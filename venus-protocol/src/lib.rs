//! The Venus protocol: Vulkan commands serialised between a guest and its host.
//!
//! A guest's driver writes each Vulkan call as a *request*; the host reads it, executes it on its own Vulkan driver,
//! and writes a *reply* if the guest asked for one. This crate is both ends of that wire, for all 453 command names of
//! its newest [`Level`] and those of older ones,
//! over [`ash`]'s types. It does no I/O and calls no driver.
//!
//! # The wire in one page
//!
//! A stream is a plain sequence of requests:
//!
//! ```text
//! request := u32 command   u32 flags   argument*       every parameter, in order
//! reply   := u32 command   [result]    output*         if bit 0 of flags was set
//! ```
//!
//! Everything is little endian and padded to 4 bytes. There are no lengths and no tags: a reader that does not know a
//! command cannot skip it, so any error ends the stream. Pointers and arrays are preceded by a 64-bit marker or count;
//! `pNext` chains travel as all headers, then all bodies in reverse ([`wire::ChainTable`]). Handles are 64-bit ids
//! that the guest chooses, also for objects that the host creates. Outputs take room in the request, too: enough of
//! them for the host to know what to fill ("partial form").
//!
//! # The rooms
//!
//! * [`wire`]: the hand-written runtime. Start with [`wire::Decoder`] and [`wire::Encoder`].
//! * [`args`]: for each command `X` a struct `XArgs`, and for one with outputs a struct `XReply`. [`wire::Command`] decodes
//!   and encodes both.
//! * [`decode`] and [`encode`]: functions that do the same for structures.
//! * [`dispatch`](mod@dispatch): traits to handle commands by, and the function that drives them from bytes.
//! * [`vk`]: ash's types and those that ash lacks.
//! * `reflect`: the same as data, for errors, printers and tests: the members of every command and structure, and the
//!   names of values.
//! * `procs`: a driver's entry points, which `XArgs` can call.
//!
//! Each room imports only from those above it; `wire` from none.
//!
//! # Features
//!
//! | feature | adds | for |
//! |---|---|---|
//! | `reflect` (default) | the room `reflect`; errors that name the member they concern and spell values out | whoever reads errors or prints commands |
//! | `host` | the room `procs` | hosts, which call a driver |
//!
//! Without default features this is the codec alone.
//!
//! # A round trip
//!
//! ```
//! use venus_protocol::args::CmdDrawArgs;
//! use venus_protocol::wire::{Arena, Command, CommandType, Decoder, Encoder, Handle, IdentityResolver};
//!
//! let draw = CmdDrawArgs {
//!     command_buffer: Handle::identity(16),
//!     vertex_count: 3,
//!     instance_count: 1,
//!     first_vertex: 0,
//!     first_instance: 0,
//! };
//! // SAFETY: this command holds no pointers.
//! let mut encoder = unsafe { Encoder::new() };
//! draw.encode(&mut encoder, 0);
//! assert_eq!(encoder.bytes().len(), 32);
//!
//! let arena = Arena::default();
//! let mut decoder = Decoder::new(encoder.bytes(), &arena, &IdentityResolver);
//! assert_eq!(decoder.read_header()?.command, CommandType::CMD_DRAW);
//! assert_eq!(CmdDrawArgs::decode(&mut decoder)?.vertex_count, 3);
//! # Ok::<(), venus_protocol::wire::DecodeError>(())
//! ```
#![no_std]

extern crate alloc;

pub mod dispatch;
#[rustfmt::skip]
#[expect(missing_debug_implementations, reason = "arguments hold raw pointers; tracers print them by the registry")]
#[expect(deprecated, reason = "members that Vulkan has deprecated still travel")]
#[deny(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "no panic is reachable from a peer's bytes"
)]
mod generated;
mod message;
#[cfg(feature = "host")]
pub mod procs;
#[cfg(feature = "reflect")]
pub mod reflect;
pub mod vk;
#[deny(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "no panic is reachable from a peer's bytes"
)]
pub mod wire;

pub use generated::extensions::{COMMAND_SERIALIZATION_SPEC_VERSION, EXTENSIONS, WIRE_FORMAT_VERSION};
pub use generated::{args, commands, decode, encode};
pub use wire::{Level, UnknownLevel};

/// The code in the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// An extension that the protocol knows the structures and commands of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extension {
    /// Name, for example `VK_KHR_dynamic_rendering`.
    pub name: &'static str,
    /// Registry number: its bit in the extension mask of the capability set.
    pub number: u32,
    /// The level that it came with: hosts of an older one do not know it.
    pub since: Level,
    /// The specification version that it came with.
    spec_version: u32,
    /// Later specification versions, each with the level that it came with.
    raised: &'static [(Level, u32)],
}

impl Extension {
    const fn new(name: &'static str, number: u32, spec_version: u32) -> Self {
        Self { name, number, since: Level::OLDEST, spec_version, raised: &[] }
    }

    const fn since(mut self, level: Level) -> Self {
        self.since = level;
        self
    }

    const fn raised(mut self, raised: &'static [(Level, u32)]) -> Self {
        self.raised = raised;
        self
    }

    /// Highest specification version that the protocol covers at a level.
    pub fn spec_version(&self, level: Level) -> u32 {
        let raised = self.raised.iter().rev().find(|(since, _)| *since <= level);
        raised.map_or(self.spec_version, |(_, version)| *version)
    }
}

impl Level {
    /// Extensions whose structures and commands the protocol knows at this level, by number.
    pub fn extensions(self) -> impl Iterator<Item = &'static Extension> {
        EXTENSIONS.iter().filter(move |extension| extension.since <= self)
    }
}
