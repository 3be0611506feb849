//! Requests, as a host decodes them.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| venus_fuzz::codec::request(data));
