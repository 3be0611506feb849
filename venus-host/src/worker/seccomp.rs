//! Filters of system calls that this process has taken on.
//!
//! The kernel counts them per thread, and a child begins with its parent's: who has more than its parent has some of its
//! own. Whether those forbid to start programs cannot be asked: only the privileged may read them, and trying ends the process.
//!
//! The first process of a container has no parent that it could see. The container's filter comes from who may do without
//! giving up new privileges; who has no such rights has to, and libraries for filters do so in any case.

use std::fs;

/// How system calls are filtered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Filtering {
    mode: u32,
    /// Kernels before 5.9 do not tell.
    filters: Option<u32>,
    parent: u32,
    /// No program that it starts gets more rights than it has.
    has_no_new_privileges: bool,
}

impl Filtering {
    /// What a `status` file in `/proc` says. Kernels without filters say nothing.
    fn parse(status: &str) -> Option<Self> {
        let field = |name: &str| {
            let value = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            value.and_then(|value| value.trim().parse().ok())
        };
        Some(Self {
            mode: field("Seccomp")?,
            filters: field("Seccomp_filters"),
            parent: field("PPid")?,
            // Kernels before 4.10 do not tell.
            has_no_new_privileges: field("NoNewPrivs") != Some(0),
        })
    }

    /// Whether some of the filters may be this process's own.
    fn has_own(self, parent: Option<Self>) -> bool {
        match (self.mode, parent) {
            (0, _) => false,
            (_, None) => self.has_no_new_privileges,
            (mode, Some(parent)) => mode != parent.mode || self.filters > parent.filters,
        }
    }
}

/// Why a filter of this process's own may be its end if it starts a program; nothing, if it has none.
pub(super) fn own_filter() -> Option<String> {
    let read = |path: &str| fs::read_to_string(path).ok().and_then(|status| Filtering::parse(&status));
    let own = read("/proc/thread-self/status")?;
    let parent = Some(own.parent).filter(|parent| *parent != 0);
    let parent = parent.and_then(|parent| read(&format!("/proc/{parent}/status")));
    let told = "this process filters its system calls, and a filter that forbids to start programs would end it (QEMU's \
                -sandbox on,spawn=deny)";
    own.has_own(parent).then(|| told.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(mode: u32, filters: Option<u32>) -> Filtering {
        Filtering { mode, filters, parent: 7, has_no_new_privileges: true }
    }

    #[test]
    fn the_kernels_words_are_read() {
        let text = "Name:\tqemu\nPPid:\t7\nSeccomp:\t2\nSeccomp_filters:\t3\n";
        assert_eq!(Filtering::parse(text), Some(status(2, Some(3))));
        assert_eq!(Filtering::parse("PPid:\t7\nSeccomp:\t0\n"), Some(status(0, None)));
        assert_eq!(Filtering::parse("PPid:\t7\n"), None);
        let text = "PPid:\t0\nNoNewPrivs:\t0\nSeccomp:\t2\n";
        assert!(!Filtering::parse(text).unwrap().has_no_new_privileges);
    }

    #[test]
    fn a_filter_that_the_parent_has_too_is_not_our_own() {
        let (none, docker) = (status(0, Some(0)), status(2, Some(1)));
        assert!(!none.has_own(None) && !none.has_own(Some(docker)));
        assert!(!docker.has_own(Some(docker)));
        assert!(docker.has_own(Some(none)) && docker.has_own(None));
        let first_of_a_container = Filtering { has_no_new_privileges: false, ..docker };
        assert!(!first_of_a_container.has_own(None) && first_of_a_container.has_own(Some(none)));
        assert!(status(2, Some(2)).has_own(Some(docker)));
        assert!(status(2, None).has_own(Some(status(0, None))), "an old kernel");
        assert!(!status(2, None).has_own(Some(status(2, None))));
    }

    #[test]
    fn who_runs_these_tests_may_start_programs() {
        assert_eq!(own_filter(), None);
    }
}
