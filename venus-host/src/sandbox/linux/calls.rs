//! The system calls of a process that serves guests: those that are refused in any sandbox, and those that a strict one
//! allows. Each group has its reason.
//!
//! What is allowed was learnt by tracing workers (`strace -f`) that serve Mesa's guests on lavapipe, from the loading of the
//! drivers to their end, and by what the log of a strict sandbox then had to say. What is refused is what would be of use to
//! somebody who has taken over the process, whether drivers try it or not.

use libc::*;

use super::{
    family::Family,
    numbers::{
        FCHMODAT2, FILE_SETATTR, FUTEX_REQUEUE, FUTEX_WAIT, FUTEX_WAKE, LISTMOUNT, MAP_SHADOW_STACK, OPEN_TREE_ATTR,
        REMOVEXATTRAT, SETXATTRAT, STATMOUNT,
    },
};

/// System calls that are treated alike.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) family: Family,
    /// Why, for whoever reads the log.
    pub(super) why: &'static str,
    pub(super) calls: &'static [Call],
    /// Whether the log has a line. That takes a signal, and whoever blocks all signals dies of it.
    pub(super) is_told: bool,
}

/// A system call, or some forms of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call {
    pub(super) number: c_long,
    pub(super) form: Form,
}

/// Which forms of a call are meant, by the argument with an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Any,
    /// The argument, masked, has this value.
    Masked(u8, u32, u32),
    /// The same, and it is none of these.
    MaskedBut(u8, u32, u32, &'static [u32]),
    /// The argument has this value, and of another one all of these bits are set.
    With(u8, u32, u8, u32),
    /// The argument has another value.
    Not(u8, u32),
    /// The argument has one of these values.
    OneOf(u8, &'static [u32]),
    /// The argument is another process than this one.
    OfOthers(u8),
    /// The same, where 0 means this process, too.
    OfOthersOrNone(u8),
}

/// Calls, of which some have their form in brackets behind them.
macro_rules! calls {
    (@) => { Form::Any };
    (@ $form:expr) => { $form };
    ($($number:ident $(($form:expr))?,)*) => {
        &[$(Call { number: $number, form: calls!(@ $($form)?) },)*]
    };
}

/// `CLONE_THREAD`, `AF_UNIX`, and what the type of a socket is besides its flags.
const THREAD: u32 = 0x0001_0000;
const UNIX: u32 = 1;
const TYPE: u32 = 0xf;
const DATAGRAMS: u32 = 2;
const RAW: u32 = 3;

/// Commands of terminals, `0x5400` to `0x54ff`. They type for whoever sits there (`TIOCSTI`), choose whose the terminal is
/// (`TIOCSPGRP`, `TIOCSCTTY`), what its input is taken for (`TCSETS`, `TIOCSETD`), and whether anybody's output goes on
/// (`TCXONC`); `FIOASYNC` is there, too, which has the terminal send signals. Drivers do well without.
const TERMINAL: (u32, u32) = (0xffff_ff00, 0x5400);

/// Those that ask or concern the descriptor alone: `TCGETS`, `TCGETA`, `TCSBRK` (to wait for output), `TIOCGPGRP`,
/// `TIOCOUTQ`, `TIOCGWINSZ`, `FIONREAD`, `FIONBIO`, `TIOCGETD`, `TIOCGSID`, `FIONCLEX`, `FIOCLEX` and `FIOQSIZE`.
const ASKS: &[u32] =
    &[0x5401, 0x5405, 0x5409, 0x540f, 0x5411, 0x5413, 0x541b, 0x5421, 0x5424, 0x5429, 0x5450, 0x5451, 0x5460];

/// `TCSETS2`, `TCSETSW2` and `TCSETSF2`; `FIOSETOWN` and `SIOCSPGRP`, which say whom a descriptor sends signals to.
const ELSEWHERE: &[u32] = &[0x402c_542b, 0x402c_542c, 0x402c_542d, 0x8901, 0x8902];

/// `F_SETOWN`, `F_SETSIG` and `F_SETOWN_EX`: whom a descriptor sends which signal to. `F_SETLEASE` and `F_NOTIFY`: whoever
/// opens a file waits for this process, and what is done in a folder is told to it.
const SIGNALS_OF_FILES: &[u32] = &[8, 10, 15, 1024, 1026];

/// `F_SETFL` with `O_ASYNC` has a terminal send signals to the programs that it is in front of, without anybody being named.
const SET_FLAGS: u32 = 4;
const ASYNC: u32 = 0x2000;

/// `PRIO_PROCESS`, `IOPRIO_WHO_PROCESS`, and the number of whoever asks.
const PRIORITY_OF_PROCESS: u32 = 0;
const IO_PRIORITY_OF_PROCESS: u32 = 1;
const ITSELF: u32 = 0;

/// `PR_SCHED_CORE`: who runs beside whom.
const CORES: &[u32] = &[62];

/// What a thread may say and ask of itself: `PR_SET_NAME`, `PR_GET_NAME`, `PR_SET_TIMERSLACK`, `PR_GET_TIMERSLACK`,
/// `PR_SET_VMA`, `PR_GET_DUMPABLE`, `PR_CAPBSET_READ`, `PR_SET_NO_NEW_PRIVS`, `PR_GET_SECCOMP`, `PR_GET_AUXV`.
const OF_ITSELF: &[u32] = &[15, 16, 29, 30, 0x5356_4d41, 3, 23, 38, 21, 0x4155_5856];

/// Refused in any sandbox, whatever drivers there are.
///
/// Of processes the log is told nothing: the C library makes them with all signals blocked.
#[rustfmt::skip]
pub(super) const REFUSED: &[Group] = &[
    Group {
        family: Family::Every,
        why: "who serves a guest starts no programs",
        calls: calls![SYS_execve, SYS_execveat,],
        is_told: true,
    },
    Group {
        family: Family::Every,
        why: "who serves a guest makes threads, and no processes",
        calls: calls![SYS_clone(Form::Masked(0, THREAD, 0)),],
        is_told: false,
    },
    #[cfg(target_arch = "x86_64")]
    Group {
        family: Family::Every,
        why: "who serves a guest makes threads, and no processes",
        calls: calls![SYS_fork, SYS_vfork,],
        is_told: false,
    },
    Group {
        family: Family::Every,
        why: "other processes are none of its business",
        calls: calls![
            SYS_ptrace, SYS_process_vm_readv, SYS_process_vm_writev, SYS_kcmp, SYS_pidfd_open, SYS_pidfd_getfd,
            SYS_pidfd_send_signal, SYS_process_madvise, SYS_process_mrelease, SYS_migrate_pages, SYS_move_pages,
            SYS_kill(Form::OfOthers(0)), SYS_tgkill(Form::OfOthers(0)), SYS_tkill,
            SYS_rt_sigqueueinfo(Form::OfOthers(0)), SYS_rt_tgsigqueueinfo(Form::OfOthers(0)),
            SYS_prlimit64(Form::OfOthersOrNone(0)), SYS_prctl(Form::OneOf(0, CORES)),
        ],
        is_told: true,
    },
    // Drivers do this to their own threads, by number, and go on without. A filter cannot tell whose a number is.
    Group {
        family: Family::Every,
        why: "when and where others run is none of its business",
        calls: calls![
            SYS_sched_setaffinity(Form::Not(0, ITSELF)), SYS_sched_setscheduler(Form::Not(0, ITSELF)),
            SYS_sched_setparam(Form::Not(0, ITSELF)), SYS_sched_setattr(Form::Not(0, ITSELF)),
            SYS_setpriority(Form::Not(0, PRIORITY_OF_PROCESS)), SYS_setpriority(Form::Not(1, ITSELF)),
            SYS_ioprio_set(Form::Not(0, IO_PRIORITY_OF_PROCESS)), SYS_ioprio_set(Form::Not(1, ITSELF)),
        ],
        is_told: false,
    },
    Group {
        family: Family::Every,
        why: "descriptors of its own send no signals, and hold nobody up",
        calls: calls![
            SYS_fcntl(Form::OneOf(1, SIGNALS_OF_FILES)), SYS_fcntl(Form::With(1, SET_FLAGS, 2, ASYNC)),
        ],
        is_told: true,
    },
    Group {
        family: Family::Every,
        why: "it has the sockets that it needs; new ones are pairs of streams for its own threads",
        calls: calls![
            SYS_socket, SYS_connect, SYS_bind, SYS_listen, SYS_accept, SYS_accept4,
            SYS_socketpair(Form::Not(0, UNIX)), SYS_socketpair(Form::Masked(1, TYPE, DATAGRAMS)),
            SYS_socketpair(Form::Masked(1, TYPE, RAW)),
        ],
        is_told: true,
    },
    Group {
        family: Family::Every,
        why: "namespaces and mounts change which files there are",
        calls: calls![
            SYS_unshare, SYS_setns, SYS_mount, SYS_umount2, SYS_pivot_root, SYS_chroot, SYS_open_tree, SYS_move_mount,
            SYS_fsopen, SYS_fsconfig, SYS_fsmount, SYS_fspick, SYS_mount_setattr, OPEN_TREE_ATTR, STATMOUNT, LISTMOUNT,
        ],
        is_told: true,
    },
    Group {
        family: Family::Every,
        why: "doors to the kernel that serving a guest does not take, and through which others have come in",
        calls: calls![
            SYS_bpf, SYS_perf_event_open, SYS_userfaultfd, SYS_io_uring_setup, SYS_io_uring_enter,
            SYS_io_uring_register, SYS_keyctl, SYS_add_key, SYS_request_key, SYS_fanotify_init, SYS_fanotify_mark,
            SYS_lookup_dcookie, SYS_personality, SYS_remap_file_pages, SYS_vhangup, SYS_acct, SYS_quotactl,
            SYS_quotactl_fd, SYS_nfsservctl, SYS_syslog, SYS_memfd_secret,
        ],
        is_told: true,
    },
    #[cfg(target_arch = "x86_64")]
    Group {
        family: Family::Every,
        why: "doors to the kernel that serving a guest does not take, and through which others have come in",
        calls: calls![SYS_modify_ldt, SYS_iopl, SYS_ioperm, SYS_uselib, SYS__sysctl, SYS_sysfs, SYS_ustat,],
        is_told: true,
    },
    Group {
        family: Family::Every,
        why: "the machine is its administrator's",
        calls: calls![
            SYS_kexec_load, SYS_kexec_file_load, SYS_init_module, SYS_finit_module, SYS_delete_module, SYS_reboot,
            SYS_swapon, SYS_swapoff, SYS_settimeofday, SYS_clock_settime, SYS_clock_adjtime, SYS_adjtimex,
            SYS_sethostname, SYS_setdomainname,
        ],
        is_told: true,
    },
    Group {
        family: Family::Every,
        why: "it stays who it is",
        calls: calls![
            SYS_setuid, SYS_setgid, SYS_setreuid, SYS_setregid, SYS_setresuid, SYS_setresgid, SYS_setfsuid,
            SYS_setfsgid, SYS_setgroups, SYS_capset, SYS_setpgid, SYS_setsid,
        ],
        is_told: true,
    },
    Group {
        family: Family::Every,
        why: "Landlock does not look at these ways to files, and serving a guest does not take them",
        calls: calls![
            SYS_open_by_handle_at, SYS_name_to_handle_at, SYS_mknodat, SYS_truncate, SYS_fchmod, SYS_fchmodat,
            FCHMODAT2, SYS_fchown, SYS_fchownat, SYS_setxattr, SYS_lsetxattr, SYS_fsetxattr, SYS_removexattr,
            SYS_lremovexattr, SYS_fremovexattr, SETXATTRAT, REMOVEXATTRAT, FILE_SETATTR, SYS_mq_open, SYS_mq_unlink,
            SYS_inotify_init1, SYS_inotify_add_watch, SYS_inotify_rm_watch,
        ],
        is_told: true,
    },
    #[cfg(target_arch = "x86_64")]
    Group {
        family: Family::Every,
        why: "Landlock does not look at these ways to files, and serving a guest does not take them",
        calls: calls![SYS_mknod, SYS_chmod, SYS_chown, SYS_lchown, SYS_inotify_init,],
        is_told: true,
    },
    // Mesa notes so, once a day, that its cache of shaders is in use. Nothing comes of it where it cannot.
    Group {
        family: Family::Every,
        why: "Landlock does not look at the times of files",
        calls: calls![SYS_utimensat,],
        is_told: false,
    },
    #[cfg(target_arch = "x86_64")]
    Group {
        family: Family::Every,
        why: "Landlock does not look at the times of files",
        calls: calls![SYS_utime, SYS_utimes, SYS_futimesat,],
        is_told: false,
    },
    Group {
        family: Family::Every,
        why: "memory, queues and semaphores of System V are shared with all of a user's programs",
        calls: calls![
            SYS_shmget, SYS_shmat, SYS_shmctl, SYS_msgget, SYS_msgsnd, SYS_msgrcv, SYS_msgctl, SYS_semget, SYS_semop,
            SYS_semtimedop, SYS_semctl,
        ],
        is_told: true,
    },
    Group {
        family: Family::Every,
        why: "the terminal is its user's, and descriptors send no signals",
        calls: calls![
            SYS_ioctl(Form::MaskedBut(1, TERMINAL.0, TERMINAL.1, ASKS)), SYS_ioctl(Form::OneOf(1, ELSEWHERE)),
        ],
        is_told: true,
    },
];

/// All that a strict sandbox allows.
#[rustfmt::skip]
pub(super) const ALLOWED: &[Group] = &[
    Group {
        family: Family::Every,
        why: "memory: the guest's, the driver's, and shaders as machine code",
        calls: calls![
            SYS_mmap, SYS_munmap, SYS_mremap, SYS_mprotect, SYS_madvise, SYS_brk, SYS_mincore, SYS_msync, SYS_mlock,
            SYS_mlock2, SYS_munlock, SYS_membarrier, SYS_memfd_create, MAP_SHADOW_STACK,
        ],
        is_told: true,
    },
    Group {
        family: Family::Every,
        why: "threads of rings and drivers",
        calls: calls![
            SYS_clone, SYS_clone3, SYS_exit, SYS_exit_group, SYS_futex, SYS_futex_waitv, FUTEX_WAKE, FUTEX_WAIT,
            FUTEX_REQUEUE, SYS_set_robust_list, SYS_get_robust_list, SYS_rseq, SYS_set_tid_address, SYS_gettid,
            SYS_getpid, SYS_getppid, SYS_sched_yield, SYS_sched_getaffinity, SYS_sched_setaffinity,
            SYS_sched_getparam, SYS_sched_setparam, SYS_sched_getscheduler, SYS_sched_setscheduler,
            SYS_sched_get_priority_max, SYS_sched_get_priority_min, SYS_sched_getattr, SYS_sched_setattr,
            SYS_getpriority, SYS_setpriority, SYS_getcpu, SYS_restart_syscall, SYS_prctl(Form::OneOf(0, OF_ITSELF)),
        ],
        is_told: true,
    },
    #[cfg(target_arch = "x86_64")]
    Group {
        family: Family::Every,
        why: "threads of rings and drivers",
        calls: calls![SYS_arch_prctl,],
        is_told: true,
    },
    Group {
        family: Family::Every,
        why: "signals of its own: a driver's crash, abort(), and an end that its monitor does not see to",
        calls: calls![
            SYS_rt_sigaction, SYS_rt_sigprocmask, SYS_rt_sigreturn, SYS_rt_sigtimedwait, SYS_rt_sigsuspend,
            SYS_rt_sigpending, SYS_sigaltstack, SYS_kill, SYS_tgkill, SYS_signalfd4,
        ],
        is_told: true,
    },
    Group {
        family: Family::Every,
        why: "clocks and timers",
        calls: calls![
            SYS_clock_gettime, SYS_clock_getres, SYS_clock_nanosleep, SYS_nanosleep, SYS_gettimeofday, SYS_times,
            SYS_getrusage, SYS_timerfd_create, SYS_timerfd_settime, SYS_timerfd_gettime,
        ],
        is_told: true,
    },
    Group {
        family: Family::Every,
        why: "files, of which Landlock says which: manifests, libraries, caches of shaders, devices, recordings",
        calls: calls![
            SYS_openat, SYS_openat2, SYS_close, SYS_close_range, SYS_read, SYS_write, SYS_readv, SYS_writev,
            SYS_pread64, SYS_pwrite64, SYS_preadv, SYS_pwritev, SYS_preadv2, SYS_pwritev2, SYS_lseek, SYS_fstat,
            SYS_newfstatat, SYS_statx, SYS_statfs, SYS_fstatfs, SYS_faccessat, SYS_faccessat2, SYS_readlinkat,
            SYS_getdents64, SYS_getcwd, SYS_fcntl, SYS_flock, SYS_dup, SYS_dup3, SYS_ftruncate, SYS_fallocate,
            SYS_fsync, SYS_fdatasync, SYS_fadvise64, SYS_mkdirat, SYS_renameat, SYS_renameat2, SYS_linkat,
            SYS_unlinkat, SYS_ioctl, SYS_copy_file_range, SYS_umask,
        ],
        is_told: true,
    },
    #[cfg(target_arch = "x86_64")]
    Group {
        family: Family::Every,
        why: "files, as older libraries ask for them",
        calls: calls![
            SYS_open, SYS_stat, SYS_lstat, SYS_access, SYS_readlink, SYS_dup2, SYS_mkdir, SYS_rename, SYS_unlink,
            SYS_rmdir, SYS_time, SYS_pipe, SYS_poll, SYS_select, SYS_epoll_wait,
            SYS_epoll_create, SYS_eventfd, SYS_getrlimit, SYS_getdents,
        ],
        is_told: true,
    },
    Group {
        family: Family::Every,
        why: "waiting for descriptors, and waking threads",
        calls: calls![
            SYS_pipe2, SYS_eventfd2, SYS_epoll_create1, SYS_epoll_ctl, SYS_epoll_pwait, SYS_epoll_pwait2, SYS_ppoll,
            SYS_pselect6,
        ],
        is_told: true,
    },
    Group {
        family: Family::Every,
        why: "the sockets to its guest and its monitor, and pairs for its own threads",
        calls: calls![
            SYS_socketpair, SYS_sendmsg, SYS_recvmsg, SYS_sendto, SYS_recvfrom, SYS_shutdown, SYS_getsockopt,
            SYS_setsockopt, SYS_getsockname, SYS_getpeername,
        ],
        is_told: true,
    },
    Group {
        family: Family::Every,
        why: "what it is, where it runs, and randomness",
        calls: calls![
            SYS_getuid, SYS_geteuid, SYS_getgid, SYS_getegid, SYS_uname, SYS_sysinfo, SYS_getrandom, SYS_prlimit64,
        ],
        is_told: true,
    },
    Group {
        family: Family::Nvidia,
        why: "the driver asks where memory and processors are",
        calls: calls![SYS_get_mempolicy, SYS_set_mempolicy, SYS_mbind, SYS_capget,],
        is_told: true,
    },
    Group {
        family: Family::Generic,
        why: "drivers ask where memory is",
        calls: calls![SYS_get_mempolicy,],
        is_told: true,
    },
];

/// A call that is answered as old kernels do, so that the C library uses `clone`, whose flags a filter sees.
pub(super) const UNKNOWN_TO_OLD_KERNELS: c_long = SYS_clone3;

/// Why a call is refused.
pub(super) fn why(number: c_long) -> &'static str {
    let group = REFUSED.iter().find(|group| group.calls.iter().any(|call| call.number == number));
    group.map_or("no guest was seen to need it", |group| group.why)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::linux::numbers::name;

    fn calls(groups: &'static [Group]) -> impl Iterator<Item = &'static Call> {
        groups.iter().flat_map(|group| group.calls)
    }

    #[test]
    fn what_is_refused_in_all_its_forms_is_not_allowed() {
        for call in calls(REFUSED).filter(|call| call.form == Form::Any) {
            assert!(calls(ALLOWED).all(|allowed| allowed.number != call.number), "{}", name(call.number));
        }
    }

    #[test]
    fn every_row_has_a_name_and_a_reason_and_stands_once() {
        for groups in [REFUSED, ALLOWED] {
            for group in groups {
                assert!(!group.why.is_empty() && !group.calls.is_empty());
                for call in group.calls {
                    assert!(!name(call.number).starts_with("system call"), "{}", name(call.number));
                    let same = |other: &&Call| other.number == call.number && other.form == call.form;
                    let families = groups.iter().filter(|other| other.calls.iter().any(|call| same(&call)));
                    let families: Vec<_> = families.map(|group| group.family).collect();
                    assert!(families.len() == 1 || !families.contains(&Family::Every), "{}", name(call.number));
                }
            }
        }
    }

    #[test]
    fn refusals_have_their_own_reasons() {
        assert!(why(SYS_execve).contains("programs") && why(SYS_socket).contains("sockets"));
        assert!(why(SYS_sethostname).contains("administrator") && why(SYS_sync).contains("seen to need"));
    }
}
