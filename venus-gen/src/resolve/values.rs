//! Values: what the registry's constants and enum values amount to, and what they are called.

use std::collections::BTreeMap;

use super::names::Names;
use crate::diag::Diagnostics;
use crate::model::Value;
use crate::parse::{RawEnumValue, RawRequire, Registry, VenusRegistry};

/// The group of plain constants in the registry.
const API_CONSTANTS: &str = "API Constants";

/// Values of the constants that dimensions and lengths name.
pub(super) fn constants(vk: &Registry) -> BTreeMap<&str, u64> {
    let group = vk.enums.iter().filter(|group| group.name == API_CONSTANTS);
    let values = group.flat_map(|group| &group.values);
    values
        .filter_map(|value| Some((value.name.as_str(), value.value.as_ref()?.trim_end_matches('U').parse().ok()?)))
        .collect()
}

/// An `<enum>`, wherever it stands.
struct Declared<'r> {
    /// The enum that it belongs to; none for a mere reference.
    group: Option<&'r str>,
    raw: &'r RawEnumValue,
    /// Number of the extension that declares it.
    extension: Option<u32>,
}

impl<'r> Declared<'r> {
    /// The value, unless it is an alias or declared in a way that gives none.
    fn number(&self) -> Option<i64> {
        enum_value(self.raw, self.extension).filter(|_| self.raw.alias.is_none())
    }

    fn of_blocks(requires: &'r [RawRequire], extension: Option<u32>) -> impl Iterator<Item = Self> {
        let values = requires.iter().flat_map(|require| &require.values);
        values.map(move |raw| Self { group: raw.extends.as_deref(), raw, extension })
    }
}

/// Every `<enum>`: of groups, then of versions, then of extensions, then the structure types of `venus.xml`.
fn declared<'r>(vk: &'r Registry, venus: &'r VenusRegistry) -> impl Iterator<Item = Declared<'r>> {
    let groups = vk.enums.iter().chain(&venus.enums).filter(|group| group.name != API_CONSTANTS);
    let grouped = groups
        .flat_map(|group| group.values.iter().map(|raw| Declared { group: Some(&group.name), raw, extension: None }));
    let versions = vk.features.iter().flat_map(|feature| Declared::of_blocks(&feature.requires, None));
    let extensions = vk.extensions.iter();
    let extensions = extensions.flat_map(|other| Declared::of_blocks(&other.requires, Some(other.number)));
    let s_types = venus.s_types.iter().map(|raw| Declared { group: raw.extends.as_deref(), raw, extension: None });
    grouped.chain(versions).chain(extensions).chain(s_types)
}

/// Values of all enums by name, aliases included.
pub(super) fn collect<'r>(vk: &'r Registry, venus: &'r VenusRegistry) -> BTreeMap<&'r str, i64> {
    let numbers = declared(vk, venus).filter_map(|value| Some((value.raw.name.as_str(), value.number()?)));
    let mut values: BTreeMap<&str, i64> = numbers.collect();
    for Declared { raw, .. } in declared(vk, venus) {
        if let Some(number) = raw.alias.as_deref().and_then(|target| values.get(target).copied()) {
            values.insert(&raw.name, number);
        }
    }
    values
}

/// The values of each enum, sorted and under their canonical names. An enum is found by any of its names.
///
/// Which extensions the protocol lists makes no difference: these are names for people, and a guest may send a value
/// of an extension that it should not know.
pub(super) fn by_enum<'r>(
    vk: &'r Registry,
    venus: &'r VenusRegistry,
    names: &Names<'r>,
    diags: &mut Diagnostics,
) -> BTreeMap<&'r str, Vec<Value>> {
    let mut enums: BTreeMap<&str, BTreeMap<i64, &RawEnumValue>> = BTreeMap::new();
    for value in declared(vk, venus).filter(|value| value.raw.alias.is_none()) {
        let Some(group) = value.group else { continue };
        let element = || format!("enum {}", value.raw.name);
        let Some(number) = value.number() else {
            let help = "give it a value, a bitpos, or an offset and the number of an extension";
            diags.push(&value.raw.at, element(), "its value cannot be told", help);
            continue;
        };
        let numbers = enums.entry(names.canonical_type(group).unwrap_or(group)).or_default();
        // Several versions and extensions may bring the same one.
        let first = *numbers.entry(number).or_insert(value.raw);
        if first.name != value.raw.name {
            let message = format!("has the value of {}, see {}", first.name, first.at);
            diags.push(&value.raw.at, element(), message, "declare one of them as the other's alias");
        }
    }
    let sorted = enums.into_iter().map(|(group, numbers)| {
        let values = numbers.into_iter().map(|(value, raw)| Value { name: raw.name.clone(), value });
        (group, values.collect())
    });
    sorted.collect()
}

/// Extension values start here and come in blocks of a thousand (Vulkan style guide, "Assigning extension token values").
const EXTENSION_BASE: i64 = 1_000_000_000;
const EXTENSION_BLOCK: i64 = 1000;

fn enum_value(value: &RawEnumValue, extension: Option<u32>) -> Option<i64> {
    if let Some(text) = &value.value {
        return match text.strip_prefix("0x") {
            Some(hex) => u64::from_str_radix(hex, 16).ok().map(u64::cast_signed),
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
