//! Who serves a context, in a thread or in a process of its own, and how its monitor talks to it.
//!
//! A monitor makes requests, in order, and goes on; whoever serves the context takes them one by one and tells what comes
//! of them. Within a process that is a queue and a call; between processes, the same messages on a stream socket. So there
//! is one loop for both, and the only request that anybody waits for is the one for a blob of the guest's memory. Plain
//! memory is made by the monitor, so no guest can have that wait for what it does.
//!
//! | file | what |
//! |---|---|
//! | [`served`] | a context, as its monitor sees it |
//! | [`serve`](mod@serve) | the loop that serves one |
//! | [`main`], [`requests`] | what a worker process does around that loop |
//! | [`surroundings`] | what a worker process leaves behind of its monitor's |
//! | [`launch`] | how a worker process is started, and why it may not be |
//! | `this_library`, `entry`, `seccomp` (Linux) | a shared library as its own worker, and where it begins; filters of system calls |
//! | [`process`], [`child`] | the monitor's side of the socket, and the worker's death |
//! | [`message`], [`packet`], [`frame`] | what travels, and how |
//! | [`inbox`], [`outbox`] | what was heard, and what waits to be said |
//! | [`patience`] | how long a monitor waits, all in all |
//! | [`fences`] | fences that have not retired |
//! | [`held`] | what a context holds of memory, as its monitor counts it |
//! | `fuzzing` | what a worker in its guest's hands could say, for a fuzz target |
//! | [`check`] | whether a blob from a worker is what the worker says |
//!
//! # Who believes whom
//!
//! A worker believes its monitor. A monitor does not believe a worker process, which does what its guest makes it do:
//! messages are bounded before they are read, what was not asked for ends the worker, a blob is checked before it is
//! mapped, and nothing is waited for without a limit. A worker that has died is known by the end of its socket; in which
//! command it was, by memory that both have mapped (`endpoint/breadcrumbs.rs`).

#![deny(unsafe_code)]

mod check;
mod child;
#[cfg(target_os = "linux")]
mod entry;
mod fences;
mod frame;
#[cfg(all(feature = "__fuzzing", target_os = "linux"))]
#[doc(hidden)]
pub mod fuzzing;
mod held;
mod inbox;
mod launch;
mod main;
mod message;
mod outbox;
mod packet;
mod patience;
mod process;
mod requests;
#[cfg(target_os = "linux")]
mod seccomp;
pub(crate) mod serve;
mod served;
mod surroundings;
#[cfg(target_os = "linux")]
mod this_library;

#[cfg(feature = "vtest")]
pub(crate) use self::launch::spawn;
pub(crate) use self::{
    fences::{Added, Fences, Sink},
    launch::Spare,
    patience::Patience,
    served::Served,
};
pub use self::{
    launch::{Launch, cannot_launch},
    main::{Lines, WorkerOptions, name_process, raise_descriptor_limit, serve, take_control_socket},
    surroundings::close_inherited,
};
pub use crate::{allocator::keep_freed_memory, endpoint::MakeObservers};
