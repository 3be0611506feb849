//! Command buffers in which a command was left out, because it names what could not be created.

use mock_driver::Mock;
use venus_protocol::{
    reflect,
    vk::{self, ObjectType},
    wire::CommandType,
};

use crate::{
    phantoms::{REFUSED, calls, phantom, result, send_with},
    world::{Sent, World, named},
};

#[test]
fn a_command_buffer_with_a_hole_is_not_executed() {
    let mock = Mock::take();
    for submit in [CommandType::QUEUE_SUBMIT, CommandType::QUEUE_SUBMIT2] {
        let mut world = World::new(&mock);
        let submit = reflect::command(submit).expect("it travels");
        let send = |world: &mut World<'_>, command| world.send(reflect::command(command).expect("it travels"));
        world.object(ObjectType::COMMAND_BUFFER);
        let pipeline = phantom(&mut world, ObjectType::PIPELINE);
        let bound = send_with(&mut world, CommandType::CMD_BIND_PIPELINE, "pipeline", pipeline);
        assert_eq!(calls(&bound), [""; 0]);
        // What follows has no meaning without it.
        assert_eq!(calls(&send(&mut world, CommandType::CMD_DISPATCH)), [""; 0]);
        let ended = send(&mut world, CommandType::END_COMMAND_BUFFER);
        assert_eq!((calls(&ended), result(&ended)), (vec![], REFUSED));
        let executed = send(&mut world, CommandType::CMD_EXECUTE_COMMANDS);
        assert_eq!(calls(&executed), [""; 0]);

        let submitted = world.send(submit);
        assert_eq!((calls(&submitted), result(&submitted)), (vec![submit.command.name()], vk::Result::SUCCESS));
        assert_eq!(buffers(&submitted), [0; 0], "{}", submit.command);

        // To begin it again is a fresh start.
        let begun = send(&mut world, CommandType::BEGIN_COMMAND_BUFFER);
        assert_eq!(calls(&begun), ["vkResetCommandBuffer", "vkBeginCommandBuffer"]);
        assert_eq!(calls(&send(&mut world, CommandType::CMD_DISPATCH)), ["vkCmdDispatch"]);
        assert_eq!(buffers(&world.send(submit)).len(), 1);
        drop(world);
        mock.assert_clean();
    }
}

/// The command buffers that reach the driver.
fn buffers(sent: &Sent) -> Vec<u64> {
    let note = sent.notes.last().expect("a call");
    named(&note.request).iter().filter(|named| named.kind == ObjectType::COMMAND_BUFFER).map(|named| named.id).collect()
}

#[test]
fn command_buffers_with_holes_are_freed_and_reset_with_their_pools() {
    let mock = Mock::take();
    for end in [CommandType::FREE_COMMAND_BUFFERS, CommandType::RESET_COMMAND_POOL, CommandType::DESTROY_COMMAND_POOL] {
        let mut world = World::new(&mock);
        world.object(ObjectType::COMMAND_BUFFER);
        let pipeline = phantom(&mut world, ObjectType::PIPELINE);
        send_with(&mut world, CommandType::CMD_BIND_PIPELINE, "pipeline", pipeline);
        let ended = world.send(reflect::command(end).expect("it travels"));
        assert_eq!(calls(&ended), [end.name()]);
        if end == CommandType::RESET_COMMAND_POOL {
            let draw = reflect::command(CommandType::CMD_DRAW).expect("it travels");
            assert_eq!(calls(&world.send(draw)), ["vkCmdDraw"]);
        }
        let (made, gone) = mock.census().of(ObjectType::COMMAND_BUFFER);
        assert_eq!(made == gone, end != CommandType::RESET_COMMAND_POOL, "{end}");
        drop(world);
        mock.assert_clean();
    }
}
