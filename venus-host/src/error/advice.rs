//! What a person can do about errors: the last words of a line in the log.

use venus_protocol::vk;

/// What to do where the host itself is at fault.
pub(super) const HOST_FAILED: &str = "the host failed, not the guest: `venus doctor` checks what a host needs";

/// What to do about a guest that met a limit: see `limits.rs`.
pub(crate) const RUNAWAY: &str =
    "no sane guest comes near this limit, so the program leaks or is hostile; else report it, limits can be raised";

/// What to do about a guest that has used up what it may hold: see `limits::Budget`.
pub(crate) const BUDGETED: &str =
    "the program leaks, or needs more than whoever runs the host lets a guest hold: see `venus serve --help`";

/// What to do about a guest driver that broke a rule which no application can break.
pub(crate) const GUEST_DRIVER: &str =
    "no application can cause this: report it against the guest's driver, with the versions of Mesa and of this host";

/// What to do about memory that the guest's driver believes in.
pub(crate) const MEMORY_NOT_ASKED_FOR: &str = "its driver does not ask whether memory was allocated, so its program does \
                                               not know: start it with VN_PERF=no_async_mem_alloc, and it is told";

/// What to do about a broken rule that the guest's driver passes on from its application.
pub(crate) const APPLICATION: &str = "the guest's application breaks Vulkan's rules or its driver has a bug: run it under the validation layers in the \
     guest, or the host with --validate";

/// What a person can do about a driver's failure; empty if nothing general can be said.
#[cold]
pub(crate) fn hint(result: vk::Result) -> &'static str {
    match result {
        vk::Result::ERROR_OUT_OF_HOST_MEMORY => {
            "the host has no memory left for the driver, or no address space: see the worker's memory limit (ulimit -v)"
        }
        vk::Result::ERROR_OUT_OF_DEVICE_MEMORY => {
            "the GPU's memory is full: end other guests or programs that use it, or lower the program's settings"
        }
        vk::Result::ERROR_DEVICE_LOST => "the GPU hung or was reset: the kernel's log says why (`dmesg`)",
        vk::Result::ERROR_TOO_MANY_OBJECTS => "the driver has a limit of its own that the program runs into",
        vk::Result::ERROR_INITIALIZATION_FAILED | vk::Result::ERROR_INCOMPATIBLE_DRIVER => {
            "the driver does not work on this machine: `venus doctor` says what is missing"
        }
        vk::Result::ERROR_EXTENSION_NOT_PRESENT | vk::Result::ERROR_FEATURE_NOT_PRESENT => {
            "the guest enables what it was not offered; `venus doctor` lists what is"
        }
        vk::Result::ERROR_INVALID_EXTERNAL_HANDLE => {
            "the resource is none that can be imported; `venus doctor` says how this host shares memory"
        }
        vk::Result::ERROR_FRAGMENTED_POOL | vk::Result::ERROR_OUT_OF_POOL_MEMORY => {
            "the program's descriptor pool is too small, which is the program's to handle"
        }
        _ => "",
    }
}
