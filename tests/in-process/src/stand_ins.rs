//! Descriptors that stand for memory, and what of it is mapped.
//!
//! A stand-in is an empty file: nobody who maps it without asking here gets anything. The guest's driver has copies of
//! its descriptor under other numbers, so it is told by the file behind it.
//!
//! Memory is let go of outside of the lock: its driver unmaps it then, by the very functions that ask here.

use std::{
    collections::BTreeMap,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    ptr::NonNull,
};

use parking_lot::Mutex;
use rustix::fs::{MemfdFlags, fstat, memfd_create};
use venus_host::{HostError, resource::HostMapping};

/// The stand-ins of this process.
pub(crate) static TABLE: Table = Table(Mutex::new(State { memory: BTreeMap::new(), mapped: BTreeMap::new() }));

/// Which file is behind a descriptor.
type FileId = (u64, u64);

/// Stand-ins, and mapped memory.
pub(crate) struct Table(Mutex<State>);

struct State {
    /// What each stand-in stands for.
    memory: BTreeMap<FileId, HostMapping>,
    /// What is mapped where, and how often.
    mapped: BTreeMap<usize, (HostMapping, usize)>,
}

/// That a stand-in was to be mapped with more bytes than there are.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct OutOfRange;

/// A descriptor that stands for memory, until it is dropped.
pub(crate) struct StandIn {
    fd: OwnedFd,
    id: FileId,
    table: &'static Table,
}

impl AsFd for StandIn {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        let memory = self.table.0.lock().memory.remove(&self.id);
        drop(memory);
    }
}

impl Table {
    /// A descriptor that stands for this memory.
    pub(crate) fn stand_in(&'static self, memory: &HostMapping) -> Result<StandIn, HostError> {
        let failed = |error: rustix::io::Errno| HostError::io("no descriptor can stand for memory", error);
        let fd = memfd_create("venus-stand-in", MemfdFlags::CLOEXEC).map_err(failed)?;
        let id = file_id(fd.as_fd()).map_err(failed)?;
        self.0.lock().memory.insert(id, memory.clone());
        Ok(StandIn { fd, id, table: self })
    }

    /// Where the memory is that a descriptor stands for; `None` if it is an ordinary one. Counts as mapped from now on.
    pub(crate) fn map(&self, fd: BorrowedFd<'_>, len: usize, offset: usize) -> Option<Result<NonNull<u8>, OutOfRange>> {
        let mut state = self.0.lock();
        if state.memory.is_empty() {
            return None;
        }
        let memory = state.memory.get(&file_id(fd).ok()?)?.clone();
        if offset != 0 || len > memory.size() {
            return Some(Err(OutOfRange));
        }
        let address = memory.address();
        let (_, count) = state.mapped.entry(address.addr().get()).or_insert((memory, 0));
        *count = count.saturating_add(1);
        Some(Ok(address))
    }

    /// Whether something was mapped here, once more than from now on.
    pub(crate) fn unmap(&self, address: usize) -> bool {
        let mut state = self.0.lock();
        let Some((_, count)) = state.mapped.get_mut(&address) else { return false };
        *count = count.saturating_sub(1);
        let ended = if *count == 0 { state.mapped.remove(&address) } else { None };
        drop(state);
        drop(ended);
        true
    }
}

fn file_id(fd: BorrowedFd<'_>) -> rustix::io::Result<FileId> {
    fstat(fd).map(|stat| (stat.st_dev, stat.st_ino))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs::File, sync::Arc};
    use venus_host::resource::{Blob, BlobStorage, MapInfo};

    /// A page of memory.
    fn memory() -> HostMapping {
        let file = tempfile::tempfile().unwrap();
        file.set_len(4096).unwrap();
        Blob::new(BlobStorage::Shm(Arc::new(file.into())), 4096, MapInfo::Cached).map().unwrap()
    }

    #[test]
    fn a_copy_of_the_descriptor_leads_to_the_memory() {
        let memory = memory();
        let stand_in = TABLE.stand_in(&memory).unwrap();
        let copy = stand_in.as_fd().try_clone_to_owned().unwrap();
        let address = memory.address();
        assert_eq!(TABLE.map(copy.as_fd(), 4096, 0), Some(Ok(address)));
        assert_eq!(TABLE.map(copy.as_fd(), 4097, 0), Some(Err(OutOfRange)));
        assert_eq!(TABLE.map(copy.as_fd(), 1, 4096), Some(Err(OutOfRange)));
        // It stays mapped when the resource has gone, and may be mapped twice.
        assert_eq!(TABLE.map(copy.as_fd(), 1, 0), Some(Ok(address)));
        drop((stand_in, memory));
        assert_eq!(TABLE.map(copy.as_fd(), 1, 0), None);
        let address = address.addr().get();
        assert_eq!([(); 3].map(|()| TABLE.unmap(address)), [true, true, false]);
    }

    #[test]
    fn other_descriptors_are_none_of_ours() {
        let stand_in = TABLE.stand_in(&memory()).unwrap();
        assert_eq!(TABLE.map(File::open("/dev/null").unwrap().as_fd(), 1, 0), None);
        assert!(!TABLE.unmap(0x1000));
        drop(stand_in);
    }
}
