//! Private data. Guests keep it themselves; these commands are for those that do not.

use venus_protocol::{args::*, dispatch::PrivateDataCommands, vk, wire::Command};

use super::{create, destroy};
use crate::{HostError, context::Dispatcher, error::Fatal, object::TableError};

impl PrivateDataCommands for Dispatcher {
    create! {
        create_private_data_slot(CreatePrivateDataSlotArgs<'_>).p_private_data_slot;
    }

    destroy! {
        destroy_private_data_slot(DestroyPrivateDataSlotArgs).private_data_slot;
    }

    fn set_private_data(&mut self, args: &mut SetPrivateDataArgs) -> Result<vk::Result, HostError> {
        const NAME: &str = SetPrivateDataArgs::NAME;
        args.object_handle = self.untyped(NAME, args.device.id, args.object_type, args.object_handle)?;
        self.forward(args)
    }

    fn get_private_data(&mut self, args: &mut GetPrivateDataArgs<'_>) -> Result<(), HostError> {
        const NAME: &str = GetPrivateDataArgs::NAME;
        args.object_handle = self.untyped(NAME, args.device.id, args.object_type, args.object_handle)?;
        self.forward(args)
    }
}

impl Dispatcher {
    /// The driver's handle of an object that is named by type and number, which the decoder passes as it is. It is the
    /// device, or belongs to it.
    fn untyped(&self, command: &'static str, device: u64, kind: vk::ObjectType, id: u64) -> Result<u64, HostError> {
        let is_ours = self.shared.objects.device_of(id).is_some_and(|owner| owner.id() == device);
        self.shared.objects.lookup(kind, id).filter(|_| is_ours).ok_or_else(|| {
            let reason = TableError::Unknown { kind, id }.to_string();
            Fatal::new(command, reason).member("objectHandle").into()
        })
    }
}
