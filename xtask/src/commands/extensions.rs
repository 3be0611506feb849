//! What becomes of each extension, as the tables of `venus-host/src/driver/extensions.rs` say.

use super::all_or_nothing;
use super::protocol::Protocol;
use super::source::{constant, elements, field, last_name, parse, string};
use anyhow::{Context as _, Result};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

const FILE: &str = "venus-host/src/driver/extensions.rs";

/// What becomes of an extension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// Offered when the driver has it.
    Offered,
    /// Offered even if the driver does not have it, in this way.
    Emulated(String),
    /// Never offered, for this reason.
    Withheld(String),
    /// Offered unless something is missing, for this reason.
    Conditional(String),
    /// No business of a device.
    OfInstance,
}

impl Fate {
    /// The word for it in tables.
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Offered => "offered",
            Self::Emulated(_) => "offered always",
            Self::Conditional(_) => "offered unless",
            Self::Withheld(_) => "withheld",
            Self::OfInstance => "of the instance",
        }
    }

    /// The reason, where there is one.
    pub(super) fn reason(&self) -> &str {
        match self {
            Self::Offered => "",
            Self::Emulated(reason) | Self::Conditional(reason) | Self::Withheld(reason) => reason,
            Self::OfInstance => "part of the protocol or of Vulkan 1.1",
        }
    }
}

/// Fates by name.
pub(super) type Fates = BTreeMap<String, Fate>;

/// Reads the tables.
pub(super) fn read(root: &Path, protocol: &Protocol) -> Result<Fates> {
    let file = parse(root, FILE)?;
    let text =
        |row, name: &str| field(row, name).and_then(string).with_context(|| format!("a row of {FILE} has no {name}"));
    let mut fates: Fates =
        protocol.extensions.iter().map(|extension| (extension.name.clone(), Fate::Offered)).collect();
    let mut rows = Vec::new();
    for name in elements(constant(&file, "OF_INSTANCE")?).into_iter().filter_map(string) {
        rows.push((name, Fate::OfInstance));
    }
    for row in elements(constant(&file, "WITHHELD")?) {
        let (name, reason) = (text(row, "name")?, text(row, "reason")?);
        let always = field(row, "when").and_then(last_name).as_deref() == Some("Always");
        rows.push((name, if always { Fate::Withheld(reason) } else { Fate::Conditional(reason) }));
    }
    for row in elements(constant(&file, "EMULATED")?) {
        rows.push((text(row, "name")?, Fate::Emulated(text(row, "how")?)));
    }
    let unknown = rows.iter().filter(|(name, _)| !fates.contains_key(name));
    let problems: Vec<String> = unknown.map(|(name, _)| format!("{FILE}: the protocol has no {name}")).collect();
    all_or_nothing(&problems)?;
    fates.extend(rows);
    Ok(fates)
}

/// The table that the handler tests read.
pub(super) fn table(protocol: &Protocol, fates: &Fates) -> String {
    let mut text = "extension\tfate\treason\n".to_owned();
    for extension in &protocol.extensions {
        if let Some(fate) = fates.get(&extension.name) {
            let _ = writeln!(text, "{}\t{}\t{}", extension.name, fate.word(), fate.reason());
        }
    }
    text
}
