//! Values: what the registry's constants and enum values amount to.

use std::collections::BTreeMap;

use crate::parse::{RawEnumValue, Registry, VenusRegistry};

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

/// Values of all enums, including those that versions and extensions add.
pub(super) fn collect<'r>(vk: &'r Registry, venus: &'r VenusRegistry) -> BTreeMap<&'r str, i64> {
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
