//! A guest of a context: commands, rings, resources and fences.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| venus_fuzz::stream::serve(data));
