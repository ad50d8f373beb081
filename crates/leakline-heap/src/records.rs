//! The dump cut into chunks of about a mebibyte, each with the range of ids in it: the unit of
//! parallel passes, and a sparse index that finds the record of a single object again.
//!
//! JVMs write the heap mostly in address order, so that few chunks can hold a given id.

use std::ops::Range;

use leakline_hprof::{HeapRecord, HeapSegment, HprofError, IdentifierSize};

use crate::heap_index::{Decoder, Encode, Encoder, encode_fields};

use crate::index::AddressIndex;

/// Heap records side by side in one segment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Chunk {
    segment: u32,
    /// Byte offset of its first record.
    start: u64,
    /// Byte offset behind its last record.
    end: u64,
    least_id: u64,
    greatest_id: u64,
    /// Number of objects in it.
    objects: u32,
    /// Whether their ids ascend.
    ascending: bool,
}

impl Chunk {
    const BYTES: u64 = 1 << 20;

    pub(crate) fn starting(segment: u32, start: u64) -> Chunk {
        Chunk {
            segment,
            start,
            end: start,
            least_id: u64::MAX,
            greatest_id: 0,
            objects: 0,
            ascending: true,
        }
    }

    /// Takes in an object whose record ends at `end`; true when the chunk is full.
    pub(crate) fn extend(&mut self, id: Option<u64>, end: u64) -> bool {
        if let Some(id) = id {
            self.objects += 1;
            self.ascending &= id > self.greatest_id;
            self.least_id = self.least_id.min(id);
            self.greatest_id = self.greatest_id.max(id);
        }
        self.end = end;
        end - self.start >= Self::BYTES
    }

    /// The indices of its objects in the order of their records, if they follow one another.
    pub(crate) fn numbers(&self, index: &AddressIndex) -> Option<Range<u32>> {
        if !self.ascending || self.objects == 0 {
            return None;
        }
        let first = index.find(self.least_id)?;
        let behind = index.find(self.greatest_id)?.checked_add(1)?;
        (behind - first == self.objects).then_some(first..behind)
    }

    /// Where in the dump it stands.
    pub(crate) fn bytes(&self) -> Range<u64> {
        self.start..self.end
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.end == self.start
    }
}

/// All chunks, in the order of the dump.
pub(crate) struct RecordIndex<'a> {
    segments: Vec<HeapSegment<'a>>,
    chunks: Vec<Chunk>,
}

encode_fields!(Chunk {
    segment,
    start,
    end,
    least_id,
    greatest_id,
    objects,
    ascending
});
encode_fields!(RecordIndex<'a> { segments, chunks });

/// Where it stands in the dump.
impl<'a> Encode<'a> for HeapSegment<'a> {
    fn encode<'s>(&'s self, to: &mut Encoder<'s>) {
        self.offset.encode(to);
        to.put(&(self.bytes.len() as u64).to_le_bytes());
        to.put(&[self.identifier_size.bytes() as u8]);
        self.truncated.encode(to);
        self.dump.encode(to);
    }
    fn decode(from: &mut Decoder<'a>) -> Option<Self> {
        let (offset, length) = Encode::decode(from)?;
        Some(HeapSegment {
            offset,
            bytes: from.of_dump(offset, length)?,
            identifier_size: match u8::decode(from)? {
                4 => IdentifierSize::Four,
                8 => IdentifierSize::Eight,
                _ => return None,
            },
            truncated: Encode::decode(from)?,
            dump: Encode::decode(from)?,
        })
    }
}

impl<'a> RecordIndex<'a> {
    pub(crate) fn new(segments: Vec<HeapSegment<'a>>, chunks: Vec<Chunk>) -> Self {
        RecordIndex { segments, chunks }
    }

    /// Bytes of an id in the dump.
    pub(crate) fn identifier_bytes(&self) -> usize {
        self.segments
            .first()
            .map_or(8, |segment| segment.identifier_size.bytes())
    }

    pub(crate) fn chunks(&self) -> &[Chunk] {
        &self.chunks
    }

    /// The heap records of a chunk. Errors were reported when the chunk was made, and none of
    /// its records has one.
    pub(crate) fn records(&self, chunk: &Chunk) -> impl Iterator<Item = HeapRecord<'a>> + use<'a> {
        let end = chunk.end;
        let mut records = self
            .segments
            .get(chunk.segment as usize)
            .map(|segment| segment.records_from(chunk.start));
        std::iter::from_fn(move || {
            let records = records.as_mut().filter(|records| records.offset() < end)?;
            records.next().and_then(Result::ok)
        })
    }

    /// The records of the objects with these ids, which must be sorted. Those that the dump does
    /// not have are left out.
    pub(crate) fn find(&self, ids: &[u64]) -> Vec<HeapRecord<'a>> {
        let mut found = Vec::new();
        for chunk in &self.chunks {
            let first = ids.partition_point(|id| *id < chunk.least_id);
            let wanted = ids.get(first..).unwrap_or_default();
            if wanted.first().is_none_or(|id| *id > chunk.greatest_id) {
                continue;
            }
            found.extend(self.records(chunk).filter(|record| {
                object_id(record).is_some_and(|id| wanted.binary_search(&id).is_ok())
            }));
        }
        found
    }
}

/// The object that a record describes.
pub(crate) fn object_id(record: &HeapRecord<'_>) -> Option<u64> {
    match *record {
        HeapRecord::Class(class) => Some(class.class_id),
        HeapRecord::Instance { object_id, .. }
        | HeapRecord::ObjectArray { object_id, .. }
        | HeapRecord::PrimitiveArray { object_id, .. }
        | HeapRecord::PrimitiveArrayWithoutData { object_id, .. } => Some(object_id),
        HeapRecord::GcRoot(_) | HeapRecord::HeapInfo { .. } => None,
    }
}

/// Whether the problem means that part of the dump is missing or unreadable.
pub(crate) fn loses_data(problem: &HprofError) -> bool {
    !matches!(problem, HprofError::ConcatenatedDump { .. })
}
