//! Requests and replies, made up from the tables and then damaged, or as they come.
//!
//! What the tables make has to come back from the codec byte for byte. What is damaged may be refused; if it is not, what
//! it decodes to has to encode to something that the codec takes for the same.

use std::{cell::RefCell, collections::BTreeMap, sync::LazyLock};

use venus_protocol::{
    dispatch::{Visitor, visit_command},
    reflect::{self, CommandRow, HandleRow, MemberRow, StructRow, UnionRow},
    wire::{Arena, Command, CommandHeader, CommandType, DecodeError, Decoder, Encoder, IdentityResolver},
};
use venus_verify::{
    check_reply, check_request,
    generate::{self, Choices, Role},
    least,
};

use crate::source::{Damage, Source};

/// What the values of one message may take: enough for all that few bytes can mean.
const DECODED_BYTES: usize = 16 << 20;

/// Beyond so many bytes a message gets no longer than it must.
const LONG: usize = 16 << 10;

/// How an input begins that is bytes as they are, and not choices.
pub(crate) const AS_IT_IS: u8 = 0xff;

thread_local! {
    static ARENA: RefCell<Arena> = RefCell::new(Arena::new(DECODED_BYTES));
}

/// Runs with an arena that is empty.
fn with_arena<T>(run: impl FnOnce(&Arena) -> T) -> T {
    ARENA.with_borrow_mut(|arena| {
        arena.reset();
        run(arena)
    })
}

/// An input of the target `request`.
pub fn request(data: &[u8]) {
    let mut source = Source::new(data);
    let flags = source.byte();
    if flags == AS_IT_IS {
        return any_request(source.take(usize::MAX));
    }
    let row = source.command();
    let damage = Damage::read(&mut source);
    let mut bytes = generate::request(row, flags.into(), &mut Chosen(source));
    if damage.is_none() {
        let verified = with_arena(|arena| check_request(&bytes, arena));
        let verified = verified.unwrap_or_else(|mismatch| panic!("{}: {mismatch}", row.command));
        assert_eq!(verified.command, row.command);
        if !verified.reply.is_empty() {
            let checked = with_arena(|arena| check_reply(row.command, &verified.reply, arena));
            checked.unwrap_or_else(|mismatch| panic!("{}: {mismatch}", row.command));
        }
        return;
    }
    damage.apply(&mut bytes);
    any_request(&bytes);
}

/// An input of the target `reply`.
pub fn reply(data: &[u8]) {
    let mut source = Source::new(data);
    let is_as_it_is = source.byte() == AS_IT_IS;
    let row = source.command();
    if is_as_it_is {
        return any_reply(row, source.take(usize::MAX));
    }
    let damage = Damage::read(&mut source);
    let mut bytes = generate::reply(row, &mut Chosen(source));
    if damage.is_none() {
        let checked = with_arena(|arena| check_reply(row.command, &bytes, arena));
        return checked.unwrap_or_else(|mismatch| panic!("{}: {mismatch}", row.command));
    }
    damage.apply(&mut bytes);
    any_reply(row, &bytes);
}

/// A request that may be anything.
fn any_request(bytes: &[u8]) {
    match with_arena(|arena| visit_command(&mut Again, &mut Decoder::new(bytes, arena, &IdentityResolver))) {
        Ok(again) => {
            let checked = with_arena(|arena| check_request(&again, arena));
            checked.unwrap_or_else(|mismatch| panic!("decoded once, and not twice: {mismatch}"));
        }
        // What the host's log says of it.
        Err(error) => {
            let (member, path) = (reflect::locate(bytes, error.offset), reflect::path(bytes, error.offset));
            assert_eq!(member.is_some(), path.is_some(), "{member:?} and {path:?} at {}", error.offset);
        }
    }
}

/// A reply that may be anything.
fn any_reply(row: &'static CommandRow, bytes: &[u8]) {
    match with_arena(|arena| decode_reply(row.command, bytes, arena)) {
        Ok(again) => {
            let checked = with_arena(|arena| check_reply(row.command, &again, arena));
            checked.unwrap_or_else(|mismatch| panic!("decoded once, and not twice: {mismatch}"));
        }
        Err(error) => {
            let (member, path) = (reflect::locate_reply(bytes, error.offset), reflect::path_reply(bytes, error.offset));
            assert_eq!(member.is_some(), path.is_some(), "{member:?} and {path:?} at {}", error.offset);
        }
    }
}

/// Decodes and encodes.
struct Again;

impl Visitor for Again {
    type Output = Vec<u8>;

    fn visit<'a, C: Command<'a>>(&mut self, header: CommandHeader, args: C) -> Vec<u8> {
        // SAFETY: the only values given to this encoder are ones that the decoder returned.
        let mut encoder = unsafe { Encoder::new() };
        args.encode(&mut encoder, header.flags);
        encoder.bytes().to_vec()
    }
}

/// Decodes a reply and encodes it.
struct ReplyAgain<'b> {
    bytes: &'b [u8],
    arena: &'b Arena,
}

impl Visitor for ReplyAgain<'_> {
    type Output = Result<Vec<u8>, DecodeError>;

    fn visit<'a, C: Command<'a>>(&mut self, _header: CommandHeader, _args: C) -> Self::Output {
        // SAFETY: the only values given to this encoder are ones that the decoder returned.
        let mut encoder = unsafe { Encoder::new() };
        C::encode_reply(&mut encoder, &C::decode_reply(&mut Decoder::new(self.bytes, self.arena, &IdentityResolver))?);
        Ok(encoder.bytes().to_vec())
    }
}

/// Decodes and encodes a reply to a command, which is visited by way of its shortest request.
fn decode_reply(command: CommandType, bytes: &[u8], arena: &Arena) -> Result<Vec<u8>, DecodeError> {
    let (request, request_arena) = (least::request(command).expect("it travels"), Arena::default());
    let mut decoder = Decoder::new(request, &request_arena, &IdentityResolver);
    visit_command(&mut ReplyAgain { bytes, arena }, &mut decoder).expect("the shortest request decodes")
}

/// Content that means nothing to Vulkan.
pub(crate) struct Chosen<'d>(pub(crate) Source<'d>);

/// What may follow each structure that something may follow, by its name.
static CHILDREN: LazyLock<BTreeMap<&'static str, Vec<&'static StructRow>>> = LazyLock::new(|| {
    let roots = reflect::structures().iter().filter(|row| row.children().len() > 0);
    roots.map(|row| (row.name, row.children().collect())).collect()
});

/// Some of the structures that may follow, each once.
pub(crate) fn chain(source: &mut Source<'_>, root: &'static StructRow, written: usize) -> Vec<&'static StructRow> {
    // A quarter of the choices begin or go on. Most end here, where nobody has to know who the children are.
    if written >= LONG || root.children().len() == 0 || source.byte() < 0xc0 {
        return Vec::new();
    }
    let mut rest = CHILDREN.get(root.name).cloned().unwrap_or_default();
    let mut nodes = vec![rest.swap_remove(source.below(rest.len()))];
    while !rest.is_empty() && source.byte() >= 0xc0 {
        nodes.push(rest.swap_remove(source.below(rest.len())));
    }
    nodes
}

impl Choices for Chosen<'_> {
    fn length(&mut self, _owner: &'static str, _member: &'static MemberRow, divisor: u64, written: usize) -> u64 {
        let most = if written < LONG { 4 * divisor } else { 0 };
        u64::from(self.0.byte()) % (most + 1)
    }

    fn leaves_out(&mut self, _owner: &'static str, _member: &'static MemberRow, written: usize) -> bool {
        written >= LONG || self.0.byte() & 1 == 0
    }

    fn number(&mut self, _owner: &'static str, _member: &'static MemberRow) -> u64 {
        self.0.number()
    }

    fn handle(
        &mut self,
        _owner: &'static str,
        _member: &'static MemberRow,
        _handle: &'static HandleRow,
        role: Role,
    ) -> u64 {
        let id = self.0.number();
        if role == Role::Owner { id.max(1) } else { id }
    }

    fn chain(&mut self, root: &'static StructRow, written: usize) -> Vec<&'static StructRow> {
        chain(&mut self.0, root, written)
    }

    fn select(&mut self, union: &'static UnionRow) -> usize {
        self.0.below(union.members.len())
    }

    fn byte(&mut self) -> u8 {
        self.0.byte()
    }

    fn string(&mut self, room: u64) -> u64 {
        1 + u64::from(self.0.byte()) % room
    }
}
