//! An instance and a device, as an application makes them.

use crate::Skip;
use anyhow::{Context as _, Result};
use ash::vk;
use std::ffi::CStr;

/// A device with one queue of the first family.
pub(crate) struct Gpu {
    pub(crate) instance: ash::Instance,
    pub(crate) physical: vk::PhysicalDevice,
    pub(crate) memory: vk::PhysicalDeviceMemoryProperties,
    pub(crate) device: ash::Device,
    pub(crate) queue: vk::Queue,
    /// Keeps the loader's library, in which every function above lies.
    entry: ash::Entry,
}

/// An instance and its first device, before anything is asked of it.
pub(crate) struct Found {
    pub(crate) entry: ash::Entry,
    pub(crate) instance: ash::Instance,
    pub(crate) physical: vk::PhysicalDevice,
}

impl Found {
    /// Loads the loader, makes an instance, and takes the first device.
    ///
    /// # Errors
    ///
    /// There is no loader or no device, or the driver refuses.
    pub(crate) fn new() -> Result<Self> {
        let entry = unsafe { ash::Entry::load() }.context("loading the Vulkan loader")?;
        let application =
            vk::ApplicationInfo::default().application_name(c"venus-cases").api_version(vk::API_VERSION_1_3);
        let info = vk::InstanceCreateInfo::default().application_info(&application);
        let instance = unsafe { entry.create_instance(&info, None) }.context("vkCreateInstance")?;
        let all = unsafe { instance.enumerate_physical_devices() }.context("vkEnumeratePhysicalDevices")?;
        let physical = *all.first().context("there is no device")?;
        Ok(Self { entry, instance, physical })
    }

    /// Destroys the instance.
    pub(crate) fn close(self) {
        unsafe { self.instance.destroy_instance(None) };
    }

    /// Whether the device has this extension.
    pub(crate) fn has(&self, extension: &CStr) -> Result<bool> {
        let all = unsafe { self.instance.enumerate_device_extension_properties(self.physical) };
        let all = all.context("vkEnumerateDeviceExtensionProperties")?;
        Ok(all.iter().any(|one| one.extension_name_as_c_str() == Ok(extension)))
    }

    /// The case skips itself where the device lacks this extension.
    pub(crate) fn require(&self, extension: &CStr, why: &'static str) -> Result<()> {
        if self.has(extension)? { Ok(()) } else { Err(Skip(why).into()) }
    }

    /// The device's features of the first version of Vulkan.
    pub(crate) fn features(&self) -> vk::PhysicalDeviceFeatures {
        unsafe { self.instance.get_physical_device_features(self.physical) }
    }

    /// What the device has of the features in one structure.
    pub(crate) fn features_in<T: vk::TaggedStructure + Default>(&self) -> T {
        let mut features = T::default();
        let next = std::ptr::from_mut(&mut features).cast();
        let mut all = vk::PhysicalDeviceFeatures2 { p_next: next, ..Default::default() };
        unsafe { self.instance.get_physical_device_features2(self.physical, &mut all) };
        features
    }

    /// What it says of itself in one structure.
    pub(crate) fn properties_in<T: vk::TaggedStructure + Default>(&self) -> T {
        let mut properties = T::default();
        let next = std::ptr::from_mut(&mut properties).cast();
        let mut all = vk::PhysicalDeviceProperties2 { p_next: next, ..Default::default() };
        unsafe { self.instance.get_physical_device_properties2(self.physical, &mut all) };
        properties
    }

    /// Makes a device with this extension and what the structure has of its features. It also renders without render
    /// passes, keeps bounds and has addresses, as every device of Vulkan 1.3 can.
    ///
    /// # Errors
    ///
    /// The driver refuses.
    pub(crate) fn open_with<T: vk::TaggedStructure>(self, extension: &CStr, features: &mut T) -> Result<Gpu> {
        let bounds = vk::PhysicalDeviceFeatures::default().robust_buffer_access(true);
        let mut newer = vk::PhysicalDeviceVulkan13Features::default().robust_image_access(true).dynamic_rendering(true);
        let mut addresses = vk::PhysicalDeviceVulkan12Features::default().buffer_device_address(true);
        let names = [extension.as_ptr()];
        let info = vk::DeviceCreateInfo::default().enabled_extension_names(&names).enabled_features(&bounds);
        self.open(chained(info.push_next(&mut newer).push_next(&mut addresses), features))
    }

    /// Makes the device. `info` has everything but queues.
    ///
    /// # Errors
    ///
    /// The driver refuses.
    pub(crate) fn open(self, info: vk::DeviceCreateInfo<'_>) -> Result<Gpu> {
        self.open_family(info, 0)
    }

    /// The same, with a queue of this family.
    pub(crate) fn open_family(self, info: vk::DeviceCreateInfo<'_>, family: u32) -> Result<Gpu> {
        let Self { entry, instance, physical } = self;
        let queues = [vk::DeviceQueueCreateInfo::default().queue_family_index(family).queue_priorities(&[1.0])];
        let info = info.queue_create_infos(&queues);
        let device = unsafe { instance.create_device(physical, &info, None) }.context("vkCreateDevice")?;
        let queue = unsafe { device.get_device_queue(family, 0) };
        let memory = unsafe { instance.get_physical_device_memory_properties(physical) };
        Ok(Gpu { instance, physical, memory, device, queue, entry })
    }
}

impl Gpu {
    /// A device with timeline semaphores, which most cases want.
    ///
    /// # Errors
    ///
    /// As [`Found::new`] and [`Found::open`].
    pub(crate) fn new() -> Result<Self> {
        let mut timelines = vk::PhysicalDeviceVulkan12Features::default().timeline_semaphore(true);
        Found::new()?.open(vk::DeviceCreateInfo::default().push_next(&mut timelines))
    }

    /// A command of the device that ash does not have.
    ///
    /// # Safety
    ///
    /// `F` is the type of the pointer to it.
    pub(crate) unsafe fn command<F>(&self, name: &CStr) -> Result<F> {
        let function = unsafe { self.instance.get_device_proc_addr(self.device.handle(), name.as_ptr()) };
        unsafe { typed(name, function) }
    }

    /// The same of the instance.
    ///
    /// # Safety
    ///
    /// As [`Gpu::command`].
    pub(crate) unsafe fn command_of_instance<F>(&self, name: &CStr) -> Result<F> {
        let function = unsafe { self.entry.get_instance_proc_addr(self.instance.handle(), name.as_ptr()) };
        unsafe { typed(name, function) }
    }

    /// Destroys device and instance. Cases whose process ends anyway do not bother.
    pub(crate) fn close(self) {
        unsafe {
            self.device.destroy_device(None);
            self.instance.destroy_instance(None);
        }
    }

    pub(crate) fn fence(&self, signalled: bool) -> Result<vk::Fence> {
        let flags = if signalled { vk::FenceCreateFlags::SIGNALED } else { vk::FenceCreateFlags::empty() };
        unsafe { self.device.create_fence(&vk::FenceCreateInfo::default().flags(flags), None) }.context("vkCreateFence")
    }

    pub(crate) fn timeline(&self, value: u64) -> Result<vk::Semaphore> {
        let timeline = vk::SemaphoreType::TIMELINE;
        let mut kind = vk::SemaphoreTypeCreateInfo::default().semaphore_type(timeline).initial_value(value);
        let info = vk::SemaphoreCreateInfo::default().push_next(&mut kind);
        unsafe { self.device.create_semaphore(&info, None) }.context("vkCreateSemaphore")
    }

    pub(crate) fn signal(&self, timeline: vk::Semaphore, value: u64) -> Result<()> {
        let info = vk::SemaphoreSignalInfo::default().semaphore(timeline).value(value);
        unsafe { self.device.signal_semaphore(&info) }.context("vkSignalSemaphore")
    }

    /// Waits for all fences.
    pub(crate) fn wait(&self, fences: &[vk::Fence], timeout_ns: u64) -> Result<(), vk::Result> {
        unsafe { self.device.wait_for_fences(fences, true, timeout_ns) }
    }

    /// Waits for one timeline.
    pub(crate) fn wait_value(&self, timeline: vk::Semaphore, value: u64, timeout_ns: u64) -> Result<(), vk::Result> {
        let (timelines, values) = ([timeline], [value]);
        let info = vk::SemaphoreWaitInfo::default().semaphores(&timelines).values(&values);
        unsafe { self.device.wait_semaphores(&info, timeout_ns) }
    }

    pub(crate) fn wait_idle(&self) -> Result<()> {
        unsafe { self.device.device_wait_idle() }.context("vkDeviceWaitIdle")
    }
}

/// A command by the type of the pointer to it, or none.
unsafe fn typed<F>(name: &CStr, function: vk::PFN_vkVoidFunction) -> Result<F> {
    let function = function.with_context(|| format!("the driver has no {}", name.to_string_lossy()))?;
    assert_eq!(size_of::<F>(), size_of_val(&function), "a type that is no pointer to a function");
    Ok(unsafe { std::mem::transmute_copy(&function) })
}

/// Chains a structure that ash does not know.
pub(crate) fn chained<'a, T: vk::TaggedStructure>(
    mut info: vk::DeviceCreateInfo<'a>,
    more: &'a mut T,
) -> vk::DeviceCreateInfo<'a> {
    let more: *mut vk::BaseOutStructure<'_> = std::ptr::from_mut(more).cast();
    unsafe { (*more).p_next = info.p_next.cast_mut().cast() };
    info.p_next = more.cast();
    info
}
