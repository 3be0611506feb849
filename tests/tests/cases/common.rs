//! How a case runs, natively and through the host, and what its verdict is.

use std::path::{Path, PathBuf};
use std::time::Duration;
use testbed::cases::Cases;
use testbed::process::Finished;
use testbed::provision::Suite;
use testbed::resident::Resident;
use testbed::sandbox::{Guest, GuestRun, Vulkan};
use testbed::server::Server;
use testbed::skipping::{CASES_VARIABLE, HOST_VARIABLE, path_or_skip};

/// Longest that a case may take, on a loaded machine and with an unoptimised host. It shows a guest that hangs, no more.
pub(crate) const LIMIT: Duration = Duration::from_secs(180);
/// How long the host may take to clean up after a guest.
pub(crate) const TEARDOWN: Duration = Duration::from_secs(10);

/// Both guests: Mesa keeps fences in syncs of the socket from 26.2 on, and in memory before.
pub(crate) const BOTH: &[Suite] = &Suite::ALL;
/// The newer one alone.
pub(crate) const SID: &[Suite] = &[Suite::Sid];

/// What a test needs: the host's program, the cases, and guests.
pub(crate) struct Place {
    pub(crate) host: PathBuf,
    pub(crate) cases: Cases,
}

/// Where the tests run; without it the test `name` is skipped.
pub(crate) fn place(name: &str) -> Option<Place> {
    let host = path_or_skip(name, HOST_VARIABLE)?;
    Some(Place { host, cases: Cases::at(path_or_skip(name, CASES_VARIABLE)?) })
}

/// The guest of one suite, or the test `name` is skipped.
pub(crate) fn guest(name: &str, suite: Suite) -> Option<Guest> {
    Some(Guest::at(suite.name(), path_or_skip(name, suite.variable())?))
}

impl Place {
    /// Starts the host under test, on this machine's driver.
    pub(crate) fn host(&self, args: &[&str]) -> Server {
        Server::start(&self.host, args).expect("the host starts")
    }

    /// The same, with no more than so many descriptors for the server and for each of its workers.
    pub(crate) fn host_with_descriptors(&self, descriptors: u32) -> Server {
        Server::start_with_descriptors(&self.host, descriptors).expect("the host starts")
    }

    /// A host in a guest's root, on the driver of that root.
    pub(crate) fn resident(&self, guest: &Guest, args: &[&str]) -> Resident {
        Resident::venus(guest, &self.host, args).expect("the host starts in a guest root")
    }

    /// One case in a guest, through the host behind that socket.
    pub(crate) fn through<'a>(&self, guest: &'a Guest, socket: &'a Path, case: &[&str]) -> GuestRun<'a> {
        self.cases.command(guest, Vulkan::Venus(socket), case).unwrap().limit(LIMIT)
    }

    /// One case on the guest's own driver, which says what is right.
    pub(crate) fn natively(&self, guest: &Guest, case: &[&str]) -> String {
        let run = self.cases.command(guest, Vulkan::Lavapipe, case).unwrap().limit(LIMIT);
        verdict(run.output().unwrap(), &format!("{case:?} natively in {}", guest.name()), "")
    }
}

/// The verdict of a case that has to be content.
pub(crate) fn verdict(finished: Finished, what: &str, log: &str) -> String {
    let finished = finished.expect_success(what).unwrap_or_else(|error| panic!("{error:#}\n--- the host's log\n{log}"));
    finished.stdout.trim().to_owned()
}

/// Runs a case natively and through the host, in each of these guests: it is content wherever it runs. Returns the last
/// verdict, and what the host logged.
pub(crate) fn as_natively(name: &str, suites: &[Suite], case: &[&str]) -> Option<(String, String)> {
    through_host(name, suites, case, |place, guest| drop(place.natively(guest, case)))
}

/// The same without a native run: where that shows nothing, or would be the driver's death.
pub(crate) fn content(name: &str, suites: &[Suite], case: &[&str]) -> Option<(String, String)> {
    through_host(name, suites, case, |_, _| {})
}

fn through_host(
    name: &str,
    suites: &[Suite],
    case: &[&str],
    before: impl Fn(&Place, &Guest),
) -> Option<(String, String)> {
    let place = place(name)?;
    let mut last = None;
    for suite in suites {
        let guest = guest(name, *suite)?;
        before(&place, &guest);
        let mut host = place.host(&[]);
        let finished = place.through(&guest, &host.socket(), case).output().unwrap();
        let said = verdict(finished, &format!("{case:?} through the host in {}", guest.name()), &host.log());
        host.expect_alive().unwrap();
        host.expect_no_guests(TEARDOWN).unwrap();
        last = Some((said, host.log()));
    }
    last
}

/// The verdicts natively, and through a host in the guest's root, which has the very driver that the native run has.
pub(crate) fn on_its_own_driver(name: &str, case: &[&str]) -> Option<(String, String)> {
    on_its_own_driver_by(name, &[], case)
}

/// The same through a host that is told something.
pub(crate) fn on_its_own_driver_by(name: &str, host: &[&str], case: &[&str]) -> Option<(String, String)> {
    let (place, guest) = (place(name)?, guest(name, Suite::Sid)?);
    let native = place.natively(&guest, case);
    let host = place.resident(&guest, host);
    let finished = place.through(&guest, &host.socket(), case).output().unwrap();
    Some((native, verdict(finished, &format!("{case:?}"), &host.log())))
}

/// A test for each row: its name, where it runs, and the case.
macro_rules! rows {
    ($($test:ident: $suites:expr, $case:expr;)*) => {
        $(#[test]
        fn $test() {
            $crate::common::as_natively(stringify!($test), $suites, $case);
        })*
    };
}
pub(crate) use rows;
