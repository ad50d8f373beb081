//! The dumps of a file that holds several.
//!
//! Profiling agents append a dump to the same file whenever they are asked for one: the header
//! and the records before it serve all that follow. Files that were put one behind the other have
//! a header each. Both kinds are numbered from 1, in the order of the file. Dumps are never
//! merged: the same address is another object in each.

use std::time::Duration;

use leakline_model::Timestamp;

use crate::{Hprof, HprofError, Record, RecordBody};

/// What a file holds.
#[derive(Clone)]
pub struct HprofFile<'a> {
    /// Its dumps, at least one unless the file holds no heap at all.
    pub dumps: Vec<Dump<'a>>,
    /// Why a dump that starts in the file is not among them. What is wrong with those that are is
    /// met by reading them.
    pub problems: Vec<HprofError>,
}

/// One dump of a file.
#[derive(Clone, Copy)]
pub struct Dump<'a> {
    /// With the header that applies to it.
    pub hprof: Hprof<'a>,
    /// When it was begun: the time in the header and the one in its first heap segment, which
    /// wraps after 71 minutes. Agents that write several dumps count from the start of the JVM.
    pub taken_at: Option<Timestamp>,
    /// Bytes of its heap segments.
    pub heap_bytes: u64,
    /// [`HeapSegment::dump`](crate::HeapSegment::dump) of its segments.
    number_under_header: u32,
    /// Where its heap ends, if another dump follows under the same header: names in between are
    /// the next one's.
    end: u64,
}

/// Dumps that are told apart in one file: a hostile file could have one for every few bytes.
const MOST_DUMPS: usize = 1 << 16;

impl<'a> HprofFile<'a> {
    /// Finds the dumps in the bytes of a file. Heap segments are passed over, not read. `passed` is
    /// told now and then up to where the file was looked at.
    ///
    /// # Errors
    ///
    /// Of the first header alone. What is wrong with one that follows is among the problems.
    pub fn parse(bytes: &'a [u8], mut passed: impl FnMut(u64)) -> Result<Self, HprofError> {
        let mut file = HprofFile {
            dumps: Vec::new(),
            problems: Vec::new(),
        };
        let mut next = Some(Hprof::parse(bytes)?);
        while let Some(hprof) = next.take() {
            if let Some(start) = file.add_dumps_of(hprof, &mut passed) {
                match Hprof::parse_at(bytes, start) {
                    Ok(hprof) => next = Some(hprof),
                    Err(problem) => file.problems.push(problem),
                }
            }
        }
        Ok(file)
    }

    /// Adds the dumps under one header; where the next header starts.
    fn add_dumps_of(&mut self, hprof: Hprof<'a>, passed: &mut impl FnMut(u64)) -> Option<u64> {
        let first = self.dumps.len();
        let mut next_header = None;
        let mut problem = None;
        let mut heap_end = 0;
        for record in hprof.records() {
            let record = match record {
                Ok(record) => record,
                Err(HprofError::ConcatenatedDump { offset }) => {
                    next_header = Some(offset);
                    break;
                }
                Err(error) => {
                    problem.get_or_insert(error);
                    continue;
                }
            };
            let (RecordBody::HeapDump(segment) | RecordBody::HeapDumpSegment(segment)) =
                record.body
            else {
                continue;
            };
            if segment.bytes.is_empty() {
                continue;
            }
            passed(segment.offset);
            let bytes = segment.bytes.len() as u64;
            let before = self.dumps.get_mut(first..).and_then(<[Dump<'a>]>::last_mut);
            if let Some(dump) = before {
                if dump.number_under_header == segment.dump {
                    dump.heap_bytes += bytes;
                    heap_end = segment.end();
                    continue;
                }
                dump.end = heap_end;
            }
            heap_end = segment.end();
            if self.dumps.len() == MOST_DUMPS {
                let offset = record.offset;
                self.problems.push(HprofError::TooManyDumps { offset });
                return None;
            }
            self.dumps.push(Dump {
                hprof,
                taken_at: taken_at(&hprof, record.time_offset_micros),
                heap_bytes: bytes,
                number_under_header: segment.dump,
                end: u64::MAX,
            });
        }
        if self.dumps.len() == first {
            self.problems.extend(problem);
        }
        next_header
    }
}

impl<'a> Dump<'a> {
    /// The records that belong to it: its heap segments, and all others in front of them; behind
    /// them too, up to the end of the file, if no other dump follows.
    pub fn records(&self) -> impl Iterator<Item = Result<Record<'a>, HprofError>> + use<'a> {
        let Dump {
            number_under_header,
            end,
            ..
        } = *self;
        let mut records = self.hprof.records();
        std::iter::from_fn(move || records.next().filter(|_| records.offset() <= end)).filter(
            move |record| match record {
                Ok(record) => match record.body {
                    RecordBody::HeapDump(segment) | RecordBody::HeapDumpSegment(segment) => {
                        segment.dump == number_under_header
                    }
                    _ => true,
                },
                Err(HprofError::ConcatenatedDump { .. }) => false,
                Err(_) => true,
            },
        )
    }
}

fn taken_at(hprof: &Hprof<'_>, micros: u32) -> Option<Timestamp> {
    let begun = hprof.header().taken_at?;
    let offset = Duration::from_micros(u64::from(micros));
    let millis = i64::try_from(offset.as_millis()).ok()?;
    Some(Timestamp::from_millis(begun.as_millis() + millis))
}
