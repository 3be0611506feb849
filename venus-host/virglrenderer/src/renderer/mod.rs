//! The one device of this process: contexts, resources and fences by the numbers of virtio-gpu.
//!
//! | file | what |
//! |---|---|
//! | [`device`] | the state, and who has it |
//! | [`setup`] | how contexts are isolated, and what they may use |
//! | [`contexts`] | contexts, submissions and fences |
//! | [`resources`] | resources of every kind, and pages behind them |
//! | [`blobs`] | memory of contexts: mapped, exported, imported |
//! | [`kept`] | mappings that outlive their resources |
//! | [`pictures`] | resources that can be looked at |

mod blobs;
mod contexts;
mod device;
mod kept;
mod pictures;
mod resources;
mod setup;

pub(crate) use self::{
    blobs::MapRequest,
    device::{cleanup, init, is_initialised_without_venus, poll, reset, with},
    pictures::Transfer,
    setup::worker_options,
};
