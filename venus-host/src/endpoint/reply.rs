//! Where an endpoint's replies go: a range of shared memory that the guest names, and a position in it.
//!
//! Replies are written one after the other and never past the end of the range, which the guest sizes exactly. The
//! reference host lets them run on to the end of the resource; nothing relies on that.

use std::sync::Arc;

use crate::{
    error::Fatal,
    resource::{Mapping, ResourceId, Table},
    ring::layout::checked_end,
};

/// The reply stream of one endpoint.
#[derive(Debug, Default)]
pub(crate) struct ReplyStream {
    target: Option<Target>,
}

#[derive(Debug)]
struct Target {
    resource: ResourceId,
    /// The resource table's generation when `resource` was looked up.
    generation: u64,
    mapping: Arc<Mapping>,
    resource_size: u64,
    start: usize,
    size: usize,
    position: usize,
}

impl Target {
    /// Whether it is in the resource that has this id at `generation`.
    fn is(&self, resource: ResourceId, generation: u64) -> bool {
        self.resource == resource && self.generation == generation
    }
}

impl ReplyStream {
    /// vkSetReplyCommandStreamMESA: replies go to `size` bytes at `offset` of `resource` from now on.
    ///
    /// Mesa sends this before every command that wants a reply, mostly for the same resource, so that case takes no
    /// lock.
    pub(crate) fn set(&mut self, resources: &Table, resource: ResourceId, offset: u64, size: u64) -> Result<(), Fatal> {
        let generation = resources.generation();
        let known = self.target.take().filter(|target| target.is(resource, generation));
        let (mapping, resource_size) = match known {
            Some(target) => (target.mapping, target.resource_size),
            None => lookup_shmem(resources, resource, "vkSetReplyCommandStreamMESA", "pStream->resourceId")?,
        };
        let (start, size) = shmem_range(offset, size, resource_size).ok_or_else(|| {
            let reason = format!("{size} bytes at {offset} exceed the {resource_size} of resource {resource}");
            Fatal::new("vkSetReplyCommandStreamMESA", reason).member("pStream")
        })?;
        self.target = Some(Target { resource, generation, mapping, resource_size, start, size, position: 0 });
        Ok(())
    }

    /// Whether replies go to this resource already, so that [`Self::set`] need not look it up.
    pub(crate) fn knows(&self, resources: &Table, resource: ResourceId) -> bool {
        self.target.as_ref().is_some_and(|target| target.is(resource, resources.generation()))
    }

    /// vkSeekReplyCommandStreamMESA: the next reply goes to `position` of the stream.
    pub(crate) fn seek(&mut self, position: u64) -> Result<(), Fatal> {
        let fail = |reason| Err(Fatal::new("vkSeekReplyCommandStreamMESA", reason).member("position"));
        let Some(target) = &mut self.target else {
            return fail("no reply stream is set".to_owned());
        };
        match usize::try_from(position) {
            Ok(position) if position <= target.size => {
                target.position = position;
                Ok(())
            }
            _ => fail(format!("position {position} is past the end of a stream of {} bytes", target.size)),
        }
    }

    /// Writes the reply of `command` and advances.
    pub(crate) fn write(&mut self, command: &'static str, reply: &[u8]) -> Result<(), Fatal> {
        let Some(target) = &mut self.target else {
            return Err(Fatal::new(command, "asks for a reply, but no reply stream is set"));
        };
        let left = target.size.saturating_sub(target.position);
        if reply.len() > left {
            return Err(Fatal::new(
                command,
                format!("the reply takes {} bytes, the reply stream has {left} left", reply.len()),
            ));
        }
        let at = target.start.saturating_add(target.position);
        target.mapping.copy_in(at, reply).map_err(|error| Fatal::new(command, error.to_string()))?;
        target.position = target.position.saturating_add(reply.len());
        Ok(())
    }

    /// The resource that the stream is in.
    pub(crate) fn resource(&self) -> Option<ResourceId> {
        self.target.as_ref().map(|target| target.resource)
    }
}

/// The plain shared memory `resource`, and its size as the guest knows it. Blames `member` of `command` if it is none.
pub(crate) fn lookup_shmem(
    resources: &Table,
    resource: ResourceId,
    command: &'static str,
    member: &'static str,
) -> Result<(Arc<Mapping>, u64), Fatal> {
    let Some(found) = resources.lookup(resource) else {
        return Err(Fatal::new(command, format!("no resource has id {resource}")).member(member));
    };
    let Some(mapping) = found.mapping() else {
        return Err(Fatal::new(command, format!("resource {resource} is no plain shared memory")).member(member));
    };
    Ok((Arc::clone(mapping), found.size))
}

/// `offset` and `size` as indices, if they lie in a resource of `resource_size` bytes.
pub(crate) fn shmem_range(offset: u64, size: u64, resource_size: u64) -> Option<(usize, usize)> {
    checked_end(offset, size, resource_size)?;
    Some((usize::try_from(offset).ok()?, usize::try_from(size).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::{MemoryFile, Resource, Storage};

    fn table() -> (Table, Arc<Mapping>) {
        let table = Table::default();
        let mapping = Arc::new(MemoryFile::create(256).unwrap().map().unwrap());
        table.insert(Resource { id: ResourceId(1), size: 256, storage: Storage::Shmem(Arc::clone(&mapping)) }).unwrap();
        (table, mapping)
    }

    #[test]
    fn replies_follow_one_another_up_to_the_end_of_the_stream() {
        let (table, mapping) = table();
        let mut stream = ReplyStream::default();
        stream.set(&table, ResourceId(1), 16, 12).unwrap();
        stream.write("a", &[1; 4]).unwrap();
        stream.write("b", &[2; 8]).unwrap();
        assert!(stream.write("c", &[3; 4]).is_err());
        stream.seek(8).unwrap();
        stream.write("d", &[4; 4]).unwrap();
        let mut seen = [9; 32];
        mapping.copy_out(0, &mut seen).unwrap();
        assert_eq!(seen[12..32], [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 4, 4, 4, 4, 0, 0, 0, 0]);
    }

    #[test]
    fn bounds_are_checked_where_they_are_set() {
        let (table, _) = table();
        let mut stream = ReplyStream::default();
        assert!(stream.seek(0).is_err(), "no stream");
        assert!(stream.write("a", &[0; 4]).is_err(), "no stream");
        for (resource, offset, size, legal) in [
            (1, 0, 256, true),
            (1, 256, 0, true),
            (1, 0, 257, false),
            (1, 252, 8, false),
            (1, u64::MAX, 8, false),
            (1, 8, u64::MAX, false),
            (2, 0, 8, false),
        ] {
            assert_eq!(
                stream.set(&table, ResourceId(resource), offset, size).is_ok(),
                legal,
                "{resource} {offset} {size}"
            );
        }
        stream.set(&table, ResourceId(1), 0, 8).unwrap();
        assert!(stream.seek(8).is_ok());
        assert!(stream.seek(9).is_err());
        assert!(stream.seek(u64::MAX).is_err());
    }

    #[test]
    fn a_removed_resource_is_not_found_again() {
        let (table, _) = table();
        let mut stream = ReplyStream::default();
        stream.set(&table, ResourceId(1), 0, 8).unwrap();
        table.remove(ResourceId(1));
        stream.write("the mapping is still ours", &[0; 4]).unwrap();
        assert!(stream.set(&table, ResourceId(1), 0, 8).is_err());
    }
}
