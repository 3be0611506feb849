//! The same, of pipelines: they are bound where pipelines of their kind are, and have the groups of shaders that are asked for.
//!
//! Drivers take a pipeline for one of the kind that a command is about, and keep what is bound in arrays by kind.

use ash::vk;

use super::{
    super::{
        Refusal, chain,
        device::slice,
        made::{Known, Pipeline},
    },
    refusal, span,
};

/// VK_PIPELINE_CREATE_2_LIBRARY_BIT_KHR.
const LIBRARY: u64 = 0x800;

/// What a pipeline is made with.
pub(in super::super) fn made(
    bind_point: vk::PipelineBindPoint,
    info: &impl vk::TaggedStructure,
    flags: vk::PipelineCreateFlags,
    groups: u32,
) -> Pipeline {
    // Newer flags stand in for all of the older.
    let newer = chain::find_all::<vk::PipelineCreateFlags2CreateInfoKHR<'_>>(info).next();
    let flags = newer.map_or(flags.as_raw().into(), |newer| newer.flags.as_raw());
    Pipeline { bind_point: bind_point.as_raw(), is_library: flags & LIBRARY != 0, groups }
}

/// The libraries of a ray tracing pipeline.
pub(in super::super) fn libraries<'a>(info: &vk::RayTracingPipelineCreateInfoKHR<'a>) -> &'a [vk::Pipeline] {
    // SAFETY: null or made by the decoder, by this room's contract.
    let libraries = unsafe { info.p_library_info.as_ref() };
    // SAFETY: count and pointer belong together and live as long as `info`: the decoder made them.
    libraries.map_or(&[][..], |libraries| unsafe { slice(libraries.p_libraries, libraries.library_count) })
}

/// There is such a place for pipelines and descriptor sets.
#[inline]
pub(crate) fn check_bind_point(bind_point: vk::PipelineBindPoint) -> Result<(), Refusal> {
    match bind_point {
        vk::PipelineBindPoint::GRAPHICS | vk::PipelineBindPoint::COMPUTE | vk::PipelineBindPoint::RAY_TRACING_KHR => {
            Ok(())
        }
        other => Err(no_bind_point(other)),
    }
}

#[cold]
fn no_bind_point(other: vk::PipelineBindPoint) -> Refusal {
    refusal("pipelineBindPoint", format!("is {}, which is none", other.as_raw()))
}

/// A pipeline is bound where pipelines of its kind are.
#[inline]
pub(crate) fn check_bound(
    known: &mut Known<'_>,
    bind_point: vk::PipelineBindPoint,
    pipeline: vk::Pipeline,
) -> Result<(), Refusal> {
    check_bind_point(bind_point)?;
    match known.pipeline(pipeline) {
        Some(made) if made.bind_point != bind_point.as_raw() || made.is_library => Err(elsewhere(bind_point, made)),
        _ => Ok(()),
    }
}

#[cold]
fn elsewhere(bind_point: vk::PipelineBindPoint, made: Pipeline) -> Refusal {
    if made.is_library {
        return refusal("pipeline", "is a library".to_owned());
    }
    let bind_point = bind_point.as_raw();
    refusal("pipeline", format!("is one for the bind point {}, and is bound to {bind_point}", made.bind_point))
}

/// So many groups of shaders from the first are a ray tracing pipeline's; `member` says which.
pub(crate) fn check_groups(
    known: &mut Known<'_>,
    member: &'static str,
    pipeline: vk::Pipeline,
    [first, count]: [u32; 2],
) -> Result<(), Refusal> {
    let Some(made) = known.pipeline(pipeline) else { return Ok(()) };
    if made.bind_point != vk::PipelineBindPoint::RAY_TRACING_KHR.as_raw() {
        return Err(refusal("pipeline", "traces no rays".to_owned()));
    }
    span(member, first, count, made.groups)
}
