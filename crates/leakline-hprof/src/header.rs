//! The header, and the dump as a whole.

use leakline_model::Timestamp;

use crate::cursor::Cursor;
use crate::record::Records;
use crate::segment::HeapRecords;
use crate::{HeapRecord, HprofError, LooksLike};

const MAGIC: &[u8] = b"JAVA PROFILE ";

/// Version of the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(non_camel_case_types, reason = "versions have no other names")]
pub enum Version {
    /// One HEAP_DUMP record.
    V1_0_1,
    /// HEAP_DUMP_SEGMENT records and a HEAP_DUMP_END. All JVMs since JDK 6.
    V1_0_2,
    /// As 1.0.2, with Android's additional tags.
    V1_0_3,
}

/// Bytes of an identifier in the dump: the width of the JVM's pointers, whether or not its
/// references are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IdentifierSize {
    /// 4 bytes: 32-bit JVMs and Android.
    Four,
    /// 8 bytes.
    Eight,
}

/// What a dump says about itself at its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Version of the format.
    pub version: Version,
    /// Size of identifiers.
    pub identifier_size: IdentifierSize,
    /// When the dump was begun, to the millisecond; `None` when not said or not a date.
    pub taken_at: Option<Timestamp>,
    /// Bytes of the header itself.
    pub length: usize,
}

/// A dump: its header and its bytes.
#[derive(Clone, Copy)]
pub struct Hprof<'a> {
    header: Header,
    bytes: &'a [u8],
    /// Byte offset of the header.
    start: usize,
}

impl Version {
    /// As written in the header: `1.0.2`.
    pub const fn text(self) -> &'static str {
        match self {
            Version::V1_0_1 => "1.0.1",
            Version::V1_0_2 => "1.0.2",
            Version::V1_0_3 => "1.0.3",
        }
    }
}

impl IdentifierSize {
    /// 4 or 8.
    #[inline]
    pub const fn bytes(self) -> usize {
        match self {
            IdentifierSize::Four => 4,
            IdentifierSize::Eight => 8,
        }
    }
}

impl<'a> Hprof<'a> {
    /// Reads the header of the dump in `bytes`, which hold the whole dump, decompressed. The
    /// records are looked at only by [`Hprof::records`].
    pub fn parse(bytes: &'a [u8]) -> Result<Self, HprofError> {
        Self::parse_at(bytes, 0)
    }

    /// Reads the header at byte `start`, as [`HprofError::ConcatenatedDump`] tells where a file
    /// goes on with another dump. Offsets still count from the start of `bytes`.
    pub fn parse_at(bytes: &'a [u8], start: u64) -> Result<Self, HprofError> {
        let start = usize::try_from(start).map_or(bytes.len(), |start| start.min(bytes.len()));
        let header = parse_header(bytes.get(start..).unwrap_or_default())
            .map_err(|error| error.moved(start as u64))?;
        Ok(Hprof {
            header,
            bytes,
            start,
        })
    }

    /// The header.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Size of identifiers, as in the header.
    pub fn identifier_size(&self) -> IdentifierSize {
        self.header.identifier_size
    }

    /// The bytes given to [`Hprof::parse`].
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Iterates over the records. Heap segments are passed over, not read.
    pub fn records(&self) -> Records<'a> {
        Records::new(
            self.bytes,
            self.start + self.header.length,
            self.header.identifier_size,
        )
    }

    /// The heap record at byte `offset` of the dump, as told by
    /// [`HeapRecords::offset`](crate::HeapRecords::offset) when it was first read. Other offsets
    /// give an error or nonsense.
    #[inline]
    pub fn heap_record_at(&self, offset: u64) -> Result<HeapRecord<'a>, HprofError> {
        let end = self.bytes.len() as u64;
        let tail = usize::try_from(offset)
            .ok()
            .and_then(|offset| self.bytes.get(offset..))
            .unwrap_or_default();
        HeapRecords::new(tail, end, self.header.identifier_size)
            .next()
            .unwrap_or(Err(HprofError::OffsetOutside { offset, end }))
    }
}

/// Whether a header starts here.
pub(crate) fn starts_header(bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC)
}

fn parse_header(bytes: &[u8]) -> Result<Header, HprofError> {
    let truncated = HprofError::TruncatedHeader {
        offset: bytes.len() as u64,
    };
    let Some(after_magic) = bytes.strip_prefix(MAGIC) else {
        // a file cut off inside the magic is still recognised
        return Err(if !bytes.is_empty() && MAGIC.starts_with(bytes) {
            truncated
        } else {
            HprofError::NotHprof {
                looks_like: LooksLike::of(bytes),
            }
        });
    };
    // no version is longer; a file without a NUL must not be quoted whole
    let version_text = after_magic
        .get(..64)
        .unwrap_or(after_magic)
        .split(|&byte| byte == 0)
        .next()
        .unwrap_or_default();
    let version = [Version::V1_0_1, Version::V1_0_2, Version::V1_0_3]
        .into_iter()
        .find(|version| version.text().as_bytes() == version_text);
    let mut cursor = Cursor::new(after_magic.get(version_text.len()..).unwrap_or_default());
    let Some(version) = version else {
        return Err(
            if cursor.rest.is_empty() && b"1.0.".starts_with(version_text) {
                truncated
            } else {
                HprofError::UnsupportedVersion {
                    offset: MAGIC.len() as u64,
                    version: String::from_utf8_lossy(version_text)
                        .chars()
                        .take(16)
                        .collect(),
                }
            },
        );
    };
    let mut fixed = || {
        cursor.u1()?;
        Some((cursor.u4()?, cursor.u8()?))
    };
    let (size, millis) = fixed().ok_or(truncated)?;
    let size_offset = MAGIC.len() + version.text().len() + 1;
    let identifier_size = match size {
        4 => IdentifierSize::Four,
        8 => IdentifierSize::Eight,
        _ => {
            return Err(HprofError::UnsupportedIdentifierSize {
                offset: size_offset as u64,
                size,
            });
        }
    };
    Ok(Header {
        version,
        identifier_size,
        taken_at: timestamp(millis),
        length: size_offset + 12,
    })
}

/// Dates beyond what a timestamp can say are damage or unset memory, not dates.
fn timestamp(millis: u64) -> Option<Timestamp> {
    let latest = Timestamp::MAX.as_millis();
    let millis = i64::try_from(millis).ok()?;
    (1..=latest)
        .contains(&millis)
        .then(|| Timestamp::from_millis(millis))
}
