//! The C interface of the Venus host: `libvenus_host` and `venus_host.h`.
//!
//! Thin over [`venus_host::host::Host`]: a function here checks pointers and sizes, calls one method inside of
//! `catch_unwind`, and turns the answer into numbers. The header is made from these sources by `cargo xtask header`,
//! with the documentation below for C programmers, and is checked in. What holds for all functions stands in
//! `cbindgen.toml`, from where it gets into the header.
//!
//! | file | what |
//! |---|---|
//! | [`library`] | version, last error, log, capability set |
//! | [`options`] | how hosts and contexts are made |
//! | [`handle`] | a host: made, polled, ended |
//! | [`contexts`] | contexts, submissions |
//! | [`resources`] | blobs, mappings, descriptors |
//! | [`imports`] | memory from outside |
//! | [`fences`] | fences, and how they retire |
//! | [`statistics`], [`snapshot`] | one look at all counters of a context, or of all |
//! | [`worker`] | what a worker process does, and how it is started |
//! | [`sized`] | structures that begin with their size |
#![expect(unsafe_code, reason = "the border to C")]
#![expect(non_camel_case_types, reason = "types have the names that C programs know")]

pub mod contexts;
pub mod fences;
pub mod handle;
pub mod imports;
pub mod library;
pub mod options;
pub mod resources;
mod sized;
mod snapshot;
pub mod statistics;
pub mod worker;
