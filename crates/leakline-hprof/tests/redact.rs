//! Redaction: nothing secret passes, everything else does, whatever the input is.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use expect_test::{Expect, expect};
use leakline_hprof::heap_builder::{Form, HeapBuilder, Layout, ObjectId, Place};
use leakline_hprof::redact::{Redaction, RedactionSummary, Text, redact};
use leakline_hprof::{
    GcRootKind, HeapRecord, Hprof, HprofWriter, IdentifierSize, PrimitiveType, RecordBody,
    ValueType, Version, decode_modified_utf8,
};
use leakline_model::Glob;
use proptest::prelude::*;

const SECRET: &str = "hunter2-s3cr3t";
const SECRET_LONG: i64 = 0x5ec2_e75e_c2e7_5ec2;

fn base64_of_secret() -> &'static str {
    "aHVudGVyMi1zM2NyM3Q="
}

/// A heap with the secret wherever a value can be.
fn heap(size: IdentifierSize) -> HeapBuilder {
    let mut heap = HeapBuilder::with_layout(
        size,
        match size {
            IdentifierSize::Four => Layout::NARROW,
            IdentifierSize::Eight => Layout::COMPRESSED,
        },
    );
    let base = heap
        .class("com.acme.Base")
        .field("balance", ValueType::Long)
        .field("note", ValueType::Object)
        .id();
    let account = heap
        .class("com.acme.Account")
        .extends(base)
        .field("owner", ValueType::Object)
        .field("pin", ValueType::Short)
        .field("rate", ValueType::Double)
        .field("next", ValueType::Object)
        .field("active", ValueType::Boolean)
        .id();
    let boxed = heap
        .class("java.lang.Long")
        .field("value", ValueType::Long)
        .id();
    let latin = heap.string(SECRET);
    let again = heap.string(SECRET);
    let wide = heap.string(&format!("{SECRET}\u{20ac}"));
    let other = heap.string("something else!");
    let utf16: Vec<u8> = SECRET.encode_utf16().flat_map(u16::to_be_bytes).collect();
    let characters = heap.primitive_array(PrimitiveType::Char, utf16);
    let encoded = heap.bytes(base64_of_secret().as_bytes());
    let numbers = heap.longs(&[SECRET_LONG, 1]);
    let number = heap.instance(boxed).set("value", SECRET_LONG).id();
    let mut next = ObjectId::NULL;
    for owner in [latin, again, wide, other] {
        next = heap
            .instance(account)
            .set("balance", SECRET_LONG)
            .set("note", encoded)
            .set("owner", owner)
            .set("pin", 4711_i16)
            .set("rate", f64::from_bits(SECRET_LONG.cast_unsigned()))
            .set("next", next)
            .set("active", true)
            .id();
    }
    let all = heap.object_array(account, &[next, ObjectId::NULL, next]);
    let bank = heap
        .class("com.acme.Bank")
        .static_field("accounts", all)
        .static_field("master", SECRET_LONG)
        .static_field("characters", characters)
        .static_field("numbers", numbers)
        .static_field("limit", number)
        .id();
    heap.root(bank, GcRootKind::StickyClass);
    heap.thread("worker-17")
        .frame("com.acme.Main", "run", 12)
        .local(next)
        .id();
    heap
}

/// Adds a record in front of all others, as HotSpot writes the text of a literal.
fn with_literal(bytes: &[u8]) -> Vec<u8> {
    let hprof = Hprof::parse(bytes).unwrap();
    let (head, tail) = bytes.split_at(hprof.header().length);
    let header = hprof.header();
    let mut writer =
        HprofWriter::new(Vec::new(), header.version, header.identifier_size, None).unwrap();
    let start = header.length;
    let text = SECRET.as_bytes();
    writer
        .record(&RecordBody::Utf8 { id: 0x7777, text })
        .unwrap();
    let record = writer.finish().unwrap().split_off(start);
    [head, &record, tail].concat()
}

fn redacted_with(bytes: &[u8], options: &Redaction<'_>) -> (Vec<u8>, RedactionSummary) {
    let mut out = Vec::new();
    let summary = redact(&Hprof::parse(bytes).unwrap(), options, &mut out).unwrap();
    (out, summary)
}

fn thread_names() -> Vec<Glob> {
    vec![Glob::new("java.lang.Thread.name")]
}

fn redacted(bytes: &[u8]) -> (Vec<u8>, RedactionSummary) {
    let keep = thread_names();
    let options = Redaction {
        keep: &keep,
        ..Redaction::default()
    };
    redacted_with(bytes, &options)
}

fn contains(bytes: &[u8], needle: &[u8]) -> bool {
    bytes.windows(needle.len()).any(|window| window == needle)
}

fn secrets() -> Vec<Vec<u8>> {
    vec![
        SECRET.as_bytes().to_vec(),
        SECRET.encode_utf16().flat_map(u16::to_be_bytes).collect(),
        SECRET.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        base64_of_secret().as_bytes().to_vec(),
        SECRET_LONG.to_be_bytes().to_vec(),
    ]
}

fn assert_clean(bytes: &[u8]) {
    for secret in secrets() {
        assert!(!contains(bytes, &secret), "{secret:02x?}");
    }
}

/// Everything in a dump but its values, one line for each record.
fn skeleton(bytes: &[u8]) -> Vec<String> {
    let mut lines = Vec::new();
    let mut add = |line: String| lines.push(line);
    let hprof = Hprof::parse(bytes).unwrap();
    add(format!("{:?}", hprof.header()));
    for record in hprof.records() {
        match record.map(|record| record.body) {
            Ok(RecordBody::HeapDump(segment) | RecordBody::HeapDumpSegment(segment)) => {
                for record in segment.records() {
                    add(match record {
                        Ok(HeapRecord::Class(class)) => {
                            let statics: Vec<_> = class
                                .static_fields()
                                .map(|field| match field.value.value_type() {
                                    ValueType::Object => format!("{field:?}"),
                                    other => format!("{} {other:?}", field.name_id),
                                })
                                .collect();
                            let fields: Vec<_> = class.instance_fields().collect();
                            format!(
                                "{:x} {:x} {:x} {} {statics:?} {fields:?}",
                                class.class_id,
                                class.super_id,
                                class.loader_id,
                                class.instance_size
                            )
                        }
                        Ok(HeapRecord::Instance {
                            object_id,
                            class_id,
                            fields,
                            ..
                        }) => {
                            format!("{object_id:x} {class_id:x} {}", fields.len())
                        }
                        Ok(HeapRecord::PrimitiveArray {
                            object_id,
                            element_type,
                            length,
                            ..
                        }) => {
                            format!("{object_id:x} {element_type:?} {length}")
                        }
                        other => format!("{other:x?}"),
                    });
                }
            }
            Ok(RecordBody::Utf8 { text, .. }) if text == SECRET.as_bytes() => {}
            other => add(format!("{other:?}")),
        }
    }
    lines
}

/// Texts of all strings, and of `char[]`.
fn texts(bytes: &[u8]) -> Vec<String> {
    let mut texts = Vec::new();
    for record in Hprof::parse(bytes).unwrap().records().map_while(Result::ok) {
        if let RecordBody::HeapDumpSegment(segment) = record.body {
            for record in segment.records().map_while(Result::ok) {
                if let HeapRecord::PrimitiveArray {
                    element_type: PrimitiveType::Byte | PrimitiveType::Char,
                    elements,
                    ..
                } = record
                {
                    texts.push(elements.escape_ascii().to_string().replace("\\x00", "0"));
                }
            }
        }
    }
    texts
}

#[test]
fn no_secret_passes_and_everything_else_does() {
    for size in [IdentifierSize::Four, IdentifierSize::Eight] {
        for version in [Version::V1_0_1, Version::V1_0_2] {
            for place in [Place::First, Place::Last] {
                for segment_bytes in [None, Some(100)] {
                    let form = Form {
                        version,
                        roots: place,
                        classes: place,
                        segment_bytes,
                        ..Form::default()
                    };
                    let original = with_literal(&heap(size).build_as(&form));
                    for secret in secrets() {
                        assert!(contains(&original, &secret), "the test has no secret");
                    }
                    let (copy, summary) = redacted(&original);
                    assert_clean(&copy);
                    assert_eq!(summary.problems, [""; 0]);
                    assert_eq!(summary.dropped_texts, 1);
                    assert_eq!(skeleton(&copy), skeleton(&original), "{form:?}");
                    // thread names are names, not values
                    assert!(contains(&copy, b"worker-17"));
                    let again = redacted(&copy);
                    assert_eq!(again.0, copy, "a copy has nothing left to redact");
                }
            }
        }
    }
}

#[test]
fn references_stay_and_all_else_is_zero() {
    let original = heap(IdentifierSize::Eight).build();
    let (copy, _) = redacted(&original);
    let fields = |bytes: &[u8]| -> Vec<Vec<u8>> {
        let mut all = Vec::new();
        for record in Hprof::parse(bytes).unwrap().records().flatten() {
            if let RecordBody::HeapDumpSegment(segment) = record.body {
                all.extend(
                    segment
                        .records()
                        .flatten()
                        .filter_map(|record| match record {
                            HeapRecord::Instance { fields, .. } if fields.len() == 43 => {
                                Some(fields.to_vec())
                            }
                            _ => None,
                        }),
                );
            }
        }
        all
    };
    let (before, after) = (fields(&original), fields(&copy));
    assert_eq!(before.len(), 4);
    for (mut expected, after) in before.into_iter().zip(after) {
        // owner, pin, rate, next, active, then balance and note of the superclass
        expected[8..18].fill(0);
        expected[26..35].fill(0);
        assert_eq!(after, expected);
    }
}

#[test]
fn what_is_named_stays() {
    let original = heap(IdentifierSize::Eight).build();
    let check = |patterns: &[&str], expected: Expect| {
        let keep: Vec<Glob> = patterns.iter().map(|pattern| Glob::new(*pattern)).collect();
        let options = Redaction {
            keep: &keep,
            ..Redaction::default()
        };
        let (copy, summary) = redacted_with(&original, &options);
        assert_eq!(skeleton(&copy), skeleton(&original));
        let count = copy
            .windows(8)
            .filter(|w| *w == SECRET_LONG.to_be_bytes())
            .count();
        expected.assert_eq(&format!(
            "{} bytes kept, {count} longs\n{}\n",
            summary.kept_bytes,
            texts(&copy).join("\n")
        ));
    };
    check(
        &[],
        expect![[r#"
        0 bytes kept, 0 longs
        00000000000000
        00000000000000
        000000000000000000000000000000
        000000000000000
        0000000000000000000000000000
        00000000000000000000
        000000000
    "#]],
    );
    check(
        &["java.lang.Thread.name"],
        expect![[r#"
        22 bytes kept, 0 longs
        00000000000000
        00000000000000
        000000000000000000000000000000
        000000000000000
        0000000000000000000000000000
        00000000000000000000
        worker-17
    "#]],
    );
    check(
        &["com.acme.Account"],
        expect![[r#"
        169 bytes kept, 4 longs
        hunter2-s3cr3t
        hunter2-s3cr3t
        h0u0n0t0e0r020-0s030c0r030t0\xac 
        something else!
        0000000000000000000000000000
        00000000000000000000
        000000000
    "#]],
    );
    check(
        &["com.acme.*.note", "com.acme.Bank.master"],
        expect![[r#"
            28 bytes kept, 1 longs
            00000000000000
            00000000000000
            000000000000000000000000000000
            000000000000000
            0000000000000000000000000000
            aHVudGVyMi1zM2NyM3Q=
            000000000
        "#]],
    );
    check(
        &["com.acme.Bank.l*"],
        expect![[r#"
        8 bytes kept, 1 longs
        00000000000000
        00000000000000
        000000000000000000000000000000
        000000000000000
        0000000000000000000000000000
        00000000000000000000
        000000000
    "#]],
    );
    check(
        &["long[]", "com.acme.Bank.characters"],
        expect![[r#"
        44 bytes kept, 1 longs
        00000000000000
        00000000000000
        000000000000000000000000000000
        000000000000000
        0h0u0n0t0e0r020-0s030c0r030t
        00000000000000000000
        000000000
    "#]],
    );
    check(
        &["java.lang.String.value"],
        expect![[r#"
        82 bytes kept, 0 longs
        hunter2-s3cr3t
        hunter2-s3cr3t
        h0u0n0t0e0r020-0s030c0r030t0\xac 
        something else!
        0000000000000000000000000000
        00000000000000000000
        worker-17
    "#]],
    );
}

#[test]
fn hashed_texts_show_only_which_are_equal() {
    // no cryptography, but enough to see what the hash is given and where it goes
    let hash = |text: &[u8]| {
        let mut digest = [0x5a; 32];
        for (position, byte) in text.iter().enumerate() {
            digest[position % 32] ^= byte.rotate_left(position as u32);
        }
        digest
    };
    let keep = thread_names();
    let options = Redaction {
        keep: &keep,
        text: Text::Hash(&hash),
        ..Redaction::default()
    };
    let original = heap(IdentifierSize::Eight).build();
    let (copy, _) = redacted_with(&original, &options);
    assert_clean(&copy);
    assert_eq!(skeleton(&copy), skeleton(&original));
    expect![[r#"
        32b0e3f90c14d6
        32b0e3f90c14d6
        325a8f5abc5a475a3f5a935a795a11
        2984ef711d57006
        0000000000000000000000000000
        00000000000000000000
        worker-17
    "#]]
    .assert_eq(&(texts(&copy).join("\n") + "\n"));
}

#[test]
fn what_cannot_be_read_is_left_out_and_said() {
    let heap = heap(IdentifierSize::Eight);
    let original = heap.build_as(&Form {
        segment_bytes: Some(600),
        ..Form::default()
    });
    let check = |bytes: &[u8], expected: Expect| {
        let (copy, summary) = redacted(bytes);
        assert_clean(&copy);
        let errors: Vec<String> = errors(&copy);
        expected.assert_eq(&format!(
            "{}\nthe copy: {}\n",
            summary.problems.join("\n"),
            errors.join("\nthe copy: ")
        ));
    };
    // cut in the middle of a segment
    check(
        &original[..original.len() - 200],
        expect![[r#"
        heap segment at byte 2658 claims 618 bytes but 591 are left; the file is cut off, roots and objects that were to follow are missing
        heap record INSTANCE_DUMP (0x21) after INSTANCE_DUMP (0x21) at byte 3208 goes beyond the end of its segment at byte 3249; it is skipped
        the copy: heap segment at byte 2658 claims 591 bytes but 550 are left; the file is cut off, roots and objects that were to follow are missing
    "#]],
    );
    // a record of an unknown kind in front
    let hprof = Hprof::parse(&original).unwrap();
    let (head, tail) = original.split_at(hprof.header().length);
    let mut unknown = vec![0x77, 0, 0, 0, 0, 0, 0, 0, SECRET.len() as u8];
    unknown.extend_from_slice(SECRET.as_bytes());
    check(
        &[head, &unknown, tail].concat(),
        expect![[r#"
        record with the unknown tag 0x77 at byte 31 is left out, 14 bytes
        the copy: 
    "#]],
    );
    // a heap record of an unknown kind in the first segment
    let mut damaged = original.clone();
    let segment = hprof
        .records()
        .flatten()
        .find_map(|record| match record.body {
            RecordBody::HeapDumpSegment(segment) => Some(segment),
            _ => None,
        });
    let segment = segment.unwrap();
    let second = segment.records().with_offsets().flatten().nth(1).unwrap().0;
    damaged[second as usize] = 0x66;
    check(
        &damaged,
        expect![[r#"
        unknown heap record 0x66 after ROOT_STICKY_CLASS (0x05) at byte 1379; the rest of its segment, 630 bytes, is skipped
        the copy: heap record 0x00 after ROOT_STICKY_CLASS (0x05) at byte 1162 goes beyond the end of its segment at byte 1163; it is skipped
    "#]],
    );
    // two dumps, each with a header
    check(
        &[&original[..], &original].concat(),
        expect![[r#"

            the copy: another dump starts at byte 3449, with a header of its own; it is read from there
        "#]],
    );
}

fn errors(bytes: &[u8]) -> Vec<String> {
    let mut errors = Vec::new();
    for record in Hprof::parse(bytes).unwrap().records() {
        match record {
            Ok(record) => {
                if let RecordBody::HeapDump(segment) | RecordBody::HeapDumpSegment(segment) =
                    record.body
                {
                    let problems = segment.records().filter_map(Result::err);
                    errors.extend(problems.map(|problem| problem.to_string()));
                }
            }
            Err(problem) => errors.push(problem.to_string()),
        }
    }
    errors
}

#[test]
fn a_dump_cut_off_anywhere_gives_a_copy_that_says_so() {
    for version in [Version::V1_0_1, Version::V1_0_2] {
        let form = Form {
            version,
            segment_bytes: Some(900),
            ..Form::default()
        };
        let original = with_literal(&heap(IdentifierSize::Eight).build_as(&form));
        let header = Hprof::parse(&original).unwrap().header().length;
        for end in header..original.len() {
            let (copy, summary) = redacted(&original[..end]);
            assert_clean(&copy);
            assert!(copy.len() <= end + 1, "{end}");
            assert!(!summary.problems.is_empty(), "{end}");
            assert!(!errors(&copy).is_empty(), "{end}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn damaged_dumps_are_copied_as_far_as_they_can_be_read(
        changes in prop::collection::vec((0usize..100_000, any::<u8>()), 1..6),
    ) {
        let mut bytes = with_literal(&heap(IdentifierSize::Eight).build());
        let header = Hprof::parse(&bytes).unwrap().header().length;
        let count = bytes.len() - header;
        for (at, byte) in changes {
            bytes[header + at % count] = byte;
        }
        let (copy, _) = redacted(&bytes);
        // one byte more marks where a segment could not be read on
        prop_assert!(copy.len() <= bytes.len() + 1);
        let _ = errors(&copy);
    }
}

#[test]
fn names_decode_as_before() {
    let original = heap(IdentifierSize::Eight).build();
    let names = |bytes: &[u8]| -> Vec<String> {
        let records = Hprof::parse(bytes).unwrap().records().flatten();
        records
            .filter_map(|record| match record.body {
                RecordBody::Utf8 { text, .. } => Some(decode_modified_utf8(text).into_owned()),
                _ => None,
            })
            .collect()
    };
    assert_eq!(names(&redacted(&original).0), names(&original));
}
