//! Every QEMU with every guest: the guest finds Venus, and ten thousand frames of it are right.

use crate::common::{place, run};
use std::time::Duration;
use testbed::provision::Suite;
use testbed::vm::System;
use testbed::vm::jobs::{SUMMARY, rates, summary};

/// Longest that a machine may take: where others want the processors, a hundred frames a second are few, but not none.
const LIMIT: Duration = Duration::from_secs(1800);

fn frames(name: &str, qemu: Suite, system: System) {
    let Some(place) = place(name, qemu, system) else { return };
    let machine = place.machine(&format!("{SUMMARY} && ./venus-cases frames 10000"));
    let report = run(machine.limit(LIMIT));
    let summary = summary(&report).unwrap();
    assert!(summary.device.starts_with("Virtio-GPU Venus (llvmpipe"), "{summary:?}");
    assert_eq!(summary.driver, "venus", "{summary:?}");
    let [rate, least, most] = rates(&report.out).unwrap_or_else(|| panic!("{}", report.out));
    eprintln!(
        "QEMU of {}, guest {}: {}, Vulkan {}; {rate:.0} frames a second ({least:.0} to {most:.0})",
        qemu.name(),
        system.name(),
        summary.device,
        summary.api
    );
}

/// A test for each row: its name, the QEMU, the guest.
macro_rules! rows {
    ($($test:ident: $qemu:ident, $guest:ident;)*) => {
        $(#[test]
        fn $test() {
            frames(stringify!($test), Suite::$qemu, System::$guest);
        })*
    };
}

rows! {
    qemu_of_trixie_with_trixie: Trixie, Trixie;
    qemu_of_trixie_with_sid: Trixie, Sid;
    qemu_of_trixie_with_arm64: Trixie, Arm64;
    qemu_of_sid_with_trixie: Sid, Trixie;
    qemu_of_sid_with_sid: Sid, Sid;
    qemu_of_sid_with_arm64: Sid, Arm64;
}
