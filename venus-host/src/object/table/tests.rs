//! The table by itself: ids, types, owners.

use super::*;

const DEVICE: u64 = 1;
const POOL: u64 = 2;

fn object(id: u64, kind: vk::ObjectType, pool: u64) -> NewObject {
    let detail = if kind == vk::ObjectType::COMMAND_POOL { Detail::Pool(Box::default()) } else { Detail::Plain };
    NewObject { id, kind, raw: id + 0x1000, device: DEVICE, pool, detail }
}

/// A device with one command pool.
fn table() -> Table {
    let table = Table::holding(1000);
    let device = NewObject { device: 0, ..object(DEVICE, vk::ObjectType::DEVICE, 0) };
    table.insert(device).unwrap();
    table.insert(object(POOL, vk::ObjectType::COMMAND_POOL, 0)).unwrap();
    table
}

#[test]
fn an_id_resolves_with_its_type_only() {
    let table = table();
    table.insert(object(7, vk::ObjectType::BUFFER, 0)).unwrap();
    assert_eq!(table.resolve(vk::ObjectType::BUFFER, 7), Ok(0x1007));
    assert_eq!(table.resolve(vk::ObjectType::IMAGE, 7), Err(HandleError::WrongType(vk::ObjectType::BUFFER)));
    assert_eq!(table.resolve(vk::ObjectType::BUFFER, 8), Err(HandleError::Unknown));
}

#[test]
fn ids_are_checked() {
    let table = table();
    assert_eq!(
        table.insert(object(0, vk::ObjectType::BUFFER, 0)),
        Err(TableError::ZeroId { kind: vk::ObjectType::BUFFER })
    );
    assert_eq!(
        table.insert(object(POOL, vk::ObjectType::BUFFER, 0)),
        Err(TableError::IdInUse { id: POOL, by: vk::ObjectType::COMMAND_POOL })
    );
    let message =
        TableError::IdInUse { id: POOL, by: vk::ObjectType::COMMAND_POOL }.fatal("vkCreateBuffer").to_string();
    assert!(message.starts_with("vkCreateBuffer: id 0x2 is already in use, by a VkCommandPool; "), "{message}");
}

#[test]
fn objects_are_removed_once_and_by_their_device() {
    let table = table();
    table.insert(object(7, vk::ObjectType::BUFFER, 0)).unwrap();
    assert!(matches!(table.remove(vk::ObjectType::BUFFER, 7, 99), Err(TableError::OtherDevice { .. })));
    assert!(matches!(table.remove(vk::ObjectType::IMAGE, 7, DEVICE), Err(TableError::Unknown { .. })));
    assert_eq!(table.remove(vk::ObjectType::BUFFER, 7, DEVICE).unwrap().map(|removed| removed.raw), Some(0x1007));
    assert!(matches!(table.remove(vk::ObjectType::BUFFER, 7, DEVICE), Err(TableError::Unknown { .. })));
}

#[test]
fn a_pool_takes_its_children_along() {
    let table = table();
    let kind = vk::ObjectType::COMMAND_BUFFER;
    table.insert_all(kind, DEVICE, POOL, &[10, 11, 12], [1, 2, 3].into_iter()).unwrap();
    table.remove_from_pool(kind, [(0, 0), (11, 2)].into_iter(), POOL).unwrap();
    assert_eq!(table.lookup(kind, 11), None);
    assert_eq!(table.pool_id(vk::ObjectType::COMMAND_POOL, DEVICE, POOL + 0x1000), Some(POOL));
    table.remove_pool(vk::ObjectType::COMMAND_POOL, POOL, DEVICE).unwrap();
    assert_eq!((table.lookup(kind, 10), table.lookup(kind, 12)), (None, None));
    assert_eq!(table.len(), 1);
}

#[test]
fn resetting_a_pool_keeps_it() {
    let table = table();
    let kind = vk::ObjectType::COMMAND_BUFFER;
    table.insert_all(kind, DEVICE, POOL, &[10], [1].into_iter()).unwrap();
    table.remove_pooled(POOL);
    assert_eq!(table.lookup(kind, 10), None);
    table.insert_all(kind, DEVICE, POOL, &[10], [1].into_iter()).unwrap();
}

#[test]
fn children_are_freed_to_their_own_pool() {
    let table = table();
    let kind = vk::ObjectType::COMMAND_BUFFER;
    table.insert(object(3, vk::ObjectType::COMMAND_POOL, 0)).unwrap();
    table.insert_all(kind, DEVICE, POOL, &[10], [1].into_iter()).unwrap();
    assert!(matches!(table.remove_from_pool(kind, [(10, 1)].into_iter(), 3), Err(TableError::OtherPool { .. })));
    assert!(table.lookup(kind, 10).is_some());
}

#[test]
fn several_appear_together_or_not_at_all() {
    let table = table();
    let kind = vk::ObjectType::COMMAND_BUFFER;
    let ids = [10, POOL, 12];
    assert!(table.insert_all(kind, DEVICE, POOL, &ids, [1, 2, 3].into_iter()).is_err());
    assert_eq!(table.len(), 2);
    // Null handles are pipelines that the driver did not create.
    table.insert_all(vk::ObjectType::PIPELINE, DEVICE, 0, &[20, 21], [0, 5].into_iter()).unwrap();
    assert_eq!(
        (table.lookup(vk::ObjectType::PIPELINE, 20), table.lookup(vk::ObjectType::PIPELINE, 21)),
        (None, Some(5))
    );
}

#[test]
fn a_device_takes_everything_along_in_order() {
    let table = table();
    let generation = table.device_generation();
    for (id, kind) in [
        (10, vk::ObjectType::DEVICE_MEMORY),
        (11, vk::ObjectType::IMAGE),
        (12, vk::ObjectType::IMAGE_VIEW),
        (13, vk::ObjectType::QUEUE),
    ] {
        table.insert(object(id, kind, 0)).unwrap();
    }
    let (device, children) = table.remove_device(DEVICE).unwrap();
    assert_eq!(device.id, DEVICE);
    let ids: Vec<u64> = children.iter().map(|child| child.id).collect();
    assert_eq!(ids, [POOL, 12, 11, 10]);
    assert_eq!(table.len(), 0);
    assert_ne!(table.device_generation(), generation);
}

#[test]
fn nothing_is_added_to_a_device_that_is_gone() {
    let table = table();
    table.remove_device(DEVICE).unwrap();
    let gone = Err(TableError::Unknown { kind: vk::ObjectType::DEVICE, id: DEVICE });
    assert_eq!(table.insert(object(7, vk::ObjectType::BUFFER, 0)), gone);
    assert_eq!(table.insert_all(vk::ObjectType::BUFFER, DEVICE, 0, &[8, 9], [1, 2].into_iter()), gone);
    assert_eq!(table.len(), 0);
}

fn uncreated() -> Cause {
    Cause::never_created("vkCreateBuffer", vk::Result::ERROR_OUT_OF_HOST_MEMORY)
}

#[test]
fn what_could_not_be_created_is_forgotten_when_it_is_destroyed() {
    let table = table();
    let kind = vk::ObjectType::BUFFER;
    table.record_uncreated(kind, DEVICE, &[7, 8], uncreated());
    assert_eq!(table.resolve(kind, 7), Err(HandleError::Phantom));
    assert_eq!(table.resolve(vk::ObjectType::IMAGE, 7), Err(HandleError::Unknown));
    assert!(table.fate_of(7).contains("vkCreateBuffer should have created it and failed with VK_ERROR_OUT"));
    assert!(matches!(table.remove(kind, 7, DEVICE), Ok(None)));
    assert!(matches!(table.remove(kind, 7, DEVICE), Err(TableError::Unknown { .. })));
    // The guest may give the id to something else.
    table.insert(object(8, vk::ObjectType::IMAGE, 0)).unwrap();
    assert_eq!(table.resolve(vk::ObjectType::IMAGE, 8), Ok(0x1008));
    assert_eq!(table.resolve(kind, 8), Err(HandleError::WrongType(vk::ObjectType::IMAGE)));
}

#[test]
fn an_object_that_is_set_aside_keeps_its_owners() {
    let table = table();
    let kind = vk::ObjectType::COMMAND_BUFFER;
    table.insert_all(kind, DEVICE, POOL, &[10, 11, 12], [1, 2, 3].into_iter()).unwrap();
    let invalidated = Cause { is_invalidated: true, ..uncreated() };
    assert!([10, 11].iter().all(|id| table.set_aside(kind, *id, Some(DEVICE), invalidated)));
    assert_eq!(table.resolve(kind, 10), Err(HandleError::Phantom));
    assert!(matches!(table.insert(object(10, kind, POOL)), Err(TableError::IdInUse { id: 10, .. })));
    assert_eq!((table.restore(kind, 10), table.restore(kind, 10)), (Some(1), None));
    assert_eq!(table.resolve(kind, 10), Ok(1));
    table.set_aside(kind, 10, None, invalidated);
    // The driver's handle is handed out, since the decoder has none.
    assert_eq!(table.remove_from_pool(kind, [(11, 0), (12, 3)].into_iter(), POOL), Ok(vec![2]));
    table.remove_pool(vk::ObjectType::COMMAND_POOL, POOL, DEVICE).unwrap();
    assert_eq!(table.resolve(kind, 10), Err(HandleError::Unknown));
    assert!(table.fate_of(10).contains("went with its pool"), "{}", table.fate_of(10));
}

#[test]
fn what_is_set_aside_counts() {
    let table = Table::holding(4);
    table.insert(NewObject { device: 0, ..object(DEVICE, vk::ObjectType::DEVICE, 0) }).unwrap();
    for id in 10..13 {
        table.insert(object(id, vk::ObjectType::BUFFER, 0)).unwrap();
        table.set_aside(vk::ObjectType::BUFFER, id, None, Cause { is_invalidated: true, ..uncreated() });
    }
    assert_eq!(table.len(), 4);
    assert!(matches!(table.insert(object(20, vk::ObjectType::BUFFER, 0)), Err(TableError::Full { .. })));
    assert!(matches!(table.remove(vk::ObjectType::BUFFER, 10, DEVICE), Ok(Some(_))));
    table.insert(object(20, vk::ObjectType::BUFFER, 0)).unwrap();
}

#[test]
fn a_device_takes_along_what_is_set_aside() {
    let table = table();
    table.insert(object(7, vk::ObjectType::BUFFER, 0)).unwrap();
    table.record_uncreated(vk::ObjectType::IMAGE, DEVICE, &[8], uncreated());
    table.set_aside(vk::ObjectType::BUFFER, 7, None, Cause { is_invalidated: true, ..uncreated() });
    let (_, children) = table.remove_device(DEVICE).unwrap();
    assert!(children.iter().any(|child| child.raw == 0x1007), "{children:?}");
    assert_eq!(table.resolve(vk::ObjectType::IMAGE, 8), Err(HandleError::Unknown));
}

#[test]
fn nothing_is_freed_twice_that_is_named_twice() {
    let table = table();
    let kind = vk::ObjectType::DESCRIPTOR_SET;
    table.insert_all(kind, DEVICE, POOL, &[10], [1].into_iter()).unwrap();
    table.record_uncreated(kind, DEVICE, &[20], uncreated());
    let twice = [(20, 0), (10, 1), (10, 1)].into_iter();
    assert!(matches!(table.remove_from_pool(kind, twice, POOL), Err(TableError::Unknown { id: 10, .. })));
}

fn invalidated() -> Cause {
    Cause { is_invalidated: true, ..uncreated() }
}

#[test]
fn what_is_set_aside_is_freed_to_its_own_pool() {
    let table = table();
    let kind = vk::ObjectType::COMMAND_BUFFER;
    table.insert(object(3, vk::ObjectType::COMMAND_POOL, 0)).unwrap();
    table.insert_all(kind, DEVICE, POOL, &[10], [1].into_iter()).unwrap();
    table.set_aside(kind, 10, None, invalidated());
    let named = [(10, 0)].into_iter();
    assert!(matches!(table.remove_from_pool(kind, named.clone(), 3), Err(TableError::OtherPool { .. })));
    assert_eq!(table.remove_from_pool(kind, named, POOL), Ok(vec![1]));
}

#[test]
fn what_is_set_aside_or_restored_while_it_is_freed_is_freed_once() {
    let table = table();
    let kind = vk::ObjectType::COMMAND_BUFFER;
    table.insert_all(kind, DEVICE, POOL, &[10, 11], [1, 2].into_iter()).unwrap();
    table.set_aside(kind, 10, None, invalidated());
    // The decoder met the first before it was set aside, and the second before it was restored.
    assert_eq!(table.remove_from_pool(kind, [(10, 1), (11, 0)].into_iter(), POOL), Ok(vec![2]));
}

#[test]
fn only_what_is_meant_is_set_aside() {
    let table = table();
    table.insert(object(7, vk::ObjectType::BUFFER, 0)).unwrap();
    assert!(!table.set_aside(vk::ObjectType::BUFFER, 99, None, invalidated()));
    assert!(!table.set_aside(vk::ObjectType::IMAGE, 7, None, invalidated()));
    assert!(!table.set_aside(vk::ObjectType::BUFFER, 7, Some(99), invalidated()));
    assert_eq!(table.resolve(vk::ObjectType::BUFFER, 7), Ok(0x1007));
}

#[test]
fn an_unknown_device_takes_nothing_along() {
    let table = table();
    table.record_uncreated(vk::ObjectType::IMAGE, 99, &[8], uncreated());
    assert!(table.remove_device(99).is_err());
    assert!(table.is_phantom(8));
}

#[test]
fn another_device_does_not_free_what_is_set_aside() {
    let table = table();
    table.insert(object(7, vk::ObjectType::BUFFER, 0)).unwrap();
    table.set_aside(vk::ObjectType::BUFFER, 7, Some(DEVICE), invalidated());
    assert!(matches!(table.remove(vk::ObjectType::BUFFER, 7, 99), Err(TableError::OtherDevice { .. })));
    assert!(matches!(table.remove(vk::ObjectType::BUFFER, 7, DEVICE), Ok(Some(_))));
}

#[test]
fn a_new_object_displaces_nothing_that_is_set_aside() {
    let table = table();
    table.insert(object(7, vk::ObjectType::BUFFER, 0)).unwrap();
    table.set_aside(vk::ObjectType::BUFFER, 7, Some(DEVICE), invalidated());
    table.phantoms.forget(&[7]);
    assert_eq!(table.restore(vk::ObjectType::BUFFER, 7), Some(0x1007));
}

#[test]
fn devices_are_counted() {
    let table = table();
    table.insert(NewObject { device: 0, ..object(5, vk::ObjectType::DEVICE, 0) }).unwrap();
    assert!(table.insert(NewObject { device: 0, ..object(5, vk::ObjectType::DEVICE, 0) }).is_err());
    assert_eq!((table.device_count(), table.device_ids().len()), (2, 2));
    table.remove_device(5).unwrap();
    assert!(table.remove_device(5).is_err());
    assert_eq!(table.device_count(), 1);
    table.clear();
    assert_eq!(table.device_count(), 0);
}
