//! Recordings, as they are read and printed.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| venus_fuzz::recording::read(data));
