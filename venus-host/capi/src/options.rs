//! How hosts and contexts are made.

use std::{
    ffi::{OsString, c_char, c_void},
    mem::offset_of,
    ptr::NonNull,
};

use ::venus_host::{
    driver::{Config, EntryPoint, GpuChoice, Level, UnknownLevel},
    error::errno,
    host::{ContextOptions, HostOptions, Isolation},
    limits::Budget,
    worker::{Launch, cannot_launch},
};
use venus_ffi::{
    Error,
    environment::{self, Isolation as Named},
    guard,
};

use crate::{
    fences::{retired_fence, venus_retired_callback},
    handle::User,
    sized::{self, Versioned},
    worker,
};

/// What the environment variable VENUS_ISOLATION says (process or thread); a thread if it says nothing. Of a context: as
/// the host's options say.
pub const VENUS_ISOLATION_DEFAULT: u32 = 0;
/// Each context has a thread of this process, and its rings have more. A guest that makes the driver crash takes the
/// process along.
pub const VENUS_ISOLATION_THREAD: u32 = 1;
/// No threads: submissions are executed by the calls that make them, and rings by venus_host_process_rings().
pub const VENUS_ISOLATION_POLLED: u32 = 2;
/// Each context has a process of its own, and whatever a guest makes the driver do ends with that. Its memory travels by
/// descriptor, so such a context cannot have memory that has none.
pub const VENUS_ISOLATION_PROCESS: u32 = 3;

/// Has the Khronos validation layer, which has to be installed, check what guests do, and logs what it finds. Slow.
pub const VENUS_HOST_VALIDATE: u32 = 1;

/// How a host is made. What a member says comes before the environment variable for the same, here and in processes of
/// their own. What a zero member leaves open, the variable decides: VENUS_ISOLATION, VENUS_VALIDATE, VENUS_GPU,
/// VENUS_MAX_MEMORY, VENUS_MAX_OBJECTS, VENUS_PROTOCOL. Each member says what holds without either.
#[repr(C)]
#[derive(Debug)]
pub struct venus_host_options {
    /// `sizeof` of this structure.
    pub size: usize,
    /// Who serves contexts that do not say it themselves: `VENUS_ISOLATION_...`.
    pub isolation: u32,
    /// `VENUS_HOST_...`, or'ed.
    pub flags: u32,
    /// Which GPUs guests see: `all`, a position in the list of `venus doctor`, a deviceUUID, or part of a name. All if
    /// null.
    pub gpu: *const c_char,
    /// Bytes of memory that each guest may hold; as much as there is if zero.
    pub max_memory_bytes: u64,
    /// Vulkan objects that each guest may hold; some millions if zero.
    pub max_objects: u64,
    /// Called for each fence that retires, on any thread, those of a timeline in order; on one that a function of this
    /// library waits for, perhaps, so it must not wait for a lock that is held around such a call. If null, fences wait
    /// for venus_host_next_retired().
    pub retired: venus_retired_callback,
    /// Passed on to it.
    pub retired_user: *mut c_void,
    /// `vkGetInstanceProcAddr` of a Vulkan that this program has linked or loaded itself, which has to stay; if null, the
    /// system's loader is looked for. Processes of their own look for that in any case.
    pub get_instance_proc_addr: *const c_void,
    /// The program that is started for contexts that have a process of their own, with the environment variable
    /// VENUS_WORKER set to 1: it calls venus_worker_main() then. UTF-8. If null, the library starts itself, which it can on
    /// Linux, where it is a shared one.
    pub worker_program: *const c_char,
    /// The level of the protocol that guests are served at, called by how many command names it has: 433, 448 or 453. The
    /// newest if zero. Guests read it from venus_host_capset().
    pub protocol: u32,
    /// (zero)
    pub reserved: u32,
}

// A later member is behind all bytes that today's programs set.
const _: () = assert!(size_of::<venus_host_options>() == offset_of!(venus_host_options, reserved) + 4);

// SAFETY: it is `repr(C)`, begins with a usize, and holds numbers, raw pointers and an optional function.
unsafe impl Versioned for venus_host_options {
    const NAME: &'static str = "venus_host_options";
    const LEAST: usize = offset_of!(Self, protocol);
}

/// How a context is made. Zero members leave everything as it is without them.
#[repr(C)]
#[derive(Debug)]
pub struct venus_context_options {
    /// `sizeof` of this structure.
    pub size: usize,
    /// What the log calls the context: the guest program's name. Need not end with a zero, need not be UTF-8, may be null.
    pub name: *const c_char,
    /// Bytes of the name.
    pub name_size: usize,
    /// Who serves it: `VENUS_ISOLATION_...`.
    pub isolation: u32,
    /// (zero)
    pub reserved: u32,
}

// A later member is behind all bytes that today's programs set.
const _: () = assert!(size_of::<venus_context_options>() == offset_of!(venus_context_options, reserved) + 4);

// SAFETY: it is `repr(C)`, begins with a usize, and holds numbers and a raw pointer.
unsafe impl Versioned for venus_context_options {
    const NAME: &'static str = "venus_context_options";
    const LEAST: usize = size_of::<Self>();
}

/// The host's options as the library takes them, and how worker processes are started.
///
/// # Safety
///
/// `options` is null or points to as many bytes as it begins with, and so do its members.
pub(crate) unsafe fn host_options(options: *const venus_host_options) -> Result<(HostOptions, Launch), Error> {
    let options = match options.is_null() {
        true => venus_host_options::zeroed(),
        // SAFETY: the caller's promise.
        false => unsafe { sized::read(options) }?,
    };
    if options.flags & !VENUS_HOST_VALIDATE != 0 {
        return Err(Error::argument(format!("venus_host_options: there are no flags {:#x}", options.flags)));
    }
    if options.reserved != 0 {
        return Err(Error::argument("venus_host_options: reserved is not zero"));
    }
    let mut driver = environment::pipeline_caches(environment::driver(Config::default())?)?;
    if options.protocol != 0 {
        Level::of_number(options.protocol)
            .ok_or_else(|| Error::argument(format!("venus_host_options: protocol: {UnknownLevel}")))?;
    }
    if let Some(address) = NonNull::new(options.get_instance_proc_addr.cast_mut()) {
        // SAFETY: the caller vouches for the address of that function, of a Vulkan that stays.
        driver = driver.entry(unsafe { EntryPoint::at(address) });
    }
    // SAFETY: the caller's promise.
    let gpu = unsafe { guard::text("venus_host_options: gpu", options.gpu) }?;
    let (driver, budget) = overrule(driver, environment::budget(Budget::default())?, gpu, &options);
    // SAFETY: the caller's promise.
    let program = unsafe { guard::text("venus_host_options: worker_program", options.worker_program) }?;
    let launch = worker::launch(program, for_workers(gpu, &options));
    let isolation = match options.isolation {
        VENUS_ISOLATION_DEFAULT => match environment::isolation()? {
            Some(Named::Process) => process(&launch)?,
            Some(Named::Thread) | None => Isolation::Thread,
        },
        named => isolation(named, &launch)?,
    };
    let made = HostOptions::new(driver).budget(budget).isolation(isolation);
    let Some(retired) = options.retired else { return Ok((made, launch)) };
    let user = User(options.retired_user);
    let made = made.retired(move |fence| {
        let fence = retired_fence(&fence);
        // SAFETY: the caller promises that it can be called with this on any thread, and the fence lives that long.
        guard::callback(|| unsafe { retired(user.pointer(), &raw const fence) });
    });
    Ok((made, launch))
}

/// A context's options as the library takes them; `launch` is the host's.
///
/// # Safety
///
/// As for [`host_options`].
pub(crate) unsafe fn context_options(
    options: *const venus_context_options,
    launch: &Launch,
) -> Result<ContextOptions, Error> {
    let options = match options.is_null() {
        true => venus_context_options::zeroed(),
        // SAFETY: the caller's promise.
        false => unsafe { sized::read(options) }?,
    };
    if options.reserved != 0 {
        return Err(Error::argument("venus_context_options: reserved is not zero"));
    }
    let name = match options.name.is_null() {
        true => &[][..],
        // SAFETY: the caller promises as many bytes.
        false => unsafe { std::slice::from_raw_parts(options.name.cast::<u8>(), options.name_size) },
    };
    // Some monitors count the zero.
    let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
    let made = ContextOptions::new(String::from_utf8_lossy(name));
    Ok(match options.isolation {
        VENUS_ISOLATION_DEFAULT => made,
        named => made.isolation(isolation(named, launch)?),
    })
}

fn isolation(named: u32, launch: &Launch) -> Result<Isolation, Error> {
    match named {
        VENUS_ISOLATION_THREAD => Ok(Isolation::Thread),
        VENUS_ISOLATION_POLLED => Ok(Isolation::Polled),
        VENUS_ISOLATION_PROCESS => process(launch),
        other => Err(Error::argument(format!("there is no isolation {other}"))),
    }
}

fn process(launch: &Launch) -> Result<Isolation, Error> {
    match cannot_launch(launch) {
        None => Ok(Isolation::Process(launch.clone())),
        Some(reason) => Err(Error::new(
            errno::OPNOTSUPP,
            format!("contexts cannot have processes of their own: {reason}; see worker_program of venus_host_options"),
        )),
    }
}

/// What the environment says, where the options do not say otherwise.
fn overrule(
    mut driver: Config,
    mut budget: Budget,
    gpu: Option<&str>,
    options: &venus_host_options,
) -> (Config, Budget) {
    if let Some(Ok(gpu)) = gpu.map(str::parse::<GpuChoice>) {
        driver = driver.gpu(gpu);
    }
    if options.flags & VENUS_HOST_VALIDATE != 0 {
        driver = driver.validate(true);
    }
    if let Some(level) = Level::of_number(options.protocol) {
        driver = driver.protocol(level);
    }
    if options.max_memory_bytes != 0 {
        budget = budget.memory_bytes(options.max_memory_bytes);
    }
    if options.max_objects != 0 {
        budget = budget.objects(usize::try_from(options.max_objects).unwrap_or(usize::MAX));
    }
    (driver, budget)
}

/// What workers have to know of the options, as an environment: variables overrule those that they inherit, as
/// [`overrule`] does here. The level of the protocol they are told with their guest.
fn for_workers(gpu: Option<&str>, options: &venus_host_options) -> Vec<(OsString, OsString)> {
    let mut environment = Vec::new();
    let mut set = |name: &str, value: String| environment.push((name.into(), value.into()));
    if let Some(gpu) = gpu {
        set("VENUS_GPU", gpu.to_owned());
    }
    if options.flags & VENUS_HOST_VALIDATE != 0 {
        set("VENUS_VALIDATE", "1".to_owned());
    }
    if options.max_memory_bytes != 0 {
        set("VENUS_MAX_MEMORY", options.max_memory_bytes.to_string());
    }
    if options.max_objects != 0 {
        set("VENUS_MAX_OBJECTS", options.max_objects.to_string());
    }
    environment
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_come_before_the_environment_here_and_in_workers() {
        let said = || (Config::default().validate(false), Budget::default().memory_bytes(4096).objects(7));
        let open = venus_host_options::zeroed();
        let (driver, budget) = overrule(said().0, said().1, None, &open);
        assert_eq!((driver.validate, budget), (false, said().1));
        assert_eq!(for_workers(None, &open), []);

        let named = venus_host_options {
            flags: VENUS_HOST_VALIDATE,
            max_memory_bytes: 1 << 20,
            max_objects: 9,
            protocol: 448,
            ..venus_host_options::zeroed()
        };
        let (driver, budget) = overrule(said().0, said().1, Some("2"), &named);
        assert_eq!((driver.validate, driver.gpu, driver.protocol), (true, "2".parse().unwrap(), Level::V448));
        assert_eq!(budget, Budget::default().memory_bytes(1 << 20).objects(9));
        let expected =
            [("VENUS_GPU", "2"), ("VENUS_VALIDATE", "1"), ("VENUS_MAX_MEMORY", "1048576"), ("VENUS_MAX_OBJECTS", "9")];
        let expected: Vec<(OsString, OsString)> = expected.map(|(name, value)| (name.into(), value.into())).into();
        assert_eq!(for_workers(Some("2"), &named), expected);
    }
}
