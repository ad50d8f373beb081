//! What fuzzing and property tests run: reading everything that can be read.

use crate::{HeapRecord, Hprof, RecordBody, decode_modified_utf8, java_class_name};

/// How many items each of the iterators over some bytes gave.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Walk {
    /// Records, errors included.
    pub records: usize,
    /// Heap records, errors included.
    pub heap_records: usize,
    /// Errors of both kinds.
    pub errors: usize,
    /// Fields, elements and characters, so that nothing is optimised away.
    pub parts: usize,
}

/// Reads every record, heap record, field, element and name in `bytes`, whatever they are.
#[doc(hidden)]
pub fn fuzz_read(bytes: &[u8]) -> Walk {
    let mut walk = Walk::default();
    let Ok(hprof) = Hprof::parse(bytes) else {
        walk.errors = 1;
        return walk;
    };
    for record in hprof.records() {
        walk.records += 1;
        match record.map(|record| record.body) {
            Ok(RecordBody::HeapDump(segment) | RecordBody::HeapDumpSegment(segment)) => {
                for heap_record in segment.records() {
                    walk.heap_records += 1;
                    match heap_record {
                        Ok(heap_record) => walk.parts += parts(&heap_record),
                        Err(_) => walk.errors += 1,
                    }
                }
            }
            Ok(RecordBody::Utf8 { text, .. }) => {
                walk.parts += java_class_name(&decode_modified_utf8(text)).len();
            }
            Ok(RecordBody::Trace { frame_ids, .. }) => walk.parts += frame_ids.iter().count(),
            Ok(_) => {}
            Err(_) => walk.errors += 1,
        }
    }
    walk
}

fn parts(record: &HeapRecord<'_>) -> usize {
    match record {
        HeapRecord::Class(class) => {
            class.constant_pool().count()
                + class.static_fields().count()
                + class.instance_fields().count()
        }
        HeapRecord::Instance { fields, .. } => fields.len(),
        HeapRecord::ObjectArray { elements, .. } => elements.iter().filter(|id| *id != 0).count(),
        HeapRecord::PrimitiveArray { elements, .. } => elements.len(),
        _ => 1,
    }
}
