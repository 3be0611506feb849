//! Queues, their timelines, and what stands in for SYNC_FD.
//!
//! A guest waits for the host in two ways. Most waiting is Vulkan's own and goes through handlers like any command. The
//! other way is the guest kernel's: it asks for a fence on a numbered timeline (`ring_idx`), and the host answers when
//! the queue bound to that number has finished all it had been given. That is this module's work: [`Timelines`] knows
//! which queue serves which number, and each has a thread that waits so that nobody else has to.
//!
//! Where a guest may have the GPU for so long only, [`Watch`] looks whether queues come to an end.
//!
//! Submissions come from ring threads, from timelines and from that at the same time, while Vulkan wants one caller per queue;
//! [`Queue::lock`] sees to it.
//!
//! Nothing here calls Vulkan by itself: [`Device`](super::Device) has the calls.

mod emulation;
mod queue;
mod timeline;
mod watch;

pub use self::timeline::{Retire, Retired};
pub(crate) use self::{
    emulation::{Orphan, Orphans},
    queue::Queue,
    timeline::{Timelines, Unbound},
    watch::Watch,
};
