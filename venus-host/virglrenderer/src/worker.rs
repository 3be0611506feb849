//! The library as its own program: what a process does that serves one context.
//!
//! The dynamic loader starts it at the library's entry point, so there is no other program to install, and none that could
//! be of another version.

use std::process::ExitCode;

use venus_host::worker;

use crate::{log, renderer};

#[cfg(target_os = "linux")]
venus_host::worker_entry!(run);

/// Serves the context of the monitor that has started this process.
#[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "other systems run no libraries"))]
fn run() -> ExitCode {
    log::start();
    match renderer::worker_options() {
        Ok(options) => worker::serve(&options.log(log::send)),
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::FAILURE
        }
    }
}
