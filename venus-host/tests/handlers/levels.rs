//! What came with a later level of the protocol than guests are served at is as unknown as what never came.

use std::collections::BTreeSet;

use mock_driver::Mock;
use venus_host::driver::Level;
use venus_protocol::{reflect, vk, wire::CommandType};

use crate::{
    commands::{Outcome, roots},
    world::{World, config, row},
};

/// The levels that are not the newest, with what came later: how many commands and how many places in chains.
const OLDER: [(Level, usize, usize); 2] = [(Level::V433, 17, 77), (Level::V448, 4, 39)];

/// A world whose host serves its guests at `level`; the guest obeys the rules of the newest.
fn served_at<'m>(mock: &'m Mock, level: Level) -> World<'m> {
    World::with(mock, config(mock).protocol(level))
}

/// What becomes of a request of such a guest.
fn sent_by_newer(world: &mut World<'_>, request: impl FnOnce(&mut World<'_>) -> Vec<u8>) -> Outcome {
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
    for (level, later, _) in OLDER {
        let mut met = 0;
        for row in reflect::commands().filter(|row| row.since() > level) {
            let mut world = served_at(&mock, level);
            let outcome = sent_by_newer(&mut world, |world| world.request(row, None));
            check_refused(&outcome, &format!("no command has number {}", row.command.0));
            met += 1;
        }
        assert_eq!(met, later, "{level}");
    }
    mock.assert_clean();
}

#[test]
fn later_structures_end_the_context() {
    let mock = Mock::take();
    for (level, _, later) in OLDER {
        let mut pairs = BTreeSet::new();
        for row in reflect::commands().filter(|row| row.since() <= level) {
            let roots = roots(row);
            let children = roots.values().flat_map(|root| root.children().map(move |child| (*root, child)));
            for (root, child) in children.filter(|(_, child)| child.since > level) {
                if !pairs.insert((root.name, child.name)) {
                    continue;
                }
                let mut world = served_at(&mock, level);
                let outcome = sent_by_newer(&mut world, |world| world.request(row, Some((root.name, child))));
                check_refused(&outcome, "came with the level");
            }
        }
        assert_eq!(pairs.len(), later, "{level}");
    }
    mock.assert_clean();
}

#[test]
fn leave_to_be_null_came_with_a_level() {
    let mock = Mock::take();
    for (since, command, owner, count, pointer) in [
        (Level::V448, CommandType::CMD_SET_SAMPLE_MASK_EXT, "vkCmdSetSampleMaskEXT", "samples", "pSampleMask"),
        (Level::V453, CommandType::CREATE_DEVICE, "VkDeviceCreateInfo", "enabledLayerCount", "ppEnabledLayerNames"),
    ] {
        for level in Level::ALL {
            let mut world = served_at(&mock, *level);
            world.set_length(owner, count, 1);
            world.leave_out(owner, pointer, true);
            let request = world.request(row(command), None);
            let sent = world.submit(request);
            let outcome = Outcome::of(&world, &sent);
            if *level < since {
                check_refused(&outcome, "null pointer not allowed here");
            } else {
                assert!(!matches!(outcome, Outcome::Refused(_)), "{level}: {outcome:?}");
            }
        }
    }
    mock.assert_clean();
}

#[test]
fn extensions_of_later_levels_are_not_enabled() {
    let mock = Mock::take();
    for (name, since) in [("VK_EXT_mesh_shader", Level::V448), ("VK_KHR_maintenance9", Level::V453)] {
        for level in Level::ALL {
            let mut world = served_at(&mock, *level);
            let create = row(CommandType::CREATE_DEVICE);
            world.request(create, None);
            world.write(name);
            world.set_length("VkDeviceCreateInfo", "enabledExtensionCount", 1);
            let request = world.request(create, None);
            let reply = world.submit(request).outcome.expect("the context lives");
            let result = i32::from_le_bytes(reply[4..8].try_into().unwrap());
            let expected = if *level < since { vk::Result::ERROR_EXTENSION_NOT_PRESENT } else { vk::Result::SUCCESS };
            assert_eq!(result, expected.as_raw(), "{name} at {level}");
            drop(world);
            mock.assert_clean();
        }
    }
}
