//! Whatever the writer writes, the reader reads back: every kind of record, both sizes of
//! identifiers, all versions.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests may fail like tests"
)]

use leakline_hprof::{
    AllocationTotals, ClassDefinition, ConstantPoolEntry, FieldDescriptor, GcRoot, GcRootKind,
    HeapRecord, HeapRecordWriter, Hprof, HprofWriter, IdentifierSize, Ids, Line, PrimitiveType,
    RecordBody, StaticField, Value, ValueType, Version,
};
use leakline_model::Timestamp;
use proptest::prelude::*;

const SIZES: [IdentifierSize; 2] = [IdentifierSize::Four, IdentifierSize::Eight];

fn id_bytes(ids: &[u64], size: IdentifierSize) -> Vec<u8> {
    let skip = 8 - size.bytes();
    ids.iter()
        .flat_map(|id| id.to_be_bytes().into_iter().skip(skip))
        .collect()
}

/// One of each kind of record, heap segments aside.
fn every_record<'a>(frames: &'a [u8], size: IdentifierSize) -> Vec<RecordBody<'a>> {
    let totals = AllocationTotals {
        live_bytes: 1,
        live_instances: 2,
        allocated_bytes: u64::MAX,
        allocated_instances: 4,
    };
    let frame = |line| RecordBody::Frame {
        id: 1,
        method_name_id: 2,
        signature_id: 3,
        source_file_id: 4,
        class_serial: 5,
        line,
    };
    vec![
        RecordBody::Utf8 {
            id: 0xffff_fffe,
            text: b"com/acme/Order",
        },
        RecordBody::Utf8 { id: 1, text: b"" },
        RecordBody::LoadClass {
            serial: 1,
            class_id: 2,
            trace_serial: 3,
            name_id: 4,
        },
        RecordBody::UnloadClass { serial: 7 },
        frame(Line::Number(1)),
        frame(Line::Number(i32::MAX as u32)),
        frame(Line::Unknown),
        frame(Line::Compiled),
        frame(Line::Native),
        RecordBody::Trace {
            serial: 1,
            thread_serial: 2,
            frame_ids: Ids::new(frames, size),
        },
        RecordBody::AllocSites {
            flags: 5,
            cutoff_ratio: 0.25,
            totals,
            count: 2,
            sites: &[7; 50],
        },
        RecordBody::HeapSummary(totals),
        RecordBody::StartThread {
            thread_serial: 1,
            object_id: 2,
            trace_serial: 3,
            name_id: 4,
            group_name_id: 5,
            parent_group_name_id: 6,
        },
        RecordBody::EndThread { thread_serial: 1 },
        RecordBody::CpuSamples {
            total: 9,
            count: 1,
            traces: &[1, 2, 3, 4, 5, 6, 7, 8],
        },
        RecordBody::ControlSettings {
            flags: 3,
            trace_depth: 16,
        },
        RecordBody::Other {
            tag: 0x55,
            bytes: b"anything",
        },
    ]
}

#[test]
fn every_record_comes_back() {
    for size in SIZES {
        let frames = id_bytes(&[11, 12, 13], size);
        let bodies = every_record(&frames, size);
        let mut heap = HeapRecordWriter::new(size);
        heap.instance(1, 0, 2, &[]).unwrap();

        let mut writer = HprofWriter::new(Vec::new(), Version::V1_0_2, size, None).unwrap();
        for (micros, body) in (0..).zip(&bodies) {
            writer.record_after(micros, body).unwrap();
        }
        writer.heap_segment(&heap).unwrap();
        writer.record(&RecordBody::HeapDumpEnd).unwrap();
        let bytes = writer.finish().unwrap();

        let records: Vec<_> = Hprof::parse(&bytes)
            .unwrap()
            .records()
            .map(Result::unwrap)
            .collect();
        let (read, heap_records) = records.split_at(bodies.len());
        for ((record, body), micros) in read.iter().zip(&bodies).zip(0..) {
            assert_eq!(record.body, *body);
            assert_eq!(record.time_offset_micros, micros);
            assert_eq!(bytes[record.offset as usize], record.tag);
        }
        assert!(matches!(heap_records, [segment, end]
                if matches!(segment.body, RecordBody::HeapDumpSegment(s) if !s.truncated && s.dump == 1)
                && end.body == RecordBody::HeapDumpEnd));
    }
}

fn every_root() -> Vec<GcRootKind> {
    let (thread_serial, trace_serial) = (7, 8);
    let frame = Some(3);
    vec![
        GcRootKind::Unknown,
        GcRootKind::JniGlobal { reference_id: 99 },
        GcRootKind::JniLocal {
            thread_serial,
            frame,
        },
        GcRootKind::JniLocal {
            thread_serial,
            frame: None,
        },
        GcRootKind::JavaFrame {
            thread_serial,
            frame,
        },
        GcRootKind::JavaFrame {
            thread_serial,
            frame: None,
        },
        GcRootKind::NativeStack { thread_serial },
        GcRootKind::StickyClass,
        GcRootKind::ThreadBlock { thread_serial },
        GcRootKind::MonitorUsed,
        GcRootKind::ThreadObject {
            thread_serial,
            trace_serial,
        },
        GcRootKind::InternedString,
        GcRootKind::Finalizing,
        GcRootKind::Debugger,
        GcRootKind::ReferenceCleanup,
        GcRootKind::VmInternal,
        GcRootKind::JniMonitor {
            thread_serial,
            frame,
        },
        GcRootKind::Unreachable,
    ]
}

fn every_value() -> Vec<Value> {
    vec![
        Value::Object(0xffff_ffff),
        Value::Boolean(true),
        Value::Char(0xfffe),
        Value::Float(-0.5),
        Value::Double(f64::MIN_POSITIVE),
        Value::Byte(-1),
        Value::Short(i16::MIN),
        Value::Int(i32::MIN),
        Value::Long(i64::MIN),
    ]
}

fn class_with_everything() -> ClassDefinition {
    let values = every_value();
    ClassDefinition {
        class_id: 1,
        trace_serial: 2,
        super_id: 3,
        loader_id: 4,
        signers_id: 5,
        protection_domain_id: 6,
        instance_size: 7,
        constant_pool: values
            .iter()
            .zip(10..)
            .map(|(&value, index)| ConstantPoolEntry { index, value })
            .collect(),
        static_fields: values
            .iter()
            .zip(20..)
            .map(|(&value, name_id)| StaticField { name_id, value })
            .collect(),
        instance_fields: values
            .iter()
            .zip(30..)
            .map(|(value, name_id)| FieldDescriptor {
                name_id,
                value_type: value.value_type(),
            })
            .collect(),
    }
}

#[test]
fn every_heap_record_comes_back() {
    for size in SIZES {
        let class = class_with_everything();
        let values = every_value();
        let mut writer = HeapRecordWriter::new(size);
        for (kind, object_id) in every_root().into_iter().zip(1..) {
            writer.gc_root(GcRoot { object_id, kind }).unwrap();
        }
        writer.class(&class).unwrap();
        writer.class(&ClassDefinition::default()).unwrap();
        writer.instance(1, 2, 3, &values).unwrap();
        writer.instance(1, 2, 3, &[]).unwrap();
        writer.object_array(4, 5, 6, [7, 0, 9].into_iter()).unwrap();
        writer.object_array(4, 5, 6, [].into_iter()).unwrap();
        for element_type in (4..=11).filter_map(PrimitiveType::from_code) {
            let elements = vec![1; 3 * element_type.bytes()];
            writer
                .primitive_array(1, 2, element_type, &elements)
                .unwrap();
        }
        let android = [
            HeapRecord::PrimitiveArrayWithoutData {
                object_id: 1,
                trace_serial: 2,
                element_type: PrimitiveType::Char,
                length: u32::MAX,
            },
            HeapRecord::HeapInfo {
                heap_id: u32::from(b'Z'),
                name_id: 5,
            },
        ];
        for record in &android {
            writer.record(record).unwrap();
        }

        let dump = dump_of(&writer, size);
        let hprof = Hprof::parse(&dump).unwrap();
        let segment = only_segment(&hprof);
        let records: Vec<_> = segment
            .records()
            .with_offsets()
            .map(Result::unwrap)
            .collect();

        let mut expected = every_root()
            .into_iter()
            .zip(1..)
            .map(|(kind, object_id)| HeapRecord::GcRoot(GcRoot { object_id, kind }));
        let mut read = records.iter().map(|(_, record)| *record);
        for root in expected.by_ref() {
            assert_eq!(read.next(), Some(root));
        }
        let Some(HeapRecord::Class(dumped)) = read.next() else {
            panic!("no class")
        };
        assert_eq!(ClassDefinition::from(&dumped), class);
        let Some(HeapRecord::Class(dumped)) = read.next() else {
            panic!("no class")
        };
        assert_eq!(ClassDefinition::from(&dumped), ClassDefinition::default());
        let Some(HeapRecord::Instance {
            object_id: 1,
            trace_serial: 2,
            class_id: 3,
            mut fields,
        }) = read.next()
        else {
            panic!("no instance")
        };
        for value in values {
            let (decoded, rest) = Value::decode(fields, value.value_type(), size).unwrap();
            assert_eq!(decoded, value);
            fields = rest;
        }
        assert!(fields.is_empty());
        assert!(matches!(
            read.next(),
            Some(HeapRecord::Instance { fields: [], .. })
        ));
        let Some(HeapRecord::ObjectArray {
            object_id: 4,
            trace_serial: 5,
            class_id: 6,
            elements,
        }) = read.next()
        else {
            panic!("no array")
        };
        assert_eq!(elements.iter().collect::<Vec<_>>(), [7, 0, 9]);
        assert_eq!(elements.iter().sum::<u64>(), 16);
        assert_eq!(
            (elements.len(), elements.get(2), elements.get(3)),
            (3, Some(9), None)
        );
        assert!(
            matches!(read.next(), Some(HeapRecord::ObjectArray { elements, .. }) if elements.is_empty())
        );
        for element_type in (4..=11).filter_map(PrimitiveType::from_code) {
            let elements = vec![1; 3 * element_type.bytes()];
            assert_eq!(
                read.next(),
                Some(HeapRecord::PrimitiveArray {
                    object_id: 1,
                    trace_serial: 2,
                    element_type,
                    length: 3,
                    elements: &elements,
                })
            );
        }
        assert_eq!(read.collect::<Vec<_>>(), android);

        // any of them can be found again, and all of them can be written as they were read
        let mut copy = HeapRecordWriter::new(size);
        for (offset, record) in &records {
            assert_eq!(hprof.heap_record_at(*offset).unwrap(), *record);
            assert_eq!(segment.records_from(*offset).next(), Some(Ok(*record)));
            copy.record(record).unwrap();
        }
        assert_eq!(copy.as_bytes(), writer.as_bytes());
    }
}

fn dump_of(records: &HeapRecordWriter, size: IdentifierSize) -> Vec<u8> {
    let mut writer = HprofWriter::new(Vec::new(), Version::V1_0_1, size, None).unwrap();
    writer.heap_dump(records).unwrap();
    writer.finish().unwrap()
}

fn only_segment<'a>(hprof: &Hprof<'a>) -> leakline_hprof::HeapSegment<'a> {
    let records: Vec<_> = hprof.records().map(Result::unwrap).collect();
    match records.as_slice() {
        [record] => match record.body {
            RecordBody::HeapDump(segment) => segment,
            body => panic!("no heap but {body:?}"),
        },
        _ => panic!("{} records", records.len()),
    }
}

#[test]
fn offsets_outside_a_segment_give_nothing() {
    let mut writer = HeapRecordWriter::new(IdentifierSize::Eight);
    writer.instance(1, 0, 2, &[]).unwrap();
    let dump = dump_of(&writer, IdentifierSize::Eight);
    let hprof = Hprof::parse(&dump).unwrap();
    let segment = only_segment(&hprof);
    for offset in [0, segment.offset - 1, segment.end(), u64::MAX] {
        assert_eq!(segment.records_from(offset).next(), None);
    }
    assert_eq!(
        hprof.heap_record_at(u64::MAX).unwrap_err().to_string(),
        format!(
            "no heap record at byte 18446744073709551615, the dump ends at byte {}",
            dump.len()
        )
    );
}

#[test]
fn headers_come_back() {
    let time = Timestamp::parse("2026-11-22T14:00:00.250Z").unwrap();
    for version in [Version::V1_0_1, Version::V1_0_2, Version::V1_0_3] {
        for identifier_size in SIZES {
            for (written, read) in [
                (Some(time), Some(time)),
                (None, None),
                (Some(Timestamp::from_millis(-5)), None),
            ] {
                let writer =
                    HprofWriter::new(Vec::new(), version, identifier_size, written).unwrap();
                let bytes = writer.finish().unwrap();
                let hprof = Hprof::parse(&bytes).unwrap();
                let header = hprof.header();
                assert_eq!(
                    (header.version, header.identifier_size, header.taken_at),
                    (version, identifier_size, read)
                );
                assert_eq!(header.length, bytes.len());
            }
        }
    }
    // unset memory where the date belongs
    let mut bytes = b"JAVA PROFILE 1.0.2\0\0\0\0\x08".to_vec();
    bytes.extend([0xcd; 8]);
    assert_eq!(Hprof::parse(&bytes).unwrap().header().taken_at, None);
}

#[test]
fn what_does_not_fit_the_format_is_refused() {
    let mut heap = HeapRecordWriter::new(IdentifierSize::Four);
    let wide = heap.instance(1 << 32, 0, 1, &[]).unwrap_err();
    assert_eq!(wide.kind(), std::io::ErrorKind::InvalidInput);

    let field = FieldDescriptor {
        name_id: 1,
        value_type: ValueType::Int,
    };
    let fields = ClassDefinition {
        instance_fields: vec![field; 65_536],
        ..ClassDefinition::default()
    };
    assert!(heap.class(&fields).is_err());
    let odd = heap.primitive_array(1, 0, PrimitiveType::Int, &[0; 5]);
    assert!(odd.is_err());

    let dump = dump_of(
        &HeapRecordWriter::new(IdentifierSize::Eight),
        IdentifierSize::Eight,
    );
    let segment = only_segment(&Hprof::parse(&dump).unwrap());
    let mut writer =
        HprofWriter::new(Vec::new(), Version::V1_0_1, IdentifierSize::Four, None).unwrap();
    assert!(writer.record(&RecordBody::HeapDump(segment)).is_err());
}

proptest! {
    #[test]
    fn ids_read_as_a_list(ids in prop::collection::vec(0..=u32::MAX, 0..20), wide: bool, excess in 0..4_usize) {
        let size = if wide { IdentifierSize::Eight } else { IdentifierSize::Four };
        let ids: Vec<u64> = ids.into_iter().map(u64::from).collect();
        let mut bytes = id_bytes(&ids, size);
        bytes.extend(vec![0xff; excess % size.bytes()]);
        let list = Ids::new(&bytes, size);
        prop_assert_eq!(list.len(), ids.len());
        prop_assert_eq!(list.iter().len(), ids.len());
        prop_assert_eq!(list.is_empty(), ids.is_empty());
        prop_assert_eq!(list.iter().collect::<Vec<_>>(), ids.clone());
        // an iterator that has begun, and the loop inside `fold`
        let mut begun = list.iter();
        begun.next();
        prop_assert_eq!(begun.fold(0, u64::wrapping_add), ids.iter().skip(1).sum());
        for index in 0..ids.len() + 2 {
            prop_assert_eq!(list.get(index), ids.get(index).copied());
        }
    }
}
