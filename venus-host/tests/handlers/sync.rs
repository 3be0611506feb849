//! Fences and semaphores of which a guest exports or imports the payload, on drivers with SYNC_FD and without.

use mock_driver::{Mock, Offers};
use venus_protocol::{reflect, wire::CommandType};

use crate::world::World;

/// What the driver is asked for when a guest sends a private command.
fn calls(sync_fd: bool, command: CommandType) -> Vec<&'static str> {
    let mock = Mock::offering(Offers { sync_fd, ..Offers::default() });
    let mut world = World::new(&mock);
    let row = reflect::command(command).expect("it travels");
    let request = world.request(row, None);
    // What it names exists by now.
    mock.notes();
    let sent = world.submit(request);
    assert!(sent.outcome.is_ok(), "{command}: {:?}", sent.outcome);
    drop(world);
    mock.assert_clean();
    sent.notes.into_iter().map(|note| note.command).collect()
}

#[test]
fn a_driver_that_has_sync_fd_is_asked_for_it() {
    assert_eq!(calls(true, CommandType::RESET_FENCE_RESOURCE_MESA), ["vkGetFenceFdKHR"]);
    assert_eq!(calls(true, CommandType::WAIT_SEMAPHORE_RESOURCE_MESA), ["vkGetSemaphoreFdKHR"]);
    assert_eq!(calls(true, CommandType::IMPORT_SEMAPHORE_RESOURCE_MESA), ["vkImportSemaphoreFdKHR"]);
}

#[test]
fn without_it_submissions_do_the_same() {
    for command in [
        CommandType::RESET_FENCE_RESOURCE_MESA,
        CommandType::WAIT_SEMAPHORE_RESOURCE_MESA,
        CommandType::IMPORT_SEMAPHORE_RESOURCE_MESA,
    ] {
        let calls = calls(false, command);
        assert!(!calls.is_empty() && !calls.iter().any(|name| name.ends_with("FdKHR")), "{command}: {calls:?}");
        let submits = command != CommandType::RESET_FENCE_RESOURCE_MESA;
        assert_eq!(calls.contains(&"vkQueueSubmit"), submits, "{command}: {calls:?}");
    }
}
