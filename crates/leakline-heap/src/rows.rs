//! Where the rows of references start: two bits and a half for each object, where a table of
//! offsets takes 32.
//!
//! The lengths of all rows stand one after the other in unary: a zero for each reference, then a
//! one. A row starts where the one of the row before it stands, and the position of every
//! sixteenth is kept, so that a lookup reads a word or two.

use std::borrow::Cow;

use crate::heap_index::encode_fields;

/// The rows of all objects.
pub(crate) struct Rows<'a> {
    bits: Cow<'a, [u64]>,
    /// The bit where every [`Self::SAMPLE`]th row starts.
    starts: Cow<'a, [u64]>,
    edges: usize,
}

encode_fields!(Rows<'a> { bits, starts, edges });

impl Rows<'_> {
    const SAMPLE: usize = 16;

    pub(crate) fn from_lengths(lengths: &[u32]) -> Rows<'static> {
        let edges: u64 = lengths.iter().map(|length| u64::from(*length)).sum();
        let mut bits = vec![0; (edges as usize + lengths.len()).div_ceil(64)];
        let mut starts = Vec::with_capacity(lengths.len().div_ceil(Self::SAMPLE));
        let mut bit = 0u64;
        for some in lengths.chunks(Self::SAMPLE) {
            starts.push(bit);
            for length in some {
                bit += u64::from(*length);
                bits[(bit / 64) as usize] |= 1 << (bit % 64);
                bit += 1;
            }
        }
        Rows {
            bits: bits.into(),
            starts: starts.into(),
            edges: edges as usize,
        }
    }

    /// The row of an object, as positions in the list of all references.
    #[inline]
    pub(crate) fn row(&self, object: u32) -> std::ops::Range<usize> {
        let object = object as usize;
        let mut start = self.starts[object / Self::SAMPLE] as usize;
        let mut position = start / 64;
        let mut word = self.bits[position] & (u64::MAX << (start % 64));
        let mut before = (object % Self::SAMPLE) as u32;
        if before > 0 {
            loop {
                while word == 0 {
                    position += 1;
                    word = self.bits[position];
                }
                before -= 1;
                if before == 0 {
                    break;
                }
                word &= word - 1;
            }
            start = position * 64 + word.trailing_zeros() as usize + 1;
            word &= word - 1;
        }
        while word == 0 {
            position += 1;
            word = self.bits[position];
        }
        let end = position * 64 + word.trailing_zeros() as usize;
        start - object..end - object
    }

    /// Number of references in all rows.
    pub(crate) fn edges(&self) -> usize {
        self.edges
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn rows_are_as_long_as_told(
            lengths in prop::collection::vec(
                prop_oneof![4 => 0u32..4, 1 => 0u32..300, 1 => Just(0)],
                1..200,
            ),
        ) {
            let rows = Rows::from_lengths(&lengths);
            let mut start = 0;
            for (object, length) in lengths.iter().enumerate() {
                let end = start + *length as usize;
                prop_assert_eq!(rows.row(object as u32), start..end);
                start = end;
            }
            prop_assert_eq!(rows.edges(), start);
        }
    }
}
