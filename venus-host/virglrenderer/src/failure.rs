//! Errors that several rooms say: a sentence for the log and an errno for the monitor.

use std::io;

use venus_ffi::Error;
use venus_host::{HostError, error::errno};

/// The monitor, or the guest through it, asks for what cannot be.
pub(crate) fn refused(sentence: impl Into<String>) -> Error {
    Error::argument(sentence)
}

/// This library does not have what is asked for.
pub(crate) fn absent(what: &str) -> Error {
    Error::new(errno::OPNOTSUPP, format!("this library has no {what}"))
}

/// The system refused. `what` was attempted, and reads well before a colon.
pub(crate) fn system<E: Into<io::Error>>(what: &'static str) -> impl FnOnce(E) -> Error {
    move |error| HostError::io(what, error).into()
}
