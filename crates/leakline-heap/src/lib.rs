//! Object graph of a heap dump.

mod report;

pub use report::*;
