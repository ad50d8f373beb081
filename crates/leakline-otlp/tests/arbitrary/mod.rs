//! Requests in which every field that OTLP has may be set.

use leakline_otlp::proto::common::v1::any_value::Value;
use leakline_otlp::proto::common::v1::{
    AnyValue, ArrayValue, EntityRef, InstrumentationScope, KeyValue, KeyValueList,
};
use leakline_otlp::proto::metrics::v1::exponential_histogram_data_point::Buckets;
use leakline_otlp::proto::metrics::v1::metric::Data;
use leakline_otlp::proto::metrics::v1::summary_data_point::ValueAtQuantile;
use leakline_otlp::proto::metrics::v1::{
    Exemplar, ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram,
    HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, Summary,
    SummaryDataPoint, exemplar, number_data_point,
};
use leakline_otlp::proto::resource::v1::Resource;
use leakline_otlp::proto::trace::v1::span::{Event, Link};
use leakline_otlp::proto::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use leakline_otlp::{ExportMetricsServiceRequest, ExportTraceServiceRequest};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

/// Which doubles may occur.
#[derive(Clone, Copy)]
pub(crate) enum Doubles {
    Finite,
    Any,
}

fn double(doubles: Doubles) -> BoxedStrategy<f64> {
    // the protobuf encoder drops a negative zero where zero is the default
    let finite = any::<f64>().prop_map(|double| match double {
        double if double.is_finite() && double != 0.0 => double,
        _ => 0.5,
    });
    match doubles {
        Doubles::Finite => finite.boxed(),
        Doubles::Any => prop_oneof![
            4 => finite,
            1 => Just(f64::NAN),
            1 => Just(f64::INFINITY),
            1 => Just(f64::NEG_INFINITY),
        ]
        .boxed(),
    }
}

fn text() -> impl Strategy<Value = String> + Clone {
    prop_oneof![4 => "[a-z.]{0,8}", 1 => any::<String>()]
}

fn any_value(doubles: Doubles) -> BoxedStrategy<AnyValue> {
    let leaf = prop_oneof![
        text().prop_map(Value::StringValue),
        any::<bool>().prop_map(Value::BoolValue),
        any::<i64>().prop_map(Value::IntValue),
        double(doubles).prop_map(Value::DoubleValue),
        vec(any::<u8>(), 0..5).prop_map(Value::BytesValue),
    ]
    .prop_map(|value| AnyValue { value: Some(value) });
    leaf.prop_recursive(3, 12, 3, |inner| {
        let list = vec((text(), option::of(inner.clone())), 0..3).prop_map(|entries| {
            Value::KvlistValue(KeyValueList {
                values: entries
                    .into_iter()
                    .map(|(key, value)| KeyValue {
                        key,
                        value,
                        key_strindex: 0,
                    })
                    .collect(),
            })
        });
        let array = vec(inner, 0..3).prop_map(|values| Value::ArrayValue(ArrayValue { values }));
        prop_oneof![list, array].prop_map(|value| AnyValue { value: Some(value) })
    })
    .boxed()
}

fn attributes(doubles: Doubles) -> BoxedStrategy<Vec<KeyValue>> {
    let attribute = (text(), option::of(any_value(doubles)), 0..3_i32).prop_map(
        |(key, value, key_strindex)| KeyValue {
            key,
            value,
            key_strindex,
        },
    );
    vec(attribute, 0..3).boxed()
}

fn resource(doubles: Doubles) -> impl Strategy<Value = Option<Resource>> {
    let entity = (text(), text(), vec(text(), 0..2), vec(text(), 0..2)).prop_map(
        |(schema_url, r#type, id_keys, description_keys)| EntityRef {
            schema_url,
            r#type,
            id_keys,
            description_keys,
        },
    );
    let resource = (attributes(doubles), any::<u32>(), vec(entity, 0..2)).prop_map(
        |(attributes, dropped_attributes_count, entity_refs)| Resource {
            attributes,
            dropped_attributes_count,
            entity_refs,
        },
    );
    option::of(resource)
}

fn scope(doubles: Doubles) -> impl Strategy<Value = Option<InstrumentationScope>> {
    let scope = (text(), text(), attributes(doubles), any::<u32>()).prop_map(
        |(name, version, attributes, dropped_attributes_count)| InstrumentationScope {
            name,
            version,
            attributes,
            dropped_attributes_count,
        },
    );
    option::of(scope)
}

fn exemplars(doubles: Doubles) -> impl Strategy<Value = Vec<Exemplar>> {
    let value = prop_oneof![
        double(doubles).prop_map(exemplar::Value::AsDouble),
        any::<i64>().prop_map(exemplar::Value::AsInt),
    ];
    let exemplar = (
        attributes(doubles),
        any::<u64>(),
        option::of(value),
        vec(any::<u8>(), 8),
        vec(any::<u8>(), 16),
    )
        .prop_map(
            |(filtered_attributes, time_unix_nano, value, span_id, trace_id)| Exemplar {
                filtered_attributes,
                time_unix_nano,
                value,
                span_id,
                trace_id,
            },
        );
    vec(exemplar, 0..2)
}

fn number_points(doubles: Doubles) -> impl Strategy<Value = Vec<NumberDataPoint>> {
    let value = prop_oneof![
        double(doubles).prop_map(number_data_point::Value::AsDouble),
        any::<i64>().prop_map(number_data_point::Value::AsInt),
    ];
    let point = (
        attributes(doubles),
        any::<u64>(),
        any::<u64>(),
        exemplars(doubles),
        0..3_u32,
        option::of(value),
    )
        .prop_map(
            |(attributes, start_time_unix_nano, time_unix_nano, exemplars, flags, value)| {
                NumberDataPoint {
                    attributes,
                    start_time_unix_nano,
                    time_unix_nano,
                    exemplars,
                    flags,
                    value,
                }
            },
        );
    vec(point, 0..3)
}

fn histogram(doubles: Doubles) -> impl Strategy<Value = Histogram> {
    let common = (
        attributes(doubles),
        any::<u64>(),
        any::<u64>(),
        any::<u64>(),
        exemplars(doubles),
        0..3_u32,
    );
    let numbers = (
        option::of(double(doubles)),
        option::of(double(doubles)),
        option::of(double(doubles)),
        vec(any::<u64>(), 0..4),
        vec(double(doubles), 0..3),
    );
    let point = (common, numbers).prop_map(
        |(
            (attributes, start_time_unix_nano, time_unix_nano, count, exemplars, flags),
            (sum, min, max, bucket_counts, explicit_bounds),
        )| HistogramDataPoint {
            attributes,
            start_time_unix_nano,
            time_unix_nano,
            count,
            sum,
            bucket_counts,
            explicit_bounds,
            exemplars,
            flags,
            min,
            max,
        },
    );
    (vec(point, 0..3), 0..4_i32).prop_map(|(data_points, aggregation_temporality)| Histogram {
        data_points,
        aggregation_temporality,
    })
}

fn buckets() -> impl Strategy<Value = Option<Buckets>> {
    let buckets =
        (any::<i32>(), vec(any::<u64>(), 0..4)).prop_map(|(offset, bucket_counts)| Buckets {
            offset,
            bucket_counts,
        });
    option::of(buckets)
}

fn exponential_histogram(doubles: Doubles) -> impl Strategy<Value = ExponentialHistogram> {
    let common = (
        attributes(doubles),
        any::<u64>(),
        any::<u64>(),
        any::<u64>(),
        exemplars(doubles),
        0..3_u32,
    );
    let numbers = (
        option::of(double(doubles)),
        option::of(double(doubles)),
        option::of(double(doubles)),
        any::<i32>(),
        any::<u64>(),
        double(doubles),
        (buckets(), buckets()),
    );
    let point = (common, numbers).prop_map(
        |(
            (attributes, start_time_unix_nano, time_unix_nano, count, exemplars, flags),
            (sum, min, max, scale, zero_count, zero_threshold, (positive, negative)),
        )| ExponentialHistogramDataPoint {
            attributes,
            start_time_unix_nano,
            time_unix_nano,
            count,
            sum,
            scale,
            zero_count,
            positive,
            negative,
            flags,
            exemplars,
            min,
            max,
            zero_threshold,
        },
    );
    (vec(point, 0..3), 0..4_i32).prop_map(|(data_points, aggregation_temporality)| {
        ExponentialHistogram {
            data_points,
            aggregation_temporality,
        }
    })
}

fn summary(doubles: Doubles) -> impl Strategy<Value = Summary> {
    let quantile = (double(doubles), double(doubles))
        .prop_map(|(quantile, value)| ValueAtQuantile { quantile, value });
    let point = (
        attributes(doubles),
        any::<u64>(),
        any::<u64>(),
        any::<u64>(),
        double(doubles),
        vec(quantile, 0..3),
        0..3_u32,
    )
        .prop_map(
            |(
                attributes,
                start_time_unix_nano,
                time_unix_nano,
                count,
                sum,
                quantile_values,
                flags,
            )| {
                SummaryDataPoint {
                    attributes,
                    start_time_unix_nano,
                    time_unix_nano,
                    count,
                    sum,
                    quantile_values,
                    flags,
                }
            },
        );
    vec(point, 0..3).prop_map(|data_points| Summary { data_points })
}

fn metric(doubles: Doubles) -> impl Strategy<Value = Metric> {
    let sum = (number_points(doubles), 0..4_i32, any::<bool>()).prop_map(
        |(data_points, aggregation_temporality, is_monotonic)| Sum {
            data_points,
            aggregation_temporality,
            is_monotonic,
        },
    );
    let data = prop_oneof![
        number_points(doubles).prop_map(|data_points| Data::Gauge(Gauge { data_points })),
        sum.prop_map(Data::Sum),
        histogram(doubles).prop_map(Data::Histogram),
        exponential_histogram(doubles).prop_map(Data::ExponentialHistogram),
        summary(doubles).prop_map(Data::Summary),
    ];
    let unit = prop_oneof![Just("By".to_owned()), Just("1".to_owned()), text()];
    (text(), text(), unit, attributes(doubles), option::of(data)).prop_map(
        |(name, description, unit, metadata, data)| Metric {
            name,
            description,
            unit,
            metadata,
            data,
        },
    )
}

pub(crate) fn metrics_request(
    doubles: Doubles,
) -> impl Strategy<Value = ExportMetricsServiceRequest> {
    let scope_metrics = (scope(doubles), vec(metric(doubles), 0..3), text()).prop_map(
        |(scope, metrics, schema_url)| ScopeMetrics {
            scope,
            metrics,
            schema_url,
        },
    );
    let resource_metrics = (resource(doubles), vec(scope_metrics, 0..3), text()).prop_map(
        |(resource, scope_metrics, schema_url)| ResourceMetrics {
            resource,
            scope_metrics,
            schema_url,
        },
    );
    vec(resource_metrics, 0..3)
        .prop_map(|resource_metrics| ExportMetricsServiceRequest { resource_metrics })
}

fn span(doubles: Doubles) -> impl Strategy<Value = Span> {
    let id = |length: usize| {
        prop_oneof![
            8 => vec(any::<u8>(), length),
            1 => Just(vec![0; length]),
            1 => vec(any::<u8>(), 0..20),
        ]
    };
    let ids = (id(16), id(8), id(8), text(), any::<u32>());
    let event = (any::<u64>(), text(), attributes(doubles), any::<u32>()).prop_map(
        |(time_unix_nano, name, attributes, dropped_attributes_count)| Event {
            time_unix_nano,
            name,
            attributes,
            dropped_attributes_count,
        },
    );
    let link = (ids.clone(), attributes(doubles), any::<u32>()).prop_map(
        |((trace_id, span_id, _, trace_state, flags), attributes, dropped_attributes_count)| Link {
            trace_id,
            span_id,
            trace_state,
            attributes,
            dropped_attributes_count,
            flags,
        },
    );
    let status = (text(), 0..4_i32).prop_map(|(message, code)| Status { message, code });
    let what = (
        text(),
        0..7_i32,
        prop_oneof![Just(1_700_000_000_000_000_000_u64), any::<u64>()],
        any::<u64>(),
        attributes(doubles),
        any::<u32>(),
    );
    let rest = (
        vec(event, 0..2),
        any::<u32>(),
        vec(link, 0..2),
        any::<u32>(),
        option::of(status),
    );
    (ids, what, rest).prop_map(
        |(
            (trace_id, span_id, parent_span_id, trace_state, flags),
            (name, kind, start, end, attributes, dropped_attributes_count),
            (events, dropped_events_count, links, dropped_links_count, status),
        )| Span {
            trace_id,
            span_id,
            trace_state,
            parent_span_id,
            flags,
            name,
            kind,
            start_time_unix_nano: start,
            end_time_unix_nano: end,
            attributes,
            dropped_attributes_count,
            events,
            dropped_events_count,
            links,
            dropped_links_count,
            status,
        },
    )
}

pub(crate) fn trace_request(doubles: Doubles) -> impl Strategy<Value = ExportTraceServiceRequest> {
    let scope_spans = (scope(doubles), vec(span(doubles), 0..3), text()).prop_map(
        |(scope, spans, schema_url)| ScopeSpans {
            scope,
            spans,
            schema_url,
        },
    );
    let resource_spans = (resource(doubles), vec(scope_spans, 0..3), text()).prop_map(
        |(resource, scope_spans, schema_url)| ResourceSpans {
            resource,
            scope_spans,
            schema_url,
        },
    );
    vec(resource_spans, 0..3)
        .prop_map(|resource_spans| ExportTraceServiceRequest { resource_spans })
}
