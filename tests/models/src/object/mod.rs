//! The host's reclamation: files of `venus-host/src/object`, as they are.

pub mod explored;

#[path = "../../../../venus-host/src/object/cache.rs"]
pub(crate) mod cache;
#[path = "../../../../venus-host/src/object/class.rs"]
pub(crate) mod class;
// Formatted where it lies: its tests are looked for beside it otherwise.
#[rustfmt::skip]
#[path = "../../../../venus-host/src/object/reclaim.rs"]
pub(crate) mod reclaim;
#[path = "../../../../venus-host/src/object/removals.rs"]
pub(crate) mod removals;
mod table;

pub(crate) use self::{
    cache::{CachedResolver, ResolveCache},
    table::Table,
};
