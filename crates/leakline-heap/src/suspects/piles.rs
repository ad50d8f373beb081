//! Where things pile up: the places whose elements are many more than their holders.
//!
//! The bytes of a heap are followed from the roots down the tree of places. A container whose
//! elements outnumber it, alike among themselves and making up most of its bytes, is where they
//! pile up. If deeper inside there is a place where the numbers rise even more (300 tenants with
//! a hundred thousand sessions), that one says more. Where bytes split, each part is followed, so
//! that several leaks under one class come out as several piles.

use crate::collections::{Owner, Role, is_generated, owner};
use crate::place_tree::{PlaceTree, Step};

/// The sizes that count, by node of a tree: bytes of the heap, bytes outside of it, or what was
/// gained since an earlier dump.
pub(crate) struct Measure {
    pub(crate) objects: Vec<u64>,
    /// At and below the node.
    pub(crate) bytes: Vec<u64>,
    /// Of the node's own objects. Empty when it does not count that a single one is large, as it
    /// does not for what was gained.
    pub(crate) own: Vec<u64>,
    /// Of the largest object of the node; likewise.
    pub(crate) largest: Vec<u64>,
}

impl Measure {
    pub(crate) fn heap(tree: &PlaceTree) -> Measure {
        Measure {
            objects: tree.column(|node| node.objects),
            bytes: tree.column(|node| node.bytes),
            own: tree.column(|node| node.own_bytes),
            largest: tree.column(|node| node.largest),
        }
    }

    pub(crate) fn native(tree: &PlaceTree) -> Measure {
        Measure {
            objects: tree.column(|node| node.objects),
            bytes: tree.column(|node| node.native),
            own: tree.column(|node| node.own_native),
            largest: tree.column(|node| node.largest_native),
        }
    }
}

/// What makes a pile.
pub(crate) struct Limits {
    pub(crate) least_bytes: u64,
    pub(crate) least_objects: u64,
    /// Elements for each holder.
    pub(crate) least_ratio: u64,
    /// Bytes of a single object that is a pile of its own.
    pub(crate) least_single: u64,
}

impl Limits {
    pub(crate) fn of_size(least_bytes: u64) -> Limits {
        Limits {
            least_bytes,
            least_objects: 16,
            least_ratio: 8,
            least_single: least_bytes.saturating_mul(4).max(8 << 20),
        }
    }

    /// Growth is evidence of its own: fewer objects do.
    pub(crate) fn of_growth(least_bytes: u64) -> Limits {
        Limits {
            least_bytes,
            least_objects: 4,
            least_ratio: 1,
            least_single: least_bytes.max(1 << 20),
        }
    }
}

/// How the elements of a pile are held.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum PileKind {
    /// By a container.
    Elements,
    /// By each other.
    Linked,
    /// One or a few by each of many threads.
    Threads,
    /// By many variables of one thread that go by one name: those of a recursion, thread-locals
    /// of code that was loaded again and again, thread-locals that are gone.
    Variables,
    /// By the queue of the finalizer.
    Finalizers,
    /// Each by a root of its own.
    Roots,
    /// One large object.
    Single,
}

/// Things that pile up at one place.
#[derive(Clone, Debug)]
pub(crate) struct Pile {
    pub(crate) kind: PileKind,
    /// The place that holds them.
    pub(crate) owner: usize,
    /// The place that says best what they are.
    pub(crate) element: usize,
    /// The places of all of them: several where they are of several classes.
    pub(crate) elements: Vec<usize>,
    /// Bytes at and below the owner, in the given measure.
    pub(crate) bytes: u64,
    /// Elements for each holder: how sharply the numbers rise here.
    ratio: u64,
}

impl Pile {
    /// All elements of the container, of whatever class.
    pub(crate) fn objects(&self, tree: &PlaceTree) -> u64 {
        let places = self.elements.iter();
        places.map(|place| tree.nodes[*place].objects).sum()
    }

    /// Whether no class has half of the elements.
    pub(crate) fn is_mixed(&self, tree: &PlaceTree) -> bool {
        let counts = || self.elements.iter().map(|place| tree.nodes[*place].objects);
        counts().max().unwrap_or(0) * 2 < counts().sum() || tree.nodes[self.element].alike > 1
    }

    /// Of how many classes the elements are.
    pub(crate) fn classes(&self, tree: &PlaceTree) -> usize {
        let places = self.elements.iter();
        places.map(|place| tree.nodes[*place].alike.max(1)).sum()
    }
}

/// All piles of a tree.
pub(crate) fn piles(tree: &PlaceTree, measure: &Measure, limits: &Limits) -> Vec<Pile> {
    let search = Search {
        tree,
        measure,
        limits,
    };
    let mut found = Vec::new();
    let mut todo = vec![0];
    while let Some(node) = todo.pop() {
        if tree.nodes.is_empty() || search.bytes(node) < limits.least_bytes {
            continue;
        }
        let children = tree.logical_children(node);
        let Some(own) = search.pile_at(node) else {
            let single = search.single(node);
            found.extend(single);
            todo.extend(children);
            continue;
        };
        // fields of the holder that are no elements may hold piles of their own
        if own.kind == PileKind::Elements {
            todo.extend(children.iter().filter(|child| !tree.is_element(**child)));
        }
        found.push(search.sharpest_below(own, children));
    }
    found.sort_by_key(|pile| (std::cmp::Reverse(pile.bytes), pile.owner));
    found
}

struct Search<'s> {
    tree: &'s PlaceTree,
    measure: &'s Measure,
    limits: &'s Limits,
}

impl Search<'_> {
    fn bytes(&self, node: usize) -> u64 {
        self.measure.bytes.get(node).copied().unwrap_or(0)
    }

    fn objects(&self, node: usize) -> u64 {
        self.measure.objects.get(node).copied().unwrap_or(0)
    }

    fn largest(&self, node: usize) -> u64 {
        self.measure.largest.get(node).copied().unwrap_or(0)
    }

    /// The pile at this very place, if there is one.
    fn pile_at(&self, node: usize) -> Option<Pile> {
        let place = &self.tree.nodes[node];
        if node == 0 {
            return None;
        }
        let pile = |kind, element, ratio| {
            Some(Pile {
                kind,
                owner: node,
                element,
                elements: vec![element],
                bytes: self.bytes(node),
                ratio,
            })
        };
        let many = self.objects(node) >= self.limits.least_objects;
        match place.step {
            Step::Thread(_) if many => {
                let heaviest = self.heaviest(&self.tree.logical_children(node));
                let element = heaviest
                    .filter(|child| self.bytes(*child) * 2 >= self.bytes(node))
                    .map_or(node, |child| self.content(child));
                return pile(PileKind::Threads, element, self.objects(node));
            }
            Step::FinalizerQueue if many => {
                return pile(PileKind::Finalizers, node, self.objects(node));
            }
            _ => {}
        }
        if many && place.linked * 2 >= place.objects {
            let holders = self.tree.nodes[place.parent].objects.max(1);
            let ratio = self.objects(node) / holders;
            if ratio >= self.limits.least_ratio {
                return pile(PileKind::Linked, self.telling(node), ratio);
            }
        }
        if many && matches!(place.step, Step::Local(_) | Step::ThreadLocal(_)) {
            let ratio = self.objects(node) / self.threads_of(node);
            if ratio >= self.limits.least_ratio {
                return pile(PileKind::Variables, self.telling(node), ratio);
            }
        }
        let is_root = matches!(self.tree.nodes[self.outermost(node)].step, Step::Root(_));
        let roots = || {
            (is_root && many && self.objects(node) >= self.limits.least_ratio)
                .then(|| self.telling(node))
                .and_then(|element| pile(PileKind::Roots, element, self.objects(node)))
        };
        let Role::Container(_) = place.role else {
            return roots();
        };
        let elements: Vec<usize> = self
            .tree
            .logical_children(node)
            .into_iter()
            .filter(|child| self.tree.is_element(*child))
            .collect();
        let Some(heaviest) = self.heaviest(&elements) else {
            return roots();
        };
        let bytes: u64 = elements.iter().map(|child| self.bytes(*child)).sum();
        let objects: u64 = elements.iter().map(|child| self.objects(*child)).sum();
        let largest = elements
            .iter()
            .map(|child| self.largest(*child))
            .max()
            .unwrap_or(0);
        let uniform = largest.saturating_mul(2) <= bytes;
        let ratio = objects / place.objects.max(1);
        let piled = objects >= self.limits.least_objects
            && ratio >= self.limits.least_ratio
            && bytes * 2 >= self.bytes(node)
            && uniform;
        if !piled {
            return roots();
        }
        let found = pile(PileKind::Elements, self.telling(heaviest), ratio)?;
        Some(Pile {
            elements: self.of_one_kind(heaviest, elements),
            ..found
        })
    }

    /// The elements that are held as this one is: the values of a map, and not its keys.
    fn of_one_kind(&self, element: usize, mut elements: Vec<usize>) -> Vec<usize> {
        let held = |element: usize| {
            let place = &self.tree.nodes[element];
            (place.parent, &place.step)
        };
        elements.retain(|other| held(*other) == held(element));
        elements
    }

    /// How many threads a path begins with.
    fn threads_of(&self, node: usize) -> u64 {
        let first = self.tree.path(node).first().copied().unwrap_or(0);
        self.tree.nodes[first].objects.max(1)
    }

    /// The outermost of the inner workings of collections around a place, or itself. Where roots are
    /// lost, the nodes of a map are what nothing refers to.
    fn outermost(&self, node: usize) -> usize {
        let parent = |node: &usize| {
            let parent = self.tree.nodes[*node].parent;
            (parent != 0 && self.tree.nodes[parent].role == Role::Inner).then_some(parent)
        };
        std::iter::successors(Some(node), parent)
            .last()
            .unwrap_or(node)
    }

    /// A pile further down that holds most of these bytes, if the numbers rise more there.
    fn sharpest_below(&self, own: Pile, mut children: Vec<usize>) -> Pile {
        let bytes = own.bytes;
        let mut sharpest = own;
        while let Some(child) = self.heaviest(&children) {
            let below = self.bytes(child);
            // redeployed code: its class loaders matter, not what its static fields hold
            if below * 2 < bytes || self.tree.nodes[child].step == Step::OfClass {
                break;
            }
            // that a map holds lists says little: what is in the lists is the question
            let vague = matches!(self.tree.nodes[sharpest.element].role, Role::Container(_));
            if let Some(pile) = self.pile_at(child)
                && (pile.ratio > sharpest.ratio || vague)
            {
                sharpest = pile;
            }
            children = self.tree.logical_children(child);
        }
        sharpest
    }

    fn heaviest(&self, nodes: &[usize]) -> Option<usize> {
        nodes
            .iter()
            .copied()
            .max_by_key(|node| (self.bytes(*node), std::cmp::Reverse(*node)))
    }

    /// From a collection down to what is in it, if that is most of it.
    fn content(&self, node: usize) -> usize {
        let mut content = node;
        while matches!(self.tree.nodes[content].role, Role::Container(_)) {
            let children = self.tree.logical_children(content);
            match self.heaviest(&children) {
                Some(next) if self.bytes(next) * 2 >= self.bytes(node) => content = next,
                _ => return node,
            }
        }
        content
    }

    /// From the elements of a container down to the class that says what they are: past wrappers
    /// that only lead to one other object each, and past what is made for a single call.
    fn telling(&self, element: usize) -> usize {
        let tree = self.tree;
        let mut chain = vec![element];
        let mut last = element;
        while let Some(next) = self.heaviest(&tree.logical_children(last)) {
            let (above, below) = (tree.nodes[element].objects, tree.nodes[next].objects);
            let one_each = below * 2 >= above && below <= above * 2;
            // whose class it is, is another question than what it is
            let of_class = tree.nodes[next].step == Step::OfClass;
            if !one_each || of_class || self.bytes(next) * 2 < self.bytes(element) {
                break;
            }
            chain.push(next);
            last = next;
        }
        let most = chain.iter().map(|node| tree.nodes[*node].retained).max();
        let retains = |node: &usize| most.is_none_or(|most| tree.nodes[*node].retained * 2 >= most);
        let of = |wanted: Owner, generated: bool| {
            let named = |node: &&usize| {
                let class = &tree.nodes[**node].class;
                owner(class) == wanted && is_generated(class) == generated
            };
            chain
                .iter()
                .find(|node| named(node) && retains(node))
                .or_else(|| chain.iter().find(named))
        };
        of(Owner::Application, false)
            .or_else(|| of(Owner::Application, true))
            .or_else(|| of(Owner::Library, false))
            .copied()
            .unwrap_or_else(|| self.content(element))
    }

    /// One object that is large by itself, or that grew.
    fn single(&self, node: usize) -> Option<Pile> {
        let own = self.measure.own.get(node).copied().unwrap_or(0);
        let objects = self.tree.nodes[node].objects.max(1);
        (node != 0 && own / objects >= self.limits.least_single).then(|| Pile {
            kind: PileKind::Single,
            owner: node,
            element: node,
            elements: vec![node],
            bytes: self.bytes(node),
            ratio: 1,
        })
    }
}
