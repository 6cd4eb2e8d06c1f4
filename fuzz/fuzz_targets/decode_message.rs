//! A message of pgoutput: see `decode_message` in `src/`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| walbridge_fuzz::decode_message(bytes));
