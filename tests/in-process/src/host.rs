//! The thread that serves a connection, and what the environment says of it.

#![expect(unsafe_code, reason = "has C call back")]

use std::{
    env,
    ffi::{c_int, c_void},
    io,
    os::{fd::AsFd, unix::net::UnixStream},
    path::Path,
    ptr,
    sync::OnceLock,
    thread,
};

use tracing_subscriber::EnvFilter;
use venus_host::{
    HostError,
    driver::{Config, MemoryChoice, Transport},
    resource::{Blob, BlobStorage},
    vtest::{SessionOptions, serve_connection},
};

use super::{driver, stand_ins::TABLE};

/// Names the library of the GPU's driver.
const DRIVER: &str = "VENUS_IN_PROCESS_DRIVER";
/// How memory is shared.
const MEMORY: &str = "VENUS_MEMORY";
/// What is logged.
const LOG: &str = "VENUS_LOG";

/// Serves a new connection on a thread of its own. Answers the guest's end.
pub(crate) fn begin() -> io::Result<UnixStream> {
    static OPTIONS: OnceLock<Result<SessionOptions, String>> = OnceLock::new();
    let options = OPTIONS.get_or_init(|| {
        start_log();
        // As late as can be, since what is asked for last is called first.
        let options = options();
        end_at_once();
        options.inspect_err(|error| tracing::error!("this program cannot be its own host: {error}"))
    });
    let options = options.clone().map_err(io::Error::other)?;
    let (guests, ours) = UnixStream::pair()?;
    let host = thread::Builder::new().name("venus-host".to_owned());
    host.spawn(move || {
        let summary = serve_connection(ours, options);
        tracing::debug!("{} left after {} commands", summary.name, summary.commands);
    })?;
    Ok(guests)
}

/// Has the program end where it calls `exit`, without the destructors of its libraries. They would take the GPU's driver
/// apart under the threads that serve the guest, whose driver is taken apart, too: NVIDIA's crashes then.
fn end_at_once() {
    // SAFETY: the function is there for as long as the program.
    let refused = unsafe { on_exit(end, ptr::null_mut()) };
    if refused != 0 {
        tracing::warn!("the program may crash at its end");
    }
}

unsafe extern "C" {
    /// Has a function called by `exit`, with the exit status (glibc, uClibc).
    fn on_exit(function: extern "C" fn(c_int, *mut c_void), argument: *mut c_void) -> c_int;
}

extern "C" fn end(status: c_int, _: *mut c_void) {
    // SAFETY: null stands for all streams.
    unsafe { libc::fflush(ptr::null_mut()) };
    // SAFETY: takes a number, and does not return.
    unsafe { libc::_exit(status) }
}

fn start_log() {
    let filter = EnvFilter::try_from_env(LOG).unwrap_or_else(|_| EnvFilter::new("warn,venus_in_process=info"));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_ansi(false).without_time();
    // Fails if the program has a log already, which is as well.
    let _started = log.try_init();
}

fn options() -> Result<SessionOptions, String> {
    let library = env::var_os(DRIVER).ok_or_else(|| format!("{DRIVER} names no driver"))?;
    let entry = driver::load(Path::new(&library))?;
    let memory = match env::var(MEMORY) {
        Ok(word) => word.parse()?,
        Err(_) => MemoryChoice::Auto,
    };
    let config = Config::default().entry(entry).memory(memory).transport(Transport::default().pointers());
    Ok(SessionOptions::new(config).stand_ins(stand_in))
}

/// A descriptor in place of memory that the driver has mapped here.
fn stand_in(blob: &Blob) -> Result<Box<dyn AsFd + Send>, HostError> {
    let BlobStorage::Pointer(memory) = &blob.storage else {
        return Err(HostError::Unsupported("only pointers are shared within a process".into()));
    };
    tracing::info!("{} bytes are shared by pointer", blob.size);
    Ok(Box::new(TABLE.stand_in(memory)?))
}
