//! Jobs of a replay's workers, and their recorded ends.

use venus_protocol::wire::CommandHeader;

use super::workers::{Job, Label};
use crate::recording::{Outcome, Place};

/// A recorded command.
#[derive(Debug)]
pub(super) struct Command {
    pub(super) number: u64,
    pub(super) place: Place,
    pub(super) header: CommandHeader,
    pub(super) request: Vec<u8>,
}

impl Command {
    /// Position in its stream of the byte after it.
    pub(super) fn end(&self) -> u64 {
        self.place.position.wrapping_add(self.request.len() as u64)
    }
}

/// A job for the worker of an endpoint.
#[derive(Debug)]
pub(super) enum Task {
    Command(Command),
    /// Moves the endpoint's reply stream to this position.
    SeekReply {
        position: u64,
    },
    /// Tells waiters that the ring has been executed up to this position.
    Pass {
        position: u64,
    },
    Blob {
        resource: u32,
        flags: u32,
        blob_id: u64,
        size: u64,
    },
    Unref {
        resource: u32,
    },
    Fence {
        ring_idx: u32,
        number: u64,
    },
}

impl Job for Task {
    fn label(&self) -> Label {
        let what = match self {
            Self::Command(command) => {
                return Label { number: Some(command.number), what: command.header.command.name() };
            }
            Self::SeekReply { .. } => "finding the place for a reply",
            Self::Pass { .. } => "passing on in a ring",
            Self::Blob { .. } => "creating a resource",
            Self::Unref { .. } => "dropping a resource",
            Self::Fence { .. } => "creating a fence",
        };
        Label { number: None, what }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Command(command) => command.request.len(),
            _ => 0,
        }
    }
}

/// The recorded end of a job.
#[derive(Debug)]
pub(super) enum End {
    /// How a command ended, and its reply.
    Command { outcome: Outcome, reply: Vec<u8> },
    /// Why a resource could not be created; absent if it was.
    Blob(Option<String>),
    /// Nothing to compare with.
    Nothing,
}
