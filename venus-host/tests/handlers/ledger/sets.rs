//! What breaks the rules about descriptors and their layouts.

use venus_protocol::wire::CommandType;
use venus_verify::content::BUFFER_BYTES;

use super::planted::{Planted, plant};

pub(super) const PLANTED: &[Planted] = &[
    plant(
        "VkWriteDescriptorSet-dstBinding-00315",
        CommandType::UPDATE_DESCRIPTOR_SETS,
        &[("VkWriteDescriptorSet", "dstBinding", 8)],
        "dstBinding: is 8, and the layout has no such binding",
    ),
    plant(
        "VkWriteDescriptorSet-dstArrayElement-00321",
        CommandType::UPDATE_DESCRIPTOR_SETS,
        &[("VkWriteDescriptorSet", "dstBinding", 5), ("VkWriteDescriptorSet", "dstArrayElement", 2)],
        "1 descriptors from 2 of binding 5 on are more than the layout has",
    ),
    plant(
        "VkWriteDescriptorSet-descriptorType-00319",
        CommandType::UPDATE_DESCRIPTOR_SETS,
        &[("VkWriteDescriptorSet", "descriptorType", 6)],
        "descriptorType: is 6, and binding 2 of the layout takes 1",
    ),
    plant(
        "VkWriteDescriptorSet-dstBinding-00315",
        CommandType::CMD_PUSH_DESCRIPTOR_SET,
        &[("VkWriteDescriptorSet", "dstBinding", 8)],
        "dstBinding: is 8, and the layout has no such binding",
    ),
    plant(
        "VkWriteDescriptorSet-dstArrayElement-00321",
        CommandType::CMD_PUSH_DESCRIPTOR_SET,
        &[("VkWriteDescriptorSet", "dstBinding", 5), ("VkWriteDescriptorSet", "dstArrayElement", 2)],
        "1 descriptors from 2 of binding 5 on are more than the layout has",
    ),
    plant(
        "VkWriteDescriptorSet-descriptorType-00319",
        CommandType::CMD_PUSH_DESCRIPTOR_SET,
        &[("VkWriteDescriptorSet", "descriptorType", 6)],
        "descriptorType: is 6, and binding 2 of the layout takes 1",
    ),
    plant(
        "VkWriteDescriptorSet-dstBinding-00315",
        CommandType::CMD_PUSH_DESCRIPTOR_SET2,
        &[("VkWriteDescriptorSet", "dstBinding", 8)],
        "dstBinding: is 8, and the layout has no such binding",
    ),
    plant(
        "VkWriteDescriptorSet-dstArrayElement-00321",
        CommandType::CMD_PUSH_DESCRIPTOR_SET2,
        &[("VkWriteDescriptorSet", "dstBinding", 5), ("VkWriteDescriptorSet", "dstArrayElement", 2)],
        "1 descriptors from 2 of binding 5 on are more than the layout has",
    ),
    plant(
        "VkWriteDescriptorSet-descriptorType-00319",
        CommandType::CMD_PUSH_DESCRIPTOR_SET2,
        &[("VkWriteDescriptorSet", "descriptorType", 6)],
        "descriptorType: is 6, and binding 2 of the layout takes 1",
    ),
    plant(
        "VkWriteDescriptorSet-dstArrayElement-00321",
        CommandType::UPDATE_DESCRIPTOR_SETS,
        &[("VkWriteDescriptorSet", "dstArrayElement", 0xffff_ffff)],
        "1 descriptors from 4294967295 of binding 2 on are more than the layout has",
    ),
    plant(
        "VkWriteDescriptorSet-dstBinding-00316",
        CommandType::UPDATE_DESCRIPTOR_SETS,
        &[],
        "dstBinding: is 2, and the layout has no such binding",
    )
    .of(&[("VkDescriptorSetLayoutBinding", "descriptorCount", 0)]),
    plant(
        "VkWriteDescriptorSet-dstBinding-10009",
        CommandType::UPDATE_DESCRIPTOR_SETS,
        &[],
        "dstBinding: is 2, and the layout has no such binding",
    )
    .of(&[("VkDescriptorSetLayoutBinding", "descriptorCount", 0)]),
    plant(
        "vkUpdateDescriptorSets-pDescriptorWrites-06493",
        CommandType::UPDATE_DESCRIPTOR_SETS,
        &[],
        "pImageInfo: is null",
    )
    .without(&[("VkWriteDescriptorSet", "pImageInfo")]),
    plant(
        "vkCmdPushDescriptorSet-pDescriptorWrites-06494",
        CommandType::CMD_PUSH_DESCRIPTOR_SET,
        &[],
        "pImageInfo: is null",
    )
    .without(&[("VkWriteDescriptorSet", "pImageInfo")]),
    plant(
        "VkPushDescriptorSetInfo-pDescriptorWrites-06494",
        CommandType::CMD_PUSH_DESCRIPTOR_SET2,
        &[],
        "pImageInfo: is null",
    )
    .without(&[("VkWriteDescriptorSet", "pImageInfo")]),
    plant(
        "VkWriteDescriptorSet-descriptorType-00324",
        CommandType::UPDATE_DESCRIPTOR_SETS,
        &[("VkWriteDescriptorSet", "descriptorType", 6)],
        "pBufferInfo: is null",
    )
    .without(&[("VkWriteDescriptorSet", "pBufferInfo")])
    .of(&[("VkDescriptorSetLayoutBinding", "descriptorType", 6)]),
    plant(
        "VkWriteDescriptorSet-descriptorType-02994",
        CommandType::UPDATE_DESCRIPTOR_SETS,
        &[("VkWriteDescriptorSet", "descriptorType", 4)],
        "pTexelBufferView: is null",
    )
    .without(&[("VkWriteDescriptorSet", "pTexelBufferView")])
    .of(&[("VkDescriptorSetLayoutBinding", "descriptorType", 4)]),
    plant("VkWriteDescriptorSet-dstSet-00320", CommandType::UPDATE_DESCRIPTOR_SETS, &[], "dstSet: is null")
        .without(&[("VkWriteDescriptorSet", "dstSet")]),
    plant(
        "VkDescriptorBufferInfo-offset-00340",
        CommandType::UPDATE_DESCRIPTOR_SETS,
        &[("VkWriteDescriptorSet", "descriptorType", 6), ("VkDescriptorBufferInfo", "offset", BUFFER_BYTES + 1)],
        "bytes from 1048577 on are more than the",
    )
    .of(&[("VkDescriptorSetLayoutBinding", "descriptorType", 6)]),
    plant(
        "VkDescriptorBufferInfo-range-00342",
        CommandType::UPDATE_DESCRIPTOR_SETS,
        &[
            ("VkWriteDescriptorSet", "descriptorType", 7),
            ("VkDescriptorBufferInfo", "offset", 4),
            ("VkDescriptorBufferInfo", "range", BUFFER_BYTES),
        ],
        "1048576 bytes from 4 on are more than the",
    )
    .of(&[("VkDescriptorSetLayoutBinding", "descriptorType", 7)]),
    plant(
        "VkCopyDescriptorSet-srcBinding-00345",
        CommandType::UPDATE_DESCRIPTOR_SETS,
        &[("VkCopyDescriptorSet", "srcBinding", 8)],
        "srcBinding: is 8, and the layout has no such binding",
    ),
    plant(
        "VkCopyDescriptorSet-dstBinding-00347",
        CommandType::UPDATE_DESCRIPTOR_SETS,
        &[("VkCopyDescriptorSet", "dstBinding", 8)],
        "dstBinding: is 8, and the layout has no such binding",
    ),
    plant(
        "VkCopyDescriptorSet-srcArrayElement-00346",
        CommandType::UPDATE_DESCRIPTOR_SETS,
        &[("VkCopyDescriptorSet", "srcBinding", 5), ("VkCopyDescriptorSet", "srcArrayElement", 1)],
        "2 descriptors from 1 of binding 5 on",
    ),
    plant(
        "VkCopyDescriptorSet-dstArrayElement-00348",
        CommandType::UPDATE_DESCRIPTOR_SETS,
        &[("VkCopyDescriptorSet", "dstBinding", 4), ("VkCopyDescriptorSet", "dstArrayElement", 3)],
        "2 descriptors from 3 of binding 4 on",
    ),
    plant(
        "OWN-VkDescriptorSetLayoutBinding-descriptorCount-limit",
        CommandType::CREATE_DESCRIPTOR_SET_LAYOUT,
        &[("VkDescriptorSetLayoutBinding", "descriptorCount", 33554432)],
        "are more than the limit of 16777216",
    ),
    plant(
        "VkDescriptorSetLayoutCreateInfo-binding-00279",
        CommandType::CREATE_DESCRIPTOR_SET_LAYOUT,
        &[("VkDescriptorSetLayoutBinding", "binding", 5)],
        "two are called [5, 5]",
    ),
    plant(
        "vkCmdPushDescriptorSet-set-00364",
        CommandType::CMD_PUSH_DESCRIPTOR_SET,
        &[("vkCmdPushDescriptorSet", "set", 1)],
        "set: is 1, and the layout has 1 sets",
    ),
    plant(
        "VkPushDescriptorSetInfo-set-00364",
        CommandType::CMD_PUSH_DESCRIPTOR_SET2,
        &[("VkPushDescriptorSetInfo", "set", 1)],
        "set: is 1, and the layout has 1 sets",
    ),
    plant(
        "vkCmdPushDescriptorSet-set-00365",
        CommandType::CMD_PUSH_DESCRIPTOR_SET,
        &[],
        "layout: has no descriptors to be pushed at 0",
    )
    .of(&[("VkDescriptorSetLayoutCreateInfo", "flags", 0)]),
    plant(
        "VkPushDescriptorSetInfo-set-00365",
        CommandType::CMD_PUSH_DESCRIPTOR_SET2,
        &[],
        "layout: has no descriptors to be pushed at 0",
    )
    .of(&[("VkDescriptorSetLayoutCreateInfo", "flags", 0)]),
    plant(
        "vkCmdBindDescriptorSets-dynamicOffsetCount-00359",
        CommandType::CMD_BIND_DESCRIPTOR_SETS,
        &[],
        "dynamicOffsetCount: is 1, and the sets have 12 dynamic descriptors",
    )
    .of(&[("VkDescriptorSetLayoutBinding", "descriptorType", 8)]),
    plant(
        "VkBindDescriptorSetsInfo-dynamicOffsetCount-00359",
        CommandType::CMD_BIND_DESCRIPTOR_SETS2,
        &[],
        "dynamicOffsetCount: is 1, and the sets have 12 dynamic descriptors",
    )
    .of(&[("VkDescriptorSetLayoutBinding", "descriptorType", 9)]),
    plant(
        "vkCmdBindDescriptorSets-firstSet-00360",
        CommandType::CMD_BIND_DESCRIPTOR_SETS,
        &[("vkCmdBindDescriptorSets", "firstSet", 1)],
        "1 from 1 are more than the limit of 1",
    ),
    plant(
        "VkBindDescriptorSetsInfo-firstSet-00360",
        CommandType::CMD_BIND_DESCRIPTOR_SETS2,
        &[("VkBindDescriptorSetsInfo", "firstSet", 1)],
        "1 from 1 are more than the limit of 1",
    ),
];
