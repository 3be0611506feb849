//! What crosses the border to the monitor: structures, numbers and callbacks of libvirglrenderer 1.3, as data.
//!
//! | file | what |
//! |---|---|
//! | [`structures`] | what arguments point to, with its layout |
//! | [`numbers`] | flags, kinds and formats |
//! | [`consumer`] | the monitor's callbacks, and calling them |
//! | [`iovec`] | pages of the guest, as the monitor names them |
//!
//! Nothing here decides anything. What the calls do is in [`crate::renderer`].

pub(crate) mod consumer;
pub(crate) mod iovec;
pub(crate) mod numbers;
pub(crate) mod structures;
