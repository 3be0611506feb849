//! The program of the cases, built for what a guest runs on.

use super::image::System;
use crate::cargo::{build, ensure_standard_library};
use crate::provision::apt;
use anyhow::{Result, ensure};
use std::path::PathBuf;

/// The environment variable that tells the end-to-end tests where the program for the aarch64 guest is. That for the others
/// is the one that runs outside of machines, too.
pub const ARM64_VARIABLE: &str = "VENUS_VM_CASES_ARM64";

/// Builds the cases for a guest.
///
/// # Errors
///
/// They do not compile, or this machine's Rust cannot build for the guest's processor.
pub fn build_cases(system: System) -> Result<PathBuf> {
    let cases = ["--release", "--package", "venus-cases"];
    if system != System::Arm64 {
        return build(&cases);
    }
    let target = system.target();
    ensure!(
        ensure_standard_library(target)?,
        "this machine's Rust has no standard library for {target}, and there is no rustup that could add it"
    );
    apt::install(&["gcc-aarch64-linux-gnu", "libc6-dev-arm64-cross"], "linking programs for the aarch64 guest")?;
    let linker = format!("target.{target}.linker=\"aarch64-linux-gnu-gcc\"");
    build(&[&cases[..], &["--target", target, "--config", &linker]].concat())
}
