//! A guest of a context whose rings have threads, with another thread that writes over their memory.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| venus_fuzz::ring::race(data));
