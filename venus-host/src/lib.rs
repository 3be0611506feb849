//! A Venus host: executes a guest's Vulkan commands on any Vulkan driver.
//!
//! A guest's Venus driver (Mesa's, in a Linux guest) serialises Vulkan calls. This crate takes them in, executes them
//! on the Vulkan driver of this machine, and gives back replies and shared memory. Guests come to it in two ways:
//! `vtest` listens on a Unix socket for Mesa on the same machine (feature `vtest`); [`host`] is the interface for virtual
//! machine monitors, which have their own way to carry messages. Behind both, one guest program is one [`context`], which
//! can be had by itself, too.
//!
//! # The way of a command
//!
//! ```text
//!   guest ──── socket or virtqueue ────> vtest/ | embedder ──> context/ ──┐
//!     └─────── shared memory ──────────> ring/ ───────────────────────────┤
//!                                                                         v
//!                              context/interpreter on an endpoint: decode, dispatch, reply
//!                                                                         │
//!                                                  handlers/ ──> object/ <┘
//!                                                      │
//!                                                      v
//!                                                  driver/  ──> Vulkan
//! ```
//!
//! # The rooms, floor by floor
//!
//! Each room imports only what lies on a lower floor.
//!
//! | floor | room | owns | knows nothing of |
//! |------:|---|---|---|
//! | 8 | [`host`] | a virtio-gpu device: contexts, resources and fences by the device's numbers | Vulkan, messages |
//! | 8 | `vtest` (feature) | the socket protocol, syncs, the server and its workers | Vulkan |
//! | 7 | [`worker`] | who serves a context, in a thread or a process, and how its monitor talks to it | Vulkan, devices' numbers |
//! | 6 | [`context`] | one guest: its verbs, capability set, the interpreter of its commands, the commands that steer rings | sockets |
//! | 5 | `handlers` | policy: what the host does with each Vulkan command | bytes, shared memory |
//! | 4 | [`endpoint`] | what executes commands: place, reply stream, what a context shares; the traits of observers | any Vulkan command |
//! | 3 | `object` | the guest's ids, and when what they name may be freed | rings, calls to the driver |
//! | 3 | `ring` | shared-memory command rings: consumer, idle handshake, heartbeat | Vulkan |
//! | 2 | [`driver`] | instances, devices, queues, memory; the proofs behind every call to Vulkan | the table of ids, rings, replies |
//! | 1 | [`resource`] | memory shared with the guest | commands |
//! | 1 | [`sandbox`] | what a process that serves guests gives up | guests, Vulkan |
//! | 1 | `socket` | stream sockets, and descriptors that travel on them | what is said |
//! | 0 | [`error`], [`limits`], `thread`, `allocator` | words for what goes wrong, bounds, what threads and the C library are told | everything else |
//!
//! # Who validates what, and why only there
//!
//! Everything a guest sends may be wrong on purpose. Each kind of wrong is caught in one place, and everything behind
//! it relies on that:
//!
//! * *Lengths of messages*: `vtest/framing.rs` and `worker/frame.rs`, before a byte of payload is read.
//! * *What a worker process says*: `worker/inbox.rs` and `worker/check.rs`, in the monitor's process.
//! * *Ranges of shared memory*: where they are named (`endpoint/reply.rs`, `ring/layout.rs`, `context/transport.rs`),
//!   against the size that the guest was given. The mapping checks once more at each access, which costs nothing and
//!   makes the rooms above safe code.
//! * *Bytes of commands*: the decoder of `venus-protocol`, on a private copy, once. What it returns is well-formed.
//! * *Ids*: the object table, while decoding. A handler sees live driver handles of the right type.
//! * *Rules of Venus and of this host* (who owns what, what a guest may do at all): the handler of the command.
//! * *Lengths that Vulkan says twice*: `driver/sanitize.rs`, where a driver would believe the wrong one about memory of
//!   ours.
//! * *The rest of Vulkan's valid usage*: nobody. Drivers do not check it and neither can we. A guest that breaks it can crash the
//!   driver under itself, so each guest is served by a process of its own unless somebody decides otherwise.
//!
//! # Errors
//!
//! A guest that breaks a rule loses its context and nothing else: see [`Fatal`], which is one line that names the
//! command, the reason and the place. Results of the driver are data. Trouble of our own is [`HostError`]. Nothing here
//! panics because of what a guest sent.
//!
//! # Speed
//!
//! Between the guest's store of a ring's tail and the driver's entry point a command meets no lock besides the object
//! table's, no allocation, no formatting, no system call. What could cost is done once per batch (clocks, enter and
//! leave) or once per object.

// Nothing here panics because of what a guest sent.
#![cfg_attr(
    not(test),
    deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::as_conversions, clippy::arithmetic_side_effects)
)]

mod allocator;
pub mod context;
pub mod driver;
pub mod endpoint;
pub mod error;
mod handlers;
pub mod host;
pub mod limits;
mod object;
pub mod resource;
mod ring;
pub mod sandbox;
mod socket;
mod sync;
mod thread;
#[cfg(feature = "vtest")]
pub mod vtest;
pub mod worker;

pub use error::{Fatal, HostError};

/// The code in the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
