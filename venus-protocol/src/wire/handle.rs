//! Handles on the wire: 64-bit object ids, chosen by the guest.

use ash::vk;

/// Turns a guest's object ids into driver handles while a command is decoded.
///
/// Implemented by a host's object table. A tracer or a guest uses [`IdentityResolver`].
pub trait HandleResolver {
    /// The driver's handle, as raw bits, of the object `id`, which must be exactly of type `kind`.
    ///
    /// Never called with id 0, which is the null handle.
    fn resolve(&self, kind: vk::ObjectType, id: u64) -> Result<u64, HandleError>;

    /// As [`resolve`](Self::resolve), for the object that a command acts on, which is resolved before all others of the
    /// command: a host with several devices learns here which of them the others must belong to.
    fn resolve_owner(&self, kind: vk::ObjectType, id: u64) -> Result<u64, HandleError> {
        self.resolve(kind, id)
    }

    /// The driver's handle for a null handle where Vulkan asks for an object. Refused, unless somebody only looks.
    #[cold]
    fn resolve_null(&self, _kind: vk::ObjectType) -> Result<u64, HandleError> {
        Err(HandleError::Null)
    }
}

/// Why an id did not resolve. Fatal for the context, by the protocol, but for [`HandleError::Phantom`] and
/// [`HandleError::Null`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HandleError {
    /// No object has this id.
    Unknown,
    /// The object has another type.
    WrongType(vk::ObjectType),
    /// The object belongs to another device than the one that the command acts on.
    OtherDevice,
    /// The guest believes in the object, and it could not be created or must not be used. A host that knows what to do
    /// with a command without it decodes it again, by a resolver that says so.
    Phantom,
    /// A command's first handle is null. Detected by the decoder itself.
    NullOwner,
    /// Another handle is null where Vulkan asks for an object: a member or parameter that is neither `optional` nor marked
    /// `noautovalidity` in its registry. The bytes are sound, so a host may leave the command out and go on.
    Null,
}

/// Resolves every id to itself, also none.
#[derive(Clone, Copy, Debug, Default)]
pub struct IdentityResolver;

impl HandleResolver for IdentityResolver {
    fn resolve(&self, _kind: vk::ObjectType, id: u64) -> Result<u64, HandleError> {
        Ok(id)
    }

    fn resolve_null(&self, _kind: vk::ObjectType) -> Result<u64, HandleError> {
        Ok(0)
    }
}

/// A handle parameter: the guest's id and the driver's handle.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Handle<H> {
    /// The guest's id; 0 for the null handle.
    pub id: u64,
    /// The driver's handle.
    pub raw: H,
}

impl<H: vk::Handle> Handle<H> {
    /// A handle whose id and driver handle are the same number, as guests and tracers use them.
    pub fn identity(id: u64) -> Self {
        Self { id, raw: H::from_raw(id) }
    }
}

/// An array of handle parameters, as two slices of the same length.
#[derive(Clone, Copy, Debug)]
pub struct Handles<'a, H> {
    /// The guest's ids.
    pub ids: &'a [u64],
    /// The driver's handles, in the same order. This is what the driver call takes.
    pub raws: &'a [H],
}

impl<H> Default for Handles<'_, H> {
    fn default() -> Self {
        Self { ids: &[], raws: &[] }
    }
}

/// Handles that a command creates, as two slices of the same length; empty when the guest passed a null pointer.
#[derive(Debug)]
pub struct NewHandles<'a, H> {
    /// The ids that the guest assigns. A host sets those to 0 that it could not create.
    pub ids: &'a mut [u64],
    /// Where the driver puts its handles; null before the call.
    pub raws: &'a mut [H],
}

impl<H> Default for NewHandles<'_, H> {
    fn default() -> Self {
        Self { ids: &mut [], raws: &mut [] }
    }
}
