//! Strongly, softly, weakly held memory and the rest, told apart in a real JVM's dump.
//!
//! Needs `java` (JDK 17 or newer, for running a source file) in the PATH.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::process::Command;

use leakline_heap::{AnalyzeOptions, LoadOptions, analyze, load};

#[test]
fn memory_is_told_apart_by_what_holds_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("heap.hprof");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/Strengths.java");
    let output = Command::new("java")
        // room for all of it, so that nothing is collected
        .args(["-XX:+UseSerialGC", "-Xms600m", "-Xmx600m", "-Xmn400m"])
        .arg(source)
        .arg(&path)
        .output()
        .expect("java is in the PATH");
    assert!(output.status.success(), "{output:?}");
    let bytes = std::fs::read(path).unwrap();
    let heap = load(&bytes, &LoadOptions::default()).unwrap();
    let totals = analyze(&heap, &AnalyzeOptions::default()).report.totals;

    // the JDK has a little of each itself, and much garbage
    let mebibytes = [
        totals.soft_only_bytes,
        totals.weak_only_bytes,
        totals.finalizer_only_bytes,
        totals.phantom_only_bytes,
    ]
    .map(|bytes| bytes >> 20);
    assert_eq!(mebibytes, [1, 2, 4, 8], "{totals:?}");
    assert!(totals.unreachable_bytes >= 16 << 20, "{totals:?}");
    let held = totals.bytes >> 20;
    assert!((32 + 1 + 2 + 4 + 8..64).contains(&held), "{totals:?}");
}
