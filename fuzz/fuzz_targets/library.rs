//! A monitor that calls the library for C.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| venus_fuzz::library::call(data));
