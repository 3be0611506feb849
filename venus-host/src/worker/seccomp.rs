//! Filters of system calls that this process has taken on.
//!
//! The kernel counts them per thread, and a child begins with its parent's: who has more than its parent has some of its
//! own.

use std::fs;

/// How system calls are filtered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Filtering {
    mode: u32,
    /// Kernels before 5.9 do not tell.
    filters: Option<u32>,
    parent: u32,
}

impl Filtering {
    /// What a `status` file in `/proc` says. Kernels without filters say nothing.
    fn parse(status: &str) -> Option<Self> {
        let field = |name: &str| {
            let value = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            value.and_then(|value| value.trim().parse().ok())
        };
        Some(Self { mode: field("Seccomp")?, filters: field("Seccomp_filters"), parent: field("PPid")? })
    }

    /// Whether some of the filters are this process's own. Without a parent to compare with, that is to be feared.
    fn has_own(self, parent: Option<Self>) -> bool {
        match (self.mode, parent) {
            (0, _) => false,
            (_, None) => true,
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
        Filtering { mode, filters, parent: 7 }
    }

    #[test]
    fn the_kernels_words_are_read() {
        let text = "Name:\tqemu\nPPid:\t7\nSeccomp:\t2\nSeccomp_filters:\t3\n";
        assert_eq!(Filtering::parse(text), Some(status(2, Some(3))));
        assert_eq!(Filtering::parse("PPid:\t7\nSeccomp:\t0\n"), Some(status(0, None)));
        assert_eq!(Filtering::parse("PPid:\t7\n"), None);
    }

    #[test]
    fn a_filter_that_the_parent_has_too_is_not_our_own() {
        let (none, docker) = (status(0, Some(0)), status(2, Some(1)));
        assert!(!none.has_own(None) && !none.has_own(Some(docker)));
        assert!(!docker.has_own(Some(docker)));
        assert!(docker.has_own(Some(none)) && docker.has_own(None));
        assert!(status(2, Some(2)).has_own(Some(docker)));
        assert!(status(2, None).has_own(Some(status(0, None))), "an old kernel");
        assert!(!status(2, None).has_own(Some(status(2, None))));
    }

    #[test]
    fn who_runs_these_tests_may_start_programs() {
        assert_eq!(own_filter(), None);
    }
}
