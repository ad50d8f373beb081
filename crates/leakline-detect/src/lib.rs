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
//! threshold with its reason. On its way a sample passes these modules: `intake` puts exports
//! together, `epoch` makes blocks of them, `history` keeps blocks, `floor` makes points of
//! blocks, `trend` judges points with `statistics`, `process` lets a verdict stand, `explain`
//! says why.

#![deny(clippy::disallowed_methods)]

mod collector;
mod detector;
mod epoch;
mod explain;
mod floor;
mod history;
mod intake;
mod process;
mod query;
mod settings;
mod statistics;
mod trend;
mod verdict;

#[cfg(test)]
mod robustness;
#[cfg(test)]
mod scenarios;
#[cfg(test)]
mod simulation;

pub use collector::{GcComparison, GcStatistics};
pub use detector::{Deploy, Detector, Transition};
pub use settings::Settings;
pub use verdict::{Assessment, Eta, Evidence, LeakSignal, Plot, ServiceVerdict, Verdict};
