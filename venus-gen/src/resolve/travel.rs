//! What can travel, and what does.
//!
//! A type can travel if everything in it can; `pNext` and optional pointers do not count, since a chain is decided
//! node by node and an optional pointer can be null. A type does travel if an encodable command reaches it.

use std::collections::{BTreeMap, BTreeSet};

use crate::diag::Diagnostics;
use crate::model::{Command, Model, Returns, StructId, Ty, UnionId, Var};
use crate::parse::VenusRegistry;

pub(super) fn mark(model: &mut Model, venus: &VenusRegistry, diags: &mut Diagnostics) {
    cut_recursion(model, diags);
    let structs = (0..model.structs.len()).map(|index| struct_travels(model, StructId(index))).collect::<Vec<_>>();
    let unions = (0..model.unions.len()).map(|index| union_travels(model, UnionId(index))).collect::<Vec<_>>();
    let mut obstacles: BTreeMap<u32, String> =
        model.commands.iter().filter_map(|command| Some((command.id, obstacle(model, command)?))).collect();
    for row in &venus.blocked_commands {
        match model.commands.iter().find(|command| command.name == row.name) {
            Some(command) if !obstacles.contains_key(&command.id) => {
                obstacles.insert(command.id, row.reason.clone());
            }
            Some(_) | None => {
                let message = "blocks nothing: the command is unknown or cannot travel anyway";
                diags.push(&row.at, format!("block-command {}", row.name), message, "remove the row");
            }
        }
    }
    for (structure, encodable) in model.structs.iter_mut().zip(structs) {
        structure.encodable = encodable;
    }
    for (union, encodable) in model.unions.iter_mut().zip(unions) {
        union.encodable = encodable;
    }
    for command in &mut model.commands {
        command.obstacle = obstacles.remove(&command.id);
    }
    reach(model);
    for row in venus.union_tags.iter().filter(|row| row.reached) {
        if !model.unions.iter().any(|union| union.names.contains(&row.union) && union.travels()) {
            let help = "remove the row, or mark it reached=\"false\"";
            diags.push(&row.at, format!("union-tag {}", row.union), "no encodable command reaches this union", help);
        }
    }
}

/// The two generic chain headers, which exist to be cast from and are never sent.
const GENERIC: [&str; 2] = ["VkBaseInStructure", "VkBaseOutStructure"];

/// Reports structures that contain themselves, and takes those members away so that no later walk is endless.
///
/// Their bytes could nest without end, and so would the decoder. The registry's own recursive structures are the
/// generic chain headers alone.
fn cut_recursion(model: &mut Model, diags: &mut Diagnostics) {
    for index in 0..model.structs.len() {
        let leads_back = |var: &Var| contains(model, &var.ty, StructId(index));
        let structure = &model.structs[index];
        let (endless, sound): (Vec<_>, Vec<_>) = structure.members.iter().cloned().partition(leads_back);
        if !GENERIC.contains(&structure.name()) {
            for var in &endless {
                let element = format!("type {}/{}", structure.name(), var.name);
                let help = "the protocol has no recursive structures: leave out what requires it";
                diags.push(&structure.at, element, "the structure contains itself", help);
            }
        }
        if !endless.is_empty() {
            model.structs[index].members = sound;
        }
    }
}

/// Whether a type is a structure or contains it, behind pointers or in place.
fn contains(model: &Model, ty: &Ty, wanted: StructId) -> bool {
    let mut seen = BTreeSet::new();
    let mut open = vec![ty.clone()];
    while let Some(ty) = open.pop() {
        match ty {
            Ty::Struct(id) if id == wanted => return true,
            Ty::Struct(id) if seen.insert(id) => {
                open.extend(model.structure(id).members.iter().map(|member| member.ty.clone()));
            }
            Ty::Union(id) => open.extend(model.union(id).members.iter().map(|member| member.var.ty.clone())),
            _ => {}
        }
    }
    false
}

fn struct_travels(model: &Model, id: StructId) -> bool {
    let structure = model.structure(id);
    let travels = |member: &Var| var_obstacle(model, member).is_none();
    !GENERIC.contains(&structure.name()) && structure.members.iter().all(travels)
}

fn union_travels(model: &Model, id: UnionId) -> bool {
    model.union(id).choice.is_some()
}

/// Why a variable cannot travel; `None` if it can, be it only as a null pointer.
fn var_obstacle(model: &Model, var: &Var) -> Option<String> {
    if var.optional && !var.pointee_const.is_empty() {
        return None;
    }
    content_obstacle(model, var)
}

/// As [`var_obstacle`], for what a pointer leads to.
pub(crate) fn content_obstacle(model: &Model, var: &Var) -> Option<String> {
    let name = &var.name;
    if var.dimensions.len() > 1 {
        return Some(format!("`{name}` is an array of arrays in place"));
    }
    match &var.ty {
        Ty::Void if var.pointee_const.len() > 1 => Some(format!("`{name}` is a pointer to an untyped pointer")),
        Ty::Void if var.lengths.is_empty() => Some(format!("`{name}` is an untyped pointer of unknown length")),
        Ty::Opaque => Some(format!("`{name}` has type `{}`, which means nothing to the other side", var.base)),
        Ty::Struct(id) if !struct_travels(model, *id) => {
            Some(format!("`{name}` leads to `{}`, which cannot travel", var.base))
        }
        Ty::Union(id) if !union_travels(model, *id) => Some(format!("nothing selects a member of `{name}`")),
        Ty::Void
        | Ty::Char
        | Ty::Scalar(_)
        | Ty::Enum(_)
        | Ty::Bitmask(_)
        | Ty::Handle(_)
        | Ty::Struct(_)
        | Ty::Union(_) => None,
    }
}

fn obstacle(model: &Model, command: &Command) -> Option<String> {
    if command.returns == Returns::Opaque {
        return Some("it returns a function pointer".to_owned());
    }
    command.params.iter().find_map(|param| var_obstacle(model, param))
}

/// Marks everything that encodable commands lead to, through members, parameters and chains.
fn reach(model: &mut Model) {
    let mut open: Vec<Ty> = Vec::new();
    for command in model.encodable_commands() {
        open.extend(command.params.iter().map(|param| param.ty.clone()));
    }
    while let Some(ty) = open.pop() {
        match ty {
            Ty::Struct(id) if !model.structs[id.0].reached => {
                let structure = &mut model.structs[id.0];
                structure.reached = true;
                if structure.encodable {
                    open.extend(structure.members.iter().map(|member| member.ty.clone()));
                    let children = structure.chain.iter().flat_map(|chain| &chain.children);
                    open.extend(children.map(|child| Ty::Struct(*child)));
                }
            }
            Ty::Union(id) if !model.unions[id.0].reached => {
                let union = &mut model.unions[id.0];
                union.reached = true;
                open.extend(union.members.iter().map(|member| member.var.ty.clone()));
            }
            Ty::Handle(id) => model.handles[id.0].reached = true,
            Ty::Enum(id) => model.enums[id.0].reached = true,
            Ty::Bitmask(id) => model.bitmasks[id.0].reached = true,
            Ty::Struct(_) | Ty::Union(_) | Ty::Void | Ty::Char | Ty::Scalar(_) | Ty::Opaque => {}
        }
    }
}
