//! The door for replays: executes commands of rings that do not come from the memory of the rings.
//!
//! Everything that comes in here is checked as if a guest had sent it.

use std::{fmt, sync::Arc};

use super::{Context, Options, Retire};
use crate::{
    HostError,
    endpoint::{Endpoint, Origin, Shared},
    error::{Fatal, Interrupt},
    ring::{self, Execute as _},
    thread::AutoreleasePool,
};

/// Feeds commands to the rings of a context, in place of a guest.
///
/// Such a context creates and destroys rings as its commands say, but starts no threads for them and does not read their
/// memory. The caller gives each ring's commands to a [`FedRing`], on a thread per ring, since commands of one ring may
/// wait for those of another. Everything else goes through the [`Context`] itself.
///
/// ```no_run
/// # use venus_host::{Fatal, context::{Feed, Options}, driver::Config};
/// # fn play(commands: &[u8]) -> Result<(), Fatal> {
/// let (mut context, feed) = Feed::open(Options::new("replay", Config::default()));
/// context.submit(commands)?; // vkCreateRingMESA of ring 0x10, among others
/// if let Some(mut ring) = feed.ring(0x10) {
///     ring.execute(0, &[0; 8])?;
///     ring.pass(8);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Feed(Arc<Shared>);

impl Feed {
    /// Makes a context, and the door to its rings.
    #[must_use]
    pub fn open(options: Options) -> (Context, Self) {
        let context = Context::with_mode(options, ring::Mode::Fed);
        let feed = Self(Arc::clone(&context.shared));
        (context, feed)
    }

    /// The ring with this id of the guest's; none if it has not been created yet or is being destroyed. At most one
    /// `FedRing` of a ring may be in use at a time.
    #[must_use]
    pub fn ring(&self, id: u64) -> Option<FedRing> {
        let control = self.0.rings.lookup(ring::RingId(id)).filter(|control| !control.is_stopped())?;
        let endpoint = Endpoint::new(Arc::clone(&self.0), Origin::Ring(Arc::clone(&control)));
        Some(FedRing { control, endpoint })
    }

    /// As [`Context::create_fence`], on any thread and without telling observers: for a caller that has to know when a
    /// queue has finished its work although the guest did not ask.
    ///
    /// # Errors
    ///
    /// As of [`Context::create_fence`], and `retire` has been called.
    pub fn create_fence(&self, ring_idx: u32, retire: Retire) -> Result<(), HostError> {
        self.0.timelines.create_fence(ring_idx, retire)
    }

    /// Whether the context is lost, so that it executes no further command.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.0.is_lost()
    }

    /// As [`Context::submit`], for a caller that has to know which command ended the context. False if it was none of
    /// these, but one before them or one of a ring meanwhile, or if the submission was abandoned.
    ///
    /// # Errors
    ///
    /// One of the commands has ended the context.
    pub fn submit(context: &mut Context, commands: &[u8]) -> Result<bool, Fatal> {
        let _pool = AutoreleasePool::new();
        context.direct.submit(commands)
    }

    /// Stops all rings: they execute no further command, and commands that wait for them return.
    pub fn stop(&self) {
        self.0.rings.for_each(ring::Control::stop);
    }
}

/// A ring whose commands come from the caller.
pub struct FedRing {
    control: Arc<ring::Control>,
    endpoint: Endpoint,
}

impl FedRing {
    /// Whether the ring is being destroyed. Its id may name another one from then on.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.control.is_stopped()
    }

    /// Executes the command in `request`, which stood at byte `position` of the ring. Observers are told the reply. False
    /// if the context was lost or the ring stopped before, or the command was abandoned because either ends.
    ///
    /// Whoever ends the ring or drops the context waits for the command, as for a ring's thread.
    ///
    /// # Errors
    ///
    /// The command has ended the context.
    pub fn execute(&mut self, position: u64, request: &[u8]) -> Result<bool, Fatal> {
        let _feeding = self.control.feeding.lock();
        if self.endpoint.is_lost() || self.control.is_stopped() {
            return Ok(false);
        }
        let _pool = AutoreleasePool::new();
        self.endpoint.enter(position);
        let outcome = self.endpoint.execute(request, 0);
        self.endpoint.leave();
        match outcome {
            Ok(_) => Ok(true),
            Err(Interrupt::Stopped) => Ok(false),
            Err(interrupt) => {
                let fatal = interrupt.into_fatal("ring");
                self.endpoint.fail(fatal.clone());
                Err(fatal)
            }
        }
    }

    /// Marks everything before byte `position` as executed, and wakes the commands that wait for it.
    pub fn pass(&mut self, position: u64) {
        // Ring positions are counters of 32 bits.
        self.control.pass(u32::try_from(position & u64::from(u32::MAX)).unwrap_or(u32::MAX));
    }
}

impl fmt::Debug for Feed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Feed").field("context", &self.0.name).finish_non_exhaustive()
    }
}

impl fmt::Debug for FedRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FedRing").field("ring", &self.control.id).finish_non_exhaustive()
    }
}
