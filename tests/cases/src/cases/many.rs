//! More fences, timelines and waits at a time than a host may have thought of, as conformance tests and engines with a
//! fence for each of many thousand jobs have them.
//!
//! Right is as natively, or an error code where a bound must stay.

use crate::device::Gpu;
use crate::work::{nanoseconds, submit_behind};
use anyhow::{Context as _, Result, bail, ensure};
use ash::vk;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// Every so many objects are looked at.
const SAMPLE: usize = 997;
/// No limit.
const FOREVER: u64 = u64::MAX;
/// Stack of one of many threads.
const STACK: usize = 128 << 10;

fn destroy_fences(gpu: &Gpu, fences: Vec<vk::Fence>) -> Result<()> {
    gpu.wait_idle()?;
    fences.into_iter().for_each(|fence| unsafe { gpu.device.destroy_fence(fence, None) });
    Ok(())
}

fn destroy_timelines(gpu: &Gpu, timelines: Vec<vk::Semaphore>) -> Result<()> {
    gpu.wait_idle()?;
    timelines.into_iter().for_each(|timeline| unsafe { gpu.device.destroy_semaphore(timeline, None) });
    Ok(())
}

pub(super) fn fences(number: u32) -> Result<String> {
    let gpu = Gpu::new()?;
    let fences = (0..number).map(|at| gpu.fence(at % 2 == 1)).collect::<Result<Vec<_>>>()?;
    for (at, fence) in fences.iter().enumerate().step_by(SAMPLE) {
        let signalled = unsafe { gpu.device.get_fence_status(*fence) }.context("vkGetFenceStatus")?;
        ensure!(signalled == (at % 2 == 1), "fence {at} is not as it was made");
    }
    // The last one that is not signalled.
    let last = fences.len().checked_sub(2).map(|at| fences[at & !1]).context("fewer than two fences")?;
    unsafe { gpu.device.queue_submit(gpu.queue, &[], last) }.context("vkQueueSubmit")?;
    gpu.wait(&[last], nanoseconds(Duration::from_secs(5))).context("waiting for the last fence")?;
    destroy_fences(&gpu, fences)?;
    Ok(format!("{number} fences"))
}

pub(super) fn timelines(number: u32) -> Result<String> {
    let gpu = Gpu::new()?;
    let timelines = (0..number).map(|at| gpu.timeline(at.into())).collect::<Result<Vec<_>>>()?;
    let value = |timeline| unsafe { gpu.device.get_semaphore_counter_value(timeline) };
    for (at, timeline) in (0..number).zip(&timelines).step_by(SAMPLE) {
        ensure!(value(*timeline)? == u64::from(at), "timeline {at} is not as it was made");
    }
    let (last, beyond) = (*timelines.last().context("no timeline")?, u64::from(number) + 5);
    gpu.signal(last, beyond)?;
    ensure!(value(last)? == beyond, "the last timeline was not signalled");
    destroy_timelines(&gpu, timelines)?;
    Ok(format!("{number} timelines"))
}

pub(super) fn wait_all(number: u32) -> Result<String> {
    let gpu = Gpu::new()?;
    let fences = (0..number).map(|_| gpu.fence(true)).collect::<Result<Vec<_>>>()?;
    let soon = nanoseconds(Duration::from_millis(1));
    gpu.wait(&fences, FOREVER).context("waiting for fences that are signalled")?;
    unsafe { gpu.device.reset_fences(&[*fences.last().context("no fence")?]) }.context("vkResetFences")?;
    let answer = gpu.wait(&fences, soon);
    ensure!(answer == Err(vk::Result::TIMEOUT), "one of {number} is not signalled, and the answer is {answer:?}");
    unsafe { gpu.device.wait_for_fences(&fences, false, soon) }.context("waiting for any of them")?;
    destroy_fences(&gpu, fences)?;
    Ok(format!("one wait for {number} fences"))
}

pub(super) fn wait_any(number: u32) -> Result<String> {
    let gpu = Gpu::new()?;
    let timelines = (0..number).map(|_| gpu.timeline(0)).collect::<Result<Vec<_>>>()?;
    let values = vec![7; timelines.len()];
    let info = vk::SemaphoreWaitInfo::default().flags(vk::SemaphoreWaitFlags::ANY);
    let info = info.semaphores(&timelines).values(&values);
    let answer = unsafe { gpu.device.wait_semaphores(&info, nanoseconds(Duration::from_millis(1))) };
    ensure!(answer == Err(vk::Result::TIMEOUT), "none of {number} is signalled, and the answer is {answer:?}");
    gpu.signal(*timelines.last().context("no timeline")?, 7)?;
    unsafe { gpu.device.wait_semaphores(&info, FOREVER) }.context("waiting for any of them")?;
    destroy_timelines(&gpu, timelines)?;
    Ok(format!("one wait for any of {number} timelines"))
}

/// The fences of submissions that wait for `gate` to reach 1.
fn held_back(gpu: &Gpu, gate: vk::Semaphore, number: u32) -> Result<Vec<vk::Fence>> {
    let submit = |_| {
        let fence = gpu.fence(false)?;
        submit_behind(gpu, gate, 1, fence)?;
        Ok(fence)
    };
    (0..number).map(submit).collect()
}

pub(super) fn pending(number: u32) -> Result<String> {
    let gpu = Gpu::new()?;
    let gate = gpu.timeline(0)?;
    let fences = held_back(&gpu, gate, number)?;
    let last = *fences.last().context("no fence")?;
    let signalled = unsafe { gpu.device.get_fence_status(last) }.context("vkGetFenceStatus")?;
    ensure!(!signalled, "a fence of work that waits is signalled");
    gpu.signal(gate, 1)?;
    let patience = nanoseconds(Duration::from_secs(20));
    for fence in &fences {
        gpu.wait(&[*fence], patience).context("waiting for work that was held back")?;
    }
    destroy_fences(&gpu, fences)?;
    Ok(format!("{number} submissions"))
}

/// Threads that wait, each for one thing, until `release` lets all of them go.
fn waiting_threads<T: Copy + Send + Sync>(
    things: &[T],
    wait: impl Fn(T) -> Result<(), vk::Result> + Sync,
    release: impl FnOnce() -> Result<()>,
) -> Result<()> {
    let (waiting, released) = (AtomicU32::new(0), AtomicU32::new(0));
    let one = |thing: T| {
        waiting.fetch_add(1, Ordering::Relaxed);
        let answer = wait(thing);
        released.fetch_add(1, Ordering::Relaxed);
        answer
    };
    let all = u32::try_from(things.len())?;
    std::thread::scope(|scope| {
        let small = || std::thread::Builder::new().stack_size(STACK);
        let start = |thing: &T| {
            let (one, thing) = (&one, *thing);
            small().spawn_scoped(scope, move || one(thing)).context("starting a thread")
        };
        let threads = things.iter().map(start).collect::<Result<Vec<_>>>()?;
        while waiting.load(Ordering::Relaxed) < all {
            std::thread::sleep(Duration::from_millis(1));
        }
        // Long enough that the last ones have asked their driver, too, which nothing tells. Where it is too short, they
        // find what they wait for released already: right as well, and no test of waiting.
        std::thread::sleep(Duration::from_millis(500));
        let early = released.load(Ordering::Relaxed);
        release()?;
        for thread in threads {
            thread.join().expect("a waiting thread does not panic").context("waiting in a thread")?;
        }
        if early > 0 { bail!("{early} threads were released too early") } else { Ok(()) }
    })
}

pub(super) fn timeline_threads(number: u32) -> Result<String> {
    let gpu = Gpu::new()?;
    let timelines = (0..number).map(|_| gpu.timeline(0)).collect::<Result<Vec<_>>>()?;
    let release = || timelines.iter().try_for_each(|timeline| gpu.signal(*timeline, 1));
    waiting_threads(&timelines, |timeline| gpu.wait_value(timeline, 1, FOREVER), release)?;
    destroy_timelines(&gpu, timelines)?;
    Ok(format!("{number} threads"))
}

pub(super) fn fence_threads(number: u32) -> Result<String> {
    let gpu = Gpu::new()?;
    let gate = gpu.timeline(0)?;
    let fences = held_back(&gpu, gate, number)?;
    waiting_threads(&fences, |fence| gpu.wait(&[fence], FOREVER), || gpu.signal(gate, 1))?;
    destroy_fences(&gpu, fences)?;
    Ok(format!("{number} threads"))
}
