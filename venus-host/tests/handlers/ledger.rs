//! The ledger of what is checked (`tests/validation/rules.tsv`), held to the handlers: each rule that it says is checked
//! is broken here once, and the driver sees nothing of it.

mod binds;
mod buffers;
mod fitting;
mod formats;
mod images;
mod limits;
mod passes;
mod pipelines;
mod planted;
mod sets;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
};

use mock_driver::Mock;
use venus_protocol::{reflect::Returns, vk, wire::CommandType};

use self::{
    fitting::{FITTING, STRUCTURES},
    planted::Planted,
};
use crate::world::{World, row};

/// All violations.
fn all_planted() -> impl Iterator<Item = &'static Planted> {
    [
        planted::PLANTED,
        binds::PLANTED,
        buffers::PLANTED,
        formats::PLANTED,
        images::PLANTED,
        limits::PLANTED,
        sets::PLANTED,
        passes::PLANTED,
        pipelines::PLANTED,
    ]
    .into_iter()
    .flatten()
}

/// What the driver is called with for a command.
fn called_as(command: CommandType) -> &'static str {
    let called = match command {
        CommandType::COPY_IMAGE_TO_MEMORY_MESA => CommandType::COPY_IMAGE_TO_MEMORY,
        CommandType::COPY_MEMORY_TO_IMAGE_MESA => CommandType::COPY_MEMORY_TO_IMAGE,
        CommandType::WRITE_RESOURCE_DESCRIPTOR_MESA => CommandType::WRITE_RESOURCE_DESCRIPTORS_EXT,
        command => command,
    };
    called.name()
}

/// Whether the driver is kept from a command that breaks a rule, and the guest is told what it should be.
fn refusal(mock: &Mock, planted: &Planted) -> Result<(), String> {
    let (mut world, left_out) = World::observed(mock);
    let row = row(planted.command);
    for &(owner, member, value) in planted.made {
        world.set_number(owner, member, value);
    }
    // What it names is made as usual, but for that; a queue can be asked for once only.
    if planted.command == CommandType::GET_DEVICE_QUEUE2 {
        world.object(vk::ObjectType::DEVICE);
    } else {
        world.request(row, None);
    }
    for &(owner, member, value) in planted.wrong {
        world.set_number(owner, member, value);
    }
    for &(owner, member) in planted.nulls {
        world.leave_out(owner, member, true);
    }
    for &(root, child) in planted.chains {
        world.follow(root, child);
    }
    let request = world.request(row, None);
    let sent = world.submit(request);
    let is_called = sent.notes.iter().any(|note| note.command == called_as(planted.command));
    // The line in the log has the member, too.
    let line = world.context.statistics().last_error.unwrap_or_default();
    let told = format!("{}\n{line}", left_out.reasons().join("\n"));
    let outcome = match sent.outcome {
        Ok(reply) if row.returns == Returns::Result => {
            let result = i32::from_le_bytes(reply[4..8].try_into().expect("a result"));
            if result < 0 { Ok(told) } else { Err(format!("its result is {result}")) }
        }
        Ok(_) => Ok(told),
        Err(fatal) => Ok(fatal.to_string()),
    };
    drop(world);
    mock.assert_clean();
    let told = outcome?;
    if is_called {
        return Err("the driver was called".to_owned());
    }
    if told.contains(planted.says) { Ok(()) } else { Err(format!("the log says {told:?}")) }
}

#[test]
fn every_planted_violation_is_refused() {
    let mock = Mock::take();
    let wrong: Vec<_> = all_planted()
        .filter_map(|planted| Some(format!("{}: {}", planted.rule, refusal(&mock, planted).err()?)))
        .collect();
    assert_eq!(wrong, [""; 0]);
}

#[test]
fn without_what_is_wrong_they_reach_the_driver() {
    let mock = Mock::take();
    let commands: BTreeMap<_, _> = all_planted().map(|planted| (planted.command.name(), planted.command)).collect();
    for (name, command) in commands {
        let mut world = World::new(&mock);
        let sent = world.send(row(command));
        assert!(sent.outcome.is_ok(), "{name}: {:?}", sent.outcome);
        // Queues have been there since the device was made.
        let is_called = sent.notes.iter().any(|note| note.command == called_as(command));
        assert!(is_called || command == CommandType::GET_DEVICE_QUEUE2, "{name}");
        drop(world);
        mock.assert_clean();
    }
}

#[test]
fn what_just_fits_reaches_the_driver() {
    let mock = Mock::take();
    for (command, numbers) in FITTING {
        let mut world = World::new(&mock);
        for &(owner, member, number) in STRUCTURES {
            world.set_number(owner, member, number);
        }
        // What it names is made as usual.
        world.request(row(*command), None);
        for (member, number) in *numbers {
            world.set_number(command.name(), member, *number);
        }
        let sent = world.send(row(*command));
        assert!(sent.outcome.is_ok(), "{command} {numbers:?}: {:?}", sent.outcome);
        let is_called = sent.notes.iter().any(|note| note.command == command.name());
        assert!(is_called, "{command} {numbers:?}");
        drop(world);
        mock.assert_clean();
    }
}

#[test]
fn a_violation_of_each_checked_rule_is_planted() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/validation/rules.tsv");
    let text = fs::read_to_string(path).expect("the ledger");
    let checked: BTreeSet<_> = text
        .lines()
        .filter_map(|line| {
            let mut columns = line.split('\t');
            let rule = columns.next()?;
            let rule = rule.strip_prefix("VUID-").unwrap_or(rule);
            (columns.next()? == "checked").then_some(rule)
        })
        .collect();
    // One is planted more than once where several members or commands can break it.
    let planted: BTreeSet<_> = all_planted().map(|planted| planted.rule).collect();
    assert_eq!(planted, checked, "what is planted, and what the ledger says is checked");
}

#[test]
fn what_is_said_of_attachments_that_cannot_be_is_taken_away() {
    let mock = Mock::take();
    for command in [
        CommandType::CMD_SET_COLOR_BLEND_ENABLE_EXT,
        CommandType::CMD_SET_COLOR_BLEND_EQUATION_EXT,
        CommandType::CMD_SET_COLOR_WRITE_MASK_EXT,
        CommandType::CMD_SET_COLOR_BLEND_ADVANCED_EXT,
    ] {
        let mut world = World::new(&mock);
        world.request(row(command), None);
        // The driver has places for 8.
        let mut calls = |first, count| -> Vec<Vec<u8>> {
            world.set_number(command.name(), "firstAttachment", first);
            world.set_length(command.name(), "attachmentCount", count);
            let sent = world.send(row(command));
            assert!(sent.outcome.is_ok(), "{command}: {:?}", sent.outcome);
            sent.notes.into_iter().map(|note| note.request).collect()
        };
        let (all, last) = (calls(0, 8), calls(6, 2));
        assert_eq!((all.len(), last.len()), (1, 1), "{command}");
        assert_eq!(calls(0, 9), all, "{command}");
        assert_eq!(calls(6, 1000), last, "{command}");
        assert_eq!([calls(8, 1), calls(u32::MAX.into(), 2)], [const { Vec::<Vec<u8>>::new() }; 2], "{command}");
        drop(world);
        mock.assert_clean();
    }
}
