//! OTLP/JSON as the specification has it, cases in which other readers lose data, and the messages
//! for what is wrong.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "the helpers of a test may panic as the test itself"
)]

use expect_test::{Expect, expect};
use leakline_otlp::{
    Encoding, ExportMetricsServiceRequest, ExportMetricsServiceResponse, ExportTraceServiceRequest,
    ExportTraceServiceResponse, Status, Translated, Translation, decode, encode, translate_metrics,
    translate_traces,
};
use prost::Message as _;

/// The data of one metric, and what it says as canonical JSON.
fn check_metric(json: &str, expected: &Expect) {
    let whole = format!(
        r#"{{"resourceMetrics":[{{"scopeMetrics":[{{"metrics":[{{"name":"m",{json}}}]}}]}}]}}"#
    );
    let request: ExportMetricsServiceRequest =
        decode(Encoding::Json, whole.as_bytes()).unwrap_or_else(|error| panic!("{json}: {error}"));
    let metric = &request.resource_metrics[0].scope_metrics[0].metrics[0];
    assert_eq!(metric.name, "m");
    let canonical = String::from_utf8(encode(Encoding::Json, &request)).unwrap();
    let data = canonical
        .strip_prefix(r#"{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"m","#)
        .unwrap()
        .strip_suffix("}]}]}]}")
        .unwrap();
    expected.assert_eq(data);
}

fn check_point(point: &str, expected: &Expect) {
    check_metric(&format!(r#""gauge":{{"dataPoints":[{point}]}}"#), expected);
}

#[test]
fn numbers_in_every_form() {
    check_point(
        r#"{"asInt":"123"}"#,
        &expect![[r#""gauge":{"dataPoints":[{"asInt":"123"}]}"#]],
    );
    check_point(
        r#"{"asInt":123}"#,
        &expect![[r#""gauge":{"dataPoints":[{"asInt":"123"}]}"#]],
    );
    check_point(
        r#"{"asInt":-9223372036854775808}"#,
        &expect![[r#""gauge":{"dataPoints":[{"asInt":"-9223372036854775808"}]}"#]],
    );
    check_point(
        r#"{"asInt":"0"}"#,
        &expect![[r#""gauge":{"dataPoints":[{"asInt":"0"}]}"#]],
    );
    check_point(
        r#"{"asInt":1e3}"#,
        &expect![[r#""gauge":{"dataPoints":[{"asInt":"1000"}]}"#]],
    );
    check_point(
        r#"{"asDouble":"NaN"}"#,
        &expect![[r#""gauge":{"dataPoints":[{"asDouble":"NaN"}]}"#]],
    );
    check_point(
        r#"{"asDouble":"Infinity"}"#,
        &expect![[r#""gauge":{"dataPoints":[{"asDouble":"Infinity"}]}"#]],
    );
    check_point(
        r#"{"asDouble":"-Infinity"}"#,
        &expect![[r#""gauge":{"dataPoints":[{"asDouble":"-Infinity"}]}"#]],
    );
    check_point(
        r#"{"asDouble":"1.5e3"}"#,
        &expect![[r#""gauge":{"dataPoints":[{"asDouble":1500.0}]}"#]],
    );
    check_point(
        r#"{"asDouble":7}"#,
        &expect![[r#""gauge":{"dataPoints":[{"asDouble":7.0}]}"#]],
    );
    check_point(
        r#"{"asDouble":-0.0}"#,
        &expect![[r#""gauge":{"dataPoints":[{"asDouble":-0.0}]}"#]],
    );
    check_point(
        r#"{"asDouble":5e-324}"#,
        &expect![[r#""gauge":{"dataPoints":[{"asDouble":5e-324}]}"#]],
    );
    check_point(
        r#"{"timeUnixNano":18446744073709551615,"startTimeUnixNano":"1","flags":"1"}"#,
        &expect![[
            r#""gauge":{"dataPoints":[{"startTimeUnixNano":"1","timeUnixNano":"18446744073709551615","flags":1}]}"#
        ]],
    );
}

#[test]
fn unknown_and_null_fields() {
    check_point(
        r#"{"future":{"deep":[1,{"a":null}]},"asInt":"1","as_int":"2","attributes":null,"flags":null}"#,
        &expect![[r#""gauge":{"dataPoints":[{"asInt":"1"}]}"#]],
    );
    check_metric(
        r#""future":[{}],"description":null,"gauge":{},"metadata":[]"#,
        &expect![[r#""gauge":{}"#]],
    );
}

#[test]
fn attribute_values_of_every_type() {
    check_point(
        r#"{"attributes":[
            {"key":"s","value":{"stringValue":"é\u0041\n\"\\\u0001\ud83d\ude00"}},
            {"key":"b","value":{"boolValue":false}},
            {"key":"i","value":{"intValue":"-1"}},
            {"key":"d","value":{"doubleValue":0.1}},
            {"key":"a","value":{"arrayValue":{"values":[{"intValue":1},{},{"arrayValue":{}}]}}},
            {"key":"m","value":{"kvlistValue":{"values":[{"key":"k","value":{"doubleValue":"NaN"}},{}]}}},
            {"key":"x","value":{"bytesValue":"-_8"}},
            {"key":"y","value":{"bytesValue":"+/8="}},
            {"key":"e","value":{}},
            {"key":"n"},
            {"value":{"stringValueStrindex":2},"keyStrindex":1}
        ]}"#,
        &expect![[
            r#""gauge":{"dataPoints":[{"attributes":[{"key":"s","value":{"stringValue":"éA\n\"\\\u0001😀"}},{"key":"b","value":{"boolValue":false}},{"key":"i","value":{"intValue":"-1"}},{"key":"d","value":{"doubleValue":0.1}},{"key":"a","value":{"arrayValue":{"values":[{"intValue":"1"},{},{"arrayValue":{}}]}}},{"key":"m","value":{"kvlistValue":{"values":[{"key":"k","value":{"doubleValue":"NaN"}},{}]}}},{"key":"x","value":{"bytesValue":"+/8="}},{"key":"y","value":{"bytesValue":"+/8="}},{"key":"e","value":{}},{"key":"n"},{"value":{"stringValueStrindex":2},"keyStrindex":1}]}]}"#
        ]],
    );
}

#[test]
fn histograms_survive_their_exemplars() {
    check_metric(
        r#""histogram":{"aggregationTemporality":2,"dataPoints":[{"timeUnixNano":"1","count":"3","sum":"NaN",
            "bucketCounts":["1",2,"0"],"explicitBounds":[0,"Infinity"],"min":0.5,"max":1e300,
            "exemplars":[{"timeUnixNano":"1","asInt":"4","spanId":"EEE19B7EC3C1B174","traceId":"5b8efff798038103d269b633813fc60C",
                "filteredAttributes":[{"key":"k","value":{"stringValue":"v"}}]},{"asDouble":"NaN"}]}]}"#,
        &expect![[
            r#""histogram":{"dataPoints":[{"timeUnixNano":"1","count":"3","sum":"NaN","bucketCounts":["1","2","0"],"explicitBounds":[0.0,"Infinity"],"exemplars":[{"filteredAttributes":[{"key":"k","value":{"stringValue":"v"}}],"timeUnixNano":"1","asInt":"4","spanId":"eee19b7ec3c1b174","traceId":"5b8efff798038103d269b633813fc60c"},{"asDouble":"NaN"}],"min":0.5,"max":1e300}],"aggregationTemporality":2}"#
        ]],
    );
    check_metric(
        r#""exponentialHistogram":{"dataPoints":[{"count":"1"}],"aggregationTemporality":2}"#,
        &expect![[
            r#""exponentialHistogram":{"dataPoints":[{"count":"1"}],"aggregationTemporality":2}"#
        ]],
    );
    check_metric(
        r#""exponentialHistogram":{"dataPoints":[{"scale":-3,"zeroCount":"2","zeroThreshold":1e-128,
            "positive":{"offset":-7,"bucketCounts":["1","18446744073709551615"]},"negative":{}}]}"#,
        &expect![[
            r#""exponentialHistogram":{"dataPoints":[{"scale":-3,"zeroCount":"2","positive":{"offset":-7,"bucketCounts":["1","18446744073709551615"]},"negative":{},"zeroThreshold":1e-128}]}"#
        ]],
    );
    check_metric(
        r#""summary":{"dataPoints":[{"count":2,"sum":3,"quantileValues":[{"quantile":0.99,"value":"Infinity"},{}]}]}"#,
        &expect![[
            r#""summary":{"dataPoints":[{"count":"2","sum":3.0,"quantileValues":[{"quantile":0.99,"value":"Infinity"},{}]}]}"#
        ]],
    );
}

/// The examples of the specification, shortened: `examples/trace.json`.
#[test]
fn spans() {
    let json = r#"{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"my.service"}}]},
        "scopeSpans":[{"scope":{"name":"my.library","version":"1.0.0"},"spans":[{
            "traceId":"5B8EFFF798038103D269B633813FC60C","spanId":"EEE19B7EC3C1B174","parentSpanId":"EEE19B7EC3C1B173",
            "name":"I'm a server span","startTimeUnixNano":"1544712660000000000","endTimeUnixNano":"1544712661000000000",
            "kind":2,"flags":257,"status":{"code":2,"message":"no"},"events":[{"timeUnixNano":1,"name":"e"}],
            "links":[{"traceId":"","spanId":"00ff","flags":768}],"droppedLinksCount":1}]}]}]}"#;
    let request: ExportTraceServiceRequest = decode(Encoding::Json, json.as_bytes()).unwrap();
    expect![[r#"{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"my.service"}}]},"scopeSpans":[{"scope":{"name":"my.library","version":"1.0.0"},"spans":[{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174","parentSpanId":"eee19b7ec3c1b173","flags":257,"name":"I'm a server span","kind":2,"startTimeUnixNano":"1544712660000000000","endTimeUnixNano":"1544712661000000000","events":[{"timeUnixNano":"1","name":"e"}],"links":[{"spanId":"00ff","flags":768}],"droppedLinksCount":1,"status":{"message":"no","code":2}}]}]}]}"#]].assert_eq(&String::from_utf8(encode(Encoding::Json, &request)).unwrap());
}

#[test]
fn both_encodings_say_the_same() {
    let json = r#"{"resourceMetrics":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"orders"}}]},
        "scopeMetrics":[{"metrics":[{"name":"jvm.memory.used","unit":"By","sum":{"aggregationTemporality":2,"dataPoints":[
            {"timeUnixNano":"1700000000000000000","asInt":"5","attributes":[{"key":"jvm.memory.type","value":{"stringValue":"heap"}}]},
            {"timeUnixNano":"1700000000000000000","flags":1}]}}]}]}]}"#;
    let from_json: ExportMetricsServiceRequest = decode(Encoding::Json, json.as_bytes()).unwrap();
    let from_protobuf: ExportMetricsServiceRequest =
        decode(Encoding::Protobuf, &from_json.encode_to_vec()).unwrap();
    let translation = Translation::default();
    let batch = translate_metrics(&from_json, &translation).batch;
    assert_eq!(batch.series.len(), 2);
    assert_eq!(batch, translate_metrics(&from_protobuf, &translation).batch);
}

#[test]
fn faults_are_located() {
    let check = |json: &str, expected: Expect| {
        let error =
            decode::<ExportMetricsServiceRequest>(Encoding::Json, json.as_bytes()).expect_err(json);
        expected.assert_eq(&error.to_string());
    };
    let point = |fields: &str| {
        format!(
            "{{\"resourceMetrics\":[{{}},{{\"scopeMetrics\":[{{\"metrics\":[\n{{\"gauge\":{{\"dataPoints\":[{{{fields}}}]}}}}]}}]}}]}}"
        )
    };
    check(
        "",
        expect!["not OTLP/JSON: line 1 column 0: EOF while parsing a value"],
    );
    check(
        "[]",
        expect!["not OTLP/JSON: line 1 column 0: invalid type: sequence, expected an object"],
    );
    check(
        "{} {}",
        expect!["not OTLP/JSON: line 1 column 4: trailing characters"],
    );
    check(
        "{\"resourceMetrics\":{}}",
        expect![
            "not OTLP/JSON: line 1 column 21, in resourceMetrics: invalid type: map, expected an array"
        ],
    );
    check(
        "{\"resourceMetrics\":[null]}",
        expect![
            "not OTLP/JSON: line 1 column 24, in resourceMetrics[0]: invalid type: null, expected an object"
        ],
    );
    check(
        "{\"resourceMetrics\":[{\"resource\":",
        expect![
            "not OTLP/JSON: line 1 column 32, in resourceMetrics[0].resource: EOF while parsing a value"
        ],
    );
    check(
        &point(r#""asInt":"12x""#),
        expect![[
            r#"not OTLP/JSON: line 2 column 38, in resourceMetrics[1].scopeMetrics[0].metrics[0].gauge.dataPoints[0].asInt: invalid value: string "12x", expected a signed integer of 64 bits"#
        ]],
    );
    check(
        &point(r#""asInt":1.5"#),
        expect![
            "not OTLP/JSON: line 2 column 36, in resourceMetrics[1].scopeMetrics[0].metrics[0].gauge.dataPoints[0].asInt: invalid value: floating point `1.5`, expected a signed integer of 64 bits"
        ],
    );
    check(
        &point(r#""asInt":9223372036854775808"#),
        expect![
            "not OTLP/JSON: line 2 column 52, in resourceMetrics[1].scopeMetrics[0].metrics[0].gauge.dataPoints[0].asInt: invalid value: integer `9223372036854775808`, expected a signed integer of 64 bits"
        ],
    );
    check(
        &point(r#""timeUnixNano":-1"#),
        expect![
            "not OTLP/JSON: line 2 column 42, in resourceMetrics[1].scopeMetrics[0].metrics[0].gauge.dataPoints[0].timeUnixNano: invalid value: integer `-1`, expected an unsigned integer of 64 bits"
        ],
    );
    check(
        &point(r#""asDouble":"nan""#),
        expect![[
            r#"not OTLP/JSON: line 2 column 41, in resourceMetrics[1].scopeMetrics[0].metrics[0].gauge.dataPoints[0].asDouble: invalid value: string "nan", expected a number, "NaN", "Infinity" or "-Infinity""#
        ]],
    );
    check(
        &point(r#""asDouble":true"#),
        expect![[
            r#"not OTLP/JSON: line 2 column 40, in resourceMetrics[1].scopeMetrics[0].metrics[0].gauge.dataPoints[0].asDouble: invalid type: boolean `true`, expected a number, "NaN", "Infinity" or "-Infinity""#
        ]],
    );
    check(
        &point(r#""exemplars":[{},{"traceId":"xyz"}]"#),
        expect![[
            r#"not OTLP/JSON: line 2 column 57, in resourceMetrics[1].scopeMetrics[0].metrics[0].gauge.dataPoints[0].exemplars[1].traceId: invalid value: string "xyz", expected a string in hexadecimal"#
        ]],
    );
    check(
        &point(r#""attributes":[{"key":1}]"#),
        expect![
            "not OTLP/JSON: line 2 column 47, in resourceMetrics[1].scopeMetrics[0].metrics[0].gauge.dataPoints[0].attributes[0].key: invalid value: integer `1`, expected a string"
        ],
    );
    check(
        &point(&format!(
            r#""attributes":[{{"value":{{"bytesValue":"{}"}}}}]"#,
            "*".repeat(500)
        )),
        expect![[
            r#"not OTLP/JSON: line 2 column 564, in resourceMetrics[1].scopeMetrics[0].metrics[0].gauge.dataPoints[0].attributes[0].value.bytesValue: invalid value: string "********************************************************************************", expected a string in base64"#
        ]],
    );
    let mut deep = r#"{"stringValue":"x"}"#.to_owned();
    for _ in 0..60 {
        deep = format!(r#"{{"arrayValue":{{"values":[{deep}]}}}}"#);
    }
    check(
        &point(&format!(r#""attributes":[{{"key":"k","value":{deep}}}]"#)),
        expect![
            "not OTLP/JSON: line 2 column 1023, in resourceMetrics[1].scopeMetrics[0].metrics[0].gauge.dataPoints[0].attributes[0].value.arrayValue.values[0].arrayValue.values[0].arrayValue.values[0].arrayValue.values[0].arrayValue.values[0].arrayValue.values[0].arrayValue.values[0].arrayValue.values[0].arrayValue.values[0].arrayValue.values[0].arrayValue.values[0].arrayValue.values[0].arrayValue.values[0].arrayValue.values[0].arrayValue.values[0].arrayValue.values[0].arrayValue.values[0].arrayValue.values[0].arrayValue.values[0].arrayValue.values[0].arrayValue.values[0].arrayValue.values[0].arrayValue.values[0].arrayValue.values[0].arrayValue.values[0].arrayValue.values[0].arrayValue.values[0].arrayValue.values[0].arrayValue.values[0].arrayValue.values[0].arrayValue.values[0].arrayValue.values[0].arrayValue.values[0].arrayValue.values[0].arrayValue.values[0].arrayValue.values[0].arrayValue.values[0].arrayValue.values[0].arrayValue: recursion limit exceeded"
        ],
    );
}

#[test]
fn faults_in_protobuf_are_told() {
    let check = |bytes: &[u8], expected: Expect| {
        let error = decode::<ExportTraceServiceRequest>(Encoding::Protobuf, bytes).unwrap_err();
        expected.assert_eq(&error.to_string());
    };
    check(
        b"\x0a",
        expect![
            "not OTLP in protobuf: failed to decode Protobuf message: ExportTraceServiceRequest.resource_spans: invalid varint; check the content type and the path of the request"
        ],
    );
    check(
        b"{\"resourceSpans\":[]}",
        expect![
            "not OTLP in protobuf: failed to decode Protobuf message: buffer underflow; check the content type and the path of the request"
        ],
    );
    check(
        b"\x0a\x06\x12\x04\x12\x02\x2a\x01",
        expect![
            "not OTLP in protobuf: failed to decode Protobuf message: Span.name: ScopeSpans.spans: ResourceSpans.scope_spans: ExportTraceServiceRequest.resource_spans: buffer underflow; check the content type and the path of the request"
        ],
    );
}

#[test]
fn answers_in_both_encodings() {
    let kept = Translated::default();
    let partial = Translated {
        rejected: 3,
        message: "rejected 3 data points".to_owned(),
        ..Translated::default()
    };
    let warned = Translated {
        message: "1 span that …".to_owned(),
        ..Translated::default()
    };
    let check = |translated: &Translated, metrics: &str, traces: &str| {
        let response = ExportMetricsServiceResponse::from(translated);
        let json = encode(Encoding::Json, &response);
        assert_eq!(String::from_utf8(json).unwrap(), metrics);
        let protobuf = encode(Encoding::Protobuf, &response);
        assert_eq!(decode(Encoding::Protobuf, &protobuf), Ok(response));
        let response = ExportTraceServiceResponse::from(translated);
        let json = encode(Encoding::Json, &response);
        assert_eq!(String::from_utf8(json).unwrap(), traces);
    };
    check(&kept, "{}", "{}");
    check(
        &partial,
        r#"{"partialSuccess":{"rejectedDataPoints":"3","errorMessage":"rejected 3 data points"}}"#,
        r#"{"partialSuccess":{"rejectedSpans":"3","errorMessage":"rejected 3 data points"}}"#,
    );
    check(
        &warned,
        r#"{"partialSuccess":{"errorMessage":"1 span that …"}}"#,
        r#"{"partialSuccess":{"errorMessage":"1 span that …"}}"#,
    );
    let status = Status {
        code: 3,
        message: "bad \"field\"".to_owned(),
    };
    assert_eq!(
        encode(Encoding::Json, &status),
        br#"{"code":3,"message":"bad \"field\""}"#
    );
    assert_eq!(
        encode(Encoding::Protobuf, &status),
        b"\x08\x03\x12\x0bbad \"field\""
    );
}

#[test]
fn content_types() {
    let check = |text: &str, expected: Option<Encoding>| {
        assert_eq!(Encoding::from_content_type(text), expected, "{text}");
    };
    check("application/x-protobuf", Some(Encoding::Protobuf));
    check("application/json", Some(Encoding::Json));
    check("Application/JSON ; charset=utf-8", Some(Encoding::Json));
    check("text/plain", None);
    check("", None);
}

#[test]
fn an_empty_request_is_a_success() {
    let metrics: ExportMetricsServiceRequest = decode(Encoding::Protobuf, b"").unwrap();
    assert_eq!(
        translate_metrics(&metrics, &Translation::default()),
        Translated::default()
    );
    let traces: ExportTraceServiceRequest = decode(Encoding::Json, b" {} ").unwrap();
    assert_eq!(translate_traces(&traces), Translated::default());
}
