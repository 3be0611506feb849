//! Programs that start, again and again, and many of them.

use crate::device::{Found, Gpu};
use crate::memory::alive;
use anyhow::{Context as _, Result, ensure};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// One device after another, while something else keeps all cores busy: a host that is slow to get its threads going may
/// not be taken for dead.
pub(super) fn in_a_row(number: u32) -> Result<String> {
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
        }
        let started = (0..number).try_for_each(|at| {
            let gpu = Gpu::new().with_context(|| format!("start {at}"))?;
            gpu.close();
            anyhow::Ok(())
        });
        done.store(true, Ordering::Relaxed);
        started
    })?;
    Ok(format!("{number} starts"))
}

/// Instances alive at once, as so many programs would have them; the last one works.
pub(super) fn at_once(number: u32) -> Result<String> {
    let mut all =
        (0..number).map(|at| Found::new().with_context(|| format!("instance {at}"))).collect::<Result<Vec<_>>>()?;
    ensure!(!all.is_empty(), "not even one instance");
    let last = all.pop().context("no instance")?.open(ash::vk::DeviceCreateInfo::default())?;
    alive(&last, 1)?;
    Ok(format!("{number} instances"))
}

/// A device that has worked, says so, and rests for so many seconds.
pub(super) fn idle(number: u32) -> Result<String> {
    // Without memory that is mapped, since some hosts' drivers have none.
    let work = |gpu: &Gpu| {
        unsafe { gpu.device.queue_submit(gpu.queue, &[], ash::vk::Fence::null()) }.context("vkQueueSubmit")?;
        gpu.wait_idle()
    };
    let gpu = Gpu::new()?;
    work(&gpu)?;
    super::ready();
    std::thread::sleep(Duration::from_secs(number.into()));
    work(&gpu)?;
    gpu.close();
    Ok(format!("{number} s"))
}

/// Threads that make instances again and again, as a browser's processes or a test runner's would.
pub(super) fn in_threads(number: u32) -> Result<String> {
    const THREADS: u32 = 32;
    let one = || {
        (0..number).try_for_each(|at| {
            Found::new().with_context(|| format!("instance {at}"))?.close();
            anyhow::Ok(())
        })
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(one)).collect();
        threads.into_iter().try_for_each(|thread| thread.join().expect("a starting thread does not panic"))
    })?;
    Ok(format!("{THREADS} threads, {number} instances each"))
}
