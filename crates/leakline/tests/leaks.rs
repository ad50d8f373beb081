//! Programs that leak, and programs that do not: each of `examples/leaks-java` is run on a real
//! JVM, dumps itself, and is analysed. What is found must be what its `.expected` file says, and
//! nothing else; healthy programs have no such file and no suspect.
//!
//! Needs a JDK (17 or newer) in the PATH. `UPDATE_EXPECT=1` writes what is found into the files.
//! `LEAKLINE_TEST_JAVA` names another `java` to run the programs with, `LEAKLINE_TEST_JAVA_FLAGS`
//! its options; programs that need a newer JDK are skipped, and it is said which.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it skipped"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use expect_test::expect_file;
use serde_json::Value;

const PROGRAMS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/leaks-java");
/// Small heaps that are quickly collected and written.
const FLAGS: &str = "-XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xmx256m";

struct Program {
    source: PathBuf,
    class: String,
    /// The oldest JDK that runs it.
    needs: u32,
}

impl Program {
    fn expected(&self) -> PathBuf {
        self.source.with_extension("expected")
    }
}

/// All programs below a folder, in the order of their names.
fn programs(root: &Path) -> Vec<Program> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let source = entry.unwrap().path();
            if source.is_dir() {
                folders.push(source);
                continue;
            }
            let text = fs::read_to_string(&source).unwrap();
            if source.extension().is_some_and(|end| end == "java")
                && text.contains("static void main")
            {
                let class = source.strip_prefix(root).unwrap().with_extension("");
                let class = class.to_str().unwrap().replace('/', ".");
                let needs = text
                    .split("Needs JDK ")
                    .nth(1)
                    .and_then(|rest| rest.get(..2)?.parse().ok())
                    .unwrap_or(17);
                found.push(Program {
                    source,
                    class,
                    needs,
                });
            }
        }
    }
    found.sort_by(|a, b| a.source.cmp(&b.source));
    found
}

fn java() -> String {
    std::env::var("LEAKLINE_TEST_JAVA").unwrap_or_else(|_| "java".to_owned())
}

/// The feature version of the JVM: 17 of `17.0.9`.
fn java_version() -> u32 {
    let output = Command::new(java()).arg("-version").output();
    let output = output.expect("java can be run");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let version = text.split('"').nth(1).expect("java says its version");
    let feature = version.split(['.', '-', '+']).next().unwrap();
    feature.parse().expect("a number")
}

fn compile(classes: &Path) {
    let mut command = Command::new("javac");
    command.args(["--release", "17", "-nowarn", "-d"]);
    command.arg(classes);
    for part in ["", "leaky", "leaky/plugin", "leaky/a/b", "healthy"] {
        let folder = Path::new(PROGRAMS).join(part);
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|end| end == "java") {
                command.arg(path);
            }
        }
    }
    let output = command.output().expect("javac is in the PATH");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
}

/// What the report of the program's dump says, without what differs from run to run.
fn findings(program: &Program, classes: &Path, folder: &Path) -> String {
    let dump = folder.join(format!("{}.hprof", program.class));
    let flags = std::env::var("LEAKLINE_TEST_JAVA_FLAGS").unwrap_or_else(|_| FLAGS.to_owned());
    let output = Command::new(java())
        .args(flags.split_whitespace())
        .arg(format!("-Ddump={}", dump.display()))
        .arg("-cp")
        .arg(classes)
        .arg(&program.class)
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {stderr}", program.class);
    let mut command = Command::new(env!("CARGO_BIN_EXE_leakline"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("LEAKLINE_")) {
        command.env_remove(name);
    }
    let output = command
        .args(["analyze", "--format", "json"])
        .arg(&dump)
        .output()
        .unwrap();
    fs::remove_file(&dump).unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {stderr}", program.class);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let mut suspects: Vec<&Value> = report["suspects"].as_array().unwrap().iter().collect();
    // of several small ones of nearly one size, none need come first
    suspects.sort_by_key(|suspect| {
        let is_large = suspect["share"].as_f64().unwrap() >= 0.2;
        let text = suspect["sentence"].as_str().unwrap();
        (!is_large).then(|| text.to_owned())
    });
    suspects.into_iter().map(finding).collect()
}

fn finding(suspect: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let holder = &suspect["holder"];
    let accumulates = &suspect["accumulates"];
    let sentence = text(&suspect["sentence"]);
    let mut out = format!("{}\n", rounded(&without_size(&sentence)));
    out += &format!(
        "  {}; {}.{} by {}",
        text(&suspect["pattern"]),
        text(&holder["class"]),
        text(&holder["field"]),
        text(&holder["root"]),
    );
    if let Some(thread) = holder["thread"].as_str() {
        out += &format!("; thread {thread}");
    }
    if let Some(frame) = holder["frame"].as_str() {
        out += &format!("; frame {frame}");
    }
    out += &format!("; accumulates {}\n", text(&accumulates["class"]));
    for evidence in suspect["counter_evidence"].as_array().unwrap() {
        out += &format!("  but {}\n", rounded(&text(evidence)));
    }
    out
}

/// Without `(4.01 MiB, 88 %)`.
fn without_size(sentence: &str) -> String {
    match (sentence.find(" ("), sentence.find("%)")) {
        (Some(start), Some(end)) => format!("{}{}", &sentence[..start], &sentence[end + 2..]),
        _ => sentence.to_owned(),
    }
}

/// Numbers of several digits are rounded to two: which of two holders an object is counted under
/// depends on the order of the heap.
fn rounded(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(start) = rest.find(|c: char| c.is_ascii_digit()) {
        let (before, from) = rest.split_at(start);
        let end = from
            .find(|c: char| !c.is_ascii_digit() && c != ',')
            .unwrap_or(from.len());
        let (number, behind) = from.split_at(end);
        let digits: String = number.chars().filter(char::is_ascii_digit).collect();
        out += before;
        match digits.len() {
            0..=2 => out += number,
            length => {
                let unit = 10u64.pow(length as u32 - 2);
                let value: u64 = digits.parse().unwrap();
                out += &((value + unit / 2) / unit * unit).to_string();
            }
        }
        rest = behind;
    }
    out + rest
}

#[test]
fn leaks_are_found_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let classes = folder.path().join("classes");
    fs::create_dir(&classes).unwrap();
    compile(&classes);
    let version = java_version();
    let root = Path::new(PROGRAMS);
    let (run, skipped): (Vec<Program>, Vec<Program>) = programs(&root.join("leaky"))
        .into_iter()
        .chain(programs(&root.join("healthy")))
        .partition(|program| program.needs <= version);
    for program in &skipped {
        println!(
            "skipped {}: needs JDK {}, this is {version}",
            program.class, program.needs
        );
    }
    let next = Mutex::new(run.iter().enumerate());
    let found = Mutex::new(vec![String::new(); run.len()]);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let Some((number, program)) = next.lock().unwrap().next() else {
                        break;
                    };
                    let text = findings(program, &classes, folder.path());
                    found.lock().unwrap()[number] = text;
                }
            });
        }
    });
    let found = found.into_inner().unwrap();
    let update = std::env::var_os("UPDATE_EXPECT").is_some();
    let mut wrong = Vec::new();
    for (program, text) in run.iter().zip(&found) {
        let is_healthy = program.source.starts_with(root.join("healthy"));
        if update && !is_healthy {
            expect_file![program.expected()].assert_eq(text);
            continue;
        }
        let expected = match is_healthy {
            true => String::new(),
            false => fs::read_to_string(program.expected()).unwrap_or_default(),
        };
        if *text != expected {
            wrong.push(format!(
                "{}\nexpected:\n{expected}found:\n{text}",
                program.class
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
