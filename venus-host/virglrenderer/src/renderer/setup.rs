//! How contexts are isolated, and what they may use: decided once, when the monitor initialises the library.

use venus_ffi::{Error, environment};
use venus_host::{
    driver::{Config, MemoryChoice, Transport},
    host::{HostOptions, Isolation},
    limits::Budget,
    worker::{self, Launch, WorkerOptions},
};

/// The host that this process's environment asks for. One that serves nobody starts no worker ahead.
pub(super) fn options(serves_venus: bool) -> Result<HostOptions, Error> {
    let config = environment::pipeline_caches(config()?)?;
    let isolation = isolation(&config)?;
    let options = HostOptions::new(config).budget(budget()?).isolation(isolation);
    Ok(if serves_venus { options } else { options.spares(0) })
}

/// What a worker is told by the same environment.
pub(crate) fn worker_options() -> Result<WorkerOptions, Error> {
    Ok(WorkerOptions::new(config()?).budget(budget()?).sandbox(environment::sandbox()?))
}

fn config() -> Result<Config, Error> {
    let config = environment::driver(Config::default())?;
    let transport = transport(config.memory);
    Ok(config.transport(transport))
}

/// What a worker's memory may be. A driver's own descriptors are imported into the same driver here, inside the monitor, which
/// has nothing but the worker's word for what they are: only for those who ask for it.
fn transport(memory: MemoryChoice) -> Transport {
    if memory == MemoryChoice::Opaque { Transport::default().opaque() } else { Transport::default() }
}

/// What each guest may hold.
fn budget() -> Result<Budget, Error> {
    environment::budget(Budget::default())
}

/// A process for each context, unless somebody wants none, or none can be started.
fn isolation(config: &Config) -> Result<Isolation, Error> {
    if environment::isolation()? == Some(environment::Isolation::Thread) {
        return Ok(Isolation::Thread);
    }
    let launch = Launch::ThisLibrary { environment: Vec::new() };
    // A worker has no pointers to give.
    let pointers_only = Transport::default().opaque().check(config.memory).err();
    match worker::cannot_launch(&launch).or(pointers_only) {
        None => Ok(Isolation::Process(launch)),
        Some(reason) => {
            tracing::warn!("guests share this process, and take it along if they crash the driver: {reason}");
            Ok(Isolation::Thread)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workers_word_is_taken_for_a_drivers_descriptors_by_those_only_who_want_it() {
        assert!(transport(MemoryChoice::Opaque).opaque);
        assert!(!transport(MemoryChoice::default()).opaque && !transport(MemoryChoice::DmaBuf).opaque);
    }
}
