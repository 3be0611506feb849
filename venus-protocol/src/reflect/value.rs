//! A request or reply as a tree of values, for printers and whoever asks a command for a member.
//!
//! A tree holds what travels and nothing else, in the registry's order: the chain of a structure as a list of nodes,
//! first to last, although their contents travel last to first. It borrows strings, blobs and arrays of numbers from the
//! bytes.
//!
//! Bytes need not make sense. A tree ends where they stop to, says where and why, and holds everything before that.
//! However long and nasty they are, a tree has at most [`MAX_VALUES`] values and is [`MAX_DEPTH`] structures deep.

use alloc::{boxed::Box, vec::Vec};

use ash::vk;

use super::{
    CommandRow, Direction, EnumRow, HandleRow, Item, MemberRow, Partial, Returns, Scalar, Shape, Stop, StructRow,
    UnionRow, Why,
};
use crate::wire::{CommandHeader, CommandType, Member, limits};

/// Most values in one tree: structures, members, elements that are no plain numbers.
///
/// A value takes less than 100 bytes, and two bytes of a command can make one. So this is 200 MiB for the worst command,
/// and far beyond what anybody would want to read of one.
pub const MAX_VALUES: u32 = 1 << 21;

/// Most structures inside of each other.
///
/// The registry's nest less than ten deep, chains included; the cap only has to keep the stack bounded.
pub const MAX_DEPTH: u32 = 64;

/// A request as a tree.
#[derive(Debug)]
pub struct Request<'a> {
    /// The command.
    pub row: &'static CommandRow,
    /// What else the header says; only the number if the bytes end before that.
    pub header: CommandHeader,
    /// The parameters.
    pub params: Vec<Field<'a>>,
    /// How many bytes were followed.
    pub len: usize,
    /// Why not all of it is here, if so.
    pub stop: Option<Stop>,
}

/// A reply as a tree.
#[derive(Debug)]
pub struct Reply<'a> {
    /// The command.
    pub row: &'static CommandRow,
    /// What the command returned; nothing for `void`.
    pub returned: Option<Value<'a>>,
    /// The outputs among the parameters.
    pub outputs: Vec<Field<'a>>,
    /// How many bytes were followed.
    pub len: usize,
    /// Why not all of it is here, if so.
    pub stop: Option<Stop>,
}

/// A parameter or member with its value.
#[derive(Debug)]
pub struct Field<'a> {
    /// Which.
    pub row: &'static MemberRow,
    /// Its value.
    pub value: Value<'a>,
}

/// What travels of a member.
#[derive(Debug)]
pub enum Value<'a> {
    /// A number, as the bits that travel.
    Number(Scalar, u64),
    /// An enum or bitmask.
    Enum(&'static EnumRow, i64),
    /// An object's id; 0 for none.
    Handle(&'static HandleRow, u64),
    /// A null pointer, or an array of nothing: they look the same.
    Null,
    /// A pointer to something that the command will fill; only in requests.
    Room,
    /// An array of so many elements, of which none takes any bytes: an output in a request.
    Capacity(u64),
    /// Packed numbers, enums or ids; see [`Value::element`].
    Packed(Item, &'a [u8]),
    /// Text, with its NUL and what may stand after it.
    Text(&'a [u8]),
    /// Untyped bytes.
    Bytes(&'a [u8]),
    /// Structures, unions, strings, or rows of something.
    List {
        /// How many there are by the count that travels; fewer are here if the tree ends among them.
        count: u64,
        /// They.
        items: Vec<Self>,
    },
    /// A structure.
    Struct(Box<Struct<'a>>),
    /// A union.
    Union(Box<Union<'a>>),
}

/// A structure, or a node of a chain.
#[derive(Debug)]
pub struct Struct<'a> {
    /// Which.
    pub row: &'static StructRow,
    /// Whether only its outline travels because the command is going to fill it.
    pub is_partial: bool,
    /// What follows in its chain, first to last. Nodes have none of their own.
    pub chain: Vec<Self>,
    /// The members that travel, without `sType` and `pNext`.
    pub fields: Vec<Field<'a>>,
}

/// A union.
#[derive(Debug)]
pub struct Union<'a> {
    /// Which.
    pub row: &'static UnionRow,
    /// What says which member it is.
    pub tag: u32,
    /// The member; none if the tree ends before it.
    pub field: Option<Field<'a>>,
}

impl<'a> Request<'a> {
    /// Reads a request, header first.
    ///
    /// # Errors
    ///
    /// The bytes do not even begin with the number of a command. Everything else is [`Request::stop`].
    pub fn read(bytes: &'a [u8]) -> Result<Self, Stop> {
        let mut reader = Reader::new(bytes);
        let row = reader.command()?;
        let flags = reader.word(NOWHERE).unwrap_or(0);
        let header = CommandHeader { command: row.command, flags };
        let params = reader.params(row, row.params.iter(), |param| match param.direction {
            Direction::Out => Form::Partial,
            Direction::In | Direction::InOut => Form::Full,
        });
        Ok(Self { row, header, params, len: reader.at, stop: reader.stop })
    }

    /// The parameter of this name, if it is here.
    pub fn param(&self, name: &str) -> Option<&Value<'a>> {
        self.params.iter().find(|field| field.row.name == name).map(|field| &field.value)
    }
}

impl<'a> Reply<'a> {
    /// Reads a reply.
    ///
    /// # Errors
    ///
    /// As for [`Request::read`].
    pub fn read(bytes: &'a [u8]) -> Result<Self, Stop> {
        let mut reader = Reader::new(bytes);
        let row = reader.command()?;
        let member = Member { owner: row.command.name(), name: "return value" };
        let returned = row.returns.item().and_then(|item| reader.value(item, member, Form::Full));
        let outputs = reader.params(row, row.outputs(), |_| Form::Full);
        Ok(Self { row, returned, outputs, len: reader.at, stop: reader.stop })
    }

    /// What the command returned, if that is a `VkResult`.
    pub fn result(&self) -> Option<vk::Result> {
        match (self.row.returns, &self.returned) {
            (Returns::Result, Some(Value::Enum(_, value))) => i32::try_from(*value).ok().map(vk::Result::from_raw),
            _ => None,
        }
    }
}

impl<'a> Value<'a> {
    /// An element of [`Value::Packed`] or [`Value::List`]; `None` if there are not so many. An element of packed values
    /// is a value of its own, made here.
    pub fn element(&self, index: usize) -> Option<Element<'_, 'a>> {
        match self {
            Self::Packed(item, bytes) => {
                let size = item.packed_bytes()?;
                let bytes = bytes.get(index.checked_mul(size)?..)?.get(..size)?;
                scalar(*item, bytes).map(Element::Made)
            }
            Self::List { items, .. } => items.get(index).map(Element::Held),
            _ => None,
        }
    }

    /// How many elements [`Value::element`] has.
    pub fn elements(&self) -> usize {
        match self {
            Self::Packed(item, bytes) => bytes.len().checked_div(item.packed_bytes().unwrap_or(0)).unwrap_or(0),
            Self::List { items, .. } => items.len(),
            _ => 0,
        }
    }

    /// Shows every id here and below, null ones included, in the order of the tree.
    pub fn for_each_handle(&self, show: &mut dyn FnMut(&'static HandleRow, u64)) {
        match self {
            Self::Handle(row, id) => show(row, *id),
            Self::Packed(Item::Handle(row), bytes) => {
                bytes.as_chunks().0.iter().for_each(|id| show(row, u64::from_le_bytes(*id)));
            }
            Self::List { items, .. } => items.iter().for_each(|item| item.for_each_handle(show)),
            Self::Struct(value) => value.for_each_handle(show),
            Self::Union(value) => value.field.iter().for_each(|field| field.value.for_each_handle(show)),
            _ => {}
        }
    }
}

/// An element of an array.
#[derive(Debug)]
pub enum Element<'v, 'a> {
    /// It is part of the tree.
    Held(&'v Value<'a>),
    /// It was made for the question.
    Made(Value<'a>),
}

impl<'a> core::ops::Deref for Element<'_, 'a> {
    type Target = Value<'a>;

    fn deref(&self) -> &Value<'a> {
        match self {
            Self::Held(value) => value,
            Self::Made(value) => value,
        }
    }
}

impl<'a> Struct<'a> {
    /// The member of this name, if it is here. Those of the chain's nodes are theirs.
    pub fn member(&self, name: &str) -> Option<&Value<'a>> {
        self.fields.iter().find(|field| field.row.name == name).map(|field| &field.value)
    }

    fn for_each_handle(&self, show: &mut dyn FnMut(&'static HandleRow, u64)) {
        self.chain.iter().for_each(|node| node.for_each_handle(show));
        self.fields.iter().for_each(|field| field.value.for_each_handle(show));
    }
}

/// The value of the bytes of one number, enum or id.
fn scalar<'a>(item: Item, bytes: &[u8]) -> Option<Value<'a>> {
    let bits = match bytes {
        [byte, ..] if item.packed_bytes() == Some(1) => u64::from(*byte),
        [low, high, ..] if item.packed_bytes() == Some(2) => u64::from(u16::from_le_bytes([*low, *high])),
        _ if item.packed_bytes() == Some(4) => u64::from(u32::from_le_bytes(*bytes.first_chunk()?)),
        _ => u64::from_le_bytes(*bytes.first_chunk()?),
    };
    match item {
        Item::Scalar(kind) => Some(Value::Number(kind, bits)),
        Item::Enum(row) => row.read(bytes).map(|value| Value::Enum(row, value)),
        Item::Handle(row) => Some(Value::Handle(row, bits)),
        Item::Struct(_) | Item::Union(_) | Item::Char | Item::Byte | Item::Opaque => None,
    }
}

/// Stands for the header, which belongs to no member.
const NOWHERE: Member = Member { owner: "", name: "" };

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Full,
    Partial,
}

/// Reads until something stops it; from then on every method does nothing.
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Structures that are open.
    depth: u32,
    /// Values that there are.
    values: u32,
    stop: Option<Stop>,
}

impl<'a> Reader<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, depth: 0, values: 0, stop: None }
    }

    /// Stops at byte `offset`.
    fn stop<T>(&mut self, offset: usize, member: Member, why: Why) -> Option<T> {
        if self.stop.is_none() {
            self.stop = Some(Stop { offset, member: (member != NOWHERE).then_some(member), why });
        }
        None
    }

    fn is_stopped(&self) -> bool {
        self.stop.is_some()
    }

    /// Makes room for one more value.
    fn grow(&mut self, member: Member) -> Option<()> {
        if self.values >= MAX_VALUES {
            return self.stop(self.at, member, Why::Asked);
        }
        self.values = self.values.saturating_add(1);
        Some(())
    }

    fn take(&mut self, len: usize, member: Member) -> Option<&'a [u8]> {
        if self.is_stopped() {
            return None;
        }
        match self.bytes.get(self.at..).and_then(|rest| rest.get(..len)) {
            Some(taken) => {
                self.at = self.at.saturating_add(len);
                Some(taken)
            }
            None => self.stop(self.at, member, Why::Truncated),
        }
    }

    fn word(&mut self, member: Member) -> Option<u32> {
        self.take(4, member)?.first_chunk().map(|bytes| u32::from_le_bytes(*bytes))
    }

    fn double_word(&mut self, member: Member) -> Option<u64> {
        self.take(8, member)?.first_chunk().map(|bytes| u64::from_le_bytes(*bytes))
    }

    fn command(&mut self) -> Result<&'static CommandRow, Stop> {
        let row = self.word(NOWHERE).and_then(|number| super::command(CommandType(number)));
        row.ok_or_else(|| self.stop.unwrap_or(Stop { offset: 0, member: None, why: Why::Unreadable }))
    }

    fn params(
        &mut self,
        command: &CommandRow,
        rows: impl Iterator<Item = &'static MemberRow>,
        form: impl Fn(&MemberRow) -> Form,
    ) -> Vec<Field<'a>> {
        let mut fields = Vec::with_capacity(command.params.len());
        for row in rows {
            self.field(command.command.name(), row, form(row), &mut fields);
        }
        fields
    }

    /// Adds a member to `fields` if anything of it travels and can be read.
    fn field(&mut self, owner: &'static str, row: &'static MemberRow, form: Form, fields: &mut Vec<Field<'a>>) {
        let member = Member { owner, name: row.name };
        if self.is_stopped() || (form, row.partial()) == (Form::Partial, Partial::Nothing) {
            return;
        }
        if self.grow(member).is_some()
            && let Some(value) = self.member(row, member, form)
        {
            fields.push(Field { row, value });
        }
    }

    fn member(&mut self, row: &MemberRow, member: Member, form: Form) -> Option<Value<'a>> {
        let form = match (form, row.partial()) {
            (Form::Partial, Partial::Nothing) => return None,
            (Form::Partial, Partial::Capacity) => {
                let count = self.double_word(member)?;
                return Some(if count == 0 { Value::Null } else { Value::Capacity(count) });
            }
            (Form::Partial, Partial::Marker) => {
                let is_present = self.double_word(member)? != 0;
                return Some(if is_present { Value::Room } else { Value::Null });
            }
            (Form::Partial, Partial::Shape) => Form::Partial,
            (Form::Partial, Partial::Full) | (Form::Full, _) => Form::Full,
        };
        match row.shape {
            Shape::Value => self.value(row.item, member, form),
            Shape::Pointer if self.double_word(member)? != 0 => self.value(row.item, member, form),
            Shape::Pointer => Some(Value::Null),
            Shape::Array(_) | Shape::Fixed(_) => self.elements(row.item, member, form),
            Shape::Rows(_) => self.list(member, |reader| reader.elements(row.item, member, form)),
            Shape::Blob(_) | Shape::String | Shape::Chars(_) => self.untyped(row.item, member),
            Shape::Strings(_) => self.list(member, |reader| reader.untyped(row.item, member)),
            Shape::Null => {
                let at = self.at;
                match self.double_word(member)? {
                    0 => Some(Value::Null),
                    _ => self.stop(at, member, Why::Unreadable),
                }
            }
        }
    }

    /// One item in place.
    fn value(&mut self, item: Item, member: Member, form: Form) -> Option<Value<'a>> {
        match item {
            Item::Struct(row) => self.structure(row, form).map(|value| Value::Struct(Box::new(value))),
            Item::Union(row) => self.union(row, member).map(|value| Value::Union(Box::new(value))),
            // Something that cannot travel takes no bytes and has no value.
            _ => scalar(item, self.take(item.packed_bytes().unwrap_or(0).next_multiple_of(4), member)?),
        }
    }

    /// A count, then so many items.
    fn elements(&mut self, item: Item, member: Member, form: Form) -> Option<Value<'a>> {
        match item.packed_bytes() {
            Some(size) => self.packed(size, member, |bytes| Value::Packed(item, bytes)),
            None => self.list(member, |reader| reader.value(item, member, form)),
        }
    }

    /// A count, then so many values.
    fn list(&mut self, member: Member, mut read: impl FnMut(&mut Self) -> Option<Value<'a>>) -> Option<Value<'a>> {
        let count = self.double_word(member)?;
        if count == 0 {
            return Some(Value::Null);
        }
        let mut items = Vec::new();
        for _ in 0..count {
            let at = self.at;
            let item = self.grow(member).and_then(|()| read(self));
            if !self.is_stopped() && self.at == at {
                return Some(Value::Capacity(count));
            }
            items.extend(item);
            if self.is_stopped() {
                break;
            }
        }
        Some(Value::List { count, items })
    }

    /// A count of bytes, then the bytes.
    fn untyped(&mut self, item: Item, member: Member) -> Option<Value<'a>> {
        self.packed(1, member, |bytes| match item {
            Item::Char => Value::Text(bytes),
            _ => Value::Bytes(bytes),
        })
    }

    fn packed(&mut self, size: usize, member: Member, make: impl FnOnce(&'a [u8]) -> Value<'a>) -> Option<Value<'a>> {
        let count = self.double_word(member)?;
        if count == 0 {
            return Some(Value::Null);
        }
        let len = usize::try_from(count).ok().and_then(|count| count.checked_mul(size));
        let Some((len, padded)) = len.and_then(|len| Some((len, len.checked_next_multiple_of(4)?))) else {
            return self.stop(self.at, member, Why::Truncated);
        };
        self.take(padded, member)?.get(..len).map(make)
    }

    fn structure(&mut self, row: &'static StructRow, form: Form) -> Option<Struct<'a>> {
        if self.is_stopped() {
            return None;
        }
        let member = Member { owner: row.name, name: "sType" };
        if self.depth >= MAX_DEPTH {
            return self.stop(self.at, member, Why::Unreadable);
        }
        self.depth = self.depth.saturating_add(1);
        let mut value = Struct { row, is_partial: form == Form::Partial, chain: Vec::new(), fields: Vec::new() };
        if let Some(expected) = row.s_type {
            let s_type = self.word(member)?.cast_signed();
            if s_type != expected {
                return self.stop(self.at.saturating_sub(4), member, Why::Unreadable);
            }
            self.chain(row, form, &mut value.chain);
            for node in value.chain.iter_mut().rev() {
                self.members(node, form);
            }
        }
        self.members(&mut value, form);
        self.depth = self.depth.saturating_sub(1);
        Some(value)
    }

    /// The headers of `root`'s chain.
    fn chain(&mut self, root: &'static StructRow, form: Form, chain: &mut Vec<Struct<'a>>) {
        let member = Member { owner: root.name, name: "pNext" };
        while self.double_word(member).is_some_and(|marker| marker != 0) {
            let Some(s_type) = self.word(member) else { return };
            let node = root.child(s_type.cast_signed()).filter(|_| chain.len() < limits::MAX_CHAIN_NODES as usize);
            let Some(row) = node else {
                return self.stop(self.at.saturating_sub(4), member, Why::Unreadable).unwrap_or(());
            };
            if self.grow(member).is_none() {
                return;
            }
            chain.push(Struct { row, is_partial: form == Form::Partial, chain: Vec::new(), fields: Vec::new() });
        }
    }

    fn members(&mut self, value: &mut Struct<'a>, form: Form) {
        if form == Form::Full && !self.is_stopped() {
            value.fields.reserve_exact(value.row.members.len());
        }
        for row in value.row.members {
            self.field(value.row.name, row, form, &mut value.fields);
        }
    }

    fn union(&mut self, row: &'static UnionRow, member: Member) -> Option<Union<'a>> {
        let tag = self.word(member)?;
        let Some((_, chosen)) = row.members.iter().find(|(other, _)| *other == tag) else {
            return self.stop(self.at.saturating_sub(4), member, Why::Unreadable);
        };
        let value = self.member(chosen, Member { owner: row.name, name: chosen.name }, Form::Full);
        Some(Union { row, tag, field: value.map(|value| Field { row: chosen, value }) })
    }
}
