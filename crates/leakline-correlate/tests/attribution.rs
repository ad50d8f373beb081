//! Spans and a gain in, ranked operations out.

use std::convert::Infallible;
use std::time::Duration;

use expect_test::{Expect, expect};
use leakline_correlate::{
    Correlation, DumpTime, Growth, MAX_OPERATIONS, Metrics, Operations, SAMPLE_TRACES, Window,
    attribute, operations,
};
use leakline_model::{
    ProcessKey, Span, SpanId, SpanKind, SpanStatus, TimeRange, Timestamp, TraceId,
};

fn at(seconds: f64) -> Timestamp {
    Timestamp::from_seconds(1_763_800_000.0 + seconds)
}

/// Dumps taken from 0 s to 1 s and from 60 s to 61 s.
fn window() -> Window {
    Window::between(
        DumpTime::of_capture(TimeRange::new(at(0.0), at(1.0))),
        DumpTime::of_capture(TimeRange::new(at(60.0), at(61.0))),
    )
}

fn process() -> ProcessKey {
    ProcessKey {
        service: "shop".to_owned(),
        instance: "a".to_owned(),
        version: String::new(),
    }
}

/// Makes spans with ids of their own.
#[derive(Default)]
struct Traffic {
    spans: Vec<Span>,
}

impl Traffic {
    fn add(&mut self, operation: &str, kind: SpanKind, start: f64, parent: Option<usize>) -> usize {
        let number = self.spans.len() as u64 + 1;
        let parent = parent.map(|i| (self.spans[i].trace_id, self.spans[i].span_id));
        let mut trace_id = [0; 16];
        trace_id[8..].copy_from_slice(&number.to_be_bytes());
        self.spans.push(Span {
            trace_id: parent.map_or(TraceId(trace_id), |(trace, _)| trace),
            span_id: SpanId(number.to_be_bytes()),
            parent_id: parent.map(|(_, span)| span),
            service: "shop".to_owned(),
            instance: "a".to_owned(),
            operation: operation.to_owned(),
            kind,
            status: SpanStatus::Unset,
            start: at(start),
            end: at(start + 0.004),
            attributes: Vec::new(),
        });
        self.spans.len() - 1
    }

    /// `count` calls spread evenly between the dumps, each perhaps with a call inside.
    fn steady(&mut self, operation: &str, count: u64, inside: Option<&str>) {
        for i in 0..count {
            let start = 1.5 + 58.0 * i as f64 / count as f64;
            let outer = self.add(operation, SpanKind::Server, start, None);
            if let Some(inner) = inside {
                self.add(inner, SpanKind::Internal, start + 0.001, Some(outer));
                self.add("SELECT shop", SpanKind::Client, start + 0.002, Some(outer));
            }
        }
    }

    fn operations(&self) -> Operations {
        let spans = self.spans.iter().cloned().map(Ok::<_, Infallible>);
        let Ok(operations) = operations(spans, &process(), window());
        operations
    }
}

fn growth(objects: u64) -> Growth {
    Growth {
        objects,
        bytes: objects * 1_000,
        holder_class: "com.shop.OrderController".to_owned(),
        class: "com.shop.Order".to_owned(),
    }
}

fn said(correlation: &Correlation) -> String {
    let mut text = String::new();
    for a in &correlation.attributions {
        let inside = match &a.runs_inside {
            Some(outer) => format!(" inside {outer}"),
            None => String::new(),
        };
        text += &format!(
            "{:.2} {}{inside}: {} calls{}, {:.3} kept ({:.3} to {:.3}), {:.0} B\n",
            a.confidence,
            a.operation,
            a.calls,
            if a.calls_known { "" } else { " at least" },
            a.kept_objects_per_call,
            a.interval.0,
            a.interval.1,
            a.kept_bytes_per_call
        );
        a.reasons
            .iter()
            .for_each(|reason| text += &format!("  + {reason}\n"));
        a.doubts
            .iter()
            .for_each(|doubt| text += &format!("  - {doubt}\n"));
    }
    correlation
        .notes
        .iter()
        .for_each(|note| text += &format!("note: {note}\n"));
    text
}

fn check(traffic: &Traffic, gained: u64, metrics: &Metrics, expected: Expect) {
    expected.assert_eq(&said(&attribute(
        &growth(gained),
        &traffic.operations(),
        metrics,
    )));
}

fn shop() -> Traffic {
    let mut traffic = Traffic::default();
    traffic.steady("POST /orders", 1_000, Some("process.order"));
    traffic.steady("GET /orders/{id}", 2_310, None);
    traffic.steady("GET /health", 12, None);
    traffic
}

#[test]
fn one_kept_object_per_call_names_the_innermost_operation() {
    check(
        &shop(),
        1_000,
        &Metrics::default(),
        expect![[r#"
            0.90 process.order inside POST /orders: 1000 calls at least, 1.000 kept (0.939 to 1.064), 1000 B
              + 1,000 gained in 1,000 calls: 1.00 per call
              - whether traces are sampled is not known; if they are, there were more calls, and each keeps as many fewer objects
            0.00 GET /orders/{id}: 2310 calls at least, 0.433 kept (0.406 to 0.461), 433 B
              + 1,000 gained in 2,310 calls: 0.43 per call
              - whether traces are sampled is not known; if they are, there were more calls, and each keeps as many fewer objects
            0.00 GET /health: 12 calls at least, 83.333 kept (78.248 to 88.663), 83333 B
              + 1,000 gained in 12 calls: 83.3 per call
              - with 12 calls, each would have to keep 83.3
              - whether traces are sampled is not known; if they are, there were more calls, and each keeps as many fewer objects
            note: calls are counted from spans; no request metric tells whether traces are sampled
        "#]],
    );
}

#[test]
fn three_kept_objects_per_call_are_found_as_well() {
    check(
        &shop(),
        6_930,
        &Metrics::default(),
        expect![[r#"
            0.90 GET /orders/{id}: 2310 calls at least, 3.000 kept (2.930 to 3.071), 3000 B
              + 6,930 gained in 2,310 calls: 3.00 per call
              - whether traces are sampled is not known; if they are, there were more calls, and each keeps as many fewer objects
            0.01 process.order inside POST /orders: 1000 calls at least, 6.930 kept (6.768 to 7.095), 6930 B
              + 6,930 gained in 1,000 calls: 6.93 per call
              - whether traces are sampled is not known; if they are, there were more calls, and each keeps as many fewer objects
            0.00 GET /health: 12 calls at least, 577.500 kept (563.982 to 591.260), 577500 B
              + 6,930 gained in 12 calls: 578 per call
              - with 12 calls, each would have to keep 578
              - whether traces are sampled is not known; if they are, there were more calls, and each keeps as many fewer objects
            note: calls are counted from spans; no request metric tells whether traces are sampled
        "#]],
    );
}

#[test]
fn operations_called_equally_often_tie() {
    let mut traffic = Traffic::default();
    traffic.steady("POST /orders", 1_000, None);
    traffic.steady("POST /invoices", 1_001, None);
    check(
        &traffic,
        1_000,
        &Metrics::default(),
        expect![[r#"
            0.50 POST /orders: 1000 calls at least, 1.000 kept (0.939 to 1.064), 1000 B
              + 1,000 gained in 1,000 calls: 1.00 per call
              - called as often as POST /invoices; counts cannot tell them apart
              - whether traces are sampled is not known; if they are, there were more calls, and each keeps as many fewer objects
            0.50 POST /invoices: 1001 calls at least, 0.999 kept (0.938 to 1.063), 999 B
              + 1,000 gained in 1,001 calls: 1.00 per call
              - called as often as POST /orders; counts cannot tell them apart
              - whether traces are sampled is not known; if they are, there were more calls, and each keeps as many fewer objects
            note: calls are counted from spans; no request metric tells whether traces are sampled
        "#]],
    );
}

#[test]
fn code_attributes_that_name_the_holder_break_a_tie() {
    let mut traffic = Traffic::default();
    traffic.steady("POST /orders", 1_000, None);
    traffic.steady("POST /invoices", 1_000, None);
    for span in &mut traffic.spans {
        let class = match span.operation.as_str() {
            "POST /orders" => "com.shop.OrderController.create",
            _ => "com.shop.InvoiceController.create",
        };
        span.attributes = vec![("code.function.name".to_owned(), class.to_owned())];
    }
    check(
        &traffic,
        1_000,
        &Metrics::default(),
        expect![[r#"
            0.97 POST /orders: 1000 calls at least, 1.000 kept (0.939 to 1.064), 1000 B
              + 1,000 gained in 1,000 calls: 1.00 per call
              + its spans name OrderController, which holds the objects
              - whether traces are sampled is not known; if they are, there were more calls, and each keeps as many fewer objects
            0.03 POST /invoices: 1000 calls at least, 1.000 kept (0.939 to 1.064), 1000 B
              + 1,000 gained in 1,000 calls: 1.00 per call
              - whether traces are sampled is not known; if they are, there were more calls, and each keeps as many fewer objects
            note: calls are counted from spans; no request metric tells whether traces are sampled
        "#]],
    );
}

#[test]
fn growth_over_time_breaks_a_tie() {
    // both run 800 times: one early, one late; the heap grows early
    let mut traffic = Traffic::default();
    for i in 0..800 {
        traffic.add("early", SpanKind::Server, 1.5 + f64::from(i) * 0.035, None);
        traffic.add("late", SpanKind::Server, 31.0 + f64::from(i) * 0.035, None);
    }
    let floor = (0..=60)
        .map(|s| (at(f64::from(s)), 1e6 + f64::from(s.min(30)) * 27_000.0))
        .collect();
    let metrics = Metrics {
        requests: None,
        floor,
    };
    check(
        &traffic,
        800,
        &metrics,
        expect![[r#"
            0.99 early: 800 calls at least, 1.000 kept (0.932 to 1.072), 1000 B
              + 800 gained in 800 calls: 1.00 per call
              + the heap grew when it was called, compared over slices of 4 s
              - whether traces are sampled is not known; if they are, there were more calls, and each keeps as many fewer objects
            0.00 late: 800 calls at least, 1.000 kept (0.932 to 1.072), 1000 B
              + 800 gained in 800 calls: 1.00 per call
              - the heap did not grow when it was called, compared over slices of 4 s
              - whether traces are sampled is not known; if they are, there were more calls, and each keeps as many fewer objects
            note: calls are counted from spans; no request metric tells whether traces are sampled
        "#]],
    );
}

#[test]
fn sampled_traces_are_scaled_by_the_request_count() {
    let mut traffic = Traffic::default();
    traffic.steady("POST /orders", 100, None);
    traffic.steady("GET /orders/{id}", 240, None);
    let metrics = Metrics {
        requests: Some(3_400.0),
        floor: Vec::new(),
    };
    check(
        &traffic,
        1_000,
        &metrics,
        expect![[r#"
            0.89 POST /orders: 1000 calls, 1.000 kept (0.785 to 1.323), 1000 B
              + 1,000 gained in 1,000 calls: 1.00 per call
            0.10 GET /orders/{id}: 2400 calls, 0.417 kept (0.347 to 0.508), 417 B
              + 1,000 gained in 2,400 calls: 0.42 per call
            note: traces are sampled: 340 server spans for 3,400 requests in 1 min; calls are scaled by 10.0
        "#]],
    );
}

#[test]
fn traces_that_match_the_request_count_are_complete() {
    let mut traffic = Traffic::default();
    traffic.steady("POST /orders", 1_000, None);
    let metrics = Metrics {
        requests: Some(1_003.0),
        floor: Vec::new(),
    };
    check(
        &traffic,
        1_000,
        &metrics,
        expect![[r#"
        0.90 POST /orders: 1000 calls, 1.000 kept (0.939 to 1.064), 1000 B
          + 1,000 gained in 1,000 calls: 1.00 per call
        note: traces are not sampled: 1,000 server spans for 1,003 requests in 1 min
    "#]],
    );
}

#[test]
fn too_few_requests_do_not_tell_whether_traces_are_sampled() {
    let known = |spans: u64, requests: f64| {
        let mut traffic = Traffic::default();
        traffic.steady("POST /orders", spans, None);
        let metrics = Metrics {
            requests: Some(requests),
            floor: Vec::new(),
        };
        let correlation = attribute(&growth(8), &traffic.operations(), &metrics);
        let first = &correlation.attributions[0];
        (first.calls, first.calls_known)
    };
    assert_eq!(known(8, 8.0), (8, true));
    assert_eq!(known(1, 3.0), (1, false));
    assert_eq!(known(8, 10.0), (8, false));
    assert_eq!(known(8, 80.0), (80, true));
}

/// The request metric and the spans are compared over the time between two of its exports,
/// which is not the time between the dumps.
#[test]
fn spans_are_compared_with_requests_over_the_time_that_was_counted() {
    let mut traffic = Traffic::default();
    for second in -60..120 {
        for _ in 0..10 {
            traffic.add("POST /orders", SpanKind::Server, f64::from(second), None);
        }
    }
    let mut window = window();
    window.counted = TimeRange::new(at(-30.0), at(90.0));
    let spans = traffic.spans.iter().cloned().map(Ok::<_, Infallible>);
    let Ok(operations) = operations(spans, &process(), window);
    assert_eq!(operations.server_calls, 1_200);
    assert_eq!(operations.operations[0].calls, 600);
    assert!(window.spans_started().start <= at(-30.0));
    assert!(window.spans_started().end >= at(90.0));
    // half of the calls are traced
    let metrics = Metrics {
        requests: Some(2_400.0),
        floor: Vec::new(),
    };
    expect![[r#"
        0.90 POST /orders: 1200 calls, 1.000 kept (0.848 to 1.171), 1000 B
          + 1,200 gained in 1,200 calls: 1.00 per call
        note: traces are sampled: 1,200 server spans for 2,400 requests in 2 min; calls are scaled by 2.0
    "#]].assert_eq(&said(&attribute(&growth(1_200), &operations, &metrics)));
}

#[test]
fn a_gain_that_no_operation_matches_is_not_forced_on_one() {
    let mut traffic = Traffic::default();
    traffic.steady("GET /health", 12, None);
    check(
        &traffic,
        50_007,
        &Metrics::default(),
        expect![[r#"
            0.01 GET /health: 12 calls at least, 4167.250 kept (4130.804 to 4203.938), 4167250 B
              + 50,007 gained in 12 calls: 4,167 per call
              - with 12 calls, each would have to keep 4,167
              - whether traces are sampled is not known; if they are, there were more calls, and each keeps as many fewer objects
            note: calls are counted from spans; no request metric tells whether traces are sampled
        "#]],
    );
}

#[test]
fn nothing_gained_and_nothing_called_are_said() {
    check(
        &shop(),
        0,
        &Metrics::default(),
        expect![[r#"
        note: calls are counted from spans; no request metric tells whether traces are sampled
        note: the suspect gained no objects in this time, so there is nothing to attribute
    "#]],
    );
    check(
        &Traffic::default(),
        10,
        &Metrics::default(),
        expect![[r#"
        note: calls are counted from spans; no request metric tells whether traces are sampled
        note: no operation of this process ran in this time, as far as its spans tell
    "#]],
    );
}

#[test]
fn calls_during_a_dump_widen_the_bounds() {
    let mut traffic = Traffic::default();
    for start in [-0.5, 0.2, 0.999, 30.0, 59.999, 60.5, 61.5] {
        traffic.add("op", SpanKind::Server, start, None);
    }
    let operations = traffic.operations();
    let op = &operations.operations[0];
    // those at 0.2 and 0.999 ended after the likely moment of the first dump, that at 59.999
    // ended after the likely moment of the second
    assert_eq!((op.calls_at_least, op.calls, op.calls_at_most), (1, 3, 5));
}

#[test]
fn the_order_of_spans_does_not_matter() {
    let mut traffic = shop();
    let forwards = traffic.operations();
    traffic.spans.reverse();
    assert_eq!(traffic.operations(), forwards);
    assert!(!forwards.operations[0].sample_traces.is_empty());
}

#[test]
fn samples_spread_over_the_window() {
    let mut traffic = Traffic::default();
    traffic.steady("op", 500, None);
    let operations = traffic.operations();
    let samples = &operations.operations[0].sample_traces;
    assert_eq!(samples.len(), SAMPLE_TRACES);
    let start = |trace: &TraceId| {
        let span = traffic.spans.iter().find(|span| span.trace_id == *trace);
        span.unwrap().start
    };
    let starts: Vec<Timestamp> = samples.iter().map(start).collect();
    assert!(starts.is_sorted());
    assert!(starts[SAMPLE_TRACES - 1].duration_since(starts[0]) > Duration::from_secs(40));
}

#[test]
fn other_processes_do_not_count() {
    let mut traffic = shop();
    let all = traffic.operations();
    for span in shop().spans {
        for (service, instance) in [("other", "a"), ("shop", "b")] {
            traffic.spans.push(Span {
                service: service.to_owned(),
                instance: instance.to_owned(),
                ..span.clone()
            });
        }
    }
    assert_eq!(traffic.operations(), all);
}

#[test]
fn names_made_of_ids_do_not_fill_memory() {
    let mut traffic = Traffic::default();
    for i in 0..MAX_OPERATIONS + 50 {
        traffic.add(&format!("GET /orders/{i}"), SpanKind::Server, 10.0, None);
    }
    let operations = traffic.operations();
    assert_eq!(operations.operations.len(), MAX_OPERATIONS);
    assert_eq!(operations.spans_beyond_limit, 50);
    let notes = attribute(&growth(5), &operations, &Metrics::default()).notes;
    assert!(
        notes
            .iter()
            .any(|note| note.contains("50 spans were left out")),
        "{notes:?}"
    );
}

#[test]
fn of_two_that_call_each_other_neither_is_dropped() {
    let mut traffic = Traffic::default();
    for i in 0..4 {
        let start = 2.0 + f64::from(i) * 10.0;
        let mut parent = traffic.add("even", SpanKind::Internal, start, None);
        for depth in 0..60 {
            let operation = if depth % 2 == 0 { "odd" } else { "even" };
            parent = traffic.add(operation, SpanKind::Internal, start, Some(parent));
        }
    }
    traffic.steady("GET /health", 12, None);
    let correlation = attribute(&growth(120), &traffic.operations(), &Metrics::default());
    let names: Vec<&str> = correlation
        .attributions
        .iter()
        .map(|a| &*a.operation)
        .collect();
    assert_eq!(names, ["odd", "even", "GET /health"]);
}
