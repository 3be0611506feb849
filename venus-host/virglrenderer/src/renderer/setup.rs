//! How contexts are isolated, and what they may use: decided once, when the monitor initialises the library.

use venus_ffi::{Error, environment};
use venus_host::{
    driver::Config,
    host::{HostOptions, Isolation},
};

/// The host that this process's environment asks for. Contexts are served by threads of this process.
pub(super) fn options() -> Result<HostOptions, Error> {
    let config = environment::driver(Config::default())?;
    if environment::isolation()? == Some(environment::Isolation::Process) {
        tracing::warn!("VENUS_ISOLATION=process: this library starts no processes, so guests share this one");
    }
    Ok(HostOptions::new(config).isolation(Isolation::Thread))
}
