//! Files of OTLP JSON lines, as the Collector's file exporter writes them.
//!
//! Each line is one request: `{"resourceMetrics": …}` or `{"resourceSpans": …}`. [`Reader`] reads
//! them plain, in gzip or in zstd; [`Writer`] writes them plain.

mod reader;
mod source;
mod writer;

use crate::proto::metrics::v1::ResourceMetrics;
use crate::proto::trace::v1::ResourceSpans;

pub use reader::{LINE_LIMIT, Problem, ReadError, Reader};
pub use writer::Writer;

/// A request of any signal. The tags are our own: it only ever comes from the schema `LINE`.
#[derive(Clone, PartialEq, prost::Message)]
struct Line {
    #[prost(message, repeated, tag = "1")]
    resource_metrics: Vec<ResourceMetrics>,
    #[prost(message, repeated, tag = "2")]
    resource_spans: Vec<ResourceSpans>,
}
