//! What can go wrong on the host, and who is at fault.
//!
//! Five kinds of trouble exist and are never mixed:
//!
//! | what | type | effect |
//! |---|---|---|
//! | bytes that are no valid command | `venus_protocol::DecodeError`, explained in `context/explain.rs` | that context is lost, the others live |
//! | a valid command that the guest must not send | [`Fatal`] | the same |
//! | a command that Vulkan lets a driver refuse | `Interrupt::Refused` | it is left out, with a `vk::Result` where there is one |
//! | the driver said no | `vk::Result` in a reply | none: it is data |
//! | our own world broke (a file, a socket, a thread, the loader) | [`HostError`] | logged once, at the top |
//!
//! A command that does not come to its end is interrupted (`Interrupt`): because it loses the context, or because it
//! has to wait or to be abandoned, where nobody is at fault. What is no command, such as a request for a resource,
//! answers with a [`HostError`], of which one variant says that the request itself is wrong.
//!
//! What a C caller is told of a [`HostError`] is a number of the system's: see [`errno`].
//!
//! A [`Fatal`] is written for the person who reads the log: it names the command, the member where one is to blame, the
//! reason, the place in the stream, and what to do about it. Go to `endpoint/lost.rs` for the sticky state that keeps
//! the first of them.

mod advice;
pub mod errno;

use std::{borrow::Cow, fmt, io};

use venus_protocol::{reflect, vk, wire::DecodeError};

use self::advice::HOST_FAILED;
pub(crate) use self::advice::{APPLICATION, BUDGETED, GUEST_DRIVER, MEMORY_NOT_ASKED_FOR, RUNAWAY, hint};

/// Why a command did not come to its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Interrupt {
    /// The guest's context is lost; nobody else is affected.
    #[error("{0}")]
    Lost(#[source] Box<Fatal>),

    /// The bytes are no valid command. Which member that concerns, and what to do, is found out by whoever still has the
    /// bytes (`context/explain.rs`), which makes it an [`Interrupt::Lost`].
    #[error("{0}")]
    Undecodable(#[source] Box<DecodeError>),

    /// The guest's application got the command wrong in a way that Vulkan lets a driver refuse, or asked for more than
    /// there is. Nothing of it was executed: it is left out, and answered where there is an answer
    /// (`context/skipped.rs`). The context lives.
    #[error("{0}")]
    Refused(#[source] Box<Refused>),

    /// The command cannot finish yet and nothing of it was executed: run it again later. Only rings in poll mode see
    /// this; it is how a wait command gives the thread back to its owner.
    #[error("the command has to wait")]
    Blocked,

    /// The endpoint is being stopped, so the command was abandoned. Nobody is at fault and nothing is logged.
    #[error("the context is being destroyed")]
    Stopped,
}

impl Interrupt {
    /// The reason why a context ends. `command` names the command that met it, unless the interrupt knows better.
    #[cold]
    #[must_use]
    pub(crate) fn into_fatal(self, command: &'static str) -> Fatal {
        match self {
            Self::Lost(fatal) => *fatal,
            Self::Refused(refused) => refused.reason,
            Self::Undecodable(error) => {
                let offset = u64::try_from(error.offset).ok();
                Fatal { offset, ..Fatal::new(command, error.kind.to_string()) }
            }
            Self::Blocked | Self::Stopped => Fatal::new(command, self.to_string()).advice(HOST_FAILED),
        }
    }
}

/// What a guest is told of invalid usage that the host has found.
pub(crate) const INVALID: vk::Result = vk::Result::ERROR_VALIDATION_FAILED_EXT;

/// A command that is not executed.
#[derive(Debug, thiserror::Error)]
#[error("{reason}")]
pub(crate) struct Refused {
    /// What the guest is told, if the command has a result.
    pub(crate) result: vk::Result,
    /// What the log is told.
    pub(crate) reason: Fatal,
}

impl From<Refused> for Interrupt {
    #[cold]
    fn from(refused: Refused) -> Self {
        Self::Refused(Box::new(refused))
    }
}

impl From<Fatal> for Interrupt {
    #[cold]
    fn from(fatal: Fatal) -> Self {
        Self::Lost(Box::new(fatal))
    }
}

impl From<DecodeError> for Interrupt {
    #[cold]
    fn from(error: DecodeError) -> Self {
        Self::Undecodable(Box::new(error))
    }
}

/// Anything that stops the host from doing what it was asked to do, other than executing a command.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HostError {
    /// What is asked for on the guest's behalf breaks the protocol. The caller ends the guest's context or refuses; nobody
    /// else is affected.
    #[error("{0}")]
    Guest(#[source] Box<Fatal>),

    /// A system call failed. The host, not the guest, is at fault.
    #[error("{what}: {source}")]
    Io {
        /// What was attempted, as a phrase that reads well before a colon.
        what: Cow<'static, str>,
        /// The system's answer.
        #[source]
        source: io::Error,
    },

    /// A Vulkan call that the host made for its own needs failed, so there is no reply to carry the result.
    #[error("{what}: {}", ResultName(*result))]
    Driver {
        /// What was attempted, with the Vulkan name of the call.
        what: Cow<'static, str>,
        /// The driver's answer.
        result: vk::Result,
    },

    /// This host lacks something that a guest needs. The message is one sentence that says what and how to get it.
    #[error("{0}")]
    Unsupported(Cow<'static, str>),

    /// The context is lost, for this reason: its guest broke the protocol, or whoever served it died. It answers so until
    /// it is destroyed.
    #[error("the context is lost: {0}")]
    Lost(Box<str>),

    /// Why a worker process refuses what it was asked for, in its own words.
    #[error("{0}")]
    Remote(Box<str>),

    /// A limit of `limits.rs` was reached.
    #[error("limit reached: {what} (at most {limit})")]
    Limit {
        /// What there is too much of.
        what: &'static str,
        /// The value of the named limit.
        limit: u64,
    },
}

impl HostError {
    /// A broken rule of the protocol: the shortest way to say it. `command` names what was asked for.
    #[cold]
    pub fn fatal(command: &'static str, reason: impl Into<Cow<'static, str>>) -> Self {
        Fatal::new(command, reason).into()
    }

    /// A failed system call.
    #[cold]
    pub fn io(what: impl Into<Cow<'static, str>>, source: impl Into<io::Error>) -> Self {
        Self::Io { what: what.into(), source: source.into() }
    }

    /// A limit of `limits.rs` that was reached.
    #[cold]
    pub(crate) fn limit(what: &'static str, limit: impl TryInto<u64>) -> Self {
        Self::Limit { what, limit: limit.try_into().unwrap_or(u64::MAX) }
    }

    /// A failed Vulkan call of the host's own.
    #[cold]
    pub fn driver(what: impl Into<Cow<'static, str>>, result: vk::Result) -> Self {
        Self::Driver { what: what.into(), result }
    }

    /// Turns any error into the reason why a context ends. `command` names the command that met it, unless the error
    /// knows better.
    #[cold]
    #[must_use]
    pub fn into_fatal(self, command: &'static str) -> Fatal {
        match self {
            Self::Guest(fatal) => *fatal,
            Self::Driver { result, .. } => Fatal::new(command, self.to_string()).advice(hint(result)),
            Self::Limit { .. } => Fatal::new(command, self.to_string()).advice(RUNAWAY),
            other => Fatal::new(command, other.to_string()).advice(HOST_FAILED),
        }
    }
}

/// What the log calls the request for a blob, which is no command.
pub(crate) const CREATE_BLOB: &str = "create blob";

impl From<Fatal> for HostError {
    #[cold]
    fn from(fatal: Fatal) -> Self {
        Self::Guest(Box::new(fatal))
    }
}

/// The C name of a type of objects, such as `VkBuffer`.
pub(crate) fn object_type_name(object_type: vk::ObjectType) -> &'static str {
    reflect::handle(object_type).map_or("object of a type Venus cannot create", |row| row.name)
}

/// A result by its name in Vulkan, such as `VK_ERROR_DEVICE_LOST`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ResultName(pub(crate) vk::Result);

impl fmt::Display for ResultName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.0.as_raw();
        match reflect::RESULT.name_of(value.into()) {
            Some(name) => f.write_str(name),
            None => write!(f, "VkResult {value}"),
        }
    }
}

/// Why a guest context came to an end.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub struct Fatal {
    /// Vulkan name of the command, or what was going on when no command was.
    pub command: &'static str,
    /// The parameter or member that is to blame, where one is.
    pub member: Option<Box<str>>,
    /// What is wrong, with the values.
    pub reason: Cow<'static, str>,
    /// Which stream carried the command: empty until the endpoint that executed it fills it in.
    pub stream: Cow<'static, str>,
    /// Byte position in that stream: of the command, or of the culprit where the decoder knows it.
    pub offset: Option<u64>,
    /// What a person can do about it; empty if nothing but a bug report helps.
    pub advice: Cow<'static, str>,
}

impl Fatal {
    /// Names the command and the reason.
    #[cold]
    pub fn new(command: &'static str, reason: impl Into<Cow<'static, str>>) -> Self {
        Self {
            command,
            member: None,
            reason: reason.into(),
            stream: Cow::Borrowed(""),
            offset: None,
            advice: Cow::Borrowed(""),
        }
    }

    /// Names the parameter or member to blame.
    #[must_use]
    pub fn member(mut self, member: impl Into<Box<str>>) -> Self {
        self.member = Some(member.into());
        self
    }

    /// Says what to do.
    #[must_use]
    pub fn advice(mut self, advice: impl Into<Cow<'static, str>>) -> Self {
        self.advice = advice.into();
        self
    }

    /// The same, unless something better is said already.
    #[must_use]
    pub(crate) fn or_advice(self, advice: &'static str) -> Self {
        if self.advice.is_empty() { self.advice(advice) } else { self }
    }

    /// Says where: `stream` names the endpoint, `base` is the position in it of the bytes that were being decoded, `at`
    /// that of the command in those bytes, used where the decoder has not told the culprit's own. Only the first call
    /// counts, so that the innermost stream is named.
    #[must_use]
    pub fn located(mut self, stream: impl Into<Cow<'static, str>>, base: u64, at: u64) -> Self {
        if self.stream.is_empty() {
            self.stream = stream.into();
            self.offset = Some(base.wrapping_add(self.offset.unwrap_or(at)));
        }
        self
    }
}

impl fmt::Display for Fatal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.command)?;
        if let Some(member) = &self.member {
            write!(f, ", {member}")?;
        }
        write!(f, ": {}", self.reason)?;
        if let (false, Some(offset)) = (self.stream.is_empty(), self.offset) {
            write!(f, " ({} at byte {offset})", self.stream)?;
        }
        if !self.advice.is_empty() {
            write!(f, "; {}", self.advice)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fatal_reads_as_one_line() {
        let fatal = Fatal::new("vkCreateRingMESA", "buffer size 3 is no power of two")
            .member("pCreateInfo->bufferSize")
            .advice("report it to the guest driver")
            .located("direct submission", 64, 32);
        assert_eq!(
            fatal.to_string(),
            "vkCreateRingMESA, pCreateInfo->bufferSize: buffer size 3 is no power of two (direct submission at byte 96); \
             report it to the guest driver"
        );
    }

    #[test]
    fn the_innermost_stream_is_named() {
        let fatal = Fatal::new("vkCmdDraw", "x").located("indirect stream", 0, 8).located("ring 1", 64, 0);
        assert_eq!((&*fatal.stream, fatal.offset), ("indirect stream", Some(8)));
    }

    #[test]
    fn results_have_vulkans_names() {
        assert_eq!(ResultName(vk::Result::ERROR_DEVICE_LOST).to_string(), "VK_ERROR_DEVICE_LOST");
        assert_eq!(ResultName(vk::Result::INCOMPLETE).to_string(), "VK_INCOMPLETE");
        assert_eq!(ResultName(vk::Result::from_raw(-77)).to_string(), "VkResult -77");
        let error = HostError::driver("vkCreateFence", vk::Result::ERROR_OUT_OF_DEVICE_MEMORY);
        let fatal = error.into_fatal("vkResetFenceResourceMESA").to_string();
        assert!(fatal.contains("VK_ERROR_OUT_OF_DEVICE_MEMORY") && fatal.contains("memory is full"), "{fatal}");
    }

    #[test]
    fn object_types_have_the_names_of_their_handles() {
        assert_eq!(object_type_name(vk::ObjectType::ACCELERATION_STRUCTURE_KHR), "VkAccelerationStructureKHR");
        assert_eq!(object_type_name(vk::ObjectType::SURFACE_KHR), "object of a type Venus cannot create");
    }

    #[test]
    fn errors_stay_small() {
        assert!(size_of::<Fatal>() <= 120, "{}", size_of::<Fatal>());
        assert!(size_of::<Interrupt>() <= 16, "{}", size_of::<Interrupt>());
        assert!(size_of::<HostError>() <= 48, "{}", size_of::<HostError>());
    }
}
