//! One look at all counters of a context.

use std::{
    ffi::{CString, c_char, c_int},
    mem::offset_of,
};

use ::venus_host::{
    HostError,
    endpoint::Statistics,
    host::{ContextId, Host},
};
use venus_ffi::{Error, guard};

use crate::{
    handle::{venus_host, with},
    sized::{self, Versioned},
};

/// What a context had done and what it held when venus_host_statistics() looked, or all of them in sum. Given back to
/// venus_statistics_free().
#[derive(Debug)]
pub struct venus_statistics {
    pub(crate) statistics: Statistics,
    pub(crate) last_error: CString,
    pub(crate) commands: Vec<CString>,
    pub(crate) objects: Vec<CString>,
    /// Each heap of each GPU: the GPU's name, and the heap.
    pub(crate) heaps: Vec<(CString, venus_heap_statistics)>,
}

/// What a context has done in sum, and what it holds.
#[repr(C)]
#[derive(Debug)]
pub struct venus_totals {
    /// `sizeof` of this structure.
    pub size: usize,
    /// Commands that were executed.
    pub executed: u64,
    /// Lines in the log about commands that failed or were left out.
    pub failures: u64,
    /// Messages of the validation layers.
    pub findings: u64,
    /// Submissions to queues.
    pub submissions: u64,
    /// `VkDeviceMemory` objects.
    pub allocations: u64,
    /// Bytes of those.
    pub device_memory_bytes: u64,
    /// Bytes of them that are resources, too.
    pub blob_memory_bytes: u64,
    /// Bytes of resources that are plain shared memory.
    pub shared_memory_bytes: u64,
    /// Rows for venus_statistics_command().
    pub commands: usize,
    /// Rows for venus_statistics_object().
    pub objects: usize,
    /// Rows for venus_statistics_ring().
    pub rings: usize,
    /// Rows for venus_statistics_heap().
    pub heaps: usize,
    /// The context is lost.
    pub is_lost: u32,
    /// (always zero)
    pub reserved: u32,
}

/// What became of one command, each time that it came.
#[repr(C)]
#[derive(Debug)]
pub struct venus_command_statistics {
    /// `sizeof` of this structure.
    pub size: usize,
    /// Its Vulkan name; the snapshot's.
    pub name: *const c_char,
    /// How often it was decoded and handed on, or left out for naming what is no object.
    pub dispatched: u64,
    /// How often it was executed.
    pub handled: u64,
    /// How often the host left it out or answered it itself.
    pub refused: u64,
    /// How often the driver failed to do it, or it ended the context.
    pub failed: u64,
}

/// How many objects of one type a guest has.
#[repr(C)]
#[derive(Debug)]
pub struct venus_object_statistics {
    /// `sizeof` of this structure.
    pub size: usize,
    /// The type's Vulkan name, such as VkBuffer; the snapshot's.
    pub name: *const c_char,
    /// How many.
    pub count: u64,
}

/// What one ring holds.
#[repr(C)]
#[derive(Debug)]
pub struct venus_ring_statistics {
    /// `sizeof` of this structure.
    pub size: usize,
    /// The guest's number of it.
    pub id: u64,
    /// Bytes that the guest has written and the host has not executed.
    pub unexecuted_bytes: u64,
}

/// One heap of a GPU that the guest has devices of.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct venus_heap_statistics {
    /// `sizeof` of this structure.
    pub size: usize,
    /// The GPU's name; the snapshot's.
    pub gpu: *const c_char,
    /// Bytes of it.
    pub bytes: u64,
    /// Bytes that the process which serves the guest may use, by the driver's estimate; UINT64_MAX if it has none.
    pub budget: u64,
    /// Bytes that it uses; UINT64_MAX if the driver does not tell.
    pub usage: u64,
    /// It is the GPU's own memory.
    pub is_device_local: u32,
    /// (always zero)
    pub reserved: u32,
}

// Later members are behind all bytes that today's programs know.
const _: () = assert!(size_of::<venus_totals>() == offset_of!(venus_totals, reserved) + 4);
const _: () = assert!(size_of::<venus_heap_statistics>() == offset_of!(venus_heap_statistics, reserved) + 4);

// SAFETY: it is `repr(C)`, begins with a usize, and holds numbers.
unsafe impl Versioned for venus_totals {
    const NAME: &'static str = "venus_totals";
    const LEAST: usize = size_of::<Self>();
}

// SAFETY: it is `repr(C)`, begins with a usize, and holds numbers and a raw pointer.
unsafe impl Versioned for venus_command_statistics {
    const NAME: &'static str = "venus_command_statistics";
    const LEAST: usize = size_of::<Self>();
}

// SAFETY: it is `repr(C)`, begins with a usize, and holds numbers and a raw pointer.
unsafe impl Versioned for venus_object_statistics {
    const NAME: &'static str = "venus_object_statistics";
    const LEAST: usize = size_of::<Self>();
}

// SAFETY: it is `repr(C)`, begins with a usize, and holds numbers.
unsafe impl Versioned for venus_ring_statistics {
    const NAME: &'static str = "venus_ring_statistics";
    const LEAST: usize = size_of::<Self>();
}

// SAFETY: it is `repr(C)`, begins with a usize, and holds numbers and a raw pointer.
unsafe impl Versioned for venus_heap_statistics {
    const NAME: &'static str = "venus_heap_statistics";
    const LEAST: usize = size_of::<Self>();
}

/// Takes one look at all counters of a context, and stores what it saw at `statistics`.
///
/// # Errors
///
/// -EINVAL: `statistics` is null, or there is no such context. -EPIPE: the context is lost, and is not polled.
///
/// # Safety
///
/// `host` comes from venus_host_create(); `statistics` points to a place for a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn venus_host_statistics(
    host: *mut venus_host,
    context: u32,
    statistics: *mut *mut venus_statistics,
) -> c_int {
    // SAFETY: the caller's promise.
    let host = unsafe { host.as_ref() };
    // SAFETY: the caller's promise.
    unsafe { take("venus_host_statistics", host, statistics, |host| host.statistics(ContextId(context))) }
}

/// Takes one look at all counters of all contexts in sum, and stores what it saw at `statistics`. Processes that do not answer
/// soon, or have ended, are left out. Rings and heaps are those of all contexts, one after the other.
///
/// # Errors
///
/// -EINVAL: `statistics` is null.
///
/// # Safety
///
/// `host` comes from venus_host_create(); `statistics` points to a place for a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn venus_host_statistics_of_all(
    host: *mut venus_host,
    statistics: *mut *mut venus_statistics,
) -> c_int {
    // SAFETY: the caller's promise.
    let host = unsafe { host.as_ref() };
    // SAFETY: the caller's promise.
    unsafe { take("venus_host_statistics_of_all", host, statistics, |host| Ok(host.statistics_of_all())) }
}

/// Writes the sums to `totals`, and how many rows there are of everything else.
///
/// # Safety
///
/// `statistics` comes from venus_host_statistics(); `totals` points to a structure of the size that it begins with.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn venus_statistics_totals(
    statistics: *const venus_statistics,
    totals: *mut venus_totals,
) -> c_int {
    // SAFETY: the caller's promise.
    let statistics = unsafe { statistics.as_ref() };
    // SAFETY: the caller's promise.
    unsafe { row("venus_statistics_totals", statistics, totals, |taken| Some(taken.totals())) }
}

/// Why the context is lost; if it is not, the last line in the log about a command that failed; or an empty text. It is the
/// snapshot's, and null only if `statistics` is.
///
/// # Safety
///
/// `statistics` is null or comes from venus_host_statistics().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn venus_statistics_last_error(statistics: *const venus_statistics) -> *const c_char {
    guard::call_or("venus_statistics_last_error", std::ptr::null(), || {
        // SAFETY: the caller's promise.
        Ok(unsafe { statistics.as_ref() }.map_or(std::ptr::null(), |taken| taken.last_error.as_ptr()))
    })
}

/// Writes what became of one command and returns 1, or returns 0 if there is no row `index`. Rows are in the order of the
/// commands' numbers; commands that never came have none.
///
/// # Safety
///
/// `statistics` comes from venus_host_statistics(); `command` points to a structure of the size that it begins with.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn venus_statistics_command(
    statistics: *const venus_statistics,
    index: usize,
    command: *mut venus_command_statistics,
) -> c_int {
    // SAFETY: the caller's promise.
    let statistics = unsafe { statistics.as_ref() };
    let look = |taken: &venus_statistics| {
        let (row, name) = taken.statistics.commands.get(index).zip(taken.commands.get(index))?;
        Some(venus_command_statistics {
            name: name.as_ptr(),
            dispatched: row.dispatched,
            handled: row.handled,
            refused: row.refused,
            failed: row.failed,
            ..venus_command_statistics::zeroed()
        })
    };
    // SAFETY: the caller's promise.
    unsafe { row("venus_statistics_command", statistics, command, look) }
}

/// Writes how many objects of one type there are and returns 1, or returns 0 if there is no row `index`. Types without an
/// object have none.
///
/// # Safety
///
/// `statistics` comes from venus_host_statistics(); `object` points to a structure of the size that it begins with.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn venus_statistics_object(
    statistics: *const venus_statistics,
    index: usize,
    object: *mut venus_object_statistics,
) -> c_int {
    // SAFETY: the caller's promise.
    let statistics = unsafe { statistics.as_ref() };
    let look = |taken: &venus_statistics| {
        let (row, name) = taken.statistics.objects.get(index).zip(taken.objects.get(index))?;
        Some(venus_object_statistics { name: name.as_ptr(), count: row.count, ..venus_object_statistics::zeroed() })
    };
    // SAFETY: the caller's promise.
    unsafe { row("venus_statistics_object", statistics, object, look) }
}

/// Writes what one ring holds and returns 1, or returns 0 if there is no row `index`.
///
/// # Safety
///
/// `statistics` comes from venus_host_statistics(); `ring` points to a structure of the size that it begins with.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn venus_statistics_ring(
    statistics: *const venus_statistics,
    index: usize,
    ring: *mut venus_ring_statistics,
) -> c_int {
    // SAFETY: the caller's promise.
    let statistics = unsafe { statistics.as_ref() };
    let look = |taken: &venus_statistics| {
        let row = taken.statistics.rings.get(index)?;
        let unexecuted_bytes = row.unexecuted_bytes.into();
        Some(venus_ring_statistics { id: row.id, unexecuted_bytes, ..venus_ring_statistics::zeroed() })
    };
    // SAFETY: the caller's promise.
    unsafe { row("venus_statistics_ring", statistics, ring, look) }
}

/// Writes what there is of one heap and returns 1, or returns 0 if there is no row `index`. Rows are the heaps of the GPUs
/// that the guest has devices of.
///
/// # Safety
///
/// `statistics` comes from venus_host_statistics(); `heap` points to a structure of the size that it begins with.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn venus_statistics_heap(
    statistics: *const venus_statistics,
    index: usize,
    heap: *mut venus_heap_statistics,
) -> c_int {
    // SAFETY: the caller's promise.
    let statistics = unsafe { statistics.as_ref() };
    let look = |taken: &venus_statistics| {
        let (gpu, row) = taken.heaps.get(index)?;
        Some(venus_heap_statistics { gpu: gpu.as_ptr(), ..*row })
    };
    // SAFETY: the caller's promise.
    unsafe { row("venus_statistics_heap", statistics, heap, look) }
}

/// Gives a snapshot back, and all texts of it. Null is nothing.
///
/// # Safety
///
/// `statistics` is null or comes from venus_host_statistics(), and nobody uses it any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn venus_statistics_free(statistics: *mut venus_statistics) {
    guard::call("venus_statistics_free", || {
        if !statistics.is_null() {
            // SAFETY: it is `venus_host_statistics`', by the caller's promise, and was not given back before.
            drop(unsafe { Box::from_raw(statistics) });
        }
        Ok(0)
    });
}

/// Takes a snapshot, and stores it at `to`.
///
/// # Safety
///
/// `to` is null or points to a place for a pointer.
unsafe fn take(
    function: &'static str,
    host: Option<&venus_host>,
    to: *mut *mut venus_statistics,
    look: impl FnOnce(&mut Host) -> Result<Statistics, HostError>,
) -> c_int {
    with(function, host, |host| {
        if to.is_null() {
            return Err(Error::argument(format!("{function}: there is no place for the statistics")));
        }
        let taken = venus_statistics::new(look(host)?);
        // SAFETY: it is not null, so by the caller's promise there is room.
        unsafe { to.write(Box::into_raw(Box::new(taken))) };
        Ok(0)
    })
}

/// Writes what `look` finds in a snapshot to where the caller wants it, and says whether it found something.
///
/// # Safety
///
/// `to` is null or points to as many bytes as it begins with.
unsafe fn row<T: Versioned>(
    function: &'static str,
    statistics: Option<&venus_statistics>,
    to: *mut T,
    look: impl FnOnce(&venus_statistics) -> Option<T>,
) -> c_int {
    guard::call(function, || {
        let taken = statistics.ok_or_else(|| Error::argument(format!("{function}: the statistics are null")))?;
        let Some(found) = look(taken) else { return Ok(0) };
        // SAFETY: the caller's promise.
        unsafe { sized::write(to, &found) }?;
        Ok(1)
    })
}
