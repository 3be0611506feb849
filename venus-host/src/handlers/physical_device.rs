//! Physical devices: what guests are told about them.
//!
//! Features and properties are the driver's, whatever structures the guest chains: the decoder refuses those that the
//! protocol does not have. Four things are changed on the way: versions are capped, memory types that cannot reach the
//! guest lose HOST_VISIBLE, external handle types are ours to answer (`driver/external.rs`), and sparse binding is not
//! there where imported memory cannot be bound so (`driver/sparse.rs`).

use std::sync::Arc;

use venus_protocol::{args::*, dispatch::PhysicalDeviceCommands, procs::Call, vk};

use super::{REFUSED, fill, forward_physical, no_entry_point, refuse};
use crate::{
    driver::{PhysicalDevice, chain, external, format},
    endpoint::Endpoint,
    error::{GUEST_DRIVER, Interrupt},
    object::{Detail, NewObject},
};

impl PhysicalDeviceCommands for Endpoint {
    forward_physical! {}

    refuse! {
        enumerate_device_layer_properties(EnumerateDeviceLayerPropertiesArgs<'_>) => "layers are the guest's own business";
        get_physical_device_tool_properties(GetPhysicalDeviceToolPropertiesArgs<'_>) => "VK_EXT_tooling_info is not offered";
    }

    /// Loaders have an entry point for it whatever the driver has, and some drivers end the process by it.
    fn get_physical_device_calibrateable_time_domains_khr(
        &mut self,
        args: &mut GetPhysicalDeviceCalibrateableTimeDomainsKHRArgs<'_>,
    ) -> Result<vk::Result, Interrupt> {
        self.forward_of(&["VK_KHR_calibrated_timestamps", "VK_EXT_calibrated_timestamps"], args)
    }

    /// As for time domains.
    fn get_physical_device_fragment_shading_rates_khr(
        &mut self,
        args: &mut GetPhysicalDeviceFragmentShadingRatesKHRArgs<'_>,
    ) -> Result<vk::Result, Interrupt> {
        self.forward_of(&["VK_KHR_fragment_shading_rate"], args)
    }

    /// As for time domains.
    fn get_physical_device_multisample_properties_ext(
        &mut self,
        args: &mut GetPhysicalDeviceMultisamplePropertiesEXTArgs<'_>,
    ) -> Result<(), Interrupt> {
        self.forward_of(&["VK_EXT_sample_locations"], args)
    }

    /// As for time domains.
    fn get_physical_device_cooperative_matrix_properties_khr(
        &mut self,
        args: &mut GetPhysicalDeviceCooperativeMatrixPropertiesKHRArgs<'_>,
    ) -> Result<vk::Result, Interrupt> {
        self.forward_of(&["VK_KHR_cooperative_matrix"], args)
    }

    /// As for time domains.
    fn get_physical_device_descriptor_size_ext(
        &mut self,
        args: &mut GetPhysicalDeviceDescriptorSizeEXTArgs,
    ) -> Result<vk::DeviceSize, Interrupt> {
        self.forward_of(&["VK_EXT_descriptor_heap"], args)
    }

    /// The guest names the devices it wants: position n of its array is the nth device, now and in any later call.
    fn enumerate_physical_devices(
        &mut self,
        args: &mut EnumeratePhysicalDevicesArgs<'_>,
    ) -> Result<vk::Result, Interrupt> {
        let instance = self.instance()?;
        let devices = match instance.physical_devices() {
            Ok(devices) => devices,
            Err(result) => return Ok(self.result_of(Err(result.into()))),
        };
        let total = u32::try_from(devices.len()).unwrap_or(u32::MAX);
        let new = &mut args.p_physical_devices;
        if new.ids.is_empty() {
            *args.p_physical_device_count = total;
            return Ok(vk::Result::SUCCESS);
        }
        let mut known = instance.guest_ids().lock();
        for ((n, &id), raw) in new.ids.iter().enumerate().zip(new.raws.iter_mut()) {
            let Some(device) = devices.get(n) else { break };
            match known.get(n) {
                Some(&first) if first == id => {}
                Some(&first) => {
                    let reason = format!("device {n} was called {first:#x} before and is called {id:#x} now");
                    return Err(self.fatal(reason).member("pPhysicalDevices").advice(GUEST_DRIVER).into());
                }
                None => {
                    self.register_physical_device(id, device)?;
                    known.push(id);
                }
            }
            *raw = device.raw();
        }
        let room = u32::try_from(new.ids.len()).unwrap_or(u32::MAX);
        *args.p_physical_device_count = total.min(room);
        Ok(if room < total { vk::Result::INCOMPLETE } else { vk::Result::SUCCESS })
    }

    /// Groups name devices by handle, which are the guest's ids in the reply. Members that the guest has not enumerated
    /// have no id, and their groups are left out.
    fn enumerate_physical_device_groups(
        &mut self,
        args: &mut EnumeratePhysicalDeviceGroupsArgs<'_>,
    ) -> Result<vk::Result, Interrupt> {
        let instance = self.instance()?;
        let devices = match instance.physical_devices() {
            Ok(devices) => devices,
            Err(result) => return Ok(self.result_of(Err(result.into()))),
        };
        let known = instance.guest_ids().lock();
        let guest_id = |raw| {
            let position = devices.iter().position(|device| device.raw() == raw)?;
            known.get(position).copied()
        };
        let groups = match instance.physical_device_groups() {
            Ok(groups) => groups,
            Err(result) => return Ok(self.result_of(Err(result.into()))),
        };
        let groups: Vec<_> = groups.into_iter().filter_map(|group| group.renamed(guest_id)).collect();
        let total = u32::try_from(groups.len()).unwrap_or(u32::MAX);
        let room = args.p_physical_device_group_properties.len();
        if room == 0 {
            *args.p_physical_device_group_count = total;
            return Ok(vk::Result::SUCCESS);
        }
        for (to, from) in args.p_physical_device_group_properties.iter_mut().zip(&groups) {
            to.physical_device_count = from.count;
            to.physical_devices = from.devices;
            to.subset_allocation = from.subset_allocation;
        }
        *args.p_physical_device_group_count = total.min(u32::try_from(room).unwrap_or(u32::MAX));
        Ok(if room < groups.len() { vk::Result::INCOMPLETE } else { vk::Result::SUCCESS })
    }

    fn get_physical_device_features(&mut self, args: &mut GetPhysicalDeviceFeaturesArgs<'_>) -> Result<(), Interrupt> {
        let device = self.physical_device(args.physical_device)?;
        self.forward_physical(args)?;
        device.restrict_features(args.p_features);
        Ok(())
    }

    fn get_physical_device_features2(
        &mut self,
        args: &mut GetPhysicalDeviceFeatures2Args<'_>,
    ) -> Result<(), Interrupt> {
        let device = self.physical_device(args.physical_device)?;
        self.forward_physical(args)?;
        device.restrict_features2(args.p_features);
        Ok(())
    }

    /// Drivers look formats up in tables.
    fn get_physical_device_format_properties(
        &mut self,
        args: &mut GetPhysicalDeviceFormatPropertiesArgs<'_>,
    ) -> Result<(), Interrupt> {
        format::check("format", args.format).map_err(|refusal| self.left_out_for(refusal))?;
        self.forward_physical(args)
    }

    /// As above.
    fn get_physical_device_format_properties2(
        &mut self,
        args: &mut GetPhysicalDeviceFormatProperties2Args<'_>,
    ) -> Result<(), Interrupt> {
        format::check("format", args.format).map_err(|refusal| self.left_out_for(refusal))?;
        self.forward_physical(args)
    }

    /// A format that cannot be one is not supported.
    fn get_physical_device_image_format_properties(
        &mut self,
        args: &mut GetPhysicalDeviceImageFormatPropertiesArgs<'_>,
    ) -> Result<vk::Result, Interrupt> {
        let is_offered = self.physical_device(args.physical_device)?.offers_image_flags(args.flags);
        if !is_offered || format::check("format", args.format).is_err() {
            return Ok(vk::Result::ERROR_FORMAT_NOT_SUPPORTED);
        }
        self.forward_physical(args)
    }

    fn get_physical_device_queue_family_properties(
        &mut self,
        args: &mut GetPhysicalDeviceQueueFamilyPropertiesArgs<'_>,
    ) -> Result<(), Interrupt> {
        let device = self.physical_device(args.physical_device)?;
        self.forward_physical(args)?;
        args.p_queue_family_properties.iter_mut().for_each(|family| device.restrict_family(family));
        Ok(())
    }

    fn get_physical_device_queue_family_properties2(
        &mut self,
        args: &mut GetPhysicalDeviceQueueFamilyProperties2Args<'_>,
    ) -> Result<(), Interrupt> {
        let device = self.physical_device(args.physical_device)?;
        self.forward_physical(args)?;
        let families = args.p_queue_family_properties.iter_mut();
        families.for_each(|family| device.restrict_family(&mut family.queue_family_properties));
        Ok(())
    }

    /// Nothing is told of a format that cannot be one.
    fn get_physical_device_sparse_image_format_properties(
        &mut self,
        args: &mut GetPhysicalDeviceSparseImageFormatPropertiesArgs<'_>,
    ) -> Result<(), Interrupt> {
        let is_offered = self.physical_device(args.physical_device)?.offers_sparse();
        if !is_offered || format::check("format", args.format).is_err() {
            *args.p_property_count = 0;
            return Ok(());
        }
        self.forward_physical(args)
    }

    /// As above.
    fn get_physical_device_sparse_image_format_properties2(
        &mut self,
        args: &mut GetPhysicalDeviceSparseImageFormatProperties2Args<'_>,
    ) -> Result<(), Interrupt> {
        let is_offered = self.physical_device(args.physical_device)?.offers_sparse();
        if !is_offered || format::check("pFormatInfo->format", args.p_format_info.format).is_err() {
            *args.p_property_count = 0;
            return Ok(());
        }
        self.forward_physical(args)
    }

    fn get_physical_device_properties(
        &mut self,
        args: &mut GetPhysicalDevicePropertiesArgs<'_>,
    ) -> Result<(), Interrupt> {
        let device = self.physical_device(args.physical_device)?;
        *args.p_properties = *device.properties();
        device.restrict_properties(args.p_properties);
        self.restrict_limits(&mut args.p_properties.limits);
        Ok(())
    }

    fn get_physical_device_properties2(
        &mut self,
        args: &mut GetPhysicalDeviceProperties2Args<'_>,
    ) -> Result<(), Interrupt> {
        let device = self.physical_device(args.physical_device)?;
        self.forward_physical(args)?;
        args.p_properties.properties.api_version = device.properties().api_version;
        device.restrict_properties(&mut args.p_properties.properties);
        device.profile().restrict_chained_properties(args.p_properties);
        self.restrict_limits(&mut args.p_properties.properties.limits);
        Ok(())
    }

    fn get_physical_device_memory_properties(
        &mut self,
        args: &mut GetPhysicalDeviceMemoryPropertiesArgs<'_>,
    ) -> Result<(), Interrupt> {
        let device = self.physical_device(args.physical_device)?;
        *args.p_memory_properties = *device.memory_plan().guest_view();
        self.restrict_heaps(args.p_memory_properties);
        Ok(())
    }

    /// Forwarded for what may be chained, the budget above all.
    fn get_physical_device_memory_properties2(
        &mut self,
        args: &mut GetPhysicalDeviceMemoryProperties2Args<'_>,
    ) -> Result<(), Interrupt> {
        let device = self.physical_device(args.physical_device)?;
        self.forward_physical(args)?;
        args.p_memory_properties.memory_properties = *device.memory_plan().guest_view();
        self.restrict_heaps(&mut args.p_memory_properties.memory_properties);
        if let Some(budget) =
            chain::find_mut::<vk::PhysicalDeviceMemoryBudgetPropertiesEXT<'_>>(args.p_memory_properties)
        {
            let most = self.shared.budget.max_memory_bytes();
            budget.heap_budget.iter_mut().for_each(|bytes| *bytes = (*bytes).min(most));
        }
        Ok(())
    }

    /// A handle type that the host cannot pass makes the format unsupported, as the specification has it. So is one that cannot be
    /// one.
    fn get_physical_device_image_format_properties2(
        &mut self,
        args: &mut GetPhysicalDeviceImageFormatProperties2Args<'_>,
    ) -> Result<vk::Result, Interrupt> {
        let device = self.physical_device(args.physical_device)?;
        let asked = args.p_image_format_info;
        if !device.offers_image_flags(asked.flags) || format::check("pImageFormatInfo->format", asked.format).is_err() {
            return Ok(vk::Result::ERROR_FORMAT_NOT_SUPPORTED);
        }
        let external = chain::find::<vk::PhysicalDeviceExternalImageFormatInfo<'_>>(args.p_image_format_info);
        let handle_type = external.map(|external| external.handle_type).filter(|handle_type| !handle_type.is_empty());
        if handle_type.is_some_and(|handle_type| !external::knows_memory_type(&device, handle_type)) {
            return Ok(vk::Result::ERROR_FORMAT_NOT_SUPPORTED);
        }
        self.forward_physical(args)
    }

    fn get_physical_device_external_buffer_properties(
        &mut self,
        args: &mut GetPhysicalDeviceExternalBufferPropertiesArgs<'_>,
    ) -> Result<(), Interrupt> {
        let device = self.physical_device(args.physical_device)?;
        let handle_type = args.p_external_buffer_info.handle_type;
        if external::knows_memory_type(&device, handle_type) {
            return self.forward_physical(args);
        }
        args.p_external_buffer_properties.external_memory_properties = external::impossible_memory(handle_type);
        Ok(())
    }

    fn get_physical_device_external_fence_properties(
        &mut self,
        args: &mut GetPhysicalDeviceExternalFencePropertiesArgs<'_>,
    ) -> Result<(), Interrupt> {
        external::fence_properties(args.p_external_fence_info, args.p_external_fence_properties);
        Ok(())
    }

    fn get_physical_device_external_semaphore_properties(
        &mut self,
        args: &mut GetPhysicalDeviceExternalSemaphorePropertiesArgs<'_>,
    ) -> Result<(), Interrupt> {
        external::semaphore_properties(args.p_external_semaphore_info, args.p_external_semaphore_properties);
        Ok(())
    }

    fn enumerate_device_extension_properties(
        &mut self,
        args: &mut EnumerateDeviceExtensionPropertiesArgs<'_>,
    ) -> Result<vk::Result, Interrupt> {
        if args.p_layer_name.is_some() {
            let reason = "is not null, but layers are the guest's own business";
            return Err(self.fatal(reason).member("pLayerName").advice(REFUSED).into());
        }
        let device = self.physical_device(args.physical_device)?;
        Ok(fill(&device.offered_extensions(), args.p_property_count, args.p_properties))
    }
}

impl Endpoint {
    /// As [`Endpoint::forward_physical`], for a command of extensions of which the device has to have one.
    fn forward_of<'a, C: Call<'a>>(&mut self, extensions: &[&str], args: &mut C) -> Result<C::Return, Interrupt> {
        let device = self.shared.objects.physical_device(args.owner_id()).ok_or_else(|| self.gone())?;
        if !extensions.iter().any(|name| device.extensions().has(name)) {
            return Err(no_entry_point(C::NAME));
        }
        self.forward_physical(args)
    }

    /// Tells the guest of no more memory than it may have.
    fn restrict_heaps(&self, properties: &mut vk::PhysicalDeviceMemoryProperties) {
        let most = self.shared.budget.max_memory_bytes();
        properties.memory_heaps.iter_mut().for_each(|heap| heap.size = heap.size.min(most));
    }

    /// Tells the guest of bounds that are the host's.
    fn restrict_limits(&self, limits: &mut vk::PhysicalDeviceLimits) {
        let allocations = u32::try_from(self.shared.budget.allocations()).unwrap_or(u32::MAX);
        limits.max_memory_allocation_count = limits.max_memory_allocation_count.min(allocations);
    }

    fn register_physical_device(&self, id: u64, device: &Arc<PhysicalDevice>) -> Result<(), Interrupt> {
        let object = NewObject::new(id, device.raw()).with(Detail::PhysicalDevice(Arc::clone(device)));
        self.shared.objects.insert(object).map_err(|error| self.table_error(error))
    }
}
