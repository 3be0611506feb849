//! Pipelines, their layouts and caches.
//!
//! Compiling takes long, and guests do it on rings of their own so that others go on; so does the host, which tells the
//! object table what a compilation uses.

use venus_protocol::{
    args::*,
    dispatch::PipelineCommands,
    vk,
    wire::{Command, NewHandles},
};

use super::{REFUSED, create, destroy, forward, with_room};
use crate::{HostError, context::Dispatcher, driver::sanitize, error::Fatal, object::Uses};

/// shaderGroupHandleSize: the specification leaves no choice.
const GROUP_HANDLE_BYTES: u64 = 32;

/// shaderGroupHandleCaptureReplaySize is at most this.
const REPLAY_HANDLE_BYTES: u64 = 64;

impl PipelineCommands for Dispatcher {
    create! {
        create_pipeline_cache(CreatePipelineCacheArgs<'_>).p_pipeline_cache;
        create_pipeline_layout(CreatePipelineLayoutArgs<'_>).p_pipeline_layout;
    }

    destroy! {
        destroy_pipeline(DestroyPipelineArgs).pipeline;
        destroy_pipeline_cache(DestroyPipelineCacheArgs).pipeline_cache;
        destroy_pipeline_layout(DestroyPipelineLayoutArgs).pipeline_layout;
    }

    forward! {
        get_pipeline_cache_data(GetPipelineCacheDataArgs<'_>);
        merge_pipeline_caches(MergePipelineCachesArgs<'_>);
        get_ray_tracing_shader_group_stack_size_khr(GetRayTracingShaderGroupStackSizeKHRArgs);
    }

    /// Drivers write a handle per group, however much room there is.
    fn get_ray_tracing_shader_group_handles_khr(
        &mut self,
        args: &mut GetRayTracingShaderGroupHandlesKHRArgs<'_>,
    ) -> Result<vk::Result, HostError> {
        const NAME: &str = GetRayTracingShaderGroupHandlesKHRArgs::NAME;
        let GetRayTracingShaderGroupHandlesKHRArgs { device, pipeline, first_group, group_count, data_size, .. } =
            *args;
        let needed = u64::from(group_count).saturating_mul(GROUP_HANDLE_BYTES);
        with_room(NAME, args.p_data, needed, |p_data| {
            self.forward(&mut GetRayTracingShaderGroupHandlesKHRArgs {
                device,
                pipeline,
                first_group,
                group_count,
                data_size,
                p_data,
            })
        })
    }

    /// As above, for handles whose size is the driver's choice.
    fn get_ray_tracing_capture_replay_shader_group_handles_khr(
        &mut self,
        args: &mut GetRayTracingCaptureReplayShaderGroupHandlesKHRArgs<'_>,
    ) -> Result<vk::Result, HostError> {
        const NAME: &str = GetRayTracingCaptureReplayShaderGroupHandlesKHRArgs::NAME;
        let GetRayTracingCaptureReplayShaderGroupHandlesKHRArgs {
            device,
            pipeline,
            first_group,
            group_count,
            data_size,
            ..
        } = *args;
        let needed = u64::from(group_count).saturating_mul(REPLAY_HANDLE_BYTES);
        with_room(NAME, args.p_data, needed, |p_data| {
            self.forward(&mut GetRayTracingCaptureReplayShaderGroupHandlesKHRArgs {
                device,
                pipeline,
                first_group,
                group_count,
                data_size,
                p_data,
            })
        })
    }

    fn create_graphics_pipelines(
        &mut self,
        args: &mut CreateGraphicsPipelinesArgs<'_>,
    ) -> Result<vk::Result, HostError> {
        const NAME: &str = CreateGraphicsPipelinesArgs::NAME;
        sanitize::check_graphics(NAME, args.p_create_infos)?;
        let result = self.forward_long(Uses::PIPELINES, args)?;
        self.adopt_pipelines(NAME, args.device.id, result, &mut args.p_pipelines)
    }

    fn create_compute_pipelines(&mut self, args: &mut CreateComputePipelinesArgs<'_>) -> Result<vk::Result, HostError> {
        const NAME: &str = CreateComputePipelinesArgs::NAME;
        sanitize::check_compute(NAME, args.p_create_infos)?;
        let result = self.forward_long(Uses::PIPELINES, args)?;
        self.adopt_pipelines(NAME, args.device.id, result, &mut args.p_pipelines)
    }

    fn create_ray_tracing_pipelines_khr(
        &mut self,
        args: &mut CreateRayTracingPipelinesKHRArgs<'_>,
    ) -> Result<vk::Result, HostError> {
        const NAME: &str = CreateRayTracingPipelinesKHRArgs::NAME;
        if args.deferred_operation.id != 0 {
            let reason = "guest drivers defer operations themselves, so it has to be null";
            return Err(Fatal::new(NAME, reason).member("deferredOperation").advice(REFUSED).into());
        }
        sanitize::check_ray_tracing(NAME, args.p_create_infos)?;
        let result = self.forward_long(Uses::PIPELINES, args)?;
        self.adopt_pipelines(NAME, args.device.id, result, &mut args.p_pipelines)
    }
}

impl Dispatcher {
    /// Registers what a command for several pipelines has created. After a failure nothing is kept; after a success,
    /// which includes VK_PIPELINE_COMPILE_REQUIRED, those that exist. The guest is told 0 for the others, whose ids
    /// stay free.
    fn adopt_pipelines(
        &mut self,
        command: &'static str,
        device: u64,
        result: vk::Result,
        new: &mut NewHandles<'_, vk::Pipeline>,
    ) -> Result<vk::Result, HostError> {
        if result.as_raw() < 0 {
            self.discard(command, device, new.raws)?;
            new.raws.fill(vk::Pipeline::null());
        }
        let result = self.adopt(command, device, result, new)?;
        for (id, raw) in new.ids.iter_mut().zip(new.raws.iter()) {
            if *raw == vk::Pipeline::null() {
                *id = 0;
            }
        }
        Ok(result)
    }
}
