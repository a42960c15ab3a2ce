//! Feeds `ringway_fuzz::voucher` with what libFuzzer makes up.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ringway_fuzz::voucher::check(bytes));
