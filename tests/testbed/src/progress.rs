//! Progress of long steps: a spinner on a terminal, plain lines elsewhere.
//!
//! Everything goes to standard error, so that a verb's result on standard output can be piped.

use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::time::{Duration, Instant};

/// One step that takes a while. Dropped without [`Step::done`], it says that it did not finish.
#[derive(Debug)]
pub struct Step {
    what: String,
    bar: Option<ProgressBar>,
    started: Instant,
    finished: bool,
}

impl Step {
    /// Announces a step, for example `making the guest root of Debian trixie`.
    pub fn start(what: impl Into<String>) -> Self {
        let what = what.into();
        let bar = std::io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template("{spinner} {prefix} [{elapsed}] {wide_msg:.dim}")
                .unwrap_or_else(|_| ProgressStyle::default_spinner());
            let bar = ProgressBar::new_spinner().with_style(style).with_prefix(what.clone());
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        if bar.is_none() {
            eprintln!("{what} ...");
        }
        Self { what, bar, started: Instant::now(), finished: false }
    }

    /// Shows what the step is busy with; on a terminal it replaces the previous detail.
    pub fn detail(&self, detail: &str) {
        show(self.bar.as_ref(), detail);
    }

    /// Shows details from another thread.
    pub fn details(&self) -> impl FnMut(&str) + Send + 'static {
        let bar = self.bar.clone();
        move |detail| show(bar.as_ref(), detail)
    }

    /// Ends the step with its outcome, for example `Mesa 25.0.7`.
    pub fn done(mut self, outcome: &str) {
        self.finished = true;
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        let seconds = self.started.elapsed().as_secs_f64();
        let outcome = if outcome.is_empty() { "done" } else { outcome };
        eprintln!("{}: {outcome} ({seconds:.1} s)", self.what);
    }
}

fn show(bar: Option<&ProgressBar>, detail: &str) {
    match bar {
        Some(bar) => bar.set_message(detail.to_owned()),
        None => eprintln!("  {detail}"),
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        if self.finished {
            return;
        }
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        eprintln!("{}: not finished after {:.1} s", self.what, self.started.elapsed().as_secs_f64());
    }
}
