//! Instruction counts, where valgrind is installed: they do not depend on what else the machine does.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};

use crate::codec;

/// The function whose instructions count.
pub(crate) const WATCHED: &str = "venus_bench::codec::watched";

/// Instructions per command of each job of the codec measurements, in their order.
pub(crate) fn count() -> Result<Vec<f64>> {
    let folder = tempfile::tempdir().context("making a folder for counts")?;
    let out = folder.path().join("count");
    let program = std::env::current_exe().context("finding this program")?;
    let status = Command::new("valgrind")
        .args(["--quiet", "--tool=callgrind", "--collect-atstart=no"])
        .arg(format!("--callgrind-out-file={}", out.display()))
        // Each time the function ends, what it cost goes to a file of its own, and counting begins anew.
        .args([format!("--toggle-collect={WATCHED}"), format!("--dump-after={WATCHED}")])
        .arg(program)
        .arg("count")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()
        .context("starting valgrind")?;
    ensure!(status.success(), "valgrind failed ({status})");
    let commands = codec::commands_per_pass()?;
    let counts = (1..).zip(commands).map(|(job, commands)| {
        let total = total(&out.with_extension(job.to_string()))?;
        #[expect(clippy::cast_precision_loss, reason = "counts here are far below 2^52")]
        Ok(total as f64 / commands as f64)
    });
    counts.collect()
}

/// The sum that a file of callgrind's states.
fn total(path: &Path) -> Result<u64> {
    let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    let total = text.lines().find_map(|line| line.strip_prefix("totals: ").or_else(|| line.strip_prefix("summary: ")));
    total.and_then(|total| total.trim().parse().ok()).with_context(|| format!("{} states no sum", path.display()))
}
