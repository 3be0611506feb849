//! The system's clocks, and the ids of this process and thread.
//!
//! Like Perfetto's traces of whole systems, ours use `CLOCK_BOOTTIME` and the kernel's thread ids, so both can be
//! merged.

use rustix::{
    process::getpid,
    time::{ClockId, clock_gettime},
};

use super::schema::{CLOCK_BOOTTIME, CLOCK_MONOTONIC, CLOCK_REALTIME, Clock};

/// The clock of timestamps. Where there is none that goes on while the machine sleeps, one that does not.
#[cfg(target_os = "linux")]
const CLOCK: ClockId = ClockId::Boottime;
#[cfg(not(target_os = "linux"))]
const CLOCK: ClockId = ClockId::Monotonic;

/// Now, in nanoseconds.
#[inline]
pub(super) fn now() -> u64 {
    read(CLOCK)
}

fn read(clock: ClockId) -> u64 {
    let time = clock_gettime(clock);
    let nanoseconds = time.tv_sec.saturating_mul(1_000_000_000).saturating_add(time.tv_nsec);
    u64::try_from(nanoseconds).unwrap_or(0)
}

/// The values of all clocks now, so that a reader can tell the time of day.
pub(super) fn clocks() -> Vec<Clock> {
    [(CLOCK_BOOTTIME, CLOCK), (CLOCK_MONOTONIC, ClockId::Monotonic), (CLOCK_REALTIME, ClockId::Realtime)]
        .map(|(id, clock)| Clock { clock_id: Some(id), timestamp: Some(read(clock)) })
        .into()
}

/// This process.
pub(super) fn process() -> i32 {
    getpid().as_raw_nonzero().get()
}

/// This thread, by the kernel's number.
#[cfg(target_os = "linux")]
pub(super) fn thread() -> i32 {
    rustix::thread::gettid().as_raw_nonzero().get()
}

/// This thread, by a number of our own: there is no portable one.
#[cfg(not(target_os = "linux"))]
pub(super) fn thread() -> i32 {
    use std::sync::atomic::{AtomicI32, Ordering};

    static NEXT: AtomicI32 = AtomicI32::new(1);
    thread_local!(static NUMBER: i32 = NEXT.fetch_add(1, Ordering::Relaxed));
    NUMBER.with(|number| *number)
}
