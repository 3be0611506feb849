//! The words that the generated rows are written in: constants for items, a function per shape.

pub(crate) use super::Length::{Literal, OfRow, Quotient, Sibling, Through};
pub(crate) use super::{
    Choice, CommandRow, Direction, EnumRow, HandleRow, Item, Length, MemberRow, Returns, Scalar, Shape, StructRow,
    UnionRow,
};

use ash::vk;

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

const fn member(name: &'static str, item: Item, shape: Shape) -> MemberRow {
    MemberRow { name, item, shape, nullable: false, counts: false, direction: Direction::In }
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
