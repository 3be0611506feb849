//! Rings whose commands come from elsewhere than their memory. No Vulkan driver is needed.

use std::{
    sync::{Arc, Mutex, mpsc},
    thread,
    time::Duration,
};

use venus_guest::bare::{bytes, command};
use venus_host::{
    context::{Context, Feed, Options},
    driver::Config,
    endpoint::{Command, EndpointObserver, Observer, Outcome, Place, Source},
    resource::{BlobFlags, ResourceId},
};

const RING: u64 = 0x10;
const RING_MEMORY: u32 = 1;

/// Notes the end of each command of a ring, and the end of the context. Takes its time before it notes a command, so that
/// whoever does not wait for the command comes first.
#[derive(Clone)]
struct Ends {
    order: Arc<Mutex<Vec<&'static str>>>,
    begun: mpsc::Sender<()>,
}

impl Observer for Ends {
    fn endpoint(&self, source: Source, _has_thread: bool) -> Option<Box<dyn EndpointObserver>> {
        (source != Source::Direct).then(|| Box::new(self.clone()) as _)
    }

    fn left(&self) {
        self.order.lock().unwrap().push("context");
    }
}

impl EndpointObserver for Ends {
    fn begin(&mut self, _command: &Command<'_>) -> Option<u64> {
        self.begun.send(()).unwrap();
        None
    }

    fn end(&mut self, _place: Place, _outcome: Outcome<'_>, _reply: &[u8]) {
        thread::sleep(Duration::from_millis(50));
        self.order.lock().unwrap().push("command");
    }
}

/// A context with one ring, which the test feeds.
fn open(options: Options) -> (Context, Feed) {
    let (mut context, feed) = Feed::open(options);
    context.create_blob(ResourceId(RING_MEMORY), BlobFlags::MAPPABLE, 0, 8192).unwrap();
    context.submit(&bytes(&command::create_ring(RING, RING_MEMORY, 4096, None))).unwrap();
    (context, feed)
}

fn options() -> Options {
    Options::new("test", Config::default())
}

#[test]
fn the_end_of_a_context_waits_for_a_command_that_is_fed() {
    let (begun, begins) = mpsc::channel();
    let ends = Ends { order: Arc::default(), begun };
    let order = Arc::clone(&ends.order);
    let (context, feed) = open(options().observer(Arc::new(ends)));
    let mut ring = feed.ring(RING).unwrap();
    let feeder = thread::spawn(move || {
        // Waits for a submission that never comes: until the ring is stopped.
        let executed = ring.execute(0, &bytes(&command::wait_virtqueue_seqno(7))).unwrap();
        (executed, ring)
    });
    begins.recv().unwrap();
    drop(context);
    let (executed, mut ring) = feeder.join().unwrap();
    assert!(!executed, "it was abandoned");
    assert_eq!(*order.lock().unwrap(), ["command", "context"]);
    let next = ring.execute(8, &bytes(&command::wait_virtqueue_seqno(0)));
    assert_eq!(next.ok(), Some(false), "no command is executed in a context that is gone");
}

#[test]
fn a_stopped_ring_executes_nothing() {
    let (_context, feed) = open(options());
    let mut ring = feed.ring(RING).unwrap();
    assert!(ring.execute(0, &bytes(&command::wait_virtqueue_seqno(0))).unwrap());
    feed.stop();
    assert!(ring.is_stopped() && feed.ring(RING).is_none());
    assert!(!ring.execute(8, &bytes(&command::wait_virtqueue_seqno(0))).unwrap());
}

#[test]
fn a_submission_does_not_answer_for_what_another_command_broke() {
    let (mut context, feed) = open(options());
    let mut ring = feed.ring(RING).unwrap();
    ring.execute(0, &[0xff; 8]).unwrap_err();
    let wait = bytes(&command::submit_virtqueue_seqno(RING, 1));
    assert!(!Feed::submit(&mut context, &wait).unwrap());
    context.submit(&wait).unwrap_err();
}
