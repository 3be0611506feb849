//! Guests and their programs come and go.

use crate::common::{PATIENCE, Place, run, steady};
use testbed::process::is_alive;
use testbed::provision::Suite;
use testbed::vm::{holds_within, jobs::rates};

/// Ends with its rates, which it has only if all frames are right.
const FRAMES: &str = "./venus-cases frames 300";
/// Has a client at work in the background.
const AT_WORK: &str = "rm -f said\n./venus-cases frames 1000000 2>said & client=$!\n\
                       until grep -q READY said; do kill -0 $client || exit 1; sleep 0.1; done\n";

super::on_each_qemu! {
    steady:
    two_clients_at_once_get_their_own_frames,
    a_killed_client_leaves_the_machine_to_others,
    a_context_may_go_while_its_blobs_are_mapped,
    a_client_that_maps_more_than_there_is_room_for_is_told_so,
    a_guest_that_restarts_finds_venus_again,
    nothing_stays_of_a_machine_that_is_quit_at_work,
}

fn two_clients_at_once_get_their_own_frames(place: &Place) {
    let job = "./venus-cases frames 1000 >first & first=$!\n./venus-cases frames 1000 >second\n\
               second=$?\nwait $first && [ $second = 0 ] && cat first second";
    let report = run(place.machine(job));
    assert_eq!(report.out.matches("OK 1000 frames").count(), 2, "{}", report.out);
}

fn a_killed_client_leaves_the_machine_to_others(place: &Place) {
    // A killed client destroys nothing: its context goes while its memory is mapped, and is unmapped only afterwards. Some
    // go while they draw, some wherever they happen to be on the way there.
    let kill = "kill -9 $client; wait $client\n[ $? = 137 ] || exit 1\n";
    let drawing = format!("{AT_WORK}{kill}").repeat(5);
    let starting = |seconds| format!("./venus-cases frames 1000000 & client=$!\nsleep {seconds}; {kill}");
    let starting = [0.1, 0.3, 0.5, 0.7, 0.9].map(starting).concat();
    let report = run(place.machine(&format!("{drawing}{starting}{FRAMES}")));
    assert!(rates(&report.out).is_some(), "{}", report.out);
}

fn a_context_may_go_while_its_blobs_are_mapped(place: &Place) {
    // Frees nothing that it has made and mapped: its process's end does, which takes the context along.
    let report = run(place.machine(&format!("./venus-cases memory-left 50 && {FRAMES}")));
    assert!(report.out.contains("OK 50 allocations left"), "{}", report.out);
    assert!(rates(&report.out).is_some(), "{}", report.out);
}

fn a_client_that_maps_more_than_there_is_room_for_is_told_so(place: &Place) {
    let large = "./venus-cases memory-large";
    let report = run(place.machine(&format!("{large} 64 && ! {large} 512 && {FRAMES}")).hostmem("256M"));
    assert!(report.out.contains("OK 64 MiB mapped"), "{}", report.out);
    assert!(report.out.contains("FAIL vkMapMemory"), "{}", report.out);
    assert!(rates(&report.out).is_some(), "{}", report.out);
}

fn a_guest_that_restarts_finds_venus_again(place: &Place) {
    // The first time a client is at work when the guest goes down, without a word to anybody. Its resources have numbers
    // that the second time does not come to.
    let job = format!("{FRAMES}\n[ -e again ] && exit 0\ntouch again\n{AT_WORK}/run/busybox reboot -f");
    let report = run(place.machine(&job).restarts());
    assert_eq!(report.out.matches("OK 300 frames").count(), 2, "{}\n{}", report.out, report.console);
}

/// QEMU 10 aborts here, whichever library it has: it forgets to take down what a guest had mapped.
#[test]
fn a_guest_that_restarts_uses_the_same_numbers_again() {
    let Some(place) = steady("a_guest_that_restarts_uses_the_same_numbers_again", Suite::Sid) else { return };
    let job = format!("[ -e again ] && exec {FRAMES}\ntouch again\n{AT_WORK}/run/busybox reboot -f");
    let report = run(place.machine(&job).restarts());
    assert!(rates(&report.out).is_some(), "{}\n{}", report.out, report.console);
}

fn nothing_stays_of_a_machine_that_is_quit_at_work(place: &Place) {
    let job = "./venus-cases frames 1000000 2>&1";
    let mut session = place.machine(job).start().unwrap();
    session.wait_for("READY").unwrap();
    let workers = session.workers().unwrap();
    assert!(!place.is_ours() || !workers.is_empty(), "the guest's program is served by no process of its own");
    let qemu = session.hold().unwrap();
    session.monitor().unwrap().execute("quit", &serde_json::json!({})).unwrap();
    assert!(holds_within(PATIENCE, || !is_alive(qemu)), "QEMU does not end");
    let gone = || workers.iter().all(|(id, _)| !is_alive(*id));
    assert!(holds_within(PATIENCE, gone), "of {workers:?} some are still there");
    session.release().unwrap();
    let finished = session.end().unwrap();
    assert!(finished.success(), "{finished:?}");
}
