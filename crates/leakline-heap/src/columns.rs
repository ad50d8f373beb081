//! A number for each object, filled by several threads.

use std::sync::atomic::AtomicU32;

/// `count` times `value`.
pub(crate) fn atomics(count: usize, value: u32) -> Vec<AtomicU32> {
    std::iter::repeat_with(|| AtomicU32::new(value))
        .take(count)
        .collect()
}

/// Reuses the memory: both have the same size and alignment.
pub(crate) fn plain(values: Vec<AtomicU32>) -> Vec<u32> {
    values.into_iter().map(AtomicU32::into_inner).collect()
}
