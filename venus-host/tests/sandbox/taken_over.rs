//! What whoever takes over a worker can do with it: code that runs in the middle of a guest's command, on the thread that
//! serves it, tries what it should not.

use std::{
    env,
    fs::{self, File},
    io::{self, Write as _},
    net::TcpListener,
    os::{
        fd::AsRawFd as _,
        unix::{
            net::{UnixListener, UnixStream},
            process::CommandExt as _,
        },
    },
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Arc, Mutex, mpsc},
    thread,
    time::{Duration, Instant},
};

use mock_driver::Mock;
use rustix::fs::{Mode, OFlags};
use venus_guest::bare::{bytes, command};
use venus_host::{
    driver::{Config, EntryPoint},
    endpoint::{Command as GuestCommand, EndpointObserver, Observer, Source},
    host::{ContextId, ContextOptions, Host, HostOptions, Isolation},
    sandbox::{Confinement, Sandbox},
    worker::{self, Launch, WorkerOptions},
};

use crate::others;

/// How much the worker gives up, and the folder that it has no business in.
const LEVEL: &str = "VENUS_TEST_SANDBOX";
const FOLDER: &str = "VENUS_TEST_FOLDER";
/// Has the worker begin with a thread of its own, which tries calls later on.
const EARLY: &str = "VENUS_TEST_EARLY";

/// Long enough for anything that is going to happen.
const PATIENCE: Duration = Duration::from_secs(20);

/// What there is in the folder.
const SECRET: &str = "secret";
const SOCKET: &str = "socket";
const NEW: &str = "new";
const PERMITTED: &str = "permitted";
/// In the folder of recordings: that of another guest, and its own.
const RECORDINGS: &str = "recordings";
const OF_OTHERS: &str = "recordings/of-others";
const OWN: &str = "recordings/own";

/// What is refused in any sandbox.
const CALLS: [&str; 9] = ["program", "exec", "fork", "socket", "connect", "ptrace", "signal", "unshare", "datagrams"];
const FILES: [&str; 3] = ["read", "write", "list"];
/// What is refused of other guests' recordings, where a worker may name its own.
const OTHERS: [&str; 6] = ["read-other", "change-other", "remove-other", "replace-other", "take-other", "make-new"];
/// What a worker still can.
const POSSIBLE: [&str; 5] = ["thread", "pair", "permitted", "library", "name"];

/// What came of something: the number of an error, or `done`.
pub(crate) type Tried = Vec<(&'static str, String)>;

pub(crate) fn said<T>(outcome: io::Result<T>) -> String {
    let number = |error: io::Error| error.raw_os_error().map_or_else(|| error.to_string(), |number| number.to_string());
    outcome.map_or_else(number, |_| "done".to_owned())
}

fn tried_calls(folder: &Path) -> Tried {
    let checked = |outcome: i64| if outcome < 0 { Err(io::Error::last_os_error()) } else { Ok(outcome) };
    // SAFETY: the child ends at once.
    let fork = match unsafe { libc::fork() } {
        // SAFETY: it ends this process, which is the child.
        0 => unsafe { libc::_exit(0) },
        outcome => checked(outcome.into()),
    };
    let own = rustix::process::getpid().as_raw_nonzero().get();
    let parent = rustix::process::getppid().expect("a monitor").as_raw_nonzero().get();
    // SAFETY: a process cannot be traced by itself, so nothing comes of it.
    let ptrace = unsafe { libc::ptrace(libc::PTRACE_CONT, own, 0, 0) };
    // SAFETY: no signal is sent, but it is said whether one could be.
    let signal = unsafe { libc::kill(parent, 0) };
    // SAFETY: nothing is unshared.
    let unshare = unsafe { libc::unshare(0) };
    let nowhere = Command::new(folder.join("nowhere")).exec();
    vec![
        ("program", said(Command::new("/bin/true").stdin(Stdio::null()).status())),
        ("exec", said::<()>(Err(nowhere))),
        ("fork", said(fork)),
        ("socket", said(TcpListener::bind("127.0.0.1:0"))),
        ("connect", said(UnixStream::connect(folder.join(SOCKET)))),
        ("ptrace", said(checked(ptrace))),
        ("signal", said(checked(signal.into()))),
        ("unshare", said(checked(unshare.into()))),
        ("datagrams", said(std::os::unix::net::UnixDatagram::pair())),
        ("thread", said(thread::Builder::new().spawn(|| ()).map(|thread| thread.join().is_ok()))),
        ("pair", said(UnixStream::pair())),
    ]
}

fn tried_files(folder: &Path) -> Tried {
    let libraries = fs::read_dir("/usr/lib").or_else(|_| fs::read_dir("/lib"));
    vec![
        ("read", said(fs::read(folder.join(SECRET)))),
        ("write", said(File::create(folder.join(NEW)))),
        ("list", said(fs::read_dir(folder))),
        ("permitted", said(fs::write(folder.join(PERMITTED).join(NEW), "recorded"))),
        ("library", said(libraries)),
    ]
}

/// What can be done about recordings, with a file for one's own.
fn tried_recordings(folder: &Path, own: &File) -> Tried {
    let (other, permitted) = (folder.join(OF_OTHERS), folder.join(PERMITTED));
    let ours = permitted.join("ours");
    let replaced = fs::write(&ours, "changed").and_then(|()| fs::rename(&ours, &other));
    let unnamed = format!("/proc/self/fd/{}", own.as_raw_fd());
    let follow = rustix::fs::AtFlags::SYMLINK_FOLLOW;
    let name = rustix::fs::linkat(rustix::fs::CWD, unnamed, rustix::fs::CWD, folder.join(OWN), follow);
    vec![
        ("read-other", said(fs::read(&other))),
        ("change-other", said(File::options().append(true).open(&other))),
        ("replace-other", said(replaced)),
        ("take-other", said(fs::hard_link(&other, permitted.join("theirs")))),
        ("make-new", said(File::create(folder.join(RECORDINGS).join(NEW)))),
        ("name", said(name.map_err(io::Error::from))),
        ("remove-other", said(fs::remove_file(&other))),
    ]
}

/// A line of this worker's, in one piece: another one says its own in the same place at the same time.
fn say(line: &str) {
    io::stderr().write_all(format!("{line}\n").as_bytes()).unwrap();
}

/// Writes the log to standard error, without a crate that could do more.
struct Log;

impl tracing::Subscriber for Log {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        *metadata.level() <= tracing::Level::WARN
    }

    fn new_span(&self, _span: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _span: &tracing::span::Id, _values: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _span: &tracing::span::Id, _follows: &tracing::span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        event.record(&mut |field: &tracing::field::Field, value: &dyn std::fmt::Debug| {
            if field.name() == "message" {
                say(&format!("log {value:?}"));
            }
        });
    }

    fn enter(&self, _span: &tracing::span::Id) {}

    fn exit(&self, _span: &tracing::span::Id) {}
}

/// Does something in the middle of a `vkSeekReplyCommandStreamMESA`.
struct In<F>(F);

impl<F: Fn() + Clone + Send + Sync + 'static> Observer for In<F> {
    fn endpoint(&self, _source: Source, _has_thread: bool) -> Option<Box<dyn EndpointObserver>> {
        Some(Box::new(In(self.0.clone())))
    }
}

impl<F: Fn() + Send> EndpointObserver for In<F> {
    fn begin(&mut self, command: &GuestCommand<'_>) -> Option<u64> {
        if command.header.command.name() == "vkSeekReplyCommandStreamMESA" {
            self.0();
        }
        None
    }
}

/// A configuration for a host that uses this driver.
fn config(mock: &Mock) -> Config {
    // SAFETY:
    // - what the driver gives has the signatures that ash declares and does what the specification asks of it, as
    //   `Mock::entry_point` says;
    // - its entry points are functions of this program.
    let entry = unsafe { EntryPoint::new(mock.entry_point()) };
    Config::default().entry(entry)
}

/// Serves as a worker, and tries everything in the middle of a command.
fn serve(level: Confinement) {
    tracing::subscriber::set_global_default(Log).expect("the first one");
    let mock = Mock::take();
    let folder = PathBuf::from(env::var_os(FOLDER).expect("a folder"));
    let (call, called) = mpsc::channel::<()>();
    let (answer, answered) = mpsc::channel();
    let is_early = env::var_os(EARLY).is_some();
    if is_early {
        let folder = folder.clone();
        thread::spawn(move || {
            called.recv().map(|()| answer.send([tried_calls(&folder), others::tried(&folder)].concat()))
        });
    }
    // Before there is a sandbox.
    let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
    let own = rustix::fs::open(folder.join(RECORDINGS), flags, Mode::RUSR).map(File::from).expect("a file");
    let sandbox = Sandbox::new(level).writable(folder.join(PERMITTED)).nameable(folder.join(RECORDINGS));
    let own = Arc::new(own);
    let answered = Arc::new(Mutex::new(answered));
    let take_over = move || {
        let all = if is_early {
            call.send(()).expect("a thread");
            answered.lock().expect("no panic").recv().expect("an answer")
        } else {
            let files = [tried_files(&folder), tried_recordings(&folder, &own)].concat();
            [tried_calls(&folder), files, others::tried(&folder)].concat()
        };
        // The thread that logs may be behind.
        thread::sleep(Duration::from_millis(100));
        for (what, outcome) in all {
            say(&format!("tried {what}: {outcome}"));
        }
    };
    let options = WorkerOptions::new(config(&mock)).sandbox(sandbox);
    worker::serve(&options.observers(move |_, _| vec![Arc::new(In(take_over.clone()))]));
}

/// What a worker with this much of a sandbox could do, as it says on standard error.
fn take_over(level: Confinement, is_early: bool) -> String {
    take_over_at(level, is_early, |said| (said, None))
}

/// The same, where standard error is what `screen` makes of the file that is looked at, perhaps with a thread that has to end
/// before it has everything.
fn take_over_at(
    level: Confinement,
    is_early: bool,
    screen: impl FnOnce(File) -> (File, Option<thread::JoinHandle<()>>),
) -> String {
    const CONTEXT: ContextId = ContextId(1);
    const FENCE: u64 = 1;
    let mock = Mock::take();
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(SECRET), "of others").unwrap();
    fs::create_dir(folder.path().join(PERMITTED)).unwrap();
    fs::create_dir(folder.path().join(RECORDINGS)).unwrap();
    fs::write(folder.path().join(OF_OTHERS), "of others").unwrap();
    let _listener = UnixListener::bind(folder.path().join(SOCKET)).unwrap();
    let said = folder.path().join("said");
    let (stderr, copying) = screen(File::create(&said).unwrap());
    let launch = {
        let (folder, level) = (folder.path().to_owned(), level.to_string());
        Launch::command(move || {
            let mut command = Command::new("/proc/self/exe");
            command.env(LEVEL, &level).env(FOLDER, &folder).stderr(stderr.try_clone().unwrap());
            if is_early {
                command.env(EARLY, "1");
            }
            command
        })
    };
    let mut host = Host::new(HostOptions::new(config(&mock)).isolation(Isolation::Process(launch))).unwrap();
    // A worker that will not serve may have ended before it is asked to.
    let begun = host.create_context(CONTEXT, ContextOptions::new("test"));
    let sent = begun.and_then(|()| host.submit(CONTEXT, &bytes(&command::seek_reply_stream(0))));
    // There is no stream to seek in, so the context ends with that.
    let _lost = host.create_fence(CONTEXT, 0, FENCE);
    let until = Instant::now() + PATIENCE;
    while sent.is_ok() && host.take_retired().is_empty() {
        assert!(Instant::now() < until, "{}", fs::read_to_string(&said).unwrap());
        thread::sleep(Duration::from_millis(1));
    }
    let lost = host.lost(CONTEXT);
    drop(host);
    if let Some(copying) = copying {
        copying.join().unwrap();
    }
    format!("{}({})", fs::read_to_string(said).unwrap(), lost.unwrap_or_default())
}

/// Panics unless all of these came out like this.
fn assert_all(said: &str, what: &[&str], holds: impl Fn(&str) -> bool) {
    for what in what {
        let found = said.lines().find_map(|line| line.strip_prefix("tried ")?.strip_prefix(what)?.strip_prefix(": "));
        assert!(found.is_some_and(&holds), "{what}:\n{said}");
    }
}

/// Panics unless each call that was refused was logged, once, however often it was made.
fn assert_logged(said: &str) {
    const CALLS: [&str; 9] =
        ["execve", "socket", "ptrace", "kill", "unshare", "socketpair", "fcntl", "ioctl", "inotify_init1"];
    for call in CALLS {
        let line = format!("log the sandbox of this worker refuses {call}: ");
        let count = said.lines().filter(|line_said| line_said.starts_with(&line)).count();
        assert_eq!(count, 1, "{call}:\n{said}");
    }
}

fn is_refused(outcome: &str) -> bool {
    [libc::EPERM, libc::EACCES].iter().any(|number| outcome == number.to_string())
}

fn is_done(outcome: &str) -> bool {
    outcome == "done"
}

fn whoever_takes_over_a_worker_is_confined() {
    for level in [Confinement::On, Confinement::Strict] {
        let said = take_over(level, false);
        for what in [&CALLS[..], &FILES, &others::CALLS, &others::OF_TERMINALS, &["rights"]] {
            assert_all(&said, what, is_refused);
        }
        assert_all(&said, &OTHERS, |outcome| is_refused(outcome) || outcome == libc::EXDEV.to_string());
        assert_all(&said, &POSSIBLE, is_done);
        assert_all(&said, &others::POSSIBLE, is_done);
        assert_logged(&said);
    }
}

fn threads_that_a_worker_began_with_make_no_calls_either() {
    let said = take_over(Confinement::On, true);
    for what in [&CALLS[..], &others::CALLS, &others::OF_TERMINALS] {
        assert_all(&said, what, is_refused);
    }
    assert_all(&said, &["thread", "pair"], is_done);
    // They can open files, which is not passed over in silence.
    assert!(said.contains("log this worker is confined less than it should be: 1 threads were there before"), "{said}");
}

fn whoever_takes_over_a_worker_reads_nothing_that_is_typed() {
    for level in [Confinement::On, Confinement::Strict] {
        let said = take_over_at(level, false, |said| {
            let (terminal, copying) = others::terminal(said);
            (terminal, Some(copying))
        });
        assert_all(&said, &["typed"], |outcome| outcome == libc::EBADF.to_string());
        assert_all(&said, &others::OF_TERMINALS, is_refused);
    }
}

fn a_strict_sandbox_takes_no_threads_that_open_files() {
    let said = take_over(Confinement::Strict, true);
    assert!(said.contains("a strict sandbox cannot be had: 1 threads were there before"), "{said}");
    assert!(!said.contains("tried"), "nobody is served:\n{said}");
}

fn without_a_sandbox_all_of_that_can_be_done() {
    let said = take_over(Confinement::Off, false);
    // Nothing comes of these, and they are not forbidden.
    let idle = ["exec", "ptrace"];
    assert_all(&said, &idle, |outcome| !is_done(outcome) && !is_refused(outcome));
    let calls: Vec<_> = CALLS.into_iter().filter(|call| !idle.contains(call)).collect();
    for what in [&calls[..], &FILES, &OTHERS, &POSSIBLE, &others::CALLS, &others::POSSIBLE] {
        assert_all(&said, what, is_done);
    }
    assert_all(&said, &others::OF_TERMINALS, |outcome| !is_done(outcome) && !is_refused(outcome));
}

/// Serves as a worker if it is one, and tests what workers can do if not.
pub(crate) fn run() {
    if let Ok(level) = env::var(LEVEL) {
        return serve(level.parse().expect("a level"));
    }
    // What this system lacks is not there to be tested.
    let missing = venus_host::sandbox::support().missing();
    if missing.is_empty() {
        whoever_takes_over_a_worker_is_confined();
        whoever_takes_over_a_worker_reads_nothing_that_is_typed();
        threads_that_a_worker_began_with_make_no_calls_either();
        a_strict_sandbox_takes_no_threads_that_open_files();
    } else {
        eprintln!("not tested: {}", missing.join("; "));
    }
    without_a_sandbox_all_of_that_can_be_done();
}
