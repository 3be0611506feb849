//! A program that asks again and again while the GPU is busy: tens of thousands of questions a second.
//!
//! Right is "not yet" as often as it takes, then success, and what the work wrote is there by then.

use crate::device::Gpu;
use crate::memory::Mapped;
use crate::work::{Commands, barrier, fill, nanoseconds};
use anyhow::{Context as _, Result, ensure};
use ash::vk;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// What is filled: large enough that the time is spent on it, and not on commands.
const BYTES: u64 = 32 << 20;
/// What the last fill leaves.
const DONE: u32 = 0xabcd_1234;
/// Stack of one of many threads.
const STACK: usize = 128 << 10;

/// Work that goes on for a while, and what tells that it is over.
struct Work {
    gpu: Gpu,
    buffer: Mapped,
    fence: vk::Fence,
    /// The last one reaches 1 when the work is done; the others never do.
    timelines: [vk::Semaphore; 3],
    polls: AtomicU64,
    done: AtomicBool,
}

impl Work {
    /// Submits work for about so many milliseconds.
    fn new(milliseconds: u32) -> Result<Self> {
        let gpu = Gpu::new()?;
        let buffer = Mapped::new(&gpu, BYTES, vk::BufferUsageFlags::empty())?;
        let times = Duration::from_millis(milliseconds.into()).as_secs_f64() / one_fill(&gpu, &buffer)?;
        let timelines = [gpu.timeline(0)?, gpu.timeline(0)?, gpu.timeline(0)?];
        let fence = gpu.fence(false)?;
        let commands = Commands::new(&gpu)?;
        // A float of a few thousand.
        let times = times as u32 + 1;
        commands.record(&gpu, |device, commands| fill(device, commands, buffer.buffer, times, DONE))?;
        let (signals, values, buffers) = ([timelines[2]], [1], [commands.buffer]);
        let mut values = vk::TimelineSemaphoreSubmitInfo::default().signal_semaphore_values(&values);
        let submit = vk::SubmitInfo::default().command_buffers(&buffers).signal_semaphores(&signals);
        let submits = [submit.push_next(&mut values)];
        unsafe { gpu.device.queue_submit(gpu.queue, &submits, fence) }.context("vkQueueSubmit")?;
        Ok(Self { gpu, buffer, fence, timelines, polls: AtomicU64::new(0), done: AtomicBool::new(false) })
    }

    /// Asks until the answer is no longer "not yet", which Vulkan spells in several ways.
    fn poll(&self, ask: impl Fn() -> Result<bool, vk::Result>) -> Result<()> {
        loop {
            self.polls.fetch_add(1, Ordering::Relaxed);
            match ask() {
                Ok(true) => break,
                Ok(false) | Err(vk::Result::TIMEOUT) => {}
                Err(other) => return Err(other).context("polling"),
            }
        }
        ensure!(self.buffer.ends_are(DONE), "success before the work was done");
        self.done.store(true, Ordering::Relaxed);
        Ok(())
    }

    fn poll_fence(&self, patience: Duration, rest: Duration) -> Result<()> {
        self.poll(|| {
            let answer = self.gpu.wait(&[self.fence], nanoseconds(patience)).map(|()| true);
            std::thread::sleep(rest);
            answer
        })
    }

    /// The same in many threads.
    fn poll_fence_in(&self, threads: usize, patience: Duration, rest: Duration) -> Result<()> {
        let small = || std::thread::Builder::new().stack_size(STACK);
        std::thread::scope(|scope| {
            let start =
                |_| small().spawn_scoped(scope, || self.poll_fence(patience, rest)).context("starting a thread");
            let started = (0..threads).map(start).collect::<Result<Vec<_>>>()?;
            started.into_iter().try_for_each(|thread| thread.join().expect("a poller does not panic"))
        })
    }

    /// Records beside a poller, as an application's main thread would.
    fn record_until_done(&self) -> Result<u32> {
        let commands = Commands::new(&self.gpu)?;
        let mut recorded = 0;
        while !self.done.load(Ordering::Relaxed) {
            commands.record(&self.gpu, |device, commands| (0..100).for_each(|_| barrier(device, commands)))?;
            recorded += 1;
        }
        Ok(recorded)
    }

    fn end(self) -> Result<String> {
        self.gpu.wait_idle()?;
        Ok(format!("{} polls", self.polls.into_inner()))
    }
}

/// Seconds of one fill. The first ones do not count: memory is touched for the first time.
fn one_fill(gpu: &Gpu, buffer: &Mapped) -> Result<f64> {
    const TIMES: u32 = 16;
    let mut started = Instant::now();
    for _ in 0..2 {
        started = Instant::now();
        crate::work::run(gpu, |device, commands| fill(device, commands, buffer.buffer, TIMES, 1))?;
    }
    Ok(started.elapsed().as_secs_f64() / f64::from(TIMES))
}

fn fence(milliseconds: u32, patience: Duration) -> Result<String> {
    let work = Work::new(milliseconds)?;
    work.poll_fence(patience, Duration::ZERO)?;
    work.end()
}

pub(super) fn fence_0(milliseconds: u32) -> Result<String> {
    fence(milliseconds, Duration::ZERO)
}

pub(super) fn fence_1ns(milliseconds: u32) -> Result<String> {
    fence(milliseconds, Duration::from_nanos(1))
}

pub(super) fn fence_1us(milliseconds: u32) -> Result<String> {
    fence(milliseconds, Duration::from_micros(1))
}

pub(super) fn fence_1ms(milliseconds: u32) -> Result<String> {
    fence(milliseconds, Duration::from_millis(1))
}

pub(super) fn fence_threads(milliseconds: u32) -> Result<String> {
    let work = Work::new(milliseconds)?;
    // A rest, lest a driver that works on the CPU starve.
    work.poll_fence_in(8, Duration::ZERO, Duration::from_micros(50))?;
    work.end()
}

pub(super) fn fence_many_threads(milliseconds: u32) -> Result<String> {
    let work = Work::new(milliseconds)?;
    work.poll_fence_in(700, Duration::from_secs(2), Duration::ZERO)?;
    work.end()
}

pub(super) fn timeline(milliseconds: u32) -> Result<String> {
    let work = Work::new(milliseconds)?;
    work.poll(|| work.gpu.wait_value(work.timelines[2], 1, 0).map(|()| true))?;
    work.end()
}

pub(super) fn any_timeline(milliseconds: u32) -> Result<String> {
    let work = Work::new(milliseconds)?;
    let values = [1; 3];
    let info = vk::SemaphoreWaitInfo::default().flags(vk::SemaphoreWaitFlags::ANY);
    let info = info.semaphores(&work.timelines).values(&values);
    work.poll(|| unsafe { work.gpu.device.wait_semaphores(&info, 0) }.map(|()| true))?;
    work.end()
}

pub(super) fn status(milliseconds: u32) -> Result<String> {
    let work = Work::new(milliseconds)?;
    let recorded = std::thread::scope(|scope| {
        let recorder = scope.spawn(|| work.record_until_done());
        let polled = work.poll(|| unsafe { work.gpu.device.get_fence_status(work.fence) });
        // Whatever became of the poller, the recorder may stop.
        work.done.store(true, Ordering::Relaxed);
        polled?;
        recorder.join().expect("a recorder does not panic")
    })?;
    Ok(format!("{}, {recorded} command buffers beside them", work.end()?))
}
