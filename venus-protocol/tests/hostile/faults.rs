//! Faults one by one: each is found where it is, and named.

use core::cell::Cell;

use venus_protocol::dispatch::visit_command;
use venus_protocol::vk;
use venus_protocol::wire::{
    Arena, CommandType, DecodeError, DecodeErrorKind as Kind, Decoder, ErrorClass, HandleError, HandleResolver,
    IdentityResolver, limits,
};

use crate::{ARENA_BYTES, Encode, check, decode};

/// Little-endian numbers, one after the other.
macro_rules! wire {
    ($($value:expr),* $(,)?) => {{
        let mut bytes: Vec<u8> = Vec::new();
        $(bytes.extend($value.to_le_bytes());)*
        bytes
    }};
}

/// Fails unless decoding `bytes` fails like this. `member` is as errors print it.
fn check_error(bytes: &[u8], offset: usize, member: &str, kind: Kind) {
    let error = check(bytes, &mut Arena::new(ARENA_BYTES)).expect_err("hostile bytes");
    check_location(error, bytes, offset, member, kind);
}

fn check_location(error: DecodeError, bytes: &[u8], offset: usize, member: &str, kind: Kind) {
    assert_eq!((error.offset, error.kind), (offset, kind), "{error}");
    let command = u32::from_le_bytes(*bytes.first_chunk().expect("a header"));
    assert_eq!(error.command, CommandType(command), "{error}");
    assert_eq!(error.member.map_or(String::new(), |member| member.to_string()), member, "{error}");
    // The path ends at the same member.
    let path = error.path(bytes, 0).unwrap_or_default();
    let last = path.rsplit(['.', '>']).next().and_then(|last| last.split('[').next());
    assert_eq!(last, member.rsplit('.').next(), "{path}");
}

const CREATE_BUFFER: u32 = CommandType::CREATE_BUFFER.0;
const CLEAR_COLOR: u32 = CommandType::CMD_CLEAR_COLOR_IMAGE.0;
const BUFFER_INFO: i32 = vk::StructureType::BUFFER_CREATE_INFO.as_raw();
const EXTERNAL_BUFFER: i32 = vk::StructureType::EXTERNAL_MEMORY_BUFFER_CREATE_INFO.as_raw();

/// A `vkCreateBuffer` up to and including the chain that `chain` is, then with the given numbers.
fn create_buffer(s_type: i32, chain: &[u8], queue_families: u32, count: u64, allocator: u64) -> Vec<u8> {
    let mut bytes = wire![CREATE_BUFFER, 1_u32, 3_u64, 1_u64, s_type];
    bytes.extend(chain);
    bytes.extend(wire![0_u32, 256_u64, 0x80_u32, 1_u32, queue_families, count]);
    (0..count.min(4)).for_each(|family| bytes.extend(wire![family as u32]));
    bytes.extend(wire![allocator, 1_u64, 0x60_u64]);
    bytes
}

#[test]
fn numbers_without_a_command() {
    let arena = &mut Arena::new(ARENA_BYTES);
    for id in [195, 350, 0x7fff_ffff, u32::MAX] {
        let error = check(&wire![id, 0_u32], arena).expect_err("no such command");
        assert_eq!((error.offset, error.kind), (0, Kind::UnknownCommand(id)));
    }
    for (command, _) in venus_protocol::commands::NOT_ENCODABLE {
        let error = check(&wire![command.0, 0_u32], arena).expect_err("has no encoding");
        assert_eq!((error.offset, error.kind), (0, Kind::NotEncodable(command.0)));
    }
}

#[test]
fn structure_types() {
    let end = wire![0_u64];
    check_error(
        &create_buffer(BUFFER_INFO + 1, &end, 0, 0, 0),
        24,
        "VkBufferCreateInfo.sType",
        Kind::WrongStructureType { expected: BUFFER_INFO, found: BUFFER_INFO + 1 },
    );
    // Vulkan allows this structure in other chains only.
    let stranger = vk::StructureType::EXTERNAL_MEMORY_IMAGE_CREATE_INFO.as_raw();
    check_error(
        &create_buffer(BUFFER_INFO, &wire![1_u64, stranger, 0_u64, 1_u32], 0, 0, 0),
        36,
        "VkBufferCreateInfo.pNext",
        Kind::UnknownChainNode { s_type: stranger },
    );
    // This root has no chain at all.
    check_error(
        &wire![CommandType::CREATE_EVENT.0, 1_u32, 3_u64, 1_u64, 10_i32, 1_u64, 11_i32, 0_u64, 0_u32],
        36,
        "VkEventCreateInfo.pNext",
        Kind::UnknownChainNode { s_type: 11 },
    );
}

#[test]
fn endless_chains() {
    let chain = |nodes: usize| {
        let mut chain: Vec<u8> = (0..nodes).flat_map(|_| wire![1_u64, EXTERNAL_BUFFER]).collect();
        chain.extend(wire![0_u64]);
        (0..nodes).for_each(|_| chain.extend(wire![0_u32]));
        chain
    };
    let longest = limits::MAX_CHAIN_NODES as usize;
    let bytes = create_buffer(BUFFER_INFO, &chain(longest), 0, 0, 0);
    assert_eq!(check(&bytes, &mut Arena::new(ARENA_BYTES)), Ok(bytes));
    let bytes = create_buffer(BUFFER_INFO, &chain(longest + 1), 0, 0, 0);
    check_error(&bytes, 28 + 12 * longest + 8, "VkBufferCreateInfo.pNext", Kind::ChainTooLong);
    let bytes = create_buffer(BUFFER_INFO, &chain(100_000), 0, 0, 0);
    check_error(&bytes, 28 + 12 * longest + 8, "VkBufferCreateInfo.pNext", Kind::ChainTooLong);
}

#[test]
fn counts() {
    let end = wire![0_u64];
    check_error(
        &create_buffer(BUFFER_INFO, &end, 2, 3, 0),
        60,
        "VkBufferCreateInfo.pQueueFamilyIndices",
        Kind::CountMismatch { expected: 2, found: 3 },
    );
    let bytes = create_buffer(BUFFER_INFO, &end, 2, 0, 0);
    assert_eq!(check(&bytes, &mut Arena::new(ARENA_BYTES)), Ok(bytes), "the host accepts null here");
    let submits = |count: u32, found: u64| wire![CommandType::QUEUE_SUBMIT.0, 0_u32, 4_u64, count, found];
    check_error(&submits(1, 0), 20, "vkQueueSubmit.pSubmits", Kind::NullPointer);
    let wanted = u64::from(u32::MAX) * 48;
    let bytes = submits(u32::MAX, u32::MAX.into());
    let error = check(&bytes, &mut Arena::new(ARENA_BYTES)).expect_err("no bytes follow");
    assert_eq!(error.kind.class(), ErrorClass::Truncated);
    assert!(matches!(error.kind, Kind::Truncated { wanted: w, left: 0 } if w >= wanted), "{error}");
    assert_eq!(error.member.map(|member| member.name), Some("pSubmits"));
}

#[test]
fn capacities_are_limited() {
    let results = |size: u64| {
        let command = CommandType::GET_QUERY_POOL_RESULTS.0;
        wire![command, 1_u32, 3_u64, 9_u64, 0_u32, 1_u32, size, size, 8_u64, 1_u32]
    };
    let full = Kind::ArenaFull { limit_bytes: ARENA_BYTES };
    for size in [ARENA_BYTES as u64 + 1, 1 << 40, i64::MAX as u64, u64::MAX] {
        check_error(&results(size), 48, "vkGetQueryPoolResults.pData", full);
    }
    let families = |count: u32| {
        let command = CommandType::GET_PHYSICAL_DEVICE_QUEUE_FAMILY_PROPERTIES.0;
        wire![command, 1_u32, 2_u64, 1_u64, count, u64::from(count)]
    };
    let member = "vkGetPhysicalDeviceQueueFamilyProperties.pQueueFamilyProperties";
    check_error(&families(u32::MAX), 36, member, full);
}

#[test]
fn pointers() {
    let end = wire![0_u64];
    check_error(&create_buffer(BUFFER_INFO, &end, 0, 0, 1), 68, "vkCreateBuffer.pAllocator", Kind::MustBeNull);
    let bytes = wire![CREATE_BUFFER, 1_u32, 3_u64, 0_u64, 0_u64, 1_u64, 0x60_u64];
    check_error(&bytes, 16, "vkCreateBuffer.pCreateInfo", Kind::NullPointer);
    let mut bytes = create_buffer(BUFFER_INFO, &end, 0, 0, 0);
    bytes.truncate(bytes.len() - 16);
    bytes.extend(wire![0_u64]);
    check_error(&bytes, 76, "vkCreateBuffer.pBuffer", Kind::NullPointer);
}

#[test]
fn union_tags() {
    let clear = |tag: u32| {
        let tail = wire![1_u32, 1_u64, 1_u32, 0_u32, 1_u32, 0_u32, 1_u32];
        let head = wire![CLEAR_COLOR, 0_u32, 0x10_u64, 0x41_u64, 7_i32, 1_u64, tag, 4_u64, 1.0_f32, 0_u64, 1.0_f32];
        [head, tail].concat()
    };
    let arena = &mut Arena::new(ARENA_BYTES);
    for tag in 0..3 {
        assert_eq!(check(&clear(tag), arena), Ok(clear(2)), "every member is sent as uint32");
    }
    check_error(&clear(3), 36, "vkCmdClearColorImage.pColor", Kind::WrongUnionTag { tag: 3 });
    check_error(&clear(u32::MAX), 36, "vkCmdClearColorImage.pColor", Kind::WrongUnionTag { tag: u32::MAX });
}

#[test]
fn a_union_is_what_its_selector_says() {
    let build = |geometry_type: u32, tag: u32| {
        let begin = wire![CommandType::CMD_BUILD_ACCELERATION_STRUCTURES_KHR.0, 0_u32, 0x10_u64, 1_u32, 1_u64];
        let info = wire![1_000_150_000_i32, 0_u64, 0_u32, 0_u32, 0_u32, 0_u64, 0_u64, 1_u32, 1_u64];
        let geometry = wire![1_000_150_006_i32, 0_u64, geometry_type, tag];
        // Enough for the counts to be believed.
        [begin, info, geometry, vec![0; 400]].concat()
    };
    let member = "VkAccelerationStructureGeometryKHR.geometry";
    for (geometry_type, tag) in [(2, 0), (0, 2), (2, 3), (488_447_261, 2), (488_447_261, 488_447_261)] {
        check_error(&build(geometry_type, tag), 96, member, Kind::WrongUnionTag { tag });
    }
}

#[test]
fn small_union_members_leave_zeros() {
    // A depth of 1.0 travels as the smaller member of the union; guests send all of it as a colour.
    let clear = |tags: &[u8]| {
        let begin = wire![CommandType::CMD_CLEAR_ATTACHMENTS.0, 0_u32, 0x10_u64, 1_u32, 1_u64, 2_u32, 0_u32];
        [begin, tags.to_vec(), wire![0_u32, 0_u64]].concat()
    };
    let arena = &mut Arena::new(ARENA_BYTES);
    let small = clear(&wire![1_u32, 1.0_f32, 7_u32]);
    let whole = clear(&wire![0_u32, 2_u32, 4_u64, 1.0_f32, 7_u32, 0_u64]);
    assert_eq!(check(&small, arena), Ok(whole));
}

#[test]
fn strings() {
    let create = |count: u32, name: &[u8]| {
        let info = wire![0_u32, 1_u32, 1_u64, 1_i32, 0_u64, 0_u32, 0_u64, 0_u32, 0_u64, count, u64::from(count)];
        [&info, name, &wire![0_u64, 1_u64, 1_u64]].concat()
    };
    let member = "VkInstanceCreateInfo.ppEnabledExtensionNames";
    check_error(&create(1, &wire![0_u64]), 64, member, Kind::EmptyString);
    let error = check(&create(1, &wire![u64::MAX]), &mut Arena::new(ARENA_BYTES)).expect_err("no string is so long");
    assert_eq!((error.kind.class(), error.offset), (ErrorClass::Truncated, 64));
    // A string without NUL ends at its last byte.
    let canonical = check(&create(1, &[&wire![4_u64], &b"abcd"[..]].concat()), &mut Arena::new(ARENA_BYTES));
    assert_eq!(canonical, Ok(create(1, &[&wire![4_u64], &b"abc\0"[..]].concat())));
}

/// Knows a device, 3, and a buffer, 0x61, and counts what it is asked.
#[derive(Default)]
struct Objects {
    asked: Cell<usize>,
}

impl HandleResolver for Objects {
    fn resolve(&self, kind: vk::ObjectType, id: u64) -> Result<u64, HandleError> {
        self.asked.set(self.asked.get() + 1);
        let found = match id {
            3 => vk::ObjectType::DEVICE,
            0x61 => vk::ObjectType::BUFFER,
            _ => return Err(HandleError::Unknown),
        };
        if found == kind { Ok(id + 0x1000) } else { Err(HandleError::WrongType(found)) }
    }
}

#[test]
fn handles() {
    let bind = |device: u64, buffer: u64, memory: u64| {
        wire![CommandType::BIND_BUFFER_MEMORY.0, 0_u32, device, buffer, memory, 0_u64]
    };
    let (objects, arena) = (Objects::default(), &mut Arena::new(ARENA_BYTES));
    let destroy = |buffer: u64| wire![CommandType::DESTROY_BUFFER.0, 0_u32, 3_u64, buffer, 0_u64];
    assert_eq!(decode(&destroy(0x61), arena, &objects), Ok(destroy(0x61)), "requests keep the guest's ids");
    assert_eq!(decode(&destroy(0), arena, &objects), Ok(destroy(0)), "what is optional may be null");
    assert_eq!(objects.asked.get(), 3, "the null handle is not asked for");
    let mut check = |bytes: &[u8], offset: usize, member: &str, expected, id, error| {
        let found = decode(bytes, arena, &objects).expect_err("a bad handle");
        check_location(found, bytes, offset, member, Kind::Handle { id, expected, error });
    };
    let (device, buffer, memory) = (vk::ObjectType::DEVICE, vk::ObjectType::BUFFER, vk::ObjectType::DEVICE_MEMORY);
    check(&bind(0, 0x61, 0), 8, "vkBindBufferMemory.device", device, 0, HandleError::NullOwner);
    check(&bind(4, 0x61, 0), 8, "vkBindBufferMemory.device", device, 4, HandleError::Unknown);
    check(&bind(3, 3, 0), 16, "vkBindBufferMemory.buffer", buffer, 3, HandleError::WrongType(device));
    check(&bind(3, 0x61, 5), 24, "vkBindBufferMemory.memory", memory, 5, HandleError::Unknown);
    check(&bind(3, 0x61, 0), 24, "vkBindBufferMemory.memory", memory, 0, HandleError::Null);
    // In a structure in an array.
    let command = CommandType::BIND_BUFFER_MEMORY2.0;
    let info = vk::StructureType::BIND_BUFFER_MEMORY_INFO.as_raw();
    let bytes = wire![command, 0_u32, 3_u64, 1_u32, 1_u64, info, 0_u64, 0x61_u64, 0x61_u64, 0_u64];
    check(&bytes, 48, "VkBindBufferMemoryInfo.memory", memory, 0x61, HandleError::WrongType(buffer));
}

#[test]
fn positions_count_from_the_start_of_the_buffer() {
    let arena = Arena::new(ARENA_BYTES);
    let first = wire![CommandType::BIND_BUFFER_MEMORY.0, 0_u32, 3_u64, 0_u64, 0_u64, 0_u64];
    let bytes = [first.clone(), create_buffer(BUFFER_INFO, &wire![0_u64], 0, 0, 1)].concat();
    let mut decoder = Decoder::at(&bytes, first.len(), &arena, &IdentityResolver);
    let error = visit_command(&mut Encode, &mut decoder).expect_err("pAllocator is there");
    assert_eq!((error.offset, error.kind), (first.len() + 68, Kind::MustBeNull));
    assert_eq!(error.member.map(|member| member.to_string()).as_deref(), Some("vkCreateBuffer.pAllocator"));
    assert_eq!(error.path(&bytes, first.len()).as_deref(), Some("pAllocator"));
}

#[test]
fn errors_print_where_and_what() {
    let arena = &mut Arena::new(ARENA_BYTES);
    let mut print = |bytes: &[u8]| check(bytes, arena).expect_err("hostile bytes").to_string();
    assert_eq!(
        print(&create_buffer(BUFFER_INFO, &wire![0_u64], 2, 3, 0)),
        "vkCreateBuffer: VkBufferCreateInfo.pQueueFamilyIndices at byte 60: array count is 3, must be 2"
    );
    assert_eq!(
        print(&create_buffer(BUFFER_INFO, &wire![0_u64], 0, 0, 1)),
        "vkCreateBuffer.pAllocator at byte 68: only a null pointer can travel here"
    );
    assert_eq!(
        print(&create_buffer(14, &wire![0_u64], 0, 0, 0)),
        "vkCreateBuffer: VkBufferCreateInfo.sType at byte 24: sType is VK_STRUCTURE_TYPE_IMAGE_CREATE_INFO, must be \
         VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO"
    );
    assert_eq!(
        print(&create_buffer(BUFFER_INFO, &wire![1_u64, 7_i32, 0_u64], 0, 0, 0)),
        "vkCreateBuffer: VkBufferCreateInfo.pNext at byte 36: VK_STRUCTURE_TYPE_BIND_SPARSE_INFO is not allowed in \
         this pNext chain"
    );
    assert_eq!(print(&wire![195_u32, 0_u32]), "unknown command at byte 0: no command has number 195");
    assert_eq!(print(&[0; 3]), "command header at byte 0: 4 bytes wanted, 3 left");
}
