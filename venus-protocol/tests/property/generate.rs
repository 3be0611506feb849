//! Random requests and replies, from the reflection tables.
//!
//! What comes out obeys the rules that encoders obey: lengths agree, unions carry the member that their sender would
//! choose, chains hold distinct structures that their root knows, padding is zero. Everything else is random, down to
//! values that mean nothing to Vulkan.

use std::collections::BTreeMap;

use venus_protocol::reflect::{
    Choice, CommandRow, Direction, Item, Length, MemberRow, Partial, Returns, Scalar, Shape, StructRow, UnionRow,
};

/// A request of the given command. `size` bounds its arrays; with 0 everything that may be null is.
pub(crate) fn request(row: &'static CommandRow, seed: u64, size: u64) -> Vec<u8> {
    let mut generator = Generator::new(seed, size);
    generator.word(row.command.0);
    let flags = generator.random.next() as u32;
    generator.word(flags);
    let mut scope = Scope::new(row.params, &[]);
    for (index, param) in row.params.iter().enumerate() {
        let form = if param.direction == Direction::Out { Form::Partial } else { Form::Full };
        // The handle that a command acts on is the one that cannot be null.
        scope.owner = index == 0;
        generator.member(param, form, &mut scope);
    }
    generator.bytes
}

/// A reply to the given command.
pub(crate) fn reply(row: &'static CommandRow, seed: u64, size: u64) -> Vec<u8> {
    let mut generator = Generator::new(seed, size);
    generator.word(row.command.0);
    match row.returns {
        Returns::Nothing => {}
        Returns::Result | Returns::U32 => generator.random_bytes(4),
        Returns::U64 => generator.random_bytes(8),
    }
    let mut scope = Scope::new(row.params, &[]);
    for param in row.outputs() {
        generator.member(param, Form::Full, &mut scope);
    }
    generator.bytes
}

/// Beyond this many bytes a command gets no longer than it must.
const LONG: usize = 64 << 10;

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

type Fields = BTreeMap<&'static str, Known>;

/// The members around the one that is being generated.
struct Scope {
    siblings: &'static [MemberRow],
    /// Members that something outside of this structure takes a length from.
    lengths: Vec<&'static str>,
    known: Fields,
    owner: bool,
}

impl Scope {
    fn new(siblings: &'static [MemberRow], lengths: &[&'static str]) -> Self {
        Self { siblings, lengths: lengths.to_vec(), known: Fields::new(), owner: false }
    }

    /// The lengths of all arrays in this scope.
    fn all_lengths(&self) -> impl Iterator<Item = &'static Length> {
        self.siblings.iter().flat_map(|member| match member.shape {
            Shape::Array(length) | Shape::Blob(length) | Shape::Strings(length) => core::slice::from_ref(length),
            Shape::Rows(lengths) => lengths,
            _ => &[],
        })
    }

    /// Which members of what `name` leads to are lengths here.
    fn lengths_in(&self, name: &str) -> Vec<&'static str> {
        let lengths = self.all_lengths().filter_map(|length| match *length {
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

    /// The number that a member must have for something else to make sense of it.
    fn constrained(&self, row: &MemberRow, size: u64, random: &mut Random) -> Option<u64> {
        let selected = self.siblings.iter().find_map(|member| match member.item {
            Item::Union(union) if union.choice == Choice::Selector(row.name) => Some(union),
            _ => None,
        });
        if let Some(union) = selected {
            let nth = random.below(union.members.len() as u64) as usize;
            return Some(u64::from(union.members[nth].0));
        }
        let divisor = self.all_lengths().find_map(|length| match *length {
            Length::Quotient { sibling, by, .. } if sibling == row.name => Some(u64::from(by)),
            _ => None,
        });
        if let Some(divisor) = divisor {
            return Some(random.below(size * divisor + 1));
        }
        (row.counts || self.lengths.contains(&row.name)).then(|| random.below(size + 1))
    }
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

struct Generator {
    random: Random,
    size: u64,
    bytes: Vec<u8>,
}

impl Generator {
    fn new(seed: u64, size: u64) -> Self {
        Self { random: Random(seed), size, bytes: Vec::new() }
    }

    fn size(&self) -> u64 {
        if self.bytes.len() < LONG { self.size } else { 0 }
    }

    /// Whether to leave out what may be left out.
    fn leaves_out(&mut self) -> bool {
        self.size() == 0 || self.random.below(4) == 0
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

    fn random_bytes(&mut self, n: u64) {
        for _ in 0..n {
            let byte = self.random.next() as u8;
            self.bytes.push(byte);
        }
        self.pad();
    }

    /// A string that takes `n` bytes with its NUL and, where the array is longer, the NULs after it.
    fn text(&mut self, n: u64, length: u64) {
        for _ in 1..length {
            let char = 1 + self.random.below(255) as u8;
            self.bytes.push(char);
        }
        let nuls = (n - length + 1) as usize;
        self.bytes.resize(self.bytes.len() + nuls, 0);
        self.pad();
    }

    fn string(&mut self) {
        let length = 1 + self.random.below(9);
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
                self.marker(row);
                return;
            }
            (Form::Partial, Partial::Shape) => Form::Partial,
            (Form::Partial, Partial::Full) | (Form::Full, _) => Form::Full,
        };
        match row.shape {
            Shape::Value => self.value(row, form, scope),
            Shape::Pointer => {
                // A length behind a null pointer is 0.
                if self.marker(row) { self.value(row, form, scope) } else { self.know(row, scope, Known::Number(0)) }
            }
            Shape::Array(_) => {
                let n = self.count(row, scope);
                self.elements(row, n, form, scope);
            }
            Shape::Rows([_, inner]) => {
                for nth in 0..self.count(row, scope) {
                    let length = scope.length(inner, nth as usize).expect("rows are not part of replies");
                    self.double_word(length);
                    self.elements(row, length, form, scope);
                }
            }
            Shape::Blob(_) => {
                let n = self.count(row, scope);
                self.random_bytes(n);
            }
            Shape::String if self.leaves_out() => self.double_word(0),
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
                let length = 1 + self.random.below(n);
                self.text(n, length);
            }
            Shape::Null => self.double_word(0),
        }
    }

    fn know(&self, row: &MemberRow, scope: &mut Scope, known: Known) {
        scope.known.insert(row.name, known);
    }

    fn marker(&mut self, row: &MemberRow) -> bool {
        let present = !(row.nullable && self.leaves_out());
        self.double_word(present.into());
        present
    }

    /// Writes the count of an array: its length, or 0 where it may be null.
    fn count(&mut self, row: &MemberRow, scope: &Scope) -> u64 {
        let length = match row.shape {
            Shape::Array(length) | Shape::Rows([length, _]) | Shape::Blob(length) | Shape::Strings(length) => length,
            _ => unreachable!("{} is no array", row.name),
        };
        let length = scope.length(length, 0).unwrap_or_else(|| self.random.below(self.size + 1));
        let count = if row.nullable && self.leaves_out() { 0 } else { length };
        self.double_word(count);
        count
    }

    /// One item in place.
    fn value(&mut self, row: &'static MemberRow, form: Form, scope: &mut Scope) {
        match row.item {
            Item::Struct(structure) => {
                let fields = self.structure(structure, form, &scope.lengths_in(row.name));
                self.know(row, scope, Known::Struct(fields));
            }
            Item::Union(union) => self.union(union, scope),
            Item::Scalar(_) | Item::Enum(_) => {
                let size = self.size();
                let number = scope.constrained(row, size, &mut self.random);
                let number = number.unwrap_or_else(|| self.random.next());
                self.know(row, scope, Known::Number(number));
                self.number(row.item, number);
            }
            Item::Handle(_) => {
                let id = if self.random.below(4) == 0 { 0 } else { self.random.next() };
                self.double_word(if scope.owner { id.max(1) } else { id });
            }
            Item::Char | Item::Byte | Item::Opaque => unreachable!("{} is no single value", row.name),
        }
    }

    fn number(&mut self, item: Item, number: u64) {
        let bytes = item.packed_bytes().expect("numbers have a size");
        self.bytes.extend(&number.to_le_bytes()[..bytes]);
        self.pad();
    }

    fn elements(&mut self, row: &'static MemberRow, n: u64, form: Form, scope: &mut Scope) {
        match row.item {
            Item::Struct(structure) => {
                let lengths = scope.lengths_in(row.name);
                let fields = (0..n).map(|_| self.structure(structure, form, &lengths)).collect();
                self.know(row, scope, Known::Array(fields));
            }
            Item::Union(union) => (0..n).for_each(|_| self.union(union, scope)),
            item => {
                let bytes = item.packed_bytes().expect("what is left has a size");
                self.random_bytes(n * bytes as u64);
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
        let mut scope = Scope::new(row.members, lengths);
        for member in row.members {
            self.member(member, form, &mut scope);
        }
        scope.known
    }

    /// Some of the structures that `root` knows, each once, in any order. Once in a while all of them.
    fn chain(&mut self, root: &'static StructRow, form: Form) {
        let mut rest = root.children.to_vec();
        let all = self.size() > 2 && self.random.below(16) == 0;
        let wanted = if all { rest.len() as u64 } else { self.random.below(self.size() + 1) };
        let mut nodes: Vec<&StructRow> = Vec::new();
        while (nodes.len() as u64) < wanted && !rest.is_empty() {
            nodes.push(rest.swap_remove(self.random.below(rest.len() as u64) as usize));
        }
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
        self.member(member, Form::Full, &mut Scope::new(&[], &[]));
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
