//! Samples and series.

use crate::{Labels, Timestamp};

/// One value at one time.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// When it was measured, by the sender's clock.
    pub timestamp: Timestamp,
    /// The value. A NaN with the bits of [`STALE_MARKER_BITS`] says that the series has ended.
    pub value: f64,
}

/// Equal to the bit: a NaN equals itself, a staleness marker does not equal another NaN.
impl PartialEq for Sample {
    fn eq(&self, other: &Self) -> bool {
        self.timestamp == other.timestamp && self.value.to_bits() == other.value.to_bits()
    }
}

/// Samples of one label set, in order of time.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// Which series it is.
    pub labels: Labels,
    /// Its samples, by time, each time once.
    pub samples: Vec<Sample>,
}

/// The bit pattern of the NaN with which Prometheus marks the end of a series
/// (`model/value/value.go`, `StaleNaN`).
pub const STALE_MARKER_BITS: u64 = 0x7ff0_0000_0000_0002;

/// The staleness marker as a value.
pub const fn stale_marker() -> f64 {
    f64::from_bits(STALE_MARKER_BITS)
}

/// Whether `value` is the staleness marker, and not just any NaN.
pub const fn is_stale_marker(value: f64) -> bool {
    value.to_bits() == STALE_MARKER_BITS
}
