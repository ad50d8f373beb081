//! Immediate dominators of a graph that has been searched depth first.
//!
//! SEMI-NCA (Georgiadis, *Linear-Time Algorithms for Dominators and Related Problems*, 2005):
//! near-linear on heaps, where the iterative algorithm of Cooper, Harvey and Kennedy needs a pass
//! per link of a long chain. Nothing here recurses.
//!
//! Vertices are named by their depth-first number, from 1; 0 is the virtual root, from which the
//! search began. Memory: 24 bytes per vertex and 12 per edge while it runs.

/// A search: its tree, and all other edges between the vertices it met.
#[derive(Default)]
pub(crate) struct DepthFirst {
    /// Parent of each number; the first entry stands for the virtual root.
    pub(crate) parents: Vec<u32>,
    /// Edges that are not in the tree, from and to; those of the tree do no harm.
    pub(crate) edges: Vec<(u32, u32)>,
}

/// The immediate dominator of each number, which is always less.
pub(crate) fn immediate_dominators(search: DepthFirst) -> Vec<u32> {
    let predecessors = Predecessors::of(search.edges, search.parents.len());
    let mut dominator = search.parents;
    let mut ancestor = dominator.clone();
    let mut semi: Vec<u32> = (0..dominator.len() as u32).collect();
    let mut label = semi.clone();
    let mut path = Vec::new();
    for w in (1..dominator.len()).rev() {
        let mut least = dominator[w];
        for &v in predecessors.of_number(w) {
            let best = evaluate(v, w as u32, &mut ancestor, &mut label, &semi, &mut path);
            least = least.min(semi[best as usize]);
        }
        semi[w] = least;
    }
    // nearest common ancestor of the parent and the semidominator, in preorder
    for w in 1..dominator.len() {
        let mut candidate = dominator[w];
        while candidate > semi[w] {
            candidate = dominator[candidate as usize];
        }
        dominator[w] = candidate;
    }
    dominator
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

/// Predecessors in compressed sparse rows.
struct Predecessors {
    /// Where each row ends, once all are filled.
    ends: Vec<usize>,
    numbers: Vec<u32>,
}

impl Predecessors {
    fn of(edges: Vec<(u32, u32)>, vertices: usize) -> Predecessors {
        let mut ends = vec![0usize; vertices + 1];
        for (_, to) in &edges {
            ends[*to as usize + 1] += 1;
        }
        let mut sum = 0;
        for end in &mut ends {
            sum += *end;
            *end = sum;
        }
        // each counter runs from the start of its row to its end
        let mut numbers = vec![0u32; edges.len()];
        for (from, to) in edges {
            let next = &mut ends[to as usize];
            numbers[*next] = from;
            *next += 1;
        }
        Predecessors { ends, numbers }
    }

    fn of_number(&self, number: usize) -> &[u32] {
        let start = number.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.numbers[start..self.ends[number]]
    }
}
