//! Mappings whose resources have gone before the monitor unmapped them. The guest may still reach them, so they stay.

use std::collections::BTreeMap;

use venus_host::resource::HostMapping;

/// Bytes that a guest may leave mapped. Monitors unmap when they are told that a resource goes, or soon after.
const BYTES: u64 = 4 << 30;
/// Bytes that it may leave mapped in all earlier runs of its machine: QEMU 10 unmaps nothing when that is reset, and a guest
/// can reset it as often as it likes.
const EARLIER_BYTES: u64 = 16 << 30;

/// What is kept, by the numbers of the resources.
#[derive(Debug, Default)]
pub(super) struct Kept {
    /// Of this run of the guest's machine: one for a number, which no other resource gets meanwhile.
    current: BTreeMap<u32, HostMapping>,
    /// Bytes of those.
    current_bytes: u64,
    /// Of earlier ones, oldest first: their numbers begin anew, and QEMU unmaps none of them.
    earlier: BTreeMap<u32, Vec<HostMapping>>,
    /// How many the earlier ones are.
    earlier_count: usize,
    /// Bytes of those.
    earlier_bytes: u64,
}

impl Kept {
    /// Keeps what is mapped of a resource that goes. Its number is [taken](Self::holds) until it is given back.
    pub(super) fn keep(&mut self, handle: u32, mapping: HostMapping) {
        self.current_bytes = self.current_bytes.saturating_add(bytes(&mapping));
        if let Some(before) = self.current.insert(handle, mapping) {
            // No resource gets a number that is taken. All the same, what a guest may reach stays.
            self.current_bytes = self.current_bytes.saturating_sub(bytes(&before));
            self.set_aside(handle, before);
        }
    }

    /// Whether something of a resource of that number is left in this run of the machine.
    pub(super) fn holds(&self, handle: u32) -> bool {
        self.current.contains_key(&handle)
    }

    /// How many mappings there are.
    pub(super) fn count(&self) -> usize {
        self.current.len().saturating_add(self.earlier_count)
    }

    /// Why the guest may leave no more mapped, if it has left as much as it may.
    pub(super) fn excess(&self) -> Option<&'static str> {
        if self.current_bytes >= BYTES {
            Some("too much is mapped of resources that have gone: it has to be unmapped first")
        } else if self.earlier_bytes >= EARLIER_BYTES {
            Some(
                "too much is mapped since before the guest's machine was reset: this monitor unmaps nothing then, and has to \
                  be started again",
            )
        } else {
            None
        }
    }

    /// Gives one back: of this run of the machine, or else the oldest. False if there is none.
    pub(super) fn release(&mut self, handle: u32) -> bool {
        if let Some(mapping) = self.current.remove(&handle) {
            self.current_bytes = self.current_bytes.saturating_sub(bytes(&mapping));
            return true;
        }
        let Some(mappings) = self.earlier.get_mut(&handle) else { return false };
        if !mappings.is_empty() {
            let mapping = mappings.remove(0);
            self.earlier_bytes = self.earlier_bytes.saturating_sub(bytes(&mapping));
            self.earlier_count = self.earlier_count.saturating_sub(1);
        }
        if mappings.is_empty() {
            self.earlier.remove(&handle);
        }
        true
    }

    /// The guest's machine begins anew: all numbers are free.
    pub(super) fn begin_anew(&mut self) {
        for (handle, mapping) in std::mem::take(&mut self.current) {
            self.set_aside(handle, mapping);
        }
        self.current_bytes = 0;
    }

    fn set_aside(&mut self, handle: u32, mapping: HostMapping) {
        self.earlier_bytes = self.earlier_bytes.saturating_add(bytes(&mapping));
        self.earlier.entry(handle).or_default().push(mapping);
        self.earlier_count = self.earlier_count.saturating_add(1);
    }
}

fn bytes(mapping: &HostMapping) -> u64 {
    u64::try_from(mapping.size()).unwrap_or(u64::MAX)
}
