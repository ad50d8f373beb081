//! Trees whose objects are referred to once each, found from the leaves upwards.
//!
//! A string with its characters, an order with its lines: most objects of a heap stand in small
//! trees that nothing else refers into. Whoever holds such a tree, the objects in it retain what
//! is below them. All objects of one height are found at a time, in parallel, so that the search,
//! which cannot be, meets a tree as if it were a single object.
//!
//! Not for long chains: trees higher than [`MOST_HEIGHT`] are left to the search.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

use rayon::prelude::*;

use super::RootedGraph;
use crate::bits::Bits;
use crate::columns::{atomics, plain};
use crate::graph::NONE;

/// Steps from the top of a tree to its deepest leaf, at most.
const MOST_HEIGHT: usize = 12;
/// When one in so many objects is found at some height, or fewer, the next is not tried.
const FEW: u64 = 1000;

/// The trees of a graph.
pub(super) struct Trees {
    /// The objects in them, tops included.
    pub(super) members: Bits,
    /// What refers to each member; [`NONE`] for tops and for objects in no tree.
    pub(super) owners: Vec<u32>,
    /// What each member retains, in units; 0 for objects in no tree.
    pub(super) retained: Vec<u32>,
}

impl Trees {
    /// `shared` are the objects that are referred to more than once, and others that must not be
    /// in a tree.
    pub(super) fn of(graph: &impl RootedGraph, shared: &Bits) -> Trees {
        let len = graph.len();
        let growing = Growing {
            graph,
            edges: graph.edges(),
            open: open(len, shared),
            owners: atomics(len, NONE),
            retained: atomics(len, 0),
        };
        let mut members = Bits::new(len);
        for _ in 0..MOST_HEIGHT {
            let found = growing.next_height(&members);
            members.insert_all(&found);
            if found.count() <= len as u64 / FEW {
                break;
            }
        }
        Trees {
            members,
            owners: plain(growing.owners),
            retained: plain(growing.retained),
        }
    }
}

/// Objects that may be in a tree, as words of bits.
fn open(len: usize, shared: &Bits) -> Vec<AtomicU64> {
    let mut words: Vec<u64> = shared.words().iter().map(|word| !word).collect();
    if let Some(last) = words.last_mut()
        && !len.is_multiple_of(64)
    {
        *last &= (1 << (len % 64)) - 1;
    }
    words.into_iter().map(AtomicU64::new).collect()
}

struct Growing<'g, G> {
    graph: &'g G,
    edges: &'g [u32],
    /// Objects that are in no tree so far and may come to be. What is found not to be possible
    /// is left out for the sake of speed alone, so that it does not matter when others see it.
    open: Vec<AtomicU64>,
    owners: Vec<AtomicU32>,
    retained: Vec<AtomicU32>,
}

/// What becomes of an object.
enum Fate {
    Member,
    /// Something below it may still turn out to be a member.
    Later,
    Never,
}

impl<G: RootedGraph> Growing<'_, G> {
    /// The objects above `members` and nothing else.
    fn next_height(&self, members: &Bits) -> Bits {
        let words = self.open.par_iter().enumerate().with_min_len(1 << 10);
        Bits::from_words(
            words
                .map(|(number, word)| {
                    let mut open = word.load(Relaxed);
                    let mut found = 0;
                    let mut rest = open;
                    while rest != 0 {
                        let bit = rest & rest.wrapping_neg();
                        rest ^= bit;
                        let object = number as u32 * 64 + bit.trailing_zeros();
                        match self.fate(object, members) {
                            Fate::Member => found |= bit,
                            Fate::Later => continue,
                            Fate::Never => {}
                        }
                        open ^= bit;
                    }
                    word.store(open, Relaxed);
                    found
                })
                .collect(),
        )
    }

    #[inline]
    fn fate(&self, object: u32, members: &Bits) -> Fate {
        let graph = self.graph;
        let mut retained = u64::from(graph.size(object));
        if !graph.is_leaf(object) {
            if graph.class_edge(object) != NONE || graph.referent(object).is_some() {
                return Fate::Never;
            }
            let row = &self.edges[graph.row(object)];
            for &target in row {
                if target == NONE {
                    continue;
                }
                if !members.contains(target) {
                    let word = self.open[target as usize / 64].load(Relaxed);
                    return match word >> (target % 64) & 1 {
                        0 => Fate::Never,
                        _ => Fate::Later,
                    };
                }
                retained += u64::from(self.retained[target as usize].load(Relaxed));
            }
            // sums that need more than four bytes are the search's
            if retained >= u64::from(u32::MAX) {
                return Fate::Never;
            }
            for &target in row {
                if target != NONE {
                    self.owners[target as usize].store(object, Relaxed);
                }
            }
        }
        self.retained[object as usize].store(retained as u32, Relaxed);
        Fate::Member
    }
}
