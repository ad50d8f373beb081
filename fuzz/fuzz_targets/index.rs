//! Any bytes are opened as the index of a dump, and decoded as far as they go.

#![no_main]

use leakline_heap::HeapIndex;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Ok(index) = HeapIndex::open(bytes) else {
        return;
    };
    let _ = index.analysis();
    let _ = index.heap(None);
    let _ = index.heap(Some(bytes));
});
