//! Pipelines, their layouts and caches.
//!
//! Compiling takes long, and guests do it on rings of their own so that others go on; so does the host, which tells the
//! object table what a compilation uses.

use venus_protocol::{
    args::*,
    dispatch::PipelineCommands,
    vk::{self, Handle as _},
    wire::{Command, NewHandles},
};

use super::{REFUSED, created, destroy, forward, with_room};
use crate::{
    driver::{
        bounds::{self, passes, pipelines},
        sanitize,
    },
    endpoint::{Endpoint, Shortfall},
    error::Interrupt,
    object::{Cause, Uses},
};

/// shaderGroupHandleSize: the specification leaves no choice.
const GROUP_HANDLE_BYTES: u64 = 32;

/// shaderGroupHandleCaptureReplaySize is at most this.
const REPLAY_HANDLE_BYTES: u64 = 64;

/// Calls the driver with room for so many bytes per shader group.
macro_rules! group_handles {
    ($endpoint:ident, $args:ident, $from:ident, $bytes:expr) => {{
        let $args { device, pipeline, first_group, group_count, data_size, .. } = *$from;
        let owner = $endpoint.device(device.id)?;
        $endpoint.check_known(&owner, |known| {
            pipelines::check_groups(known, "groupCount", pipeline.raw, [first_group, group_count])
        })?;
        let needed = u64::from(group_count).saturating_mul($bytes);
        with_room($args::NAME, $from.p_data, needed, |p_data| {
            $endpoint.forward(&mut $args { device, pipeline, first_group, group_count, data_size, p_data })
        })
    }};
}

impl PipelineCommands for Endpoint {
    destroy! {
        destroy_pipeline(DestroyPipelineArgs).pipeline;
        destroy_pipeline_cache(DestroyPipelineCacheArgs).pipeline_cache;
        destroy_pipeline_layout(DestroyPipelineLayoutArgs).pipeline_layout;
    }

    forward! {
        merge_pipeline_caches(MergePipelineCachesArgs<'_>);
    }

    /// Drivers keep sets and push constants in tables of a fixed size.
    fn create_pipeline_layout(&mut self, args: &mut CreatePipelineLayoutArgs<'_>) -> Result<vk::Result, Interrupt> {
        let device = self.device(args.device.id)?;
        device.check_pipeline_layout(args.p_create_info).map_err(|refusal| self.left_out_for(refusal))?;
        let result = self.forward(args)?;
        if let Some(layout) = created(result, &args.p_pipeline_layout) {
            device.note_pipeline_layout(layout, args.p_create_info);
        }
        self.adopt(args.device.id, result, &args.p_pipeline_layout)
    }

    /// Data that this host's driver has not written is left out: drivers parse it.
    fn create_pipeline_cache(&mut self, args: &mut CreatePipelineCacheArgs<'_>) -> Result<vk::Result, Interrupt> {
        let (info, is_foreign) = self.device(args.device.id)?.vetted_cache(args.p_create_info);
        if is_foreign {
            self.fall_short(Shortfall::Refused);
            tracing::debug!("pipeline-cache data without a tag of this host's: the cache begins empty");
        }
        let new = &mut args.p_pipeline_cache;
        let p_pipeline_cache = NewHandles { ids: &mut *new.ids, raws: &mut *new.raws };
        let mut vetted = CreatePipelineCacheArgs { device: args.device, p_create_info: &info, p_pipeline_cache };
        let result = self.forward(&mut vetted)?;
        self.adopt(args.device.id, result, &args.p_pipeline_cache)
    }

    /// Guests get a tag behind the data, by which it is known when they bring it back.
    fn get_pipeline_cache_data(&mut self, args: &mut GetPipelineCacheDataArgs<'_>) -> Result<vk::Result, Interrupt> {
        let owner = self.device(args.device.id)?;
        let Some(tags) = owner.cache_tags() else { return self.forward(args) };
        let GetPipelineCacheDataArgs { device, pipeline_cache, .. } = *args;
        if args.p_data.is_empty() {
            let result = self.forward(args)?;
            if result.as_raw() >= 0 {
                *args.p_data_size = tags.size_of(*args.p_data_size);
            }
            return Ok(result);
        }
        let Some(p_data) = tags.room(args.p_data) else {
            // No cache is as small as that: its header alone is larger.
            *args.p_data_size = 0;
            return Ok(vk::Result::INCOMPLETE);
        };
        let mut size = p_data.len();
        let p_data_size = &mut size;
        let result = self.forward(&mut GetPipelineCacheDataArgs { device, pipeline_cache, p_data_size, p_data })?;
        if result.as_raw() >= 0 {
            *args.p_data_size = tags.seal(args.p_data, size);
        }
        Ok(result)
    }

    /// Drivers write a handle per group, however much room there is.
    fn get_ray_tracing_shader_group_handles_khr(
        &mut self,
        args: &mut GetRayTracingShaderGroupHandlesKHRArgs<'_>,
    ) -> Result<vk::Result, Interrupt> {
        group_handles!(self, GetRayTracingShaderGroupHandlesKHRArgs, args, GROUP_HANDLE_BYTES)
    }

    /// As above, for handles whose size is the driver's choice.
    fn get_ray_tracing_capture_replay_shader_group_handles_khr(
        &mut self,
        args: &mut GetRayTracingCaptureReplayShaderGroupHandlesKHRArgs<'_>,
    ) -> Result<vk::Result, Interrupt> {
        group_handles!(self, GetRayTracingCaptureReplayShaderGroupHandlesKHRArgs, args, REPLAY_HANDLE_BYTES)
    }

    /// The group is one of the pipeline's.
    fn get_ray_tracing_shader_group_stack_size_khr(
        &mut self,
        args: &mut GetRayTracingShaderGroupStackSizeKHRArgs,
    ) -> Result<vk::DeviceSize, Interrupt> {
        self.forward_known(args, |_, known, args| {
            pipelines::check_groups(known, "group", args.pipeline.raw, [args.group, 1])
        })
    }

    /// Lengths that are said twice are compared, and stages and tables looked at, first.
    fn create_graphics_pipelines(
        &mut self,
        args: &mut CreateGraphicsPipelinesArgs<'_>,
    ) -> Result<vk::Result, Interrupt> {
        let checked = sanitize::check_graphics(args.p_create_infos);
        let device = self.device(args.device.id)?;
        let checked = checked.and_then(|()| device.limit_graphics(args));
        checked.map_err(|refusal| self.left_out_for(refusal))?;
        self.check_known(&device, |known| passes::check_pipelines(known, args.p_create_infos))?;
        let result = self.forward_long(Uses::PIPELINES, args)?;
        device.note_graphics(args.p_pipelines.raws, args.p_create_infos);
        self.adopt_pipelines(args.device.id, result, &mut args.p_pipelines)
    }

    /// Lengths that are said twice are compared, and the stage looked at, first.
    fn create_compute_pipelines(&mut self, args: &mut CreateComputePipelinesArgs<'_>) -> Result<vk::Result, Interrupt> {
        let checked =
            sanitize::check_compute(args.p_create_infos).and_then(|()| bounds::check_compute(args.p_create_infos));
        checked.map_err(|refusal| self.left_out_for(refusal))?;
        let result = self.forward_long(Uses::PIPELINES, args)?;
        self.device(args.device.id)?.note_compute(args.p_pipelines.raws, args.p_create_infos);
        self.adopt_pipelines(args.device.id, result, &mut args.p_pipelines)
    }

    /// Lengths that are said twice are compared, and stages and groups looked at, first.
    fn create_ray_tracing_pipelines_khr(
        &mut self,
        args: &mut CreateRayTracingPipelinesKHRArgs<'_>,
    ) -> Result<vk::Result, Interrupt> {
        if args.deferred_operation.id != 0 {
            let reason = "guest drivers defer operations themselves, so it has to be null";
            return Err(self.fatal(reason).member("deferredOperation").advice(REFUSED).into());
        }
        let checked = sanitize::check_ray_tracing(args.p_create_infos)
            .and_then(|()| bounds::check_ray_tracing(args.p_create_infos));
        checked.map_err(|refusal| self.left_out_for(refusal))?;
        let result = self.forward_long(Uses::PIPELINES, args)?;
        self.device(args.device.id)?.note_ray_tracing(args.p_pipelines.raws, args.p_create_infos);
        self.adopt_pipelines(args.device.id, result, &mut args.p_pipelines)
    }
}

impl Endpoint {
    /// Registers what a command for several pipelines has created, whatever its result: each pipeline exists or not on
    /// its own account. The guest is told 0 for those that do not.
    fn adopt_pipelines(
        &mut self,
        device: u64,
        result: vk::Result,
        new: &mut NewHandles<'_, vk::Pipeline>,
    ) -> Result<vk::Result, Interrupt> {
        if result.as_raw() < 0 {
            self.note_failure(&result.into());
        }
        self.register(device, new)?;
        let cause = Cause::never_created(self.command(), result);
        for (id, _) in new.ids.iter_mut().zip(new.raws.iter()).filter(|(_, raw)| raw.is_null()) {
            self.shared.objects.record_uncreated(vk::ObjectType::PIPELINE, device, &[*id], cause);
            *id = 0;
        }
        Ok(result)
    }
}
