//! Stands in for the host's resources: memory that is shared with a guest. How rings wait for one is a file of
//! `venus-host/src/resource`, as it is.

#[path = "../../../../venus-host/src/resource/arrivals.rs"]
mod arrivals;
pub mod explored;
pub(crate) mod mapping;

pub(crate) use mapping::Mapping;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct ResourceId(pub(crate) u32);
