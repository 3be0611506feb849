//! Records to typed declarations: names become ids, dimensions become numbers, lengths are parsed.

use std::collections::BTreeMap;

use super::lengths;
use super::names::Names;
use super::select::Selection;
use crate::diag::{Diagnostics, XmlPos};
use crate::model::{
    Announced, Bitmask, BitmaskId, Chain, Command, Condition, Dimension, Enum, EnumId, Extension, Handle, HandleId,
    Model, Returns, Scalar, Struct, StructId, Ty, Union, UnionChoice, UnionId, UnionMember, Var,
};
use crate::parse::{self, Category, RawCommand, RawEnumValue, RawType, RawVar, Registry, VenusRegistry};

/// Everything that turns a name into something typed.
struct Scope<'r> {
    names: &'r Names<'r>,
    tys: BTreeMap<&'r str, Ty>,
    /// Values of all named enum values and API constants.
    values: BTreeMap<&'r str, i64>,
    constants: BTreeMap<String, u64>,
}

pub(super) fn build<'r>(
    vk: &'r Registry,
    venus: &'r VenusRegistry,
    names: &'r Names<'r>,
    selection: &Selection<'r>,
    diags: &mut Diagnostics,
) -> Model {
    let values = collect_values(vk, venus);
    let mut model = Model {
        registry_version: vk.version.clone(),
        xml_version: parse_full_version(&venus.xml_version),
        wire_format: venus.wire_format,
        extensions: extensions(venus),
        ..Model::default()
    };
    let records: Vec<&RawType> = vk.types.iter().chain(&venus.types).collect();
    let selected = records.iter().copied().filter(|ty| ty.alias.is_none() && selection.types.contains(ty.name.as_str()));
    let selected: Vec<&RawType> = selected.collect();

    let mut scope = Scope { names, tys: BTreeMap::new(), values, constants: constants(vk) };
    number_types(&selected, vk, venus, &mut model, &mut scope);
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
    model.commands = commands(venus, names, selection, &scope, diags);
    for row in &venus.second_lengths {
        add_second_length(row, &mut model, diags);
    }
    for row in &venus.guest_conditions {
        add_guest_condition(row, &mut model, &scope, diags);
    }
    model.constants = scope.constants;
    model
}

fn parse_full_version(version: &str) -> (u32, u32, u32) {
    let mut numbers = version.split('.').map(|number| number.parse().unwrap_or(0));
    let mut next = || numbers.next().unwrap_or(0);
    (next(), next(), next())
}

fn extensions(venus: &VenusRegistry) -> Vec<Extension> {
    let row = |row: &parse::ListedExtension| Extension {
        name: row.name.clone(),
        number: row.number,
        spec_version: row.spec_version,
    };
    venus.extensions.iter().map(row).collect()
}

/// The group of plain constants in the registry.
const API_CONSTANTS: &str = "API Constants";

fn constants(vk: &Registry) -> BTreeMap<String, u64> {
    let group = vk.enums.iter().filter(|group| group.name == API_CONSTANTS);
    let values = group.flat_map(|group| &group.values);
    values
        .filter_map(|value| Some((value.name.clone(), value.value.as_ref()?.trim_end_matches('U').parse().ok()?)))
        .collect()
}

/// Values of all enums, including those that versions and extensions add.
fn collect_values<'r>(vk: &'r Registry, venus: &'r VenusRegistry) -> BTreeMap<&'r str, i64> {
    let mut values = BTreeMap::new();
    let mut add = |value: &'r RawEnumValue, extension: Option<u32>| {
        if let Some(number) = enum_value(value, extension) {
            values.insert(value.name.as_str(), number);
        }
    };
    for group in vk.enums.iter().chain(&venus.enums).filter(|group| group.name != API_CONSTANTS) {
        group.values.iter().for_each(|value| add(value, None));
    }
    for require in vk.features.iter().flat_map(|feature| &feature.requires) {
        require.values.iter().for_each(|value| add(value, None));
    }
    for extension in &vk.extensions {
        for require in &extension.requires {
            require.values.iter().for_each(|value| add(value, Some(extension.number)));
        }
    }
    venus.s_types.iter().for_each(|value| add(value, None));
    let aliases = vk.enums.iter().flat_map(|group| &group.values);
    for value in aliases.filter(|value| value.alias.is_some()) {
        if let Some(number) = value.alias.as_deref().and_then(|target| values.get(target).copied()) {
            values.insert(&value.name, number);
        }
    }
    values
}

/// Extension values start here and come in blocks of a thousand (Vulkan style guide, "Assigning extension token values").
const EXTENSION_BASE: i64 = 1_000_000_000;
const EXTENSION_BLOCK: i64 = 1000;

fn enum_value(value: &RawEnumValue, extension: Option<u32>) -> Option<i64> {
    if let Some(text) = &value.value {
        return match text.strip_prefix("0x") {
            Some(hex) => i64::from_str_radix(hex, 16).ok(),
            None => text.parse().ok(),
        };
    }
    if let Some(bit) = value.bit {
        return 1_i64.checked_shl(bit);
    }
    let number = i64::from(value.extension_number.or(extension)?);
    let magnitude = EXTENSION_BASE + (number - 1) * EXTENSION_BLOCK + i64::from(value.offset?);
    Some(if value.negative { -magnitude } else { magnitude })
}

/// Gives every selected type its id, so that declarations may mention later ones.
fn number_types<'r>(
    selected: &[&'r RawType],
    vk: &Registry,
    venus: &VenusRegistry,
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
                model.handles.push(Handle { names, dispatchable, reached: false });
                Ty::Handle(HandleId(model.handles.len() - 1))
            }
            Category::Enum => {
                let group = group(&record.name);
                let bit_width = group.map_or(32, |group| group.bit_width);
                let is_bits = group.is_some_and(|group| group.is_bitmask) || record.name.contains("FlagBits");
                model.enums.push(Enum { names, is_bits, bit_width, reached: false });
                Ty::Enum(EnumId(model.enums.len() - 1))
            }
            Category::Bitmask => {
                let bit_width = if record.underlying == "VkFlags64" { 64 } else { 32 };
                model.bitmasks.push(Bitmask { names, bit_width, reached: false });
                Ty::Bitmask(BitmaskId(model.bitmasks.len() - 1))
            }
            Category::Basetype | Category::External => scalar(&record.name, &record.underlying),
            Category::Define | Category::Funcpointer | Category::Group | Category::Include => Ty::Opaque,
        };
        scope.tys.insert(&record.name, ty);
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
    fn var(&self, raw: &RawVar, owner: &str, diags: &mut Diagnostics) -> Var {
        let canonical = self.names.canonical_type(&raw.decl.base).unwrap_or(&raw.decl.base);
        let element = format!("{owner}/{}", raw.decl.name);
        let ty = self.tys.get(canonical).cloned().unwrap_or_else(|| scalar(canonical, ""));
        let dimensions = raw.decl.dimensions.iter().map(|dimension| self.dimension(dimension, &element, &raw.at, diags));
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
            no_auto_validity: raw.no_auto_validity,
            selector: raw.selector.clone(),
            stride: raw.stride.clone(),
            guest_condition: None,
            at: raw.at.clone(),
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
            parse::Dimension::Constant(name) => match self.constants.get(name) {
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
            family: "",
            at: record.at.clone(),
        }
    }

    fn union(&self, record: &RawType, venus: &VenusRegistry, diags: &mut Diagnostics) -> Union {
        let owner = format!("type {}", record.name);
        let selected = record.members.iter().all(|member| !member.selection.is_empty());
        let mut members = Vec::new();
        for (position, raw) in record.members.iter().enumerate() {
            let selection = raw.selection.first().filter(|_| selected).cloned();
            let value = selection.as_deref().and_then(|name| self.values.get(name)).copied();
            let tag = value.unwrap_or(position as i64);
            members.push(UnionMember { var: self.var(raw, &owner, diags), tag: tag as i32, selection });
        }
        let row = venus.union_tags.iter().find(|row| row.union == record.name);
        let choice = match (selected, row) {
            (true, _) => Some(UnionChoice::Selector),
            (false, Some(row)) => members.iter().position(|member| member.var.name == row.member).map(UnionChoice::Fixed),
            (false, None) => None,
        };
        if let (Some(row), Some(UnionChoice::Fixed(index))) = (row, &choice)
            && members.get(*index).is_none_or(|member| member.tag != row.tag as i32)
        {
            let message = format!("member {} of {} does not have tag {}", row.member, row.union, row.tag);
            diags.push(&row.at, "union-tag", message, "tags count the members from 0");
        }
        let names = self.names.all_names(&record.name);
        Union { names, members, choice, encodable: false, reached: false, family: "" }
    }
}

/// Joins the numbers of `venus.xml` with the declarations of the registry; reports missing and surplus names.
fn commands(
    venus: &VenusRegistry,
    names: &Names<'_>,
    selection: &Selection<'_>,
    scope: &Scope<'_>,
    diags: &mut Diagnostics,
) -> Vec<Command> {
    let mut open = selection.commands.clone();
    let mut commands = Vec::new();
    for row in &venus.commands {
        let element = format!("command {}", row.name);
        let Some(record) = names.command_record(&row.name) else {
            diags.push(&row.at, element, "no such command in the Vulkan registry", "remove it, or import a newer registry");
            continue;
        };
        if record.name != row.name {
            let message = format!("is an alias; the canonical name is {}", record.name);
            diags.push(&row.at, &element, message, "make the canonical name the command and this one its alias");
        }
        if !open.remove(record.name.as_str()) {
            let help = "remove it, or list the extension that requires it";
            diags.push(&row.at, &element, "surplus: no core version or listed extension requires it", help);
        }
        check_aliases(&row.aliases, names.command_aliases(&record.name), &row.at, &element, diags);
        commands.push(command(record, row.id, row.aliases.clone(), venus, scope, diags));
    }
    for missing in open {
        if let Some(record) = names.command_record(missing) {
            let help = "give it the next free number in venus.xml, with its aliases";
            diags.push(&record.at, format!("command {missing}"), "selected but has no number in venus.xml", help);
        }
    }
    commands.sort_by_key(|command| command.id);
    for pair in commands.windows(2) {
        if let [first, second] = pair
            && first.id == second.id
        {
            let message = format!("number {} belongs to {} already", second.id, first.name);
            diags.push(&second.at, format!("command {}", second.name), message, "numbers are permanent: take a free one");
        }
    }
    commands
}

fn check_aliases(listed: &[String], declared: &[&str], at: &XmlPos, element: &str, diags: &mut Diagnostics) {
    for alias in declared.iter().filter(|alias| !listed.iter().any(|row| row == *alias)) {
        diags.push(at, element, format!("missing alias {alias}"), "add an <alias> row: every alias keeps its name on the wire");
    }
    for alias in listed.iter().filter(|alias| !declared.contains(&alias.as_str())) {
        diags.push(at, element, format!("surplus alias {alias}"), "the Vulkan registry declares no such alias: remove the row");
    }
}

fn command(
    record: &RawCommand,
    id: u32,
    aliases: Vec<String>,
    venus: &VenusRegistry,
    scope: &Scope<'_>,
    diags: &mut Diagnostics,
) -> Command {
    let owner = format!("command {}", record.name);
    let returns = match record.returns.as_str() {
        "void" => Returns::Nothing,
        "VkResult" => Returns::Result,
        "uint32_t" => Returns::U32,
        "uint64_t" | "VkDeviceAddress" | "VkDeviceSize" => Returns::U64,
        _ => Returns::Opaque,
    };
    Command {
        id,
        name: record.name.clone(),
        aliases,
        returns,
        params: record.params.iter().map(|param| scope.var(param, &owner, diags)).collect(),
        obstacle: None,
        private: venus.private_commands.iter().any(|private| private.name == record.name),
        reports_device_lost: record.error_codes.iter().any(|code| code == "VK_ERROR_DEVICE_LOST"),
        family: "",
        at: record.at.clone(),
    }
}

fn add_second_length(row: &parse::SecondLength, model: &mut Model, diags: &mut Diagnostics) {
    let command = model.commands.iter_mut().find(|command| command.name == row.command);
    let param = command.and_then(|command| command.params.iter_mut().find(|param| param.name == row.param));
    let Some(param) = param else {
        let element = format!("second-length {} {}", row.command, row.param);
        diags.push(&row.at, element, "no such parameter", "remove the row, or correct its names");
        return;
    };
    param.lengths.truncate(1);
    param.lengths.push(lengths::parse(&row.length, &BTreeMap::new(), &row.param, &row.at, diags));
}

fn add_guest_condition(row: &parse::GuestCondition, model: &mut Model, scope: &Scope<'_>, diags: &mut Diagnostics) {
    let element = format!("guest-condition {}.{}", row.structure, row.member);
    let structure = model.structs.iter_mut().find(|structure| structure.name() == row.structure);
    let member = structure.and_then(|structure| structure.members.iter_mut().find(|member| member.name == row.member));
    let value = scope.values.get(row.value.as_str()).copied();
    let (Some(member), Some(value)) = (member, value) else {
        diags.push(&row.at, element, "no such structure, member or value", "remove the row, or correct its names");
        return;
    };
    member.guest_condition = match row.op.as_str() {
        "eq" => Some(Condition::Equals { member: row.tested.clone(), value }),
        "lacks-bit" => Some(Condition::LacksBits { member: row.tested.clone(), bits: value as u64 }),
        other => {
            diags.push(&row.at, element, format!("unknown op {other:?}"), "use eq or lacks-bit");
            None
        }
    };
}

