//! Feeds `ringway_fuzz::websocket` with what libFuzzer makes up.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ringway_fuzz::websocket::check(bytes));
