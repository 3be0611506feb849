//! The resolved registry: plain owned data, ids into vectors, no text left to interpret.
//!
//! Everything here is canonical: an alias and its target are one type or command, which lists all its names. Only
//! what the protocol selects is present. Built by [`resolve`](crate::resolve), read by [`lower`](crate::lower).

mod level;

use std::collections::BTreeSet;

use crate::diag::XmlPos;

pub(crate) use level::{Count, Extension, Level};

/// Index of a [`Struct`] in [`Model::structs`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct StructId(pub(crate) usize);

/// Index of a [`Union`] in [`Model::unions`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct UnionId(pub(crate) usize);

/// Index of a [`Handle`] in [`Model::handles`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct HandleId(pub(crate) usize);

/// Index of an [`Enum`] in [`Model::enums`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct EnumId(pub(crate) usize);

/// Index of a [`Bitmask`] in [`Model::bitmasks`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct BitmaskId(pub(crate) usize);

/// The part of the registry that the protocol is made of.
#[derive(Debug, Default)]
pub(crate) struct Model {
    /// Version of the headers that the registry describes.
    pub(crate) registry_version: String,
    /// Oldest first; the newest is what the rest describes.
    pub(crate) levels: Vec<Level>,
    pub(crate) wire_format: u32,
    pub(crate) structs: Vec<Struct>,
    pub(crate) unions: Vec<Union>,
    pub(crate) handles: Vec<Handle>,
    pub(crate) enums: Vec<Enum>,
    pub(crate) bitmasks: Vec<Bitmask>,
    /// In id order.
    pub(crate) commands: Vec<Command>,
    pub(crate) extensions: Vec<Extension>,
}

/// A `<type category="struct">`.
#[derive(Debug)]
pub(crate) struct Struct {
    /// All names, the canonical one first.
    pub(crate) names: Vec<String>,
    /// Present for structures that can head or join a `pNext` chain.
    pub(crate) chain: Option<Chain>,
    /// Members that carry data: all but `sType` and `pNext`.
    pub(crate) members: Vec<Var>,
    /// Whether every member can travel.
    pub(crate) encodable: bool,
    /// Whether an encodable command reaches it.
    pub(crate) reached: bool,
    /// The level that it came with.
    pub(crate) since: u32,
    pub(crate) family: &'static str,
    pub(crate) at: XmlPos,
}

/// What makes a structure chainable.
#[derive(Debug)]
pub(crate) struct Chain {
    pub(crate) s_type_name: String,
    pub(crate) s_type: i32,
    /// Whether `pNext` is declared without const, as in structures that the driver fills.
    pub(crate) is_output: bool,
    /// Structures that may follow when this one is the root, in registry order.
    pub(crate) children: Vec<StructId>,
    /// What a guest must have seen announced before it sends this structure in a chain.
    pub(crate) announced: Announced,
}

/// See `venus_protocol::wire::Announced`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Announced {
    Always,
    Version(u32, u32),
    Extensions(Vec<Vec<u32>>),
}

/// A `<type category="union">`.
#[derive(Debug)]
pub(crate) struct Union {
    pub(crate) names: Vec<String>,
    pub(crate) members: Vec<UnionMember>,
    /// How one member is chosen; `None` when the protocol gives no way, so that the union cannot travel.
    pub(crate) choice: Option<UnionChoice>,
    pub(crate) encodable: bool,
    pub(crate) reached: bool,
    pub(crate) family: &'static str,
}

#[derive(Debug)]
pub(crate) struct UnionMember {
    pub(crate) var: Var,
    /// The values of the selector that tag this member, or its position.
    pub(crate) tags: Vec<u32>,
}

/// How the sender chooses a union's member.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum UnionChoice {
    /// By an enum next to the union.
    Selector,
    /// Always this member (an index into the members).
    Fixed(usize),
}

/// A `<type category="handle">`.
#[derive(Debug)]
pub(crate) struct Handle {
    pub(crate) names: Vec<String>,
    pub(crate) dispatchable: bool,
    /// The value of VkObjectType for its objects, if the registry names one.
    pub(crate) object_type: Option<i64>,
    pub(crate) reached: bool,
}

/// A `<type category="enum">`: plain enums and the bit names of bitmasks.
#[derive(Debug)]
pub(crate) struct Enum {
    pub(crate) names: Vec<String>,
    /// Whether it names bits of a bitmask.
    pub(crate) is_bits: bool,
    /// 32 or 64.
    pub(crate) bit_width: u32,
    /// What the registry, its versions and all its extensions declare, by value. Aliases are left out.
    pub(crate) values: Vec<Value>,
    pub(crate) reached: bool,
}

/// An `<enum>` with a value of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Value {
    pub(crate) name: String,
    /// For bits, the mask.
    pub(crate) value: i64,
}

/// A `<type category="bitmask">`.
#[derive(Debug)]
pub(crate) struct Bitmask {
    pub(crate) names: Vec<String>,
    /// The enum that names its bits.
    pub(crate) bits: Option<EnumId>,
    /// 32 or 64.
    pub(crate) bit_width: u32,
    /// Whether it is one of the protocol's own, which stand beside the arguments of commands, too.
    pub(crate) private: bool,
    pub(crate) reached: bool,
}

/// A command with a number.
#[derive(Debug)]
pub(crate) struct Command {
    pub(crate) id: u32,
    /// The level that it came with.
    pub(crate) since: u32,
    pub(crate) name: String,
    pub(crate) aliases: Vec<String>,
    pub(crate) returns: Returns,
    pub(crate) params: Vec<Var>,
    /// The bits of VkQueueFlagBits of which a queue must have one for it; none if every queue will do.
    pub(crate) queues: Vec<&'static str>,
    /// Why the command never travels; `None` if it does.
    pub(crate) obstacle: Option<String>,
    /// Whether it is one of the protocol's own, unknown to Vulkan drivers.
    pub(crate) private: bool,
    pub(crate) reports_device_lost: bool,
    /// The trait that handles it.
    pub(crate) family: &'static str,
    /// The file of generated code: the family, or a part of it where there are many commands.
    pub(crate) part: &'static str,
    pub(crate) at: XmlPos,
}

impl Command {
    /// Whether drivers look it up by a device: it acts on a device or on something of one.
    pub(crate) fn is_of_device(&self) -> bool {
        let owner = self.params.first().filter(|param| matches!(param.ty, Ty::Handle(_)));
        owner.is_some_and(|owner| !matches!(owner.base.as_str(), "VkInstance" | "VkPhysicalDevice"))
    }
}

/// Return types that exist among encodable commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Returns {
    Nothing,
    Result,
    U32,
    U64,
    /// Something that cannot travel.
    Opaque,
}

/// A member or parameter.
#[derive(Clone, Debug)]
pub(crate) struct Var {
    pub(crate) name: String,
    /// Canonical C name of the type without pointers.
    pub(crate) base: String,
    pub(crate) ty: Ty,
    /// One entry per `*`, innermost first: whether what it points to is const.
    pub(crate) pointee_const: Vec<bool>,
    pub(crate) dimensions: Vec<Dimension>,
    /// One length per pointer level that has one, outermost first.
    pub(crate) lengths: Vec<Length>,
    /// First value of `optional`.
    pub(crate) optional: bool,
    /// Whether what its pointers lead to may be null itself.
    pub(crate) optional_item: bool,
    pub(crate) no_auto_validity: bool,
    pub(crate) selector: Option<String>,
    /// What a host accepts, where `venus.xml` pins it whatever the registry says.
    pub(crate) accepts_null: Option<bool>,
    /// The level before which a host refuses null although the registry allows it.
    pub(crate) null_since: Option<u32>,
    /// Whether the request carries the value of an output, too, although nothing takes a length from it.
    pub(crate) is_in_out: bool,
    /// Name of the stride argument whose value the sender replaces by the packed size.
    pub(crate) stride: Option<String>,
    /// When a guest may follow the pointer; always if absent.
    pub(crate) guest_condition: Option<Condition>,
}

/// A test on a sibling member.
#[derive(Clone, Debug)]
pub(crate) enum Condition {
    /// The member equals the named enum value.
    Equals { member: String, name: String, value: i64 },
    /// The member has none of these bits, which are named.
    LacksBits { member: String, name: String, bits: u64 },
}

/// A fixed array's size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Dimension {
    pub(crate) size: u64,
    /// The API constant that names it, if one does.
    pub(crate) constant: Option<String>,
}

/// Where an array's length comes from. Evaluated over values already decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Length {
    NullTerminated,
    Literal(u64),
    /// A sibling's value, or what it points to.
    Sibling(String),
    /// `parameter->member`.
    Through {
        pointer: String,
        member: String,
    },
    /// `array[i].member`, where `i` is the row's index.
    OfRow {
        array: String,
        member: String,
    },
    /// `(sibling + add) / by`, in 32-bit unsigned arithmetic.
    Quotient {
        sibling: String,
        add: u32,
        by: u32,
    },
}

impl Length {
    /// The sibling that the length is computed from.
    pub(crate) fn sibling(&self) -> Option<&str> {
        match self {
            Self::Sibling(name) | Self::Quotient { sibling: name, .. } => Some(name),
            Self::Through { pointer, .. } => Some(pointer),
            Self::OfRow { array, .. } => Some(array),
            Self::NullTerminated | Self::Literal(_) => None,
        }
    }
}

/// What a variable is at the end of its pointers and dimensions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ty {
    Void,
    Char,
    Scalar(Scalar),
    Enum(EnumId),
    Bitmask(BitmaskId),
    Handle(HandleId),
    Struct(StructId),
    Union(UnionId),
    /// Function pointers, `int`, platform types: nothing that can travel.
    Opaque,
}

/// C scalars that occur.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scalar {
    U8,
    U16,
    U32,
    U64,
    I32,
    I64,
    F32,
    F64,
    Size,
}

impl Scalar {
    /// Bytes on the wire when alone.
    pub(crate) fn wire_bytes(self) -> usize {
        match self {
            Self::U8 | Self::U16 | Self::U32 | Self::I32 | Self::F32 => 4,
            Self::U64 | Self::I64 | Self::F64 | Self::Size => 8,
        }
    }
}

impl Var {
    /// Whether a command or structure only reads through it: no pointer, or a pointer with const at some level.
    pub(crate) fn is_input(&self) -> bool {
        self.pointee_const.is_empty() || self.pointee_const.contains(&true)
    }
}

impl Struct {
    pub(crate) fn name(&self) -> &str {
        &self.names[0]
    }

    /// Whether code is generated for it.
    pub(crate) fn travels(&self) -> bool {
        self.reached && self.encodable
    }
}

impl Union {
    pub(crate) fn name(&self) -> &str {
        &self.names[0]
    }

    pub(crate) fn travels(&self) -> bool {
        self.reached && self.encodable
    }
}

/// Enums that mean something without being a member's type: what a structure, a return value and an id are.
const IMPLIED: [&str; 3] = ["VkStructureType", "VkResult", "VkObjectType"];

impl Model {
    pub(crate) fn structure(&self, id: StructId) -> &Struct {
        &self.structs[id.0]
    }

    pub(crate) fn union(&self, id: UnionId) -> &Union {
        &self.unions[id.0]
    }

    /// The structures that code is generated for, in registry order.
    pub(crate) fn traveling_structs(&self) -> impl Iterator<Item = (StructId, &Struct)> {
        self.structs
            .iter()
            .enumerate()
            .map(|(index, structure)| (StructId(index), structure))
            .filter(|(_, s)| s.travels())
    }

    /// The unions that code is generated for, in registry order.
    pub(crate) fn traveling_unions(&self) -> impl Iterator<Item = (UnionId, &Union)> {
        self.unions.iter().enumerate().map(|(index, union)| (UnionId(index), union)).filter(|(_, u)| u.travels())
    }

    /// The bitmasks whose bits tell what travels.
    pub(crate) fn named_bitmasks(&self) -> impl Iterator<Item = &Bitmask> {
        self.bitmasks.iter().filter(|bitmask| bitmask.reached || bitmask.private)
    }

    /// The enums whose values tell what travels: those that do, the implied ones, and the bits of bitmasks.
    pub(crate) fn named_enums(&self) -> impl Iterator<Item = &Enum> {
        let bits: BTreeSet<EnumId> = self.named_bitmasks().filter_map(|bitmask| bitmask.bits).collect();
        let named = move |index: usize, declared: &Enum| {
            declared.reached || bits.contains(&EnumId(index)) || IMPLIED.contains(&declared.names[0].as_str())
        };
        let enums = self.enums.iter().enumerate();
        enums.filter(move |(index, declared)| named(*index, declared)).map(|(_, declared)| declared)
    }

    /// The commands that have an encoding, in id order.
    pub(crate) fn encodable_commands(&self) -> impl Iterator<Item = &Command> {
        self.commands.iter().filter(|command| command.obstacle.is_none())
    }

    /// The children of a root that code is generated for.
    pub(crate) fn children(&self, structure: &Struct) -> Vec<StructId> {
        let children = structure.chain.iter().flat_map(|chain| &chain.children);
        children.copied().filter(|child| self.structure(*child).travels()).collect()
    }
}
