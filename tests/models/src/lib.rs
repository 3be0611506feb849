//! Explores in which orders the host's threads can meet, and what each may see of the others.
//!
//! The files of the host that decide this are compiled here a second time, as they are, with [loom](https://docs.rs/loom)
//! behind the names of its `sync`: loom runs a model again and again, until it has seen every order of accesses and every
//! value that a load may see. Where the host's own names lead to what is none of this (mapped memory, errors, the C
//! library's allocator), stand-ins are here.
//!
//! | folder | what |
//! |---|---|
//! | `sync` | atomics, locks, threads and time, and the [`World`] that a model runs in |
//! | `ring`, `object`, `resource` | where the host's files are put, with their neighbours' stand-ins |
//! | `explored` in these | the models, which `tests/rings.rs` and `tests/objects.rs` run |
//!
//! A model that cannot fail shows nothing. So those that rely on what a [`World`] can lack are run in such a one too,
//! where they have to fail; the others were seen to fail with a fault in the host's files (`docs/robustness.md`).

// The host's own unit tests run where they belong.
#![cfg(not(test))]
#![allow(
    dead_code,
    unreachable_pub,
    clippy::reversed_empty_ranges,
    reason = "the host's files are whole, and models use what meets other threads; no look before a sleep is a range of none"
)]

mod allocator;
mod error;
mod limits;
pub mod object;
pub mod resource;
pub mod ring;
mod sync;
mod thread;

pub use sync::world::World;
