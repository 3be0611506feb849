//! The status as a table, for people.

use std::fmt::Write as _;

use serde_json::Value;

/// Headings, and whether the column is of numbers.
const COLUMNS: [(&str, bool); 11] = [
    ("GUEST", false),
    ("WORKER", true),
    ("USER", true),
    ("TIME", true),
    ("DEVICES", true),
    ("OBJECTS", true),
    ("MEMORY", true),
    ("COMMANDS/S", true),
    ("SUBMITS/S", true),
    ("FAILED", true),
    ("GPU", false),
];

/// All of it.
pub(super) fn of(status: &Value) -> String {
    let guests = status["guests"].as_array().map(Vec::as_slice).unwrap_or_default();
    let plural = if guests.len() == 1 { "" } else { "s" };
    let mut text = format!(
        "server {}, up {}, {} guest{plural}\n",
        status["process"],
        duration(status["uptime_seconds"].as_f64().unwrap_or_default()),
        guests.len()
    );
    if guests.is_empty() {
        return text;
    }
    text.push_str(&aligned(&guests.iter().map(row).collect::<Vec<_>>()));
    guests.iter().for_each(|guest| remark(guest, &mut text));
    text
}

/// Rows below the headings, in columns.
fn aligned(rows: &[[String; COLUMNS.len()]]) -> String {
    let headings = COLUMNS.map(|(heading, _)| heading.to_owned());
    let rows: Vec<_> = std::iter::once(&headings).chain(rows).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; COLUMNS.len()] = std::array::from_fn(width);
    rows.iter().map(|row| line(row, &widths)).collect()
}

fn line(row: &[String; COLUMNS.len()], widths: &[usize; COLUMNS.len()]) -> String {
    let cells = row.iter().zip(widths).zip(COLUMNS);
    let cells: Vec<_> = cells
        .map(|((cell, width), (_, is_number))| match is_number {
            true => format!("{cell:>width$}"),
            false => format!("{cell:<width$}"),
        })
        .collect();
    format!("{}\n", cells.join("  ").trim_end())
}

/// What there is to say of a guest besides numbers.
fn remark(guest: &Value, text: &mut String) {
    if let Some(error) = guest["last_error"].as_str() {
        let _infallible = writeln!(text, "last error of {} ({}): {error}", name(guest), guest["worker"]);
    }
    if guest["answers"] == false {
        let worker = &guest["worker"];
        let _infallible =
            writeln!(text, "worker {worker} of {} does not answer; it may be stopped or stuck", name(guest));
    }
}

fn name(guest: &Value) -> &str {
    match guest["name"].as_str() {
        None | Some("") => "(no name yet)",
        Some(name) => name,
    }
}

fn row(guest: &Value) -> [String; COLUMNS.len()] {
    let number = |key: &str| guest[key].as_u64().map_or_else(|| "-".to_owned(), |number| number.to_string());
    let rate = |key: &str| guest[key].as_f64().map_or_else(|| "-".to_owned(), |rate| format!("{rate:.0}"));
    let gpus: Vec<&str> = guest["gpus"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let memory = guest["device_memory_bytes"].as_u64().zip(guest["shared_memory_bytes"].as_u64());
    [
        name(guest).to_owned(),
        number("worker"),
        number("user"),
        duration(guest["seconds"].as_f64().unwrap_or_default()),
        number("devices"),
        number("objects"),
        memory.map_or_else(|| "-".to_owned(), |(device, shared)| bytes(device.saturating_add(shared))),
        rate("commands_per_second"),
        rate("submissions_per_second"),
        number("failures"),
        if gpus.is_empty() { "-".to_owned() } else { gpus.join(", ") },
    ]
}

/// Whole mebibytes, which is all that matters here.
fn bytes(bytes: u64) -> String {
    format!("{} MiB", bytes >> 20)
}

fn duration(seconds: f64) -> String {
    let seconds = std::time::Duration::try_from_secs_f64(seconds).unwrap_or_default().as_secs();
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h{:02}m", seconds / 3600, seconds / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_table_has_a_row_for_each_guest() {
        let status = json!({ "process": 17, "uptime_seconds": 3725.5, "guests": [
            { "name": "vkcube", "worker": 4711, "user": 1000, "seconds": 65.0, "answers": true, "devices": 1, "objects": 120,
              "device_memory_bytes": 5 << 20, "shared_memory_bytes": 9 << 20, "failures": 1,
              "gpus": ["llvmpipe (LLVM 15.0.6, 256 bits)"],
              "commands_per_second": 1234.5, "submissions_per_second": 60.0, "last_error": "vkAllocateMemory: too much" },
            { "name": "", "worker": 5, "user": null, "seconds": 0.5, "answers": false },
        ]});
        let expected = "\
server 17, up 1h02m, 2 guests
GUEST          WORKER  USER   TIME  DEVICES  OBJECTS  MEMORY  COMMANDS/S  SUBMITS/S  FAILED  GPU
vkcube           4711  1000  1m05s        1      120  14 MiB        1234         60       1  llvmpipe (LLVM 15.0.6, 256 bits)
(no name yet)       5     -     0s        -        -       -           -          -       -  -
last error of vkcube (4711): vkAllocateMemory: too much
worker 5 of (no name yet) does not answer; it may be stopped or stuck
";
        assert_eq!(of(&status), expected);
    }

    #[test]
    fn a_server_without_guests_is_one_line() {
        let status = json!({ "process": 17, "uptime_seconds": 3.0, "guests": [] });
        assert_eq!(of(&status), "server 17, up 3s, 0 guests\n");
    }
}
