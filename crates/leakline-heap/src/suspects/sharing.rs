//! Who else holds the elements of a pile: other places with references to them.

use std::collections::BTreeMap;

use crate::graph::{Heap, NONE};
use crate::places::Places;

/// For each of the given element places, the other place that refers to most of its objects, if
/// it refers to at least a third of them. One pass over all references.
pub(crate) fn other_holders(
    heap: &Heap<'_>,
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
    let mut references: BTreeMap<(u32, u32), u64> = BTreeMap::new();
    for object in 0..heap.len() as u32 {
        let from = places.place_of[object as usize];
        if from == NONE {
            continue;
        }
        for &target in heap.row(object) {
            if target == NONE {
                continue;
            }
            let to = places.place_of[target as usize];
            if to != NONE
                && wanted[to as usize]
                && places.places[to as usize].parent != from
                && !is_below(places, from, to)
            {
                *references.entry((to, from)).or_default() += 1;
            }
        }
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

/// Whether one place lies at or below another.
fn is_below(places: &Places, place: u32, above: u32) -> bool {
    let mut current = place;
    // parents stand before their children
    while current > above && current != NONE {
        current = places.places[current as usize].parent;
    }
    current == above
}
