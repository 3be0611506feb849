//! Changes of guest-visible memory.
//!
//! Nobody tells the host when a guest writes to mapped memory, so the recorder compares: each resource's contents with
//! a copy of what they were. Only bytes that differ are recorded, not whole pages, so that a replay that writes them
//! back does not undo what the GPU has written beside them.

use std::collections::BTreeMap;

use venus_host::resource::{Blob, BlobKind, HostMapping, ResourceId};

/// Contents are compared in pieces of so many bytes.
const PIECE: usize = 4096;

/// Changes fewer bytes apart than this are recorded as one: it bridges the padding between rows of a picture.
const GAP: usize = 64;

/// Most bytes of memory that are watched. The copies take as much again.
const WATCHED_BYTES: usize = 4 << 30;

/// The resources of one context that show device memory.
#[derive(Debug, Default)]
pub(super) struct Memories {
    by_resource: BTreeMap<u32, Watched>,
    bytes: usize,
    is_full: bool,
}

#[derive(Debug)]
struct Watched {
    mapping: HostMapping,
    /// The contents as recorded so far.
    recorded: Vec<u8>,
}

impl Memories {
    /// Watches a resource from now on. Its present contents are the first change.
    pub(super) fn add(&mut self, id: ResourceId, blob: &Blob) {
        if blob.kind() == BlobKind::Opaque {
            return;
        }
        match blob.map() {
            Ok(mapping) if mapping.size().saturating_add(self.bytes) <= WATCHED_BYTES => {
                self.bytes = self.bytes.saturating_add(mapping.size());
                let recorded = vec![0; mapping.size()];
                self.by_resource.insert(id.0, Watched { mapping, recorded });
            }
            Ok(mapping) => {
                if !std::mem::replace(&mut self.is_full, true) {
                    let size = mapping.size();
                    tracing::warn!(
                        "the recording leaves out the contents of resource {id} ({size} bytes) and of others: it watches \
                         at most {WATCHED_BYTES} bytes"
                    );
                }
            }
            Err(error) => tracing::warn!("the recording leaves out the contents of resource {id}: {error}"),
        }
    }

    /// Forgets a resource.
    pub(super) fn remove(&mut self, id: ResourceId) {
        if let Some(watched) = self.by_resource.remove(&id.0) {
            self.bytes = self.bytes.saturating_sub(watched.recorded.len());
        }
    }

    /// Shows all changes since the last call: resource, offset, bytes.
    pub(super) fn for_each_change(&mut self, mut show: impl FnMut(u32, u64, &[u8])) {
        let mut now = [0; PIECE];
        for (id, Watched { mapping, recorded }) in &mut self.by_resource {
            for (index, recorded) in recorded.chunks_mut(PIECE).enumerate() {
                let at = index.saturating_mul(PIECE);
                let now = now.get_mut(..recorded.len()).unwrap_or_default();
                if mapping.copy_out(at, now).is_err() || now == recorded {
                    continue;
                }
                for_each_run(recorded, now, |offset, bytes| {
                    show(*id, (at as u64).saturating_add(offset as u64), bytes);
                });
                recorded.copy_from_slice(now);
            }
        }
    }
}

/// Shows the runs of `new` that differ from `old`, with their offsets. Both are of the same length.
fn for_each_run(old: &[u8], new: &[u8], mut show: impl FnMut(usize, &[u8])) {
    let mut run: Option<(usize, usize)> = None;
    let differing = old.iter().zip(new).enumerate().filter(|(_, (old, new))| old != new).map(|(at, _)| at);
    for at in differing {
        run = match run {
            Some((start, end)) if at.saturating_sub(end) < GAP => Some((start, at.saturating_add(1))),
            other => {
                if let Some((start, end)) = other {
                    show(start, new.get(start..end).unwrap_or_default());
                }
                Some((at, at.saturating_add(1)))
            }
        };
    }
    if let Some((start, end)) = run {
        show(start, new.get(start..end).unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_memory::shared_memory;

    #[test]
    fn only_what_changed_is_shown() {
        let blob = shared_memory(3 * PIECE as u64);
        let guest = blob.map().unwrap();
        let mut memories = Memories::default();
        memories.add(ResourceId(7), &blob);
        let mut changes = |expected: &[(u64, &[u8])]| {
            let mut seen = Vec::new();
            memories.for_each_change(|resource, offset, bytes| {
                assert_eq!(resource, 7);
                seen.push((offset, bytes.to_vec()));
            });
            let expected: Vec<_> = expected.iter().map(|(at, bytes)| (*at, bytes.to_vec())).collect();
            assert_eq!(seen, expected);
        };
        changes(&[]);
        guest.copy_in(PIECE - 1, b"ab").unwrap();
        guest.copy_in(PIECE + 100, b"c").unwrap();
        changes(&[(PIECE as u64 - 1, b"a"), (PIECE as u64, b"b"), (PIECE as u64 + 100, b"c")]);
        changes(&[]);
        guest.copy_in(20, b"one").unwrap();
        guest.copy_in(30, b"two").unwrap();
        changes(&[(20, b"one\0\0\0\0\0\0\0two")]);
    }
}
