//! Objects that one endpoint destroys while another uses them, in every order.

use venus_models::{World, object::explored::*};

/// Three interruptions are enough for every one of the faults below.
const WORLD: World = World::WHOLE.up_to(3);

#[test]
fn nothing_is_freed_under_its_user() {
    nothing_is_freed_under_a_command(WORLD);
    nothing_is_freed_under_a_batch(WORLD);
    nothing_is_freed_after_a_long_command(WORLD);
    nothing_pooled_is_freed_under_a_batch(WORLD);
}

#[test]
#[should_panic(expected = "Causality violation")]
fn something_is_freed_under_a_command_if_epochs_are_not_released() {
    nothing_is_freed_under_a_command(WORLD.without_acquire_release());
}

#[test]
#[should_panic(expected = "Causality violation")]
fn something_is_freed_under_a_batch_if_accesses_have_no_order() {
    nothing_is_freed_under_a_batch(WORLD.without_total_order());
}

#[test]
#[should_panic(expected = "Causality violation")]
fn something_is_freed_after_a_long_command_if_accesses_have_no_order() {
    nothing_is_freed_after_a_long_command(WORLD.without_total_order());
}

#[test]
#[should_panic(expected = "Causality violation")]
fn something_pooled_is_freed_under_a_batch_if_accesses_have_no_order() {
    nothing_pooled_is_freed_under_a_batch(WORLD.without_total_order());
}

#[test]
fn nothing_waits_when_all_who_could_use_it_have_left() {
    nothing_waits_when_all_have_left(WORLD);
}

#[test]
#[should_panic(expected = "nobody is going to look at it")]
fn something_waits_if_accesses_have_no_order() {
    nothing_waits_when_all_have_left(WORLD.without_total_order());
}

#[test]
fn two_that_wait_for_the_others_go_on() {
    two_that_wait_for_others_go_on(WORLD);
}

#[test]
fn a_device_goes_after_what_belongs_to_it() {
    a_device_goes_last(WORLD);
}
