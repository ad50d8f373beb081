//! Paths from GC roots, step by step with field names.

use std::collections::VecDeque;

use crate::collections::owner;
use crate::graph::{EdgeName, Heap, NONE};
use crate::place_tree::class_slot_name;
use crate::report::PathStep;

/// Longest path that is written out; of longer ones the beginning and the end.
const MAX_STEPS: usize = 64;

/// The objects from a start to this one, following parents up.
pub(crate) fn chain(object: u32, parent_of: impl Fn(u32) -> u32) -> Vec<u32> {
    let mut chain: Vec<u32> = std::iter::successors(Some(object), |object| {
        Some(parent_of(*object)).filter(|parent| *parent != NONE)
    })
    .collect();
    chain.reverse();
    if chain.len() > MAX_STEPS {
        chain.drain(MAX_STEPS / 2..chain.len() - MAX_STEPS / 2);
    }
    chain
}

/// A chain of objects with the names of the references between them. Where the chain was cut the
/// field is `…`.
pub(crate) fn steps(heap: &Heap<'_>, chain: &[u32]) -> Vec<PathStep> {
    chain
        .iter()
        .enumerate()
        .map(|(number, &object)| PathStep {
            class: heap.display_class(object),
            field: chain
                .get(number + 1)
                .map(|next| reference_name(heap, object, *next)),
            object_id: heap.id(object),
        })
        .collect()
}

/// What the reference from one object to another is called.
pub(crate) fn reference_name(heap: &Heap<'_>, from: u32, to: u32) -> String {
    let Some(position) = heap.row(from).iter().position(|target| *target == to) else {
        let class = heap.class(from).object;
        return if class == to { "<class>" } else { "…" }.to_owned();
    };
    match heap.edge_name(from, position) {
        EdgeName::Field(name) | EdgeName::Static(name) => heap.name(name).to_owned(),
        EdgeName::Element => "[]".to_owned(),
        EdgeName::OfClass(position) => class_slot_name(position).to_owned(),
        EdgeName::Local => local_name(heap, from, to),
    }
}

/// The frame of the application is named if several refer to the object.
pub(crate) fn local_name(heap: &Heap<'_>, thread: u32, object: u32) -> String {
    heap.thread(thread)
        .into_iter()
        .flat_map(|thread| {
            let locals = thread.locals.iter().filter(|local| local.object == object);
            locals.filter_map(|local| thread.frames.get(local.frame? as usize))
        })
        .min_by_key(|frame| std::cmp::Reverse(owner(&frame.class)))
        .map_or_else(
            || "<local variable>".to_owned(),
            |frame| format!("<local variable of {}.{}>", frame.class, frame.method),
        )
}

impl Heap<'_> {
    /// The shortest path from a GC root to an object, over references that hold it; empty when
    /// there is none. Static fields of rooted classes are preferred to other roots of the same
    /// distance, because they explain more. Memory: 4 bytes per object while it runs.
    pub fn path_from_root(&self, object: u32) -> Vec<PathStep> {
        if object as usize >= self.len() {
            return Vec::new();
        }
        let mut parent_of = vec![NONE; self.len()];
        let mut seen = vec![false; self.len()];
        let mut queue = VecDeque::new();
        let mut roots: Vec<_> = self.roots().to_vec();
        roots.sort_by_key(|root| (root.kind, root.object));
        for root in roots {
            if !std::mem::replace(&mut seen[root.object as usize], true) {
                queue.push_back(root.object);
            }
        }
        while let Some(next) = queue.pop_front() {
            if next == object {
                return steps(self, &chain(object, |object| parent_of[object as usize]));
            }
            self.each_strong_reference(next, |target| {
                if !std::mem::replace(&mut seen[target as usize], true) {
                    parent_of[target as usize] = next;
                    queue.push_back(target);
                }
            });
        }
        Vec::new()
    }
}
