//! `venus try-sparse`, and asking it: which GPUs bind imported memory sparsely, and how their memory is shared.
//!
//! The one ends the process with some drivers, and the other takes a device, which each guest would wait for. So a process
//! of its own tries one GPU after another and says beforehand which; whoever asks ([`proven`]) starts another one for the
//! rest when it dies or does not come to an end.

use std::{
    collections::BTreeSet,
    fmt,
    io::{self, BufRead as _, BufReader, Write as _},
    os::unix::process::CommandExt as _,
    process::{Child, Command, Stdio},
    str::FromStr,
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::Duration,
};

use anyhow::Context as _;
use clap::Args;
use venus_host::driver::{
    self, SharedMemory,
    sparse::{GpuId, Step, try_gpus},
};

use super::{DriverArgs, sandbox::SandboxArgs, service};

/// The verb.
pub(super) const VERB: &str = "try-sparse";

/// Things in an option, with commas between them, or nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct List<T>(pub(super) Vec<T>);

impl<T> Default for List<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: fmt::Display> fmt::Display for List<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let items: Vec<_> = self.0.iter().map(T::to_string).collect();
        f.write_str(&items.join(","))
    }
}

impl<T: FromStr> FromStr for List<T> {
    type Err = T::Err;

    fn from_str(text: &str) -> Result<Self, T::Err> {
        let items = text.split(',').filter(|item| !item.is_empty()).map(str::parse);
        items.collect::<Result<_, _>>().map(Self)
    }
}

/// What was found out.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Findings {
    /// GPUs that bind imported memory sparsely.
    pub(super) sparse: List<GpuId>,
    /// How memory of GPUs is shared.
    pub(super) memory: List<SharedMemory>,
}

impl Findings {
    /// The environment that has another `venus` know it.
    pub(super) fn environment(&self) -> [(&'static str, String); 2] {
        [("VENUS_SPARSE", self.sparse.to_string()), ("VENUS_SHARED_MEMORY", self.memory.to_string())]
    }
}

/// How long the next word may take: loading the drivers of a busy machine, or trying one GPU.
const PATIENCE: Duration = Duration::from_secs(20);

/// Try sparse binding of imported memory, which ends the process with some drivers, and say how memory is shared; started by
/// other verbs
#[derive(Debug, Args)]
pub(super) struct TrySparseArgs {
    /// GPUs to leave out
    #[arg(long, value_name = "ID")]
    skip: Vec<GpuId>,

    #[command(flatten)]
    driver: DriverArgs,

    #[command(flatten)]
    sandbox: SandboxArgs,
}

pub(super) fn run(args: &TrySparseArgs) -> Result<(), anyhow::Error> {
    let config = args.driver.config()?;
    // As a worker does, which has to find what is found here.
    let sandbox = args.sandbox.sandbox();
    sandbox.restrict_files()?;
    driver::preload(&config)?;
    sandbox.restrict_calls()?;
    let mut told = Ok(());
    try_gpus(&config, &args.skip, |step| {
        if told.is_ok() {
            told = say(&step);
        }
    })?;
    told.context("cannot say what was seen")
}

/// Writes a line, at once.
fn say(step: &Step) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match step {
        Step::Shares(memory) => writeln!(out, "shares {memory}")?,
        Step::Tries(id, name) => writeln!(out, "tries {id} {name}")?,
        Step::Works(id) => writeln!(out, "works {id}")?,
        Step::Fails(id, reason) => writeln!(out, "fails {id} {reason}")?,
        _ => {}
    }
    out.flush()
}

/// What such a line says; `None` if it is none.
fn read(line: &str) -> Option<Step> {
    let (word, rest) = line.split_once(' ')?;
    if word == "shares" {
        return rest.parse().ok().map(Step::Shares);
    }
    let (id, text) = rest.split_once(' ').unwrap_or((rest, ""));
    let id = id.parse().ok()?;
    match word {
        "tries" => Some(Step::Tries(id, text.to_owned())),
        "works" => Some(Step::Works(id)),
        "fails" => Some(Step::Fails(id, text.to_owned())),
        _ => None,
    }
}

/// What processes find out that `venus` makes: a `venus` with the options of whoever asks.
pub(super) fn proven(venus: impl Fn() -> Command) -> Findings {
    let mut findings = Findings::default();
    let mut failed = Vec::new();
    loop {
        let known: BTreeSet<String> = findings.sparse.0.iter().chain(&failed).map(GpuId::to_string).collect();
        let mut command = venus();
        command.arg(VERB).args(known.iter().flat_map(|id| ["--skip", id]));
        // Each of them says it of all GPUs.
        findings.memory = List::default();
        match ask(command, &mut findings, &mut failed) {
            // Another one may still be tried, if this one was new.
            Some(fatal) if !known.contains(&fatal.to_string()) => failed.push(fatal),
            _ => return findings,
        }
    }
}

/// Listens to one such process. Answers which GPU was its last, if it did not survive that.
fn ask(mut command: Command, findings: &mut Findings, failed: &mut Vec<GpuId>) -> Option<GpuId> {
    // What is wrong with a driver is said by whoever serves guests with it.
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).env("VENUS_LOG", "off");
    for name in service::VARIABLES {
        command.env_remove(name);
    }
    // What a terminal sends to our group is for us.
    let child = match command.process_group(0).spawn() {
        Ok(child) => child,
        Err(error) => {
            tracing::warn!("guests get no sparse binding: it cannot be tried: {error}");
            return None;
        }
    };
    let mut trying = None;
    let end = listen(child, PATIENCE, |step| match step {
        Step::Shares(memory) => findings.memory.0.push(memory),
        Step::Tries(id, name) => trying = Some((id, name)),
        Step::Works(id) => {
            findings.sparse.0.push(id);
            trying = None;
        }
        Step::Fails(id, reason) => {
            withhold(trying.take(), &reason);
            failed.push(id);
        }
        _ => {}
    });
    let fatal = trying.as_ref().map(|(id, _)| *id);
    match fatal {
        Some(_) => withhold(trying, &end),
        None => tracing::debug!("sparse binding was tried: {end}"),
    }
    fatal
}

/// Says what guests do without, and why.
fn withhold(gpu: Option<(GpuId, String)>, reason: &str) {
    let (_, gpu) = gpu.unzip();
    let gpu = gpu.unwrap_or_default();
    tracing::info!(gpu, "guests get no sparse binding: the driver does not bind imported memory so: {reason}");
}

/// Hands out what a process says, until it ends or has been silent for too long. Answers how it ended.
fn listen(mut child: Child, patience: Duration, mut hear: impl FnMut(Step)) -> String {
    let (lines, said) = mpsc::channel();
    if let Some(out) = child.stdout.take() {
        thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                if lines.send(line).is_err() {
                    break;
                }
            }
        });
    }
    loop {
        match said.recv_timeout(patience) {
            Ok(line) => read(&line).into_iter().for_each(&mut hear),
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {
                let killed = child.kill();
                // What is stuck in the kernel ends late, if ever.
                thread::spawn(move || child.wait());
                return match killed {
                    Ok(()) => format!("it does not return within {patience:?}"),
                    Err(error) => error.to_string(),
                };
            }
        }
    }
    match child.wait() {
        Ok(status) => format!("the process ends with {status}"),
        Err(error) => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A process that says this, and ends like this.
    fn script(text: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", text]);
        command
    }

    fn id(digit: char) -> String {
        digit.to_string().repeat(64)
    }

    fn ids(digits: &[char]) -> Vec<GpuId> {
        digits.iter().map(|digit| id(*digit).parse().unwrap()).collect()
    }

    fn memory(digit: char) -> SharedMemory {
        format!("{}:4096:import=6", id(digit)).parse().unwrap()
    }

    #[test]
    fn what_is_said_is_understood() {
        let gpu = ids(&['a'])[0];
        assert_eq!(read(&format!("tries {gpu} A GPU")), Some(Step::Tries(gpu, "A GPU".to_owned())));
        assert_eq!(read(&format!("works {gpu}")), Some(Step::Works(gpu)));
        assert_eq!(read(&format!("fails {gpu} it is not so")), Some(Step::Fails(gpu, "it is not so".to_owned())));
        let memory = memory('a');
        assert_eq!(read(&format!("shares {memory}")), Some(Step::Shares(memory)));
        for other in ["", "works", "works 12", "shares 12", &format!("breaks {gpu}")] {
            assert_eq!(read(other), None, "{other}");
        }
    }

    #[test]
    fn lists_are_read_as_they_are_written() {
        for list in [List::default(), List(ids(&['a'])), List(ids(&['a', '7']))] {
            assert_eq!(list.to_string().parse::<List<GpuId>>().unwrap(), list);
        }
        let memory = List(vec![memory('a'), memory('7')]);
        assert_eq!(memory.to_string().parse::<List<SharedMemory>>().unwrap(), memory);
        assert!("12".parse::<List<GpuId>>().is_err());
    }

    #[test]
    fn a_gpu_that_ends_the_process_is_left_out_and_the_others_are_tried() {
        let (a, b, c, d) = (id('a'), id('b'), id('c'), id('d'));
        let text = format!(
            "case \"$*\" in
            try-sparse) echo shares {a}:4096:import=6; echo tries {a} one; echo works {a}; echo tries {b} two; kill -SEGV $$;;
            *{b}*) echo shares {a}:4096:import=6; echo shares {c}:4096:import=6; echo tries {c} three; echo fails {c} no; echo tries {d} four; echo works {d};;
            esac"
        );
        let venus = || {
            let mut command = script(&text);
            command.arg("venus");
            command
        };
        let findings = proven(venus);
        assert_eq!((findings.sparse.0, findings.memory.0), (ids(&['a', 'd']), vec![memory('a'), memory('c')]));
    }

    #[test]
    fn a_process_that_does_not_return_is_ended_and_forgotten() {
        let mut command = Command::new("sleep");
        let child = command.arg("1000").stdout(Stdio::piped()).spawn().unwrap();
        let id = rustix::process::Pid::from_child(&child);
        let said = listen(child, Duration::from_millis(1), |_| ());
        assert!(said.contains("does not return within 1ms"), "{said}");
        while rustix::process::test_kill_process(id).is_ok() {
            thread::sleep(Duration::from_millis(1));
        }
    }

    #[test]
    fn nothing_is_proven_by_what_says_nothing() {
        assert_eq!(proven(|| script("exit 1")), Findings::default());
        assert_eq!(proven(|| Command::new("/nowhere/venus")), Findings::default());
        // Whoever dies of the same GPU again and again is not asked for ever.
        assert_eq!(proven(|| script(&format!("echo tries {} one; kill -SEGV $$", id('a')))), Findings::default());
    }
}
