//! The verbs about resources.

use std::{os::fd::OwnedFd, sync::Arc};

#[cfg(doc)]
use super::Isolation;
use super::{ContextId, Host, no_context, runner::Runner};
#[cfg(doc)]
use crate::limits;
use crate::{
    HostError,
    driver::OpaqueMapper,
    error::CREATE_BLOB,
    resource::{Blob, BlobFlags, BlobKind, BlobStorage, HostMapping, HostMemory, MapInfo, ResourceId},
    socket,
    thread::AutoreleasePool,
};

impl Host {
    /// Creates a resource of a context's memory, which knows it from then on. `blob_id` 0 with exactly
    /// [`BlobFlags::MAPPABLE`] asks for plain shared memory; everything else names a `VkDeviceMemory` of the guest.
    ///
    /// Plain memory is there at once, and the context comes to know it in the order of what is asked of it. For memory of the
    /// guest's this waits until the context has come to it, if that takes no longer than [`limits::WORKER_PATIENCE`]; so it
    /// does for a number that has just meant another resource, until the context has forgotten that.
    ///
    /// # Errors
    ///
    /// What was asked for is wrong or cannot be had, and the device is as it was; or the context is lost.
    pub fn create_blob(
        &mut self,
        id: ContextId,
        resource: ResourceId,
        flags: BlobFlags,
        blob_id: u64,
        size: u64,
    ) -> Result<(), HostError> {
        self.resources.check_new(resource, size)?;
        let leaving = self.contexts.values().map(Runner::files_leaving).fold(0, usize::saturating_add);
        self.resources.check_descriptors(socket::open_files(), leaving)?;
        let blob = self.runner(id, CREATE_BLOB)?.create_blob(resource, flags, blob_id, size)?;
        let is_plain = flags.ask_for_plain(blob_id);
        self.resources.insert(resource, blob, size, is_plain).attached.insert(id);
        Ok(())
    }

    /// Makes storage that somebody else has made a resource of `size` bytes, for contexts that it is attached to.
    ///
    /// # Errors
    ///
    /// The id or the size is wrong.
    pub fn import_blob(&mut self, resource: ResourceId, blob: Blob, size: u64) -> Result<(), HostError> {
        self.resources.check_new(resource, size)?;
        if size > blob.size {
            return Err(HostError::fatal("import blob", format!("{size} bytes of a blob that has {}", blob.size)));
        }
        self.resources.insert(resource, blob, size, false);
        Ok(())
    }

    /// Makes a memory file of the embedder's own a resource: one that rings, replies and command streams can lie in, for
    /// contexts that it is attached to, whoever serves them. The file has `size` bytes and keeps them: whoever makes it
    /// shorter takes all that have it mapped along.
    ///
    /// # Errors
    ///
    /// The id or the size is wrong.
    pub fn import_file(&mut self, resource: ResourceId, file: OwnedFd, size: u64) -> Result<(), HostError> {
        self.resources.check_new(resource, size)?;
        let blob = Blob::new(BlobStorage::Shm(Arc::new(file)), size, MapInfo::Cached);
        self.resources.insert(resource, blob, size, true);
        Ok(())
    }

    /// Makes memory of the embedder's own a resource: one that rings, replies and command streams can lie in, for contexts
    /// that it is attached to. Those that a [process](Isolation::Process) serves cannot have it.
    ///
    /// # Errors
    ///
    /// The id or the memory is wrong.
    pub fn import_memory(&mut self, resource: ResourceId, memory: Arc<dyn HostMemory>) -> Result<(), HostError> {
        let mapping = HostMapping::from_memory(memory)?;
        let size = u64::try_from(mapping.size()).unwrap_or(u64::MAX);
        self.resources.check_new(resource, size)?;
        let blob = Blob::new(BlobStorage::Pointer(mapping), size, MapInfo::Cached);
        self.resources.insert(resource, blob, size, true);
        Ok(())
    }

    /// Lets a context know a resource. Nothing if it does already. A number that has just meant another resource is waited for as
    /// in [`Host::create_blob`].
    ///
    /// # Errors
    ///
    /// There is no such context or resource, the context is lost, or it cannot have the resource.
    pub fn attach(&mut self, id: ContextId, resource: ResourceId) -> Result<(), HostError> {
        const COMMAND: &str = "attach resource";
        let found = self.resources.lookup(resource, COMMAND)?;
        let runner = self.contexts.get_mut(&id).ok_or_else(|| no_context(id, COMMAND))?;
        if found.attached.contains(&id) {
            return Ok(());
        }
        runner.attach(resource, found)?;
        found.attached.insert(id);
        Ok(())
    }

    /// Lets a context forget a resource. Nothing if it does not know it.
    pub fn detach(&mut self, id: ContextId, resource: ResourceId) {
        let Ok(found) = self.resources.lookup(resource, "detach resource") else { return };
        if found.attached.remove(&id)
            && let Some(runner) = self.contexts.get_mut(&id)
        {
            runner.detach(resource);
        }
    }

    /// A resource's storage, for whoever exports it or maps it by other means than [`Host::map`].
    #[must_use]
    pub fn blob(&self, resource: ResourceId) -> Option<&Blob> {
        self.resources.get(resource).map(|found| &found.blob)
    }

    /// Where a resource is in this process, mapping it if it is not. What this gives and its clones are one mapping, which
    /// lives as long as any of them does, whatever becomes of the rest.
    ///
    /// # Errors
    ///
    /// There is no such resource, or it cannot be mapped.
    pub fn map(&mut self, resource: ResourceId) -> Result<HostMapping, HostError> {
        let found = self.resources.lookup(resource, "map resource")?;
        if let Some(mapping) = found.mapping.upgrade() {
            return Ok(mapping);
        }
        let mapping = if found.blob.kind() == BlobKind::Opaque {
            let _pool = AutoreleasePool::new();
            let mapper = match &mut self.mapper {
                Some(mapper) => mapper,
                empty => empty.insert(OpaqueMapper::new(&self.options.driver)?),
            };
            mapper.map(&found.blob)?
        } else {
            found.blob.map()?
        };
        found.mapping = mapping.downgrade();
        Ok(mapping)
    }

    /// Drops a resource: contexts forget it. What is mapped stays mapped. False if there is none.
    pub fn destroy_resource(&mut self, resource: ResourceId) -> bool {
        let Some(found) = self.resources.remove(resource) else { return false };
        for id in found.attached {
            if let Some(runner) = self.contexts.get_mut(&id) {
                runner.detach(resource);
            }
        }
        true
    }
}
