//! Requests as bytes, and the ids in them.

use std::ops::ControlFlow;

use venus_protocol::{
    reflect::{self, Item, Piece, Step},
    vk,
    wire::{CommandType, Member},
};

/// The command of a request or reply.
///
/// # Panics
///
/// There are not even bytes enough for its number.
pub fn command_of(bytes: &[u8]) -> CommandType {
    CommandType(u32::from_le_bytes(bytes[..4].try_into().expect("a command")))
}

/// Looks at nothing: for who only wants to know how long something is.
#[derive(Clone, Copy, Debug)]
pub struct Nobody;

impl reflect::Visitor for Nobody {
    fn visit(&mut self, _at: usize, _len: usize, _member: Member, _piece: Piece<'_>) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

/// An id in a request.
#[derive(Clone, Copy, Debug)]
pub struct Named {
    /// The member that holds it.
    pub member: Member,
    /// The type of what it names.
    pub kind: vk::ObjectType,
    /// The id.
    pub id: u64,
    /// Whether it has to name an object.
    pub required: bool,
    /// Its position.
    pub at: usize,
}

impl Named {
    /// Puts another id in its place.
    ///
    /// # Panics
    ///
    /// The request is shorter than the one that it was found in.
    pub fn replace(&self, request: &mut [u8], id: u64) {
        request[self.at..self.at + 8].copy_from_slice(&id.to_le_bytes());
    }
}

#[derive(Default)]
struct Ids {
    found: Vec<Named>,
    /// Whether the handles of the member that was entered last have to name objects.
    required: bool,
}

impl reflect::Visitor for Ids {
    fn visit(&mut self, at: usize, _len: usize, member: Member, piece: Piece<'_>) -> ControlFlow<()> {
        if let Piece::Value(Item::Handle(row), bytes) | Piece::Values(Item::Handle(row), bytes) = piece {
            let ids = bytes.chunks_exact(8).map(|id| u64::from_le_bytes(id.try_into().expect("eight bytes")));
            let kind = row.object_type;
            let required = self.required;
            self.found.extend(ids.enumerate().map(|(nth, id)| Named { member, kind, id, required, at: at + 8 * nth }));
        }
        ControlFlow::Continue(())
    }

    fn enter(&mut self, step: Step) {
        if let Step::Member(row) = step {
            self.required = row.required;
        }
    }
}

/// All ids in a request.
///
/// # Panics
///
/// The request is not well formed.
pub fn named(request: &[u8]) -> Vec<Named> {
    let mut ids = Ids::default();
    reflect::walk_request(request, &mut ids).expect("requests can be walked");
    ids.found
}

/// The ids that a request gives to what it makes.
///
/// # Panics
///
/// The request is not well formed.
pub fn new_ids(request: &[u8]) -> Vec<u64> {
    let row = reflect::command(command_of(request)).expect("it travels");
    let is_new = |named: &Named| {
        named.member.owner == row.command.name() && row.outputs().any(|param| param.name == named.member.name)
    };
    named(request).iter().filter(|named| is_new(named)).map(|named| named.id).collect()
}

/// A request without a wish for a reply.
///
/// # Panics
///
/// There are not even bytes enough for a header.
#[must_use]
pub fn silent(mut request: Vec<u8>) -> Vec<u8> {
    request[4..8].fill(0);
    request
}
