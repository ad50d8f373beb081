//! The OTLP messages as tables: JSON name, protobuf tag and kind of every field.
//!
//! OTLP/JSON is the protobuf JSON mapping with a few changes (`docs/specification.md` of
//! opentelemetry-proto, "JSON Protobuf Encoding"), so one table per message says all that the
//! reader and the writer need. Fields stand in the order of the `.proto` files, version 1.11.0.

/// A protobuf message.
pub(crate) struct Message {
    pub(crate) fields: &'static [Field],
}

/// A field of a message.
pub(crate) struct Field {
    /// Its name in lowerCamelCase.
    pub(crate) name: &'static str,
    pub(crate) tag: u32,
    pub(crate) repeated: bool,
    pub(crate) kind: Kind,
}

/// What a field holds, and how both encodings write it.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    Bool,
    String,
    /// Bytes that JSON writes in base64.
    Bytes,
    /// Trace and span ids: bytes that OTLP/JSON, unlike protobuf's own mapping, writes in
    /// hexadecimal.
    Id,
    Double,
    /// Signed, 32 bits, varint; also enumerations, which OTLP/JSON writes as numbers only.
    Int32,
    Uint32,
    Sint32,
    Fixed32,
    Int64,
    Uint64,
    Fixed64,
    Sfixed64,
    Message(&'static Message),
    /// Known, but not read: the content is skipped.
    Skipped,
}

impl Message {
    pub(crate) fn field(&'static self, name: &str) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.name == name)
    }
}

const fn one(name: &'static str, tag: u32, kind: Kind) -> Field {
    Field {
        name,
        tag,
        repeated: false,
        kind,
    }
}

const fn many(name: &'static str, tag: u32, kind: Kind) -> Field {
    Field {
        name,
        tag,
        repeated: true,
        kind,
    }
}

/// Enumerations travel like any 32-bit integer.
const ENUM: Kind = Kind::Int32;

macro_rules! message {
    ($(#[$doc:meta])* $name:ident: $($field:expr),* $(,)?) => {
        $(#[$doc])*
        pub(crate) static $name: Message = Message { fields: &[$($field),*] };
    };
}

use Kind::{
    Bool, Bytes, Double, Fixed32, Fixed64, Id, Int32, Int64, Sfixed64, Sint32, Skipped, String,
    Uint32, Uint64,
};

message! { EXPORT_METRICS_REQUEST:
    many("resourceMetrics", 1, Kind::Message(&RESOURCE_METRICS)),
}
message! { EXPORT_METRICS_RESPONSE:
    one("partialSuccess", 1, Kind::Message(&EXPORT_METRICS_PARTIAL_SUCCESS)),
}
message! { EXPORT_METRICS_PARTIAL_SUCCESS:
    one("rejectedDataPoints", 1, Int64),
    one("errorMessage", 2, String),
}
message! { EXPORT_TRACE_REQUEST:
    many("resourceSpans", 1, Kind::Message(&RESOURCE_SPANS)),
}
message! { EXPORT_TRACE_RESPONSE:
    one("partialSuccess", 1, Kind::Message(&EXPORT_TRACE_PARTIAL_SUCCESS)),
}
message! { EXPORT_TRACE_PARTIAL_SUCCESS:
    one("rejectedSpans", 1, Int64),
    one("errorMessage", 2, String),
}
message! {
    /// `google.rpc.Status` without its details.
    RPC_STATUS:
    one("code", 1, Int32),
    one("message", 2, String),
}
message! {
    /// One line of a file: a request of any signal. The tags are those of `lines::Line`.
    LINE:
    many("resourceMetrics", 1, Kind::Message(&RESOURCE_METRICS)),
    many("resourceSpans", 2, Kind::Message(&RESOURCE_SPANS)),
    one("resourceLogs", 3, Skipped),
    one("resourceProfiles", 4, Skipped),
}

message! { RESOURCE:
    many("attributes", 1, Kind::Message(&KEY_VALUE)),
    one("droppedAttributesCount", 2, Uint32),
    many("entityRefs", 3, Kind::Message(&ENTITY_REF)),
}
message! { ENTITY_REF:
    one("schemaUrl", 1, String),
    one("type", 2, String),
    many("idKeys", 3, String),
    many("descriptionKeys", 4, String),
}
message! { INSTRUMENTATION_SCOPE:
    one("name", 1, String),
    one("version", 2, String),
    many("attributes", 3, Kind::Message(&KEY_VALUE)),
    one("droppedAttributesCount", 4, Uint32),
}
message! { KEY_VALUE:
    one("key", 1, String),
    one("value", 2, Kind::Message(&ANY_VALUE)),
    one("keyStrindex", 3, Int32),
}
message! { ANY_VALUE:
    one("stringValue", 1, String),
    one("boolValue", 2, Bool),
    one("intValue", 3, Int64),
    one("doubleValue", 4, Double),
    one("arrayValue", 5, Kind::Message(&ARRAY_VALUE)),
    one("kvlistValue", 6, Kind::Message(&KEY_VALUE_LIST)),
    one("bytesValue", 7, Bytes),
    one("stringValueStrindex", 8, Int32),
}
message! { ARRAY_VALUE: many("values", 1, Kind::Message(&ANY_VALUE)) }
message! { KEY_VALUE_LIST: many("values", 1, Kind::Message(&KEY_VALUE)) }

message! { RESOURCE_METRICS:
    one("resource", 1, Kind::Message(&RESOURCE)),
    many("scopeMetrics", 2, Kind::Message(&SCOPE_METRICS)),
    one("schemaUrl", 3, String),
}
message! { SCOPE_METRICS:
    one("scope", 1, Kind::Message(&INSTRUMENTATION_SCOPE)),
    many("metrics", 2, Kind::Message(&METRIC)),
    one("schemaUrl", 3, String),
}
message! { METRIC:
    one("name", 1, String),
    one("description", 2, String),
    one("unit", 3, String),
    one("gauge", 5, Kind::Message(&GAUGE)),
    one("sum", 7, Kind::Message(&SUM)),
    one("histogram", 9, Kind::Message(&HISTOGRAM)),
    one("exponentialHistogram", 10, Kind::Message(&EXPONENTIAL_HISTOGRAM)),
    one("summary", 11, Kind::Message(&SUMMARY)),
    many("metadata", 12, Kind::Message(&KEY_VALUE)),
}
message! { GAUGE: many("dataPoints", 1, Kind::Message(&NUMBER_DATA_POINT)) }
message! { SUM:
    many("dataPoints", 1, Kind::Message(&NUMBER_DATA_POINT)),
    one("aggregationTemporality", 2, ENUM),
    one("isMonotonic", 3, Bool),
}
message! { HISTOGRAM:
    many("dataPoints", 1, Kind::Message(&HISTOGRAM_DATA_POINT)),
    one("aggregationTemporality", 2, ENUM),
}
message! { EXPONENTIAL_HISTOGRAM:
    many("dataPoints", 1, Kind::Message(&EXPONENTIAL_HISTOGRAM_DATA_POINT)),
    one("aggregationTemporality", 2, ENUM),
}
message! { SUMMARY: many("dataPoints", 1, Kind::Message(&SUMMARY_DATA_POINT)) }
message! { NUMBER_DATA_POINT:
    many("attributes", 7, Kind::Message(&KEY_VALUE)),
    one("startTimeUnixNano", 2, Fixed64),
    one("timeUnixNano", 3, Fixed64),
    one("asDouble", 4, Double),
    one("asInt", 6, Sfixed64),
    many("exemplars", 5, Kind::Message(&EXEMPLAR)),
    one("flags", 8, Uint32),
}
message! { HISTOGRAM_DATA_POINT:
    many("attributes", 9, Kind::Message(&KEY_VALUE)),
    one("startTimeUnixNano", 2, Fixed64),
    one("timeUnixNano", 3, Fixed64),
    one("count", 4, Fixed64),
    one("sum", 5, Double),
    many("bucketCounts", 6, Fixed64),
    many("explicitBounds", 7, Double),
    many("exemplars", 8, Kind::Message(&EXEMPLAR)),
    one("flags", 10, Uint32),
    one("min", 11, Double),
    one("max", 12, Double),
}
message! { EXPONENTIAL_HISTOGRAM_DATA_POINT:
    many("attributes", 1, Kind::Message(&KEY_VALUE)),
    one("startTimeUnixNano", 2, Fixed64),
    one("timeUnixNano", 3, Fixed64),
    one("count", 4, Fixed64),
    one("sum", 5, Double),
    one("scale", 6, Sint32),
    one("zeroCount", 7, Fixed64),
    one("positive", 8, Kind::Message(&BUCKETS)),
    one("negative", 9, Kind::Message(&BUCKETS)),
    one("flags", 10, Uint32),
    many("exemplars", 11, Kind::Message(&EXEMPLAR)),
    one("min", 12, Double),
    one("max", 13, Double),
    one("zeroThreshold", 14, Double),
}
message! { BUCKETS:
    one("offset", 1, Sint32),
    many("bucketCounts", 2, Uint64),
}
message! { SUMMARY_DATA_POINT:
    many("attributes", 7, Kind::Message(&KEY_VALUE)),
    one("startTimeUnixNano", 2, Fixed64),
    one("timeUnixNano", 3, Fixed64),
    one("count", 4, Fixed64),
    one("sum", 5, Double),
    many("quantileValues", 6, Kind::Message(&VALUE_AT_QUANTILE)),
    one("flags", 8, Uint32),
}
message! { VALUE_AT_QUANTILE:
    one("quantile", 1, Double),
    one("value", 2, Double),
}
message! { EXEMPLAR:
    many("filteredAttributes", 7, Kind::Message(&KEY_VALUE)),
    one("timeUnixNano", 2, Fixed64),
    one("asDouble", 3, Double),
    one("asInt", 6, Sfixed64),
    one("spanId", 4, Id),
    one("traceId", 5, Id),
}

message! { RESOURCE_SPANS:
    one("resource", 1, Kind::Message(&RESOURCE)),
    many("scopeSpans", 2, Kind::Message(&SCOPE_SPANS)),
    one("schemaUrl", 3, String),
}
message! { SCOPE_SPANS:
    one("scope", 1, Kind::Message(&INSTRUMENTATION_SCOPE)),
    many("spans", 2, Kind::Message(&SPAN)),
    one("schemaUrl", 3, String),
}
message! { SPAN:
    one("traceId", 1, Id),
    one("spanId", 2, Id),
    one("traceState", 3, String),
    one("parentSpanId", 4, Id),
    one("flags", 16, Fixed32),
    one("name", 5, String),
    one("kind", 6, ENUM),
    one("startTimeUnixNano", 7, Fixed64),
    one("endTimeUnixNano", 8, Fixed64),
    many("attributes", 9, Kind::Message(&KEY_VALUE)),
    one("droppedAttributesCount", 10, Uint32),
    many("events", 11, Kind::Message(&SPAN_EVENT)),
    one("droppedEventsCount", 12, Uint32),
    many("links", 13, Kind::Message(&SPAN_LINK)),
    one("droppedLinksCount", 14, Uint32),
    one("status", 15, Kind::Message(&SPAN_STATUS)),
}
message! { SPAN_EVENT:
    one("timeUnixNano", 1, Fixed64),
    one("name", 2, String),
    many("attributes", 3, Kind::Message(&KEY_VALUE)),
    one("droppedAttributesCount", 4, Uint32),
}
message! { SPAN_LINK:
    one("traceId", 1, Id),
    one("spanId", 2, Id),
    one("traceState", 3, String),
    many("attributes", 4, Kind::Message(&KEY_VALUE)),
    one("droppedAttributesCount", 5, Uint32),
    one("flags", 6, Fixed32),
}
message! { SPAN_STATUS:
    one("message", 2, String),
    one("code", 3, ENUM),
}
