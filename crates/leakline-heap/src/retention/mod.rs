//! What each object is held by, how strongly, and what it retains.
//!
//! An object dominates another when every path from the roots to the other passes through it;
//! its retained size is the size of everything it dominates: what the collector could free if
//! the object went away.
//!
//! Most objects of a heap are referred to once. One depth-first search, to which small trees of
//! such objects are single objects (see [`trees`]), finds how strongly each object is held and
//! tells two kinds apart:
//!
//! - *owned* objects: they, and all that the search met below them, are referred to exactly once.
//!   Such an object is dominated by what refers to it, and what it retains is known as soon as
//!   the search leaves it;
//! - all others, *entry points*. References from owned objects to entry points count as
//!   references of the entry point that the owned objects hang from, so that only entry points
//!   take part in the computation of dominators. That changes nothing: no owned object can
//!   dominate an entry point, because the search met each entry point on a path without owned
//!   objects.
//!
//! Owned objects need no place in a list of children either: they are found again through the
//! references of their owner.
//!
//! Memory: 9 bytes per object and four bits; while it runs 24 bytes for each step of the deepest
//! path, 32 per entry point, and 8 to 20 per reference between entry points.

mod search;
mod trees;

use std::borrow::Cow;
use std::ops::{Deref, Range};

use rayon::prelude::*;

use crate::bits::Bits;
use crate::dominators::immediate_dominators;
use crate::graph::{Heap, NONE, SIZE_UNIT};
use crate::heap_index::{Decoder, Encode, Encoder, encode_fields};
use crate::reachability::Strength;
use search::Search;

/// A graph of objects, as the search needs it.
pub(crate) trait RootedGraph: Sync {
    /// Number of objects.
    fn len(&self) -> usize;
    /// The roots, in a fixed order; repetitions do no harm.
    fn roots(&self) -> impl Iterator<Item = u32>;
    /// All rows of references; [`NONE`] where there is none.
    fn edges(&self) -> &[u32];
    /// An object's row in `edges`.
    fn row(&self, object: u32) -> Range<usize>;
    /// A reference that is in no row: the one to the object's class. [`NONE`] if it says nothing.
    fn class_edge(&self, object: u32) -> u32;
    /// Objects that such references lead to: never owned.
    fn classes(&self) -> impl Iterator<Item = u32>;
    /// Whether the object surely refers to nothing.
    fn is_leaf(&self, object: u32) -> bool;
    /// How strongly the object holds one of its references, and which in its row, when that is
    /// less than strongly.
    fn referent(&self, object: u32) -> Option<(Strength, usize)>;
    /// Size in units.
    fn size(&self, object: u32) -> u32;
}

impl RootedGraph for Heap<'_> {
    fn len(&self) -> usize {
        self.shapes.len()
    }
    fn roots(&self) -> impl Iterator<Item = u32> {
        self.roots.iter().map(|root| root.object)
    }
    fn edges(&self) -> &[u32] {
        &self.edges
    }
    #[inline]
    fn row(&self, object: u32) -> Range<usize> {
        self.rows.row(object)
    }
    #[inline]
    fn class_edge(&self, object: u32) -> u32 {
        Heap::class_edge(self, object)
    }
    fn classes(&self) -> impl Iterator<Item = u32> {
        self.classes.objects().iter().map(|(object, _)| *object)
    }
    #[inline]
    fn is_leaf(&self, object: u32) -> bool {
        self.shapes.get(object).is_leaf && Heap::class_edge(self, object) == NONE
    }
    #[inline]
    fn referent(&self, object: u32) -> Option<(Strength, usize)> {
        let (strength, slot) = self.referent_slot(object)?;
        Some((strength, slot as usize))
    }
    #[inline]
    fn size(&self, object: u32) -> u32 {
        self.shapes.get(object).size
    }
}

/// What each object is held by, and what it holds.
pub(crate) struct Retention<'a> {
    pub(crate) strengths: Strengths,
    /// Objects that only a soft, weak, final or phantom reference holds: where the less strongly
    /// held parts of the heap begin.
    pub(crate) weak_entries: Vec<u32>,
    /// The immediate dominator of each object; [`NONE`] for top-level and unreachable objects.
    /// A reference counts when both ends are held equally, so that there is one tree for each
    /// strength, side by side.
    pub(crate) immediate: Cow<'a, [u32]>,
    /// Retained size of each object, in units; 0 for unreachable ones.
    pub(crate) retained: Sums<Cow<'a, [u32]>>,
    /// Objects of which the only reference is that of their immediate dominator.
    pub(crate) owned: Bits,
    /// Objects that have a way to an entry point, other than those passed to
    /// [`Retention::of`], which does not lead through another entry point.
    pub(crate) entangled: Bits,
    entry_points: EntryPoints<'a>,
}

encode_fields!(Retention<'a> {
    strengths,
    weak_entries,
    immediate,
    retained,
    owned,
    entangled,
    entry_points
});
encode_fields!(EntryPoints<'a> {
    objects,
    first,
    next
});

/// Entry points by number, which ascends from dominators to what they dominate, and what each
/// dominates as linked lists. Number 0 stands above all.
struct EntryPoints<'a> {
    objects: Cow<'a, [u32]>,
    first: Cow<'a, [u32]>,
    next: Cow<'a, [u32]>,
}

impl Retention<'_> {
    /// `detached` are entry points that do not count for [`Retention::entangled`]. `progress` is
    /// told how far the work is, 0 to 1.
    pub(crate) fn of(
        graph: &impl RootedGraph,
        detached: &Bits,
        progress: &dyn Fn(f32),
    ) -> Retention<'static> {
        // what comes after the search takes little
        let searched = |part: f32| progress(0.9 * part);
        let mut search = Search::new(graph, detached, &searched);
        search.all();
        let Search {
            strengths,
            mut weak_entries,
            mut immediate,
            mut retained,
            owned,
            entangled,
            objects,
            tree,
            ..
        } = search;
        weak_entries.sort_unstable();
        weak_entries.dedup();
        let dominators = immediate_dominators(tree);
        let mut first = vec![0u32; objects.len()];
        let mut next = vec![0u32; objects.len()];
        for number in (1..objects.len()).rev() {
            let above = dominators[number] as usize;
            let object = objects[number];
            next[number] = std::mem::replace(&mut first[above], number as u32);
            immediate[object as usize] = objects[above];
            if above != 0 {
                let size = retained.get(object);
                retained.add(objects[above], size);
            }
        }
        Retention {
            strengths: Strengths(strengths),
            weak_entries,
            immediate: immediate.into(),
            retained: Sums {
                narrow: retained.narrow.into(),
                wide: retained.wide,
            },
            owned,
            entangled,
            entry_points: EntryPoints {
                objects: objects.into(),
                first: first.into(),
                next: next.into(),
            },
        }
    }

    /// Bytes that an object retains.
    pub(crate) fn bytes(&self, object: u32) -> u64 {
        self.retained.get(object) * SIZE_UNIT
    }

    /// Objects that nothing dominates.
    pub(crate) fn top_level(&self) -> impl Iterator<Item = u32> + '_ {
        let entry_points = &self.entry_points;
        std::iter::successors(entry_points.first.first().copied(), |number| {
            Some(entry_points.next[*number as usize])
        })
        .take_while(|number| *number != 0)
        .map(|number| entry_points.objects[number as usize])
    }

    /// Walks the dominator tree depth first.
    ///
    /// Memory: 24 bytes for each step of the deepest path.
    pub(crate) fn walk(&self, graph: &impl RootedGraph, visitor: &mut impl Visitor) {
        let edges = graph.edges();
        let EntryPoints {
            objects,
            first,
            next,
        } = &self.entry_points;
        let mut open: Vec<Open> = Vec::new();
        let mut root = first.first().copied().unwrap_or(0);
        while root != 0 {
            let mut entering = Some((objects[root as usize], first[root as usize]));
            root = next[root as usize];
            loop {
                if let Some((object, entry)) = entering.take() {
                    let row = graph.row(object);
                    open.push(Open {
                        row: row.start as u64,
                        next: 0,
                        len: row.len() as u32,
                        object,
                        entry,
                    });
                    if !self.owned.contains(object) {
                        visitor.enter(object);
                    }
                }
                let Some(top) = open.last_mut() else { break };
                if top.entry != 0 {
                    let entry = top.entry as usize;
                    top.entry = next[entry];
                    entering = Some((objects[entry], first[entry]));
                    continue;
                }
                let object = top.object;
                let row = &edges[top.row as usize..top.row as usize + top.len as usize];
                let found = (top.next..top.len).find(|position| {
                    let target = row[*position as usize];
                    if target == NONE || !self.owned.contains(target) {
                        return false;
                    }
                    if graph.is_leaf(target) {
                        visitor.visit_leaf(object, *position, target);
                        return false;
                    }
                    visitor.enter_owned(object, *position, target);
                    true
                });
                match found {
                    Some(position) => {
                        top.next = position + 1;
                        entering = Some((row[position as usize], 0));
                    }
                    None => {
                        visitor.leave(object);
                        open.pop();
                    }
                }
            }
        }
    }
}

/// Told of each object when the walk enters its part of the dominator tree and when it leaves it.
pub(crate) trait Visitor {
    /// Enters an entry point.
    fn enter(&mut self, object: u32);
    /// Enters an owned object through the only reference to it, by position in the owner's row.
    fn enter_owned(&mut self, owner: u32, position: u32, object: u32);
    /// Leaves either.
    fn leave(&mut self, object: u32);
    /// Enters and leaves an owned object that refers to nothing.
    fn visit_leaf(&mut self, owner: u32, position: u32, object: u32) {
        self.enter_owned(owner, position, object);
        self.leave(object);
    }
}

/// Tells how far the walk of another visitor is.
pub(crate) struct Telling<'v, V> {
    visitor: &'v mut V,
    progress: &'v dyn Fn(f32),
    entered: usize,
    /// Objects of the heap.
    objects: usize,
}

impl<'v, V: Visitor> Telling<'v, V> {
    pub(crate) fn new(visitor: &'v mut V, objects: usize, progress: &'v dyn Fn(f32)) -> Self {
        Telling {
            visitor,
            progress,
            entered: 0,
            objects,
        }
    }

    #[inline]
    fn count(&mut self) {
        self.entered += 1;
        if self.entered.is_multiple_of(TOLD_AT_ONCE) {
            (self.progress)(self.entered as f32 / self.objects as f32);
        }
    }
}

/// Objects, or references, between two reports of progress.
const TOLD_AT_ONCE: usize = 1 << 18;

impl<V: Visitor> Visitor for Telling<'_, V> {
    #[inline]
    fn enter(&mut self, object: u32) {
        self.count();
        self.visitor.enter(object);
    }

    #[inline]
    fn enter_owned(&mut self, owner: u32, position: u32, object: u32) {
        self.count();
        self.visitor.enter_owned(owner, position, object);
    }

    #[inline]
    fn leave(&mut self, object: u32) {
        self.visitor.leave(object);
    }

    #[inline]
    fn visit_leaf(&mut self, owner: u32, position: u32, object: u32) {
        self.count();
        self.visitor.visit_leaf(owner, position, object);
    }
}

/// An object that the walk is inside of.
struct Open {
    /// Where its row starts.
    row: u64,
    /// Position in the row of the next reference to look at.
    next: u32,
    len: u32,
    object: u32,
    /// The next entry point that it dominates; 0 when none is left.
    entry: u32,
}

/// How strongly each object is held.
pub(crate) struct Strengths(Vec<Strength>);

impl Deref for Strengths {
    type Target = [Strength];

    fn deref(&self) -> &[Strength] {
        &self.0
    }
}

/// A byte each.
impl Encode<'_> for Strengths {
    fn encode<'s>(&'s self, to: &mut Encoder<'s>) {
        let bytes = self.par_iter().map(|strength| *strength as u8);
        to.put_array(Cow::Owned(bytes.collect()));
    }
    fn decode(from: &mut Decoder<'_>) -> Option<Self> {
        let bytes = from.take_array()?;
        let last = Strength::ALL.len() - 1;
        let is_known = |byte: &u8| usize::from(*byte) <= last;
        if !bytes.par_iter().all(is_known) {
            return None;
        }
        let strength = |byte: &u8| Strength::ALL[usize::from(*byte).min(last)];
        Some(Strengths(bytes.par_iter().map(strength).collect()))
    }
}

/// Sizes that start small: 4 bytes each, and the few large ones apart.
pub(crate) struct Sums<N = Vec<u32>> {
    narrow: N,
    wide: std::collections::HashMap<u32, u64>,
}

impl<N: Deref<Target = [u32]>> Sums<N> {
    #[inline]
    pub(crate) fn get(&self, object: u32) -> u64 {
        match self.narrow[object as usize] {
            u32::MAX => self.wide.get(&object).copied().unwrap_or(0),
            narrow => u64::from(narrow),
        }
    }
}

impl<'a> Encode<'a> for Sums<Cow<'a, [u32]>> {
    fn encode<'s>(&'s self, to: &mut Encoder<'s>) {
        self.narrow.encode(to);
        self.wide.encode(to);
    }
    fn decode(from: &mut Decoder<'a>) -> Option<Self> {
        let narrow = Encode::decode(from)?;
        let wide = Encode::decode(from)?;
        Some(Sums { narrow, wide })
    }
}

impl Sums {
    /// All below the greatest number of four bytes.
    fn new(narrow: Vec<u32>) -> Sums {
        Sums {
            narrow,
            wide: Default::default(),
        }
    }

    /// The sums that are small, or a mark.
    fn narrow_mut(&mut self) -> &mut [u32] {
        &mut self.narrow
    }

    fn clear(&mut self, object: u32) {
        self.narrow[object as usize] = 0;
    }

    #[inline]
    fn add(&mut self, object: u32, size: u64) {
        let narrow = &mut self.narrow[object as usize];
        let sum = u64::from(*narrow).saturating_add(size);
        if sum < u64::from(u32::MAX) {
            *narrow = sum as u32;
        } else {
            self.add_wide(object, size);
        }
    }

    #[cold]
    fn add_wide(&mut self, object: u32, size: u64) {
        let sum = self.get(object).saturating_add(size);
        self.narrow[object as usize] = u32::MAX;
        self.wide.insert(object, sum);
    }
}

#[cfg(test)]
mod tests;
