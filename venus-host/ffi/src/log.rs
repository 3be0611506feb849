//! The host's log, without a dependency that a monitor would pay for.
//!
//! Lines go to standard error, up to the level that `VENUS_LOG` names, and to a callback, up to a level of its own. Both
//! can change at any time. A line is what `tracing` calls an event: its message, behind the name of the context that it
//! is about.
//!
//! The levels are one threshold for everything: unlike `venus serve --log`, there are no filters by target.

use std::{
    ffi::{CStr, CString},
    fmt::{self, Write as _},
    io::Write as _,
    str::FromStr,
    sync::{
        Arc, Once, RwLock,
        atomic::{AtomicU8, Ordering},
    },
};

use tracing::{
    Event, Metadata, Subscriber, callsite,
    field::{Field, Visit},
    level_filters::LevelFilter,
    span,
};
use venus_host::worker::Lines;

/// How much a line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Level {
    /// As a threshold: no line at all.
    Off = 0,
    /// Somebody is not served.
    Error = 1,
    /// Something is not as it should be, and we go on.
    Warn = 2,
    /// What happens.
    Info = 3,
    /// What happens, in detail.
    Debug = 4,
    /// Everything.
    Trace = 5,
}

impl Level {
    const ALL: [Self; 6] = [Self::Off, Self::Error, Self::Warn, Self::Info, Self::Debug, Self::Trace];

    /// The level of that number, if there is one.
    #[must_use]
    pub fn of(number: u32) -> Option<Self> {
        Self::ALL.get(usize::try_from(number).ok()?).copied()
    }

    fn of_event(level: &tracing::Level) -> Self {
        match *level {
            tracing::Level::ERROR => Self::Error,
            tracing::Level::WARN => Self::Warn,
            tracing::Level::INFO => Self::Info,
            tracing::Level::DEBUG => Self::Debug,
            tracing::Level::TRACE => Self::Trace,
        }
    }

    fn filter(self) -> LevelFilter {
        match self {
            Self::Off => LevelFilter::OFF,
            Self::Error => LevelFilter::ERROR,
            Self::Warn => LevelFilter::WARN,
            Self::Info => LevelFilter::INFO,
            Self::Debug => LevelFilter::DEBUG,
            Self::Trace => LevelFilter::TRACE,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

impl FromStr for Level {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let level = Self::ALL.into_iter().find(|level| level.name().eq_ignore_ascii_case(text));
        level.ok_or_else(|| format!("{text:?} is none of off, error, warn, info, debug and trace"))
    }
}

/// Called for each line, on whichever thread it comes up, also on several at once. It must not call the host.
pub type Sink = Arc<dyn Fn(Level, &CStr) + Send + Sync>;

/// Where lines go.
struct Outputs {
    /// What standard error gets.
    standard_error: AtomicU8,
    /// What the sink gets.
    sink_level: AtomicU8,
    sink: RwLock<Option<Sink>>,
}

static OUTPUTS: Outputs =
    Outputs { standard_error: AtomicU8::new(0), sink_level: AtomicU8::new(0), sink: RwLock::new(None) };

/// Begins to log, once in a process: to standard error what `VENUS_LOG` says, or else what matters as much as `default`.
///
/// A process that has a subscriber of `tracing` already, because it is a Rust program that links this in, keeps that one.
pub fn start(default: Level) {
    static STARTED: Once = Once::new();
    STARTED.call_once(|| {
        let level = std::env::var("VENUS_LOG").ok().and_then(|text| text.parse().ok());
        OUTPUTS.standard_error.store(level.unwrap_or(default) as u8, Ordering::Relaxed);
        let _there_is_one = tracing::subscriber::set_global_default(Writer);
    });
}

/// Sends lines that matter as much as `level` to `sink`; nowhere with [`Level::Off`]. Standard error gets what it gets.
///
/// Another thread that is about to write a line may still call the sink before, once this has returned. That one is dropped
/// when nobody calls it any more: here, or on such a thread. No lock is held then, so it may log, or set another.
pub fn set_sink(level: Level, sink: Option<Sink>) {
    let level = if sink.is_some() { level } else { Level::Off };
    // A thread that panicked inside of a sink has left nothing half done here.
    let before = {
        let mut place = OUTPUTS.sink.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        std::mem::replace(&mut *place, sink)
    };
    OUTPUTS.sink_level.store(level as u8, Ordering::Relaxed);
    // Callsites remember whether anybody is interested.
    callsite::rebuild_interest_cache();
    drop(before);
}

/// Sends lines that matter as much as `level` to whoever logs in this process's place, and none to standard error.
pub fn send(level: LevelFilter, lines: Lines) {
    let wanted = level.into_level().map_or(Level::Off, |level| Level::of_event(&level));
    let sink: Sink = Arc::new(move |level, line| {
        if let Some(level) = level.filter().into_level() {
            lines(level, &line.to_string_lossy());
        }
    });
    OUTPUTS.standard_error.store(Level::Off as u8, Ordering::Relaxed);
    set_sink(wanted, Some(sink));
}

impl Outputs {
    fn wants(&self, level: Level) -> bool {
        level as u8 <= self.most() as u8
    }

    fn most(&self) -> Level {
        let most = self.standard_error.load(Ordering::Relaxed).max(self.sink_level.load(Ordering::Relaxed));
        Level::of(most.into()).unwrap_or(Level::Trace)
    }

    fn write(&self, level: Level, line: &str) {
        if level as u8 <= self.standard_error.load(Ordering::Relaxed) {
            // One write for one line, so that lines of several threads do not mix. Nobody can be told that it failed.
            let _nobody_reads = std::io::stderr().write_all(format!("venus: {}: {line}\n", level.name()).as_bytes());
        }
        if level as u8 <= self.sink_level.load(Ordering::Relaxed) {
            let sink = self.sink.read().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
            if let (Some(sink), Ok(line)) = (sink, CString::new(line.replace('\0', ""))) {
                sink(level, &line);
            }
        }
    }
}

/// Makes lines of events. Spans are nothing to it.
struct Writer;

impl Subscriber for Writer {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && OUTPUTS.wants(Level::of_event(metadata.level()))
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(OUTPUTS.most().filter())
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line::default();
        event.record(&mut line);
        OUTPUTS.write(Level::of_event(event.metadata().level()), &line.finish());
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

/// A line in the making.
#[derive(Default)]
struct Line {
    context: String,
    message: String,
    fields: String,
}

impl Line {
    fn finish(self) -> String {
        let Self { context, message, fields } = self;
        if context.is_empty() { format!("{message}{fields}") } else { format!("{context}: {message}{fields}") }
    }
}

impl Visit for Line {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "context" => value.clone_into(&mut self.context),
            _ => self.record_debug(field, &format_args!("{value}")),
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing to a text does not fail.
        let _always = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// There is one sink in a process.
    static TURN: Mutex<()> = Mutex::new(());

    #[test]
    fn lines_reach_the_sink_that_is_there() {
        let _turn = TURN.lock().unwrap();
        start(Level::Off);
        let lines = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&lines);
        let sink: Sink = Arc::new(move |level, line| kept.lock().unwrap().push((level, line.to_owned())));
        set_sink(Level::Info, Some(sink));
        tracing::warn!(context = "game#1", number = 7, "it is {}", "late");
        tracing::debug!("not wanted");
        set_sink(Level::Off, None);
        tracing::error!("to nobody");
        assert_eq!(*lines.lock().unwrap(), [(Level::Warn, c"game#1: it is late number=7".to_owned())]);
    }

    #[test]
    fn a_process_sends_its_lines_away() {
        let _turn = TURN.lock().unwrap();
        start(Level::Off);
        let lines = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&lines);
        send(LevelFilter::WARN, Arc::new(move |level, line| kept.lock().unwrap().push((level, line.to_owned()))));
        tracing::warn!(context = "game#1", "it is late");
        tracing::info!("not wanted");
        set_sink(Level::Off, None);
        assert_eq!(*lines.lock().unwrap(), [(tracing::Level::WARN, "game#1: it is late".to_owned())]);
    }

    #[test]
    fn a_sink_may_log_and_set_another_when_it_is_dropped() {
        struct Last(Arc<Mutex<bool>>);
        impl Drop for Last {
            fn drop(&mut self) {
                // Whether a line or another sink would wait here for ever.
                *self.0.lock().unwrap() = OUTPUTS.sink.try_write().is_ok();
            }
        }
        let _turn = TURN.lock().unwrap();
        let is_free = Arc::new(Mutex::new(false));
        let last = Last(Arc::clone(&is_free));
        set_sink(Level::Error, Some(Arc::new(move |_, _| drop(last.0.lock()))));
        set_sink(Level::Off, None);
        assert!(*is_free.lock().unwrap());
    }

    #[test]
    fn levels_have_names_and_numbers() {
        assert_eq!("DEBUG".parse(), Ok(Level::Debug));
        assert!("loud".parse::<Level>().is_err());
        assert_eq!((Level::of(0), Level::of(5), Level::of(6)), (Some(Level::Off), Some(Level::Trace), None));
    }
}
