//! Runs of identifiers, decoded as they are asked for.

use std::fmt;

use crate::IdentifierSize;
use crate::cursor::Cursor;

/// Identifiers as they stand in the dump: big-endian, side by side.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Ids<'a> {
    bytes: &'a [u8],
    size: IdentifierSize,
}

impl<'a> Ids<'a> {
    /// The identifiers in `bytes`; an incomplete one at the end is left out.
    #[inline]
    pub fn new(bytes: &'a [u8], size: IdentifierSize) -> Self {
        Ids { bytes, size }
    }

    /// How many there are.
    #[inline]
    pub fn len(&self) -> usize {
        self.bytes.len() / self.size.bytes()
    }

    /// Whether there is none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The identifier at `index`; 0 stands for null.
    #[inline]
    pub fn get(&self, index: usize) -> Option<u64> {
        let start = index.checked_mul(self.size.bytes())?;
        Cursor::new(self.bytes.get(start..)?).id(self.size)
    }

    /// All of them, in order.
    #[inline]
    pub fn iter(&self) -> IdIter<'a> {
        IdIter {
            rest: self.bytes,
            size: self.size,
        }
    }

    /// The encoded bytes.
    #[inline]
    pub fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }
}

/// Iterator of [`Ids::iter`].
#[derive(Clone)]
pub struct IdIter<'a> {
    rest: &'a [u8],
    size: IdentifierSize,
}

impl Iterator for IdIter<'_> {
    type Item = u64;

    #[inline]
    fn next(&mut self) -> Option<u64> {
        let mut cursor = Cursor::new(self.rest);
        let id = cursor.id(self.size)?;
        self.rest = cursor.rest;
        Some(id)
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        let count = self.rest.len() / self.size.bytes();
        (count, Some(count))
    }

    // `for_each` and `sum` come here: the size is then looked at once, not for every id
    #[inline]
    fn fold<B, F: FnMut(B, u64) -> B>(self, init: B, mut f: F) -> B {
        match self.size {
            IdentifierSize::Four => {
                let (ids, _) = self.rest.as_chunks::<4>();
                ids.iter()
                    .fold(init, |b, id| f(b, u64::from(u32::from_be_bytes(*id))))
            }
            IdentifierSize::Eight => {
                let (ids, _) = self.rest.as_chunks::<8>();
                ids.iter().fold(init, |b, id| f(b, u64::from_be_bytes(*id)))
            }
        }
    }
}

impl ExactSizeIterator for IdIter<'_> {}

impl<'a> IntoIterator for Ids<'a> {
    type Item = u64;
    type IntoIter = IdIter<'a>;

    #[inline]
    fn into_iter(self) -> IdIter<'a> {
        self.iter()
    }
}

impl fmt::Debug for Ids<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.iter().map(|id| format!("0x{id:x}")))
            .finish()
    }
}
