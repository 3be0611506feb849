//! What the host does with each command: one file per family, one method per command.
//!
//! Most commands need nothing but the driver: they are rows of [`forward!`], [`create!`] or [`destroy!`]. A command
//! with a method of its own has a reason for it there. Commands that a guest must not send, or that the host cannot
//! serve, are rows of [`refuse!`] with the reason, which ends up in the log.
//!
//! The shape of every handler: the decoder has resolved ids to driver handles; the handler decides, calls the driver,
//! and on success registers what was created under the guest's ids. Driver errors are results in the reply, not errors
//! here. An `Err` ends the guest's context.
//!
//! Nothing per command takes a lock (besides the object table's during decoding), allocates or formats: a forwarded
//! command looks at two numbers to trust the cached device, and calls.

#![deny(unsafe_code)]

mod acceleration_structure;
mod buffer;
mod command;
mod command_pool;
mod descriptor;
mod device;
mod device_memory;
mod event;
mod fence;
mod image;
mod instance;
mod physical_device;
mod pipeline;
mod private_data;
mod query_pool;
mod queue;
mod render_pass;
mod sampler;
mod semaphore;
mod shader_module;
mod transport;

use std::sync::Arc;

use venus_protocol::{
    dispatch::Handler,
    vk,
    wire::{Command, CommandHeader, CommandType, Decoder, Handle, NewHandles},
};

pub(crate) use self::{device::destroy_all, device_memory::export_memory_blob};
use crate::{
    HostError,
    context::Dispatcher,
    driver::{self, Device, Instance, PhysicalDevice},
    error::Fatal,
    object::{Detail, NewObject, Uses},
};

impl Handler for Dispatcher {
    type Error = HostError;

    fn device_lost(&mut self, command: CommandType) -> HostError {
        let fatal =
            Fatal::new(command.name(), "the device is lost, and the guest asked for no reply that could say so");
        fatal.advice("the host's log and its kernel's say why the GPU failed").into()
    }

    #[inline]
    fn decoded(&mut self, header: CommandHeader, decoder: &Decoder<'_>) {
        if let Some(watch) = &mut self.watch {
            watch.begin(header, decoder.consumed());
        }
    }
}

/// The device of the last command, and how long that can be trusted.
#[derive(Debug, Default)]
pub(crate) struct DeviceCache {
    device: Option<Arc<Device>>,
    /// `Table::device_generation` when it was looked up.
    generation: u64,
    /// It was the only device, so every object of a device is this one's.
    is_sole: bool,
}

/// Commands that go to the driver as they are.
macro_rules! forward {
    ($($method:ident($args:ty);)*) => {$(
        fn $method(
            &mut self,
            args: &mut $args,
        ) -> Result<<$args as venus_protocol::wire::Command<'_>>::Return, $crate::HostError> {
            self.forward(args)
        }
    )*};
}

/// As [`forward!`], for commands of the instance or of a physical device.
macro_rules! forward_physical {
    ($($method:ident($args:ty);)*) => {$(
        fn $method(
            &mut self,
            args: &mut $args,
        ) -> Result<<$args as venus_protocol::wire::Command<'_>>::Return, $crate::HostError> {
            self.forward_physical(args)
        }
    )*};
}

/// Commands that create one object of a device, which is registered under the guest's id.
macro_rules! create {
    ($($method:ident($args:ty).$field:ident;)*) => {$(
        fn $method(&mut self, args: &mut $args) -> Result<vk::Result, $crate::HostError> {
            let result = self.forward(args)?;
            self.adopt(<$args as venus_protocol::wire::Command<'_>>::NAME, args.device.id, result, &args.$field)
        }
    )*};
}

/// Commands that destroy one object of a device.
macro_rules! destroy {
    ($($method:ident($args:ty).$field:ident;)*) => {$(
        fn $method(&mut self, args: &mut $args) -> Result<(), $crate::HostError> {
            self.destroy(<$args as venus_protocol::wire::Command<'_>>::NAME, args.device.id, args.$field)
        }
    )*};
}

/// Commands that no guest may send, with the reason.
macro_rules! refuse {
    ($($method:ident($args:ty) => $reason:expr;)*) => {$(
        #[cold]
        fn $method(
            &mut self,
            _args: &mut $args,
        ) -> Result<<$args as venus_protocol::wire::Command<'_>>::Return, $crate::HostError> {
            Err($crate::handlers::refused(<$args as venus_protocol::wire::Command<'_>>::NAME, $reason))
        }
    )*};
}

use {create, destroy, forward, forward_physical, refuse};

/// The error of [`refuse!`].
#[cold]
fn refused(command: &'static str, reason: &'static str) -> HostError {
    Fatal::new(command, reason).advice("a guest driver that sends this was not made for this protocol version").into()
}

/// A command whose extension or version the driver lacks, so the guest cannot have enabled it.
#[cold]
fn no_entry_point(command: &'static str) -> HostError {
    HostError::fatal(command, "the host's driver has no such command, so no extension that was offered has it")
}

impl Dispatcher {
    /// The device that the object `owner` is or belongs to.
    #[inline]
    fn device(&mut self, owner: u64, command: &'static str) -> Result<&Arc<Device>, HostError> {
        let generation = self.shared.objects.device_generation();
        let cache = &self.device_cache;
        if !cache.is_sole || cache.generation != generation {
            self.find_device(owner, generation);
        }
        self.device_cache.device.as_ref().ok_or_else(|| gone(command))
    }

    #[cold]
    fn find_device(&mut self, owner: u64, generation: u64) {
        self.device_cache = DeviceCache {
            device: self.shared.objects.device_of(owner),
            generation,
            is_sole: self.shared.objects.device_count() == 1,
        };
    }

    fn instance(&self, command: &'static str) -> Result<Arc<Instance>, HostError> {
        self.shared.vulkan.instance().ok_or_else(|| gone(command))
    }

    fn physical_device(
        &self,
        handle: Handle<vk::PhysicalDevice>,
        command: &'static str,
    ) -> Result<Arc<PhysicalDevice>, HostError> {
        // Another ring may have enumerated devices while the instance was on its way out.
        self.instance(command)?;
        self.shared.objects.physical_device(handle.id).ok_or_else(|| gone(command))
    }

    /// Calls the driver with the device's entry point.
    #[inline]
    fn forward<'a, C: Command<'a>>(&mut self, args: &mut C) -> Result<C::Return, HostError> {
        let device = self.device(args.owner_id(), C::NAME)?;
        driver::call(args, device.procs()).ok_or_else(|| no_entry_point(C::NAME))
    }

    /// Calls the driver with the instance's entry point.
    fn forward_physical<'a, C: Command<'a>>(&mut self, args: &mut C) -> Result<C::Return, HostError> {
        let instance = self.instance(C::NAME)?;
        driver::call(args, instance.procs()).ok_or_else(|| no_entry_point(C::NAME))
    }

    /// As [`Dispatcher::forward`], for a command that may take long and uses objects of `uses` only, so that it does
    /// not hold up the freeing of others.
    fn forward_long<'a, C: Command<'a>>(&mut self, uses: Uses, args: &mut C) -> Result<C::Return, HostError> {
        let device = Arc::clone(self.device(args.owner_id(), C::NAME)?);
        let called = self.shared.objects.long(&self.presence, uses, || driver::call(args, device.procs()));
        called.ok_or_else(|| no_entry_point(C::NAME))
    }

    /// Registers objects of a device that the driver has just created, unless it failed. Null handles are skipped.
    fn adopt<H: vk::Handle + Copy>(
        &mut self,
        command: &'static str,
        device: u64,
        result: vk::Result,
        new: &NewHandles<'_, H>,
    ) -> Result<vk::Result, HostError> {
        if result.as_raw() < 0 {
            note_failure(command, result);
            return Ok(result);
        }
        let raws = new.raws.iter().map(|raw| raw.as_raw());
        if let Err(error) = self.shared.objects.insert_all(H::TYPE, device, 0, new.ids, raws) {
            self.discard(command, device, new.raws)?;
            return Err(error.fatal(command));
        }
        Ok(result)
    }

    /// As [`Dispatcher::adopt`], for one object that is more than its handle.
    fn adopt_as<H: vk::Handle + Copy>(
        &mut self,
        command: &'static str,
        device: u64,
        new: &NewHandles<'_, H>,
        detail: Detail,
    ) -> Result<(), HostError> {
        if let (Some(&id), Some(raw)) = (new.ids.first(), new.raws.first()) {
            let object = NewObject { id, kind: H::TYPE, raw: raw.as_raw(), device, pool: 0, detail };
            if let Err(error) = self.shared.objects.insert(object) {
                self.discard(command, device, new.raws)?;
                return Err(error.fatal(command));
            }
        }
        Ok(())
    }

    /// Frees objects that were created but could not be registered: nobody has seen them.
    fn discard<H: vk::Handle + Copy>(
        &mut self,
        command: &'static str,
        device: u64,
        raws: &[H],
    ) -> Result<(), HostError> {
        let device = self.device(device, command)?;
        for raw in raws.iter().map(|raw| raw.as_raw()).filter(|&raw| raw != 0) {
            driver::destroy::object(device, H::TYPE, raw);
        }
        Ok(())
    }

    /// Removes an object and frees it as soon as nobody can be using it. Null handles are allowed, as in Vulkan.
    fn destroy<H: vk::Handle>(
        &mut self,
        command: &'static str,
        device_id: u64,
        handle: Handle<H>,
    ) -> Result<(), HostError> {
        if handle.id == 0 {
            return Ok(());
        }
        let device = Arc::clone(self.device(device_id, command)?);
        let objects = &self.shared.objects;
        let removed = match H::TYPE {
            vk::ObjectType::COMMAND_POOL | vk::ObjectType::DESCRIPTOR_POOL => {
                objects.remove_pool(H::TYPE, handle.id, device_id)
            }
            kind => objects.remove(kind, handle.id, device_id),
        };
        let removed = removed.map_err(|error| error.fatal(command))?;
        objects.retire(&self.presence, removed.kind, move || match removed.detail {
            Detail::Memory(memory) => driver::destroy::memory(&device, memory),
            _ => driver::destroy::object(&device, removed.kind, removed.raw),
        });
        Ok(())
    }
}

/// A guest object vanished while a command that names it was under way: another ring destroyed it.
#[cold]
fn gone(command: &'static str) -> HostError {
    HostError::fatal(command, "the object it acts on is being destroyed by another ring")
}

/// Logs a driver's refusal to create something. Guests often send such commands without asking for the result, and fail
/// later when they use the id.
#[cold]
fn note_failure(command: &'static str, result: vk::Result) {
    tracing::warn!(command, "the driver failed: {result}");
}

/// How much more room than the guest has asked for a driver is given, at most.
const EXTRA_ROOM: usize = 1 << 20;

/// Lets `call` fill `data`, of which a driver that believes other numbers may fill up to `needed` bytes. Where that is
/// more, it fills memory of its own, and what fits is kept.
fn with_room<T>(
    command: &'static str,
    data: &mut [u8],
    needed: u64,
    call: impl FnOnce(&mut [u8]) -> Result<T, HostError>,
) -> Result<T, HostError> {
    let needed = usize::try_from(needed).unwrap_or(usize::MAX);
    if needed <= data.len() {
        return call(data);
    }
    if needed > data.len().saturating_add(EXTRA_ROOM) {
        let reason = format!("{} bytes of room for {needed} bytes of answer", data.len());
        return Err(Fatal::new(command, reason).member("dataSize").into());
    }
    let mut room = vec![0; needed];
    let outcome = call(&mut room);
    for (to, from) in data.iter_mut().zip(room) {
        *to = from;
    }
    outcome
}

/// Answers a query with the usual two steps: without room for an answer the count, else as much as fits.
fn fill<T: Copy>(items: &[T], count: &mut u32, room: &mut [T]) -> vk::Result {
    let total = u32::try_from(items.len()).unwrap_or(u32::MAX);
    if room.is_empty() {
        *count = total;
        return vk::Result::SUCCESS;
    }
    for (to, from) in room.iter_mut().zip(items) {
        *to = *from;
    }
    *count = total.min(u32::try_from(room.len()).unwrap_or(u32::MAX));
    if room.len() < items.len() { vk::Result::INCOMPLETE } else { vk::Result::SUCCESS }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_driver_that_writes_too_much_is_given_room() {
        let mut data = [0; 4];
        for needed in [0, 4, 6] {
            let filled = with_room("vkTest", &mut data, needed, |room| {
                room.fill(7);
                Ok(room.len() as u64)
            });
            assert_eq!(filled.unwrap(), needed.max(4));
            assert_eq!(data, [7; 4]);
        }
        for needed in [u64::MAX, 1 << 32] {
            let refused = with_room("vkTest", &mut data, needed, |_| Ok(()));
            assert!(refused.unwrap_err().to_string().starts_with("vkTest, dataSize: 4 bytes of room"));
        }
    }
}
