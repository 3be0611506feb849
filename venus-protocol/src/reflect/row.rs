//! The words that the generated rows are written in: constants for items, a function per shape.

pub(crate) use super::Length::{Literal, OfRow, Quotient, Sibling, Through};
pub(crate) use super::{
    Choice, CommandRow, Direction, EnumRow, HandleRow, Item, Length, MemberRow, Returns, Scalar, Shape, StructRow,
    UnionRow,
};

use ash::vk;

pub(crate) use crate::wire::Level;
use crate::wire::{ChainTable, CommandType};

pub(crate) const U8: Item = Item::Scalar(Scalar::U8);
pub(crate) const U16: Item = Item::Scalar(Scalar::U16);
pub(crate) const U32: Item = Item::Scalar(Scalar::U32);
pub(crate) const U64: Item = Item::Scalar(Scalar::U64);
pub(crate) const I32: Item = Item::Scalar(Scalar::I32);
pub(crate) const F32: Item = Item::Scalar(Scalar::F32);
pub(crate) const SIZE: Item = Item::Scalar(Scalar::Size);
pub(crate) const BOOL32: Item = Item::Scalar(Scalar::Bool32);
pub(crate) const DEVICE_SIZE: Item = Item::Scalar(Scalar::DeviceSize);
pub(crate) const DEVICE_ADDRESS: Item = Item::Scalar(Scalar::DeviceAddress);

pub(crate) const fn enumeration(name: &'static str, values: &'static [(i64, &'static str)]) -> EnumRow {
    EnumRow { name, is_bits: false, is_wide: false, values }
}

pub(crate) const fn bits(name: &'static str, values: &'static [(i64, &'static str)]) -> EnumRow {
    EnumRow { name, is_bits: true, is_wide: false, values }
}

pub(crate) const fn wide_bits(name: &'static str, values: &'static [(i64, &'static str)]) -> EnumRow {
    EnumRow { name, is_bits: true, is_wide: true, values }
}

pub(crate) const fn handle(name: &'static str, object_type: vk::ObjectType) -> HandleRow {
    HandleRow { name, object_type }
}

/// A structure without `sType`.
pub(crate) const fn plain(name: &'static str, members: &'static [MemberRow]) -> StructRow {
    StructRow { name, aliases: &[], s_type: None, since: Level::OLDEST, chain: &[], members }
}

/// A structure with `sType`.
pub(crate) const fn tagged(name: &'static str, s_type: vk::StructureType, members: &'static [MemberRow]) -> StructRow {
    StructRow { name, aliases: &[], s_type: Some(s_type.as_raw()), since: Level::OLDEST, chain: &[], members }
}

impl StructRow {
    pub(crate) const fn followed_by(mut self, chain: ChainTable) -> Self {
        self.chain = chain;
        self
    }

    pub(crate) const fn since(mut self, level: Level) -> Self {
        self.since = level;
        self
    }

    pub(crate) const fn aliases(mut self, aliases: &'static [&'static str]) -> Self {
        self.aliases = aliases;
        self
    }
}

pub(crate) const fn command(command: CommandType, returns: Returns, params: &'static [MemberRow]) -> CommandRow {
    CommandRow { command, returns, params }
}

/// The rows of all families at their numbers.
#[expect(clippy::as_conversions, clippy::indexing_slicing, reason = "evaluated by the compiler")]
pub(crate) const fn by_number<const N: usize>(families: &[&'static [CommandRow]]) -> [Option<&'static CommandRow>; N] {
    let mut table = [None; N];
    let mut family = 0;
    while family < families.len() {
        let mut rows = families[family];
        while let [row, rest @ ..] = rows {
            table[row.command.0 as usize] = Some(row);
            rows = rest;
        }
        family += 1;
    }
    table
}

const fn member(name: &'static str, item: Item, shape: Shape) -> MemberRow {
    let (nullable, required, counts, direction) = (false, false, false, Direction::In);
    MemberRow { name, item, shape, nullable, null_since: Level::OLDEST, required, counts, direction }
}

pub(crate) const fn value(name: &'static str, item: Item) -> MemberRow {
    member(name, item, Shape::Value)
}

pub(crate) const fn pointer(name: &'static str, item: Item) -> MemberRow {
    member(name, item, Shape::Pointer)
}

pub(crate) const fn array(name: &'static str, item: Item, length: &'static Length) -> MemberRow {
    member(name, item, Shape::Array(length))
}

pub(crate) const fn rows(name: &'static str, item: Item, lengths: &'static [Length; 2]) -> MemberRow {
    member(name, item, Shape::Rows(lengths))
}

pub(crate) const fn blob(name: &'static str, length: &'static Length) -> MemberRow {
    member(name, Item::Byte, Shape::Blob(length))
}

pub(crate) const fn string(name: &'static str) -> MemberRow {
    member(name, Item::Char, Shape::String).nullable()
}

pub(crate) const fn strings(name: &'static str, length: &'static Length) -> MemberRow {
    member(name, Item::Char, Shape::Strings(length))
}

pub(crate) const fn fixed(name: &'static str, item: Item, size: u64) -> MemberRow {
    member(name, item, Shape::Fixed(size))
}

pub(crate) const fn chars(name: &'static str, size: u64) -> MemberRow {
    member(name, Item::Char, Shape::Chars(size))
}

pub(crate) const fn null(name: &'static str) -> MemberRow {
    member(name, Item::Opaque, Shape::Null).nullable()
}

impl MemberRow {
    pub(crate) const fn nullable(mut self) -> Self {
        self.nullable = true;
        self
    }

    pub(crate) const fn nullable_since(mut self, level: Level) -> Self {
        self.null_since = level;
        self.nullable()
    }

    pub(crate) const fn required(mut self) -> Self {
        self.required = true;
        self
    }

    pub(crate) const fn counts(mut self) -> Self {
        self.counts = true;
        self
    }

    pub(crate) const fn out(mut self) -> Self {
        self.direction = Direction::Out;
        self
    }

    pub(crate) const fn in_out(mut self) -> Self {
        self.direction = Direction::InOut;
        self
    }
}
