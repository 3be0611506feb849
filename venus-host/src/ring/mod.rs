//! Rings: the road by which nearly all commands travel.
//!
//! A ring is a circular buffer in shared memory. The guest appends commands and moves `tail`; the host executes them in
//! order and moves `head` after each one, once its reply is written, since the guest takes "head has passed my command"
//! for "the reply is there". A ring that has been empty for a while says so by the IDLE bit of its status word and
//! sleeps; the guest, when it sees the bit, sends vkNotifyRingMESA.
//!
//! | file | what |
//! |---|---|
//! | [`layout`] | where the words and the buffer are, and every check of vkCreateRingMESA |
//! | [`region`] | the words themselves: the only file with raw pointers, and with the reason of every memory ordering |
//! | [`control`] | what others do to a ring: notify, stop, wait for it, let it continue |
//! | [`consumer`] | what the ring does: fetch, execute, publish, go idle. With or without a thread of its own |
//! | [`shared`] | the thread that rings share where no more may have one of their own |
//! | [`monitor`] | the watchdog's heartbeat |
//! | [`table`] | rings by id |
//!
//! This room knows no Vulkan: whatever executes commands implements [`Execute`], and the tests' is a few lines long.
//!
//! # Who validates
//!
//! The layout is checked once, in [`layout`]; the positions are checked at every fetch, in [`consumer`]; the commands
//! are checked by the decoder, on a private copy. The guest can change the shared words at any time: whatever the host
//! needs to rely on (its position, how far it got) it keeps in private memory and only publishes.

pub(crate) mod consumer;
pub(crate) mod control;
pub(crate) mod layout;
pub(crate) mod monitor;
pub(crate) mod region;
mod shared;
pub(crate) mod table;

pub use self::consumer::{Progress, Rest};
pub(crate) use self::{
    consumer::Execute,
    control::{Control, Mode, Settings, WaitError},
    layout::{CreateInfo, Layout},
    region::Region,
    table::Table,
};

/// The guest's name of a ring. Mesa uses an address of its own, so any value is legal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct RingId(pub(crate) u64);

#[cfg(test)]
mod tests;
