//! The device's state, and who has it: one monitor at a time, between `virgl_renderer_init` and
//! `virgl_renderer_cleanup`.

use std::collections::{BTreeMap, BTreeSet};

use parking_lot::Mutex;
use rustix::io::Errno;
use venus_ffi::Error;
use venus_host::host::{ContextId, Host, RetiredFence};

use super::{kept::Kept, resources::Resource, setup};
use crate::{
    abi::{
        consumer::Consumer,
        numbers::{FLAG_ASYNC_FENCE_CB, FLAG_VENUS},
    },
    failure::{refused, system},
    fences::{Fence, Fences, Retired},
    scanout::screen::Screen,
};

/// The device, once there is one.
static DEVICE: Mutex<Option<Device>> = Mutex::new(None);

/// What a monitor has initialised.
pub(crate) struct Device {
    pub(super) consumer: Consumer,
    pub(super) serves_venus: bool,
    pub(super) contexts: BTreeSet<u32>,
    pub(super) resources: BTreeMap<u32, Resource>,
    /// Bytes of all pictures.
    pub(super) picture_bytes: u64,
    /// Mappings whose resources have gone before the monitor unmapped them.
    pub(super) kept: Kept,
    /// The screen; not there before it is needed, and then perhaps not either.
    pub(super) screen: Option<Option<Screen>>,
    pub(super) retired: Retired,
    // What ends last is declared last.
    pub(super) host: Host,
    fences: Fences,
}

/// Initialises the device. The same monitor may do so again, which changes nothing.
pub(crate) fn init(consumer: Consumer, flags: i32) -> Result<(), Error> {
    let mut slot = DEVICE.lock();
    match &*slot {
        Some(device) if device.consumer.is(&consumer) => Ok(()),
        Some(_) => Err(system("another monitor of this process uses the library")(Errno::BUSY)),
        None => {
            *slot = Some(Device::new(consumer, flags)?);
            Ok(())
        }
    }
}

/// Ends the device with all that it has. Waits for fence callbacks that have begun.
pub(crate) fn cleanup() {
    let device = DEVICE.lock().take();
    if let Some(mut device) = device {
        device.reset();
        device.fences.end();
    }
}

/// Ends all contexts and resources. Waits for fence callbacks that have begun, unless one of them asks for this.
pub(crate) fn reset() -> Result<(), Error> {
    let retired = with(|device| {
        device.reset();
        Ok(device.retired.clone())
    })?;
    retired.settle();
    Ok(())
}

/// Tells a monitor that polls of the fences that have retired.
pub(crate) fn poll() {
    let poller = DEVICE.lock().as_ref().and_then(|device| device.fences.poller());
    if let Some(poller) = poller {
        poller.poll();
    }
}

/// Whether whoever has initialised the library does not want Venus.
pub(crate) fn is_initialised_without_venus() -> bool {
    DEVICE.lock().as_ref().is_some_and(|device| !device.serves_venus)
}

/// Does something with the device.
///
/// # Errors
///
/// There is none; or that of `call`.
pub(crate) fn with<T>(call: impl FnOnce(&mut Device) -> Result<T, Error>) -> Result<T, Error> {
    match &mut *DEVICE.lock() {
        Some(device) => call(device),
        None => Err(refused("was not called before")),
    }
}

impl Device {
    fn new(consumer: Consumer, flags: i32) -> Result<Self, Error> {
        let serves_venus = flags & FLAG_VENUS != 0;
        let is_async = flags & FLAG_ASYNC_FENCE_CB != 0;
        let fences = Fences::new(consumer, is_async).map_err(system("cannot start the thread that tells of fences"))?;
        let retired = fences.retired();
        let push = {
            let retired = retired.clone();
            move |fence: RetiredFence| {
                let RetiredFence { context: ContextId(context), ring_idx, fence, .. } = fence;
                retired.push(Fence::Context { context, ring_idx, fence });
            }
        };
        let host = match setup::options(serves_venus).and_then(|options| Ok(Host::new(options.retired(push))?)) {
            Ok(host) => host,
            Err(error) => {
                fences.end();
                return Err(error);
            }
        };
        Ok(Self {
            consumer,
            serves_venus,
            contexts: BTreeSet::new(),
            resources: BTreeMap::new(),
            picture_bytes: 0,
            kept: Kept::default(),
            screen: None,
            retired,
            host,
            fences,
        })
    }

    /// Ends all contexts and resources, as when the guest's machine is reset. Nobody waits for their fences any more.
    fn reset(&mut self) {
        for context in std::mem::take(&mut self.contexts) {
            self.host.destroy_context(ContextId(context));
        }
        let handles: Vec<u32> = self.resources.keys().copied().collect();
        for handle in handles {
            self.unref(handle);
        }
        self.kept.begin_anew();
        self.retired.forget();
    }
}
