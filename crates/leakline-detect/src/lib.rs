//! Leak verdicts from runtime metrics: whether the memory of a process grows, since when, and
//! when it runs out.
//!
//! [`Detector`] takes samples as they come and says how the verdict on each process changes.
//! It is streaming and causal: state per process is bounded, a sample costs O(1) amortised, and
//! a judgement at time *t* uses nothing later than *t*. It does no I/O and reads no clock; time
//! is the time of the samples.
//!
//! It is not a store (it keeps a summary of what it saw, not the samples), and it does not take
//! dumps: a metric verdict says *that* a process leaks, the heap says *what*.
//!
//! `docs/detection.md` explains the method and what it cannot tell; [`Settings`] has every
//! threshold with its reason.

mod detector;
mod settings;
mod verdict;

pub use detector::{Deploy, Detector, GcComparison, GcStatistics, Transition};
pub use settings::Settings;
pub use verdict::{Assessment, Eta, Evidence, LeakSignal, Plot, ServiceVerdict, Verdict};
