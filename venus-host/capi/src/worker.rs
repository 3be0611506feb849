//! Worker processes: programs that serve one context, started by a host.

use std::{
    ffi::{OsString, c_int},
    process::{Command, ExitCode},
};

use ::venus_host::{
    driver::Config,
    limits::Budget,
    worker::{self, Launch, WorkerOptions},
};
use venus_ffi::{Error, environment, guard, log};

/// Tells a program that it is a worker.
const WORKER_VARIABLE: &str = "VENUS_WORKER";

/// Where the library begins when it is started as a program.
#[cfg(target_os = "linux")]
mod entry {
    ::venus_host::worker_entry!(super::run);
}

/// What a program does that was started as a worker (see worker_program of venus_host_options): serves one context to its
/// end, and returns what the program has to exit with. Call it before anything else in `main`.
///
/// # Errors
///
/// -EINVAL: an environment variable that is looked at has a value that does not exist.
#[unsafe(no_mangle)]
pub extern "C" fn venus_worker_main() -> c_int {
    guard::call("venus_worker_main", || Ok(if serve()? == ExitCode::SUCCESS { 0 } else { 1 }))
}

/// What the library does that was started as a program.
#[cfg(target_os = "linux")]
fn run() -> ExitCode {
    guard::call_or("the worker", ExitCode::FAILURE, serve)
}

fn serve() -> Result<ExitCode, Error> {
    log::start(log::Level::Warn);
    let driver = environment::driver(Config::default())?;
    let options = WorkerOptions::new(driver).budget(environment::budget(Budget::default())?);
    Ok(worker::serve(&options.sandbox(environment::sandbox()?).log(log::send)))
}

/// How workers are started: by `program`, or by this library itself where the system can do that. They have `environment`
/// beside this process's own.
pub(crate) fn launch(program: Option<&str>, environment: Vec<(OsString, OsString)>) -> Launch {
    let Some(program) = program.map(str::to_owned) else { return Launch::ThisLibrary { environment } };
    Launch::command(move || {
        let mut command = Command::new(&program);
        command.env(WORKER_VARIABLE, "1").envs(environment.iter().map(|(name, value)| (name, value)));
        command
    })
}
