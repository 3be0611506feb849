//! How fast a guest in its host's process is, beside a native program: what `ONLY=pairs` of the script has measured.

use super::result::{Section, parse, parse_perf};
use anyhow::{Result, bail, ensure};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// The native side of a pair, with those extensions only that a guest has.
const NATIVE: &str = "native_alike";
/// The other one.
const OURS: &str = "in_process";
/// What a row of an operation is called after it, where a process has all cases of it.
const SHARED: &str = ", one process for all cases";
/// Longest that the name of a case is shown.
const NAME: usize = 70;

/// What one side came to in one turn: a rate, or the inverse of a time, for each thing that was measured.
type Rates = BTreeMap<String, f64>;

/// A row: what both sides came to, by the turn.
#[derive(Debug, Default)]
struct Row {
    native: BTreeMap<String, Rates>,
    ours: BTreeMap<String, Rates>,
}

/// Renders what a result file has of pairs, as a table of Markdown: our rate by native's of the same turn.
///
/// # Errors
///
/// There are no pairs in the file.
pub fn table(result: &str) -> Result<String> {
    let rows = rows(&parse(result));
    ensure!(!rows.is_empty(), "the file has no pairs: they are measured with ONLY=pairs");
    let mut text = "| row | cases | ours / native | the slowest case |\n|---|---:|---:|---|\n".to_owned();
    let mut medians = Vec::new();
    for (name, row) in &rows {
        let turns = row.turns();
        ensure!(!turns.is_empty(), "{name} has no turn with both sides");
        // Time is up in shared rows, but a case that runs by itself and has no figure has failed.
        if let Some(case) = row.unanswered().filter(|_| !name.ends_with(SHARED)) {
            bail!("{name}: {case} was measured natively, and not here");
        }
        let ratios: Vec<f64> = turns.iter().map(|ratios| geometric_mean(ratios.values().copied())).collect();
        if !name.ends_with(SHARED) {
            medians.push(median(ratios.clone()));
        }
        let _ = writeln!(text, "| {name} | {} | {} | {} |", turns[0].len(), spread(&ratios), slowest(&turns));
    }
    if !medians.is_empty() {
        let _ = writeln!(text, "\nGeometric mean of the rows but the shared ones: {:.3}.", geometric_mean(medians));
    }
    Ok(text)
}

impl Row {
    /// A case that only the native side has figures of.
    fn unanswered(&self) -> Option<&String> {
        let is_here = |case: &&String| self.ours.values().any(|rates| rates.contains_key(*case));
        self.native.values().flat_map(BTreeMap::keys).find(|case| !is_here(case))
    }

    /// The ratio of each case, turn by turn: of the turns that have most cases, since time may be up in the last one.
    fn turns(&self) -> Vec<Rates> {
        let pairs = self.native.iter().filter_map(|(turn, native)| Some((native, self.ours.get(turn)?)));
        let ratios = pairs.map(|(native, ours)| {
            let both = ours.iter().filter_map(|(case, ours)| Some((case.clone(), ours / native.get(case)?)));
            both.collect::<Rates>()
        });
        let mut turns: Vec<Rates> = ratios.filter(|ratios| !ratios.is_empty()).collect();
        let most = turns.iter().map(BTreeMap::len).max().unwrap_or(0);
        turns.retain(|ratios| ratios.len() == most);
        turns
    }
}

/// Sorts sections `SIDE.KIND-OPERATION[.NUMBER].TURN` and `SIDE.llama.TURN` into rows.
fn rows(sections: &BTreeMap<String, Section>) -> BTreeMap<String, Row> {
    let mut rows: BTreeMap<String, Row> = BTreeMap::new();
    for (name, section) in sections {
        let words: Vec<&str> = name.split('.').collect();
        let [side @ (NATIVE | OURS), kind, .., turn] = &words[..] else { continue };
        if *turn == "errors" {
            continue;
        }
        let measured = match kind.split_once('-') {
            None if *kind == "llama" => language_model(&section.text),
            Some(("alone", operation)) => vec![(operation.to_owned(), inverse(&section.text))],
            Some(("shared", operation)) => vec![(format!("{operation}{SHARED}"), inverse(&section.text))],
            _ => continue,
        };
        for (row, rates) in measured {
            let row = rows.entry(row).or_default();
            let turns = if *side == NATIVE { &mut row.native } else { &mut row.ours };
            turns.entry((*turn).to_owned()).or_default().extend(rates);
        }
    }
    rows
}

/// Tokens a second, from the lines of JSON that llama-bench prints.
fn language_model(text: &str) -> Vec<(String, Rates)> {
    let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let rates = lines.filter_map(|line| {
        let number = |name: &str| line.get(name).and_then(Value::as_u64);
        let row = match (number("n_prompt")?, number("n_gen")?) {
            (prompt, 0) => format!("llama-bench, prompt of {prompt}"),
            (_, generated) => format!("llama-bench, generating {generated}"),
        };
        let rate = line.get("avg_ts")?.as_f64()?;
        Some((row, Rates::from([("tokens a second".to_owned(), rate)])))
    });
    rates.collect()
}

/// Runs of each case in a microsecond.
fn inverse(text: &str) -> Rates {
    parse_perf(text).into_iter().map(|(case, time)| (case, time.recip())).collect()
}

/// The case with the least median, where there are several.
fn slowest(turns: &[Rates]) -> String {
    let cases: BTreeSet<&String> = turns.iter().flat_map(BTreeMap::keys).collect();
    if cases.len() < 2 {
        return "-".to_owned();
    }
    let medians = cases.into_iter().map(|case| {
        let ratios = turns.iter().filter_map(|turn| turn.get(case).copied());
        (median(ratios.collect()), case)
    });
    let least = medians.min_by(|(one, _), (other, _)| one.total_cmp(other));
    least.map_or_else(String::new, |(ratio, case)| {
        let short: String = case.chars().take(NAME).collect();
        let rest = if short.len() < case.len() { "…" } else { "" };
        format!("{ratio:.2} `{short}{rest}`")
    })
}

/// The median, with the least and the greatest where there are several.
fn spread(values: &[f64]) -> String {
    let middle = median(values.to_vec());
    if values.len() < 2 {
        return format!("{middle:.3}");
    }
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let greatest = values.iter().copied().fold(0.0, f64::max);
    format!("{middle:.3} ({least:.3} to {greatest:.3})")
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() % 2 {
        0 if middle > 0 => f64::midpoint(values[middle - 1], values[middle]),
        _ => values.get(middle).copied().unwrap_or(f64::NAN),
    }
}

fn geometric_mean(values: impl IntoIterator<Item = f64>) -> f64 {
    let (sum, count) = values.into_iter().fold((0.0, 0.0), |(sum, count), value| (sum + value.ln(), count + 1.0));
    f64::exp(sum / count)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(name: &str, times: &[(&str, f64)]) -> String {
        let lines = times.iter().map(|(case, time)| format!("  ADD({case}): 2 runs - {time} us/run - x\n"));
        format!("@@ {name} status=0 ms=1\n{}", lines.collect::<String>())
    }

    #[test]
    fn turns_are_compared_with_themselves() {
        let text = [
            step("native_alike.alone-ADD.1.1", &[("a", 1.0)]),
            step("in_process.alone-ADD.1.1", &[("a", 2.0)]),
            step("native_alike.alone-ADD.2.1", &[("b", 9.0)]),
            step("in_process.alone-ADD.2.1", &[("b", 4.5)]),
            step("native_alike.alone-ADD.1.2", &[("a", 5.0)]),
            step("in_process.alone-ADD.1.2", &[("a", 5.0)]),
            step("native_alike.alone-ADD.2.2", &[("b", 1.0)]),
            step("in_process.alone-ADD.2.2", &[("b", 4.0)]),
        ];
        let table = table(&text.concat()).unwrap();
        assert!(table.contains("| ADD | 2 | 0.750 (0.500 to 1.000) | 0.75 `ADD(a)` |"), "{table}");
        assert!(table.ends_with("shared ones: 0.750.\n"), "{table}");
    }

    #[test]
    fn a_turn_that_was_cut_short_does_not_count() {
        let text = [
            step("native_alike.shared-ADD.1", &[("a", 1.0), ("b", 1.0)]),
            step("in_process.shared-ADD.1", &[("a", 1.0), ("b", 1.0)]),
            step("native_alike.shared-ADD.2", &[("a", 1.0), ("b", 1.0)]),
            step("in_process.shared-ADD.2", &[("a", 8.0)]),
        ];
        let rows = rows(&parse(&text.concat()));
        let row = &rows["ADD, one process for all cases"];
        assert_eq!(row.turns(), [BTreeMap::from([("ADD(a)".to_owned(), 1.0), ("ADD(b)".to_owned(), 1.0)])]);
    }

    #[test]
    fn a_case_that_fails_here_is_not_left_out() {
        let text = |kind: &str| {
            step(&format!("native_alike.{kind}-ADD.1.1"), &[("a", 1.0), ("b", 1.0)])
                + &step(&format!("in_process.{kind}-ADD.1.1"), &[("a", 1.0)])
        };
        assert_eq!(table(&text("alone")).unwrap_err().to_string(), "ADD: ADD(b) was measured natively, and not here");
        let shared = table(&text("shared")).unwrap();
        assert!(shared.ends_with("| ADD, one process for all cases | 1 | 1.000 | - |\n"), "{shared}");
    }

    #[test]
    fn rates_of_a_language_model_are_rates() {
        let line = |rate: f64| format!(r#"{{"n_prompt": 512, "n_gen": 0, "avg_ts": {rate}}}"#);
        let text = format!(
            "@@ native_alike.llama.1 status=0 ms=1\n{}\n@@ in_process.llama.1 status=0 ms=1\n{}\n",
            line(100.0),
            line(90.0)
        );
        assert!(table(&text).unwrap().contains("| llama-bench, prompt of 512 | 1 | 0.900 | - |"));
    }

    #[test]
    fn a_file_of_something_else_is_refused() {
        assert!(table("@@ versions\nmesa=1\n").unwrap_err().to_string().contains("ONLY=pairs"));
    }
}
