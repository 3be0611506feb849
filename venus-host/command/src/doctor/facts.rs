//! Everything that is known about this host, as plain data: what checks judge and reports print.

use venus_host::{
    driver::survey::{Gpu, Library},
    sandbox::Support,
};

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
    /// What workers can give up here.
    pub(super) sandbox: Option<Support>,
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
