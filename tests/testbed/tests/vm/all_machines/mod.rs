//! Every QEMU with every guest, and what can happen to them. `cargo xtask test` leaves these out by their module's name.

/// Tests of what holds on each QEMU: for each function that is named, which takes the place where it happens, one with QEMU
/// of trixie and one of sid. First comes what finds that place.
macro_rules! on_each_qemu {
    ($place:ident: $($test:ident),* $(,)?) => {
        $crate::all_machines::on_qemu!(qemu_of_trixie, Trixie, $place, $($test)*);
        $crate::all_machines::on_qemu!(qemu_of_sid, Sid, $place, $($test)*);
    };
}

/// The tests on one QEMU.
macro_rules! on_qemu {
    ($module:ident, $qemu:ident, $place:ident, $($test:ident)*) => {
        mod $module {
            $(#[test]
            fn $test() {
                let name = concat!(stringify!($module), "::", stringify!($test));
                if let Some(place) = super::$place(name, testbed::provision::Suite::$qemu) {
                    super::$test(&place);
                }
            })*
        }
    };
}

use on_each_qemu;
use on_qemu;

mod console;
mod life;
mod matrix;
mod monitor;
mod windows;
mod workers;
