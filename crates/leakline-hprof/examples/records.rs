//! Counts the records of a decompressed dump by kind, and lists what is wrong with it:
//! `cargo run -p leakline-hprof --example records -- heap.hprof`

#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "an example is a program of its own: it opens files and prints"
)]

use std::collections::BTreeMap;

use leakline_hprof::{HeapRecord, Hprof, RecordBody};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args_os()
        .nth(1)
        .ok_or("say which dump to read: records FILE")?;
    let bytes = std::fs::read(path)?;
    let hprof = Hprof::parse(&bytes)?;
    println!("{:?}", hprof.header());

    let mut counts: BTreeMap<(u32, &str), (u64, u64)> = BTreeMap::new();
    let mut problems = Vec::new();
    for record in hprof.records() {
        let record = match record {
            Ok(record) => record,
            Err(problem) => {
                problems.push(problem);
                continue;
            }
        };
        let mut count = |dump, kind, bytes: usize| {
            let (records, sum) = counts.entry((dump, kind)).or_default();
            *records += 1;
            *sum += bytes as u64;
        };
        let segment = match record.body {
            RecordBody::HeapDump(segment) | RecordBody::HeapDumpSegment(segment) => segment,
            body => {
                count(0, record_kind(&body), 0);
                continue;
            }
        };
        count(segment.dump, "heap segment", segment.bytes.len());
        for heap_record in segment.records() {
            match heap_record {
                Ok(HeapRecord::GcRoot(_)) => count(segment.dump, "root", 0),
                Ok(HeapRecord::Class(_)) => count(segment.dump, "class", 0),
                Ok(HeapRecord::Instance { fields, .. }) => {
                    count(segment.dump, "instance", fields.len());
                }
                Ok(HeapRecord::ObjectArray { elements, .. }) => {
                    count(segment.dump, "object array", elements.as_bytes().len());
                }
                Ok(HeapRecord::PrimitiveArray { elements, .. }) => {
                    count(segment.dump, "primitive array", elements.len());
                }
                Ok(_) => count(segment.dump, "Android's", 0),
                Err(problem) => problems.push(problem),
            }
        }
    }
    for ((dump, kind), (records, bytes)) in counts {
        println!("dump {dump}: {records:>10} {kind}, {bytes} bytes");
    }
    for problem in problems {
        println!("problem: {problem}");
    }
    Ok(())
}

fn record_kind(body: &RecordBody<'_>) -> &'static str {
    match body {
        RecordBody::Utf8 { .. } => "string",
        RecordBody::LoadClass { .. } => "loaded class",
        RecordBody::Frame { .. } => "frame",
        RecordBody::Trace { .. } => "trace",
        RecordBody::HeapDumpEnd => "end",
        _ => "other record",
    }
}
