//! What a process that serves one guest tells the C library about memory which a driver has freed.
//!
//! Software drivers take memory for every command of a recording and free it with the next one. GNU's allocator gives
//! such memory back to the system at once, and takes it anew, page by page: nearly a third of what a ring's thread did. So a
//! worker keeps some of what was freed, and gives it back when its guest has been idle for a while.
//!
//! Whoever embeds contexts in a process of its own has an allocator of its own, which is left alone.

use std::sync::atomic::{AtomicBool, Ordering};

/// Whether this process keeps what was freed.
static KEEPS: AtomicBool = AtomicBool::new(false);

/// Has this process, which serves one guest, keep some of the memory that was freed while its guest is at work. Without
/// effect but on Linux with GNU's C library.
pub fn keep_freed_memory() {
    KEEPS.store(gnu::keep(), Ordering::Relaxed);
}

/// Whether there may be something for [`give_back`].
pub(crate) fn keeps() -> bool {
    KEEPS.load(Ordering::Relaxed)
}

/// Gives back what is kept of this thread's heap.
pub(crate) fn give_back() {
    if keeps() {
        gnu::give_back();
    }
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "a function of the C library that has no other form")]
mod gnu {
    use std::ffi::c_int;

    /// `M_TRIM_THRESHOLD` of `malloc.h`: how much of a heap's end may be free.
    const TRIM_THRESHOLD: c_int = -1;
    /// `M_MMAP_THRESHOLD`: what is as long as this gets pages of its own, which go with it.
    const MMAP_THRESHOLD: c_int = -3;

    /// Bytes kept of each heap, of which a thread has one: as much as 200 000 commands take in lavapipe.
    const KEPT: c_int = 16 << 20;
    /// Saying one of the two ends what the library does by itself about the other: to raise it with every allocation of more
    /// that was freed, up to 32 MiB.
    const LARGE: c_int = 4 << 20;

    /// When a block as long as this is freed, the library looks how much of the heap's end is free. `malloc_trim` does that
    /// for the first thread's heap only.
    const LOOKED_AT: usize = 128 << 10;

    // SAFETY: this is the library's declaration, and it has no conditions for calling it: parameters and values that it does
    // not know are refused, and memory in use stays where it is.
    unsafe extern "C" {
        safe fn mallopt(parameter: c_int, value: c_int) -> c_int;
    }

    pub(super) fn keep() -> bool {
        mallopt(MMAP_THRESHOLD, LARGE) != 0 && mallopt(TRIM_THRESHOLD, KEPT) != 0
    }

    pub(super) fn give_back() {
        mallopt(TRIM_THRESHOLD, 0);
        drop(std::hint::black_box(Vec::<u8>::with_capacity(LOOKED_AT)));
        mallopt(TRIM_THRESHOLD, KEPT);
    }
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
mod gnu {
    pub(super) fn keep() -> bool {
        false
    }

    pub(super) fn give_back() {}
}

#[cfg(all(test, target_os = "linux", target_env = "gnu"))]
mod tests {
    use std::{env, fs, process::Command, thread};

    use super::*;

    const ALONE: &str = "VENUS_TEST_ALONE";
    const NAME: &str = "allocator::tests::what_is_kept_is_given_back";
    const BLOCK: usize = 1 << 10;
    const BLOCKS: usize = 8 << 10;

    /// Bytes of this process that are in memory.
    fn resident() -> usize {
        let status = fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() << 10
    }

    /// Takes memory on a thread, as rings do, and frees it.
    fn use_some() {
        let blocks: Vec<Box<[u8; BLOCK]>> = (0..BLOCKS).map(|_| Box::new([1; BLOCK])).collect();
        std::hint::black_box(&blocks);
    }

    #[test]
    fn what_is_kept_is_given_back() {
        // Other tests of this process take memory, too, and the allocator is theirs as well.
        if env::var_os(ALONE).is_none() {
            let test =
                Command::new(env::current_exe().unwrap()).args(["--exact", NAME]).env(ALONE, "1").output().unwrap();
            assert!(test.status.success(), "{}", String::from_utf8_lossy(&test.stdout));
            return;
        }
        let (used, half) = (BLOCKS * BLOCK, BLOCKS * BLOCK / 2);
        thread::spawn(move || {
            let at_first = resident();
            use_some();
            assert!(resident() < at_first + half, "freed without being kept");
            give_back();
            assert!(!keeps());
            keep_freed_memory();
            use_some();
            assert!(resident() >= at_first + half, "{used} bytes were used and should be kept");
            give_back();
            assert!(resident() < at_first + half, "given back");
        })
        .join()
        .unwrap();
    }
}
