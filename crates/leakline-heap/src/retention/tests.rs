//! Against the definitions, on small random graphs.

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
        object.is_multiple_of(2) && self.row(object).is_empty() && self.class_edge(object) == NONE
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
        let retention = Retention::of(&graph, &Bits::new(graph.len()), &|_| ());
        let strengths = graph.strengths();
        prop_assert_eq!(&retention.strengths[..], &strengths[..]);
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
        let retention = Retention::of(&graph, &Bits::new(graph.len()), &|_| ());
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
