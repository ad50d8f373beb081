//! The sections of an index and their place in the file (see the parent module for the layout).

use std::borrow::Cow;
use std::io::{self, Write};

use rayon::prelude::*;
use twox_hash::XxHash3_64;

use super::encoding::{Decoder, Encode, Encoder};
use super::{IndexError, MAGIC, VERSION};

/// Blocks begin at multiples of this, so that numbers of every width can be read where they stand.
const ALIGNMENT: usize = 64;
/// Bytes of the header before the table of blocks.
const HEADER: usize = 48;
/// Tells how the machine that wrote the index orders the bytes of numbers.
const BYTE_ORDER: u64 = 0x0102_0304_0506_0708;
/// Blocks are hashed in pieces of so many bytes, side by side.
const HASHED_AT_ONCE: usize = 4 << 20;

/// What an index consists of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u64)]
pub(super) enum Section {
    /// What it was made from.
    Source,
    /// The report, and the summary that later dumps are compared with.
    Analysis,
    /// The graph, and what each object retains.
    Heap,
}

/// A stretch of the file.
struct Block {
    section: u64,
    offset: u64,
    length: u64,
    checksum: u64,
}

impl Block {
    /// Bytes of one in the table.
    const BYTES: usize = 32;

    fn to_bytes(&self) -> Vec<u8> {
        [self.section, self.offset, self.length, self.checksum]
            .into_iter()
            .flat_map(u64::to_ne_bytes)
            .collect()
    }
}

/// Writes the sections, each as a block of values and one for each of its arrays.
pub(super) fn write(sections: &[(Section, Encoder<'_>)], out: &mut dyn Write) -> io::Result<()> {
    let parts: Vec<(Section, &[u8])> = sections
        .iter()
        .flat_map(|(section, encoder)| {
            let arrays = encoder.arrays.iter().map(Cow::as_ref);
            std::iter::once(&encoder.values[..])
                .chain(arrays)
                .map(|bytes| (*section, bytes))
        })
        .collect();
    let mut table = Vec::with_capacity(parts.len() * Block::BYTES);
    let mut end = HEADER + parts.len() * Block::BYTES;
    for (section, bytes) in &parts {
        let offset = end.next_multiple_of(ALIGNMENT);
        end = offset + bytes.len();
        let block = Block {
            section: *section as u64,
            offset: offset as u64,
            length: bytes.len() as u64,
            checksum: checksum(bytes),
        };
        table.extend_from_slice(&block.to_bytes());
    }
    let mut header = MAGIC.to_vec();
    for number in [VERSION, BYTE_ORDER, end as u64, parts.len() as u64] {
        header.extend_from_slice(&number.to_ne_bytes());
    }
    let mut start = [&header[..], &table[..]].concat();
    start.splice(header.len()..header.len(), checksum(&start).to_ne_bytes());
    out.write_all(&start)?;
    let mut written = start.len();
    for (_, bytes) in parts {
        let padding = written.next_multiple_of(ALIGNMENT) - written;
        out.write_all(&[0; ALIGNMENT][..padding])?;
        out.write_all(bytes)?;
        written += padding + bytes.len();
    }
    Ok(())
}

/// An index whose table is known to be whole; the blocks are checked when they are asked for.
pub(super) struct Sections<'a> {
    bytes: &'a [u8],
    blocks: Vec<Block>,
}

impl<'a> Sections<'a> {
    pub(super) fn open(bytes: &'a [u8]) -> Result<Self, IndexError> {
        let number = |position: usize| -> Option<u64> {
            let bytes = bytes.get(8 * position..8 * position + 8)?;
            Some(u64::from_ne_bytes(bytes.try_into().ok()?))
        };
        if !bytes.starts_with(&MAGIC) {
            return Err(IndexError::NotAnIndex);
        }
        let (Some(version), Some(order)) = (number(1), number(2)) else {
            return Err(IndexError::Damaged);
        };
        if order != BYTE_ORDER {
            return Err(IndexError::OtherByteOrder);
        }
        if version != VERSION {
            return Err(IndexError::OtherVersion { found: version });
        }
        let blocks = number(4).and_then(|count| usize::try_from(count).ok());
        let table = blocks
            .and_then(|count| count.checked_mul(Block::BYTES))
            .and_then(|length| bytes.get(HEADER..)?.get(..length))
            .ok_or(IndexError::Damaged)?;
        let whole = [bytes.get(..HEADER - 8).unwrap_or_default(), table].concat();
        let length = bytes.len() as u64;
        if !is_checksum(number(5), &whole) || number(3) != Some(length) {
            return Err(IndexError::Damaged);
        }
        let blocks = table
            .chunks_exact(Block::BYTES)
            .map(|block| {
                let mut numbers = block
                    .chunks_exact(8)
                    .filter_map(|number| Some(u64::from_ne_bytes(number.try_into().ok()?)));
                Some(Block {
                    section: numbers.next()?,
                    offset: numbers.next()?,
                    length: numbers.next()?,
                    checksum: numbers.next()?,
                })
            })
            .collect::<Option<Vec<Block>>>()
            .ok_or(IndexError::Damaged)?;
        Ok(Sections { bytes, blocks })
    }

    /// Decodes a section after checking that it is whole.
    pub(super) fn decode<T: Encode<'a>>(
        &self,
        section: Section,
        dump: Option<&'a [u8]>,
    ) -> Result<T, IndexError> {
        let blocks = self.blocks.iter();
        let blocks: Vec<&[u8]> = blocks
            .filter(|block| block.section == section as u64)
            .map(|block| self.checked(block))
            .collect::<Option<_>>()
            .ok_or(IndexError::Damaged)?;
        let mut arrays = blocks.into_iter();
        let mut decoder = Decoder {
            values: arrays.next().ok_or(IndexError::Damaged)?,
            arrays,
            dump,
        };
        let value = T::decode(&mut decoder).ok_or(IndexError::Damaged)?;
        let is_rest = !decoder.values.is_empty() || decoder.arrays.len() > 0;
        if is_rest {
            return Err(IndexError::Damaged);
        }
        Ok(value)
    }

    fn checked(&self, block: &Block) -> Option<&'a [u8]> {
        let start = usize::try_from(block.offset).ok()?;
        let length = usize::try_from(block.length).ok()?;
        let bytes = self.bytes.get(start..start.checked_add(length)?)?;
        is_checksum(Some(block.checksum), bytes).then_some(bytes)
    }
}

/// Whether the bytes have this checksum. Fuzzing takes any, or it would never come further.
fn is_checksum(expected: Option<u64>, bytes: &[u8]) -> bool {
    cfg!(fuzzing) || expected == Some(checksum(bytes))
}

/// XXH3 of the XXH3 of each piece.
fn checksum(bytes: &[u8]) -> u64 {
    let pieces: Vec<u8> = bytes
        .par_chunks(HASHED_AT_ONCE)
        .map(XxHash3_64::oneshot)
        .collect::<Vec<u64>>()
        .into_iter()
        .flat_map(u64::to_le_bytes)
        .collect();
    XxHash3_64::oneshot(&pieces)
}
