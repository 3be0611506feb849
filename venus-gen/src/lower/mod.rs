//! The wire plan: for every structure and command, the exact items that travel, in order.
//!
//! Every decision about the protocol is made here or in [`resolve`](crate::resolve); emitters only spell it out.
//!
//! A *request* carries inputs in full and outputs in *partial* form: only what the receiver needs to make room. A
//! *reply* carries outputs in full.

mod print;
mod size;

use std::collections::BTreeMap;

use crate::model::{Command, HandleId, Length, Model, Struct, StructId, Ty, UnionChoice, UnionId, Var};
use crate::resolve::{content_obstacle, in_wire_order};

pub(crate) use print::print;
pub(crate) use size::Sizes;

/// What travels.
#[derive(Debug, Default)]
pub(crate) struct WirePlan {
    pub(crate) structs: BTreeMap<StructId, StructPlan>,
    pub(crate) unions: BTreeMap<UnionId, UnionPlan>,
    /// Encodable commands in id order.
    pub(crate) commands: Vec<CommandPlan>,
    pub(crate) sizes: Sizes,
}

/// The members of a structure in wire order. For a chainable one, `sType` and the chain come first.
#[derive(Debug)]
pub(crate) struct StructPlan {
    pub(crate) fields: Vec<Field>,
    /// Whether it can be asked for: some command or structure sends it in partial form.
    pub(crate) partial: bool,
    /// Whether nothing of its members travels in partial form: a request then only makes room for them.
    pub(crate) is_room: bool,
    /// Whether a member or parameter mentions it, so that it heads a chain; others only follow in chains.
    pub(crate) heads: bool,
    /// Whether it follows others in chains.
    pub(crate) follows: bool,
}

/// A union: its tag, then one member.
#[derive(Debug)]
pub(crate) struct UnionPlan {
    pub(crate) members: Vec<(Vec<u32>, Field)>,
    /// The member that an encoder sends; `None` where a selector decides.
    pub(crate) sent: Option<usize>,
}

/// An encodable command.
#[derive(Debug)]
pub(crate) struct CommandPlan {
    /// Index of the command in the model.
    pub(crate) index: usize,
    pub(crate) params: Vec<Param>,
}

/// A parameter.
#[derive(Debug)]
pub(crate) struct Param {
    pub(crate) field: Field,
    pub(crate) direction: Direction,
}

/// Which way a parameter goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    In,
    Out,
    /// Sent with the request and again with the reply: the counts of the two-call idiom.
    InOut,
}

/// A member or parameter as it travels.
#[derive(Clone, Debug)]
pub(crate) struct Field {
    pub(crate) var: Var,
    pub(crate) shape: Shape,
    /// Whether a host accepts null, or a count of 0 where the length says otherwise; at the newest level.
    pub(crate) nullable: bool,
    /// The level before which it does not.
    pub(crate) null_since: Option<u32>,
    /// What of it travels in partial form.
    pub(crate) partial: Partial,
    /// Whether another array takes its length from it.
    pub(crate) is_length: bool,
}

/// The form of a member, as declared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// The item in place.
    Value,
    /// Marker, then the item.
    Pointer,
    /// Count, then items.
    Array(Length),
    /// Count, then for each row: count, then items.
    Rows(Length, Length),
    /// Count of bytes, then the bytes.
    Blob(Length),
    /// Count of bytes with NUL, then the bytes.
    Str,
    /// Count, then strings.
    Strs(Length),
    /// Count, which is always the dimension, then items.
    Fixed(u64),
    /// Count, which is always the dimension, then bytes.
    Chars(u64),
    /// Marker that is always 0.
    Null,
}

/// What of a member travels when its structure is asked for rather than sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Partial {
    /// As in full form.
    Full,
    /// The shape in full, its structures in partial form, its handles as assigned ids.
    Shape,
    /// The count alone.
    Capacity,
    /// The marker alone.
    Marker,
    Nothing,
}

/// Plans everything that travels.
pub(crate) fn lower(model: &Model) -> WirePlan {
    let mut structs: BTreeMap<StructId, StructPlan> = model
        .traveling_structs()
        .map(|(id, structure)| {
            let fields = fields(model, &in_wire_order(&structure.members));
            let is_room = fields.iter().all(|field| is_room(model, field));
            (id, StructPlan { fields, partial: false, is_room, heads: false, follows: false })
        })
        .collect();
    let unions: BTreeMap<UnionId, UnionPlan> =
        model.traveling_unions().map(|(id, union)| (id, union_plan(model, union))).collect();
    let commands: Vec<CommandPlan> = model
        .commands
        .iter()
        .enumerate()
        .filter(|(_, command)| command.obstacle.is_none())
        .map(|(index, command)| CommandPlan { index, params: params(model, command) })
        .collect();
    mark_partial(model, &mut structs, &commands);
    mark_heads(&mut structs, &unions, &commands);
    mark_followers(model, &mut structs);
    let sizes = Sizes::new(model, &structs, &unions);
    WirePlan { structs, unions, commands, sizes }
}

fn fields(model: &Model, members: &[&Var]) -> Vec<Field> {
    members
        .iter()
        .map(|&var| {
            let is_length = is_length_of_another(&var.name, members);
            let shape = shape(model, var);
            Field {
                nullable: nullable(var, &shape),
                null_since: var.null_since,
                partial: partial(var, &shape, is_length),
                shape,
                is_length,
                var: var.clone(),
            }
        })
        .collect()
}

fn params(model: &Model, command: &Command) -> Vec<Param> {
    let fields = fields(model, &command.params.iter().collect::<Vec<_>>());
    let direction = |field: &Field| match (field.var.is_input(), field.is_length || field.var.is_in_out) {
        (true, _) => Direction::In,
        (false, true) => Direction::InOut,
        (false, false) => Direction::Out,
    };
    fields.into_iter().map(|field| Param { direction: direction(&field), field }).collect()
}

fn union_plan(model: &Model, union: &crate::model::Union) -> UnionPlan {
    let members = union.members.iter().map(|member| {
        let shape = shape(model, &member.var);
        let field = Field {
            nullable: true,
            null_since: None,
            partial: Partial::Nothing,
            // A host pointer among addresses: it could only travel as null.
            shape: if matches!(member.var.ty, Ty::Void) { Shape::Null } else { shape },
            is_length: false,
            var: member.var.clone(),
        };
        (member.tags.clone(), field)
    });
    let sent = match union.choice {
        Some(UnionChoice::Fixed(index)) => Some(index),
        Some(UnionChoice::Selector) | None => None,
    };
    UnionPlan { members: members.collect(), sent }
}

/// Fixed arrays travel in full, whatever `len` says, so they make nothing a length.
fn is_length_of_another(name: &str, vars: &[&Var]) -> bool {
    let dynamic = vars.iter().filter(|var| var.dimensions.is_empty());
    dynamic.flat_map(|var| &var.lengths).any(|length| length.sibling() == Some(name))
}

fn shape(model: &Model, var: &Var) -> Shape {
    let is_char = var.ty == Ty::Char;
    if let Some(dimension) = var.dimensions.first() {
        return if is_char { Shape::Chars(dimension.size) } else { Shape::Fixed(dimension.size) };
    }
    if var.pointee_const.is_empty() {
        return Shape::Value;
    }
    if content_obstacle(model, var).is_some() {
        return Shape::Null;
    }
    match (var.lengths.as_slice(), &var.ty) {
        ([Length::NullTerminated], Ty::Char) => Shape::Str,
        ([length, Length::NullTerminated], Ty::Char) => Shape::Strs(length.clone()),
        ([length], Ty::Void) => Shape::Blob(length.clone()),
        ([length], _) => Shape::Array(length.clone()),
        ([outer, inner], _) => Shape::Rows(outer.clone(), inner.clone()),
        _ => Shape::Pointer,
    }
}

fn nullable(var: &Var, shape: &Shape) -> bool {
    let declared = var.optional || var.no_auto_validity;
    var.accepts_null.unwrap_or(declared) || matches!(shape, Shape::Str | Shape::Null)
}

fn partial(var: &Var, shape: &Shape, is_length: bool) -> Partial {
    if is_length {
        return Partial::Full;
    }
    match (shape, &var.ty) {
        (Shape::Null, _) => Partial::Full,
        (_, Ty::Struct(_) | Ty::Handle(_)) => Partial::Shape,
        (Shape::Value | Shape::Fixed(_) | Shape::Chars(_), _) => Partial::Nothing,
        (Shape::Pointer, _) => Partial::Marker,
        (Shape::Array(_) | Shape::Rows(..) | Shape::Blob(_) | Shape::Str | Shape::Strs(_), _) => Partial::Capacity,
    }
}

/// Marks the structures that travel in partial form: those behind output parameters, and from there on their members
/// and chains.
fn mark_partial(model: &Model, structs: &mut BTreeMap<StructId, StructPlan>, commands: &[CommandPlan]) {
    let outputs = commands.iter().flat_map(|command| &command.params).filter(|param| param.direction == Direction::Out);
    let mut open: Vec<StructId> = outputs.filter_map(|param| struct_of(&param.field.var)).collect();
    while let Some(id) = open.pop() {
        let Some(plan) = structs.get_mut(&id).filter(|plan| !plan.partial) else {
            continue;
        };
        plan.partial = true;
        open.extend(plan.fields.iter().filter_map(|field| struct_of(&field.var)));
        open.extend(model.children(model.structure(id)));
    }
}

fn mark_heads(
    structs: &mut BTreeMap<StructId, StructPlan>,
    unions: &BTreeMap<UnionId, UnionPlan>,
    commands: &[CommandPlan],
) {
    let members = structs.values().flat_map(|plan| &plan.fields);
    let members = members.chain(unions.values().flat_map(|plan| plan.members.iter().map(|(_, field)| field)));
    let params = commands.iter().flat_map(|plan| plan.params.iter().map(|param| &param.field));
    let heads: Vec<StructId> = members.chain(params).filter_map(|field| struct_of(&field.var)).collect();
    for id in heads {
        if let Some(plan) = structs.get_mut(&id) {
            plan.heads = true;
        }
    }
}

fn mark_followers(model: &Model, structs: &mut BTreeMap<StructId, StructPlan>) {
    let followers: Vec<StructId> = structs.keys().flat_map(|id| model.children(model.structure(*id))).collect();
    for id in followers {
        if let Some(plan) = structs.get_mut(&id) {
            plan.follows = true;
        }
    }
}

/// Whether nothing of a member travels in partial form, down to the members of structures in place.
fn is_room(model: &Model, field: &Field) -> bool {
    match (field.partial, &field.shape, struct_of(&field.var)) {
        (Partial::Nothing, ..) => true,
        (Partial::Shape, Shape::Value, Some(id)) => {
            let structure = model.structure(id);
            let members = structure.members.iter().collect::<Vec<_>>();
            structure.chain.is_none() && fields(model, &members).iter().all(|field| is_room(model, field))
        }
        _ => false,
    }
}

fn struct_of(var: &Var) -> Option<StructId> {
    match var.ty {
        Ty::Struct(id) => Some(id),
        _ => None,
    }
}

impl Field {
    /// The handle type, for a field of handles.
    pub(crate) fn handle(&self) -> Option<HandleId> {
        match self.var.ty {
            Ty::Handle(id) => Some(id),
            _ => None,
        }
    }

    /// Whether each of its handles has to name an object: what Vulkan's implicit rules (`-parameter`) ask of every handle
    /// that is neither `optional` nor marked `noautovalidity`. Of a fixed array only a part may count.
    pub(crate) fn requires_objects(&self) -> bool {
        self.handle().is_some() && !self.var.optional_item && self.var.dimensions.is_empty()
    }

    /// Whether its receiver has to know the value of a sibling that was read before.
    pub(crate) fn is_counted_by_sibling(&self) -> bool {
        let inner = match &self.shape {
            Shape::Rows(_, inner) => Some(inner),
            _ => None,
        };
        self.length().into_iter().chain(inner).any(|length| length.sibling().is_some())
    }

    /// The length of its shape, the outer one where there are two.
    pub(crate) fn length(&self) -> Option<&Length> {
        match &self.shape {
            Shape::Array(length) | Shape::Rows(length, _) | Shape::Blob(length) | Shape::Strs(length) => Some(length),
            Shape::Value | Shape::Pointer | Shape::Str | Shape::Fixed(_) | Shape::Chars(_) | Shape::Null => None,
        }
    }
}

impl Struct {
    /// The structure type, for chainable structures.
    pub(crate) fn s_type(&self) -> Option<i32> {
        self.chain.as_ref().map(|chain| chain.s_type)
    }
}
