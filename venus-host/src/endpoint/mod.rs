//! Endpoints: what executes a guest's commands, and who looks on.
//!
//! A context has one endpoint for direct submissions and one for each of its rings. Whoever wants to know what they do
//! implements [`Observer`]: recorders, tracers, the listener of the validation layers.
//!
//! | file | what |
//! |---|---|
//! | [`observer`] | the traits of observers, and what they are told |
//! | [`sample`] | counters of a context, to be looked at from outside |

#![deny(unsafe_code)]

mod observer;
mod sample;

pub(crate) use self::observer::{EndpointObservers, Observers};
pub use self::{
    observer::{BlobRequest, Command, EndpointObserver, Observer, Outcome, Place, Source, Span},
    sample::{RingSample, Sample, Sampler},
};
pub use crate::ring::Rest;
