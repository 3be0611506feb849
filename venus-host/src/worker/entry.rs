//! Where a shared library begins that is its own worker.
//!
//! Nothing else is in this file: a test compiles it for a processor that the test does not run on.

/// Defines `venus_worker_start`, the entry point of a shared library that is its own worker, which calls a function
/// `fn() -> std::process::ExitCode`. That function gives [`serve`](crate::worker::serve) what it needs.
///
/// The library has to be linked with `-Wl,-e,venus_worker_start`, which a build script says by
/// `cargo::rustc-cdylib-link-arg`. There is no such macro on other systems than Linux.
///
/// The runtime is the C library's, as in a program in C: Rust's own has not been set up, and does not need to be.
#[macro_export]
macro_rules! worker_entry {
    ($main:path) => {
        #[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
        extern "C" fn worker_main() -> ::core::ffi::c_int {
            let ended = ::std::panic::catch_unwind(|| {
                let code: ::std::process::ExitCode = $main();
                code == ::std::process::ExitCode::SUCCESS
            });
            if ended.is_ok_and(|in_order| in_order) { 0 } else { 1 }
        }

        // What `_start` of the C library's crt1.o does: the outermost frame has no caller; the system has left the loader's
        // finaliser in a register, and the number of arguments and the arguments on the stack.
        #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
        ::core::arch::global_asm!(
            ".pushsection .text.venus_worker_start, \"ax\", @progbits",
            ".globl venus_worker_start",
            ".hidden venus_worker_start",
            ".type venus_worker_start, @function",
            "venus_worker_start:",
            "xor ebp, ebp",
            "mov r9, rdx",
            "pop rsi",
            "mov rdx, rsp",
            "and rsp, -16",
            "push rax",
            "push rsp",
            "xor r8d, r8d",
            "xor ecx, ecx",
            "lea rdi, [rip + {main}]",
            "call qword ptr [rip + __libc_start_main@GOTPCREL]",
            "hlt",
            ".size venus_worker_start, . - venus_worker_start",
            ".popsection",
            main = sym worker_main,
        );

        #[cfg(all(target_os = "linux", target_arch = "aarch64"))]
        ::core::arch::global_asm!(
            ".pushsection .text.venus_worker_start, \"ax\", %progbits",
            ".globl venus_worker_start",
            ".hidden venus_worker_start",
            ".type venus_worker_start, %function",
            "venus_worker_start:",
            "mov x29, #0",
            "mov x30, #0",
            "mov x5, x0",
            "ldr x1, [sp]",
            "add x2, sp, #8",
            "mov x6, sp",
            "adrp x0, {main}",
            "add x0, x0, :lo12:{main}",
            "mov x3, #0",
            "mov x4, #0",
            "bl __libc_start_main",
            "brk #0",
            ".size venus_worker_start, . - venus_worker_start",
            ".popsection",
            main = sym worker_main,
        );
    };
}
