//! Instruction counts, where valgrind is installed: they do not depend on what else the machine does.
//!
//! What the C library takes is left out. It has several ways to copy memory and chooses by the processor, and it changes
//! with the system; the program's own instructions depend on the compiler alone.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};

use crate::Kind;

/// The function whose instructions count.
pub const WATCHED: &str = "venus_count::once::watched";

/// What a job took.
#[derive(Clone, Debug, PartialEq)]
pub struct Count {
    /// What was done.
    pub kind: Kind,
    /// To which command.
    pub name: String,
    /// Instructions of the program for each command.
    pub instructions: f64,
}

/// What a job took, and what it took with the C library's part on this machine.
#[derive(Clone, Debug, PartialEq)]
pub struct Counted {
    /// Of the program alone.
    pub count: Count,
    /// Instructions of program and libraries for each command.
    pub with_libraries: f64,
}

/// Counts what `program` takes for each job: with `argument` it does each once (`once::perform`) and prints what that says.
///
/// # Errors
///
/// There is no valgrind, or something is wrong with the program.
pub fn count(program: &Path, argument: &str) -> Result<Vec<Counted>> {
    let folder = tempfile::tempdir().context("making a folder for counts")?;
    let out = folder.path().join("count");
    let output = Command::new("valgrind")
        .args(["--quiet", "--tool=callgrind", "--collect-atstart=no"])
        .arg(format!("--callgrind-out-file={}", out.display()))
        // Each time the function ends, what it cost goes to a file of its own, and counting begins anew.
        .args([format!("--toggle-collect={WATCHED}"), format!("--dump-after={WATCHED}")])
        .arg(program)
        .arg(argument)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .context("starting valgrind")?;
    ensure!(output.status.success(), "valgrind failed ({})", output.status);
    let said = String::from_utf8(output.stdout).context("reading what was counted")?;
    let name = program.file_name().and_then(|name| name.to_str()).context("the program's name is no text")?;
    let counts = (1..).zip(said.lines()).map(|(number, line): (u32, &str)| {
        let (kind, commands, command) = job(line).with_context(|| format!("{line:?} is no job"))?;
        let path = out.with_extension(number.to_string());
        let text = std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        let (own, all) = (cost(&text, |file| file == name), cost(&text, |_| true));
        ensure!(own > 0, "callgrind has seen nothing of {line:?}");
        #[expect(clippy::cast_precision_loss, reason = "counts here are far below 2^52")]
        let per_command = |sum: u64| sum as f64 / commands as f64;
        let count = Count { kind, name: command.to_owned(), instructions: per_command(own) };
        Ok(Counted { count, with_libraries: per_command(all) })
    });
    counts.collect()
}

/// Takes a line apart of what `once::perform` says.
fn job(line: &str) -> Option<(Kind, u64, &str)> {
    let mut words = line.splitn(3, ' ');
    let (kind, commands, name) = (words.next()?, words.next()?, words.next()?);
    let kind = Kind::ALL.into_iter().find(|known| known.word() == kind)?;
    Some((kind, commands.parse().ok().filter(|commands| *commands > 0)?, name))
}

/// Adds up what the functions of some files of code took themselves, in a profile of callgrind's.
///
/// Of its format this needs four kinds of lines: `ob=` says whose code follows, by a number after the first time; a line
/// that begins with a place states a cost; but behind `calls=` it is the callee's, which is stated where that is.
fn cost(profile: &str, is_wanted: impl Fn(&str) -> bool) -> u64 {
    let mut names: BTreeMap<&str, bool> = BTreeMap::new();
    let (mut counts, mut is_callees, mut sum) = (false, false, 0);
    for line in profile.lines() {
        if let Some((key, value)) = line.split_once('=') {
            is_callees = key == "calls";
            if key == "ob" || key == "cob" {
                let (number, name) = value.split_once(' ').unwrap_or((value, ""));
                let file = || name.rsplit('/').next().unwrap_or(name);
                let known = *names.entry(number).or_insert_with(|| is_wanted(file()));
                if key == "ob" {
                    counts = known;
                }
            }
        } else if line.starts_with(|first: char| first.is_ascii_digit() || matches!(first, '+' | '-' | '*')) {
            if !is_callees && counts {
                sum += line.split_whitespace().nth(1).and_then(|cost| cost.parse::<u64>().ok()).unwrap_or_default();
            }
            is_callees = false;
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As callgrind 3.19 writes it.
    const PROFILE: &str = "\
events: Ir

ob=(1) /target/release/venus-count
fl=(1) lib.rs
fn=(1) venus_count::once::watched
140 7
+2 3
cob=(2) /usr/lib/libc.so.6
cfn=(2) memcpy
calls=4 0
* 100
cfn=(3) decode
calls=1 12
144 900

ob=(2)
fl=(2) ???
fn=(2)
0 100

ob=(1)
fn=(3)
-3 20
calls=1 0
* 5
* 1
totals: 131
";

    #[test]
    fn what_others_took_does_not_count() {
        assert_eq!(cost(PROFILE, |file| file == "venus-count"), 7 + 3 + 20 + 1);
        assert_eq!(cost(PROFILE, |file| file == "libc.so.6"), 100);
        assert_eq!(cost(PROFILE, |_| true), 131);
        assert_eq!(cost("", |_| true), 0);
    }

    #[test]
    fn jobs_are_told_by_their_lines() {
        assert_eq!(job("decode-locked 2048 vkCmdDraw, twice"), Some((Kind::DecodeLocked, 2048, "vkCmdDraw, twice")));
        assert_eq!(job("decode 0 vkCmdDraw"), None);
        assert_eq!(job("recode 1 vkCmdDraw"), None);
        assert_eq!(job("trip 1"), None);
    }
}
