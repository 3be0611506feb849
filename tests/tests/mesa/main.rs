//! End to end: unmodified Mesa guests run real programs against the `venus` command, on a real driver.
//!
//! `cargo xtask test` installs the driver, makes the guests and says in the environment where they are ([`common`]).
//! Run any other way, these tests skip themselves, say so, and are counted as skipped by `cargo xtask test`.
//!
//! Every guest run ends in time: a Mesa guest whose host died spins for ever on its socket.

mod common;
mod in_process;
mod isolation;
mod reference;
mod teardown;
mod validation;
mod vkcube;
mod vulkaninfo;
