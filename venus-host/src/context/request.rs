//! What a request names, found by the reflection tables: for commands that the decoder has refused.

use std::{collections::BTreeSet, ops::ControlFlow};

use venus_protocol::{
    reflect::{self, CommandRow, Item, Piece, Visitor},
    vk,
    wire::{CommandHeader, CommandType, Member},
};

use crate::{
    limits,
    object::{self, PhantomView},
};

/// A handle in a request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Name {
    /// Position of the id, from the command's first byte.
    pub(super) at: usize,
    pub(super) member: Member,
    pub(super) kind: vk::ObjectType,
    pub(super) id: u64,
    /// The guest gives the id to what the command creates.
    pub(super) is_new: bool,
    /// Where the flags of the structure are that it belongs to, if it has any before it.
    flags: FlagsAt,
    /// Which of the structures among the command's arguments it is in.
    pub(super) part: Option<usize>,
}

/// A structure among a command's arguments: where it is, and the size of the array that it is in.
#[derive(Debug, Clone, Copy)]
struct Part {
    start: usize,
    end: usize,
    size_at: usize,
    /// Which binding of a descriptor set it writes.
    binding: u32,
}

/// Where the flags of a structure are, and those of a node in its chain that stands in for them.
#[derive(Debug, Clone, Copy, Default)]
struct FlagsAt {
    own: Option<usize>,
    newer: Option<usize>,
}

/// One request, taken apart.
#[derive(Debug)]
pub(super) struct Request<'a> {
    pub(super) header: CommandHeader,
    /// All of it, and nothing behind.
    pub(super) bytes: &'a [u8],
    names: Vec<Name>,
    parts: Vec<Part>,
}

/// Collects what a command names.
struct Names {
    row: &'static CommandRow,
    found: Vec<Name>,
    /// Of each structure and node that has begun and not ended, the innermost last.
    flags: Vec<FlagsAt>,
    parts: Vec<Part>,
    /// Where the size of the last array is that is an argument.
    size_at: usize,
}

impl Visitor for Names {
    fn visit(&mut self, at: usize, _len: usize, member: Member, piece: Piece<'_>) -> ControlFlow<()> {
        match piece {
            Piece::Value(Item::Handle(handle), bytes) | Piece::Values(Item::Handle(handle), bytes) => {
                return self.add(at, member, handle.object_type, bytes);
            }
            Piece::Begin(_) | Piece::BeginNode(_) => self.begin(at),
            Piece::End => self.end(at),
            Piece::Count(_) if self.flags.is_empty() => self.size_at = at,
            Piece::Value(_, bytes) if member.name == "dstBinding" => self.note_binding(bytes),
            Piece::Value(..) if member.name == "flags" => self.note_flags(at, member),
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

impl Names {
    fn begin(&mut self, at: usize) {
        if self.flags.is_empty() {
            self.parts.push(Part { start: at, end: at, size_at: self.size_at, binding: 0 });
        }
        self.flags.push(FlagsAt::default());
    }

    fn end(&mut self, at: usize) {
        self.flags.pop();
        if let (true, Some(part)) = (self.flags.is_empty(), self.parts.last_mut()) {
            part.end = at;
        }
    }

    fn note_binding(&mut self, bytes: &[u8]) {
        if let (Some(part), Some(binding)) = (self.parts.last_mut(), bytes.first_chunk::<4>()) {
            part.binding = u32::from_le_bytes(*binding);
        }
    }

    fn note_flags(&mut self, at: usize, member: Member) {
        let mut innermost = self.flags.iter_mut().rev();
        if member.owner != PIPELINE_FLAGS2 {
            innermost.next().into_iter().for_each(|flags| flags.own = Some(at));
        } else if let Some(extended) = innermost.nth(1) {
            extended.newer = Some(at);
        }
    }

    fn add(&mut self, at: usize, member: Member, kind: vk::ObjectType, bytes: &[u8]) -> ControlFlow<()> {
        let is_output = |name| self.row.outputs().any(|param| param.name == name);
        let is_new = member.owner == self.row.command.name() && is_output(member.name);
        let flags = self.flags.last().copied().unwrap_or_default();
        let part = if self.flags.is_empty() { None } else { self.parts.len().checked_sub(1) };
        let (ids, _) = bytes.as_chunks::<8>();
        if ids.len() > limits::NAMES.saturating_sub(self.found.len()) {
            return ControlFlow::Break(());
        }
        for (at, id) in (at..).step_by(8).zip(ids) {
            self.found.push(Name { at, member, kind, id: u64::from_le_bytes(*id), is_new, flags, part });
        }
        ControlFlow::Continue(())
    }
}

/// The node whose flags count instead of a pipeline's own.
const PIPELINE_FLAGS2: &str = "VkPipelineCreateFlags2CreateInfo";

/// The `VK_PIPELINE_CREATE_DERIVATIVE_BIT` in a byte of flags, of both kinds.
const DERIVATIVE: u8 = 0x4;

impl<'a> Request<'a> {
    /// The request that `bytes` begin with; `None` if the tables cannot follow it, or it names too much.
    pub(super) fn of(bytes: &'a [u8]) -> Option<Self> {
        let (words, _) = bytes.as_chunks::<4>();
        let [command, flags] = [0, 1].map(|n| words.get(n).map(|word| u32::from_le_bytes(*word)));
        let header = CommandHeader { command: CommandType(command?), flags: flags? };
        let row = reflect::command(header.command)?;
        let mut names = Names { row, found: Vec::new(), flags: Vec::new(), parts: Vec::new(), size_at: 0 };
        let len = reflect::walk_request(bytes, &mut names).ok()?;
        Some(Self { header, bytes: bytes.get(..len)?, names: names.found, parts: names.parts })
    }

    /// The object that the command acts on.
    pub(super) fn owner(&self) -> Option<&Name> {
        self.names.first().filter(|name| !name.is_new)
    }

    /// What the command uses.
    pub(super) fn used(&self) -> impl Iterator<Item = &Name> {
        self.names.iter().filter(|name| !name.is_new)
    }

    /// What the command creates.
    pub(super) fn created(&self) -> impl Iterator<Item = &Name> {
        self.names.iter().filter(|name| name.is_new)
    }

    /// The descriptor sets that it writes to, with the part that does and the binding.
    pub(super) fn writes(&self) -> impl Iterator<Item = (&Name, usize, u32)> {
        let sets = self.used().filter(|name| name.member.name == "dstSet");
        sets.filter_map(|name| Some((name, name.part?, self.parts.get(name.part?)?.binding)))
    }

    /// The phantoms among what it uses.
    pub(super) fn phantoms(&self, objects: &object::Table) -> Vec<(Name, PhantomView)> {
        let named = self.used().filter(|name| name.id != 0);
        named.filter_map(|name| Some((*name, objects.phantom(name.kind, name.id)?))).collect()
    }

    /// The request, with ids of 0 for what it creates: what a guest is told that gets nothing.
    pub(super) fn without_new_ids(&self) -> Vec<u8> {
        let mut bytes = self.bytes.to_vec();
        for name in self.created() {
            clear(&mut bytes, name.at);
        }
        bytes
    }

    /// The request, which wants no reply, without some of the structures in its arrays; `None` if nothing is left, or they
    /// are one thing.
    pub(super) fn without_parts(&self, left_out: &BTreeSet<usize>) -> Option<Vec<u8>> {
        if !has_parts(self.header.command) || left_out.len() >= self.parts.len() {
            return None;
        }
        let mut bytes = self.bytes.to_vec();
        bytes.get_mut(4..8)?.fill(0);
        let parts = left_out.iter().filter_map(|part| self.parts.get(*part));
        parts.clone().try_for_each(|part| count_down(&mut bytes, part.size_at))?;
        let (mut rest, mut from) = (Vec::with_capacity(bytes.len()), 0);
        for part in parts {
            rest.extend(bytes.get(from..part.start)?);
            from = part.end;
        }
        rest.extend(bytes.get(from..)?);
        Some(rest)
    }

    /// The request for pipelines, without the pipelines that `phantoms` are derived from: a hint of how to create
    /// them faster.
    pub(super) fn without_bases(&self, phantoms: &[(Name, PhantomView)]) -> Vec<u8> {
        let mut bytes = self.bytes.to_vec();
        for (name, _) in phantoms {
            clear(&mut bytes, name.at);
            for at in [name.flags.own, name.flags.newer].into_iter().flatten() {
                bytes.get_mut(at).into_iter().for_each(|flags| *flags &= !DERIVATIVE);
            }
        }
        bytes
    }
}

/// Whether what the structures of a command ask for is as good as if each came in a command of its own.
fn has_parts(command: CommandType) -> bool {
    use CommandType as C;
    matches!(command, C::BIND_BUFFER_MEMORY2 | C::BIND_IMAGE_MEMORY2 | C::UPDATE_DESCRIPTOR_SETS)
}

/// Makes an array one shorter, the size of which is at this position, behind the count that the command gives.
fn count_down(bytes: &mut [u8], at: usize) -> Option<()> {
    let size = bytes.get_mut(at..)?.first_chunk_mut::<8>()?;
    *size = u64::from_le_bytes(*size).checked_sub(1)?.to_le_bytes();
    let count = bytes.get_mut(at.checked_sub(4)?..)?.first_chunk_mut::<4>()?;
    *count = u32::from_le_bytes(*count).checked_sub(1)?.to_le_bytes();
    Some(())
}

/// Puts an id of 0 at a position.
fn clear(bytes: &mut [u8], at: usize) {
    if let Some(id) = bytes.get_mut(at..).and_then(|rest| rest.first_chunk_mut::<8>()) {
        *id = [0; 8];
    }
}
