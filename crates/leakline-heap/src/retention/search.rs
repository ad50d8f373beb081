//! The depth-first search that tells owned objects from entry points (see the parent module).

use std::ops::Range;

use rayon::prelude::*;

use super::trees::Trees;
use super::{RootedGraph, Sums, TOLD_AT_ONCE};
use crate::bits::{Bits, SharedBits};
use crate::dominators::DepthFirst;
use crate::graph::NONE;
use crate::reachability::Strength;

/// An object that the search is inside of.
struct Frame {
    next_edge: u64,
    edges: u32,
    object: u32,
    /// Where the references that await its fate begin.
    waiting: u64,
}

pub(super) struct Search<'g, G> {
    graph: &'g G,
    edges: &'g [u32],
    detached: &'g Bits,
    /// Objects of trees, each of which the search meets as one.
    trees: Bits,
    progress: &'g dyn Fn(f32),
    /// References followed, and those of which `progress` was told.
    followed: usize,
    told: usize,
    /// Objects that are referred to more than once, roots, and classes.
    shared: Bits,
    pub(super) strengths: Vec<Strength>,
    /// Of owned objects the owner, of entry points the number.
    pub(super) immediate: Vec<u32>,
    pub(super) retained: Sums,
    pub(super) owned: Bits,
    pub(super) entangled: Bits,
    /// By number.
    pub(super) objects: Vec<u32>,
    pub(super) tree: DepthFirst,
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
    pub(super) weak_entries: Vec<u32>,
}

impl<'g, G: RootedGraph> Search<'g, G> {
    pub(super) fn new(graph: &'g G, detached: &'g Bits, progress: &'g dyn Fn(f32)) -> Self {
        let len = graph.len();
        let shared = shared(graph);
        let trees = Trees::of(graph, &shared);
        Search {
            graph,
            edges: graph.edges(),
            detached,
            trees: trees.members,
            shared,
            progress,
            followed: 0,
            told: 0,
            strengths: vec![Strength::Unreachable; len],
            immediate: trees.owners,
            retained: Sums::new(trees.retained),
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
    pub(super) fn all(&mut self) {
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
        self.settle_trees();
    }

    fn start_at(&mut self, root: u32, level: Strength) {
        if self.strengths[root as usize] != Strength::Unreachable {
            // the virtual root refers to it as well
            self.tree.edges.push((0, self.immediate[root as usize]));
            return;
        }
        // what only a soft or weak reference leads to stands above its tree
        if self.trees.remove(root) {
            self.retained.clear(root);
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
            self.follow(found.map_or(end, |edge| edge + 1) - start);
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

    #[inline]
    fn follow(&mut self, edges: usize) {
        self.followed += edges;
        if self.followed - self.told >= TOLD_AT_ONCE {
            self.told = self.followed;
            (self.progress)(self.followed as f32 / self.edges.len() as f32);
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
                if self.trees.contains(target) {
                    self.strengths[target as usize] = level;
                    self.immediate[target as usize] = object;
                    owned_size += self.retained.get(target);
                } else if self.graph.is_leaf(target) && self.shared.contains(target) {
                    self.strengths[target as usize] = level;
                    let size = u64::from(self.graph.size(target));
                    self.retained.add(target, size);
                    self.number_path();
                    let parent = self.immediate[object as usize];
                    self.number(target, parent);
                } else {
                    found = Some(edge);
                    break;
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

    /// The objects of a tree are held as strongly as its top, and not at all when nothing led to
    /// the top.
    fn settle_trees(&mut self) {
        let (trees, owners) = (&self.trees, &self.immediate);
        let met = &self.strengths;
        let strength = |object: u32| {
            let mut top = object;
            // no more steps than a tree is high
            while met[top as usize] == Strength::Unreachable && trees.contains(top) {
                match owners[top as usize] {
                    NONE => break,
                    owner => top = owner,
                }
            }
            met[top as usize]
        };
        let strengths: Vec<Strength> = (0..met.len() as u32)
            .into_par_iter()
            .map(strength)
            .collect();
        self.strengths = strengths;
        let words = self.trees.words().par_iter();
        words
            .zip(self.owned.words_mut())
            .zip(self.strengths.par_chunks(64))
            .zip(self.immediate.par_chunks_mut(64))
            .zip(self.retained.narrow_mut().par_chunks_mut(64))
            .for_each(|((((trees, owned), strengths), owners), retained)| {
                let mut rest = *trees;
                while rest != 0 {
                    let bit = rest.trailing_zeros() as usize;
                    rest &= rest - 1;
                    if strengths[bit] == Strength::Unreachable {
                        owners[bit] = NONE;
                        retained[bit] = 0;
                    } else {
                        *owned |= 1 << bit;
                    }
                }
            });
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
