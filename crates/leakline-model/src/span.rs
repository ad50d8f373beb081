//! Spans of distributed traces.

use std::fmt;

use crate::Timestamp;

/// Sixteen bytes that name a trace; shown as 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TraceId(pub [u8; 16]);

/// Eight bytes that name a span inside its trace; shown as 16 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SpanId(pub [u8; 8]);

/// The part that a span plays in a call (OpenTelemetry, `trace/api.md`, SpanKind).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SpanKind {
    /// Not said.
    Unspecified,
    /// Inside one service.
    Internal,
    /// Handles a remote request.
    Server,
    /// Makes a remote request.
    Client,
    /// Sends a message.
    Producer,
    /// Handles a message.
    Consumer,
}

/// How a span ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpanStatus {
    /// The instrumentation did not say.
    Unset,
    /// Explicitly well.
    Ok,
    /// In error.
    Error,
}

/// One operation of one service, as a span tells it.
#[derive(Clone, Debug, PartialEq)]
pub struct Span {
    /// The trace it belongs to.
    pub trace_id: TraceId,
    /// Its own id.
    pub span_id: SpanId,
    /// The span that caused it; `None` for the root of a trace.
    pub parent_id: Option<SpanId>,
    /// `service.name` of its resource, with the namespace as Prometheus' `job` has it.
    pub service: String,
    /// `service.instance.id` of its resource; empty when not sent.
    pub instance: String,
    /// The operation: the span's name.
    pub operation: String,
    /// Its part in the call.
    pub kind: SpanKind,
    /// How it ended.
    pub status: SpanStatus,
    /// When it began.
    pub start: Timestamp,
    /// When it ended; never before `start`.
    pub end: Timestamp,
    /// Its attributes as text, sorted by key.
    pub attributes: Vec<(String, String)>,
}

impl Span {
    /// The attribute under `key`, if there is one.
    pub fn attribute(&self, key: &str) -> Option<&str> {
        let i = self
            .attributes
            .binary_search_by(|(k, _)| k.as_str().cmp(key))
            .ok()?;
        Some(&self.attributes[i].1)
    }
}

fn hexadecimal(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hexadecimal(&self.0, f)
    }
}

impl fmt::Debug for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hexadecimal(&self.0, f)
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hexadecimal(&self.0, f)
    }
}

impl fmt::Debug for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hexadecimal(&self.0, f)
    }
}
