//! Replies, as a guest decodes them.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| venus_fuzz::codec::reply(data));
