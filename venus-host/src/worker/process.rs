//! A worker process, as its monitor sees it: a thread that carries messages to and from it, and deals with its end.
//!
//! Requests are sent at once where the socket takes them, on the thread that makes them; what it does not take waits for
//! the thread here. Everything that the worker says comes in here, too, and so does its death.

use std::{
    io::{Read as _, Write as _},
    os::{
        fd::{AsFd as _, OwnedFd},
        unix::net::UnixStream,
    },
    process::ExitStatus,
    sync::Arc,
    thread,
    time::Duration,
};

use parking_lot::Mutex;
use rustix::{
    event::{PollFd, PollFlags, poll},
    io::Errno,
    net::{RecvFlags, SendFlags, Shutdown},
};

use super::{
    check,
    child::Child,
    frame::{FrameReader, Heard, framed},
    inbox::Inbox,
    message::{Event, Request},
    outbox::{AllQueued, Outbox, Unsent},
    packet::{Malformed, Packet},
};
use crate::{HostError, endpoint::Breadcrumbs, limits, socket};

/// How long a worker that has closed its socket may take to its end: one that died, and one that was told to end.
const DEATH_PATIENCE: Duration = Duration::from_secs(1);
const END_PATIENCE: Duration = Duration::from_secs(10);

/// How long descriptors that are on their way are waited for at a time.
const LOOK: Duration = Duration::from_millis(2);

/// A frame on its way.
#[derive(Debug)]
pub(super) struct Outgoing {
    bytes: Vec<u8>,
    /// How many of them are gone, and with the first of them the descriptor.
    sent: usize,
    fd: Option<Arc<OwnedFd>>,
}

impl Outgoing {
    fn new(packet: Packet) -> Self {
        Self { bytes: framed(&packet), sent: 0, fd: packet.fd }
    }

    /// Bytes that it takes while it waits, however short the request is.
    fn size(&self) -> usize {
        /// What an allocation costs beyond what was asked for.
        const ALLOCATION: usize = 32;
        self.bytes.capacity().saturating_add(size_of::<(Self, usize)>()).saturating_add(ALLOCATION)
    }
}

/// The way to a worker process.
#[derive(Debug)]
pub(super) struct Link {
    socket: UnixStream,
    outbox: Outbox<Outgoing>,
    /// Makes the thread look at the outbox.
    bell: UnixStream,
    child: Child,
    /// Size of the blob that was asked for last.
    asked: Mutex<u64>,
    maps_opaque: bool,
    breadcrumbs: Breadcrumbs,
}

impl Link {
    /// The way to `child`, at the other end of `socket`, and the thread that carries messages. `breadcrumbs` is where the
    /// worker notes what it does.
    pub(super) fn start(
        child: Child,
        socket: UnixStream,
        maps_opaque: bool,
        breadcrumbs: Breadcrumbs,
        inbox: Arc<Inbox>,
        all_queued: Arc<AllQueued>,
    ) -> Result<(Arc<Self>, thread::JoinHandle<()>), HostError> {
        let failed = |error| HostError::io("cannot make a socket for a worker", error);
        socket::prepare(&socket).map_err(failed)?;
        let (wake, bell) = UnixStream::pair().map_err(failed)?;
        for end in [&wake, &bell] {
            end.set_nonblocking(true).map_err(failed)?;
        }
        let link = Arc::new(Self {
            socket,
            outbox: Outbox::new(limits::QUEUED_BYTES, all_queued),
            bell,
            child,
            asked: Mutex::new(0),
            maps_opaque,
            breadcrumbs,
        });
        let carrier = Carrier { link: Arc::clone(&link), wake, inbox };
        let thread = thread::Builder::new().name("venus-link".to_owned()).spawn(move || carrier.run());
        match thread {
            Ok(thread) => Ok((link, thread)),
            Err(error) => {
                if let Some(link) = Arc::into_inner(link) {
                    link.child.end();
                }
                Err(HostError::io("cannot start a worker's thread", error))
            }
        }
    }

    /// Sends a request, or queues it.
    pub(super) fn send(&self, request: Request, patience: Duration) -> Result<(), Unsent> {
        if let Request::CreateBlob { size, .. } = &request {
            *self.asked.lock() = *size;
        }
        // What cannot travel was refused before.
        let packet = request.encode().ok_or(Unsent::Closed)?;
        let mut outgoing = Outgoing::new(packet);
        let bytes = outgoing.size();
        let mut queue = self.outbox.room(bytes, patience)?;
        if queue.is_empty() {
            match self.push_out(&mut outgoing) {
                Ok(true) => return Ok(()),
                Ok(false) => {}
                Err(error) => {
                    // What has gone in part cannot be said again. The thread sees the end of the socket and deals with
                    // it, as with a worker that has gone.
                    tracing::debug!("a worker cannot be sent a request: {error}");
                    let _gone = rustix::net::shutdown(&self.socket, Shutdown::Both);
                    return Ok(());
                }
            }
        }
        queue.put(outgoing, bytes);
        drop(queue);
        // A bell that is full has been heard by nobody yet, which is as good.
        let _rung = (&self.bell).write(&[0]);
        Ok(())
    }

    /// Sends as much of a frame as the socket takes, and says whether that was all.
    fn push_out(&self, outgoing: &mut Outgoing) -> Result<bool, Errno> {
        loop {
            let rest = outgoing.bytes.get(outgoing.sent..).unwrap_or_default();
            if rest.is_empty() {
                return Ok(true);
            }
            let fds: Vec<_> = outgoing.fd.iter().filter(|_| outgoing.sent == 0).map(|fd| fd.as_fd()).collect();
            match socket::try_send_with(&self.socket, rest, &fds, SendFlags::DONTWAIT) {
                Ok(sent) => outgoing.sent = outgoing.sent.saturating_add(sent),
                Err(Errno::INTR) => {}
                // Of descriptors, too many of this user's may be on their way.
                Err(Errno::AGAIN | Errno::TOOMANYREFS) => return Ok(false),
                Err(error) => return Err(error),
            }
        }
    }

    /// Tells the worker that nobody needs it any more, at which it ends.
    pub(super) fn dismiss(&self) {
        self.outbox.close();
        let _gone = rustix::net::shutdown(&self.socket, Shutdown::Both);
        let _rung = (&self.bell).write(&[0]);
    }

    /// Ends the worker at once.
    pub(super) fn kill(&self) {
        self.child.kill();
    }

    /// In which command it is, for the middle of a sentence.
    pub(super) fn place(&self) -> String {
        self.breadcrumbs.read().place("before its first command")
    }

    /// The worker's process.
    pub(super) fn process(&self) -> u32 {
        self.child.id()
    }
}

/// What the thread has.
struct Carrier {
    link: Arc<Link>,
    wake: UnixStream,
    inbox: Arc<Inbox>,
}

impl Carrier {
    fn run(self) {
        let outcome = self.carry();
        let is_dismissed = self.link.outbox.is_closed();
        self.link.outbox.close();
        if outcome.is_err() {
            self.link.kill();
        }
        let ended = self.reap(if is_dismissed { END_PATIENCE } else { DEATH_PATIENCE });
        if is_dismissed {
            self.inbox.close("the context was destroyed".to_owned());
        } else {
            self.tell(outcome, ended);
        }
        // A killed process may take as long as the driver's kernel side does.
        self.link.child.bury();
    }

    /// Tells of an end that nobody wanted.
    fn tell(&self, outcome: Result<(), Malformed>, ended: Option<ExitStatus>) {
        let place = self.link.place();
        let process = self.link.process();
        let reason = match (outcome, ended) {
            (Err(malformed), _) => format!("worker {process} has said what no worker says, and was ended: {malformed}"),
            (Ok(()), Some(status)) => format!("worker {process} ended with {status} {place}"),
            (Ok(()), None) => format!("worker {process} closed its socket {place}, and was ended"),
        };
        let context = &*self.inbox.name;
        tracing::error!(context, "{reason}; the driver is what crashes mostly, and other guests are not affected");
        self.inbox.close(reason);
    }

    /// Carries messages until the worker has gone or says what it must not.
    fn carry(&self) -> Result<(), Malformed> {
        let mut reader = FrameReader::new(limits::WORKER_MESSAGE_BYTES);
        let (socket, wake) = (&self.link.socket, &self.wake);
        let mut is_writable = false;
        loop {
            if self.link.outbox.flush(|outgoing| self.link.push_out(outgoing)).is_err() {
                return Ok(());
            }
            let is_done = self.link.outbox.is_empty();
            if !is_done && is_writable {
                // Descriptors on their way are in the way of ours, which the socket does not tell of.
                thread::sleep(LOOK);
            }
            let out = if is_done { PollFlags::empty() } else { PollFlags::OUT };
            let mut fds = [PollFd::new(socket, PollFlags::IN | out), PollFd::new(wake, PollFlags::IN)];
            match poll(&mut fds, None) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => {
                    tracing::error!("cannot wait for a worker: {error}");
                    return Ok(());
                }
            }
            let [ready, _] = &fds;
            is_writable = ready.revents().contains(PollFlags::OUT);
            let _rung = (&self.wake).read(&mut [0; 64]);
            match reader.hear(socket, RecvFlags::DONTWAIT) {
                Heard::End => return Ok(()),
                Heard::Nothing => {}
                Heard::Bytes => {
                    while let Some((payload, fd)) = reader.next()? {
                        let asked = *self.link.asked.lock();
                        take(&self.inbox, asked, self.link.maps_opaque, &payload, fd)?;
                    }
                }
            }
        }
    }

    /// Waits for the end of the worker; one that does not end in time is killed. None if that was so, or if somebody else in
    /// this process has waited for it.
    fn reap(&self, patience: Duration) -> Option<ExitStatus> {
        let ended = self.link.child.wait(patience);
        if let Ok(None) = ended {
            self.link.kill();
        }
        ended.ok().flatten()
    }
}

/// Takes in what a worker has said of which a blob of `asked` bytes was asked for last.
pub(super) fn take(
    inbox: &Inbox,
    asked: u64,
    maps_opaque: bool,
    payload: &[u8],
    fd: Option<OwnedFd>,
) -> Result<(), Malformed> {
    // The system drops a descriptor where this process may have no more, and sends on the words that it came with.
    if fd.is_none() && Event::is_blob(payload) {
        let refused = HostError::io("cannot take the descriptor of a blob", Errno::MFILE);
        return inbox.take(Event::Blob(Err(refused)));
    }
    let event = match Event::decode(payload, fd)? {
        Event::Blob(Ok(blob)) => Event::Blob(check::check(blob, asked, maps_opaque)),
        other => other,
    };
    inbox.take(event)
}
