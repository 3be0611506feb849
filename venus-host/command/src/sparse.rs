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
        Step::Looks(id, name) => writeln!(out, "looks {id} {name}")?,
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
        "looks" => Some(Step::Looks(id, text.to_owned())),
        "tries" => Some(Step::Tries(id, text.to_owned())),
        "works" => Some(Step::Works(id)),
        "fails" => Some(Step::Fails(id, text.to_owned())),
        _ => None,
    }
}

/// What processes find out that `venus` makes: a `venus` with the options of whoever asks.
pub(super) fn proven(venus: impl Fn() -> Command) -> Findings {
    let mut findings = Findings::default();
    let mut seen = BTreeSet::new();
    loop {
        let mut command = venus();
        command.arg(VERB).args(seen.iter().flat_map(|id: &String| ["--skip", id]));
        let known = seen.len();
        let is_whole = ask(command, &mut findings, &mut seen);
        // There may be more behind the one that it did not survive, if that was new.
        if is_whole || seen.len() == known {
            return findings;
        }
    }
}

/// What of a GPU, of this name, such a process tries.
enum Trial {
    Memory(String),
    Sparse(String),
}

/// Listens to one such process, and notes which GPUs it has `seen`. Answers whether it was not ended by one of them.
fn ask(mut command: Command, findings: &mut Findings, seen: &mut BTreeSet<String>) -> bool {
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
            return true;
        }
    };
    let mut trial = None;
    let end = listen(child, PATIENCE, |step| match step {
        Step::Looks(id, gpu) => {
            seen.insert(id.to_string());
            trial = Some(Trial::Memory(gpu));
        }
        Step::Shares(memory) => {
            findings.memory.0.push(memory);
            trial = None;
        }
        Step::Tries(id, gpu) => {
            seen.insert(id.to_string());
            trial = Some(Trial::Sparse(gpu));
        }
        Step::Works(id) => {
            findings.sparse.0.push(id);
            trial = None;
        }
        Step::Fails(_, reason) => {
            if let Some(trial) = trial.take() {
                trial.failed(&reason);
            }
        }
        _ => {}
    });
    match (end, trial) {
        (Ok(()), _) => true,
        (Err(reason), Some(trial)) => {
            trial.failed(&reason);
            false
        }
        (Err(reason), None) => {
            tracing::debug!("GPUs were tried: {reason}");
            true
        }
    }
}

impl Trial {
    /// Says what comes of it.
    fn failed(self, reason: &str) {
        match self {
            Self::Memory(gpu) => {
                tracing::warn!(gpu, "guests may fail: nobody could find out how memory is shared: {reason}");
            }
            Self::Sparse(gpu) => tracing::info!(
                gpu,
                "guests get no sparse binding: the driver does not bind imported memory so: {reason}"
            ),
        }
    }
}

/// Hands out what a process says, until it ends or has been silent for too long. Answers how it ended, if not well.
fn listen(mut child: Child, patience: Duration, mut hear: impl FnMut(Step)) -> Result<(), String> {
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
                return Err(match killed {
                    Ok(()) => format!("it does not return within {patience:?}"),
                    Err(error) => error.to_string(),
                });
            }
        }
    }
    match child.wait() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("the process ends with {status}")),
        Err(error) => Err(error.to_string()),
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
        assert_eq!(read(&format!("looks {gpu} A GPU")), Some(Step::Looks(gpu, "A GPU".to_owned())));
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

    /// What is found out with processes that try GPUs in order but for those that are skipped: what is said of each, after
    /// its name, and what it does to the process.
    fn found(gpus: &[(char, &[&str], &str)]) -> (Vec<GpuId>, Vec<SharedMemory>) {
        let text: String = gpus
            .iter()
            .map(|&(digit, words, end)| {
                let id = id(digit);
                let said = words.iter().map(|word| match *word {
                    "shares" => format!("echo shares {id}:4096:import=6; "),
                    word => format!("echo {word} {id} GPU; "),
                });
                format!("case \"$*\" in *{id}*);; *) {}{end};; esac\n", said.collect::<String>())
            })
            .collect();
        let venus = || {
            let mut command = script(&text);
            command.arg("venus");
            command
        };
        let findings = proven(venus);
        (findings.sparse.0, findings.memory.0)
    }

    const DIES: &str = "kill -SEGV $$";

    #[test]
    fn a_gpu_that_ends_the_process_is_left_out_and_the_others_are_tried() {
        let (sparse, memory_of) = found(&[
            ('a', &["looks", "shares", "tries", "works"], ":"),
            ('b', &["looks", "shares", "tries"], DIES),
            ('c', &["looks", "shares", "tries", "fails"], ":"),
            ('d', &["looks", "shares", "tries", "works"], ":"),
        ]);
        assert_eq!((sparse, memory_of), (ids(&['a', 'd']), ['a', 'b', 'c', 'd'].map(memory).into()));
    }

    #[test]
    fn so_is_one_whose_memory_ends_it() {
        let (sparse, memory_of) = found(&[
            ('a', &["looks", "shares"], ":"),
            ('b', &["looks"], DIES),
            ('c', &["looks", "shares", "tries"], DIES),
            // Nothing is shared.
            ('d', &["looks"], ":"),
            ('e', &["looks", "shares", "tries", "works"], ":"),
            ('f', &["looks"], DIES),
        ]);
        assert_eq!((sparse, memory_of), (ids(&['e']), ['a', 'c', 'e'].map(memory).into()));
    }

    #[test]
    fn a_process_that_does_not_return_is_ended_and_forgotten() {
        let mut command = Command::new("sleep");
        let child = command.arg("1000").stdout(Stdio::piped()).spawn().unwrap();
        let id = rustix::process::Pid::from_child(&child);
        let said = listen(child, Duration::from_millis(1), |_| ()).unwrap_err();
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
