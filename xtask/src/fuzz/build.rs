//! The two builds of the fuzz targets.

use anyhow::{Context as _, Result};
use std::path::PathBuf;
use std::time::Duration;
use testbed::process::{Running, tethered};
use testbed::progress::Step;
use testbed::workspace;

use crate::nightly;

/// Longest that building may take.
const BUILD_LIMIT: Duration = Duration::from_secs(3600);

/// How the targets are built.
pub(super) struct Build {
    /// What its folder is called.
    pub(super) name: &'static str,
    /// The profile, of those in `fuzz/Cargo.toml`.
    profile: &'static str,
    /// What compilers do beside.
    flags: &'static [&'static str],
}

/// What both builds have: edges are counted.
const COUNTED: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table --cfg fuzzing";

/// What cargo-fuzz has compilers do: count edges, tell what is compared with what, and look after memory.
pub(super) const SANITIZED: Build = Build {
    name: "build",
    profile: "release",
    flags: &[
        COUNTED,
        "-Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-trace-compares -Zsanitizer=address",
    ],
};

/// For many executions in little time. Nothing looks after memory, and nobody is told what is compared: libFuzzer would have
/// each comparison of names in tables, too, since it has a `memcmp` of its own. The C library's is linked before it.
pub(super) const FAST: Build = Build {
    name: "fast",
    profile: "fast",
    flags: &[COUNTED, "-Cllvm-args=-sanitizer-coverage-level=3 -Zpre-link-args=-lc"],
};

impl Build {
    /// Builds targets and what makes their seeds, and returns the folder that they are in.
    pub(super) fn make(&self, targets: &[String]) -> Result<PathBuf> {
        let folder = workspace().join(super::FOLDER).join(self.name);
        let host = nightly::target().context(nightly::ABSENT)?;
        let step = Step::start("building the fuzz targets with the nightly compiler (minutes, the first time)");
        let mut cargo = tethered("rustup");
        cargo
            .args(["run", "nightly", "cargo", "build", "--locked", "--profile", self.profile, "--target", &host])
            .args(["--bin", "seeds"])
            .args(targets.iter().flat_map(|target| ["--bin", target]))
            .args(["--manifest-path", "fuzz/Cargo.toml", "--target-dir"])
            .arg(&folder)
            .current_dir(workspace())
            .env_remove("CARGO_ENCODED_RUSTFLAGS")
            .env("RUSTFLAGS", self.flags.join(" "));
        Running::watch(&mut cargo, BUILD_LIMIT, step.details())?
            .finish()?
            .expect_success("building the fuzz targets")?;
        step.done("");
        Ok(folder.join(host).join(self.profile))
    }
}
