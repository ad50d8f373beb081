//! Places in words: the significant part of [`Places`](crate::places::Places), small and free of
//! the dump, so that it can be kept for the comparison with later dumps.

use std::collections::BTreeMap;

use crate::classes::CLASS_SLOTS;
use crate::collections::Role;
use crate::places::{Edge, Place, Places};

/// What leads to a place, in words.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Step {
    /// A class whose static fields are starts.
    Class,
    /// A root; what keeps it.
    Root(&'static str),
    /// Threads of this name, numbers blanked.
    Thread(String),
    /// The objects that wait for their finalizer.
    FinalizerQueue,
    Static(String),
    Field(String),
    Element,
    /// `Class.method`, empty when not known.
    Local(String),
    /// What holds the `ThreadLocal`: `Class.FIELD` or a class; empty when nothing does.
    ThreadLocal(String),
    OfClass,
}

/// One place.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) parent: usize,
    pub(crate) step: Step,
    pub(crate) class: String,
    pub(crate) role: Role,
    pub(crate) objects: u64,
    pub(crate) own_bytes: u64,
    /// With all places below.
    pub(crate) bytes: u64,
    pub(crate) retained: u64,
    pub(crate) linked: u64,
    /// Bytes that its heaviest object retains.
    pub(crate) largest: u64,
    /// Objects of its own with memory outside of the heap.
    pub(crate) native_owners: u64,
    /// Bytes of that memory: of its own objects, with all places below, of a single object.
    pub(crate) own_native: u64,
    pub(crate) native: u64,
    pub(crate) largest_native: u64,
    pub(crate) children: Vec<usize>,
    /// The heaviest object and the place's number in [`Places`]; of use only with that dump.
    pub(crate) heaviest: u32,
    pub(crate) place: u32,
}

impl Node {
    /// Bytes at and below the place, those outside of the heap included.
    pub(crate) fn all_bytes(&self) -> u64 {
        self.bytes.saturating_add(self.native)
    }
}

/// Places as a tree; node 0 is nowhere, and each node stands behind its parent.
#[derive(Clone, Debug, Default)]
pub(crate) struct PlaceTree {
    pub(crate) nodes: Vec<Node>,
}

/// Places kept at most: the largest.
const MAX_NODES: usize = 20_000;
/// Smaller places are not kept.
const LEAST_BYTES: u64 = 2048;

impl PlaceTree {
    pub(crate) fn new(places: &Places) -> PlaceTree {
        let size = |place: &Place| place.bytes.saturating_add(place.native);
        let mut sizes: Vec<u64> = places.places.iter().map(size).collect();
        sizes.sort_unstable_by(|a, b| b.cmp(a));
        // what lies below a place is no larger: a bound on the size keeps whole paths
        let least = sizes
            .get(MAX_NODES)
            .map_or(LEAST_BYTES, |size| (size + 1).max(LEAST_BYTES));
        let mut numbers = BTreeMap::new();
        let mut tree = PlaceTree::default();
        for (number, place) in places.places.iter().enumerate() {
            if number > 0 && size(place) < least {
                continue;
            }
            let parent = numbers.get(&place.parent).copied().unwrap_or(0);
            let node = tree.nodes.len();
            numbers.insert(number as u32, node);
            tree.nodes
                .push(Self::node(places, place, parent, number as u32));
            if node > 0 {
                tree.nodes[parent].children.push(node);
            }
        }
        tree
    }

    fn node(places: &Places, place: &Place, parent: usize, number: u32) -> Node {
        let text = |symbol| places.symbols.name(symbol).to_owned();
        Node {
            parent,
            step: match place.edge {
                Edge::Class => Step::Class,
                Edge::Root(kind) => Step::Root(kind.text()),
                Edge::Thread(name) => Step::Thread(text(name)),
                Edge::FinalizerQueue => Step::FinalizerQueue,
                Edge::Static(name) => Step::Static(text(name)),
                Edge::Field(name) => Step::Field(text(name)),
                Edge::Element => Step::Element,
                Edge::Local(method) => Step::Local(text(method)),
                Edge::ThreadLocal(name) => Step::ThreadLocal(text(name)),
                Edge::OfClass => Step::OfClass,
            },
            class: text(place.class),
            role: place.role,
            objects: place.objects,
            own_bytes: place.own_bytes,
            bytes: place.bytes,
            retained: place.retained,
            linked: place.linked,
            largest: place.heaviest.1,
            native_owners: place.native_owners,
            own_native: place.own_native,
            native: place.native,
            largest_native: place.largest_native,
            children: Vec::new(),
            heaviest: place.heaviest.0,
            place: number,
        }
    }

    /// A measure of each node, in their order.
    pub(crate) fn column(&self, of: impl Fn(&Node) -> u64) -> Vec<u64> {
        self.nodes.iter().map(of).collect()
    }

    /// What lies below a place, without the inner workings of collections.
    pub(crate) fn logical_children(&self, node: usize) -> Vec<usize> {
        let mut found = Vec::new();
        let mut todo = self.nodes[node].children.clone();
        while let Some(child) = todo.pop() {
            if self.nodes[child].role == Role::Inner {
                todo.extend(&self.nodes[child].children);
            } else {
                found.push(child);
            }
        }
        found.sort_unstable();
        found
    }

    /// Whether the place holds elements of its logical parent, and not a field's value.
    pub(crate) fn is_element(&self, node: usize) -> bool {
        self.nodes[node].step == Step::Element
            || self.nodes[self.nodes[node].parent].role == Role::Inner
    }

    /// The places from a root down to this one, itself included.
    pub(crate) fn path(&self, node: usize) -> Vec<usize> {
        let mut path: Vec<usize> = std::iter::successors(Some(node), |node| {
            (*node != 0).then(|| self.nodes[*node].parent)
        })
        .take_while(|node| *node != 0)
        .collect();
        path.reverse();
        path
    }

    /// For each node of this tree, the same place in another.
    pub(crate) fn align(&self, other: &PlaceTree) -> Vec<Option<usize>> {
        let keys: BTreeMap<(usize, &Step, &str), usize> = other
            .nodes
            .iter()
            .enumerate()
            .skip(1)
            .map(|(number, node)| ((node.parent, &node.step, node.class.as_str()), number))
            .collect();
        let mut aligned: Vec<Option<usize>> = Vec::with_capacity(self.nodes.len());
        for (number, node) in self.nodes.iter().enumerate() {
            let same = match number {
                0 => (!other.nodes.is_empty()).then_some(0),
                _ => aligned[node.parent].and_then(|parent| {
                    keys.get(&(parent, &node.step, node.class.as_str()))
                        .copied()
                }),
            };
            aligned.push(same);
        }
        aligned
    }
}

/// What the reference at this position of a class object's row is called.
pub(crate) fn class_slot_name(position: usize) -> &'static str {
    CLASS_SLOTS.get(position).copied().unwrap_or("<class>")
}
