//! A host in its guest's process, to measure what memory by pointer is worth without a virtual machine.
//!
//! Preloaded into an unmodified program whose Vulkan is Mesa's Venus driver (`VN_DEBUG=vtest`), this library answers when
//! that driver connects to `VTEST_SOCKET_NAME`: no socket is looked for, a thread of the program serves the connection.
//! The memory that a driver has mapped into the process has no descriptor, so the guest's driver gets one that stands for
//! it, and where it maps that (`mmap`) it gets the memory itself.
//!
//! ```text
//! program -> libvulkan -> Mesa's Venus driver -> connect, mmap, munmap -> this library -> venus-host -> the GPU's driver
//! ```
//!
//! | file | what |
//! |---|---|
//! | [`interpose`] | the functions of the C library that this one stands before |
//! | [`host`] | the thread that serves a connection, and what the environment says of it |
//! | [`driver`] | the GPU's driver, used without a loader |
//! | [`stand_ins`] | descriptors that stand for memory, and what of it is mapped |
//! | [`extensions`] | for a native program beside it: as few extensions as a guest has |
//!
//! The environment:
//!
//! | variable | what |
//! |---|---|
//! | `VTEST_SOCKET_NAME` | the path that the guest's driver connects to, which need not exist |
//! | `VENUS_IN_PROCESS_DRIVER` | the library of the GPU's driver. `VK_DRIVER_FILES` names the guest's in this process |
//! | `VENUS_MEMORY` | how memory is shared, as `venus serve --memory` has it; `pointer` for pointers only |
//! | `VENUS_LOG` | what is logged, as for `venus` |
//! | `VENUS_PROTOCOL_EXTENSIONS` | set for a native program: it sees those extensions only that the protocol carries |
//!
//! This is a tool of the tests: a program that is its own host has nothing that protects it from itself.

// Elsewhere there is nothing to stand before, and nothing to preload.
#[cfg(target_os = "linux")]
mod driver;
#[cfg(target_os = "linux")]
mod extensions;
#[cfg(target_os = "linux")]
mod host;
#[cfg(target_os = "linux")]
mod interpose;
#[cfg(target_os = "linux")]
mod stand_ins;
