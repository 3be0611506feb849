//! What the table refuses.

use std::borrow::Cow;

use venus_protocol::vk;

use crate::error::{APPLICATION, BUDGETED, Fatal, GUEST_DRIVER, object_type_name};

/// Why the table refuses. All of these end the guest's context, and all but [`TableError::Busy`] are its fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TableError {
    /// A new object was given the id 0.
    #[error("the id of a new {} is 0", object_type_name(*kind))]
    ZeroId { kind: vk::ObjectType },
    /// A new object was given an id that is in use.
    #[error("id {id:#x} is already in use, by a {}", object_type_name(*by))]
    IdInUse { id: u64, by: vk::ObjectType },
    /// As many as there may be are alive.
    #[error("{most} objects are alive, which is the limit")]
    Full { most: usize },
    /// There is no such object.
    #[error("no {} has the id {id:#x}", object_type_name(*kind))]
    Unknown { kind: vk::ObjectType, id: u64 },
    /// The object belongs to another device than the command says.
    #[error("{} {id:#x} does not belong to VkDevice {device:#x}", object_type_name(*kind))]
    OtherDevice { kind: vk::ObjectType, id: u64, device: u64 },
    /// The object belongs to another pool than the command says.
    #[error("{} {id:#x} does not belong to {} {pool:#x}", object_type_name(*kind), object_type_name(*pool_kind))]
    OtherPool { kind: vk::ObjectType, id: u64, pool_kind: vk::ObjectType, pool: u64 },
    /// Some endpoint is stuck in a command that may be using the object.
    #[error("another ring has been busy with one command for too long to free this object safely")]
    Busy,
}

impl TableError {
    /// The reason why a context ends. `command` is the Vulkan name.
    #[cold]
    pub(crate) fn fatal(self, command: &'static str) -> Fatal {
        let advice = match self {
            // Ids are the guest driver's choice.
            Self::ZeroId { .. } | Self::IdInUse { .. } => GUEST_DRIVER,
            Self::Full { .. } => BUDGETED,
            Self::Busy => "a call in the driver does not return: see the kernel's log (`dmesg`)",
            Self::Unknown { .. } | Self::OtherDevice { .. } | Self::OtherPool { .. } => APPLICATION,
        };
        Fatal::new(command, Cow::Owned(self.to_string())).advice(advice)
    }
}
