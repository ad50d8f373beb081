//! Big-endian decoding from the front of a slice.

use crate::IdentifierSize;

/// A position in a slice. Every method returns `None`, and leaves the position unspecified, when
/// the slice is too short.
#[derive(Clone, Copy)]
pub(crate) struct Cursor<'a> {
    pub(crate) rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    #[inline]
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Cursor { rest: bytes }
    }

    #[inline]
    pub(crate) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.rest.split_first_chunk::<N>()?;
        self.rest = rest;
        Some(*head)
    }

    #[inline]
    pub(crate) fn u1(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    #[inline]
    pub(crate) fn u2(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    #[inline]
    pub(crate) fn u4(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    #[inline]
    pub(crate) fn u8(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    /// An identifier whose size is known when compiling: 4, or else 8.
    #[inline]
    pub(crate) fn id_of_size<const SIZE: usize>(&mut self) -> Option<u64> {
        if SIZE == 4 {
            self.u4().map(u64::from)
        } else {
            self.u8()
        }
    }

    #[inline]
    pub(crate) fn id(&mut self, size: IdentifierSize) -> Option<u64> {
        match size {
            IdentifierSize::Four => self.id_of_size::<4>(),
            IdentifierSize::Eight => self.id_of_size::<8>(),
        }
    }

    #[inline]
    pub(crate) fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(head)
    }

    /// `count` elements of `size` bytes each.
    #[inline]
    pub(crate) fn elements(&mut self, count: u32, size: usize) -> Option<&'a [u8]> {
        self.bytes(usize::try_from(count).ok()?.checked_mul(size)?)
    }
}
