//! Any bytes are read as a heap dump, whole.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    leakline_hprof::fuzz_read(bytes);
});
