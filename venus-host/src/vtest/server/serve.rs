//! The worker's side: serves one guest to its end.

use std::{
    io,
    os::unix::net::UnixStream,
    sync::{Arc, OnceLock},
    thread,
};

use super::{
    super::{
        framing::FramingError,
        session::{self, Reported, SessionError, SessionOptions, Summary},
    },
    handoff,
    inquiry::{self, GuestStatistics},
    last_word,
};
use crate::endpoint::Breadcrumbs;

/// Stack of the thread that answers the server's questions.
const ANSWERS_STACK_BYTES: usize = 128 << 10;

/// Serves one connection on this thread until its guest leaves, logs how it ended, and says what came of it.
pub fn serve_connection(socket: UnixStream, options: SessionOptions) -> Summary {
    serve(socket, options, Reported::default())
}

/// Waits for a server to hand over a guest, at the other end of `control`, and serves it as [`serve_connection`] does.
/// Calls `begin` when the guest has come. Nothing if the server has gone before.
pub fn serve_worker(control: UnixStream, options: SessionOptions, begin: impl FnOnce()) -> Option<Summary> {
    let (socket, file) = match handoff::take(&control) {
        Ok(guest) => guest?,
        Err(error) => {
            tracing::error!("cannot get a guest from the server: {error}");
            return None;
        }
    };
    begin();
    let breadcrumbs = Breadcrumbs::open(file).unwrap_or_else(|error| {
        tracing::warn!("what this guest does is not noted: {error}");
        Breadcrumbs::default()
    });
    let reported = Reported { breadcrumbs, context: Arc::default() };
    let answers = answer_questions(&control, Arc::clone(&reported.context));
    let summary = serve(socket, options, reported);
    // By that the thread knows that answers the server: two must not speak at a time.
    let _gone = rustix::net::shutdown(&control, rustix::net::Shutdown::Read);
    let _panicked = answers.map(thread::JoinHandle::join);
    last_word::say(&control, &summary);
    // By that the server knows.
    let _gone = rustix::net::shutdown(&control, rustix::net::Shutdown::Both);
    Some(summary)
}

/// Has a thread answer what the server asks about the guest.
fn answer_questions(control: &UnixStream, context: Arc<OnceLock<session::Monitor>>) -> Option<thread::JoinHandle<()>> {
    let statistics = move || match context.get() {
        Some(monitor) => GuestStatistics::of(&monitor.counters, &monitor.sampler),
        None => GuestStatistics::default(),
    };
    let started = control.try_clone().and_then(|control| {
        let builder = thread::Builder::new().name("venus-status".to_owned()).stack_size(ANSWERS_STACK_BYTES);
        builder.spawn(move || inquiry::answer(control, statistics))
    });
    let unknown = |error: &_| tracing::warn!("the server will not know how this guest is doing: {error}");
    started.inspect_err(unknown).ok()
}

fn serve(socket: UnixStream, options: SessionOptions, reported: Reported) -> Summary {
    let mut summary = Summary::default();
    let outcome = session::run(socket, options, reported, &mut summary);
    let guest = &*summary.name;
    match outcome {
        Ok(()) => tracing::debug!(guest, "guest left"),
        Err(error) if is_departure(&error) => tracing::debug!(guest, "guest left: {error}"),
        Err(error) => {
            match &error {
                SessionError::Guest(error) => tracing::error!(guest, "connection closed: {error}"),
                error => tracing::error!(guest, "connection lost: {error}"),
            }
            summary.lost.get_or_insert_with(|| error.to_string());
        }
    }
    summary
}

/// Whether the guest just ended, without reading what we had sent or in the middle of what it had to say: killed guests
/// do.
fn is_departure(error: &SessionError) -> bool {
    let has_gone =
        |error: &io::Error| matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset);
    match error {
        SessionError::Socket(error) | SessionError::Guest(FramingError::Io(error)) => has_gone(error),
        SessionError::Guest(FramingError::Truncated) => true,
        _ => false,
    }
}
