//! The guest's objects: which ids exist, what they are, who owns whom, and when it is safe to free them.
//!
//! The guest chooses every id and may use it from several rings at once, so this room answers three questions for
//! everybody else:
//!
//! * *What does this id mean?* [`Table`] resolves an id, together with the type it must have, to the driver's handle. A
//!   lookup takes a read lock for a few instructions, and none if the endpoint has named the object lately ([`cache`]).
//! * *Who owns it?* Every object knows its device and its pool, so that destroying an owner takes its children along.
//! * *May it be freed now?* Removing an id is immediate, freeing the driver's object waits until no other endpoint can
//!   still be in the middle of a command that resolved it: [`reclaim`].
//!
//! Two more are asked when something is wrong already: *what became of this id?* ([`tombstones`]), and *is it one that
//! the guest may take for an object?* ([`phantoms`])
//!
//! An id is a number of 64 bits, as it travels: the guest's own choice, never 0, unique among all types of its context
//! while the object lives. The decoder's `wire::Handle` keeps an id together with its type and driver handle.
//!
//! This room stores driver handles as raw bits, beside what the driver room knows of devices and allocations, and never
//! makes a call; `driver/destroy.rs` knows how to free each type. Policy (which command may create or destroy what) is
//! in `handlers/`.

#![deny(unsafe_code)]

mod cache;
mod class;
mod phantoms;
pub(crate) mod reclaim;
mod removals;
mod restricted;
mod table;
mod tombstones;

pub(crate) use self::{
    cache::{CachedResolver, LenientResolver, ResolveCache},
    class::Uses,
    phantoms::{Cause, PhantomView},
    reclaim::Presence,
    table::{Detail, Missed, NewObject, Queries, Removed, Table, TableError},
};
