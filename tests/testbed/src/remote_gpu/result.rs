//! What `tests/remote-gpu/run.sh` writes.
//!
//! The file is text: a line `@@ name key=value…` begins a section, and what follows is what a program printed.

use anyhow::{Context as _, Result};
use std::collections::BTreeMap;

/// A section: its `key=value` pairs and its text.
#[derive(Debug, Default)]
pub(crate) struct Section {
    pub(crate) keys: BTreeMap<String, String>,
    pub(crate) text: String,
}

pub(crate) fn parse(text: &str) -> BTreeMap<String, Section> {
    let mut sections: BTreeMap<String, Section> = BTreeMap::new();
    let mut name = String::new();
    for line in text.lines() {
        if let Some(head) = line.strip_prefix("@@ ") {
            let mut words = head.split(' ');
            words.next().unwrap_or_default().clone_into(&mut name);
            let keys =
                words.filter_map(|word| word.split_once('=')).map(|(key, value)| (key.to_owned(), value.to_owned()));
            sections.insert(name.clone(), Section { keys: keys.collect(), text: String::new() });
        } else if let Some(section) = sections.get_mut(&name) {
            section.text.push_str(line);
            section.text.push('\n');
        }
    }
    sections
}

pub(crate) fn section<'a>(sections: &'a BTreeMap<String, Section>, name: &str) -> Result<&'a Section> {
    sections.get(name).with_context(|| format!("the file has no section {name}"))
}

/// Reads microseconds per run from lines such as `  ADD(…): 16380 runs - 82.41 us/run - 48 kB/run - 0.56 GB/s`.
pub(crate) fn parse_perf(output: &str) -> BTreeMap<String, f64> {
    let lines = output.lines().filter_map(|line| {
        let (test, rest) = line.trim().rsplit_once("): ")?;
        let time = rest.split_once(" us/run")?.0.split_whitespace().last()?;
        Some((format!("{test})"), time.parse().ok()?))
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read() {
        let perf = parse_perf("  ADD(type=f32): 16380 runs -    82.41 us/run -       48 kB/run -    0.56 GB/s\n");
        assert_eq!(perf, BTreeMap::from([("ADD(type=f32)".to_owned(), 82.41)]));
    }
}
