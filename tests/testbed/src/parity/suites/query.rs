//! What a guest is told about its device.

use super::{Bench, Ran};
use crate::parity::explained::Explainer;
use crate::parity::matrix::ProfileChoice;
use crate::parity::outcome::Outcome;
use crate::parity::profile;
use crate::sandbox::GuestRun;
use anyhow::{Context as _, Result};

/// Where vulkaninfo leaves its profile, in the folder that the guest shares.
const PROFILE: &str = "vulkaninfo.json";

pub(super) fn vulkaninfo(bench: &Bench<'_>) -> Result<Outcome> {
    let (native, ours) = match bench.both("vulkaninfo", arguments, profile)? {
        Ok(both) => both,
        Err(outcome) => return Ok(outcome),
    };
    let explainer = Explainer::new(&bench.doctor, bench.profile != ProfileChoice::Native);
    let mut explainer = explainer.for_mesa(&bench.guest.mesa_version().unwrap_or_default());
    profile::compare(&native, &ours, &mut explainer)
}

pub(super) fn arguments(run: GuestRun<'_>) -> GuestRun<'_> {
    run.args(["--json", "-o", &format!("/run/venus/{PROFILE}")])
}

/// The profile that a run left.
pub(super) fn profile(ran: &Ran) -> Result<serde_json::Value> {
    ran.expect_success()?;
    let text = std::fs::read_to_string(ran.file(PROFILE)).context("vulkaninfo left no profile")?;
    serde_json::from_str(&text).context("reading vulkaninfo's profile")
}
