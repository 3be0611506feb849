//! This program as a worker: the monitors in these tests start it again, with one test of it, which serves.

use std::{
    env,
    process::{Command, ExitCode},
    sync::Arc,
};

use venus_host::{
    driver::{Config, MemoryChoice},
    endpoint::{Command as GuestCommand, EndpointObserver, Observer, Source},
    limits::{self, Budget},
    sandbox::Sandbox,
    worker::{self, Launch, WorkerOptions},
};

use crate::machine::config;

/// Says that this is a worker, and of which sort.
const VARIABLE: &str = "VENUS_TEST_WORKER";

/// A worker that serves.
pub(crate) const GOOD: &str = "good";
/// One whose driver gives descriptors that are not what they should be.
pub(crate) const LYING: &str = "lying";
/// One that dies of a `vkSeekReplyCommandStreamMESA`.
pub(crate) const MORTAL: &str = "mortal";
/// One that takes longer for a `vkSeekReplyCommandStreamMESA` than its monitor waits for statistics.
pub(crate) const BUSY: &str = "busy";
/// One that never says anything.
pub(crate) const SILENT: &str = "silent";
/// One that never comes back from a `vkSeekReplyCommandStreamMESA`, and says on standard error which process it is.
pub(crate) const STUCK: &str = "stuck";
/// One that begins with the signals of a program in C.
#[cfg(target_os = "linux")]
pub(crate) const PLAIN: &str = "plain";
/// No worker, but a monitor of a stuck one.
#[cfg(target_os = "linux")]
pub(crate) const MONITOR: &str = "monitor";
/// One that takes nothing more from its monitor.
pub(crate) const DEAF: &str = "deaf";
/// One whose guest may hold [`POOR_BYTES`].
pub(crate) const POOR: &str = "poor";
pub(crate) const POOR_BYTES: u64 = 1 << 20;
/// The same, whose context is held at [`gates`](crate::ahead::Gates).
pub(crate) const GATED: &str = "gated";
/// One that says what makes no sense.
pub(crate) const RAVING: &str = "raving";

/// How workers of a sort are started.
pub(crate) fn launch(sort: &'static str) -> Launch {
    Launch::command(move || {
        let mut command = Command::new(env::current_exe().expect("a program"));
        command.args(["--exact", "worker::serves", "--nocapture", "--quiet"]).env(VARIABLE, sort);
        command.stdout(std::process::Stdio::null());
        command
    })
}

/// Does something in the middle of a command.
pub(crate) struct In<F>(pub(crate) F);

impl<F: Fn(Source) + Clone + Send + Sync + 'static> Observer for In<F> {
    fn endpoint(&self, source: Source, _has_thread: bool) -> Option<Box<dyn EndpointObserver>> {
        let act = self.0.clone();
        Some(Box::new(In(move || act(source))))
    }
}

impl<F: FnMut() + Send> EndpointObserver for In<F> {
    fn begin(&mut self, command: &GuestCommand<'_>) -> Option<u64> {
        if command.header.command.name() == "vkSeekReplyCommandStreamMESA" {
            self.0();
        }
        None
    }
}

fn be_stuck(_source: Source) {
    eprintln!("stuck in process {}", std::process::id());
    stay();
}

pub(crate) fn stay() {
    loop {
        std::thread::park();
    }
}

#[test]
fn serves() {
    let Ok(sort) = env::var(VARIABLE) else { return };
    let mock = mock_driver::Mock::take();
    let driver: Config = config(&mock).memory(if sort == LYING { MemoryChoice::DmaBuf } else { MemoryChoice::Import });
    // Where tests and the driver have their files.
    let sandbox = Sandbox::default().writable(env::temp_dir());
    let options = WorkerOptions::new(driver).sandbox(sandbox);
    match &*sort {
        MORTAL => {
            worker::serve(&options.observers(|_, _| vec![Arc::new(In(|_| std::process::abort()))]));
        }
        BUSY => {
            let rest = |_| std::thread::sleep(2 * limits::STATISTICS_PATIENCE);
            worker::serve(&options.observers(move |_, _| vec![Arc::new(In(rest))]));
        }
        POOR => {
            worker::serve(&options.budget(Budget::default().memory_bytes(POOR_BYTES)));
        }
        GATED => {
            let options = options.budget(Budget::default().memory_bytes(POOR_BYTES));
            worker::serve(&options.observers(|_, _| vec![crate::ahead::holder(env::var("VENUS_TEST_GATES").unwrap())]));
        }
        STUCK => {
            worker::serve(&options.observers(|_, _| vec![Arc::new(In(be_stuck))]));
        }
        #[cfg(target_os = "linux")]
        PLAIN => {
            crate::surroundings::be_plain();
            worker::serve(&options);
        }
        #[cfg(target_os = "linux")]
        MONITOR => crate::surroundings::be_monitor(&mock),
        SILENT => {
            let control = worker::take_control_socket().expect("a monitor");
            // Reads what comes, as long as there is a monitor.
            std::io::copy(&mut &control, &mut std::io::sink()).expect("silence");
        }
        DEAF => {
            let control = worker::take_control_socket().expect("a monitor");
            control.shutdown(std::net::Shutdown::Read).expect("a socket");
            let mut fds = [rustix::event::PollFd::new(&control, rustix::event::PollFlags::HUP)];
            rustix::event::poll(&mut fds, None).expect("the monitor's end");
            stay();
        }
        RAVING => {
            let mut control = worker::take_control_socket().expect("a monitor");
            let nonsense = env::var("VENUS_TEST_SAYS").expect("what to say");
            let bytes: Vec<u8> = nonsense.split(' ').map(|byte| byte.parse().expect("a byte")).collect();
            std::io::Write::write_all(&mut control, &bytes).expect("a monitor that listens");
            std::io::copy(&mut &control, &mut std::io::sink()).expect("the monitor's end");
        }
        _ => assert_eq!(worker::serve(&options), ExitCode::SUCCESS),
    }
    // What the harness has to say of this is of no interest to anybody.
    std::process::exit(0);
}

/// A worker that says these bytes.
pub(crate) fn raving(says: &[u8]) -> Launch {
    let says = says.iter().map(u8::to_string).collect::<Vec<_>>().join(" ");
    launch_with(RAVING, "VENUS_TEST_SAYS", says)
}

/// How workers of a sort are started that are told something more.
pub(crate) fn launch_with(sort: &'static str, name: &'static str, value: String) -> Launch {
    let Launch::Command(make) = launch(sort) else { unreachable!("tests start commands") };
    Launch::command(move || {
        let mut command = make();
        command.env(name, &value);
        command
    })
}
