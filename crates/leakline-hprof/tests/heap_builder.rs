//! The heaps that tests are built on, as a reader sees them.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests may fail like tests"
)]

use std::collections::BTreeMap;

use expect_test::{Expect, expect};
use leakline_hprof::heap_builder::{Form, HeapBuilder, Layout, ObjectId, Place};
use leakline_hprof::{
    GcRootKind, HeapRecord, Hprof, IdentifierSize, PrimitiveType, RecordBody, Value, ValueType,
    Version, decode_modified_utf8, java_class_name,
};

/// The records of a dump, one a line.
fn lines(dump: &[u8]) -> Vec<String> {
    let hprof = Hprof::parse(dump).unwrap();
    let mut names = BTreeMap::new();
    let mut class_names = BTreeMap::new();
    let mut out = Vec::new();
    for record in hprof.records() {
        match record.unwrap().body {
            RecordBody::Utf8 { id, text } => {
                names.insert(id, decode_modified_utf8(text).into_owned());
            }
            RecordBody::LoadClass {
                class_id, name_id, ..
            } => {
                class_names.insert(class_id, java_class_name(&names[&name_id]));
            }
            RecordBody::Frame {
                method_name_id,
                signature_id,
                source_file_id,
                line,
                ..
            } => {
                let name = |id| &names[&id];
                out.push(format!(
                    "frame {}{} {} {line:?}",
                    name(method_name_id),
                    name(signature_id),
                    name(source_file_id)
                ));
            }
            RecordBody::Trace {
                serial, frame_ids, ..
            } => out.push(format!("trace {serial} {frame_ids:?}")),
            RecordBody::HeapDump(segment) | RecordBody::HeapDumpSegment(segment) => {
                out.push("segment".to_owned());
                for heap_record in segment.records() {
                    out.push(line(&heap_record.unwrap(), &hprof, &names, &class_names));
                }
            }
            RecordBody::HeapDumpEnd => out.push("end".to_owned()),
            other => panic!("{other:?}"),
        }
    }
    out
}

fn line(
    record: &HeapRecord<'_>,
    hprof: &Hprof<'_>,
    names: &BTreeMap<u64, String>,
    class_names: &BTreeMap<u64, String>,
) -> String {
    let class_name = |id: u64| class_names.get(&id).map_or("?", String::as_str);
    match *record {
        HeapRecord::GcRoot(root) => format!("root {:x} {:?}", root.object_id, root.kind),
        HeapRecord::Class(class) => {
            let mut line = format!(
                "class {:x} {} extends {} loader {:x} size {}",
                class.class_id,
                class_name(class.class_id),
                class_name(class.super_id),
                class.loader_id,
                class.instance_size
            );
            for field in class.static_fields() {
                line += &format!(", static {} = {:?}", names[&field.name_id], field.value);
            }
            for field in class.instance_fields() {
                line += &format!(", {} {:?}", names[&field.name_id], field.value_type);
            }
            line
        }
        HeapRecord::Instance {
            object_id,
            class_id,
            fields,
            ..
        } => format!(
            "instance {object_id:x} {} {fields:x?}",
            class_name(class_id)
        ),
        HeapRecord::ObjectArray {
            object_id,
            class_id,
            elements,
            ..
        } => format!("array {object_id:x} {} {elements:?}", class_name(class_id)),
        HeapRecord::PrimitiveArray {
            object_id,
            element_type,
            elements,
            ..
        } => format!(
            "array {object_id:x} {}[] {elements:?}",
            element_type.java_name()
        ),
        other => panic!("{other:?} in {:?}", hprof.header()),
    }
}

fn check(dump: &[u8], expected: Expect) {
    expected.assert_eq(&(lines(dump).join("\n") + "\n"));
}

#[test]
fn a_heap_of_everything() {
    let mut heap = HeapBuilder::new(IdentifierSize::Four);
    let base = heap
        .class("com.acme.Base")
        .field("flag", ValueType::Boolean)
        .id();
    let loader = heap.class("com.acme.Loader").id();
    let loader = heap.instance(loader).id();
    let order = heap
        .class_of_loader("com.acme.Order", loader)
        .extends(base)
        .field("id", ValueType::Int)
        .field("next", ValueType::Object)
        .id();
    let first = heap.instance(order).set("id", 1).set("flag", true).id();
    let second = heap
        .instance(order)
        .set("id", 2)
        .set("next", first)
        .root(GcRootKind::JniGlobal { reference_id: 5 })
        .id();
    heap.set(first, "next", second);
    let orders = heap.object_array(order, &[first, ObjectId::NULL]);
    heap.set_element(orders, 1, second);
    let array_class = heap.class_of_loader("[Lcom.acme.Order;", loader).id();
    heap.object_array(array_class, &[orders]);
    heap.class("com.acme.Cache")
        .static_field("orders", ObjectId::NULL)
        .static_field("hits", 7_i64);
    let cache = heap.class("com.acme.Cache").id();
    heap.set_static(cache, "orders", orders);
    heap.root(cache, GcRootKind::StickyClass);
    heap.primitive_array(PrimitiveType::Char, vec![0, b'x']);
    heap.ints(&[-1]);
    heap.longs(&[1]);
    heap.string("é");
    heap.string("€");
    heap.thread("main")
        .jni_local(first)
        .frame("com.acme.Cache$Entry", "get", 12)
        .local(first)
        .frame("com.acme.Main", "main", 0)
        .local(cache)
        .set("tid", 1_i64)
        .id();
    heap.thread("idle").id();
    check(
        &heap.build(),
        expect![[r#"
        frame get()V Cache.java Number(12)
        frame main()V Main.java Unknown
        trace 1 ["0x1", "0x2"]
        trace 2 []
        segment
        root 70000250 JniGlobal { reference_id: 5 }
        root 70000370 StickyClass
        root 70000730 ThreadObject { thread_serial: 1, trace_serial: 1 }
        root 70000238 JniLocal { thread_serial: 1, frame: None }
        root 70000238 JavaFrame { thread_serial: 1, frame: Some(0) }
        root 70000370 JavaFrame { thread_serial: 1, frame: Some(1) }
        root 70000850 ThreadObject { thread_serial: 2, trace_serial: 2 }
        class 70000000 java.lang.Object extends ? loader 0 size 0
        class 70000070 java.lang.Class extends java.lang.Object loader 0 size 0
        class 700000e0 com.acme.Base extends java.lang.Object loader 0 size 1, flag Boolean
        class 70000150 com.acme.Loader extends java.lang.Object loader 0 size 0
        class 700001c8 com.acme.Order extends com.acme.Base loader 700001c0 size 9, id Int, next Object
        class 70000268 com.acme.Order[] extends java.lang.Object loader 700001c0 size 0
        class 700002f0 com.acme.Order[][] extends java.lang.Object loader 700001c0 size 0
        class 70000370 com.acme.Cache extends java.lang.Object loader 0 size 0, static orders = Object(1879048920), static hits = Long(7)
        class 700003e0 char[] extends java.lang.Object loader 0 size 0
        class 70000460 int[] extends java.lang.Object loader 0 size 0
        class 700004e0 long[] extends java.lang.Object loader 0 size 0
        class 70000568 byte[] extends java.lang.Object loader 0 size 0
        class 700005e8 java.lang.String extends java.lang.Object loader 0 size 9, value Object, hash Int, coder Byte
        class 70000698 java.lang.Thread extends java.lang.Object loader 0 size 12, name Object, tid Long
        class 70000748 com.acme.Cache$Entry extends java.lang.Object loader 0 size 0
        class 700007b8 com.acme.Main extends java.lang.Object loader 0 size 0
        instance 700001c0 com.acme.Loader []
        instance 70000238 com.acme.Order [0, 0, 0, 1, 70, 0, 2, 50, 1]
        instance 70000250 com.acme.Order [0, 0, 0, 2, 70, 0, 2, 38, 0]
        array 700002d8 com.acme.Order[] ["0x70000238", "0x70000250"]
        array 70000360 com.acme.Order[][] ["0x700002d8"]
        array 70000450 char[] [0, 120]
        array 700004d0 int[] [255, 255, 255, 255]
        array 70000550 long[] [0, 0, 0, 0, 0, 0, 0, 1]
        array 700005d8 byte[] [233]
        instance 70000658 java.lang.String [70, 0, 5, d8, 0, 0, 0, 0, 0]
        array 70000670 byte[] [172, 32]
        instance 70000680 java.lang.String [70, 0, 6, 70, 0, 0, 0, 0, 1]
        array 70000708 byte[] [109, 97, 105, 110]
        instance 70000718 java.lang.String [70, 0, 7, 8, 0, 0, 0, 0, 0]
        instance 70000730 java.lang.Thread [70, 0, 7, 18, 0, 0, 0, 0, 0, 0, 0, 1]
        array 70000828 byte[] [105, 100, 108, 101]
        instance 70000838 java.lang.String [70, 0, 8, 28, 0, 0, 0, 0, 0]
        instance 70000850 java.lang.Thread [70, 0, 8, 38, 0, 0, 0, 0, 0, 0, 0, 0]
        end
    "#]],
    );
}

fn two_objects(size: IdentifierSize) -> HeapBuilder {
    let mut heap = HeapBuilder::new(size);
    let class = heap.class("A").field("x", ValueType::Byte).id();
    let object = heap.instance(class).set("x", 3_i8).id();
    heap.root(object, GcRootKind::Unknown);
    heap
}

#[test]
fn the_same_heap_in_every_form() {
    let heap = two_objects(IdentifierSize::Eight);
    let kinds = |form: Form| -> Vec<String> {
        let dump = heap.build_as(&form);
        assert_eq!(Hprof::parse(&dump).unwrap().header().version, form.version);
        lines(&dump)
            .iter()
            .map(|line| line.split(' ').next().unwrap().to_owned())
            .collect()
    };
    let form = Form::default();
    let one = [
        "segment", "root", "class", "class", "class", "instance", "end",
    ];
    assert_eq!(kinds(form), one);
    let roots = Place::Last;
    assert_eq!(
        kinds(Form { roots, ..form }),
        [
            "segment", "class", "class", "class", "instance", "root", "end"
        ]
    );
    let classes = Place::Last;
    assert_eq!(
        kinds(Form { classes, ..form }),
        [
            "segment", "root", "instance", "class", "class", "class", "end"
        ]
    );
    let version = Version::V1_0_1;
    let segment_bytes = Some(1);
    assert_eq!(
        kinds(Form {
            version,
            segment_bytes,
            ..form
        }),
        one[..6]
    );
    let many = kinds(Form {
        segment_bytes,
        ..form
    });
    assert_eq!(many.iter().filter(|kind| *kind == "segment").count(), 5);
}

/// Each object starts where the one before it ends, so its size can be told from addresses.
#[test]
fn addresses_follow_the_layout() {
    let sizes = |layout| -> Vec<u64> {
        let mut heap = HeapBuilder::with_layout(IdentifierSize::Eight, layout);
        let class = heap
            .class("A")
            .field("reference", ValueType::Object)
            .field("number", ValueType::Int)
            .id();
        // all classes exist before the first object
        heap.object_array(class, &[]);
        heap.bytes(&[]);
        let ids = [
            heap.instance(class).id(),
            heap.object_array(class, &[ObjectId::NULL; 3]),
            heap.bytes(&[0; 5]),
            heap.bytes(&[]),
        ];
        ids.windows(2).map(|pair| pair[1].0 - pair[0].0).collect()
    };
    assert_eq!(sizes(Layout::COMPRESSED), [24, 32, 24]);
    assert_eq!(sizes(Layout::UNCOMPRESSED), [32, 48, 32]);
    assert_eq!(sizes(Layout::COMPACT_HEADERS), [16, 24, 24]);
    assert_eq!(sizes(Layout::NARROW), [16, 24, 24]);
}

#[test]
fn a_heap_can_grow_between_dumps() {
    let mut heap = two_objects(IdentifierSize::Eight);
    let before = heap.build();
    let class = heap.class("A").id();
    heap.instance(class);
    let after = heap.build();
    let (before, after) = (lines(&before), lines(&after));
    assert_eq!(before.len() + 1, after.len());
    assert_eq!(before[..before.len() - 1], after[..before.len() - 1]);
}

#[test]
fn a_class_may_be_left_out() {
    let mut heap = HeapBuilder::new(IdentifierSize::Eight);
    let class = heap.class("A").undescribed().id();
    heap.instance(class);
    check(
        &heap.build(),
        expect![[r#"
        segment
        class 700000000 java.lang.Object extends ? loader 0 size 0
        class 700000070 java.lang.Class extends java.lang.Object loader 0 size 0
        instance 700000150 A []
        end
    "#]],
    );
}

#[test]
fn fields_decode_in_order_of_inheritance() {
    let mut heap = HeapBuilder::new(IdentifierSize::Eight);
    let base = heap.class("Base").field("x", ValueType::Short).id();
    let derived = heap
        .class("Derived")
        .extends(base)
        .field("x", ValueType::Int)
        .id();
    // the nearest field of that name
    let object = heap.instance(derived).set("x", 7).id();
    let dump = heap.build();
    let hprof = Hprof::parse(&dump).unwrap();
    let fields = hprof
        .records()
        .find_map(|record| match record.unwrap().body {
            RecordBody::HeapDumpSegment(segment) => {
                segment.records().find_map(|record| match record.unwrap() {
                    HeapRecord::Instance {
                        object_id, fields, ..
                    } if object_id == object.0 => Some(fields),
                    _ => None,
                })
            }
            _ => None,
        })
        .unwrap();
    let size = hprof.identifier_size();
    let (own, rest) = Value::decode(fields, ValueType::Int, size).unwrap();
    let (inherited, rest) = Value::decode(rest, ValueType::Short, size).unwrap();
    assert_eq!(
        (own, inherited, rest),
        (Value::Int(7), Value::Short(0), &[][..])
    );
    assert_eq!(Value::decode(rest, ValueType::Byte, size), None);
}

#[test]
#[should_panic(expected = "type of field x")]
fn a_value_of_another_type_is_refused() {
    let mut heap = HeapBuilder::new(IdentifierSize::Eight);
    let class = heap.class("A").field("x", ValueType::Byte).id();
    heap.instance(class).set("x", 3_i32);
}
