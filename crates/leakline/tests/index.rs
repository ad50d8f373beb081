//! Indexes beside dumps, from the command line: a second look says the same to the byte, and an
//! index that does not fit is refused with a reason.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use expect_test::{Expect, expect};
use flate2::Compression;
use flate2::write::GzEncoder;
use leakline_hprof::heap_builder::{Form, HeapBuilder};
use leakline_hprof::{GcRootKind, IdentifierSize, ValueType};
use leakline_model::Timestamp;

const INDEX: &str = "heap.hprof.leakline-index";

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

/// What is written, and complained of.
fn said(folder: &Path, arguments: &[&str]) -> (String, String) {
    let output = leakline(folder, arguments);
    let complaints = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{complaints}");
    (String::from_utf8(output.stdout).unwrap(), complaints)
}

/// A dump of a program that keeps so many orders; its minute tells it from others.
fn dump(orders: usize, minute: i64) -> Vec<u8> {
    let mut heap = HeapBuilder::new(IdentifierSize::Eight);
    let object = heap.class("java.lang.Object").id();
    let order = heap
        .class("com.acme.Order")
        .field("lines", ValueType::Object)
        .id();
    let orders: Vec<_> = (0..orders)
        .map(|number| {
            let lines = heap.bytes(&[number as u8; 300]);
            heap.instance(order).set("lines", lines).id()
        })
        .collect();
    let array = heap.object_array(object, &orders);
    let shop = heap
        .class("com.acme.Shop")
        .static_field("orders", array)
        .id();
    heap.root(shop, GcRootKind::StickyClass);
    heap.build_as(&Form {
        taken_at: Some(Timestamp::from_millis(1_795_345_200_000 + 60_000 * minute)),
        ..Form::default()
    })
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn a_second_look_says_the_same() {
    let dump = dump(20_000, 0);
    let cut = &dump[..dump.len() - 100_000];
    for (dump, name) in [
        (&dump[..], "heap.hprof"),
        (cut, "cut.hprof"),
        (&gzip(&dump), "heap.hprof.gz"),
        (&gzip(&dump)[..20_000], "cut.hprof.gz"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        fs::write(folder.join(name), dump).unwrap();
        let questions: [&[&str]; 7] = [
            &["analyze", name],
            &["analyze", name, "--format", "json"],
            &["heap", "histogram", name],
            &[
                "heap",
                "dominators",
                name,
                "--depth",
                "2",
                "--format",
                "json",
            ],
            &["heap", "paths", name, "--class", "com.acme.*"],
            &["heap", "find", name, "--class", "com.acme.Order"],
            &["heap", "threads", name],
        ];
        let ask =
            |option: &str| questions.map(|question| said(folder, &[question, &[option]].concat()));
        let expected = questions.map(|question| said(folder, question));
        assert!(expected[0].0.contains("Heap report"), "{}", expected[0].0);
        assert_eq!(fs::read_dir(folder).unwrap().count(), 1);
        let index = folder.join(format!("{name}.leakline-index"));
        for question in questions {
            // whatever the question is that leaves it behind
            let (answer, complaints) = said(folder, &[question, &["--index"]].concat());
            assert_eq!(complaints, "");
            assert!(expected.iter().any(|(expected, _)| *expected == answer));
            let mode = fs::metadata(&index).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
            assert_eq!(questions.map(|question| said(folder, question)), expected);
            fs::remove_file(&index).unwrap();
        }
        said(folder, &["analyze", name, "--index"]);
        assert_eq!(ask("--no-index"), expected);
        assert_eq!(ask("--index"), expected);
        assert_eq!(fs::read_dir(folder).unwrap().count(), 2);
    }
}

#[test]
fn several_dumps_compare_the_same_with_their_indexes() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let names = ["first.hprof", "second.hprof", "third.hprof"];
    for (name, number) in names.iter().zip(0..) {
        fs::write(
            folder.join(name),
            dump(4_000 + 6_000 * number, number as i64),
        )
        .unwrap();
    }
    for names in [names, ["third.hprof", "first.hprof", "second.hprof"]] {
        let arguments = [&["analyze", "--format", "json"], &names[..]].concat();
        let expected = said(folder, &arguments);
        assert!(expected.0.contains("objects_per_minute"));
        assert_eq!(
            said(folder, &[&arguments[..], &["--index"]].concat()),
            expected
        );
        assert_eq!(said(folder, &arguments), expected);
        // some with, some without
        for name in names {
            let index = folder.join(format!("{name}.leakline-index"));
            fs::remove_file(index).unwrap();
            assert_eq!(said(folder, &arguments), expected);
        }
    }
    let alone = ["analyze", "second.hprof"];
    let expected = said(folder, &alone);
    said(folder, &[&["analyze", "--index"], &names[..]].concat());
    assert_eq!(said(folder, &alone), expected);
}

#[test]
fn an_index_that_does_not_fit_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let path = folder.join(INDEX);
    let content = dump(20_000, 0);
    fs::write(folder.join("heap.hprof"), &content).unwrap();
    let analyze = ["analyze", "heap.hprof"];
    let (expected, _) = said(folder, &analyze);
    said(folder, &["analyze", "heap.hprof", "--index"]);
    let index = fs::read(&path).unwrap();

    let check = |index: &[u8], question: &[&str], reason: Expect| {
        fs::write(&path, index).unwrap();
        let (ignored, silence) = said(folder, &[question, &["--no-index"]].concat());
        let (answer, complaint) = said(folder, question);
        assert_eq!((answer, silence.as_str()), (ignored, ""));
        let start = format!("leakline: {INDEX} is not used: ");
        let end =
            "; the dump is read instead (--index replaces the index, --no-index ignores it)\n";
        let complained = complaint
            .strip_prefix(&start)
            .and_then(|rest| rest.strip_suffix(end));
        reason.assert_eq(complained.unwrap_or(&complaint));
        // it is replaced
        let (_, complaint_again) = said(folder, &[question, &["--index"]].concat());
        assert_eq!(complaint_again, complaint);
        let (_, silence) = said(folder, question);
        assert_eq!(silence, "");
    };
    let changed = |place: usize| {
        let mut index = index.clone();
        index[place] ^= 1;
        index
    };
    let histogram = ["heap", "histogram", "heap.hprof"];
    let damaged = || expect!["it is damaged"];
    check(&[], &analyze, expect!["it is not an index of a heap dump"]);
    check(
        &content,
        &analyze,
        expect!["it is not an index of a heap dump"],
    );
    check(
        &changed(8),
        &analyze,
        expect!["it was written by another version of leakline (format 0, expected 1)"],
    );
    check(&changed(30), &analyze, damaged());
    check(&index[..index.len() - 1], &analyze, damaged());
    // the first block, the end of the report and the graph
    let blocks = |number: usize| {
        let place = 48 + 32 * number + 8;
        let number = |place: usize| u64::from_ne_bytes(index[place..place + 8].try_into().unwrap());
        (number(place) + number(place + 8) - 1) as usize
    };
    check(&changed(blocks(0)), &analyze, damaged());
    check(&changed(blocks(1)), &analyze, damaged());
    check(&changed(blocks(2)), &histogram, damaged());
    check(&changed(index.len() - 1), &histogram, damaged());
    check(
        &index,
        &["analyze", "heap.hprof", "--references", "all"],
        expect!["it was made with --references strong"],
    );

    // a dump that was copied is the same dump; another is another, however alike
    fs::write(folder.join("heap.hprof"), &content).unwrap();
    fs::write(&path, &index).unwrap();
    assert_eq!(said(folder, &analyze), (expected, String::new()));
    let mut other = content.clone();
    let middle = other.len() / 2;
    other[middle] ^= 1;
    for other in [other, dump(20_000, 1), dump(20_001, 0)] {
        fs::write(folder.join("heap.hprof"), other).unwrap();
        check(&index, &analyze, expect!["it was made from another dump"]);
    }
}
