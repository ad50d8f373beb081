//! Requests to samples and spans.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "the helpers of a test may panic as the test itself"
)]

use std::fmt::Write as _;

use expect_test::{Expect, expect};
use leakline_model::{Labels, is_stale_marker};
use leakline_otlp::{
    Encoding, Translated, Translation, decode, translate_metrics, translate_traces,
};

/// Series and their values, resources, and what was said.
fn show(translated: &Translated) -> String {
    let mut out = String::new();
    for series in &translated.batch.series {
        for sample in &series.samples {
            let value = match sample.value {
                value if is_stale_marker(value) => "stale".to_owned(),
                value => value.to_string(),
            };
            let millis = sample.timestamp.as_millis() - 1_700_000_000_000;
            writeln!(out, "{} {value} @{millis}", series.labels).unwrap();
        }
    }
    for span in &translated.batch.spans {
        writeln!(out, "{span:?}").unwrap();
    }
    for (resource, time) in &translated.batch.resources {
        writeln!(out, "resource {:?} @{time}", resource.attributes).unwrap();
    }
    if !translated.message.is_empty() {
        writeln!(out, "{}: {}", translated.rejected, translated.message).unwrap();
    }
    out
}

/// `$N` in the JSON stands for a time, N milliseconds after a fixed one.
fn with_times(json: &str) -> String {
    let mut parts = json.split('$');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let digits = part.len() - part.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let millis: u64 = part[..digits].parse().unwrap();
        write!(
            out,
            "\"{}000000\"{}",
            1_700_000_000_000 + millis,
            &part[digits..]
        )
        .unwrap();
    }
    out
}

fn translate(resource: &str, metrics: &str, translation: &Translation) -> Translated {
    let json = with_times(&format!(
        r#"{{"resourceMetrics":[{{"resource":{{"attributes":[{resource}]}},"scopeMetrics":[{{"metrics":[{metrics}]}}]}}]}}"#
    ));
    let request = decode(Encoding::Json, json.as_bytes()).unwrap();
    translate_metrics(&request, translation)
}

fn check(metrics: &str, expected: &Expect) {
    expected.assert_eq(&show(&translate("", metrics, &Translation::default())));
}

fn text(key: &str, value: &str) -> String {
    format!(r#"{{"key":"{key}","value":{{"stringValue":"{value}"}}}}"#)
}

#[test]
fn gauges_and_sums() {
    check(
        r#"{"name":"v8js.memory.heap.used","unit":"By","gauge":{"dataPoints":[
            {"timeUnixNano":$0,"asInt":"12","attributes":[{"key":"v8js.heap.space.name","value":{"stringValue":"old_space"}}]},
            {"timeUnixNano":$5,"asDouble":0.5}]}},
          {"name":"dotnet.gc.heap.total_allocated","unit":"By","sum":{"isMonotonic":true,"aggregationTemporality":2,"dataPoints":[
            {"timeUnixNano":$0,"asInt":"9223372036854775807"}]}},
          {"name":"jvm.thread.count","unit":"{thread}","sum":{"aggregationTemporality":2,"dataPoints":[
            {"timeUnixNano":$0,"asInt":"-1","attributes":[{"key":"jvm.thread.daemon","value":{"boolValue":true}},{"key":"n","value":{"intValue":"7"}}]}]}}"#,
        &expect![[r#"
            v8js_memory_heap_used_bytes{job="unknown_service",v8js_heap_space_name="old_space"} 12 @0
            v8js_memory_heap_used_bytes{job="unknown_service"} 0.5 @5
            dotnet_gc_heap_allocated_bytes_total{job="unknown_service"} 9223372036854776000 @0
            jvm_thread_count{job="unknown_service",jvm_thread_daemon="true",n="7"} -1 @0
            resource {} @2023-11-14T22:13:20.005Z
        "#]],
    );
}

#[test]
fn histograms() {
    check(
        r#"{"name":"jvm.gc.duration","unit":"s","histogram":{"aggregationTemporality":2,"dataPoints":[
            {"timeUnixNano":$0,"count":"7","sum":1.5,"bucketCounts":["1","2","4"],"explicitBounds":[0.01,1],
             "attributes":[{"key":"jvm.gc.name","value":{"stringValue":"G1"}},{"key":"le","value":{"stringValue":"mine"}}]},
            {"timeUnixNano":$1,"count":"2","bucketCounts":["2"]},
            {"timeUnixNano":$2,"count":"3","explicitBounds":[-1e21,0,"Infinity"],"bucketCounts":[1,1,1,0]},
            {"timeUnixNano":$3,"flags":1,"explicitBounds":[0.01]}]}}"#,
        &expect![[r#"
            jvm_gc_duration_seconds_sum{job="unknown_service",jvm_gc_name="G1",le="mine"} 1.5 @0
            jvm_gc_duration_seconds_count{job="unknown_service",jvm_gc_name="G1",le="mine"} 7 @0
            jvm_gc_duration_seconds_bucket{job="unknown_service",jvm_gc_name="G1",le="0.01"} 1 @0
            jvm_gc_duration_seconds_bucket{job="unknown_service",jvm_gc_name="G1",le="1"} 3 @0
            jvm_gc_duration_seconds_bucket{job="unknown_service",jvm_gc_name="G1",le="+Inf"} 7 @0
            jvm_gc_duration_seconds_count{job="unknown_service"} 2 @1
            jvm_gc_duration_seconds_bucket{job="unknown_service",le="+Inf"} 2 @1
            jvm_gc_duration_seconds_count{job="unknown_service"} 3 @2
            jvm_gc_duration_seconds_bucket{job="unknown_service",le="-1000000000000000000000"} 1 @2
            jvm_gc_duration_seconds_bucket{job="unknown_service",le="0"} 2 @2
            jvm_gc_duration_seconds_bucket{job="unknown_service",le="+Inf"} 3 @2
            jvm_gc_duration_seconds_sum{job="unknown_service"} stale @3
            jvm_gc_duration_seconds_count{job="unknown_service"} stale @3
            jvm_gc_duration_seconds_bucket{job="unknown_service",le="0.01"} stale @3
            jvm_gc_duration_seconds_bucket{job="unknown_service",le="+Inf"} stale @3
            resource {} @2023-11-14T22:13:20.003Z
        "#]],
    );
}

#[test]
fn exponential_histograms_and_summaries() {
    check(
        r#"{"name":"jvm.memory.allocation","unit":"By","exponentialHistogram":{"aggregationTemporality":2,"dataPoints":[
            {"timeUnixNano":$0,"count":"7","sum":1.5,"scale":3,"positive":{"bucketCounts":["7"]}},
            {"timeUnixNano":$0,"count":"7"}]}},
          {"name":"rpc","unit":"ms","summary":{"dataPoints":[
            {"timeUnixNano":$0,"count":"7","sum":1.5,"quantileValues":[{"quantile":0.5,"value":3},{"quantile":1,"value":9}]},
            {"timeUnixNano":$1,"flags":1,"quantileValues":[{"quantile":0.5}]}]}}"#,
        &expect![[r#"
            jvm_memory_allocation_bytes_sum{job="unknown_service"} 1.5 @0
            jvm_memory_allocation_bytes_count{job="unknown_service"} 7 @0
            jvm_memory_allocation_bytes_count{job="unknown_service"} 7 @0
            rpc_milliseconds_sum{job="unknown_service"} 1.5 @0
            rpc_milliseconds_count{job="unknown_service"} 7 @0
            rpc_milliseconds{job="unknown_service",quantile="0.5"} 3 @0
            rpc_milliseconds{job="unknown_service",quantile="1"} 9 @0
            rpc_milliseconds_sum{job="unknown_service"} stale @1
            rpc_milliseconds_count{job="unknown_service"} stale @1
            rpc_milliseconds{job="unknown_service",quantile="0.5"} stale @1
            resource {} @2023-11-14T22:13:20.001Z
        "#]],
    );
}

#[test]
fn staleness_markers_are_told_from_nan() {
    check(
        r#"{"name":"g","gauge":{"dataPoints":[{"timeUnixNano":$0,"flags":1},{"timeUnixNano":$1,"asDouble":"NaN"},{"timeUnixNano":$2,"flags":3,"asInt":"4"}]}}"#,
        &expect![[r#"
            g{job="unknown_service"} stale @0
            g{job="unknown_service"} NaN @1
            g{job="unknown_service"} stale @2
            resource {} @2023-11-14T22:13:20.002Z
        "#]],
    );
}

#[test]
fn labels_of_the_resource() {
    let resource = [
        text("service.name", "orders"),
        text("service.namespace", "shop"),
        text("service.instance.id", "pod-1"),
        text("service.version", "1.5.0"),
        text("process.runtime.name", "OpenJDK"),
        r#"{"key":"process.pid","value":{"intValue":"42"}}"#.to_owned(),
        r#"{"key":"process.command_args","value":{"arrayValue":{"values":[{"stringValue":"java"},{"stringValue":"-jar"}]}}}"#
            .to_owned(),
    ]
    .join(",");
    let metrics = format!(
        r#"{{"name":"up","gauge":{{"dataPoints":[
            {{"timeUnixNano":$0,"asInt":"1","attributes":[{},{},{},{}]}},
            {{"timeUnixNano":$900,"asInt":"2"}},
            {{"timeUnixNano":$100,"asInt":"3"}}]}}}}"#,
        text("job", "mine"),
        text("service.version", "2"),
        text("empty", ""),
        text("__name__", "mine"),
    );
    let default = translate(&resource, &metrics, &Translation::default());
    expect![[r#"
        up{instance="pod-1",job="shop/orders",service_instance_id="pod-1",service_name="orders",service_version="2"} 1 @0
        up{instance="pod-1",job="shop/orders",service_instance_id="pod-1",service_name="orders",service_version="1.5.0"} 2 @900
        up{instance="pod-1",job="shop/orders",service_instance_id="pod-1",service_name="orders",service_version="1.5.0"} 3 @100
        target_info{instance="pod-1",job="shop/orders",process_command_args="[\"java\",\"-jar\"]",process_pid="42",process_runtime_name="OpenJDK",service_version="1.5.0"} 1 @900
        resource {"process.command_args": "[\"java\",\"-jar\"]", "process.pid": "42", "process.runtime.name": "OpenJDK", "service.instance.id": "pod-1", "service.name": "orders", "service.namespace": "shop", "service.version": "1.5.0"} @2023-11-14T22:13:20.900Z
    "#]].assert_eq(&show(&default));
    let none = Translation {
        promoted_attributes: vec!["process.runtime.name".to_owned(), "absent".to_owned()],
    };
    let labels = &translate(&resource, &metrics, &none).batch.series[1].labels;
    expect![[r#"up{instance="pod-1",job="shop/orders",process_runtime_name="OpenJDK"}"#]]
        .assert_eq(&labels.to_string());
}

#[test]
fn a_resource_that_is_only_an_identity_has_no_target_info() {
    let resource = [text("service.name", "a"), text("service.instance.id", "b")].join(",");
    let metrics = r#"{"name":"m","gauge":{"dataPoints":[{"timeUnixNano":$0,"asInt":"1"}]}}"#;
    let translated = translate(&resource, metrics, &Translation::default());
    let names: Vec<&str> = translated
        .batch
        .series
        .iter()
        .map(|series| series.labels.metric_name())
        .collect();
    assert_eq!(names, ["m"]);
}

#[test]
fn keys_that_become_one_label_are_joined() {
    let metrics = format!(
        r#"{{"name":"m","gauge":{{"dataPoints":[{{"timeUnixNano":$0,"asInt":"1","attributes":[{},{},{},{},{}]}}]}}}}"#,
        text("a.b", "2"),
        text("a_b", "3"),
        text("a-b", "1"),
        text("c", "4"),
        text("", "lost"),
    );
    check(
        &metrics,
        &expect![[r#"
            m{a_b="1;2;3",c="4",job="unknown_service"} 1 @0
            resource {} @2023-11-14T22:13:20Z
            0: 1 data point with an attribute key that has no ASCII letter or digit to make a label of: attribute left out (first in "m")
        "#]],
    );
}

#[test]
fn bad_points_are_rejected_singly() {
    check(
        r#"{"name":"good","gauge":{"dataPoints":[{"timeUnixNano":$0,"asInt":"1"},{"asInt":"1"},{"timeUnixNano":$0}]}},
          {"name":"late","gauge":{"dataPoints":[{"timeUnixNano":"18446744073709551615","asInt":"1"}]}},
          {"name":"delta","sum":{"aggregationTemporality":1,"dataPoints":[{"timeUnixNano":$0,"asInt":"1"},{"timeUnixNano":$0,"asInt":"1"}]}},
          {"name":"unsaid","histogram":{"dataPoints":[{"timeUnixNano":$0}]}},
          {"name":"strange","exponentialHistogram":{"aggregationTemporality":9,"dataPoints":[{"timeUnixNano":$0}]}},
          {"name":"日本","gauge":{"dataPoints":[{"timeUnixNano":$0,"asInt":"1"}]}},
          {"name":"buckets","histogram":{"aggregationTemporality":2,"dataPoints":[
            {"timeUnixNano":$0,"explicitBounds":[1]},
            {"timeUnixNano":$0,"explicitBounds":[1],"bucketCounts":[1]},
            {"timeUnixNano":$0,"explicitBounds":[1,1],"bucketCounts":[1,2,3]},
            {"timeUnixNano":$0,"explicitBounds":["NaN"],"bucketCounts":[1,2]},
            {"timeUnixNano":$7,"count":"1"}]}},
          {"name":"nothing"}"#,
        &expect![[r#"
            good{job="unknown_service"} 1 @0
            buckets_count{job="unknown_service"} 1 @7
            buckets_bucket{job="unknown_service",le="+Inf"} 1 @7
            resource {} @2023-11-14T22:13:20.007Z
            12: rejected 2 data points with delta temporality, which is not kept: set OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE=cumulative in the sender (first in "delta"); rejected 2 data points of a sum or histogram without aggregation_temporality (first in "unsaid"); rejected 1 data point of a metric whose name has no ASCII letter or digit to make a Prometheus name of (first in "日本"); rejected 1 data point without time_unix_nano (first in "good"); rejected 1 data point with a time after the year 2262 (first in "late"); rejected 1 data point with neither as_double nor as_int (first in "good"); rejected 2 data points where bucket_counts is not one longer than explicit_bounds (first in "buckets"); rejected 2 data points where explicit_bounds do not increase (first in "buckets")
        "#]],
    );
}

#[test]
fn spans() {
    let json = with_times(
        r#"{"resourceSpans":[
          {"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"orders"}},{"key":"service.instance.id","value":{"stringValue":"i"}}]},
           "scopeSpans":[{"spans":[
            {"traceId":"5B8EFFF798038103D269B633813FC60C","spanId":"EEE19B7EC3C1B174","name":"process.order","kind":2,
             "startTimeUnixNano":$0,"endTimeUnixNano":$250,"status":{"code":2},
             "attributes":[{"key":"thread.id","value":{"intValue":"7"}},{"key":"b","value":{"stringValue":"first"}},
                           {"key":"b","value":{"stringValue":"last"}},{"key":"a","value":{"arrayValue":{"values":[{"intValue":1}]}}}]},
            {"traceId":"5B8EFFF798038103D269B633813FC60C","spanId":"01","name":"short","startTimeUnixNano":$0},
            {"traceId":"5B8EFFF798038103D269B633813FC60C","spanId":"EEE19B7EC3C1B175","parentSpanId":"EEE19B7EC3C1B174","name":"unfinished","kind":99,"startTimeUnixNano":$100}]},
           {"spans":[
            {"traceId":"00000000000000000000000000000000","spanId":"EEE19B7EC3C1B174","name":"zero","startTimeUnixNano":$0},
            {"traceId":"5B8EFFF798038103D269B633813FC60C","spanId":"EEE19B7EC3C1B174","parentSpanId":"EE","name":"orphan","startTimeUnixNano":$0},
            {"traceId":"5B8EFFF798038103D269B633813FC60C","spanId":"EEE19B7EC3C1B174","name":"timeless"},
            {"traceId":"5B8EFFF798038103D269B633813FC60C","spanId":"EEE19B7EC3C1B176","parentSpanId":"0000000000000000","name":"root","kind":3,
             "startTimeUnixNano":$1,"endTimeUnixNano":$2,"status":{"code":1}}]}]},
          {"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"silent"}}]}}]}"#,
    );
    let request = decode(Encoding::Json, json.as_bytes()).unwrap();
    let translated = translate_traces(&request);
    expect![[r#"
        Span { trace_id: 5b8efff798038103d269b633813fc60c, span_id: eee19b7ec3c1b174, parent_id: None, service: "orders", instance: "i", operation: "process.order", kind: Server, status: Error, start: 2023-11-14T22:13:20Z, end: 2023-11-14T22:13:20.250Z, attributes: [("a", "[1]"), ("b", "last"), ("thread.id", "7")] }
        Span { trace_id: 5b8efff798038103d269b633813fc60c, span_id: eee19b7ec3c1b175, parent_id: Some(eee19b7ec3c1b174), service: "orders", instance: "i", operation: "unfinished", kind: Unspecified, status: Unset, start: 2023-11-14T22:13:20.100Z, end: 2023-11-14T22:13:20.100Z, attributes: [] }
        Span { trace_id: 5b8efff798038103d269b633813fc60c, span_id: eee19b7ec3c1b176, parent_id: None, service: "orders", instance: "i", operation: "root", kind: Client, status: Ok, start: 2023-11-14T22:13:20.001Z, end: 2023-11-14T22:13:20.002Z, attributes: [] }
        resource {"service.instance.id": "i", "service.name": "orders"} @2023-11-14T22:13:20.250Z
        4: rejected 1 span with a trace_id that is not 16 bytes or all zero (first in "zero"); rejected 1 span with a span_id that is not 8 bytes or all zero (first in "short"); rejected 1 span with a parent_span_id that is not 8 bytes (first in "orphan"); rejected 1 span without start_time_unix_nano (first in "timeless"); 1 span with an end before the start, which is taken for both (first in "unfinished")
    "#]].assert_eq(&show(&translated));
}

/// What the signals of a runtime are called is agreed between this crate and the alias table.
#[test]
fn runtime_signals_are_recognised() {
    let check = |name: &str, unit: &str, data: &str, key: &str, value: &str| {
        let metric = format!(
            r#"{{"name":"{name}","unit":"{unit}","{data}":{{"aggregationTemporality":2,"dataPoints":[{{"timeUnixNano":$0,"asInt":"1","attributes":[{}]}}]}}}}"#,
            text(key, value)
        );
        let translated = translate("", &metric, &Translation::default());
        assert!(
            translated
                .batch
                .series
                .iter()
                .any(|series| leakline_model::signal::Reading::of_labels(&series.labels).is_some()),
            "{name} is {:?}",
            translated
                .batch
                .series
                .iter()
                .map(|series| &series.labels)
                .collect::<Vec<&Labels>>()
        );
    };
    check("jvm.memory.used", "By", "sum", "jvm.memory.type", "heap");
    check(
        "jvm.memory.used_after_last_gc",
        "By",
        "sum",
        "jvm.memory.type",
        "heap",
    );
    check("jvm.memory.limit", "By", "sum", "jvm.memory.type", "heap");
    check("jvm.gc.duration", "s", "histogram", "jvm.gc.name", "G1");
    check(
        "jvm.thread.count",
        "{thread}",
        "sum",
        "jvm.thread.state",
        "runnable",
    );
    check(
        "v8js.memory.heap.used",
        "By",
        "gauge",
        "v8js.heap.space.name",
        "old_space",
    );
    check(
        "v8js.gc.duration",
        "s",
        "histogram",
        "v8js.gc.type",
        "major",
    );
}
