//! What a guest is told about external memory, fences and semaphores.
//!
//! No file descriptor ever crosses the wire. dma-bufs reach the guest as resources, and the payloads of SYNC_FD objects
//! travel as the guest kernel's own fences. So the answers here are not the driver's: a handle type is announced if the
//! host can do for it what the protocol's private commands ask, and every other type is announced as impossible.

use std::ptr;

use ash::vk;

use super::{PhysicalDevice, chain, extensions::ExtensionList};

/// Hangs those nodes that there are on a structure. They are copies, so they still point to where the originals stood
/// in their chain.
macro_rules! link {
    ($info:ident, $($node:expr),*) => {$(
        if let Some(node) = &mut $node {
            node.p_next = ptr::null();
            $info = $info.push_next(node);
        }
    )*};
}

/// Which of the two kinds of sync objects the driver can pass as SYNC_FD. Where it cannot, the host emulates
/// (`driver/sync/emulation.rs`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SyncSupport {
    pub(crate) native_fences: bool,
    pub(crate) native_semaphores: bool,
}

impl SyncSupport {
    pub(super) fn of(instance: &ash::Instance, raw: vk::PhysicalDevice, extensions: &ExtensionList) -> Self {
        let mut fence = vk::ExternalFenceProperties::default();
        let info =
            vk::PhysicalDeviceExternalFenceInfo::default().handle_type(vk::ExternalFenceHandleTypeFlags::SYNC_FD);
        // SAFETY: core in version 1.1, which every instance of ours has.
        unsafe { instance.get_physical_device_external_fence_properties(raw, &info, &mut fence) };
        let mut semaphore = vk::ExternalSemaphoreProperties::default();
        let info = vk::PhysicalDeviceExternalSemaphoreInfo::default()
            .handle_type(vk::ExternalSemaphoreHandleTypeFlags::SYNC_FD);
        // SAFETY: as above.
        unsafe { instance.get_physical_device_external_semaphore_properties(raw, &info, &mut semaphore) };
        let both = vk::ExternalSemaphoreFeatureFlags::EXPORTABLE | vk::ExternalSemaphoreFeatureFlags::IMPORTABLE;
        Self {
            native_fences: extensions.has_c(ash::khr::external_fence_fd::NAME)
                && fence.external_fence_features.contains(vk::ExternalFenceFeatureFlags::EXPORTABLE),
            native_semaphores: extensions.has_c(ash::khr::external_semaphore_fd::NAME)
                && semaphore.external_semaphore_features.contains(both),
        }
    }
}

/// Fences: SYNC_FD can be imported and exported, nothing else can.
pub(crate) fn fence_properties(
    info: &vk::PhysicalDeviceExternalFenceInfo<'_>,
    answer: &mut vk::ExternalFenceProperties<'_>,
) {
    let sync_fd = vk::ExternalFenceHandleTypeFlags::SYNC_FD;
    let (types, features) = if info.handle_type == sync_fd {
        (sync_fd, vk::ExternalFenceFeatureFlags::EXPORTABLE | vk::ExternalFenceFeatureFlags::IMPORTABLE)
    } else {
        Default::default()
    };
    answer.export_from_imported_handle_types = types;
    answer.compatible_handle_types = types;
    answer.external_fence_features = features;
}

/// Semaphores: SYNC_FD can be imported and exported if the semaphore is binary, nothing else can.
pub(crate) fn semaphore_properties(
    info: &vk::PhysicalDeviceExternalSemaphoreInfo<'_>,
    answer: &mut vk::ExternalSemaphoreProperties<'_>,
) {
    let sync_fd = vk::ExternalSemaphoreHandleTypeFlags::SYNC_FD;
    let is_timeline = chain::find::<vk::SemaphoreTypeCreateInfo<'_>>(info)
        .is_some_and(|kind| kind.semaphore_type == vk::SemaphoreType::TIMELINE);
    let (types, features) = if info.handle_type == sync_fd && !is_timeline {
        (sync_fd, vk::ExternalSemaphoreFeatureFlags::EXPORTABLE | vk::ExternalSemaphoreFeatureFlags::IMPORTABLE)
    } else {
        Default::default()
    };
    answer.export_from_imported_handle_types = types;
    answer.compatible_handle_types = types;
    answer.external_semaphore_features = features;
}

/// Buffers: whether the driver is to be asked. If not, the type is impossible.
pub(crate) fn knows_memory_type(device: &PhysicalDevice, handle_type: vk::ExternalMemoryHandleTypeFlags) -> bool {
    device.memory_plan().shares_dma_buf() && handle_type == vk::ExternalMemoryHandleTypeFlags::DMA_BUF_EXT
}

/// The answer for a handle type of memory that this host cannot pass: compatible with itself and otherwise useless.
pub(crate) fn impossible_memory(handle_type: vk::ExternalMemoryHandleTypeFlags) -> vk::ExternalMemoryProperties {
    vk::ExternalMemoryProperties { compatible_handle_types: handle_type, ..Default::default() }
}

/// The part of a set of handle types that this host can pass.
fn passable(device: &PhysicalDevice, types: vk::ExternalMemoryHandleTypeFlags) -> vk::ExternalMemoryHandleTypeFlags {
    if device.memory_plan().shares_dma_buf() {
        types & vk::ExternalMemoryHandleTypeFlags::DMA_BUF_EXT
    } else {
        Default::default()
    }
}

/// The nodes of a guest's `VkBufferCreateInfo`, as copies, less external memory that this host cannot pass.
pub(crate) struct BufferChain<'a> {
    external: Option<vk::ExternalMemoryBufferCreateInfo<'a>>,
    usage: Option<vk::BufferUsageFlags2CreateInfoKHR<'a>>,
    capture: Option<vk::BufferOpaqueCaptureAddressCreateInfo<'a>>,
}

impl<'a> BufferChain<'a> {
    pub(crate) fn of(info: &vk::BufferCreateInfo<'a>, device: &PhysicalDevice) -> Self {
        let external = chain::find::<vk::ExternalMemoryBufferCreateInfo<'a>>(info).copied();
        let kept = external.map(|node| vk::ExternalMemoryBufferCreateInfo {
            handle_types: passable(device, node.handle_types),
            ..node
        });
        Self {
            external: kept.filter(|node| !node.handle_types.is_empty()),
            usage: chain::find(info).copied(),
            capture: chain::find(info).copied(),
        }
    }

    /// The structure with these nodes instead of its own.
    pub(crate) fn link<'b>(&'b mut self, info: &vk::BufferCreateInfo<'a>) -> vk::BufferCreateInfo<'b>
    where
        'a: 'b,
    {
        let mut info = vk::BufferCreateInfo { p_next: ptr::null(), ..*info };
        link!(info, self.external, self.usage, self.capture);
        info
    }
}

/// As [`BufferChain`], for `VkImageCreateInfo`.
pub(crate) struct ImageChain<'a> {
    external: Option<vk::ExternalMemoryImageCreateInfo<'a>>,
    formats: Option<vk::ImageFormatListCreateInfo<'a>>,
    stencil: Option<vk::ImageStencilUsageCreateInfo<'a>>,
    modifiers: Option<vk::ImageDrmFormatModifierListCreateInfoEXT<'a>>,
    modifier: Option<vk::ImageDrmFormatModifierExplicitCreateInfoEXT<'a>>,
}

impl<'a> ImageChain<'a> {
    pub(crate) fn of(info: &vk::ImageCreateInfo<'a>, device: &PhysicalDevice) -> Self {
        let external = chain::find::<vk::ExternalMemoryImageCreateInfo<'a>>(info).copied();
        let kept = external.map(|node| vk::ExternalMemoryImageCreateInfo {
            handle_types: passable(device, node.handle_types),
            ..node
        });
        Self {
            external: kept.filter(|node| !node.handle_types.is_empty()),
            formats: chain::find(info).copied(),
            stencil: chain::find(info).copied(),
            modifiers: chain::find(info).copied(),
            modifier: chain::find(info).copied(),
        }
    }

    /// The structure with these nodes instead of its own.
    pub(crate) fn link<'b>(&'b mut self, info: &vk::ImageCreateInfo<'a>) -> vk::ImageCreateInfo<'b>
    where
        'a: 'b,
    {
        let mut info = vk::ImageCreateInfo { p_next: ptr::null(), ..*info };
        link!(info, self.external, self.formats, self.stencil, self.modifiers, self.modifier);
        info
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn binary_semaphores_pass_as_sync_fd_and_nothing_else() {
        let ask = |handle_type, kind| {
            let mut kind = vk::SemaphoreTypeCreateInfo::default().semaphore_type(kind);
            let info = vk::PhysicalDeviceExternalSemaphoreInfo::default().handle_type(handle_type).push_next(&mut kind);
            let mut answer = vk::ExternalSemaphoreProperties::default();
            semaphore_properties(&info, &mut answer);
            !answer.external_semaphore_features.is_empty()
        };
        let (sync, opaque) =
            (vk::ExternalSemaphoreHandleTypeFlags::SYNC_FD, vk::ExternalSemaphoreHandleTypeFlags::OPAQUE_FD);
        assert!(ask(sync, vk::SemaphoreType::BINARY));
        assert!(!ask(sync, vk::SemaphoreType::TIMELINE));
        assert!(!ask(opaque, vk::SemaphoreType::BINARY));
    }

    #[test]
    fn fences_pass_as_sync_fd_and_nothing_else() {
        let ask = |handle_type| {
            let info = vk::PhysicalDeviceExternalFenceInfo::default().handle_type(handle_type);
            let mut answer = vk::ExternalFenceProperties::default();
            fence_properties(&info, &mut answer);
            answer.external_fence_features.contains(vk::ExternalFenceFeatureFlags::EXPORTABLE)
        };
        assert!(ask(vk::ExternalFenceHandleTypeFlags::SYNC_FD));
        assert!(!ask(vk::ExternalFenceHandleTypeFlags::OPAQUE_FD));
    }
}
