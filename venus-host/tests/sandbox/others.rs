//! What whoever takes over a worker might do to other processes: when they run, which signals they get, what is typed in their
//! terminal, and what becomes of their files.

use std::{
    ffi::{CString, c_int, c_long, c_uint, c_ulong},
    fs::{self, File},
    io::{self, Read as _, Write as _},
    os::{
        fd::{AsRawFd as _, FromRawFd as _},
        unix::{ffi::OsStrExt as _, fs::OpenOptionsExt as _, net::UnixStream},
    },
    path::Path,
    thread,
};

use crate::taken_over::{Tried, said};

/// What is refused in any sandbox.
pub(crate) const CALLS: [&str; 15] = [
    "affinity",
    "scheduler",
    "parameters",
    "attributes",
    "priority",
    "io priority",
    "owner",
    "signal of a file",
    "lease",
    "async",
    "async command",
    "owner command",
    "group",
    "watch",
    "times",
];
/// What comes to nothing here, where it is not refused: there is no terminal.
pub(crate) const OF_TERMINALS: [&str; 4] = ["foreground", "settings", "discipline", "typing"];
/// What a worker still can.
pub(crate) const POSSIBLE: [&str; 4] = ["own affinity", "own priority", "nonblocking", "size"];

fn checked(outcome: impl Into<i64>) -> io::Result<i64> {
    let outcome = outcome.into();
    if outcome < 0 { Err(io::Error::last_os_error()) } else { Ok(outcome) }
}

/// A command to a descriptor, with a number or nothing.
fn commanded(descriptor: c_int, command: c_ulong) -> String {
    /// Large enough for whatever these commands read or write.
    const BYTES: usize = 256;
    let mut argument = [0_u8; BYTES];
    // SAFETY: the argument is larger than what any of the commands here reads or writes, and lives during the call.
    said(checked(unsafe { libc::ioctl(descriptor, command, argument.as_mut_ptr()) }))
}

/// Tries how processes are scheduled: `who`'s, or its own with 0, as it is anyway.
fn scheduled(who: c_int) -> [String; 6] {
    const PROCESS: c_uint = 1;
    // SAFETY: zeros are a set without processors.
    let mut set = unsafe { std::mem::zeroed::<libc::cpu_set_t>() };
    let parameter = libc::sched_param { sched_priority: 0 };
    let size = size_of::<libc::cpu_set_t>();
    let id = libc::id_t::from(who.unsigned_abs());
    // SAFETY: the set is as large as is said, and lives during the call.
    checked(unsafe { libc::sched_getaffinity(who, size, &raw mut set) }).expect("may be asked");
    // SAFETY: as above.
    let affinity = checked(unsafe { libc::sched_setaffinity(who, size, &raw const set) });
    // SAFETY: the parameter lives during the call.
    let scheduler = checked(unsafe { libc::sched_setscheduler(who, libc::SCHED_OTHER, &raw const parameter) });
    // SAFETY: as above.
    let parameters = checked(unsafe { libc::sched_setparam(who, &raw const parameter) });
    let attributes = {
        /// `struct sched_attr` of `SCHED_OTHER`: how large it is, and zeros.
        const ATTRIBUTES: [u32; 12] = [48, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        // SAFETY: the structure lives during the call.
        checked(unsafe { libc::syscall(libc::SYS_sched_setattr, who, ATTRIBUTES.as_ptr(), 0) })
    };
    // SAFETY: these are numbers.
    let nice = unsafe { libc::getpriority(libc::PRIO_PROCESS, id) };
    // SAFETY: these are numbers.
    let priority = checked(unsafe { libc::setpriority(libc::PRIO_PROCESS, id, nice) });
    // SAFETY: these are numbers.
    let io_priority = checked(unsafe { libc::syscall(libc::SYS_ioprio_set, PROCESS, who, 0) });
    [affinity, scheduler, parameters, attributes, priority, io_priority].map(said)
}

/// Tries to have a descriptor send signals, and to hold up who opens a file.
fn signalled(folder: &Path, parent: c_int) -> Tried {
    const FIOSETOWN: c_ulong = 0x8901;
    const FIOASYNC: c_ulong = 0x5452;
    const F_SETSIG: c_int = 10;
    let (one, _other) = UnixStream::pair().expect("a pair");
    let socket = one.as_raw_fd();
    // SAFETY: these are numbers.
    let set = |descriptor, command, value: c_int| checked(unsafe { libc::fcntl(descriptor, command, value) });
    let own = File::create(folder.join("permitted").join("lease")).expect("a file");
    let lease = set(own.as_raw_fd(), libc::F_SETLEASE, libc::F_WRLCK);
    let owner = set(socket, libc::F_SETOWN, parent);
    let signal = set(socket, F_SETSIG, libc::SIGURG);
    let asynchronous = set(socket, libc::F_SETFL, libc::O_ASYNC);
    vec![
        ("owner", said(owner)),
        ("signal of a file", said(signal)),
        ("lease", said(lease)),
        ("async", said(asynchronous)),
        ("async command", commanded(socket, FIOASYNC)),
        ("owner command", commanded(socket, FIOSETOWN)),
        ("nonblocking", said(one.set_nonblocking(true))),
        ("size", commanded(socket, libc::FIONREAD)),
    ]
}

/// Tries all of it.
pub(crate) fn tried(folder: &Path) -> Tried {
    let parent = rustix::process::getppid().expect("a monitor").as_raw_nonzero().get();
    let [affinity, scheduler, parameters, attributes, priority, io_priority] = scheduled(parent);
    let [own_affinity, _, _, _, own_priority, _] = scheduled(0);
    let secret = CString::new(folder.join("secret").as_os_str().as_bytes()).expect("no zeros");
    // SAFETY: the path ends with a zero, and no times mean now.
    let times = checked(unsafe { libc::utimensat(libc::AT_FDCWD, secret.as_ptr(), std::ptr::null(), 0) });
    // SAFETY: these are numbers.
    let watches = checked(unsafe { libc::inotify_init1(libc::IN_CLOEXEC) });
    // SAFETY: these are numbers.
    let group = checked(unsafe { libc::setpgid(0, 0) });
    let mut byte = [0];
    // SAFETY: the descriptor is read for as long as that takes, and owned by nobody here.
    let mut terminal = std::mem::ManuallyDrop::new(unsafe { File::from_raw_fd(libc::STDERR_FILENO) });
    let mut tried = vec![
        ("affinity", affinity),
        ("scheduler", scheduler),
        ("parameters", parameters),
        ("attributes", attributes),
        ("priority", priority),
        ("io priority", io_priority),
        ("own affinity", own_affinity),
        ("own priority", own_priority),
        ("group", said(group)),
        ("watch", said(watches)),
        ("times", said(times)),
        ("rights", said(rights())),
        ("typed", said(terminal.read(&mut byte))),
        ("foreground", commanded(libc::STDERR_FILENO, libc::TIOCSPGRP)),
        ("settings", commanded(libc::STDERR_FILENO, libc::TCSETS)),
        ("discipline", commanded(libc::STDERR_FILENO, libc::TIOCSETD)),
        ("typing", commanded(libc::STDERR_FILENO, libc::TIOCSTI)),
    ];
    tried.extend(signalled(folder, parent));
    tried
}

/// Fails unless this thread has capabilities, of whatever kind.
fn rights() -> io::Result<()> {
    let status = fs::read_to_string("/proc/thread-self/status")?;
    let sets = status.lines().filter_map(|line| line.strip_prefix("Cap")?.split_once(":\t"));
    let has_any = sets.into_iter().any(|(_, set)| set.bytes().any(|digit| digit != b'0'));
    if has_any { Ok(()) } else { Err(io::Error::from_raw_os_error(libc::EPERM)) }
}

/// A terminal at which somebody has typed, and a thread that writes what comes up there to a file, until nobody has it open.
pub(crate) fn terminal(mut screen: File) -> (File, thread::JoinHandle<()>) {
    // SAFETY: these are numbers.
    let keyboard =
        checked(unsafe { libc::posix_openpt(libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC) }).expect("a terminal");
    // SAFETY: it was just opened, and has no other owner.
    let mut keyboard = unsafe { File::from_raw_fd(c_int::try_from(keyboard).expect("a descriptor")) };
    let number = keyboard.as_raw_fd();
    // SAFETY: the descriptor is one of a terminal.
    checked(unsafe { libc::grantpt(number) }).expect("granted");
    // SAFETY: the descriptor is one of a terminal.
    checked(unsafe { libc::unlockpt(number) }).expect("unlocked");
    let mut name = [0; 64];
    // SAFETY: the name is as long as is said.
    let outcome: c_long = unsafe { libc::ptsname_r(number, name.as_mut_ptr(), name.len()) }.into();
    assert_eq!(outcome, 0);
    // SAFETY: the call has ended the name with a zero.
    let name = unsafe { std::ffi::CStr::from_ptr(name.as_ptr()) };
    let path = Path::new(std::ffi::OsStr::from_bytes(name.to_bytes()));
    let line = File::options().read(true).write(true).custom_flags(libc::O_NOCTTY).open(path).expect("a terminal");
    keyboard.write_all(b"password\n").expect("typed");
    let copy = move || {
        let mut bytes = [0; 4096];
        while let Ok(read @ 1..) = keyboard.read(&mut bytes) {
            screen.write_all(bytes.get(..read).unwrap_or_default()).expect("a file");
        }
    };
    (line, thread::spawn(copy))
}
