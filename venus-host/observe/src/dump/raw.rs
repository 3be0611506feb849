//! Plain streams: commands one after the other, as a guest sends them, without times or replies.

use std::io::{self, Read};

use venus_protocol::reflect::{Why, value::Request};

/// How much is read at a time, at first.
const READ_BYTES: usize = 64 << 10;

/// Longest command: as much as a host accepts.
const COMMAND_BYTES: u64 = venus_host::limits::SHMEM_BYTES;

/// Reads commands from a stream.
pub(super) struct Commands<R> {
    input: R,
    buffer: Vec<u8>,
    /// Where in the buffer the next command begins.
    at: usize,
    /// Where in the stream the buffer begins.
    base: u64,
    has_ended: bool,
}

impl<R: Read> Commands<R> {
    pub(super) fn new(input: R) -> Self {
        Self { input, buffer: Vec::new(), at: 0, base: 0, has_ended: false }
    }

    /// Position in the stream, and bytes that begin with the next command; `None` at the end. A command that the bytes
    /// do not hold completely is damaged, or too long.
    pub(super) fn next_command(&mut self) -> io::Result<Option<(u64, &[u8])>> {
        while !self.has_ended && self.lacks_bytes() {
            self.read_more()?;
        }
        let rest = self.buffer.get(self.at..).unwrap_or_default();
        let position = self.base.saturating_add(self.at as u64);
        Ok((!rest.is_empty()).then_some((position, rest)))
    }

    /// Passes over the command that was returned last.
    pub(super) fn advance(&mut self, len: usize) {
        self.at = self.at.saturating_add(len).min(self.buffer.len());
    }

    fn rest(&self) -> &[u8] {
        self.buffer.get(self.at..).unwrap_or_default()
    }

    fn lacks_bytes(&self) -> bool {
        let rest = self.rest();
        let stop = match Request::read(rest) {
            Ok(request) => request.stop,
            Err(stop) => Some(stop),
        };
        u64::try_from(rest.len()).is_ok_and(|len| len < COMMAND_BYTES)
            && stop.is_some_and(|stop| stop.why == Why::Truncated)
    }

    /// Doubles the bytes in the buffer, so that a long command is decoded few times.
    fn read_more(&mut self) -> io::Result<()> {
        if self.at > 0 {
            self.buffer.drain(..self.at);
            self.base = self.base.saturating_add(self.at as u64);
            self.at = 0;
        }
        let wanted = self.buffer.len().max(READ_BYTES);
        let read = self.input.by_ref().take(wanted as u64).read_to_end(&mut self.buffer)?;
        self.has_ended = read < wanted;
        Ok(())
    }
}
