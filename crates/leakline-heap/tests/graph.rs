//! What a dump's graph tells: sizes, reachability, dominators, threads, paths, in every form
//! that dumps come in, whole or damaged.

mod support;

use expect_test::{Expect, expect};
use leakline_heap::{Analysis, LoadOptions, References, Totals, load};
use leakline_hprof::heap_builder::{Form, HeapBuilder, Layout, ObjectId, Place};
use leakline_hprof::{GcRootKind, IdentifierSize, PrimitiveType, ValueType, Version};
use support::{Program, analyze_as, analyze_bytes, suspects};

/// Many objects of different shapes side by side, as a collected heap has them.
fn shapes(layout: Layout, identifier_size: IdentifierSize) -> Vec<u8> {
    let mut heap = HeapBuilder::with_layout(identifier_size, layout);
    let point = heap
        .class("app.Point")
        .field("x", ValueType::Int)
        .field("y", ValueType::Int)
        .id();
    let named = heap
        .class("app.Named")
        .extends(point)
        .field("name", ValueType::Object)
        .id();
    let mut all = Vec::new();
    for number in 0..200usize {
        all.push(heap.instance(point).id());
        all.push(heap.instance(named).id());
        all.push(heap.bytes(&vec![0; number % 19]));
        all.push(heap.primitive_array(PrimitiveType::Long, vec![0; 8 * (number % 3)]));
        all.push(heap.object_array(point, &vec![ObjectId::NULL; number % 7]));
    }
    let holder = heap.object_array(point, &all);
    let root = heap.class("app.Root").static_field("all", holder).id();
    heap.root(root, GcRootKind::StickyClass);
    heap.build()
}

fn bytes_per_object(analysis: &Analysis, class: &str) -> f64 {
    let rows = &analysis.report.histogram;
    let row = rows
        .iter()
        .find(|row| row.class == class)
        .expect("a class of the heap");
    row.shallow_bytes as f64 / row.objects as f64
}

#[test]
fn sizes_follow_the_layout_that_the_addresses_show() {
    let check = |layout, identifier_size, expected: [f64; 3]| {
        let analysis = analyze_bytes(&shapes(layout, identifier_size));
        let sizes =
            ["app.Point", "app.Named", "app.Point[]"].map(|c| bytes_per_object(&analysis, c));
        // one array is the long one that holds all others
        assert_eq!(
            (sizes[0], sizes[1]),
            (expected[0], expected[1]),
            "{layout:?}"
        );
        assert!(
            (sizes[2] - expected[2]).abs() < 0.01,
            "{layout:?}: {sizes:?}"
        );
    };
    use IdentifierSize::{Eight, Four};
    let reference_array = |header: u64, reference: u64| {
        let size = |length: u64| (header + reference * length).next_multiple_of(8);
        let small: u64 = (0..200).map(|number| size(number % 7)).sum();
        (small + size(1000)) as f64 / 201.0
    };
    check(
        Layout::COMPRESSED,
        Eight,
        [24.0, 24.0, reference_array(16, 4)],
    );
    check(
        Layout::COMPACT_HEADERS,
        Eight,
        [16.0, 24.0, reference_array(12, 4)],
    );
    check(
        Layout::UNCOMPRESSED,
        Eight,
        [24.0, 32.0, reference_array(24, 8)],
    );
    check(Layout::NARROW, Four, [16.0, 24.0, reference_array(12, 4)]);
}

#[test]
fn every_form_of_a_dump_gives_the_same_findings() {
    let mut program = Program::new();
    let orders = program.instances("shop.Order", 4_000, 200);
    let cache = program.concurrent_map(&orders);
    program.static_field("shop.Controller", "cache", cache);
    program
        .heap
        .thread("main")
        .frame("shop.Main", "run", 3)
        .local(orders[7])
        .id();
    let expected = program.analyze().report;
    assert_eq!(expected.suspects.len(), 1);
    for version in [Version::V1_0_1, Version::V1_0_2] {
        for roots in [Place::First, Place::Last] {
            for classes in [Place::First, Place::Last] {
                for segment_bytes in [None, Some(10_000)] {
                    for names in [Place::First, Place::Last] {
                        let form = Form {
                            version,
                            names,
                            roots,
                            classes,
                            segment_bytes,
                            ..Form::default()
                        };
                        let report = analyze_bytes(&program.heap.build_as(&form)).report;
                        assert_eq!(report, expected, "{form:?}");
                    }
                }
            }
        }
    }
}

#[test]
fn memory_is_told_apart_by_how_strongly_it_is_held() {
    let mut program = Program::new();
    let kept = program.bytes(984);
    let soft = program.bytes(1984);
    let weak = program.bytes(3984);
    let finalized = program.bytes(7984);
    let garbage = program.bytes(15_984);
    let phantom = program.bytes(31_984);
    // what is held in several ways is held as in the strongest
    let references = [
        program.weak(kept),
        program.phantom(weak),
        program.weak(soft),
        program.soft(soft),
        program.weak(weak),
        program.weak(finalized),
        program.phantom(phantom),
    ];
    let all = program.list(&[&references[..], &[kept]].concat());
    program.static_field("app.Main", "all", all);
    program.finalizers(&[finalized]);
    // the class objects that nothing refers to
    let unused = program.analyze().report.totals.unreachable_objects;
    // a list, its array, and what is in it
    let inner = program.bytes(984);
    program.list(&[garbage, inner]);
    let bytes = program.heap.build();

    let strong = analyze_as(&bytes, References::Strong).report.totals;
    assert_eq!(strong.soft_only_bytes, 2_000);
    assert_eq!(strong.finalizer_only_bytes, 8_000);
    assert_eq!(strong.weak_only_bytes, 4_000);
    assert_eq!(strong.phantom_only_bytes, 32_000);
    assert_eq!(strong.unreachable_objects, unused + 3);
    let all = analyze_as(&bytes, References::All).report.totals;
    assert_eq!(
        Totals {
            soft_only_bytes: 0,
            finalizer_only_bytes: 0,
            weak_only_bytes: 0,
            phantom_only_bytes: 0,
            ..strong
        },
        all
    );
}

#[test]
fn retained_sizes_do_not_count_nested_objects_twice() {
    let mut program = Program::new();
    let node = program.class("app.Node", &["next"]);
    // otherwise the nodes would retain their class object too
    program.heap.root(node, GcRootKind::StickyClass);
    let mut next = ObjectId::NULL;
    for _ in 0..10 {
        next = program.heap.instance(node).set("next", next).id();
    }
    program.static_field("app.Main", "head", next);
    let report = program.analyze().report;
    let rows = &report.histogram;
    let row = rows.iter().find(|row| row.class == "app.Node").unwrap();
    let sizes = (row.objects, row.shallow_bytes, row.retained_bytes);
    assert_eq!(sizes, (10, 160, 160));
}

#[test]
fn the_same_bytes_give_the_same_report() {
    let mut program = Program::new();
    for class in ["app.A", "app.B", "app.C"] {
        let objects = program.instances(class, 3_000, 300);
        let map = program.map(&objects);
        program.static_field(&format!("{class}Holder"), "all", map);
    }
    // segments are read by several threads
    let form = Form {
        segment_bytes: Some(20_000),
        ..Form::default()
    };
    let bytes = program.heap.build_as(&form);
    let first = analyze_bytes(&bytes).report;
    assert_eq!(first.suspects.len(), 3);
    for _ in 0..5 {
        assert_eq!(analyze_bytes(&bytes).report, first);
    }
}

fn check_path(build: impl FnOnce(&mut Program) -> ObjectId, expected: Expect) {
    let mut program = Program::new();
    let target = build(&mut program);
    let bytes = program.heap.build();
    let heap = load(&bytes, &LoadOptions::default()).expect("the dump can be read");
    let object = heap.find(target.0).expect("an object of the heap");
    let steps: Vec<String> = heap
        .path_from_root(object)
        .into_iter()
        .map(|step| match step.field {
            Some(field) => format!("{}.{field}", step.class),
            None => step.class,
        })
        .collect();
    expected.assert_eq(&steps.join(" → "));
}

#[test]
fn paths_name_every_field() {
    check_path(
        |program| {
            let order = program.instances("shop.Order", 1, 10)[0];
            let cache = program.map(&[order]);
            program.static_field("shop.Controller", "cache", cache);
            order
        },
        expect![
            "class shop.Controller.cache → java.util.HashMap.table → java.util.HashMap$Node[].[] → java.util.HashMap$Node.value → shop.Order"
        ],
    );
    check_path(
        |program| {
            let order = program.instances("shop.Order", 1, 10)[0];
            let thread = program.heap.thread("main");
            thread
                .frame("java.lang.Object", "wait", 0)
                .local(order)
                .frame("shop.Main", "run", 3)
                .local(order)
                .id();
            order
        },
        expect!["java.lang.Thread.<local variable of shop.Main.run> → shop.Order"],
    );
    // a weak reference is no path
    check_path(
        |program| {
            let order = program.instances("shop.Order", 1, 10)[0];
            let weak = program.weak(order);
            program.static_field("shop.Controller", "last", weak);
            order
        },
        expect![],
    );
}

#[test]
fn threads_tell_their_stacks() {
    let mut program = Program::new();
    let buffer = program.bytes(984);
    let other = program.bytes(84);
    program
        .heap
        .thread("worker")
        .frame("app.Server", "handle", 12)
        .local(buffer)
        .local(other)
        .frame("app.Server", "run", 0)
        .id();
    program.heap.thread("idle").id();
    let threads = program.analyze().report.threads;
    expect![[r#"
        [
            ThreadRow {
                name: "worker",
                retained_bytes: 1176,
                frames: [
                    "app.Server.handle (Server.java:12)",
                    "app.Server.run (Server.java)",
                ],
                locals: [
                    LocalRow {
                        frame: Some(
                            0,
                        ),
                        class: "byte[]",
                        retained_bytes: 1000,
                    },
                    LocalRow {
                        frame: Some(
                            0,
                        ),
                        class: "byte[]",
                        retained_bytes: 104,
                    },
                ],
            },
            ThreadRow {
                name: "idle",
                retained_bytes: 72,
                frames: [],
                locals: [],
            },
        ]
    "#]]
    .assert_debug_eq(&threads);
}

#[test]
fn a_class_that_is_not_described_is_named_after_its_id() {
    let mut program = Program::new();
    let lost = program.heap.class("app.Lost").undescribed().id();
    let objects: Vec<ObjectId> = (0..3).map(|_| program.heap.instance(lost).id()).collect();
    let list = program.list(&objects);
    program.static_field("app.Main", "list", list);
    let report = program.analyze().report;
    assert!(
        report
            .histogram
            .iter()
            .any(|row| row.class == "app.Lost" && row.objects == 3)
    );
    expect![
        "3 objects are of classes that the dump does not describe; their references are unknown"
    ]
    .assert_eq(&report.dump.problems.join("\n"));
}

#[test]
fn a_dump_cut_anywhere_gives_an_answer() {
    let mut program = Program::new();
    let orders = program.instances("shop.Order", 5_000, 200);
    let cache = program.concurrent_map(&orders);
    program.static_field("shop.Controller", "cache", cache);
    // enough behind the cache that a cut leaves it whole
    let rest = program.instances("shop.Item", 3_000, 100);
    program
        .heap
        .thread("main")
        .frame("shop.Main", "run", 3)
        .local(rest[0])
        .id();
    let form = Form {
        roots: Place::Last,
        segment_bytes: Some(50_000),
        ..Form::default()
    };
    let bytes = program.heap.build_as(&form);
    for cut in (0..bytes.len()).step_by(bytes.len() / 97) {
        if let Ok(heap) = load(&bytes[..cut], &LoadOptions::default()) {
            assert!(!heap.facts().complete, "cut at {cut}");
            assert!(!heap.facts().problems.is_empty());
            leakline_heap::analyze(&heap, &Default::default());
        }
    }
    let cut = &bytes[..bytes.len() * 9 / 10];
    expect![[r#"
        static Controller.cache → ConcurrentHashMap holds 5,000 Order (1.24 MiB, 85 %) [Map]
          shop.Controller cache by static field
          but the dump is cut off, so the holder is a guess from the references that are left
    "#]]
    .assert_eq(&suspects(&analyze_bytes(cut)));
}

#[test]
fn damaged_bytes_do_no_harm() {
    let mut program = Program::new();
    let orders = program.instances("shop.Order", 50, 20);
    let cache = program.map(&orders);
    program.static_field("shop.Controller", "cache", cache);
    let bytes = program.heap.build();
    let mut state = 7u32;
    for _ in 0..2_000 {
        let mut damaged = bytes.clone();
        for _ in 0..3 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let position = state as usize % damaged.len();
            damaged[position] = (state >> 24) as u8;
        }
        if let Ok(heap) = load(&damaged, &LoadOptions::default()) {
            leakline_heap::analyze(&heap, &Default::default());
        }
    }
}

#[test]
fn what_is_no_dump_is_refused() {
    let check = |bytes: &[u8], expected: Expect| {
        let Err(error) = load(bytes, &LoadOptions::default()) else {
            panic!("it was read");
        };
        expected.assert_eq(&error.to_string());
    };
    check(
        b"PK\x03\x04 something",
        expect!["not an HPROF heap dump: it is a zip archive; unpack it first"],
    );
    let empty = HeapBuilder::new(IdentifierSize::Eight).build();
    check(
        &empty[..31],
        expect![
            "no objects in the dump: no heap in this dump, which ends at byte 31; the file is cut off, or was written by a profiler without heap=dump"
        ],
    );
}
