//! The traits of observers: recorders, tracers, whoever compares.
//!
//! An [`Observer`] is told what happens to a context. Each endpoint asks it once for an [`EndpointObserver`], which
//! belongs to that endpoint and is told, on the endpoint's thread, what becomes of each command while the command
//! waits: what it does with that had better be quick. Nothing is shared between the observers of two endpoints but what
//! the observer itself shares, so an endpoint takes no lock to tell them. Without any, an endpoint pays one predictable
//! branch per command.
//!
//! Observers form a stack around a command: the first one is told first when something begins and last when it ends.

use std::{error::Error, fmt, sync::Arc};

use venus_protocol::wire::CommandHeader;

use super::Sampler;
use crate::{
    driver,
    error::{HostError, Interrupt},
    resource::{Blob, BlobFlags, ResourceId},
    ring::Rest,
};

/// Which endpoint of a context a command came by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Source {
    /// Direct submission: socket or virtqueue.
    Direct,
    /// The ring with this id of the guest's.
    Ring(u64),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Direct => f.write_str("direct"),
            Self::Ring(id) => write!(f, "ring {id:#x}"),
        }
    }
}

/// Where a command stood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The endpoint.
    pub source: Source,
    /// 0 in the endpoint's own stream, 1 in a stream that a vkExecuteCommandStreamsMESA of it names.
    pub depth: u8,
    /// Byte position of the command in that stream. A ring's position is the value of its head before the command.
    pub position: u64,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.depth {
            0 => write!(f, "{} at byte {}", self.source, self.position),
            _ => write!(f, "{}, indirect stream at byte {}", self.source, self.position),
        }
    }
}

/// A part of a command's execution that is worth a look of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Span {
    /// A call into the driver, for the command of this name.
    Driver(&'static str),
    /// A call into the driver that waits for fences or semaphores.
    DriverWait(&'static str),
    /// Waiting, for this.
    Wait(&'static str),
}

/// A command that is decoded and about to be executed.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Command<'a> {
    /// Where it stands.
    pub place: Place,
    /// Its type and flags.
    pub header: CommandHeader,
    /// All of its bytes, header first.
    pub request: &'a [u8],
    /// The number that an observer before this one has given it.
    pub number: Option<u64>,
}

impl<'a> Command<'a> {
    /// A command that nobody has numbered.
    #[must_use]
    pub fn new(place: Place, header: CommandHeader, request: &'a [u8]) -> Self {
        Self { place, header, request, number: None }
    }
}

/// How a command ended.
#[derive(Debug, Clone, Copy)]
pub enum Outcome<'a> {
    /// It was executed. What the driver said is in the reply, if the guest asked for one.
    Done,
    /// It was not executed, for this reason; the context goes on. The reply says so, if the guest asked for one.
    LeftOut(&'a str),
    /// It has to wait, or has waited, and will be executed again from its beginning. Only commands of rings that are polled, and
    /// those that import a resource which the context was yet to hear of.
    Blocked,
    /// It was abandoned because the context is being destroyed.
    Stopped,
    /// It failed in a way that ends the context.
    Failed(&'a (dyn Error + 'static)),
}

impl<'a> Outcome<'a> {
    /// Of a command that was interrupted.
    pub(super) fn of(interrupt: &'a Interrupt) -> Self {
        match interrupt {
            Interrupt::Blocked => Self::Blocked,
            Interrupt::Stopped => Self::Stopped,
            lost => Self::Failed(lost),
        }
    }
}

/// A resource that a guest asked for, as [`Context::create_blob`](crate::context::Context::create_blob) is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct BlobRequest {
    /// Its id.
    pub resource: ResourceId,
    /// What the guest wants to do with it.
    pub flags: BlobFlags,
    /// The `VkDeviceMemory` that it shows; 0 for plain shared memory.
    pub blob_id: u64,
    /// Bytes asked for.
    pub size: u64,
}

impl BlobRequest {
    /// A request for `size` bytes.
    #[must_use]
    pub fn new(resource: ResourceId, flags: BlobFlags, blob_id: u64, size: u64) -> Self {
        Self { resource, flags, blob_id, size }
    }
}

/// Makes the observers of a guest's context, in the order in which they are told. Called with the guest program's name
/// and the driver that it gets, in the process that serves it, before any of its commands is executed: by
/// `Host::create_context` itself where that process is a monitor's.
pub type MakeObservers = dyn Fn(&str, &driver::Config) -> Vec<Arc<dyn Observer>> + Send + Sync;

/// Is told what happens to a context. An implementation overrides the methods that it needs.
///
/// Methods are called on whichever thread does what they tell of, several at the same time.
///
/// ```
/// use std::sync::{
///     Arc,
///     atomic::{AtomicU64, Ordering},
/// };
///
/// use venus_host::{
///     context::{Context, Options},
///     driver::Config,
///     endpoint::{Command, EndpointObserver, Observer, Source},
/// };
///
/// /// Counts the commands of a guest.
/// #[derive(Clone, Default)]
/// struct Count(Arc<AtomicU64>);
///
/// impl Observer for Count {
///     fn endpoint(&self, _source: Source, _has_thread: bool) -> Option<Box<dyn EndpointObserver>> {
///         Some(Box::new(self.clone()))
///     }
/// }
///
/// impl EndpointObserver for Count {
///     fn begin(&mut self, _command: &Command<'_>) -> Option<u64> {
///         Some(self.0.fetch_add(1, Ordering::Relaxed))
///     }
/// }
///
/// let count = Count::default();
/// let context = Context::new(Options::new("vkcube", Config::default()).observer(Arc::new(count.clone())));
/// // ... serve the guest, and then:
/// drop(context);
/// assert_eq!(count.0.load(Ordering::Relaxed), 0);
/// ```
#[expect(unused_variables, reason = "the names are the documentation")]
pub trait Observer: Send + Sync {
    /// The context has been made, and `sampler` looks at its counters. Comes first.
    fn attach(&self, sampler: Sampler) {}

    /// The context has a new endpoint; `has_thread` if all its commands are executed on one and the same thread. Returns
    /// what wants to be told of them.
    fn endpoint(&self, source: Source, has_thread: bool) -> Option<Box<dyn EndpointObserver>> {
        None
    }

    /// A resource was asked for, and made or not.
    fn blob(&self, request: &BlobRequest, made: Result<&Blob, &HostError>) {}

    /// A resource was dropped.
    fn unref(&self, resource: ResourceId) {}

    /// A fence is put on timeline `ring_idx`. Returns a number of the observer's choice, to be told when it retires.
    fn fence(&self, ring_idx: u32) -> u64 {
        0
    }

    /// The fence with this number retires.
    fn retired(&self, number: u64) {}

    /// The context is lost.
    fn lost(&self, reason: &str) {}

    /// The guest has left and all that it had is gone. Comes last, unless an endpoint is stuck in the driver.
    fn left(&self) {}
}

/// Is told what one endpoint does, in the order in which it does it. An implementation overrides the methods that it
/// needs.
///
/// ```text
/// enter, then for each command of the batch:
///     approach, begin, (enter_span, exit_span)..., end
///                      stream, (the same for each command of the stream)...
///     approach, undecodable                              bytes that are no command; the context ends with them
/// rest                                                   no commands, until the next enter
/// ```
///
/// Spans that a failing command leaves open have ended when it has.
#[expect(unused_variables, reason = "the names are the documentation")]
pub trait EndpointObserver: Send {
    /// A batch of commands is going to be executed.
    fn enter(&mut self) {}

    /// The endpoint turns to the command at `place`, whose bytes nobody has looked at.
    fn approach(&mut self, place: Place) {}

    /// The command is decoded and about to be executed. An observer that numbers commands returns the number, for the
    /// observers after it.
    fn begin(&mut self, command: &Command<'_>) -> Option<u64> {
        None
    }

    /// The command that began at `place` is over. `reply` is what the guest will be answered; empty if it has not
    /// asked.
    fn end(&mut self, place: Place, outcome: Outcome<'_>, reply: &[u8]) {}

    /// There is no command at `place`. `bytes` is what is left of the stream.
    fn undecodable(&mut self, place: Place, bytes: &[u8], reason: &(dyn Error + 'static)) {}

    /// A stream that the current vkExecuteCommandStreamsMESA names was copied and is about to be executed. It stands at
    /// byte `offset` of a resource.
    fn stream(&mut self, resource: ResourceId, offset: u64, bytes: &[u8]) {}

    /// A part of the current command begins.
    fn enter_span(&mut self, span: Span) {}

    /// The part that began last is over.
    fn exit_span(&mut self) {}

    /// The endpoint has no commands: told when that begins, and when the ring goes idle.
    fn rest(&mut self, rest: Rest) {}
}

/// The observers of one context, in the order in which they are told.
#[derive(Clone, Default)]
pub(crate) struct Observers(Arc<[Arc<dyn Observer>]>);

impl Observers {
    pub(crate) fn new(observers: impl IntoIterator<Item = Arc<dyn Observer>>) -> Self {
        Self(observers.into_iter().collect())
    }

    /// Whether there are none, so that nothing need be prepared for them.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Those who want to know what a new endpoint does, if there are any.
    pub(crate) fn endpoint(&self, source: Source, has_thread: bool) -> Option<EndpointObservers> {
        let all: Box<[_]> = self.0.iter().filter_map(|observer| observer.endpoint(source, has_thread)).collect();
        (!all.is_empty()).then(|| EndpointObservers { all, _observers: self.clone() })
    }

    /// Tells all.
    pub(crate) fn tell(&self, mut tell: impl FnMut(&dyn Observer)) {
        for observer in &*self.0 {
            tell(&**observer);
        }
    }

    /// Tells of a fence, and returns what tells of its end.
    pub(crate) fn fence(&self, ring_idx: u32) -> impl FnOnce() + Send + use<> {
        let pending: Vec<_> = self.0.iter().map(|observer| (Arc::clone(observer), observer.fence(ring_idx))).collect();
        move || {
            for (observer, number) in pending {
                observer.retired(number);
            }
        }
    }
}

impl fmt::Debug for Observers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} observers", self.0.len())
    }
}

/// The observers of one endpoint, in the order in which they are told of what begins.
pub(crate) struct EndpointObservers {
    all: Box<[Box<dyn EndpointObserver>]>,
    /// Those who gave them. Last, so that they outlive them and can be told their last words.
    _observers: Observers,
}

impl EndpointObservers {
    /// Tells all of something that begins.
    pub(crate) fn tell(&mut self, mut tell: impl FnMut(&mut dyn EndpointObserver)) {
        for observer in &mut self.all {
            tell(&mut **observer);
        }
    }

    /// Tells all of something that ends.
    pub(crate) fn tell_end(&mut self, mut tell: impl FnMut(&mut dyn EndpointObserver)) {
        for observer in self.all.iter_mut().rev() {
            tell(&mut **observer);
        }
    }
}

impl fmt::Debug for EndpointObservers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} observers", self.all.len())
    }
}
