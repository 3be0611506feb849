//! Where there is no sandbox: other systems, other processors, and builds without the feature `sandbox`.

use super::{Sandbox, Support};

const NONE: &str =
    "this library can confine processes on Linux only (x86-64 and AArch64), if it was built with `sandbox`";

pub(super) fn restrict_files(_sandbox: &Sandbox) -> Result<(), String> {
    Err(NONE.to_owned())
}

pub(super) fn restrict_calls(_sandbox: &Sandbox) -> Result<(), String> {
    Err(NONE.to_owned())
}

pub(super) fn support() -> Support {
    Support { landlock: Err(NONE.to_owned()), filter: Err(NONE.to_owned()) }
}

pub(super) fn families() -> Vec<(&'static str, Vec<String>)> {
    Vec::new()
}
