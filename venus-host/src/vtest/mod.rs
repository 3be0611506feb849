//! The vtest socket: how a Mesa guest on the same machine reaches the host, without a virtual machine.
//!
//! A Unix stream socket carries requests and answers in strict order; one connection is one guest context. It does what
//! virtio-gpu does for a virtual machine: capset, blobs (as file descriptors), direct submissions, fences (as syncs).
//! Ring traffic does not pass here.
//!
//! | file | what |
//! |---|---|
//! | [`framing`] | bytes to [`framing::Request`]s, and answers to bytes: every length is checked there |
//! | [`reader`] | requests out of the socket |
//! | [`batch`] | the payload of SUBMIT_CMD2 |
//! | [`syncs`] | sync objects |
//! | [`signal`] | what becomes of them when a fence retires |
//! | [`waits`] | who waits for which of them |
//! | [`event`] | the descriptors that guests wait with |
//! | [`resources`] | resources, and what stands for those that cannot be made |
//! | [`ids`] | the numbers of syncs and resources |
//! | [`session`] | one connection: requests to context verbs |
//! | [`server`] | accepting connections, and the process or thread that serves each |
//!
//! # Errors
//!
//! A request that breaks the framing ends the connection: there is nothing to resynchronise to. Mesa's reader spins for
//! ever at the end of a stream, so [a byte is left unread](reader::Reader) while a guest waits for an answer, which
//! makes our end a reset connection. Whatever breaks *Venus* ends the context, but not the connection: the guest is told
//! by the FATAL bit of its rings, and whoever waits, by the end of the wait. So a session whose context is lost keeps
//! answering until its guest leaves. A bound that a program can meet without breaking anything is always answered.

#![deny(unsafe_code)]

mod batch;
mod event;
mod framing;
mod ids;
mod reader;
mod resources;
mod server;
mod session;
mod signal;
mod syncs;
mod waits;

pub use self::{
    framing::FramingError,
    resources::MakeStandIn,
    server::{
        Admission, DEFAULT_SOCKET_PATH, Finished, GuestStatistics, GuestStatus, Isolation, LOST_STATUS, Server,
        ServerHandle, ServerOptions, serve_connection, serve_worker,
    },
    session::{SessionOptions, Summary},
};
pub use crate::endpoint::MakeObservers;
