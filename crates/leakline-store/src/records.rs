//! Records that are protobuf on disk, so that fields can be added without a new format version.

use leakline_model::{Label, Labels, Resource, Span, SpanId, SpanKind, SpanStatus, Timestamp};

use crate::keys::{SpanKey, service_hash};

/// A name and a value.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Pair {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    value: String,
}

/// Labels of a series, or attributes of a resource.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Pairs {
    #[prost(message, repeated, tag = "1")]
    pairs: Vec<Pair>,
}

impl Pairs {
    pub(crate) fn of_labels(labels: &Labels) -> Self {
        let pair = |label: &Label| Pair {
            name: label.name.to_string(),
            value: label.value.to_string(),
        };
        Pairs {
            pairs: labels.iter().map(pair).collect(),
        }
    }

    pub(crate) fn into_labels(self) -> Labels {
        Labels::new(self.pairs.into_iter().map(|pair| (pair.name, pair.value)))
    }

    pub(crate) fn of_resource(resource: &Resource) -> Self {
        let pair = |(name, value): (&String, &String)| Pair {
            name: name.clone(),
            value: value.clone(),
        };
        Pairs {
            pairs: resource.attributes.iter().map(pair).collect(),
        }
    }

    pub(crate) fn into_resource(self) -> Resource {
        Resource::new(self.pairs.into_iter().map(|pair| (pair.name, pair.value)))
    }
}

/// What the key of a span does not say.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct SpanRecord {
    #[prost(string, tag = "1")]
    service: String,
    #[prost(string, tag = "2")]
    instance: String,
    #[prost(string, tag = "3")]
    operation: String,
    /// As in OTLP: 1 internal, 2 server, 3 client, 4 producer, 5 consumer.
    #[prost(uint32, tag = "4")]
    kind: u32,
    /// As in OTLP: 0 unset, 1 ok, 2 error.
    #[prost(uint32, tag = "5")]
    status: u32,
    /// Nanoseconds since the epoch.
    #[prost(sfixed64, tag = "6")]
    end: i64,
    #[prost(bytes = "vec", optional, tag = "7")]
    parent: Option<Vec<u8>>,
    #[prost(message, repeated, tag = "8")]
    attributes: Vec<Pair>,
}

impl SpanRecord {
    pub(crate) fn of(span: &Span) -> (SpanKey, Self) {
        let key = SpanKey {
            start: span.start,
            trace: span.trace_id,
            span: span.span_id,
            service: service_hash(&span.service),
        };
        let record = SpanRecord {
            service: span.service.clone(),
            instance: span.instance.clone(),
            operation: span.operation.clone(),
            kind: match span.kind {
                SpanKind::Unspecified => 0,
                SpanKind::Internal => 1,
                SpanKind::Server => 2,
                SpanKind::Client => 3,
                SpanKind::Producer => 4,
                SpanKind::Consumer => 5,
            },
            status: match span.status {
                SpanStatus::Unset => 0,
                SpanStatus::Ok => 1,
                SpanStatus::Error => 2,
            },
            end: span.end.as_nanos(),
            parent: span.parent_id.map(|parent| parent.0.to_vec()),
            attributes: span
                .attributes
                .iter()
                .map(|(name, value)| Pair {
                    name: name.clone(),
                    value: value.clone(),
                })
                .collect(),
        };
        (key, record)
    }

    pub(crate) fn into_span(self, key: &SpanKey) -> Result<Span, String> {
        Ok(Span {
            trace_id: key.trace,
            span_id: key.span,
            parent_id: match self.parent {
                None => None,
                Some(bytes) => Some(SpanId(
                    bytes
                        .try_into()
                        .map_err(|_| "parent id is not 8 bytes long")?,
                )),
            },
            service: self.service,
            instance: self.instance,
            operation: self.operation,
            // a kind or status of a later version is one that this version does not know
            kind: match self.kind {
                1 => SpanKind::Internal,
                2 => SpanKind::Server,
                3 => SpanKind::Client,
                4 => SpanKind::Producer,
                5 => SpanKind::Consumer,
                _ => SpanKind::Unspecified,
            },
            status: match self.status {
                1 => SpanStatus::Ok,
                2 => SpanStatus::Error,
                _ => SpanStatus::Unset,
            },
            start: key.start,
            end: Timestamp::from_nanos(self.end),
            attributes: self
                .attributes
                .into_iter()
                .map(|pair| (pair.name, pair.value))
                .collect(),
        })
    }
}
