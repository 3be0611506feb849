//! A guest at the vtest socket.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| venus_fuzz::vtest::serve(data));
