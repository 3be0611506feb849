//! Private data. Guests keep it themselves; these commands are for those that do not.

use venus_protocol::{args::*, dispatch::PrivateDataCommands, vk, wire::Command};

use super::{create, destroy};
use crate::{
    HostError,
    context::Dispatcher,
    error::Fatal,
    object::{TableError, kinds},
};

impl PrivateDataCommands for Dispatcher {
    create! {
        create_private_data_slot(CreatePrivateDataSlotArgs<'_>).p_private_data_slot;
    }

    destroy! {
        destroy_private_data_slot(DestroyPrivateDataSlotArgs).private_data_slot;
    }

    fn set_private_data(&mut self, args: &mut SetPrivateDataArgs) -> Result<vk::Result, HostError> {
        args.object_handle = self.untyped(SetPrivateDataArgs::NAME, args.object_type, args.object_handle)?;
        self.forward(args)
    }

    fn get_private_data(&mut self, args: &mut GetPrivateDataArgs<'_>) -> Result<(), HostError> {
        args.object_handle = self.untyped(GetPrivateDataArgs::NAME, args.object_type, args.object_handle)?;
        self.forward(args)
    }
}

impl Dispatcher {
    /// The driver's handle of an object that is named by type and number, which the decoder passes as it is.
    fn untyped(&self, command: &'static str, kind: vk::ObjectType, id: u64) -> Result<u64, HostError> {
        self.shared.objects.lookup(kind, id).ok_or_else(|| {
            let reason = TableError::Unknown { kind: kinds::name(kind), id }.to_string();
            Fatal::new(command, reason).member("objectHandle").into()
        })
    }
}
