//! A process that was started here.
//!
//! Nothing here waits for longer than it is told to, and nothing is locked meanwhile: a process that was killed ends when the
//! kernel's side of a driver lets it, which may be never. And no signal goes to a number that may be another process's by
//! now: a monitor may have its children buried by the system, or by a loop of its own.

use std::{
    io,
    process::{Child as Process, ExitStatus},
    thread,
    time::{Duration, Instant},
};

use parking_lot::Mutex;

use crate::thread::deadline;

/// How often a process is looked at that is about to end, and one that takes long.
const LOOK: Duration = Duration::from_millis(2);
const SELDOM: Duration = Duration::from_millis(100);

/// How long whoever drops a process that is of no use waits for its end.
const SHORTLY: Duration = Duration::from_millis(50);

/// A process, or what is left of it.
#[derive(Debug)]
pub(super) struct Child {
    id: u32,
    process: Mutex<Process>,
    /// Means this process for as long as it is there, unlike its number.
    #[cfg(target_os = "linux")]
    handle: Option<std::os::fd::OwnedFd>,
}

impl Child {
    /// One that was started just now.
    pub(super) fn new(process: Process) -> Self {
        Self {
            id: process.id(),
            #[cfg(target_os = "linux")]
            handle: handle_of(&process),
            process: Mutex::new(process),
        }
    }

    /// Its number.
    pub(super) fn id(&self) -> u32 {
        self.id
    }

    /// Ends it at once, if it has not ended by itself.
    pub(super) fn kill(&self) {
        #[cfg(target_os = "linux")]
        if let Some(handle) = &self.handle {
            let _gone = rustix::process::pidfd_send_signal(handle, rustix::process::Signal::KILL);
            return;
        }
        let mut process = self.process.lock();
        // Only one that has not been buried has its number still.
        if let Ok(None) = process.try_wait() {
            let _gone = process.kill();
        }
    }

    /// Waits for its end, no longer than `patience`. None if it does not come; an error if somebody else has buried it.
    pub(super) fn wait(&self, patience: Duration) -> io::Result<Option<ExitStatus>> {
        let until = deadline(patience);
        loop {
            let ended = self.process.lock().try_wait()?;
            if ended.is_some() || Instant::now() >= until {
                return Ok(ended);
            }
            thread::sleep(LOOK);
        }
    }

    /// Waits for its end, however long that takes.
    pub(super) fn bury(&self) {
        while let Ok(None) = self.wait(Duration::ZERO) {
            thread::sleep(SELDOM);
        }
    }

    /// Ends it. Should that take long, a thread buries it.
    pub(super) fn end(self) {
        self.kill();
        if let Ok(None) = self.wait(SHORTLY) {
            // Without a thread it is buried when this process ends.
            let _thread = thread::Builder::new().name("venus-undertaker".to_owned()).spawn(move || self.bury());
        }
    }
}

/// What means a process; nothing, on kernels before 5.3.
#[cfg(target_os = "linux")]
fn handle_of(process: &Process) -> Option<std::os::fd::OwnedFd> {
    use rustix::process::{Pid, PidfdFlags, pidfd_open};

    pidfd_open(Pid::from_raw(i32::try_from(process.id()).ok()?)?, PidfdFlags::empty()).ok()
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    fn sleep() -> Child {
        Child::new(Command::new("sleep").arg("1000").spawn().unwrap())
    }

    fn without_handle(child: Child) -> Child {
        #[cfg(target_os = "linux")]
        let child = Child { handle: None, ..child };
        child
    }

    #[test]
    fn a_process_is_ended_while_somebody_waits_for_it() {
        for child in [sleep(), without_handle(sleep())] {
            assert_eq!(child.wait(Duration::ZERO).unwrap(), None);
            thread::scope(|scope| {
                let burying = scope.spawn(|| child.bury());
                child.kill();
                burying.join().unwrap();
            });
            let status = child.wait(Duration::ZERO).unwrap().unwrap();
            assert!(!status.success());
            child.kill();
        }
        sleep().end();
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_process_that_somebody_else_has_buried_is_not_ended_by_its_number() {
        for child in [sleep(), without_handle(sleep())] {
            let pid = rustix::process::Pid::from_raw(child.id().try_into().unwrap()).unwrap();
            rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
            rustix::process::waitpid(Some(pid), rustix::process::WaitOptions::empty()).unwrap();
            assert!(child.wait(Duration::MAX).is_err());
            child.kill();
            child.bury();
        }
    }
}
