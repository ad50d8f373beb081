//! First pass over a dump: names, classes, roots, and the set of all object ids.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use leakline_hprof::{
    ClassDump, GcRoot, HeapRecord, HeapSegment, Hprof, HprofError, Ids, Line, RecordBody,
    decode_modified_utf8,
};
use rayon::prelude::*;

use crate::index::AddressIndexBuilder;
use crate::records::{Chunk, loses_data, object_id};
use crate::shapes::{ShapeFinder, ShapeKey, ShapeNumber, ShapeNumbers};

/// What the first pass finds.
#[derive(Default)]
pub(crate) struct Scan<'a> {
    pub(crate) segments: Vec<HeapSegment<'a>>,
    pub(crate) chunks: Vec<Chunk>,
    pub(crate) ids: AddressIndexBuilder,
    pub(crate) roots: Vec<GcRoot>,
    /// Descriptions of classes, one for each class, by id.
    pub(crate) classes: BTreeMap<u64, ClassDump<'a>>,
    /// The shapes of all objects, by number.
    pub(crate) shape_keys: Vec<ShapeKey>,
    /// What is in each chunk.
    pub(crate) objects: Vec<ChunkObjects>,
    pub(crate) names: Names<'a>,
    pub(crate) problems: Vec<String>,
    pub(crate) first_problem: Option<HprofError>,
    pub(crate) complete: bool,
}

/// The objects of a chunk, in the order of their records.
#[derive(Default)]
pub(crate) struct ChunkObjects {
    pub(crate) shapes: Vec<ShapeNumber>,
    /// For each array of references: how many of them are not null.
    pub(crate) filled: Vec<u32>,
}

impl ChunkObjects {
    #[inline]
    fn add(&mut self, record: &HeapRecord<'_>, finder: &mut ShapeFinder<'_>) {
        if let Some(key) = ShapeKey::of(record) {
            self.shapes.push(finder.number(key));
        }
        if let HeapRecord::ObjectArray { elements, .. } = record {
            let filled = elements.iter().map(|id| u32::from(id != 0)).sum();
            self.filled.push(filled);
        }
    }

    fn finished(mut self) -> ChunkObjects {
        self.shapes.shrink_to_fit();
        self.filled.shrink_to_fit();
        self
    }
}

/// Records outside of the heap that give names to what is in it.
#[derive(Default)]
pub(crate) struct Names<'a> {
    /// Sorted by id.
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
        let position = self.strings.binary_search_by_key(&id, |(id, _)| *id).ok()?;
        Some(decode_modified_utf8(self.strings[position].1).into_owned())
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

/// Bytes of segments passed over before their pages are given back.
const RELEASED_AT_ONCE: u64 = 32 << 20;

/// Problems listed; a hostile dump can have one for every byte.
const LISTED_PROBLEMS: usize = 20;

impl<'a> Scan<'a> {
    pub(crate) fn of(
        hprof: &Hprof<'a>,
        release: &(dyn Fn(Range<u64>) + Sync),
        progress: &(dyn Fn(f32) + Sync),
    ) -> Scan<'a> {
        let mut scan = Scan {
            complete: true,
            ..Scan::default()
        };
        let mut segments: Vec<HeapSegment<'a>> = Vec::new();
        let mut released = 0;
        for record in hprof.records() {
            match record.map(|record| record.body) {
                Ok(RecordBody::HeapDump(segment) | RecordBody::HeapDumpSegment(segment)) => {
                    // only the headers of segments are read here, but whole pages come with them
                    if segment.offset - released > RELEASED_AT_ONCE {
                        release(released..segment.offset);
                        released = segment.offset;
                    }
                    segments.push(segment);
                }
                Ok(body) => scan.names.add(body),
                Err(problem) => scan.note(problem),
            }
        }
        scan.names.strings.sort_unstable();
        scan.choose_dump(segments);
        let total = scan.segments.len().max(1) as f32;
        let done = std::sync::atomic::AtomicUsize::new(0);
        let numbers = ShapeNumbers::new();
        let parts: Vec<SegmentScan<'a>> = scan
            .segments
            .par_iter()
            .enumerate()
            .map_init(
                || ShapeFinder::new(&numbers),
                |finder, (number, segment)| {
                    let part = SegmentScan::of(number as u32, segment, finder, release);
                    let done = done.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1;
                    progress(done as f32 / total);
                    part
                },
            )
            .collect();
        for part in parts {
            scan.chunks.extend(part.chunks);
            scan.objects.extend(part.objects);
            scan.ids.merge(part.ids);
            scan.roots.extend(part.roots);
            for class in part.classes {
                scan.classes.insert(class.class_id, class);
            }
            if let Some(problem) = part.problem {
                scan.note(problem);
            }
        }
        scan.shape_keys = numbers.into_keys();
        scan
    }

    /// Classes that objects have but the dump does not describe, in the order of their ids.
    pub(crate) fn undescribed_classes(&self) -> BTreeSet<u64> {
        let used = self.shape_keys.iter().filter_map(|key| match *key {
            ShapeKey::Instance(class) | ShapeKey::ObjectArray(class, _) => Some(class),
            _ => None,
        });
        used.filter(|class| !self.classes.contains_key(class))
            .collect()
    }

    /// Profiling agents append a dump to the same file on every request; the last is the newest.
    fn choose_dump(&mut self, mut segments: Vec<HeapSegment<'a>>) {
        let last = segments.iter().map(|segment| segment.dump).max();
        if let Some(last) = last.filter(|last| *last > 1) {
            self.problems.push(format!(
                "the file holds {last} dumps; the last one is analysed"
            ));
        }
        segments.retain(|segment| Some(segment.dump) == last);
        self.segments = segments;
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
    objects: Vec<ChunkObjects>,
    ids: AddressIndexBuilder,
    roots: Vec<GcRoot>,
    classes: Vec<ClassDump<'a>>,
    problem: Option<HprofError>,
}

impl<'a> SegmentScan<'a> {
    fn of(
        number: u32,
        segment: &HeapSegment<'a>,
        finder: &mut ShapeFinder<'_>,
        release: &(dyn Fn(Range<u64>) + Sync),
    ) -> SegmentScan<'a> {
        let mut scan = SegmentScan::default();
        let mut objects = ChunkObjects::default();
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
            objects.add(&record, finder);
            match record {
                HeapRecord::GcRoot(root) => scan.roots.push(root),
                HeapRecord::Class(class) => scan.classes.push(class),
                _ => {}
            }
            if chunk.extend(id, records.offset()) {
                release(chunk.bytes());
                scan.chunks.push(chunk);
                scan.objects.push(std::mem::take(&mut objects).finished());
                chunk = Chunk::starting(number, records.offset());
            }
        }
        if !chunk.is_empty() {
            release(chunk.bytes());
            scan.chunks.push(chunk);
            scan.objects.push(objects.finished());
        }
        scan
    }
}
