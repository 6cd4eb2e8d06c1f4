//! A column's text: see `decode_value` in `src/`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| walbridge_fuzz::decode_value(bytes));
