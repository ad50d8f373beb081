//! Shallow sizes, class by class, against the histogram that the JVM itself makes at the same
//! moment.
//!
//! Needs `java` and `javac` (JDK 17 or newer) in the PATH. JVMs in `/usr/lib/jvm` are tried too, and
//! those that `LEAKLINE_TEST_JAVA` names (paths of `java`, with colons between).

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use leakline_heap::{LoadOptions, load};
use leakline_hprof::java_class_name;

/// Ways in which HotSpot lays out objects. One that a JVM does not know is left out. All with
/// collectors that compact: where holes are left, injected fields cannot be told from them.
const OPTIONS: [&[&str]; 5] = [
    &["-XX:+UseSerialGC"],
    &["-XX:+UseParallelGC", "-XX:-UseCompressedOops"],
    &["-XX:+UseG1GC", "-XX:ObjectAlignmentInBytes=16"],
    &["-XX:-UseCompressedClassPointers", "-XX:-UseCompressedOops"],
    &["-XX:+UseCompactObjectHeaders"],
];

fn jvms() -> Vec<PathBuf> {
    let mut found = vec![PathBuf::from("java")];
    let installed = fs::read_dir("/usr/lib/jvm").into_iter().flatten().flatten();
    found.extend(installed.map(|folder| folder.path().join("bin/java")));
    let named = std::env::var("LEAKLINE_TEST_JAVA").unwrap_or_default();
    found.extend(
        named
            .split(':')
            .filter(|path| !path.is_empty())
            .map(PathBuf::from),
    );
    found.retain(|java| java.is_relative() || java.exists());
    found.sort_by_key(|java| java.canonicalize().unwrap_or_default());
    found.dedup_by_key(|java| java.canonicalize().unwrap_or_default());
    found
}

/// Instances and bytes by class.
type Histogram = BTreeMap<String, (u64, u64)>;

/// What the JVM prints: number, instances, bytes, class, module.
fn histogram_of_jvm(text: &str) -> Histogram {
    text.lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            words.next()?.strip_suffix(':')?;
            let (instances, bytes) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
            Some((java_class_name(words.next()?), (instances, bytes)))
        })
        .collect()
}

fn histogram_of_dump(dump: &Path) -> Histogram {
    let bytes = fs::read(dump).unwrap();
    let heap = load(&bytes, &LoadOptions::default()).unwrap();
    let mut histogram = Histogram::new();
    for object in 0..heap.len() as u32 {
        let (instances, bytes) = histogram
            .entry(heap.class_name(object).to_owned())
            .or_default();
        *instances += 1;
        *bytes += heap.shallow(object);
    }
    histogram
}

/// Arrays of these types are the program's alone, so that none comes or goes.
const ARRAYS: [&str; 3] = ["boolean[]", "float[]", "double[]"];

/// Classes of which a size differs. Some objects come and go between the two, so that instances are
/// compared by their mean size.
fn differences(jvm: &Histogram, dump: &Histogram) -> (usize, Vec<String>) {
    let mut compared = 0;
    let mut different = Vec::new();
    for (class, (instances, bytes)) in jvm {
        let Some((dumped, dumped_bytes)) = dump.get(class) else {
            continue;
        };
        let is_fixed = !class.ends_with("[]") || ARRAYS.contains(&class.as_str());
        // class objects differ in size, and the JVM counts some that dumps leave out; padding of a
        // single object cannot be told from a hole behind it
        if !is_fixed || class == "java.lang.Class" || *instances < 2 {
            continue;
        }
        compared += 1;
        let agree = bytes * dumped == dumped_bytes * instances;
        if !agree {
            different.push(format!(
                "{class}: {instances} of {bytes} B in the JVM, {dumped} of {dumped_bytes} B in the dump"
            ));
        }
    }
    (compared, different)
}

#[test]
fn sizes_are_those_of_the_jvm() {
    let folder = tempfile::tempdir().unwrap();
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/Shapes.java");
    let compiled = Command::new("javac")
        .args(["--release", "17", "-nowarn", "-d"])
        .arg(folder.path())
        .arg(source)
        .output()
        .expect("javac is in the PATH");
    assert!(compiled.status.success(), "{compiled:?}");
    let mut runs = 0;
    for java in jvms() {
        for options in OPTIONS {
            let dump = folder.path().join("heap.hprof");
            let _ = fs::remove_file(&dump);
            let output = Command::new(&java)
                .arg("-Xmx200m")
                .args(options)
                .arg("-cp")
                .arg(folder.path())
                .arg("Shapes")
                .arg(&dump)
                .output()
                .unwrap();
            let text = String::from_utf8_lossy(&output.stdout);
            if text.contains("Unrecognized VM option")
                || String::from_utf8_lossy(&output.stderr).contains("Unrecognized VM option")
            {
                continue;
            }
            assert!(output.status.success(), "{java:?} {options:?}: {output:?}");
            let (compared, different) =
                differences(&histogram_of_jvm(&text), &histogram_of_dump(&dump));
            assert!(compared > 100, "{java:?} {options:?}: {compared} compared");
            assert_eq!(different, [""; 0], "{java:?} {options:?}");
            runs += 1;
        }
    }
    assert!(runs >= 4, "only {runs} runs");
}
