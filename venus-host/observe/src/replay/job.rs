//! What workers carry: things to do, and what the recording says of their ends.

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
    /// Position in its stream of what follows it.
    pub(super) fn end(&self) -> u64 {
        self.place.position.wrapping_add(self.request.len() as u64)
    }
}

/// Something to be done on the thread of an endpoint.
#[derive(Debug)]
pub(super) enum Task {
    Command(Command),
    /// The endpoint's next reply goes to this position of its reply stream.
    SeekReply {
        position: u64,
    },
    /// Everything in the ring before this position is done.
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

/// How something ended, in the recording.
#[derive(Debug)]
pub(super) enum End {
    /// A command, and what it was answered.
    Command { outcome: Outcome, reply: Vec<u8> },
    /// A request for a resource, and why there was none.
    Blob(Option<String>),
    /// Nothing more to say.
    Nothing,
}
