//! Names for objects that are about to be created.

use venus_protocol::vk;
use venus_protocol::wire::{Handle, NewHandles};

/// The id of one object that a command is about to create: the guest chooses it, so it is known before the host has
/// seen the command.
#[derive(Debug)]
pub struct Fresh<H> {
    id: [u64; 1],
    raw: [H; 1],
}

impl<H: vk::Handle> Fresh<H> {
    /// A name with the given number.
    pub fn new(id: u64) -> Self {
        // In a guest, handles and ids are the same numbers.
        Self { id: [id], raw: [H::from_raw(id)] }
    }

    /// For the creating command.
    pub fn slot(&mut self) -> NewHandles<'_, H> {
        NewHandles { ids: &mut self.id, raws: &mut self.raw }
    }

    /// For all other commands.
    pub fn handle(&self) -> Handle<H> {
        let [id] = self.id;
        Handle::identity(id)
    }
}
