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
use crate::shapes::{ShapeFinder, ShapeKey, ShapeNumbers};

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
    /// The shape of each object in the order of records, and behind that of an array of
    /// references with elements how many of them are not null.
    pub(crate) shape_log: Vec<u32>,
    /// Where in it the objects of each chunk stand.
    pub(crate) logged: Vec<Range<usize>>,
    pub(crate) names: Names<'a>,
    pub(crate) problems: Vec<String>,
    pub(crate) first_problem: Option<HprofError>,
    pub(crate) complete: bool,
}

/// What the first pass notes of every object: for each record in turn the number of its shape,
/// and behind that of an array with elements how many of them are not null.
///
/// One list for the whole dump, with as much room for each segment as its records can need at
/// most. The system provides memory only where something is written: about four bytes an object.
struct ShapeLog<'l> {
    room: &'l mut [u32],
    /// Where in the whole list the room begins.
    start: usize,
    used: usize,
}

impl<'l> ShapeLog<'l> {
    /// Entries that records of so many bytes can need. An object takes 10 bytes and an id at
    /// least, which is more than two ids; an array of references that has an element 9 bytes and
    /// three ids, which is more than four.
    fn room(bytes: usize, identifier_bytes: usize) -> usize {
        bytes / (2 * identifier_bytes) + 1
    }

    /// A log for each segment.
    fn split(room: &'l mut [u32], segments: &[HeapSegment<'_>]) -> Vec<ShapeLog<'l>> {
        let (mut rest, mut start) = (room, 0);
        let logs = segments.iter().map(|segment| {
            let size = Self::room(segment.bytes.len(), segment.identifier_size.bytes());
            let (room, behind) = std::mem::take(&mut rest).split_at_mut(size);
            rest = behind;
            start += size;
            ShapeLog {
                room,
                start: start - size,
                used: 0,
            }
        });
        logs.collect()
    }

    #[inline]
    fn add(&mut self, record: &HeapRecord<'_>, finder: &mut ShapeFinder<'_>) {
        let Some(key) = ShapeKey::of(record) else {
            return;
        };
        self.push(finder.number(key));
        if let HeapRecord::ObjectArray { elements, .. } = record
            && !elements.is_empty()
        {
            self.push(elements.iter().map(|id| u32::from(id != 0)).sum());
        }
    }

    #[inline]
    fn push(&mut self, entry: u32) {
        if let Some(next) = self.room.get_mut(self.used) {
            *next = entry;
            self.used += 1;
        }
    }

    /// Where the next entry will stand in the whole list.
    fn position(&self) -> usize {
        self.start + self.used
    }
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
        let numbers = ShapeNumbers::new();
        let room = |segment: &HeapSegment<'_>| {
            ShapeLog::room(segment.bytes.len(), segment.identifier_size.bytes())
        };
        scan.shape_log = vec![0; scan.segments.iter().map(room).sum()];
        let logs = ShapeLog::split(&mut scan.shape_log, &scan.segments);
        let parts: Vec<SegmentScan<'a>> = scan
            .segments
            .par_iter()
            .enumerate()
            .zip(logs)
            .map_init(
                || ShapeFinder::new(&numbers),
                |finder, ((number, segment), log)| {
                    let part = SegmentScan::of(number as u32, segment, log, finder, release);
                    let done = done.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1;
                    progress(done as f32 / total);
                    part
                },
            )
            .collect();
        for part in parts {
            scan.chunks.extend(part.chunks);
            scan.logged.extend(part.logged);
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
    logged: Vec<Range<usize>>,
    ids: AddressIndexBuilder,
    roots: Vec<GcRoot>,
    classes: Vec<ClassDump<'a>>,
    problem: Option<HprofError>,
}

impl<'a> SegmentScan<'a> {
    fn of(
        number: u32,
        segment: &HeapSegment<'a>,
        mut log: ShapeLog<'_>,
        finder: &mut ShapeFinder<'_>,
        release: &(dyn Fn(Range<u64>) + Sync),
    ) -> SegmentScan<'a> {
        let mut scan = SegmentScan::default();
        let mut logged_to = log.position();
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
            log.add(&record, finder);
            match record {
                HeapRecord::GcRoot(root) => scan.roots.push(root),
                HeapRecord::Class(class) => scan.classes.push(class),
                _ => {}
            }
            if chunk.extend(id, records.offset()) {
                release(chunk.bytes());
                scan.chunks.push(chunk);
                scan.logged.push(logged_to..log.position());
                logged_to = log.position();
                chunk = Chunk::starting(number, records.offset());
            }
        }
        if !chunk.is_empty() {
            release(chunk.bytes());
            scan.chunks.push(chunk);
            scan.logged.push(logged_to..log.position());
        }
        scan
    }
}
