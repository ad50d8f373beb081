//! What can be wrong with a dump, each with the byte offset where it shows.

use std::fmt;

use crate::tag::{HeapTag, RecordTag};

/// Why a dump, or part of it, cannot be read. Offsets count bytes from the start of the
/// (decompressed) dump.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HprofError {
    /// The input is something else.
    #[error("not an HPROF heap dump: {looks_like}")]
    NotHprof {
        /// What it seems to be.
        looks_like: LooksLike,
    },
    /// An HPROF dump in a version that is not known.
    #[error(
        "unsupported HPROF version {version:?} at byte {offset}; 1.0.1, 1.0.2 and 1.0.3 are read"
    )]
    UnsupportedVersion {
        /// Where the version stands.
        offset: u64,
        /// The version as written, at most 16 characters.
        version: String,
    },
    /// Identifiers are neither 4 nor 8 bytes wide.
    #[error(
        "identifiers of {size} bytes at byte {offset}, expected 4 or 8; the header is damaged, take the dump again"
    )]
    UnsupportedIdentifierSize {
        /// Where the size stands.
        offset: u64,
        /// The size as written.
        size: u32,
    },
    /// The input ends inside the header.
    #[error(
        "dump ends at byte {offset}, inside its header; the file is cut off, take the dump again"
    )]
    TruncatedHeader {
        /// Where the input ends.
        offset: u64,
    },
    /// The input ends inside a record that is no heap segment. Nothing follows.
    #[error(
        "record {} at byte {offset} claims {length} bytes but {available} are left; the file is cut off or the length is damaged, what precedes it was read",
        RecordTag(*.tag)
    )]
    TruncatedRecord {
        /// Where the record starts.
        offset: u64,
        /// The record's tag.
        tag: u8,
        /// Tag of the record before it; `None` for the first.
        previous_tag: Option<u8>,
        /// Length that the record claims, without its 9 bytes of header.
        length: u32,
        /// Bytes that are left for it.
        available: u64,
    },
    /// A record that is no heap segment claims more bytes than there are, but other records follow
    /// it: its length is damaged, and perhaps those of records behind it.
    #[error(
        "record {} at byte {offset} claims {length} bytes, more than there are; its length is damaged, reading goes on at byte {resumed}",
        RecordTag(*.tag)
    )]
    DamagedLength {
        /// Where the record starts.
        offset: u64,
        /// The record's tag.
        tag: u8,
        /// Tag of the record before it; `None` for the first.
        previous_tag: Option<u8>,
        /// Length that the record claims, without its 9 bytes of header.
        length: u32,
        /// Where the next record starts.
        resumed: u64,
    },
    /// The input ends inside a record's 9 bytes of header. Nothing follows.
    #[error(
        "dump ends at byte {end}, inside the record header at byte {offset}; the file is cut off, what precedes it was read"
    )]
    TruncatedRecordHeader {
        /// Where the header starts.
        offset: u64,
        /// Where the input ends.
        end: u64,
    },
    /// A record is shorter than its content. The next record follows.
    #[error(
        "record {} at byte {offset} is too short with {length} bytes; it is skipped",
        RecordTag(*.tag)
    )]
    MalformedRecord {
        /// Where the record starts.
        offset: u64,
        /// The record's tag.
        tag: u8,
        /// Tag of the record before it; `None` for the first.
        previous_tag: Option<u8>,
        /// Its length, without its 9 bytes of header.
        length: u32,
    },
    /// A second dump with a header of its own follows, which
    /// [`Hprof::parse_at`](crate::Hprof::parse_at) reads.
    #[error(
        "another dump starts at byte {offset}, with a header of its own; it is read from there"
    )]
    ConcatenatedDump {
        /// Where the second header starts.
        offset: u64,
    },
    /// More dumps in one file than can be told apart; those from here on are not.
    #[error(
        "more than 65,536 dumps in one file; those from byte {offset} on are passed over, split the file to read them"
    )]
    TooManyDumps {
        /// Where the first of them starts.
        offset: u64,
    },
    /// The input ends between two segments, without the record that ends a dump.
    #[error(
        "dump ends at byte {offset} without a HEAP_DUMP_END record; the file is cut off, what precedes it was read"
    )]
    MissingHeapDumpEnd {
        /// Where the input ends.
        offset: u64,
    },
    /// The input holds no heap segment at all.
    #[error(
        "no heap in this dump, which ends at byte {offset}; the file is cut off, or was written by a profiler without heap=dump"
    )]
    NoHeap {
        /// Where the input ends.
        offset: u64,
    },
    /// A heap segment claims more bytes than there are; it was clamped.
    #[error(
        "heap segment at byte {offset} claims {length} bytes but {available} are left; the file is cut off, roots and objects that were to follow are missing"
    )]
    TruncatedSegment {
        /// Where the segment's heap records start.
        offset: u64,
        /// Length that it claims.
        length: u32,
        /// Bytes that are left for it.
        available: u64,
    },
    /// A heap segment's length was never filled in, or is what remains of one above 4 GiB in a
    /// file that is cut off; the segment was extended to the end of the input.
    #[error(
        "heap segment at byte {offset} claims {length} bytes, which its writer never completed; read to the end of the file, {available} bytes; roots and objects that were to follow, if any, are missing"
    )]
    ExtendedSegment {
        /// Where the segment's heap records start.
        offset: u64,
        /// Length that it claims.
        length: u32,
        /// Length that it was given.
        available: u64,
    },
    /// A heap record with a tag that the format does not define. The rest of its segment is lost.
    #[error(
        "unknown heap record 0x{tag:02x}{} at byte {offset}; the rest of its segment, {lost} bytes, is skipped",
        After(*.previous_tag)
    )]
    UnknownHeapTag {
        /// Where the heap record starts.
        offset: u64,
        /// Its tag.
        tag: u8,
        /// Tag of the heap record before it; `None` where reading started.
        previous_tag: Option<u8>,
        /// Bytes of the segment from here on.
        lost: u64,
    },
    /// A heap record that claims more bytes than its segment has left.
    #[error(
        "heap record {}{} at byte {offset} goes beyond the end of its segment at byte {end}; it is skipped",
        HeapTag(*.tag), After(*.previous_tag)
    )]
    TruncatedHeapRecord {
        /// Where the heap record starts.
        offset: u64,
        /// Its tag.
        tag: u8,
        /// Tag of the heap record before it; `None` where reading started.
        previous_tag: Option<u8>,
        /// Where the segment ends.
        end: u64,
    },
    /// A field or an array of a type that the format does not define. The rest of the segment is
    /// lost.
    #[error(
        "unknown value type {code} in heap record {}{} at byte {offset}; the rest of its segment, {lost} bytes, is skipped",
        HeapTag(*.tag), After(*.previous_tag)
    )]
    UnknownValueType {
        /// Where the heap record starts.
        offset: u64,
        /// Its tag.
        tag: u8,
        /// Tag of the heap record before it; `None` where reading started.
        previous_tag: Option<u8>,
        /// The type's code.
        code: u8,
        /// Bytes of the segment from the record on.
        lost: u64,
    },
    /// An offset at which no heap record can start.
    #[error("no heap record at byte {offset}, the dump ends at byte {end}")]
    OffsetOutside {
        /// The offset.
        offset: u64,
        /// Where the input ends.
        end: u64,
    },
}

impl HprofError {
    /// The error of a header, of which offsets were counted from itself, with those of the file.
    pub(crate) fn moved(mut self, by: u64) -> Self {
        if let HprofError::UnsupportedVersion { offset, .. }
        | HprofError::UnsupportedIdentifierSize { offset, .. }
        | HprofError::TruncatedHeader { offset } = &mut self
        {
            *offset += by;
        }
        self
    }

    /// Where it shows; 0 when the input is not HPROF.
    pub fn offset(&self) -> u64 {
        match *self {
            HprofError::NotHprof { .. } => 0,
            HprofError::UnsupportedVersion { offset, .. }
            | HprofError::UnsupportedIdentifierSize { offset, .. }
            | HprofError::TruncatedHeader { offset }
            | HprofError::TruncatedRecord { offset, .. }
            | HprofError::DamagedLength { offset, .. }
            | HprofError::TruncatedRecordHeader { offset, .. }
            | HprofError::MalformedRecord { offset, .. }
            | HprofError::ConcatenatedDump { offset }
            | HprofError::TooManyDumps { offset }
            | HprofError::MissingHeapDumpEnd { offset }
            | HprofError::NoHeap { offset }
            | HprofError::TruncatedSegment { offset, .. }
            | HprofError::ExtendedSegment { offset, .. }
            | HprofError::UnknownHeapTag { offset, .. }
            | HprofError::TruncatedHeapRecord { offset, .. }
            | HprofError::UnknownValueType { offset, .. }
            | HprofError::OffsetOutside { offset, .. } => offset,
        }
    }
}

/// ` after INSTANCE_DUMP (0x21)`.
struct After(Option<u8>);

impl fmt::Display for After {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(tag) => write!(f, " after {}", HeapTag(tag)),
            None => Ok(()),
        }
    }
}

/// What an input that is not HPROF seems to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LooksLike {
    /// No bytes at all.
    Empty,
    /// Compressed with gzip.
    Gzip,
    /// Compressed with zstd.
    Zstd,
    /// Compressed with bzip2.
    Bzip2,
    /// Compressed with xz.
    Xz,
    /// A zip archive.
    Zip,
    /// A heap snapshot of V8 (Node.js, Chrome).
    HeapSnapshot,
    /// A recording of the JDK's flight recorder.
    FlightRecording,
    /// A pickle of Python, perhaps a snapshot of tracemalloc.
    Pickle,
    /// A portable heap dump of OpenJ9.
    PortableHeapDump,
    /// A core dump or another ELF file.
    Elf,
    /// A heap profile in pprof's format, binary or text.
    Pprof,
    /// None of these.
    Unknown,
}

impl LooksLike {
    /// Judges by the first bytes.
    pub fn of(bytes: &[u8]) -> Self {
        let text = bytes.trim_ascii_start();
        let is = |magic: &[u8]| bytes.starts_with(magic);
        if bytes.is_empty() {
            LooksLike::Empty
        } else if is(b"\x1f\x8b") {
            LooksLike::Gzip
        } else if is(b"\x28\xb5\x2f\xfd") {
            LooksLike::Zstd
        } else if is(b"BZh") {
            LooksLike::Bzip2
        } else if is(b"\xfd7zXZ\0") {
            LooksLike::Xz
        } else if is(b"PK\x03\x04") {
            LooksLike::Zip
        } else if text.starts_with(b"{")
            && text[1..].trim_ascii_start().starts_with(b"\"snapshot\"")
        {
            LooksLike::HeapSnapshot
        } else if is(b"FLR\0") {
            LooksLike::FlightRecording
        } else if matches!(bytes, [0x80, 2..=5, ..]) {
            LooksLike::Pickle
        } else if is(b"\0\x15portable heap dump") {
            LooksLike::PortableHeapDump
        } else if is(b"\x7fELF") {
            LooksLike::Elf
        } else if is(b"heap profile:") || is(b"heap_v2/") || is_pprof(bytes) {
            LooksLike::Pprof
        } else {
            LooksLike::Unknown
        }
    }
}

/// pprof's protobuf opens with `sample_type`: field 1, a message of two short varint fields.
fn is_pprof(bytes: &[u8]) -> bool {
    matches!(bytes, [0x0a, 2..=8, 0x08, _, 0x10, _, ..])
}

impl fmt::Display for LooksLike {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            LooksLike::Empty => "it is empty; take the dump again, and look for a full disk",
            LooksLike::Gzip => "it is compressed with gzip; decompress it first",
            LooksLike::Zstd => "it is compressed with zstd; decompress it first",
            LooksLike::Bzip2 => "it is compressed with bzip2; decompress it first",
            LooksLike::Xz => "it is compressed with xz; decompress it first",
            LooksLike::Zip => "it is a zip archive; unpack it first",
            LooksLike::HeapSnapshot => "it looks like a V8 heap snapshot; read it as such",
            LooksLike::FlightRecording => {
                "it is a JDK flight recording; it holds events, take a heap dump with jcmd PID GC.heap_dump"
            }
            LooksLike::Pickle => "it looks like a Python pickle; read it as a tracemalloc snapshot",
            LooksLike::PortableHeapDump => {
                "it is an OpenJ9 portable heap dump; export it to HPROF with Eclipse MAT first"
            }
            LooksLike::Elf => {
                "it is an ELF file; turn a core dump into a heap dump with jhsdb jmap --binaryheap --core FILE --exe JAVA"
            }
            LooksLike::Pprof => "it looks like a pprof profile; read it as such",
            LooksLike::Unknown => {
                "it does not start with \"JAVA PROFILE\"; take a dump with jcmd PID GC.heap_dump FILE"
            }
        })
    }
}
