//! A drop-in `libvirglrenderer.so.1` that serves Venus and nothing else.
//!
//! Virtual machine monitors (QEMU, crosvm and others on rutabaga, libkrun) load virglrenderer for their virtio-gpu device.
//! This library has the same names, and a [`venus_host::host::Host`] behind them. It exports what libvirglrenderer 1.3
//! exports, and two names that libkrun wants; `docs/virglrenderer.md` says of each what it does here.
//!
//! # The rooms, floor by floor
//!
//! | floor | room | owns |
//! |------:|---|---|
//! | 3 | [`exports`] | the C functions: null pointers, panics, errors as numbers |
//! | 3 | [`worker`] | the library as its own program |
//! | 2 | [`renderer`] | the one device of this process: its contexts, resources and fences, on a `Host` |
//! | 1 | [`scanout`] | two-dimensional resources, for the boot console |
//! | 1 | [`fences`] | when the monitor is told of fences |
//! | 1 | [`log`] | where the log goes |
//! | 0 | [`abi`] | what crosses the border, as data |
//! | 0 | [`failure`] | errors that several rooms say |
//!
//! # Rules of the border
//!
//! No panic crosses it. The guest is hostile, the monitor is trusted to pass pointers that lead somewhere; null is refused
//! all the same. Numbers of contexts, resources and rings come from the guest by way of the monitor, so they are looked
//! up and never believed.
//!
//! One lock guards the device. It is never held while the monitor's fence callbacks run, nor where they are waited for.

#![cfg_attr(
    not(test),
    deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::as_conversions, clippy::arithmetic_side_effects)
)]

mod abi;
mod exports;
mod failure;
mod fences;
mod log;
mod renderer;
mod scanout;
mod worker;
