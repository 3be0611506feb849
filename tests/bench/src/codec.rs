//! Times the codec on 1 MiB of requests that stay in the cache: 256 variants of one command, again and again.
//!
//! The work is [`venus_count`]'s; its instructions are counted by a program of that crate.

use std::fmt::Write as _;
use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use venus_count::callgrind::{self, Counted};
use venus_count::{Job, Kind, Reference, Work};

use crate::allocations;
use crate::report::median;

const BUFFER_BYTES: usize = 1 << 20;
/// Passes over the buffer that a figure is the median of.
const PASSES: usize = 31;
/// What the program that counts is told, to do the work.
const PERFORM: &str = "--perform";

/// What one job costs, per command.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Figures {
    ns: f64,
    bytes: f64,
    allocations: f64,
    instructions: Option<f64>,
}

/// What is known of one command.
pub(crate) struct Row {
    name: &'static str,
    reference: Reference,
    /// Nothing where the row is about replies.
    decode: Option<Figures>,
    locked: Option<Figures>,
    encode: Option<Figures>,
}

/// Measures everything; `counter` is the program whose instructions are counted, if somebody has built it.
pub(crate) fn measure(counter: Option<&Path>) -> Result<Vec<Row>> {
    let counts = counter.map_or_else(|| Ok(Vec::new()), |program| callgrind::count(program, PERFORM));
    let counts = counts.unwrap_or_else(|error| {
        eprintln!("no instruction counts: {error:#}");
        Vec::new()
    });
    let mut rows: Vec<Row> = Vec::new();
    venus_count::codec(BUFFER_BYTES, &mut |job| {
        let instructions = counted(&counts, &job);
        let figures = Some(Figures { instructions, ..time(job.commands, job.work) });
        let reference = *job.reference.context("a command without a reference")?;
        if rows.last().is_none_or(|row: &Row| row.name != job.name) {
            rows.push(Row { name: job.name, reference, decode: None, locked: None, encode: None });
        }
        let row = rows.last_mut().context("a row was just added")?;
        match job.kind {
            Kind::Decode => row.decode = figures,
            Kind::DecodeLocked => row.locked = figures,
            Kind::Encode | Kind::Trip => row.encode = figures,
        }
        Ok(())
    })?;
    Ok(rows)
}

fn counted(counts: &[Counted], job: &Job<'_>) -> Option<f64> {
    let is_jobs = |counted: &&Counted| counted.count.kind == job.kind && counted.count.name == job.name;
    counts.iter().find(is_jobs).map(|counted| counted.with_libraries)
}

/// Runs passes, each over `commands` commands.
fn time(commands: usize, work: &mut dyn Work) -> Figures {
    #[expect(clippy::cast_precision_loss, reason = "counts here are far below 2^52")]
    let per_command = |count: u64| count as f64 / commands as f64;
    // What grows grows in the first pass, and never again.
    work.pass();
    let before = allocations::count();
    let bytes = work.pass();
    let allocations = allocations::count() - before;
    let times = (0..PASSES).map(|_| {
        let started = Instant::now();
        black_box(work.pass());
        per_command(u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX))
    });
    Figures {
        ns: median(times.collect()),
        bytes: per_command(u64::try_from(bytes).unwrap_or(u64::MAX)),
        allocations: per_command(allocations),
        instructions: None,
    }
}

/// For people.
pub(crate) fn table(rows: &[Row]) -> String {
    let mut out = String::from(
        "codec, per command: hot 1 MiB of 256 variants; handles looked up among 4048, `locked` takes a lock for\n\
         each lookup, as hosts do; `ref` is virglrenderer's decoder, whose ns were measured on another machine\n\n",
    );
    let [ns, plain, locked] = ["nanoseconds", "instructions", "instructions, locked"];
    let _ = writeln!(out, "{:57} |{ns:^33}|{plain:^23}|{locked:^23}", "");
    let _ = write!(out, "{:<44}{:>6}{:>7} |", "command", "bytes", "allocs");
    let _ = write!(out, "{:>8}{:>8}{:>8}{:>8} |", "decode", "locked", "encode", "ref");
    let _ = writeln!(out, "{0:>8}{1:>7}{2:>7} |{0:>8}{1:>7}{2:>7}", "ours", "ref", "ratio");
    let or_dash =
        |figure: Option<f64>, digits: usize| figure.map_or("-".to_owned(), |figure| format!("{figure:.digits$}"));
    for row in rows {
        let reference = &row.reference;
        let Some(compared) = row.decode.or(row.encode) else { continue };
        let locked = row.locked.and_then(|figures| figures.instructions);
        #[expect(clippy::cast_precision_loss, reason = "instruction counts are far below 2^52")]
        let (of, of_locked) = (reference.instructions as f64, reference.locked.map(|(_, count)| count as f64));
        let jobs = [row.decode, row.locked, row.encode];
        let allocations: f64 = jobs.into_iter().flatten().map(|figures| figures.allocations).sum();
        let _ = writeln!(
            out,
            "{:<44}{:>6.0}{allocations:>7.0} |{:>8}{:>8}{:>8}{:>8.1} |{:>8}{of:>7.0}{:>7} |{:>8}{:>7}{:>7}",
            row.name,
            compared.bytes,
            or_dash(row.decode.map(|figures| figures.ns), 1),
            or_dash(row.locked.map(|figures| figures.ns), 1),
            or_dash(row.encode.map(|figures| figures.ns), 1),
            reference.ns,
            or_dash(compared.instructions, 0),
            or_dash(compared.instructions.map(|count| count / of), 2),
            or_dash(locked, 0),
            or_dash(of_locked, 0),
            or_dash(locked.zip(of_locked).map(|(count, of)| count / of), 2),
        );
    }
    out
}

/// For programs.
pub(crate) fn json(rows: &[Row]) -> Value {
    let figures = |figures: &Figures| {
        json!({
            "ns": figures.ns, "bytes": figures.bytes, "allocations": figures.allocations,
            "instructions": figures.instructions,
        })
    };
    let rows = rows.iter().map(|row| {
        let reference = &row.reference;
        json!({
            "name": row.name,
            "decode": row.decode.as_ref().map(figures),
            "decode_locked": row.locked.as_ref().map(figures),
            "encode": row.encode.as_ref().map(figures),
            "reference": {
                "bytes": reference.bytes, "ns": reference.ns, "instructions": reference.instructions,
                "locked": reference.locked.map(|(ns, instructions)| json!({ "ns": ns, "instructions": instructions })),
            },
        })
    });
    json!({ "codec": rows.collect::<Vec<_>>() })
}
