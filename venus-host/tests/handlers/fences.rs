//! Fences that the embedder asks for: what it is told of them when the driver fails.

use std::{sync::mpsc, time::Duration};

use mock_driver::Mock;
use venus_host::context::Retired;
use venus_protocol::vk;

use crate::world::World;

const PATIENCE: Duration = Duration::from_secs(10);
/// The timeline of the first queue.
const TIMELINE: u32 = 1;

/// How a fence ends that is asked for now.
fn retired(world: &mut World<'_>) -> Retired {
    let (send, receive) = mpsc::channel();
    world.context.create_fence(TIMELINE, Box::new(move |retired| send.send(retired).unwrap())).unwrap();
    receive.recv_timeout(PATIENCE).unwrap()
}

#[test]
fn a_fence_that_the_driver_fails_is_lost_and_not_done() {
    let lost = (vk::Result::ERROR_DEVICE_LOST, Retired::DeviceLost);
    let full = (vk::Result::ERROR_OUT_OF_HOST_MEMORY, Retired::Lost);
    for (command, (result, expected)) in
        [("vkWaitForFences", lost), ("vkQueueSubmit", lost), ("vkCreateFence", full), ("vkWaitForFences", full)]
    {
        let mock = Mock::take();
        let mut world = World::new(&mock);
        world.object(vk::ObjectType::QUEUE);
        if command != "vkCreateFence" {
            assert_eq!(retired(&mut world), Retired::Done, "{command}");
        }
        mock.fail(command, result);
        assert_eq!(retired(&mut world), expected, "{command}");
        mock.forgive();
        assert_eq!(retired(&mut world), Retired::Done, "{command}");
        assert!(world.context.lost().is_none());
        drop(world);
        mock.assert_clean();
    }
}

#[test]
fn nothing_is_done_in_a_lost_context() {
    let mock = Mock::take();
    let mut world = World::new(&mock);
    world.object(vk::ObjectType::QUEUE);
    world.context.fail(venus_host::Fatal::new("test", "the end"));
    assert_eq!(retired(&mut world), Retired::Lost);
    let (send, receive) = mpsc::channel();
    world.context.create_fence(0, Box::new(move |retired| send.send(retired).unwrap())).unwrap();
    assert_eq!(receive.try_recv(), Ok(Retired::Lost));
}
