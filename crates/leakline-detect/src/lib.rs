//! Leak verdicts from runtime metrics.

mod verdict;

pub use verdict::{Assessment, Eta, Evidence, LeakSignal, Plot, ServiceVerdict, Verdict};
