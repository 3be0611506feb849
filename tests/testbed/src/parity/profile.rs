//! Two vulkaninfo profiles compared: what the driver says natively, and what a guest is told through us.
//!
//! The files follow the schema of Vulkan Profiles: extensions, features, properties, formats and queue families of one
//! device. They are compared as text and numbers; what the names mean is known to [`explained`](super::explained).

use super::explained::{Change, Explainer};
use super::outcome::Outcome;
use anyhow::{Context as _, Result};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// Compares what `native` and `ours` say of the device.
pub(super) fn compare(native: &Value, ours: &Value, explainer: &mut Explainer<'_>) -> Result<Outcome> {
    let device = |profile: &Value| -> Result<Map<String, Value>> {
        let device = profile.pointer("/capabilities/device").and_then(Value::as_object);
        device.cloned().context("a vulkaninfo profile without capabilities of a device")
    };
    let (native, ours) = (device(native)?, device(ours)?);
    let mut changes = Vec::new();
    let mut compared = 0;
    for section in sections(&native, &ours) {
        walk(&section, native.get(&section), ours.get(&section), &mut changes, &mut compared);
    }
    explainer.learn(&changes);
    let mut outcome = Outcome::pass();
    for change in &changes {
        match explainer.explain(change) {
            Some(reason) => outcome.explain(reason),
            None => outcome.regress(change.to_string()),
        }
    }
    Ok(outcome.figure(format!("{compared} properties compared")))
}

fn sections(native: &Map<String, Value>, ours: &Map<String, Value>) -> BTreeSet<String> {
    native.keys().chain(ours.keys()).cloned().collect()
}

/// Goes down both sides at once. A structure that one side lacks is one change, whatever it holds.
fn walk(path: &str, native: Option<&Value>, ours: Option<&Value>, changes: &mut Vec<Change>, compared: &mut u64) {
    match (native, ours) {
        (Some(Value::Object(native)), Some(Value::Object(ours))) => {
            for name in sections(native, ours) {
                walk(&format!("{path}/{name}"), native.get(&name), ours.get(&name), changes, compared);
            }
        }
        (Some(Value::Array(native)), Some(Value::Array(ours))) if holds_objects(native) && holds_objects(ours) => {
            for index in 0..native.len().max(ours.len()) {
                walk(&format!("{path}/{index}"), native.get(index), ours.get(index), changes, compared);
            }
        }
        _ => {
            *compared += 1;
            if !same(native, ours) {
                changes.push(Change { path: path.to_owned(), native: native.cloned(), ours: ours.cloned() });
            }
        }
    }
}

fn holds_objects(values: &[Value]) -> bool {
    values.iter().any(Value::is_object)
}

/// Whether two values are the same; lists of flags are sets.
fn same(native: Option<&Value>, ours: Option<&Value>) -> bool {
    let flags = |value: Option<&Value>| -> Option<BTreeSet<String>> {
        value?.as_array()?.iter().map(|item| item.as_str().map(str::to_owned)).collect()
    };
    match (flags(native), flags(ours)) {
        (Some(native), Some(ours)) => native == ours,
        _ => native == ours,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn profile(device: Value) -> Value {
        json!({ "capabilities": { "device": device } })
    }

    #[test]
    fn equal_profiles_pass_and_flags_have_no_order() {
        let doctor = json!({});
        let native = profile(json!({ "extensions": { "VK_A": 1 }, "formats": { "F": { "flags": ["A", "B"] } } }));
        let ours = profile(json!({ "extensions": { "VK_A": 1 }, "formats": { "F": { "flags": ["B", "A"] } } }));
        let outcome = compare(&native, &ours, &mut Explainer::new(&doctor, false)).unwrap();
        assert_eq!(outcome.summary(), "pass");
        assert_eq!(outcome.figures(), ["2 properties compared"]);
    }

    #[test]
    fn an_unknown_difference_is_a_regression_that_names_both_values() {
        let doctor = json!({});
        let limits = |count: u32| profile(json!({ "properties": { "VkLimits": { "maxThings": count } } }));
        let outcome = compare(&limits(8), &limits(4), &mut Explainer::new(&doctor, false)).unwrap();
        assert_eq!(outcome.regressions(), ["properties/VkLimits/maxThings: 8 natively, 4 through us"]);
    }
}
