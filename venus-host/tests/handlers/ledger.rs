//! The ledger of what is checked (`tests/validation/rules.tsv`), held to the handlers: each rule that it says is checked
//! is broken here once, and the driver sees nothing of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
    sync::{Arc, Mutex},
};

use mock_driver::{BORDER_COLOURS, Mock};
use venus_host::{
    context::Options,
    endpoint::{EndpointObserver, Observer, Outcome, Place, Source},
};
use venus_protocol::{reflect::Returns, vk, wire::CommandType};

use crate::world::{World, config, row};

/// A rule, a command that breaks it, and how.
struct Planted {
    /// The rule's name, less `VUID-`.
    rule: &'static str,
    command: CommandType,
    /// Structures that have to follow others for that: what is followed, and by what.
    chains: &'static [(&'static str, &'static str)],
    /// What makes it wrong: members, by owner, and their values.
    wrong: &'static [(&'static str, &'static str, u64)],
    /// What its line in the log says of it.
    says: &'static str,
}

/// A command that one member makes wrong.
const fn plant(
    rule: &'static str,
    command: CommandType,
    wrong: &'static [(&'static str, &'static str, u64)],
    says: &'static str,
) -> Planted {
    Planted { rule, command, chains: &[], wrong, says }
}

impl Planted {
    /// The same, with structures after others.
    const fn after(self, chains: &'static [(&'static str, &'static str)]) -> Self {
        Self { chains, ..self }
    }
}

/// VK_BORDER_COLOR_FLOAT_CUSTOM_EXT.
const FLOAT_CUSTOM: u64 = 1_000_287_003;

/// VK_DESCRIPTOR_TYPE_INLINE_UNIFORM_BLOCK and VK_DESCRIPTOR_TYPE_ACCELERATION_STRUCTURE_KHR.
const INLINE_UNIFORM_BLOCK: u64 = 1_000_138_000;
const ACCELERATION_STRUCTURE: u64 = 1_000_150_000;

/// What leads to an embedded sampler with a border colour of its own.
const EMBEDDED: &[(&str, &str)] = &[
    ("VkPipelineShaderStageCreateInfo", "VkShaderDescriptorSetAndBindingMappingInfoEXT"),
    ("VkSamplerCreateInfo", "VkSamplerCustomBorderColorIndexCreateInfoEXT"),
];

/// A mapping of an embedded sampler that has a border colour of its own, for each source of VkDescriptorMappingSourceEXT
/// that can have one.
const fn embedded(rule: &'static str, wrong: &'static [(&'static str, &'static str, u64)]) -> Planted {
    plant(rule, CommandType::CREATE_COMPUTE_PIPELINES, wrong, "border colour").after(EMBEDDED)
}

const PLANTED: &[Planted] = &[
    plant("VkBufferCreateInfo-size-00912", CommandType::CREATE_BUFFER, &[("VkBufferCreateInfo", "size", 0)], "is 0"),
    plant(
        "VkShaderModuleCreateInfo-codeSize-08735",
        CommandType::CREATE_SHADER_MODULE,
        &[("VkShaderModuleCreateInfo", "codeSize", 7)],
        "whole number of words",
    ),
    plant(
        "VkSpecializationInfo-offset-00773",
        CommandType::CREATE_COMPUTE_PIPELINES,
        &[("VkSpecializationMapEntry", "offset", 2)],
        "ends at byte 3",
    ),
    plant(
        "VkSpecializationInfo-pMapEntries-00774",
        CommandType::CREATE_GRAPHICS_PIPELINES,
        &[("VkSpecializationMapEntry", "size", 9)],
        "ends at byte 9",
    ),
    embedded(
        "VkDescriptorMappingSourceConstantOffsetEXT-pEmbeddedSampler-11445",
        &[("VkDescriptorSetAndBindingMappingEXT", "source", 0)],
    ),
    embedded(
        "VkDescriptorMappingSourcePushIndexEXT-pEmbeddedSampler-11445",
        &[("VkDescriptorSetAndBindingMappingEXT", "source", 1)],
    ),
    embedded(
        "VkDescriptorMappingSourceIndirectIndexEXT-pEmbeddedSampler-11445",
        &[("VkDescriptorSetAndBindingMappingEXT", "source", 2)],
    ),
    embedded(
        "VkDescriptorMappingSourceIndirectIndexArrayEXT-pEmbeddedSampler-11445",
        &[("VkDescriptorSetAndBindingMappingEXT", "source", 3)],
    ),
    embedded(
        "VkDescriptorMappingSourceShaderRecordIndexEXT-pEmbeddedSampler-11445",
        &[("VkDescriptorSetAndBindingMappingEXT", "source", 8)],
    ),
    plant(
        "VkGraphicsPipelineCreateInfo-pipelineStageCreationFeedbackCount-06594",
        CommandType::CREATE_GRAPHICS_PIPELINES,
        &[("VkPipelineCreationFeedbackCreateInfo", "pipelineStageCreationFeedbackCount", 3)],
        "is 3, but what it belongs to has 1",
    )
    .after(&[("VkGraphicsPipelineCreateInfo", "VkPipelineCreationFeedbackCreateInfo")]),
    plant(
        "VkComputePipelineCreateInfo-pipelineStageCreationFeedbackCount-06566",
        CommandType::CREATE_COMPUTE_PIPELINES,
        &[("VkPipelineCreationFeedbackCreateInfo", "pipelineStageCreationFeedbackCount", 3)],
        "is 3, but what it belongs to has 1",
    )
    .after(&[("VkComputePipelineCreateInfo", "VkPipelineCreationFeedbackCreateInfo")]),
    plant(
        "VkRayTracingPipelineCreateInfoKHR-pipelineStageCreationFeedbackCount-06652",
        CommandType::CREATE_RAY_TRACING_PIPELINES_KHR,
        &[("VkPipelineCreationFeedbackCreateInfo", "pipelineStageCreationFeedbackCount", 3)],
        "is 3, but what it belongs to has 1",
    )
    .after(&[("VkRayTracingPipelineCreateInfoKHR", "VkPipelineCreationFeedbackCreateInfo")]),
    plant(
        "VkDescriptorSetLayoutBindingFlagsCreateInfo-bindingCount-03002",
        CommandType::CREATE_DESCRIPTOR_SET_LAYOUT,
        &[("VkDescriptorSetLayoutBindingFlagsCreateInfo", "bindingCount", 5)],
        "is 5, but what it belongs to has 1",
    )
    .after(&[("VkDescriptorSetLayoutCreateInfo", "VkDescriptorSetLayoutBindingFlagsCreateInfo")]),
    plant(
        "VkDescriptorSetVariableDescriptorCountAllocateInfo-descriptorSetCount-03045",
        CommandType::ALLOCATE_DESCRIPTOR_SETS,
        &[("VkDescriptorSetVariableDescriptorCountAllocateInfo", "descriptorSetCount", 5)],
        "is 5, but what it belongs to has 1",
    )
    .after(&[("VkDescriptorSetAllocateInfo", "VkDescriptorSetVariableDescriptorCountAllocateInfo")]),
    plant(
        "VkWriteDescriptorSet-descriptorType-02221",
        CommandType::UPDATE_DESCRIPTOR_SETS,
        &[
            ("VkWriteDescriptorSet", "descriptorType", INLINE_UNIFORM_BLOCK),
            ("VkWriteDescriptorSetInlineUniformBlock", "dataSize", 8),
        ],
        "is 8, but what it belongs to has 1",
    )
    .after(&[("VkWriteDescriptorSet", "VkWriteDescriptorSetInlineUniformBlock")]),
    plant(
        "VkWriteDescriptorSet-descriptorType-02382",
        CommandType::CMD_PUSH_DESCRIPTOR_SET2,
        &[("VkWriteDescriptorSet", "descriptorType", ACCELERATION_STRUCTURE)],
        "is 0, but what it belongs to has 1",
    ),
    plant(
        "VkRenderPassCreateInfo-pNext-01928",
        CommandType::CREATE_RENDER_PASS,
        &[("VkRenderPassMultiviewCreateInfo", "subpassCount", 4)],
        "is 4, but what it belongs to has 1",
    )
    .after(&[("VkRenderPassCreateInfo", "VkRenderPassMultiviewCreateInfo")]),
    plant(
        "VkRenderPassCreateInfo-pNext-01929",
        CommandType::CREATE_RENDER_PASS,
        &[("VkRenderPassMultiviewCreateInfo", "dependencyCount", 4)],
        "is 4, but what it belongs to has 1",
    )
    .after(&[("VkRenderPassCreateInfo", "VkRenderPassMultiviewCreateInfo")]),
    plant(
        "VkDeviceGroupSubmitInfo-waitSemaphoreCount-00082",
        CommandType::QUEUE_SUBMIT,
        &[("VkDeviceGroupSubmitInfo", "waitSemaphoreCount", 4)],
        "is 4, but what it belongs to has 1",
    )
    .after(&[("VkSubmitInfo", "VkDeviceGroupSubmitInfo")]),
    plant(
        "VkDeviceGroupSubmitInfo-commandBufferCount-00083",
        CommandType::QUEUE_SUBMIT,
        &[("VkDeviceGroupSubmitInfo", "commandBufferCount", 4)],
        "is 4, but what it belongs to has 1",
    )
    .after(&[("VkSubmitInfo", "VkDeviceGroupSubmitInfo")]),
    plant(
        "VkDeviceGroupSubmitInfo-signalSemaphoreCount-00084",
        CommandType::QUEUE_SUBMIT,
        &[("VkDeviceGroupSubmitInfo", "signalSemaphoreCount", 4)],
        "is 4, but what it belongs to has 1",
    )
    .after(&[("VkSubmitInfo", "VkDeviceGroupSubmitInfo")]),
    plant(
        "VkDeviceQueueCreateInfo-queueFamilyIndex-00381",
        CommandType::CREATE_DEVICE,
        &[("VkDeviceQueueCreateInfo", "queueFamilyIndex", 9)],
        "",
    ),
    plant(
        "VkDeviceQueueCreateInfo-queueCount-00382",
        CommandType::CREATE_DEVICE,
        &[("VkDeviceQueueCreateInfo", "queueCount", 1000)],
        "",
    ),
    plant(
        "VkDeviceQueueInfo2-queueFamilyIndex-01842",
        CommandType::GET_DEVICE_QUEUE2,
        &[("VkDeviceQueueInfo2", "queueFamilyIndex", 9)],
        "without queue 0 of family 9",
    ),
    plant(
        "VkDeviceQueueInfo2-queueIndex-01843",
        CommandType::GET_DEVICE_QUEUE2,
        &[("VkDeviceQueueInfo2", "queueIndex", 1000)],
        "without queue 1000 of family 0",
    ),
    plant(
        "vkAllocateMemory-pAllocateInfo-01713",
        CommandType::ALLOCATE_MEMORY,
        &[("VkMemoryAllocateInfo", "allocationSize", 1 << 60)],
        "",
    ),
    plant(
        "vkAllocateMemory-pAllocateInfo-01714",
        CommandType::ALLOCATE_MEMORY,
        &[("VkMemoryAllocateInfo", "memoryTypeIndex", 31)],
        "",
    ),
    plant("vkCmdClearAttachments-rect-02682", CommandType::CMD_CLEAR_ATTACHMENTS, &[("VkExtent2D", "width", 0)], ""),
    plant("vkCmdClearAttachments-rect-02683", CommandType::CMD_CLEAR_ATTACHMENTS, &[("VkExtent2D", "height", 0)], ""),
    plant(
        "vkCmdClearAttachments-layerCount-01934",
        CommandType::CMD_CLEAR_ATTACHMENTS,
        &[("VkClearRect", "layerCount", 0)],
        "",
    ),
    plant(
        "VkPushDataInfoEXT-offset-11243",
        CommandType::CMD_PUSH_DATA_EXT,
        &[("VkPushDataInfoEXT", "offset", 256)],
        "of 256",
    ),
    plant(
        "VkImageCreateInfo-pData-11286",
        CommandType::CREATE_IMAGE,
        &[("VkHostAddressRangeConstEXT", "size", 0)],
        "opaque capture data",
    )
    .after(&[("VkImageCreateInfo", "VkOpaqueCaptureDataCreateInfoEXT")]),
    plant(
        "vkGetImageOpaqueCaptureDataEXT-size-11283",
        CommandType::GET_IMAGE_OPAQUE_CAPTURE_DATA_EXT,
        &[("VkHostAddressRangeEXT", "size", 0)],
        "opaque capture data",
    ),
    plant(
        "VkSamplerCustomBorderColorIndexCreateInfoEXT-index-11289",
        CommandType::CREATE_SAMPLER,
        &[
            ("VkSamplerCreateInfo", "borderColor", FLOAT_CUSTOM),
            ("VkSamplerCustomBorderColorIndexCreateInfoEXT", "index", BORDER_COLOURS as u64),
        ],
        "border colours",
    )
    .after(&[("VkSamplerCreateInfo", "VkSamplerCustomBorderColorIndexCreateInfoEXT")]),
    plant(
        "vkRegisterCustomBorderColorEXT-requestIndex-11287",
        CommandType::REGISTER_CUSTOM_BORDER_COLOR_EXT,
        &[
            ("vkRegisterCustomBorderColorEXT", "requestIndex", 1),
            ("vkRegisterCustomBorderColorEXT", "pIndex", BORDER_COLOURS as u64),
        ],
        "border colours",
    ),
    plant(
        "vkUnregisterCustomBorderColorEXT-index-11288",
        CommandType::UNREGISTER_CUSTOM_BORDER_COLOR_EXT,
        &[("vkUnregisterCustomBorderColorEXT", "index", BORDER_COLOURS as u64)],
        "border colours",
    ),
];

/// Keeps why commands were left out.
#[derive(Clone, Default)]
struct Listener(Arc<Mutex<Vec<String>>>);

impl Observer for Listener {
    fn endpoint(&self, _source: Source, _has_thread: bool) -> Option<Box<dyn EndpointObserver>> {
        Some(Box::new(self.clone()))
    }
}

impl EndpointObserver for Listener {
    fn end(&mut self, _place: Place, outcome: Outcome<'_>, _reply: &[u8]) {
        if let Outcome::LeftOut(reason) = outcome {
            self.0.lock().unwrap().push(reason.to_owned());
        }
    }
}

/// Whether the driver is kept from a command that breaks a rule, and the guest is told what it should be.
fn refusal(mock: &Mock, planted: &Planted) -> Result<(), String> {
    let listener = Listener::default();
    let mut world = World::of(mock, Options::new("test", config(mock)).observer(Arc::new(listener.clone())));
    let row = row(planted.command);
    // What it names is made as usual; a queue can be asked for once only.
    if planted.command == CommandType::GET_DEVICE_QUEUE2 {
        world.object(vk::ObjectType::DEVICE);
    } else {
        world.request(row, None);
    }
    for &(owner, member, value) in planted.wrong {
        world.set_number(owner, member, value);
    }
    for &(root, child) in planted.chains {
        world.follow(root, child);
    }
    let request = world.request(row, None);
    let sent = world.submit(request);
    let is_called = sent.notes.iter().any(|note| note.command == planted.command.name());
    let told = listener.0.lock().unwrap().join("\n");
    let outcome = match sent.outcome {
        Ok(reply) if row.returns == Returns::Result => {
            let result = i32::from_le_bytes(reply[4..8].try_into().expect("a result"));
            if result < 0 { Ok(told) } else { Err(format!("its result is {result}")) }
        }
        Ok(_) => Ok(told),
        Err(fatal) => Ok(fatal.to_string()),
    };
    drop(world);
    mock.assert_clean();
    let told = outcome?;
    if is_called {
        return Err("the driver was called".to_owned());
    }
    if told.contains(planted.says) { Ok(()) } else { Err(format!("the log says {told:?}")) }
}

#[test]
fn every_planted_violation_is_refused() {
    let mock = Mock::take();
    let wrong: Vec<_> = PLANTED
        .iter()
        .filter_map(|planted| Some(format!("{}: {}", planted.rule, refusal(&mock, planted).err()?)))
        .collect();
    assert_eq!(wrong, [""; 0]);
}

#[test]
fn without_what_is_wrong_they_reach_the_driver() {
    let mock = Mock::take();
    let commands: BTreeMap<_, _> = PLANTED.iter().map(|planted| (planted.command.name(), planted.command)).collect();
    for (name, command) in commands {
        let mut world = World::new(&mock);
        let sent = world.send(row(command));
        assert!(sent.outcome.is_ok(), "{name}: {:?}", sent.outcome);
        // Queues have been there since the device was made.
        let is_called = sent.notes.iter().any(|note| note.command == name);
        assert!(is_called || command == CommandType::GET_DEVICE_QUEUE2, "{name}");
        drop(world);
        mock.assert_clean();
    }
}

#[test]
fn a_violation_of_each_checked_rule_is_planted() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/validation/rules.tsv");
    let text = fs::read_to_string(path).expect("the ledger");
    let checked: BTreeSet<_> = text
        .lines()
        .filter_map(|line| {
            let mut columns = line.split('\t');
            let rule = columns.next()?.strip_prefix("VUID-")?;
            (columns.next()? == "checked").then_some(rule)
        })
        .collect();
    let planted: BTreeSet<_> = PLANTED.iter().map(|planted| planted.rule).collect();
    assert_eq!(planted.len(), PLANTED.len(), "a rule is planted twice");
    assert_eq!(planted, checked, "what is planted, and what the ledger says is checked");
}
