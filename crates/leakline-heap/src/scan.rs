//! First pass over a dump: names, classes, roots, and the set of all object ids.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use leakline_hprof::{
    ClassDump, Dump, GcRoot, HeapRecord, HeapSegment, HprofError, Ids, Line, RecordBody,
    decode_modified_utf8,
};
use leakline_model::grouped;
use rayon::prelude::*;

use crate::index::AddressIndexBuilder;
use crate::records::{Chunk, loses_data, object_id};

/// What the first pass finds.
#[derive(Default)]
pub(crate) struct Scan<'a> {
    pub(crate) segments: Vec<HeapSegment<'a>>,
    pub(crate) chunks: Vec<Chunk>,
    pub(crate) ids: AddressIndexBuilder,
    pub(crate) roots: Vec<GcRoot>,
    /// Descriptions of classes, one for each class, by id.
    pub(crate) classes: BTreeMap<u64, ClassDump<'a>>,
    /// Classes of objects, described or not.
    pub(crate) used_classes: BTreeSet<u64>,
    pub(crate) names: Names<'a>,
    pub(crate) problems: Vec<String>,
    pub(crate) first_problem: Option<HprofError>,
    pub(crate) complete: bool,
}

/// Records outside of the heap that give names to what is in it.
#[derive(Default)]
pub(crate) struct Names<'a> {
    /// Sorted by id, in the order of the dump where ids are equal.
    strings: Vec<(u64, &'a [u8])>,
    /// Names of loaded classes, by class id.
    pub(crate) class_names: BTreeMap<u64, u64>,
    /// Names of loaded classes, by serial.
    pub(crate) class_serials: BTreeMap<u32, u64>,
    pub(crate) frames: BTreeMap<u64, FrameRecord>,
    pub(crate) traces: BTreeMap<u32, Ids<'a>>,
}

/// A stack frame as the dump has it.
#[derive(Clone, Copy)]
pub(crate) struct FrameRecord {
    pub(crate) method_name_id: u64,
    pub(crate) source_file_id: u64,
    pub(crate) class_serial: u32,
    pub(crate) line: Line,
}

impl<'a> Names<'a> {
    pub(crate) fn string(&self, id: u64) -> Option<String> {
        // of two with the same id the later counts
        let behind = self.strings.partition_point(|(other, _)| *other <= id);
        let (found, text) = self.strings.get(behind.checked_sub(1)?)?;
        (*found == id).then(|| decode_modified_utf8(text).into_owned())
    }

    fn add(&mut self, body: RecordBody<'a>) {
        match body {
            RecordBody::Utf8 { id, text } => self.strings.push((id, text)),
            RecordBody::LoadClass {
                serial,
                class_id,
                name_id,
                ..
            } => {
                self.class_names.insert(class_id, name_id);
                self.class_serials.insert(serial, name_id);
            }
            RecordBody::Frame {
                id,
                method_name_id,
                source_file_id,
                class_serial,
                line,
                ..
            } => {
                let frame = FrameRecord {
                    method_name_id,
                    source_file_id,
                    class_serial,
                    line,
                };
                self.frames.insert(id, frame);
            }
            RecordBody::Trace {
                serial, frame_ids, ..
            } => {
                self.traces.insert(serial, frame_ids);
            }
            _ => {}
        }
    }
}

/// Records with tags that the format does not define.
#[derive(Default)]
struct UnknownRecords {
    tags: BTreeSet<u8>,
    records: u64,
    bytes: u64,
}

impl UnknownRecords {
    fn add(&mut self, tag: u8, bytes: &[u8]) {
        self.tags.insert(tag);
        self.records += 1;
        self.bytes += bytes.len() as u64;
    }

    fn problem(&self) -> Option<String> {
        const LISTED: usize = 8;
        let mut tags: Vec<String> = self.tags.iter().map(|tag| format!("0x{tag:02x}")).collect();
        if tags.len() > LISTED {
            tags.truncate(LISTED);
            tags.push("…".to_owned());
        }
        (self.records > 0).then(|| {
            format!(
                "records with unknown tags ({}) are passed over: {}, with {} bytes",
                tags.join(", "),
                grouped(self.records),
                grouped(self.bytes)
            )
        })
    }
}

/// Segments that are passed over: only their headers are read, but whole pages come with them,
/// and are given back.
pub(crate) struct Passed<'r> {
    release: &'r (dyn Fn(Range<u64>) + Sync),
    released: u64,
}

impl<'r> Passed<'r> {
    const AT_ONCE: u64 = 32 << 20;

    pub(crate) fn new(release: &'r (dyn Fn(Range<u64>) + Sync)) -> Self {
        Passed {
            release,
            released: 0,
        }
    }

    pub(crate) fn up_to(&mut self, offset: u64) {
        if offset - self.released > Self::AT_ONCE {
            (self.release)(self.released..offset);
            self.released = offset;
        }
    }
}

/// Problems listed; a hostile dump can have one for every byte.
const LISTED_PROBLEMS: usize = 20;

impl<'a> Scan<'a> {
    pub(crate) fn of(
        dump: &Dump<'a>,
        release: &(dyn Fn(Range<u64>) + Sync),
        progress: &(dyn Fn(f32) + Sync),
    ) -> Scan<'a> {
        let mut scan = Scan {
            complete: true,
            ..Scan::default()
        };
        let mut passed = Passed::new(release);
        let mut unknown = UnknownRecords::default();
        for record in dump.records() {
            match record.map(|record| record.body) {
                Ok(RecordBody::HeapDump(segment) | RecordBody::HeapDumpSegment(segment)) => {
                    passed.up_to(segment.offset);
                    scan.segments.push(segment);
                }
                Ok(RecordBody::Other { tag, bytes }) => unknown.add(tag, bytes),
                Ok(body) => scan.names.add(body),
                Err(problem) => scan.note(problem),
            }
        }
        scan.problems.extend(unknown.problem());
        scan.names.strings.sort_by_key(|(id, _)| *id);
        let total = scan.segments.len().max(1) as f32;
        let done = std::sync::atomic::AtomicUsize::new(0);
        let parts: Vec<SegmentScan<'a>> = scan
            .segments
            .par_iter()
            .enumerate()
            .map(|(number, segment)| {
                let part = SegmentScan::of(number as u32, segment, release);
                let done = done.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1;
                progress(done as f32 / total);
                part
            })
            .collect();
        for part in parts {
            scan.chunks.extend(part.chunks);
            scan.ids.merge(part.ids);
            scan.roots.extend(part.roots);
            for class in part.classes {
                scan.classes.insert(class.class_id, class);
            }
            scan.used_classes.extend(part.used_classes);
            if let Some(problem) = part.problem {
                scan.note(problem);
            }
        }
        scan
    }

    fn note(&mut self, problem: HprofError) {
        self.complete &= !loses_data(&problem);
        if self.problems.len() < LISTED_PROBLEMS {
            self.problems.push(problem.to_string());
        }
        self.first_problem.get_or_insert(problem);
    }
}

/// What one segment holds.
#[derive(Default)]
struct SegmentScan<'a> {
    chunks: Vec<Chunk>,
    ids: AddressIndexBuilder,
    roots: Vec<GcRoot>,
    classes: Vec<ClassDump<'a>>,
    used_classes: BTreeSet<u64>,
    problem: Option<HprofError>,
}

impl<'a> SegmentScan<'a> {
    fn of(
        number: u32,
        segment: &HeapSegment<'a>,
        release: &(dyn Fn(Range<u64>) + Sync),
    ) -> SegmentScan<'a> {
        let mut scan = SegmentScan::default();
        let mut recent = RecentIds::default();
        let mut chunk = Chunk::starting(number, segment.offset);
        let mut records = segment.records();
        while let Some(record) = records.next() {
            let record = match record {
                Ok(record) => record,
                Err(problem) => {
                    scan.problem = Some(problem);
                    break;
                }
            };
            let id = object_id(&record);
            if let Some(id) = id {
                scan.ids.insert(id);
            }
            match record {
                HeapRecord::GcRoot(root) => scan.roots.push(root),
                HeapRecord::Class(class) => scan.classes.push(class),
                HeapRecord::Instance { class_id, .. }
                | HeapRecord::ObjectArray { class_id, .. }
                    if recent.is_new(class_id) =>
                {
                    scan.used_classes.insert(class_id);
                }
                _ => {}
            }
            if chunk.extend(id, records.offset()) {
                release(chunk.bytes());
                scan.chunks.push(chunk);
                chunk = Chunk::starting(number, records.offset());
            }
        }
        if !chunk.is_empty() {
            release(chunk.bytes());
            scan.chunks.push(chunk);
        }
        scan
    }
}

/// Remembers ids lately seen, so that the set of classes is not asked for every object.
struct RecentIds([u64; 256]);

impl Default for RecentIds {
    fn default() -> Self {
        RecentIds([0; 256])
    }
}

impl RecentIds {
    #[inline]
    fn is_new(&mut self, id: u64) -> bool {
        let entry = &mut self.0[(id >> 3) as usize % 256];
        std::mem::replace(entry, id) != id
    }
}
