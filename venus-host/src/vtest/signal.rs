//! What becomes of syncs when their fence retires.

use std::sync::Arc;

use super::{syncs::Syncs, waits::Condition};
use crate::context::Retired;

/// The syncs of a fence, which are lost if it is dropped: nobody must be left waiting.
pub(super) struct Signal {
    syncs: Arc<Syncs>,
    targets: Vec<Condition>,
    promised: usize,
    is_only_device: bool,
}

impl Signal {
    /// For a fence that gives values to syncs, which are lost at once if too many fences do. `is_only_device` says that no
    /// sync of the connection can be another device's.
    pub(super) fn new(syncs: &Arc<Syncs>, mut targets: Vec<Condition>, is_only_device: bool) -> Self {
        if !syncs.promise(targets.len()) {
            syncs.lose(&std::mem::take(&mut targets));
        }
        Self { syncs: Arc::clone(syncs), promised: targets.len(), targets, is_only_device }
    }

    /// Sets the syncs to their values, or says that they will not have them. With the only device everything is lost that
    /// threads of the guest wait for, also what was not submitted yet: nobody may be going to.
    pub(super) fn retire(mut self, retired: Retired) {
        match retired {
            Retired::Done => self.syncs.signal(&std::mem::take(&mut self.targets)),
            Retired::DeviceLost if self.is_only_device => self.syncs.lose_waits(),
            Retired::DeviceLost | Retired::Lost => {}
        }
    }
}

impl Drop for Signal {
    fn drop(&mut self) {
        self.syncs.lose(&self.targets);
        self.syncs.keep_promise(self.promised);
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            event::tests::{Polled, polled},
            syncs::{Read, Waiting},
        },
        *,
    };
    use crate::limits;

    /// What is seen by who waits for the fence, and by who waits for something else, once the fence has ended.
    fn seen(end: impl FnOnce(Signal), is_only_device: bool) -> (Polled, Polled, Read) {
        let syncs = Arc::<Syncs>::default();
        let (its, other) = (syncs.create(0), syncs.create(0));
        let [waits, others] = [its, other].map(|id| match syncs.wait(false, u32::MAX, &[(id, 1)]).unwrap() {
            Waiting::Event(fd) => fd,
            over => panic!("{over:?}"),
        });
        end(Signal::new(&syncs, syncs.resolve(&[(its, 1)]).unwrap(), is_only_device));
        (polled(waits), polled(others), syncs.read(its).unwrap())
    }

    #[test]
    fn a_fence_ends_what_it_is_for_and_a_device_everything() {
        let done = (Polled::Done, Polled::Pending, Read::Value(1));
        let lost = (Polled::Lost, Polled::Pending, Read::Value(1));
        let all = (Polled::Lost, Polled::Lost, Read::Value(1));
        for is_only_device in [false, true] {
            assert_eq!(seen(|signal| signal.retire(Retired::Done), is_only_device), done);
            assert_eq!(seen(|signal| signal.retire(Retired::Lost), is_only_device), lost);
            assert_eq!(seen(drop, is_only_device), lost);
        }
        assert_eq!(seen(|signal| signal.retire(Retired::DeviceLost), false), lost);
        assert_eq!(seen(|signal| signal.retire(Retired::DeviceLost), true), all);
    }

    #[test]
    fn so_many_syncs_are_promised_and_no_more() {
        let syncs = Arc::<Syncs>::default();
        let (its, other) = (syncs.create(0), syncs.create(0));
        let most = syncs.resolve(&vec![(its, 1); limits::PROMISED_SYNCS]).unwrap();
        let first = Signal::new(&syncs, most, false);
        let second = Signal::new(&syncs, syncs.resolve(&[(other, 1)]).unwrap(), false);
        assert_eq!((syncs.read(its).unwrap(), syncs.read(other).unwrap()), (Read::Value(0), Read::Lost));
        second.retire(Retired::Done);
        first.retire(Retired::Done);
        assert_eq!((syncs.read(its).unwrap(), syncs.read(other).unwrap()), (Read::Value(1), Read::Lost));
        Signal::new(&syncs, syncs.resolve(&[(other, 2)]).unwrap(), false).retire(Retired::Done);
        assert_eq!(syncs.read(other).unwrap(), Read::Value(2), "there is room again");
    }
}
