//! A guest of which everything is made from the reflection tables: its requests, and the objects that they name.

mod left_out;
mod ring;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    os::unix::fs::FileExt,
};

use mock_driver::{Mock, Note};
use venus_host::{
    Fatal,
    context::{Context, Options},
    driver::{Config, EntryPoint},
    limits::Budget,
    resource::{Blob, BlobFlags, ResourceId},
};
use venus_protocol::{
    Level,
    reflect::{self, CommandRow, HandleRow, MemberRow, StructRow, UnionRow},
    vk,
    wire::{Arena, CommandType},
};
pub(crate) use venus_verify::named::{Named, Nobody, command_of, named, new_ids, silent};
use venus_verify::{check_reply, content, generate, generate::Role};

pub(crate) use self::{left_out::LeftOut, ring::Ring};

/// Room for the longest reply, which lists 512 extensions.
pub(crate) const REPLY_BYTES: usize = 256 << 10;

/// Resources: replies, and plain memory for whatever asks for it.
const REPLIES: u32 = 1;
const FIRST_RESOURCE: u32 = 2;

/// Bit 0 of a request's flags.
const WANTS_REPLY: u32 = 1;

/// What the host asks the driver before something is bound to memory.
const QUESTIONS: &[CommandType] = &[
    CommandType::GET_BUFFER_MEMORY_REQUIREMENTS,
    CommandType::GET_IMAGE_MEMORY_REQUIREMENTS,
    CommandType::GET_IMAGE_MEMORY_REQUIREMENTS2,
];

/// What the tables have of a command that travels.
pub(crate) fn row(command: CommandType) -> &'static CommandRow {
    reflect::command(command).expect("it travels")
}

/// A reply to a request with this structure in a chain, decoded and looked at.
macro_rules! look {
    ($world:expr, $chain:expr, $args:ident, |$told:ident| $see:expr) => {{
        let request = $world.request($crate::world::row(<$args as venus_protocol::wire::Command>::TYPE), $chain);
        let reply = $world.submit(request).outcome.expect("a reply");
        let arena = venus_protocol::wire::Arena::default();
        let mut decoder = venus_protocol::wire::Decoder::new(&reply, &arena, &venus_protocol::wire::IdentityResolver);
        let $told = <$args as venus_protocol::wire::Command>::decode_reply(&mut decoder).expect("a reply");
        $see
    }};
}
pub(crate) use look;

/// A guest.
pub(crate) struct World<'m> {
    pub(crate) mock: &'m Mock,
    pub(crate) context: Context,
    replies: File,
    /// The plain shared memory that was made last.
    shmem: Option<File>,
    next: u64,
    next_resource: u32,
    /// How far it is with what it says.
    said: content::Said,
    /// The ring that commands are given.
    ring: Option<u64>,
    /// The object of each type that commands are given.
    live: BTreeMap<i32, u64>,
    /// Lengths and numbers that a test has chosen, by owner and member.
    chosen: BTreeMap<(&'static str, &'static str), u64>,
    /// What a test wants to be null, by owner and member.
    left_out: BTreeSet<(&'static str, &'static str)>,
    /// What a test wants to follow a structure wherever it is.
    following: BTreeMap<&'static str, &'static str>,
    /// The text of every string, if a test wants one, and how much of it is written.
    text: Option<(&'static str, usize)>,
    /// Whether every array is empty whose length a member says.
    is_empty: bool,
    /// The level whose rules requests obey.
    pub(crate) level: Level,
    /// Types of which one is being made.
    making: Vec<vk::ObjectType>,
    /// The driver's handles, by id.
    handles: BTreeMap<u64, u64>,
}

/// What became of a request.
pub(crate) struct Sent {
    /// The request.
    pub(crate) request: Vec<u8>,
    /// The calls of the driver.
    pub(crate) notes: Vec<Note>,
    /// The reply, or why the context is lost.
    pub(crate) outcome: Result<Vec<u8>, Fatal>,
}

/// A configuration for a host that uses this driver.
pub(crate) fn config(mock: &Mock) -> Config {
    // SAFETY:
    // - what the driver gives has the signatures that ash declares and does what the specification asks of it, as
    //   `Mock::entry_point` says;
    // - its entry points are functions of this program.
    let entry = unsafe { EntryPoint::new(mock.entry_point()) };
    Config::default().entry(entry)
}

impl<'m> World<'m> {
    pub(crate) fn new(mock: &'m Mock) -> Self {
        Self::with(mock, config(mock))
    }

    /// A world whose host is configured in some way, for this driver.
    pub(crate) fn with(mock: &'m Mock, config: Config) -> Self {
        Self::within(mock, config, Budget::default())
    }

    /// A world whose guest may hold so much.
    pub(crate) fn within(mock: &'m Mock, config: Config, budget: Budget) -> Self {
        Self::of(mock, Options::new("test", config).budget(budget))
    }

    /// A world whose guest's context is made so.
    pub(crate) fn of(mock: &'m Mock, options: Options) -> Self {
        let mut context = Context::new(options);
        let blob = context.create_blob(ResourceId(REPLIES), BlobFlags::MAPPABLE, 0, REPLY_BYTES as u64);
        let replies = file(&blob.expect("shared memory"));
        Self {
            mock,
            context,
            replies,
            shmem: None,
            next: 100,
            next_resource: FIRST_RESOURCE,
            said: content::Said::default(),
            ring: None,
            live: BTreeMap::new(),
            chosen: BTreeMap::new(),
            left_out: BTreeSet::new(),
            level: Level::NEWEST,
            following: BTreeMap::new(),
            text: None,
            is_empty: false,
            making: Vec::new(),
            handles: BTreeMap::new(),
        }
    }

    /// A number that was never used.
    pub(crate) fn id(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// The object of a type that commands are given, which is made when it is first asked for.
    pub(crate) fn object(&mut self, kind: vk::ObjectType) -> u64 {
        if let Some(id) = self.live.get(&kind.as_raw()) {
            return *id;
        }
        // Nobody gets one of those, because the commands that would make it are refused; and a pipeline's base is not
        // made of pipelines without end.
        if kind == vk::ObjectType::DEFERRED_OPERATION_KHR || self.making.contains(&kind) {
            return 0;
        }
        self.making.push(kind);
        let id = self.make(kind);
        self.making.pop();
        self.live.insert(kind.as_raw(), id);
        id
    }

    /// A new object.
    pub(crate) fn make(&mut self, kind: vk::ObjectType) -> u64 {
        let row = Self::maker(kind);
        let sent = self.send(row);
        sent.outcome.unwrap_or_else(|error| panic!("making a {kind:?}: {error}"));
        let new = new_ids(&sent.request).first().copied();
        let id = new.unwrap_or_else(|| panic!("{} makes nothing", row.command));
        let raw = match kind {
            // All of a device's queues are as old as it is.
            vk::ObjectType::QUEUE => {
                let device = self.object(vk::ObjectType::DEVICE);
                Some(self.mock.queue(self.handle(device), self.said.queues - 1))
            }
            kind => self.mock.newest(kind),
        };
        self.handles.insert(id, raw.unwrap_or_else(|| panic!("{} made no {kind:?}", row.command)));
        id
    }

    /// Lets commands be given new objects from now on, of all types but those that everything else hangs on.
    pub(crate) fn forget(&mut self) {
        let kept =
            [vk::ObjectType::INSTANCE, vk::ObjectType::PHYSICAL_DEVICE, vk::ObjectType::DEVICE, vk::ObjectType::QUEUE];
        self.live.retain(|kind, _| kept.iter().any(|kept| kept.as_raw() == *kind));
    }

    /// Lets commands be given a new object of one type from now on.
    pub(crate) fn forget_one(&mut self, kind: vk::ObjectType) {
        self.live.remove(&kind.as_raw());
    }

    /// Does something with objects of another device than before and after.
    pub(crate) fn on_another_device<T>(&mut self, act: impl FnOnce(&mut Self) -> T) -> T {
        // There is one instance for both.
        self.object(vk::ObjectType::PHYSICAL_DEVICE);
        let before = self.live.clone();
        let kept = [vk::ObjectType::INSTANCE, vk::ObjectType::PHYSICAL_DEVICE];
        self.live.retain(|kind, _| kept.iter().any(|kept| kept.as_raw() == *kind));
        let done = act(self);
        self.live = before;
        done
    }

    /// Sends a command with this object wherever one of its type can be named.
    pub(crate) fn send_with(&mut self, command: CommandType, kind: vk::ObjectType, id: u64) -> Sent {
        let before = self.live.insert(kind.as_raw(), id);
        let sent = self.send(reflect::command(command).expect("it travels"));
        match before {
            Some(before) => self.live.insert(kind.as_raw(), before),
            None => self.live.remove(&kind.as_raw()),
        };
        sent
    }

    /// A request of a command with live objects in it.
    pub(crate) fn request(&mut self, row: &'static CommandRow, chain: Option<(&str, &'static StructRow)>) -> Vec<u8> {
        // A reply to this one would go where nobody looks.
        let flags = if row.command == CommandType::SET_REPLY_COMMAND_STREAM_MESA { 0 } else { WANTS_REPLY };
        // Others may be made on the way.
        let outer = (std::mem::replace(&mut self.said.command, row.command), std::mem::take(&mut self.said.words));
        let request = generate::request(row, flags, &mut Content { world: self, number: 0, chain });
        (self.said.command, self.said.words) = outer;
        request
    }

    /// Sends a command, and checks that the reply is well formed.
    pub(crate) fn send(&mut self, row: &'static CommandRow) -> Sent {
        let request = self.request(row, None);
        self.submit(request)
    }

    /// Sends a command on a ring, without a wish for a reply.
    pub(crate) fn send_on_ring(&mut self, row: &'static CommandRow) -> Sent {
        let mut ring = Ring::new(self);
        let request = silent(self.request(row, None));
        self.mock.notes();
        ring.write(self, &request);
        ring.wait();
        let outcome = match self.context.lost() {
            None => Ok(Vec::new()),
            Some(reason) => Err(reason.clone()),
        };
        Sent { request, notes: self.mock.notes(), outcome }
    }

    /// Sends a request.
    pub(crate) fn submit(&mut self, request: Vec<u8>) -> Sent {
        self.mock.notes();
        let mut stream = content::reply_stream(REPLIES, REPLY_BYTES as u64);
        stream.extend(&request);
        let wants_reply = request[4] != 0;
        let submitted = self.context.submit(&stream);
        let outcome = submitted.map(|()| if wants_reply { self.reply(&request) } else { Vec::new() });
        // What the host asks for its own sake is not the guest's command.
        let is_question = |note: &Note| QUESTIONS.iter().any(|question| question.name() == note.command);
        let is_asked = QUESTIONS.contains(&command_of(&request));
        let notes = self.mock.notes().into_iter().filter(|note| is_asked || !is_question(note)).collect();
        Sent { request, notes, outcome }
    }

    fn reply(&self, request: &[u8]) -> Vec<u8> {
        let command = command_of(request);
        let mut bytes = vec![0; REPLY_BYTES];
        self.replies.read_exact_at(&mut bytes, 0).expect("the reply memory is readable");
        let len = reflect::walk_reply(&bytes, &mut Nobody).unwrap_or_else(|stop| panic!("{command}: {stop:?}"));
        bytes.truncate(len);
        check_reply(command, &bytes, &Arena::default()).unwrap_or_else(|mismatch| panic!("{command}: {mismatch}"));
        bytes
    }

    /// A request as the driver should be called: handles for ids, nothing for ids of what is to be made.
    pub(crate) fn as_call(&self, request: &[u8]) -> Vec<u8> {
        let mut call = request.to_vec();
        call[4..8].fill(0);
        for named in named(request) {
            // What is null stays so, and what has no handle is being made.
            let raw = self.handles.get(&named.id).copied().unwrap_or(0);
            named.replace(&mut call, raw);
        }
        call
    }

    /// The driver's handle of an object.
    pub(crate) fn handle(&self, id: u64) -> u64 {
        self.handles.get(&id).copied().unwrap_or(0)
    }

    /// Lets a member from which an array takes its length have this value.
    pub(crate) fn set_length(&mut self, owner: &'static str, member: &'static str, length: u64) {
        self.chosen.insert((owner, member), length);
    }

    /// Lets a member have this value.
    pub(crate) fn set_number(&mut self, owner: &'static str, member: &'static str, number: u64) {
        self.chosen.insert((owner, member), number);
    }

    /// Lets a structure of this type follow all of another.
    pub(crate) fn follow(&mut self, root: &'static str, child: &'static str) {
        self.following.insert(root, child);
    }

    /// Lets every string be this.
    pub(crate) fn write(&mut self, text: &'static str) {
        self.text = Some((text, 0));
    }

    /// Lets a member be null, or not.
    pub(crate) fn leave_out(&mut self, owner: &'static str, member: &'static str, is_null: bool) {
        if is_null {
            self.left_out.insert((owner, member))
        } else {
            self.left_out.remove(&(owner, member))
        };
    }

    /// A request of a command with live objects in it, and with nothing in any list.
    pub(crate) fn empty_request(&mut self, row: &'static CommandRow) -> Vec<u8> {
        // What it names is made as usual.
        self.request(row, None);
        self.is_empty = true;
        let request = self.request(row, None);
        self.is_empty = false;
        request
    }

    /// The command that makes objects of a type.
    pub(crate) fn maker(kind: vk::ObjectType) -> &'static CommandRow {
        content::maker(kind).unwrap_or_else(|| panic!("nothing makes a {kind:?}"))
    }

    /// The memory of a new ring, which has a thread of its own.
    pub(crate) fn ring_memory(&mut self) -> File {
        content::Guest::ring(self);
        self.shmem.take().expect("a ring has memory")
    }
}

impl content::Guest for World<'_> {
    fn object(&mut self, kind: vk::ObjectType) -> u64 {
        World::object(self, kind)
    }

    fn shmem(&mut self) -> u32 {
        let id = self.next_resource;
        self.next_resource += 1;
        let blob = self.context.create_blob(ResourceId(id), BlobFlags::MAPPABLE, 0, REPLY_BYTES as u64);
        self.shmem = Some(file(&blob.expect("shared memory")));
        id
    }

    fn memory_resource(&mut self) -> u32 {
        let memory = self.make(vk::ObjectType::DEVICE_MEMORY);
        let id = self.next_resource;
        self.next_resource += 1;
        self.context.create_blob(ResourceId(id), BlobFlags::MAPPABLE, memory, 4096).expect("exported memory");
        id
    }

    fn ring(&mut self) -> u64 {
        if let Some(ring) = self.ring {
            return ring;
        }
        let row = reflect::command(CommandType::CREATE_RING_MESA).expect("it travels");
        self.send(row).outcome.expect("a ring");
        *self.ring.insert(self.next)
    }

    fn new_id(&mut self) -> u64 {
        self.id()
    }

    fn said(&mut self) -> &mut content::Said {
        &mut self.said
    }
}

/// Chooses what a request says.
struct Content<'w, 'm, 'c> {
    world: &'w mut World<'m>,
    number: u64,
    /// What follows a root instead of nothing.
    chain: Option<(&'c str, &'static StructRow)>,
}

impl Content<'_, '_, '_> {
    fn known(&mut self, owner: &str, member: &str) -> Option<u64> {
        content::value(self.world, owner, member)
    }
}

impl generate::Choices for Content<'_, '_, '_> {
    fn length(&mut self, owner: &'static str, member: &'static MemberRow, divisor: u64, _written: usize) -> u64 {
        if self.world.is_empty && self.world.making.is_empty() {
            return 0;
        }
        let chosen = self.world.chosen.get(&(owner, member.name)).copied();
        chosen.or_else(|| self.known(owner, member.name)).unwrap_or(divisor)
    }

    fn leaves_out(&mut self, owner: &'static str, member: &'static MemberRow, _written: usize) -> bool {
        content::is_null(owner, member.name) || self.world.left_out.contains(&(owner, member.name))
    }

    fn level(&self) -> Level {
        self.world.level
    }

    fn number(&mut self, owner: &'static str, member: &'static MemberRow) -> u64 {
        let chosen = self.world.chosen.get(&(owner, member.name)).copied();
        chosen.or_else(|| self.known(owner, member.name)).unwrap_or_else(|| {
            self.number += 1;
            self.number
        })
    }

    fn handle(
        &mut self,
        owner: &'static str,
        member: &'static MemberRow,
        handle: &'static HandleRow,
        role: Role,
    ) -> u64 {
        if self.world.left_out.contains(&(owner, member.name)) {
            return 0;
        }
        match role {
            Role::New => self.world.id(),
            Role::Owner | Role::Used => self.world.object(handle.object_type),
        }
    }

    fn chain(&mut self, root: &'static StructRow, _written: usize) -> Vec<&'static StructRow> {
        let chosen = self.world.following.get(root.name).into_iter().filter_map(|child| reflect::structure(child));
        let needed = content::chain(root).chain(chosen);
        let wanted = self.chain.filter(|(name, _)| *name == root.name).map(|(_, child)| child);
        let mut nodes: Vec<_> = needed.collect();
        nodes.extend(wanted.filter(|wanted| !nodes.iter().any(|node| node.name == wanted.name)));
        nodes
    }

    fn select(&mut self, _union: &'static UnionRow) -> usize {
        0
    }

    fn byte(&mut self) -> u8 {
        let Some((text, written)) = &mut self.world.text else { return b'x' };
        *written += 1;
        text.as_bytes().get(*written - 1).copied().unwrap_or(b'x')
    }

    fn string(&mut self, _room: u64) -> u64 {
        let Some((text, written)) = &mut self.world.text else { return 2 };
        *written = 0;
        text.len() as u64 + 1
    }
}

/// What a guest maps.
pub(crate) fn file(blob: &Blob) -> File {
    blob.mappable_fd().expect("a descriptor").try_clone_to_owned().unwrap().into()
}
