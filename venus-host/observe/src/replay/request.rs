//! Reads members of recorded requests and replies by their names in the registry.
//!
//! Uses the reflection tables, so no Vulkan structure is built. Malformed bytes have no members.

use std::ops::ControlFlow;

use venus_protocol::{
    reflect::{
        Piece, Visitor,
        value::{Field, Request, Struct, Value},
        walk_request,
    },
    vk,
    wire::{CommandHeader, CommandType, Member},
};

/// The header of a request.
pub(super) fn header(bytes: &[u8]) -> Option<CommandHeader> {
    let (command, rest) = bytes.split_first_chunk()?;
    let flags = rest.first_chunk()?;
    Some(CommandHeader { command: CommandType(u32::from_le_bytes(*command)), flags: u32::from_le_bytes(*flags) })
}

/// The eight bytes behind the header: the first parameter, if that is a handle or another number of that size.
pub(super) fn first_word(bytes: &[u8]) -> Option<u64> {
    bytes.get(8..)?.first_chunk().map(|word| u64::from_le_bytes(*word))
}

/// Encodes a vkSeekReplyCommandStreamMESA.
pub(super) fn seek_reply(position: u64) -> [u8; 16] {
    let mut bytes = [0; 16];
    let (command, rest) = bytes.split_at_mut(4);
    command.copy_from_slice(&CommandType::SEEK_REPLY_COMMAND_STREAM_MESA.0.to_le_bytes());
    if let Some(argument) = rest.last_chunk_mut() {
        *argument = position.to_le_bytes();
    }
    bytes
}

/// The reply positions of the streams of a vkExecuteCommandStreamsMESA, if it has any: last stream first, without empty
/// streams.
pub(super) fn reply_positions(bytes: &[u8]) -> Vec<u64> {
    let Ok(request) = Request::read(bytes) else { return Vec::new() };
    let (Some(streams), Some(positions)) = (request.param("pStreams"), request.param("pReplyPositions")) else {
        return Vec::new();
    };
    let stream = |index| {
        let stream = streams.element(index)?;
        let size = number(structure(&stream)?.member("size")?)?;
        let position = positions.element(index)?;
        (size != 0).then(|| number(&position)).flatten()
    };
    (0..positions.elements()).rev().filter_map(stream).collect()
}

/// Byte offset of a member in a request, in the first structure of this name that has it.
pub(super) fn offset_of(bytes: &[u8], member: Member) -> Option<usize> {
    struct Find {
        member: Member,
        found: Option<usize>,
    }
    impl Visitor for Find {
        fn visit(&mut self, at: usize, _len: usize, member: Member, piece: Piece<'_>) -> ControlFlow<()> {
            if member == self.member && matches!(piece, Piece::Value(..)) {
                self.found = Some(at);
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        }
    }
    let mut find = Find { member, found: None };
    let _asked = walk_request(bytes, &mut find);
    find.found
}

/// A number, an enum's or bitmask's value, or an id.
pub(super) fn number(value: &Value<'_>) -> Option<u64> {
    match value {
        Value::Number(_, bits) => Some(*bits),
        Value::Enum(_, value) => Some(value.cast_unsigned()),
        Value::Handle(_, id) => Some(*id),
        _ => None,
    }
}

/// The structure that a value is.
pub(super) fn structure<'v, 'a>(value: &'v Value<'a>) -> Option<&'v Struct<'a>> {
    match value {
        Value::Struct(structure) => Some(structure),
        _ => None,
    }
}

/// The structure that a parameter is.
pub(super) fn param<'v, 'a>(request: &'v Request<'a>, name: &str) -> Option<&'v Struct<'a>> {
    structure(request.param(name)?)
}

/// The structures in a list.
pub(super) fn structures<'v, 'a>(list: Option<&'v Value<'a>>) -> impl Iterator<Item = &'v Struct<'a>> {
    let items = match list {
        Some(Value::List { items, .. }) => items.as_slice(),
        _ => &[],
    };
    items.iter().filter_map(structure)
}

/// The number that a parameter is.
pub(super) fn param_number(request: &Request<'_>, name: &str) -> Option<u64> {
    number(request.param(name)?)
}

/// The number that a member is.
pub(super) fn member(structure: &Struct<'_>, name: &str) -> Option<u64> {
    number(structure.member(name)?)
}

/// The ids of all objects of a type in a command's parameters, null ones left out.
pub(super) fn handles(params: &[Field<'_>], kind: vk::ObjectType) -> Vec<u64> {
    let mut ids = Vec::new();
    for field in params {
        field.value.for_each_handle(&mut |row, id| {
            if row.object_type == kind && id != 0 {
                ids.push(id);
            }
        });
    }
    ids
}
