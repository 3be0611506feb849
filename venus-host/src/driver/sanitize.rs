//! Lengths that are said twice.
//!
//! The decoder makes every array as long as the count beside it says. Some counts, however, have a twin in another
//! structure or are implied by a third number, and a driver believes one of them without a look at the other. Where
//! they differ it would read past the end of *our* memory and, at worst, hand what it found to the guest's shaders. So
//! those that concern arrays of ours are compared here, before the driver is called.
//!
//! This is not a check of valid usage, which nobody but the guest's application can answer for: what a driver does with
//! its own memory is between the two.

use std::ptr;

use ash::vk;
use venus_protocol::{
    args::{QueueBindSparseArgs, QueueSubmitArgs},
    vk as venus,
};

use super::{chain, device::slice, failure::Refusal};
use crate::error::APPLICATION;

/// What is wrong with `member`, which is the application's doing.
#[cold]
fn refusal(member: &'static str, reason: String) -> Refusal {
    Refusal { member, reason: reason.into(), advice: APPLICATION }
}

/// The error for two numbers that ought to be one.
#[cold]
fn differ(member: &'static str, said: u64, wanted: u64) -> Refusal {
    refusal(member, format!("is {said}, but what it belongs to has {wanted}"))
}

/// Fails unless `said` is `wanted`.
fn equal(member: &'static str, said: u32, wanted: u32) -> Result<(), Refusal> {
    if said == wanted { Ok(()) } else { Err(differ(member, said.into(), wanted.into())) }
}

/// As [`equal`], for an array that may be left out.
fn equal_or_none(member: &'static str, said: u32, wanted: u32) -> Result<(), Refusal> {
    if said == 0 { Ok(()) } else { equal(member, said, wanted) }
}

/// Fails unless there is one number, and each is `wanted`.
fn equal_each(member: &'static str, said: impl Iterator<Item = u32>, wanted: u32) -> Result<(), Refusal> {
    let mut said = said.peekable();
    if said.peek().is_none() {
        return equal(member, 0, wanted);
    }
    said.try_for_each(|said| equal(member, said, wanted))
}

/// Shader code is words, and has the structure of a module.
pub(crate) fn check_code(info: &vk::ShaderModuleCreateInfo<'_>) -> Result<(), Refusal> {
    check_code_of(["pCreateInfo->codeSize", "pCreateInfo->pCode"], info)
}

/// As [`check_code`], for code whose size and content stand elsewhere.
fn check_code_of([size, code]: [&'static str; 2], info: &vk::ShaderModuleCreateInfo<'_>) -> Result<(), Refusal> {
    if !info.code_size.is_multiple_of(4) {
        return Err(refusal(size, format!("{} bytes are not a whole number of words", info.code_size)));
    }
    let words = u32::try_from(info.code_size / 4).map_err(|_| refusal(size, "is too large for a module".to_owned()))?;
    // SAFETY: the decoder made as many words as the size says, or left the pointer null, and they live as long as `info`.
    let words = unsafe { slice(info.p_code, words) };
    super::spirv::check(words).map_err(|reason| Refusal { member: code, reason, advice: APPLICATION })
}

/// Shader code that a stage brings along, and the places of its specialization constants.
fn check_stages(stages: &[vk::PipelineShaderStageCreateInfo<'_>]) -> Result<(), Refusal> {
    for stage in stages {
        for code in chain::find_all::<vk::ShaderModuleCreateInfo<'_>>(stage) {
            const MEMBERS: [&str; 2] = [
                "pCreateInfos[].pStages[].pNext<VkShaderModuleCreateInfo>.codeSize",
                "pCreateInfos[].pStages[].pNext<VkShaderModuleCreateInfo>.pCode",
            ];
            check_code_of(MEMBERS, code)?;
        }
        for mappings in chain::find_all::<venus::ShaderDescriptorSetAndBindingMappingInfoEXT<'_>>(stage) {
            // SAFETY: count and pointer belong together and live as long as the stage: the decoder made them.
            let mappings = unsafe { slice(mappings.p_mappings, mappings.mapping_count) };
            mappings.iter().try_for_each(check_embedded_sampler)?;
        }
        // SAFETY: null or made by the decoder, by this room's contract.
        let Some(constants) = (unsafe { stage.p_specialization_info.as_ref() }) else { continue };
        // SAFETY: count and pointer belong together and live as long as the stage: the decoder made them.
        let entries = unsafe { slice(constants.p_map_entries, constants.map_entry_count) };
        let end = |entry: &vk::SpecializationMapEntry| u64::from(entry.offset).saturating_add(bytes(entry.size));
        if let Some(end) = entries.iter().map(end).find(|end| *end > bytes(constants.data_size)) {
            let reason = format!("an entry ends at byte {end} of {}", constants.data_size);
            return Err(refusal("pCreateInfos[].pStages[].pSpecializationInfo->pMapEntries", reason));
        }
    }
    Ok(())
}

/// A sampler that is part of a pipeline has no border colour of its own (VUID-...-pEmbeddedSampler-11445): drivers look
/// up what number it names.
fn check_embedded_sampler(mapping: &venus::DescriptorSetAndBindingMappingEXT<'_>) -> Result<(), Refusal> {
    let data = &mapping.source_data;
    // SAFETY: (and for all that follow) the decoder compares the union's tag with `source`, so this is what is in it.
    let sampler = unsafe {
        // VkDescriptorMappingSourceEXT: HEAP_WITH_CONSTANT_OFFSET, PUSH_INDEX, INDIRECT_INDEX, INDIRECT_INDEX_ARRAY and
        // SHADER_RECORD_INDEX.
        match mapping.source.as_raw() {
            0 => data.constant_offset.p_embedded_sampler,
            1 => data.push_index.p_embedded_sampler,
            2 => data.indirect_index.p_embedded_sampler,
            3 => data.indirect_index_array.p_embedded_sampler,
            8 => data.shader_record_index.p_embedded_sampler,
            _ => return Ok(()),
        }
    };
    // SAFETY: null or made by the decoder, by this room's contract.
    let Some(sampler) = (unsafe { sampler.as_ref() }) else { return Ok(()) };
    match chain::find_all::<venus::SamplerCustomBorderColorIndexCreateInfoEXT<'_>>(sampler).next() {
        None => Ok(()),
        Some(colour) => Err(refusal(
            "pCreateInfos[].pStages[].pNext<VkShaderDescriptorSetAndBindingMappingInfoEXT>.pMappings[].sourceData.pEmbeddedSampler",
            format!("has the border colour {}, and samplers in pipelines have none of their own", colour.index),
        )),
    }
}

/// The stages of graphics pipelines.
pub(crate) fn check_graphics(infos: &[vk::GraphicsPipelineCreateInfo<'_>]) -> Result<(), Refusal> {
    for info in infos {
        check_feedback(info, info.stage_count)?;
        // SAFETY: count and pointer belong together and live as long as `info`: the decoder made them.
        check_stages(unsafe { slice(info.p_stages, info.stage_count) })?;
    }
    Ok(())
}

/// The stages of compute pipelines.
pub(crate) fn check_compute(infos: &[vk::ComputePipelineCreateInfo<'_>]) -> Result<(), Refusal> {
    for info in infos {
        check_feedback(info, 1)?;
        check_stages(std::slice::from_ref(&info.stage))?;
    }
    Ok(())
}

/// The stages of ray tracing pipelines.
pub(crate) fn check_ray_tracing(infos: &[vk::RayTracingPipelineCreateInfoKHR<'_>]) -> Result<(), Refusal> {
    for info in infos {
        check_feedback(info, info.stage_count)?;
        // SAFETY: as in `check_graphics`.
        check_stages(unsafe { slice(info.p_stages, info.stage_count) })?;
    }
    Ok(())
}

/// What the driver reports of each stage: it writes as many reports as there are stages.
fn check_feedback(info: &impl vk::TaggedStructure, stages: u32) -> Result<(), Refusal> {
    chain::find_all::<vk::PipelineCreationFeedbackCreateInfo<'_>>(info).try_for_each(|feedback| {
        equal_or_none(
            "pCreateInfos[].pNext<VkPipelineCreationFeedbackCreateInfo>.pipelineStageCreationFeedbackCount",
            feedback.pipeline_stage_creation_feedback_count,
            stages,
        )
    })
}

/// The flags of a layout's bindings.
pub(crate) fn check_set_layout(info: &vk::DescriptorSetLayoutCreateInfo<'_>) -> Result<(), Refusal> {
    chain::find_all::<vk::DescriptorSetLayoutBindingFlagsCreateInfo<'_>>(info).try_for_each(|flags| {
        equal_or_none(
            "pCreateInfo->pNext<VkDescriptorSetLayoutBindingFlagsCreateInfo>.bindingCount",
            flags.binding_count,
            info.binding_count,
        )
    })
}

/// The variable descriptor counts of sets.
pub(crate) fn check_set_allocation(info: &vk::DescriptorSetAllocateInfo<'_>) -> Result<(), Refusal> {
    chain::find_all::<vk::DescriptorSetVariableDescriptorCountAllocateInfo<'_>>(info).try_for_each(|counts| {
        equal_or_none(
            "pAllocateInfo->pNext<VkDescriptorSetVariableDescriptorCountAllocateInfo>.descriptorSetCount",
            counts.descriptor_set_count,
            info.descriptor_set_count,
        )
    })
}

/// What a write takes from its chain instead of its own arrays.
pub(crate) fn check_writes(writes: &[vk::WriteDescriptorSet<'_>]) -> Result<(), Refusal> {
    for write in writes {
        let wanted = write.descriptor_count;
        match write.descriptor_type {
            vk::DescriptorType::INLINE_UNIFORM_BLOCK => {
                const MEMBER: &str = "pDescriptorWrites[].pNext<VkWriteDescriptorSetInlineUniformBlock>.dataSize";
                let blocks = chain::find_all::<vk::WriteDescriptorSetInlineUniformBlock<'_>>(write);
                equal_each(MEMBER, blocks.map(|block| block.data_size), wanted)?;
            }
            vk::DescriptorType::ACCELERATION_STRUCTURE_KHR => {
                const MEMBER: &str = "pDescriptorWrites[].pNext<VkWriteDescriptorSetAccelerationStructureKHR>.accelerationStructureCount";
                let lists = chain::find_all::<vk::WriteDescriptorSetAccelerationStructureKHR<'_>>(write);
                equal_each(MEMBER, lists.map(|list| list.acceleration_structure_count), wanted)?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// The writes of vkCmdPushDescriptorSet2.
pub(crate) fn check_push(info: &venus::PushDescriptorSetInfoKHR<'_>) -> Result<(), Refusal> {
    // SAFETY: count and pointer belong together and live as long as `info`: the decoder made them.
    check_writes(unsafe { slice(info.p_descriptor_writes, info.descriptor_write_count) })
}

/// The view masks and offsets of a render pass.
pub(crate) fn check_render_pass(info: &vk::RenderPassCreateInfo<'_>) -> Result<(), Refusal> {
    for views in chain::find_all::<vk::RenderPassMultiviewCreateInfo<'_>>(info) {
        for (member, said, wanted) in [
            (
                "pCreateInfo->pNext<VkRenderPassMultiviewCreateInfo>.subpassCount",
                views.subpass_count,
                info.subpass_count,
            ),
            (
                "pCreateInfo->pNext<VkRenderPassMultiviewCreateInfo>.dependencyCount",
                views.dependency_count,
                info.dependency_count,
            ),
        ] {
            equal_or_none(member, said, wanted)?;
        }
    }
    Ok(())
}

/// The device masks of a submission, and the values of its timeline semaphores.
pub(crate) fn sanitize_submits(args: &mut QueueSubmitArgs<'_>) -> Result<(), Refusal> {
    for submit in args.p_submits.iter().filter(|submit| !submit.p_next.is_null()) {
        trim_values(submit, submit.wait_semaphore_count, submit.signal_semaphore_count);
        for group in chain::find_all::<vk::DeviceGroupSubmitInfo<'_>>(submit) {
            for (member, said, wanted) in [
                (
                    "pSubmits[].pNext<VkDeviceGroupSubmitInfo>.waitSemaphoreCount",
                    group.wait_semaphore_count,
                    submit.wait_semaphore_count,
                ),
                (
                    "pSubmits[].pNext<VkDeviceGroupSubmitInfo>.commandBufferCount",
                    group.command_buffer_count,
                    submit.command_buffer_count,
                ),
                (
                    "pSubmits[].pNext<VkDeviceGroupSubmitInfo>.signalSemaphoreCount",
                    group.signal_semaphore_count,
                    submit.signal_semaphore_count,
                ),
            ] {
                equal(member, said, wanted)?;
            }
        }
    }
    Ok(())
}

/// As [`sanitize_submits`], for sparse binding, which cannot fail.
pub(crate) fn sanitize_sparse_binds(args: &mut QueueBindSparseArgs<'_>) {
    for bind in args.p_bind_info {
        trim_values(bind, bind.wait_semaphore_count, bind.signal_semaphore_count);
    }
}

/// Drops timeline values that do not come in pairs with semaphores. That is legal where no semaphore is a timeline,
/// and they are ignored then; some drivers look at them all the same.
fn trim_values(root: &impl vk::TaggedStructure, waits: u32, signals: u32) {
    for node in chain::nodes::<vk::TimelineSemaphoreSubmitInfo<'_>>(root) {
        // SAFETY: (and for the write below) the node is the decoder's, in memory that it gave out for writing, and
        // nothing else refers to it now: the only way to it is this chain, whose command the callers borrow mutably.
        let mut values = unsafe { node.read() };
        if values.wait_semaphore_value_count != waits {
            (values.wait_semaphore_value_count, values.p_wait_semaphore_values) = (0, ptr::null());
        }
        if values.signal_semaphore_value_count != signals {
            (values.signal_semaphore_value_count, values.p_signal_semaphore_values) = (0, ptr::null());
        }
        // SAFETY: as above.
        unsafe { node.write(values) };
    }
}

/// Gives the queues of a device to be the default global priority. Says whether one had another.
pub(super) fn lower_priorities(info: &vk::DeviceCreateInfo<'_>) -> bool {
    // SAFETY: count and pointer belong together and live as long as `info`: the decoder made them.
    let queues = unsafe { slice(info.p_queue_create_infos, info.queue_create_info_count) };
    let mut lowered = false;
    for node in queues.iter().flat_map(chain::nodes::<vk::DeviceQueueGlobalPriorityCreateInfoKHR<'_>>) {
        // SAFETY: (and for the write below) as in `trim_values`; the way to the node is a chain of the command that
        // creates the device, whose only user this is.
        let mut priority = unsafe { node.read() };
        lowered |= priority.global_priority != vk::QueueGlobalPriorityKHR::MEDIUM;
        priority.global_priority = vk::QueueGlobalPriorityKHR::MEDIUM;
        // SAFETY: as above.
        unsafe { node.write(priority) };
    }
    lowered
}

/// A size as it takes part in sums.
fn bytes(size: usize) -> u64 {
    u64::try_from(size).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use venus_protocol::wire::Handle;

    use super::*;

    #[test]
    fn constants_lie_inside_their_data() {
        let check = |offset, size| {
            let entries = [vk::SpecializationMapEntry { constant_id: 0, offset, size }];
            let constants = vk::SpecializationInfo::default().map_entries(&entries).data(&[0; 8]);
            let stage = vk::PipelineShaderStageCreateInfo::default().specialization_info(&constants);
            check_stages(&[stage]).is_ok()
        };
        assert!(check(0, 8) && check(4, 4) && check(8, 0));
        assert!(!check(4, 8) && !check(u32::MAX, 4) && !check(4, usize::MAX));
    }

    #[test]
    fn code_in_a_chain_is_words() {
        let mut code = vk::ShaderModuleCreateInfo { code_size: 7, ..Default::default() };
        let stage = vk::PipelineShaderStageCreateInfo::default().push_next(&mut code);
        let refusal = check_stages(&[stage]).unwrap_err();
        assert_eq!(refusal.member, "pCreateInfos[].pStages[].pNext<VkShaderModuleCreateInfo>.codeSize");
        assert_eq!(refusal.reason, "7 bytes are not a whole number of words");
    }

    #[test]
    fn every_stage_has_room_for_its_report() {
        let check = |count| {
            let mut all = vk::PipelineCreationFeedback::default();
            let mut reports = [vk::PipelineCreationFeedback::default(); 3];
            let mut feedback = vk::PipelineCreationFeedbackCreateInfo::default()
                .pipeline_creation_feedback(&mut all)
                .pipeline_stage_creation_feedbacks(&mut reports[..count]);
            let stages = [vk::PipelineShaderStageCreateInfo::default(); 2];
            let info = vk::GraphicsPipelineCreateInfo::default().stages(&stages).push_next(&mut feedback);
            check_graphics(&[info]).is_ok()
        };
        assert!(check(0) && check(2));
        assert!(!check(1) && !check(3));
    }

    #[test]
    fn twin_counts_agree() {
        let bindings = [vk::DescriptorSetLayoutBinding::default(); 2];
        let check = |flags: &[vk::DescriptorBindingFlags]| {
            let mut flags = vk::DescriptorSetLayoutBindingFlagsCreateInfo::default().binding_flags(flags);
            let info = vk::DescriptorSetLayoutCreateInfo::default().bindings(&bindings).push_next(&mut flags);
            check_set_layout(&info).is_ok()
        };
        let none = vk::DescriptorBindingFlags::empty();
        assert!(check(&[]) && check(&[none; 2]));
        assert!(!check(&[none; 1]) && !check(&[none; 3]));
    }

    #[test]
    fn a_write_names_all_its_bytes() {
        let check = |count| {
            let mut block = vk::WriteDescriptorSetInlineUniformBlock::default().data(&[0; 8]);
            let write = vk::WriteDescriptorSet::default().descriptor_type(vk::DescriptorType::INLINE_UNIFORM_BLOCK);
            let write = vk::WriteDescriptorSet { descriptor_count: count, ..write.push_next(&mut block) };
            check_writes(&[write]).is_ok()
        };
        assert!(check(8));
        assert!(!check(4) && !check(12));
        let bare = vk::WriteDescriptorSet {
            descriptor_type: vk::DescriptorType::ACCELERATION_STRUCTURE_KHR,
            descriptor_count: 1,
            ..Default::default()
        };
        assert!(check_writes(&[bare]).is_err());
    }

    #[test]
    fn values_without_semaphores_are_dropped() {
        let waits = [vk::Semaphore::null(); 2];
        let mut values =
            vk::TimelineSemaphoreSubmitInfo::default().wait_semaphore_values(&[1]).signal_semaphore_values(&[2]);
        let submit = vk::SubmitInfo::default().wait_semaphores(&waits).signal_semaphores(&waits[..1]);
        let submits = [submit.push_next(&mut values)];
        let (queue, fence) = (Handle::default(), Handle::default());
        sanitize_submits(&mut QueueSubmitArgs { queue, submit_count: 1, p_submits: &submits, fence }).unwrap();
        assert_eq!((values.wait_semaphore_value_count, values.signal_semaphore_value_count), (0, 1));
        assert!(values.p_wait_semaphore_values.is_null());
    }
}
