//! Null handles: refused where Vulkan asks for an object, and nowhere else.

use std::collections::BTreeSet;

use venus_protocol::reflect::{self, CommandRow, Direction, HandleRow, Item, MemberRow, StructRow, UnionRow};
use venus_protocol::vk;
use venus_protocol::wire::{Arena, DecodeErrorKind as Kind, HandleError, HandleResolver};
use venus_verify::generate::{self, Choices, Role};
use venus_verify::named::named;

use crate::{ARENA_BYTES, check, decode};

/// Has everything, as a host that asks for objects does.
struct Everything;

impl HandleResolver for Everything {
    fn resolve(&self, _kind: vk::ObjectType, id: u64) -> Result<u64, HandleError> {
        Ok(id)
    }
}

/// Requests with one of everything that may be there, and in chains and unions with what has handles.
struct Most;

impl Choices for Most {
    fn length(&mut self, _owner: &'static str, _member: &'static MemberRow, divisor: u64, _written: usize) -> u64 {
        divisor
    }

    fn leaves_out(&mut self, _owner: &'static str, _member: &'static MemberRow, _written: usize) -> bool {
        false
    }

    fn number(&mut self, _owner: &'static str, _member: &'static MemberRow) -> u64 {
        0
    }

    fn handle(
        &mut self,
        _owner: &'static str,
        _member: &'static MemberRow,
        _handle: &'static HandleRow,
        _role: Role,
    ) -> u64 {
        5
    }

    fn chain(&mut self, root: &'static StructRow, _written: usize) -> Vec<&'static StructRow> {
        root.children().filter(|row| has_handles(row)).collect()
    }

    fn select(&mut self, union: &'static UnionRow) -> usize {
        let is_structure = |member: &MemberRow| matches!(member.item, Item::Struct(row) if has_handles(row));
        union.members.iter().position(|(_, member)| is_structure(member)).unwrap_or(0)
    }

    fn byte(&mut self) -> u8 {
        0
    }

    fn string(&mut self, _room: u64) -> u64 {
        1
    }
}

fn has_handles(row: &StructRow) -> bool {
    row.members.iter().any(|member| matches!(member.item, Item::Handle(_)))
}

/// The parameter that a command acts on, if that is a handle.
fn acts_on(row: &CommandRow) -> Option<&'static str> {
    let first = row.params.first().filter(|first| first.direction == Direction::In)?;
    matches!(first.item, Item::Handle(_)).then_some(first.name)
}

#[test]
fn a_null_handle_is_found_where_an_object_is_required() {
    let arena = &mut Arena::new(ARENA_BYTES);
    let (mut required, mut optional) = (BTreeSet::new(), BTreeSet::new());
    for row in reflect::commands() {
        let (command, bytes) = (row.command, generate::request(row, 0, &mut Most));
        assert!(decode(&bytes, arena, &Everything).is_ok(), "{command}");
        for (nth, place) in named(&bytes).into_iter().enumerate() {
            let mut hostile = bytes.clone();
            place.replace(&mut hostile, 0);
            let decoded = decode(&hostile, arena, &Everything);
            let is_owner = nth == 0 && acts_on(row) == Some(place.member.name);
            // What is destroyed may be null, but for what the command acts on.
            if !place.required && !is_owner {
                assert_eq!(decoded, Ok(hostile), "{command}: {}", place.member);
                optional.insert((place.member.owner, place.member.name));
                continue;
            }
            let error = if is_owner { HandleError::NullOwner } else { HandleError::Null };
            let found = decoded.expect_err("an object is required");
            assert_eq!(found.kind, Kind::Handle { id: 0, expected: place.kind, error }, "{found}");
            assert_eq!((found.offset, found.command), (place.at, command), "{found}");
            assert_eq!(found.member, Some(place.member), "{found}");
            // Who only looks sees the command.
            if !is_owner {
                assert_eq!(check(&hostile, arena), Ok(hostile));
                required.insert((place.member.owner, place.member.name));
            }
        }
    }
    for structure in reflect::structures() {
        for member in structure.members.iter().filter(|member| member.required) {
            assert!(required.contains(&(structure.name, member.name)), "{}.{}", structure.name, member.name);
        }
    }
    assert!(required.len() > 150 && optional.len() > 50, "{} and {}", required.len(), optional.len());
    // One of each way to be allowed: optional, optional in an array, and a rule of its own.
    for known in
        [("vkDestroyBuffer", "buffer"), ("vkCmdBindVertexBuffers", "pBuffers"), ("VkDescriptorImageInfo", "sampler")]
    {
        assert!(optional.contains(&known), "{known:?}");
    }
    for known in [
        ("VkBufferMemoryRequirementsInfo2", "buffer"),
        ("VkSubmitInfo", "pCommandBuffers"),
        ("vkCmdCopyBuffer", "srcBuffer"),
    ] {
        assert!(required.contains(&known), "{known:?}");
    }
}
