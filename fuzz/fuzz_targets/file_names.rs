//! See `src/fuzz`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| cdsync::fuzz::run("file_names", data));
