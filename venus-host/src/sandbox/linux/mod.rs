//! The sandbox of Linux.

mod calls;
mod family;
mod filter;
mod landlock;
mod manifests;
mod numbers;
mod places;
mod refusals;

use rustix::process::{Resource, Rlimit, getpid, setrlimit};

use self::{calls::ALLOWED, family::Family, places::ROWS};
use super::{Confinement, Sandbox, Support};

/// Gives up what [`Sandbox::restrict_files`] says.
pub(super) fn restrict_files(sandbox: &Sandbox) -> Result<(), String> {
    let failed = |what, error| format!("{what}: {error}");
    rustix::thread::set_no_new_privs(true).map_err(|error| failed("new privileges cannot be given up", error))?;
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    setrlimit(Resource::Core, none).map_err(|error| failed("core files cannot be given up", error))?;
    let others = std::fs::read_dir("/proc/self/task").map_or(0, |threads| threads.skip(1).count());
    landlock::restrict(&places::rules(sandbox))?;
    match others {
        0 => Ok(()),
        _ => Err(format!("{others} threads were there before, and can open whatever their user can")),
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
