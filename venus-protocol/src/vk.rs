//! Vulkan's types: ash's, and those of the protocol that ash lacks.

pub use ash::vk::*;

pub use crate::generated::types::*;

/// Says of structures that ash lacks that they are chainable, and what their type is.
macro_rules! tagged_structures {
    ($($name:ident = $s_type:expr;)+) => {$(
        const _: () = {
            assert!(core::mem::offset_of!($name, s_type) == core::mem::offset_of!(ash::vk::BaseInStructure, s_type));
            assert!(core::mem::offset_of!($name, p_next) == core::mem::offset_of!(ash::vk::BaseInStructure, p_next));
        };

        // SAFETY: the structure begins with `sType` and `pNext`, as asserted above.
        unsafe impl ash::vk::TaggedStructure for $name<'_> {
            const STRUCTURE_TYPE: ash::vk::StructureType = $s_type;
        }
    )+};
}
pub(crate) use tagged_structures;

/// Gives unions that ash lacks the default that ash gives its own: all bytes are 0.
macro_rules! zeroed_unions {
    ($($name:ty;)+) => {$(
        impl Default for $name {
            fn default() -> Self {
                // SAFETY: every member is a number, a pointer that may be null, or a structure of such.
                unsafe { core::mem::zeroed() }
            }
        }
    )+};
}
pub(crate) use zeroed_unions;
