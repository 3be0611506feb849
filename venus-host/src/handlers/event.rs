//! Events. The host side of an event is the driver's own; guests keep the status in shared memory and rarely ask.

use venus_protocol::{args::*, dispatch::EventCommands, vk};

use super::{create, destroy, forward};
use crate::endpoint::Endpoint;

impl EventCommands for Endpoint {
    create! {
        create_event(CreateEventArgs<'_>).p_event;
    }

    destroy! {
        destroy_event(DestroyEventArgs).event;
    }

    forward! {
        get_event_status(GetEventStatusArgs);
        set_event(SetEventArgs);
        reset_event(ResetEventArgs);
    }
}
