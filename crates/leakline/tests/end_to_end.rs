//! The whole way, with a real JVM under the real OpenTelemetry agent: a leaking service from
//! metrics to a written root cause, the same from the recording, and a healthy service left alone.
//!
//! Needs a JDK (17 or later) and Maven.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::Value;

/// The two demos put load on a service: one at a time.
fn one_at_a_time() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn leakline(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_leakline"))
        .args(arguments)
        .output()
        .unwrap()
}

/// Runs a command that writes JSON to standard output.
fn json(arguments: &[&str]) -> Value {
    let output = leakline(arguments);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "leakline {arguments:?} failed:\n{stderr}"
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

fn text<'v>(value: &'v Value, pointer: &str) -> &'v str {
    value
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_else(|| panic!("no text at {pointer}"))
}

fn number(value: &Value, pointer: &str) -> f64 {
    value
        .pointer(pointer)
        .and_then(Value::as_f64)
        .unwrap_or_else(|| panic!("no number at {pointer}"))
}

/// Seconds from one RFC 3339 time to another.
fn seconds_between(earlier: &str, later: &str) -> f64 {
    let time = |text: &str| leakline_model::Timestamp::parse(text).unwrap();
    time(later).seconds_since(time(earlier))
}

fn moment<'v>(report: &'v Value, kind: &str) -> &'v str {
    let timeline = report["timeline"].as_array().unwrap();
    let entry = timeline.iter().find(|entry| entry["kind"] == kind);
    text(
        entry.unwrap_or_else(|| panic!("nothing of kind {kind} in the timeline")),
        "/at",
    )
}

/// What an investigation of the leaking release must say, however it was made.
fn check_root_cause(report: &Value) {
    assert_eq!(report["schema"], "leakline.investigation/1");
    assert_eq!(report["outcome"], "leak_confirmed");
    assert_eq!(report["process"]["version"], "1.5.0");
    assert_eq!(
        text(report, "/root_cause/holder/class"),
        "com.example.orders.OrderController"
    );
    assert_eq!(text(report, "/root_cause/holder/field"), "responseCache");
    assert_eq!(text(report, "/root_cause/holder/root"), "static field");
    assert_eq!(
        text(report, "/root_cause/accumulates/class"),
        "com.example.orders.Order"
    );
    assert_eq!(
        text(report, "/trace_evidence/operations/0/operation"),
        "process.order"
    );
    let kept = number(report, "/trace_evidence/operations/0/kept_objects_per_call");
    assert!((kept - 1.0).abs() < 0.05, "{kept} objects kept per call");
    assert!(text(report, "/fix/text").contains("Bound OrderController.responseCache"));
    let delay = seconds_between(moment(report, "deploy"), moment(report, "onset"));
    assert!(delay.abs() <= 60.0, "onset {delay} s after the deploy");
}

fn dumps(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder.join("data/dumps")) else {
        return Vec::new();
    };
    let mut dumps: Vec<PathBuf> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "hprof")
        })
        .collect();
    dumps.sort();
    dumps
}

#[test]
fn a_leaking_service_is_investigated_and_the_recording_says_the_same() {
    let _turn = one_at_a_time();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    check_root_cause(&json(&[
        "demo", "java", "--format", "json", "--output", path,
    ]));
    let html = std::fs::read_to_string(folder.path().join("report.html")).unwrap();
    assert!(html.contains("<svg") && html.contains("responseCache"));

    let recording = folder.path().join("telemetry.jsonl");
    let recording = recording.to_str().unwrap();
    let replayed = json(&["detect", "--replay", recording, "--format", "json"]);
    assert_eq!(replayed["schema"], "leakline.detect/1");
    let transitions = replayed
        .pointer("/services/0/transitions")
        .unwrap()
        .as_array()
        .unwrap();
    let healthy_instance = text(&transitions[0], "/instance");
    let verdicts_on = |healthy: bool| {
        transitions
            .iter()
            .filter(|transition| (transition["instance"] == healthy_instance) == healthy)
            .map(|transition| text(transition, "/verdict"))
            .collect::<Vec<_>>()
    };
    assert_eq!(verdicts_on(true), ["healthy"]);
    assert!(
        verdicts_on(false).contains(&"leaking"),
        "{:?}",
        verdicts_on(false)
    );

    let dumps = dumps(folder.path());
    assert_eq!(dumps.len(), 2);
    let [first, second] = [&dumps[0], &dumps[1]].map(|dump| dump.to_str().unwrap());
    check_root_cause(&json(&[
        "investigate",
        "--metrics",
        recording,
        "--traces",
        recording,
        "--heap",
        first,
        "--heap",
        second,
        "--format",
        "json",
    ]));
    let found = leakline(&[
        "analyze",
        first,
        second,
        "--fail-on-leak",
        "--format",
        "json",
    ]);
    assert_eq!(found.status.code(), Some(1));
    let heap: Value = serde_json::from_slice(&found.stdout).unwrap();
    assert_eq!(text(&heap, "/suspects/0/holder/field"), "responseCache");
    assert!(number(&heap, "/growth/0/objects/1") > number(&heap, "/growth/0/objects/0"));
}

#[test]
fn a_healthy_service_is_left_alone() {
    let _turn = one_at_a_time();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    let report = json(&[
        "demo",
        "java",
        "--healthy",
        "--format",
        "json",
        "--output",
        path,
    ]);
    assert_eq!(report["outcome"], "no_leak");
    assert_eq!(report["process"]["version"], "1.4.0");
    assert_eq!(dumps(folder.path()), Vec::<PathBuf>::new());
}
