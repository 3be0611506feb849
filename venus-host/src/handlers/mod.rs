//! What the host does with each command: one file per family, one method per command.
//!
//! Most commands need nothing but the driver: they are rows of [`forward!`], [`create!`] or [`destroy!`]. A command
//! with a method of its own has a reason for it there. Commands that a guest must not send, or that the host cannot
//! serve, are rows of [`refuse!`] with the reason, which ends up in the log.
//!
//! The shape of every handler: the decoder has resolved ids to driver handles; the handler decides, calls the driver,
//! and on success registers what was created under the guest's ids. Driver errors are results in the reply, not errors
//! here. An `Err` ends the guest's context, but for [`Interrupt::Refused`], which leaves the command out.
//!
//! Nothing per command takes a lock (besides the object table's during decoding), allocates or formats: a forwarded
//! command looks at two numbers to trust the cached device, and calls.

#![deny(unsafe_code)]

mod acceleration_structure;
mod buffer;
mod command_buffer;
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
mod refusal;
mod render_pass;
mod sampler;
mod semaphore;
mod shader_module;

use std::sync::Arc;

use venus_protocol::{
    procs::Call,
    vk,
    wire::{Handle, NewHandles, Returned as _},
};

use crate::{
    driver::{self, Device, Failure, FamilyProcs, Instance, PhysicalDevice, Refusal, bounds::Room, made::Known},
    endpoint::{Endpoint, Shortfall, Span},
    error::{Fatal, Interrupt, Refused},
    object::{Cause, Detail, NewObject, Queries, TableError, Uses},
};

/// Commands that go to the driver as they are.
macro_rules! forward {
    ($($method:ident($args:ty);)*) => {$(
        #[inline]
        fn $method(
            &mut self,
            args: &mut $args,
        ) -> Result<<$args as venus_protocol::wire::Command<'_>>::Return, $crate::error::Interrupt> {
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
        ) -> Result<<$args as venus_protocol::wire::Command<'_>>::Return, $crate::error::Interrupt> {
            self.forward_physical(args)
        }
    )*};
}

/// Commands that create one object of a device, which is registered under the guest's id.
macro_rules! create {
    ($($method:ident($args:ty).$field:ident;)*) => {$(
        fn $method(&mut self, args: &mut $args) -> Result<vk::Result, $crate::error::Interrupt> {
            let result = self.forward(args)?;
            self.adopt(args.device.id, result, &args.$field)
        }
    )*};
}

/// Commands that destroy one object of a device.
macro_rules! destroy {
    ($($method:ident($args:ty).$field:ident;)*) => {$(
        fn $method(&mut self, args: &mut $args) -> Result<(), $crate::error::Interrupt> {
            self.destroy(args.device.id, args.$field)
        }
    )*};
}

/// Commands that use queries of a pool, and what is checked of that: `$count` is how many the pool has.
macro_rules! queried {
    ($($method:ident($args:ty) => |$named:ident, $count:ident| $check:expr;)*) => {$(
        #[inline]
        fn $method(&mut self, $named: &mut $args) -> Result<(), $crate::error::Interrupt> {
            self.check_queries($named.query_pool, |$count| $check)?;
            self.forward($named)
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
        ) -> Result<<$args as venus_protocol::wire::Command<'_>>::Return, $crate::error::Interrupt> {
            Err(self.refused($reason))
        }
    )*};
}

use self::refusal::{no_entry_point, with_room};
use {create, destroy, forward, forward_physical, queried, refuse};

/// Advice for commands that no driver sends which was made for this protocol.
const REFUSED: &str = "the guest's driver was not made for this version of the protocol: update the guest's Mesa, or \
                       this host if that is older";

/// Advice for what is recorded for queues that cannot do it.
const UNABLE_QUEUE: &str = "the specification says which queues can execute it: run the guest's application under the \
                            validation layers in the guest, or on another queue; if it copies query results and the \
                            application does not, the guest's Mesa does (VN_PERF=no_query_feedback)";

/// Advice for two threads of the guest's application that use one object at the same time.
const UNSYNCHRONISED: &str = "the guest's application destroys an object that another of its threads still uses: run \
                              it under the validation layers' thread-safety checks in the guest";

/// A guest object vanished while a command that names it was under way: another ring destroyed it.
#[cold]
fn gone(command: &'static str) -> Interrupt {
    Fatal::new(command, "the object it acts on is being destroyed by another ring").advice(UNSYNCHRONISED).into()
}

/// The object that the driver has just created, if it did.
fn created<H: Copy>(result: vk::Result, new: &NewHandles<'_, H>) -> Option<H> {
    new.raws.first().copied().filter(|_| result == vk::Result::SUCCESS)
}

impl Endpoint {
    /// The error of [`refuse!`].
    #[cold]
    fn refused(&self, reason: &'static str) -> Interrupt {
        self.fatal(reason).advice(REFUSED).into()
    }

    /// What becomes of a command because of what the object table says. Most of it ends the guest's context; that there
    /// is no room is an answer.
    #[cold]
    fn table_error(&self, error: TableError) -> Interrupt {
        let reason = error.fatal(self.command());
        match error {
            TableError::Full { .. } => Refused { result: vk::Result::ERROR_OUT_OF_HOST_MEMORY, reason }.into(),
            _ => reason.into(),
        }
    }

    /// As [`gone`], for the current command.
    #[cold]
    fn gone(&self) -> Interrupt {
        gone(self.command())
    }

    /// The device that the object `owner` is or belongs to.
    fn device(&mut self, owner: u64) -> Result<Arc<Device>, Interrupt> {
        let device = self.device_cache.device(&self.shared.objects, owner).map(Arc::clone);
        device.ok_or_else(|| self.gone())
    }

    fn instance(&self) -> Result<Arc<Instance>, Interrupt> {
        self.shared.vulkan.instance().ok_or_else(|| self.gone())
    }

    fn physical_device(&self, handle: Handle<vk::PhysicalDevice>) -> Result<Arc<PhysicalDevice>, Interrupt> {
        // Another ring may have enumerated devices while the instance was on its way out.
        self.instance()?;
        self.shared.objects.physical_device(handle.id).ok_or_else(|| self.gone())
    }

    /// Calls the driver with the device's entry point.
    #[inline]
    fn forward<'a, C: Call<'a>>(&mut self, args: &mut C) -> Result<C::Return, Interrupt> {
        self.forward_known(args, |_, _, _| Ok(()))
    }

    /// The same, if the driver's command buffers have room for what the command says.
    #[inline]
    fn forward_within<'a, C: Call<'a>>(
        &mut self,
        args: &mut C,
        check: impl FnOnce(Room, &C) -> Result<(), Refusal>,
    ) -> Result<C::Return, Interrupt> {
        self.forward_known(args, |room, _, args| check(room, args))
    }

    /// The same, if what the command says of objects agrees with what they were made with.
    #[inline]
    fn forward_known<'a, C: Call<'a>>(
        &mut self,
        args: &mut C,
        check: impl FnOnce(Room, &mut Known<'_>, &C) -> Result<(), Refusal>,
    ) -> Result<C::Return, Interrupt> {
        let found = self.device_cache.all(&self.shared.objects, args.owner_id());
        let (device, procs, room) = found.ok_or_else(|| gone(C::NAME))?;
        if let Err(refusal) = check(room, &mut Known::of(device, &mut self.remembered), args) {
            return Err(self.left_out_for(refusal));
        }
        let called = match &mut self.observers {
            None => driver::call(args, procs),
            Some(observers) => observers.within(Span::Driver(C::NAME), || driver::call(args, procs)),
        };
        let Some(returned) = called else { return self.keep_from_queue::<C>() };
        if C::REPORTS_DEVICE_LOST && returned.is_device_lost() {
            self.note_device_lost(vk::Result::ERROR_DEVICE_LOST);
        }
        Ok(returned)
    }

    /// Fails if the current command does not agree with what objects of a device were made with.
    fn check_known(
        &mut self,
        device: &Device,
        check: impl FnOnce(&mut Known<'_>) -> Result<(), Refusal>,
    ) -> Result<(), Interrupt> {
        check(&mut Known::of(device, &mut self.remembered)).map_err(|refusal| self.left_out_for(refusal))
    }

    /// Fails if a command uses queries that its pool does not have. `check` is told how many it has.
    #[inline]
    fn check_queries(
        &mut self,
        pool: Handle<vk::QueryPool>,
        check: impl FnOnce(u32) -> Result<(), Refusal>,
    ) -> Result<Queries, Interrupt> {
        let queries = self.query_count.of(&self.shared.objects, pool).ok_or_else(|| self.gone())?;
        check(queries.count).map(|()| queries).map_err(|refusal| self.left_out_for(refusal))
    }

    /// There is no entry point for a command. It is left out if its command buffer is for queues that cannot do it.
    #[cold]
    fn keep_from_queue<'a, C: Call<'a>>(&self) -> Result<C::Return, Interrupt> {
        let family = self.device_cache.family().ok_or_else(|| no_entry_point(C::NAME))?;
        self.fall_short(Shortfall::Refused);
        if family.keeps(C::NAME) {
            let line = self.fatal(format!("left out of a command buffer for {family}")).advice(UNABLE_QUEUE);
            self.shared.log_failure(&self.locate(line));
        }
        Ok(C::Return::success())
    }

    /// Tells, once, that a command does not execute command buffers of other families.
    #[cold]
    fn note_foreign(&self, family: &FamilyProcs) {
        self.fall_short(Shortfall::Refused);
        if family.keeps(self.command()) {
            let reason = format!("a command buffer of another family is left out of what is for {family}");
            self.shared.log_failure(&self.locate(self.fatal(reason).advice(UNABLE_QUEUE)));
        }
    }

    /// Runs what calls the driver for the current command.
    fn in_driver<T>(&mut self, run: impl FnOnce(&Self) -> T) -> T {
        self.within(Span::Driver(self.command()), run)
    }

    /// What the guest is told of a call without output; a failure is logged.
    fn result_of(&self, outcome: Result<(), Failure>) -> vk::Result {
        match outcome {
            Ok(()) => vk::Result::SUCCESS,
            Err(failure) => {
                self.note_failure(&failure);
                failure.result
            }
        }
    }

    /// Logs it if the driver says that the device is lost.
    #[inline]
    fn note_device_lost(&self, result: vk::Result) {
        if result == vk::Result::ERROR_DEVICE_LOST {
            self.note_failure(&result.into());
        }
    }

    /// Calls the driver with the instance's entry point.
    fn forward_physical<'a, C: Call<'a>>(&mut self, args: &mut C) -> Result<C::Return, Interrupt> {
        let instance = self.instance()?;
        let called = self.in_driver(|_| driver::call(args, instance.procs()));
        called.ok_or_else(|| no_entry_point(C::NAME))
    }

    /// As [`Endpoint::forward`], for a command that may take long and uses objects of `uses` only, so that it does not
    /// hold up the freeing of others.
    fn forward_long<'a, C: Call<'a>>(&mut self, uses: Uses, args: &mut C) -> Result<C::Return, Interrupt> {
        let device = self.device(args.owner_id())?;
        let span = if uses == Uses::WAITS { Span::DriverWait(C::NAME) } else { Span::Driver(C::NAME) };
        let called = self
            .within(span, |this| this.shared.objects.long(&this.presence, uses, || driver::call(args, device.procs())));
        called.ok_or_else(|| no_entry_point(C::NAME))
    }

    /// Whether objects were created; if not, logs it and remembers it.
    fn is_created<H: vk::Handle>(&self, device: u64, result: vk::Result, new: &NewHandles<'_, H>) -> bool {
        let is_created = result.as_raw() >= 0;
        if !is_created {
            self.note_uncreated(&result.into(), device, H::TYPE, new.ids);
        }
        is_created
    }

    /// Registers objects of a device that the driver has just created, unless it failed.
    fn adopt<H: vk::Handle + Copy>(
        &mut self,
        device: u64,
        result: vk::Result,
        new: &NewHandles<'_, H>,
    ) -> Result<vk::Result, Interrupt> {
        if self.is_created(device, result, new) {
            self.register(device, new)?;
        }
        Ok(result)
    }

    /// Registers those objects of a device that exist.
    fn register<H: vk::Handle + Copy>(&mut self, device: u64, new: &NewHandles<'_, H>) -> Result<(), Interrupt> {
        let raws = new.raws.iter().map(|raw| raw.as_raw());
        if let Err(error) = self.shared.objects.insert_all(H::TYPE, device, 0, new.ids, raws) {
            self.discard(device, new.raws)?;
            return Err(self.table_error(error));
        }
        self.name_objects(device, new);
        Ok(())
    }

    /// Has validation messages call new objects as the guest does.
    fn name_objects<H: vk::Handle + Copy>(&mut self, device: u64, new: &NewHandles<'_, H>) {
        if !self.shared.vulkan.config().validate {
            return;
        }
        let Some(device) = self.shared.objects.device_of(device) else { return };
        for (&id, raw) in new.ids.iter().zip(new.raws.iter()).filter(|(_, raw)| raw.as_raw() != 0) {
            let name = driver::validation::object_name(H::TYPE, id);
            device.name_object(H::TYPE, raw.as_raw(), &name);
        }
    }

    /// Logs that objects of a device which the guest will call `ids` could not be created, and remembers it: guests often
    /// send such commands without asking for the result, and use the id.
    #[cold]
    fn note_uncreated(&self, failure: &Failure, device: u64, kind: vk::ObjectType, ids: &[u64]) {
        self.note_failure(failure);
        let cause = Cause::never_created(self.command(), failure.result);
        self.shared.objects.record_uncreated(kind, device, ids, cause);
    }

    /// As [`Endpoint::adopt`], for one object that is more than its handle.
    fn adopt_as<H: vk::Handle + Copy>(
        &mut self,
        device: u64,
        new: &NewHandles<'_, H>,
        detail: Detail,
    ) -> Result<(), Interrupt> {
        if let (Some(&id), Some(raw)) = (new.ids.first(), new.raws.first()) {
            let object = NewObject::new(id, *raw).of_device(device).with(detail);
            if let Err(error) = self.shared.objects.insert(object) {
                self.discard(device, new.raws)?;
                return Err(self.table_error(error));
            }
            self.name_objects(device, new);
        }
        Ok(())
    }

    /// Frees objects that were created but could not be registered: nobody has seen them.
    fn discard<H: vk::Handle + Copy>(&mut self, device: u64, raws: &[H]) -> Result<(), Interrupt> {
        let device = self.device(device)?;
        for raw in raws.iter().map(|raw| raw.as_raw()).filter(|&raw| raw != 0) {
            driver::destroy::object(&device, H::TYPE, raw);
        }
        Ok(())
    }

    /// Removes an object and frees it as soon as nobody can be using it. Null handles are allowed, as in Vulkan, and so
    /// are those of what could not be created.
    fn destroy<H: vk::Handle>(&mut self, device_id: u64, handle: Handle<H>) -> Result<(), Interrupt> {
        if handle.id == 0 {
            return Ok(());
        }
        let device = self.device(device_id)?;
        let objects = &self.shared.objects;
        let removed = match H::TYPE {
            vk::ObjectType::COMMAND_POOL | vk::ObjectType::DESCRIPTOR_POOL => {
                objects.remove_pool(H::TYPE, handle.id, device_id)
            }
            kind => objects.remove(kind, handle.id, device_id),
        };
        let Some(removed) = removed.map_err(|error| self.table_error(error))? else {
            return Ok(());
        };
        objects.retire(&self.presence, removed.kind, move || match removed.detail {
            Detail::Memory(memory) => driver::destroy::memory(&device, memory),
            _ => driver::destroy::object(&device, removed.kind, removed.raw),
        });
        Ok(())
    }
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
