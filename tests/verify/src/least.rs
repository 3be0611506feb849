//! The shortest request of a command.

use venus_protocol::reflect::{CommandRow, HandleRow, MemberRow, StructRow, UnionRow};

use crate::generate::{self, Choices, Role};

/// A request with nothing in it that may be left out.
pub(crate) fn request(row: &'static CommandRow) -> Vec<u8> {
    generate::request(row, 0, &mut Least)
}

struct Least;

impl Choices for Least {
    fn length(&mut self, _owner: &'static str, _member: &'static MemberRow, _divisor: u64, _written: usize) -> u64 {
        0
    }

    fn leaves_out(&mut self, _owner: &'static str, _member: &'static MemberRow, _written: usize) -> bool {
        true
    }

    fn number(&mut self, _owner: &'static str, _member: &'static MemberRow) -> u64 {
        0
    }

    fn handle(
        &mut self,
        _owner: &'static str,
        _member: &'static MemberRow,
        _handle: &'static HandleRow,
        role: Role,
    ) -> u64 {
        u64::from(role == Role::Owner)
    }

    fn chain(&mut self, _root: &'static StructRow, _written: usize) -> Vec<&'static StructRow> {
        Vec::new()
    }

    fn select(&mut self, _union: &'static UnionRow) -> usize {
        0
    }

    fn byte(&mut self) -> u8 {
        0
    }

    fn string(&mut self, _room: u64) -> u64 {
        1
    }
}
