//! What the fuzz targets do with their inputs.
//!
//! | file | what |
//! |---|---|
//! | [`codec`] | requests and replies |
//! | [`guest`] | a guest that sends whole streams of commands |
//! | [`stream`] | such a guest of a context with the noting driver |
//! | [`ring`] | one whose rings have threads, and another thread that writes over their memory |
//! | [`library`] | a monitor that calls the library for C |
//! | [`vtest`] | a guest at the vtest socket |
//! | [`worker`] | what a worker in its guest's hands says to its monitor |
//! | [`recording`] | recordings, read and printed |
//! | [`driver`] | what real guests did, changed, at a server with a real driver; no target of libFuzzer's |
//! | [`source`] | a fuzzer's bytes as choices, and as damage |
//! | [`seeds`] | inputs to begin with |
//!
//! Each input first chooses values, from which the reflection tables make something well formed, and then damages its
//! bytes. So most inputs get past the first check of a decoder, and every check is tried.

pub mod codec;
pub mod driver;
pub mod guest;
pub mod library;
pub mod recording;
pub mod ring;
pub mod seeds;
pub mod source;
pub mod stream;
pub mod vtest;
pub mod worker;
