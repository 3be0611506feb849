//! The death of a worker process: what becomes of its fences, its memory, and of others.

use std::{
    io::Read as _,
    os::{fd::OwnedFd, unix::net::UnixStream},
    process::Command,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use mock_driver::Mock;
use rustix::process::{Pid, Signal, kill_process};
use venus_guest::bare::command;
use venus_host::{
    HostError,
    context::Retired,
    host::{ContextId, ContextOptions, Host, HostOptions, Isolation},
    resource::{BlobFlags, ResourceId},
    worker::Launch,
};

use crate::{
    machine::{FIRST, Machine, config},
    worker,
};

const RESOURCE: ResourceId = ResourceId(10);

fn machine(mock: &Mock, sort: &'static str) -> Machine {
    Machine::new(config(mock), Isolation::Process(worker::launch(sort)))
}

fn kill(machine: &Machine) {
    let process = machine.host.process(FIRST).unwrap();
    let pid = Pid::from_raw(process.try_into().unwrap()).unwrap();
    kill_process(pid, Signal::KILL).unwrap();
}

#[test]
fn a_worker_that_dies_in_a_command_is_known_by_it() {
    let mock = Mock::take();
    let mut machine = machine(&mock, worker::MORTAL);
    machine.host.create_blob(FIRST, RESOURCE, BlobFlags::MAPPABLE, 0, 4096).unwrap();
    let mapping = machine.host.map(RESOURCE).unwrap();
    mapping.copy_in(0, b"written before").unwrap();
    machine.submit(&command::seek_reply_stream(0)).unwrap();
    machine.host.create_fence(FIRST, 0, 1).unwrap();
    machine.host.create_fence(FIRST, 1, 2).unwrap();
    assert_eq!(machine.wait_for(FIRST, 0, 1), Retired::Lost);
    assert_eq!(machine.wait_for(FIRST, 1, 2), Retired::Lost);
    let reason = machine.reason();
    assert!(reason.contains("in vkSeekReplyCommandStreamMESA (direct)"), "{reason}");
    assert!(reason.contains("signal: 6"), "{reason}");
    // It stays as it is: memory, too.
    let mut seen = [0; 14];
    mapping.copy_out(0, &mut seen).unwrap();
    assert_eq!(&seen, b"written before");
    assert!(machine.host.map(RESOURCE).is_ok() && machine.host.blob(RESOURCE).is_some());
    assert_eq!(machine.fence(FIRST, 0), Retired::Lost);
    let refused = machine.submit(&command::notify_ring(1, 0)).unwrap_err();
    assert!(matches!(&refused, HostError::Lost(told) if **told == *reason), "{refused}");
    let created = machine.host.create_blob(FIRST, ResourceId(11), BlobFlags::MAPPABLE, 0, 4096);
    assert!(matches!(created, Err(HostError::Lost(_))), "{created:?}");
    assert!(machine.host.destroy_context(FIRST));
    assert!(machine.host.map(RESOURCE).is_ok());
    machine.host.create_context(FIRST, ContextOptions::new("again").isolation(Isolation::Thread)).unwrap();
    assert_eq!(machine.fence(FIRST, 0), Retired::Done);
}

#[test]
fn a_worker_that_is_killed_takes_nobody_along() {
    let mock = Mock::take();
    let mut machine = machine(&mock, worker::GOOD);
    machine.host.create_context(ContextId(2), ContextOptions::new("other")).unwrap();
    assert_eq!(machine.fence(FIRST, 0), Retired::Done);
    kill(&machine);
    let reason = machine.reason();
    assert!(reason.contains("signal: 9"), "{reason}");
    assert_eq!(machine.fence(FIRST, 0), Retired::Lost);
    assert_eq!(machine.fence(ContextId(2), 0), Retired::Done);
    assert_eq!(machine.host.lost(ContextId(2)), None);
}

#[test]
fn a_worker_that_cannot_be_started_is_said() {
    let mock = Mock::take();
    let options = HostOptions::new(config(&mock));
    let mut host = Host::new(options).unwrap();
    let launch = Launch::command(|| Command::new("/nonexistent/worker"));
    let options = ContextOptions::new("test").isolation(Isolation::Process(launch));
    let refused = host.create_context(FIRST, options).unwrap_err().to_string();
    assert!(refused.starts_with("cannot start a worker process"), "{refused}");
    assert!(!host.destroy_context(FIRST));
}

#[test]
fn a_program_that_is_no_worker_is_lost_at_once() {
    let mock = Mock::take();
    let options = HostOptions::new(config(&mock));
    let mut host = Host::new(options).unwrap();
    let launch = Launch::command(|| Command::new("true"));
    let options = ContextOptions::new("test").isolation(Isolation::Process(launch));
    host.create_context(FIRST, options).unwrap();
    // It has to come to the request.
    let refused = host.create_blob(FIRST, RESOURCE, BlobFlags::MAPPABLE, 1, 4096).unwrap_err();
    assert!(matches!(refused, HostError::Lost(_)), "{refused}");
    let reason = host.lost(FIRST).unwrap();
    assert!(reason.contains("exit status: 0 before its first command"), "{reason}");
}

#[test]
fn workers_are_started_ahead_and_those_that_die_are_replaced() {
    let mock = Mock::take();
    let Launch::Command(good) = worker::launch(worker::GOOD) else { unreachable!("tests start commands") };
    let starts = Arc::new(AtomicUsize::new(0));
    let (mut theirs, ours) = UnixStream::pair().unwrap();
    let ours = Mutex::new(Some(ours));
    let counted = Arc::clone(&starts);
    let launch = Launch::command(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        // The first is no worker, and ends at once.
        ours.lock().unwrap().take().map_or_else(&*good, |end| {
            let mut command = Command::new("sh");
            // One after the other: the system closes what a process leaves open in an order of its own.
            command.args(["-c", "exec <&-; exec >&-"]).stdout(OwnedFd::from(end));
            command
        })
    });
    let mut host = Host::new(HostOptions::new(config(&mock)).isolation(Isolation::Process(launch))).unwrap();
    assert_eq!(starts.load(Ordering::Relaxed), 1);
    assert_eq!(theirs.read(&mut [0]).unwrap(), 0, "it ends");
    host.create_context(FIRST, ContextOptions::new("test")).unwrap();
    assert_eq!(starts.load(Ordering::Relaxed), 3, "one for the context, and one ahead");
    host.create_blob(FIRST, RESOURCE, BlobFlags::MAPPABLE, 0, 4096).unwrap();
    host.create_context(ContextId(2), ContextOptions::new("second")).unwrap();
    host.create_blob(ContextId(2), ResourceId(11), BlobFlags::MAPPABLE, 0, 4096).unwrap();
    assert_eq!(starts.load(Ordering::Relaxed), 4);
    let own = ContextOptions::new("third").isolation(Isolation::Process(worker::launch(worker::GOOD)));
    host.create_context(ContextId(3), own).unwrap();
    assert_eq!(starts.load(Ordering::Relaxed), 4, "it is started by other means");
    assert!(host.shutdown(crate::machine::PATIENCE));
}
