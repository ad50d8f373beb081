//! OTLP in protobuf and JSON to [`leakline_model`] and back.
//!
//! What it is for: a receiver [`decode`]s the body of a request, translates it with
//! [`translate_metrics`] or [`translate_traces`] into a [`Batch`] that a store can keep, and
//! [`encode`]s the answer.
//! Files of OTLP JSON lines, as the Collector writes them, are read and written by [`lines`].
//! Metrics become Prometheus series, with the names that Prometheus' own OTLP receiver gives them.
//!
//! What it is not: it opens no socket and no file, keeps nothing from one request to the next (so
//! it cannot sum up deltas), and knows no logs and no profiles.
//!
//! The messages are those of the crate `opentelemetry-proto`, re-exported as [`proto`].
//!
//! ```
//! use leakline_otlp::{Encoding, ExportMetricsServiceRequest, Translation};
//!
//! let body = br#"{"resourceMetrics": [{"scopeMetrics": [{"metrics": [{
//!     "name": "jvm.thread.count",
//!     "gauge": {"dataPoints": [{"timeUnixNano": "1700000000000000000", "asInt": "42"}]}
//! }]}]}]}"#;
//! let request: ExportMetricsServiceRequest = leakline_otlp::decode(Encoding::Json, body)?;
//! let translated = leakline_otlp::translate_metrics(&request, &Translation::default());
//! assert_eq!(
//!     translated.batch.series[0].labels.to_string(),
//!     r#"jvm_thread_count{job="unknown_service"}"#,
//! );
//! # Ok::<(), leakline_otlp::DecodeError>(())
//! ```

#![deny(clippy::disallowed_methods)]

mod json;
mod labels;
pub mod lines;
mod message;
mod metrics;
mod names;
mod resource;
mod tally;
mod text;
mod traces;

use leakline_model::storage::Batch;

pub use message::{DecodeError, Encoding, OtlpMessage, Status, decode, encode};
pub use metrics::translate_metrics;
pub use names::{MetricKind, label_name, metric_name};
pub use opentelemetry_proto::tonic as proto;
pub use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
pub use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
pub use traces::translate_traces;

/// Choices in the translation of metrics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Translation {
    /// Resource attributes that every series carries as labels, such as `service.version` as
    /// `service_version`. Where a data point has the same label, its own value stays.
    pub promoted_attributes: Vec<String>,
}

impl Default for Translation {
    /// Promotes what tells one process, one deploy and one place from another.
    fn default() -> Self {
        Translation {
            promoted_attributes: [
                "service.name",
                "service.version",
                "service.instance.id",
                "k8s.pod.name",
                "k8s.namespace.name",
                "k8s.container.name",
                "host.name",
            ]
            .map(str::to_owned)
            .to_vec(),
        }
    }
}

/// What became of a request.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Translated {
    /// What is to be kept. Its resources are those that sent anything that was kept.
    pub batch: Batch,
    /// How many data points or spans were not kept.
    pub rejected: u64,
    /// Why, in one line for the developer of the sender; also warnings about what was kept with a
    /// change. Empty when there is nothing to say.
    pub message: String,
}
