//! The sandbox of Linux.

mod calls;
mod capabilities;
mod family;
mod filter;
mod landlock;
mod manifests;
mod numbers;
mod places;
mod refusals;
mod terminal;

use std::fs;

use rustix::process::{Resource, Rlimit, getpid, setrlimit};

use self::{calls::ALLOWED, family::Family, places::ROWS};
use super::{Confinement, Sandbox, Support};

/// The limit of core files that makes none: the kernel takes 0 for a limit of files alone, and starts a program that takes
/// cores all the same.
const NO_CORE: u64 = 1;

/// Gives up what [`Sandbox::restrict_files`] says. What cannot be given up keeps nothing else from it.
pub(super) fn restrict_files(sandbox: &Sandbox) -> Result<(), String> {
    let failed = |what, error| format!("{what}: {error}");
    let no_core = Rlimit { current: Some(NO_CORE), maximum: Some(NO_CORE) };
    let steps = [
        rustix::thread::set_no_new_privs(true).map_err(|error| failed("new privileges cannot be given up", error)),
        setrlimit(Resource::Core, no_core).map_err(|error| failed("core files cannot be given up", error)),
        terminal::only_write(),
        // Folders that are to be written to are made, which may take root's rights.
        landlock::restrict(&places::rules(sandbox)),
        capabilities::give_up(),
        no_others(),
    ];
    let failures: Vec<String> = steps.into_iter().filter_map(Result::err).collect();
    if failures.is_empty() { Ok(()) } else { Err(failures.join("; ")) }
}

/// Whether there are no other threads, whose files and rights stay what they are.
fn no_others() -> Result<(), String> {
    match fs::read_dir("/proc/self/task").map_or(0, |threads| threads.skip(1).count()) {
        0 => Ok(()),
        others => Err(format!("{others} threads were there before, and can open whatever their user can")),
    }
}

/// Gives up what [`Sandbox::restrict_calls`] says.
pub(super) fn restrict_calls(sandbox: &Sandbox) -> Result<(), String> {
    refusals::handle()?;
    let own = getpid().as_raw_nonzero().get().unsigned_abs();
    let families = family::loaded();
    filter::apply(sandbox.level == Confinement::Strict, &families, own)?;
    let names: Vec<_> = families.into_iter().map(Family::name).collect();
    tracing::debug!("this worker is confined, with what is kept for {}", names.join(", "));
    Ok(())
}

/// What the system can do.
pub(super) fn support() -> Support {
    Support { landlock: landlock::version(), filter: filter::is_there() }
}

/// What each family may do that not all may.
pub(super) fn families() -> Vec<(&'static str, Vec<String>)> {
    let of = |family: Family| {
        let files = ROWS.iter().filter(|row| row.family == family).map(|row| row.why);
        let calls = ALLOWED.iter().filter(|group| group.family == family).map(|group| group.why);
        let mut reasons: Vec<String> = files.chain(calls).map(str::to_owned).collect();
        // What newer processors do without is a group of its own, with the same reason.
        reasons.dedup();
        (family.name(), reasons)
    };
    Family::ALL.map(of).into()
}
