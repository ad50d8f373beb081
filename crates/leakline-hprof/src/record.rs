//! Records at the top level: names, classes, stacks, and the segments that hold the heap.

use crate::cursor::Cursor;
use crate::header::starts_header;
use crate::segment::HeapSegment;
use crate::tag::{record as tag, record_tag_name};
use crate::{HprofError, IdentifierSize, Ids};

/// Bytes of a record before its body: tag, time, length.
const RECORD_HEADER: usize = 9;

/// One record at the top level.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Record<'a> {
    /// Byte offset in the dump of the record's tag.
    pub offset: u64,
    /// The tag.
    pub tag: u8,
    /// Microseconds since [`Header::taken_at`]. Wraps after 71 minutes; HotSpot writes 0.
    pub time_offset_micros: u32,
    /// What it holds.
    pub body: RecordBody<'a>,
}

/// What a record holds. Serials and identifiers are names that records give each other; a dump
/// may refer to records that it does not contain.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum RecordBody<'a> {
    /// A string: the name of a class, field, method or file.
    Utf8 {
        /// What other records call it.
        id: u64,
        /// Its text in modified UTF-8 (see [`decode_modified_utf8`](crate::decode_modified_utf8)).
        text: &'a [u8],
    },
    /// A class was loaded.
    LoadClass {
        /// What frames call it.
        serial: u32,
        /// The class object.
        class_id: u64,
        /// Stack trace of its loading.
        trace_serial: u32,
        /// String with its name (see [`java_class_name`](crate::java_class_name)).
        name_id: u64,
    },
    /// A class was unloaded.
    UnloadClass {
        /// Its serial.
        serial: u32,
    },
    /// A frame of a stack trace.
    Frame {
        /// What traces call it.
        id: u64,
        /// String with the method's name.
        method_name_id: u64,
        /// String with the method's descriptor, `(I)V`.
        signature_id: u64,
        /// String with the source file's name; 0 when not known.
        source_file_id: u64,
        /// Serial of the method's class.
        class_serial: u32,
        /// Line in the source file.
        line: Line,
    },
    /// A stack trace.
    Trace {
        /// What roots and allocations call it.
        serial: u32,
        /// The thread; 0 when it is not the stack of one.
        thread_serial: u32,
        /// Its frames, innermost first.
        frame_ids: Ids<'a>,
    },
    /// The heap, in one record.
    HeapDump(HeapSegment<'a>),
    /// Part of the heap.
    HeapDumpSegment(HeapSegment<'a>),
    /// The heap's parts are complete.
    HeapDumpEnd,
    /// Allocation sites, as profiling agents record them.
    AllocSites {
        /// 1: incremental, 2: sorted by allocation and not by live bytes, 4: a collection was
        /// forced.
        flags: u16,
        /// Share below which sites were left out.
        cutoff_ratio: f32,
        /// Sum over all sites.
        totals: AllocationTotals,
        /// Number of sites.
        count: u32,
        /// The sites, 25 bytes each: u1 array type or 0, u4 class serial, u4 trace serial, then
        /// bytes live, instances live, bytes allocated, instances allocated, u4 each.
        sites: &'a [u8],
    },
    /// Sums over the heap.
    HeapSummary(AllocationTotals),
    /// A thread started.
    StartThread {
        /// What roots and traces call it.
        thread_serial: u32,
        /// The thread object.
        object_id: u64,
        /// Stack trace of its start.
        trace_serial: u32,
        /// String with its name.
        name_id: u64,
        /// String with the name of its group.
        group_name_id: u64,
        /// String with the name of its group's parent.
        parent_group_name_id: u64,
    },
    /// A thread ended.
    EndThread {
        /// Its serial.
        thread_serial: u32,
    },
    /// Samples of a CPU profiler.
    CpuSamples {
        /// Number of samples.
        total: u32,
        /// Number of distinct traces.
        count: u32,
        /// The traces, 8 bytes each: u4 samples, u4 trace serial.
        traces: &'a [u8],
    },
    /// Settings of the profiling agent.
    ControlSettings {
        /// 1: allocation traces on, 2: CPU sampling on.
        flags: u32,
        /// Frames kept of each trace.
        trace_depth: u16,
    },
    /// A record with a tag that the format does not define.
    Other {
        /// Its tag.
        tag: u8,
        /// Its body.
        bytes: &'a [u8],
    },
}

/// Sums of allocations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AllocationTotals {
    /// Bytes that are live.
    pub live_bytes: u32,
    /// Instances that are live.
    pub live_instances: u32,
    /// Bytes allocated since the start.
    pub allocated_bytes: u64,
    /// Instances allocated since the start.
    pub allocated_instances: u64,
}

/// Where in its source file a frame stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Line {
    /// The line, from 1.
    Number(u32),
    /// Not recorded (0 or −1 in the dump).
    Unknown,
    /// Compiled code (−2); it is not known where.
    Compiled,
    /// A native method (−3).
    Native,
}

impl Line {
    fn from_code(code: u32) -> Self {
        match code.cast_signed() {
            -2 => Line::Compiled,
            -3 => Line::Native,
            line if line > 0 => Line::Number(code),
            _ => Line::Unknown,
        }
    }

    /// As the dump has it: the line, or −1, −2 or −3 as two's complement.
    pub fn code(self) -> u32 {
        match self {
            Line::Number(line) => line,
            Line::Unknown => (-1_i32).cast_unsigned(),
            Line::Compiled => (-2_i32).cast_unsigned(),
            Line::Native => (-3_i32).cast_unsigned(),
        }
    }
}

/// Iterator over the records of a dump.
///
/// After an error inside a record whose length is sound, iteration goes on with the next record;
/// any other error is the last item. A dump that just stops, between two segments or before the
/// heap, ends with an error that says so.
#[derive(Clone)]
pub struct Records<'a> {
    bytes: &'a [u8],
    position: usize,
    identifier_size: IdentifierSize,
    previous_tag: Option<u8>,
    /// Dumps met so far, the current one included.
    dump: u32,
    /// Whether further segments belong to the current dump.
    dump_is_open: bool,
    /// What is wrong with the segment given last.
    pending: Option<HprofError>,
    finished: bool,
}

impl<'a> Records<'a> {
    pub(crate) fn new(bytes: &'a [u8], position: usize, identifier_size: IdentifierSize) -> Self {
        Records {
            bytes,
            position,
            identifier_size,
            previous_tag: None,
            dump: 0,
            dump_is_open: false,
            pending: None,
            finished: false,
        }
    }

    /// Byte offset in the dump of the record that [`next`](Iterator::next) will give: how far the
    /// dump has been read.
    pub fn offset(&self) -> u64 {
        self.position as u64
    }

    fn last(&mut self, error: HprofError) -> Option<Result<Record<'a>, HprofError>> {
        self.finished = true;
        Some(Err(error))
    }

    /// What is missing at the end of the input.
    fn missing(&self) -> Option<HprofError> {
        let offset = self.bytes.len() as u64;
        if self.dump == 0 {
            Some(HprofError::NoHeap { offset })
        } else if self.dump_is_open {
            Some(HprofError::MissingHeapDumpEnd { offset })
        } else {
            None
        }
    }

    /// Where records start again, at or behind `from`: a damaged length would otherwise cost all
    /// that follows.
    fn resume(&self, from: usize) -> Option<usize> {
        (from..self.bytes.len()).find(|at| {
            let rest = self.bytes.get(*at..).unwrap_or_default();
            surely_starts_records(rest, self.identifier_size)
        })
    }

    fn heap_segment(&mut self, tag: u8, start: usize, extent: &HeapExtent) -> HeapSegment<'a> {
        if !self.dump_is_open {
            self.dump = self.dump.saturating_add(1);
        }
        self.dump_is_open = tag == tag::HEAP_DUMP_SEGMENT;
        let end = start.saturating_add(extent.used);
        HeapSegment {
            offset: start as u64,
            bytes: self.bytes.get(start..end).unwrap_or_default(),
            identifier_size: self.identifier_size,
            truncated: extent.truncated,
            dump: self.dump,
        }
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<Record<'a>, HprofError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.finished {
            return None;
        }
        if let Some(error) = self.pending.take() {
            return self.last(error);
        }
        let at = self.position;
        let offset = at as u64;
        let input = self.bytes.get(at..).unwrap_or_default();
        if input.is_empty() {
            self.finished = true;
            return self.missing().map(Err);
        }
        if starts_header(input) {
            return self.last(HprofError::ConcatenatedDump { offset });
        }
        let mut cursor = Cursor::new(input);
        let mut header = || Some((cursor.u1()?, cursor.u4()?, cursor.u4()?));
        let Some((tag, time_offset_micros, length)) = header() else {
            return self.last(HprofError::TruncatedRecordHeader {
                offset,
                end: self.bytes.len() as u64,
            });
        };
        let previous_tag = self.previous_tag.replace(tag);
        let record = |body| Record {
            offset,
            tag,
            time_offset_micros,
            body,
        };
        let start = at + RECORD_HEADER;

        if let tag::HEAP_DUMP | tag::HEAP_DUMP_SEGMENT = tag {
            let extent = heap_extent(tag, length, cursor.rest, self.identifier_size);
            let segment = self.heap_segment(tag, start, &extent);
            self.position = start + segment.bytes.len();
            self.pending = extent.problem(length, segment.offset);
            return Some(Ok(record(match tag {
                tag::HEAP_DUMP => RecordBody::HeapDump(segment),
                _ => RecordBody::HeapDumpSegment(segment),
            })));
        }

        let available = cursor.rest.len() as u64;
        let Some(body) = cursor.elements(length, 1) else {
            if let Some(resumed) = self.resume(start) {
                self.position = resumed;
                return Some(Err(HprofError::DamagedLength {
                    offset,
                    tag,
                    previous_tag,
                    length,
                    resumed: resumed as u64,
                }));
            }
            return self.last(HprofError::TruncatedRecord {
                offset,
                tag,
                previous_tag,
                length,
                available,
            });
        };
        self.position = start + body.len();
        if tag == tag::HEAP_DUMP_END {
            self.dump_is_open = false;
        }
        let body = parse_body(tag, body, self.identifier_size);
        Some(body.map(record).ok_or(HprofError::MalformedRecord {
            offset,
            tag,
            previous_tag,
            length,
        }))
    }
}

impl std::iter::FusedIterator for Records<'_> {}

/// Decodes all but heap segments; `None` when the body is too short. What a body holds beyond
/// its content is ignored.
fn parse_body(tag: u8, body: &[u8], size: IdentifierSize) -> Option<RecordBody<'_>> {
    let mut cursor = Cursor::new(body);
    Some(match tag {
        tag::UTF8 => RecordBody::Utf8 {
            id: cursor.id(size)?,
            text: cursor.rest,
        },
        tag::LOAD_CLASS => RecordBody::LoadClass {
            serial: cursor.u4()?,
            class_id: cursor.id(size)?,
            trace_serial: cursor.u4()?,
            name_id: cursor.id(size)?,
        },
        tag::UNLOAD_CLASS => RecordBody::UnloadClass {
            serial: cursor.u4()?,
        },
        tag::FRAME => RecordBody::Frame {
            id: cursor.id(size)?,
            method_name_id: cursor.id(size)?,
            signature_id: cursor.id(size)?,
            source_file_id: cursor.id(size)?,
            class_serial: cursor.u4()?,
            line: Line::from_code(cursor.u4()?),
        },
        tag::TRACE => {
            let (serial, thread_serial, count) = (cursor.u4()?, cursor.u4()?, cursor.u4()?);
            RecordBody::Trace {
                serial,
                thread_serial,
                frame_ids: Ids::new(cursor.elements(count, size.bytes())?, size),
            }
        }
        tag::HEAP_DUMP_END => RecordBody::HeapDumpEnd,
        tag::ALLOC_SITES => {
            let flags = cursor.u2()?;
            let cutoff_ratio = f32::from_bits(cursor.u4()?);
            let totals = allocation_totals(&mut cursor)?;
            let count = cursor.u4()?;
            RecordBody::AllocSites {
                flags,
                cutoff_ratio,
                totals,
                count,
                sites: cursor.elements(count, 25)?,
            }
        }
        tag::HEAP_SUMMARY => RecordBody::HeapSummary(allocation_totals(&mut cursor)?),
        tag::START_THREAD => RecordBody::StartThread {
            thread_serial: cursor.u4()?,
            object_id: cursor.id(size)?,
            trace_serial: cursor.u4()?,
            name_id: cursor.id(size)?,
            group_name_id: cursor.id(size)?,
            parent_group_name_id: cursor.id(size)?,
        },
        tag::END_THREAD => RecordBody::EndThread {
            thread_serial: cursor.u4()?,
        },
        tag::CPU_SAMPLES => {
            let (total, count) = (cursor.u4()?, cursor.u4()?);
            RecordBody::CpuSamples {
                total,
                count,
                traces: cursor.elements(count, 8)?,
            }
        }
        tag::CONTROL_SETTINGS => RecordBody::ControlSettings {
            flags: cursor.u4()?,
            trace_depth: cursor.u2()?,
        },
        _ => RecordBody::Other { tag, bytes: body },
    })
}

fn allocation_totals(cursor: &mut Cursor<'_>) -> Option<AllocationTotals> {
    Some(AllocationTotals {
        live_bytes: cursor.u4()?,
        live_instances: cursor.u4()?,
        allocated_bytes: cursor.u8()?,
        allocated_instances: cursor.u8()?,
    })
}

/// How far a heap segment really goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct HeapExtent {
    used: usize,
    /// Its end is missing.
    truncated: bool,
    /// What it claims cannot be, and it was read to the end of the input.
    extended: bool,
}

impl HeapExtent {
    fn problem(&self, length: u32, offset: u64) -> Option<HprofError> {
        let available = self.used as u64;
        if self.extended {
            Some(HprofError::ExtendedSegment {
                offset,
                length,
                available,
            })
        } else if self.truncated {
            Some(HprofError::TruncatedSegment {
                offset,
                length,
                available,
            })
        } else {
            None
        }
    }
}

/// Judges the length that a heap segment claims, given all that follows its header.
///
/// JVMs that fill the length in afterwards leave 0 when they are killed, and a HEAP_DUMP above
/// 4 GiB keeps only the lower 32 bits of it. In both cases the segment goes on to the end.
fn heap_extent(tag: u8, length: u32, left: &[u8], size: IdentifierSize) -> HeapExtent {
    let exact = |used| HeapExtent {
        used,
        truncated: false,
        extended: false,
    };
    let to_the_end = |truncated| HeapExtent {
        used: left.len(),
        truncated,
        extended: truncated,
    };
    let claimed = usize::try_from(length).unwrap_or(usize::MAX);
    let Some(behind) = left.get(claimed..) else {
        return HeapExtent {
            used: left.len(),
            truncated: true,
            extended: false,
        };
    };
    if tag == tag::HEAP_DUMP && wraps(left.len() as u64, length) {
        // as it should be, nothing is missing
        return to_the_end(false);
    }
    if behind.is_empty() || starts_records(behind) {
        return exact(claimed);
    }
    let could_have_wrapped = tag == tag::HEAP_DUMP && left.len() as u64 > u64::from(u32::MAX);
    if could_have_wrapped || (length == 0 && starts_heap_records(behind, size)) {
        return to_the_end(true);
    }
    exact(claimed)
}

/// Whether a segment of `left` bytes would claim to have `length`, having more than fit in u4.
fn wraps(left: u64, length: u32) -> bool {
    left > u64::from(u32::MAX) && left & u64::from(u32::MAX) == u64::from(length)
}

/// How many records must look right before a place is believed to be where records start.
const CONVINCING: usize = 8;

/// Whether known records that fit into each other start here.
fn starts_records(bytes: &[u8]) -> bool {
    let mut cursor = Cursor::new(bytes);
    for _ in 0..CONVINCING {
        if cursor.rest.is_empty() || starts_header(cursor.rest) {
            return true;
        }
        let mut header = || Some((cursor.u1()?, cursor.u4()?, cursor.u4()?));
        let Some((tag, _, length)) = header() else {
            return false;
        };
        if record_tag_name(tag).is_none() {
            return false;
        }
        // their length is what cannot be relied upon, and no heap record has their tags
        if let tag::HEAP_DUMP | tag::HEAP_DUMP_SEGMENT = tag {
            return true;
        }
        if cursor.elements(length, 1).is_none() {
            return false;
        }
    }
    true
}

/// Whether so many known records stand here one behind the other, or fewer and then the heap, that
/// it cannot be chance.
fn surely_starts_records(bytes: &[u8], size: IdentifierSize) -> bool {
    let mut cursor = Cursor::new(bytes);
    for _ in 0..CONVINCING {
        let mut header = || Some((cursor.u1()?, cursor.u4()?, cursor.u4()?));
        let Some((tag, _, length)) = header() else {
            return false;
        };
        match tag {
            tag::HEAP_DUMP | tag::HEAP_DUMP_SEGMENT => {
                let length = cursor.rest.len().min(length as usize);
                let segment = cursor.rest.get(..length).unwrap_or_default();
                return !segment.is_empty() && starts_heap_records(segment, size);
            }
            _ if record_tag_name(tag).is_none() => return false,
            _ if cursor.elements(length, 1).is_none() => return false,
            _ => {}
        }
    }
    true
}

/// Whether heap records start here.
fn starts_heap_records(bytes: &[u8], size: IdentifierSize) -> bool {
    crate::HeapRecords::new(bytes, bytes.len() as u64, size)
        .take(CONVINCING)
        .enumerate()
        .all(|(i, record)| {
            i > 0 && matches!(record, Err(HprofError::TruncatedHeapRecord { .. })) || record.is_ok()
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_above_4_gib_are_recognised_by_their_lower_half() {
        const FOUR_GIB: u64 = 1 << 32;
        assert!(wraps(FOUR_GIB, 0));
        assert!(wraps(FOUR_GIB + 17, 17));
        assert!(wraps(3 * FOUR_GIB + 17, 17));
        assert!(!wraps(FOUR_GIB + 17, 16));
        assert!(!wraps(17, 17));
        assert!(!wraps(0, 0));
        assert!(!wraps(FOUR_GIB - 1, u32::MAX));
    }

    #[test]
    fn only_a_convincing_sequence_starts_records() {
        let utf8 = |length: u8| [1, 0, 0, 0, 0, 0, 0, 0, length];
        let check = |bytes: &[u8], expected: bool| assert_eq!(starts_records(bytes), expected);
        check(&[], true);
        check(&utf8(0), true);
        check(&[utf8(0), utf8(0)].concat(), true);
        check(&utf8(1), false);
        check(&[&utf8(0)[..], &[1]].concat(), false);
        check(&[&utf8(0)[..], b"JAVA PROFILE 1.0.2"].concat(), true);
        check(&[0x0c, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff], true);
        check(&[0x21, 0, 0, 0, 0, 0, 0, 0, 0], false);
        // eight suffice
        check(&[&[utf8(0); 8].concat()[..], &[0x21]].concat(), true);
        check(&[&[utf8(0); 7].concat()[..], &[0x21; 9]].concat(), false);
    }
}
