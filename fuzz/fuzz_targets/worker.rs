//! A monitor: what its worker says to it.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| venus_fuzz::worker::say(data));
