//! What a platform answers.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| stallcast_platform::local::fuzz::answer(bytes));
