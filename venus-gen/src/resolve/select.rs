//! Selection: which types and commands are part of the protocol.
//!
//! In are: everything that a core version requires; everything that a listed extension requires in blocks whose
//! `depends` is satisfied; and what their declarations mention. Structures that merely *extend* a selected one are in
//! only if a core version or listed extension requires them.

use std::collections::{BTreeMap, BTreeSet};

use super::names::Names;
use crate::diag::Diagnostics;
use crate::parse::{RawRequire, Registry, VenusRegistry};

/// The result: canonical names.
#[derive(Debug, Default)]
pub(super) struct Selection<'r> {
    pub(super) types: BTreeSet<&'r str>,
    pub(super) commands: BTreeSet<&'r str>,
    /// For each directly required type, who requires it.
    pub(super) origins: BTreeMap<&'r str, Vec<Origin>>,
}

/// Who requires a type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// A core version, as (major, minor).
    Core(u32, u32),
    /// All of these extensions together, by number.
    Extensions(Vec<u32>),
    /// The protocol itself.
    Protocol,
}

pub(super) fn select<'r>(
    vk: &'r Registry,
    venus: &'r VenusRegistry,
    names: &Names<'r>,
    diags: &mut Diagnostics,
) -> Selection<'r> {
    let dropped = venus.dropped_types.iter().filter_map(|row| names.canonical_type(&row.name));
    let dropped: BTreeSet<&str> = dropped.collect();
    let listed: BTreeMap<&str, u32> = venus.extensions.iter().map(|row| (row.name.as_str(), row.number)).collect();
    let mut selection = Selection::default();
    let mut take = |require, origin| selection.take(require, &origin, names, &dropped, diags);
    for feature in &vk.features {
        let (major, minor) = parse_version(&feature.number);
        for require in &feature.requires {
            take(require, Origin::Core(major, minor));
        }
    }
    for extension in vk.extensions.iter().filter(|extension| listed.contains_key(extension.name.as_str())) {
        for require in &extension.requires {
            let dependency = require.depends.as_deref().map_or(Dependency::None, |text| reduce(text, &listed));
            match dependency {
                Dependency::None => take(require, Origin::Extensions(vec![extension.number])),
                Dependency::Satisfied(others) => {
                    take(require, Origin::Extensions([vec![extension.number], others].concat()));
                }
                Dependency::Unsatisfied => {}
            }
        }
    }
    for ty in venus.types.iter().filter(|ty| ty.alias.is_none()) {
        selection.types.insert(&ty.name);
        selection.origins.insert(&ty.name, vec![Origin::Protocol]);
    }
    selection.commands.extend(venus.private_commands.iter().map(|command| command.name.as_str()));

    check_listed_extensions(vk, venus, diags);
    for row in venus.dropped_types.iter().filter(|row| names.type_record(&row.name).is_none()) {
        diags.push(&row.at, format!("drop-type {}", row.name), "no such type in the registry", "remove the row");
    }
    close_over_mentions(&mut selection, names, &dropped);
    selection
}

impl<'r> Selection<'r> {
    /// Adds what a block requires.
    fn take(
        &mut self,
        require: &'r RawRequire,
        origin: &Origin,
        names: &Names<'r>,
        dropped: &BTreeSet<&str>,
        diags: &mut Diagnostics,
    ) {
        for name in &require.types {
            match names.canonical_type(name) {
                Some(canonical) if dropped.contains(canonical) => {}
                Some(canonical) => {
                    self.types.insert(canonical);
                    let origins = self.origins.entry(canonical).or_default();
                    if !origins.contains(origin) {
                        origins.push(origin.clone());
                    }
                }
                None => unknown("type", name, require, diags),
            }
        }
        for name in &require.commands {
            match names.canonical_command(name) {
                Some(canonical) => _ = self.commands.insert(canonical),
                None => unknown("command", name, require, diags),
            }
        }
    }
}

fn unknown(what: &str, name: &str, require: &RawRequire, diags: &mut Diagnostics) {
    let message = format!("requires {name}, which the registry does not declare");
    diags.push(&require.at, format!("require/{what} {name}"), message, "declare it, or remove the reference");
}

/// Extensions whose elements live in `venus.xml` rather than in the Vulkan registry.
const PRIVATE_EXTENSIONS: [&str; 2] = ["VK_EXT_command_serialization", "VK_MESA_venus_protocol"];

fn check_listed_extensions(vk: &Registry, venus: &VenusRegistry, diags: &mut Diagnostics) {
    for row in &venus.extensions {
        let element = format!("extension {}", row.name);
        match vk.extensions.iter().find(|extension| extension.name == row.name) {
            Some(found) if found.number != row.number => {
                let message = format!("number is {}, but {} in the Vulkan registry", row.number, found.number);
                diags.push(&row.at, element, message, format!("see {}", found.at));
            }
            None if !PRIVATE_EXTENSIONS.contains(&row.name.as_str()) => {
                diags.push(&row.at, element, "not in the Vulkan registry", "import a registry that has it");
            }
            Some(_) | None => {}
        }
    }
}

/// Adds whatever the declarations of selected things mention, until nothing is new.
fn close_over_mentions<'r>(selection: &mut Selection<'r>, names: &Names<'r>, dropped: &BTreeSet<&str>) {
    let mut open: Vec<&'r str> = selection.types.iter().copied().collect();
    for command in &selection.commands {
        if let Some(record) = names.command_record(command) {
            let mentioned = record.params.iter().map(|param| param.decl.base.as_str()).chain([record.returns.as_str()]);
            open.extend(mentioned.filter_map(|name| names.canonical_type(name)));
        }
    }
    while let Some(name) = open.pop() {
        selection.types.insert(name);
        let Some(record) = names.type_record(name) else {
            continue;
        };
        let members = record.members.iter().map(|member| member.decl.base.as_str());
        let mentioned = members.chain([record.underlying.as_str()]).chain(record.bits.as_deref());
        let new = mentioned
            .filter_map(|name| names.canonical_type(name))
            .filter(|name| !selection.types.contains(name) && !dropped.contains(name));
        open.extend(new);
    }
}

pub(super) fn parse_version(number: &str) -> (u32, u32) {
    let (major, minor) = number.split_once('.').unwrap_or((number, "0"));
    (major.parse().unwrap_or(0), minor.parse().unwrap_or(0))
}

/// How the names of core versions begin. Registries since 1.4.330 divide each into three.
const CORE_VERSIONS: [&str; 4] = ["VK_VERSION_", "VK_BASE_VERSION_", "VK_COMPUTE_VERSION_", "VK_GRAPHICS_VERSION_"];

/// What a `depends` expression demands beyond core versions.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Dependency {
    /// Nothing.
    None,
    /// Extensions that are all listed.
    Satisfied(Vec<u32>),
    Unsatisfied,
}

/// Reduces `A+(B,C)` with `+` for and, `,` for or. Core versions and feature names count as given; as one branch of
/// an "or" they are no dependency at all and the other branches decide.
fn reduce(text: &str, listed: &BTreeMap<&str, u32>) -> Dependency {
    let mut rest = text;
    any(&mut rest, listed)
}

fn any(rest: &mut &str, listed: &BTreeMap<&str, u32>) -> Dependency {
    let mut branches = vec![all(rest, listed)];
    while let Some(tail) = rest.strip_prefix(',') {
        *rest = tail;
        branches.push(all(rest, listed));
    }
    branches.retain(|branch| *branch != Dependency::None);
    let satisfied = branches.iter().find(|branch| matches!(branch, Dependency::Satisfied(_))).cloned();
    satisfied.or_else(|| branches.pop()).unwrap_or(Dependency::None)
}

fn all(rest: &mut &str, listed: &BTreeMap<&str, u32>) -> Dependency {
    let mut sum = term(rest, listed);
    while let Some(tail) = rest.strip_prefix('+') {
        *rest = tail;
        sum = match (sum, term(rest, listed)) {
            (Dependency::Unsatisfied, _) | (_, Dependency::Unsatisfied) => Dependency::Unsatisfied,
            (Dependency::None, other) | (other, Dependency::None) => other,
            (Dependency::Satisfied(left), Dependency::Satisfied(right)) => {
                Dependency::Satisfied([left, right].concat())
            }
        };
    }
    sum
}

fn term(rest: &mut &str, listed: &BTreeMap<&str, u32>) -> Dependency {
    if let Some(tail) = rest.strip_prefix('(') {
        *rest = tail;
        let inner = any(rest, listed);
        *rest = rest.strip_prefix(')').unwrap_or(rest);
        return inner;
    }
    let end = rest.find(['+', ',', ')']).unwrap_or(rest.len());
    let (name, tail) = rest.split_at(end);
    *rest = tail;
    // `VkFeatureStruct::member` names a feature of the device, not an extension.
    let is_version = CORE_VERSIONS.iter().any(|prefix| name.starts_with(prefix));
    if is_version || !name.starts_with("VK_") || name.contains("::") {
        return Dependency::None;
    }
    listed.get(name).map_or(Dependency::Unsatisfied, |number| Dependency::Satisfied(vec![*number]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(depends: &str, expected: &Dependency) {
        let listed = BTreeMap::from([("VK_KHR_a", 1), ("VK_KHR_b", 2)]);
        assert_eq!(&reduce(depends, &listed), expected, "{depends}");
    }

    #[test]
    fn versions_and_feature_names_are_given() {
        check("VK_VERSION_1_3", &Dependency::None);
        check("VkPhysicalDeviceFeatures::geometryShader", &Dependency::None);
        check("VK_VERSION_1_1+VK_VERSION_1_2", &Dependency::None);
        check("VK_BASE_VERSION_1_3+VK_COMPUTE_VERSION_1_1+VK_GRAPHICS_VERSION_1_0", &Dependency::None);
    }

    #[test]
    fn listed_extensions_satisfy() {
        check("VK_KHR_a", &Dependency::Satisfied(vec![1]));
        check("VK_KHR_a+VK_KHR_b", &Dependency::Satisfied(vec![1, 2]));
        check("VK_KHR_a+VK_VERSION_1_1", &Dependency::Satisfied(vec![1]));
        check("VK_KHR_missing,VK_KHR_b", &Dependency::Satisfied(vec![2]));
    }

    #[test]
    fn a_version_as_one_branch_leaves_the_decision_to_the_others() {
        check("VK_VERSION_1_3,VK_KHR_a", &Dependency::Satisfied(vec![1]));
        check("VK_VERSION_1_3,VK_KHR_missing", &Dependency::Unsatisfied);
    }

    #[test]
    fn parentheses_group() {
        check("(VK_KHR_a,VK_KHR_missing)+VK_KHR_b", &Dependency::Satisfied(vec![1, 2]));
        check("(VK_KHR_a+VK_KHR_missing),VK_VERSION_1_1", &Dependency::Unsatisfied);
        check("VK_KHR_a+(VK_VERSION_1_3,VK_KHR_b)", &Dependency::Satisfied(vec![1, 2]));
        check("VK_KHR_missing+(VK_KHR_a,VK_KHR_other)", &Dependency::Unsatisfied);
        let two = "(VK_KHR_a,VK_VERSION_1_3)+(VK_VERSION_1_4,VK_KHR_missing,VK_KHR_b)";
        check(two, &Dependency::Satisfied(vec![1, 2]));
    }
}
