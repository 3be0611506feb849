//! The one table from errors to the numbers that C callers know.
//!
//! Distinct kinds of trouble have distinct numbers, so that a monitor written in C can tell them apart without reading
//! the sentence; but a failed system call keeps the number that it failed with.

use rustix::io::Errno;
use venus_protocol::vk;

use super::HostError;

/// What is asked for breaks the rules: of the protocol, or of the function that is called.
pub const INVAL: i32 = Errno::INVAL.raw_os_error();
/// There is nothing of that name.
pub const NOENT: i32 = Errno::NOENT.raw_os_error();
/// There is one of that name already.
pub const EXIST: i32 = Errno::EXIST.raw_os_error();
/// This host lacks what is asked for.
pub const OPNOTSUPP: i32 = Errno::OPNOTSUPP.raw_os_error();
/// A limit was reached.
pub const DQUOT: i32 = Errno::DQUOT.raw_os_error();
/// There is no memory.
pub const NOMEM: i32 = Errno::NOMEM.raw_os_error();
/// The GPU has no memory.
pub const NOSPC: i32 = Errno::NOSPC.raw_os_error();
/// The device is lost: the GPU hung or was reset.
pub const NODEV: i32 = Errno::NODEV.raw_os_error();
/// There is no driver that works.
pub const NXIO: i32 = Errno::NXIO.raw_os_error();
/// The driver failed in another way.
pub const IO: i32 = Errno::IO.raw_os_error();
/// The context is lost.
pub const PIPE: i32 = Errno::PIPE.raw_os_error();
/// The process that serves the context refused, for a reason that only its sentence tells.
pub const REMOTE: i32 = Errno::REMOTE.raw_os_error();
/// It took too long.
pub const TIMEDOUT: i32 = Errno::TIMEDOUT.raw_os_error();
/// The call would wait for itself.
pub const DEADLK: i32 = Errno::DEADLK.raw_os_error();
/// A fault of this library.
pub const NOTRECOVERABLE: i32 = Errno::NOTRECOVERABLE.raw_os_error();

impl HostError {
    /// The positive number of the system (`errno`) that says what kind of error this is.
    #[must_use]
    pub fn errno(&self) -> i32 {
        match self {
            Self::Guest(_) => INVAL,
            Self::Io { source, .. } => source.raw_os_error().unwrap_or(IO),
            Self::Driver { result, .. } => match *result {
                vk::Result::ERROR_OUT_OF_HOST_MEMORY => NOMEM,
                vk::Result::ERROR_OUT_OF_DEVICE_MEMORY => NOSPC,
                vk::Result::ERROR_DEVICE_LOST => NODEV,
                vk::Result::ERROR_INITIALIZATION_FAILED | vk::Result::ERROR_INCOMPATIBLE_DRIVER => NXIO,
                _ => IO,
            },
            Self::Unsupported(_) => OPNOTSUPP,
            Self::Limit { .. } => DQUOT,
            Self::Lost(_) => PIPE,
            Self::Remote(_) => REMOTE,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_of_errors_are_told_apart() {
        let errors = [
            HostError::fatal("create blob", "resource id 0"),
            HostError::driver("vkCreateDevice", vk::Result::ERROR_OUT_OF_HOST_MEMORY),
            HostError::driver("vkCreateDevice", vk::Result::ERROR_OUT_OF_DEVICE_MEMORY),
            HostError::driver("vkCreateDevice", vk::Result::ERROR_DEVICE_LOST),
            HostError::driver("vkCreateDevice", vk::Result::ERROR_INCOMPATIBLE_DRIVER),
            HostError::driver("vkCreateDevice", vk::Result::ERROR_UNKNOWN),
            HostError::Unsupported("no driver".into()),
            HostError::limit("resources", 1_u64),
            HostError::Lost("the worker died".into()),
            HostError::Remote("the worker refused".into()),
        ];
        let mut numbers: Vec<i32> = errors.iter().map(HostError::errno).collect();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), errors.len());
        assert!(numbers.iter().all(|number| *number > 0));
        assert_eq!(HostError::io("mmap", Errno::AGAIN).errno(), Errno::AGAIN.raw_os_error());
        assert_eq!(HostError::io("reading", std::io::Error::other("no number")).errno(), IO);
    }
}
