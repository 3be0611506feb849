//! Requests and replies made from the reflection tables, with whatever content the caller chooses.
//!
//! What comes out obeys the rules that encoders obey: lengths agree, unions carry the member that their sender would
//! choose, chains hold distinct structures that their root knows, padding is zero. Everything else is up to
//! [`Choices`]: the codec's tests choose at random, a host's tests choose what a driver would be glad to see.
//!
//! It panics where the tables contradict themselves.

use venus_protocol::Level;
use venus_protocol::reflect::{
    Choice, CommandRow, Direction, HandleRow, Item, Length, MemberRow, Partial, Returns, Shape, StructRow, UnionRow,
};

/// Decides where the protocol leaves a choice. `owner` is the command or structure that a member belongs to, `written`
/// how many bytes there are already.
pub trait Choices {
    /// The value of a member from which an array takes its length. Where the length is a quotient, `divisor` is what
    /// the value is divided by, else 1.
    fn length(&mut self, owner: &'static str, member: &'static MemberRow, divisor: u64, written: usize) -> u64;

    /// Whether to leave out a pointer or array that may be null.
    fn leaves_out(&mut self, owner: &'static str, member: &'static MemberRow, written: usize) -> bool;

    /// Any other number or enum. What does not fit is cut off.
    fn number(&mut self, owner: &'static str, member: &'static MemberRow) -> u64;

    /// An object's id.
    fn handle(
        &mut self,
        owner: &'static str,
        member: &'static MemberRow,
        handle: &'static HandleRow,
        role: Role,
    ) -> u64;

    /// Which structures follow in a chain: some of the root's children, each once.
    fn chain(&mut self, root: &'static StructRow, written: usize) -> Vec<&'static StructRow>;

    /// Which member of a union a selector is to select.
    fn select(&mut self, union: &'static UnionRow) -> usize;

    /// One byte of an array or of untyped data.
    fn byte(&mut self) -> u8;

    /// The level of the protocol whose rules are obeyed: which structures there are, and what may be null.
    fn level(&self) -> Level {
        Level::NEWEST
    }

    /// The length of a string with its NUL, from 1 to `room`.
    fn string(&mut self, room: u64) -> u64;
}

/// What an id is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The object that the command acts on, which cannot be null.
    Owner,
    /// An object that exists.
    Used,
    /// An object that the command is to create.
    New,
}

/// A request of the given command.
pub fn request(row: &'static CommandRow, flags: u32, choices: &mut dyn Choices) -> Vec<u8> {
    let mut generator = Generator { choices, bytes: Vec::new() };
    generator.word(row.command.0);
    generator.word(flags);
    let mut scope = Scope::new(row.command.name(), row.params, &[]);
    for (index, param) in row.params.iter().enumerate() {
        let form = if param.direction == Direction::Out { Form::Partial } else { Form::Full };
        // The handle that a command acts on is the one that cannot be null.
        scope.is_first = index == 0;
        generator.member(param, form, &mut scope);
    }
    generator.bytes
}

/// A reply to the given command.
pub fn reply(row: &'static CommandRow, choices: &mut dyn Choices) -> Vec<u8> {
    let mut generator = Generator { choices, bytes: Vec::new() };
    generator.word(row.command.0);
    match row.returns {
        Returns::Nothing => {}
        Returns::Result | Returns::U32 => generator.content(4),
        Returns::U64 => generator.content(8),
    }
    let mut scope = Scope::new(row.command.name(), row.params, &[]);
    for param in row.outputs() {
        generator.member(param, Form::Full, &mut scope);
    }
    generator.bytes
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Full,
    Partial,
}

/// What has been generated, as far as lengths and selectors ask for it.
#[derive(Clone, Debug)]
enum Known {
    Number(u64),
    Struct(Fields),
    Array(Vec<Fields>),
}

/// Members by name. There are few of them, so they are looked for one after the other.
#[derive(Clone, Debug, Default)]
struct Fields(Vec<(&'static str, Known)>);

impl Fields {
    fn get(&self, name: &str) -> Option<&Known> {
        self.0.iter().rev().find(|(other, _)| *other == name).map(|(_, known)| known)
    }

    fn insert(&mut self, name: &'static str, known: Known) {
        self.0.push((name, known));
    }
}

/// The members around the one that is being generated.
struct Scope {
    siblings: &'static [MemberRow],
    /// Members that something outside of this structure takes a length from.
    lengths: Vec<&'static str>,
    /// Members that select a member of a union.
    selectors: Vec<(&'static str, &'static UnionRow)>,
    /// Members of which a quotient is a length, and by what they are divided.
    dividends: Vec<(&'static str, u64)>,
    known: Fields,
    /// The command or structure that they are members of.
    owner: &'static str,
    is_first: bool,
}

impl Scope {
    fn new(owner: &'static str, siblings: &'static [MemberRow], lengths: &[&'static str]) -> Self {
        let selectors = siblings.iter().filter_map(|member| match member.item {
            Item::Union(union) => match union.choice {
                Choice::Selector(name) => Some((name, union)),
                Choice::Always(_) => None,
            },
            _ => None,
        });
        let dividends = all_lengths(siblings).filter_map(|length| match *length {
            Length::Quotient { sibling, by, .. } => Some((sibling, u64::from(by))),
            _ => None,
        });
        Self {
            siblings,
            lengths: lengths.to_vec(),
            selectors: selectors.collect(),
            dividends: dividends.collect(),
            known: Fields::default(),
            owner,
            is_first: false,
        }
    }

    /// Which members of what `name` leads to are lengths here.
    fn lengths_in(&self, name: &str) -> Vec<&'static str> {
        let lengths = all_lengths(self.siblings).filter_map(|length| match *length {
            Length::Through { pointer, member } if pointer == name => Some(member),
            Length::OfRow { array, member } if array == name => Some(member),
            _ => None,
        });
        lengths.collect()
    }

    /// The value of a length for row `nth`; `None` if it depends on something that is not part of this message.
    fn length(&self, length: &Length, nth: usize) -> Option<u64> {
        let number = |known: &Known| match known {
            Known::Number(number) => Some(*number),
            _ => None,
        };
        match *length {
            Length::Literal(value) => Some(value),
            Length::Sibling(name) => number(self.known.get(name)?),
            Length::Quotient { sibling, add, by } => {
                Some((number(self.known.get(sibling)?)? + u64::from(add)) / u64::from(by))
            }
            Length::Through { pointer, member } => match self.known.get(pointer)? {
                Known::Struct(fields) => number(fields.get(member)?),
                _ => Some(0),
            },
            Length::OfRow { array, member } => match self.known.get(array)? {
                Known::Array(rows) => number(rows.get(nth)?.get(member)?),
                _ => Some(0),
            },
        }
    }

    /// What must follow from a member's value for something else to make sense of it.
    fn constraint(&self, row: &MemberRow) -> Option<Constraint> {
        if let Some((_, union)) = self.selectors.iter().find(|(name, _)| *name == row.name) {
            return Some(Constraint::Selector(union));
        }
        let divisor = self.dividends.iter().find(|(name, _)| *name == row.name).map(|(_, by)| *by);
        let is_length = row.counts || self.lengths.contains(&row.name);
        divisor.or(is_length.then_some(1)).map(Constraint::Length)
    }
}

/// The lengths of all arrays among these members.
fn all_lengths(members: &'static [MemberRow]) -> impl Iterator<Item = &'static Length> {
    members.iter().flat_map(|member| match member.shape {
        Shape::Array(length) | Shape::Blob(length) | Shape::Strings(length) => core::slice::from_ref(length),
        Shape::Rows(lengths) => lengths,
        _ => &[],
    })
}

/// What a number is for.
enum Constraint {
    /// It selects a member.
    Selector(&'static UnionRow),
    /// It is a length, times this.
    Length(u64),
}

struct Generator<'c> {
    choices: &'c mut dyn Choices,
    bytes: Vec<u8>,
}

impl Generator<'_> {
    fn leaves_out(&mut self, row: &'static MemberRow, scope: &Scope) -> bool {
        self.choices.leaves_out(scope.owner, row, self.bytes.len())
    }

    fn is_nullable(&self, row: &'static MemberRow) -> bool {
        row.is_nullable(self.choices.level())
    }

    fn word(&mut self, value: u32) {
        self.bytes.extend(value.to_le_bytes());
    }

    fn double_word(&mut self, value: u64) {
        self.bytes.extend(value.to_le_bytes());
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }

    fn content(&mut self, n: u64) {
        for _ in 0..n {
            let byte = self.choices.byte();
            self.bytes.push(byte);
        }
        self.pad();
    }

    /// A string that takes `n` bytes with its NUL and, where the array is longer, the NULs after it.
    fn text(&mut self, n: u64, length: u64) {
        for _ in 1..length {
            let char = self.choices.byte().max(1);
            self.bytes.push(char);
        }
        for _ in length..=n {
            self.bytes.push(0);
        }
        self.pad();
    }

    fn string(&mut self) {
        let length = self.choices.string(9);
        self.double_word(length);
        self.text(length, length);
    }

    fn member(&mut self, row: &'static MemberRow, form: Form, scope: &mut Scope) {
        let form = match (form, row.partial()) {
            (Form::Partial, Partial::Nothing) => return,
            (Form::Partial, Partial::Capacity) => {
                self.count(row, scope);
                return;
            }
            (Form::Partial, Partial::Marker) => {
                self.marker(row, scope);
                return;
            }
            (Form::Partial, Partial::Shape) => Form::Partial,
            (Form::Partial, Partial::Full) | (Form::Full, _) => Form::Full,
        };
        match row.shape {
            Shape::Value => self.value(row, form, scope),
            Shape::Pointer => {
                // A length behind a null pointer is 0.
                if self.marker(row, scope) { self.value(row, form, scope) } else { know(row, scope, Known::Number(0)) }
            }
            Shape::Array(_) => {
                let n = self.count(row, scope);
                self.elements(row, n, form, scope);
            }
            Shape::Rows([_, inner]) => {
                let rows = usize::try_from(self.count(row, scope)).unwrap_or(0);
                for nth in 0..rows {
                    let length = scope.length(inner, nth).expect("rows are not part of replies");
                    self.double_word(length);
                    self.elements(row, length, form, scope);
                }
            }
            Shape::Blob(_) => {
                let n = self.count(row, scope);
                self.content(n);
            }
            Shape::String if self.leaves_out(row, scope) => self.double_word(0),
            Shape::String => self.string(),
            Shape::Strings(_) => {
                for _ in 0..self.count(row, scope) {
                    self.string();
                }
            }
            Shape::Fixed(n) => {
                self.double_word(n);
                self.elements(row, n, form, scope);
            }
            Shape::Chars(n) => {
                self.double_word(n);
                let length = self.choices.string(n);
                self.text(n, length);
            }
            Shape::Null => self.double_word(0),
        }
    }

    fn marker(&mut self, row: &'static MemberRow, scope: &Scope) -> bool {
        let present = !(self.is_nullable(row) && self.leaves_out(row, scope));
        self.double_word(present.into());
        present
    }

    /// Writes the count of an array: its length, or 0 where it may be null.
    fn count(&mut self, row: &'static MemberRow, scope: &Scope) -> u64 {
        let length = match row.shape {
            Shape::Array(length) | Shape::Rows([length, _]) | Shape::Blob(length) | Shape::Strings(length) => length,
            _ => unreachable!("{} is no array", row.name),
        };
        let known = scope.length(length, 0);
        let length = known.unwrap_or_else(|| self.choices.length(scope.owner, row, 1, self.bytes.len()));
        let count = if self.is_nullable(row) && self.leaves_out(row, scope) { 0 } else { length };
        self.double_word(count);
        count
    }

    /// One item in place.
    fn value(&mut self, row: &'static MemberRow, form: Form, scope: &mut Scope) {
        match row.item {
            Item::Struct(structure) => {
                let fields = self.structure(structure, form, &scope.lengths_in(row.name));
                know(row, scope, Known::Struct(fields));
            }
            Item::Union(union) => self.union(union, scope),
            Item::Scalar(_) | Item::Enum(_) => {
                let number = match scope.constraint(row) {
                    Some(Constraint::Selector(union)) => {
                        let nth = self.choices.select(union);
                        let (tag, _) = union.members.get(nth).expect("the choice is a member");
                        u64::from(*tag)
                    }
                    Some(Constraint::Length(divisor)) => {
                        self.choices.length(scope.owner, row, divisor, self.bytes.len())
                    }
                    None => self.choices.number(scope.owner, row),
                };
                know(row, scope, Known::Number(number));
                self.number(row.item, number);
            }
            Item::Handle(handle) => self.handle(row, handle, form, scope),
            Item::Char | Item::Byte | Item::Opaque => unreachable!("{} is no single value", row.name),
        }
    }

    fn handle(&mut self, row: &'static MemberRow, handle: &'static HandleRow, form: Form, scope: &Scope) {
        let role = match form {
            Form::Partial => Role::New,
            Form::Full if scope.is_first => Role::Owner,
            Form::Full => Role::Used,
        };
        let id = self.choices.handle(scope.owner, row, handle, role);
        self.double_word(id);
    }

    fn number(&mut self, item: Item, number: u64) {
        let bytes = item.packed_bytes().expect("numbers have a size");
        self.bytes.extend(number.to_le_bytes().iter().take(bytes));
        self.pad();
    }

    fn elements(&mut self, row: &'static MemberRow, n: u64, form: Form, scope: &mut Scope) {
        match row.item {
            Item::Struct(structure) => {
                let lengths = scope.lengths_in(row.name);
                let fields = (0..n).map(|_| self.structure(structure, form, &lengths)).collect();
                know(row, scope, Known::Array(fields));
            }
            Item::Union(union) => (0..n).for_each(|_| self.union(union, scope)),
            Item::Handle(handle) => (0..n).for_each(|_| self.handle(row, handle, form, scope)),
            Item::Char | Item::Byte => self.content(n),
            item => {
                let bytes = item.packed_bytes().expect("what is left has a size");
                for _ in 0..n {
                    let number = self.choices.number(scope.owner, row);
                    self.bytes.extend(number.to_le_bytes().iter().take(bytes));
                }
                self.pad();
            }
        }
    }

    fn structure(&mut self, row: &'static StructRow, form: Form, lengths: &[&'static str]) -> Fields {
        if let Some(s_type) = row.s_type {
            self.word(s_type.cast_unsigned());
            self.chain(row, form);
        }
        self.members(row, form, lengths)
    }

    fn members(&mut self, row: &'static StructRow, form: Form, lengths: &[&'static str]) -> Fields {
        let mut scope = Scope::new(row.name, row.members, lengths);
        for member in row.members {
            self.member(member, form, &mut scope);
        }
        scope.known
    }

    fn chain(&mut self, root: &'static StructRow, form: Form) {
        let mut nodes = self.choices.chain(root, self.bytes.len());
        nodes.retain(|node| node.since <= self.choices.level());
        for node in &nodes {
            self.double_word(1);
            self.word(node.s_type.expect("what follows in a chain has a type").cast_unsigned());
        }
        self.double_word(0);
        for node in nodes.into_iter().rev() {
            self.members(node, form, &[]);
        }
    }

    fn union(&mut self, row: &'static UnionRow, scope: &Scope) {
        let tag = match row.choice {
            Choice::Always(tag) => tag,
            Choice::Selector(name) => match scope.known.get(name) {
                Some(Known::Number(tag)) => u32::try_from(*tag).expect("selectors have the values of tags"),
                other => unreachable!("{name} selects and is {other:?}"),
            },
        };
        self.word(tag);
        let (_, member) = row.members.iter().find(|(other, _)| *other == tag).expect("the tag is a member's");
        self.member(member, Form::Full, &mut Scope::new(row.name, &[], &[]));
    }
}

fn know(row: &MemberRow, scope: &mut Scope, known: Known) {
    scope.known.insert(row.name, known);
}
