//! What a worker process hears from its monitor, and what it says.
//!
//! A thread of its own receives: it answers at once how the guest is doing, whatever the context is busy with, and knows at
//! once that the monitor has gone, which ends what the context waits for.

use std::{
    os::unix::net::UnixStream,
    sync::{
        Arc,
        mpsc::{self, Receiver},
    },
    thread,
    time::Duration,
};

use parking_lot::Mutex;
use rustix::{
    net::RecvFlags,
    process::{Signal, getpid, kill_process},
};

use super::{
    frame::{FrameReader, Heard, framed},
    message::{Event, Request},
    outbox::{Outbox, Unsent},
    packet::Malformed,
    serve::{self, Look, Tell},
};
use crate::{
    HostError, limits,
    socket::{self, is_hung_up},
};

/// Longest message of a monitor's: a submission and its kind.
const MESSAGE_BYTES: usize = limits::SUBMISSION_BYTES + 1;

/// How often who has no room for another request looks whether there still is a monitor.
const LOOK: Duration = Duration::from_millis(100);

/// What comes from the monitor.
pub(super) struct Requests {
    control: UnixStream,
    reader: FrameReader,
    wrong: Option<Malformed>,
}

impl Requests {
    pub(super) fn new(control: UnixStream) -> Result<Self, HostError> {
        socket::prepare(&control).map_err(|error| HostError::io("cannot use the socket to the monitor", error))?;
        Ok(Self { control, reader: FrameReader::new(MESSAGE_BYTES), wrong: None })
    }

    /// The next request. None if the monitor has gone, or says what makes no sense.
    pub(super) fn next(&mut self) -> Option<Request> {
        loop {
            let frame = self
                .reader
                .next()
                .and_then(|frame| frame.map(|(payload, fd)| Request::decode(&payload, fd)).transpose());
            match frame {
                Ok(Some(request)) => return Some(request),
                Ok(None) if self.reader.hear(&self.control, RecvFlags::empty()) == Heard::Bytes => {}
                Ok(None) => return None,
                Err(malformed) => {
                    self.wrong = Some(malformed);
                    return None;
                }
            }
        }
    }

    /// What sends events to the monitor, one after the other.
    pub(super) fn teller(&self) -> Result<Tell, HostError> {
        let control = self.control.try_clone();
        let control = control.map_err(|error| HostError::io("cannot duplicate the socket to the monitor", error))?;
        let control = Mutex::new(control);
        Ok(Arc::new(move |event: Event| {
            let packet = event.encode();
            // A monitor that has gone is noticed by who reads.
            let _sent = socket::send_with(&control.lock(), &framed(&packet), &packet.fds());
        }))
    }

    /// Has a thread receive requests into `outbox`, which it closes at their end, and says how they ended. It answers how
    /// the guest is doing by a `look`.
    ///
    /// The end of the requests is that of the monitor, who would kill a process that is stuck in a driver. The thread does
    /// so in its place.
    pub(super) fn receive(
        mut self,
        outbox: Arc<Outbox<Request>>,
        tell: Tell,
        look: Look,
    ) -> Result<Receiver<Result<(), Malformed>>, HostError> {
        let (ended, end) = mpsc::channel();
        let receive = move || {
            while let Some(request) = self.next() {
                match request {
                    Request::Inquire => tell(Event::Statistics(Box::new(serve::statistics(&look)))),
                    request => {
                        if !self.hand_on(&outbox, request) {
                            break;
                        }
                    }
                }
            }
            outbox.close();
            // Whoever hears it may be stuck.
            let _heard = ended.send(self.wrong.map_or(Ok(()), Err));
            drop(self.control);
            thread::sleep(limits::ORPHAN_PATIENCE);
            tracing::error!("a worker without a monitor does not come to its end; the driver may be stuck");
            let _killed = kill_process(getpid(), Signal::KILL);
        };
        let thread = thread::Builder::new().name("venus-requests".to_owned()).spawn(receive);
        thread.map(|_| end).map_err(|error| HostError::io("cannot start the thread that receives requests", error))
    }

    /// Queues a request. False if nobody wants it any more.
    fn hand_on(&self, outbox: &Outbox<Request>, request: Request) -> bool {
        let bytes = match &request {
            Request::Submit(commands) => commands.len(),
            _ => 0,
        };
        let bytes = bytes.saturating_add(size_of::<Request>());
        loop {
            match outbox.room(bytes, LOOK) {
                Ok(mut room) => {
                    room.put(request, bytes);
                    drop(room);
                    outbox.ring();
                    return true;
                }
                Err(Unsent::Closed) => return false,
                Err(Unsent::Full) if is_hung_up(&self.control) => return false,
                Err(Unsent::Full) => {}
            }
        }
    }
}
