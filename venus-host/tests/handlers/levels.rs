//! What came with a later level of the protocol than guests are served at is as unknown as what never came.

use std::collections::BTreeSet;

use mock_driver::Mock;
use venus_host::driver::PROTOCOL;
use venus_protocol::{Level, reflect, wire::CommandType};

use crate::{
    commands::{Outcome, roots},
    world::{World, commands, row},
};

/// What becomes of a request that obeys the rules of the newest level.
fn sent_by_newer(world: &mut World<'_>, request: impl FnOnce(&mut World<'_>) -> Vec<u8>) -> Outcome {
    world.level = Level::NEWEST;
    let request = request(world);
    let sent = world.submit(request);
    assert!(sent.notes.is_empty(), "{:?}", sent.notes);
    Outcome::of(world, &sent)
}

#[track_caller]
fn check_refused(outcome: &Outcome, why: &str) {
    assert!(matches!(outcome, Outcome::Refused(reason) if reason.contains(why)), "{why}: {outcome:?}");
}

#[test]
fn later_commands_end_the_context() {
    let mock = Mock::take();
    let mut later = 0;
    for row in reflect::commands().filter(|row| row.since() > PROTOCOL) {
        let mut world = World::new(&mock);
        let outcome = sent_by_newer(&mut world, |world| world.request(row, None));
        check_refused(&outcome, &format!("no command has number {}", row.command.0));
        later += 1;
    }
    assert_eq!(later, 17);
    mock.assert_clean();
}

#[test]
fn later_structures_end_the_context() {
    let mock = Mock::take();
    let mut pairs = BTreeSet::new();
    for row in commands() {
        let roots = roots(row);
        let children = roots.values().flat_map(|root| root.children().map(move |child| (*root, child)));
        for (root, child) in children.filter(|(_, child)| child.since > PROTOCOL) {
            if !pairs.insert((root.name, child.name)) {
                continue;
            }
            let mut world = World::new(&mock);
            let outcome = sent_by_newer(&mut world, |world| world.request(row, Some((root.name, child))));
            check_refused(&outcome, "is not known");
            drop(world);
        }
    }
    assert_eq!(pairs.len(), 77);
    mock.assert_clean();
}

#[test]
fn later_leave_to_be_null_is_no_leave() {
    let mock = Mock::take();
    for (command, owner, count, pointer) in [
        (CommandType::CMD_SET_SAMPLE_MASK_EXT, "vkCmdSetSampleMaskEXT", "samples", "pSampleMask"),
        (CommandType::CREATE_DEVICE, "VkDeviceCreateInfo", "enabledLayerCount", "ppEnabledLayerNames"),
    ] {
        let mut world = World::new(&mock);
        world.set_length(owner, count, 1);
        world.leave_out(owner, pointer, true);
        let outcome = sent_by_newer(&mut world, |world| world.request(row(command), None));
        check_refused(&outcome, "null pointer not allowed here");
    }
    mock.assert_clean();
}
