//! The command line from outside: exit status, messages, help.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::fs;
use std::process::{Command, Output};

use expect_test::{Expect, expect};
use leakline_hprof::IdentifierSize;
use leakline_hprof::heap_builder::HeapBuilder;

fn leakline(arguments: &[&str]) -> Output {
    // settings of whoever runs the tests must not change what is tested
    let mut command = Command::new(env!("CARGO_BIN_EXE_leakline"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("LEAKLINE_")) {
        command.env_remove(name);
    }
    command.args(arguments).output().unwrap()
}

fn check(arguments: &[&str], status: i32, stderr: Expect) {
    let output = leakline(arguments);
    stderr.assert_eq(&String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(status));
}

#[test]
fn errors_say_what_is_wrong_and_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str, content: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, content).unwrap();
        path
    };
    // paths are of this run: compare what stands around them
    let check_file = |command: &[&str], content: &[u8], expected: Expect| {
        let path = path("input", content);
        let arguments: Vec<&str> = command
            .iter()
            .copied()
            .chain([path.to_str().unwrap()])
            .collect();
        let output = leakline(&arguments);
        let stderr = String::from_utf8_lossy(&output.stderr);
        expected.assert_eq(&stderr.replace(path.to_str().unwrap(), "INPUT"));
        assert_eq!(output.status.code(), Some(2));
    };
    check_file(
        &["analyze"],
        b"hello",
        expect![[r#"
        leakline: cannot analyse INPUT: not an HPROF heap dump: it does not start with "JAVA PROFILE"; take a dump with jcmd PID GC.heap_dump FILE
    "#]],
    );
    check_file(
        &["analyze"],
        b"",
        expect![[r#"
        leakline: cannot analyse INPUT: not an HPROF heap dump: it is empty; take the dump again, and look for a full disk
    "#]],
    );
    check_file(
        &["analyze"],
        b"JAVA PROFILE 1.0.2\0\0\0\0\x08",
        expect![[r#"
        leakline: cannot analyse INPUT: dump ends at byte 23, inside its header; the file is cut off, take the dump again
    "#]],
    );
    check_file(
        &["analyze"],
        b"{\"snapshot\":{}}",
        expect![[r#"
        leakline: cannot analyse INPUT: not an HPROF heap dump: it looks like a V8 heap snapshot; read it as such
    "#]],
    );
    check_file(
        &["detect"],
        b"hello\n",
        expect![[r#"
        leakline: cannot read INPUT: not a file of OTLP JSON lines: line 1 column 1: expected value; each line must be {"resourceMetrics": …} or {"resourceSpans": …}, plain or in gzip or zstd, as the Collector's file exporter writes them
    "#]],
    );
    check(
        &["analyze", "/nonexistent.hprof"],
        2,
        expect![[r#"
            leakline: cannot open /nonexistent.hprof: No such file or directory (os error 2)
        "#]],
    );
    check(
        &["serve", "--retention", "soon"],
        2,
        expect![[r#"
        error: invalid value 'soon' for '--retention <DURATION>': not a duration: "soon"; write it as 90s, 1h30m or 14d

        For more information, try '--help'.
    "#]],
    );
    check(
        &[
            "serve",
            "--api",
            "0.0.0.0:7171",
            "--data",
            "/nonexistent/data",
        ],
        2,
        expect![[r#"
            leakline: 0.0.0.0:7171 can be reached from other machines; set a token with --token (or LEAKLINE_TOKEN), or accept the risk with --insecure
        "#]],
    );
    check(
        &["demo", "cobol"],
        2,
        expect![[r#"
        error: invalid value 'cobol' for '[RUNTIME]'
          [possible values: java]

        For more information, try '--help'.
    "#]],
    );
}

#[test]
fn one_of_several_dumps_in_a_file_can_be_named() {
    let folder = tempfile::tempdir().unwrap();
    let dump = |strings: usize| {
        let mut heap = HeapBuilder::new(IdentifierSize::Eight);
        for _ in 0..strings {
            heap.string("x");
        }
        heap.thread("main").id();
        heap.build()
    };
    let file = folder.path().join("two.hprof");
    fs::write(&file, [dump(10), dump(20)].concat()).unwrap();
    let file = file.to_str().unwrap().to_owned();
    let strings = |arguments: &[&str], number: &str| {
        let path = format!("{file}{number}");
        let output = leakline(&[arguments, &[&path]].concat());
        let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let totals = &json["totals"];
        let all = totals["objects"].as_u64().unwrap();
        (
            all + totals["unreachable_objects"].as_u64().unwrap(),
            json["dump"]["problems"].as_array().unwrap().len(),
        )
    };
    let json = ["analyze", "--format", "json"];
    let (last, problems) = strings(&json, "");
    assert_eq!(problems, 1);
    assert_eq!(strings(&json, "#2"), (last, 0));
    assert_eq!(strings(&json, "#1"), (last - 20, 0));
    let inspected = |number: &str| {
        let output = leakline(&["heap", "threads", &format!("{file}{number}")]);
        assert!(output.status.success());
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(inspected("#1").contains("main"));
    assert!(inspected("").contains("heap.hprof#1"));
    let refused = |arguments: &[&str]| {
        let output = leakline(arguments);
        assert_eq!(output.status.code(), Some(2));
        String::from_utf8_lossy(&output.stderr).replace(&file, "FILE")
    };
    expect![[r#"
        leakline: cannot analyse FILE#3: there is no dump #3 in the file: it holds 2, numbered from #1
    "#]].assert_eq(&refused(&["analyze", &format!("{file}#3")]));
    expect![[r#"
        leakline: all dumps of a file are redacted together; redact FILE, and choose one when the copy is analysed
    "#]].assert_eq(&refused(&["redact", &format!("{file}#1"), "-o", "copy"]));
}

#[test]
fn a_capture_of_what_is_no_jvm_is_refused_with_status_3() {
    let mut sleep = Command::new("sleep").arg("60").spawn().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let output = leakline(&[
        "capture",
        "--pid",
        &sleep.id().to_string(),
        "-o",
        folder.path().to_str().unwrap(),
    ]);
    assert_eq!(
        output.status.code(),
        Some(3),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(
        sleep.try_wait().unwrap().is_none(),
        "the process must survive"
    );
    sleep.kill().unwrap();
    sleep.wait().unwrap();
}

#[test]
fn help_opens_with_worked_examples() {
    for command in [
        "serve",
        "demo",
        "analyze",
        "detect",
        "investigate",
        "capture",
    ] {
        let output = leakline(&[command, "--help"]);
        let help = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(0));
        let example = format!("\n  leakline {command}");
        let usage = help.find("Usage:").unwrap();
        assert!(help.find(&example).is_some_and(|at| at < usage), "{help}");
    }
}

#[test]
fn settings_can_be_printed() {
    let output = leakline(&["serve", "--print-config", "--retention", "2d"]);
    let settings = String::from_utf8(output.stdout).unwrap();
    assert!(settings.contains("retention = \"2d\""), "{settings}");
    assert!(
        settings.contains("otlp_grpc = \"127.0.0.1:4317\""),
        "{settings}"
    );
}
