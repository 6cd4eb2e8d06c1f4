//! A text: see `json_writer` in `src/`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| walbridge_fuzz::json_writer(bytes));
