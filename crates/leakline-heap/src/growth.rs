//! What grew between dumps of one process.
//!
//! Places are aligned by their paths, so a place is the same in two dumps whatever its objects
//! are. Of an earlier dump only a [`HeapSummary`] is needed.

use leakline_model::Timestamp;

use crate::collections::{Owner, owner};
use crate::graph::Heap;
use crate::heap_index::encode_fields;
use crate::place_tree::PlaceTree;
use crate::places::Places;
use crate::report::{GrowthRow, SuspectGrowth, Totals};
use crate::suspects::{Limits, Measure, Pile, Wording, piles};

/// What later dumps of the same process are compared with: the largest places of a heap, at most
/// 20,000.
#[derive(Clone, Debug, Default)]
pub struct HeapSummary {
    pub(crate) taken_at: Option<Timestamp>,
    pub(crate) bytes: u64,
    pub(crate) tree: PlaceTree,
    /// The program's own classes, by a hash of their names, ascending.
    classes: Vec<u64>,
}

encode_fields!(HeapSummary {
    taken_at,
    bytes,
    tree,
    classes
});

/// A process keeps at least this share of its own classes loaded from one dump to the next.
const LEAST_SHARED_CLASSES: f64 = 0.5;

impl HeapSummary {
    pub(crate) fn new(heap: &Heap<'_>, totals: &Totals, places: &Places) -> HeapSummary {
        HeapSummary {
            taken_at: heap.facts().taken_at,
            bytes: totals.bytes,
            tree: PlaceTree::new(places),
            classes: own_classes(heap),
        }
    }

    /// When the dump was taken.
    pub fn taken_at(&self) -> Option<Timestamp> {
        self.taken_at
    }

    /// Bytes of all reachable objects.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether both are of one dump: taken at the same time, with the same in the same places.
    pub fn is_same_dump(&self, other: &HeapSummary) -> bool {
        let places = |summary: &'_ HeapSummary| -> Vec<(u64, u64)> {
            let nodes = summary.tree.nodes.iter();
            nodes.map(|node| (node.objects, node.bytes)).collect()
        };
        self.taken_at == other.taken_at
            && self.bytes == other.bytes
            && self.classes == other.classes
            && places(self) == places(other)
    }

    /// Whether this can be a later state of the process that `earlier` shows. A process keeps
    /// nearly all classes that it has loaded, so a program whose classes are mostly gone is
    /// another one. Two runs of one program cannot be told apart.
    pub fn can_follow(&self, earlier: &HeapSummary) -> bool {
        let kept = earlier
            .classes
            .iter()
            .filter(|class| self.classes.binary_search(class).is_ok())
            .count();
        kept as f64 >= earlier.classes.len() as f64 * LEAST_SHARED_CLASSES
    }
}

/// The classes of a heap that belong to the program, without what the runtime numbers anew in
/// each run.
fn own_classes(heap: &Heap<'_>) -> Vec<u64> {
    let mut classes: Vec<u64> = heap
        .classes
        .objects()
        .iter()
        .map(|(_, class)| heap.name(heap.classes.get(*class).name))
        .filter(|name| owner(name) == Owner::Application)
        .filter_map(|name| name.split("$$").next())
        .map(fnv1a)
        .collect();
    classes.sort_unstable();
    classes.dedup();
    classes
}

fn fnv1a(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    })
}

/// Rows at most.
const MAX_ROWS: usize = 100;
/// Gains below this are not listed.
const LEAST_GAIN: u64 = 16 << 10;

/// What grew from the first to the last dump, most gained bytes first. Summaries are of one
/// process, oldest first; fewer than two give no rows.
///
/// A row stands for the place where things pile up, not for every class on the way there.
pub fn growth(summaries: &[HeapSummary]) -> Vec<GrowthRow> {
    let Some((last, earlier)) = summaries.split_last() else {
        return Vec::new();
    };
    let history = History::new(earlier, last);
    history.rows(last)
}

/// Sizes of the last dump's places in all dumps.
pub(crate) struct History {
    /// By dump, oldest first, then by node of the last dump's tree.
    objects: Vec<Vec<u64>>,
    bytes: Vec<Vec<u64>>,
    /// Bytes of the whole heap by dump.
    heap_bytes: Vec<u64>,
    taken_at: Vec<Option<Timestamp>>,
}

impl History {
    pub(crate) fn new(earlier: &[HeapSummary], last: &HeapSummary) -> History {
        let mut history = History {
            objects: Vec::new(),
            bytes: Vec::new(),
            heap_bytes: Vec::new(),
            taken_at: Vec::new(),
        };
        for summary in earlier.iter().chain([last]) {
            let aligned = last.tree.align(&summary.tree);
            let column = |of: fn(&crate::place_tree::Node) -> u64| -> Vec<u64> {
                aligned
                    .iter()
                    .map(|node| {
                        node.and_then(|node| summary.tree.nodes.get(node))
                            .map_or(0, of)
                    })
                    .collect()
            };
            history.objects.push(column(|node| node.objects));
            history.bytes.push(column(|node| node.bytes));
            history.heap_bytes.push(summary.bytes);
            history.taken_at.push(summary.taken_at);
        }
        history
    }

    /// Bytes that the whole heap gained since the first dump.
    pub(crate) fn heap_gain(&self) -> u64 {
        match (self.heap_bytes.first(), self.heap_bytes.last()) {
            (Some(first), Some(last)) => last.saturating_sub(*first),
            _ => 0,
        }
    }

    /// Places that gained since the first dump, as piles of what they gained.
    pub(crate) fn piles(&self, tree: &PlaceTree, least_bytes: u64) -> Vec<Pile> {
        if self.objects.len() < 2 {
            return Vec::new();
        }
        let gained = |columns: &[Vec<u64>]| -> Vec<u64> {
            match (columns.first(), columns.last()) {
                (Some(first), Some(last)) => last
                    .iter()
                    .zip(first)
                    .map(|(last, first)| last.saturating_sub(*first))
                    .collect(),
                _ => Vec::new(),
            }
        };
        let (objects, bytes) = (gained(&self.objects), gained(&self.bytes));
        let measure = Measure {
            objects: &objects,
            bytes: &bytes,
            gained: true,
        };
        piles(tree, &measure, &Limits::of_growth(least_bytes))
    }

    pub(crate) fn rows(&self, last: &HeapSummary) -> Vec<GrowthRow> {
        let mut piles = self.piles(&last.tree, LEAST_GAIN);
        piles.sort_by_key(|pile| (std::cmp::Reverse(pile.bytes), pile.owner));
        piles
            .into_iter()
            .take(MAX_ROWS)
            .map(|pile| {
                let growth = self.of(&pile);
                GrowthRow {
                    path: Wording::of(&last.tree, pile.owner, None).chain(),
                    class: last.tree.nodes[pile.element].class.clone(),
                    objects: growth.objects,
                    bytes: growth.bytes,
                }
            })
            .collect()
    }

    /// How one pile changed.
    pub(crate) fn of(&self, pile: &Pile) -> SuspectGrowth {
        let column = |columns: &[Vec<u64>], node: usize| -> Vec<u64> {
            columns
                .iter()
                .map(|column| column.get(node).copied().unwrap_or(0))
                .collect()
        };
        let objects = column(&self.objects, pile.element);
        let minutes = match (self.taken_at.first(), self.taken_at.last()) {
            (Some(Some(first)), Some(Some(last))) => last.seconds_since(*first) / 60.0,
            _ => 0.0,
        };
        let gained = match (objects.first(), objects.last()) {
            (Some(first), Some(last)) => *last as f64 - *first as f64,
            _ => 0.0,
        };
        SuspectGrowth {
            objects_per_minute: (minutes > 0.0).then(|| gained / minutes),
            objects,
            bytes: column(&self.bytes, pile.place()),
        }
    }
}
