//! The host's worker dies under the guest, in several states of the guest: killed, or of a fault of its driver.

use crate::common::{Place, SID, guest, place};
use std::sync::mpsc;
use std::time::{Duration, Instant};
use testbed::cases::READY;
use testbed::process::{Finished, Outcome, is_at_rest, kill_with};
use testbed::provision::Suite;
use testbed::sandbox::Guest;

/// How the worker dies.
#[derive(Debug, Clone, Copy)]
enum Death {
    /// For want of memory, or by hand.
    Killed,
    /// Of a fault. The first one is forgiven by whoever looks for overflown stacks.
    Fault,
}

impl Death {
    fn strike(self, worker: u32) {
        use rustix::process::Signal;
        match self {
            Self::Killed => kill_with(worker, Signal::KILL).unwrap(),
            Self::Fault => {
                kill_with(worker, Signal::SEGV).unwrap();
                std::thread::sleep(Duration::from_millis(50));
                // Gone already, where nobody forgives.
                let _ = kill_with(worker, Signal::SEGV);
            }
        }
    }
}

/// Waits until a guest is in the middle of what it said it was about to do: for a moment it neither runs nor waits for a
/// processor. One that waits by running is never seen to, and is in the middle of it after a while.
fn settle(guest: u32) {
    const LOOKS: u32 = 10;
    const BETWEEN: Duration = Duration::from_millis(30);
    const LONGEST: Duration = Duration::from_secs(4);
    let (started, mut at_rest) = (Instant::now(), 0);
    while at_rest < LOOKS && started.elapsed() < LONGEST {
        std::thread::sleep(BETWEEN);
        at_rest = if is_at_rest(guest) { at_rest + 1 } else { 0 };
    }
}

/// Runs a case until it is ready, has all workers die, and waits for the guest's end, which has to come.
fn outlive(place: &Place, guest: &Guest, case: &str, env: &[(&str, &str)], death: Death) -> Finished {
    /// Far more than the seconds that a guest may take, which has 3 s for a host that does not answer.
    const LIMIT: Duration = Duration::from_secs(40);
    let host = place.host(&[]);
    let socket = host.socket();
    let (sender, lines) = mpsc::channel();
    let mut run = place.through(guest, &socket, &[case]).limit(LIMIT);
    for (name, value) in env {
        run = run.env(name, value);
    }
    // Nobody listens any more once the guest is ready.
    let mut running = run.watch(move |line| drop(sender.send(line.to_owned()))).spawn().unwrap();
    let ready = lines.iter().any(|line| line == READY);
    assert!(ready, "{case} in {}: {:?}\n{}", guest.name(), running.finish(), host.log());
    settle(running.id());
    host.descendants().into_iter().for_each(|worker| death.strike(worker));
    let finished = running.finish().unwrap();
    let what = format!("{case} in {}, {death:?}: {finished:?}\n{}", guest.name(), host.log());
    assert_ne!(finished.outcome, Outcome::TimedOut, "{what}");
    finished
}

/// The verdict is a lost device.
fn lost(name: &str, case: &str, death: Death) {
    let (Some(place), Some(guest)) = (place(name), guest(name, SID[0])) else { return };
    let finished = outlive(&place, &guest, case, &[], death);
    assert!(finished.stdout.starts_with("LOST"), "{case}: {finished:?}");
}

/// A lost device, or an end with a message of the guest's driver.
fn explained(name: &str, case: &str, death: Death) {
    let (Some(place), Some(guest)) = (place(name), guest(name, SID[0])) else { return };
    let finished = outlive(&place, &guest, case, &[("MESA_LOG_LEVEL", "debug")], death);
    let words = finished.stderr.lines().any(|line| line.starts_with("MESA-VIRTIO: "));
    assert!(!finished.success() && (finished.stdout.starts_with("LOST") || words), "{case}: {finished:?}");
}

/// Mesa 25.0 waits in memory only: it notices by the ring's sign of life, in about three seconds.
fn noticed_by_older_mesa(name: &str, case: &str, env: &[(&str, &str)]) {
    let (Some(place), Some(guest)) = (place(name), guest(name, Suite::Trixie)) else { return };
    assert!(!outlive(&place, &guest, case, env, Death::Killed).success());
}

#[test]
fn a_guest_that_waits_for_a_fence_loses_its_device() {
    lost("a_guest_that_waits_for_a_fence_loses_its_device", "lost-fence", Death::Killed);
}

#[test]
fn a_guest_that_waits_for_a_fence_loses_its_device_by_a_fault() {
    lost("a_guest_that_waits_for_a_fence_loses_its_device_by_a_fault", "lost-fence", Death::Fault);
}

#[test]
fn a_guest_that_waits_for_a_timeline_loses_its_device() {
    lost("a_guest_that_waits_for_a_timeline_loses_its_device", "lost-timeline", Death::Killed);
}

#[test]
fn a_guest_that_waits_for_its_queue_loses_its_device() {
    lost("a_guest_that_waits_for_its_queue_loses_its_device", "lost-idle", Death::Killed);
}

#[test]
fn a_guest_of_two_threads_loses_its_device() {
    lost("a_guest_of_two_threads_loses_its_device", "lost-two", Death::Killed);
}

/// The program goes on after the loss of its device.
fn goes_on(name: &str, case: &str, verdict: &str) {
    let (Some(place), Some(guest)) = (place(name), guest(name, SID[0])) else { return };
    let finished = outlive(&place, &guest, case, &[], Death::Killed);
    assert_eq!(finished.stdout.trim(), verdict, "{finished:?}");
}

#[test]
fn a_guest_that_lost_its_device_may_begin_anew() {
    goes_on("a_guest_that_lost_its_device_may_begin_anew", "lost-again", "OK a new instance works");
}

#[test]
fn a_guest_that_lost_its_device_may_clean_up() {
    goes_on("a_guest_that_lost_its_device_may_clean_up", "lost-cleanup", "OK all that was made is destroyed");
}

/// A test for each row: its name, and the case.
macro_rules! explained {
    ($($test:ident: $case:literal;)*) => {
        $(#[test]
        fn $test() {
            explained(stringify!($test), $case, Death::Killed);
        })*
    };
}

explained! {
    a_guest_that_waits_in_steps_is_told: "lost-fence-100ms";
    a_guest_that_polls_is_told: "lost-status";
    a_guest_that_polls_with_a_rest_is_told: "lost-status-1ms";
    a_guest_that_records_is_told: "lost-record";
    a_guest_that_compiles_is_told: "lost-compile";
    a_guest_that_asks_for_memory_is_told: "lost-sleep";
    a_guest_that_asks_for_a_fence_is_told: "lost-sleep-fence";
    a_guest_that_asks_about_a_format_is_told: "lost-sleep-query";
}

#[test]
fn an_older_guest_that_waits_for_a_fence_comes_to_an_end() {
    noticed_by_older_mesa("an_older_guest_that_waits_for_a_fence_comes_to_an_end", "lost-fence", &[]);
}

#[test]
fn an_older_guest_that_records_comes_to_an_end() {
    noticed_by_older_mesa("an_older_guest_that_records_comes_to_an_end", "lost-record", &[]);
}

/// It looks at feedback in memory only, and for ever, unless it is told not to.
#[test]
fn an_older_guest_that_polls_comes_to_an_end_without_feedback() {
    let name = "an_older_guest_that_polls_comes_to_an_end_without_feedback";
    noticed_by_older_mesa(name, "lost-status", &[("VN_PERF", "no_fence_feedback")]);
}
