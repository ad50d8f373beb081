//! Which primitive arrays have the same content.
//!
//! Arrays are compared by 40 bits of a hash of type, length and elements: all of them, not a
//! sample. Of ten million different arrays about 45 pairs are taken for equal.
//!
//! Memory: 8 bytes for each array until [`Twins::new`] has found those that have twins; then
//! 4 bytes for each of these, and a bit for each object.

use std::sync::{Mutex, PoisonError};

use rayon::prelude::*;

use crate::bits::{Bits, RankedBits};
use crate::heap_index::encode_fields;

/// The lower half of an array's hash, and the array.
type Hashed = (u32, u32);

/// Arrays by the highest bits of their hashes: parts that fit the cache of a processor.
pub(crate) struct HashedArrays(Vec<Mutex<Vec<Hashed>>>);

impl HashedArrays {
    const PARTS: usize = 1 << 8;

    /// With room for about so many arrays.
    pub(crate) fn with_capacity(arrays: usize) -> HashedArrays {
        // parts differ by little
        let each = arrays.div_ceil(Self::PARTS);
        let part = |_| Mutex::new(Vec::with_capacity(each + each / 32));
        HashedArrays((0..Self::PARTS).map(part).collect())
    }

    /// What one thread adds arrays through.
    pub(crate) fn adder(&self) -> Adder<'_> {
        Adder {
            to: self,
            waiting: vec![Vec::new(); Self::PARTS],
        }
    }
}

/// Adds arrays, several at a time; the last of them when it is dropped.
pub(crate) struct Adder<'t> {
    to: &'t HashedArrays,
    waiting: Vec<Vec<Hashed>>,
}

impl Adder<'_> {
    const AT_ONCE: usize = 32;

    #[inline]
    pub(crate) fn add(&mut self, array: u32, hash: u64) {
        let part = (hash >> 32) as usize % HashedArrays::PARTS;
        let waiting = &mut self.waiting[part];
        waiting.push((hash as u32, array));
        if waiting.len() >= Self::AT_ONCE {
            Self::pass_on(&self.to.0[part], waiting);
        }
    }

    fn pass_on(part: &Mutex<Vec<Hashed>>, waiting: &mut Vec<Hashed>) {
        let mut part = part.lock().unwrap_or_else(PoisonError::into_inner);
        part.append(waiting);
    }
}

impl Drop for Adder<'_> {
    fn drop(&mut self) {
        for (part, waiting) in self.to.0.iter().zip(&mut self.waiting) {
            if !waiting.is_empty() {
                Self::pass_on(part, waiting);
            }
        }
    }
}

/// Groups of arrays with the same content.
#[derive(Default)]
pub(crate) struct Twins {
    /// Arrays of which there are others with the same content.
    members: RankedBits,
    /// The group of each, by rank.
    groups: Vec<u32>,
    count: usize,
}

encode_fields!(Twins {
    members,
    groups,
    count
});

impl Twins {
    /// From the arrays of a heap of so many objects.
    pub(crate) fn new(arrays: HashedArrays, objects: usize) -> Twins {
        let parts: Vec<Vec<Hashed>> = arrays
            .0
            .into_par_iter()
            .map(|part| twins_in(part.into_inner().unwrap_or_else(PoisonError::into_inner)))
            .collect();
        let mut members = Bits::new(objects);
        for (_, array) in parts.iter().flatten() {
            members.insert(*array);
        }
        let members = RankedBits::new(members);
        let mut groups = vec![0; parts.iter().map(Vec::len).sum()];
        let mut count = 0;
        for part in parts {
            for same in part.chunk_by(|(a, _), (b, _)| a == b) {
                for (_, array) in same {
                    groups[members.rank(*array)] = count;
                }
                count += 1;
            }
        }
        Twins {
            members,
            groups,
            count: count as usize,
        }
    }

    /// The number of an array's group; `None` when no other has the same content.
    #[inline]
    pub(crate) fn group(&self, array: u32) -> Option<u32> {
        let is_member = self.members.bits().contains(array);
        is_member.then(|| self.groups[self.members.rank(array)])
    }

    /// All arrays that are in a group.
    pub(crate) fn members(&self) -> impl Iterator<Item = u32> + '_ {
        self.members.bits().iter()
    }

    /// How many groups there are.
    pub(crate) fn len(&self) -> usize {
        self.count
    }
}

/// The arrays of a part whose hashes are there several times, equal ones side by side.
fn twins_in(arrays: Vec<Hashed>) -> Vec<Hashed> {
    // most are there once, which two bits for each of eight times as many numbers tell
    let numbers = (arrays.len() * 8).next_power_of_two().clamp(64, 1 << 31);
    let number = |hash: u32| hash & (numbers as u32 - 1);
    let mut once = Bits::new(numbers);
    let mut again = Bits::new(numbers);
    for (hash, _) in &arrays {
        if once.contains(number(*hash)) {
            again.insert(number(*hash));
        }
        once.insert(number(*hash));
    }
    let may_be_twin = |(hash, _): &Hashed| again.contains(number(*hash));
    let mut twins: Vec<Hashed> = arrays.into_iter().filter(may_be_twin).collect();
    twins.sort_unstable();
    // a damaged dump may describe an array twice
    twins.dedup();
    let groups = twins.chunk_by(|(a, _), (b, _)| a == b);
    groups
        .filter(|same| same.len() > 1)
        .flatten()
        .copied()
        .collect()
}

/// A fast hash, for there are gigabytes: each 16 bytes are multiplied into the state. Not proof
/// against who makes arrays collide on purpose; such a dump gets a wrong figure.
pub(crate) mod hash {
    const FIRST: u64 = 0x9e37_79b9_7f4a_7c15;
    const SECOND: u64 = 0xd1b5_4a32_d192_ed03;

    #[inline]
    fn fold(a: u64, b: u64) -> u64 {
        let product = u128::from(a) * u128::from(b);
        product as u64 ^ (product >> 64) as u64
    }

    #[inline]
    pub(crate) fn start(code: u8, length: usize) -> u64 {
        fold(FIRST ^ length as u64, SECOND ^ u64::from(code))
    }

    /// The state after these bytes, and whether any of them is not zero (0 if none is).
    #[inline]
    pub(crate) fn add(mut state: u64, bytes: &[u8]) -> (u64, u64) {
        let mut any = 0;
        let (pairs, rest) = bytes.as_chunks::<16>();
        for pair in pairs {
            let both = u128::from_le_bytes(*pair);
            let (low, high) = (both as u64, (both >> 64) as u64);
            any |= low | high;
            state = fold(low ^ FIRST ^ state, high ^ SECOND);
        }
        if !rest.is_empty() {
            let mut last = [0; 16];
            last[..rest.len()].copy_from_slice(rest);
            let both = u128::from_le_bytes(last);
            let (low, high) = (both as u64, (both >> 64) as u64);
            any |= low | high;
            state = fold(low ^ FIRST ^ state, high ^ SECOND ^ rest.len() as u64);
        }
        (state, any)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn hashes_tell_type_length_and_content() {
        let of = |code, bytes: &[u8]| hash::add(hash::start(code, bytes.len()), bytes);
        let zeros = [0; 40];
        let mut seen = std::collections::BTreeSet::new();
        for length in 0..zeros.len() {
            for code in 4..12 {
                let (hash, any) = of(code, &zeros[..length]);
                assert!(seen.insert(hash), "{code} {length}");
                assert_eq!(any, 0);
            }
        }
        for position in 0..zeros.len() {
            let mut one = zeros;
            one[position] = 1;
            let (hash, any) = of(8, &one);
            assert!(seen.insert(hash), "{position}");
            assert_ne!(any, 0);
        }
    }

    proptest! {
        #[test]
        fn twins_are_the_arrays_with_equal_hashes(
            hashes in prop::collection::vec(prop_oneof![0u64..20, 0u64..1 << 40], 0..300),
        ) {
            let arrays = HashedArrays::with_capacity(hashes.len());
            let (first, second) = hashes.split_at(hashes.len() / 2);
            for (from, part) in [(0, first), (first.len(), second)] {
                let mut adder = arrays.adder();
                for (number, hash) in part.iter().enumerate() {
                    adder.add((from + number) as u32, *hash);
                }
            }
            let twins = Twins::new(arrays, hashes.len());
            let group = |array: usize| twins.group(array as u32);
            for (a, hash) in hashes.iter().enumerate() {
                let others = (0..hashes.len()).filter(|b| *b != a && hashes[*b] == *hash);
                let others: Vec<usize> = others.collect();
                prop_assert_eq!(group(a).is_some(), !others.is_empty());
                for b in 0..hashes.len() {
                    if a != b && group(a).is_some() {
                        prop_assert_eq!(group(a) == group(b), others.contains(&b));
                    }
                }
            }
        }
    }
}
