//! Driver entry points, one slot per command.

pub use crate::generated::procs::Procs;

/// Declares [`Procs`]: a slot per command, with the names under which drivers may offer it, the core name first.
macro_rules! procs {
    ($($slot:ident: $ty:ty = [$($name:literal),+];)+) => {
        /// Entry points of a driver, at one level: loaded for an instance or for a device.
        ///
        /// A slot is empty where the driver offers the command under none of its names.
        #[derive(Clone, Copy, Default)]
        #[expect(missing_docs, reason = "each slot is the entry point of the command whose name it bears")]
        pub struct Procs {
            $(pub $slot: Option<$ty>,)+
        }

        impl core::fmt::Debug for Procs {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                let slots = [$(self.$slot.is_some()),+];
                write!(f, "Procs({} of {} loaded)", slots.iter().filter(|slot| **slot).count(), slots.len())
            }
        }

        impl Procs {
            /// Asks `lookup` for every command, the core name first and then each alias.
            ///
            /// # Safety
            ///
            /// What `lookup` returns for a name is the driver's implementation of the command of that name, and stays
            /// valid for as long as the result is used.
            pub unsafe fn load(mut lookup: impl FnMut(&core::ffi::CStr) -> vk::PFN_vkVoidFunction) -> Self {
                Self {
                    $($slot: [$($name),+].iter().find_map(|name| lookup(name)).map(|function| {
                        // SAFETY: by the caller's promise the pointer is this command's implementation, and this is
                        // the type of such implementations.
                        unsafe { core::mem::transmute::<unsafe extern "system" fn(), $ty>(function) }
                    }),)+
                }
            }
        }
    };
}
pub(crate) use procs;
