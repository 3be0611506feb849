//! The host's process dies under the program, as of a driver's crash or for want of memory: "black window, all hangs".
//!
//! Whoever runs one of these kills the host's worker once it says READY. Right is a lost device, or an end with a message,
//! within seconds and without a busy loop meanwhile. Natively there is nothing to compare: the driver is this process.

use super::ready;
use crate::compute::{Compute, Wanted, module};
use crate::device::Gpu;
use crate::memory::Mapped;
use crate::shader;
use crate::work::{Commands, fill, nanoseconds};
use anyhow::{Context as _, Result, bail};
use ash::vk;
use std::time::{Duration, Instant};

/// What the work fills, so many times that it is not over before the host is.
const BYTES: u64 = 32 << 20;
const TIMES: u32 = 12_000;
/// Longest that a loop goes on that nobody ends.
const LONG: Duration = Duration::from_secs(20);

/// The work was done, or the loop came to its end: the host is alive.
fn unnoticed<T>() -> Result<T> {
    bail!("nothing was noticed")
}

/// A device with work for many seconds.
struct Busy {
    gpu: Gpu,
    fence: vk::Fence,
}

impl Busy {
    fn new() -> Result<Self> {
        let gpu = Gpu::new()?;
        let buffer = Mapped::new(&gpu, BYTES, vk::BufferUsageFlags::empty())?;
        let (commands, fence) = (Commands::new(&gpu)?, gpu.fence(false)?);
        commands.record(&gpu, |device, commands| fill(device, commands, buffer.buffer, TIMES, 1))?;
        commands.submit(&gpu, fence)?;
        Ok(Self { gpu, fence })
    }

    fn wait(&self, patience: u64) -> Result<(), vk::Result> {
        self.gpu.wait(&[self.fence], patience)
    }

    /// Asks again and again, with a rest between two questions.
    fn poll_status(&self, rest: Duration) -> Result<String> {
        ready();
        let status = || unsafe { self.gpu.device.get_fence_status(self.fence) };
        while !status().context("vkGetFenceStatus")? {
            std::thread::sleep(rest);
        }
        unnoticed()
    }
}

pub(super) fn fence(_: u32) -> Result<String> {
    let busy = Busy::new()?;
    ready();
    busy.wait(u64::MAX).context("vkWaitForFences")?;
    unnoticed()
}

pub(super) fn fence_100ms(_: u32) -> Result<String> {
    let busy = Busy::new()?;
    ready();
    loop {
        match busy.wait(nanoseconds(Duration::from_millis(100))) {
            Err(vk::Result::TIMEOUT) => {}
            Err(answer) => return Err(answer).context("vkWaitForFences"),
            Ok(()) => return unnoticed(),
        }
    }
}

pub(super) fn timeline(_: u32) -> Result<String> {
    let gpu = Gpu::new()?;
    let never = gpu.timeline(0)?;
    ready();
    gpu.wait_value(never, 1, u64::MAX).context("vkWaitSemaphores")?;
    unnoticed()
}

pub(super) fn idle(_: u32) -> Result<String> {
    let busy = Busy::new()?;
    ready();
    unsafe { busy.gpu.device.queue_wait_idle(busy.gpu.queue) }.context("vkQueueWaitIdle")?;
    unnoticed()
}

pub(super) fn status(_: u32) -> Result<String> {
    Busy::new()?.poll_status(Duration::ZERO)
}

pub(super) fn status_1ms(_: u32) -> Result<String> {
    Busy::new()?.poll_status(Duration::from_millis(1))
}

/// Sleeps while the host dies, then asks it for something.
fn asleep(ask: impl FnOnce(&Gpu) -> Result<()>) -> Result<String> {
    let gpu = Gpu::new()?;
    ready();
    std::thread::sleep(Duration::from_secs(2));
    ask(&gpu)?;
    unnoticed()
}

pub(super) fn sleep(_: u32) -> Result<String> {
    asleep(|gpu| Mapped::new(gpu, 1 << 20, vk::BufferUsageFlags::empty()).map(drop))
}

pub(super) fn sleep_fence(_: u32) -> Result<String> {
    asleep(|gpu| gpu.fence(false).map(drop))
}

pub(super) fn sleep_query(_: u32) -> Result<String> {
    asleep(|gpu| {
        let _ = unsafe { gpu.instance.get_physical_device_format_properties(gpu.physical, vk::Format::R8_UNORM) };
        Ok(())
    })
}

/// Records small things, and submits them where `submit` says so.
fn keep_recording(gpu: &Gpu, submit: bool) -> Result<()> {
    let buffer = Mapped::new(gpu, 4096, vk::BufferUsageFlags::empty())?;
    let (commands, fence, started) = (Commands::new(gpu)?, gpu.fence(false)?, Instant::now());
    while started.elapsed() < LONG {
        commands.record(gpu, |device, commands| fill(device, commands, buffer.buffer, 50, 1))?;
        if submit {
            commands.submit(gpu, fence)?;
            gpu.wait(&[fence], u64::MAX).context("vkWaitForFences")?;
            unsafe { gpu.device.reset_fences(&[fence]) }.context("vkResetFences")?;
        } else {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    Ok(())
}

pub(super) fn record(_: u32) -> Result<String> {
    let gpu = Gpu::new()?;
    ready();
    keep_recording(&gpu, true)?;
    unnoticed()
}

pub(super) fn two(_: u32) -> Result<String> {
    let busy = Busy::new()?;
    std::thread::scope(|scope| {
        scope.spawn(|| keep_recording(&busy.gpu, false));
        ready();
        let answer = busy.wait(u64::MAX).context("vkWaitForFences");
        // The verdict is the waiting thread's; the other one need not come to an end for it.
        std::process::exit(crate::verdict(answer.and_then(|()| unnoticed())).into())
    })
}

pub(super) fn compile(operations: u32) -> Result<String> {
    let gpu = Gpu::new()?;
    let compute = Compute::new(&gpu)?;
    let module = module(&gpu, &shader::long(operations))?;
    // A fresh thread is told the answer, so it waits for it.
    let make = || {
        ready();
        compute.create(&gpu, &[Wanted::new(module, 1)]).0
    };
    let answer = std::thread::scope(|scope| scope.spawn(make).join()).expect("the compiling thread does not panic");
    answer.result().context("vkCreateComputePipelines")?;
    unnoticed()
}

pub(super) fn again(_: u32) -> Result<String> {
    let busy = Busy::new()?;
    ready();
    let answer = busy.wait(u64::MAX);
    if answer != Err(vk::Result::ERROR_DEVICE_LOST) {
        bail!("the answer is {answer:?}");
    }
    // The old one is kept, as an application would until it has a new one.
    let new = Gpu::new().context("a new instance")?;
    crate::memory::alive(&new, 0x5678).context("the new instance")?;
    Ok("a new instance works".to_owned())
}

pub(super) fn cleanup(_: u32) -> Result<String> {
    let Busy { gpu, fence } = Busy::new()?;
    let others = (0..100).map(|at| gpu.timeline(at)).collect::<Result<Vec<_>>>()?;
    ready();
    let answer = gpu.wait(&[fence], u64::MAX);
    if answer != Err(vk::Result::ERROR_DEVICE_LOST) {
        bail!("the answer is {answer:?}");
    }
    unsafe {
        others.into_iter().for_each(|timeline| gpu.device.destroy_semaphore(timeline, None));
        gpu.device.destroy_fence(fence, None);
    }
    Ok("all that was made is destroyed".to_owned())
}
