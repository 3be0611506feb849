//! What is known to differ between a driver and what a guest sees of it through us, each with its reason.
//!
//! The rows (`rows`) are the only part of the page that people write. A row that is too wide hides a regression: name the one
//! property, and the one direction, and say what in the guest's driver or in ours makes it so.

mod rows;

use rows::{LEVEL_ROWS, LEVELS, NEW_MESA, OLD_GUEST, OLD_LACKS, OLD_LEVEL, OLD_ROWS, PROFILE, PROFILE_ROWS, ROWS};
use serde_json::Value;
use std::fmt;

/// One difference.
#[derive(Debug, Clone)]
pub(super) struct Change {
    /// Section, structure and member, for example `properties/VkPhysicalDeviceProperties/apiVersion`.
    pub(super) path: String,
    /// What the driver says natively.
    pub(super) native: Option<Value>,
    /// What the guest is told.
    pub(super) ours: Option<Value>,
}

impl Change {
    /// The side that has it, where the other lacks it.
    fn side(&self) -> Option<Side> {
        match (&self.native, &self.ours) {
            (Some(_), None) => Some(Side::Native),
            (None, Some(_)) => Some(Side::Ours),
            _ => None,
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// Longer values say no more.
        const LONGEST: usize = 120;
        let show = |value: &Option<Value>| match value {
            None => "absent".to_owned(),
            Some(Value::Object(_)) => "present".to_owned(),
            Some(value) => value.to_string().chars().take(LONGEST).collect(),
        };
        write!(f, "{}: {} natively, {} through us", self.path, show(&self.native), show(&self.ours))
    }
}

/// In which direction a row lets something differ.
#[derive(Debug, Clone, Copy)]
enum How {
    /// In any.
    Other,
    /// The guest sees less: nothing, a smaller number, `false`, or fewer flags.
    Less,
    /// The guest sees fewer flags, and only such as have this in their names.
    LessFlags(&'static str),
    /// The guest sees what the driver does not have.
    More,
    /// The driver's name in that of the guest's driver.
    Wrapped,
}

/// One known difference.
struct Row {
    /// The change's path; `*` stands for anything.
    path: &'static str,
    how: How,
    reason: &'static str,
}

const fn row(path: &'static str, how: How, reason: &'static str) -> Row {
    Row { path, how, reason }
}

/// Explains changes, with the table and with what the host says of itself.
#[derive(Debug)]
pub(super) struct Explainer<'a> {
    doctor: &'a Value,
    profile: bool,
    old: bool,
    /// The level of the protocol that the guest's driver speaks.
    level: u32,
    /// Extensions that one side lacks with a reason: what their structures' names begin with, and the reason.
    known: Vec<(Side, String, String)>,
}

/// The side that has something which the other lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Native,
    Ours,
}

impl<'a> Explainer<'a> {
    /// `doctor` is what `venus doctor --json` printed on the driver; `profile` says whether it had to pretend.
    pub(super) fn new(doctor: &'a Value, profile: bool) -> Self {
        Self { doctor, profile, old: false, level: u32::MAX, known: Vec::new() }
    }

    /// With the version of the guest's Mesa, `25.0.7`: older ones pass on less.
    pub(super) fn for_mesa(self, version: &str) -> Self {
        let mut parts = version.split('.').map_while(|part| part.parse::<u32>().ok());
        let (Some(major), Some(minor)) = (parts.next(), parts.next()) else { return self };
        let speaks = LEVELS.iter().rev().find(|(since, _)| *since <= (major, minor));
        Self { old: major < NEW_MESA, level: speaks.map_or(self.level, |(_, level)| *level), ..self }
    }

    /// Notes which extensions differ and why, before their structures are asked for.
    pub(super) fn learn(&mut self, changes: &[Change]) {
        for change in changes {
            let Some(name) = change.path.strip_prefix("extensions/") else { continue };
            if let (Some(side), Some(reason)) = (change.side(), self.explain(change)) {
                self.known.push((side, stem_of_extension(name), format!("{reason} Its structures go with it.")));
            }
        }
    }

    /// Why the change is as it should be; `None` for what nobody knows.
    pub(super) fn explain(&self, change: &Change) -> Option<String> {
        let old: &[Row] = if self.old { OLD_ROWS } else { &[] };
        let profile: &[Row] = if self.profile { PROFILE_ROWS } else { &[] };
        let levels = LEVEL_ROWS.iter().filter(|(level, _)| self.level < *level).map(|(_, row)| row);
        if let Some(row) = ROWS.iter().chain(old).chain(profile).chain(levels).find(|row| row.covers(change)) {
            return Some(row.reason.to_owned());
        }
        let (section, name) = change.path.split_once('/')?;
        match section {
            "extensions" if change.ours.is_none() => self.missing_extension(name),
            "features" | "properties" => self.structure(change, name),
            _ => None,
        }
    }

    /// A structure is there if its extension is.
    fn structure(&self, change: &Change, name: &str) -> Option<String> {
        let (side, stem) = (change.side()?, stem_of_structure(name));
        let known = self.known.iter().find(|(has, extension, _)| *has == side && stem.starts_with(extension.as_str()));
        known.map(|(.., reason)| reason.clone())
    }

    /// Why a guest is not offered an extension that the driver has: in the words of the host, where it decided so.
    fn missing_extension(&self, name: &str) -> Option<String> {
        let lists = self.doctor.pointer("/gpus/0/extensions")?;
        if let Some(reason) = lists.get("withheld").and_then(|list| list.get(name)).and_then(Value::as_str) {
            return Some(format!("The host withholds the extension: {reason}."));
        }
        let in_list = |list: &str| {
            let names = lists.get(list).and_then(Value::as_array).into_iter().flatten();
            names.filter_map(Value::as_str).any(|listed| listed == name)
        };
        if in_list("offered") || lists.get("emulated").is_some_and(|list| list.get(name).is_some()) {
            let later = lists.get("since").and_then(|list| list.get(name)).and_then(Value::as_u64);
            if later.is_some_and(|level| level > self.level.into()) {
                return Some(OLD_LEVEL.to_owned());
            }
            return (self.old && OLD_LACKS.contains(&name)).then(|| OLD_GUEST.to_owned());
        }
        if in_list("absent") {
            return self.profile.then(|| PROFILE.to_owned());
        }
        Some("The Venus protocol does not carry the extension.".to_owned())
    }
}

/// `VK_EXT_mesh_shader` as its structures are called: `meshshader`.
fn stem_of_extension(name: &str) -> String {
    let without_vendor = name.splitn(3, '_').nth(2).unwrap_or(name).replace('_', "");
    without_vendor.strip_prefix("physicaldevice").map_or(without_vendor.clone(), str::to_owned)
}

/// `VkPhysicalDeviceMeshShaderFeaturesEXT` without what every structure has: `meshshaderfeaturesext`.
fn stem_of_structure(name: &str) -> String {
    name.strip_prefix("VkPhysicalDevice").unwrap_or(name).to_lowercase()
}

impl Row {
    fn covers(&self, change: &Change) -> bool {
        matches(self.path, &change.path) && self.how.fits(change.native.as_ref(), change.ours.as_ref())
    }
}

impl How {
    fn fits(self, native: Option<&Value>, ours: Option<&Value>) -> bool {
        match self {
            Self::Other => true,
            Self::Less => less(native, ours),
            Self::LessFlags(word) => {
                let flags = |value: Option<&Value>| value.and_then(Value::as_array).cloned().unwrap_or_default();
                let (native, ours) = (flags(native), flags(ours));
                let named = |flag: &Value| flag.as_str().is_some_and(|flag| flag.contains(word));
                ours.iter().all(|flag| native.contains(flag))
                    && native.iter().all(|flag| ours.contains(flag) || named(flag))
            }
            Self::More => less(ours, native),
            Self::Wrapped => {
                let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned).unwrap_or_default();
                text(ours) == format!("Virtio-GPU Venus ({})", text(native))
            }
        }
    }
}

/// Whether `ours` is less than `native`.
fn less(native: Option<&Value>, ours: Option<&Value>) -> bool {
    match (native, ours) {
        (Some(_), None) => true,
        (Some(Value::Bool(native)), Some(Value::Bool(ours))) => *native && !ours,
        (Some(Value::Number(native)), Some(Value::Number(ours))) => ours.as_f64() < native.as_f64(),
        (Some(Value::Array(native)), Some(Value::Array(ours))) => ours.iter().all(|item| native.contains(item)),
        _ => false,
    }
}

/// Whether a path follows a pattern, in which `*` stands for any text and `?` for any one character.
fn matches(pattern: &str, path: &str) -> bool {
    let mut rest = pattern.chars();
    match rest.next() {
        None => path.is_empty(),
        Some('*') => (0..=path.len()).filter_map(|at| path.get(at..)).any(|tail| matches(rest.as_str(), tail)),
        Some(wanted) => {
            let mut letters = path.chars();
            letters.next().is_some_and(|letter| wanted == '?' || wanted == letter)
                && matches(rest.as_str(), letters.as_str())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn change(path: &str, native: Option<Value>, ours: Option<Value>) -> Change {
        Change { path: path.to_owned(), native, ours }
    }

    #[test]
    fn the_host_is_asked_why_an_extension_is_missing() {
        let doctor = json!({ "gpus": [{ "extensions": {
            "offered": ["VK_EXT_offered"],
            "withheld": { "VK_EXT_withheld": "it is a secret" },
            "emulated": {},
            "absent": ["VK_EXT_hidden"],
        } }] });
        let missing = |name: &str, profile: bool| {
            let change = change(&format!("extensions/{name}"), Some(json!(1)), None);
            Explainer::new(&doctor, profile).explain(&change)
        };
        assert_eq!(missing("VK_EXT_offered", false), None);
        assert!(missing("VK_EXT_withheld", false).unwrap().contains("it is a secret"));
        assert!(missing("VK_EXT_unknown", false).unwrap().contains("does not carry"));
        assert_eq!(missing("VK_EXT_hidden", false), None);
        assert!(missing("VK_EXT_hidden", true).unwrap().contains("profile"));
    }

    #[test]
    fn what_a_profile_takes_is_no_regression_and_without_it_is_one() {
        let doctor = json!({});
        let geometry =
            change("features/VkPhysicalDeviceFeatures/geometryShader", Some(json!(true)), Some(json!(false)));
        let samples = change(
            "properties/VkPhysicalDeviceProperties/limits/storageImageSampleCounts",
            Some(json!(["VK_SAMPLE_COUNT_1_BIT", "VK_SAMPLE_COUNT_4_BIT"])),
            Some(json!(["VK_SAMPLE_COUNT_1_BIT"])),
        );
        for taken in [geometry, samples] {
            assert_eq!(Explainer::new(&doctor, true).explain(&taken).as_deref(), Some(PROFILE));
            assert_eq!(Explainer::new(&doctor, false).explain(&taken), None);
        }
    }

    #[test]
    fn structures_follow_their_extension_and_nothing_else() {
        let doctor = json!({ "gpus": [{ "extensions": { "offered": [], "absent": [] } }] });
        let mut explainer = Explainer::new(&doctor, false);
        let structure = change("features/VkPhysicalDeviceMeshShaderFeaturesEXT", Some(json!({})), None);
        assert_eq!(explainer.explain(&structure), None);
        explainer.learn(&[change("extensions/VK_EXT_mesh_shader", Some(json!(1)), None)]);
        assert!(explainer.explain(&structure).is_some());
        let added = change("features/VkPhysicalDeviceMeshShaderFeaturesEXT", None, Some(json!({})));
        assert_eq!(explainer.explain(&added), None);
    }

    #[test]
    fn an_older_guest_is_excused_and_a_newer_one_is_not() {
        let doctor = json!({ "gpus": [{ "extensions": { "offered": ["VK_KHR_ray_query"], "absent": [] } }] });
        let missing = change("extensions/VK_KHR_ray_query", Some(json!(1)), None);
        assert!(Explainer::new(&doctor, false).for_mesa("25.0.7").explain(&missing).is_some());
        assert!(Explainer::new(&doctor, false).for_mesa("26.2.6").explain(&missing).is_none());
    }

    #[test]
    fn a_guest_of_an_older_level_is_excused_for_what_came_later() {
        let doctor = json!({ "gpus": [{ "extensions": {
            "offered": ["VK_EXT_mesh_shader", "VK_KHR_maintenance9"],
            "since": { "VK_EXT_mesh_shader": 448, "VK_KHR_maintenance9": 453 },
        } }] });
        let is_excused = |mesa: &str, name: &str| {
            let missing = change(&format!("extensions/{name}"), Some(json!(1)), None);
            Explainer::new(&doctor, false).for_mesa(mesa).explain(&missing).is_some()
        };
        for (mesa, mesh_shader, maintenance) in
            [("25.0.7", true, true), ("26.2.6-1", false, true), ("26.3.0-devel", false, false), ("", false, false)]
        {
            assert_eq!(is_excused(mesa, "VK_EXT_mesh_shader"), mesh_shader, "{mesa}");
            assert_eq!(is_excused(mesa, "VK_KHR_maintenance9"), maintenance, "{mesa}");
        }
        let format = change("formats/F/VkSubpassResolvePerformanceQueryEXT", Some(json!({})), None);
        assert!(Explainer::new(&doctor, false).for_mesa("25.3.0").explain(&format).is_some());
        assert!(Explainer::new(&doctor, false).for_mesa("26.2.0").explain(&format).is_none());
    }

    #[test]
    fn rows_have_a_direction() {
        let path = "properties/VkPhysicalDeviceProperties/apiVersion";
        let doctor = json!({});
        let explainer = Explainer::new(&doctor, false);
        assert!(explainer.explain(&change(path, Some(json!(9)), Some(json!(8)))).is_some());
        assert!(explainer.explain(&change(path, Some(json!(8)), Some(json!(9)))).is_none());
        let name = "properties/VkPhysicalDeviceProperties/deviceName";
        let named = |ours: &str| explainer.explain(&change(name, Some(json!("X")), Some(json!(ours))));
        assert!(named("Virtio-GPU Venus (X)").is_some());
        assert!(named("Virtio-GPU Venus (Y)").is_none());
    }

    #[test]
    fn only_the_named_flags_may_be_missing() {
        let doctor = json!({});
        let explainer = Explainer::new(&doctor, false);
        let flags =
            |ours: Value| change("formats/F/P/optimalTilingFeatures", Some(json!(["A", "B_VIDEO_BIT"])), Some(ours));
        assert!(explainer.explain(&flags(json!(["A"]))).is_some());
        assert!(explainer.explain(&flags(json!(["B_VIDEO_BIT"]))).is_none());
        assert!(explainer.explain(&flags(json!(["C"]))).is_none());
    }

    #[test]
    fn patterns_match_whole_paths() {
        assert!(matches("a/*/c?", "a/b/b/c1"));
        assert!(!matches("a/*/c?", "a/b/c"));
        assert!(!matches("a", "ab"));
    }
}
