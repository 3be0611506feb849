//! Commands that an application gets wrong in a way that Vulkan lets a driver refuse: they are refused or left out, and
//! the context lives.

use mock_driver::Mock;
use venus_protocol::{
    reflect,
    vk::{self, ObjectType},
    wire::CommandType,
};

use crate::{
    commands::table,
    phantoms::{calls, result},
    world::{World, named, new_ids, row, silent},
};

#[test]
fn an_empty_list_ends_no_context() {
    let mock = Mock::take();
    let treatments = table("treatments");
    for row in reflect::commands() {
        let name = row.command.name();
        let is_transport =
            matches!(row.command, CommandType::WAIT_VIRTQUEUE_SEQNO_MESA | CommandType::EXECUTE_COMMAND_STREAMS_MESA);
        if treatments[name] == "refused" || is_transport {
            continue;
        }
        let mut world = World::new(&mock);
        let request = world.empty_request(row);
        let sent = world.submit(request);
        assert!(sent.outcome.is_ok(), "{:?}", sent.outcome);
        drop(world);
    }
}

#[test]
fn observers_are_told_what_is_left_out() {
    let mock = Mock::take();
    let (mut world, left_out) = World::observed(&mock);
    world.object(ObjectType::COMMAND_BUFFER);
    let create = row(CommandType::CREATE_BUFFER);
    world.set_number("VkBufferCreateInfo", "size", 0);
    let sent = world.send(create);
    // And what was not created is used.
    let fill = world.send_with(CommandType::CMD_FILL_BUFFER, ObjectType::BUFFER, new_ids(&sent.request)[0]);
    assert_eq!(calls(&fill), [""; 0]);
    let told = left_out.reasons();
    assert!(told[0].starts_with("is 0; refused with VK_ERROR_VALIDATION_FAILED"), "{told:?}");
    assert!(told[1].contains("vkCreateBuffer should have created it"), "{told:?}");
    assert_eq!(told.len(), 2);
    drop(world);
    mock.assert_clean();
}

/// A refused command: its kind of object, which is a phantom then, and what makes it wrong.
const WRONG: &[(CommandType, ObjectType, (&str, &str), u64)] = &[
    (CommandType::CREATE_SHADER_MODULE, ObjectType::SHADER_MODULE, ("VkShaderModuleCreateInfo", "codeSize"), 7),
    (CommandType::CREATE_COMPUTE_PIPELINES, ObjectType::PIPELINE, ("VkSpecializationInfo", "dataSize"), 0),
];

#[test]
fn what_is_refused_has_a_result_and_can_be_destroyed() {
    let mock = Mock::take();
    for &(command, kind, (owner, member), length) in WRONG {
        for asks in [true, false] {
            let mut world = World::new(&mock);
            world.request(row(command), None);
            world.set_length(owner, member, length);
            let request = world.request(row(command), None);
            let sent = world.submit(if asks { request } else { silent(request) });
            assert_eq!(calls(&sent), [""; 0], "{command}");
            if asks {
                assert_eq!(result(&sent), vk::Result::ERROR_VALIDATION_FAILED_EXT, "{command}");
            }
            let id = new_ids(&sent.request)[0];
            let destroy = crate::lifetime::mortals().into_iter().find(|(mortal, _)| *mortal == kind).expect("mortal").1;
            assert_eq!(calls(&world.send_with(destroy, kind, id)), [""; 0]);
            drop(world);
            mock.assert_clean();
        }
    }
}

#[test]
fn a_buffer_without_bytes_is_refused() {
    let mock = Mock::take();
    let mut world = World::new(&mock);
    world.object(ObjectType::DEVICE);
    world.set_number("VkBufferCreateInfo", "size", 0);
    let sent = world.send(row(CommandType::CREATE_BUFFER));
    assert_eq!((calls(&sent), result(&sent)), (vec![], vk::Result::ERROR_VALIDATION_FAILED_EXT));
    drop(world);
    mock.assert_clean();
}

#[test]
fn clearing_nothing_is_nothing() {
    let mock = Mock::take();
    let mut world = World::new(&mock);
    let clear = row(CommandType::CMD_CLEAR_ATTACHMENTS);
    assert_eq!(calls(&world.send(clear)), ["vkCmdClearAttachments"]);
    let empty = world.empty_request(clear);
    assert_eq!(calls(&world.submit(empty)), [""; 0]);
    world.set_number("VkClearRect", "layerCount", 0);
    assert_eq!(calls(&world.send(clear)), [""; 0]);
    // Nothing is missing in the command buffer.
    assert_eq!(calls(&world.send(row(CommandType::CMD_DRAW))), ["vkCmdDraw"]);
    drop(world);
    mock.assert_clean();
}

#[test]
fn freeing_from_no_pool_is_refused() {
    let mock = Mock::take();
    for (free, pool) in [
        (CommandType::FREE_COMMAND_BUFFERS, ObjectType::COMMAND_POOL),
        (CommandType::FREE_DESCRIPTOR_SETS, ObjectType::DESCRIPTOR_POOL),
    ] {
        let mut world = World::new(&mock);
        let mut request = world.request(row(free), None);
        named(&request).iter().filter(|named| named.kind == pool).for_each(|named| named.replace(&mut request, 0));
        assert_eq!(calls(&world.submit(request)), [""; 0]);
        drop(world);
        mock.assert_clean();
    }
}

#[test]
fn a_priority_that_nobody_may_have_is_not_insisted_on() {
    let mock = Mock::take();
    let mut world = World::new(&mock);
    let node = reflect::structure("VkDeviceQueueGlobalPriorityCreateInfo").expect("it is known");
    let high = vk::QueueGlobalPriorityKHR::HIGH.as_raw();
    world.set_number("VkDeviceQueueGlobalPriorityCreateInfo", "globalPriority", high.unsigned_abs().into());
    let request = world.request(row(CommandType::CREATE_DEVICE), Some(("VkDeviceQueueCreateInfo", node)));
    mock.fail("vkCreateDevice", vk::Result::ERROR_NOT_PERMITTED_KHR);
    let sent = world.submit(request);
    let [first, second] = &sent.notes[..] else { panic!("twice: {:?}", calls(&sent)) };
    assert_eq!((first.command, second.command), ("vkCreateDevice", "vkCreateDevice"));
    assert_ne!(first.request, second.request);
    let medium = vk::QueueGlobalPriorityKHR::MEDIUM.as_raw().to_le_bytes();
    assert!(second.request.windows(4).any(|word| word == medium));
    drop(world);
    mock.assert_clean();
}
