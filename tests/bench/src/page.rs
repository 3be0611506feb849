//! Writes the tables of `docs/benchmarks.md` between its markers, and the same figures as JSON beside it.
//!
//! What the files of a run say is believed; the targets are stated here, and nowhere else.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use testbed::sandbox::Guest;

/// Between these lines the page is ours; around them, its authors'.
const BEGIN: &str = "<!-- figures: written by `cargo xtask bench --write` -->";
const END: &str = "<!-- end of the figures -->";

/// What a row should be: its ratio at most this, to whom.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Target {
    /// Of ours to the peer's.
    Peer(f64),
    /// The same, and of the slowest per cent, too.
    PeerAndSlowest(f64),
    /// Of ours to native.
    Native(f64),
}

/// Rows with a target.
const TARGETS: &[(&str, Target)] = &[
    ("first_reply", Target::Peer(0.7)),
    ("device_ready", Target::Peer(0.9)),
    ("sync_call", Target::Peer(0.6)),
    ("record_stream", Target::Peer(0.8)),
    ("record_ring", Target::Peer(0.9)),
    ("submit_wait", Target::PeerAndSlowest(1.0)),
    ("time-start", Target::Peer(0.9)),
    ("time-call", Target::Peer(0.7)),
    ("time-record", Target::Peer(0.75)),
    ("time-submit", Target::Peer(0.6)),
    ("time-job", Target::Native(1.5)),
    // 0.7 of the frames.
    ("vkmark-cube", Target::Native(1.43)),
    ("vkmark-clear", Target::Native(1.43)),
];

/// Tables of rows: a file of figures, and what stands above it.
const TABLES: &[(&str, &str)] = &[
    ("hosts.json", "The small Rust guest of `tests/guest`, on both hosts"),
    ("programs.json", "Programs on Mesa's guest driver, natively and on both hosts"),
    ("programs-pinned.json", "The same with programs, and native drivers, on one processor, and hosts on the other"),
    ("programs-older.json", "The same, not kept to processors, with guest, drivers and virglrenderer of Debian trixie"),
    ("idle.json", "Guests with nothing to do; memory as Linux counts PSS, each shared page in parts"),
];

/// Writes the page's tables from the files in `figures`.
pub(crate) fn write(figures: &Path, page: &Path, guest: &Guest, notes: &[String]) -> Result<()> {
    let mut found = serde_json::Map::new();
    for name in TABLES.iter().map(|(name, _)| *name).chain(["codec.json"]) {
        if let Ok(text) = std::fs::read_to_string(figures.join(name)) {
            let mut file: Value = serde_json::from_str(&text).with_context(|| format!("reading {name}"))?;
            // Where the command lies is of no use elsewhere.
            let _path = file.as_object_mut().and_then(|file| file.remove("venus"));
            found.insert(name.to_owned(), file);
        }
    }
    let conditions = conditions(guest, notes);
    let text = std::fs::read_to_string(page).with_context(|| format!("reading {}", page.display()))?;
    let text = between(&text, &tables(&found, &conditions)).with_context(|| format!("writing {}", page.display()))?;
    std::fs::write(page, text).with_context(|| format!("writing {}", page.display()))?;
    let all = json!({ "conditions": conditions, "figures": found });
    crate::report::save(Some(&page.with_extension("json")), &all)
}

/// Puts the tables where the page has its markers.
fn between(page: &str, tables: &str) -> Result<String> {
    let marked = page.split_once(BEGIN).and_then(|(before, rest)| Some((before, rest.split_once(END)?.1)));
    let (before, after) = marked.with_context(|| format!("the page has no {BEGIN:?} and {END:?}"))?;
    ensure!(!after.contains(BEGIN), "the page has its markers twice");
    Ok(format!("{before}{BEGIN}\n\n{tables}\n{END}{after}"))
}

/// The machine and the versions.
fn conditions(guest: &Guest, notes: &[String]) -> Vec<String> {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let cpuinfo = read("/proc/cpuinfo");
    let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or("a processor without a name", |(_, model)| model);
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let kernel = read("/proc/sys/kernel/osrelease");
    let version = |package| guest.upstream_version(package).unwrap_or_else(|| "?".to_owned());
    let mut conditions = vec![
        format!("{model}, {cores} cores, Linux {}", kernel.trim()),
        format!("guest and drivers of Debian {}: Mesa {}", guest.name(), version("mesa-vulkan-drivers")),
        format!("the peer is virglrenderer {}", version("virgl-server")),
    ];
    conditions.extend(notes.iter().cloned());
    conditions
}

/// All of what stands between the markers.
fn tables(found: &serde_json::Map<String, Value>, conditions: &[String]) -> String {
    let mut out = format!("{}.\n", conditions.join("; "));
    let rows_of = |name: &str| found.get(name).and_then(|file| file.get("rows")?.as_array().cloned());
    for (name, above) in TABLES {
        let Some(rows) = rows_of(name) else { continue };
        let turns = rows.iter().filter_map(|row| row.get("ours")?.get("turns")?.as_u64().or(Some(0))).max();
        let turns = turns.filter(|turns| *turns > 0).map_or(String::new(), |turns| format!(", turns: {turns}"));
        let mesa = found.get(*name).and_then(|file| file.get("mesa")?.as_str());
        let mesa = mesa.map_or(String::new(), |version| format!(", Mesa {version}"));
        let _ = writeln!(out, "\n{above}{mesa}{turns}:\n");
        out.push_str("| | native | ours | peer | ours / peer | ours / native | target | met |\n");
        out.push_str("|---|---:|---:|---:|---:|---:|---|---|\n");
        rows.iter().for_each(|row| out.push_str(&line(row)));
        out.push_str(&switches(&rows));
    }
    if let Some(rows) = found.get("codec.json").and_then(|file| file.get("codec")?.as_array()) {
        out.push_str("\nInstructions of the codec for each command, and of virglrenderer's decoder:\n\n");
        out.push_str("| | decoding | its | ratio | with a lock | its | ratio | encoding |\n");
        out.push_str("|---|---:|---:|---:|---:|---:|---:|---:|\n");
        rows.iter().for_each(|row| out.push_str(&codec_line(row)));
    }
    out
}

/// One row of measurements.
fn line(row: &Value) -> String {
    let has_failed = |way: &str| row.get(way).and_then(|it| it.get("failed")).is_some_and(Value::is_string);
    // Turns from before a failure say nothing of how it is.
    let number = |of: &str, which: &str| if has_failed(of) { None } else { row.get(of)?.get(which)?.as_f64() };
    let cell = |way: &str| match (number(way, "p50"), number(way, "p99")) {
        (Some(p50), Some(p99)) => format!("{p50:.2} ({p99:.2})"),
        (Some(p50), None) => format!("{p50:.2}"),
        (None, _) if has_failed(way) => "fails".to_owned(),
        (None, _) => "-".to_owned(),
    };
    let ratio = |key: &str| {
        let values: Vec<f64> = row.get(key)?.as_array()?.iter().filter_map(Value::as_f64).collect();
        <[f64; 3]>::try_from(values).ok()
    };
    let spread = |key: &str| match ratio(key) {
        Some([middle, least, most]) => format!("{middle:.2} ({least:.2} to {most:.2})"),
        None => "-".to_owned(),
    };
    let middle = |key: &str| ratio(key).map(|[middle, ..]| middle);
    let case = row.get("case").and_then(Value::as_str).unwrap_or_default();
    let target = TARGETS.iter().find(|(name, _)| *name == case).map(|(_, target)| *target);
    let (words, met) = match target {
        None => ("-".to_owned(), None),
        Some(Target::Peer(most)) => {
            (format!("{most} of the peer's"), middle("ours_to_peer").map(|ratio| ratio <= most))
        }
        Some(Target::PeerAndSlowest(most)) => {
            let both = middle("ours_to_peer").zip(middle("p99_to_peer"));
            (format!("{most} of the peer's, 99 % too"), both.map(|(ratio, slowest)| ratio <= most && slowest <= most))
        }
        Some(Target::Native(most)) => {
            (format!("{most} of native"), middle("ours_to_native").map(|ratio| ratio <= most))
        }
    };
    let met = if has_failed("ours") { Some(false) } else { met };
    let met = met.map_or("-", |met| if met { "yes" } else { "**no**" });
    let what = row.get("what").and_then(Value::as_str).unwrap_or_default();
    let (native, ours, peer) = (cell("native"), cell("ours"), cell("peer"));
    let (to_peer, to_native) = (spread("ours_to_peer"), spread("ours_to_native"));
    format!("| {what} | {native} | {ours} | {peer} | {to_peer} | {to_native} | {words} | {met} |\n")
}

/// How often threads took turns for each row, if that was counted.
fn switches(rows: &[Value]) -> String {
    let counted = |row: &&Value| row.pointer("/ours/switches").is_some_and(Value::is_number);
    let lines: String = rows
        .iter()
        .filter(counted)
        .map(|row| {
            let cell = |way: &str| match row.pointer(&format!("/{way}/switches")).and_then(Value::as_f64) {
                Some(switches) => format!("{switches:.3}"),
                None => "-".to_owned(),
            };
            let what = row.get("what").and_then(Value::as_str).unwrap_or_default();
            format!("| {what} | {} | {} | {} |\n", cell("native"), cell("ours"), cell("peer"))
        })
        .collect();
    if lines.is_empty() {
        return lines;
    }
    format!(
        "\nHow often the machine's processors went from one thread to another for each of these:\n\n\
         | | native | ours | peer |\n|---|---:|---:|---:|\n{lines}"
    )
}

/// One command of the codec.
fn codec_line(row: &Value) -> String {
    let number = |of: &str, which: &str| row.get(of)?.get(which)?.as_f64();
    let decoding = number("decode", "instructions");
    let encoding = number("encode", "instructions");
    let locked = number("decode_locked", "instructions");
    let locked_reference = row.get("reference").and_then(|it| it.get("locked")?.get("instructions")?.as_f64());
    let reference = number("reference", "instructions");
    let cell = |number: Option<f64>| number.map_or("-".to_owned(), |number| format!("{number:.0}"));
    let ratio = |ours: Option<f64>, its: Option<f64>| {
        ours.zip(its).map_or("-".to_owned(), |(ours, its)| format!("{:.2}", ours / its))
    };
    let name = row.get("name").and_then(Value::as_str).unwrap_or_default();
    // Of a reply the reference has encoded, not decoded.
    let compared = decoding.or(encoding);
    format!(
        "| {name} | {} | {} | {} | {} | {} | {} | {} |\n",
        cell(decoding),
        cell(reference),
        ratio(compared, reference),
        cell(locked),
        cell(locked_reference),
        ratio(locked, locked_reference),
        cell(encoding),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::{Outcome, Row, Times};

    fn row(case: &str, native: f64, ours: f64, peer: f64) -> Value {
        let outcome =
            |p50| Outcome { turns: vec![Times { p50, p99: Some(3.0 * p50), switches: Some(2.0) }], failed: None };
        Row([native, ours, peer].map(outcome)).json(case, "a title")
    }

    #[test]
    fn a_line_says_whether_its_target_is_met() {
        let met = line(&row("time-submit", 1.0, 6.0, 10.0));
        assert_eq!(
            met,
            "| a title | 1.00 (3.00) | 6.00 (18.00) | 10.00 (30.00) | 0.60 (0.60 to 0.60) | 6.00 (6.00 to 6.00) | 0.6 of the \
             peer's | yes |\n"
        );
        assert!(line(&row("time-submit", 1.0, 6.1, 10.0)).ends_with("| **no** |\n"));
        assert!(line(&row("submit_wait", 1.0, 10.0, 10.0)).ends_with("99 % too | yes |\n"));
        assert!(line(&row("vkmark-cube", 1.0, 1.5, 9.0)).ends_with("1.43 of native | **no** |\n"));
        assert!(line(&row("time-map", 1.0, 1.0, 1.0)).ends_with("| - | - |\n"));
    }

    #[test]
    fn what_was_not_measured_meets_nothing() {
        let lost = Row::default().json("time-submit", "a title");
        assert_eq!(line(&lost), "| a title | - | - | - | - | - | 0.6 of the peer's | - |\n");
        let failing = |turns| Outcome { turns, failed: Some("no end".to_owned()) };
        let once = || vec![Times::from(2.0)];
        let peer_fails = Row([Outcome::default(), Outcome { turns: once(), failed: None }, failing(once())]);
        let line_of = |row: &Row| line(&row.json("time-submit", "a title"));
        assert_eq!(line_of(&peer_fails), "| a title | - | 2.00 | fails | - | - | 0.6 of the peer's | - |\n");
        let ours_fails = Row([Outcome::default(), failing(once()), Outcome { turns: once(), failed: None }]);
        assert_eq!(line_of(&ours_fails), "| a title | - | fails | 2.00 | - | - | 0.6 of the peer's | **no** |\n");
    }

    #[test]
    fn the_codecs_ratios_are_of_what_the_reference_did() {
        let reply = json!({
            "name": "a reply", "decode": null, "decode_locked": null, "encode": { "instructions": 50.0 },
            "reference": { "instructions": 100, "locked": null },
        });
        assert_eq!(codec_line(&reply), "| a reply | - | 100 | 0.50 | - | - | - | 50 |\n");
    }

    #[test]
    fn only_what_is_between_the_markers_changes() {
        let page = format!("# Before\n{BEGIN}\nold\n{END}\nafter\n");
        let written = between(&page, "new\n").unwrap();
        assert_eq!(written, format!("# Before\n{BEGIN}\n\nnew\n\n{END}\nafter\n"));
        assert_eq!(between(&written, "new\n").unwrap(), written);
        between("# No marker\n", "new\n").unwrap_err();
    }

    #[test]
    fn a_run_is_told_with_its_conditions_and_turns() {
        let rows = json!({ "rows": [row("time-map", 1.0, 1.0, 1.0)] });
        let found = serde_json::Map::from_iter([("programs.json".to_owned(), rows)]);
        let text = tables(&found, &["a machine".to_owned(), "a version".to_owned()]);
        assert!(text.starts_with("a machine; a version.\n\nPrograms on Mesa's"), "{text}");
        assert!(text.contains("both hosts, turns: 1:\n") && !text.contains("codec"), "{text}");
        assert!(text.ends_with("|---|---:|---:|---:|\n| a title | 2.000 | 2.000 | 2.000 |\n"), "{text}");
    }
}
