//! Feeds `ringway_fuzz::framing` with what libFuzzer makes up.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ringway_fuzz::framing::check(bytes));
