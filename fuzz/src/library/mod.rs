//! A monitor that is written in C: calls of the library's functions in any order, with whatever a caller may pass, for guests
//! who send anything, on the noting driver.
//!
//! A caller keeps the library's rules: pointers are null or lead to what they should, sizes of structures are those of the
//! memory behind them, nothing is used after it was given back. Everything else is chosen: numbers of contexts, resources
//! and fences, flags, sizes, options, lengths, which of the functions comes next.
//!
//! | file | what |
//! |---|---|
//! | [`memory`], [`about`] | calls, beside those here |
//! | [`served`] | a guest's way to its context, and what all calls have in common |
//! | [`callbacks`] | what the library calls |
#![expect(clippy::cast_possible_truncation, reason = "whatever a number becomes, it is one")]

mod about;
mod callbacks;
mod memory;
mod served;

use std::{
    cell::Cell,
    collections::BTreeMap,
    ffi::{OsString, c_void},
    os::fd::OwnedFd,
    path::PathBuf,
    ptr,
    rc::Rc,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicUsize, Ordering},
    },
};

use mock_driver::Mock;
use venus_host_c::{contexts::*, fences::*, handle::*, library::*, options::*, resources::*};

use self::{
    about::without_host,
    callbacks::{Heard, retired},
    memory::Lent,
    served::{Mapped, Served, fence, process_rings, sized, submit, told},
};
use crate::{
    guest::{Guest, Service},
    source::Source,
};

/// Calls of one monitor, and steps of its guests.
const CALLS: usize = 64;
/// Contexts that may be there at a time.
const CONTEXTS: u32 = 3;
/// Each context's resources have numbers from a multiple of this on.
const RESOURCES: u32 = 1000;
/// Bytes of memory that is lent.
const PAGE: usize = 4096;

/// What an input says that a monitor does next.
pub(crate) mod call {
    pub(crate) const GUEST: u8 = 0;
    pub(crate) const CREATE_CONTEXT: u8 = 0x60;
    pub(crate) const DESTROY_CONTEXT: u8 = 0x68;
    pub(crate) const CHECK_CONTEXT: u8 = 0x70;
    pub(crate) const SUBMIT: u8 = 0x74;
    pub(crate) const CREATE_BLOB: u8 = 0x78;
    pub(crate) const ATTACH: u8 = 0x80;
    pub(crate) const DETACH: u8 = 0x88;
    pub(crate) const DESTROY_RESOURCE: u8 = 0x90;
    pub(crate) const DESCRIBE: u8 = 0x98;
    pub(crate) const EXPORT: u8 = 0xa0;
    pub(crate) const MAP: u8 = 0xa8;
    pub(crate) const RELEASE: u8 = 0xb0;
    pub(crate) const IMPORT_MEMORY: u8 = 0xb8;
    pub(crate) const IMPORT_FD: u8 = 0xc0;
    pub(crate) const FENCE: u8 = 0xc8;
    pub(crate) const RETIRED: u8 = 0xd0;
    pub(crate) const STATISTICS: u8 = 0xd8;
    pub(crate) const CAPSET: u8 = 0xe0;
    pub(crate) const PROCESS_RINGS: u8 = 0xe4;
    pub(crate) const LOG: u8 = 0xe8;
    pub(crate) const NO_HOST: u8 = 0xec;
    pub(crate) const ANOTHER_HOST: u8 = 0xf0;
    pub(crate) const REFUSED_HOST: u8 = 0xf8;
}

/// An input of the target `library`.
pub fn call(data: &[u8]) {
    // Standard error is for what libFuzzer says.
    static QUIET: LazyLock<()> = LazyLock::new(|| venus_ffi::log::start(venus_ffi::log::Level::Off));
    LazyLock::force(&QUIET);
    let mock = Mock::take();
    let mut source = Source::new(data);
    let open = descriptors();
    let heard = Heard::default();
    let mut are_threads_over = true;
    {
        let mut monitor = Monitor::new(&mock, &mut source, &heard);
        for _ in 0..CALLS {
            if monitor.source.is_empty() {
                break;
            }
            monitor.call();
        }
        are_threads_over &= !monitor.has_threads;
        monitor.end();
    }
    mock.assert_clean();
    // Threads may be on their way out.
    if are_threads_over {
        let more: Vec<_> = descriptors().into_iter().filter(|file| !open.contains(file)).collect();
        assert!(more.is_empty(), "{more:?} have stayed open");
    }
}

/// The descriptors of this process, and what each is open for.
fn descriptors() -> Vec<(OsString, PathBuf)> {
    let open = std::fs::read_dir("/proc/self/fd").into_iter().flatten().flatten();
    // That of the folder itself is gone by the time that it is looked at.
    open.filter_map(|entry| Some((entry.file_name(), std::fs::read_link(entry.path()).ok()?)))
        .filter(|(_, file)| !file.starts_with("/proc"))
        .collect()
}

struct Monitor<'m, 'd, 's> {
    mock: &'m Mock,
    source: &'s mut Source<'d>,
    heard: &'s Heard,
    host: *mut venus_host,
    /// Whether fences are told to a callback.
    tells: bool,
    is_polled: bool,
    /// Whether it had a host with threads.
    has_threads: bool,
    guests: BTreeMap<u32, Guest<'m, 'd, Served>>,
    mappings: Vec<Mapped>,
    files: Vec<(OwnedFd, u64)>,
    lent: Vec<Lent>,
    logs: Vec<Arc<AtomicUsize>>,
    next_fence: Rc<Cell<u64>>,
}

impl<'m, 'd, 's> Monitor<'m, 'd, 's> {
    fn new(mock: &'m Mock, source: &'s mut Source<'d>, heard: &'s Heard) -> Self {
        let mut monitor = Self {
            mock,
            source,
            heard,
            host: ptr::null_mut(),
            tells: false,
            is_polled: true,
            has_threads: false,
            guests: BTreeMap::new(),
            mappings: Vec::new(),
            files: Vec::new(),
            lent: Vec::new(),
            logs: Vec::new(),
            next_fence: Rc::default(),
        };
        monitor.make_host();
        monitor
    }

    /// Makes a host that can be made.
    fn make_host(&mut self) {
        let how = self.source.byte();
        self.tells = how & 1 == 0;
        self.is_polled = how < 0xf0;
        self.has_threads |= !self.is_polled;
        let options = self.options();
        // SAFETY: options are as they should be, and there is room for the host.
        let result = unsafe { venus_host_create(&raw const options, &raw mut self.host) };
        assert_eq!(told(result), 0, "there is nothing wrong with these options");
    }

    fn options(&self) -> venus_host_options {
        venus_host_options {
            size: size_of::<venus_host_options>(),
            isolation: if self.is_polled { VENUS_ISOLATION_POLLED } else { VENUS_ISOLATION_THREAD },
            flags: 0,
            gpu: ptr::null(),
            max_memory_bytes: 64 << 20,
            max_objects: 4096,
            retired: if self.tells { Some(retired) } else { None },
            retired_user: self.heard.pointer(),
            get_instance_proc_addr: self.mock.entry_point() as *const c_void,
            worker_program: ptr::null(),
            protocol: 0,
            reserved: 0,
        }
    }

    fn call(&mut self) {
        match self.source.byte() {
            call::GUEST..call::CREATE_CONTEXT => self.guest(),
            call::CREATE_CONTEXT..call::DESTROY_CONTEXT => {
                let context = self.context();
                self.create_context(context);
            }
            call::DESTROY_CONTEXT..call::CHECK_CONTEXT => {
                let context = self.context();
                // SAFETY: the host lives.
                told(unsafe { venus_host_destroy_context(self.host, context) });
                self.guests.remove(&context);
            }
            call::CHECK_CONTEXT..call::SUBMIT => {
                let context = self.context();
                // SAFETY: the same.
                told(unsafe { venus_host_check_context(self.host, context) });
            }
            call::SUBMIT..call::CREATE_BLOB => {
                let (context, most) = (self.context(), self.source.short().into());
                submit(self.host, context, self.source.take(most));
            }
            call::CREATE_BLOB..call::ATTACH => self.create_blob(),
            call::ATTACH..call::DETACH => {
                let (context, resource) = (self.context(), self.resource());
                // SAFETY: the same.
                told(unsafe { venus_host_attach_resource(self.host, context, resource) });
            }
            call::DETACH..call::DESTROY_RESOURCE => {
                let (context, resource) = (self.context(), self.resource());
                // SAFETY: the same.
                assert_eq!(told(unsafe { venus_host_detach_resource(self.host, context, resource) }), 0);
            }
            call::DESTROY_RESOURCE..call::DESCRIBE => {
                let resource = self.resource();
                // SAFETY: the same.
                assert!(matches!(told(unsafe { venus_host_destroy_resource(self.host, resource) }), 0 | 1));
            }
            call::DESCRIBE..call::EXPORT => self.describe(),
            call::EXPORT..call::MAP => self.export(),
            call::MAP..call::RELEASE => {
                let resource = self.resource();
                self.mappings.extend(Mapped::of(self.host, resource));
            }
            call::RELEASE..call::IMPORT_MEMORY => {
                if !self.mappings.is_empty() {
                    let nth = self.source.below(self.mappings.len());
                    drop(self.mappings.swap_remove(nth));
                }
            }
            call::IMPORT_MEMORY..call::IMPORT_FD => self.import_memory(),
            call::IMPORT_FD..call::FENCE => self.import_fd(),
            call::FENCE..call::RETIRED => {
                let (context, ring_idx) = (self.context(), self.source.below(66) as u32);
                fence(self.host, context, ring_idx, &self.next_fence);
            }
            call::RETIRED..call::STATISTICS => {
                self.take_retired();
            }
            call::STATISTICS..call::CAPSET => self.statistics(),
            call::CAPSET..call::PROCESS_RINGS => self.capset(),
            call::PROCESS_RINGS..call::LOG => process_rings(self.host),
            call::LOG..call::NO_HOST => self.log(),
            call::NO_HOST..call::ANOTHER_HOST => without_host(),
            call::ANOTHER_HOST..call::REFUSED_HOST => {
                self.end_host();
                self.make_host();
            }
            call::REFUSED_HOST.. => self.other_host(),
        }
    }

    /// A context's number.
    fn context(&mut self) -> u32 {
        match self.source.byte() {
            number @ 0..0xf0 => u32::from(number) % CONTEXTS,
            _ => self.source.number() as u32,
        }
    }

    /// A resource's number, most often of one that there may be.
    fn resource(&mut self) -> u32 {
        match self.source.byte() {
            number @ 0..0xf0 => {
                let context = u32::from(number) % (CONTEXTS + 1);
                RESOURCES * (context + 1) + u32::from(self.source.byte() % 16)
            }
            _ => self.source.number() as u32,
        }
    }

    /// A guest takes a step, if need be after it was made.
    fn guest(&mut self) {
        let context = u32::from(self.source.byte()) % CONTEXTS;
        if !self.guests.contains_key(&context) {
            self.create_context(context);
        }
        let Some(guest) = self.guests.get_mut(&context) else { return };
        if !guest.service.is_lost() {
            std::mem::swap(&mut guest.source, self.source);
            guest.step();
            std::mem::swap(&mut guest.source, self.source);
        }
    }

    fn create_context(&mut self, context: u32) {
        let name = self.source.take(usize::from(self.source.clone().byte() % 32));
        let isolation = match self.source.byte() {
            0..0xf0 => VENUS_ISOLATION_DEFAULT,
            _ => self.source.number() as u32,
        };
        // A process of its own would be this program.
        let isolation = if isolation == VENUS_ISOLATION_PROCESS { VENUS_ISOLATION_DEFAULT } else { isolation };
        self.has_threads |= isolation == VENUS_ISOLATION_THREAD;
        let is_polled = match isolation {
            VENUS_ISOLATION_DEFAULT => self.is_polled,
            named => named == VENUS_ISOLATION_POLLED,
        };
        let options = venus_context_options {
            size: size_of::<venus_context_options>(),
            name: name.as_ptr().cast(),
            name_size: name.len(),
            isolation,
            reserved: 0,
        };
        let options = sized(self.source, options);
        let options: *const venus_context_options =
            if self.source.byte() < 0xf8 { options.as_ptr().cast() } else { ptr::null() };
        let is_polled = if options.is_null() { self.is_polled } else { is_polled };
        // SAFETY: the host lives, and the options have as many bytes as they say.
        if told(unsafe { venus_host_create_context(self.host, context, options) }) == 0 && context < CONTEXTS {
            let next_fence = Rc::clone(&self.next_fence);
            let served = Served { host: self.host, context, next_fence, is_polled };
            if let Some(guest) = Guest::new(self.mock, Source::new(&[]), served, RESOURCES * (context + 1)) {
                self.guests.insert(context, guest);
            }
        }
    }

    /// Takes a fence, if one waits to be taken.
    fn take_retired(&mut self) -> bool {
        // SAFETY: all of its members are numbers.
        let mut words = sized(self.source, unsafe { std::mem::zeroed::<venus_retired_fence>() });
        // SAFETY: the host lives, and the structure has as many bytes as it says.
        let result = told(unsafe { venus_host_next_retired(self.host, words.as_mut_ptr().cast()) });
        if result == 1 {
            // SAFETY: it was written there.
            let fence = unsafe { &*words.as_ptr().cast::<venus_retired_fence>() };
            assert!(!self.tells, "somebody was told");
            self.heard.retire(fence.fence);
        }
        // SAFETY: the host lives.
        assert!(told(unsafe { venus_host_retired_fd(self.host) }) >= 0);
        result == 1
    }

    fn end_host(&mut self) {
        if !self.tells {
            // Fences of a context retire before it is gone.
            for context in 0..CONTEXTS {
                // SAFETY: the host lives.
                told(unsafe { venus_host_destroy_context(self.host, context) });
            }
            // Structures of other sizes are refused, and then the fence waits on.
            let rest = std::mem::replace(self.source, Source::new(&[]));
            while self.take_retired() {}
            *self.source = rest;
        }
        // What guests have mapped may stay longer than the host.
        let guests = std::mem::take(&mut self.guests);
        // SAFETY: it is the library's, and nobody uses it any more.
        assert_eq!(told(unsafe { venus_host_destroy(self.host, 10_000) }), 0, "nothing is stuck");
        drop(guests);
        let retired = std::mem::take(&mut *self.heard.retired.lock().expect("nobody panics with it"));
        let fences: Vec<_> = (0..self.next_fence.replace(0)).map(|fence| (fence, 1)).collect();
        assert!(retired.into_iter().eq(fences), "each fence retires once");
    }

    fn end(mut self) {
        self.end_host();
        self.mappings.clear();
        // SAFETY: nobody is told of lines any more.
        told(unsafe { venus_set_log(None, ptr::null_mut(), VENUS_LOG_OFF, None) });
        for count in
            self.lent.iter().map(|lent| (&lent.released, lent.expected)).chain(self.logs.iter().map(|count| (count, 1)))
        {
            assert_eq!(count.0.load(Ordering::Relaxed), count.1, "what was lent is given back once");
        }
    }
}
