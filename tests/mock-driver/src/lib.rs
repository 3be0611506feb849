//! A Vulkan driver without a GPU, which notes every call.
//!
//! | file | what |
//! |---|---|
//! | `generated` | an entry point per command: turns the call back into the command's arguments and notes them |
//! | `call` | how it does that |
//! | `answers` | entry points whose answers somebody looks at, and those of commands that never travel |
//! | `objects` | which handles exist, and what a driver would hold against its caller |
//!
//! A note holds the call as the request that would ask for it, with the driver's handles in place of ids. So a test
//! that compares it with what a guest sent compares everything: members, arrays and chains.
//!
//! There is one such driver per process, because `vkGetInstanceProcAddr` takes nothing that could tell two apart. Tests
//! take turns: [`Mock::take`] waits for the driver and gives it back as new.

mod answers;
mod call;
#[rustfmt::skip]
mod generated;
mod objects;

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::CStr,
    sync::LazyLock,
    time::{Duration, Instant},
};

use hashbrown::HashMap;
use parking_lot::{Condvar, Mutex, MutexGuard};
use venus_protocol::{vk, wire::CommandType};

use self::objects::Objects;
pub use self::{
    answers::{BORDER_COLOURS, HEAP, HEAP_BUDGET, RESOURCE_DESCRIPTOR, SAMPLER_DESCRIPTOR},
    objects::Census,
};

/// Longest wait for another thread to arrive somewhere.
const PATIENCE: Duration = Duration::from_secs(10);

static TURN: Mutex<()> = Mutex::new(());
static STATE: LazyLock<Mutex<State>> = LazyLock::new(Mutex::default);
static CHANGED: Condvar = Condvar::new();

/// One call.
#[derive(Clone, Debug)]
pub struct Note {
    /// The command's canonical name.
    pub command: &'static str,
    /// The call as a request; empty for commands that never travel.
    pub request: Vec<u8>,
}

/// What the driver says that it has.
#[derive(Clone, Debug)]
pub struct Offers {
    /// Names and versions of device extensions.
    pub extensions: Vec<(String, u32)>,
    /// Vulkan's version.
    pub version: u32,
    /// GPUs.
    pub physical_devices: u32,
    /// Commands that it does not have, by their canonical names.
    pub lacks: BTreeSet<&'static str>,
    /// Fences and semaphores can be passed as SYNC_FD.
    pub sync_fd: bool,
    /// Which driver it says that it is, as `VkDriverId`.
    pub driver: i32,
    /// Resources can be bound sparsely.
    pub sparse: bool,
    /// The families of queues: what each can do, as `VkQueueFlags`.
    pub families: Vec<u32>,
    /// The types of memory: what each is, as `VkMemoryPropertyFlags`.
    pub memory: Vec<u32>,
    /// The types that memory of the host can be imported as, one bit each.
    pub importable: u32,
}

impl Default for Offers {
    /// All that the protocol can carry, and what the host can use for itself.
    fn default() -> Self {
        let newest = venus_protocol::Level::NEWEST;
        let all = newest.extensions().map(|extension| (extension.name.to_owned(), extension.spec_version(newest)));
        Self {
            extensions: all.chain([("VK_EXT_external_memory_host".to_owned(), 1)]).collect(),
            version: vk::make_api_version(0, 1, 4, 309),
            physical_devices: 1,
            lacks: BTreeSet::new(),
            sync_fd: true,
            driver: 0,
            sparse: true,
            families: vec![0b1111],
            memory: vec![0b111],
            importable: 1,
        }
    }
}

impl Offers {
    /// Without an extension.
    pub fn without(mut self, extension: &str) -> Self {
        self.extensions.retain(|(name, _)| name != extension);
        self
    }
}

#[derive(Default)]
struct State {
    offers: Offers,
    notes: Vec<Note>,
    objects: Objects,
    /// What commands return instead of success.
    failures: BTreeMap<&'static str, vk::Result>,
    /// Which of the objects that a failing command is to make are made all the same, by position.
    kept: BTreeSet<usize>,
    /// Commands that do not return until they are let go.
    held: BTreeSet<&'static str>,
    /// How many calls of held commands have arrived.
    arrived: usize,
    /// What is in every pipeline cache.
    cache_data: Option<Vec<u8>>,
}

/// The driver, while it is one test's.
#[derive(Debug)]
pub struct Mock {
    _turn: MutexGuard<'static, ()>,
}

impl Mock {
    /// The driver with everything that it can have.
    pub fn take() -> Self {
        Self::offering(Offers::default())
    }

    /// The driver with what a test wants it to have.
    pub fn offering(offers: Offers) -> Self {
        let turn = TURN.lock();
        *STATE.lock() = State { offers, ..State::default() };
        Self { _turn: turn }
    }

    /// Where a host finds everything else: `vkGetInstanceProcAddr`.
    ///
    /// The entry points that it gives have the signatures that ash declares, by the type of each row of `entries!`, and
    /// do what the specification asks of them as far as their callers rely on it.
    pub fn entry_point(&self) -> vk::PFN_vkGetInstanceProcAddr {
        answers::get_instance_proc_addr
    }

    /// The calls since the last time.
    pub fn notes(&self) -> Vec<Note> {
        std::mem::take(&mut STATE.lock().notes)
    }

    /// The names of the calls since the last time.
    pub fn names(&self) -> Vec<&'static str> {
        self.notes().into_iter().map(|note| note.command).collect()
    }

    /// Lets a command fail from now on.
    pub fn fail(&self, command: &'static str, result: vk::Result) {
        STATE.lock().failures.insert(command, result);
    }

    /// Lets a command that fails make some of its objects, by position.
    pub fn keep(&self, positions: &[usize]) {
        STATE.lock().kept.extend(positions);
    }

    /// Lets every pipeline cache have this data. Before, as much as the caller has room for is said to be there.
    pub fn fill_caches(&self, data: &[u8]) {
        STATE.lock().cache_data = Some(data.to_vec());
    }

    /// Lets nothing fail any more.
    pub fn forgive(&self) {
        let mut state = STATE.lock();
        state.failures.clear();
        state.kept.clear();
    }

    /// Keeps calls of a command from returning.
    pub fn hold(&self, command: &'static str) {
        STATE.lock().held.insert(command);
    }

    /// Waits until a call of a held command has arrived.
    pub fn wait_for_arrival(&self) {
        let deadline = Instant::now() + PATIENCE;
        let mut state = STATE.lock();
        while state.arrived == 0 {
            assert!(!CHANGED.wait_until(&mut state, deadline).timed_out(), "nobody calls what is held");
        }
    }

    /// Lets everything go that is held.
    pub fn release(&self) {
        STATE.lock().held.clear();
        CHANGED.notify_all();
    }

    /// What of each type was made and destroyed.
    pub fn census(&self) -> Census {
        STATE.lock().objects.census()
    }

    /// What the driver holds against its caller: handles that do not exist, objects destroyed twice, owners destroyed
    /// before what they own.
    pub fn complaints(&self) -> Vec<String> {
        STATE.lock().objects.complaints().to_vec()
    }

    /// The handle that was made last.
    pub fn newest(&self, kind: vk::ObjectType) -> Option<u64> {
        STATE.lock().objects.newest(kind)
    }

    /// The handle of a device's queue.
    pub fn queue(&self, device: u64, index: u32) -> u64 {
        STATE.lock().objects.queue(device, 0, index)
    }

    /// Fails if anything was misused or left.
    pub fn assert_clean(&self) {
        let state = STATE.lock();
        assert_eq!(state.objects.complaints(), [""; 0]);
        let census = state.objects.census();
        assert_eq!(census.alive(), [], "still alive: {census:?}");
    }
}

/// What the generated entry points use.
mod prelude {
    pub(super) use std::ffi::{c_char, c_void};

    pub(super) use venus_protocol::{args::*, vk};

    pub(super) use super::call::{Count, call};
}

type Function = unsafe extern "system" fn();

type ByName<T> = HashMap<&'static str, T, foldhash::fast::RandomState>;

/// An entry point as it is looked up.
struct Entry {
    /// The first of its names.
    canonical: &'static str,
    function: Function,
    /// The command of this name, if it acts on nothing that a device has.
    of_instance: Option<CommandType>,
}

/// All entry points by name. Those of `answers` come first. A host asks for most of them for each device.
static ENTRIES: LazyLock<ByName<Entry>> = LazyLock::new(|| {
    let of_instance: BTreeMap<_, _> = answers::of_instance().map(|command| (command.name(), command)).collect();
    let all = generated::ENTRIES.iter().chain(answers::ENTRIES);
    let entry = |name: &'static str, canonical, function| {
        (name, Entry { canonical, function, of_instance: of_instance.get(name).copied() })
    };
    all.flat_map(|(names, function)| names.iter().map(move |name| entry(name, names[0], *function))).collect()
});

impl Entry {
    /// The one of a name.
    fn find(name: &CStr) -> Option<&'static Self> {
        ENTRIES.get(name.to_str().ok()?)
    }

    /// What it leads to, if the driver has it.
    fn function(&self) -> vk::PFN_vkVoidFunction {
        let lacks = STATE.lock().offers.lacks.contains(self.canonical);
        (!lacks).then_some(self.function)
    }
}

/// Declares entry points: the function, its type, and all names that it is found under, the canonical one first.
macro_rules! entries {
    ($($($function:ident)::+: $ty:ty = $($name:literal),+;)+) => {
        pub(super) static ENTRIES: &[(&[&str], unsafe extern "system" fn())] = &[$((
            &[$($name),+],
            {
                const FUNCTION: $ty = $($function)::+;
                // SAFETY: both are function pointers; whoever asked for the name calls it as what it is.
                unsafe { std::mem::transmute::<$ty, unsafe extern "system" fn()>(FUNCTION) }
            },
        )),+];
    };
}
use entries;
