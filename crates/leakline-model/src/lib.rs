//! Vocabulary of Leakline: what a sample, a series, a span, a resource and a runtime signal are,
//! and the traits that every store of them implements.
//!
//! Everything that crosses from one crate to another is said in these types. They are plain
//! values: no serde (JSON forms live with the reports and the HTTP API), no I/O, no clock. The
//! crate knows nothing of OTLP, PromQL or any file format; those translate to and from it.
//!
//! Suggested reading order: [`Timestamp`], [`Labels`], [`Sample`] and [`Series`], [`Span`],
//! [`Resource`], then [`signal`] (which metric means what) and [`storage`] (the traits).

#![deny(clippy::disallowed_methods)]

mod byte_size;
mod glob;
mod labels;
mod process;
mod resource;
mod sample;
pub mod signal;
mod span;
pub mod storage;
mod time;

pub use byte_size::{ByteSize, SignedByteSize, grouped};
pub use glob::Glob;
pub use labels::{Label, Labels, MatchOperator, Matcher};
pub use process::ProcessKey;
pub use resource::Resource;
pub use sample::{STALE_MARKER_BITS, Sample, Series, is_stale_marker, stale_marker};
pub use span::{Span, SpanId, SpanKind, SpanStatus, TraceId};
pub use time::{TimeRange, Timestamp, TimestampError, duration_text};
