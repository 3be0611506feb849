//! A guest's device: its entry points, its queues, and the calls that the host makes for itself.

use std::{
    collections::BTreeMap,
    ffi::{CStr, CString, c_void},
    fmt,
    os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
    ptr::NonNull,
    sync::Arc,
    time::{Duration, Instant},
};

use ash::vk;
use parking_lot::Mutex;
use venus_protocol::procs::{Level, Procs};

use super::{
    Failure, FamilyProcs, PhysicalDevice, extensions,
    made::Made,
    memory::{LinearImages, MappedAllocations},
    queue_request::{check_queue_requests, create_queues, queue_requests, restricted_procs, tell_of_priorities},
    sanitize,
    sync::{Orphans, Queue, Watch},
};
use crate::{error::GUEST_DRIVER, thread::deadline};

/// A live `VkDevice`. Destroyed explicitly, by `driver/destroy.rs`, after everything that belongs to it.
pub(crate) struct Device {
    /// The guest's name for it.
    id: u64,
    physical: Arc<PhysicalDevice>,
    fns: ash::Device,
    procs: Arc<Procs>,
    /// For command buffers of families that cannot do everything, by family.
    restricted: BTreeMap<u32, Arc<FamilyProcs>>,
    queues: Vec<Arc<Queue>>,
    memory_fd: Option<ash::khr::external_memory_fd::Device>,
    memory_host: Option<ash::ext::external_memory_host::Device>,
    fence_fd: Option<ash::khr::external_fence_fd::Device>,
    semaphore_fd: Option<ash::khr::external_semaphore_fd::Device>,
    /// Gives objects the names that validation messages call them by; only where there is validation.
    names: Option<ash::ext::debug_utils::Device>,
    /// Objects replaced by the emulation of SYNC_FD, waiting for their last use to end.
    orphans: Mutex<Orphans>,
    /// Mappings of its memory that somebody else may be using.
    mapped_allocations: MappedAllocations,
    linear_images: LinearImages,
    /// What its objects were made with.
    made: Made,
    /// Who looks whether its queues come to an end, if somebody does.
    watch: Option<Arc<Watch>>,
}

/// vkCreateDevice with these extensions instead of the guest's own.
fn create_with(
    physical: &PhysicalDevice,
    info: &vk::DeviceCreateInfo<'_>,
    names: &[CString],
) -> Result<ash::Device, vk::Result> {
    let name_pointers: Vec<_> = names.iter().map(|name| name.as_ptr()).collect();
    let driver_info = vk::DeviceCreateInfo {
        p_next: info.p_next,
        flags: info.flags,
        queue_create_info_count: info.queue_create_info_count,
        p_queue_create_infos: info.p_queue_create_infos,
        p_enabled_features: info.p_enabled_features,
        ..Default::default()
    }
    .enabled_extension_names(&name_pointers);

    // SAFETY:
    // - the physical device is alive; queue requests are within its families;
    // - features and chains are the guest's, as the decoder built them; the driver refuses what it does not know.
    unsafe { physical.instance().create_device(physical.raw(), &driver_info, None) }
}

impl Device {
    /// vkCreateDevice for the guest, which calls the device `id`. A global priority that the host's user may not have is
    /// no reason to have no device: it gets the default one then.
    pub(crate) fn new(
        physical: Arc<PhysicalDevice>,
        id: u64,
        info: &vk::DeviceCreateInfo<'_>,
    ) -> Result<Self, Failure> {
        match Self::create(Arc::clone(&physical), id, info) {
            Err(failure)
                if failure.result == vk::Result::ERROR_NOT_PERMITTED_KHR && sanitize::lower_priorities(info) =>
            {
                tell_of_priorities();
                Self::create(physical, id, info)
            }
            created => created,
        }
    }

    fn create(physical: Arc<PhysicalDevice>, id: u64, info: &vk::DeviceCreateInfo<'_>) -> Result<Self, Failure> {
        let requests = queue_requests(info);
        check_queue_requests(&requests, physical.queue_families())?;
        physical.check_features(info)?;

        // SAFETY: count and pointer belong together and live as long as `info`: the decoder made them.
        let guest_names = unsafe { slice(info.pp_enabled_extension_names, info.enabled_extension_count) };
        // SAFETY: each is a string of the decoder's, which ends with NUL.
        let guest_names = guest_names.iter().map(|&name| unsafe { CStr::from_ptr(name) });
        if let Some(name) = guest_names.clone().find(|name| !physical.knows_extension(name)) {
            return Err(Failure::refused(
                vk::Result::ERROR_EXTENSION_NOT_PRESENT,
                "pCreateInfo->ppEnabledExtensionNames",
                format!("has {name:?}, which is not in the level {} of the protocol", physical.protocol()),
                GUEST_DRIVER,
            ));
        }
        let names = extensions::to_enable(guest_names, physical.extensions());
        let fns = create_with(&physical, info, &names)?;
        let instance = physical.instance();
        physical.device_created();
        let handle = fns.handle();
        let lookup = |name: &CStr| {
            // SAFETY: `handle` is live and the name ends with NUL.
            unsafe { instance.get_device_proc_addr(handle, name.as_ptr()) }
        };
        // SAFETY: vkGetDeviceProcAddr answers with the entry point of the name it is asked for, which stays valid as
        // long as the device.
        let procs = unsafe { Procs::load(Level::Device, lookup) };
        let enabled = |name: &CStr| names.iter().any(|known| known.as_c_str() == name);
        let queues = create_queues(&fns, &requests);
        Ok(Self {
            id,
            memory_fd: enabled(ash::khr::external_memory_fd::NAME)
                .then(|| ash::khr::external_memory_fd::Device::new(instance, &fns)),
            memory_host: enabled(ash::ext::external_memory_host::NAME)
                .then(|| ash::ext::external_memory_host::Device::new(instance, &fns)),
            fence_fd: (physical.sync().native_fences && enabled(ash::khr::external_fence_fd::NAME))
                .then(|| ash::khr::external_fence_fd::Device::new(instance, &fns)),
            semaphore_fd: (physical.sync().native_semaphores && enabled(ash::khr::external_semaphore_fd::NAME))
                .then(|| ash::khr::external_semaphore_fd::Device::new(instance, &fns)),
            names: physical.names_objects().then(|| ash::ext::debug_utils::Device::new(instance, &fns)),
            restricted: restricted_procs(&procs, &requests, &physical),
            physical,
            fns,
            procs: Arc::new(procs),
            queues,
            orphans: Mutex::default(),
            mapped_allocations: MappedAllocations::default(),
            linear_images: LinearImages::default(),
            made: Made::default(),
            watch: None,
        })
    }

    /// Has its queues watched, or not.
    pub(crate) fn with_watch(self, watch: Option<Arc<Watch>>) -> Self {
        Self { watch, ..self }
    }

    /// Who watches its queues.
    pub(crate) fn watch(&self) -> Option<&Arc<Watch>> {
        self.watch.as_ref()
    }

    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    pub(crate) fn physical(&self) -> &Arc<PhysicalDevice> {
        &self.physical
    }

    /// Entry points of the device, by command.
    #[inline]
    pub(crate) fn procs(&self) -> &Arc<Procs> {
        &self.procs
    }

    /// Those for command buffers of a queue family, if that cannot do everything.
    pub(crate) fn family_procs(&self, family: u32) -> Option<&Arc<FamilyProcs>> {
        self.restricted.get(&family)
    }

    /// Notes of which family command buffers are that were just allocated.
    pub(crate) fn note_family(&self, buffers: &[vk::CommandBuffer], family: Option<&Arc<FamilyProcs>>) {
        for each in self.restricted.values() {
            each.note_buffers(buffers, family.is_some_and(|family| Arc::ptr_eq(family, each)));
        }
    }

    pub(super) fn fns(&self) -> &ash::Device {
        &self.fns
    }

    /// What its GPU calls itself.
    pub(crate) fn gpu_name(&self) -> String {
        let name = self.physical.properties().device_name_as_c_str().unwrap_or_default();
        name.to_string_lossy().chars().filter(|c| !c.is_control()).collect()
    }

    pub(crate) fn raw(&self) -> vk::Device {
        self.fns.handle()
    }

    pub(crate) fn queues(&self) -> &[Arc<Queue>] {
        &self.queues
    }

    /// The queue with this driver handle.
    pub(crate) fn queue(&self, raw: vk::Queue) -> Option<&Arc<Queue>> {
        self.queues.iter().find(|queue| queue.raw() == raw)
    }

    pub(crate) fn orphans(&self) -> &Mutex<Orphans> {
        &self.orphans
    }

    #[inline]
    pub(super) fn made(&self) -> &Made {
        &self.made
    }

    pub(super) fn linear_images(&self) -> &LinearImages {
        &self.linear_images
    }

    pub(super) fn mapped_allocations(&self) -> &MappedAllocations {
        &self.mapped_allocations
    }

    /// Tells the validation layer what the guest calls an object, if there is a layer.
    #[cold]
    pub(crate) fn name_object(&self, kind: vk::ObjectType, raw: u64, name: &CStr) {
        let Some(api) = &self.names else { return };
        let mut info = vk::DebugUtilsObjectNameInfoEXT::default().object_name(name);
        (info.object_type, info.object_handle) = (kind, raw);
        // SAFETY: the extension was enabled with the instance; the object is of this device and new, so nobody else
        // uses it.
        let named = unsafe { api.set_debug_utils_object_name(&info) };
        if let Err(result) = named {
            tracing::debug!("an object has no name: {result}");
        }
    }

    /// Whether the driver exports and imports fences as SYNC_FD.
    pub(crate) fn has_native_fences(&self) -> bool {
        self.fence_fd.is_some()
    }

    /// Whether the driver exports and imports semaphores as SYNC_FD.
    pub(crate) fn has_native_semaphores(&self) -> bool {
        self.semaphore_fd.is_some()
    }

    /// Submits nothing but a wait, a signal and a fence, each of which may be absent. Waits for the queue's lock.
    pub(crate) fn submit_empty(
        &self,
        queue: &Queue,
        wait: Option<vk::Semaphore>,
        signal: Option<vk::Semaphore>,
        fence: vk::Fence,
    ) -> Result<(), vk::Result> {
        let stages = [vk::PipelineStageFlags::ALL_COMMANDS];
        let mut submit = vk::SubmitInfo::default().signal_semaphores(signal.as_slice());
        if let Some(wait) = &wait {
            submit = submit.wait_semaphores(std::slice::from_ref(wait)).wait_dst_stage_mask(&stages);
        }
        let submits = if wait.is_some() || signal.is_some() { std::slice::from_ref(&submit) } else { &[] };
        let _lock = queue.lock();
        // SAFETY: the handles are of this device and live (the callers own or have just resolved them), and the queue
        // is locked.
        unsafe { self.fns.queue_submit(queue.raw(), submits, fence) }
    }

    /// Lets a fence follow what the queue has been given so far. `None` if somebody holds the queue until the deadline:
    /// a submission that does not return from the driver.
    pub(crate) fn submit_fence(
        &self,
        queue: &Queue,
        fence: vk::Fence,
        deadline: Instant,
    ) -> Option<Result<(), vk::Result>> {
        let _lock = queue.lock_until(deadline)?;
        // SAFETY: the fence is of this device, unsignalled and the caller's own; the queue is locked.
        Some(unsafe { self.fns.queue_submit(queue.raw(), &[], fence) })
    }

    pub(crate) fn create_fence(&self) -> Result<vk::Fence, vk::Result> {
        // SAFETY: the device is live.
        unsafe { self.fns.create_fence(&vk::FenceCreateInfo::default(), None) }
    }

    pub(crate) fn create_semaphore(&self) -> Result<vk::Semaphore, vk::Result> {
        // SAFETY: the device is live.
        unsafe { self.fns.create_semaphore(&vk::SemaphoreCreateInfo::default(), None) }
    }

    /// Whether a fence is signalled; an error, such as a lost device, counts as one: nobody will signal it any more.
    pub(crate) fn is_signalled(&self, fence: vk::Fence) -> bool {
        // SAFETY: the fence is live, as the callers own or have just resolved it.
        !matches!(unsafe { self.fns.get_fence_status(fence) }, Ok(false))
    }

    /// Waits for one fence. `Ok(false)` means that the time is up.
    pub(crate) fn wait_fence(&self, fence: vk::Fence, timeout: Duration) -> Result<bool, vk::Result> {
        let timeout_ns = u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX);
        // SAFETY: as in `is_signalled`.
        match unsafe { self.fns.wait_for_fences(&[fence], true, timeout_ns) } {
            Ok(()) => Ok(true),
            Err(vk::Result::TIMEOUT) => Ok(false),
            Err(result) => Err(result),
        }
    }

    /// Makes a signalled fence unsignalled.
    pub(crate) fn reset_fence(&self, fence: vk::Fence) -> Result<(), vk::Result> {
        // SAFETY: the fence is live and not pending, since it is signalled.
        unsafe { self.fns.reset_fences(&[fence]) }
    }

    pub(crate) fn destroy_fence(&self, fence: vk::Fence) {
        // SAFETY: the caller owned it, and it is not pending.
        unsafe { self.fns.destroy_fence(fence, None) };
    }

    pub(crate) fn destroy_semaphore(&self, semaphore: vk::Semaphore) {
        // SAFETY: the caller owned it, and no submission that refers to it is pending.
        unsafe { self.fns.destroy_semaphore(semaphore, None) };
    }

    /// Exports a fence as SYNC_FD and drops the descriptor, which leaves the fence unsignalled.
    pub(crate) fn drain_fence(&self, fence: vk::Fence) -> Result<(), vk::Result> {
        let api = self.fence_fd.as_ref().ok_or(vk::Result::ERROR_EXTENSION_NOT_PRESENT)?;
        let info = vk::FenceGetFdInfoKHR::default().fence(fence).handle_type(vk::ExternalFenceHandleTypeFlags::SYNC_FD);
        // SAFETY: the fence is live; that it was created for export is what the guest says by this command, and the
        // driver checks it.
        let fd = unsafe { api.get_fence_fd(&info)? };
        drop_fd(fd);
        Ok(())
    }

    /// Exports a semaphore as SYNC_FD and drops the descriptor, which consumes its signal as a wait would.
    pub(crate) fn drain_semaphore(&self, semaphore: vk::Semaphore) -> Result<(), vk::Result> {
        let api = self.semaphore_fd.as_ref().ok_or(vk::Result::ERROR_EXTENSION_NOT_PRESENT)?;
        let info = vk::SemaphoreGetFdInfoKHR::default()
            .semaphore(semaphore)
            .handle_type(vk::ExternalSemaphoreHandleTypeFlags::SYNC_FD);
        // SAFETY: as in `drain_fence`.
        let fd = unsafe { api.get_semaphore_fd(&info)? };
        drop_fd(fd);
        Ok(())
    }

    /// Gives a semaphore a signalled payload until its next wait.
    pub(crate) fn import_signalled(&self, semaphore: vk::Semaphore) -> Result<(), vk::Result> {
        let api = self.semaphore_fd.as_ref().ok_or(vk::Result::ERROR_EXTENSION_NOT_PRESENT)?;
        // A SYNC_FD of -1 stands for a signal that has already happened.
        let info = vk::ImportSemaphoreFdInfoKHR::default()
            .semaphore(semaphore)
            .flags(vk::SemaphoreImportFlags::TEMPORARY)
            .handle_type(vk::ExternalSemaphoreHandleTypeFlags::SYNC_FD)
            .fd(-1);
        // SAFETY: the semaphore is live, and there is no descriptor to own.
        unsafe { api.import_semaphore_fd(&info) }
    }

    /// Exports an allocation that was made for it.
    pub(super) fn export_memory(
        &self,
        memory: vk::DeviceMemory,
        handle_type: vk::ExternalMemoryHandleTypeFlags,
    ) -> Result<OwnedFd, vk::Result> {
        let api = self.memory_fd.as_ref().ok_or(vk::Result::ERROR_EXTENSION_NOT_PRESENT)?;
        let info = vk::MemoryGetFdInfoKHR::default().memory(memory).handle_type(handle_type);
        // SAFETY: the memory is live and was allocated for export as this type.
        let fd = unsafe { api.get_memory_fd(&info)? };
        // SAFETY: the call succeeded, so the descriptor is open and ours alone.
        Ok(unsafe { OwnedFd::from_raw_fd(fd) })
    }

    /// As which types a dma-buf can be imported.
    pub(super) fn dma_buf_types(&self, fd: BorrowedFd<'_>) -> Result<u32, vk::Result> {
        let api = self.memory_fd.as_ref().ok_or(vk::Result::ERROR_INVALID_EXTERNAL_HANDLE)?;
        let mut properties = vk::MemoryFdPropertiesKHR::default();
        let handle_type = vk::ExternalMemoryHandleTypeFlags::DMA_BUF_EXT;
        // SAFETY: the descriptor is open; the driver does not take it over here.
        unsafe { api.get_memory_fd_properties(handle_type, fd.as_raw_fd(), &mut properties)? };
        Ok(properties.memory_type_bits)
    }

    /// As which types a mapping can be imported.
    pub(super) fn host_pointer_types(&self, address: NonNull<u8>) -> Result<u32, vk::Result> {
        let api = self.memory_host.as_ref().ok_or(vk::Result::ERROR_INVALID_EXTERNAL_HANDLE)?;
        // SAFETY: the pointer is the start of a mapping that the caller holds, aligned to pages.
        unsafe { host_pointer_types(api, address) }
    }

    /// Waits until no queue has work; `false` if that takes longer than `limit`, which vkDeviceWaitIdle cannot tell. A
    /// lost device has no work.
    pub(crate) fn wait_idle(&self, limit: Duration) -> bool {
        let deadline = deadline(limit);
        self.queues.iter().all(|queue| self.wait_queue(queue, deadline))
    }

    fn wait_queue(&self, queue: &Queue, deadline: Instant) -> bool {
        let Ok(fence) = self.create_fence() else { return true };
        let Some(submitted) = self.submit_fence(queue, fence, deadline) else {
            return false;
        };
        let left = deadline.saturating_duration_since(Instant::now());
        // Errors mean a lost device or one without memory: neither works on anything that a fence could still be waited
        // for.
        let idle = submitted.is_err() || self.wait_fence(fence, left) != Ok(false);
        if idle {
            self.destroy_fence(fence);
        }
        idle
    }
}

impl fmt::Debug for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Device").field("id", &self.id).field("physical", &self.physical).finish_non_exhaustive()
    }
}

/// vkGetMemoryHostPointerPropertiesEXT, which `ash` has no wrapper for.
///
/// # Safety
///
/// `address` is that of host memory which is mapped, and aligned as the driver wants imported pointers.
pub(super) unsafe fn host_pointer_types(
    api: &ash::ext::external_memory_host::Device,
    address: NonNull<u8>,
) -> Result<u32, vk::Result> {
    let mut properties = vk::MemoryHostPointerPropertiesEXT::default();
    let handle_type = vk::ExternalMemoryHandleTypeFlags::HOST_ALLOCATION_EXT;
    let pointer: *const c_void = address.as_ptr().cast_const().cast();
    let call = api.fp().get_memory_host_pointer_properties_ext;
    // SAFETY: the device is live and has the extension, since `api` was loaded from it; the rest is this function's own
    // contract.
    unsafe { call(api.device(), handle_type, pointer, &mut properties) }.result()?;
    Ok(properties.memory_type_bits)
}

/// Closes a SYNC_FD; -1 stands for one that is already signalled.
fn drop_fd(fd: i32) {
    if fd >= 0 {
        // SAFETY: the driver has just given it to us.
        drop(unsafe { OwnedFd::from_raw_fd(fd) });
    }
}

/// # Safety
///
/// `pointer` is null or the first of `len` values that live for `'a`.
pub(super) unsafe fn slice<'a, T>(pointer: *const T, len: u32) -> &'a [T] {
    if pointer.is_null() {
        return &[];
    }
    // SAFETY: by this function's own contract.
    unsafe { std::slice::from_raw_parts(pointer, usize::try_from(len).unwrap_or_default()) }
}
