//! Feeds `ringway_fuzz::capture` with what libFuzzer makes up.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ringway_fuzz::capture::check(bytes));
