//! What the content of a heap says, of a real JVM: `Contents.java` keeps native memory and wastes
//! heap in amounts that it knows.
//!
//! Needs a JDK (17 or later).

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::path::Path;
use std::process::Command;

use serde_json::Value;

const MIB: u64 = 1 << 20;

fn report() -> Value {
    let folder = tempfile::tempdir().unwrap();
    let dump = folder.path().join("heap.hprof");
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/Contents.java");
    let java = Command::new("java")
        .arg("-Xmx512m")
        .arg(program)
        .arg(&dump)
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&java.stderr);
    assert!(java.status.success(), "java failed:\n{stderr}");
    let leakline = Command::new(env!("CARGO_BIN_EXE_leakline"))
        .arg("analyze")
        .arg(&dump)
        .args(["--format", "json"])
        .output()
        .unwrap();
    assert!(leakline.status.success());
    serde_json::from_slice(&leakline.stdout).unwrap()
}

fn find(rows: &Value, is_wanted: impl Fn(&Value) -> bool) -> &Value {
    let found = rows.as_array().unwrap().iter().find(|row| is_wanted(row));
    found.unwrap_or_else(|| panic!("not among {rows:#}"))
}

/// What `field` holds of a kind of waste: objects and bytes.
fn wasted(report: &Value, kind: &str, class: &str, field: &str) -> (u64, u64) {
    let row = find(&report["waste"]["rows"], |row| {
        row["kind"] == kind && row["class"] == class
    });
    let holder = find(&row["held_by"], |holder| holder["field"] == field);
    let number = |key: &str| holder[key].as_u64().unwrap();
    (number("objects"), number("wasted_bytes"))
}

#[test]
fn native_memory_and_waste_are_counted_to_the_byte() {
    let report = report();

    let native = &report["native"];
    let held = |field: &str| {
        let path = format!("static Contents.{field} → ArrayList");
        let holder = find(&native["holders"], |holder| holder["path"] == path.as_str());
        (
            holder["objects"].as_u64().unwrap(),
            holder["bytes"].as_u64().unwrap(),
        )
    };
    assert_eq!(held("buffers"), (80, 80 * MIB));
    // what zlib says that it allocates, 256 KiB for a stream
    assert_eq!(held("open"), (20, 5 * MIB));
    let others = native["holders"].as_array().unwrap().iter();
    let others = others.filter(|holder| {
        let path = holder["path"].as_str().unwrap();
        ["slices", "freed", "ended", "mapped"]
            .iter()
            .any(|field| path.contains(field))
    });
    assert_eq!(others.count(), 0);
    let mapped = find(&native["kinds"], |row| row["kind"] == "mapped_files");
    assert!(mapped["bytes"].as_u64().unwrap() >= 24 * MIB);
    assert_eq!(mapped["counted"], false);

    let suspect = &report["suspects"][0];
    assert_eq!(suspect["holder"]["class"], "Contents");
    assert_eq!(suspect["holder"]["field"], "buffers");
    assert_eq!(suspect["native_bytes"].as_u64(), Some(80 * MIB));
    let sentence = suspect["sentence"].as_str().unwrap();
    assert!(
        sentence.contains("holds 80 DirectByteBuffer")
            && sentence.contains("and 80.0 MiB of native memory"),
        "{sentence}"
    );

    let objects = |kind, class, field| wasted(&report, kind, class, field).0;
    let string = "java.lang.String";
    assert_eq!(objects("duplicate_strings", string, "country"), 19_990);
    // one array for all, and one string is needed
    let (shared, bytes) = wasted(&report, "duplicate_strings", string, "shared");
    assert!((19_999..=20_000).contains(&shared), "{shared}");
    assert!(bytes / shared <= 24, "{bytes}");
    assert_eq!(objects("duplicate_arrays", "int[]", "tables"), 4_999);
    assert_eq!(objects("zero_arrays", "byte[]", "pages"), 500);
    let class = "java.util.HashMap";
    assert_eq!(objects("empty_collections", class, "tags"), 20_000);
    let class = "java.util.ArrayList";
    assert_eq!(objects("sparse_collections", class, "orders"), 20_000);
    let class = "java.lang.Object[]";
    assert_eq!(objects("sparse_arrays", class, "sparse"), 500);
    let class = "java.lang.StringBuilder";
    assert_eq!(objects("loose_buffers", class, "builders"), 500);
    let class = "java.io.ByteArrayOutputStream";
    assert_eq!(objects("loose_buffers", class, "streams"), 500);
    assert_eq!(
        objects("boxed_values", "java.lang.Long", "numbers"),
        100_000
    );
    let dead = find(&report["waste"]["rows"], |row| {
        row["kind"] == "dead_thread_locals"
    });
    assert_eq!(dead["objects"].as_u64(), Some(400));
    assert!(dead["wasted_bytes"].as_u64().unwrap() >= 4_000_000);
    assert_eq!(dead["held_by"][0]["class"], "thread pool-*-thread-*");
}
