//! Heap segments and the iteration over their records.

use crate::cursor::Cursor;
use crate::heap_record::Fault;
use crate::{HeapRecord, HprofError, IdentifierSize};

/// The content of a HEAP_DUMP or HEAP_DUMP_SEGMENT record. Heap records never span segments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeapSegment<'a> {
    /// Byte offset in the dump of its first heap record.
    pub offset: u64,
    /// Its heap records.
    pub bytes: &'a [u8],
    /// Size of identifiers.
    pub identifier_size: IdentifierSize,
    /// Whether the end is missing: it claims more bytes than there are, or its writer never came
    /// to filling in the length. [`Records`](crate::Records) reports the reason after it.
    pub truncated: bool,
    /// Which dump of the file it belongs to, from 1. Profiling agents append a dump to the same
    /// file whenever they are asked for one; dumps must not be merged, for the same address is
    /// another object in each.
    pub dump: u32,
}

impl<'a> HeapSegment<'a> {
    /// Iterates over its heap records.
    #[inline]
    pub fn records(&self) -> HeapRecords<'a> {
        HeapRecords::new(self.bytes, self.end(), self.identifier_size)
    }

    /// Iterates from the heap record at byte `offset` of the dump, which
    /// [`HeapRecords::offset`] told before. Offsets outside the segment give no records.
    #[inline]
    pub fn records_from(&self, offset: u64) -> HeapRecords<'a> {
        let tail = offset
            .checked_sub(self.offset)
            .and_then(|skip| usize::try_from(skip).ok())
            .and_then(|skip| self.bytes.get(skip..))
            .unwrap_or_default();
        HeapRecords::new(tail, self.end(), self.identifier_size)
    }

    /// Byte offset in the dump of the first byte behind it.
    #[inline]
    pub fn end(&self) -> u64 {
        self.offset.saturating_add(self.bytes.len() as u64)
    }
}

/// Iterator over heap records. It ends after its first error, for nothing tells where the next
/// heap record starts.
#[derive(Clone)]
pub struct HeapRecords<'a> {
    rest: &'a [u8],
    /// Offset in the dump of the end of `rest`.
    end: u64,
    identifier_size: IdentifierSize,
    /// 0, which is no tag, before the first record.
    previous_tag: u8,
}

impl<'a> HeapRecords<'a> {
    #[inline]
    pub(crate) fn new(rest: &'a [u8], end: u64, identifier_size: IdentifierSize) -> Self {
        HeapRecords {
            rest,
            end,
            identifier_size,
            previous_tag: 0,
        }
    }

    /// Byte offset in the dump of the heap record that [`next`](Iterator::next) will give.
    #[inline]
    pub fn offset(&self) -> u64 {
        self.end - self.rest.len() as u64
    }

    /// The same records, each with its byte offset in the dump.
    #[inline]
    pub fn with_offsets(self) -> HeapRecordsWithOffsets<'a> {
        HeapRecordsWithOffsets { records: self }
    }

    #[cold]
    #[inline(never)]
    fn fail(&mut self, tag: u8, fault: Fault) -> HprofError {
        let offset = self.offset();
        let lost = self.rest.len() as u64;
        let previous_tag = (self.previous_tag != 0).then_some(self.previous_tag);
        self.rest = &[];
        match fault {
            Fault::Truncated => HprofError::TruncatedHeapRecord {
                offset,
                tag,
                previous_tag,
                end: self.end,
            },
            Fault::UnknownTag => HprofError::UnknownHeapTag {
                offset,
                tag,
                previous_tag,
                lost,
            },
            Fault::UnknownType(code) => HprofError::UnknownValueType {
                offset,
                tag,
                previous_tag,
                code,
                lost,
            },
        }
    }
}

impl<'a> Iterator for HeapRecords<'a> {
    type Item = Result<HeapRecord<'a>, HprofError>;

    // left to itself the compiler does not inline this, and copies 120 bytes of record instead:
    // 12 ns a record rather than 3
    #[inline(always)]
    fn next(&mut self) -> Option<Self::Item> {
        let mut cursor = Cursor::new(self.rest);
        let tag = cursor.u1()?;
        let parsed = match self.identifier_size {
            IdentifierSize::Four => HeapRecord::parse::<4>(tag, cursor.rest),
            IdentifierSize::Eight => HeapRecord::parse::<8>(tag, cursor.rest),
        };
        Some(match parsed {
            Ok((record, rest)) => {
                self.rest = rest;
                self.previous_tag = tag;
                Ok(record)
            }
            Err(fault) => Err(self.fail(tag, fault)),
        })
    }
}

impl std::iter::FusedIterator for HeapRecords<'_> {}

/// Iterator of [`HeapRecords::with_offsets`].
#[derive(Clone)]
pub struct HeapRecordsWithOffsets<'a> {
    records: HeapRecords<'a>,
}

impl<'a> Iterator for HeapRecordsWithOffsets<'a> {
    type Item = Result<(u64, HeapRecord<'a>), HprofError>;

    #[inline(always)]
    fn next(&mut self) -> Option<Self::Item> {
        let offset = self.records.offset();
        self.records
            .next()
            .map(|record| record.map(|record| (offset, record)))
    }
}

impl std::iter::FusedIterator for HeapRecordsWithOffsets<'_> {}
