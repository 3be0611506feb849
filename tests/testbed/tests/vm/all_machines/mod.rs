//! Every QEMU with every guest, and what can happen to them. `cargo xtask test` leaves these out by their module's name.

mod console;
mod life;
mod matrix;
mod monitor;
mod windows;
mod workers;
