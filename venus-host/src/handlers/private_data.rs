//! Private data. Guests keep it themselves; these commands are for those that do not.

use venus_protocol::{args::*, dispatch::PrivateDataCommands, vk};

use super::{create, destroy};
use crate::{
    endpoint::Endpoint,
    error::{Interrupt, Refused},
    object::TableError,
};

impl PrivateDataCommands for Endpoint {
    create! {
        create_private_data_slot(CreatePrivateDataSlotArgs<'_>).p_private_data_slot;
    }

    destroy! {
        destroy_private_data_slot(DestroyPrivateDataSlotArgs).private_data_slot;
    }

    fn set_private_data(&mut self, args: &mut SetPrivateDataArgs) -> Result<vk::Result, Interrupt> {
        args.object_handle = self.untyped(args.device.id, args.object_type, args.object_handle)?;
        self.forward(args)
    }

    fn get_private_data(&mut self, args: &mut GetPrivateDataArgs<'_>) -> Result<(), Interrupt> {
        args.object_handle = self.untyped(args.device.id, args.object_type, args.object_handle)?;
        self.forward(args)
    }
}

impl Endpoint {
    #[cold]
    fn untyped_error(&self, kind: vk::ObjectType, id: u64) -> Interrupt {
        if let Some(phantom) = self.shared.objects.phantom(kind, id) {
            let reason = self.fatal(phantom.to_string()).member("objectHandle");
            return Refused { result: phantom.cause.answer(), reason }.into();
        }
        let reason = TableError::Unknown { kind, id }.to_string();
        self.fatal(reason).member("objectHandle").into()
    }

    /// The driver's handle of an object that is named by type and number, which the decoder passes as it is. It is the
    /// device, or belongs to it.
    fn untyped(&self, device: u64, kind: vk::ObjectType, id: u64) -> Result<u64, Interrupt> {
        let is_ours = self.shared.objects.device_of(id).is_some_and(|owner| owner.id() == device);
        self.shared.objects.lookup(kind, id).filter(|_| is_ours).ok_or_else(|| self.untyped_error(kind, id))
    }
}
