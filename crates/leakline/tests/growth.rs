//! Dumps of a real JVM in which places change in every manner: what leaks is named first, at its
//! rate, and all else is explained.
//!
//! Needs `java` and `javac` (JDK 17 or newer) in the PATH. `LEAKLINE_TEST_JAVA_OPTIONS` are
//! options for the JVM: a collector, say.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

fn leakline(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_leakline"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("LEAKLINE_")) {
        command.env_remove(name);
    }
    command.args(arguments).output().unwrap()
}

fn succeeds(command: &mut Command) {
    let output = command.output().expect("a JDK is in the PATH");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
}

/// Five dumps, each of which claims to have been taken a quarter of an hour after the one before.
fn dumps(folder: &Path) -> Vec<PathBuf> {
    let source = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../examples/growth-java/Growth.java"
    );
    succeeds(Command::new("javac").arg("-d").arg(folder).arg(source));
    let options = std::env::var("LEAKLINE_TEST_JAVA_OPTIONS").unwrap_or_default();
    succeeds(
        Command::new("java")
            .args(options.split_whitespace())
            .arg("-cp")
            .arg(folder)
            .args(["Growth", "5"])
            .arg(folder.join("growth")),
    );
    let dump = |number: u64| {
        let path = folder.join(format!("growth-{}.hprof", number + 1));
        let mut bytes = fs::read(&path).unwrap();
        // after the name of the format, its final zero and the size of ids
        let time = bytes.iter().position(|byte| *byte == 0).unwrap() + 5;
        let millis = 1_795_345_200_000 + number * 900_000;
        bytes[time..time + 8].copy_from_slice(&millis.to_be_bytes());
        fs::write(&path, bytes).unwrap();
        path
    };
    (0..5).map(dump).collect()
}

fn report(dumps: &[&PathBuf]) -> Value {
    let paths = dumps.iter().map(|dump| dump.to_str().unwrap());
    let arguments: Vec<&str> = ["analyze", "--format", "json"]
        .into_iter()
        .chain(paths)
        .collect();
    let output = leakline(&arguments);
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Fields of `Growth` that are suspects, in their order.
fn suspects(report: &Value) -> Vec<&str> {
    let suspects = report["suspects"].as_array().unwrap();
    let fields = suspects.iter().map(|suspect| &suspect["holder"]["field"]);
    fields.map(|field| field.as_str().unwrap_or("")).collect()
}

/// The kind of growth of a field of `Growth`.
fn kind<'r>(report: &'r Value, field: &str) -> &'r str {
    let place = format!("static Growth.{field}");
    let rows = report["growth"].as_array().unwrap();
    let row = rows
        .iter()
        .find(|row| row["path"].as_str().unwrap().starts_with(&place));
    row.map_or("", |row| row["kind"].as_str().unwrap())
}

#[test]
fn what_leaks_in_a_real_process_is_told_from_what_changes() {
    let folder = tempfile::tempdir().unwrap();
    let dumps = dumps(folder.path());
    let [first, second, third, fourth, fifth] = &dumps[..] else {
        panic!("five dumps were taken");
    };

    let all = report(&[first, second, third, fourth, fifth]);
    assert_eq!(suspects(&all), ["leak", "spread", "nightly"]);
    let leak = &all["suspects"][0];
    let objects = &leak["growth"]["objects"];
    assert_eq!(
        *objects,
        serde_json::json!([2_000, 4_000, 6_000, 8_000, 10_000])
    );
    let rate = leak["growth"]["objects_per_minute"].as_f64().unwrap();
    assert!((rate - 2_000.0 / 15.0).abs() < 0.1, "{rate}");
    assert_eq!(all["suspects"][1]["accumulates"]["objects"], 6_000);
    let kinds = [
        "leak",
        "spread",
        "deployments",
        "nightly",
        "cache",
        "recent",
        "open",
        "table",
    ];
    assert_eq!(
        kinds.map(|field| kind(&all, field)),
        [
            "steady",
            "steady",
            "steady",
            "stairs",
            "warm_up",
            "warm_up",
            "fluctuating",
            ""
        ]
    );
    let not_growing = all["not_growing"].to_string();
    assert!(not_growing.contains("static Growth.table"), "{not_growing}");
    assert!(not_growing.contains("static Growth.cache"), "{not_growing}");

    // the order in which they are given, a dump given twice and one cut off change no finding
    let cut = folder.path().join("cut.hprof");
    let bytes = fs::read(third).unwrap();
    fs::write(&cut, &bytes[..bytes.len() * 2 / 3]).unwrap();
    let without_third = report(&[first, second, fourth, fifth]);
    let shuffled = report(&[fourth, first, &cut, fifth, first, second]);
    for key in ["suspects", "not_growing", "growth", "compared", "totals"] {
        assert_eq!(shuffled[key], without_third[key], "{key}");
    }
    assert_eq!(shuffled["dump"]["problems"].as_array().unwrap().len(), 3);

    // three dumps tell warm-up from growth already; two say that they cannot
    assert_eq!(
        suspects(&report(&[first, second, third])),
        ["leak", "spread"]
    );
    let two = report(&[first, second]);
    assert!(suspects(&two).contains(&"leak"));
    assert_eq!(kind(&two, "cache"), "recent");
}

#[test]
fn diffs_of_a_real_process() {
    let folder = tempfile::tempdir().unwrap();
    let dumps = dumps(folder.path());
    let diff = |question: &str| -> Value {
        let mut arguments = vec!["heap", question, "--format", "json"];
        arguments.extend(dumps.iter().map(|dump| dump.to_str().unwrap()));
        let output = leakline(&arguments);
        assert!(output.status.success(), "{output:?}");
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let histogram = diff("histogram");
    let classes = histogram["classes"].as_array().unwrap();
    let order = classes
        .iter()
        .find(|row| row["class"] == "Growth$Order")
        .unwrap();
    let counts = serde_json::json!([2_000, 4_000, 6_000, 8_000, 10_000]);
    assert_eq!(order["objects"], counts);

    let dominators = diff("dominators");
    let main = &dominators["objects"][0];
    assert_eq!(main["class"], "class Growth");
    let leak = &main["children"][0];
    assert_eq!(leak["field"], "leak");
    assert_eq!(leak["children"][0]["class"], "Growth$Order");
    assert_eq!(leak["children"][0]["objects"], counts);
}
