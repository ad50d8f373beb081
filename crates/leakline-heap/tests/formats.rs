//! Dumps as JVMs other than today's HotSpot write them, and files that hold several.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail like tests")]

mod support;

use expect_test::{Expect, expect};
use leakline_heap::{Analysis, AnalyzeOptions, LoadOptions, Totals, analyze, load};
use leakline_hprof::heap_builder::{Form, HeapBuilder, Layout, ObjectId, Place};
use leakline_hprof::{
    ClassDefinition, ConstantPoolEntry, FieldDescriptor, GcRoot, GcRootKind, HeapRecord,
    HeapRecordWriter, Hprof, HprofWriter, IdentifierSize, PrimitiveType, RecordBody, StaticField,
    Value, ValueType, Version,
};
use support::{Program, analyze_bytes, suspects};

fn analyze_dump(bytes: &[u8], dump: Option<u32>) -> Result<Analysis, String> {
    let options = LoadOptions {
        dump,
        ..LoadOptions::default()
    };
    let heap = load(bytes, &options).map_err(|error| error.to_string())?;
    Ok(analyze(&heap, &AnalyzeOptions::default()))
}

fn leak_of(class: &str) -> Program {
    let mut program = Program::new();
    let objects = program.instances(class, 4_000, 200);
    let map = program.map(&objects);
    program.static_field("shop.Main", "all", map);
    program
}

/// The same addresses are other objects in each dump.
#[test]
fn one_of_several_dumps_is_read_and_none_is_merged() {
    let form = Form {
        version: Version::V1_0_1,
        ..Form::default()
    };
    let dumps = ["shop.Order", "shop.Item"].map(|class| leak_of(class).heap.build_as(&form));
    let records = Hprof::parse(&dumps[1]).unwrap().header().length;
    let appended = [&dumps[0], &dumps[1][records..]].concat();
    let concatenated = dumps.concat();
    let read = |file: &[u8]| {
        let mut text = String::new();
        for dump in [Some(1), Some(2), None, Some(3), Some(0)] {
            text += &match analyze_dump(file, dump) {
                Ok(analysis) => {
                    let suspects = suspects(&analysis);
                    let first = suspects.lines().next().unwrap_or_default();
                    let problems = &analysis.report.dump.problems;
                    format!("{dump:?}: {first} {problems:?}\n")
                }
                Err(error) => format!("{dump:?}: {error}\n"),
            };
        }
        text
    };
    expect![[r#"
        Some(1): static Main.all → HashMap holds 4,000 Order (0.99 MiB, 100 %) [Map] []
        Some(2): static Main.all → HashMap holds 4,000 Item (0.99 MiB, 100 %) [Map] []
        None: static Main.all → HashMap holds 4,000 Item (0.99 MiB, 100 %) [Map] ["the file holds 2 dumps (#1 of 1.18 MiB, #2 of 1.18 MiB), and the last is read; put the number of another behind the name of the file, as in heap.hprof#1"]
        Some(3): there is no dump #3 in the file: it holds 2, numbered from #1
        Some(0): there is no dump #0 in the file: it holds 2, numbered from #1
    "#]]
    .assert_eq(&read(&appended));
    assert_eq!(read(&appended), read(&concatenated));
}

#[test]
fn without_system_classes_those_of_the_boot_loader_are_roots() {
    let mut program = Program::new();
    let orders = program.instances("shop.Order", 4_000, 200);
    let map = program.map(&orders);
    // nothing roots the class, as in dumps of IBM J9
    program
        .heap
        .class("shop.Main")
        .static_field("all", map)
        .id();
    program.heap.thread("main").id();
    let analysis = program.analyze();
    assert_eq!(analysis.report.totals.unreachable_objects, 0);
    expect![[r#"
        static Main.all → HashMap holds 4,000 Order (0.99 MiB, 100 %) [Map]
          shop.Main all by static field
    "#]]
    .assert_eq(&suspects(&analysis));
}

/// Names of threads were arrays of characters up to JDK 8, and strings shared arrays up to JDK 6
/// and on Android.
#[test]
fn names_of_threads_in_every_form_of_strings() {
    let names = |heap: HeapBuilder| -> Vec<String> {
        let threads = analyze_bytes(&heap.build()).report.threads;
        let mut names: Vec<String> = threads.into_iter().map(|thread| thread.name).collect();
        names.sort();
        names
    };
    let chars = |heap: &mut HeapBuilder, text: &str| {
        let units = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        heap.primitive_array(PrimitiveType::Char, units)
    };

    let mut heap = HeapBuilder::new(IdentifierSize::Eight);
    heap.thread("latin-ü").id();
    heap.thread("wide-中").id();
    assert_eq!(names(heap), ["latin-ü", "wide-中"]);

    let mut heap = HeapBuilder::new(IdentifierSize::Eight);
    let array = chars(&mut heap, "old-ü");
    heap.thread("").set("name", array).id();
    assert_eq!(names(heap), ["old-ü"]);

    let mut heap = HeapBuilder::new(IdentifierSize::Four);
    let string = heap
        .class("java.lang.String")
        .field("value", ValueType::Object)
        .field("offset", ValueType::Int)
        .field("hash", ValueType::Int)
        .field("count", ValueType::Int)
        .field("coder", ValueType::Byte)
        .id();
    let array = chars(&mut heap, "prefix-worker-1\0\0\0\0");
    let text = |heap: &mut HeapBuilder, offset: i32, count: i32| {
        let string = heap.instance(string).set("value", array);
        string.set("offset", offset).set("count", count).id()
    };
    for (offset, count) in [(7, 8), (0, 6), (7, 1_000), (-1, -1), (1_000, 3)] {
        let name = text(&mut heap, offset, count);
        heap.thread("").set("name", name).id();
    }
    let names = names(heap);
    assert_eq!(names, ["", "", "prefix", "worker-1", "worker-1\0\0\0\0"]);
}

#[test]
fn a_frame_without_a_record_keeps_its_place() {
    let mut heap = HeapBuilder::new(IdentifierSize::Eight);
    let held = heap.bytes(&[0; 500]);
    heap.thread("main")
        .frame("app.Main", "inner", 1)
        .frame("app.Main", "lost", 2)
        .frame("app.Main", "outer", 3)
        .local(held)
        .id();
    let bytes = heap.build();
    // the second frame's record becomes one of an unknown kind
    let hprof = Hprof::parse(&bytes).unwrap();
    let frames = hprof.records().map(Result::unwrap);
    let mut frames = frames.filter(|record| matches!(record.body, RecordBody::Frame { .. }));
    let lost = frames.nth(1).unwrap().offset;
    let mut bytes = bytes.clone();
    bytes[lost as usize] = 0x77;
    let threads = analyze_bytes(&bytes).report.threads;
    assert_eq!(
        threads[0].frames,
        [
            "app.Main.inner (Main.java:1)",
            "<unknown>.<unknown>",
            "app.Main.outer (Main.java:3)"
        ]
    );
    assert_eq!(threads[0].locals[0].frame, Some(2));
}

/// A dump written record by record.
struct Raw {
    writer: HprofWriter<Vec<u8>>,
    heap: HeapRecordWriter,
    names: u64,
}

impl Raw {
    fn new(version: Version, size: IdentifierSize) -> Raw {
        Raw {
            writer: HprofWriter::new(Vec::new(), version, size, None).unwrap(),
            heap: HeapRecordWriter::new(size),
            names: 0,
        }
    }

    fn name(&mut self, text: &str) -> u64 {
        self.names += 1;
        let text = text.as_bytes();
        self.writer
            .record(&RecordBody::Utf8 {
                id: self.names,
                text,
            })
            .unwrap();
        self.names
    }

    fn load_class(&mut self, class_id: u64, name: &str) {
        let name_id = self.name(name);
        self.writer
            .record(&RecordBody::LoadClass {
                serial: class_id as u32,
                class_id,
                trace_serial: 0,
                name_id,
            })
            .unwrap();
    }

    fn root(&mut self, object_id: u64, kind: GcRootKind) {
        self.heap.gc_root(GcRoot { object_id, kind }).unwrap();
    }

    fn finish(mut self) -> Vec<u8> {
        self.writer.heap_segment(&self.heap).unwrap();
        self.writer.record(&RecordBody::HeapDumpEnd).unwrap();
        self.writer.finish().unwrap()
    }
}

fn histogram(analysis: &Analysis) -> String {
    let mut rows: Vec<String> = analysis
        .report
        .histogram
        .iter()
        .map(|row| format!("{} {} of {} B\n", row.class, row.objects, row.shallow_bytes))
        .collect();
    rows.sort();
    rows.concat() + &analysis.report.dump.problems.join("\n")
}

/// What ART adds: heaps with names, roots of its own, arrays without content, unreachable objects,
/// and sizes that are true.
#[test]
fn dumps_of_android() {
    let mut raw = Raw::new(Version::V1_0_3, IdentifierSize::Four);
    raw.load_class(0x10, "java.lang.Object");
    raw.load_class(0x20, "java.lang.Class");
    raw.load_class(0x30, "app.Activity");
    let heap_name = raw.name("app");
    let field = raw.name("next");
    // instances before classes
    let info = HeapRecord::HeapInfo {
        heap_id: 0x41,
        name_id: heap_name,
    };
    raw.heap.record(&info).unwrap();
    for number in 0..8u64 {
        let next = Value::Object(0x1000 + 8 * (number + 100));
        raw.heap
            .instance(0x1000 + 8 * number, 0, 0x30, &[next])
            .unwrap();
    }
    for number in 0..8u64 {
        let array = HeapRecord::PrimitiveArrayWithoutData {
            object_id: 0x1000 + 8 * (number + 100),
            trace_serial: 0,
            element_type: PrimitiveType::Int,
            length: 10,
        };
        raw.heap.record(&array).unwrap();
    }
    for (class_id, super_id, instance_size, fields) in [
        (0x10, 0, 8, false),
        (0x20, 0x10, 96, false),
        (0x30, 0x10, 20, true),
    ] {
        let descriptor = FieldDescriptor {
            name_id: field,
            value_type: ValueType::Object,
        };
        raw.heap
            .class(&ClassDefinition {
                class_id,
                super_id,
                instance_size,
                instance_fields: fields.then_some(descriptor).into_iter().collect(),
                ..ClassDefinition::default()
            })
            .unwrap();
        raw.root(class_id, GcRootKind::StickyClass);
    }
    let kinds = [
        GcRootKind::InternedString,
        GcRootKind::Finalizing,
        GcRootKind::Debugger,
        GcRootKind::ReferenceCleanup,
        GcRootKind::VmInternal,
        GcRootKind::JniMonitor {
            thread_serial: 9,
            frame: None,
        },
        GcRootKind::Unknown,
        // no root
        GcRootKind::Unreachable,
    ];
    for (number, kind) in (0u64..).zip(kinds) {
        raw.root(0x1000 + 8 * number, kind);
    }
    let bytes = raw.finish();
    let analysis = analyze_bytes(&bytes);
    expect![[r#"
        app.Activity 7 of 168 B
        int[] 7 of 392 B
        java.lang.Class 3 of 288 B
    "#]]
    .assert_eq(&histogram(&analysis));
    let Totals {
        unreachable_objects,
        unreachable_bytes,
        ..
    } = analysis.report.totals;
    assert_eq!((unreachable_objects, unreachable_bytes), (2, 24 + 56));
}

/// Constant pools, class objects as elements of arrays, some of which are not described, names
/// that are missing, a class that is described twice, fields of one name.
#[test]
fn dumps_of_profiling_agents_and_redefined_classes() {
    let mut raw = Raw::new(Version::V1_0_1, IdentifierSize::Eight);
    for (id, name) in [
        (0x100, "java/lang/Object"),
        (0x200, "java/lang/Class"),
        (0x300, "app/Main"),
        (0x400, "[Ljava/lang/Class;"),
        (0x500, "app/Gone"),
    ] {
        raw.load_class(id, name);
    }
    raw.writer
        .record(&RecordBody::UnloadClass { serial: 0x500 })
        .unwrap();
    let name = raw.name("value");
    let object = |id| Value::Object(id);
    let definition = |class_id, statics: &[u64], constants: &[u64]| ClassDefinition {
        class_id,
        super_id: if class_id == 0x100 { 0 } else { 0x100 },
        static_fields: statics
            .iter()
            .map(|id| StaticField {
                name_id: name,
                value: object(*id),
            })
            .collect(),
        constant_pool: constants
            .iter()
            .map(|id| ConstantPoolEntry {
                index: 1,
                value: object(*id),
            })
            .collect(),
        ..ClassDefinition::default()
    };
    // 0x777 has no name and no description
    raw.heap
        .object_array(0x1000, 0, 0x400, [0x300, 0x777, 0x500, 0].into_iter())
        .unwrap();
    for id in [0x1100, 0x1200, 0x1300, 0x1400] {
        raw.heap.instance(id, 0, 0x100, &[]).unwrap();
    }
    raw.heap
        .instance(0x1500, 0, 0x888, &[Value::Int(7)])
        .unwrap();
    for class in [
        definition(0x100, &[], &[]),
        definition(0x200, &[], &[]),
        definition(0x400, &[], &[]),
        // before it was redefined
        definition(0x300, &[0x1400], &[]),
        definition(0x300, &[0x1000, 0x1100, 0x1500], &[0x1200]),
    ] {
        raw.heap.class(&class).unwrap();
    }
    for id in [0x100, 0x200, 0x300, 0x400] {
        raw.root(id, GcRootKind::StickyClass);
    }
    let analysis = analyze_bytes(&raw.finish());
    expect![[r#"
        java.lang.Class 5 of 80 B
        java.lang.Class[] 1 of 32 B
        java.lang.Object 2 of 32 B
        unknown-class-0x888 1 of 16 B
        1 objects are described more than once; the last description is used
        2 references lead to objects that the dump does not contain
        1 objects are of classes that the dump does not describe; their references are unknown"#]]
    .assert_eq(&histogram(&analysis));
    // those at 0x1300 and 0x1400
    assert_eq!(analysis.report.totals.unreachable_objects, 2);
}

/// What cannot be understood is said, and all else is read.
#[test]
fn unknown_records_cost_no_more_than_they_must() {
    let check = |spoil: &dyn Fn(&mut Vec<u8>), expected: Expect| {
        let form = Form {
            segment_bytes: Some(20_000),
            roots: Place::Last,
            ..Form::default()
        };
        let mut bytes = leak_of("shop.Order").heap.build_as(&form);
        spoil(&mut bytes);
        let analysis = analyze_bytes(&bytes);
        let report = &analysis.report;
        let first = suspects(&analysis).lines().next().unwrap().to_owned();
        expected.assert_eq(&format!(
            "{first}\ncomplete: {}\n{}",
            report.dump.complete,
            report.dump.problems.join("\n")
        ));
    };
    let offset = |bytes: &[u8], nth: usize| {
        let hprof = Hprof::parse(bytes).unwrap();
        let records = hprof.records().map(Result::unwrap);
        let mut segments = records.filter_map(|record| match record.body {
            RecordBody::HeapDumpSegment(segment) => Some(segment),
            _ => None,
        });
        let segment = segments.nth(nth).unwrap();
        let mut records = segment.records();
        records.nth(10);
        (segment.offset - 9, records.offset())
    };
    // a record that no version of the format has, in front of the heap
    check(
        &|bytes| {
            let (record, _) = offset(bytes, 0);
            let unknown = [0x3f, 0, 0, 0, 0, 0, 0, 0, 3, 1, 2, 3];
            bytes.splice(record as usize..record as usize, unknown);
        },
        expect![[r#"
            static Main.all → HashMap holds 4,000 Order (0.99 MiB, 100 %) [Map]
            complete: true
            records with unknown tags (0x3f) are passed over: 1, with 3 bytes"#]],
    );
    // a heap record that none has: the rest of its segment is lost
    check(
        &|bytes| {
            let (_, heap_record) = offset(bytes, 5);
            bytes[heap_record as usize] = 0x77;
        },
        expect![[r#"
            static Main.all → HashMap holds 3,926 Order (999 KiB, 100 %) [Map]
            complete: false
            unknown heap record 0x77 after INSTANCE_DUMP (0x21) at byte 103683; the rest of its segment, 18792 bytes, is skipped
            75 references lead to objects that the dump does not contain
            the dump is cut off before its GC roots or what they refer to: 11 objects that nothing refers to stand in for them, so garbage may count as live"#]],
    );
}

#[test]
fn what_the_jvm_adds_to_objects_is_measured_and_holes_are_not() {
    let mut heap = HeapBuilder::with_layout(IdentifierSize::Eight, Layout::COMPRESSED);
    let chunk = heap
        .class("jdk.internal.vm.StackChunk")
        .field("parent", ValueType::Object)
        .field("size", ValueType::Int)
        .id();
    let plain = heap
        .class("app.Plain")
        .field("a", ValueType::Long)
        .field("b", ValueType::Object)
        .id();
    let injected = heap.class("app.Injected").field("a", ValueType::Long).id();
    let padded = heap.class("app.Padded").field("a", ValueType::Long).id();
    let scattered = heap.class("app.Scattered").field("a", ValueType::Long).id();
    let mut all: Vec<ObjectId> = Vec::new();
    for number in 0..2_000i32 {
        all.push(heap.instance(plain).id());
        if number % 40 == 0 {
            // 24 bytes of its own, then its stack and the map of references in it
            all.push(heap.instance(chunk).set("size", number).id());
            let map = (2 * number as u64).div_ceil(64);
            heap.leave_hole(8 * (number as u64 + map));
            all.push(heap.instance(injected).id());
            heap.leave_hole(8);
            all.push(heap.instance(scattered).id());
            heap.leave_hole(64);
        }
        if number == 1_000 {
            all.push(heap.instance(padded).id());
            heap.leave_hole(256);
        }
    }
    all.push(heap.instance(plain).id());
    let array = heap.object_array(plain, &all);
    let main = heap.class("app.Main").static_field("all", array).id();
    heap.root(main, GcRootKind::StickyClass);
    let analysis = analyze_bytes(&heap.build());
    let sizes: Vec<String> = histogram(&analysis)
        .lines()
        .filter(|row| row.starts_with("app.") || row.starts_with("jdk."))
        .map(str::to_owned)
        .collect();
    let stacks: u64 = (0..2_000)
        .step_by(40)
        .map(|words: u64| 24 + 8 * (words + (2 * words).div_ceil(64)))
        .sum();
    assert_eq!(
        sizes,
        [
            "app.Injected 50 of 1600 B".to_owned(),
            "app.Padded 1 of 280 B".to_owned(),
            "app.Plain 2001 of 48024 B".to_owned(),
            "app.Plain[] 1 of 8624 B".to_owned(),
            "app.Scattered 50 of 1200 B".to_owned(),
            format!("jdk.internal.vm.StackChunk 50 of {stacks} B"),
        ]
    );
}

/// JVMs before JDK 22 leave out what the stacks of waiting virtual threads hold.
#[test]
fn what_waiting_virtual_threads_hold_is_not_taken_for_garbage() {
    // so many words of stack, and objects that only such a stack can hold
    let analyze = |words: i32, held: usize, is_written: bool| {
        let mut program = Program::new();
        let chunk = program
            .heap
            .class("jdk.internal.vm.StackChunk")
            .field("parent", ValueType::Object)
            .field("size", ValueType::Int)
            .id();
        let thread = program
            .heap
            .class("java.lang.VirtualThread")
            .field("name", ValueType::Object)
            .field("stack", ValueType::Object)
            .id();
        let chunk = program.heap.instance(chunk).set("size", words).id();
        program.instances("shop.Order", held, 200);
        let waiting = if is_written {
            let thread = program.heap.thread_of_class(thread, "virtual");
            thread.set("stack", chunk).id().object
        } else {
            program.heap.instance(thread).set("stack", chunk).id()
        };
        program.static_field("shop.Main", "waiting", waiting);
        let analysis = program.analyze();
        let report = &analysis.report;
        let mut rows = report.histogram.iter();
        let row = rows.find(|row| row.class == "shop.Order");
        (
            row.map_or(0, |row| row.objects),
            suspects(&analysis) + &report.dump.problems.join("\n"),
        )
    };
    let (live, problems) = analyze(5_000, 3_800, false);
    assert_eq!(live, 3_800);
    expect![[r#"
        3,800 Order on stacks of waiting virtual threads (861 KiB, 95 %) [Object]
          shop.Order - by stack of a waiting virtual thread
        the JVM left out what the stacks of waiting virtual threads hold, 1 in all (JDK 22 and later write it): 7,618 objects (863 KiB) that nothing else holds are taken for their local variables, so garbage may count as live"#]].assert_eq(&problems);
    let (live, problems) = analyze(100, 3_000, false);
    assert_eq!(live, 0);
    expect!["the JVM left out what the stacks of waiting virtual threads hold, 1 in all (JDK 22 and later write it): 6,018 objects (682 KiB) that nothing else holds are more than their stacks have room for and count as unreachable, so some of them may be live"].assert_eq(&problems);
    // a JVM that writes them: what is left is garbage
    assert_eq!(analyze(5_000, 3_800, true), (0, String::new()));
}

/// Of a map that is cut off, its entries are what nothing refers to.
#[test]
fn what_lost_roots_held_in_maps_is_named() {
    let mut program = Program::new();
    let orders = program.instances("shop.Order", 4_000, 200);
    program.map(&orders);
    let whole = program.heap.build_as(&Form {
        segment_bytes: Some(1_000),
        ..Form::default()
    });
    // the map and its table are last
    let analysis = analyze_bytes(&whole[..whole.len() - 35_000]);
    expect![[r#"
        3,940 Order whose holder is not in the cut-off dump (893 KiB, 89 %) [Object]
          java.util.HashMap$Node - by lost with the cut-off part of the dump
          but the dump is cut off, so the holder is a guess from the references that are left
          but what refers to it is not in the dump
    "#]]
    .assert_eq(&suspects(&analysis));
}
