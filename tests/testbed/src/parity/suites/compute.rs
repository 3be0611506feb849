//! Programs that compute, and our own small guest.

use super::{Bench, LIMIT, Ran, setting};
use crate::parity::outcome::Outcome;
use crate::process::{Running, tail, tethered};
use crate::programs::ggml_program;
use anyhow::{Result, ensure};
use std::collections::BTreeMap;

/// Matrix products that lavapipe can do in seconds: each type costs it some for the shader alone.
pub(super) const MUL_MAT_ON_LAVAPIPE: &str =
    r"type_a=(f32|f16|q4_0|q8_0|q4_K),type_b=f32,m=16,n=1,k=256,bs=\[1,1\],nr=\[1,1\],per=\[0,1,2,3\],k_v=0,o=1";

pub(super) fn ggml(bench: &Bench<'_>, operation: &str, filter: Option<&str>) -> Result<Outcome> {
    let Some(program) = ggml_program(bench.guest.root()) else {
        return Ok(Outcome::not_run("this guest has no ggml tests: Debian has the packages in newer suites only"));
    };
    let set = setting(|run| {
        let run = run.args(["test", "-o", operation]);
        let run = if let Some(filter) = filter { run.args(["-p", filter]) } else { run };
        // By itself ggml leaves out devices of type CPU, as lavapipe's is.
        run.env("GGML_VK_VISIBLE_DEVICES", "0")
    });
    // A test that fails makes the program fail: what counts is whether it gets to its end, and what each test said.
    let read = |ran: &Ran| {
        let tests = parse_tests(&ran.finished.stdout, operation);
        if tests.is_empty() || !ran.finished.stdout.contains("backends passed") {
            ran.expect_success()?;
        }
        ensure!(!tests.is_empty(), "ggml ran no test of {operation}");
        Ok(tests)
    };
    Ok(match bench.both(&program.display().to_string(), set, read)? {
        Ok((native, ours)) => compare_tests(&native, &ours),
        Err(outcome) => outcome,
    })
}

/// Compares what became of each test.
pub(in crate::parity) fn compare_tests(native: &BTreeMap<String, String>, ours: &BTreeMap<String, String>) -> Outcome {
    let mut outcome = Outcome::pass();
    let ok = |tests: &BTreeMap<String, String>| tests.values().filter(|verdict| *verdict == "OK").count();
    for (test, native) in native {
        let ours = ours.get(test).map_or("not run", String::as_str);
        // A test that the driver cannot do and that works through us is no harm.
        if ours != native && ours != "OK" {
            outcome.regress(format!("{test}: {native} natively, {ours} through us"));
        }
    }
    outcome.figure(format!("{} tests, {} right; natively {}, {} right", ours.len(), ok(ours), native.len(), ok(native)))
}

/// Reads lines such as `  ADD(type=f32,ne=[1,1,1,1]): OK`, with or without colours.
pub(in crate::parity) fn parse_tests(output: &str, operation: &str) -> BTreeMap<String, String> {
    let lines = output.lines().map(|line| without_colours(line.trim()));
    let tests = lines.filter_map(|line| {
        let (test, verdict) = line.strip_prefix(&format!("{operation}("))?.rsplit_once("): ")?;
        Some((format!("{operation}({test})"), verdict.split(" [").next()?.trim().to_owned()))
    });
    tests.collect()
}

/// The text without the escape sequences that colour it.
fn without_colours(line: &str) -> String {
    let mut parts = line.split('\u{1b}');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + part.split_once('m').map_or("", |(_, rest)| rest))
}

/// Our own guest has no native side: it checks the answers itself, against what it expects of any driver.
pub(super) fn rust_guest(bench: &Bench<'_>) -> Result<Outcome> {
    let folder = tempfile::tempdir()?;
    let picture = folder.path().join("triangle.png");
    let picture = picture.to_string_lossy();
    let mut outcome = Outcome::pass();
    let programs: [&[&str]; 3] = [&["info"], &["triangle", &picture], &["compute"]];
    for program in programs {
        let mut command = tethered(bench.rust_guest);
        command.arg("--socket-path").arg(bench.resident.socket()).args(program);
        let finished = Running::start(&mut command, LIMIT)?.finish()?;
        if !finished.success() {
            eprintln!("--- the host's log\n{}", bench.resident.log());
            outcome.regress(format!("{}: {}", program[0], tail(&finished.stderr).trim()));
        }
    }
    Ok(outcome.figure("3 programs"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ggmls_words_are_read() {
        let output = "  ADD(type=f32,ne=[1,1]): \u{1b}[1;32mOK\u{1b}[0m\n  ADD(type=f16): not supported [Vulkan0] \n  SUB(x): OK\n";
        let tests = parse_tests(output, "ADD");
        assert_eq!(tests["ADD(type=f32,ne=[1,1])"], "OK");
        assert_eq!(tests["ADD(type=f16)"], "not supported");
        assert_eq!(tests.len(), 2);
    }

    #[test]
    fn a_test_that_stops_passing_is_a_regression() {
        let tests = |verdict: &str| BTreeMap::from([("ADD(a)".to_owned(), verdict.to_owned())]);
        assert_eq!(compare_tests(&tests("OK"), &tests("OK")).summary(), "pass");
        assert_eq!(compare_tests(&tests("OK"), &tests("FAIL")).summary(), "REGRESSION (1)");
        assert_eq!(compare_tests(&tests("OK"), &BTreeMap::new()).summary(), "REGRESSION (1)");
        assert_eq!(compare_tests(&tests("FAIL"), &tests("OK")).summary(), "pass");
    }
}
