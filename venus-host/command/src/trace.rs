//! The options of tracing, and the signal that switches it.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    thread,
};

use clap::{Args, builder::FalseyValueParser};
use signal_hook::{consts::SIGUSR2, iterator::Signals};
use venus_observe::trace::{self, Switch};

/// What to trace.
#[derive(Debug, Clone, Args)]
pub(super) struct TraceArgs {
    /// Trace when each guest's commands are executed, in a file of its own in this folder; open it at ui.perfetto.dev
    #[arg(long, env = "VENUS_TRACE", value_name = "DIR")]
    trace: Option<PathBuf>,

    /// Trace nothing until SIGUSR2 comes, which switches tracing on and off: send it to the worker, whose number is in
    /// the name of its file, or to the server for guests to come and those of --in-process
    #[arg(long, env = "VENUS_TRACE_PAUSED", requires = "trace", value_parser = FalseyValueParser::new())]
    trace_paused: bool,
}

impl TraceArgs {
    /// Where traces go, if there are to be any.
    pub(super) fn folder(&self) -> Option<&Path> {
        self.trace.as_deref()
    }

    /// The options as the library takes them. From then on the signal switches what they trace, and calls `switched`.
    pub(super) fn listen(
        &self,
        switched: impl Fn() + Send + 'static,
    ) -> Result<Option<trace::Settings>, anyhow::Error> {
        let Some(folder) = self.trace.clone() else { return Ok(None) };
        let switch = Switch::new(!self.trace_paused);
        toggle_on_signal(switch.clone(), switched)?;
        Ok(Some(trace::Settings::new(folder).switch(switch)))
    }
}

/// The environment that makes another `venus` trace like this one does now.
pub(super) fn environment(settings: Option<&trace::Settings>) -> Vec<(&'static str, OsString)> {
    let Some(settings) = settings else { return Vec::new() };
    let paused = if settings.switch.is_on() { "0" } else { "1" };
    vec![("VENUS_TRACE", settings.folder.clone().into_os_string()), ("VENUS_TRACE_PAUSED", paused.into())]
}

/// Starts a thread that toggles the switch at each SIGUSR2.
fn toggle_on_signal(switch: Switch, switched: impl Fn() + Send + 'static) -> Result<(), anyhow::Error> {
    let mut signals = Signals::new([SIGUSR2])?;
    thread::Builder::new().name("venus-signals".to_owned()).spawn(move || {
        for _ in signals.forever() {
            let state = if switch.toggle() { "on" } else { "off" };
            tracing::info!("tracing is {state}");
            switched();
        }
    })?;
    Ok(())
}
