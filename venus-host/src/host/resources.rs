//! The device's resources, by id.
//!
//! A resource is the device's, not a context's: contexts know it while it is attached to them, and it stays when they go.

use std::collections::{BTreeMap, BTreeSet};

use super::ContextId;
use crate::{
    HostError,
    error::CREATE_BLOB,
    limits,
    resource::{Blob, HostMapping, ResourceId},
};

/// A resource.
#[derive(Debug)]
pub(super) struct Resource {
    pub(super) blob: Blob,
    /// Bytes that were asked for.
    pub(super) size: u64,
    /// Its bytes are the host's to read and write, too: rings, replies and streams may lie in it.
    pub(super) is_plain: bool,
    /// The contexts that know it.
    pub(super) attached: BTreeSet<ContextId>,
    /// Where it is in this process, once somebody has asked.
    pub(super) mapping: Option<HostMapping>,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Resources(BTreeMap<ResourceId, Resource>);

impl Resources {
    /// Fails unless a resource can be made with this id and of so many bytes.
    pub(super) fn check_new(&self, id: ResourceId, size: u64) -> Result<(), HostError> {
        if id.0 == 0 || size == 0 {
            return Err(HostError::fatal(CREATE_BLOB, format!("resource id {id} with {size} bytes")));
        }
        if size > limits::RESOURCE_BYTES {
            return Err(HostError::limit("bytes of one resource", limits::RESOURCE_BYTES));
        }
        if self.0.len() >= limits::DEVICE_RESOURCES {
            return Err(HostError::limit("resources of one device", limits::DEVICE_RESOURCES));
        }
        if self.0.contains_key(&id) {
            return Err(HostError::fatal(CREATE_BLOB, format!("resource id {id} is in use")));
        }
        Ok(())
    }

    /// Adds one that was checked.
    pub(super) fn insert(&mut self, id: ResourceId, blob: Blob, size: u64, is_plain: bool) -> &mut Resource {
        let made = Resource { blob, size, is_plain, attached: BTreeSet::new(), mapping: None };
        self.0.entry(id).or_insert(made)
    }

    pub(super) fn get(&self, id: ResourceId) -> Option<&Resource> {
        self.0.get(&id)
    }

    /// The resource with this id, for whoever is to be told what was wrong.
    pub(super) fn lookup(&mut self, id: ResourceId, command: &'static str) -> Result<&mut Resource, HostError> {
        self.0.get_mut(&id).ok_or_else(|| HostError::fatal(command, format!("there is no resource {id}")))
    }

    pub(super) fn remove(&mut self, id: ResourceId) -> Option<Resource> {
        self.0.remove(&id)
    }

    /// A context has gone.
    pub(super) fn forget(&mut self, context: ContextId) {
        for resource in self.0.values_mut() {
            resource.attached.remove(&context);
        }
    }
}
