//! Who else holds the elements of a pile: other places with references to them.

use std::collections::BTreeMap;

use rayon::prelude::*;

use crate::graph::{Heap, NONE};
use crate::places::Places;
use crate::retention::Retention;

/// For each of the given element places, the other place that refers to most of its objects, if
/// it refers to at least a third of them. One pass over all references.
pub(crate) fn other_holders(
    heap: &Heap<'_>,
    retention: &Retention,
    places: &Places,
    elements: &[u32],
) -> BTreeMap<u32, u32> {
    let wanted: Vec<bool> = {
        let mut wanted = vec![false; places.places.len()];
        for element in elements {
            wanted[*element as usize] = true;
        }
        wanted
    };
    if elements.is_empty() {
        return BTreeMap::new();
    }
    let part = |objects: std::ops::Range<u32>| {
        let mut references: BTreeMap<(u32, u32), u64> = BTreeMap::new();
        for object in objects {
            let from = places.place_of[object as usize];
            if from == NONE {
                continue;
            }
            for &target in heap.row(object) {
                // nothing else refers to an owned object
                if target == NONE || retention.owned.contains(target) {
                    continue;
                }
                let to = places.place_of[target as usize];
                if to != NONE
                    && wanted[to as usize]
                    && places.places[to as usize].parent != from
                    && !places.is_below(from, to)
                {
                    *references.entry((to, from)).or_default() += 1;
                }
            }
        }
        references
    };
    const PART: u32 = 1 << 16;
    let objects = heap.len() as u32;
    let parts: Vec<BTreeMap<(u32, u32), u64>> = (0..objects.div_ceil(PART))
        .into_par_iter()
        .map(|number| part(number * PART..objects.min((number + 1).saturating_mul(PART))))
        .collect();
    let mut references: BTreeMap<(u32, u32), u64> = BTreeMap::new();
    for (key, count) in parts.into_iter().flatten() {
        *references.entry(key).or_default() += count;
    }
    let mut best: BTreeMap<u32, (u64, u32)> = BTreeMap::new();
    for ((to, from), count) in references {
        let enough = count * 3 >= places.places[to as usize].objects;
        let entry = best.entry(to).or_insert((0, NONE));
        if enough && count > entry.0 {
            *entry = (count, from);
        }
    }
    best.into_iter()
        .filter(|(_, (count, _))| *count > 0)
        .map(|(to, (_, from))| (to, from))
        .collect()
}
