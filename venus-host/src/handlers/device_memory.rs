//! Device memory.
//!
//! Guests map memory by turning an allocation into a resource (`Context::create_blob`), which is no Vulkan command; so
//! the commands that map, flush and unmap never travel. How an allocation gets the storage for that is in
//! `driver/memory/`.

use std::sync::Arc;

use venus_protocol::{args::*, dispatch::DeviceMemoryCommands, vk};

use super::{destroy, forward, refuse};
use crate::{
    driver::{
        Failure, chain,
        memory::{Charge, ImportSource},
    },
    endpoint::{Endpoint, Shared},
    error::{BUDGETED, Interrupt, hint},
    object::Detail,
    resource::{ResourceId, Storage},
};

/// Why the mapping commands are refused.
const MAPPED_BY_GUEST: &str = "guests map memory themselves, through resources";

impl DeviceMemoryCommands for Endpoint {
    forward! {
        get_device_memory_commitment(GetDeviceMemoryCommitmentArgs<'_>);
        get_device_memory_opaque_capture_address(GetDeviceMemoryOpaqueCaptureAddressArgs<'_>);
        get_device_group_peer_memory_features(GetDeviceGroupPeerMemoryFeaturesArgs<'_>);
    }

    destroy! {
        free_memory(FreeMemoryArgs).memory;
    }

    refuse! {
        unmap_memory(UnmapMemoryArgs) => MAPPED_BY_GUEST;
        unmap_memory2(UnmapMemory2Args<'_>) => MAPPED_BY_GUEST;
        flush_mapped_memory_ranges(FlushMappedMemoryRangesArgs<'_>) => MAPPED_BY_GUEST;
        invalidate_mapped_memory_ranges(InvalidateMappedMemoryRangesArgs<'_>) => MAPPED_BY_GUEST;
    }

    fn allocate_memory(&mut self, args: &mut AllocateMemoryArgs<'_>) -> Result<vk::Result, Interrupt> {
        let info = args.p_allocate_info;
        let import = chain::find::<vk::ImportMemoryResourceInfoMESA<'_>>(info);
        if let Some(import) = import {
            self.await_import(ResourceId(import.resource_id))?;
        }
        let device = self.device(args.device.id)?;
        let import = match import {
            None => None,
            Some(import) => match self.import_source(import.resource_id) {
                Some(source) => Some(source),
                None => {
                    let failure = no_import(
                        "pAllocateInfo->pNext<VkImportMemoryResourceInfoMESA>.resourceId",
                        import.resource_id,
                    );
                    self.note_uncreated(&failure, args.device.id, vk::ObjectType::DEVICE_MEMORY, args.p_memory.ids);
                    return Ok(failure.result);
                }
            },
        };
        let charge = self.charge(info.allocation_size);
        let allocated = charge.and_then(|charge| {
            let memory = self.in_driver(|_| device.allocate_memory(info, import))?;
            Ok(memory.charged(charge))
        });
        let memory = match allocated {
            Ok(memory) => Arc::new(memory),
            Err(failure) => {
                self.note_uncreated(&failure, args.device.id, vk::ObjectType::DEVICE_MEMORY, args.p_memory.ids);
                return Ok(failure.result);
            }
        };
        if let Some(raw) = args.p_memory.raws.first_mut() {
            *raw = memory.raw();
        }
        device.note_memory(memory.raw(), info);
        // This function's own reference keeps the storage until the allocation is freed, should its id be refused.
        self.adopt_as(args.device.id, &args.p_memory, Detail::Memory(Arc::clone(&memory)))?;
        Ok(vk::Result::SUCCESS)
    }

    /// As which types a resource can be imported, and how large it is. A resource that does not exist is an ordinary
    /// failure: the guest learns only here that the host could not make it.
    fn get_memory_resource_properties_mesa(
        &mut self,
        args: &mut GetMemoryResourcePropertiesMESAArgs<'_>,
    ) -> Result<vk::Result, Interrupt> {
        self.await_import(ResourceId(args.resource_id))?;
        let device = self.device(args.device.id)?;
        let Some(source) = self.import_source(args.resource_id) else {
            let failure = no_import("resourceId", args.resource_id);
            self.note_failure(&failure);
            return Ok(failure.result);
        };
        let types = match device.importable_types(&source) {
            Ok(types) => types,
            Err(failure) => {
                self.note_failure(&failure);
                return Ok(failure.result);
            }
        };
        let properties = &mut *args.p_memory_resource_properties;
        properties.memory_type_bits = types;
        if let Some(size) = chain::find_mut::<vk::MemoryResourceAllocationSizePropertiesMESA<'_>>(properties) {
            size.allocation_size = source.size();
        }
        Ok(vk::Result::SUCCESS)
    }
}

impl Endpoint {
    /// Counts an allocation of so many bytes, if the guest may have one more.
    fn charge(&self, bytes: u64) -> Result<Charge, Failure> {
        let Shared { counters, budget, .. } = &*self.shared;
        let most = budget.max_memory_bytes();
        // First, so that two rings at the same time do not both find room.
        let charge = counters.charge(bytes, most);
        if counters.allocations() > budget.allocations() {
            let reason = format!("{} allocations are alive, and each may take a descriptor", budget.allocations());
            return Err(Failure::refused(vk::Result::ERROR_TOO_MANY_OBJECTS, "", reason, BUDGETED));
        }
        let fits = most == u64::MAX || counters.memory_bytes().saturating_add(self.shared.plain_bytes()) <= most;
        charge.filter(|_| fits).ok_or_else(|| {
            let reason = format!("{bytes} bytes are more than is left of the {most} that this guest may have");
            let member = "pAllocateInfo->allocationSize";
            Failure::refused(vk::Result::ERROR_OUT_OF_DEVICE_MEMORY, member, reason, BUDGETED)
        })
    }

    /// The storage of a resource as something to import; `None` if there is no such resource or it is of no use for
    /// that.
    fn import_source(&self, resource: u32) -> Option<ImportSource> {
        let resource = self.shared.resources.lookup(ResourceId(resource))?;
        match &resource.storage {
            Storage::Memory(blob) => ImportSource::from_blob(blob),
            Storage::Shmem(_) => None,
        }
    }
}

/// A resource that is not there or of no use to the driver.
#[cold]
fn no_import(member: &'static str, resource: u32) -> Failure {
    let reason = format!("resource {resource} does not exist, or is plain shared memory, which no driver imports");
    let advice = hint(vk::Result::ERROR_INVALID_EXTERNAL_HANDLE);
    Failure::refused(vk::Result::ERROR_INVALID_EXTERNAL_HANDLE, member, reason, advice)
}
