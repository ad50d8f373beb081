//! What was found in a dump, as bytes: an index that a second look begins with.
//!
//! It holds the report, the summary that later dumps are compared with, and the graph with what
//! each object retains, so that neither the dump has to be read again nor anything computed. The
//! large arrays are used where they stand in the index (a mapped file, say). It holds the names of
//! classes, fields, methods and threads, and no values: those are read from the dump.
//!
//! This module neither finds nor opens files, and does not know whether an index belongs to a
//! dump: it keeps what the caller knows of the dump ([`IndexSource`]) and gives it back.
//!
//! An index that is damaged, cut off, or of another version of this program is refused; each
//! section is checked when it is used. The checksums are no protection against forgery: an index
//! is to be trusted like the program itself, and must not be taken from others.
//!
//! ```text
//! 0   magic "LEAKIDX\n"
//! 8   version               u64, as all numbers, in the byte order of the machine
//! 16  byte order            0x0102030405060708
//! 24  length of the file
//! 32  number of blocks
//! 40  checksum of all this and the table, without itself
//! 48  table of blocks: section, offset, length, checksum
//! …   blocks, each from a multiple of 64 on
//! ```
//!
//! A section is a block of values and, behind it, a block for each of its arrays (see `encoding`).
//! The same is drawn in `docs/heap-index.md`.

mod encoding;
mod file;
mod findings;

use std::io::{self, Write};

use crate::analyze::Analysis;
use crate::graph::Heap;
use crate::load::References;
pub(crate) use encoding::{Decoder, Encode, Encoder, encode_fields, encode_variants};
use file::{Section, Sections};

/// What an index begins with.
const MAGIC: [u8; 8] = *b"LEAKIDX\n";
/// To be raised whenever anything that is encoded changes, or is computed in another way.
const VERSION: u64 = 1;

/// What an index was made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexSource {
    /// The dump's file.
    pub dump: DumpIdentity,
    /// Which references were taken to hold memory.
    pub references: References,
    /// What was wrong with the file around the dump, for people.
    pub problems: Vec<String>,
}

/// What tells one dump file from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DumpIdentity {
    /// Length of the file.
    pub bytes: u64,
    /// When it was last written to, in nanoseconds since 1970.
    pub modified: i64,
    /// A hash of some of its bytes.
    pub sample: u64,
    /// A hash of all.
    pub whole: u64,
}

/// Why an index cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IndexError {
    /// It is something else.
    #[error("it is not an index of a heap dump")]
    NotAnIndex,
    /// Another version of the program wrote it.
    #[error("it was written by another version of leakline (format {found}, expected {VERSION})")]
    OtherVersion {
        /// The version of its format.
        found: u64,
    },
    /// A machine of another kind wrote it.
    #[error("it was written on a machine with another byte order")]
    OtherByteOrder,
    /// A checksum or a length is wrong.
    #[error("it is damaged")]
    Damaged,
}

/// An index, opened.
pub struct HeapIndex<'a> {
    sections: Sections<'a>,
    source: IndexSource,
}

impl<'a> HeapIndex<'a> {
    /// Opens an index. What it holds is checked when it is asked for.
    ///
    /// # Errors
    ///
    /// When it is no index, or not one of this version and machine.
    pub fn open(bytes: &'a [u8]) -> Result<Self, IndexError> {
        let sections = Sections::open(bytes)?;
        let source = sections.decode(Section::Source, None)?;
        Ok(HeapIndex { sections, source })
    }

    /// What it was made from.
    pub fn source(&self) -> &IndexSource {
        &self.source
    }

    /// What [`analyze`](crate::analyze()) found in the dump alone, without earlier ones.
    ///
    /// # Errors
    ///
    /// When it is damaged.
    pub fn analysis(&self) -> Result<Analysis, IndexError> {
        self.sections.decode(Section::Analysis, None)
    }

    /// The graph, with what each object retains. `dump` are the bytes that it was loaded from;
    /// without them names of threads and the like are there, and values and texts are not.
    ///
    /// # Errors
    ///
    /// When it is damaged, or made from other bytes.
    pub fn heap(&self, dump: Option<&'a [u8]>) -> Result<Heap<'a>, IndexError> {
        self.sections.decode(Section::Heap, dump)
    }
}

/// Writes an index of a heap and of what [`analyze`](crate::analyze()) found in it alone.
///
/// # Errors
///
/// Those of the writer.
pub fn write_index(
    heap: &Heap<'_>,
    analysis: &Analysis,
    source: &IndexSource,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut sections = [
        (Section::Source, Encoder::default()),
        (Section::Analysis, Encoder::default()),
        (Section::Heap, Encoder::default()),
    ];
    let [(_, of_source), (_, of_analysis), (_, of_heap)] = &mut sections;
    source.encode(of_source);
    analysis.encode(of_analysis);
    heap.encode(of_heap);
    file::write(&sections, out)
}

encode_fields!(IndexSource {
    dump,
    references,
    problems
});
encode_fields!(DumpIdentity {
    bytes,
    modified,
    sample,
    whole
});
encode_variants!(References { Strong, All });
