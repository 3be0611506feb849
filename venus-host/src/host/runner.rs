//! Who serves a context: the same verbs, whoever it is.

use std::{sync::Arc, time::Duration};

use super::resources::Resource;
use crate::{
    HostError,
    context::Context,
    endpoint::Statistics,
    limits,
    resource::{Blob, BlobFlags, BlobKind, ResourceId},
    worker::{Added, Fences, Served, serve},
};

/// A context that somebody serves.
pub(super) enum Runner {
    /// A thread or a process.
    Served(Box<Served>),
    /// Whoever calls the host.
    Polled { context: Box<Context>, fences: Arc<Fences> },
}

impl Runner {
    /// Executes commands, now or some time.
    pub(super) fn submit(&mut self, commands: &[u8]) -> Result<(), HostError> {
        match self {
            Self::Served(served) => served.submit(commands),
            Self::Polled { context, .. } => {
                context.submit(commands).map_err(|fatal| HostError::Lost(fatal.to_string().into()))
            }
        }
    }

    /// Has a fence retire, in any case.
    pub(super) fn create_fence(&mut self, ring_idx: u32, fence: u64) -> Result<(), HostError> {
        match self {
            Self::Served(served) => served.create_fence(ring_idx, fence),
            Self::Polled { context, fences } => create_polled_fence(context, fences, ring_idx, fence),
        }
    }

    /// Creates a resource of the context's memory.
    pub(super) fn create_blob(
        &mut self,
        id: ResourceId,
        flags: BlobFlags,
        blob_id: u64,
        size: u64,
    ) -> Result<Blob, HostError> {
        match self {
            Self::Served(served) => served.create_blob(id, flags, blob_id, size),
            Self::Polled { context, .. } => context.create_blob(id, flags, blob_id, size),
        }
    }

    /// Lets the context know a resource.
    pub(super) fn attach(&mut self, id: ResourceId, resource: &Resource) -> Result<(), HostError> {
        match self {
            Self::Served(served) => {
                if served.is_process() && resource.blob.kind() == BlobKind::Pointer {
                    return Err(HostError::Unsupported(
                        "a process of its own serves this context, and has no use for memory without a descriptor"
                            .into(),
                    ));
                }
                served.attach(id, resource.size, resource.is_plain, resource.blob.clone())
            }
            Self::Polled { context, .. } => {
                serve::attach(context, id, resource.size, resource.is_plain, &resource.blob)
            }
        }
    }

    /// Lets the context forget a resource.
    pub(super) fn detach(&mut self, id: ResourceId) {
        match self {
            Self::Served(served) => served.detach(id),
            Self::Polled { context, .. } => {
                context.detach_resource(id);
            }
        }
    }

    /// Descriptors of this process that requests may keep whose resources have gone.
    pub(super) fn files_leaving(&self) -> usize {
        match self {
            Self::Served(served) => served.files_leaving(),
            Self::Polled { .. } => 0,
        }
    }

    /// Why the context is lost, if it is.
    pub(super) fn lost(&self) -> Option<String> {
        match self {
            Self::Served(served) => served.lost(),
            Self::Polled { context, .. } => context.lost().map(ToString::to_string),
        }
    }

    /// The process that serves it, if it is one of its own.
    pub(super) fn process(&self) -> Option<u32> {
        match self {
            Self::Served(served) => served.process(),
            Self::Polled { .. } => None,
        }
    }

    /// Asks how the guest is doing, for [`Self::statistics`].
    pub(super) fn ask_statistics(&self) -> Result<(), HostError> {
        match self {
            Self::Served(served) => served.ask_statistics(),
            Self::Polled { .. } => Ok(()),
        }
    }

    /// How the guest is doing.
    pub(super) fn statistics(&self, patience: Duration) -> Result<Statistics, HostError> {
        match self {
            Self::Served(served) => served.statistics(patience),
            Self::Polled { context, .. } => Ok(context.statistics()),
        }
    }

    /// Ends the context. What has not come to its end when this returns is given back.
    pub(super) fn end(self) -> Option<Served> {
        match self {
            Self::Served(served) => {
                served.dismiss();
                Some(*served)
            }
            Self::Polled { context, fences } => {
                drop(context);
                fences.close();
                None
            }
        }
    }
}

fn create_polled_fence(
    context: &mut Context,
    fences: &Arc<Fences>,
    ring_idx: u32,
    fence: u64,
) -> Result<(), HostError> {
    let token = match fences.add(ring_idx, fence) {
        Added::Waits(token) => token,
        Added::Lost => return Ok(()),
        Added::TooMany if ring_idx >= limits::TIMELINES => {
            return Err(HostError::fatal(
                "create fence",
                format!("ring_idx {ring_idx} is not below {}", limits::TIMELINES),
            ));
        }
        Added::TooMany => {
            context.fail(HostError::limit("pending fences", limits::FENCES).into_fatal("create fence"));
            fences.close();
            return Err(HostError::limit("pending fences of one context", limits::FENCES));
        }
    };
    let retiring = Arc::clone(fences);
    let made = context.create_fence(
        ring_idx,
        Box::new(move |retired| {
            retiring.retire(ring_idx, token, retired);
        }),
    );
    serve::settle(context, made, "create fence");
    Ok(())
}
