//! What the memory of a guest's GPUs is, and how much of it is left.

use ash::vk;

use super::{PhysicalDevice, State};

/// A GPU that a guest has devices of, and its memory.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct GpuMemory {
    /// The GPU's name.
    pub name: String,
    /// Its heaps, in the driver's order.
    pub heaps: Vec<HeapMemory>,
}

/// One heap of a GPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct HeapMemory {
    /// Bytes.
    pub size: u64,
    /// Whether it is the GPU's own memory (`VK_MEMORY_HEAP_DEVICE_LOCAL_BIT`).
    pub is_device_local: bool,
    /// Bytes that the process which serves the guest may use before allocations fail or become slow, by the driver's
    /// estimate. `None` if the driver has no VK_EXT_memory_budget.
    pub budget: Option<u64>,
    /// Bytes that it uses, for this guest and for others that it serves. `None` as above.
    pub usage: Option<u64>,
}

impl State {
    /// The memory of the GPUs that the guest has devices of, now.
    pub(crate) fn gpu_memory(&self) -> Vec<GpuMemory> {
        // Whoever ends the instance takes it out of here first, and waits for this to end.
        let mut gpus = Vec::new();
        self.with_instance(|instance| {
            let used = instance.known_devices().iter().filter(|device| device.has_devices());
            gpus.extend(used.map(|device| device.gpu_memory()));
        });
        gpus
    }
}

impl PhysicalDevice {
    fn gpu_memory(&self) -> GpuMemory {
        let has_budget = self.extensions().has_c(ash::ext::memory_budget::NAME);
        let mut budget = vk::PhysicalDeviceMemoryBudgetPropertiesEXT::default();
        let mut properties = vk::PhysicalDeviceMemoryProperties2::default();
        if has_budget {
            properties = properties.push_next(&mut budget);
        }
        // SAFETY:
        // - the instance is alive: the caller holds it;
        // - it is at least version 1.1, which has this call;
        // - the structure in the chain is known to the driver, which has its extension.
        unsafe { self.instance().get_physical_device_memory_properties2(self.raw(), &mut properties) };
        let memory = properties.memory_properties;
        let bytes = budget.heap_budget.iter().zip(&budget.heap_usage);
        let heaps = memory.memory_heaps_as_slice().iter().zip(bytes).map(|(heap, (budget, usage))| HeapMemory {
            size: heap.size,
            is_device_local: heap.flags.contains(vk::MemoryHeapFlags::DEVICE_LOCAL),
            budget: has_budget.then_some(*budget),
            usage: has_budget.then_some(*usage),
        });
        GpuMemory { name: self.name(), heaps: heaps.collect() }
    }
}
