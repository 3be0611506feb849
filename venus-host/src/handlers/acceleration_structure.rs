//! Acceleration structures.
//!
//! Building and copying happens on the GPU, by commands in command buffers. The variants that run on the CPU take host
//! memory, which guest and host do not share, so guest drivers do not offer them.

use venus_protocol::{args::*, dispatch::AccelerationStructureCommands, vk};

use super::{destroy, forward, refuse};
use crate::{driver::bounds::buffers, endpoint::Endpoint, error::Interrupt};

/// Why commands on the CPU are refused.
const NO_HOST_COMMANDS: &str = "acceleration structures are built and copied by the GPU only; no guest driver \
                                offers accelerationStructureHostCommands";

impl AccelerationStructureCommands for Endpoint {
    destroy! {
        destroy_acceleration_structure_khr(DestroyAccelerationStructureKHRArgs).acceleration_structure;
    }

    forward! {
        get_acceleration_structure_device_address_khr(GetAccelerationStructureDeviceAddressKHRArgs<'_>);
        get_device_acceleration_structure_compatibility_khr(GetDeviceAccelerationStructureCompatibilityKHRArgs<'_>);
        get_acceleration_structure_build_sizes_khr(GetAccelerationStructureBuildSizesKHRArgs<'_>);
    }

    /// It lies inside of its buffer.
    fn create_acceleration_structure_khr(
        &mut self,
        args: &mut CreateAccelerationStructureKHRArgs<'_>,
    ) -> Result<vk::Result, Interrupt> {
        let result = self
            .forward_known(args, |_, known, args| buffers::check_acceleration_structure(known, args.p_create_info))?;
        self.adopt(args.device.id, result, &args.p_acceleration_structure)
    }

    refuse! {
        copy_acceleration_structure_khr(CopyAccelerationStructureKHRArgs<'_>) => NO_HOST_COMMANDS;
        write_acceleration_structures_properties_khr(WriteAccelerationStructuresPropertiesKHRArgs<'_>) => NO_HOST_COMMANDS;
    }
}
