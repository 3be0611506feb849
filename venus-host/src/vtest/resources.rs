//! The resources of one connection: their numbers, and the descriptors that the guest maps.
//!
//! A guest that asks for a resource is given one, whatever happens: it waits for an answer, and the protocol has no word
//! for a refusal. But there are descriptors that nobody can map, and with one of those Mesa answers its program
//! `VK_ERROR_MEMORY_MAP_FAILED`, or `VK_ERROR_OUT_OF_HOST_MEMORY` where it wanted memory for itself. So a resource that
//! cannot be made is a number that stands for nothing, and a line in the log.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    os::fd::{AsFd, BorrowedFd},
    sync::Arc,
};

use super::{framing::FramingError, ids::Ids};
use crate::{
    context::Context,
    error::{CREATE_BLOB, Fatal, HostError},
    limits,
    resource::{Blob, BlobFlags, BlobKind, ResourceId},
};

/// Makes a descriptor that stands for memory which has none to be mapped.
pub type MakeStandIn = dyn Fn(&Blob) -> Result<Box<dyn AsFd + Send>, HostError> + Send + Sync;

/// The numbers that the guest has been given.
#[derive(Default)]
pub(super) struct Resources {
    ids: Ids,
    /// Those that stand for nothing.
    refused: BTreeSet<u32>,
    make_stand_in: Option<Arc<MakeStandIn>>,
    /// What was sent in place of memory, by the number of its resource.
    stand_ins: BTreeMap<u32, Box<dyn AsFd + Send>>,
}

impl Resources {
    pub(super) fn new(make_stand_in: Option<Arc<MakeStandIn>>) -> Self {
        Self { make_stand_in, ..Self::default() }
    }

    /// What stands for the memory of a resource, if something does.
    pub(super) fn stand_in(&self, id: u32) -> Option<BorrowedFd<'_>> {
        self.stand_ins.get(&id).map(|stand_in| stand_in.as_fd())
    }

    /// Makes a resource. Answers its number, and what the guest maps; none, if there is nothing to map.
    pub(super) fn create(
        &mut self,
        context: &mut Context,
        flags: BlobFlags,
        blob_id: u64,
        size: u64,
    ) -> Result<(u32, Option<Blob>), FramingError> {
        let id = self.ids.allocate();
        match self.make(context, ResourceId(id), flags, blob_id, size) {
            Ok(blob) => Ok((id, Some(blob))),
            Err(error) => {
                context.log_refusal(error.into_fatal(CREATE_BLOB));
                self.refused.insert(id);
                if self.refused.len() > limits::RESOURCES {
                    // Mesa gives them back at once.
                    let reason = format!("{} resources that could not be made were not given back", limits::RESOURCES);
                    return Err(FramingError::Illegal(reason));
                }
                Ok((id, None))
            }
        }
    }

    /// Drops a resource; an unknown one is ignored.
    pub(super) fn unref(&mut self, context: &mut Context, id: u32) {
        self.stand_ins.remove(&id);
        if self.refused.remove(&id) || context.destroy_resource(ResourceId(id)) {
            self.ids.free(id);
        }
    }

    fn make(
        &mut self,
        context: &mut Context,
        id: ResourceId,
        flags: BlobFlags,
        blob_id: u64,
        size: u64,
    ) -> Result<Blob, HostError> {
        let blob = context.create_blob(id, flags, blob_id, size)?;
        if blob.mappable_fd().is_none() {
            let stand_in = match &self.make_stand_in {
                Some(make) => make(&blob),
                None => Err(unmappable(blob.kind())),
            };
            let stand_in = stand_in.inspect_err(|_| {
                context.destroy_resource(id);
            })?;
            self.stand_ins.insert(id.0, stand_in);
        }
        Ok(blob)
    }
}

impl fmt::Debug for Resources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resources").field("ids", &self.ids).field("refused", &self.refused).finish_non_exhaustive()
    }
}

#[cold]
fn unmappable(kind: BlobKind) -> HostError {
    let reason = match kind {
        BlobKind::Pointer => "a pointer into this process is of no use to a guest behind a socket",
        _ => "this memory can only be shared with the driver itself, not through vtest",
    };
    Fatal::new(CREATE_BLOB, reason).advice("`venus doctor` lists the ways this host has to share memory").into()
}
