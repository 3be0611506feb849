//! The instance: one per context, created once.

use std::sync::Arc;

use venus_protocol::{args::*, dispatch::InstanceCommands, vk};

use super::{fill, refuse};
use crate::{
    HostError,
    driver::{Failure, Instance, Loader, extensions},
    endpoint::{Endpoint, OldGuestSign},
    error::{GUEST_DRIVER, Interrupt, hint},
    object::NewObject,
};

/// What a guest that asks for the instance's extensions is told: the private ones, which are what makes this a Venus
/// host.
const PRIVATE_EXTENSIONS: &[&str] = &["VK_EXT_command_serialization", "VK_MESA_venus_protocol"];

impl InstanceCommands for Endpoint {
    refuse! {
        enumerate_instance_layer_properties(EnumerateInstanceLayerPropertiesArgs<'_>) => "layers are the guest's own business";
    }

    /// The library's version, at most what the protocol can carry. The first command of every guest, so here Vulkan
    /// gets loaded.
    fn enumerate_instance_version(
        &mut self,
        args: &mut EnumerateInstanceVersionArgs<'_>,
    ) -> Result<vk::Result, Interrupt> {
        Ok(match Loader::of(self.shared.vulkan.config()) {
            Ok(loader) => {
                *args.p_api_version = loader.version();
                vk::Result::SUCCESS
            }
            Err(error) => self.unavailable(&error),
        })
    }

    /// Asked by older guests only.
    fn enumerate_instance_extension_properties(
        &mut self,
        args: &mut EnumerateInstanceExtensionPropertiesArgs<'_>,
    ) -> Result<vk::Result, Interrupt> {
        self.note_old_guest(OldGuestSign::AsksForProtocol);
        if args.p_layer_name.is_some() {
            let reason = "names a layer, and layers are the guest's own business";
            let failure = Failure::refused(vk::Result::ERROR_LAYER_NOT_PRESENT, "pLayerName", reason, GUEST_DRIVER);
            self.note_failure(&failure);
            return Ok(failure.result);
        }
        let level = self.shared.vulkan.config().protocol;
        let private = level.extensions().filter(|extension| PRIVATE_EXTENSIONS.contains(&extension.name));
        let list: Vec<_> =
            private.map(|extension| extensions::properties(extension, extension.spec_version(level))).collect();
        Ok(fill(&list, args.p_property_count, args.p_properties))
    }

    /// The host chooses version and extensions itself; a guest that asks for any gets none.
    fn create_instance(&mut self, args: &mut CreateInstanceArgs<'_>) -> Result<vk::Result, Interrupt> {
        if !self.shared.vulkan.may_create_instance() {
            let reason = "a context has one instance, and this one has had it";
            return Err(self.fatal(reason).advice(GUEST_DRIVER).into());
        }
        let loader = match Loader::of(self.shared.vulkan.config()) {
            Ok(loader) => loader,
            Err(error) => return Ok(self.unavailable(&error)),
        };
        let created = self.in_driver(|this| {
            let vulkan = &this.shared.vulkan;
            Instance::for_guest(&loader, vulkan.config(), args.p_create_info, vulkan.findings())
        });
        let instance = match created {
            Ok(instance) => Arc::new(instance),
            Err(failure) => {
                self.note_uncreated(&failure, 0, vk::ObjectType::INSTANCE, args.p_instance.ids);
                return Ok(failure.result);
            }
        };
        let (Some(&id), Some(raw)) = (args.p_instance.ids.first(), args.p_instance.raws.first_mut()) else {
            instance.destroy();
            return Err(self.fatal("is null").member("pInstance").advice(GUEST_DRIVER).into());
        };
        *raw = instance.raw();
        if let Err(error) = self.shared.objects.insert(NewObject::new(id, *raw)) {
            instance.destroy();
            return Err(self.table_error(error));
        }
        if !self.shared.vulkan.set_instance(Arc::clone(&instance)) {
            // Two rings at once; the id that is left behind belongs to a context that is lost.
            instance.destroy();
            let reason = "another ring creates an instance at the same time";
            return Err(self.fatal(reason).advice(GUEST_DRIVER).into());
        }
        Ok(vk::Result::SUCCESS)
    }

    /// Takes everything along that the guest has left.
    fn destroy_instance(&mut self, args: &mut DestroyInstanceArgs) -> Result<(), Interrupt> {
        if args.instance.id == 0 {
            return Ok(());
        }
        // First, so that no command begins with it any more.
        let instance = self.shared.vulkan.take_instance();
        for id in self.shared.objects.device_ids() {
            if let Err(error) = self.retire_device(id) {
                tracing::debug!("another ring was faster: {error}");
            }
        }
        self.shared.objects.clear();
        if let Some(instance) = instance {
            let objects = &self.shared.objects;
            objects.retire(&self.presence, vk::ObjectType::INSTANCE, move || instance.destroy_after_devices());
        }
        Ok(())
    }
}

impl Endpoint {
    /// The result for a guest when this host has no Vulkan.
    #[cold]
    fn unavailable(&self, error: &HostError) -> vk::Result {
        let result = vk::Result::ERROR_INITIALIZATION_FAILED;
        let failure = Failure::refused(result, "", error.to_string(), hint(result));
        self.note_failure(&failure);
        failure.result
    }
}
