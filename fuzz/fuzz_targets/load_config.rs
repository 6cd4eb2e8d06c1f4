//! A config: see `load_config` in `src/`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| walbridge_fuzz::load_config(bytes));
