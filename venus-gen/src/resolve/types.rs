//! Records to typed declarations: names become ids, dimensions become numbers, lengths are parsed.

use std::collections::BTreeMap;

use super::names::Names;
use super::select::Selection;
use super::{lengths, values};
use crate::diag::{Diagnostics, XmlPos};
use crate::model::{
    Announced, Bitmask, BitmaskId, Chain, Dimension, Enum, EnumId, Extension, Handle, HandleId, Model, Scalar, Struct,
    StructId, Ty, Union, UnionChoice, UnionId, UnionMember, Value, Var,
};
use crate::parse::{self, Category, RawType, RawVar, Registry, VenusRegistry};

/// Everything that turns a name into something typed.
pub(super) struct Scope<'r> {
    names: &'r Names<'r>,
    tys: BTreeMap<&'r str, Ty>,
    /// Values of all named enum values.
    pub(super) values: BTreeMap<&'r str, i64>,
    /// Values of the API constants, which name dimensions.
    constants: BTreeMap<&'r str, u64>,
}

/// Makes the declarations of types, and what commands are declared by.
pub(super) fn build<'r>(
    vk: &'r Registry,
    venus: &'r VenusRegistry,
    names: &'r Names<'r>,
    selection: &Selection<'r>,
    diags: &mut Diagnostics,
) -> (Model, Scope<'r>) {
    let values = values::collect(vk, venus);
    let mut model = Model {
        registry_version: vk.version.clone(),
        wire_format: venus.wire_format,
        extensions: extensions(venus),
        ..Model::default()
    };
    let records: Vec<&RawType> = vk.types.iter().chain(&venus.types).collect();
    let selected =
        records.iter().copied().filter(|ty| ty.alias.is_none() && selection.types.contains(ty.name.as_str()));
    let selected: Vec<&RawType> = selected.collect();

    let mut scope = Scope { names, tys: BTreeMap::new(), values, constants: values::constants(vk) };
    let mut enum_values = values::by_enum(vk, venus, names, diags);
    number_types(&selected, vk, venus, &mut enum_values, &mut model, &mut scope);
    link_bits(&selected, &scope, &mut model, diags);
    for record in &selected {
        match scope.tys.get(record.name.as_str()) {
            Some(Ty::Struct(_)) => {
                let structure = scope.structure(record, diags);
                model.structs.push(structure);
            }
            Some(Ty::Union(_)) => {
                let union = scope.union(record, venus, diags);
                model.unions.push(union);
            }
            _ => {}
        }
    }
    (model, scope)
}

fn extensions(venus: &VenusRegistry) -> Vec<Extension> {
    let row = |row: &parse::ListedExtension| Extension {
        name: row.name.clone(),
        number: row.number,
        spec_version: row.spec_version,
        since: row.since,
        raised: row.raised.clone(),
    };
    venus.extensions.iter().map(row).collect()
}

/// Gives every selected type its id, so that declarations may mention later ones.
fn number_types<'r>(
    selected: &[&'r RawType],
    vk: &Registry,
    venus: &VenusRegistry,
    enum_values: &mut BTreeMap<&str, Vec<Value>>,
    model: &mut Model,
    scope: &mut Scope<'r>,
) {
    let group = |name: &str| vk.enums.iter().chain(&venus.enums).find(|group| group.name == name);
    let (mut structs, mut unions) = (0, 0);
    for record in selected {
        let names = scope.names.all_names(&record.name);
        let ty = match record.category {
            Category::Struct => {
                structs += 1;
                Ty::Struct(StructId(structs - 1))
            }
            Category::Union => {
                unions += 1;
                Ty::Union(UnionId(unions - 1))
            }
            Category::Handle => {
                let dispatchable = record.underlying == "VK_DEFINE_HANDLE";
                let object_type = record.object_type.as_deref().and_then(|name| scope.values.get(name)).copied();
                model.handles.push(Handle { names, dispatchable, object_type, reached: false });
                Ty::Handle(HandleId(model.handles.len() - 1))
            }
            Category::Enum => {
                let group = group(&record.name);
                let bit_width = group.map_or(32, |group| group.bit_width);
                let is_bits = group.is_some_and(|group| group.is_bitmask) || record.name.contains("FlagBits");
                let values = enum_values.remove(record.name.as_str()).unwrap_or_default();
                model.enums.push(Enum { names, is_bits, bit_width, values, reached: false });
                Ty::Enum(EnumId(model.enums.len() - 1))
            }
            Category::Bitmask => {
                let bit_width = if record.underlying == "VkFlags64" { 64 } else { 32 };
                let private = venus.types.iter().any(|ty| ty.name == record.name);
                model.bitmasks.push(Bitmask { names, bits: None, bit_width, private, reached: false });
                Ty::Bitmask(BitmaskId(model.bitmasks.len() - 1))
            }
            Category::Basetype | Category::External => scalar(&record.name, &record.underlying),
            Category::Define | Category::Funcpointer | Category::Group | Category::Include => Ty::Opaque,
        };
        scope.tys.insert(&record.name, ty);
    }
}

/// Leads from each bitmask to the enum of its bits.
fn link_bits(selected: &[&RawType], scope: &Scope<'_>, model: &mut Model, diags: &mut Diagnostics) {
    for record in selected {
        let Some(Ty::Bitmask(BitmaskId(index))) = scope.tys.get(record.name.as_str()) else { continue };
        let bits = record.bits.as_deref().and_then(|name| scope.tys.get(scope.names.canonical_type(name)?));
        let (Some(Ty::Enum(id)), bitmask) = (bits, &mut model.bitmasks[*index]) else { continue };
        bitmask.bits = Some(*id);
        let (names, bit_width) = (&model.enums[id.0].names, model.enums[id.0].bit_width);
        if bit_width > bitmask.bit_width {
            let message = format!("has {} bits, those of {} are {bit_width}", bitmask.bit_width, names.join(" = "));
            let help = "define it as VkFlags64, or drop the bitwidth";
            diags.push(&record.at, format!("type {}", record.name), message, help);
        }
    }
}

fn scalar(name: &str, underlying: &str) -> Ty {
    let by_name = |name: &str| match name {
        "void" => Some(Ty::Void),
        "char" => Some(Ty::Char),
        "uint8_t" => Some(Ty::Scalar(Scalar::U8)),
        "uint16_t" => Some(Ty::Scalar(Scalar::U16)),
        "uint32_t" | "VkFlags" => Some(Ty::Scalar(Scalar::U32)),
        "uint64_t" | "VkFlags64" => Some(Ty::Scalar(Scalar::U64)),
        "int32_t" => Some(Ty::Scalar(Scalar::I32)),
        "int64_t" => Some(Ty::Scalar(Scalar::I64)),
        "float" => Some(Ty::Scalar(Scalar::F32)),
        "double" => Some(Ty::Scalar(Scalar::F64)),
        "size_t" => Some(Ty::Scalar(Scalar::Size)),
        _ => None,
    };
    by_name(name).or_else(|| by_name(underlying)).unwrap_or(Ty::Opaque)
}

impl Scope<'_> {
    pub(super) fn var(&self, raw: &RawVar, owner: &str, diags: &mut Diagnostics) -> Var {
        let canonical = self.names.canonical_type(&raw.decl.base).unwrap_or(&raw.decl.base);
        let element = format!("{owner}/{}", raw.decl.name);
        let ty = self.tys.get(canonical).cloned().unwrap_or_else(|| scalar(canonical, ""));
        let dimensions =
            raw.decl.dimensions.iter().map(|dimension| self.dimension(dimension, &element, &raw.at, diags));
        let dimensions = dimensions.collect();
        let lengths = raw.lengths.iter().map(|text| lengths::parse(text, &self.constants, &element, &raw.at, diags));
        Var {
            name: raw.decl.name.clone(),
            base: canonical.to_owned(),
            ty: if raw.decl.bitfield.is_some() { Ty::Opaque } else { ty },
            pointee_const: raw.decl.pointee_const.clone(),
            dimensions,
            lengths: lengths.collect(),
            optional: raw.optional,
            optional_item: raw.optional_item,
            no_auto_validity: raw.no_auto_validity,
            selector: raw.selector.clone(),
            stride: raw.stride.clone(),
            accepts_null: None,
            null_since: None,
            is_in_out: false,
            guest_condition: None,
        }
    }

    fn dimension(
        &self,
        dimension: &parse::Dimension,
        element: &str,
        at: &XmlPos,
        diags: &mut Diagnostics,
    ) -> Dimension {
        match dimension {
            parse::Dimension::Literal(size) => Dimension { size: u64::from(*size), constant: None },
            parse::Dimension::Constant(name) => match self.constants.get(name.as_str()) {
                Some(size) => Dimension { size: *size, constant: Some(name.clone()) },
                None => {
                    let help = "declare it among the API constants";
                    diags.push(at, element, format!("unknown constant {name} as dimension"), help);
                    Dimension { size: 0, constant: None }
                }
            },
        }
    }

    fn structure(&self, record: &RawType, diags: &mut Diagnostics) -> Struct {
        let owner = format!("type {}", record.name);
        let chain = record.members.iter().find_map(|member| member.s_type.as_deref()).map(|s_type_name| {
            let value = self.values.get(s_type_name).and_then(|value| i32::try_from(*value).ok());
            if value.is_none() {
                let help = "the registry must declare it in VkStructureType";
                diags.push(&record.at, &owner, format!("unknown structure type {s_type_name}"), help);
            }
            let p_next = record.members.iter().find(|member| member.decl.name == "pNext");
            Chain {
                s_type_name: s_type_name.to_owned(),
                s_type: value.unwrap_or_default(),
                is_output: p_next.is_some_and(|p_next| !p_next.decl.base_const),
                children: Vec::new(),
                announced: Announced::Always,
            }
        });
        let is_data = |member: &&RawVar| chain.is_none() || !matches!(member.decl.name.as_str(), "sType" | "pNext");
        let members = record.members.iter().filter(is_data).map(|member| self.var(member, &owner, diags)).collect();
        Struct {
            names: self.names.all_names(&record.name),
            chain,
            members,
            encodable: false,
            reached: false,
            since: 0,
            family: "",
            at: record.at.clone(),
        }
    }

    /// The tag that a value of a selector is.
    fn tag(&self, value: &str) -> Option<u32> {
        self.values.get(value).and_then(|value| u32::try_from(*value).ok())
    }

    fn union(&self, record: &RawType, venus: &VenusRegistry, diags: &mut Diagnostics) -> Union {
        let owner = format!("type {}", record.name);
        let selected = record.members.iter().all(|member| !member.selection.is_empty());
        let mut members = Vec::new();
        for (position, raw) in record.members.iter().enumerate() {
            let tags = match selected {
                true => raw.selection.iter().map(|value| self.tag(value)).collect(),
                false => u32::try_from(position).ok().map(|position| vec![position]),
            };
            if tags.is_none() {
                let message = format!("member {} is selected by an unknown value", raw.decl.name);
                let help = "the registry must declare the value of `selection` in the selector's enum";
                diags.push(&raw.at, &owner, message, help);
            }
            members.push(UnionMember { var: self.var(raw, &owner, diags), tags: tags.unwrap_or_default() });
        }
        let row = venus.union_tags.iter().find(|row| row.union == record.name);
        let choice = match (selected, row) {
            (true, _) => Some(UnionChoice::Selector),
            (false, Some(row)) => {
                members.iter().position(|member| member.var.name == row.member).map(UnionChoice::Fixed)
            }
            (false, None) => None,
        };
        if let (false, Some(row)) = (selected, row)
            && !members.iter().any(|member| member.var.name == row.member && member.tags == [row.tag])
        {
            let message = format!("member {} of {} does not have tag {}", row.member, row.union, row.tag);
            diags.push(&row.at, "union-tag", message, "tags count the members from 0");
        }
        let names = self.names.all_names(&record.name);
        Union { names, members, choice, encodable: false, reached: false, family: "" }
    }
}
