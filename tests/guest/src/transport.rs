//! What a guest needs of whatever carries its messages.

use std::time::Duration;

use anyhow::Result;

use super::{Capset, Mapping};

/// The host's name for a blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResourceId(pub u32);

/// What a blob may be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlobFlags(pub u32);

impl BlobFlags {
    /// The guest maps it.
    pub const MAPPABLE: Self = Self(1);
    /// Other processes may get it.
    pub const SHAREABLE: Self = Self(2);
}

/// How long the guest has been waiting for the host to change memory that they share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pause {
    /// No longer than most commands take.
    Short,
    /// Longer: the guest sleeps between two looks, and what costs a system call may be done.
    Long,
}

/// The way to a host that has one context for the guest.
pub trait Transport {
    /// What the host can do.
    fn capset(&self) -> &Capset;

    /// Creates a blob that the guest sees. `blob_id` 0 stands for plain shared memory, other ids for the device memory of
    /// that id.
    fn create_blob(&mut self, flags: BlobFlags, blob_id: u64, size: u64) -> Result<(ResourceId, Mapping)>;

    /// Gives a blob back. It has to be unmapped already.
    fn unref_resource(&mut self, resource: ResourceId) -> Result<()>;

    /// Has `commands` executed on the context itself.
    fn submit(&mut self, commands: &[u8]) -> Result<()>;

    /// The same, and waits until a fence behind them on timeline `ring_idx` retires.
    fn submit_and_wait(&mut self, commands: &[u8], ring_idx: u32, timeout: Duration) -> Result<()>;

    /// Called between two looks at shared memory, for as long as the guest waits. A host that is polled is polled here. An
    /// error, such as that the host has gone, ends the wait.
    fn pause(&mut self, pause: Pause) -> Result<()>;
}
