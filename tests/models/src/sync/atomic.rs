//! Atomics with the orderings of the [world](super::world) that the model runs in.

use std::fmt;

pub(crate) use loom::sync::atomic::Ordering;
use loom::sync::atomic::fence;

use super::world::{self, TotalOrder};

/// An access in the order that the world has of `ordering`.
fn ordered<R: Default>(ordering: Ordering, access: impl FnOnce(Ordering) -> R, both: Ordering) -> R {
    if world::has_failed() {
        return R::default();
    }
    let world = world::current();
    let is_total = ordering == Ordering::SeqCst;
    if is_total && world.total_order == TotalOrder::Before {
        fence(Ordering::SeqCst);
    }
    let result = access(match ordering {
        _ if !world.acquire_release => Ordering::Relaxed,
        Ordering::SeqCst => both,
        ordering => ordering,
    });
    if is_total && world.total_order == TotalOrder::After {
        fence(Ordering::SeqCst);
    }
    result
}

macro_rules! atomics {
    ($($name:ident $value:ty: $($number:ident)*;)*) => {$(
        pub(crate) struct $name(loom::sync::atomic::$name);

        #[allow(dead_code, reason = "each of the host's files has use for some")]
        impl $name {
            #[track_caller]
            pub(crate) fn new(value: $value) -> Self {
                Self(loom::sync::atomic::$name::new(value))
            }

            #[track_caller]
            pub(crate) fn load(&self, ordering: Ordering) -> $value {
                ordered(ordering, |ordering| self.0.load(ordering), Ordering::Acquire)
            }

            #[track_caller]
            pub(crate) fn store(&self, value: $value, ordering: Ordering) {
                ordered(ordering, |ordering| self.0.store(value, ordering), Ordering::Release);
            }

            #[track_caller]
            pub(crate) fn swap(&self, value: $value, ordering: Ordering) -> $value {
                ordered(ordering, |ordering| self.0.swap(value, ordering), Ordering::AcqRel)
            }

            $(
                #[track_caller]
                pub(crate) fn $number(&self, value: $value, ordering: Ordering) -> $value {
                    ordered(ordering, |ordering| self.0.$number(value, ordering), Ordering::AcqRel)
                }
            )*
        }

        impl Default for $name {
            #[track_caller]
            fn default() -> Self {
                Self::new(Default::default())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        }
    )*};
}

atomics! {
    AtomicBool bool: fetch_or fetch_and;
    AtomicU8 u8: fetch_add fetch_or fetch_and;
    AtomicU32 u32: fetch_add fetch_or fetch_and;
    AtomicU64 u64: fetch_add fetch_or fetch_and;
    AtomicUsize usize: fetch_add fetch_or fetch_and;
}
