//! What a guest does, whoever serves it.

use std::sync::Arc;

use mock_driver::Mock;
use venus_guest::bare::{command, until};
use venus_host::{
    context::Retired,
    driver::MemoryChoice,
    endpoint::Statistics,
    host::{ContextId, ContextOptions, Host, HostOptions, Isolation},
    resource::{BlobFlags, BlobKind, MapInfo, ResourceId},
};

use venus_protocol::vk;

use crate::{
    machine::{FIRST, Machine, Ring, config, isolations},
    worker,
};

const SECOND: ContextId = ContextId(2);
const RING_MEMORY: ResourceId = ResourceId(10);
const MEMORY: ResourceId = ResourceId(11);
const SIZE: u64 = 8192;

/// Runs a test for each way of serving a context.
fn each(test: impl Fn(&mut Machine, &Isolation)) {
    let mock = Mock::take();
    for isolation in isolations() {
        let mut machine = Machine::new(config(&mock).memory(MemoryChoice::Import), isolation.clone());
        test(&mut machine, &isolation);
        assert_eq!(machine.host.lost(FIRST), None, "{isolation:?}");
        assert!(machine.host.shutdown(crate::machine::PATIENCE), "{isolation:?}");
        mock.assert_clean();
    }
}

#[test]
fn nothing_is_kept_of_a_host_that_has_ended() {
    let mock = Mock::take();
    for isolation in isolations() {
        let kept = Arc::new(());
        let told = Arc::clone(&kept);
        let options =
            HostOptions::new(config(&mock)).isolation(isolation.clone()).retired(move |_| drop(Arc::clone(&told)));
        let mut host = Host::new(options).unwrap();
        host.create_context(FIRST, ContextOptions::new("one")).unwrap();
        host.create_context(SECOND, ContextOptions::new("two")).unwrap();
        host.create_fence(FIRST, 0, 1).unwrap();
        assert!(host.destroy_context(SECOND));
        assert!(host.shutdown(crate::machine::PATIENCE), "{isolation:?}");
        until("the callback is let go", || Arc::strong_count(&kept) == 1);
    }
}

#[test]
fn a_ring_in_shared_memory_is_executed() {
    each(|machine, _| {
        machine.host.create_blob(FIRST, RING_MEMORY, BlobFlags::MAPPABLE, 0, SIZE).unwrap();
        let mut ring = Ring::new(machine, RING_MEMORY);
        ring.write(machine, &command::set_reply_stream(RING_MEMORY.0, 0, 8));
        ring.drain(machine);
    });
}

#[test]
fn a_ring_waits_for_submissions_and_they_for_it() {
    each(|machine, _| {
        machine.host.create_blob(FIRST, RING_MEMORY, BlobFlags::MAPPABLE, 0, SIZE).unwrap();
        let mut ring = Ring::new(machine, RING_MEMORY);
        let wait = command::wait_virtqueue_seqno(7);
        ring.write(machine, &wait);
        machine.submit(&command::submit_virtqueue_seqno(crate::machine::RING, 7)).unwrap();
        let position = u32::try_from(4 * wait.len()).unwrap();
        machine.submit(&command::wait_ring_seqno(crate::machine::RING, position)).unwrap();
        assert_eq!(machine.fence(FIRST, 0), Retired::Done);
        ring.drain(machine);
    });
}

#[test]
fn fences_of_queues_retire() {
    each(|machine, isolation| {
        machine.device();
        for _ in 0..3 {
            assert_eq!(machine.fence(FIRST, 1), Retired::Done, "{isolation:?}");
        }
        let order: Vec<u64> = (0..50).collect();
        for fence in &order {
            machine.host.create_fence(FIRST, 1, *fence).unwrap();
        }
        let mut seen = Vec::new();
        machine.until("all fences", |machine| {
            seen.extend(machine.host.take_retired().into_iter().map(|retired| retired.fence));
            seen.len() == order.len()
        });
        assert_eq!(seen, order);
    });
}

#[test]
fn memory_is_mapped_and_outlives_what_it_came_from() {
    each(|machine, _| {
        let device = machine.device();
        let memory = machine.memory(device, SIZE);
        machine.host.create_blob(FIRST, MEMORY, BlobFlags::MAPPABLE, memory, SIZE).unwrap();
        let blob = machine.host.blob(MEMORY).unwrap().clone();
        assert_eq!((blob.kind(), blob.map_info), (BlobKind::Shm, MapInfo::Cached));
        let (mapping, again) = (machine.host.map(MEMORY).unwrap(), machine.host.map(MEMORY).unwrap());
        assert_eq!(mapping.address(), again.address(), "one mapping");
        assert!(machine.host.destroy_resource(MEMORY) && !machine.host.destroy_resource(MEMORY));
        assert!(machine.host.blob(MEMORY).is_none() && machine.host.map(MEMORY).is_err());
        mapping.copy_in(0, b"still here").unwrap();
        assert!(machine.host.destroy_context(FIRST));
        let mut seen = [0; 10];
        again.copy_out(0, &mut seen).unwrap();
        assert_eq!(&seen, b"still here");
    });
}

#[test]
fn a_resource_stays_when_its_context_goes_and_another_can_have_it() {
    each(|machine, isolation| {
        let device = machine.device();
        let memory = machine.memory(device, SIZE);
        machine.host.create_blob(FIRST, MEMORY, BlobFlags::MAPPABLE, memory, SIZE).unwrap();
        machine.host.create_blob(FIRST, RING_MEMORY, BlobFlags::MAPPABLE, 0, SIZE).unwrap();
        let options = ContextOptions::new("other").isolation(isolation.clone());
        machine.host.create_context(SECOND, options).unwrap();
        for _ in 0..2 {
            machine.host.attach(SECOND, MEMORY).unwrap();
            machine.host.attach(SECOND, RING_MEMORY).unwrap();
        }
        machine.host.destroy_context(FIRST);
        machine.host.create_context(FIRST, ContextOptions::new("again")).unwrap();
        // What the context knows its commands can name.
        machine.host.submit(SECOND, &venus_guest::bare::bytes(&command::set_reply_stream(10, 0, 8))).unwrap();
        assert_eq!(machine.fence(SECOND, 0), Retired::Done);
        assert_eq!(machine.host.lost(SECOND), None);
        let mapping = machine.host.map(MEMORY).unwrap();
        mapping.copy_in(0, b"shared").unwrap();
        machine.host.detach(SECOND, MEMORY);
        machine.host.detach(SECOND, MEMORY);
        assert!(machine.host.destroy_resource(MEMORY));
        assert_eq!(machine.fence(SECOND, 0), Retired::Done);
    });
}

#[test]
fn detaching_memory_that_is_in_use_ends_the_context_and_no_other() {
    let mock = Mock::take();
    for isolation in isolations() {
        let mut machine = Machine::new(config(&mock), isolation);
        machine.host.create_context(SECOND, ContextOptions::new("other")).unwrap();
        machine.host.create_blob(FIRST, RING_MEMORY, BlobFlags::MAPPABLE, 0, SIZE).unwrap();
        let _ring = Ring::new(&mut machine, RING_MEMORY);
        machine.host.detach(FIRST, RING_MEMORY);
        let reason = machine.reason();
        let expected =
            "detach resource: resource 10, which ring 0x10 uses, was taken away: the guest's program has ended";
        assert_eq!(reason, expected);
        assert_eq!(machine.fence(SECOND, 0), Retired::Done);
    }
}

#[test]
fn statistics_are_those_of_the_context() {
    each(|machine, isolation| {
        let device = machine.device();
        machine.memory(device, SIZE);
        machine.host.create_blob(FIRST, RING_MEMORY, BlobFlags::MAPPABLE, 0, SIZE).unwrap();
        machine.host.create_context(SECOND, ContextOptions::new("other")).unwrap();
        assert_eq!(machine.fence(SECOND, 0), Retired::Done);
        for _ in 0..2 {
            let told = machine.host.statistics(FIRST).unwrap();
            assert_eq!((told.allocations, told.objects_of(vk::ObjectType::DEVICE)), (1, 1), "{isolation:?}");
            assert!(told.shared_memory_bytes > SIZE && told.executed > 0, "{told:?}");
            assert_eq!(machine.host.statistics(SECOND).unwrap().executed, 0);
        }
        assert!(machine.host.statistics(ContextId(99)).is_err());
        let one = machine.host.statistics(FIRST).unwrap();
        let mut sum = Statistics::default();
        sum.add(&one);
        assert_eq!(machine.host.statistics_of_all(), sum);
        machine.host.create_blob(SECOND, MEMORY, BlobFlags::MAPPABLE, 0, SIZE).unwrap();
        machine.host.submit(SECOND, &venus_guest::bare::bytes(&command::set_reply_stream(MEMORY.0, 0, 8))).unwrap();
        assert_eq!(machine.fence(SECOND, 0), Retired::Done);
        let all = machine.host.statistics_of_all();
        sum.add(&machine.host.statistics(SECOND).unwrap());
        assert_eq!((all.executed, all.shared_memory_bytes), (one.executed + 1, one.shared_memory_bytes + SIZE));
        assert_eq!(all.commands, sum.commands);
        let name = "vkSetReplyCommandStreamMESA";
        let handled = |of: &Statistics| of.commands.iter().find(|row| row.name() == name).map(|row| row.handled);
        assert_eq!(handled(&all), handled(&one).map(|handled| handled + 1));
        assert_eq!((all.objects, all.allocations), (one.objects, 1));
        assert!(machine.host.contexts().eq([FIRST, SECOND]));
    });
}

#[test]
fn statistics_do_not_wait_for_what_the_context_is_busy_with() {
    let mock = Mock::take();
    let mut machine = Machine::new(config(&mock), Isolation::Process(worker::launch(worker::BUSY)));
    machine.submit(&command::seek_reply_stream(0)).unwrap();
    machine.host.create_fence(FIRST, 0, 1).unwrap();
    assert_eq!(machine.host.statistics(FIRST).unwrap().executed, 0);
    assert!(machine.host.destroy_context(FIRST));
    assert_eq!(machine.wait_for(FIRST, 0, 1), Retired::Lost);
    assert!(machine.host.shutdown(crate::machine::PATIENCE));
}

#[test]
fn contexts_are_told_apart() {
    each(|machine, isolation| {
        machine.host.create_context(SECOND, ContextOptions::new("other")).unwrap();
        machine.host.create_fence(SECOND, 0, 7).unwrap();
        machine.host.create_fence(FIRST, 0, 7).unwrap();
        for context in [FIRST, SECOND] {
            assert_eq!(machine.wait_for(context, 0, 7), Retired::Done);
        }
        let processes = [FIRST, SECOND].map(|context| machine.host.process(context));
        assert_eq!(matches!(isolation, Isolation::Process(_)), processes[0].is_some());
        assert!(processes[0].is_none() || processes[0] != processes[1]);
    });
}

#[test]
fn a_callback_is_told_in_place_of_the_list() {
    let mock = Mock::take();
    for isolation in isolations() {
        let (send, receive) = std::sync::mpsc::channel();
        let options = HostOptions::new(config(&mock)).isolation(isolation);
        let mut host = Host::new(options.retired(move |retired| send.send(retired).unwrap())).unwrap();
        host.create_context(FIRST, ContextOptions::new("test")).unwrap();
        host.create_fence(FIRST, 0, 3).unwrap();
        let retired = receive.recv_timeout(crate::machine::PATIENCE).unwrap();
        assert_eq!((retired.context, retired.ring_idx, retired.fence, retired.retired), (FIRST, 0, 3, Retired::Done));
        assert!(host.take_retired().is_empty());
    }
}
