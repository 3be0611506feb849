//! Random content for requests and replies.
//!
//! Lengths agree and chains are made of what may stand in them, which is [`generate`]'s business; everything else is
//! random, down to values that mean nothing to Vulkan.

use venus_protocol::reflect::{CommandRow, HandleRow, Item, MemberRow, Scalar, StructRow, UnionRow};
use venus_verify::generate::{self, Choices, Role};

/// A request of the given command. `size` bounds its arrays; with 0 everything that may be null is.
pub(crate) fn request(row: &'static CommandRow, seed: u64, size: u64) -> Vec<u8> {
    let mut random = Random { state: seed, size };
    let flags = random.next() as u32;
    generate::request(row, flags, &mut random)
}

/// A reply to the given command.
pub(crate) fn reply(row: &'static CommandRow, seed: u64, size: u64) -> Vec<u8> {
    generate::reply(row, &mut Random { state: seed, size })
}

/// Beyond this many bytes a command gets no longer than it must.
const LONG: usize = 64 << 10;

/// SplitMix64.
struct Random {
    state: u64,
    size: u64,
}

impl Random {
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn size(&self, written: usize) -> u64 {
        if written < LONG { self.size } else { 0 }
    }
}

impl Choices for Random {
    fn length(&mut self, _owner: &'static str, _member: &'static MemberRow, divisor: u64, written: usize) -> u64 {
        let size = self.size(written);
        self.below(size * divisor + 1)
    }

    fn leaves_out(&mut self, _owner: &'static str, _member: &'static MemberRow, written: usize) -> bool {
        self.size(written) == 0 || self.below(4) == 0
    }

    fn number(&mut self, _owner: &'static str, _member: &'static MemberRow) -> u64 {
        self.next()
    }

    fn handle(
        &mut self,
        _owner: &'static str,
        _member: &'static MemberRow,
        _handle: &'static HandleRow,
        role: Role,
    ) -> u64 {
        let id = if self.below(4) == 0 { 0 } else { self.next() };
        if role == Role::Owner { id.max(1) } else { id }
    }

    /// Some of the structures that `root` knows, each once, in any order. Once in a while all of them.
    fn chain(&mut self, root: &'static StructRow, written: usize) -> Vec<&'static StructRow> {
        let mut rest = root.children().collect::<Vec<_>>();
        let size = self.size(written);
        let all = size > 2 && self.below(16) == 0;
        let wanted = if all { rest.len() as u64 } else { self.below(size + 1) };
        let mut nodes: Vec<&StructRow> = Vec::new();
        while (nodes.len() as u64) < wanted && !rest.is_empty() {
            nodes.push(rest.swap_remove(self.below(rest.len() as u64) as usize));
        }
        nodes
    }

    fn select(&mut self, union: &'static UnionRow) -> usize {
        self.below(union.members.len() as u64) as usize
    }

    fn byte(&mut self) -> u8 {
        self.next() as u8
    }

    fn string(&mut self, room: u64) -> u64 {
        1 + self.below(room)
    }
}

#[test]
fn sizes_are_bounded() {
    let longest =
        venus_protocol::reflect::commands().flat_map(|row| (0..8).map(move |seed| request(row, seed, 3).len()));
    assert!(longest.max() < Some(4 * LONG));
}

#[test]
fn scalars_have_sizes() {
    let size = |scalar| Item::Scalar(scalar).packed_bytes();
    assert_eq!([size(Scalar::U8), size(Scalar::U16)], [Some(1), Some(2)]);
    assert_eq!([size(Scalar::Bool32), size(Scalar::F32)], [Some(4), Some(4)]);
    assert_eq!([size(Scalar::Size), size(Scalar::DeviceAddress)], [Some(8), Some(8)]);
}
