//! Reader and writer of HPROF, the format of the JVM's and Android's heap dumps.
//!
//! This crate turns bytes into records and records into bytes. It does not build an object
//! graph, resolve names or classes, or judge anything (`leakline-heap` does), and it neither
//! opens files nor decompresses: the caller brings the whole dump as one byte slice, mapped or
//! inflated.
//!
//! # Shape of a dump
//!
//! ```text
//! header        "JAVA PROFILE 1.0.2\0", u4 identifier size, u8 milliseconds since 1970
//! record*       u1 tag, u4 microseconds, u4 length, then `length` bytes
//!   strings, loaded classes, stack frames, stack traces, …
//!   HEAP_DUMP or HEAP_DUMP_SEGMENT holds
//!     heap record*   u1 tag, then a body whose length follows from the tag and the body itself
//! ```
//!
//! Everything is big-endian. Identifiers are addresses of 4 or 8 bytes; they are neither dense
//! nor sorted. The layout is documented in the comment that opens the JDK's `heapDumper.cpp`;
//! the tags that Android adds stand in ART's `hprof.cc`.
//!
//! # Reading
//!
//! [`Hprof::parse`] reads the header, [`Hprof::records`] iterates over the records, and
//! [`HeapSegment::records`] over the heap records of one segment. Nothing is allocated; records
//! borrow from the slice. Skipping a segment costs nothing, so segments can be found first and
//! read from several threads afterwards.
//!
//! ```
//! use leakline_hprof::heap_builder::HeapBuilder;
//! use leakline_hprof::{HeapRecord, Hprof, IdentifierSize, RecordBody};
//!
//! let mut heap = HeapBuilder::new(IdentifierSize::Eight);
//! heap.string("hello");
//! let bytes = heap.build();
//!
//! let mut instances = 0;
//! for record in Hprof::parse(&bytes)?.records() {
//!     if let RecordBody::HeapDump(segment) | RecordBody::HeapDumpSegment(segment) = record?.body {
//!         for heap_record in segment.records() {
//!             if let HeapRecord::Instance { .. } = heap_record? {
//!                 instances += 1;
//!             }
//!         }
//!     }
//! }
//! assert_eq!(instances, 1);
//! # Ok::<(), leakline_hprof::HprofError>(())
//! ```
//!
//! # Damaged input
//!
//! Dumps are cut off by full disks and killed JVMs, and they are hostile input besides. Only a
//! header that cannot be read is an error of the whole; everything else is an [`HprofError`]
//! among the records, and what precedes it stays valid. A caller that collects the errors and
//! goes on gets all that can be salvaged:
//!
//! - an unknown tag among the records is skipped by its length ([`RecordBody::Other`]);
//! - a heap segment that claims more bytes than there are is clamped, and one whose length was
//!   never filled in, or wrapped above 4 GiB, is extended ([`HeapSegment::truncated`]; the error
//!   follows it);
//! - an unknown tag among heap records ends that segment, for their length is not written down.
//!
//! A file may hold several dumps: [`HprofFile`] finds them.
//!
//! Every iterator ends after at most as many items as the input has bytes, and two.
//!
//! # Writing
//!
//! [`HprofWriter`] writes records, [`HeapRecordWriter`] the inside of a segment.
//! [`heap_builder`] builds whole heaps from a few lines, for tests. [`redact`] copies a dump
//! without the values in it.

#![deny(clippy::disallowed_methods)]

mod class_dump;
mod cursor;
mod error;
mod file;
mod fuzz;
mod header;
pub mod heap_builder;
mod heap_record;
mod ids;
mod names;
mod record;
pub mod redact;
mod segment;
mod tag;
mod value;
mod writer;

pub use class_dump::{
    ClassDump, ConstantPoolEntries, ConstantPoolEntry, FieldDescriptor, FieldDescriptors,
    StaticField, StaticFields,
};
pub use error::{HprofError, LooksLike};
pub use file::{Dump, HprofFile};
#[doc(hidden)]
pub use fuzz::{Walk, fuzz_read};
pub use header::{Header, Hprof, IdentifierSize, Version};
pub use heap_record::{GcRoot, GcRootKind, HeapRecord};
pub use ids::{IdIter, Ids};
pub use names::{decode_modified_utf8, java_class_name};
pub use record::{AllocationTotals, Line, Record, RecordBody, Records};
pub use segment::{HeapRecords, HeapRecordsWithOffsets, HeapSegment};
pub use value::{PrimitiveType, Value, ValueType};
pub use writer::{ClassDefinition, HeapRecordWriter, HprofWriter};
