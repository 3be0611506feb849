//! Stands in for the host's errors: that there are some, and what they say.

use std::io;

pub(crate) const GUEST_DRIVER: &str = "";

#[derive(Debug, Clone)]
pub(crate) struct Fatal(pub(crate) String);

impl Fatal {
    pub(crate) fn new(command: &'static str, reason: impl Into<String>) -> Self {
        Self(format!("{command}: {}", reason.into()))
    }

    pub(crate) fn member(self, _member: impl Into<String>) -> Self {
        self
    }

    pub(crate) fn advice(self, _advice: &'static str) -> Self {
        self
    }

    pub(crate) fn located(self, _stream: String, _base: u64, _at: u64) -> Self {
        self
    }
}

#[derive(Debug)]
pub(crate) enum Interrupt {
    Lost(Fatal),
    Blocked,
    Stopped,
}

impl Interrupt {
    pub(crate) fn into_fatal(self, what: &'static str) -> Fatal {
        match self {
            Self::Lost(fatal) => fatal,
            other => Fatal::new(what, format!("{other:?}")),
        }
    }
}

impl From<Fatal> for Interrupt {
    fn from(fatal: Fatal) -> Self {
        Self::Lost(fatal)
    }
}

#[derive(Debug)]
pub(crate) struct HostError(pub(crate) String);

impl HostError {
    pub(crate) fn io(what: &str, error: io::Error) -> Self {
        Self(format!("{what}: {error}"))
    }
}
