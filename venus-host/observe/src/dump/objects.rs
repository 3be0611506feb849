//! The guest's objects: which command created each, and which destroyed it.
//!
//! Both follow from the tables and from how Vulkan names commands. A command creates the objects whose ids are its
//! outputs; vkDestroy… and vkFree… destroy those of their last handle parameter; an object is destroyed with its
//! parent.

use std::{
    collections::{BTreeSet, VecDeque},
    fmt,
};

use hashbrown::HashMap;
use venus_protocol::{
    reflect::{
        CommandRow, Direction, HandleRow, Item,
        value::{Field, Reply, Request, Value},
    },
    wire::CommandType,
};

/// Most destroyed objects that are remembered. Guests never reuse ids, so there is no end of them.
const REMEMBERED: usize = 1 << 20;

/// Commands that destroy the children of the object of their last handle, and not the object.
const EMPTYING: [CommandType; 1] = [CommandType::RESET_DESCRIPTOR_POOL];

/// A command that did something to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Origin {
    /// Its number.
    pub(super) number: u64,
    /// Which it is.
    pub(super) command: CommandType,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{} {}", self.number, self.command)
    }
}

/// What is known of an id.
#[derive(Debug, Clone, Copy)]
pub(super) struct Object {
    /// Its type.
    pub(super) row: &'static HandleRow,
    /// The command that created it.
    pub(super) created: Origin,
    /// What destroyed it.
    pub(super) end: Option<End>,
    /// Its pool, or else the object that it was created from.
    parent: u64,
}

/// Why an object does not exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// A command destroyed it or its parent.
    Destroyed(Origin),
    /// The command that should have created it failed.
    Failed,
}

/// All ids of a guest.
#[derive(Debug, Default)]
pub(super) struct Objects {
    by_id: HashMap<u64, Object, foldhash::fast::FixedState>,
    /// Pairs of parent and child that both live.
    children: BTreeSet<(u64, u64)>,
    /// Objects that do not exist any more, the oldest first.
    ended: VecDeque<u64>,
}

impl Objects {
    pub(super) fn lookup(&self, id: u64) -> Option<&Object> {
        self.by_id.get(&id)
    }

    /// What is wrong with the objects that a request names, in words.
    pub(super) fn complaints(&self, request: &Request<'_>) -> Vec<String> {
        let mut complaints = Vec::new();
        let mut check = |row: &'static HandleRow, id: u64| {
            let Some(object) = self.lookup(id) else { return };
            let complaint = match object.end {
                Some(End::Destroyed(by)) => format!("{} {id:#x} was destroyed by {by}", row.name),
                Some(End::Failed) => format!("{} {id:#x} does not exist: {} failed", row.name, object.created),
                None if object.row.name != row.name => {
                    format!("{id:#x} is no {}, but the {} of {}", row.name, object.row.name, object.created)
                }
                None => return,
            };
            if !complaints.contains(&complaint) {
                complaints.push(complaint);
            }
        };
        inputs(&request.params).for_each(|field| field.value.for_each_handle(&mut check));
        complaints
    }

    /// Notes a command that is executed. Returns the ids of the objects that it creates.
    pub(super) fn begin(&mut self, request: &Request<'_>, number: u64) -> Vec<u64> {
        let origin = Origin { number, command: request.row.command };
        if destroys(request.row) {
            last_handles(request, |id| self.destroy(id, origin));
        } else if EMPTYING.contains(&origin.command) {
            last_handles(request, |id| self.destroy_children(id, origin));
        }
        let mut created = Vec::new();
        let mut parent = None;
        for field in request.params.iter().filter(|field| is_new(field)) {
            let parent = *parent.get_or_insert_with(|| parent_of(request));
            field.value.for_each_handle(&mut |row, id| {
                if id != 0 && self.create(id, Object { row, created: origin, end: None, parent }) {
                    created.push(id);
                }
            });
        }
        created
    }

    /// Notes which objects a command has created, by its reply.
    pub(super) fn end(&mut self, created: &[u64], reply: &Reply<'_>) {
        let mut made = Vec::new();
        let mut is_partial = false;
        for field in reply.outputs.iter().filter(|field| is_new(field)) {
            field.value.for_each_handle(&mut |_, id| match id {
                0 => is_partial = true,
                id => made.push(id),
            });
        }
        // Of several pipelines some may exist although the command failed; the guest is told 0 for the others.
        if reply.result().is_some_and(|result| result.as_raw() < 0) && !is_partial {
            made.clear();
        }
        for id in created.iter().filter(|id| !made.contains(id)) {
            self.finish(*id, End::Failed);
        }
    }

    /// Notes an object. What is enumerated again, like physical devices, stays the object that it is.
    fn create(&mut self, id: u64, object: Object) -> bool {
        if let Some(before) = self.by_id.get(&id)
            && before.end.is_none()
            && before.row.name == object.row.name
        {
            return false;
        }
        self.children.insert((object.parent, id));
        if let Some(before) = self.by_id.insert(id, object)
            && before.end.is_none()
            && before.parent != object.parent
        {
            self.children.remove(&(before.parent, id));
        }
        true
    }

    fn destroy(&mut self, id: u64, by: Origin) {
        let mut ids = vec![id];
        while let Some(id) = ids.pop() {
            if id != 0 && self.finish(id, End::Destroyed(by)) {
                ids.extend(self.children_of(id));
            }
        }
    }

    fn destroy_children(&mut self, parent: u64, by: Origin) {
        let children: Vec<_> = self.children_of(parent).collect();
        children.into_iter().for_each(|id| self.destroy(id, by));
    }

    fn children_of(&self, parent: u64) -> impl Iterator<Item = u64> {
        self.children.range((parent, 0)..=(parent, u64::MAX)).map(|(_, child)| *child)
    }

    /// Ends one object. Returns whether there was one.
    fn finish(&mut self, id: u64, end: End) -> bool {
        let Some(object) = self.by_id.get_mut(&id).filter(|object| object.end.is_none()) else { return false };
        object.end = Some(end);
        let parent = object.parent;
        self.children.remove(&(parent, id));
        self.ended.push_back(id);
        if self.ended.len() > REMEMBERED
            && let Some(oldest) = self.ended.pop_front()
            && self.by_id.get(&oldest).is_some_and(|object| object.end.is_some())
        {
            self.by_id.remove(&oldest);
        }
        true
    }
}

/// Whether a parameter is the ids of new objects, which the guest has chosen and a reply repeats.
pub(super) fn is_new(field: &Field<'_>) -> bool {
    field.row.direction == Direction::Out && matches!(field.row.item, Item::Handle(_))
}

fn inputs<'f, 'a>(params: &'f [Field<'a>]) -> impl Iterator<Item = &'f Field<'a>> {
    params.iter().filter(|field| field.row.direction != Direction::Out)
}

/// Shows the ids of a command's last parameter that is made of handles.
fn last_handles(request: &Request<'_>, mut show: impl FnMut(u64)) {
    let last = request.params.iter().rev().find(|field| matches!(field.row.item, Item::Handle(_)));
    if let Some(field) = last {
        field.value.for_each_handle(&mut |_, id| show(id));
    }
}

/// What new objects are made from: a pool if the command names one, else the object that it acts on.
fn parent_of(request: &Request<'_>) -> u64 {
    let mut pool = None;
    for field in inputs(&request.params) {
        field.value.for_each_handle(&mut |row, id| {
            if row.name.ends_with("Pool") {
                pool = Some(id);
            }
        });
    }
    let owner = || match request.params.first().map(|field| &field.value) {
        Some(Value::Handle(_, id)) => *id,
        _ => 0,
    };
    pool.unwrap_or_else(owner)
}

/// Whether a command ends the object of its last handle, by its name.
fn destroys(row: &CommandRow) -> bool {
    let name = row.command.name();
    name.starts_with("vkDestroy") || name.starts_with("vkFree")
}
