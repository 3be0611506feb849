//! Acceleration structures.
//!
//! Building and copying happens on the GPU, by commands in command buffers. The variants that run on the CPU take host
//! memory, which guest and host do not share, so guest drivers do not offer them.

use venus_protocol::{args::*, dispatch::AccelerationStructureCommands, vk};

use super::{create, destroy, forward, refuse};
use crate::endpoint::Endpoint;

/// Why commands on the CPU are refused.
const NO_HOST_COMMANDS: &str = "acceleration structures are built and copied by the GPU only; no guest driver \
                                offers accelerationStructureHostCommands";

impl AccelerationStructureCommands for Endpoint {
    create! {
        create_acceleration_structure_khr(CreateAccelerationStructureKHRArgs<'_>).p_acceleration_structure;
    }

    destroy! {
        destroy_acceleration_structure_khr(DestroyAccelerationStructureKHRArgs).acceleration_structure;
    }

    forward! {
        get_acceleration_structure_device_address_khr(GetAccelerationStructureDeviceAddressKHRArgs<'_>);
        get_device_acceleration_structure_compatibility_khr(GetDeviceAccelerationStructureCompatibilityKHRArgs<'_>);
        get_acceleration_structure_build_sizes_khr(GetAccelerationStructureBuildSizesKHRArgs<'_>);
    }

    refuse! {
        copy_acceleration_structure_khr(CopyAccelerationStructureKHRArgs<'_>) => NO_HOST_COMMANDS;
        write_acceleration_structures_properties_khr(WriteAccelerationStructuresPropertiesKHRArgs<'_>) => NO_HOST_COMMANDS;
    }
}
