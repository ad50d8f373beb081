//! A real JVM's dump, redacted: no planted secret is in the copy, and its analysis is the same.
//!
//! Needs `java` (JDK 17 or newer, for running a source file) in the PATH.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const SECRET: &str = "planted-secret-hunter2";
/// What base64 makes of the beginning of the secret, whatever follows.
const ENCODED: &str = "cGxhbnRlZC1zZWNyZXQtaHVudGVy";
const LITERAL: &str = "planted-literal-in-the-constant-pool";

fn leakline(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_leakline"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("LEAKLINE_")) {
        command.env_remove(name);
    }
    command
        .current_dir(folder)
        .args(arguments)
        .output()
        .unwrap()
}

fn succeeds(folder: &Path, arguments: &[&str]) -> String {
    let output = leakline(folder, arguments);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    String::from_utf8(output.stdout).unwrap()
}

fn dump(folder: &Path) -> PathBuf {
    let path = folder.join("heap.hprof");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/Secrets.java");
    let output = Command::new("java")
        .arg(source)
        .arg(&path)
        .output()
        .expect("java is in the PATH");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    path
}

fn count(bytes: &[u8], needle: &[u8]) -> usize {
    let starts = bytes.windows(needle.len());
    starts.filter(|window| *window == needle).count()
}

fn secrets() -> Vec<Vec<u8>> {
    let utf16 = |order: fn(u16) -> [u8; 2]| SECRET.encode_utf16().flat_map(order).collect();
    vec![
        SECRET.as_bytes().to_vec(),
        utf16(u16::to_be_bytes),
        utf16(u16::to_le_bytes),
        ENCODED.as_bytes().to_vec(),
        LITERAL.as_bytes().to_vec(),
        0x5ec2_e75e_c2e7_5ec2_u64.to_be_bytes().to_vec(),
    ]
}

/// A heap report without what follows from values, and what that is.
fn without_waste(report: &str) -> (serde_json::Value, serde_json::Value) {
    let mut report: serde_json::Value = serde_json::from_str(report).unwrap();
    let waste = report["waste"].take();
    for suspect in report["suspects"].as_array_mut().unwrap() {
        suspect.as_object_mut().unwrap().remove("waste");
    }
    (report, waste)
}

#[test]
fn no_planted_secret_is_in_the_copy_of_a_real_dump() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let original = fs::read(dump(folder)).unwrap();
    for secret in secrets() {
        assert!(count(&original, &secret) > 0, "the test has no secret");
    }
    let expected = succeeds(folder, &["analyze", "heap.hprof", "--format", "json"]);
    assert!(expected.contains("static Secrets.sessions"), "{expected}");
    assert!(expected.contains("keeper-of-names"));

    let check = |arguments: &[&str], file: &str| {
        let arguments = [&["redact", "heap.hprof", "-o", file], arguments].concat();
        succeeds(folder, &arguments);
        let found = succeeds(folder, &["analyze", file, "--format", "json"]);
        let (found, waste) = without_waste(&found);
        let is_same = found == without_waste(&expected).0;
        assert!(is_same, "{arguments:?}: {found}");
        // what only values tell is not made up from zeros
        assert_eq!(waste["has_values"], false);
        let kinds = waste["rows"].as_array().unwrap().iter();
        let made_up = kinds
            .map(|row| row["kind"].as_str().unwrap())
            .find(|kind| ["zero_arrays", "duplicate_arrays", "loose_buffers"].contains(kind));
        assert_eq!(made_up, None);
        let mode = fs::metadata(folder.join(file))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        fs::read(folder.join(file)).unwrap()
    };
    let plain = check(&[], "plain.hprof");
    let hashed = check(&["--hash-strings"], "hashed.hprof");
    for copy in [&plain, &hashed] {
        for secret in secrets() {
            assert_eq!(count(copy, &secret), 0, "{secret:02x?}");
        }
        assert!(copy.len() < original.len());
    }
    let packed = check(&[], "packed.hprof.gz");
    assert!(packed.starts_with(&[0x1f, 0x8b]));

    // duplicates are still seen as such, and with one key over several copies
    let duplicates = |file: &str| {
        let text = succeeds(folder, &["heap", "strings", file, "--format", "json"]);
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        json["duplicates"][0].clone()
    };
    let (before, after) = (duplicates("heap.hprof"), duplicates("hashed.hprof"));
    assert_eq!(before["text"], format!("\"{SECRET}\""));
    for part in ["strings", "wasted_bytes", "held_by"] {
        assert_eq!(before[part], after[part]);
    }
    let with_key = ["--hash-strings", "--hash-key", "a key"];
    check(&with_key, "first.hprof");
    check(&with_key, "second.hprof");
    assert_eq!(duplicates("first.hprof"), duplicates("second.hprof"));
    assert_ne!(duplicates("first.hprof")["text"], after["text"]);

    // what is asked for stays
    let kept = check(&["--keep", "Secrets$Session.token"], "kept.hprof");
    assert!(count(&kept, SECRET.as_bytes()) > 15_000);
    assert_eq!(count(&kept, ENCODED.as_bytes()), 0);
}

#[test]
fn nothing_is_left_of_a_copy_that_could_not_be_made() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let check = |arguments: &[&str], expected: &str| {
        let output = leakline(folder, arguments);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(stderr.starts_with(expected), "{stderr}");
        assert_eq!(output.status.code(), Some(2));
        assert_eq!(fs::read_dir(folder).unwrap().count(), 1);
    };
    fs::write(folder.join("heap.hprof"), "no dump").unwrap();
    check(
        &["redact", "heap.hprof", "-o", "copy.hprof"],
        "leakline: cannot redact heap.hprof: not an HPROF heap dump: it does not start with \"JAVA PROFILE\"; take a dump with jcmd PID GC.heap_dump FILE\n",
    );
    check(
        &["redact", "heap.hprof", "-o", "heap.hprof"],
        "leakline: heap.hprof is the dump itself; name another file for the copy\n",
    );
    fs::write(
        folder.join("heap.hprof"),
        b"JAVA PROFILE 1.0.2\0\0\0\0\x08\0\0\0\0\0\0\0\0",
    )
    .unwrap();
    check(
        &["redact", "heap.hprof", "-o", "nowhere/copy.hprof"],
        "leakline: cannot write nowhere/copy.hprof: No such file or directory (os error 2)",
    );
}

#[test]
fn questions_that_cannot_be_answered_say_why() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let check = |arguments: &[&str], expected: &str| {
        let output = leakline(folder, arguments);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(stderr.lines().next(), Some(expected));
        assert_eq!(output.status.code(), Some(2));
    };
    check(
        &["heap", "paths", "heap.hprof"],
        "leakline: say what to find paths to: --class 'com.acme.*', or --object ID",
    );
    check(
        &["heap", "find", "heap.hprof"],
        "leakline: say what to find: --class 'com.acme.*', or --value TEXT, or both",
    );
    check(
        &["heap", "histogram", "heap.hprof"],
        "leakline: cannot open heap.hprof: No such file or directory (os error 2)",
    );
    check(
        &["heap", "histogram", "heap.hprof", "--retained-over", "much"],
        "error: invalid value 'much' for '--retained-over <SIZE>': not a size: \"much\"; write it as 512, 64K, 10MiB or 1.5G",
    );
    check(
        &["heap", "object", "heap.hprof", "order"],
        "error: invalid value 'order' for '<ID>': not an object id: \"order\"; write the address as 0x7ff8a0",
    );
}
