//! Every rendering of every report, as snapshots: `UPDATE_EXPECT=1 cargo test` writes them anew.

mod common;

use common::{
    assessment, at, growth_rows, healthy_case, heap_report, leak_case, plot, process, surroundings,
};
use expect_test::{ExpectFile, expect_file};
use leakline_detect::Verdict;
use leakline_heap::{PathStep, Pattern};
use leakline_investigate::detect_report::{self, ServiceHistory};
use leakline_investigate::plot::PlotView;
use leakline_investigate::{
    build, heap_report as heap, render_html, render_json, render_markdown, render_text,
};

fn check(actual: &str, expected: ExpectFile) {
    expected.assert_eq(actual);
}

#[test]
fn investigation_of_a_leak() {
    let report = build(&leak_case(), &surroundings(true));
    check(&render_text(&report), expect_file!["snapshots/leak.txt"]);
    check(&render_markdown(&report), expect_file!["snapshots/leak.md"]);
    check(&render_html(&report), expect_file!["snapshots/leak.html"]);
    check(&render_json(&report), expect_file!["snapshots/leak.json"]);
}

#[test]
fn investigation_without_a_leak() {
    let report = build(&healthy_case(), &surroundings(false));
    check(&render_text(&report), expect_file!["snapshots/healthy.txt"]);
    check(
        &render_html(&report),
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
        &render_text(&report),
        expect_file!["snapshots/metrics-alone.txt"],
    );
}

#[test]
fn heap_report_of_two_dumps() {
    let (report, growth) = (heap_report(), growth_rows());
    check(
        &heap::render_text(&report, &growth),
        expect_file!["snapshots/heap.txt"],
    );
    check(
        &heap::render_markdown(&report, &growth),
        expect_file!["snapshots/heap.md"],
    );
    check(
        &heap::render_html(&report, &growth),
        expect_file!["snapshots/heap.html"],
    );
    check(
        &heap::render_json(&report, &growth),
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
        &detect_report::render_text(&services),
        expect_file!["snapshots/detect.txt"],
    );
    check(
        &detect_report::render_markdown(&services),
        expect_file!["snapshots/detect.md"],
    );
    check(
        &detect_report::render_html(&services),
        expect_file!["snapshots/detect.html"],
    );
    check(
        &detect_report::render_json(&services),
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
