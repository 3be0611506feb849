//! The driver's handles: which exist, and what it holds against its caller.

use std::{collections::BTreeMap, ops::ControlFlow};

use venus_protocol::{
    reflect::{self, Item, Piece, Step},
    vk,
    wire::{CommandType, Member},
};

/// Numbers that no guest uses for an id, so that an id in place of a handle is noticed.
const FIRST: u64 = 0x5000_0000_0000;

/// How many GPUs an instance may have.
const GPUS: usize = 16;

/// From one number to the next. A device's queues have the numbers in between.
const STEP: u64 = 64;

/// How many of each type were made and are gone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Census(BTreeMap<i32, (usize, usize)>);

impl Census {
    /// The types of which something is alive, and how many.
    pub fn alive(&self) -> Vec<(i32, usize)> {
        self.0
            .iter()
            .filter(|(_, (made, gone))| made != gone)
            .map(|(kind, (made, gone))| (*kind, made - gone))
            .collect()
    }

    /// How many were made and how many are gone.
    pub fn of(&self, kind: vk::ObjectType) -> (usize, usize) {
        self.0.get(&kind.as_raw()).copied().unwrap_or_default()
    }
}

#[derive(Clone, Copy, Debug)]
struct Object {
    kind: vk::ObjectType,
    /// The instance it belongs to, of devices and GPUs; 0 for all else.
    instance: u64,
    /// The device it belongs to, 0 for none.
    device: u64,
    /// The pool it was allocated from, 0 for none.
    pool: u64,
}

#[derive(Default)]
pub(super) struct Objects {
    alive: BTreeMap<u64, Object>,
    gone: BTreeMap<u64, Object>,
    census: Census,
    numbers: u64,
    /// The instances whose GPUs somebody has looked at.
    instances: Vec<u64>,
    complaints: Vec<String>,
}

/// A handle in a call.
#[derive(Clone, Copy, Debug)]
struct Named {
    member: Member,
    kind: vk::ObjectType,
    raw: u64,
}

/// Collects the handles of a call.
#[derive(Default)]
struct Collect {
    named: Vec<Named>,
    /// What is null that must not be.
    null: Vec<Member>,
    /// Whether the handles of the member that was entered last have to name objects.
    required: bool,
}

impl reflect::Visitor for Collect {
    fn visit(&mut self, _at: usize, _len: usize, member: Member, piece: Piece<'_>) -> ControlFlow<()> {
        if let Piece::Value(Item::Handle(row), bytes) | Piece::Values(Item::Handle(row), bytes) = piece {
            for id in bytes.chunks_exact(8) {
                let raw = u64::from_le_bytes(id.try_into().expect("eight bytes"));
                if raw != 0 {
                    self.named.push(Named { member, kind: row.object_type, raw });
                } else if self.required {
                    self.null.push(member);
                }
            }
        }
        ControlFlow::Continue(())
    }

    fn enter(&mut self, step: Step) {
        if let Step::Member(row) = step {
            self.required = row.required;
        }
    }
}

/// What goes with its owner, without a command of its own.
fn is_owned(kind: vk::ObjectType) -> bool {
    matches!(
        kind,
        vk::ObjectType::PHYSICAL_DEVICE
            | vk::ObjectType::QUEUE
            | vk::ObjectType::COMMAND_BUFFER
            | vk::ObjectType::DESCRIPTOR_SET
    )
}

impl Objects {
    /// A number for a new handle.
    pub(super) fn number(&mut self) -> u64 {
        self.numbers += 1;
        FIRST + STEP * self.numbers
    }

    fn insert(&mut self, raw: u64, object: Object) {
        self.gone.remove(&raw);
        if self.alive.insert(raw, object).is_none() {
            self.census.0.entry(object.kind.as_raw()).or_default().0 += 1;
        }
    }

    pub(super) fn complaints(&self) -> &[String] {
        &self.complaints
    }

    pub(super) fn newest(&self, kind: vk::ObjectType) -> Option<u64> {
        self.alive.iter().rev().find(|(_, object)| object.kind == kind).map(|(raw, _)| *raw)
    }

    /// A device's queue, which exists from the first look at it.
    pub(super) fn queue(&mut self, device: u64, family: u32, index: u32) -> u64 {
        let raw = device + 1 + u64::from(family * 8 + index);
        self.insert(raw, Object { kind: vk::ObjectType::QUEUE, instance: 0, device, pool: 0 });
        raw
    }

    /// An instance's GPU, counted from 1, which exists from the first look at it. Those of the first instance have these
    /// numbers.
    pub(super) fn gpu(&mut self, instance: u64, nth: u64) -> u64 {
        let before = self.instances.iter().position(|other| *other == instance).unwrap_or_else(|| {
            self.instances.push(instance);
            self.instances.len() - 1
        });
        let raw = (GPUS * before) as u64 + nth;
        self.insert(raw, Object { kind: vk::ObjectType::PHYSICAL_DEVICE, instance, device: 0, pool: 0 });
        raw
    }

    pub(super) fn census(&self) -> Census {
        self.census.clone()
    }

    pub(super) fn complain(&mut self, command: CommandType, what: String) {
        self.complaints.push(format!("{command}: {what}"));
    }

    /// Takes a call into account.
    pub(super) fn note(&mut self, command: CommandType, request: &[u8], made: &[(vk::ObjectType, u64)]) {
        let mut named = Collect::default();
        if let Err(stop) = reflect::walk_request(request, &mut named) {
            self.complain(command, format!("the call is no request: {stop:?}"));
        }
        let Collect { named, null, .. } = named;
        for member in null {
            self.complain(command, format!("{member} is null"));
        }
        let device = named.first().map_or(0, |owner| self.device_of(owner.raw));
        for one in &named {
            self.check(command, *one, device);
        }
        let pool = named.iter().find(|one| {
            matches!(one.kind, vk::ObjectType::COMMAND_POOL | vk::ObjectType::DESCRIPTOR_POOL)
                && command.name().starts_with("vkAllocate")
        });
        let pool = pool.map_or(0, |pool| pool.raw);
        let gpu = named.iter().find(|one| one.kind == vk::ObjectType::PHYSICAL_DEVICE).map(|gpu| gpu.raw);
        let instance = gpu.and_then(|gpu| self.alive.get(&gpu)).map_or(0, |gpu| gpu.instance);
        for &(kind, raw) in made {
            self.insert(raw, Object { kind, instance, device, pool });
        }
        if command.name().starts_with("vkDestroy") || command.name().starts_with("vkFree") {
            self.destroy(command, &named);
        }
        if command == CommandType::RESET_DESCRIPTOR_POOL
            && let Some(pool) = named.iter().find(|one| one.kind == vk::ObjectType::DESCRIPTOR_POOL)
        {
            self.kill_where(|_, object| object.pool == pool.raw);
        }
    }

    /// The device that an object is or belongs to.
    fn device_of(&self, raw: u64) -> u64 {
        match self.alive.get(&raw) {
            Some(object) if object.kind == vk::ObjectType::DEVICE => raw,
            Some(object) => object.device,
            None => 0,
        }
    }

    fn check(&mut self, command: CommandType, one: Named, device: u64) {
        let Named { member, kind, raw } = one;
        let what = match self.alive.get(&raw) {
            None if self.gone.contains_key(&raw) => format!("{member} is {raw:#x}, which is gone"),
            None => format!("{member} is {raw:#x}, which never existed"),
            Some(object) if object.kind != kind => format!("{member} is {raw:#x}, which has another type"),
            Some(object) if kind != vk::ObjectType::DEVICE && object.device != 0 && object.device != device => {
                format!("{member} is {raw:#x}, which belongs to another device")
            }
            Some(_) => return,
        };
        self.complain(command, what);
    }

    /// The last handle parameter is what goes.
    fn destroy(&mut self, command: CommandType, named: &[Named]) {
        let row = reflect::command(command).expect("a command that travels");
        let handles = row.params.iter().rev().find(|param| matches!(param.item, Item::Handle(_)));
        let last = handles.expect("something to destroy").name;
        for one in named.iter().filter(|one| one.member.name == last && one.member.owner == command.name()) {
            let left: Vec<String> = self
                .alive
                .values()
                .filter(|object| object.device == one.raw && !is_owned(object.kind))
                .map(|object| format!("{:?}", object.kind))
                .collect();
            if one.kind == vk::ObjectType::DEVICE && !left.is_empty() {
                self.complain(command, format!("{left:?} of the device are alive"));
            }
            let is_instance = one.kind == vk::ObjectType::INSTANCE;
            let is_mine = |object: &&Object| object.kind == vk::ObjectType::DEVICE && object.instance == one.raw;
            if is_instance && self.alive.values().any(|object| is_mine(&object)) {
                self.complain(command, "a device is alive".to_owned());
            }
            self.kill_where(|raw, object| {
                raw == one.raw
                    || object.pool == one.raw
                    || is_owned(object.kind) && object.device == one.raw
                    || is_instance && object.kind == vk::ObjectType::PHYSICAL_DEVICE && object.instance == one.raw
            });
        }
    }

    fn kill_where(&mut self, which: impl Fn(u64, &Object) -> bool) {
        for (raw, object) in self.alive.extract_if(.., |raw, object| which(*raw, object)) {
            self.census.0.entry(object.kind.as_raw()).or_default().1 += 1;
            self.gone.insert(raw, object);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gpus_end_with_their_own_instance() {
        let mut objects = Objects::default();
        let [one, other] = [1000, 2000].map(|raw| {
            let instance = Object { kind: vk::ObjectType::INSTANCE, instance: 0, device: 0, pool: 0 };
            objects.insert(raw, instance);
            (raw, objects.gpu(raw, 1))
        });
        assert_ne!(one.1, other.1);
        assert_eq!(objects.gpu(one.0, 1), one.1);
        let member = Member { owner: "vkDestroyInstance", name: "instance" };
        let ended = Named { member, kind: vk::ObjectType::INSTANCE, raw: one.0 };
        objects.destroy(CommandType::DESTROY_INSTANCE, &[ended]);
        let are_alive = [one.1, other.1].map(|gpu| objects.alive.contains_key(&gpu));
        assert_eq!(are_alive, [false, true]);
    }
}
