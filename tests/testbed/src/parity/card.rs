//! The column of a machine with an NVIDIA card, from what `tests/remote-gpu/run.sh` wrote there.

use super::explained::Explainer;
use super::outcome::Outcome;
use super::profile;
use super::results::Results;
use super::suites::{Suite, compare_tests, parse_tests};
use crate::remote_gpu::result::{Section, parse, parse_perf, section};
use anyhow::{Context as _, Result};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

/// The column's key: after all others.
const KEY: &str = "9-nvidia";
/// The suite that only the card runs.
pub(super) const PERF: &str = "ggml-perf";
pub(super) const ABOUT_PERF: &str =
    "`test-backend-ops perf`: microseconds of a run, the best of the turns that the sides took, and ours by native";
/// The columns of figures may be long: names of tests without what all of them share.
const SHARED: &str = ",bs=[1,1],nr=[1,1],per=[0,1,2,3],k_v=0,o=1,src_overlap=0,m_v=0,pad=0";

/// A ratio from which a time needs an explanation.
const SLOW: f64 = 1.5;
const NATIVE_EXTENSIONS: &str = "ggml multiplies larger matrices natively by extensions that the Venus protocol does not carry, \
                                 VK_NV_cooperative_matrix2 above all; guests have VK_KHR_cooperative_matrix.";

/// Compares what the file holds and takes it over.
pub(super) fn merge(file: &Path, results: &mut Results, regressions: &mut Vec<String>) -> Result<()> {
    let text = std::fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
    let sections = parse(&text);
    let facts: BTreeMap<String, String> = section(&sections, "versions")?
        .text
        .lines()
        .chain(section(&sections, "card")?.text.lines().map(|line| line.trim()))
        .filter(|line| !line.is_empty())
        .map(|line| line.split_once('=').unwrap_or(("card", line)))
        .map(|(name, fact)| (name.to_owned(), fact.to_owned()))
        .collect();
    let mesa = facts.get("mesa").map_or("of unknown version", String::as_str);
    let card = facts.get("card").map_or("an unknown card", |card| card.split(',').next().unwrap_or(card));
    let title = format!("Mesa {mesa} on {card}");
    results.begin(KEY.to_owned(), &title, facts.clone());
    let outcomes = [
        (Suite::Vulkaninfo.name(), vulkaninfo(&sections, mesa)),
        (Suite::GgmlAdd.name(), tests(&sections, "ADD")),
        (Suite::GgmlMulMat.name(), tests(&sections, "MUL_MAT")),
        (PERF, perf(&sections)),
    ];
    for (suite, outcome) in outcomes {
        let outcome = outcome.unwrap_or_else(|error| Outcome::regression(vec![format!("{error:#}")]));
        eprintln!("{title}: {suite}: {}", outcome.summary());
        regressions.extend(outcome.regressions().iter().map(|what| format!("{title}: {suite}: {what}")));
        results.set(KEY, suite, &outcome);
    }
    let here = "lavapipe stands for it: the machine with the card has no screen and only what the script packs";
    for suite in [Suite::Vkcube, Suite::VkmarkHeadless, Suite::Vkmark, Suite::Zink, Suite::Validation, Suite::RustGuest]
    {
        results.set(KEY, suite.name(), &Outcome::not_run(here));
    }
    Ok(())
}

/// A section of a program that ended well.
fn ended<'a>(sections: &'a BTreeMap<String, Section>, name: &str) -> Result<&'a Section> {
    let found = section(sections, name)?;
    let status = found.keys.get("status").map_or("unknown", String::as_str);
    anyhow::ensure!(status == "0", "{name} ended with status {status}");
    Ok(found)
}

/// Programs that list the device's properties, the newest first.
const VULKANINFO: [&str; 3] = ["vulkaninfo", "vulkaninfo-trixie", "vulkaninfo-bookworm"];

/// Compares the profiles of the newest vulkaninfo that works natively. `mesa` is the guest's version.
fn vulkaninfo(sections: &BTreeMap<String, Section>, mesa: &str) -> Result<Outcome> {
    let works = |name: &&&str| ended(sections, &format!("native.{name}")).is_ok();
    let Some(name) = VULKANINFO.iter().find(works) else {
        let first = ended(sections, &format!("native.{}", VULKANINFO[0]));
        let why = first.err().map(|error| format!("{error:#}")).unwrap_or_default();
        return Ok(Outcome::not_run(format!("natively it fails: {why}")));
    };
    let profile = |side: &str| -> Result<Value> {
        let text = &ended(sections, &format!("{side}.{name}"))?.text;
        let profile = serde_json::from_str(text).or_else(|_| serde_json::from_str(&mended(text)));
        profile.with_context(|| format!("reading {side}'s vulkaninfo profile"))
    };
    let doctor: Value =
        serde_json::from_str(&section(sections, "doctor")?.text).context("reading venus doctor's words")?;
    let mut explainer = Explainer::new(&doctor, false).for_mesa(mesa);
    let outcome = profile::compare(&profile("native")?, &profile("venus")?, &mut explainer)?;
    Ok(if *name == VULKANINFO[0] {
        outcome
    } else {
        outcome.figure(format!("by {name}, since newer ones crash natively"))
    })
}

/// QUIRK(vulkaninfo 1.4.304): it names the items of some arrays as if they were members, which is no JSON.
fn mended(profile: &str) -> String {
    let numbered = |line: &str| {
        line.trim().strip_suffix("\": {").is_some_and(|name| {
            name.strip_prefix('"').is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))
        })
    };
    profile.lines().map(|line| if numbered(line) { "{\n".to_owned() } else { format!("{line}\n") }).collect()
}

/// The status of a program that `timeout` ended.
const TIME_IS_UP: &str = "124";

fn tests(sections: &BTreeMap<String, Section>, operation: &str) -> Result<Outcome> {
    let native = section(sections, &format!("native.test-{operation}"))?;
    let ours = section(sections, &format!("venus.test-{operation}"))?;
    let mut done = [native, ours].map(|section| parse_tests(&section.text, operation));
    let cut = [native, ours].map(|section| section.keys.get("status").is_some_and(|status| status == TIME_IS_UP));
    let counts = [done[0].len(), done[1].len()];
    if cut != [false, false] {
        // What one side did not come to cannot be compared.
        let [native, ours] = &mut done;
        native.retain(|test, _| ours.contains_key(test) || !cut[1]);
        ours.retain(|test, _| native.contains_key(test) || !cut[0]);
    }
    let time = |section: &Section| section.keys.get("ms").and_then(|ms| ms.parse::<f64>().ok()).unwrap_or(0.0) / 1000.0;
    let outcome = compare_tests(&done[0], &done[1]);
    let outcome = outcome.figure(format!("{:.1} s, natively {:.1} s", time(ours), time(native)));
    Ok(match cut {
        [false, false] => outcome,
        _ => outcome.figure(format!("time was up after {} tests, natively after {}", counts[1], counts[0])),
    })
}

fn perf(sections: &BTreeMap<String, Section>) -> Result<Outcome> {
    let best = |wanted: &dyn Fn(&str) -> bool| {
        let mut best: BTreeMap<String, f64> = BTreeMap::new();
        for (_, section) in sections.iter().filter(|(name, _)| wanted(name)) {
            for (test, time) in parse_perf(&section.text) {
                let known = best.entry(test).or_insert(time);
                *known = known.min(time);
            }
        }
        best
    };
    let ours = best(&|name| name.starts_with("venus.perf-"));
    let alike = best(&|name| name.starts_with("native_alike.perf-"));
    let native = best(&|name| name.starts_with("native.perf-"));
    anyhow::ensure!(!native.is_empty(), "no native times in the file");
    let mut outcome = Outcome::pass();
    for (test, native) in native {
        let name = test.replace(SHARED, "");
        let Some(ours) = ours.get(&test) else {
            outcome.regress(format!("{name} has no time through us"));
            continue;
        };
        let ratio = ours / native;
        let mut figure = format!("`{name}` {ours:.1} us, natively {native:.1} us, ratio {ratio:.2}");
        let fair = alike.get(&test).map(|alike| (alike, ours / alike));
        if let Some((alike, fair)) = fair {
            figure += &format!(" (natively with the protocol's extensions {alike:.1} us, ratio {fair:.2})");
        }
        if ratio > SLOW {
            match fair {
                Some((_, fair)) if fair <= SLOW => outcome.explain(NATIVE_EXTENSIONS),
                _ => outcome.regress(format!("{name} takes {ratio:.2} times as long as natively")),
            }
        }
        outcome = outcome.figure(figure);
    }
    Ok(outcome)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_are_told_apart() {
        let sections =
            parse("@@ versions\nmesa=1\n@@ native.perf-ADD.1 status=0 ms=5\n  ADD(a): 2 runs - 4.0 us/run - x\n");
        assert_eq!(sections["versions"].text, "mesa=1\n");
        assert_eq!(sections["native.perf-ADD.1"].keys["ms"], "5");
        assert!(perf(&sections).unwrap().regressions()[0].contains("no time through us"));
        assert!(ended(&sections, "versions").is_err());
    }

    #[test]
    fn numbered_items_are_mended() {
        let broken = "{ \"list\": [\n  \"0\": {\n \"a\": 1 }\n] }";
        assert!(serde_json::from_str::<Value>(broken).is_err());
        let mended: Value = serde_json::from_str(&mended(broken)).unwrap();
        assert_eq!(mended, serde_json::json!({ "list": [{ "a": 1 }] }));
    }

    #[test]
    fn a_slow_time_needs_the_native_one_with_the_same_extensions() {
        let step =
            |name: &str, time: &str| format!("@@ {name} status=0 ms=1\n  MUL_MAT(a): 2 runs - {time} us/run - x\n");
        let (native, ours) = (step("native.perf-MUL_MAT.1", "1.0"), step("venus.perf-MUL_MAT.1", "9.0"));
        assert_eq!(perf(&parse(&(native.clone() + &ours))).unwrap().summary(), "REGRESSION (1)");
        let alike = step("native_alike.perf-MUL_MAT.1", "8.0");
        assert_eq!(perf(&parse(&(native + &ours + &alike))).unwrap().summary(), "differs (1 explained)");
    }

    #[test]
    fn the_best_turn_of_each_side_counts() {
        let turn = |side: &str, turn: u32, time: &str| {
            format!("@@ {side}.perf-ADD.{turn} status=0 ms=1\n  ADD(a): 2 runs - {time} us/run - x\n")
        };
        let text =
            [turn("native", 1, "4.0"), turn("native", 2, "2.0"), turn("venus", 1, "3.0"), turn("venus", 2, "9.0")];
        let outcome = perf(&parse(&text.concat())).unwrap();
        assert_eq!(outcome.figures(), ["`ADD(a)` 3.0 us, natively 2.0 us, ratio 1.50"]);
    }
}
