//! `vkUpdateDescriptorSets`.

use venus_protocol::args::*;
use venus_protocol::vk::{self, Handle as _};
use venus_protocol::wire::{Arena, Command as _, CommandType, Handle};

use crate::bytes::{encoded, pointee, request, wire};

const UPDATE: &str = "
    4f000000           | command 79, vkUpdateDescriptorSets
    00000000           | flags: no reply
    03000000 00000000  | device: id 3
    01000000           | descriptorWriteCount
    01000000 00000000  | pDescriptorWrites: 1 structure
    23000000           | sType: VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET
    00000000 00000000  | pNext: the chain is empty
    60000000 00000000  | dstSet: id 0x60
    00000000           | dstBinding
    00000000           | dstArrayElement
    01000000           | descriptorCount
    06000000           | descriptorType: VK_DESCRIPTOR_TYPE_UNIFORM_BUFFER
    00000000 00000000  | pImageInfo: null
    01000000 00000000  | pBufferInfo: 1 structure
    61000000 00000000  | buffer: id 0x61
    00000000 00000000  | offset
    00010000 00000000  | range: 256
    00000000 00000000  | pTexelBufferView: null
    00000000           | descriptorCopyCount
    00000000 00000000  | pDescriptorCopies: null
";

#[test]
fn update_descriptor_sets() {
    let (bytes, arena) = (wire(UPDATE), Arena::default());
    assert_eq!(bytes.len(), 124);
    let mut decoder = request(&bytes, &arena, CommandType::UPDATE_DESCRIPTOR_SETS, 0);
    let args = UpdateDescriptorSetsArgs::decode(&mut decoder).unwrap();
    assert_eq!(decoder.remaining(), 0);
    assert_eq!(args.device, Handle::identity(3));
    assert_eq!(args.descriptor_write_count, 1);
    let [write] = args.p_descriptor_writes else { panic!("one write") };
    assert_eq!(write.s_type, vk::StructureType::WRITE_DESCRIPTOR_SET);
    assert!(write.p_next.is_null());
    assert_eq!(write.dst_set.as_raw(), 0x60);
    assert_eq!(write.dst_binding, 0);
    assert_eq!(write.dst_array_element, 0);
    assert_eq!(write.descriptor_count, 1);
    assert_eq!(write.descriptor_type, vk::DescriptorType::UNIFORM_BUFFER);
    assert!(write.p_image_info.is_null());
    let buffer = pointee(write.p_buffer_info);
    assert_eq!(buffer.buffer.as_raw(), 0x61);
    assert_eq!((buffer.offset, buffer.range), (0, 256));
    assert!(write.p_texel_buffer_view.is_null());
    assert_eq!(args.descriptor_copy_count, 0);
    assert!(args.p_descriptor_copies.is_empty());

    let buffers = [vk::DescriptorBufferInfo { buffer: vk::Buffer::from_raw(0x61), offset: 0, range: 256 }];
    let write = vk::WriteDescriptorSet::default()
        .dst_set(vk::DescriptorSet::from_raw(0x60))
        .descriptor_type(vk::DescriptorType::UNIFORM_BUFFER)
        .buffer_info(&buffers);
    let args = UpdateDescriptorSetsArgs {
        device: Handle::identity(3),
        descriptor_write_count: 1,
        p_descriptor_writes: &[write],
        descriptor_copy_count: 0,
        p_descriptor_copies: &[],
    };
    assert_eq!(encoded(|e| args.encode(e, 0)), bytes);
}
