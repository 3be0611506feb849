//! Statistics: how often each command was executed, and what it took.

use std::fmt::Write as _;

use serde::Serialize;
use venus_protocol::wire::CommandType;

use super::{json, queue::Block, units::Duration};

/// All executions of one command.
#[derive(Debug, Clone, Copy, Default)]
struct Row {
    count: u64,
    failed: u64,
    request_bytes: u64,
    reply_bytes: u64,
    total_ns: u64,
    max_ns: u64,
}

impl Row {
    fn add(&mut self, other: &Self) {
        self.count = self.count.saturating_add(other.count);
        self.failed = self.failed.saturating_add(other.failed);
        self.request_bytes = self.request_bytes.saturating_add(other.request_bytes);
        self.reply_bytes = self.reply_bytes.saturating_add(other.reply_bytes);
        self.total_ns = self.total_ns.saturating_add(other.total_ns);
        self.max_ns = self.max_ns.max(other.max_ns);
    }
}

/// By command. Time of commands in an indirect stream is theirs and not that of the command that names the stream.
#[derive(Debug, Default)]
pub(super) struct Statistics {
    /// By command number.
    rows: Vec<Row>,
}

/// A command that has ended.
pub(super) struct Execution {
    pub(super) command: CommandType,
    pub(super) has_failed: bool,
    pub(super) request_bytes: usize,
    pub(super) reply_bytes: usize,
    /// Its duration without that of commands inside it, in nanoseconds.
    pub(super) duration_ns: u64,
}

impl Statistics {
    pub(super) fn add(&mut self, execution: &Execution) {
        let index = execution.command.0 as usize;
        if index >= self.rows.len() {
            self.rows.resize(index.saturating_add(1), Row::default());
        }
        let Some(row) = self.rows.get_mut(index) else { return };
        row.add(&Row {
            count: 1,
            failed: execution.has_failed.into(),
            request_bytes: execution.request_bytes as u64,
            reply_bytes: execution.reply_bytes as u64,
            total_ns: execution.duration_ns,
            max_ns: execution.duration_ns,
        });
    }

    /// The commands that there were, and their sum. What took longest comes first, then what was most frequent.
    fn sorted(&self) -> (Vec<(CommandType, Row)>, Row) {
        let mut sum = Row::default();
        let mut rows = Vec::new();
        for (number, row) in (0_u32..).zip(&self.rows).filter(|(_, row)| row.count > 0) {
            sum.add(row);
            rows.push((CommandType(number), *row));
        }
        rows.sort_by(|(_, left), (_, right)| {
            (right.total_ns, right.count, right.request_bytes).cmp(&(left.total_ns, left.count, left.request_bytes))
        });
        (rows, sum)
    }

    /// As a table for people.
    pub(super) fn print_text(&self, block: &mut Block) {
        let (rows, sum) = self.sorted();
        let names = rows.iter().map(|(command, _)| command.name().len());
        let width = names.max().unwrap_or(0).max("command".len());
        let mut line = |name: &str, cells: [String; 8]| {
            let [count, failed, request, reply, total, mean, max, share] = cells;
            let _infallible = writeln!(
                block.head,
                "{name:width$} {count:>9} {failed:>7} {request:>13} {reply:>12} {total:>9} {mean:>9} {max:>9} {share:>7}"
            );
        };
        let titles = ["count", "failed", "request bytes", "reply bytes", "total", "mean", "max", "share"];
        line("command", titles.map(str::to_owned));
        let mut put = |name: &str, row: &Row| {
            let numbers = [row.count, row.failed, row.request_bytes, row.reply_bytes].map(|number| number.to_string());
            let [count, failed, request, reply] = numbers;
            let mean = row.total_ns.checked_div(row.count).unwrap_or(0);
            let [total, mean, max] = [row.total_ns, mean, row.max_ns].map(|time| Duration(time).to_string());
            line(name, [count, failed, request, reply, total, mean, max, format!("{:.1}%", share(row, &sum) * 100.0)]);
        };
        rows.iter().for_each(|(command, row)| put(command.name(), row));
        put("all", &sum);
    }

    /// As one JSON object per command, and one for all of them, whose `command` is null.
    pub(super) fn print_json(&self, block: &mut Block) {
        #[derive(Serialize)]
        struct Line {
            kind: &'static str,
            command: Option<&'static str>,
            count: u64,
            failed: u64,
            request_bytes: u64,
            reply_bytes: u64,
            total_ns: u64,
            mean_ns: u64,
            max_ns: u64,
            share: f64,
        }
        let (rows, sum) = self.sorted();
        let rows = rows.iter().map(|(command, row)| (Some(command.name()), row));
        for (command, row) in rows.chain([(None, &sum)]) {
            json::push_line(
                &mut block.head,
                &Line {
                    kind: "statistics",
                    command,
                    count: row.count,
                    failed: row.failed,
                    request_bytes: row.request_bytes,
                    reply_bytes: row.reply_bytes,
                    total_ns: row.total_ns,
                    mean_ns: row.total_ns.checked_div(row.count).unwrap_or(0),
                    max_ns: row.max_ns,
                    share: share(row, &sum),
                },
            );
        }
    }
}

/// Of all time; of all commands where no time is known.
#[expect(clippy::cast_precision_loss, reason = "a share needs no 53 bits")]
fn share(row: &Row, sum: &Row) -> f64 {
    match sum.total_ns {
        0 => row.count as f64 / sum.count.max(1) as f64,
        total => row.total_ns as f64 / total as f64,
    }
}
