//! Feeds `ringway_fuzz::shared` with what libFuzzer makes up.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ringway_fuzz::shared::check(bytes));
