//! Stands in for the host's: what is told to one system and not to another.

pub(crate) fn sharpen_timers() {}

pub(crate) struct AutoreleasePool;

impl AutoreleasePool {
    pub(crate) fn new() -> Self {
        Self
    }
}
