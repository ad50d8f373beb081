//! Requests and responses in both encodings.

use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsPartialSuccess, ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};

use crate::Translated;
use crate::json::{self, schema};

/// How a message is written. A receiver answers in the encoding of the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Binary protobuf.
    Protobuf,
    /// OTLP/JSON.
    Json,
}

impl Encoding {
    /// From the value of a `Content-Type` header, parameters such as `charset` aside; `None` for
    /// a media type that OTLP does not know.
    pub fn from_content_type(content_type: &str) -> Option<Self> {
        let media_type = content_type.split(';').next().unwrap_or_default().trim();
        [Encoding::Protobuf, Encoding::Json]
            .into_iter()
            .find(|encoding| media_type.eq_ignore_ascii_case(encoding.content_type()))
    }

    /// The media type: `application/x-protobuf` or `application/json`.
    pub const fn content_type(self) -> &'static str {
        match self {
            Encoding::Protobuf => "application/x-protobuf",
            Encoding::Json => "application/json",
        }
    }
}

/// A message that travels in either encoding.
pub trait OtlpMessage: prost::Message + Default + sealed::Schema {}

mod sealed {
    /// Keeps the tables that describe messages out of the public interface.
    pub trait Schema {
        #[doc(hidden)]
        fn schema() -> SchemaOf;
    }

    #[doc(hidden)]
    #[derive(Clone, Copy)]
    pub struct SchemaOf(pub(crate) &'static crate::json::schema::Message);
}

macro_rules! otlp_message {
    ($($message:ty: $schema:ident),* $(,)?) => {$(
        impl OtlpMessage for $message {}
        impl sealed::Schema for $message {
            fn schema() -> sealed::SchemaOf {
                sealed::SchemaOf(&schema::$schema)
            }
        }
    )*};
}

otlp_message! {
    ExportMetricsServiceRequest: EXPORT_METRICS_REQUEST,
    ExportMetricsServiceResponse: EXPORT_METRICS_RESPONSE,
    ExportTraceServiceRequest: EXPORT_TRACE_REQUEST,
    ExportTraceServiceResponse: EXPORT_TRACE_RESPONSE,
    Status: RPC_STATUS,
}

/// Why bytes are not the message they should be. The sender is at fault: HTTP status 400.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The bytes are not protobuf, or not of this message.
    #[error("not OTLP in protobuf: {0}; check the content type and the path of the request")]
    Protobuf(prost::DecodeError),
    /// The text is not JSON, or a field has another type or range than OTLP gives it.
    #[error(
        "not OTLP/JSON: line {line} column {column}{}: {reason}",
        in_field(field)
    )]
    Json {
        /// The field that was being read, for example `resourceMetrics[0].scopeMetrics[2]`;
        /// empty at the top.
        field: String,
        /// Line, from 1.
        line: usize,
        /// Column in bytes, from 1; 0 when it is the end of a line.
        column: usize,
        /// What is wrong there.
        reason: String,
    },
}

fn in_field(field: &str) -> String {
    match field {
        "" => String::new(),
        field => format!(", in {field}"),
    }
}

impl From<json::Problem> for DecodeError {
    fn from(problem: json::Problem) -> Self {
        DecodeError::Json {
            field: problem.field,
            line: problem.line,
            column: problem.column,
            reason: problem.reason,
        }
    }
}

/// Reads a message.
///
/// OTLP/JSON is read as the specification asks: ids in hexadecimal of any case, 64-bit integers as
/// numbers or strings, enumerations as numbers, `"NaN"` and infinities as strings, unknown keys
/// ignored, `null` as absent. Nothing that is known is dropped: it is read, or it is an error.
///
/// Memory: protobuf is read in place; JSON takes a second copy of about the size of the input.
/// Nesting is limited in both (around 100 levels), so hostile input cannot exhaust the stack.
pub fn decode<M: OtlpMessage>(encoding: Encoding, bytes: &[u8]) -> Result<M, DecodeError> {
    match encoding {
        Encoding::Protobuf => M::decode(bytes),
        Encoding::Json => M::decode(json::to_protobuf(M::schema().0, bytes)?.bytes.as_slice()),
    }
    .map_err(DecodeError::Protobuf)
}

/// Writes a message; JSON in its canonical form, on one line.
pub fn encode<M: OtlpMessage>(encoding: Encoding, message: &M) -> Vec<u8> {
    let protobuf = message.encode_to_vec();
    match encoding {
        Encoding::Protobuf => protobuf,
        Encoding::Json => {
            let mut out = Vec::with_capacity(protobuf.len() * 2);
            json::from_protobuf(M::schema().0, &protobuf, &mut out);
            out
        }
    }
}

/// `google.rpc.Status`: the body of every answer that is an error.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Status {
    /// A code of `google.rpc.Code`, for example 3 for an invalid argument.
    #[prost(int32, tag = "1")]
    pub code: i32,
    /// What is wrong, for the developer of the sender.
    #[prost(string, tag = "2")]
    pub message: String,
}

/// The answer to a metrics request: empty when everything was kept and nothing is to be said.
impl From<&Translated> for ExportMetricsServiceResponse {
    fn from(translated: &Translated) -> Self {
        ExportMetricsServiceResponse {
            partial_success: translated.rejection().map(|(rejected, message)| {
                ExportMetricsPartialSuccess {
                    rejected_data_points: rejected,
                    error_message: message,
                }
            }),
        }
    }
}

/// The answer to a trace request: empty when everything was kept and nothing is to be said.
impl From<&Translated> for ExportTraceServiceResponse {
    fn from(translated: &Translated) -> Self {
        ExportTraceServiceResponse {
            partial_success: translated.rejection().map(|(rejected, message)| {
                ExportTracePartialSuccess {
                    rejected_spans: rejected,
                    error_message: message,
                }
            }),
        }
    }
}

impl Translated {
    /// Count and message for the answer, unless there is nothing to say.
    fn rejection(&self) -> Option<(i64, String)> {
        if self.rejected == 0 && self.message.is_empty() {
            return None;
        }
        let rejected = i64::try_from(self.rejected).unwrap_or(i64::MAX);
        Some((rejected, self.message.clone()))
    }
}
