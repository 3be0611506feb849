//! Threads, with a token that parks them. loom's own wakes a thread whatever it waits for.

use std::{cell::RefCell, fmt, io, sync::Arc, time::Duration};

pub(crate) use loom::thread::yield_now;

use super::{Condvar, Mutex};

/// Whether a thread was unparked since it was parked last.
#[derive(Default)]
struct Token {
    is_here: Mutex<bool>,
    came: Condvar,
}

/// A thread, for others.
#[derive(Clone)]
pub(crate) struct Thread(Arc<Token>);

impl Thread {
    pub(crate) fn unpark(&self) {
        *self.0.is_here.lock() = true;
        self.0.came.notify_all();
    }
}

impl fmt::Debug for Thread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Thread").finish_non_exhaustive()
    }
}

loom::thread_local! {
    static CURRENT: RefCell<Option<Thread>> = RefCell::new(None);
}

fn with_token(wait: impl FnOnce(&Token)) {
    let thread = CURRENT.with(|current| current.borrow().clone()).expect("only threads of the builder are parked");
    wait(&thread.0);
}

/// Sleeps until the thread is unparked, or was.
pub(crate) fn park() {
    with_token(|token| {
        let mut is_here = token.is_here.lock();
        while !*is_here {
            token.came.wait(&mut is_here);
        }
        *is_here = false;
    });
}

/// The same, up to a time-out.
pub(crate) fn park_timeout(timeout: Duration) {
    with_token(|token| {
        let mut is_here = token.is_here.lock();
        while !*is_here {
            if token.came.wait_for(&mut is_here, timeout).timed_out() {
                break;
            }
        }
        *is_here = false;
    });
}

/// Lets others go on.
pub(crate) fn sleep(_duration: Duration) {
    yield_now();
}

/// What makes threads.
pub(crate) struct Builder(());

/// A thread, for whoever made it.
pub(crate) struct JoinHandle<T> {
    handle: loom::thread::JoinHandle<T>,
    thread: Thread,
}

impl Builder {
    pub(crate) fn new() -> Self {
        Self(())
    }

    pub(crate) fn name(self, _name: String) -> Self {
        self
    }

    pub(crate) fn spawn<T: Send + 'static>(
        self,
        body: impl FnOnce() -> T + Send + 'static,
    ) -> io::Result<JoinHandle<T>> {
        let thread = Thread(Arc::default());
        let itself = thread.clone();
        let handle = loom::thread::spawn(move || {
            CURRENT.with(|current| *current.borrow_mut() = Some(itself));
            body()
        });
        Ok(JoinHandle { handle, thread })
    }
}

impl<T> JoinHandle<T> {
    pub(crate) fn join(self) -> std::thread::Result<T> {
        self.handle.join()
    }

    pub(crate) fn thread(&self) -> &Thread {
        &self.thread
    }
}
