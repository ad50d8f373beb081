//! Places in words: the significant part of [`Places`](crate::places::Places), small and free of
//! the dump, so that it can be kept for the comparison with later dumps.

use std::collections::BTreeMap;

use crate::classes::CLASS_SLOTS;
use crate::collections::{Owner, Role, owner};
use crate::places::{Edge, Place, Places};
use crate::report::Pattern;

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
    /// What holds the `ThreadLocal`: `Class.FIELD`, or its own class and a dot; empty when nothing
    /// does.
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
    /// How many places are taken together here; 1 but in a tree of kinds.
    pub(crate) alike: usize,
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
            alike: 1,
        }
    }

    /// The same places, those of the program's classes that are small taken together where they
    /// differ by class alone: sixty services with a list each become one place, `Service1.audits`
    /// and 59 alike. Of places taken together, the first by name gives the name.
    pub(crate) fn of_kinds(&self, least_bytes: u64) -> PlaceTree {
        let mut kinds = PlaceTree::default();
        let mut todo = vec![(0, vec![0])];
        while let Some((parent, alike)) = todo.pop() {
            if self.nodes.is_empty() {
                break;
            }
            let node = kinds.nodes.len();
            kinds.nodes.push(self.together(&alike, parent));
            if node > 0 {
                kinds.nodes[parent].children.push(node);
            }
            let mut children: BTreeMap<(&Step, &str, Role), Vec<usize>> = BTreeMap::new();
            for child in alike.iter().flat_map(|node| &self.nodes[*node].children) {
                let place = &self.nodes[*child];
                let class = match is_of_kind(place, least_bytes) {
                    true => "",
                    false => &place.class,
                };
                children
                    .entry((&place.step, class, place.role))
                    .or_default()
                    .push(*child);
            }
            todo.extend(children.into_values().map(|alike| (node, alike)));
        }
        kinds
    }

    fn together(&self, alike: &[usize], parent: usize) -> Node {
        let first = alike
            .iter()
            .copied()
            .min_by_key(|node| (&self.nodes[*node].class, *node))
            .unwrap_or(0);
        let sum = |of: fn(&Node) -> u64| alike.iter().map(|node| of(&self.nodes[*node])).sum();
        let mut classes: Vec<&str> = alike
            .iter()
            .map(|node| self.nodes[*node].class.as_str())
            .collect();
        classes.sort_unstable();
        classes.dedup();
        Node {
            parent,
            objects: sum(|node| node.objects),
            own_bytes: sum(|node| node.own_bytes),
            bytes: sum(|node| node.bytes),
            retained: sum(|node| node.retained),
            linked: sum(|node| node.linked),
            own_native: sum(|node| node.own_native),
            native: sum(|node| node.native),
            children: Vec::new(),
            alike: classes.len(),
            ..self.nodes[first].clone()
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

    /// What kind of container the place is; arrays in another container belong to that.
    pub(crate) fn container(&self, node: usize) -> Option<Pattern> {
        let Role::Container(own) = self.nodes[node].role else {
            return None;
        };
        let mut above = self.nodes[node].parent;
        while own == Pattern::Array && above != 0 {
            match self.nodes[above].role {
                Role::Container(Pattern::Array) | Role::Inner => above = self.nodes[above].parent,
                Role::Container(pattern) => return Some(pattern),
                Role::Plain => break,
            }
        }
        Some(own)
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
}

/// Whether a place is one of many that only differ by their class: small, and of the program.
fn is_of_kind(place: &Node, least_bytes: u64) -> bool {
    let is_filed_by_class = matches!(place.step, Step::Class | Step::Element | Step::Field(_));
    let class = place.class.strip_prefix("class ").unwrap_or(&place.class);
    is_filed_by_class
        && place.all_bytes() < least_bytes
        && place.role == Role::Plain
        && owner(class) == Owner::Application
}

/// What the reference at this position of a class object's row is called.
pub(crate) fn class_slot_name(position: usize) -> &'static str {
    CLASS_SLOTS.get(position).copied().unwrap_or("<class>")
}
