//! Everything that is known about this host, as plain data: what checks judge and reports print.

/// All facts.
#[derive(Debug)]
pub(super) struct Facts {
    pub(super) system: System,
    /// The Vulkan library, or why there is none.
    pub(super) library: Result<Library, String>,
    /// The GPUs that the configuration admits, or why none can be listed.
    pub(super) gpus: Result<Vec<Gpu>, String>,
    /// Whether `--validate` was given.
    pub(super) wants_validation: bool,
}

/// Facts of the operating system.
#[derive(Debug, Default)]
pub(super) struct System {
    /// `linux`, `macos`.
    pub(super) os: &'static str,
    pub(super) page_bytes: u64,
    pub(super) open_files: OpenFiles,
    /// Whether a memory file can be made and mapped, or why not.
    pub(super) memory_file: Option<Result<(), String>>,
    /// Free bytes where memory files come from; `None` where that is memory as a whole.
    pub(super) shm_free_bytes: Option<u64>,
    /// `/dev/udmabuf`.
    pub(super) udmabuf: Access,
    /// The GPUs' device files.
    pub(super) render_nodes: Vec<Node>,
    /// Where the loader finds drivers.
    pub(super) manifests: Vec<Manifest>,
    /// The variable that names drivers to use instead, and its value.
    pub(super) chosen_drivers: Option<(&'static str, String)>,
    /// GPU libraries that were in this process before it asked for any.
    pub(super) preloaded: Vec<String>,
}

/// Descriptors that a process may have; `None` for as many as it likes.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct OpenFiles {
    pub(super) soft: Option<u64>,
    pub(super) hard: Option<u64>,
}

/// Whether this process may use a device file.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) enum Access {
    #[default]
    Absent,
    Usable,
    /// It is there, but may not be opened; the system's words.
    Denied(String),
}

/// A GPU's device file.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) path: String,
    pub(super) access: Access,
    /// The group that may use it, by name or number.
    pub(super) group: String,
}

/// A file that tells the Vulkan loader of a driver.
#[derive(Debug, Clone)]
pub(super) struct Manifest {
    pub(super) path: String,
    /// The driver's library as the file names it, or what is wrong with the file.
    pub(super) library: Result<String, String>,
}

/// The Vulkan library.
#[derive(Debug)]
pub(super) struct Library {
    pub(super) path: String,
    pub(super) version: String,
    /// Version of the validation layer, where that is installed.
    pub(super) validation_layer: Option<String>,
}

/// One GPU.
#[derive(Debug, Default, Clone)]
pub(super) struct Gpu {
    pub(super) name: String,
    pub(super) uuid: String,
    /// The driver's name and version, as it tells.
    pub(super) driver: String,
    /// The driver's Vulkan version.
    pub(super) driver_version: String,
    /// Whether that is new enough for guests.
    pub(super) is_version_enough: bool,
    /// The version that guests see, at most.
    pub(super) guest_version: String,
    /// A driver that renders on the CPU.
    pub(super) is_software: bool,
    /// A driver that is not fully conformant (VK_KHR_portability_subset).
    pub(super) is_portability: bool,
    /// Why guests do not see it, if so.
    pub(super) hidden_because: Option<String>,
    pub(super) memory: Memory,
    /// Whether the driver itself exports fences and semaphores as SYNC_FD.
    pub(super) native_fences: bool,
    pub(super) native_semaphores: bool,
    pub(super) extensions: Extensions,
}

/// How a GPU's memory reaches guests.
#[derive(Debug, Default, Clone)]
pub(super) struct Memory {
    /// The way that works.
    pub(super) way: Option<String>,
    /// Whether that way is dma-buf export.
    pub(super) is_dma_buf: bool,
    /// Types that are shared, as a list.
    pub(super) shared_types: String,
    /// Ways that do not work, and why.
    pub(super) failures: Vec<(String, String)>,
    /// Ways that take a virtual machine monitor, and the types they would share or why they would not work.
    pub(super) for_monitors: Vec<(String, Result<String, String>)>,
    /// Whether the GPU's writes were seen through a second mapping, in how many types; only looked at for imported
    /// memory.
    pub(super) seen: Option<Result<u32, String>>,
    /// Whether the driver has a type that is HOST_VISIBLE and HOST_COHERENT.
    pub(super) has_coherent_type: bool,
    /// All types: index, flags as guests see them, and whether guests see less than the driver has.
    pub(super) types: Vec<(u32, String, bool)>,
}

/// What becomes of each extension of the protocol.
#[derive(Debug, Default, Clone)]
pub(super) struct Extensions {
    pub(super) offered: Vec<&'static str>,
    /// With how.
    pub(super) emulated: Vec<(&'static str, &'static str)>,
    /// With why.
    pub(super) withheld: Vec<(&'static str, &'static str)>,
    pub(super) absent: Vec<&'static str>,
}
