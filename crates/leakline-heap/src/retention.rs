//! What each object is held by, how strongly, and what it retains.
//!
//! An object dominates another when every path from the roots to the other passes through it;
//! its retained size is the size of everything it dominates: what the collector could free if
//! the object went away.
//!
//! Most objects of a heap are referred to once. One depth-first search finds how strongly each
//! object is held and tells two kinds apart:
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

use std::ops::Range;

use rayon::prelude::*;

use crate::bits::{Bits, SharedBits};
use crate::dominators::{DepthFirst, immediate_dominators};
use crate::graph::{Heap, NONE, SIZE_UNIT};
use crate::reachability::Strength;

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
pub(crate) struct Retention {
    pub(crate) strengths: Vec<Strength>,
    /// Objects that only a soft, weak, final or phantom reference holds: where the less strongly
    /// held parts of the heap begin.
    pub(crate) weak_entries: Vec<u32>,
    /// The immediate dominator of each object; [`NONE`] for top-level and unreachable objects.
    /// A reference counts when both ends are held equally, so that there is one tree for each
    /// strength, side by side.
    pub(crate) immediate: Vec<u32>,
    /// Retained size of each object, in units; 0 for unreachable ones.
    pub(crate) retained: Sums,
    /// Objects of which the only reference is that of their immediate dominator.
    pub(crate) owned: Bits,
    /// Objects that have a way to an entry point, other than those passed to
    /// [`Retention::of`], which does not lead through another entry point.
    pub(crate) entangled: Bits,
    entry_points: EntryPoints,
}

/// Entry points by number, which ascends from dominators to what they dominate, and what each
/// dominates as linked lists. Number 0 stands above all.
struct EntryPoints {
    objects: Vec<u32>,
    first: Vec<u32>,
    next: Vec<u32>,
}

impl Retention {
    /// `detached` are entry points that do not count for [`Retention::entangled`].
    pub(crate) fn of(graph: &impl RootedGraph, detached: &Bits) -> Retention {
        let mut search = Search::new(graph, detached);
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
            strengths,
            weak_entries,
            immediate,
            retained,
            owned,
            entangled,
            entry_points: EntryPoints {
                objects,
                first,
                next,
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

/// Sizes that start small: 4 bytes each, and the few large ones apart.
pub(crate) struct Sums {
    narrow: Vec<u32>,
    wide: std::collections::HashMap<u32, u64>,
}

impl Sums {
    fn new(len: usize) -> Sums {
        Sums {
            narrow: vec![0; len],
            wide: Default::default(),
        }
    }

    #[inline]
    pub(crate) fn get(&self, object: u32) -> u64 {
        match self.narrow[object as usize] {
            u32::MAX => self.wide.get(&object).copied().unwrap_or(0),
            narrow => u64::from(narrow),
        }
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

/// An object that the search is inside of.
struct Frame {
    next_edge: u64,
    edges: u32,
    object: u32,
    /// Where the references that await its fate begin.
    waiting: u64,
}

struct Search<'g, G> {
    graph: &'g G,
    edges: &'g [u32],
    detached: &'g Bits,
    /// Objects that are referred to more than once, roots, and classes.
    shared: Bits,
    strengths: Vec<Strength>,
    /// Of owned objects the owner, of entry points the number.
    immediate: Vec<u32>,
    retained: Sums,
    owned: Bits,
    entangled: Bits,
    /// By number.
    objects: Vec<u32>,
    tree: DepthFirst,
    frames: Vec<Frame>,
    /// The objects of so many frames, from the bottom, are entry points; of the others it is not
    /// known yet.
    entered: usize,
    /// Numbers that objects refer to of which it is not known yet whether they are owned, by
    /// frame.
    waiting: Vec<u32>,
    /// Referents met so far with the strength of what refers to them, by how strongly their
    /// references hold them.
    referents: [Vec<(u32, Strength)>; 5],
    weak_entries: Vec<u32>,
}

impl<'g, G: RootedGraph> Search<'g, G> {
    fn new(graph: &'g G, detached: &'g Bits) -> Self {
        let len = graph.len();
        Search {
            graph,
            edges: graph.edges(),
            detached,
            shared: shared(graph),
            strengths: vec![Strength::Unreachable; len],
            immediate: vec![NONE; len],
            retained: Sums::new(len),
            owned: Bits::new(len),
            entangled: Bits::new(len),
            objects: vec![NONE],
            tree: DepthFirst {
                parents: vec![0],
                edges: Vec::new(),
            },
            frames: Vec::new(),
            entered: 0,
            waiting: Vec::new(),
            referents: Default::default(),
            weak_entries: Vec::new(),
        }
    }

    /// Searches the levels one after the other, each from the referents that the stronger levels
    /// met, so that every object is met once.
    fn all(&mut self) {
        let graph = self.graph;
        for root in graph.roots() {
            self.start_at(root, Strength::Strong);
        }
        for level in Strength::WEAKER {
            for (target, from) in std::mem::take(&mut self.referents[level as usize]) {
                let strength = self.strengths[target as usize];
                if strength > from {
                    self.weak_entries.push(target);
                    self.start_at(target, level);
                }
            }
        }
    }

    fn start_at(&mut self, root: u32, level: Strength) {
        if self.strengths[root as usize] != Strength::Unreachable {
            // the virtual root refers to it as well
            self.tree.edges.push((0, self.immediate[root as usize]));
            return;
        }
        self.enter(root, level, true);
        while let Some(frame) = self.frames.last() {
            let object = frame.object;
            let start = frame.next_edge as usize;
            let end = start + frame.edges as usize;
            let weakened = match self.graph.referent(object) {
                Some((strength, position)) if strength > level => {
                    self.graph.row(object).start + position
                }
                _ => usize::MAX,
            };
            let found = self.scan(object, start..end, weakened, level);
            match found {
                Some(edge) => {
                    if let Some(frame) = self.frames.last_mut() {
                        frame.next_edge = edge as u64 + 1;
                        frame.edges = (end - edge - 1) as u32;
                    }
                    self.enter(self.edges[edge], level, false);
                }
                None => self.leave(),
            }
        }
    }

    /// The next edge that leads to an object not met before which may refer to others.
    #[inline]
    fn scan(
        &mut self,
        object: u32,
        edges: Range<usize>,
        weakened: usize,
        level: Strength,
    ) -> Option<usize> {
        let mut owned_size = 0u64;
        let mut found = None;
        for edge in edges {
            let target = self.edges[edge];
            if target == NONE || edge == weakened {
                continue;
            }
            let strength = self.strengths[target as usize];
            if strength == Strength::Unreachable {
                if !self.graph.is_leaf(target) {
                    found = Some(edge);
                    break;
                }
                self.strengths[target as usize] = level;
                let size = u64::from(self.graph.size(target));
                self.retained.add(target, size);
                if self.shared.contains(target) {
                    self.number_path();
                    let parent = self.immediate[object as usize];
                    self.number(target, parent);
                } else {
                    self.owned.insert(target);
                    self.immediate[target as usize] = object;
                    owned_size += size;
                }
            } else if strength == level {
                self.refer(object, target, level);
            }
        }
        if owned_size > 0 {
            self.retained.add(object, owned_size);
        }
        found
    }

    /// Enters an object, and its class if that was not met before.
    fn enter(&mut self, mut object: u32, level: Strength, is_root: bool) {
        let mut is_entry_point = is_root;
        loop {
            let row = self.graph.row(object);
            self.strengths[object as usize] = level;
            if let Some((strength, position)) = self.graph.referent(object)
                && strength > level
                && let Some(target) = self.edges[row.clone()].get(position)
                && *target != NONE
            {
                self.referents[strength as usize].push((*target, level));
            }
            self.frames.push(Frame {
                next_edge: row.start as u64,
                edges: row.len() as u32,
                object,
                waiting: self.waiting.len() as u64,
            });
            if is_entry_point || self.shared.contains(object) {
                self.number_path();
            }
            let size = self.graph.size(object);
            self.retained.add(object, u64::from(size));
            let class = self.graph.class_edge(object);
            if class == NONE {
                return;
            }
            let strength = self.strengths[class as usize];
            if strength != Strength::Unreachable {
                if strength == level {
                    self.refer(object, class, level);
                }
                return;
            }
            object = class;
            is_entry_point = true;
        }
    }

    /// Takes note of a reference to an entry point that was met before.
    #[inline]
    fn refer(&mut self, object: u32, target: u32, level: Strength) {
        if level != Strength::Strong || !self.detached.contains(target) {
            self.entangled.insert(object);
        }
        let number = self.immediate[target as usize];
        let own = self.frames.last().map_or(0, |frame| frame.waiting as usize);
        if self.waiting.len() == own || self.waiting.last() != Some(&number) {
            self.waiting.push(number);
        }
    }

    /// All objects on the present path are entry points.
    fn number_path(&mut self) {
        for position in self.entered..self.frames.len() {
            let object = self.frames[position].object;
            let parent = match position.checked_sub(1) {
                Some(above) => self.immediate[self.frames[above].object as usize],
                None => 0,
            };
            self.number(object, parent);
        }
        self.entered = self.frames.len();
    }

    fn number(&mut self, object: u32, parent: u32) {
        self.immediate[object as usize] = self.objects.len() as u32;
        self.objects.push(object);
        self.tree.parents.push(parent);
    }

    fn leave(&mut self) {
        let Some(frame) = self.frames.pop() else {
            return;
        };
        let object = frame.object;
        let own = frame.waiting as usize;
        if self.frames.len() < self.entered {
            self.entered = self.frames.len();
            let number = self.immediate[object as usize];
            self.waiting[own..].sort_unstable();
            let mut last = number;
            for &target in &self.waiting[own..] {
                let is_new = last != target && target != number;
                if is_new && self.tree.parents[target as usize] != number {
                    self.tree.edges.push((number, target));
                }
                last = target;
            }
            self.waiting.truncate(own);
        } else if let Some(owner) = self.frames.last() {
            // another object was met below the same one: many of its kind have the same references
            let start = (owner.waiting as usize).max(own.saturating_sub(SIMILAR));
            if self.waiting.len() - own <= SIMILAR {
                let mut kept = own;
                for position in own..self.waiting.len() {
                    let number = self.waiting[position];
                    if !self.waiting[start..kept].contains(&number) {
                        self.waiting[kept] = number;
                        kept += 1;
                    }
                }
                self.waiting.truncate(kept);
            }
            let owner = owner.object;
            self.owned.insert(object);
            self.immediate[object as usize] = owner;
            let size = self.retained.get(object);
            self.retained.add(owner, size);
            if self.entangled.contains(object) {
                self.entangled.insert(owner);
            }
        }
    }
}

/// References looked back at to drop repetitions.
const SIMILAR: usize = 16;

/// Objects with more than one reference to them, and those that count as if they had.
fn shared(graph: &impl RootedGraph) -> Bits {
    let seen = SharedBits::new(graph.len());
    let shared = SharedBits::new(graph.len());
    graph.edges().par_chunks(1 << 16).for_each(|edges| {
        for &target in edges {
            if target != NONE && seen.insert(target) && !shared.contains(target) {
                shared.insert(target);
            }
        }
    });
    let mut shared = shared.into_bits();
    for object in graph.roots().chain(graph.classes()) {
        shared.insert(object);
    }
    shared
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Debug)]
    struct Small {
        roots: Vec<u32>,
        edges: Vec<u32>,
        rows: Vec<Range<usize>>,
        classes: Vec<u32>,
        referents: Vec<Option<(Strength, usize)>>,
    }

    impl RootedGraph for Small {
        fn len(&self) -> usize {
            self.rows.len()
        }
        fn roots(&self) -> impl Iterator<Item = u32> {
            self.roots.iter().copied()
        }
        fn edges(&self) -> &[u32] {
            &self.edges
        }
        fn row(&self, object: u32) -> Range<usize> {
            self.rows[object as usize].clone()
        }
        fn class_edge(&self, object: u32) -> u32 {
            self.classes[object as usize]
        }
        fn classes(&self) -> impl Iterator<Item = u32> {
            self.classes.iter().copied().filter(|class| *class != NONE)
        }
        fn is_leaf(&self, object: u32) -> bool {
            // half of what could be treated as leaves, to test both ways
            object.is_multiple_of(2)
                && self.row(object).is_empty()
                && self.class_edge(object) == NONE
        }
        fn referent(&self, object: u32) -> Option<(Strength, usize)> {
            self.referents[object as usize]
        }
        fn size(&self, object: u32) -> u32 {
            object + 1
        }
    }

    impl Small {
        fn new(
            roots: Vec<u32>,
            rows: Vec<Vec<Option<u32>>>,
            classes: Vec<Option<u32>>,
            referents: Vec<Option<Strength>>,
        ) -> Small {
            let mut edges = Vec::new();
            let mut ranges = Vec::new();
            for row in &rows {
                let start = edges.len();
                edges.extend(row.iter().map(|target| target.unwrap_or(NONE)));
                ranges.push(start..edges.len());
            }
            Small {
                roots,
                edges,
                rows: ranges,
                classes: classes.iter().map(|c| c.unwrap_or(NONE)).collect(),
                referents: referents
                    .into_iter()
                    .zip(&rows)
                    .map(|(strength, row)| strength.filter(|_| !row.is_empty()).map(|s| (s, 0)))
                    .collect(),
            }
        }

        /// Targets of an object's references with their strengths.
        fn references(&self, object: u32) -> Vec<(u32, Strength)> {
            let row = self.edges[self.row(object)].iter().enumerate();
            let mut references: Vec<(u32, Strength)> = row
                .map(|(position, target)| match self.referent(object) {
                    Some((strength, slot)) if slot == position => (*target, strength),
                    _ => (*target, Strength::Strong),
                })
                .collect();
            references.push((self.class_edge(object), Strength::Strong));
            references.retain(|(target, _)| *target != NONE);
            references
        }

        /// The weakest reference on the strongest path, by relaxation.
        fn strengths(&self) -> Vec<Strength> {
            let mut strengths = vec![Strength::Unreachable; self.len()];
            for root in &self.roots {
                strengths[*root as usize] = Strength::Strong;
            }
            loop {
                let before = strengths.clone();
                for object in 0..self.len() as u32 {
                    for (target, strength) in self.references(object) {
                        let through = strengths[object as usize].max(strength);
                        let known = &mut strengths[target as usize];
                        *known = (*known).min(through);
                    }
                }
                if strengths == before {
                    return strengths;
                }
            }
        }

        /// Objects that are reached without passing `removed`, over references whose ends are
        /// held equally.
        fn reachable_without(&self, strengths: &[Strength], removed: Option<u32>) -> Vec<bool> {
            let mut todo = self.roots.clone();
            for object in 0..self.len() as u32 {
                let own = strengths[object as usize];
                if own != Strength::Unreachable {
                    let targets = self.references(object).into_iter();
                    let weaker = targets.filter(|(target, strength)| {
                        *strength != Strength::Strong && strengths[*target as usize] > own
                    });
                    todo.extend(weaker.map(|(target, _)| target));
                }
            }
            let mut seen = vec![false; self.len()];
            while let Some(object) = todo.pop() {
                if Some(object) == removed || std::mem::replace(&mut seen[object as usize], true) {
                    continue;
                }
                for (target, strength) in self.references(object) {
                    let own = strengths[object as usize];
                    if strength <= own && strengths[target as usize] == own {
                        todo.push(target);
                    }
                }
            }
            seen
        }
    }

    fn small_graph() -> impl Strategy<Value = Small> {
        (1usize..24, 1u32..4).prop_flat_map(|(n, degree)| {
            let object = 0..n as u32;
            let row = prop::collection::vec(prop::option::of(object.clone()), 0..degree as usize);
            let class = prop_oneof![4 => Just(None), 1 => object.clone().prop_map(Some)];
            let referent = prop_oneof![
                6 => Just(None),
                1 => prop::sample::select(&Strength::WEAKER[..]).prop_map(Some),
            ];
            (
                prop::collection::vec(object, 0..4),
                prop::collection::vec(row, n),
                prop::collection::vec(class, n),
                prop::collection::vec(referent, n),
            )
                .prop_map(|(roots, rows, classes, referents)| {
                    Small::new(roots, rows, classes, referents)
                })
        })
    }

    /// Collects the walk: who was open when each object was entered.
    #[derive(Default)]
    struct Ancestors {
        open: Vec<u32>,
        of: std::collections::BTreeMap<u32, Vec<u32>>,
    }

    impl Visitor for Ancestors {
        fn enter(&mut self, object: u32) {
            assert!(self.of.insert(object, self.open.clone()).is_none());
            self.open.push(object);
        }
        fn enter_owned(&mut self, owner: u32, _: u32, object: u32) {
            assert_eq!(self.open.last(), Some(&owner));
            self.enter(object);
        }
        fn leave(&mut self, object: u32) {
            assert_eq!(self.open.pop(), Some(object));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]
        /// By definition: removing an object makes exactly what it dominates unreachable.
        #[test]
        fn agrees_with_the_definition(graph in small_graph()) {
            let retention = Retention::of(&graph, &Bits::new(graph.len()));
            let strengths = graph.strengths();
            prop_assert_eq!(&retention.strengths, &strengths);
            let reachable = graph.reachable_without(&strengths, None);
            let mut walked = Ancestors::default();
            retention.walk(&graph, &mut walked);
            for object in 0..graph.len() as u32 {
                let is_reachable = reachable[object as usize];
                prop_assert_eq!(walked.of.contains_key(&object), is_reachable);
                let without = graph.reachable_without(&strengths, Some(object));
                let dominated: Vec<u32> = (0..graph.len() as u32)
                    .filter(|_| is_reachable)
                    .filter(|other| reachable[*other as usize] && !without[*other as usize])
                    .collect();
                let expected: u64 = dominated.iter().map(|other| u64::from(other + 1)).sum();
                prop_assert_eq!(retention.retained.get(object), expected, "object {}", object);
                for other in dominated.iter().filter(|other| **other != object) {
                    prop_assert!(walked.of[other].contains(&object), "{object} above {other}");
                }
            }
            let mut top: Vec<u32> = retention.top_level().collect();
            top.sort_unstable();
            let roots: Vec<u32> = walked.of.iter()
                .filter(|(_, above)| above.is_empty())
                .map(|(object, _)| *object)
                .collect();
            prop_assert_eq!(top, roots);
            for (object, above) in &walked.of {
                let above = above.last().copied().unwrap_or(NONE);
                prop_assert_eq!(retention.immediate[*object as usize], above);
            }
        }
    }

    #[test]
    fn long_chains_are_no_problem() {
        let check = |backwards: bool| {
            let len = 1_000_000u32;
            let rows = (0..len).map(|object| {
                let next = Some(object + 1).filter(|next| *next < len);
                let previous = object.checked_sub(1).filter(|_| backwards);
                vec![next, previous]
            });
            let nothing = vec![None; len as usize];
            let graph = Small::new(vec![0], rows.collect(), nothing, vec![None; len as usize]);
            let retention = Retention::of(&graph, &Bits::new(graph.len()));
            assert_eq!(retention.retained.get(len - 1), u64::from(len));
            assert_eq!(
                retention.retained.get(0),
                u64::from(len) * u64::from(len + 1) / 2
            );
            assert_eq!(retention.immediate[500_000], 499_999);
        };
        check(false);
        check(true);
    }
}
