//! The process in which the library serves a guest's program, apart from QEMU.

use crate::common::{PATIENCE, Place, ours, run};
use testbed::process::{is_alive, kill};
use testbed::vm::{holds_within, jobs::rates};

super::on_each_qemu! {
    ours:
    a_worker_that_is_killed_takes_one_client_with_it,
    workers_end_when_their_monitor_is_killed,
    a_sandbox_without_new_processes_is_lived_with,
}

fn a_worker_that_is_killed_takes_one_client_with_it(place: &Place) {
    let job = "./venus-cases frames 1000000 2>&1\n[ $? != 0 ] && echo ended\n./venus-cases frames 300";
    let mut session = place.machine(job).start().unwrap();
    session.wait_for("READY").unwrap();
    let workers = session.workers().unwrap();
    assert!(!workers.is_empty(), "the guest's program is served by no process of its own");
    for (id, _) in &workers {
        kill(*id).unwrap();
    }
    session.wait_for("ended").unwrap();
    let report = session.finish().unwrap();
    assert!(report.out.contains("OK 300 frames"), "{}", report.out);
}

fn workers_end_when_their_monitor_is_killed(place: &Place) {
    let mut session = place.machine("./venus-cases frames 1000000 2>&1").start().unwrap();
    session.wait_for("READY").unwrap();
    let workers = session.workers().unwrap();
    assert!(!workers.is_empty(), "the guest's program is served by no process of its own");
    session.kill().unwrap();
    let gone = || workers.iter().all(|(id, _)| !is_alive(*id));
    assert!(holds_within(PATIENCE, gone), "of {workers:?} some are still there");
}

fn a_sandbox_without_new_processes_is_lived_with(place: &Place) {
    let machine = place.machine("./venus-cases frames 300").args(["-sandbox", "on,spawn=deny"]);
    let report = run(machine);
    assert!(rates(&report.out).is_some(), "{}", report.out);
    // One line says that there is no process, and why.
    let said = report.log.lines().filter(|line| line.contains("guests share this process")).count();
    assert_eq!(said, 1, "{}", report.log);
}
