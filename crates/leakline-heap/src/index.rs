//! Object ids to dense indices and back, without a hash table.
//!
//! HPROF ids are addresses, so the set of all ids is a sparse bitmap: pages of 512 slots, one
//! cache line of bits each, kept only where objects are. The index of an object is the rank of
//! its bit; consecutive pages form runs, and a heap has few of them, so a lookup is a short
//! binary search, which a [`Finder`] mostly spares, and one population count. Indices are therefore
//! ordered by address.
//!
//! Memory: 76 bytes per page and 16 bytes per run. On a JVM heap that is about a bit per eight
//! bytes of heap; the worst input (every object on a page and a run of its own) costs 92 bytes
//! per object.

use crate::heap_index::encode_fields;

/// Words of 64 slots in a page.
const WORDS: usize = 8;
/// Slots in a page.
const SLOTS: u64 = 64 * WORDS as u64;

/// Collects ids in any order; several builders can work side by side and be merged.
#[derive(Default)]
pub(crate) struct AddressIndexBuilder {
    /// Page number and bits, by granules of eight bytes; a page may occur several times.
    pages: Vec<(u64, [u64; WORDS])>,
    /// Ids that are not multiples of eight; rare, and none at all on a JVM.
    unaligned: Vec<u64>,
    ids: u64,
}

impl AddressIndexBuilder {
    /// Adds an id. Zero is the null reference and is ignored.
    pub(crate) fn insert(&mut self, id: u64) {
        if id == 0 {
            return;
        }
        self.ids += 1;
        if id & 7 != 0 {
            self.unaligned.push(id);
            return;
        }
        let slot = id >> 3;
        let page = slot / SLOTS;
        // dumps are written mostly in address order, so the last page is nearly always the one
        if self.pages.last().is_none_or(|(number, _)| *number != page) {
            self.pages.push((page, [0; WORDS]));
        }
        if let Some((_, words)) = self.pages.last_mut() {
            set(words, slot % SLOTS);
        }
    }

    /// Takes over what another builder collected.
    pub(crate) fn merge(&mut self, other: AddressIndexBuilder) {
        self.pages.extend(other.pages);
        self.unaligned.extend(other.unaligned);
        self.ids += other.ids;
    }

    /// The finished index; `None` when there are more objects than indices.
    pub(crate) fn build(mut self) -> Option<AddressIndex> {
        let shift = if self.unaligned.is_empty() { 3 } else { 0 };
        if shift == 0 {
            self.refine();
        }
        self.pages.sort_unstable_by_key(|(page, _)| *page);
        let mut index = AddressIndex {
            shift,
            runs: Vec::new(),
            ranks: Vec::with_capacity(self.pages.len()),
            ranks_of_words: Vec::with_capacity(self.pages.len()),
            bits: Vec::with_capacity(self.pages.len()),
            len: 0,
        };
        let mut last_page = None;
        for (page, words) in self.pages {
            if last_page == Some(page) {
                if let Some(merged) = index.bits.last_mut() {
                    for (into, word) in merged.iter_mut().zip(words) {
                        *into |= word;
                    }
                }
                continue;
            }
            if last_page.is_none_or(|last: u64| last + 1 != page) {
                index.runs.push(Run {
                    first_page: page,
                    position: index.bits.len() as u32,
                    pages: 0,
                });
            }
            if let Some(run) = index.runs.last_mut() {
                run.pages += 1;
            }
            index.bits.push(words);
            last_page = Some(page);
        }
        let mut rank = 0u64;
        for words in &index.bits {
            index.ranks.push(u32::try_from(rank).ok()?);
            let mut within = 0u64;
            let mut packed = 0u64;
            for (word, bits) in words.iter().enumerate() {
                if let Some(before) = word.checked_sub(1) {
                    packed |= within << (RANK_BITS * before as u32);
                }
                within += u64::from(bits.count_ones());
            }
            index.ranks_of_words.push(packed);
            rank += within;
        }
        // the last value is reserved: it means "no object"
        index.len = u32::try_from(rank).ok().filter(|len| *len < u32::MAX)?;
        Some(index)
    }

    /// How many ids were inserted, repetitions included.
    pub(crate) fn inserted(&self) -> u64 {
        self.ids
    }

    /// Spreads pages of 8-byte granules into pages of single bytes.
    fn refine(&mut self) {
        let mut fine: Vec<(u64, [u64; WORDS])> = Vec::new();
        let mut ids: Vec<u64> = std::mem::take(&mut self.unaligned);
        for (page, words) in std::mem::take(&mut self.pages) {
            for (position, word) in words.iter().enumerate() {
                let mut rest = *word;
                while rest != 0 {
                    let slot = page * SLOTS + position as u64 * 64;
                    ids.push((slot + u64::from(rest.trailing_zeros())) << 3);
                    rest &= rest - 1;
                }
            }
        }
        ids.sort_unstable();
        for id in ids {
            let page = id / SLOTS;
            if fine.last().is_none_or(|(number, _)| *number != page) {
                fine.push((page, [0; WORDS]));
            }
            if let Some((_, words)) = fine.last_mut() {
                set(words, id % SLOTS);
            }
        }
        self.pages = fine;
    }
}

fn set(words: &mut [u64; WORDS], slot: u64) {
    words[(slot / 64) as usize % WORDS] |= 1 << (slot % 64);
}

/// Bits of a rank within a page, for all words but the first, for which it is 0. The first takes
/// none, so that seven of them fill a word.
const RANK_BITS: u32 = 9;

/// Consecutive pages.
#[derive(Clone, Copy, Default)]
struct Run {
    first_page: u64,
    /// Where its first page stands in `bits`.
    position: u32,
    pages: u32,
}

/// The set of all object ids, numbered in ascending order.
pub(crate) struct AddressIndex {
    shift: u32,
    runs: Vec<Run>,
    /// Number of objects before each page.
    ranks: Vec<u32>,
    /// Number of objects before each word of a page but the first, in [`RANK_BITS`] each.
    ranks_of_words: Vec<u64>,
    bits: Vec<[u64; WORDS]>,
    len: u32,
}

encode_fields!(Run {
    first_page,
    position,
    pages
});
encode_fields!(AddressIndex {
    shift,
    runs,
    ranks,
    ranks_of_words,
    bits,
    len
});

impl AddressIndex {
    /// How many objects there are.
    pub(crate) fn len(&self) -> u32 {
        self.len
    }

    /// The index of the object with this id.
    pub(crate) fn find(&self, id: u64) -> Option<u32> {
        if id & ((1 << self.shift) - 1) != 0 {
            return None;
        }
        let slot = id >> self.shift;
        let run = self.run_of(slot / SLOTS)?;
        self.find_in(run, slot)
    }

    fn run_of(&self, page: u64) -> Option<&Run> {
        let next = self.runs.partition_point(|run| run.first_page <= page);
        self.runs.get(next.checked_sub(1)?)
    }

    #[inline]
    fn find_in(&self, run: &Run, slot: u64) -> Option<u32> {
        let page = (slot / SLOTS).checked_sub(run.first_page)?;
        if page >= u64::from(run.pages) {
            return None;
        }
        let position = run.position as usize + page as usize;
        let words = self.bits.get(position)?;
        let (word, bit) = ((slot % SLOTS / 64) as usize, slot % 64);
        if words[word] >> bit & 1 == 0 {
            return None;
        }
        let before = match word.checked_sub(1) {
            None => 0,
            Some(word) => {
                let shift = RANK_BITS * word as u32;
                (self.ranks_of_words[position] >> shift) as u32 & ((1 << RANK_BITS) - 1)
            }
        };
        let within = (words[word] & ((1 << bit) - 1)).count_ones();
        Some(self.ranks[position] + before + within)
    }

    /// The id of the object with this index; 0 when there is no such object.
    pub(crate) fn id(&self, index: u32) -> u64 {
        if index >= self.len {
            return 0;
        }
        let position = self.ranks.partition_point(|rank| *rank <= index) - 1;
        let mut rest = index - self.ranks[position];
        for (number, word) in self.bits[position].iter().enumerate() {
            let ones = word.count_ones();
            if rest < ones {
                let slot =
                    self.page_at(position) * SLOTS + number as u64 * 64 + nth_one(*word, rest);
                return slot << self.shift;
            }
            rest -= ones;
        }
        0
    }

    /// All ids in ascending order, that is, in the order of their indices.
    pub(crate) fn ids(&self) -> impl Iterator<Item = u64> + '_ {
        self.bits
            .iter()
            .enumerate()
            .flat_map(move |(position, words)| {
                let first = self.page_at(position) * SLOTS;
                words.iter().enumerate().flat_map(move |(number, word)| {
                    let mut rest = *word;
                    std::iter::from_fn(move || {
                        let bit = (rest != 0).then(|| u64::from(rest.trailing_zeros()))?;
                        rest &= rest - 1;
                        Some((first + number as u64 * 64 + bit) << self.shift)
                    })
                })
            })
    }

    /// What the addresses of all objects are multiples of, as a power of two; no more than 2^9.
    pub(crate) fn alignment_bits(&self) -> u32 {
        let used = self.bits.iter().flatten().fold(0, |all, word| all | word);
        let slots = (0..64).filter(|slot| used >> slot & 1 != 0);
        let bits = slots.fold(64u32, |bits, slot| bits | slot);
        self.shift + bits.trailing_zeros()
    }

    fn page_at(&self, position: usize) -> u64 {
        let run = self
            .runs
            .partition_point(|run| run.position as usize <= position);
        match run.checked_sub(1).and_then(|run| self.runs.get(run)) {
            Some(run) => run.first_page + (position as u64 - u64::from(run.position)),
            None => 0,
        }
    }
}

/// Finds objects, quickly those that stand near the one found last.
pub(crate) struct Finder<'i> {
    index: &'i AddressIndex,
    run: Run,
}

impl<'i> Finder<'i> {
    pub(crate) fn new(index: &'i AddressIndex) -> Self {
        Finder {
            index,
            run: Run::default(),
        }
    }

    /// The index of the object with this id.
    #[inline]
    pub(crate) fn find(&mut self, id: u64) -> Option<u32> {
        if id & ((1 << self.index.shift) - 1) != 0 {
            return None;
        }
        let slot = id >> self.index.shift;
        let page = slot / SLOTS;
        if page.wrapping_sub(self.run.first_page) >= u64::from(self.run.pages) {
            self.run = *self.index.run_of(page)?;
        }
        self.index.find_in(&self.run, slot)
    }
}

/// Position of the `n`-th set bit, counted from zero.
fn nth_one(mut word: u64, n: u32) -> u64 {
    for _ in 0..n {
        word &= word - 1;
    }
    u64::from(word.trailing_zeros())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn agrees_with_a_sorted_set(
            near in prop::collection::vec(1u64..6000, 0..200),
            far in prop::collection::vec(1u64..u64::MAX / 8, 0..50),
            aligned: bool,
            cut in 0usize..250,
        ) {
            let ids: Vec<u64> = near.into_iter().chain(far)
                .map(|id| if aligned { id * 8 } else { id })
                .collect();
            let (left, right) = ids.split_at(cut.min(ids.len()));
            let mut builder = AddressIndexBuilder::default();
            let mut other = AddressIndexBuilder::default();
            left.iter().for_each(|id| builder.insert(*id));
            right.iter().for_each(|id| other.insert(*id));
            builder.merge(other);
            let index = builder.build().unwrap();

            let expected: BTreeSet<u64> = ids.into_iter().collect();
            prop_assert_eq!(index.len() as usize, expected.len());
            prop_assert_eq!(index.ids().collect::<Vec<_>>(), expected.iter().copied().collect::<Vec<_>>());
            if let Some(all) = expected.iter().copied().reduce(|all, id| all | id) {
                prop_assert_eq!(index.alignment_bits().min(8), all.trailing_zeros().min(8));
            }
            let mut finder = Finder::new(&index);
            for (rank, id) in expected.iter().enumerate() {
                prop_assert_eq!(index.find(*id), Some(rank as u32));
                prop_assert_eq!(finder.find(*id), Some(rank as u32));
                prop_assert_eq!(index.id(rank as u32), *id);
                for near in [id - 1, id + 1, id + 4096, id.wrapping_add(1 << 40)] {
                    prop_assert_eq!(index.find(near).is_some(), expected.contains(&near));
                    prop_assert_eq!(finder.find(near).is_some(), expected.contains(&near));
                }
            }
        }
    }
}
