//! The shortest request of a command.

use std::{collections::BTreeMap, sync::LazyLock};

use venus_protocol::{
    reflect::{self, HandleRow, MemberRow, StructRow, UnionRow},
    wire::CommandType,
};

use crate::generate::{self, Choices, Role};

/// Those of all commands, which are made once.
static REQUESTS: LazyLock<BTreeMap<CommandType, Vec<u8>>> =
    LazyLock::new(|| reflect::commands().map(|row| (row.command, generate::request(row, 0, &mut Least))).collect());

/// A request with nothing in it that may be left out; `None` of a command that does not travel.
pub fn request(command: CommandType) -> Option<&'static [u8]> {
    REQUESTS.get(&command).map(Vec::as_slice)
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
