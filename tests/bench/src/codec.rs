//! Times the codec on 1 MiB of requests that stay in the cache: 256 variants of one command, again and again.
//!
//! Decoding is what a host does for each command, less the driver: reset the arena, find the command in the table,
//! decode it, look its handles up, and hand the arguments to an empty handler.

use std::fmt::Write as _;
use std::hint::black_box;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use parking_lot::RwLock;
use serde_json::{Value, json};
use venus_protocol::dispatch::{Visitor, visit_command};
use venus_protocol::wire::{
    Arena, Command, CommandHeader, Decoder, Encoder, HandleResolver, IdentityResolver, Returned,
};

use crate::cases::{self, CASES, Case};
use crate::objects::{Locked, Objects};
use crate::report::median;
use crate::{allocations, instructions};

const BUFFER_BYTES: usize = 1 << 20;
const VARIANTS: u64 = 256;
/// Passes over the buffer that a figure is the median of.
const PASSES: usize = 31;

/// What a host does with a command's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    Decode,
    Encode,
}

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
    case: &'static Case,
    /// Nothing where the case is about replies.
    decode: Option<Figures>,
    locked: Option<Figures>,
    encode: Figures,
}

/// How a job is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// With a clock, many times.
    Time,
    /// Once, while somebody counts instructions.
    Count,
}

/// Measures everything.
pub(crate) fn measure() -> Result<Vec<Row>> {
    let mut rows = rows(Mode::Time)?;
    let counted = instructions::count().unwrap_or_else(|error| {
        eprintln!("no instruction counts: {error:#}");
        Vec::new()
    });
    let mut counted = counted.into_iter();
    for figures in rows.iter_mut().flat_map(Row::jobs) {
        figures.instructions = counted.next();
    }
    Ok(rows)
}

/// Does every job once, in the order of [`Row::jobs`].
pub(crate) fn count() -> Result<()> {
    rows(Mode::Count).map(drop)
}

/// Commands in one pass of each job, in the order of [`Row::jobs`].
pub(crate) fn commands_per_pass() -> Result<Vec<usize>> {
    let mut counts = Vec::new();
    for case in &CASES {
        let jobs = if case.host == Direction::Decode { 3 } else { 1 };
        counts.extend(std::iter::repeat_n(requests(case)?.1, jobs));
    }
    Ok(counts)
}

impl Row {
    /// What was done, in order.
    fn jobs(&mut self) -> impl Iterator<Item = &mut Figures> {
        [self.decode.as_mut(), self.locked.as_mut(), Some(&mut self.encode)].into_iter().flatten()
    }
}

fn rows(mode: Mode) -> Result<Vec<Row>> {
    let (plain, locked) = (Objects::new(), Locked(RwLock::new(Objects::new())));
    let row = |case: &'static Case| -> Result<Row> {
        let (bytes, commands) = requests(case)?;
        let decodes = case.host == Direction::Decode;
        let decode = |objects| decode(mode, &bytes, commands, objects);
        let decoded = if decodes { Some(decode(&plain)?) } else { None };
        let locked = if decodes { Some(decode(&locked)?) } else { None };
        let arena = cases::roomy_arena();
        let encode = (case.encode)(Encoding { mode, bytes: &bytes, commands, arena: &arena });
        Ok(Row { case, decode: decoded, locked, encode })
    };
    CASES.iter().map(row).collect()
}

/// A buffer of requests, and how many they are.
fn requests(case: &Case) -> Result<(Vec<u8>, usize)> {
    let mut encoder = new_encoder();
    let (mut bytes, mut commands) = (Vec::new(), 0);
    for i in (0..VARIANTS).cycle() {
        encoder.clear();
        (case.request)(&mut encoder, i);
        if bytes.len() + encoder.bytes().len() > BUFFER_BYTES {
            break;
        }
        bytes.extend_from_slice(encoder.bytes());
        commands += 1;
    }
    ensure!(commands > 0, "a request of {} is larger than the buffer", case.name);
    if case.host == Direction::Decode {
        let (found, expected) = (encoder.bytes().len(), case.reference.bytes);
        ensure!(found == expected, "{} has {found} bytes, the reference's has {expected}", case.name);
    }
    Ok((bytes, commands))
}

fn decode(mode: Mode, bytes: &[u8], commands: usize, objects: &dyn HandleResolver) -> Result<Figures> {
    let mut arena = Arena::default();
    let mut pass = || -> Result<usize> {
        let mut at = 0;
        while at < bytes.len() {
            arena.reset();
            let mut decoder = Decoder::at(bytes, at, &arena, objects);
            visit_command(&mut Ignore, &mut decoder)?;
            at = decoder.offset();
        }
        Ok(bytes.len())
    };
    // The arena grows in the first pass, and never again.
    pass().context("decoding what was encoded")?;
    Ok(repeat(mode, commands, || pass().unwrap_or_default()))
}

/// A handler that does nothing.
struct Ignore;

impl Visitor for Ignore {
    type Output = ();

    #[inline]
    fn visit<'a, C: Command<'a>>(&mut self, _header: CommandHeader, args: C) {
        black_box(&args);
    }
}

/// What to encode: the arguments that `bytes` hold.
pub(crate) struct Encoding<'a> {
    mode: Mode,
    bytes: &'a [u8],
    commands: usize,
    arena: &'a Arena,
}

impl<'a> Encoding<'a> {
    /// As requests, like a guest.
    pub(crate) fn requests<C: Command<'a>>(self) -> Figures {
        self.run(|args: &C, encoder| args.encode(encoder, 0))
    }

    /// As replies, like a host.
    pub(crate) fn replies<C: Command<'a>>(self) -> Figures {
        self.run(|args: &C, encoder| C::encode_reply(encoder, &args.reply(C::Return::success())))
    }

    fn run<C: Command<'a>>(self, encode: impl Fn(&C, &mut Encoder)) -> Figures {
        let all: Vec<C> = self.decoded();
        let mut encoder = new_encoder();
        let mut pass = || {
            let mut bytes = 0;
            for args in &all {
                encoder.clear();
                encode(black_box(args), &mut encoder);
                bytes += black_box(encoder.bytes()).len();
            }
            bytes
        };
        // The encoder grows in the first pass, and never again.
        pass();
        repeat(self.mode, self.commands, pass)
    }

    fn decoded<C: Command<'a>>(&self) -> Vec<C> {
        let mut decoder = Decoder::new(self.bytes, self.arena, &IdentityResolver);
        let args = (0..self.commands).map_while(|_| {
            decoder.read_header().ok()?;
            C::decode(&mut decoder).ok()
        });
        args.collect()
    }
}

/// Runs passes, each over `commands` commands; a pass says how many bytes it saw.
fn repeat(mode: Mode, commands: usize, mut pass: impl FnMut() -> usize) -> Figures {
    #[expect(clippy::cast_precision_loss, reason = "counts here are far below 2^52")]
    let per_command = |count: u64| count as f64 / commands as f64;
    if mode == Mode::Count {
        watched(&mut || {
            black_box(pass());
        });
        return Figures { ns: 0.0, bytes: 0.0, allocations: 0.0, instructions: None };
    }
    let before = allocations::count();
    let bytes = pass();
    let allocations = allocations::count() - before;
    let times = (0..PASSES).map(|_| {
        let started = Instant::now();
        black_box(pass());
        per_command(u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX))
    });
    Figures {
        ns: median(times.collect()),
        bytes: per_command(u64::try_from(bytes).unwrap_or(u64::MAX)),
        allocations: per_command(allocations),
        instructions: None,
    }
}

/// What an instruction counter watches: it knows the function by its name, [`instructions::WATCHED`].
#[inline(never)]
fn watched(work: &mut dyn FnMut()) {
    work();
    // Keeps the call above from becoming a jump.
    black_box(());
}

#[expect(unsafe_code, reason = "the encoder reads through the pointers of what it is given")]
fn new_encoder() -> Encoder {
    // SAFETY: what these encoders are given was either filled through ash's setters in `cases.rs`, which tie every
    // pointer to what it leads to, or comes from the decoder.
    unsafe { Encoder::new() }
}

/// For people.
pub(crate) fn table(rows: &[Row]) -> String {
    let mut out = format!(
        "codec, per command: hot 1 MiB of {VARIANTS} variants; handles looked up among 4048, `locked` takes a lock for\n\
         each lookup, as hosts do; `ref` is virglrenderer's decoder, whose ns were measured on another machine\n\n"
    );
    let [ns, plain, locked] = ["nanoseconds", "instructions", "instructions, locked"];
    let _ = writeln!(out, "{:57} |{ns:^33}|{plain:^23}|{locked:^23}", "");
    let _ = write!(out, "{:<44}{:>6}{:>7} |", "command", "bytes", "allocs");
    let _ = write!(out, "{:>8}{:>8}{:>8}{:>8} |", "decode", "locked", "encode", "ref");
    let _ = writeln!(out, "{0:>8}{1:>7}{2:>7} |{0:>8}{1:>7}{2:>7}", "ours", "ref", "ratio");
    let or_dash =
        |figure: Option<f64>, digits: usize| figure.map_or("-".to_owned(), |figure| format!("{figure:.digits$}"));
    for row in rows {
        let reference = &row.case.reference;
        let compared = row.decode.unwrap_or(row.encode);
        let locked = row.locked.and_then(|figures| figures.instructions);
        #[expect(clippy::cast_precision_loss, reason = "instruction counts are far below 2^52")]
        let (of, of_locked) = (reference.instructions as f64, reference.locked.map(|(_, count)| count as f64));
        let jobs = [row.decode, row.locked, Some(row.encode)];
        let allocations: f64 = jobs.into_iter().flatten().map(|figures| figures.allocations).sum();
        let _ = writeln!(
            out,
            "{:<44}{:>6.0}{allocations:>7.0} |{:>8}{:>8}{:>8.1}{:>8.1} |{:>8}{of:>7.0}{:>7} |{:>8}{:>7}{:>7}",
            row.case.name,
            compared.bytes,
            or_dash(row.decode.map(|figures| figures.ns), 1),
            or_dash(row.locked.map(|figures| figures.ns), 1),
            row.encode.ns,
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
        let reference = &row.case.reference;
        json!({
            "name": row.case.name.trim(),
            "decode": row.decode.as_ref().map(figures),
            "decode_locked": row.locked.as_ref().map(figures),
            "encode": figures(&row.encode),
            "reference": {
                "bytes": reference.bytes, "ns": reference.ns, "instructions": reference.instructions,
                "locked": reference.locked.map(|(ns, instructions)| json!({ "ns": ns, "instructions": instructions })),
            },
        })
    });
    json!({ "codec": rows.collect::<Vec<_>>() })
}
