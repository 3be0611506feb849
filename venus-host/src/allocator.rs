//! What a process that serves one guest tells the C library about memory which a driver has freed.
//!
//! Software drivers take memory for every command of a recording and free it with the next one. GNU's allocator gives
//! such memory back to the system at once, and takes it anew, page by page: nearly a third of what a ring's thread did.
//! So a worker keeps some of what was freed, and a ring's thread gives it back when its rings have been idle for a while,
//! and when it ends.
//!
//! A driver also takes megabytes when it makes a device, which a process that serves one guest does once, and pages of
//! 4 KiB were a quarter of the time: 2 us for each to come, and some for each to go. So a ring's thread asks for large
//! ones.
//!
//! What is kept is kept in each of the allocator's heaps. There are as many as threads allocate, but no more than eight
//! for each processor (mallopt(3), `M_ARENA_MAX`): then threads share them. A thread that ends leaves its heap to the
//! next.
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

/// Has what this thread's heap grows by be in large pages, where the system has some.
pub(crate) fn use_large_pages() {
    if keeps() {
        gnu::use_large_pages();
    }
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
    use std::{
        ffi::c_int,
        fs,
        hint::black_box,
        sync::atomic::{AtomicBool, Ordering},
    };

    use parking_lot::Mutex;
    use rustix::mm::{Advice, madvise};

    /// `M_TRIM_THRESHOLD` of `malloc.h`: how much of a heap's end may be free.
    const TRIM_THRESHOLD: c_int = -1;
    /// `M_MMAP_THRESHOLD`: what is as long as this gets pages of its own, which go with it.
    const MMAP_THRESHOLD: c_int = -3;

    /// Bytes kept of each heap, of which a thread has one: as much as 200 000 commands take in lavapipe.
    const KEPT: c_int = 16 << 20;
    /// Saying one of the two ends what the library does by itself about the other: to raise it with every allocation of more
    /// that was freed, up to 32 MiB.
    const LARGE: c_int = 4 << 20;

    /// Bytes of a ring's heap that the system is asked for at once: no memory before something is written there. Else it
    /// is asked each time that the heap grows, 220 times for a device of lavapipe. Where it promises no more memory than
    /// there is ([`IS_COUNTED`]), the library gives up what it asked for as soon as that is freed, so nothing is gained.
    const REACH: usize = 24 << 20;
    /// The most that [`MMAP_THRESHOLD`] may be.
    const LARGEST: c_int = 32 << 20;

    /// Heaps of other threads than the first begin where the address is a multiple of this, `HEAP_MAX_SIZE` of `arena.c`
    /// where pointers have 64 bits.
    const HEAP: usize = 64 << 20;
    /// Bytes of it that are left in small pages: those that a heap has in any case, of which a thread that does little
    /// needs few.
    const SMALL_PAGES: usize = 2 << 20;
    /// Bytes behind those that are best in large pages: the most of what a device takes. What it takes further on has
    /// holes.
    const LARGE_PAGES: usize = 8 << 20;

    /// When a block as long as this is freed, the library looks how much of the heap's end is free. `malloc_trim` does
    /// that for the first thread's heap only.
    const LOOKED_AT: usize = 128 << 10;

    /// The library says that `mallopt` is not safe where other threads allocate (MT-Unsafe init const:mallopt): it takes
    /// the lock of the first heap only, and stores a parameter that others read without one. With this lock no two of
    /// ours store at a time. The others read a whole number, the old one or the new: at worst a heap is trimmed that
    /// would have been kept.
    static PARAMETERS: Mutex<()> = Mutex::new(());

    /// Whether the system promises no more memory than there is: `vm.overcommit_memory` is 2.
    static IS_COUNTED: AtomicBool = AtomicBool::new(false);

    // SAFETY: this is the library's declaration. Parameters and values that it does not know are refused, memory in use stays
    // where it is, and what other threads see of the change is with `PARAMETERS`.
    unsafe extern "C" {
        safe fn mallopt(parameter: c_int, value: c_int) -> c_int;
    }

    pub(super) fn keep() -> bool {
        IS_COUNTED.store(is_counted(), Ordering::Relaxed);
        let _alone = PARAMETERS.lock();
        mallopt(MMAP_THRESHOLD, LARGE) != 0 && mallopt(TRIM_THRESHOLD, KEPT) != 0
    }

    pub(super) fn use_large_pages() {
        let begin = reach().wrapping_byte_add(SMALL_PAGES);
        // SAFETY: this says how memory is best had, and changes nothing about what is there. If the heap is none that begins
        // there, it is said of other memory of this process, or of none.
        let said = unsafe { madvise(begin.cast(), LARGE_PAGES, Advice::LinuxHugepage) };
        if let Err(error) = said {
            tracing::debug!("this thread's heap will be in small pages: {error}");
        }
    }

    /// Whether memory is promised so, which can be read before this process is confined.
    pub(super) fn is_counted() -> bool {
        fs::read("/proc/sys/vm/overcommit_memory").is_ok_and(|policy| policy.starts_with(b"2"))
    }

    /// Has the system asked for as much as a device takes, if there may be as much. Answers where this thread's heap
    /// begins.
    fn reach() -> *mut u8 {
        let size = if IS_COUNTED.load(Ordering::Relaxed) { LOOKED_AT } else { REACH };
        let _alone = PARAMETERS.lock();
        mallopt(MMAP_THRESHOLD, LARGEST);
        // Gone before anything else is allocated, which would lie behind it, and keep what is before from being given
        // back.
        let mut block = Vec::<u8>::new();
        let _there = block.try_reserve_exact(size);
        let begin = black_box(&block).as_ptr().map_addr(|address| address & !(HEAP - 1)).cast_mut();
        drop(block);
        mallopt(MMAP_THRESHOLD, LARGE);
        begin
    }

    pub(super) fn give_back() {
        let _alone = PARAMETERS.lock();
        mallopt(TRIM_THRESHOLD, 0);
        drop(black_box(Vec::<u8>::with_capacity(LOOKED_AT)));
        mallopt(TRIM_THRESHOLD, KEPT);
    }
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
mod gnu {
    pub(super) fn keep() -> bool {
        false
    }

    pub(super) fn use_large_pages() {}

    pub(super) fn give_back() {}
}

#[cfg(all(test, target_os = "linux", target_env = "gnu"))]
pub(crate) mod tests {
    use std::{env, fs, process::Command, thread};

    use super::*;

    const ALONE: &str = "VENUS_TEST_ALONE";
    const BLOCK: usize = 1 << 10;
    const BLOCKS: usize = 8 << 10;

    /// What of the environment has the C library allocate otherwise, or another allocator in its place.
    const ALLOCATORS: [&str; 3] = ["MALLOC_ARENA_MAX", "GLIBC_TUNABLES", "LD_PRELOAD"];

    /// Whether this is a process for the test of that name alone. If it is not, runs the test in one: other tests take
    /// memory, too, and the allocator is theirs as well.
    pub(crate) fn is_alone(name: &str) -> bool {
        if env::var_os(ALONE).is_some() {
            return true;
        }
        let mut test = Command::new(env::current_exe().unwrap());
        ALLOCATORS.iter().for_each(|variable| _ = test.env_remove(variable));
        let test = test.args(["--exact", name]).env(ALONE, "1").output().unwrap();
        let said = String::from_utf8_lossy(&test.stdout);
        assert!(test.status.success(), "{said}");
        assert!(said.contains("test result: ok. 1 passed"), "there is no test {name}: {said}");
        false
    }

    /// Bytes of this process that are in memory.
    fn resident() -> usize {
        let status = fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() << 10
    }

    /// How much memory there was at first, to tell later whether what [`use_some`] took is kept.
    #[derive(Clone, Copy)]
    pub(crate) struct AtFirst(usize);

    impl AtFirst {
        pub(crate) fn now() -> Self {
            Self(resident())
        }

        pub(crate) fn is_kept(self) -> bool {
            resident() >= self.0 + BLOCK * BLOCKS / 2
        }
    }

    /// Takes memory on a thread, as commands do, and frees it.
    pub(crate) fn use_some() {
        let blocks: Vec<Box<[u8; BLOCK]>> = (0..BLOCKS).map(|_| Box::new([1; BLOCK])).collect();
        std::hint::black_box(&blocks);
    }

    /// How far behind an address what is mapped there can be written to.
    fn writable_behind(address: usize) -> usize {
        let maps = fs::read_to_string("/proc/self/maps").unwrap();
        let ranges = maps.lines().filter(|line| line.contains(" rw")).map(|line| {
            let (begin, rest) = line.split_once('-').unwrap();
            let end = rest.split(' ').next().unwrap();
            [begin, end].map(|address| usize::from_str_radix(address, 16).unwrap())
        });
        // In order. What is to be in large pages is a range of its own.
        ranges.fold(address, |at, [begin, end]| if (begin..end).contains(&at) { end } else { at }) - address
    }

    #[test]
    fn a_rings_heap_is_asked_for_at_once_and_takes_no_memory() {
        if !is_alone("allocator::tests::a_rings_heap_is_asked_for_at_once_and_takes_no_memory") {
            return;
        }
        keep_freed_memory();
        thread::spawn(|| {
            // Small ones may be another heap's, which this thread has freed.
            let (block, before) = (vec![1_u8; BLOCKS], resident());
            assert!(writable_behind(block.as_ptr().addr()) < 16 << 20);
            use_large_pages();
            if keeps() && !gnu::is_counted() {
                assert!(writable_behind(block.as_ptr().addr()) >= 20 << 20);
            }
            assert!(resident() < before + (12 << 20));
        })
        .join()
        .unwrap();
    }

    #[test]
    fn what_is_kept_is_given_back() {
        if !is_alone("allocator::tests::what_is_kept_is_given_back") {
            return;
        }
        thread::spawn(move || {
            let at_first = AtFirst::now();
            use_some();
            assert!(!at_first.is_kept(), "freed without being kept");
            give_back();
            assert!(!keeps());
            keep_freed_memory();
            use_some();
            assert!(at_first.is_kept());
            give_back();
            assert!(!at_first.is_kept(), "given back");
        })
        .join()
        .unwrap();
    }
}
