//! Signs that a guest's software is old, by what it sends.
//!
//! Old guests work, or nearly: what goes wrong with them looks like a fault of the host. So each sign is told once per
//! context, with what to do. What an old *kernel* of a guest does wrong stays in the guest; a host sees nothing of it.

use std::sync::atomic::{AtomicU8, Ordering};

use super::{Endpoint, Shared};

/// Something that current guests do not do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OldGuestSign {
    /// The context's rings have no `VkRingMonitorInfoMESA`.
    Unmonitored,
    /// The guest waits by vkWriteRingExtraMESA.
    PollsExtra,
    /// vkEnumerateInstanceExtensionProperties, which only serves to find the protocol's version.
    AsksForProtocol,
}

impl OldGuestSign {
    /// Its bit in [`OldGuestSigns`].
    const fn bit(self) -> u8 {
        match self {
            Self::Unmonitored => 0x1,
            Self::PollsExtra => 0x2,
            Self::AsksForProtocol => 0x4,
        }
    }

    /// What was seen, and what that means for the guest.
    fn meaning(self) -> &'static str {
        match self {
            Self::Unmonitored => {
                "it creates rings without VkRingMonitorInfoMESA, so its Mesa is older than 24.0: it cannot tell a busy \
                 host from a dead one, and gives up or hangs where newer guests wait"
            }
            Self::PollsExtra => {
                "it waits by vkWriteRingExtraMESA, as only old versions of Mesa do: every wait takes a detour through \
                 the socket or virtqueue and is slow"
            }
            Self::AsksForProtocol => {
                "it calls vkEnumerateInstanceExtensionProperties, as only old versions of Mesa do, which lack features \
                 and fixes"
            }
        }
    }
}

/// The signs of one context.
#[derive(Debug, Default)]
pub(crate) struct OldGuestSigns(AtomicU8);

impl OldGuestSigns {
    /// Writes a sign down; says whether it is new.
    fn note(&self, sign: OldGuestSign) -> bool {
        self.0.fetch_or(sign.bit(), Ordering::Relaxed) & sign.bit() == 0
    }
}

impl Shared {
    /// Tells that the guest shows a sign of being old, once.
    #[cold]
    pub(crate) fn note_old_guest(&self, sign: OldGuestSign) {
        if self.old_guest.note(sign) {
            let context = &*self.name;
            tracing::warn!(context, "old guest: {}; update the guest's Mesa (24.0 or newer)", sign.meaning());
        }
    }
}

impl Endpoint {
    /// As [`Shared::note_old_guest`].
    #[cold]
    pub(crate) fn note_old_guest(&self, sign: OldGuestSign) {
        self.shared.note_old_guest(sign);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_sign_is_told_once() {
        let signs = OldGuestSigns::default();
        assert!(signs.note(OldGuestSign::PollsExtra));
        assert!(!signs.note(OldGuestSign::PollsExtra));
        assert!(signs.note(OldGuestSign::Unmonitored));
        assert!(!signs.note(OldGuestSign::Unmonitored));
    }
}
