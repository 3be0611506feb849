//! A fuzzer's bytes as the choices of somebody who makes requests.
//!
//! Each choice takes the fewest bytes, and 0 is always the plain one: what is there, what is allowed, what is short. So an
//! input that ends early ends in plain choices, and a fuzzer that shortens one simplifies what it means.

use std::sync::LazyLock;

use venus_protocol::reflect::{self, CommandRow};

/// All commands that travel.
static COMMANDS: LazyLock<Vec<&'static CommandRow>> = LazyLock::new(|| reflect::commands().collect());

/// Values at which something changes: widths of integers, signs, sizes that wrap.
const EDGES: [u64; 12] = [
    0,
    1,
    2,
    0x7f,
    0xffff,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    0x1_0000_0000,
    0x7fff_ffff_ffff_ffff,
    0xffff_ffff_ffff_fffe,
    0xffff_ffff_ffff_ffff,
];

/// The bytes of an input that are left.
#[derive(Clone, Debug)]
pub struct Source<'d> {
    rest: &'d [u8],
}

impl<'d> Source<'d> {
    /// All of an input.
    pub fn new(data: &'d [u8]) -> Self {
        Self { rest: data }
    }

    /// Whether nothing is left: every choice from here on is the plain one.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// One byte.
    pub fn byte(&mut self) -> u8 {
        let Some((byte, rest)) = self.rest.split_first() else { return 0 };
        self.rest = rest;
        *byte
    }

    /// Two bytes.
    pub fn short(&mut self) -> u16 {
        u16::from_le_bytes([self.byte(), self.byte()])
    }

    /// Eight bytes.
    pub fn wide(&mut self) -> u64 {
        u64::from_le_bytes(std::array::from_fn(|_| self.byte()))
    }

    /// Up to so many bytes as they are.
    pub fn take(&mut self, most: usize) -> &'d [u8] {
        let (taken, rest) = self.rest.split_at(most.min(self.rest.len()));
        self.rest = rest;
        taken
    }

    /// A number below a bound, which is at least 1.
    pub fn below(&mut self, bound: usize) -> usize {
        let chosen = if bound > 256 { usize::from(self.short()) } else { usize::from(self.byte()) };
        chosen % bound
    }

    /// A number: often a small one, now and then one of the edges or any.
    pub fn number(&mut self) -> u64 {
        match self.byte() {
            small @ 0..0xc0 => small.into(),
            edge @ 0xc0..0xe0 => EDGES[usize::from(edge) % EDGES.len()],
            bit @ 0xe0..0xf8 => 1_u64 << (bit - 0xe0),
            _ => self.wide(),
        }
    }

    /// A command that travels.
    pub fn command(&mut self) -> &'static CommandRow {
        COMMANDS[self.below(COMMANDS.len())]
    }
}

/// Changes to bytes that were well formed.
#[derive(Clone, Debug, Default)]
pub struct Damage(Vec<(u16, u8, u8)>);

impl Damage {
    /// Up to seven changes, most often none.
    pub fn read(source: &mut Source<'_>) -> Self {
        let count = source.byte().saturating_sub(0xf8);
        Self((0..count).map(|_| (source.short(), source.byte(), source.byte())).collect())
    }

    /// Whether it leaves bytes as they are.
    pub fn is_none(&self) -> bool {
        self.0.is_empty()
    }

    /// Changes bytes: puts in others, flips bits, cuts off, adds, repeats, takes out.
    pub fn apply(&self, bytes: &mut Vec<u8>) {
        for &(at, how, value) in &self.0 {
            let at = usize::from(at) % (bytes.len() + 1);
            let word = at & !3;
            match how % 8 {
                0 => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte = value),
                1 => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << (value % 8)),
                // A whole word of lengths, counts, tags.
                2 => bytes.iter_mut().skip(word).take(4).for_each(|byte| *byte = value),
                3 => bytes.iter_mut().skip(word).take(8).for_each(|byte| *byte = value),
                4 => bytes.truncate(at),
                5 => bytes.extend(std::iter::repeat_n(value, 4 * usize::from(value % 16))),
                6 => {
                    let again: Vec<u8> = bytes.iter().skip(word).take(usize::from(value)).copied().collect();
                    bytes.splice(word..word, again);
                }
                _ => drop(bytes.drain(word..bytes.len().min(word + 4 * usize::from(value % 8)))),
            }
        }
    }
}
