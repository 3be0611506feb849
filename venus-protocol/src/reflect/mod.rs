//! The protocol as data: what every command and structure looks like on the wire, in the registry's own names.
//!
//! The rows are generated; their types are here. A row says of each member what it is ([`Item`]), in what shape it
//! travels ([`Shape`]), and, for outputs, which way ([`Direction`]). That is enough to
//!
//! * follow the bytes of any command without its Rust types: [`walk_request`], [`walk_reply`];
//! * name the member at a position, for errors: [`locate`], [`locate_reply`], and the way to it: [`path`],
//!   [`path_reply`];
//! * have a command as a tree of values, to print it or to ask for a member: [`value`];
//! * name values as Vulkan spells them: [`EnumRow::display`];
//! * print commands, or make them up, as the tests of the codec do.
//!
//! The tables describe the wire and nothing else: no Rust type, offset or function is in them. What may follow what is
//! told by the decoder's own tables, which say the same. They are reached only on cold paths, so that a host pays for them
//! with bytes on disk.

mod locate;
mod names;
mod path;
pub(crate) mod row;
pub mod value;
mod walk;

pub use locate::{locate, locate_reply};
pub use names::EnumValue;
pub use path::{path, path_reply};
pub use walk::{Piece, Step, Stop, Visitor, Why, walk_reply, walk_request};

use ash::vk;

use crate::generated::commands::{ALIASES, NOT_ENCODABLE};
use crate::generated::reflect as rows;
use crate::generated::reflect::tables::{COMMANDS, ENUMS, STRUCTS};
use crate::wire::{ChainTable, CommandType, Level};

/// A command: its number, then its parameters in order.
#[derive(Debug)]
pub struct CommandRow {
    /// Its number, which knows its name.
    pub command: CommandType,
    /// What a reply begins with, after the number.
    pub returns: Returns,
    /// All parameters.
    pub params: &'static [MemberRow],
}

/// What a command returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Returns {
    /// `void`
    Nothing,
    /// `VkResult`
    Result,
    /// `uint32_t`
    U32,
    /// `uint64_t`, `VkDeviceSize` or `VkDeviceAddress`
    U64,
}

/// A structure.
#[derive(Debug)]
pub struct StructRow {
    /// Canonical name.
    pub name: &'static str,
    /// Its other names.
    pub aliases: &'static [&'static str],
    /// For a chainable structure its `sType`, which travels first and is followed by the chain.
    pub s_type: Option<i32>,
    /// The level that it came with: hosts of an older one do not know it.
    pub since: Level,
    /// What may follow in the chain of which it is the root: see [`children`](Self::children).
    pub(crate) chain: ChainTable,
    /// All members but `sType` and `pNext`.
    pub members: &'static [MemberRow],
}

/// A union: a tag of 4 bytes, then the member that has it.
#[derive(Debug)]
pub struct UnionRow {
    /// Canonical name.
    pub name: &'static str,
    /// How a sender chooses the member.
    pub choice: Choice,
    /// The members, each with its tag.
    pub members: &'static [(u32, MemberRow)],
}

/// How a sender chooses a union's member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// Always the member with this tag.
    Always(u32),
    /// The member whose tag is the value of the named member beside the union.
    Selector(&'static str),
}

/// An enum or a bitmask.
#[derive(Debug)]
pub struct EnumRow {
    /// Canonical name.
    pub name: &'static str,
    /// Whether the values are bits.
    pub is_bits: bool,
    /// Whether it takes 8 bytes rather than 4.
    pub is_wide: bool,
    /// The names of all values that the registry declares, sorted by value, aliases left out. A value of a bitmask is
    /// a mask: mostly one bit, but there are names for none and for several.
    pub values: &'static [(i64, &'static str)],
}

/// A handle type.
#[derive(Debug)]
pub struct HandleRow {
    /// Canonical name.
    pub name: &'static str,
    /// The type of its objects.
    pub object_type: vk::ObjectType,
}

/// A member of a structure or union, or a parameter.
#[derive(Debug)]
pub struct MemberRow {
    /// Name.
    pub name: &'static str,
    /// What it consists of.
    pub item: Item,
    /// How that is arranged.
    pub shape: Shape,
    /// Whether a host accepts null, or an array without elements where its length says otherwise.
    pub nullable: bool,
    /// The level before which hosts refuse null all the same.
    pub null_since: Level,
    /// Of handles that a command uses: whether each has to name an object, because Vulkan lets none be null.
    pub required: bool,
    /// Whether another array beside it takes its length from it.
    pub counts: bool,
    /// For parameters, which way it goes. All other members are inputs: they travel when their structure does.
    pub direction: Direction,
}

/// What a member consists of, after all pointers and arrays.
#[derive(Clone, Copy, Debug)]
pub enum Item {
    /// A number.
    Scalar(Scalar),
    /// An enum or bitmask.
    Enum(&'static EnumRow),
    /// An object's id.
    Handle(&'static HandleRow),
    /// A structure.
    Struct(&'static StructRow),
    /// A union.
    Union(&'static UnionRow),
    /// Text.
    Char,
    /// Untyped bytes.
    Byte,
    /// Something that cannot travel.
    Opaque,
}

/// The kinds of numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the type that it is called after")]
pub enum Scalar {
    U8,
    U16,
    U32,
    U64,
    I32,
    I64,
    F32,
    F64,
    Size,
    Bool32,
    DeviceSize,
    DeviceAddress,
}

/// How a member's items are arranged.
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    /// The item in place.
    Value,
    /// Marker, then the item.
    Pointer,
    /// Count, then items.
    Array(&'static Length),
    /// Count, then for each row: count, then items.
    Rows(&'static [Length; 2]),
    /// Count of bytes, then the bytes.
    Blob(&'static Length),
    /// Count of bytes with NUL, then the bytes.
    String,
    /// Count, then strings.
    Strings(&'static Length),
    /// Count, which is always the array's size, then items.
    Fixed(u64),
    /// Count, which is always the array's size, then characters.
    Chars(u64),
    /// Marker that is always 0.
    Null,
}

/// Where an array's length comes from: the names are of members beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// A number of the registry's.
    Literal(u64),
    /// A member's value, or the value it points to; 0 for a null pointer.
    Sibling(&'static str),
    /// `pointer->member`; 0 for a null pointer.
    Through {
        /// The pointer beside the array.
        pointer: &'static str,
        /// The member of what it points to.
        member: &'static str,
    },
    /// `array[i].member` for row `i`.
    OfRow {
        /// The array beside the rows.
        array: &'static str,
        /// The member of its elements.
        member: &'static str,
    },
    /// `(sibling + add) / by`.
    Quotient {
        /// The member beside the array.
        sibling: &'static str,
        /// What is added first.
        add: u32,
        /// What the sum is divided by.
        by: u32,
    },
}

/// Which way a parameter goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// In the request.
    In,
    /// In the reply; the request has its partial form.
    Out,
    /// In both: the counts of the two-call idiom.
    InOut,
}

/// What of a member travels while its structure is being asked for rather than sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Partial {
    /// All of it.
    Full,
    /// Its shape, with structures in partial form.
    Shape,
    /// Its count.
    Capacity,
    /// Its marker.
    Marker,
    /// Nothing.
    Nothing,
}

impl CommandRow {
    /// The names that Vulkan's extensions know it by.
    pub fn aliases(&self) -> impl Iterator<Item = &'static str> {
        let aliases = ALIASES.iter().filter(|(_, target)| *target == self.command);
        aliases.map(|(name, _)| *name)
    }

    /// The level that it came with: hosts of an older one do not know it.
    pub fn since(&self) -> Level {
        Level::of_command(self.command)
    }

    /// The parameters that a reply has.
    pub fn outputs(&self) -> impl Iterator<Item = &'static MemberRow> {
        self.params.iter().filter(|param| param.direction != Direction::In && !matches!(param.shape, Shape::Null))
    }
}

impl Returns {
    /// What that is on the wire.
    pub fn item(self) -> Option<Item> {
        match self {
            Self::Nothing => None,
            Self::Result => Some(Item::Enum(RESULT)),
            Self::U32 => Some(Item::Scalar(Scalar::U32)),
            Self::U64 => Some(Item::Scalar(Scalar::U64)),
        }
    }
}

impl MemberRow {
    /// Whether a host of a level accepts null.
    pub fn is_nullable(&self, level: Level) -> bool {
        self.nullable && self.null_since <= level
    }

    /// What of it travels in partial form.
    pub fn partial(&self) -> Partial {
        match (self.shape, self.item) {
            _ if self.counts => Partial::Full,
            (Shape::Null, _) => Partial::Full,
            (_, Item::Struct(_) | Item::Handle(_)) => Partial::Shape,
            (Shape::Value | Shape::Fixed(_) | Shape::Chars(_), _) => Partial::Nothing,
            (Shape::Pointer, _) => Partial::Marker,
            (Shape::Array(_) | Shape::Rows(_) | Shape::Blob(_) | Shape::String | Shape::Strings(_), _) => {
                Partial::Capacity
            }
        }
    }
}

impl StructRow {
    /// What may follow in the chain of which it is the root, by `sType`.
    pub fn children(&self) -> impl ExactSizeIterator<Item = &'static Self> + Clone {
        self.chain.iter().map(|(_, node)| structure(node.name).expect("whatever follows in a chain has a row"))
    }

    /// The structure of the given type among those that may follow this one.
    pub fn child(&self, s_type: i32) -> Option<&'static Self> {
        let index = self.chain.binary_search_by_key(&s_type, |(key, _)| *key).ok()?;
        structure(self.chain.get(index)?.1.name)
    }
}

impl Item {
    /// Bytes of one item in an array of them; `None` for structures and unions, whose size varies.
    pub fn packed_bytes(self) -> Option<usize> {
        match self {
            Self::Scalar(Scalar::U8) | Self::Char | Self::Byte => Some(1),
            Self::Scalar(Scalar::U16) => Some(2),
            Self::Scalar(Scalar::U32 | Scalar::I32 | Scalar::F32 | Scalar::Bool32) => Some(4),
            Self::Scalar(_) | Self::Handle(_) => Some(8),
            Self::Enum(row) => Some(if row.is_wide { 8 } else { 4 }),
            Self::Struct(_) | Self::Union(_) | Self::Opaque => None,
        }
    }
}

/// The row of a command, if it travels.
pub fn command(command: CommandType) -> Option<&'static CommandRow> {
    let index = usize::try_from(command.0).ok()?;
    COMMANDS.get(index).copied().flatten()
}

/// All commands that travel, by number.
pub fn commands() -> impl Iterator<Item = &'static CommandRow> {
    COMMANDS.iter().copied().flatten()
}

/// The row of a structure, by its canonical name.
pub fn structure(name: &str) -> Option<&'static StructRow> {
    let index = STRUCTS.binary_search_by(|row| row.name.cmp(name)).ok()?;
    STRUCTS.get(index).copied()
}

/// All structures that travel, by name.
pub fn structures() -> &'static [&'static StructRow] {
    STRUCTS
}

/// `VkResult`: what [`Returns::Result`] stands for.
pub static RESULT: &EnumRow = &rows::RESULT;

/// `VkStructureType`: what an `sType` is.
pub static STRUCTURE_TYPE: &EnumRow = &rows::STRUCTURE_TYPE;

/// `VkObjectType`: what an object is.
pub static OBJECT_TYPE: &EnumRow = &rows::OBJECT_TYPE;

/// `VkCommandFlagsEXT`: the flags in the header of a request.
pub static COMMAND_FLAGS: &EnumRow = &rows::COMMAND_FLAGS_EXT;

/// The row of an enum or bitmask, by its canonical name.
pub fn enumeration(name: &str) -> Option<&'static EnumRow> {
    let index = ENUMS.binary_search_by(|row| row.name.cmp(name)).ok()?;
    ENUMS.get(index).copied()
}

/// All enums and bitmasks that travel, and those of the protocol that stand elsewhere, by name.
pub fn enumerations() -> &'static [&'static EnumRow] {
    ENUMS
}

/// The row of the handles that name objects of this type, if such handles travel.
pub fn handle(object_type: vk::ObjectType) -> Option<&'static HandleRow> {
    rows::HANDLES.iter().copied().find(|row| row.object_type == object_type)
}

/// The name of an `sType`, whether or not its structure travels.
pub fn structure_type_name(s_type: i32) -> Option<&'static str> {
    STRUCTURE_TYPE.name_of(s_type.into())
}

/// Why a command that has a number never travels; `None` if it does, or if there is no such command.
pub fn obstacle(command: CommandType) -> Option<&'static str> {
    NOT_ENCODABLE.iter().find(|(other, _)| *other == command).map(|(_, why)| *why)
}
