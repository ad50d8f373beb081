//! How fast heap records are iterated over: `cargo bench -p leakline-hprof`, with a decompressed
//! dump as argument (`-- heap.hprof`), or else over a made-up one of 256 MiB.

#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a benchmark opens files, reads the clock and prints"
)]

use std::hint::black_box;
use std::time::Instant;

use leakline_hprof::{
    HeapRecord, HeapRecordWriter, Hprof, HprofWriter, IdentifierSize, PrimitiveType, RecordBody,
    Value, Version,
};

const ROUNDS: usize = 5;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // cargo itself adds flags such as --bench
    let path = std::env::args().skip(1).find(|arg| !arg.starts_with('-'));
    let bytes = match path {
        Some(path) => std::fs::read(path)?,
        None => made_up(256 << 20)?,
    };
    let hprof = Hprof::parse(&bytes)?;
    measure("objects", &hprof, |record| match record {
        HeapRecord::Instance { object_id, .. }
        | HeapRecord::ObjectArray { object_id, .. }
        | HeapRecord::PrimitiveArray { object_id, .. } => object_id,
        _ => 0,
    });
    measure("objects and elements", &hprof, |record| match record {
        HeapRecord::Instance { fields, .. } => fields.len() as u64,
        HeapRecord::ObjectArray { elements, .. } => elements.iter().fold(0, u64::wrapping_add),
        _ => 0,
    });
    Ok(())
}

fn measure(what: &str, hprof: &Hprof<'_>, visit: impl Fn(HeapRecord<'_>) -> u64) {
    let mut best = f64::INFINITY;
    let mut count = 0_u64;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        count = 0;
        let mut sum = 0_u64;
        for record in hprof.records().filter_map(Result::ok) {
            let (RecordBody::HeapDump(segment) | RecordBody::HeapDumpSegment(segment)) =
                record.body
            else {
                continue;
            };
            for heap_record in segment.records() {
                let Ok(heap_record) = heap_record else { break };
                count += 1;
                sum = sum.wrapping_add(visit(heap_record));
            }
        }
        black_box(sum);
        best = best.min(start.elapsed().as_secs_f64());
    }
    let bytes = hprof.bytes().len() as f64;
    println!(
        "{what}: {count} heap records, {:.2} GB/s, {:.1} ns each",
        bytes / best / 1e9,
        best * 1e9 / count as f64
    );
}

/// Entries of a map: per entry a node, a key and a string with its bytes, as leaks often are.
fn made_up(bytes: usize) -> std::io::Result<Vec<u8>> {
    let size = IdentifierSize::Eight;
    let mut writer = HprofWriter::new(Vec::new(), Version::V1_0_2, size, None)?;
    let mut segment = HeapRecordWriter::new(size);
    let mut id = 0x7_0000_0000;
    let mut written = 0;
    while written < bytes {
        segment.clear();
        while segment.as_bytes().len() < 1 << 20 {
            let [node, key, text, table] = [id, id + 32, id + 56, id + 96];
            id += 160;
            let fields = [
                Value::Int(0),
                Value::Object(key),
                Value::Object(text),
                Value::Object(0),
            ];
            segment.instance(node, 0, 1, &fields)?;
            let fields = [Value::Object(text), Value::Int(0), Value::Byte(0)];
            segment.instance(key, 0, 2, &fields)?;
            segment.primitive_array(text, 0, PrimitiveType::Byte, &[b'x'; 24])?;
            segment.object_array(table, 0, 3, [node, key, text, 0].into_iter())?;
        }
        written += segment.as_bytes().len();
        writer.heap_segment(&segment)?;
    }
    writer.record(&RecordBody::HeapDumpEnd)?;
    writer.finish()
}
