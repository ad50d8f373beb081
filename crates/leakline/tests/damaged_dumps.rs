//! A real JVM's dump, cut off and damaged: there is always an answer, which says how far it can be
//! trusted, and the leak is still named.
//!
//! Needs `java` (JDK 17 or newer, for running a source file) in the PATH.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::process::Command;

use leakline_heap::{AnalyzeOptions, HeapError, HeapReport, LoadOptions, analyze, load};

fn dump() -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("heap.hprof");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/Secrets.java");
    let output = Command::new("java")
        .arg(source)
        .arg(&path)
        .output()
        .expect("java is in the PATH");
    assert!(output.status.success(), "{output:?}");
    std::fs::read(path).unwrap()
}

fn report(bytes: &[u8]) -> Result<HeapReport, HeapError> {
    let heap = load(bytes, &LoadOptions::default())?;
    Ok(analyze(&heap, &AnalyzeOptions::default()).report)
}

fn names_the_leak(report: &HeapReport) -> bool {
    let first = report.suspects.first();
    first.is_some_and(|suspect| suspect.sentence.contains("Session"))
}

#[test]
fn a_cut_or_damaged_dump_still_names_the_leak() {
    let whole = dump();
    assert!(report(&whole).unwrap().dump.complete);

    const CUTS: usize = 40;
    let mut named_in_last_quarter = 0;
    for number in 1..CUTS {
        // into the middle of all sorts of records
        let cut = whole.len() * number / CUTS + 7 * number;
        match report(&whole[..cut]) {
            Ok(report) => {
                assert!(!report.dump.complete, "cut at {cut}");
                assert!(!report.dump.problems.is_empty());
                if number * 4 > CUTS * 3 {
                    named_in_last_quarter += usize::from(names_the_leak(&report));
                }
            }
            // names come first, and then there are no objects yet
            Err(error) => assert!(number * 2 < CUTS, "cut at {cut}: {error}"),
        }
    }
    assert_eq!(named_in_last_quarter, 9, "of 9 cuts");

    let mut state = 7u64;
    let mut random = |below: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    const DAMAGED: usize = 20;
    let mut named = 0;
    for _ in 0..DAMAGED {
        let mut bytes = whole.clone();
        for _ in 0..5 {
            let at = 31 + random(bytes.len() - 31);
            bytes[at] = random(256) as u8;
        }
        named += usize::from(report(&bytes).is_ok_and(|report| names_the_leak(&report)));
    }
    assert!(named * 4 >= DAMAGED * 3, "named in {named} of {DAMAGED}");
}
