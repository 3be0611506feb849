//! Times applications on Mesa's own guest driver: natively, through our host and through another, in turns.
//!
//! The application is `venus-cases`, which times itself. All of it runs in one guest root, so that the driver at the
//! end of each way is the same file.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};
use testbed::cases::Cases;
use testbed::process::stay_on;
use testbed::progress::Step;
use testbed::resident::Resident;
use testbed::sandbox::{Guest, GuestRun, Screen, Vulkan};

use crate::rows::{Row, Times, Way};

/// Longest that one program may take. Some never end: virglrenderer's worker dies of mapped memory on hosts without a
/// render node, and Mesa's driver waits for it.
const LIMIT: Duration = Duration::from_secs(20);

/// What is measured: the case's name, what it is called in the table, its unit in nanoseconds. Those that begin with
/// [`VKMARK`] are scenes of vkmark's.
const ROWS: [(&str, &str, f64); 15] = [
    ("time-start", "vkCreateInstance to queue, ms", 1e6),
    ("time-call", "synchronous call (vkGetDescriptorSetLayoutSupport), us", 1e3),
    ("time-record", "200 000 vkCmdSetLineWidth recorded + submit + wait, ns each", 1.0),
    ("time-submit", "empty submit + fence wait, us", 1e3),
    ("time-two-in-flight", "the same, two in flight, us each", 1e3),
    ("time-three-in-flight", "the same, three in flight, us each", 1e3),
    ("time-buffer", "make, allocate, bind, map, touch, free 64 KiB, us", 1e3),
    ("time-buffer-unmapped", "the same without mapping, us", 1e3),
    ("time-map", "map and unmap, us", 1e3),
    ("time-job", "write, record, dispatch, wait, read, us", 1e3),
    ("time-pipeline", "compute pipeline made and used, us", 1e3),
    ("time-1000-draws", "frame of 1 000 draws with constants, ns a draw", 1.0),
    ("time-10000-draws", "frame of 10 000 draws with constants, ns a draw", 1.0),
    ("vkmark-cube", "vkmark's scene cube, us a frame", 1e3),
    ("vkmark-clear", "vkmark's scene clear, us a frame", 1e3),
];

/// What the rows of vkmark's scenes begin with.
const VKMARK: &str = "vkmark-";
/// How long vkmark draws a scene, in seconds.
const SCENE_SECONDS: &str = "1.5";

/// Where programs run, and what they run on.
struct Ways<'a> {
    guest: &'a Guest,
    cases: Cases,
    sockets: [PathBuf; 2],
}

impl Ways<'_> {
    fn run(&self, way: Way, case: &str, unit: f64) -> Result<Times> {
        let [ours, peer] = &self.sockets;
        let vulkan = match way {
            Way::Native => Vulkan::Lavapipe,
            Way::Ours => Vulkan::Venus(ours),
            Way::Peer => Vulkan::Venus(peer),
        };
        let Some(scene) = case.strip_prefix(VKMARK) else {
            let finished = self.cases.command(self.guest, vulkan, &[case])?.limit(LIMIT).output()?;
            let said = finished.expect_success(case)?.stdout;
            return parse(&said, unit).with_context(|| format!("{case} said {said:?}"));
        };
        let finished = vkmark(self.guest.command("vkmark", vulkan), scene).limit(LIMIT).output()?;
        let said = finished.expect_success(case)?.stdout;
        Ok(Times::from(frame_ns(&said, scene).with_context(|| format!("vkmark said {said:?}"))? / unit))
    }
}

/// One scene, drawn as fast as it can be.
fn vkmark<'a>(run: GuestRun<'a>, scene: &str) -> GuestRun<'a> {
    let scene = format!("{scene}:duration={SCENE_SECONDS}");
    let run = run.args(["--winsys", "xcb", "-p", "immediate", "-s", "400x300", "-b", &scene]);
    run.screen(Screen::VKCUBE)
}

/// Nanoseconds a frame, from `[cube] duration=1.5: FPS: 4380 FrameTime: 0.228 ms`.
fn frame_ns(said: &str, scene: &str) -> Option<f64> {
    let line = said.lines().find(|line| line.starts_with(&format!("[{scene}]")))?;
    let frames: f64 = line.split_once("FPS: ")?.1.split_whitespace().next()?.parse().ok()?;
    (frames > 0.0).then(|| 1e9 / frames)
}

/// Takes `OK p50 1.0 ns, p99 2.0 ns, 3 times, 4.0 switches each` apart. The last may be missing.
fn parse(said: &str, unit: f64) -> Result<Times> {
    let words: Vec<&str> = said.split_whitespace().collect();
    let ["OK", "p50", p50, "ns,", "p99", p99, "ns,", _, _, rest @ ..] = words.as_slice() else {
        bail!("that is no timing");
    };
    let switches = match rest {
        [number, "switches", "each"] => Some(number.parse()?),
        _ => None,
    };
    Ok(Times { p50: p50.parse::<f64>()? / unit, p99: Some(p99.parse::<f64>()? / unit), switches })
}

/// What to measure.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Choice<'a> {
    /// Our host: a `venus` command.
    pub(crate) venus: &'a Path,
    /// The program of the cases.
    pub(crate) cases: &'a Path,
    /// Another `venus` command as the peer; the root's virglrenderer if there is none.
    pub(crate) against: Option<&'a Path>,
    /// Names of the cases; all of them if there are none.
    pub(crate) only: &'a [String],
    /// The processors of guests and of hosts, where each has its own.
    pub(crate) pinned: Option<Pinned>,
}

/// Processors that programs and hosts are kept on: as `--pin GUEST:HOST` has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pinned {
    guest: usize,
    host: usize,
}

impl FromStr for Pinned {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |text: &str| text.parse().map_err(|_| format!("{text:?} is no number of a processor"));
        let (guest, host) = text.split_once(':').ok_or("two processors, as GUEST:HOST")?;
        Ok(Self { guest: number(guest)?, host: number(host)? })
    }
}

impl Choice<'_> {
    fn has(&self, case: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == case)
    }

    /// What the table calls the peer.
    fn peer(&self) -> &'static str {
        if self.against.is_some() { "other" } else { "peer" }
    }

    /// Nothing would be measured of a name that is no case's.
    pub(crate) fn check(&self) -> Result<()> {
        let is_case = |name: &str| ROWS.iter().any(|(case, ..)| *case == name);
        let unknown: Vec<&str> = self.only.iter().map(String::as_str).filter(|name| !is_case(name)).collect();
        if unknown.is_empty() {
            return Ok(());
        }
        let cases = ROWS.map(|(case, ..)| case).join(", ");
        bail!("--only {}: there is no such case; the cases are {cases}", unknown.join(", "))
    }
}

/// Measures a choice of rows on every way.
pub(crate) fn measure(choice: &Choice<'_>, guest: &Guest, rounds: u32, json: &Path) -> Result<()> {
    if let Some(pinned) = choice.pinned {
        stay_on(pinned.host)?;
    }
    let ours = Resident::venus(guest, choice.venus, &[])?;
    let peer = match choice.against {
        Some(other) => Resident::venus(guest, other, &[])?,
        None => Resident::virglrenderer(guest)?,
    };
    if let Some(pinned) = choice.pinned {
        stay_on(pinned.guest)?;
    }
    let cases = std::path::absolute(choice.cases).context("resolving the program of the cases")?;
    let ways = Ways { guest, cases: Cases::at(cases), sockets: [ours.socket(), peer.socket()] };
    let mut rows: Vec<Row> = ROWS.iter().map(|_| Row::default()).collect();
    let mut order = Way::ALL;
    for round in 1..=rounds {
        let step = Step::start(format!("applications in {}: turn {round} of {rounds}", guest.name()));
        for ((case, _, unit), row) in ROWS.iter().zip(&mut rows).filter(|((case, ..), _)| choice.has(case)) {
            turn(&ways, order, case, *unit, row);
        }
        order.rotate_left(1);
        step.done("done");
    }
    print(choice, &rows, guest);
    crate::report::save(Some(json), &to_json(choice, &rows, guest))
}

/// One row, one turn. What has failed once is not tried again.
fn turn(ways: &Ways<'_>, order: [Way; 3], case: &str, unit: f64, row: &mut Row) {
    for way in order {
        let outcome = row.of_mut(way);
        if outcome.failed.is_some() {
            continue;
        }
        match ways.run(way, case, unit) {
            Ok(times) => outcome.turns.push(times),
            Err(error) => {
                outcome.turns.clear();
                outcome.failed = Some(format!("{error:#}"));
            }
        }
    }
}

#[expect(clippy::print_stdout, reason = "the table is what the program is for")]
fn print(choice: &Choice<'_>, rows: &[Row], guest: &Guest) {
    print!("{}", table(choice, rows, guest.name(), &guest.mesa_version().unwrap_or_default()));
    for ((case, ..), row) in ROWS.iter().zip(rows) {
        for way in Way::ALL {
            if let Some(why) = &row.of(way).failed {
                eprintln!("{case}, {way:?}: {why}");
            }
        }
    }
}

/// For people.
fn table(choice: &Choice<'_>, rows: &[Row], root: &str, mesa: &str) -> String {
    let mut out =
        format!("\napplications on Mesa {mesa} of {root}, median (99 %) of turns; ratios with their spread\n");
    if let Some(Pinned { guest, host }) = choice.pinned {
        let _ = writeln!(out, "programs, and native drivers, on processor {guest}, hosts on processor {host}");
    }
    if let Some(other) = choice.against {
        let _ = writeln!(out, "ours is {}, other is {}", choice.venus.display(), other.display());
    }
    out.push('\n');
    let peer = choice.peer();
    let ratio = format!("ours/{peer}");
    let heads = ["native", "ours", peer, "ours/native", &ratio];
    let _ = write!(out, "{:<62}", "");
    for head in heads {
        let _ = write!(out, "{head:>20}");
    }
    out.push('\n');
    for ((_, title, _), row) in ROWS.iter().zip(rows) {
        let _ = write!(out, "{title:<62}");
        for way in Way::ALL {
            let outcome = row.of(way);
            let cell = match (outcome.p50(), outcome.p99()) {
                (Some(p50), Some(p99)) => format!("{p50:.2} ({p99:.2})"),
                (Some(p50), None) => format!("{p50:.2}"),
                (None, _) => "-".to_owned(),
            };
            let _ = write!(out, "{cell:>20}");
        }
        for to in [Way::Native, Way::Peer] {
            let cell = row.ratio(to).map(|[middle, least, most]| format!("{middle:.2} ({least:.2}-{most:.2})"));
            let _ = write!(out, "{:>20}", cell.unwrap_or_else(|| "-".to_owned()));
        }
        out.push('\n');
    }
    let _ = write!(out, "\n{:<62}", "switches of the machine's threads, each");
    for head in &heads[..Way::ALL.len()] {
        let _ = write!(out, "{head:>20}");
    }
    out.push('\n');
    for ((_, title, _), row) in ROWS.iter().zip(rows).filter(|(_, row)| row.of(Way::Ours).switches().is_some()) {
        let _ = write!(out, "{title:<62}");
        for way in Way::ALL {
            let cell = row.of(way).switches().map_or_else(|| "-".to_owned(), |switches| format!("{switches:.3}"));
            let _ = write!(out, "{cell:>20}");
        }
        out.push('\n');
    }
    out
}

/// For programs.
fn to_json(choice: &Choice<'_>, rows: &[Row], guest: &Guest) -> Value {
    let rows = ROWS.iter().zip(rows).filter(|((case, ..), _)| choice.has(case));
    let rows = rows.map(|((case, title, _), row)| row.json(case, title));
    let (venus, against) = (choice.venus, choice.against);
    let rows: Vec<Value> = rows.collect();
    json!({ "guest": guest.name(), "mesa": guest.mesa_version(), "venus": venus, "against": against, "rows": rows })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_programs_times_are_read_in_the_rows_unit() {
        let times = parse("OK p50 1500.0 ns, p99 3000.0 ns, 10 times\n", 1e3).unwrap();
        assert_eq!(times, Times { p50: 1.5, p99: Some(3.0), switches: None });
        let switched = parse("OK p50 1.0 ns, p99 3.0 ns, 10 times, 2.5 switches each\n", 1.0).unwrap();
        assert_eq!(switched.switches, Some(2.5));
        assert!(parse("SKIP no such device", 1.0).is_err());
        assert!(parse("OK p50 x ns, p99 3000.0 ns, 10 times\n", 1.0).is_err());
    }

    fn choice<'a>(only: &'a [String], against: Option<&'a Path>) -> Choice<'a> {
        Choice { venus: Path::new("/new/venus"), cases: Path::new("/cases"), against, only, pinned: None }
    }

    #[test]
    fn cases_that_there_are_not_are_refused() {
        let named = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        choice(&[], None).check().unwrap();
        choice(&named(&["time-map", "time-job"]), None).check().unwrap();
        let refused = choice(&named(&["time-map", "time-recrod"]), None).check().unwrap_err().to_string();
        assert!(refused.contains("--only time-recrod") && refused.contains("time-record"), "{refused}");
    }

    #[test]
    fn a_table_says_what_was_compared() {
        let rows: Vec<Row> = ROWS.iter().map(|_| Row::default()).collect();
        let peer = table(&choice(&[], None), &rows, "sid", "26.2");
        assert!(peer.contains(" peer ") && peer.contains("ours/peer") && !peer.contains("other"), "{peer}");
        let other = table(&choice(&[], Some(Path::new("/old/venus"))), &rows, "sid", "26.2");
        assert!(other.contains("other is /old/venus") && other.contains("ours/other"), "{other}");
        assert!(!other.contains("peer"), "{other}");
    }

    #[test]
    fn processors_are_numbers() {
        assert_eq!("0:1".parse(), Ok(Pinned { guest: 0, host: 1 }));
        for wrong in ["", "1", "a:1", "0:-1"] {
            assert!(wrong.parse::<Pinned>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn frames_are_read() {
        let said = "[clear] duration=1.5: FPS: 0\n[cube] duration=1.5: FPS: 4000 FrameTime: 0.250 ms\n";
        assert_eq!(frame_ns(said, "cube"), Some(250_000.0));
        assert_eq!((frame_ns(said, "clear"), frame_ns(said, "desktop")), (None, None));
    }
}
