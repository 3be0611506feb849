//! What a guest holds of memory, where its monitor and whoever serves it both see it.
//!
//! Plain memory is made by the monitor, which does not ask whoever serves the guest: that may be inside of a driver for as
//! long as the guest likes. Allocations are made by whoever serves it. So each writes down what it gives, and then looks at
//! what the guest has of both.
//!
//! They count the messages about resources as well, the one those that it sends, the other those that it has handled: what
//! the guest has given back is somebody's until then, and rings can tell whether they are ahead (`context/ahead.rs`).
//!
//! A worker in its guest's hands can write here what it likes, and gains plain memory, of which it could make as much itself.

use super::Breadcrumbs;
use crate::{
    error::{BUDGETED, CREATE_BLOB, Fatal, HostError},
    resource::SharedCount,
};

/// What one guest holds, and what it may hold.
#[derive(Debug, Clone)]
pub(crate) struct Holdings {
    /// Nothing as long as whoever serves the guest has not said it.
    most: SharedCount,
    allocations: SharedCount,
    plain: SharedCount,
    sent: SharedCount,
    handled: SharedCount,
}

impl Holdings {
    /// Says how much the guest may hold: whoever serves it, once.
    pub(super) fn permit(&self, bytes: u64) {
        self.most.set(bytes.max(1));
    }

    /// Where allocations are counted.
    pub(super) fn allocations(&self) -> SharedCount {
        self.allocations.clone()
    }

    /// Plain memory that the guest was given, including what is on its way to whoever serves it.
    pub(crate) fn plain_bytes(&self) -> u64 {
        self.plain.get()
    }

    /// Notes how much plain memory the guest has.
    pub(crate) fn note_plain(&self, bytes: u64) {
        self.plain.set(bytes);
    }

    /// Notes how many messages about resources the monitor has sent, counting one that it is about to send.
    pub(crate) fn note_sent(&self, messages: u64) {
        self.sent.set(messages);
    }

    /// Whoever serves the guest has handled one more of them.
    pub(crate) fn note_handled(&self) {
        self.handled.add(1);
    }

    /// How many of them it has handled.
    pub(crate) fn handled(&self) -> u64 {
        self.handled.get()
    }

    /// The number of the last message that was sent, if not all up to it were handled.
    pub(crate) fn last_on_its_way(&self) -> Option<u64> {
        let sent = self.sent.get();
        (self.handled() < sent).then_some(sent)
    }

    /// Fails if the guest has more than it may, the last of it being `asked` bytes.
    pub(crate) fn check(&self, asked: u64) -> Result<(), HostError> {
        let (most, held) = (self.most.get(), self.allocations.get().saturating_add(self.plain.get()));
        if most == 0 || most == u64::MAX || held <= most { Ok(()) } else { Err(too_much(asked, most)) }
    }
}

impl Breadcrumbs {
    /// What the guest holds; none without memory to note it.
    pub(crate) fn holdings(&self) -> Option<Holdings> {
        let [most, allocations, plain, sent, handled] = self.counts()?;
        Some(Holdings { most, allocations, plain, sent, handled })
    }
}

/// A guest asks for `asked` bytes, and may hold `most`.
#[cold]
pub(crate) fn too_much(asked: u64, most: u64) -> HostError {
    let reason = format!("{asked} bytes are more than is left of the {most} that this guest may have");
    Fatal::new(CREATE_BLOB, reason).advice(BUDGETED).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_both_sides_give_counts_together() {
        let holdings = Breadcrumbs::private().holdings().unwrap();
        holdings.note_plain(1 << 40);
        assert!(holdings.check(1).is_ok(), "nobody has said how much");
        holdings.permit(3 * 4096);
        assert!(holdings.check(1).is_err());
        holdings.note_plain(4096);
        holdings.allocations().add(2 * 4096);
        assert!(holdings.check(1).is_ok());
        holdings.note_plain(4097);
        let refused = holdings.check(1).unwrap_err().to_string();
        assert!(refused.contains("1 bytes are more than is left of the 12288"), "{refused}");
        holdings.permit(0);
        assert!(holdings.check(1).is_err(), "nothing is little, not unknown");
        holdings.permit(u64::MAX);
        assert!(holdings.check(1).is_ok());
    }
}
