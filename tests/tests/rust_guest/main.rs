//! End to end: our own small guest against the `venus` command, on a real driver.
//!
//! `cargo xtask test` builds the host and names it in the environment. Run any other way, these tests skip themselves,
//! say so, and are counted as skipped.

mod common;
mod faults;
mod life;
mod programs;
mod transport;
