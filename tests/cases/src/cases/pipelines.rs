//! Pipelines that the driver refuses, because their shader imports an instruction set that nobody knows; and more
//! pipelines at a time than a host may have thought of.
//!
//! A thread that has made a device or submitted creates pipelines in Mesa's guest without asking for the answer, so it
//! learns nothing of a refusal. Right is as natively where the bad pipeline is not used; where it is, only that is
//! missing, or the program ends within seconds.

use crate::Skip;
use crate::compute::{Compute, Wanted, module};
use crate::device::{Found, Gpu};
use crate::memory::alive;
use crate::shader;
use crate::work::{Commands, run};
use anyhow::{Context as _, Result, ensure};
use ash::vk;
use std::sync::Barrier;

/// Some drivers look away from instruction sets that are not used.
const TAKEN: Skip = Skip("the driver takes the shader");
/// What the good pipeline multiplies with.
const GOOD: u32 = 9;
/// What three pipelines of one call multiply with.
const THREE: [u32; 3] = [3, 5, 7];

/// A device, a pipeline that works, and where it is wanted a module that makes none.
struct Bench {
    gpu: Gpu,
    compute: Compute,
    good: vk::Pipeline,
    bad: vk::ShaderModule,
}

impl Bench {
    fn new() -> Result<Self> {
        let mut control = vk::PhysicalDeviceVulkan13Features::default().pipeline_creation_cache_control(true);
        let gpu = Found::new()?.open(vk::DeviceCreateInfo::default().push_next(&mut control))?;
        let compute = Compute::new(&gpu)?;
        let good = compute.pipeline(&gpu, GOOD)?;
        let bench = Self { gpu, compute, good, bad: vk::ShaderModule::null() };
        bench.still_works()?;
        Ok(bench)
    }

    /// The same, with a module that makes no pipeline.
    fn with_bad() -> Result<Self> {
        let bench = Self::new()?;
        Ok(Self { bad: module(&bench.gpu, &shader::refused())?, ..bench })
    }

    fn still_works(&self) -> Result<()> {
        self.compute.check(&self.gpu, self.good, GOOD).context("the good pipeline")
    }

    /// Makes one that cannot be made. What comes back may look like one.
    fn create_bad(&self) -> (vk::Result, vk::Pipeline) {
        let (answer, pipelines) = self.compute.create(&self.gpu, &[Wanted::new(self.bad, 3)]);
        (answer, pipelines.first().copied().unwrap_or_default())
    }

    /// Makes three in one call.
    fn create_three(&self, flags: vk::PipelineCreateFlags, bad: Option<usize>) -> (vk::Result, Vec<vk::Pipeline>) {
        let module = |at| if bad == Some(at) { self.bad } else { self.compute.module };
        let wanted = THREE.into_iter().enumerate().map(|(at, k)| Wanted { flags, ..Wanted::new(module(at), k) });
        self.compute.create(&self.gpu, &wanted.collect::<Vec<_>>())
    }

    /// Tries those that came to be.
    fn check_three(&self, pipelines: &[vk::Pipeline]) -> Result<()> {
        let real = pipelines.iter().zip(THREE).filter(|(pipeline, _)| **pipeline != vk::Pipeline::null());
        real.into_iter().try_for_each(|(pipeline, k)| self.compute.check(&self.gpu, *pipeline, k))
    }

    fn destroy(&self, pipeline: vk::Pipeline) {
        unsafe { self.gpu.device.destroy_pipeline(pipeline, None) };
    }
}

/// `1 0 1`: which of them are no null handles.
fn shape(pipelines: &[vk::Pipeline]) -> String {
    let digits = pipelines.iter().map(|pipeline| if *pipeline == vk::Pipeline::null() { "0" } else { "1" });
    digits.collect::<Vec<_>>().join(" ")
}

/// Does something on a thread that has asked for nothing yet.
fn on_fresh_thread<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| scope.spawn(work).join()).expect("a case does not panic")
}

pub(super) fn destroy(times: u32) -> Result<String> {
    let bench = Bench::with_bad()?;
    for _ in 0..times {
        bench.destroy(bench.create_bad().1);
    }
    bench.still_works()?;
    Ok(format!("{times} times"))
}

pub(super) fn three(_: u32) -> Result<String> {
    let bench = Bench::with_bad()?;
    let (_, pipelines) = bench.create_three(vk::PipelineCreateFlags::empty(), Some(1));
    let null = vk::Pipeline::null();
    ensure!(pipelines[0] != null && pipelines[2] != null, "good pipelines are null: {}", shape(&pipelines));
    // A guest that was told nothing has a second one, too, and may not use it.
    bench.check_three(&[pipelines[0], null, pipelines[2]])?;
    pipelines.into_iter().for_each(|pipeline| bench.destroy(pipeline));
    bench.still_works()?;
    Ok("the first and the third work".to_owned())
}

pub(super) fn three_fresh(_: u32) -> Result<String> {
    let bench = Bench::with_bad()?;
    let (answer, pipelines) = on_fresh_thread(|| bench.create_three(vk::PipelineCreateFlags::empty(), Some(1)));
    bench.check_three(&pipelines)?;
    alive(&bench.gpu, 5)?;
    let (code, handles) = (answer.as_raw(), shape(&pipelines));
    ensure!(code != 0 || handles != "1 1 1", TAKEN);
    ensure!(code < 0 && handles == "1 0 1", "answer {code}, handles {handles}");
    Ok(format!("error {code}, handles {handles}"))
}

pub(super) fn fresh(_: u32) -> Result<String> {
    let bench = Bench::with_bad()?;
    let (answer, pipeline) = on_fresh_thread(|| bench.create_bad());
    bench.still_works()?;
    ensure!(answer.as_raw() != 0 || pipeline == vk::Pipeline::null(), TAKEN);
    ensure!(answer.as_raw() < 0 && pipeline == vk::Pipeline::null(), "answer {}, handle {pipeline:?}", answer.as_raw());
    Ok(format!("error {}", answer.as_raw()))
}

pub(super) fn early_0(_: u32) -> Result<String> {
    early(vk::PipelineCreateFlags::empty())
}

pub(super) fn early_1(_: u32) -> Result<String> {
    early(vk::PipelineCreateFlags::EARLY_RETURN_ON_FAILURE)
}

/// Pipelines that may not be compiled now: which of them come to be is the driver's business.
fn early(more: vk::PipelineCreateFlags) -> Result<String> {
    let bench = Bench::new()?;
    let (answer, pipelines) =
        bench.create_three(vk::PipelineCreateFlags::FAIL_ON_PIPELINE_COMPILE_REQUIRED | more, None);
    bench.check_three(&pipelines)?;
    let handles = shape(&pipelines);
    pipelines.into_iter().for_each(|pipeline| bench.destroy(pipeline));
    bench.still_works()?;
    Ok(format!("answer {}, handles {handles}", answer.as_raw()))
}

pub(super) fn record(_: u32) -> Result<String> {
    let bench = Bench::with_bad()?;
    let (_, bad) = bench.create_bad();
    if bad != vk::Pipeline::null() {
        let commands = Commands::new(&bench.gpu)?;
        commands.record(&bench.gpu, |device, buffer| bench.compute.dispatch(device, buffer, bad, 1))?;
    }
    bench.still_works().context("in another command buffer")?;
    Ok("another command buffer works".to_owned())
}

pub(super) fn submit(_: u32) -> Result<String> {
    let bench = Bench::with_bad()?;
    let (answer, bad) = bench.create_bad();
    if bad == vk::Pipeline::null() {
        return Ok(format!("refused with {}", answer.as_raw()));
    }
    run(&bench.gpu, |device, buffer| bench.compute.dispatch(device, buffer, bad, 1))
        .context("the bad pipeline's work")?;
    bench.still_works()?;
    Ok("the work is missing, and nothing else".to_owned())
}

pub(super) fn derive(_: u32) -> Result<String> {
    let bench = Bench::with_bad()?;
    let (_, base) = bench.create_bad();
    let derivative = vk::PipelineCreateFlags::DERIVATIVE;
    let flags = if base == vk::Pipeline::null() { vk::PipelineCreateFlags::empty() } else { derivative };
    let wanted = Wanted { flags, base, ..Wanted::new(bench.compute.module, 11) };
    let (answer, derived) = bench.compute.create(&bench.gpu, &[wanted]);
    bench.still_works()?;
    if answer == vk::Result::SUCCESS {
        bench.compute.check(&bench.gpu, derived[0], 11).context("the derivative")?;
    }
    Ok(format!("derivative {}", answer.as_raw()))
}

pub(super) fn threads(number: u32) -> Result<String> {
    let bench = Bench::new()?;
    // Each waits for all: none is over before the last one has made its pipeline.
    let all = Barrier::new(usize::try_from(number)?);
    let one = || {
        let (answer, pipelines) = bench.compute.create(&bench.gpu, &[Wanted::new(bench.compute.module, GOOD)]);
        all.wait();
        pipelines.into_iter().for_each(|pipeline| bench.destroy(pipeline));
        answer.result()
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..number).map(|_| scope.spawn(one)).collect();
        threads.into_iter().try_for_each(|thread| thread.join().expect("a compiling thread does not panic"))
    })
    .context("vkCreateComputePipelines")?;
    bench.still_works()?;
    Ok(format!("{number} threads"))
}

pub(super) fn cache_data(mib: u32) -> Result<String> {
    let bench = Bench::new()?;
    // No driver knows such data; all that is asked of it is to say so, or to begin with an empty cache.
    let data = vec![1; usize::try_from(mib)? << 20];
    let info = vk::PipelineCacheCreateInfo::default().initial_data(&data);
    let cache = unsafe { bench.gpu.device.create_pipeline_cache(&info, None) }.context("vkCreatePipelineCache")?;
    unsafe { bench.gpu.device.destroy_pipeline_cache(cache, None) };
    bench.still_works()?;
    Ok(format!("{mib} MiB"))
}
