//! How strongly each object is held.
//!
//! An object is as strongly reachable as the weakest reference on the strongest path to it
//! (package documentation of `java.lang.ref`). The levels are searched one after the other, each
//! from the referents that the stronger levels met, so that every object is visited once.
//!
//! Objects that wait for their finalizer are held by `java.lang.ref.Finalizer`, a
//! `FinalReference`: the collector cannot free them before the finalizer has run, so they come
//! before weak ones.

use crate::graph::{Heap, NONE};
use crate::heap_index::encode_variants;

/// How strongly an object is held, strongest first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
#[repr(u8)]
pub enum Strength {
    /// The collector never frees it.
    Strong,
    /// Freed when memory runs short.
    Soft,
    /// Freed after its finalizer ran.
    Final,
    /// Freed by the next collection.
    Weak,
    /// Freed already, but for the notice to a queue.
    Phantom,
    /// Held by nothing.
    Unreachable,
}

impl Strength {
    /// By number.
    pub(crate) const ALL: [Strength; 6] = [
        Strength::Strong,
        Strength::Soft,
        Strength::Final,
        Strength::Weak,
        Strength::Phantom,
        Strength::Unreachable,
    ];
    pub(crate) const WEAKER: [Strength; 4] = [
        Strength::Soft,
        Strength::Final,
        Strength::Weak,
        Strength::Phantom,
    ];
}

encode_variants!(Strength {
    Strong,
    Soft,
    Final,
    Weak,
    Phantom,
    Unreachable
});

/// The strength of every object.
pub(crate) fn strengths(heap: &Heap<'_>) -> Vec<Strength> {
    let mut search = Search {
        heap,
        strengths: vec![Strength::Unreachable; heap.len()],
        stack: Vec::new(),
        waiting: Default::default(),
    };
    for root in heap.roots() {
        search.reach(root.object, Strength::Strong);
    }
    for level in Strength::WEAKER {
        for referent in std::mem::take(&mut search.waiting[level as usize]) {
            search.reach(referent, level);
        }
    }
    search.strengths
}

struct Search<'h, 'a> {
    heap: &'h Heap<'a>,
    strengths: Vec<Strength>,
    stack: Vec<u32>,
    /// Referents met so far, by how strongly their references hold them.
    waiting: [Vec<u32>; 5],
}

impl Search<'_, '_> {
    /// Marks everything that `start` holds, following references at least as strong as `level`.
    fn reach(&mut self, start: u32, level: Strength) {
        if self.strengths[start as usize] != Strength::Unreachable {
            return;
        }
        self.strengths[start as usize] = level;
        self.stack.push(start);
        while let Some(object) = self.stack.pop() {
            let referent = self.heap.referent(object);
            if let Some((strength, target)) = referent
                && strength > level
            {
                self.waiting[strength as usize].push(target);
            }
            let follows_all = referent.is_none_or(|(strength, _)| strength <= level);
            let (strengths, stack) = (&mut self.strengths, &mut self.stack);
            let mut visit = |target: u32| {
                if strengths[target as usize] == Strength::Unreachable {
                    strengths[target as usize] = level;
                    stack.push(target);
                }
            };
            if follows_all {
                self.heap.each_reference(object, &mut visit);
            } else {
                self.heap.each_strong_reference(object, &mut visit);
            }
        }
    }
}

/// Objects that keep everything which no root reaches: one of each group of objects that refer
/// to each other and that nothing else refers to (the source components of the unreached part).
/// Stands in for the roots of a dump that was cut off before they were written.
pub(crate) fn stand_in_roots(heap: &Heap<'_>, reached: &[Strength]) -> Vec<u32> {
    // Kosaraju: in reverse postorder a source component is met before what it leads to
    let mut seen: Vec<bool> = reached
        .iter()
        .map(|strength| *strength != Strength::Unreachable)
        .collect();
    let mut covered = seen.clone();
    let mut postorder = Vec::new();
    let mut stack: Vec<(u32, bool)> = Vec::new();
    for start in 0..heap.len() as u32 {
        stack.push((start, false));
        while let Some((object, done)) = stack.pop() {
            if done {
                postorder.push(object);
            } else if !std::mem::replace(&mut seen[object as usize], true) {
                stack.push((object, true));
                heap.each_reference(object, |target| {
                    if !seen[target as usize] {
                        stack.push((target, false));
                    }
                });
            }
        }
    }
    let mut roots = Vec::new();
    let mut todo = Vec::new();
    for &object in postorder.iter().rev() {
        if covered[object as usize] {
            continue;
        }
        roots.push(object);
        todo.push(object);
        while let Some(object) = todo.pop() {
            if !std::mem::replace(&mut covered[object as usize], true) {
                heap.each_reference(object, |target| {
                    if target != NONE && !covered[target as usize] {
                        todo.push(target);
                    }
                });
            }
        }
    }
    roots
}
