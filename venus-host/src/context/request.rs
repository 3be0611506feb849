//! What a request names, found by the reflection tables: for commands that the decoder has refused.

use std::ops::ControlFlow;

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
}

/// Collects what a command names.
struct Names {
    row: &'static CommandRow,
    found: Vec<Name>,
    /// Of each structure and node that has begun and not ended, the innermost last.
    flags: Vec<FlagsAt>,
}

impl Visitor for Names {
    fn visit(&mut self, at: usize, _len: usize, member: Member, piece: Piece<'_>) -> ControlFlow<()> {
        match piece {
            Piece::Value(Item::Handle(handle), bytes) | Piece::Values(Item::Handle(handle), bytes) => {
                return self.add(at, member, handle.object_type, bytes);
            }
            Piece::Begin(_) | Piece::BeginNode(_) => self.flags.push(FlagsAt::default()),
            Piece::End => drop(self.flags.pop()),
            Piece::Value(..) if member.name == "flags" => self.note_flags(at, member),
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

impl Names {
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
        let (ids, _) = bytes.as_chunks::<8>();
        if ids.len() > limits::NAMES.saturating_sub(self.found.len()) {
            return ControlFlow::Break(());
        }
        for (at, id) in (at..).step_by(8).zip(ids) {
            self.found.push(Name { at, member, kind, id: u64::from_le_bytes(*id), is_new, flags });
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
        let mut names = Names { row: reflect::command(header.command)?, found: Vec::new(), flags: Vec::new() };
        let len = reflect::walk_request(bytes, &mut names).ok()?;
        Some(Self { header, bytes: bytes.get(..len)?, names: names.found })
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

/// Puts an id of 0 at a position.
fn clear(bytes: &mut [u8], at: usize) {
    if let Some(id) = bytes.get_mut(at..).and_then(|rest| rest.first_chunk_mut::<8>()) {
        *id = [0; 8];
    }
}
