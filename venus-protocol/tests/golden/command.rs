//! Recorded commands: `vkCmdDraw`, `vkCmdClearColorImage`, `vkCmdPushConstants`, `vkCmdBuildAccelerationStructuresKHR`.

use venus_protocol::args::*;
use venus_protocol::vk::{self, Handle as _};
use venus_protocol::wire::{Arena, Command as _, CommandType, Handle};

use crate::bytes::{encoded, pointee, request, wire};

const DRAW: &str = "
    6a000000           | command 106, vkCmdDraw
    00000000           | flags: no reply
    10000000 00000000  | commandBuffer: id 0x10
    03000000           | vertexCount
    01000000           | instanceCount
    00000000           | firstVertex
    00000000           | firstInstance
";

#[test]
fn cmd_draw() {
    let (bytes, arena) = (wire(DRAW), Arena::default());
    assert_eq!(bytes.len(), 32);
    let mut decoder = request(&bytes, &arena, CommandType::CMD_DRAW, 0);
    let args = CmdDrawArgs::decode(&mut decoder).unwrap();
    assert_eq!(decoder.remaining(), 0);
    assert_eq!(args.command_buffer, Handle::identity(0x10));
    assert_eq!((args.vertex_count, args.instance_count), (3, 1));
    assert_eq!((args.first_vertex, args.first_instance), (0, 0));

    let args = CmdDrawArgs {
        command_buffer: Handle::identity(0x10),
        vertex_count: 3,
        instance_count: 1,
        first_vertex: 0,
        first_instance: 0,
    };
    assert_eq!(encoded(|e| args.encode(e, 0)), bytes);
}

const CLEAR: &str = "
    77000000                             | command 119, vkCmdClearColorImage
    00000000                             | flags: no reply
    10000000 00000000                    | commandBuffer: id 0x10
    41000000 00000000                    | image: id 0x41
    07000000                             | imageLayout: VK_IMAGE_LAYOUT_TRANSFER_DST_OPTIMAL
    01000000 00000000                    | pColor is there
    02000000                             | its tag: member uint32, whatever the application wrote
    04000000 00000000                    | 4 elements
    0000803f 00000000 00000000 0000803f  | 1.0, 0.0, 0.0, 1.0 as bits
    01000000                             | rangeCount
    01000000 00000000                    | pRanges: 1 structure
    01000000                             | aspectMask: VK_IMAGE_ASPECT_COLOR_BIT
    00000000                             | baseMipLevel
    01000000                             | levelCount
    00000000                             | baseArrayLayer
    01000000                             | layerCount
";

#[test]
fn cmd_clear_color_image() {
    let (bytes, arena) = (wire(CLEAR), Arena::default());
    assert_eq!(bytes.len(), 96);
    let mut decoder = request(&bytes, &arena, CommandType::CMD_CLEAR_COLOR_IMAGE, 0);
    let args = CmdClearColorImageArgs::decode(&mut decoder).unwrap();
    assert_eq!(decoder.remaining(), 0);
    assert_eq!(args.command_buffer, Handle::identity(0x10));
    assert_eq!(args.image, Handle::identity(0x41));
    assert_eq!(args.image_layout, vk::ImageLayout::TRANSFER_DST_OPTIMAL);
    let color = args.p_color.unwrap();
    // SAFETY: all members of this union are 16 bytes for which every bit pattern is valid.
    assert_eq!(unsafe { color.float32 }, [1.0, 0.0, 0.0, 1.0]);
    assert_eq!(args.range_count, 1);
    let [range] = args.p_ranges else { panic!("one range") };
    assert_eq!(range.aspect_mask, vk::ImageAspectFlags::COLOR);
    assert_eq!((range.base_mip_level, range.level_count), (0, 1));
    assert_eq!((range.base_array_layer, range.layer_count), (0, 1));

    let range = vk::ImageSubresourceRange {
        aspect_mask: vk::ImageAspectFlags::COLOR,
        base_mip_level: 0,
        level_count: 1,
        base_array_layer: 0,
        layer_count: 1,
    };
    let args = CmdClearColorImageArgs {
        command_buffer: Handle::identity(0x10),
        image: Handle::identity(0x41),
        image_layout: vk::ImageLayout::TRANSFER_DST_OPTIMAL,
        p_color: Some(&vk::ClearColorValue { float32: [1.0, 0.0, 0.0, 1.0] }),
        range_count: 1,
        p_ranges: &[range],
    };
    assert_eq!(encoded(|e| args.encode(e, 0)), bytes);
}

const PUSH_CONSTANTS: &str = "
    84000000           | command 132, vkCmdPushConstants
    00000000           | flags: no reply
    10000000 00000000  | commandBuffer: id 0x10
    70000000 00000000  | layout: id 0x70
    01000000           | stageFlags: VK_SHADER_STAGE_VERTEX_BIT
    00000000           | offset
    05000000           | size
    05000000 00000000  | pValues: 5 bytes
    01020304 05        | the bytes
    000000             | padding to a multiple of 4
";

#[test]
fn cmd_push_constants() {
    let (bytes, arena) = (wire(PUSH_CONSTANTS), Arena::default());
    assert_eq!(bytes.len(), 52);
    let mut decoder = request(&bytes, &arena, CommandType::CMD_PUSH_CONSTANTS, 0);
    let args = CmdPushConstantsArgs::decode(&mut decoder).unwrap();
    assert_eq!(decoder.remaining(), 0);
    assert_eq!(args.command_buffer, Handle::identity(0x10));
    assert_eq!(args.layout, Handle::identity(0x70));
    assert_eq!(args.stage_flags, vk::ShaderStageFlags::VERTEX);
    assert_eq!((args.offset, args.size), (0, 5));
    assert_eq!(args.p_values, [1, 2, 3, 4, 5]);

    let args = CmdPushConstantsArgs {
        command_buffer: Handle::identity(0x10),
        layout: Handle::identity(0x70),
        stage_flags: vk::ShaderStageFlags::VERTEX,
        offset: 0,
        size: 5,
        p_values: &[1, 2, 3, 4, 5],
    };
    assert_eq!(encoded(|e| args.encode(e, 0)), bytes);
}

#[test]
fn padding_is_not_looked_at() {
    let (mut bytes, arena) = (wire(PUSH_CONSTANTS), Arena::default());
    bytes[49..].copy_from_slice(&[0xaa; 3]);
    let mut decoder = request(&bytes, &arena, CommandType::CMD_PUSH_CONSTANTS, 0);
    assert_eq!(CmdPushConstantsArgs::decode(&mut decoder).unwrap().p_values, [1, 2, 3, 4, 5]);
    assert_eq!(decoder.remaining(), 0);
}

const BUILD: &str = "
    32010000           | command 306, vkCmdBuildAccelerationStructuresKHR
    00000000           | flags: no reply
    10000000 00000000  | commandBuffer: id 0x10
    01000000           | infoCount
    01000000 00000000  | pInfos: 1 structure
    f0139d3b           | sType: VK_STRUCTURE_TYPE_ACCELERATION_STRUCTURE_BUILD_GEOMETRY_INFO_KHR
    00000000 00000000  | pNext: the chain is empty
    01000000           | type: VK_ACCELERATION_STRUCTURE_TYPE_BOTTOM_LEVEL_KHR
    00000000           | flags
    00000000           | mode: VK_BUILD_ACCELERATION_STRUCTURE_MODE_BUILD_KHR
    00000000 00000000  | srcAccelerationStructure: null
    b0000000 00000000  | dstAccelerationStructure: id 0xb0
    01000000           | geometryCount
    01000000 00000000  | pGeometries: 1 structure
    f6139d3b           | sType: VK_STRUCTURE_TYPE_ACCELERATION_STRUCTURE_GEOMETRY_KHR
    00000000 00000000  | pNext: the chain is empty
    01000000           | geometryType: VK_GEOMETRY_TYPE_AABBS_KHR
    01000000           | geometry: the tag repeats geometryType, which selects member aabbs
    f3139d3b           | sType: VK_STRUCTURE_TYPE_ACCELERATION_STRUCTURE_GEOMETRY_AABBS_DATA_KHR
    00000000 00000000  | pNext: the chain is empty
    00000000           | data: tag of member deviceAddress
    00100000 00000000  | 0x1000
    18000000 00000000  | stride: 24
    00000000           | the geometry's flags
    00000000 00000000  | ppGeometries: null
    00000000           | scratchData: tag of member deviceAddress
    00200000 00000000  | 0x2000
    01000000 00000000  | ppBuildRangeInfos: 1 row
    01000000 00000000  | of 1 structure, as many as the info's geometryCount
    01000000           | primitiveCount
    00000000           | primitiveOffset
    00000000           | firstVertex
    00000000           | transformOffset
";

#[test]
fn cmd_build_acceleration_structures() {
    let (bytes, arena) = (wire(BUILD), Arena::default());
    assert_eq!(bytes.len(), 188);
    let mut decoder = request(&bytes, &arena, CommandType::CMD_BUILD_ACCELERATION_STRUCTURES_KHR, 0);
    let args = CmdBuildAccelerationStructuresKHRArgs::decode(&mut decoder).unwrap();
    assert_eq!(decoder.remaining(), 0);
    assert_eq!(args.command_buffer, Handle::identity(0x10));
    assert_eq!(args.info_count, 1);
    let [info] = args.p_infos else { panic!("one info") };
    assert_eq!(info.s_type, vk::StructureType::ACCELERATION_STRUCTURE_BUILD_GEOMETRY_INFO_KHR);
    assert!(info.p_next.is_null());
    assert_eq!(info.ty, vk::AccelerationStructureTypeKHR::BOTTOM_LEVEL);
    assert!(info.flags.is_empty());
    assert_eq!(info.mode, vk::BuildAccelerationStructureModeKHR::BUILD);
    assert_eq!(info.src_acceleration_structure, vk::AccelerationStructureKHR::null());
    assert_eq!(info.dst_acceleration_structure.as_raw(), 0xb0);
    assert_eq!(info.geometry_count, 1);
    let geometry = pointee(info.p_geometries);
    assert_eq!(geometry.s_type, vk::StructureType::ACCELERATION_STRUCTURE_GEOMETRY_KHR);
    assert!(geometry.p_next.is_null());
    assert_eq!(geometry.geometry_type, vk::GeometryTypeKHR::AABBS);
    // SAFETY: the decoder has set the member that `geometryType` selects.
    let aabbs = unsafe { geometry.geometry.aabbs };
    assert_eq!(aabbs.s_type, vk::StructureType::ACCELERATION_STRUCTURE_GEOMETRY_AABBS_DATA_KHR);
    assert!(aabbs.p_next.is_null());
    // SAFETY: the decoder has set this member; the other is not accepted unless null.
    assert_eq!(unsafe { aabbs.data.device_address }, 0x1000);
    assert_eq!(aabbs.stride, 24);
    assert!(geometry.flags.is_empty());
    assert!(info.pp_geometries.is_null());
    // SAFETY: as above.
    assert_eq!(unsafe { info.scratch_data.device_address }, 0x2000);
    let [row] = args.pp_build_range_infos else { panic!("one row") };
    let range = pointee(*row);
    assert_eq!((range.primitive_count, range.primitive_offset), (1, 0));
    assert_eq!((range.first_vertex, range.transform_offset), (0, 0));

    let aabbs = vk::AccelerationStructureGeometryAabbsDataKHR::default()
        .data(vk::DeviceOrHostAddressConstKHR { device_address: 0x1000 })
        .stride(24);
    let geometries = [vk::AccelerationStructureGeometryKHR::default()
        .geometry_type(vk::GeometryTypeKHR::AABBS)
        .geometry(vk::AccelerationStructureGeometryDataKHR { aabbs })];
    let info = vk::AccelerationStructureBuildGeometryInfoKHR::default()
        .ty(vk::AccelerationStructureTypeKHR::BOTTOM_LEVEL)
        .mode(vk::BuildAccelerationStructureModeKHR::BUILD)
        .dst_acceleration_structure(vk::AccelerationStructureKHR::from_raw(0xb0))
        .geometries(&geometries)
        .scratch_data(vk::DeviceOrHostAddressKHR { device_address: 0x2000 });
    let range = vk::AccelerationStructureBuildRangeInfoKHR::default().primitive_count(1);
    let args = CmdBuildAccelerationStructuresKHRArgs {
        command_buffer: Handle::identity(0x10),
        info_count: 1,
        p_infos: &[info],
        pp_build_range_infos: &[&raw const range],
    };
    assert_eq!(encoded(|e| args.encode(e, 0)), bytes);
}
