//! The host's rings: files of `venus-host/src/ring`, as they are.

pub mod explored;

#[path = "../../../../venus-host/src/ring/consumer.rs"]
pub(crate) mod consumer;
#[path = "../../../../venus-host/src/ring/control.rs"]
pub(crate) mod control;
#[path = "../../../../venus-host/src/ring/layout.rs"]
pub(crate) mod layout;
#[path = "../../../../venus-host/src/ring/monitor.rs"]
pub(crate) mod monitor;
#[path = "../../../../venus-host/src/ring/region.rs"]
pub(crate) mod region;
#[path = "../../../../venus-host/src/ring/shared.rs"]
pub(crate) mod shared;

pub(crate) use self::{
    consumer::{Execute, Progress},
    control::{Control, Mode, Settings, WaitError},
    layout::Layout,
    region::Region,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RingId(pub(crate) u64);
