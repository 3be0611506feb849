//! What breaks the rules about pipelines, and numbers with names.

use venus_protocol::wire::CommandType;

use super::planted::{Planted, plant};

pub(super) const PLANTED: &[Planted] =
    &[
        plant(
            "vkCmdBindPipeline-pipelineBindPoint-00779",
            CommandType::CMD_BIND_PIPELINE,
            &[("vkCmdBindPipeline", "pipelineBindPoint", 1)],
            "is one for the bind point 1000165000, and is bound to 1",
        ),
        plant(
            "vkCmdBindPipeline-pipelineBindPoint-00780",
            CommandType::CMD_BIND_PIPELINE,
            &[("vkCmdBindPipeline", "pipelineBindPoint", 0)],
            "is one for the bind point 1000165000, and is bound to 0",
        ),
        plant("vkCmdBindPipeline-pipeline-03382", CommandType::CMD_BIND_PIPELINE, &[], "pipeline: is a library")
            .of(&[("VkRayTracingPipelineCreateInfoKHR", "flags", 0x800)]),
        plant(
            "vkCmdBindPipeline-pipelineBindPoint-parameter",
            CommandType::CMD_BIND_PIPELINE,
            &[("vkCmdBindPipeline", "pipelineBindPoint", 7)],
            "pipelineBindPoint: is 7, which is none",
        ),
        plant(
            "vkCmdBindDescriptorSets-pipelineBindPoint-parameter",
            CommandType::CMD_BIND_DESCRIPTOR_SETS,
            &[("vkCmdBindDescriptorSets", "pipelineBindPoint", 7)],
            "pipelineBindPoint: is 7, which is none",
        ),
        plant(
            "vkCmdPushDescriptorSet-pipelineBindPoint-parameter",
            CommandType::CMD_PUSH_DESCRIPTOR_SET,
            &[("vkCmdPushDescriptorSet", "pipelineBindPoint", 7)],
            "pipelineBindPoint: is 7, which is none",
        ),
        plant(
            "vkGetRayTracingShaderGroupHandlesKHR-firstGroup-02419",
            CommandType::GET_RAY_TRACING_SHADER_GROUP_HANDLES_KHR,
            &[("vkGetRayTracingShaderGroupHandlesKHR", "groupCount", 2)],
            "groupCount: 2 from 0 are more than the limit of 1",
        ),
        plant(
            "vkGetRayTracingShaderGroupHandlesKHR-firstGroup-04050",
            CommandType::GET_RAY_TRACING_SHADER_GROUP_HANDLES_KHR,
            &[("vkGetRayTracingShaderGroupHandlesKHR", "firstGroup", 1)],
            "groupCount: 1 from 1 are more than the limit of 1",
        ),
        plant(
            "vkGetRayTracingCaptureReplayShaderGroupHandlesKHR-firstGroup-03483",
            CommandType::GET_RAY_TRACING_CAPTURE_REPLAY_SHADER_GROUP_HANDLES_KHR,
            &[("vkGetRayTracingCaptureReplayShaderGroupHandlesKHR", "groupCount", 2)],
            "groupCount: 2 from 0 are more than the limit of 1",
        ),
        plant(
            "vkGetRayTracingCaptureReplayShaderGroupHandlesKHR-firstGroup-04051",
            CommandType::GET_RAY_TRACING_CAPTURE_REPLAY_SHADER_GROUP_HANDLES_KHR,
            &[("vkGetRayTracingCaptureReplayShaderGroupHandlesKHR", "firstGroup", 1)],
            "groupCount: 1 from 1 are more than the limit of 1",
        ),
        plant(
            "vkGetRayTracingShaderGroupStackSizeKHR-group-03608",
            CommandType::GET_RAY_TRACING_SHADER_GROUP_STACK_SIZE_KHR,
            &[("vkGetRayTracingShaderGroupStackSizeKHR", "group", 1)],
            "group: 1 from 1 are more than the limit of 1",
        ),
        plant(
            "vkCmdSetPrimitiveTopology-primitiveTopology-parameter",
            CommandType::CMD_SET_PRIMITIVE_TOPOLOGY,
            &[("vkCmdSetPrimitiveTopology", "primitiveTopology", 11)],
            "primitiveTopology: is 11, which is none",
        ),
        plant(
            "vkCmdSetDepthCompareOp-depthCompareOp-parameter",
            CommandType::CMD_SET_DEPTH_COMPARE_OP,
            &[("vkCmdSetDepthCompareOp", "depthCompareOp", 8)],
            "depthCompareOp: is 8, which is none",
        ),
        plant(
            "vkCmdSetLogicOpEXT-logicOp-parameter",
            CommandType::CMD_SET_LOGIC_OP_EXT,
            &[("vkCmdSetLogicOpEXT", "logicOp", 16)],
            "logicOp: is 16, which is none",
        ),
        plant(
            "vkCmdSetStencilOp-failOp-parameter",
            CommandType::CMD_SET_STENCIL_OP,
            &[("vkCmdSetStencilOp", "failOp", 8)],
            "failOp: is 8, which is none",
        ),
        plant(
            "vkCmdSetStencilOp-passOp-parameter",
            CommandType::CMD_SET_STENCIL_OP,
            &[("vkCmdSetStencilOp", "passOp", 8)],
            "passOp: is 8, which is none",
        ),
        plant(
            "vkCmdSetStencilOp-depthFailOp-parameter",
            CommandType::CMD_SET_STENCIL_OP,
            &[("vkCmdSetStencilOp", "depthFailOp", 8)],
            "depthFailOp: is 8, which is none",
        ),
        plant(
            "vkCmdSetStencilOp-compareOp-parameter",
            CommandType::CMD_SET_STENCIL_OP,
            &[("vkCmdSetStencilOp", "compareOp", 8)],
            "compareOp: is 8, which is none",
        ),
    ];
