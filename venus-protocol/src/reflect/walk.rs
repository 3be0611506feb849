//! Following the bytes of a command by the tables.
//!
//! A walk believes the counts it finds; it compares them with nothing but the bytes that remain. So it can follow bytes
//! that a decoder refuses, up to the fault, and needs no memory of what it has seen. Its work is bounded by the bytes:
//! elements that take none are passed over at once.

use core::ops::ControlFlow;

use super::{CommandRow, Direction, Item, MemberRow, Partial, Shape, StructRow, UnionRow};
use crate::wire::{CommandType, Member, limits};

/// What a walk meets, in the order of the bytes.
#[derive(Clone, Copy, Debug)]
pub enum Piece<'a> {
    /// A structure begins. Takes no bytes.
    Begin(&'static StructRow),
    /// The members of a chain's node begin. Takes no bytes.
    BeginNode(&'static StructRow),
    /// The structure or node ends. Takes no bytes.
    End,
    /// A structure's or node's `sType`.
    StructureType(i32),
    /// Whether a pointer, or the next node of a chain, is there.
    Marker(bool),
    /// How many elements, rows or bytes an array has. Of outputs in a request, no more than this travels.
    Count(u64),
    /// A union's tag.
    Tag(u32),
    /// One number, enum or id, with its padding.
    Value(Item, &'a [u8]),
    /// Packed numbers, enums or ids, without padding.
    Values(Item, &'a [u8]),
    /// A string with its NUL, or untyped bytes, without padding.
    Bytes(Item, &'a [u8]),
}

/// A step from the whole towards a part, which the pieces that follow belong to.
#[derive(Clone, Copy, Debug)]
pub enum Step {
    /// To a parameter of the command, or a member of the structure or union.
    Member(&'static MemberRow),
    /// To an element of the array, a row, or a string. What is packed (numbers, ids, bytes) is one piece and takes none.
    Element(u64),
    /// To the structure's `sType`.
    StructureType,
    /// To the headers of the structure's chain: `pNext`.
    Chain,
    /// To the members of a node of the structure's chain.
    Node(&'static StructRow),
    /// To what the command returned.
    Returned,
}

/// Is shown the pieces of a command.
pub trait Visitor {
    /// Is shown the bytes `at..at + len` of the command, which belong to `member`. Breaking ends the walk.
    fn visit(&mut self, at: usize, len: usize, member: Member, piece: Piece<'_>) -> ControlFlow<()>;

    /// Is told of a step to where the next pieces belong. Where a walk ends early, its steps stay taken.
    fn enter(&mut self, step: Step) {
        let _ = step;
    }

    /// Is told that the last step that is still taken has been taken back.
    fn leave(&mut self) {}
}

/// Where and why a walk ended early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stop {
    /// Position of the item, from the command's first byte.
    pub offset: usize,
    /// The member that the item belongs to; none in the header.
    pub member: Option<Member>,
    /// Why.
    pub why: Why,
}

/// Why a walk ended early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The visitor wanted it to.
    Asked,
    /// The bytes end inside the item.
    Truncated,
    /// The item cannot be: an `sType` or tag that the tables do not know there, something where only null can travel, or
    /// a number that no command has.
    Unreadable,
}

/// Follows a request, header first, and returns how many bytes it takes.
///
/// # Errors
///
/// Where the walk ended early. What the visitor was shown until then stands.
pub fn walk_request(bytes: &[u8], visitor: &mut dyn Visitor) -> Result<usize, Stop> {
    let mut walker = Walker { bytes, at: 0, visitor, depth: 0 };
    let row = walker.command()?;
    walker.take(4, NOWHERE)?;
    let owner = row.command.name();
    for param in row.params {
        let form = if param.direction == Direction::Out { Form::Partial } else { Form::Full };
        walker.member(owner, param, form)?;
    }
    Ok(walker.at)
}

/// Follows a reply, and returns how many bytes it takes.
///
/// # Errors
///
/// As for [`walk_request`].
pub fn walk_reply(bytes: &[u8], visitor: &mut dyn Visitor) -> Result<usize, Stop> {
    let mut walker = Walker { bytes, at: 0, visitor, depth: 0 };
    let row = walker.command()?;
    let owner = row.command.name();
    if let Some(item) = row.returns.item() {
        let member = Member { owner, name: "return value" };
        walker.inside(Step::Returned, |walker| walker.value(item, member, Form::Full))?;
    }
    for param in row.outputs() {
        walker.member(owner, param, Form::Full)?;
    }
    Ok(walker.at)
}

/// Stands for the header, which belongs to no member.
const NOWHERE: Member = Member { owner: "", name: "" };

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Full,
    Partial,
}

type Walked<T = ()> = Result<T, Stop>;

struct Walker<'a, 'v> {
    bytes: &'a [u8],
    at: usize,
    visitor: &'v mut dyn Visitor,
    /// Structures and nodes that are open.
    depth: u32,
}

impl<'a> Walker<'a, '_> {
    fn stop<T>(&self, offset: usize, member: Member, why: Why) -> Walked<T> {
        Err(Stop { offset, member: (member != NOWHERE).then_some(member), why })
    }

    fn take(&mut self, len: usize, member: Member) -> Walked<&'a [u8]> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        match rest.get(..len) {
            Some(taken) => {
                self.at = self.at.saturating_add(len);
                Ok(taken)
            }
            None => self.stop(self.at, member, Why::Truncated),
        }
    }

    /// Walks what belongs to a step. After an early end the visitor is left where it is.
    fn inside<T>(&mut self, step: Step, walk: impl FnOnce(&mut Self) -> Walked<T>) -> Walked<T> {
        self.visitor.enter(step);
        let walked = walk(self)?;
        self.visitor.leave();
        Ok(walked)
    }

    /// Shows the visitor what has been taken since `at`.
    fn show(&mut self, at: usize, member: Member, piece: Piece<'_>) -> Walked {
        match self.visitor.visit(at, self.at.saturating_sub(at), member, piece) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => self.stop(at, member, Why::Asked),
        }
    }

    fn tag(&mut self, member: Member) -> Walked<u32> {
        let taken = self.take(4, member)?;
        Ok(taken.first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes)))
    }

    fn word(&mut self, member: Member) -> Walked<u64> {
        let taken = self.take(8, member)?;
        Ok(taken.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes)))
    }

    fn marker(&mut self, member: Member) -> Walked<bool> {
        let at = self.at;
        let present = self.word(member)? != 0;
        self.show(at, member, Piece::Marker(present))?;
        Ok(present)
    }

    fn count(&mut self, member: Member) -> Walked<u64> {
        let at = self.at;
        let count = self.word(member)?;
        self.show(at, member, Piece::Count(count))?;
        Ok(count)
    }

    fn command(&mut self) -> Walked<&'static CommandRow> {
        let command = CommandType(self.tag(NOWHERE)?);
        match super::command(command) {
            Some(row) => Ok(row),
            None => self.stop(0, NOWHERE, Why::Unreadable),
        }
    }

    fn member(&mut self, owner: &'static str, row: &'static MemberRow, form: Form) -> Walked {
        self.inside(Step::Member(row), |walker| walker.content(Member { owner, name: row.name }, row, form))
    }

    /// What of a member travels.
    fn content(&mut self, member: Member, row: &'static MemberRow, form: Form) -> Walked {
        let form = match (form, row.partial()) {
            (Form::Partial, Partial::Nothing) => return Ok(()),
            (Form::Partial, Partial::Capacity) => return self.count(member).map(|_| ()),
            (Form::Partial, Partial::Marker) => return self.marker(member).map(|_| ()),
            (Form::Partial, Partial::Shape) => Form::Partial,
            (Form::Partial, Partial::Full) | (Form::Full, _) => Form::Full,
        };
        match row.shape {
            Shape::Value => self.value(row.item, member, form),
            Shape::Pointer if self.marker(member)? => self.value(row.item, member, form),
            Shape::Pointer => Ok(()),
            Shape::Array(_) | Shape::Fixed(_) => {
                let count = self.count(member)?;
                self.elements(row.item, count, member, form)
            }
            Shape::Rows(_) => {
                let rows = self.count(member)?;
                self.each(rows, |walker| {
                    let count = walker.count(member)?;
                    walker.elements(row.item, count, member, form)
                })
            }
            Shape::Blob(_) | Shape::String | Shape::Chars(_) => self.bytes(row.item, member),
            Shape::Strings(_) => {
                let strings = self.count(member)?;
                self.each(strings, |walker| walker.bytes(row.item, member))
            }
            Shape::Null => {
                let at = self.at;
                if self.marker(member)? { self.stop(at, member, Why::Unreadable) } else { Ok(()) }
            }
        }
    }

    /// One item in place.
    fn value(&mut self, item: Item, member: Member, form: Form) -> Walked {
        let at = self.at;
        match (item, item.packed_bytes()) {
            (Item::Struct(row), _) => self.structure(row, form),
            (Item::Union(row), _) => self.union(row, member),
            (_, bytes) => {
                let taken = self.take(bytes.unwrap_or(0).next_multiple_of(4), member)?;
                self.show(at, member, Piece::Value(item, taken))
            }
        }
    }

    fn elements(&mut self, item: Item, count: u64, member: Member, form: Form) -> Walked {
        if let Some(bytes) = item.packed_bytes() {
            return self.packed(item, count, bytes, member, Piece::Values);
        }
        self.each(count, |walker| walker.value(item, member, form))
    }

    /// The elements of an array one by one, up to the first that takes no bytes: the others do not, either.
    fn each(&mut self, count: u64, mut walk: impl FnMut(&mut Self) -> Walked) -> Walked {
        for index in 0..count {
            let at = self.at;
            self.inside(Step::Element(index), &mut walk)?;
            if self.at == at {
                break;
            }
        }
        Ok(())
    }

    fn bytes(&mut self, item: Item, member: Member) -> Walked {
        let count = self.count(member)?;
        self.packed(item, count, 1, member, Piece::Bytes)
    }

    fn packed(
        &mut self,
        item: Item,
        count: u64,
        item_bytes: usize,
        member: Member,
        piece: fn(Item, &'a [u8]) -> Piece<'a>,
    ) -> Walked {
        let at = self.at;
        let len = usize::try_from(count).ok().and_then(|count| count.checked_mul(item_bytes));
        let Some((len, padded)) = len.and_then(|len| Some((len, len.checked_next_multiple_of(4)?))) else {
            return self.stop(at, member, Why::Truncated);
        };
        let taken = self.take(padded, member)?;
        self.show(at, member, piece(item, taken.get(..len).unwrap_or_default()))
    }

    fn structure(&mut self, row: &'static StructRow, form: Form) -> Walked {
        let member = Member { owner: row.name, name: "sType" };
        self.open(member, Piece::Begin(row))?;
        if let Some(expected) = row.s_type {
            self.inside(Step::StructureType, |walker| match walker.s_type(member)? {
                found if found == expected => Ok(()),
                _ => walker.stop(walker.at.saturating_sub(4), member, Why::Unreadable),
            })?;
            self.chain(row, form)?;
        }
        self.members(row, form)
    }

    /// The chain of `root`: the headers one by one, then the bodies last first.
    fn chain(&mut self, root: &'static StructRow, form: Form) -> Walked {
        let member = Member { owner: root.name, name: "pNext" };
        let Some(node) = self.inside(Step::Chain, |walker| walker.header(root, member))? else {
            return Ok(());
        };
        self.chain(root, form)?;
        self.depth = self.depth.saturating_sub(1);
        self.inside(Step::Node(node), |walker| {
            walker.open(member, Piece::BeginNode(node))?;
            walker.members(node, form)
        })
    }

    /// The next header of a chain: which node it announces, if any.
    fn header(&mut self, root: &'static StructRow, member: Member) -> Walked<Option<&'static StructRow>> {
        if !self.marker(member)? {
            return Ok(None);
        }
        let s_type = self.s_type(member)?;
        let Some(node) = root.child(s_type) else {
            return self.stop(self.at.saturating_sub(4), member, Why::Unreadable);
        };
        self.depth = self.depth.saturating_add(1);
        if self.depth > limits::MAX_CHAIN_NODES.saturating_add(limits::MAX_CHAIN_DEPTH) {
            return self.stop(self.at, member, Why::Unreadable);
        }
        Ok(Some(node))
    }

    fn s_type(&mut self, member: Member) -> Walked<i32> {
        let at = self.at;
        let s_type = self.tag(member)?.cast_signed();
        self.show(at, member, Piece::StructureType(s_type))?;
        Ok(s_type)
    }

    fn open(&mut self, member: Member, piece: Piece<'_>) -> Walked {
        self.show(self.at, member, piece)
    }

    fn members(&mut self, row: &'static StructRow, form: Form) -> Walked {
        for member in row.members {
            self.member(row.name, member, form)?;
        }
        self.open(Member { owner: row.name, name: "" }, Piece::End)
    }

    fn union(&mut self, row: &'static UnionRow, member: Member) -> Walked {
        let at = self.at;
        let tag = self.tag(member)?;
        self.show(at, member, Piece::Tag(tag))?;
        match row.members.iter().find(|(other, _)| *other == tag) {
            Some((_, chosen)) => self.member(row.name, chosen, Form::Full),
            None => self.stop(at, member, Why::Unreadable),
        }
    }
}
