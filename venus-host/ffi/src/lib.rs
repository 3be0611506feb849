//! What the libraries for C have in common.
//!
//! Two libraries put a C interface around [`venus_host`]: one of our own and a replacement of libvirglrenderer. This crate
//! holds what both need and exports no symbol itself.
//!
//! | file | what |
//! |---|---|
//! | [`guard`] | the border that no panic crosses, and what has gone wrong: a number, and a sentence per thread |
//! | [`log`] | the host's log, to standard error and to a callback |
//! | [`environment`] | what a user, who has no command line here, can decide by environment variables |
//!
//! Both libraries are thin: a function checks its pointers, calls one safe function of [`venus_host::host`] inside of
//! [`guard::call`], and writes the answer to where the caller wants it.

pub mod environment;
pub mod guard;
pub mod log;

pub use guard::Error;
