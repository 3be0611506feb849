//! Contexts, what they are sent, and their fences.

use venus_ffi::Error;
use venus_host::{
    context::CAPSET_ID,
    host::{ContextId, ContextOptions},
    resource::ResourceId,
};

use super::device::Device;
use crate::{abi::numbers::CONTEXT_CAPSET_MASK, failure::refused, fences::Fence};

impl Device {
    /// Makes a context that speaks what the flags name. Whoever creates one of ours again has it already.
    pub(crate) fn create_context(&mut self, context: u32, flags: u32, name: &str) -> Result<(), Error> {
        let capset = flags & CONTEXT_CAPSET_MASK;
        if capset != CAPSET_ID || !self.serves_venus {
            let reason = format!("capability set {capset} is not served: this library is for Venus, not for OpenGL");
            return Err(refused(reason));
        }
        if context == 0 {
            return Err(refused("context 0 is the device's own"));
        }
        if self.contexts.contains(&context) {
            return Ok(());
        }
        self.host.create_context(ContextId(context), ContextOptions::new(name))?;
        self.contexts.insert(context);
        Ok(())
    }

    /// Ends a context. Its resources stay; its fences retire.
    pub(crate) fn destroy_context(&mut self, context: u32) {
        if self.contexts.remove(&context) {
            self.host.destroy_context(ContextId(context));
        }
    }

    /// Sends commands.
    pub(crate) fn submit(&mut self, context: i32, commands: &[u8]) -> Result<(), Error> {
        let context = self.context(context.cast_unsigned())?;
        Ok(self.host.submit(context, commands)?)
    }

    /// A fence of a context's timeline. Whatever is wrong, it retires: a guest's kernel waits for it without a limit.
    pub(crate) fn create_context_fence(&mut self, context: u32, ring_idx: u32, fence: u64) -> Result<(), Error> {
        if !self.consumer.hears_context_fences() {
            return Err(refused("the monitor has no callback for fences of contexts"));
        }
        let found = self.context(context);
        if found.is_err() {
            self.retired.push(Fence::Context { context, ring_idx, fence });
        }
        Ok(self.host.create_fence(found?, ring_idx, fence)?)
    }

    /// A fence of the device's own timeline: all that is ordered by it has been done when it is asked for.
    pub(crate) fn create_fence(&mut self, fence: i32) {
        self.retired.push(Fence::Device(fence.cast_unsigned()));
    }

    /// Lets a context use a resource. Pictures and the guest's own pages are nothing that Venus could use.
    pub(crate) fn attach(&mut self, context: i32, handle: i32) -> Result<(), Error> {
        let handle = handle.cast_unsigned();
        let context = self.context(context.cast_unsigned())?;
        if self.resource(handle)?.is_blob() {
            self.host.attach(context, ResourceId(handle))?;
        }
        Ok(())
    }

    /// Takes it away again.
    pub(crate) fn detach(&mut self, context: i32, handle: i32) {
        let (context, handle) = (context.cast_unsigned(), handle.cast_unsigned());
        if self.contexts.contains(&context) && self.resources.get(&handle).is_some_and(|found| found.is_blob()) {
            self.host.detach(ContextId(context), ResourceId(handle));
        }
    }

    fn context(&self, context: u32) -> Result<ContextId, Error> {
        match self.contexts.contains(&context) {
            true => Ok(ContextId(context)),
            false => Err(refused(format!("there is no context {context}"))),
        }
    }
}
