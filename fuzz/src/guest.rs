//! A guest that sends whole streams of commands, on rings and beside them, to whatever serves it.
//!
//! Left alone, it sends what a program could send: it names objects that exist, and makes those first that it lacks.
//! The fuzzer's bytes choose the commands, and where a choice departs from that: other ids, other lengths, other numbers,
//! damaged bytes, words scribbled over its memory, a driver that refuses.

use std::collections::BTreeMap;

use mock_driver::Mock;
use venus_host::{
    context::Context,
    driver::{Config, EntryPoint},
    limits::Budget,
    resource::{BlobFlags, HostMapping, ResourceId},
};
use venus_protocol::{
    reflect::{self, CommandRow, HandleRow, MemberRow, StructRow, UnionRow},
    vk,
    wire::{Arena, CommandType},
};
use venus_verify::{
    check_reply,
    content::{
        self, Guest as _,
        ring::{BUFFER, BUFFER_BYTES, TAIL},
    },
    generate::{self, Choices, Role},
    named::{Nobody, command_of, named, new_ids},
};

use crate::{
    codec,
    source::{Damage, Source},
};

/// Memory for replies; for longer ones the context ends.
const REPLY_BYTES: usize = 256 << 10;
/// Of a reply, as much as is looked at.
const SEEN_BYTES: usize = 8 << 10;

/// Plain memory for rings and streams.
pub(crate) const SHMEM_BYTES: u64 = 16 << 10;

/// What an input says that a guest does next.
pub(crate) mod step {
    /// Commands from here to the next number are sent on a ring.
    pub(crate) const ON_RING: u8 = 0x90;
    pub(crate) const POLL: u8 = 0xb0;
    /// A command of which nothing else is chosen.
    pub(crate) const PLAIN: u8 = 0xb4;
    /// What was sent before, once more.
    pub(crate) const AGAIN: u8 = 0xb6;
    pub(crate) const BLOB: u8 = 0xb8;
    pub(crate) const UNREF: u8 = 0xc0;
    pub(crate) const FENCE: u8 = 0xc8;
    pub(crate) const SCRIBBLE: u8 = 0xd0;
    pub(crate) const REFUSE: u8 = 0xd8;
    pub(crate) const MAP: u8 = 0xe0;
    pub(crate) const OTHER_OBJECTS: u8 = 0xe8;
    pub(crate) const AS_IT_IS: u8 = 0xf0;
    pub(crate) const PLAIN_MEMORY: u8 = 0xf8;
}

/// How a host finds this driver.
pub(crate) fn config(mock: &Mock) -> Config {
    // SAFETY:
    // - what the driver gives has the signatures that ash declares and does what the specification asks of it, as
    //   `Mock::entry_point` says;
    // - its entry points are functions of this program.
    let entry = unsafe { EntryPoint::new(mock.entry_point()) };
    Config::default().entry(entry)
}

/// What a guest may hold: too little to be slow with.
pub(crate) fn budget() -> Budget {
    Budget::default().memory_bytes(64 << 20).objects(4096).rings(4)
}

/// What serves a guest. Numbers are the guest's, and may be wrong.
pub(crate) trait Service {
    /// How its shared memory is mapped.
    type Memory: Memory;

    /// Executes commands, and says whether the guest is served after that.
    fn submit(&mut self, stream: &[u8]) -> bool;

    /// Whether the guest is served no more.
    fn is_lost(&self) -> bool;

    /// Makes memory a resource, and says whether it is one.
    fn create_blob(&mut self, resource: u32, flags: u32, memory: u64, size: u64) -> bool;

    /// Maps a resource, if there is one that can be.
    fn map(&mut self, resource: u32) -> Option<Self::Memory>;

    /// Drops a resource, if there is one.
    fn unref(&mut self, resource: u32);

    /// Creates a fence.
    fn fence(&mut self, ring_idx: u32);

    /// Has rings looked at, or waits for those who do.
    fn process_rings(&mut self);

    /// Whether replies stay as they are until they are looked at: nobody else executes what could write there.
    fn keeps_replies(&self) -> bool;
}

/// Memory that a guest shares with its host.
pub(crate) trait Memory {
    /// Writes there, unless it is too short.
    fn put(&self, at: usize, bytes: &[u8]);

    /// Reads there, unless it is too short.
    fn get(&self, at: usize, bytes: &mut [u8]);
}

impl Memory for HostMapping {
    fn put(&self, at: usize, bytes: &[u8]) {
        drop(self.copy_in(at, bytes));
    }

    fn get(&self, at: usize, bytes: &mut [u8]) {
        drop(self.copy_out(at, bytes));
    }
}

impl Service for Context {
    type Memory = HostMapping;

    fn submit(&mut self, stream: &[u8]) -> bool {
        let outcome = Self::submit(self, stream);
        if let Err(fatal) = &outcome {
            // What a log would have of it.
            assert!(!fatal.to_string().is_empty());
        }
        outcome.is_ok()
    }

    fn is_lost(&self) -> bool {
        self.lost().is_some()
    }

    fn create_blob(&mut self, resource: u32, flags: u32, memory: u64, size: u64) -> bool {
        Self::create_blob(self, ResourceId(resource), BlobFlags(flags), memory, size).is_ok()
    }

    fn map(&mut self, resource: u32) -> Option<HostMapping> {
        self.map_resource(ResourceId(resource)).ok()
    }

    fn unref(&mut self, resource: u32) {
        self.destroy_resource(ResourceId(resource));
    }

    fn fence(&mut self, ring_idx: u32) {
        // It tells nobody, and one that is refused has been told.
        drop(self.create_fence(ring_idx, Box::new(drop)));
    }

    fn process_rings(&mut self) {
        Self::process_rings(self);
    }

    fn keeps_replies(&self) -> bool {
        true
    }
}

struct Ring {
    id: u64,
    memory: u32,
    written: usize,
}

pub(crate) struct Guest<'m, 'd, S: Service> {
    mock: &'m Mock,
    pub(crate) source: Source<'d>,
    pub(crate) service: S,
    /// The resource that replies go to.
    reply_resource: u32,
    replies: S::Memory,
    /// Plain memory, as the guest has it mapped.
    shmem: Vec<(u32, S::Memory)>,
    rings: Vec<Ring>,
    next_id: u64,
    next_resource: u32,
    /// How far it is with what it says.
    said: content::Said,
    /// Objects of each type.
    live: BTreeMap<i32, Vec<u64>>,
    /// The requests that were chosen, without what was made for them.
    sent: Vec<Vec<u8>>,
    /// Objects that were there once.
    gone: Vec<u64>,
    /// Types of which one is being made.
    making: Vec<vk::ObjectType>,
}

impl<'m, 'd, S: Service> Guest<'m, 'd, S> {
    /// A guest whose resources have numbers from `first` on; none if that is taken.
    pub(crate) fn new(mock: &'m Mock, source: Source<'d>, mut service: S, first: u32) -> Option<Self> {
        let is_there = service.create_blob(first, BlobFlags::MAPPABLE.0, 0, REPLY_BYTES as u64);
        let replies = is_there.then(|| service.map(first))??;
        Some(Self {
            mock,
            source,
            service,
            reply_resource: first,
            replies,
            shmem: Vec::new(),
            rings: Vec::new(),
            next_id: 100,
            next_resource: first + 1,
            said: content::Said::default(),
            live: BTreeMap::new(),
            sent: Vec::new(),
            gone: Vec::new(),
            making: Vec::new(),
        })
    }

    /// Takes one step, as the next bytes say.
    pub(crate) fn step(&mut self) {
        match self.source.byte() {
            0..step::ON_RING => self.command(false),
            step::ON_RING..step::POLL => self.command(true),
            step::POLL..step::PLAIN => {
                self.service.process_rings();
            }
            step::PLAIN..step::AGAIN => {
                let row = self.source.command();
                let rest = std::mem::replace(&mut self.source, Source::new(&[]));
                let request = self.request(row);
                self.source = rest;
                self.send(&request, true);
                self.sent.push(request);
            }
            step::AGAIN..step::BLOB => {
                let before = 1 + usize::from(self.source.byte());
                if let Some(request) = self.sent.len().checked_sub(before).map(|nth| self.sent[nth].clone()) {
                    self.send(&request, false);
                }
            }
            step::BLOB..step::UNREF => self.blob(),
            step::UNREF..step::FENCE => {
                let id = self.resource();
                self.service.unref(id);
            }
            step::FENCE..step::SCRIBBLE => {
                let ring_idx = self.source.below(66) as u32;
                self.service.fence(ring_idx);
            }
            step::SCRIBBLE..step::REFUSE => self.scribble(),
            step::REFUSE..step::MAP => self.refuse(),
            step::MAP..step::OTHER_OBJECTS => {
                let id = self.resource();
                drop(self.service.map(id));
            }
            step::OTHER_OBJECTS..step::AS_IT_IS => self.live.clear(),
            step::AS_IT_IS..step::PLAIN_MEMORY => {
                let most = self.source.short().into();
                self.service.submit(self.source.take(most));
            }
            step::PLAIN_MEMORY.. => {
                let (id, size) = (self.source.short().into(), self.source.wide());
                self.plain_memory(id, size.min(1 << 20));
            }
        }
    }

    fn command(&mut self, on_ring: bool) {
        let row = self.source.command();
        let damage = Damage::read(&mut self.source);
        let mut request = self.request(row);
        damage.apply(&mut request);
        if on_ring {
            self.write_ring(&request);
        } else {
            self.send(&request, damage.is_none());
            self.sent.push(request);
        }
    }

    fn request(&mut self, row: &'static CommandRow) -> Vec<u8> {
        // A reply to this one would go where nobody looks.
        let wants_reply = row.command != CommandType::SET_REPLY_COMMAND_STREAM_MESA;
        self.said.words = 0;
        // Others may be made on the way.
        let outer = std::mem::replace(&mut self.said.command, row.command);
        let request = generate::request(row, wants_reply.into(), &mut Content { guest: self, number: 0 });
        self.said.command = outer;
        request
    }

    /// Sends a request, and looks at the reply to one that is as it was made.
    fn send(&mut self, request: &[u8], is_whole: bool) {
        self.replies.put(0, &[0xff; 4]);
        let stream = [&content::reply_stream(self.reply_resource, REPLY_BYTES as u64)[..], request].concat();
        if !self.service.submit(&stream) || !is_whole {
            return;
        }
        self.remember(request);
        if !self.service.keeps_replies() {
            return;
        }
        let mut reply = vec![0; SEEN_BYTES];
        self.replies.get(0, &mut reply);
        let command = command_of(request);
        if command_of(&reply) != command {
            return;
        }
        // The longest are longer than what was read of them.
        if let Ok(len) = reflect::walk_reply(&reply, &mut Nobody) {
            let checked = check_reply(command, &reply[..len], &Arena::default());
            checked.unwrap_or_else(|mismatch| panic!("{command}: {mismatch}"));
        }
    }

    /// Takes note of what a request has made or ended.
    fn remember(&mut self, request: &[u8]) {
        let command = command_of(request);
        let name = command.name();
        if name == "vkDestroyInstance" || name == "vkDestroyDevice" {
            self.gone.extend(std::mem::take(&mut self.live).into_values().flatten());
        } else if name.starts_with("vkDestroy") || name.starts_with("vkFree") {
            let ended: Vec<_> = named(request).iter().map(|named| named.id).collect();
            let kept = [vk::ObjectType::INSTANCE, vk::ObjectType::DEVICE, vk::ObjectType::COMMAND_POOL];
            for (kind, ids) in &mut self.live {
                if kept.iter().all(|kept| kept.as_raw() != *kind) || name.contains("Pool") {
                    self.gone.extend(ids.extract_if(.., |id| ended.contains(id)));
                }
            }
        }
        let new = new_ids(request);
        for named in named(request).iter().filter(|named| new.contains(&named.id)) {
            self.live.entry(named.kind.as_raw()).or_default().push(named.id);
        }
    }

    fn plain_memory(&mut self, id: u32, size: u64) {
        if self.service.create_blob(id, BlobFlags::MAPPABLE.0, 0, size)
            && let Some(mapping) = self.service.map(id)
        {
            self.shmem.push((id, mapping));
        }
    }

    fn blob(&mut self) {
        let flags = self.source.byte().into();
        let memory = match self.source.byte() {
            0..0x40 => 0,
            0x40..0xe0 => self.object(vk::ObjectType::DEVICE_MEMORY),
            _ => self.source.number(),
        };
        let size = match self.source.byte() {
            0..0xe0 => 4096,
            _ => self.source.number().min(1 << 24),
        };
        let id = match self.source.byte() {
            0..0xe0 => {
                self.next_resource += 1;
                self.next_resource
            }
            _ => self.resource(),
        };
        self.service.create_blob(id, flags, memory, size);
    }

    /// One that there may be.
    fn resource(&mut self) -> u32 {
        let number = self.next_resource - self.reply_resource;
        self.reply_resource - 1 + self.source.below(number as usize + 3) as u32
    }

    /// Puts bytes into a ring and has it look.
    fn write_ring(&mut self, bytes: &[u8]) {
        let id = self.ring();
        let Some(ring) = self.rings.iter_mut().find(|ring| ring.id == id) else { return };
        let Some((_, memory)) = self.shmem.iter().find(|(id, _)| *id == ring.memory) else { return };
        for byte in bytes {
            memory.put(BUFFER + ring.written % BUFFER_BYTES, &[*byte]);
            ring.written += 1;
        }
        memory.put(TAIL, &(ring.written as u32).to_le_bytes());
        self.service.process_rings();
    }

    fn scribble(&mut self) {
        let at = self.source.below(SHMEM_BYTES as usize) & !3;
        let word = self.source.number() as u32;
        if !self.shmem.is_empty() {
            let (_, memory) = &self.shmem[self.source.below(self.shmem.len())];
            memory.put(at, &word.to_le_bytes());
        }
    }

    /// Has the driver refuse a command from now on, or none.
    fn refuse(&mut self) {
        let row = self.source.command();
        if row.returns == reflect::Returns::Result && self.source.byte() < 0xe0 {
            self.mock.fail(row.command.name(), vk::Result::ERROR_OUT_OF_DEVICE_MEMORY);
        } else {
            self.mock.forgive();
        }
    }
}

impl<S: Service> content::Guest for Guest<'_, '_, S> {
    /// An object of a type, which is made if there is none.
    fn object(&mut self, kind: vk::ObjectType) -> u64 {
        if let Some(ids) = self.live.get(&kind.as_raw()).filter(|ids| !ids.is_empty()) {
            return ids[self.source.below(ids.len())];
        }
        // Nobody gets one of those, and a pipeline's base is not made of pipelines without end.
        if kind == vk::ObjectType::DEFERRED_OPERATION_KHR || self.making.contains(&kind) {
            return 0;
        }
        let Some(row) = content::maker(kind) else { return 0 };
        self.making.push(kind);
        let request = self.request(row);
        self.send(&request, true);
        self.making.pop();
        new_ids(&request).first().copied().unwrap_or(0)
    }

    fn memory_resource(&mut self) -> u32 {
        let memory = self.object(vk::ObjectType::DEVICE_MEMORY);
        let id = self.next_resource;
        self.next_resource += 1;
        // A guest that may not have it names what is not there.
        self.service.create_blob(id, BlobFlags::MAPPABLE.0, memory, 4096);
        id
    }

    fn shmem(&mut self) -> u32 {
        let id = self.next_resource;
        self.next_resource += 1;
        self.plain_memory(id, SHMEM_BYTES);
        id
    }

    fn ring(&mut self) -> u64 {
        if self.rings.is_empty() {
            let row = reflect::command(CommandType::CREATE_RING_MESA).expect("it travels");
            self.making.push(vk::ObjectType::UNKNOWN);
            let request = self.request(row);
            self.send(&request, true);
            self.making.pop();
            let memory = self.shmem.last().map_or(0, |(id, _)| *id);
            self.rings.push(Ring { id: self.next_id, memory, written: 0 });
        }
        let nth = self.source.below(self.rings.len());
        self.rings[nth].id
    }

    fn new_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    fn said(&mut self) -> &mut content::Said {
        &mut self.said
    }
}

/// What a request of the guest says.
struct Content<'g, 'm, 'd, S: Service> {
    guest: &'g mut Guest<'m, 'd, S>,
    number: u64,
}

impl<S: Service> Content<'_, '_, '_, S> {
    /// Whether to depart from what a program would do. What is made on the way to something else is made properly.
    fn departs(&mut self) -> bool {
        self.guest.making.is_empty() && self.guest.source.byte() >= 0xf0
    }

    /// Whether to take one of two ways that are both proper.
    fn other(&mut self) -> bool {
        self.guest.making.is_empty() && self.guest.source.byte() & 1 == 1
    }

    fn known(&mut self, owner: &str, member: &str) -> Option<u64> {
        content::value(self.guest, owner, member)
    }
}

impl<S: Service> Choices for Content<'_, '_, '_, S> {
    fn length(&mut self, owner: &'static str, member: &'static MemberRow, divisor: u64, _written: usize) -> u64 {
        if self.departs() {
            return u64::from(self.guest.source.byte()) % (4 * divisor + 1);
        }
        self.known(owner, member.name).unwrap_or(divisor)
    }

    fn leaves_out(&mut self, owner: &'static str, member: &'static MemberRow, _written: usize) -> bool {
        content::is_null(owner, member.name) || self.other()
    }

    fn number(&mut self, owner: &'static str, member: &'static MemberRow) -> u64 {
        if self.departs() {
            return self.guest.source.number();
        }
        self.known(owner, member.name).unwrap_or_else(|| {
            self.number += 1;
            self.number
        })
    }

    fn handle(
        &mut self,
        _owner: &'static str,
        _member: &'static MemberRow,
        handle: &'static HandleRow,
        role: Role,
    ) -> u64 {
        if self.departs() {
            let gone = self.guest.gone.len();
            // Any number is seldom one that was something.
            return match self.guest.source.byte() {
                0x80.. if gone > 0 => self.guest.gone[self.guest.source.below(gone)],
                _ => self.guest.source.number(),
            };
        }
        match role {
            Role::New => self.guest.new_id(),
            Role::Owner | Role::Used => self.guest.object(handle.object_type),
        }
    }

    fn chain(&mut self, root: &'static StructRow, written: usize) -> Vec<&'static StructRow> {
        let mut nodes: Vec<_> = content::chain(root).collect();
        if self.guest.making.is_empty() {
            let more = codec::chain(&mut self.guest.source, root, written);
            nodes.extend(
                more.into_iter().filter(|more| nodes.iter().all(|node| node.name != more.name)).collect::<Vec<_>>(),
            );
        }
        nodes
    }

    fn select(&mut self, union: &'static UnionRow) -> usize {
        if self.other() { self.guest.source.below(union.members.len()) } else { 0 }
    }

    fn byte(&mut self) -> u8 {
        b'x'
    }

    fn string(&mut self, room: u64) -> u64 {
        if self.departs() { 1 + u64::from(self.guest.source.byte()) % room } else { 2.min(room) }
    }
}
