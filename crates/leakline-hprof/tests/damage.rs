//! Damaged and hostile input: what precedes the damage is read, the damage is reported with its
//! offset, and nothing panics or runs on.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests may fail like tests"
)]

use expect_test::{Expect, expect};
use leakline_hprof::heap_builder::{Form, HeapBuilder, Place};
use leakline_hprof::{
    GcRootKind, HeapRecord, HeapRecordWriter, Hprof, HprofError, HprofFile, HprofWriter,
    IdentifierSize, PrimitiveType, RecordBody, ValueType, Version, fuzz_read,
};
use leakline_model::Timestamp;
use proptest::prelude::*;

/// A heap with every kind of object, a thread, and roots.
fn small_heap(size: IdentifierSize) -> HeapBuilder {
    let mut heap = HeapBuilder::new(size);
    let order = heap
        .class("com.acme.Order")
        .field("id", ValueType::Long)
        .field("customer", ValueType::Object)
        .id();
    let customer = heap.string("Ada");
    let first = heap
        .instance(order)
        .set("id", 1_i64)
        .set("customer", customer)
        .id();
    let orders = heap.object_array(order, &[first]);
    let controller = heap
        .class("com.acme.Controller")
        .static_field("orders", orders)
        .static_field("limit", 7_i32)
        .id();
    heap.ints(&[1, 2, 3]);
    heap.root(controller, GcRootKind::StickyClass);
    heap.thread("main")
        .frame("com.acme.Main", "run", 12)
        .local(first)
        .id();
    heap
}

/// The ways in which a dump may be written.
fn forms() -> Vec<Form> {
    let mut forms = Vec::new();
    for version in [Version::V1_0_1, Version::V1_0_2] {
        for roots in [Place::First, Place::Last] {
            forms.push(Form {
                version,
                roots,
                classes: roots,
                segment_bytes: Some(100),
                ..Form::default()
            });
        }
    }
    forms
}

/// Everything read: heap records with their offsets, and problems.
fn read(bytes: &[u8]) -> (Vec<(u64, HeapRecord<'_>)>, Vec<HprofError>) {
    let mut heap_records = Vec::new();
    let mut problems = Vec::new();
    let hprof = match Hprof::parse(bytes) {
        Ok(hprof) => hprof,
        Err(problem) => return (heap_records, vec![problem]),
    };
    for record in hprof.records() {
        match record.map(|record| record.body) {
            Ok(RecordBody::HeapDump(segment) | RecordBody::HeapDumpSegment(segment)) => {
                for heap_record in segment.records().with_offsets() {
                    match heap_record {
                        Ok(heap_record) => heap_records.push(heap_record),
                        Err(problem) => problems.push(problem),
                    }
                }
            }
            Ok(_) => {}
            Err(problem) => problems.push(problem),
        }
    }
    (heap_records, problems)
}

fn check(bytes: &[u8], expected: Expect) {
    let (heap_records, problems) = read(bytes);
    let mut text = format!("{} heap records\n", heap_records.len());
    for problem in problems {
        text += &format!("{problem}\n");
    }
    expected.assert_eq(&text);
}

#[test]
fn other_files_are_recognised() {
    let check = |bytes: &[u8], expected: Expect| {
        expected.assert_eq(&Hprof::parse(bytes).err().unwrap().to_string());
    };
    check(
        b"",
        expect![
            "not an HPROF heap dump: it is empty; take the dump again, and look for a full disk"
        ],
    );
    check(
        b"\x1f\x8b\x08",
        expect!["not an HPROF heap dump: it is compressed with gzip; decompress it first"],
    );
    check(
        b"\x28\xb5\x2f\xfd....",
        expect!["not an HPROF heap dump: it is compressed with zstd; decompress it first"],
    );
    check(
        b"BZh9",
        expect!["not an HPROF heap dump: it is compressed with bzip2; decompress it first"],
    );
    check(
        b"\xfd7zXZ\0",
        expect!["not an HPROF heap dump: it is compressed with xz; decompress it first"],
    );
    check(
        b"PK\x03\x04",
        expect!["not an HPROF heap dump: it is a zip archive; unpack it first"],
    );
    check(
        b"{\"snapshot\":{\"meta\":",
        expect!["not an HPROF heap dump: it looks like a V8 heap snapshot; read it as such"],
    );
    check(
        b" {\n \"snapshot\": {",
        expect!["not an HPROF heap dump: it looks like a V8 heap snapshot; read it as such"],
    );
    check(
        b"FLR\0\0\x02",
        expect![
            "not an HPROF heap dump: it is a JDK flight recording; it holds events, take a heap dump with jcmd PID GC.heap_dump"
        ],
    );
    check(
        b"\x80\x05\x95",
        expect![
            "not an HPROF heap dump: it looks like a Python pickle; read it as a tracemalloc snapshot"
        ],
    );
    check(
        b"\0\x15portable heap dump",
        expect![
            "not an HPROF heap dump: it is an OpenJ9 portable heap dump; export it to HPROF with Eclipse MAT first"
        ],
    );
    check(
        b"\x7fELF\x02",
        expect![
            "not an HPROF heap dump: it is an ELF file; turn a core dump into a heap dump with jhsdb jmap --binaryheap --core FILE --exe JAVA"
        ],
    );
    check(
        b"\x0a\x04\x08\x01\x10\x02",
        expect!["not an HPROF heap dump: it looks like a pprof profile; read it as such"],
    );
    check(
        b"heap profile: 1: 2 [3: 4] @",
        expect!["not an HPROF heap dump: it looks like a pprof profile; read it as such"],
    );
    check(
        b"hello",
        expect![[
            r#"not an HPROF heap dump: it does not start with "JAVA PROFILE"; take a dump with jcmd PID GC.heap_dump FILE"#
        ]],
    );
    check(
        b"{}",
        expect![[
            r#"not an HPROF heap dump: it does not start with "JAVA PROFILE"; take a dump with jcmd PID GC.heap_dump FILE"#
        ]],
    );
}

#[test]
fn damaged_headers() {
    let check = |bytes: &[u8], expected: Expect| {
        expected.assert_eq(&Hprof::parse(bytes).err().unwrap().to_string());
    };
    check(
        b"JAVA PRO",
        expect!["dump ends at byte 8, inside its header; the file is cut off, take the dump again"],
    );
    check(
        b"JAVA PROFILE ",
        expect![
            "dump ends at byte 13, inside its header; the file is cut off, take the dump again"
        ],
    );
    check(
        b"JAVA PROFILE 1.0.",
        expect![
            "dump ends at byte 17, inside its header; the file is cut off, take the dump again"
        ],
    );
    check(
        b"JAVA PROFILE 1.0.2",
        expect![
            "dump ends at byte 18, inside its header; the file is cut off, take the dump again"
        ],
    );
    check(
        b"JAVA PROFILE 1.0.2\0\0\0\0\x08",
        expect![
            "dump ends at byte 23, inside its header; the file is cut off, take the dump again"
        ],
    );
    check(
        b"JAVA PROFILE 1.0.2\0\0\0\0\x05........",
        expect![
            "identifiers of 5 bytes at byte 19, expected 4 or 8; the header is damaged, take the dump again"
        ],
    );
    check(
        b"JAVA PROFILE 1.0\0\0\0\0\x08........",
        expect![[r#"unsupported HPROF version "1.0" at byte 13; 1.0.1, 1.0.2 and 1.0.3 are read"#]],
    );
    check(
        b"JAVA PROFILE 2.0.\xff and much more text",
        expect![[
            r#"unsupported HPROF version "2.0.� and much m" at byte 13; 1.0.1, 1.0.2 and 1.0.3 are read"#
        ]],
    );
}

fn writer() -> HprofWriter<Vec<u8>> {
    HprofWriter::new(Vec::new(), Version::V1_0_2, IdentifierSize::Eight, None).unwrap()
}

/// A complete dump of one segment with these bytes.
fn dump_of(heap_records: &[u8]) -> Vec<u8> {
    let mut writer = writer();
    writer
        .record(&RecordBody::Other {
            tag: 0x1c,
            bytes: heap_records,
        })
        .unwrap();
    writer.record(&RecordBody::HeapDumpEnd).unwrap();
    writer.finish().unwrap()
}

fn two_instances() -> HeapRecordWriter {
    let mut records = HeapRecordWriter::new(IdentifierSize::Eight);
    records.instance(0x10, 0, 0x20, &[]).unwrap();
    records.instance(0x18, 0, 0x20, &[]).unwrap();
    records
}

#[test]
fn damaged_heap_records() {
    let records = two_instances();
    let with = |more: &[u8]| dump_of(&[records.as_bytes(), more].concat());
    check(
        &with(&[]),
        expect![[r#"
        2 heap records
    "#]],
    );
    // tags that do not exist
    check(
        &with(&[0x77, 1, 2, 3]),
        expect![[r#"
            2 heap records
            heap record 0x77 after INSTANCE_DUMP (0x21) at byte 90 goes beyond the end of its segment at byte 94; it is skipped
        "#]],
    );
    check(
        &dump_of(&[0x00; 16]),
        expect![[r#"
        0 heap records
        unknown heap record 0x00 at byte 40; the rest of its segment, 16 bytes, is skipped
    "#]],
    );
    // an instance, an array of references, and one of longs that claim too much
    check(
        &with(&[0x21, 0, 0]),
        expect![[r#"
            2 heap records
            heap record INSTANCE_DUMP (0x21) after INSTANCE_DUMP (0x21) at byte 90 goes beyond the end of its segment at byte 93; it is skipped
        "#]],
    );
    let mut claims = vec![0x21];
    claims.extend([0; 20]);
    claims.extend([0xff; 4]);
    check(
        &with(&claims),
        expect![[r#"
            2 heap records
            heap record INSTANCE_DUMP (0x21) after INSTANCE_DUMP (0x21) at byte 90 goes beyond the end of its segment at byte 115; it is skipped
        "#]],
    );
    let mut claims = vec![0x22];
    claims.extend([0; 12]);
    claims.extend([0xff; 4]);
    claims.extend([0; 8]);
    check(
        &with(&claims),
        expect![[r#"
            2 heap records
            heap record OBJECT_ARRAY_DUMP (0x22) after INSTANCE_DUMP (0x21) at byte 90 goes beyond the end of its segment at byte 115; it is skipped
        "#]],
    );
    let mut claims = vec![0x23];
    claims.extend([0; 12]);
    claims.extend([0xff; 4]);
    claims.push(PrimitiveType::Long.code());
    check(
        &with(&claims),
        expect![[r#"
            2 heap records
            heap record PRIMITIVE_ARRAY_DUMP (0x23) after INSTANCE_DUMP (0x21) at byte 90 goes beyond the end of its segment at byte 108; it is skipped
        "#]],
    );
    // types that do not exist
    *claims.last_mut().unwrap() = 3;
    check(
        &with(&claims),
        expect![[r#"
            2 heap records
            unknown value type 3 in heap record PRIMITIVE_ARRAY_DUMP (0x23) after INSTANCE_DUMP (0x21) at byte 90; the rest of its segment, 18 bytes, is skipped
        "#]],
    );
    let mut class = vec![0x20];
    class.extend([0; 8 + 4 + 6 * 8 + 4]);
    class.extend([0, 0, 0, 1]);
    class.extend([0; 8]);
    class.push(12);
    check(
        &with(&class),
        expect![[r#"
            2 heap records
            unknown value type 12 in heap record CLASS_DUMP (0x20) after INSTANCE_DUMP (0x21) at byte 90; the rest of its segment, 78 bytes, is skipped
        "#]],
    );
    check(
        &with(&class[..30]),
        expect![[r#"
            2 heap records
            heap record CLASS_DUMP (0x20) after INSTANCE_DUMP (0x21) at byte 90 goes beyond the end of its segment at byte 120; it is skipped
        "#]],
    );
    check(
        &with(&[0x08, 0, 0]),
        expect![[r#"
            2 heap records
            heap record ROOT_THREAD_OBJECT (0x08) after INSTANCE_DUMP (0x21) at byte 90 goes beyond the end of its segment at byte 93; it is skipped
        "#]],
    );
}

#[test]
fn damaged_records() {
    let segment = |writer: &mut HprofWriter<Vec<u8>>| {
        writer.heap_segment(&two_instances()).unwrap();
    };
    // too short for its content, but the next record is found
    for tag in [0x02, 0x05] {
        let mut w = writer();
        w.record(&RecordBody::Other {
            tag,
            bytes: &[1, 2, 3],
        })
        .unwrap();
        segment(&mut w);
        w.record(&RecordBody::HeapDumpEnd).unwrap();
        check(
            &w.finish().unwrap(),
            match tag {
                0x02 => expect![[r#"
                    2 heap records
                    record LOAD_CLASS (0x02) at byte 31 is too short with 3 bytes; it is skipped
                "#]],
                _ => expect![[r#"
                    2 heap records
                    record TRACE (0x05) at byte 31 is too short with 3 bytes; it is skipped
                "#]],
            },
        );
    }
    // more frames than bytes
    let mut w = writer();
    w.record(&RecordBody::Other {
        tag: 0x05,
        bytes: &[0xff; 20],
    })
    .unwrap();
    segment(&mut w);
    w.record(&RecordBody::HeapDumpEnd).unwrap();
    check(
        &w.finish().unwrap(),
        expect![[r#"
        2 heap records
        record TRACE (0x05) at byte 31 is too short with 20 bytes; it is skipped
    "#]],
    );
    // a length beyond the end
    let mut w = writer();
    segment(&mut w);
    let mut bytes = w.finish().unwrap();
    bytes.extend([0x01, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xf0, 1, 2, 3]);
    check(
        &bytes,
        expect![[r#"
        2 heap records
        record UTF8 (0x01) at byte 90 claims 4294967280 bytes but 3 are left; the file is cut off or the length is damaged, what precedes it was read
    "#]],
    );
    // the same among other records
    let mut w = writer();
    for id in 1..20 {
        w.record(&RecordBody::Utf8 { id, text: b"name" }).unwrap();
    }
    segment(&mut w);
    w.record(&RecordBody::HeapDumpEnd).unwrap();
    let sound = w.finish().unwrap();
    let check_at = |at: usize, expected: Expect| {
        let mut bytes = sound.clone();
        bytes[at] = bytes[at].wrapping_sub(1);
        check(&bytes, expected);
    };
    check_at(
        31 + 5,
        expect![[r#"
        2 heap records
        record UTF8 (0x01) at byte 31 claims 4278190092 bytes, more than there are; its length is damaged, reading goes on at byte 52
    "#]],
    );
    // shorter: what follows is no record
    check_at(
        31 + 8,
        expect![[r#"
        2 heap records
        heap record 0x6e at byte 69 goes beyond the end of its segment at byte 71; it is skipped
        record UNLOAD_CLASS (0x03) at byte 89 claims 16777216 bytes, more than there are; its length is damaged, reading goes on at byte 115
    "#]],
    );
    // the last name but one
    check_at(
        31 + 17 * 21 + 5,
        expect![[r#"
        2 heap records
        record UTF8 (0x01) at byte 388 claims 4278190092 bytes, more than there are; its length is damaged, reading goes on at byte 409
    "#]],
    );
    // tags that do not exist are data
    let mut w = writer();
    w.record(&RecordBody::Other {
        tag: 0xee,
        bytes: b"abc",
    })
    .unwrap();
    segment(&mut w);
    w.record(&RecordBody::HeapDumpEnd).unwrap();
    check(
        &w.finish().unwrap(),
        expect![[r#"
        2 heap records
    "#]],
    );
    // nothing but a header
    check(
        &writer().finish().unwrap(),
        expect![[r#"
        0 heap records
        no heap in this dump, which ends at byte 31; the file is cut off, or was written by a profiler without heap=dump
    "#]],
    );
}

#[test]
fn segments_that_lie() {
    let heap = small_heap(IdentifierSize::Eight);
    let whole = heap.build_as(&Form {
        version: Version::V1_0_1,
        ..Form::default()
    });
    let total = read(&whole).0.len();
    check(
        &whole,
        expect![[r#"
        21 heap records
    "#]],
    );
    let hprof = Hprof::parse(&whole).unwrap();
    let record = hprof.records().map(Result::unwrap).last().unwrap();
    let length_at = record.offset as usize + 5;
    let body_at = length_at + 4;
    let set_length = |bytes: &mut [u8], length: u32| {
        bytes[length_at..body_at].copy_from_slice(&length.to_be_bytes());
    };

    // never filled in
    let mut bytes = whole.clone();
    set_length(&mut bytes, 0);
    assert_eq!(read(&bytes).0.len(), total);
    check(
        &bytes,
        expect![[r#"
            21 heap records
            heap segment at byte 1009 claims 0 bytes, which its writer never completed; read to the end of the file, 1110 bytes; roots and objects that were to follow, if any, are missing
        "#]],
    );
    // never filled in, and the JVM died in the midst of it
    bytes.truncate(whole.len() - 30);
    check(
        &bytes,
        expect![[r#"
            20 heap records
            heap record INSTANCE_DUMP (0x21) after INSTANCE_DUMP (0x21) at byte 2078 goes beyond the end of its segment at byte 2089; it is skipped
            heap segment at byte 1009 claims 0 bytes, which its writer never completed; read to the end of the file, 1080 bytes; roots and objects that were to follow, if any, are missing
        "#]],
    );
    // too much
    let mut bytes = whole.clone();
    set_length(&mut bytes, u32::MAX);
    assert_eq!(read(&bytes).0.len(), total);
    check(
        &bytes,
        expect![[r#"
        21 heap records
        heap segment at byte 1009 claims 4294967295 bytes but 1110 are left; the file is cut off, roots and objects that were to follow are missing
    "#]],
    );
    // truly empty, with more after it
    let empty = HeapRecordWriter::new(IdentifierSize::Eight);
    let mut w = writer();
    w.heap_segment(&empty).unwrap();
    w.record(&RecordBody::Utf8 { id: 1, text: b"" }).unwrap();
    w.heap_segment(&two_instances()).unwrap();
    w.heap_segment(&empty).unwrap();
    w.record(&RecordBody::HeapDumpEnd).unwrap();
    check(
        &w.finish().unwrap(),
        expect![[r#"
        2 heap records
    "#]],
    );
    // truly empty, with something unknown after it
    let mut w = writer();
    w.heap_segment(&empty).unwrap();
    w.record(&RecordBody::Other {
        tag: 0x66,
        bytes: &[1; 40],
    })
    .unwrap();
    w.heap_segment(&two_instances()).unwrap();
    w.record(&RecordBody::HeapDumpEnd).unwrap();
    check(
        &w.finish().unwrap(),
        expect![[r#"
        2 heap records
    "#]],
    );
}

/// A HEAP_DUMP above 4 GiB claims the lower 32 bits of its length. Only its first heap records
/// are there; the zeros that follow are pages that nothing touches.
#[cfg(target_pointer_width = "64")]
#[test]
fn a_heap_above_4_gib() {
    let mut w = writer();
    w.heap_dump(&two_instances()).unwrap();
    let start = w.finish().unwrap();
    let check_length = |length: u32, expected: Expect| {
        let mut dump = memmap2::MmapMut::map_anon(40 + (1 << 32) + 1000).unwrap();
        dump[..start.len()].copy_from_slice(&start);
        dump[36..40].copy_from_slice(&length.to_be_bytes());
        check(&dump, expected);
    };
    check_length(
        1000,
        expect![[r#"
            2 heap records
            unknown heap record 0x00 after INSTANCE_DUMP (0x21) at byte 90; the rest of its segment, 4294968246 bytes, is skipped
        "#]],
    );
    // cut off: more than 4 GiB are left, but not as many as were written
    check_length(
        2000,
        expect![[r#"
            2 heap records
            unknown heap record 0x00 after INSTANCE_DUMP (0x21) at byte 90; the rest of its segment, 4294968246 bytes, is skipped
            heap segment at byte 40 claims 2000 bytes, which its writer never completed; read to the end of the file, 4294968296 bytes; roots and objects that were to follow, if any, are missing
        "#]],
    );
}

#[test]
fn several_dumps_in_one_file() {
    let numbers = |bytes: &[u8]| -> Vec<u32> {
        let hprof = Hprof::parse(bytes).unwrap();
        let mut numbers = Vec::new();
        for record in hprof.records() {
            if let RecordBody::HeapDump(s) | RecordBody::HeapDumpSegment(s) = record.unwrap().body {
                numbers.push(s.dump);
            }
        }
        numbers
    };
    let records = two_instances();
    let mut w = writer();
    w.heap_segment(&records).unwrap();
    w.heap_segment(&records).unwrap();
    w.record(&RecordBody::HeapDumpEnd).unwrap();
    w.record(&RecordBody::HeapDumpEnd).unwrap();
    w.record(&RecordBody::Utf8 { id: 1, text: b"x" }).unwrap();
    w.heap_segment(&records).unwrap();
    w.record(&RecordBody::HeapDumpEnd).unwrap();
    assert_eq!(numbers(&w.finish().unwrap()), [1, 1, 2]);

    let mut w = writer();
    w.heap_dump(&records).unwrap();
    w.record(&RecordBody::HeapDumpEnd).unwrap();
    w.heap_dump(&records).unwrap();
    w.heap_dump(&records).unwrap();
    assert_eq!(numbers(&w.finish().unwrap()), [1, 2, 3]);

    // two files, one behind the other
    let first = small_heap(IdentifierSize::Eight).build();
    let second = small_heap(IdentifierSize::Four).build();
    let both = [&*first, &*second].concat();
    check(
        &both,
        expect![[r#"
        21 heap records
        another dump starts at byte 2128, with a header of its own; it is read from there
    "#]],
    );
    let (_, problems) = read(&both);
    let [HprofError::ConcatenatedDump { offset }] = problems[..] else {
        panic!("{problems:?}")
    };
    assert_eq!(problems[0].offset(), offset);
    assert_eq!(read(&both[offset as usize..]), read(&second));
}

/// What a file holds: how many heap records each of its dumps has, and what is wrong.
fn dumps_of(bytes: &[u8]) -> String {
    let mut text = String::new();
    let file = HprofFile::parse(bytes, |_| {}).unwrap();
    for dump in &file.dumps {
        let mut strings = 0;
        let mut heap_records = 0;
        for record in dump.records() {
            match record.map(|record| record.body) {
                Ok(RecordBody::HeapDump(segment) | RecordBody::HeapDumpSegment(segment)) => {
                    heap_records += segment.records().count();
                }
                Ok(RecordBody::Utf8 { .. }) => strings += 1,
                Ok(_) => {}
                Err(problem) => text += &format!("  {problem}\n"),
            }
        }
        let (bytes, taken_at) = (dump.heap_bytes, dump.taken_at.map(|at| at.as_millis()));
        text += &format!(
            "{heap_records} heap records of {bytes} bytes, {strings} strings, taken at {taken_at:?}\n"
        );
    }
    for problem in file.problems {
        text += &format!("{problem}\n");
    }
    text
}

#[test]
fn the_dumps_of_a_file_are_told_apart() {
    let text = |id| RecordBody::Utf8 { id, text: b"x" };
    let began = Timestamp::from_millis(1_000_000);
    let mut w = HprofWriter::new(
        Vec::new(),
        Version::V1_0_1,
        IdentifierSize::Eight,
        Some(began),
    )
    .unwrap();
    w.record(&text(1)).unwrap();
    for micros in [0, 7_000_000] {
        w.record_after(
            micros,
            &RecordBody::Other {
                tag: 0x0c,
                bytes: two_instances().as_bytes(),
            },
        )
        .unwrap();
        w.record(&text(2)).unwrap();
    }
    let appended = w.finish().unwrap();
    expect![[r#"
        2 heap records of 50 bytes, 1 strings, taken at Some(1000000)
        2 heap records of 50 bytes, 3 strings, taken at Some(1007000)
    "#]]
    .assert_eq(&dumps_of(&appended));

    // a file behind it with a header of its own, and one cut off in its header
    let other = small_heap(IdentifierSize::Four).build();
    let three = [&*appended, &other, &other[..25]].concat();
    expect![[r#"
        2 heap records of 50 bytes, 1 strings, taken at Some(1000000)
        2 heap records of 50 bytes, 3 strings, taken at Some(1007000)
        21 heap records of 706 bytes, 22 strings, taken at Some(1795345200000)
        dump ends at byte 1764, inside its header; the file is cut off, take the dump again
    "#]]
    .assert_eq(&dumps_of(&three));
    // what cuts off the last dump does not touch the others
    expect![[r#"
        2 heap records of 50 bytes, 1 strings, taken at Some(1000000)
          heap segment at byte 135 claims 50 bytes but 40 are left; the file is cut off, roots and objects that were to follow are missing
        2 heap records of 40 bytes, 2 strings, taken at Some(1007000)
    "#]]
    .assert_eq(&dumps_of(&appended[..appended.len() - 28]));
}

fn ends_of_heap_records(bytes: &[u8]) -> Vec<u64> {
    let mut ends = Vec::new();
    for record in Hprof::parse(bytes).unwrap().records() {
        if let RecordBody::HeapDump(s) | RecordBody::HeapDumpSegment(s) = record.unwrap().body {
            let mut records = s.records();
            while records.next().is_some() {
                ends.push(records.offset());
            }
        }
    }
    ends
}

/// Reading what is left of a dump gives what came before the cut, and says that there was more.
#[test]
fn a_dump_cut_off_anywhere_gives_all_that_precedes() {
    for size in [IdentifierSize::Four, IdentifierSize::Eight] {
        let heap = small_heap(size);
        for form in forms() {
            let whole = heap.build_as(&form);
            let (records, problems) = read(&whole);
            assert_eq!(problems, []);
            let ends = ends_of_heap_records(&whole);
            assert_eq!(ends.len(), records.len());

            for cut in 0..whole.len() {
                let (salvaged, problems) = read(&whole[..cut]);
                assert!(
                    !problems.is_empty(),
                    "cut at {cut} of {} unnoticed",
                    whole.len()
                );
                assert!(
                    problems
                        .iter()
                        .all(|problem| problem.offset() <= cut as u64)
                );
                assert_eq!(salvaged, records[..salvaged.len()]);
                let complete = ends.iter().filter(|end| **end <= cut as u64).count();
                assert_eq!(salvaged.len(), complete, "cut at {cut}");
                let walk = fuzz_read(&whole[..cut]);
                assert_eq!(walk.errors, problems.len());
            }
        }
    }
}

#[test]
fn cut_offs_are_named() {
    let whole = small_heap(IdentifierSize::Eight).build_as(&forms()[2]);
    let hprof = Hprof::parse(&whole).unwrap();
    let segments: Vec<_> = hprof
        .records()
        .filter_map(|record| match record.unwrap().body {
            RecordBody::HeapDumpSegment(segment) => Some(segment),
            _ => None,
        })
        .collect();
    let at = |offset: u64| &whole[..offset as usize];
    check(
        at(40),
        expect![[r#"
        0 heap records
        record UTF8 (0x01) at byte 31 claims 24 bytes but 0 are left; the file is cut off or the length is damaged, what precedes it was read
    "#]],
    );
    check(
        at(segments[0].offset - 9),
        expect![[r#"
        0 heap records
        no heap in this dump, which ends at byte 1000; the file is cut off, or was written by a profiler without heap=dump
    "#]],
    );
    check(
        at(segments[0].offset - 1),
        expect![[r#"
        0 heap records
        dump ends at byte 1008, inside the record header at byte 1000; the file is cut off, what precedes it was read
    "#]],
    );
    check(
        at(segments[0].offset),
        expect![[r#"
        0 heap records
        heap segment at byte 1009 claims 114 bytes but 0 are left; the file is cut off, roots and objects that were to follow are missing
    "#]],
    );
    check(
        at(segments[0].end() - 1),
        expect![[r#"
            3 heap records
            heap record CLASS_DUMP (0x20) after ROOT_JAVA_FRAME (0x03) at byte 1052 goes beyond the end of its segment at byte 1122; it is skipped
            heap segment at byte 1009 claims 114 bytes but 113 are left; the file is cut off, roots and objects that were to follow are missing
        "#]],
    );
    check(
        at(segments[0].end()),
        expect![[r#"
        4 heap records
        dump ends at byte 1123 without a HEAP_DUMP_END record; the file is cut off, what precedes it was read
    "#]],
    );
    check(
        at(whole.len() as u64 - 1),
        expect![[r#"
        21 heap records
        dump ends at byte 2190, inside the record header at byte 2182; the file is cut off, what precedes it was read
    "#]],
    );
}

/// Ends, and in time linear in the input: an item takes at least a byte, and each iterator may
/// end with two errors.
fn check_ends(bytes: &[u8]) {
    let walk = fuzz_read(bytes);
    prop_assert_bounded(walk.records, bytes.len() / 9 + 2);
    // a segment of n bytes gives at most n / 9 records and an error
    prop_assert_bounded(walk.heap_records, bytes.len() / 5 + walk.records);
}

fn prop_assert_bounded(count: usize, bound: usize) {
    assert!(count <= bound, "{count} items, at most {bound} possible");
}

proptest! {
    #[test]
    fn any_bytes_end(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        check_ends(&bytes);
    }

    /// Behind a sound header, with bytes that are often tags and small lengths.
    #[test]
    fn any_records_end(
        wide: bool,
        body in prop::collection::vec(
            prop_oneof![
                Just(0_u8), 0..40_u8, any::<u8>(),
                prop::sample::select(vec![0x0c_u8, 0x1c, 0x2c, 0x20, 0x21, 0x22, 0x23, 0xff]),
            ],
            0..400,
        ),
    ) {
        let mut bytes = b"JAVA PROFILE 1.0.2\0\0\0\0".to_vec();
        bytes.push(if wide { 8 } else { 4 });
        bytes.extend([0; 8]);
        bytes.extend(body);
        check_ends(&bytes);
    }

    /// A sound dump with some bytes changed, removed and added, and cut off.
    #[test]
    fn any_change_of_a_dump_ends(
        wide: bool,
        form in 0..4_usize,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..4_u8), 1..8),
        cut in any::<prop::sample::Index>(),
        is_cut: bool,
    ) {
        let size = if wide { IdentifierSize::Eight } else { IdentifierSize::Four };
        let mut bytes = small_heap(size).build_as(&forms()[form]);
        for (place, value, kind) in changes {
            let at = place.index(bytes.len());
            match kind {
                0 => { bytes.remove(at); }
                1 => bytes.insert(at, value),
                _ => bytes[at] = value,
            }
        }
        if is_cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        check_ends(&bytes);
    }
}
