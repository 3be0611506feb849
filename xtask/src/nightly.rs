//! The nightly compiler, which has what the stable one does not: sanitizers, and a standard library to compile oneself.

use std::{path::Path, time::Duration};

use anyhow::Result;
use testbed::process::{Running, tethered};
use testbed::progress::Step;

/// What to say where there is none.
pub(crate) const ABSENT: &str = "there is no nightly compiler; `rustup toolchain install nightly` gets one";
/// How its standard library's sources are had.
pub(crate) const GET_SOURCES: &str = "rustup component add rust-src --toolchain nightly";
/// Longest that fetching those may take, and whatever else is asked of rustup.
const RUSTUP_LIMIT: Duration = Duration::from_secs(600);

/// What the nightly compiler makes programs for; nothing where there is none.
pub(crate) fn target() -> Option<String> {
    let version = rustc(&["--version", "--verbose"])?;
    version.lines().find_map(|line| line.strip_prefix("host: ")).map(str::to_owned)
}

/// Whether it has the sources of its standard library, if need be after rustup has added them.
pub(crate) fn ensure_sources() -> Result<bool> {
    let Some(root) = rustc(&["--print", "sysroot"]) else { return Ok(false) };
    let sources = Path::new(root.trim()).join("lib/rustlib/src/rust/library/std");
    if !sources.is_dir() {
        let step = Step::start("adding the sources of the nightly standard library with rustup (once)");
        let mut words = GET_SOURCES.split(' ');
        let mut rustup = tethered(words.next().unwrap_or_default());
        Running::watch(rustup.args(words), RUSTUP_LIMIT, step.details())?.finish()?;
        step.done(if sources.is_dir() { "" } else { "not possible" });
    }
    Ok(sources.is_dir())
}

/// What the compiler says when it is asked something.
fn rustc(arguments: &[&str]) -> Option<String> {
    let mut rustc = tethered("rustup");
    rustc.args(["run", "nightly", "rustc"]).args(arguments);
    let finished = Running::start(&mut rustc, RUSTUP_LIMIT).and_then(|mut rustc| rustc.finish()).ok()?;
    finished.success().then_some(finished.stdout)
}
