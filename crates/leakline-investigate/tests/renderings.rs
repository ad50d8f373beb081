//! Every rendering of every report, as snapshots: `UPDATE_EXPECT=1 cargo test` writes them anew.

mod common;

use common::{
    MIB, assessment, at, growth_rows, healthy_case, heap_report, leak_case, plot, process,
    surroundings,
};
use expect_test::{ExpectFile, expect, expect_file};
use leakline_detect::Verdict;
use leakline_heap::{PathStep, Pattern};
use leakline_investigate::detect_report::{self, ServiceHistory};
use leakline_investigate::plot::PlotView;
use leakline_investigate::{CaseFile, Form, StepKind, build, heap_report as heap, render};

fn check(actual: &str, expected: ExpectFile) {
    expected.assert_eq(actual);
}

#[test]
fn investigation_of_a_leak() {
    let report = build(&leak_case(), &surroundings(true));
    check(
        &render(&report, Form::Text),
        expect_file!["snapshots/leak.txt"],
    );
    check(
        &render(&report, Form::Markdown),
        expect_file!["snapshots/leak.md"],
    );
    check(
        &render(&report, Form::Html),
        expect_file!["snapshots/leak.html"],
    );
    check(
        &render(&report, Form::Json),
        expect_file!["snapshots/leak.json"],
    );
}

#[test]
fn investigation_without_a_leak() {
    let report = build(&healthy_case(), &surroundings(false));
    check(
        &render(&report, Form::Text),
        expect_file!["snapshots/healthy.txt"],
    );
    check(
        &render(&report, Form::Html),
        expect_file!["snapshots/healthy.html"],
    );
}

#[test]
fn investigation_of_metrics_alone() {
    let mut case = leak_case();
    case.dumps.clear();
    case.heap = None;
    case.traces = None;
    case.log.clear();
    case.shortcomings = vec![
        "baseline heap dump not taken: 1.20 GiB free in /var/lib/leakline, 2.10 GiB needed"
            .to_owned(),
    ];
    let report = build(&case, &surroundings(true));
    check(
        &render(&report, Form::Text),
        expect_file!["snapshots/metrics-alone.txt"],
    );
}

#[test]
fn heap_report_of_two_dumps() {
    let (report, growth) = (heap_report(), growth_rows());
    check(
        &heap::render(&report, &growth, Form::Text),
        expect_file!["snapshots/heap.txt"],
    );
    check(
        &heap::render(&report, &growth, Form::Markdown),
        expect_file!["snapshots/heap.md"],
    );
    check(
        &heap::render(&report, &growth, Form::Html),
        expect_file!["snapshots/heap.html"],
    );
    check(
        &heap::render(&report, &growth, Form::Json),
        expect_file!["snapshots/heap.json"],
    );
}

#[test]
fn verdicts_on_services() {
    let leaking = assessment(at("14:06:25"), Verdict::Leaking);
    let mut healthy = assessment(at("14:06:50"), Verdict::Healthy);
    healthy.process.service = "stock-service".to_owned();
    let services = [
        ServiceHistory {
            service: process().service,
            verdict: Verdict::Leaking,
            processes: vec![leaking.clone()],
            transitions: vec![
                assessment(at("14:05:30"), Verdict::Suspected),
                leaking.clone(),
            ],
            plot: PlotView {
                plot: plot(at("14:06:55"), true),
                limit_bytes: leaking.limit_bytes,
                eta: leaking.eta,
                onset: leaking.onset,
                ..PlotView::default()
            },
        },
        ServiceHistory {
            service: "stock-service".to_owned(),
            verdict: Verdict::Healthy,
            processes: vec![healthy.clone()],
            transitions: vec![healthy],
            plot: PlotView::default(),
        },
    ];
    check(
        &detect_report::render(&services, Form::Text),
        expect_file!["snapshots/detect.txt"],
    );
    check(
        &detect_report::render(&services, Form::Markdown),
        expect_file!["snapshots/detect.md"],
    );
    check(
        &detect_report::render(&services, Form::Html),
        expect_file!["snapshots/detect.html"],
    );
    check(
        &detect_report::render(&services, Form::Json),
        expect_file!["snapshots/detect.json"],
    );
}

/// What the report advises, by the kind of place.
#[test]
fn advice_fits_the_pattern() {
    let patterns = [
        Pattern::Map,
        Pattern::Collection,
        Pattern::Queue,
        Pattern::Listeners,
        Pattern::ThreadLocal,
        Pattern::ThreadStack,
        Pattern::ClassLoader,
        Pattern::Finalizer,
        Pattern::Array,
        Pattern::LinkedObjects,
        Pattern::Object,
    ];
    let mut text = String::new();
    for pattern in patterns {
        let mut case = leak_case();
        let suspect = &mut case.heap.as_mut().expect("analysed").report.suspects[0];
        suspect.pattern = pattern;
        if pattern == Pattern::ThreadStack {
            suspect.holder.field = None;
            suspect.holder.thread = Some("queue-consumer".to_owned());
            suspect.holder.frame = Some("OrderQueue.consume (OrderQueue.java:17)".to_owned());
        }
        let report = build(&case, &surroundings(true));
        let cause = report.root_cause.expect("named");
        let fix = report.fix.expect("advised");
        text += &format!("{pattern:?}\n{}\n\n{}\n", cause.why_unbounded, fix.text);
        fix.steps
            .iter()
            .for_each(|step| text += &format!("- {step}\n"));
        text += &format!("{}\n\n\n", fix.code.unwrap_or_default());
    }
    check(&text, expect_file!["snapshots/advice.txt"]);
}

/// A gain of the suspect confirms a leak only where it is most of what memory gained.
#[test]
fn a_leak_is_confirmed_by_what_explains_most_of_the_growth() {
    let outcome = |heap: &[u64], suspect: [u64; 2]| {
        let mut case = leak_case();
        let report = &mut case.heap.as_mut().expect("analysed").report;
        report.reachable_bytes = heap.iter().map(|mib| mib * MIB).collect();
        let growth = report.suspects[0].growth.as_mut().expect("measured");
        growth.bytes = suspect.map(|mib| mib * MIB).to_vec();
        let report = build(&case, &surroundings(true));
        let said = report
            .evidence
            .iter()
            .map(|item| item.claim.to_string())
            .find(|claim| claim.contains("explain"))
            .expect("said");
        let (_, share) = said.split_once("explain ").expect("a share");
        format!("{}: {share}\n", report.outcome.as_str())
    };
    let mut text = outcome(&[73, 101], [61, 88]);
    // the dumps show growth elsewhere
    text += &outcome(&[73, 273], [61, 88]);
    // the floor grew by 26.5 MiB between the dumps, whatever these show
    text += &outcome(&[73, 78], [61, 66]);
    text += &outcome(&[], [61, 88]);
    expect![[r#"
        leak_confirmed: 96 % of the growth of the heap in that time (28.0 MiB).
        leak_likely: 14 % of the growth of the heap in that time (200 MiB).
        leak_likely: 19 % of the growth of the heap in that time (26.5 MiB).
        leak_confirmed: 100 % of the growth of the heap in that time (26.5 MiB).
    "#]]
    .assert_eq(&text);
}

#[test]
fn a_forecast_says_what_the_evidence_says() {
    let forecast = |now: &str, gc_pause: Option<bool>| {
        let mut case = leak_case();
        for assessment in &mut case.assessments {
            for evidence in &mut assessment.evidence {
                if evidence.kind == "gc_frequency"
                    && let Some(supports) = gc_pause
                {
                    evidence.kind = "gc_pause";
                    evidence.supports = supports;
                }
            }
        }
        let mut surroundings = surroundings(true);
        surroundings.now = at(now);
        let report = build(&case, &surroundings);
        format!("{}\n{}\n", report.forecast.text, report.summary)
    };
    let mut text = forecast("14:07:02", None);
    text += &forecast("14:07:02", Some(false));
    text += &forecast("14:07:02", Some(true));
    text += &forecast("14:20:00", Some(true));
    let text: String = text
        .lines()
        .map(|line| match line.split_once(". OrderController") {
            Some((growth, _)) => format!("{growth}\n"),
            None => format!("{line}\n"),
        })
        .collect();
    expect![[r#"
        At 28.4 MiB a minute the heap reaches its limit of 256 MiB at 14:11 (80 % between 14:10 and 14:13), 4 min 25 s after the last data.
        order-service 1.5.0 leaks: what stays in its heap after collections has grown by 28.4 MiB a minute since 14:03:20 UTC, 38 s after 1.5.0 started; it reaches the limit of 256 MiB at 14:11 (80 % between 14:10 and 14:13)
        At 28.4 MiB a minute the heap reaches its limit of 256 MiB at 14:11 (80 % between 14:10 and 14:13), 4 min 25 s after the last data.
        order-service 1.5.0 leaks: what stays in its heap after collections has grown by 28.4 MiB a minute since 14:03:20 UTC, 38 s after 1.5.0 started; it reaches the limit of 256 MiB at 14:11 (80 % between 14:10 and 14:13)
        At 28.4 MiB a minute the heap reaches its limit of 256 MiB at 14:11 (80 % between 14:10 and 14:13), 4 min 25 s after the last data. Before that, collections take ever more of the time [2].
        order-service 1.5.0 leaks: what stays in its heap after collections has grown by 28.4 MiB a minute since 14:03:20 UTC, 38 s after 1.5.0 started; it reaches the limit of 256 MiB at 14:11 (80 % between 14:10 and 14:13)
        At 28.4 MiB a minute the heap would have reached its limit of 256 MiB at 14:11 (80 % between 14:10 and 14:13), 4 min 25 s after the last data. That time has passed, and the data do not tell what came of it.
        order-service 1.5.0 leaks: what stays in its heap after collections has grown by 28.4 MiB a minute since 14:03:20 UTC, 38 s after 1.5.0 started; by that trend it would have reached the limit of 256 MiB at 14:11 (80 % between 14:10 and 14:13)
    "#]].assert_eq(&text);
}

#[test]
fn calls_that_are_not_known_prove_nothing() {
    let mut case = leak_case();
    let why = |case: &CaseFile| {
        let cause = build(case, &surroundings(true)).root_cause;
        cause.expect("named").why_unbounded.to_string()
    };
    assert!(why(&case).contains("nothing was removed"));
    let operation = &mut case.traces.as_mut().expect("compared").attributions[0];
    operation.calls_known = false;
    operation.doubts = vec!["whether traces are sampled is not known".to_owned()];
    assert!(!why(&case).contains("removed"));
    let text = build(&case, &surroundings(true)).trace_evidence.text;
    assert!(text.to_string().contains("is not known"), "{text}");
    let operation = &mut case.traces.as_mut().expect("compared").attributions[0];
    operation.calls_known = true;
    operation.interval = (0.7, 1.4);
    assert!(!why(&case).contains("removed"));
}

/// One row for each version, however many replicas it has.
#[test]
fn replicas_are_counted_and_not_listed() {
    let mut surroundings = surroundings(true);
    let deploys = &mut surroundings.deploys;
    deploys[0].instances = 30;
    deploys[0].instance.clear();
    deploys[1].instances = 31;
    deploys[1].instance.clear();
    deploys[1].at = at("14:02:10");
    let report = build(&leak_case(), &surroundings);
    let starts: String = report
        .timeline
        .iter()
        .filter(|entry| matches!(entry.kind, StepKind::Start | StepKind::Deploy))
        .map(|entry| format!("{} {}\n", entry.at.clock(), entry.text))
        .collect();
    expect![[r#"
        14:00:05 order-service 1.4.0 starts (the first of 30 instances).
        14:02:10 Deploy: order-service 1.5.0 starts (the first of 31 instances).
        14:02:42 order-service 1.5.0 starts (instance 0a5d3f1e…).
    "#]]
    .assert_eq(&starts);
}

#[test]
fn a_field_of_an_object_is_not_made_static() {
    let mut case = leak_case();
    let suspect = &mut case.heap.as_mut().expect("analysed").report.suspects[0];
    suspect.path[0].class = "com.example.orders.OrderController".to_owned();
    suspect.accumulates.key_class = Some("com.example.orders.Key$Id[]".to_owned());
    let code = build(&case, &surroundings(true)).fix.expect("advised").code;
    let code = code.expect("a sketch");
    assert!(
        code.contains("private final Cache<Id[], Order> responseCache ="),
        "{code}"
    );
}

/// Dumps that do not belong together are told of before anything else.
#[test]
fn problems_with_the_comparison_come_first() {
    let mut case = leak_case();
    let report = &mut case.heap.as_mut().expect("analysed").report;
    report.comparison_problems = vec!["dumps 1 and 2 are the same dump".to_owned()];
    report.not_growing = std::mem::take(&mut report.suspects);
    let json = heap::render(report, &[], Form::Json);
    assert!(json.contains("dumps 1 and 2 are the same dump"), "{json}");
    let unknown = build(&case, &surroundings(true)).not_known;
    let unknown: Vec<String> = unknown.iter().map(ToString::to_string).collect();
    expect![[r#"
        Dumps 1 and 2 are the same dump.
        No place grew between the dumps.
        Large, but not growing: static OrderController.responseCache → ConcurrentHashMap holds 9,412 Order (88.1 MiB, 87 %); the map is 4 min old; a cache that fills for the first time looks the same.
        Traces are not sampled: 8,792 server spans for 8,801 requests in 1 min.
    "#]].assert_eq(&(unknown.join("\n") + "\n"));
}

#[test]
fn advice_names_the_innermost_field_of_the_applications_own() {
    let mut case = leak_case();
    let suspect = &mut case.heap.as_mut().expect("analysed").report.suspects[0];
    suspect.path.insert(
        1,
        PathStep {
            class: "com.example.orders.ResponseCache".to_owned(),
            field: Some("byId".to_owned()),
            object_id: 0xf000_1800,
        },
    );
    let report = build(&case, &surroundings(true));
    let fix = report.fix.expect("advised");
    assert!(
        fix.text.to_string().contains("ResponseCache.byId"),
        "{}",
        fix.text
    );
    assert!(fix.code.expect("a sketch").contains(" byId ="));
}
