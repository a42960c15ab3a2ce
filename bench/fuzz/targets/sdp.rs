//! Feeds `ringway_fuzz::sdp` with what libFuzzer makes up.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ringway_fuzz::sdp::check(bytes));
