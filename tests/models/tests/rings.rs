//! Rings in every order: how they go idle and wake, and who waits for whom.

use venus_models::{
    World,
    resource::explored as messages,
    ring::explored::{
        heartbeat, idle, shared,
        stage::Store::{Release, SeqCst},
        waits,
    },
};

/// Three interruptions are enough for every one of the faults below; four take ten times as long.
const WORLD: World = World::WHOLE.up_to(3);
/// For models of more steps.
const LARGE: World = World::WHOLE.up_to(2);

// Going idle.

#[test]
fn a_ring_does_not_sleep_over_a_command() {
    idle::commands_are_not_slept_over(WORLD, SeqCst);
}

#[test]
#[should_panic(expected = "deadlock")]
fn a_ring_sleeps_over_a_command_if_accesses_have_no_order() {
    idle::commands_are_not_slept_over(WORLD.without_total_order(), SeqCst);
}

#[test]
fn a_ring_does_not_sleep_over_an_older_guests_command() {
    idle::commands_are_not_slept_over(WORLD.with_a_time_out(), Release);
}

#[test]
#[should_panic(expected = "deadlock")]
fn a_ring_sleeps_over_an_older_guests_command_without_a_second_look() {
    idle::commands_are_not_slept_over(WORLD, Release);
}

#[test]
fn the_head_shows_the_reply() {
    idle::a_head_shows_the_reply(WORLD);
}

#[test]
#[should_panic(expected = "left: 0")]
fn the_head_shows_no_reply_if_it_is_not_released() {
    idle::a_head_shows_the_reply(WORLD.without_acquire_release());
}

#[test]
fn the_tail_shows_the_command() {
    idle::a_tail_shows_the_command(WORLD);
}

#[test]
#[should_panic(expected = "a command was read that the guest had not written")]
fn the_tail_shows_no_command_if_it_is_not_acquired() {
    idle::a_tail_shows_the_command(WORLD.without_acquire_release());
}

#[test]
fn a_shared_thread_does_not_sleep_over_a_command() {
    shared::commands_are_not_slept_over(LARGE);
    shared::commands_are_not_slept_over(LARGE.late().with_a_time_out());
}

#[test]
fn a_shared_thread_that_wakes_late_does_not_sleep_over_a_command() {
    shared::commands_are_not_slept_over(LARGE.late());
}

#[test]
fn the_heartbeat_goes_on_when_a_ring_wakes() {
    heartbeat::it_goes_on_when_a_ring_wakes(WORLD.with_time_outs());
}

#[test]
#[should_panic(expected = "the host seems to be dead")]
fn the_heartbeat_stops_if_accesses_have_no_order() {
    heartbeat::it_goes_on_when_a_ring_wakes(WORLD.with_time_outs().without_total_order());
}

// Waits.

#[test]
fn a_position_is_waited_for() {
    waits::a_position_is_waited_for(WORLD.with_time_outs());
}

/// The ring looks whether somebody waits, without a fence per command: this is why who waits looks again.
#[test]
#[should_panic(expected = "deadlock")]
fn a_position_is_waited_for_in_vain_without_looking_again() {
    waits::a_position_is_waited_for(WORLD);
}

#[test]
fn a_position_shows_what_was_done() {
    waits::a_position_shows_what_was_done(WORLD.with_time_outs());
}

#[test]
#[should_panic(expected = "left: 0")]
fn a_position_shows_nothing_if_it_is_not_released() {
    waits::a_position_shows_what_was_done(WORLD.with_time_outs().without_acquire_release());
}

/// The lock is all that it takes: no order of anything else, and no time-out.
#[test]
fn a_submission_is_waited_for() {
    waits::a_submission_is_waited_for(WORLD);
    waits::a_submission_is_waited_for(WORLD.without_acquire_release());
    waits::two_submissions_are_waited_for(WORLD);
    waits::two_submissions_are_waited_for(WORLD.without_acquire_release());
}

#[test]
fn an_end_ends_all_waits() {
    waits::a_stop_ends_the_wait_for_a_submission(WORLD);
    waits::a_loss_ends_the_wait_for_a_submission(WORLD);
    waits::a_stop_ends_the_wait_for_a_position(WORLD);
    waits::a_loss_ends_the_wait_for_a_position(WORLD);
}

#[test]
fn the_two_waits_do_not_wait_for_each_other() {
    waits::the_two_waits_meet(WORLD);
    waits::the_two_waits_meet(WORLD.with_a_time_out());
}

#[test]
fn what_was_sent_is_waited_for() {
    waits::what_was_sent_is_waited_for(LARGE.with_time_outs(), SeqCst);
    waits::what_was_sent_is_waited_for(LARGE.with_time_outs(), Release);
}

#[test]
fn what_was_not_sent_is_not_waited_for() {
    waits::what_was_not_sent_is_not_waited_for(WORLD);
    waits::what_was_not_sent_is_not_waited_for(WORLD.with_a_time_out());
}

#[test]
fn a_message_about_a_resource_is_waited_for() {
    messages::a_message_is_waited_for(WORLD);
    messages::a_message_is_waited_for(WORLD.without_acquire_release());
}
