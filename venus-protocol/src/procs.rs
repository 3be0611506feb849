//! Driver entry points, one slot per command, and the calls of them. Built with the feature `host`.

pub use crate::generated::procs::Procs;
use crate::wire::Command;

/// A command that drivers know: all but the protocol's own. Implemented by the generated `…Args`.
pub trait Call<'a>: Command<'a> {
    /// The id of the object that the command acts on: its first parameter if that is a handle, else 0.
    fn owner_id(&self) -> u64;

    /// Calls the driver's entry point; `None` if the driver has none.
    ///
    /// # Safety
    ///
    /// - Every handle in the arguments is a live handle of the driver that `procs` was loaded from, at the level
    ///   (instance or device) that the command belongs to.
    /// - What the specification demands of the application for this command holds, as far as the driver relies on
    ///   it for memory safety.
    unsafe fn call(&mut self, procs: &Procs) -> Option<Self::Return>;
}

/// Implements [`Call`]. A row has the type of the arguments, the slot of the entry point, the field of the command's
/// owner if it has one, and what the entry point is called with; there the arguments go by the name in front of all rows.
macro_rules! calls {
    ($args:ident; $($ty:ident $(<$life:lifetime>)? . $slot:ident ($($owner:ident)?) = $($argument:expr),*;)+) => {$(
        impl<'a> $crate::procs::Call<'a> for $ty $(<$life>)? {
            #[inline]
            fn owner_id(&self) -> u64 {
                $crate::procs::calls!(@owner self $($owner)?)
            }

            #[inline]
            unsafe fn call(&mut self, procs: &$crate::procs::Procs) -> Option<Self::Return> {
                let function = procs.$slot?;
                let $args = self;
                // SAFETY:
                // - Handles and valid usage are the promise of the caller of `call`.
                // - Every pointer leads to a decoded value, or to a slice as long as its length argument says; it is
                //   null where the guest's was.
                Some(unsafe { function($($argument),*) })
            }
        }
    )+};
    (@owner $this:ident) => { 0 };
    (@owner $this:ident $owner:ident) => { $this.$owner.id };
}
pub(crate) use calls;

/// What a command acts on, and so by what its entry point is looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Nothing, an instance or a physical device.
    Instance,
    /// A device, or something of one.
    Device,
}

/// Declares [`Procs`]: a slot per command, with its level, what a queue has to be able to do for it, and the names under
/// which drivers may offer it, the core name first.
macro_rules! procs {
    ($($slot:ident: $level:ident $ty:ty = $($name:literal),+ $(=> $($flag:ident)|+)?;)+) => {
        /// Entry points of a driver, at one level: loaded for an instance or for a device.
        ///
        /// A slot is empty where the driver offers the command under none of its names, and where the command is of
        /// the other level.
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
            /// Asks `lookup` for every command of a level, the core name first and then each alias.
            ///
            /// # Safety
            ///
            /// What `lookup` returns for a name is the driver's implementation of the command of that name, and stays
            /// valid for as long as the result is used.
            pub unsafe fn load(
                level: $crate::procs::Level,
                mut lookup: impl FnMut(&core::ffi::CStr) -> vk::PFN_vkVoidFunction,
            ) -> Self {
                let mut find = |of: $crate::procs::Level, names: &[&core::ffi::CStr]| match of == level {
                    true => names.iter().find_map(|name| lookup(name)),
                    false => None,
                };
                Self {
                    $($slot: find($crate::procs::Level::$level, &[$($name),+]).map(|function| {
                        // SAFETY: by the caller's promise the pointer is this command's implementation, and this is
                        // the type of such implementations.
                        unsafe { core::mem::transmute::<unsafe extern "system" fn(), $ty>(function) }
                    }),)+
                }
            }

            /// The same, without the commands that no queue of a family may be given which can do `flags`: those for
            /// which the registry demands one of several abilities, of which the family has none.
            #[must_use]
            pub fn for_queues(&self, flags: vk::QueueFlags) -> Self {
                let can = |any: &[vk::QueueFlags]| any.is_empty() || any.iter().any(|one| flags.intersects(*one));
                Self { $($slot: self.$slot.filter(|_| can(&[$($(vk::QueueFlags::$flag),+)?])),)+ }
            }
        }
    };
}
pub(crate) use procs;
