//! An expression and its operands: see `expression` in `src/`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| walbridge_fuzz::expression(bytes));
