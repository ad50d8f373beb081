//! Joins growth in the heap with the operations that traces tell of: which request fills it.
//!
//! Two dumps of one process say how many objects a suspect gained. The spans between the dumps
//! say how often each operation ran. [`operations`] counts the calls in one pass over the spans
//! and in bounded memory; [`attribute`] ranks the operations by how well "each call keeps *n*
//! objects" explains the gain, with an interval, a confidence and the reasons.
//!
//! What this crate does not do: it reads no store (the caller passes the spans of
//! [`Window::spans_started`]) and it proves no causation. Two operations that always run equally
//! often cannot be told apart by counting, and the answer says so.

#![deny(clippy::disallowed_methods)]

mod attribution;
mod nesting;
mod operations;
mod window;

pub use attribution::{Attribution, Correlation, Growth, Metrics, attribute};
pub use nesting::{Parent, SEEN_SPANS};
pub use operations::{
    HISTORY_SLICES, MAX_OPERATIONS, OperationCalls, Operations, SAMPLE_TRACES, operations,
};
pub use window::{DumpTime, Window};
