//! Dominator tree and retained sizes.
//!
//! An object dominates another when every path from the roots to the other passes through it;
//! its retained size is the size of everything it dominates: what the collector could free if
//! the object went away. The tree is computed by SEMI-NCA (Georgiadis, *Linear-Time Algorithms
//! for Dominators and Related Problems*, 2005): near-linear on heaps, where the iterative
//! algorithm of Cooper, Harvey and Kennedy needs a pass per link of a long chain. Nothing here
//! recurses.
//!
//! Memory while it runs: 24 bytes per reachable object and 4 per reference, besides the result.

use crate::graph::NONE;

/// A graph with roots, as the algorithm needs it.
pub(crate) trait RootedGraph {
    /// Number of vertices.
    fn len(&self) -> usize;
    /// The roots, in a fixed order; repetitions do no harm.
    fn roots(&self, visit: &mut dyn FnMut(u32));
    /// The successors of a vertex, in a fixed order; repetitions do no harm.
    fn successors(&self, vertex: u32, visit: impl FnMut(u32));
}

/// Immediate dominators. The parent of a top-level object is the virtual root, written [`NONE`];
/// objects that no root reaches have no place in the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DominatorTree {
    /// The immediate dominator of each object; [`NONE`] for top-level and unreachable objects.
    pub(crate) immediate: Vec<u32>,
    /// Reachable objects, each after its dominator.
    pub(crate) order: Vec<u32>,
}

impl DominatorTree {
    pub(crate) fn of(graph: &impl RootedGraph) -> DominatorTree {
        let search = DepthFirst::of(graph);
        let count = search.vertices.len();
        let predecessors = Predecessors::of(graph, &search);

        // All arrays below are by depth-first number; number 0 is the virtual root.
        let mut ancestor = search.parents.clone();
        let mut dominator = search.parents;
        let mut semi: Vec<u32> = (0..=count as u32).collect();
        let mut label = semi.clone();
        let mut path = Vec::new();
        for w in (1..=count).rev() {
            let mut least = dominator[w];
            for &v in predecessors.of_number(w) {
                let best = evaluate(v, w as u32, &mut ancestor, &mut label, &semi, &mut path);
                least = least.min(semi[best as usize]);
            }
            semi[w] = least;
            label[w] = w as u32;
        }
        // nearest common ancestor of the parent and the semidominator, in preorder
        for w in 1..=count {
            let mut candidate = dominator[w];
            while candidate > semi[w] {
                candidate = dominator[candidate as usize];
            }
            dominator[w] = candidate;
        }

        let mut immediate = vec![NONE; graph.len()];
        for w in 1..=count {
            if let Some(above) = (dominator[w] as usize).checked_sub(1) {
                immediate[search.vertices[w - 1] as usize] = search.vertices[above];
            }
        }
        DominatorTree {
            immediate,
            order: search.vertices,
        }
    }

    /// Walks the tree depth first; `visit` learns of each object when it is entered and left.
    /// Memory: 12 bytes per object.
    pub(crate) fn walk(&self, mut visit: impl FnMut(u32, bool)) {
        // children as linked lists: the first of each object, and the next of each child
        let mut first = vec![NONE; self.immediate.len()];
        let mut next = vec![NONE; self.immediate.len()];
        let mut top = NONE;
        for &object in self.order.iter().rev() {
            let head = match self.immediate[object as usize] {
                NONE => &mut top,
                above => &mut first[above as usize],
            };
            next[object as usize] = std::mem::replace(head, object);
        }
        let mut open: Vec<u32> = Vec::new();
        let mut current = top;
        loop {
            if current != NONE {
                visit(current, true);
                open.push(current);
                current = first[current as usize];
            } else if let Some(done) = open.pop() {
                visit(done, false);
                current = next[done as usize];
            } else {
                return;
            }
        }
    }

    /// Retained size of each object, from its shallow size; 0 for unreachable objects.
    pub(crate) fn retained(&self, shallow: impl Fn(u32) -> u64) -> Vec<u64> {
        let mut retained = vec![0u64; self.immediate.len()];
        for &object in self.order.iter().rev() {
            let size = retained[object as usize].saturating_add(shallow(object));
            retained[object as usize] = size;
            let above = self.immediate[object as usize];
            if above != NONE {
                let above = &mut retained[above as usize];
                *above = above.saturating_add(size);
            }
        }
        retained
    }
}

/// The vertex with the least semidominator on the path from `v` up to the already linked part,
/// compressing that path. Vertices with numbers above `last` are linked.
fn evaluate(
    v: u32,
    last: u32,
    ancestor: &mut [u32],
    label: &mut [u32],
    semi: &[u32],
    path: &mut Vec<u32>,
) -> u32 {
    if v <= last {
        return v;
    }
    let mut top = v;
    while ancestor[top as usize] > last {
        path.push(top);
        top = ancestor[top as usize];
    }
    let mut upper = top;
    while let Some(vertex) = path.pop() {
        let (above, own) = (label[upper as usize], label[vertex as usize]);
        if semi[above as usize] < semi[own as usize] {
            label[vertex as usize] = above;
        }
        ancestor[vertex as usize] = ancestor[upper as usize];
        upper = vertex;
    }
    label[v as usize]
}

/// A depth-first search from the virtual root. Numbers start at 1; 0 is the virtual root.
struct DepthFirst {
    /// Vertex of each number, less one.
    vertices: Vec<u32>,
    /// Parent of each number, by number; the first entry stands for the virtual root.
    parents: Vec<u32>,
    /// Number of each vertex; 0 when it is unreachable.
    numbers: Vec<u32>,
}

impl DepthFirst {
    /// Visits in an order in which every vertex follows its parent and, because a vertex is
    /// numbered when it is taken from the stack, in true depth-first order. The stack holds
    /// edges, at most one for each reference.
    fn of(graph: &impl RootedGraph) -> DepthFirst {
        let mut search = DepthFirst {
            vertices: Vec::new(),
            parents: vec![0],
            numbers: vec![0; graph.len()],
        };
        let mut stack: Vec<(u32, u32)> = Vec::new();
        let mut roots = Vec::new();
        graph.roots(&mut |root| roots.push(root));
        for root in roots {
            stack.push((root, 0));
            while let Some((vertex, parent)) = stack.pop() {
                if search.numbers[vertex as usize] != 0 {
                    continue;
                }
                search.vertices.push(vertex);
                search.parents.push(parent);
                let number = search.vertices.len() as u32;
                search.numbers[vertex as usize] = number;
                graph.successors(vertex, |next| {
                    if search.numbers[next as usize] == 0 {
                        stack.push((next, number));
                    }
                });
            }
        }
        search
    }
}

/// Predecessors in compressed sparse rows, by depth-first number. Edges from the virtual root
/// are among them, because a root's dominator is the virtual root whatever else refers to it.
struct Predecessors {
    offsets: Vec<u64>,
    numbers: Vec<u32>,
}

impl Predecessors {
    fn of(graph: &impl RootedGraph, search: &DepthFirst) -> Predecessors {
        let count = search.vertices.len();
        let mut offsets = vec![0u64; count + 2];
        let each_edge = |visit: &mut dyn FnMut(u32, u32)| {
            graph.roots(&mut |root| visit(0, search.numbers[root as usize]));
            for (position, &vertex) in search.vertices.iter().enumerate() {
                let from = position as u32 + 1;
                graph.successors(vertex, |next| visit(from, search.numbers[next as usize]));
            }
        };
        each_edge(&mut |_, to| offsets[to as usize + 1] += 1);
        for number in 1..offsets.len() {
            offsets[number] += offsets[number - 1];
        }
        let mut numbers = vec![0u32; offsets.last().map_or(0, |end| *end as usize)];
        let mut cursor = offsets.clone();
        each_edge(&mut |from, to| {
            let slot = &mut cursor[to as usize];
            numbers[*slot as usize] = from;
            *slot += 1;
        });
        Predecessors { offsets, numbers }
    }

    fn of_number(&self, number: usize) -> &[u32] {
        &self.numbers[self.offsets[number] as usize..self.offsets[number + 1] as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Debug)]
    struct Small {
        roots: Vec<u32>,
        edges: Vec<Vec<u32>>,
    }

    impl RootedGraph for Small {
        fn len(&self) -> usize {
            self.edges.len()
        }
        fn roots(&self, visit: &mut dyn FnMut(u32)) {
            self.roots.iter().for_each(|root| visit(*root));
        }
        fn successors(&self, vertex: u32, visit: impl FnMut(u32)) {
            self.edges[vertex as usize].iter().copied().for_each(visit);
        }
    }

    impl Small {
        fn reachable_without(&self, removed: Option<u32>) -> Vec<bool> {
            let mut seen = vec![false; self.edges.len()];
            let mut todo: Vec<u32> = self.roots.clone();
            while let Some(vertex) = todo.pop() {
                if Some(vertex) == removed || std::mem::replace(&mut seen[vertex as usize], true) {
                    continue;
                }
                todo.extend(&self.edges[vertex as usize]);
            }
            seen
        }
    }

    fn small_graph() -> impl Strategy<Value = Small> {
        (1usize..24).prop_flat_map(|n| {
            let vertex = 0..n as u32;
            (
                prop::collection::vec(vertex.clone(), 0..4),
                prop::collection::vec(prop::collection::vec(vertex, 0..4), n),
            )
                .prop_map(|(roots, edges)| Small { roots, edges })
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        /// By definition: removing a vertex makes exactly what it dominates unreachable.
        #[test]
        fn agrees_with_the_definition(graph in small_graph()) {
            let tree = DominatorTree::of(&graph);
            let retained = tree.retained(|vertex| u64::from(vertex) + 1);
            let reachable = graph.reachable_without(None);
            prop_assert_eq!(tree.order.len(), reachable.iter().filter(|seen| **seen).count());
            for vertex in 0..graph.len() as u32 {
                let without = graph.reachable_without(Some(vertex));
                let expected: u64 = (0..graph.len())
                    .filter(|other| reachable[*other] && !without[*other])
                    .map(|other| other as u64 + 1)
                    .sum();
                let expected = if reachable[vertex as usize] { expected } else { 0 };
                prop_assert_eq!(retained[vertex as usize], expected, "vertex {}", vertex);
            }
        }
    }

    #[test]
    fn a_chain_of_a_million_is_no_problem() {
        struct Chain(u32);
        impl RootedGraph for Chain {
            fn len(&self) -> usize {
                self.0 as usize
            }
            fn roots(&self, visit: &mut dyn FnMut(u32)) {
                visit(0);
            }
            fn successors(&self, vertex: u32, mut visit: impl FnMut(u32)) {
                // forwards and backwards, as in a doubly linked list
                if vertex + 1 < self.0 {
                    visit(vertex + 1);
                }
                if vertex > 0 {
                    visit(vertex - 1);
                }
            }
        }
        let tree = DominatorTree::of(&Chain(1_000_000));
        let retained = tree.retained(|_| 16);
        assert_eq!(retained[0], 16_000_000);
        assert_eq!(retained[999_999], 16);
        assert_eq!(tree.immediate[500_000], 499_999);
    }
}
