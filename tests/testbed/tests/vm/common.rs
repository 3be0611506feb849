//! What every machine here is put together from.

use std::path::PathBuf;
use std::time::Duration;
use testbed::provision::Suite;
use testbed::sandbox::Guest;
use testbed::skipping::{CASES_VARIABLE, path_or_skip, skip};
use testbed::vm::{ARM64_CASES_VARIABLE, Image, LIBRARY_VARIABLE, Library, Machine, Report, System, qemu_variable};

/// How long what happens outside of a machine may take after something inside of it has.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// One QEMU, one guest, the library under test, and the program that uses Vulkan.
pub(crate) struct Place {
    qemu: Guest,
    image: Image,
    library: Library,
    cases: PathBuf,
}

/// What a test on this QEMU and this guest needs; without it the test `name` is skipped.
pub(crate) fn place(name: &str, qemu: Suite, system: System) -> Option<Place> {
    let library = path_or_skip(name, LIBRARY_VARIABLE)?;
    let cases = if system == System::Arm64 { ARM64_CASES_VARIABLE } else { CASES_VARIABLE };
    Some(Place {
        qemu: Guest::at(qemu.name(), path_or_skip(name, qemu_variable(qemu))?),
        image: Image::at(system, path_or_skip(name, system.variable())?),
        library: Library::named(&library),
        cases: path_or_skip(name, cases)?,
    })
}

/// The place for most tests, on this QEMU: the guest that does not change from day to day.
pub(crate) fn steady(name: &str, qemu: Suite) -> Option<Place> {
    place(name, qemu, System::Trixie)
}

/// The place for programs with a window, on this QEMU: a guest whose Mesa offers swapchains wherever the host has what
/// they take.
pub(crate) fn newest(name: &str, qemu: Suite) -> Option<Place> {
    place(name, qemu, System::Sid)
}

/// The place for a test of what only our library does; with another one it is skipped.
pub(crate) fn ours(name: &str, qemu: Suite) -> Option<Place> {
    let place = steady(name, qemu)?;
    if !place.is_ours() {
        skip(name, "the library is not ours");
        return None;
    }
    Some(place)
}

impl Place {
    /// A machine with this job, which finds the cases beside it.
    pub(crate) fn machine(&self, job: &str) -> Machine<'_> {
        let machine = Machine::new(&self.qemu, &self.image, &self.library, job).expect("a machine is put together");
        machine.file(&self.cases).expect("the cases are copied")
    }

    /// The suite that QEMU is of.
    pub(crate) fn qemu(&self) -> &str {
        self.qemu.name()
    }

    /// Whether what is tested is ours, and not virglrenderer for comparison.
    pub(crate) fn is_ours(&self) -> bool {
        self.library != Library::Stock
    }
}

/// A machine's end, which has to be its job's success.
pub(crate) fn run(machine: Machine<'_>) -> Report {
    machine.run().unwrap_or_else(|error| panic!("{error:#}"))
}
