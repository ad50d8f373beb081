//! Sets of objects, a bit each.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::heap_index::{Decoder, Encode, Encoder};

/// A set of objects.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bits(Vec<u64>);

impl Encode<'_> for Bits {
    fn encode<'s>(&'s self, to: &mut Encoder<'s>) {
        self.0.encode(to);
    }
    fn decode(from: &mut Decoder<'_>) -> Option<Self> {
        Encode::decode(from).map(Bits)
    }
}

impl Bits {
    /// The empty set, with room for objects below `len`.
    pub(crate) fn new(len: usize) -> Bits {
        Bits(vec![0; len.div_ceil(64)])
    }

    #[inline]
    pub(crate) fn contains(&self, object: u32) -> bool {
        self.0[object as usize / 64] >> (object % 64) & 1 != 0
    }

    /// What is not in the set, below the next multiple of 64.
    pub(crate) fn complement(&self) -> Bits {
        Bits(self.0.iter().map(|word| !word).collect())
    }

    #[inline]
    pub(crate) fn insert(&mut self, object: u32) {
        self.0[object as usize / 64] |= 1 << (object % 64);
    }
}

/// A set that several threads fill.
pub(crate) struct SharedBits(Vec<AtomicU64>);

impl SharedBits {
    pub(crate) fn new(len: usize) -> SharedBits {
        let words = std::iter::repeat_with(AtomicU64::default);
        SharedBits(words.take(len.div_ceil(64)).collect())
    }

    #[inline]
    pub(crate) fn contains(&self, object: u32) -> bool {
        self.0[object as usize / 64].load(Relaxed) >> (object % 64) & 1 != 0
    }

    /// Adds an object; true if it was there already.
    #[inline]
    pub(crate) fn insert(&self, object: u32) -> bool {
        let bit = 1 << (object % 64);
        self.0[object as usize / 64].fetch_or(bit, Relaxed) & bit != 0
    }

    pub(crate) fn into_bits(self) -> Bits {
        Bits(self.0.into_iter().map(AtomicU64::into_inner).collect())
    }
}

/// A set whose members have ranks: how many of them stand before each.
#[derive(Default)]
pub(crate) struct RankedBits {
    bits: Bits,
    /// Members before each block of [`Self::BLOCK`] words.
    ranks: Vec<u32>,
}

impl RankedBits {
    const BLOCK: usize = 8;

    pub(crate) fn new(bits: Bits) -> RankedBits {
        let mut rank = 0;
        let ranks = bits.0.chunks(Self::BLOCK).map(|words| {
            let before = rank;
            rank += words.iter().map(|word| word.count_ones()).sum::<u32>();
            before
        });
        RankedBits {
            ranks: ranks.collect(),
            bits,
        }
    }

    /// Number of members.
    pub(crate) fn len(&self) -> usize {
        self.bits
            .0
            .iter()
            .map(|word| word.count_ones() as usize)
            .sum()
    }

    #[inline]
    pub(crate) fn rank(&self, object: u32) -> usize {
        let word = object as usize / 64;
        let block = word / Self::BLOCK;
        let before: u32 = self.bits.0[block * Self::BLOCK..word]
            .iter()
            .map(|word| word.count_ones())
            .sum();
        let within = self.bits.0[word] & ((1 << (object % 64)) - 1);
        (self.ranks[block] + before + within.count_ones()) as usize
    }
}
