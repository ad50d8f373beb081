//! The shortest paths from roots to many objects, merged where they run alike.

use std::collections::{BTreeMap, VecDeque};

use super::{Filter, InspectError, Inspector, Rest};
use crate::graph::{EdgeName, NONE};
use crate::paths::local_name;
use crate::place_tree::class_slot_name;

/// How a set of objects is held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MergedPaths {
    /// Objects asked for.
    pub objects: u64,
    /// Bytes that they retain together, none counted twice.
    pub retained_bytes: u64,
    /// How many of them no path of references that hold leads to.
    pub without_path: u64,
    /// Where the paths begin, most objects first.
    pub roots: Vec<MergedPath>,
    /// Roots beside these.
    pub rest: Rest,
}

/// One step that paths have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MergedPath {
    /// For a root what keeps it (`system class`, `thread`), else the field, array slot or local
    /// variable that leads here.
    pub step: String,
    /// Class of the objects here; for a thread, with its name.
    pub class: String,
    /// One of them.
    pub object_id: u64,
    /// Objects here that paths lead through.
    pub through: u64,
    /// How many of the objects asked for these paths lead to.
    pub objects: u64,
    /// Bytes that those retain together.
    pub retained_bytes: u64,
    /// How many of the objects asked for are here themselves.
    pub here: u64,
    /// Next steps, most objects first.
    pub children: Vec<MergedPath>,
    /// Steps beside these; bytes are what the objects behind them retain.
    pub rest: Rest,
}

/// Longer paths end here: what lies deeper is counted at the last step.
const MAX_DEPTH: u32 = 64;
/// Steps at most; beyond them paths end earlier.
const MAX_STEPS: usize = 200_000;

/// What makes two steps the same: the texts of steps follow from it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    parent: u32,
    reference: Reference,
    to: To,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Reference {
    Root,
    Class,
    Named(EdgeName),
    Local(String),
}

/// Objects are merged by class; classes and roots stand for themselves.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum To {
    Class(u32),
    Object(u32),
}

/// A step while paths are merged.
struct Node {
    key: Key,
    depth: u32,
    object: u32,
    through: u64,
    here: u64,
    objects: u64,
    retained: u64,
}

impl<'a> Inspector<'_, 'a> {
    /// How the objects that match the filter are held: for each the shortest path from a root.
    /// The filter's limit holds for the roots, and for the steps behind each step.
    ///
    /// # Errors
    ///
    /// When no class matches.
    pub fn paths(&self, filter: &Filter) -> Result<MergedPaths, InspectError> {
        let objects = self.matching(filter)?;
        Ok(self.merge(&objects, filter.limit))
    }

    /// How one object is held.
    ///
    /// # Errors
    ///
    /// When there is no such object.
    pub fn path_to(&self, id: u64) -> Result<MergedPaths, InspectError> {
        Ok(self.merge(&[self.resolve(id)?], 1))
    }

    fn merge(&self, targets: &[u32], limit: usize) -> MergedPaths {
        let mut is_target = vec![false; self.heap.len()];
        for target in targets {
            is_target[*target as usize] = true;
        }
        let own = self.own_retained(&is_target);
        let (parent_of, order) = self.breadth_first();
        // which objects lie on a path: objects behind parents, so backwards
        let mut leads = is_target.clone();
        for &object in order.iter().rev() {
            let parent = parent_of[object as usize];
            if leads[object as usize] && parent != NONE {
                leads[parent as usize] = true;
            }
        }
        let mut merging = Merging {
            nodes: Vec::new(),
            numbers: BTreeMap::new(),
            node_of: vec![NONE; self.heap.len()],
        };
        let mut found = 0;
        for &object in &order {
            if !leads[object as usize] {
                continue;
            }
            if parent_of[object as usize] == NONE {
                merging.enter(NONE, object, Reference::Root, self.to(object, true));
            }
            let Some(node) = merging
                .nodes
                .get_mut(merging.node_of[object as usize] as usize)
            else {
                continue;
            };
            node.through += 1;
            if is_target[object as usize] {
                node.here += 1;
                node.objects += 1;
                node.retained += own(object);
                found += 1;
            }
            self.enter_children(object, &parent_of, &leads, &mut merging);
        }
        let (roots, rest) = merging.tree(self, limit);
        MergedPaths {
            objects: targets.len() as u64,
            retained_bytes: targets.iter().map(|target| own(*target)).sum(),
            without_path: targets.len() as u64 - found,
            roots,
            rest,
        }
    }

    /// Files the objects that paths reach from this one.
    fn enter_children(
        &self,
        object: u32,
        parent_of: &[u32],
        leads: &[bool],
        merging: &mut Merging,
    ) {
        let node = merging.node_of[object as usize];
        let mut enter = |target: u32, position: Option<usize>| {
            let is_next = target != NONE
                && leads[target as usize]
                && parent_of[target as usize] == object
                && merging.node_of[target as usize] == NONE;
            if is_next {
                let reference = self.reference(object, target, position);
                merging.enter(node, target, reference, self.to(target, false));
            }
        };
        enter(self.heap.class(object).object, None);
        for (position, &target) in self.heap.row(object).iter().enumerate() {
            enter(target, Some(position));
        }
    }

    fn reference(&self, from: u32, to: u32, position: Option<usize>) -> Reference {
        match position.map(|position| self.heap.edge_name(from, position)) {
            None => Reference::Class,
            Some(EdgeName::Local) => Reference::Local(local_name(self.heap, from, to)),
            Some(name) => Reference::Named(name),
        }
    }

    fn to(&self, object: u32, is_root: bool) -> To {
        let is_class = self.heap.classes.of_object(object).is_some();
        match is_class || is_root && self.heap.thread(object).is_some() {
            true => To::Object(object),
            false => To::Class(self.heap.class_number(object)),
        }
    }

    fn step_text(&self, node: &Node) -> String {
        match &node.key.reference {
            Reference::Root => {
                let roots = self.heap.roots();
                let root = roots.binary_search_by_key(&node.object, |root| root.object);
                let root = root.ok().and_then(|position| roots.get(position));
                root.map_or("root", |root| root.kind.text()).to_owned()
            }
            Reference::Class => "<class>".to_owned(),
            Reference::Local(text) => text.clone(),
            Reference::Named(EdgeName::Field(name) | EdgeName::Static(name)) => {
                self.heap.name(*name).to_owned()
            }
            Reference::Named(EdgeName::OfClass(position)) => class_slot_name(*position).to_owned(),
            Reference::Named(EdgeName::Element | EdgeName::Local) => "[]".to_owned(),
        }
    }

    fn class_text(&self, node: &Node) -> String {
        let class = self.heap.display_class(node.object);
        match self.heap.thread(node.object) {
            Some(thread) if To::Object(node.object) == node.key.to => {
                format!("{class} \"{}\"", thread.name)
            }
            _ => class,
        }
    }

    /// What each target retains, nothing for those that another one dominates.
    fn own_retained(&self, is_target: &[bool]) -> impl Fn(u32) -> u64 + use<'_, 'a> {
        let mut is_covered = vec![false; self.heap.len()];
        for object in self.in_dominator_order() {
            let above = self.dominator(object);
            if above != NONE {
                is_covered[object as usize] =
                    is_covered[above as usize] || is_target[above as usize];
            }
        }
        move |object| match is_covered[object as usize] {
            true => 0,
            false => self.retained(object),
        }
    }

    /// A breadth-first search over references that hold: parents, and objects in order.
    fn breadth_first(&self) -> (Vec<u32>, Vec<u32>) {
        let heap = self.heap;
        let mut parent_of = vec![NONE; heap.len()];
        let mut seen = vec![false; heap.len()];
        let mut order = Vec::new();
        let mut queue = VecDeque::new();
        let mut roots = heap.roots().to_vec();
        // static fields explain more than other roots of the same distance
        roots.sort_by_key(|root| (root.kind, root.object));
        for root in roots {
            if !std::mem::replace(&mut seen[root.object as usize], true) {
                queue.push_back(root.object);
            }
        }
        while let Some(next) = queue.pop_front() {
            order.push(next);
            heap.each_strong_reference(next, |target| {
                if !std::mem::replace(&mut seen[target as usize], true) {
                    parent_of[target as usize] = next;
                    queue.push_back(target);
                }
            });
        }
        (parent_of, order)
    }
}

/// Steps as they are found.
struct Merging {
    nodes: Vec<Node>,
    numbers: BTreeMap<Key, u32>,
    /// By object.
    node_of: Vec<u32>,
}

impl Merging {
    fn enter(&mut self, parent: u32, object: u32, reference: Reference, to: To) {
        let above = self.nodes.get(parent as usize);
        let depth = above.map_or(0, |node| node.depth + 1);
        // the links of a list are one step, and nothing goes on forever
        let repeats =
            above.is_some_and(|node| node.key.reference == reference && node.key.to == to);
        let ends = depth > MAX_DEPTH || self.nodes.len() >= MAX_STEPS;
        if parent != NONE && (repeats || ends) {
            self.node_of[object as usize] = parent;
            return;
        }
        let key = Key {
            parent,
            reference,
            to,
        };
        let next = self.nodes.len() as u32;
        let number = *self.numbers.entry(key.clone()).or_insert(next);
        if number == next {
            self.nodes.push(Node {
                key,
                depth,
                object,
                through: 0,
                here: 0,
                objects: 0,
                retained: 0,
            });
        }
        self.node_of[object as usize] = number;
    }

    fn tree(mut self, inspector: &Inspector<'_, '_>, limit: usize) -> (Vec<MergedPath>, Rest) {
        // children stand behind their parents
        for number in (0..self.nodes.len()).rev() {
            let node = &self.nodes[number];
            let (objects, retained, parent) = (node.objects, node.retained, node.key.parent);
            if let Some(parent) = self.nodes.get_mut(parent as usize) {
                parent.objects += objects;
                parent.retained += retained;
            }
        }
        let mut children: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for (number, node) in self.nodes.iter().enumerate() {
            children
                .entry(node.key.parent)
                .or_default()
                .push(number as u32);
        }
        self.level(NONE, &children, inspector, limit)
    }

    /// Recursion ends at [`MAX_DEPTH`].
    fn level(
        &self,
        parent: u32,
        children: &BTreeMap<u32, Vec<u32>>,
        inspector: &Inspector<'_, '_>,
        limit: usize,
    ) -> (Vec<MergedPath>, Rest) {
        let mut numbers = children.get(&parent).cloned().unwrap_or_default();
        numbers.sort_by_key(|number| {
            let node = &self.nodes[*number as usize];
            (std::cmp::Reverse((node.objects, node.retained)), *number)
        });
        let left_out = numbers.split_off(numbers.len().min(limit));
        let rest = Rest {
            rows: left_out.len() as u64,
            bytes: left_out
                .iter()
                .map(|number| self.nodes[*number as usize].retained)
                .sum(),
        };
        let paths = numbers
            .into_iter()
            .map(|number| {
                let node = &self.nodes[number as usize];
                let (below, rest) = self.level(number, children, inspector, limit);
                MergedPath {
                    step: inspector.step_text(node),
                    class: inspector.class_text(node),
                    object_id: inspector.heap.id(node.object),
                    through: node.through,
                    objects: node.objects,
                    retained_bytes: node.retained,
                    here: node.here,
                    children: below,
                    rest,
                }
            })
            .collect();
        (paths, rest)
    }
}
