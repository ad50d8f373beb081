//! Sets of objects, a bit each.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::heap_index::{Decoder, Encode, Encoder, encode_fields};

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

    /// Its members, ascending.
    pub(crate) fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.0.iter().enumerate().flat_map(|(number, word)| {
            let less_one = |word: &u64| Some(word & (word - 1)).filter(|word| *word != 0);
            let words = std::iter::successors(Some(*word).filter(|word| *word != 0), less_one);
            words.map(move |word| number as u32 * 64 + word.trailing_zeros())
        })
    }

    /// What is not in the set, below the next multiple of 64.
    pub(crate) fn complement(&self) -> Bits {
        Bits(self.0.iter().map(|word| !word).collect())
    }

    #[inline]
    pub(crate) fn insert(&mut self, object: u32) {
        self.0[object as usize / 64] |= 1 << (object % 64);
    }

    /// True if it was there.
    pub(crate) fn remove(&mut self, object: u32) -> bool {
        let (word, bit) = (&mut self.0[object as usize / 64], 1 << (object % 64));
        let was_there = *word & bit != 0;
        *word &= !bit;
        was_there
    }

    /// Adds the members of another set of the same length.
    pub(crate) fn insert_all(&mut self, other: &Bits) {
        for (word, other) in self.0.iter_mut().zip(&other.0) {
            *word |= other;
        }
    }

    /// Number of members.
    pub(crate) fn count(&self) -> u64 {
        self.0.iter().map(|word| u64::from(word.count_ones())).sum()
    }

    /// Object 0 is the lowest bit of the first word.
    pub(crate) fn from_words(words: Vec<u64>) -> Bits {
        Bits(words)
    }

    pub(crate) fn words(&self) -> &[u64] {
        &self.0
    }

    pub(crate) fn words_mut(&mut self) -> &mut [u64] {
        &mut self.0
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

encode_fields!(RankedBits { bits, ranks });

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

    /// The set.
    pub(crate) fn bits(&self) -> &Bits {
        &self.bits
    }

    /// Number of members.
    pub(crate) fn len(&self) -> usize {
        self.bits.count() as usize
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
