//! What becomes of a system call that is refused: it fails, and the log has a line.
//!
//! The kernel sends `SIGSYS` in place of the call. The signal's handler makes the call fail with `EPERM` and sends its number
//! through a pipe to a thread, which logs it: a handler may be in the middle of anything, so it may not. Each call is logged
//! once, since a guest may have it made in any number.
//!
//! A thread that blocks the signal dies of such a call, and the process with it. Mesa's threads do not, on purpose; the C
//! library's ways to start a process do, so those are refused without a signal.

#![expect(unsafe_code, reason = "a handler of signals has no safe form")]

use std::{
    io::{self, PipeReader, PipeWriter, Read as _},
    mem::MaybeUninit,
    os::fd::{IntoRawFd as _, RawFd},
    ptr,
    sync::atomic::{AtomicI32, AtomicU64, Ordering},
    thread,
};

use libc::{
    EPERM, SA_NODEFER, SA_ONSTACK, SA_RESTART, SA_SIGINFO, SIGSYS, c_int, c_long, c_void, siginfo_t, ucontext_t,
};

use super::{calls::why, numbers::name};

/// Where the handler says which call was refused; -1 for nowhere.
static PIPE: AtomicI32 = AtomicI32::new(-1);

/// Calls that were refused before, a bit for each number.
static KNOWN: [AtomicU64; 8] = [const { AtomicU64::new(0) }; 8];

/// Stack of the thread that logs.
const STACK_BYTES: usize = 128 << 10;

/// `SYS_SECCOMP` of the kernel's headers: the signal is the kernel's, in place of a system call.
const OF_A_FILTER: c_int = 1;

/// What the kernel says of such a signal: the beginning of `siginfo_t` and its variant `_sigsys`.
#[repr(C)]
struct Refusal {
    signal: c_int,
    error: c_int,
    code: c_int,
    _address: *mut c_void,
    number: c_int,
    _architecture: u32,
}

/// Has refused calls fail and be logged, from now on. To be done before there is a filter.
pub(super) fn handle() -> Result<(), String> {
    let failed = |error: io::Error| format!("refused system calls cannot be dealt with: {error}");
    let (reader, writer) = io::pipe().map_err(failed)?;
    log(reader, writer).map_err(failed)?;
    let handler: extern "C" fn(c_int, *mut siginfo_t, *mut c_void) = refuse;
    // SAFETY: all zeros are a valid `sigaction`, which is numbers, a set that is an array of them, and an optional function.
    let mut action: libc::sigaction = unsafe { MaybeUninit::zeroed().assume_init() };
    #[expect(clippy::as_conversions, reason = "the system is told of a function by its address")]
    let address = (handler as *const ()).addr();
    action.sa_sigaction = address;
    action.sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK | SA_RESTART;
    // SAFETY: the handler does nothing but what handlers may do, and the structure lives during the call.
    let outcome = unsafe { libc::sigaction(SIGSYS, &raw const action, ptr::null_mut()) };
    if outcome == 0 { Ok(()) } else { Err(failed(io::Error::last_os_error())) }
}

/// Starts the thread that logs what comes through the pipe.
fn log(mut reader: PipeReader, writer: PipeWriter) -> io::Result<()> {
    // A handler must not wait for whoever reads.
    rustix::io::ioctl_fionbio(&writer, true)?;
    let run = move || {
        let mut number = [0; size_of::<c_int>()];
        while reader.read_exact(&mut number).is_ok() {
            let number = c_long::from(c_int::from_ne_bytes(number));
            tracing::warn!("the sandbox of this worker refuses {}: {}", name(number), why(number));
        }
    };
    thread::Builder::new().name("venus-sandbox".to_owned()).stack_size(STACK_BYTES).spawn(run)?;
    PIPE.store(writer.into_raw_fd(), Ordering::Relaxed);
    Ok(())
}

/// The handler of `SIGSYS`.
extern "C" fn refuse(_signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
    // SAFETY: the kernel gives a handler with SA_SIGINFO what it says of the signal, which is larger than this.
    let refusal = unsafe { &*info.cast::<Refusal>() };
    if refusal.code != OF_A_FILTER {
        return;
    }
    tell(refusal.number);
    // SAFETY: the third argument of such a handler is the context that is returned to, and nobody else's meanwhile.
    let context = unsafe { &mut *context.cast::<ucontext_t>() };
    answer(context, EPERM);
}

/// Sends a call's number to the thread that logs, the first time.
fn tell(number: c_int) {
    let index = u32::try_from(number).unwrap_or(u32::MAX);
    let (word, bit) = (index / u64::BITS, index % u64::BITS);
    // Numbers beyond the last are one to us.
    let word = KNOWN.get(usize::try_from(word).unwrap_or(usize::MAX)).or(KNOWN.last());
    let bit = 1 << bit;
    if word.is_none_or(|word| word.fetch_or(bit, Ordering::Relaxed) & bit != 0) {
        return;
    }
    let pipe: RawFd = PIPE.load(Ordering::Relaxed);
    let said = number.to_ne_bytes();
    // SAFETY: the C library's variable of this thread.
    let error = unsafe { libc::__errno_location() };
    // SAFETY: it is this thread's, and lives as long as the thread.
    let before = unsafe { error.read() };
    // SAFETY: the bytes are a local, and a descriptor that is none is answered with an error.
    let _told = unsafe { libc::write(pipe, said.as_ptr().cast(), said.len()) };
    // SAFETY: as above. Whoever was interrupted finds the variable as it was.
    unsafe { error.write(before) };
}

/// Has the call that was refused return an error.
fn answer(context: &mut ucontext_t, error: c_int) {
    let answer = i64::from(error).wrapping_neg();
    #[cfg(target_arch = "x86_64")]
    if let Some(register) = context.uc_mcontext.gregs.get_mut(usize::try_from(libc::REG_RAX).unwrap_or(usize::MAX)) {
        *register = answer;
    }
    #[cfg(target_arch = "aarch64")]
    if let [register, ..] = &mut context.uc_mcontext.regs {
        *register = answer.cast_unsigned();
    }
}
