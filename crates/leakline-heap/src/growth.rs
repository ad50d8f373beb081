//! What grew between dumps of one process.
//!
//! Places are aligned by their paths, so a place is the same in two dumps whatever its objects
//! are. Of an earlier dump only a [`HeapSummary`] is needed, so any number of dumps can be
//! compared. How sizes change is the business of `trend`; which places matter, of `suspects`.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use leakline_model::Timestamp;

use crate::collections::{Owner, owner, short_name};
use crate::graph::Heap;
use crate::heap_index::{Decoder, Encode, Encoder, encode_fields};
use crate::place_tree::{Node, PlaceTree, Step};
use crate::report::{GrowthKind, GrowthRate, GrowthRow, Per, SuspectGrowth, Totals};
use crate::suspects::{Limits, Measure, Pile, Wording, piles};
use crate::trend::{self, Point};

/// What later dumps of the same process are compared with: the sizes of the largest places of a
/// heap, at most 20,000 of 32 bytes each, and 8 bytes for each class of the program.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HeapSummary {
    taken_at: Option<Timestamp>,
    bytes: u64,
    /// Bytes that objects keep outside of the heap.
    native: u64,
    /// Ascending by path.
    places: Vec<PlaceSize>,
    classes: ProgramClasses,
}

/// The size of one place.
#[derive(Clone, Copy, Debug, PartialEq)]
struct PlaceSize {
    /// A hash of the steps from the root to the place, and of the classes on the way.
    path: u64,
    /// A hash of the name of its class.
    class: u64,
    objects: u64,
    /// Those outside of the heap included.
    bytes: u64,
}

encode_fields!(HeapSummary {
    taken_at,
    bytes,
    native,
    places,
    classes
});
encode_fields!(PlaceSize {
    path,
    class,
    objects,
    bytes
});

/// The classes of a heap that belong to the program, by which its process is known: without what
/// the runtime numbers anew in each run, as hashes of their names, ascending.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ProgramClasses(Vec<u64>);

impl Encode<'_> for ProgramClasses {
    fn encode<'s>(&'s self, to: &mut Encoder<'s>) {
        self.0.encode(to);
    }
    fn decode(from: &mut Decoder<'_>) -> Option<Self> {
        Encode::decode(from).map(ProgramClasses)
    }
}

/// A process keeps at least this share of its own classes loaded from one dump to the next.
const LEAST_SHARED_CLASSES: f64 = 0.5;

impl HeapSummary {
    pub(crate) fn new(heap: &Heap<'_>, totals: &Totals, tree: &PlaceTree) -> HeapSummary {
        let sizes = tree.nodes.iter().zip(path_hashes(tree));
        let mut places: Vec<PlaceSize> = sizes
            .map(|(node, path)| PlaceSize {
                path,
                class: hash(&[node.class.as_bytes()]),
                objects: node.objects,
                bytes: node.all_bytes(),
            })
            .collect();
        places.sort_unstable_by_key(|place| place.path);
        HeapSummary {
            taken_at: heap.facts().taken_at,
            bytes: totals.bytes,
            native: tree.nodes.first().map_or(0, |root| root.native),
            places,
            classes: ProgramClasses::of(heap),
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

    /// Bytes that it takes.
    pub fn memory(&self) -> usize {
        size_of_val(&*self.places) + size_of_val(&*self.classes.0) + size_of::<Self>()
    }

    /// With those that objects keep outside of the heap.
    fn all_bytes(&self) -> u64 {
        self.bytes.saturating_add(self.native)
    }

    /// Whether both are of one dump: taken at the same time, with the same in the same places.
    pub fn is_same_dump(&self, other: &HeapSummary) -> bool {
        self == other
    }

    /// See [`ProgramClasses::can_follow`].
    pub fn can_follow(&self, earlier: &HeapSummary) -> bool {
        self.classes.can_follow(&earlier.classes)
    }

    fn at(&self, path: u64) -> Option<&PlaceSize> {
        let found = self.places.binary_search_by_key(&path, |place| place.path);
        found.ok().and_then(|number| self.places.get(number))
    }
}

/// A hash of the path to each node, equal in all dumps.
fn path_hashes(tree: &PlaceTree) -> Vec<u64> {
    let mut hashes: Vec<u64> = Vec::with_capacity(tree.nodes.len());
    for node in &tree.nodes {
        let above = hashes.get(node.parent).copied().unwrap_or(0).to_le_bytes();
        let (kind, text): (u8, &str) = match &node.step {
            Step::Class => (0, ""),
            Step::Root(kind) => (1, kind),
            Step::Thread(name) => (2, name),
            Step::FinalizerQueue => (3, ""),
            Step::Static(name) => (4, name),
            Step::Field(name) => (5, name),
            Step::Element => (6, ""),
            Step::Local(method) => (7, method),
            Step::ThreadLocal(name) => (8, name),
            Step::OfClass => (9, ""),
        };
        let class = node.class.as_bytes();
        hashes.push(hash(&[&above, &[kind], text.as_bytes(), &[0], class]));
    }
    hashes
}

impl ProgramClasses {
    pub(crate) fn of(heap: &Heap<'_>) -> ProgramClasses {
        let mut classes: Vec<u64> = heap
            .classes
            .objects()
            .iter()
            .map(|(_, class)| heap.name(heap.classes.get(*class).name))
            .filter(|name| owner(name) == Owner::Application)
            .filter_map(|name| name.split("$$").next())
            .map(|name| hash(&[name.as_bytes()]))
            .collect();
        classes.sort_unstable();
        classes.dedup();
        ProgramClasses(classes)
    }

    /// Whether this can be a later state of the process that `earlier` shows. A process keeps
    /// nearly all classes that it has loaded, so a program whose classes are mostly gone is
    /// another one. Two runs of one program cannot be told apart.
    pub fn can_follow(&self, earlier: &ProgramClasses) -> bool {
        let kept = earlier.0.iter();
        let kept = kept.filter(|class| self.0.binary_search(class).is_ok());
        kept.count() as f64 >= earlier.0.len() as f64 * LEAST_SHARED_CLASSES
    }
}

/// FNV-1a, 64 bits.
fn hash(parts: &[&[u8]]) -> u64 {
    let bytes = parts.iter().copied().flatten();
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3)
    })
}

/// Rows at most.
const MAX_ROWS: usize = 100;
/// Gains below this are not looked at.
const LEAST_GAIN: u64 = 16 << 10;
/// Growth by this share of the heap is the least that counts as the whole of it: what moves in a
/// heap that hardly grows explains nothing.
const LEAST_HEAP_GAIN_SHARE: f64 = 0.05;
/// What explains less of the heap's growth did not grow to speak of.
const LEAST_PART: f64 = 0.1;
/// But this much did.
const LARGE_GAIN: u64 = 64 << 20;
/// Places that gain this part of what the largest does are its equals: where they make up most of
/// the heap's growth together, none of them is small.
const EQUAL_PART: f64 = 0.25;
/// What gained less than this part of its own size hardly grew.
const HARDLY: f64 = 0.1;
/// What had less than this part of its objects in the first dump is new.
const NEW_PART: f64 = 0.1;

/// The places of the last dump in all dumps.
pub(crate) struct History<'t> {
    tree: &'t PlaceTree,
    /// Whether the process is known to have warmed up before the first dump.
    warmed_up: bool,
    /// When the dumps were taken, in the unit of the rates.
    times: Vec<f64>,
    per: Per,
    /// By dump, oldest first, then by node of the tree.
    objects: Vec<Vec<u64>>,
    bytes: Vec<Vec<u64>>,
    /// What was gained from the first dump to the last, by node.
    gained_objects: Vec<u64>,
    gained_bytes: Vec<u64>,
    /// Bytes of the whole heap by dump. Here as there those outside of it are included.
    heap_bytes: Vec<u64>,
    /// Where things gained since the first dump, and how.
    gained: Vec<(Pile, SuspectGrowth)>,
    growth: HeapGrowth,
    losses: Vec<Loss>,
}

/// How much the heap grew, in bytes, and by what.
#[derive(Clone, Copy, Default)]
struct HeapGrowth {
    /// Without what fluctuates or has warmed up, which is not what a heap grows by.
    gain: f64,
    /// What a place must gain to speak of.
    least: f64,
    /// Gained by all places that gained so much and go on growing.
    together: f64,
}

impl HeapGrowth {
    fn new(heap_bytes: &[u64], gained: &[(Pile, SuspectGrowth)]) -> HeapGrowth {
        let (Some(&first), Some(&last)) = (heap_bytes.first(), heap_bytes.last()) else {
            return HeapGrowth::default();
        };
        let bytes = |goes_on: bool| {
            let places = gained.iter().map(|(_, growth)| growth);
            places
                .filter(move |growth| growth.kind.goes_on() == goes_on)
                .map(|growth| growth.gained_bytes() as f64)
        };
        let over: f64 = bytes(false).sum();
        let gain = (last.saturating_sub(first) as f64 - over)
            .max(last as f64 * LEAST_HEAP_GAIN_SHARE)
            .max(1.0);
        let equal = bytes(true).fold(0.0, f64::max) * EQUAL_PART;
        let equals: f64 = bytes(true).filter(|bytes| *bytes >= equal).sum();
        let least = match equals * 2.0 >= gain {
            true => equal.min(gain * LEAST_PART),
            false => gain * LEAST_PART,
        };
        let least = least.min(LARGE_GAIN as f64);
        HeapGrowth {
            gain,
            least,
            together: bytes(true).filter(|bytes| *bytes >= least).sum(),
        }
    }
}

/// Objects that were at a place in the first dump and are not there any more.
struct Loss {
    class: u64,
    objects: u64,
    /// The place, if it is left.
    node: Option<usize>,
}

impl<'t> History<'t> {
    /// `summaries` are of one process, oldest first; the last is that of the `tree`.
    pub(crate) fn new<'s>(
        summaries: impl Iterator<Item = &'s HeapSummary>,
        tree: &'t PlaceTree,
        warmed_up: bool,
    ) -> History<'t> {
        let summaries: Vec<&HeapSummary> = summaries.collect();
        let paths = path_hashes(tree);
        let columns = |of: fn(&PlaceSize) -> u64| -> Vec<Vec<u64>> {
            let column = |summary: &&HeapSummary| {
                let sizes = paths.iter().map(|path| summary.at(*path).map_or(0, of));
                sizes.collect()
            };
            summaries.iter().map(column).collect()
        };
        let objects = columns(|place| place.objects);
        let bytes = columns(|place| place.bytes);
        let (times, per) = times(&summaries);
        let mut history = History {
            tree,
            warmed_up,
            times,
            per,
            gained_objects: gains(&objects),
            gained_bytes: gains(&bytes),
            objects,
            bytes,
            heap_bytes: summaries
                .iter()
                .map(|summary| summary.all_bytes())
                .collect(),
            gained: Vec::new(),
            growth: HeapGrowth::default(),
            losses: losses(&summaries, &paths),
        };
        let with_growth = |pile: Pile| {
            let growth = history.of(&pile);
            (pile, growth)
        };
        history.gained = history
            .piles(LEAST_GAIN)
            .into_iter()
            .map(with_growth)
            .collect();
        history.growth = HeapGrowth::new(&history.heap_bytes, &history.gained);
        history
    }

    /// Places that gained since the first dump, as piles of what they gained.
    pub(crate) fn piles(&self, least_bytes: u64) -> Vec<Pile> {
        let measure = Measure {
            objects: self.gained_objects.clone(),
            bytes: self.gained_bytes.clone(),
            own: self.gained_by_themselves(),
            largest: Vec::new(),
        };
        piles(self.tree, &measure, &Limits::of_growth(least_bytes))
    }

    /// What the objects of each place gained, without what is below them.
    fn gained_by_themselves(&self) -> Vec<u64> {
        let gained = |node: usize| self.gained_bytes[node];
        let nodes = self.tree.nodes.iter().enumerate();
        nodes
            .map(|(number, node)| {
                let below: u64 = node.children.iter().map(|child| gained(*child)).sum();
                gained(number).saturating_sub(below)
            })
            .collect()
    }

    /// What grew, one row for each place where things pile up: first what goes on growing, by
    /// its rate, then what does not, by its gain.
    pub(crate) fn rows(&self) -> Vec<GrowthRow> {
        let mut gained: Vec<&(Pile, SuspectGrowth)> = self.gained.iter().collect();
        gained.sort_by(|(a, first), (b, second)| {
            let rate = |growth: &SuspectGrowth| match growth.kind.goes_on() {
                true => growth.rate.bytes,
                false => f64::NEG_INFINITY,
            };
            rate(second)
                .total_cmp(&rate(first))
                .then_with(|| second.gained_bytes().cmp(&first.gained_bytes()))
                .then_with(|| a.owner.cmp(&b.owner))
        });
        gained
            .into_iter()
            .take(MAX_ROWS)
            .map(|(pile, growth)| GrowthRow {
                path: Wording::of(self.tree, pile.owner, None).chain(),
                class: self.tree.nodes[pile.element].class.clone(),
                growth: growth.clone(),
            })
            .collect()
    }

    /// Bytes that a place gained since the first dump.
    pub(crate) fn gain(&self, node: usize) -> u64 {
        self.gained_bytes.get(node).copied().unwrap_or(0)
    }

    /// How one pile changed.
    pub(crate) fn of(&self, pile: &Pile) -> SuspectGrowth {
        let objects = match pile.is_mixed(self.tree) {
            true => self.series(&self.objects, &pile.elements),
            false => self.series(&self.objects, &[pile.element]),
        };
        let bytes = self.series(&self.bytes, &[pile.owner]);
        // the table of a collection grows in leaps; its elements tell how it is filled
        let content = self.points(&self.series(&self.bytes, &pile.elements));
        let trend = trend::trend(&content);
        let rate = |values: &[u64]| trend.rate(&self.points(values));
        SuspectGrowth {
            kind: trend.kind,
            rate: GrowthRate {
                objects: rate(&objects),
                bytes: rate(&bytes),
                per: self.per,
            },
            objects,
            bytes,
        }
    }

    fn series(&self, columns: &[Vec<u64>], nodes: &[usize]) -> Vec<u64> {
        let at = |column: &Vec<u64>| nodes.iter().filter_map(|node| column.get(*node)).sum();
        columns.iter().map(at).collect()
    }

    fn points(&self, values: &[u64]) -> Vec<Point> {
        let values = values.iter().map(|value| *value as f64);
        self.times.iter().copied().zip(values).collect()
    }

    /// The part of the heap's growth that this is, 0 to 1.
    pub(crate) fn part(&self, growth: &SuspectGrowth) -> f64 {
        (growth.gained_bytes() as f64 / self.growth.gain.max(1.0)).min(1.0)
    }

    /// The part that this is of the growth that it could explain, 0 to 1: of all; or, where it is
    /// seen to grow steadily, of what no other place explains, since several leaks do not excuse
    /// one another.
    pub(crate) fn explained(&self, growth: &SuspectGrowth) -> f64 {
        let gained = growth.gained_bytes() as f64;
        let is_sure = growth.kind == GrowthKind::Steady && self.grows(growth);
        let others = match is_sure {
            true => (self.growth.together - gained).max(0.0),
            false => 0.0,
        };
        let left = self.growth.gain - others;
        (gained / left.max(gained).max(1.0)).min(1.0)
    }

    /// Whether a place grows enough to speak of, and has not ceased to.
    pub(crate) fn grows(&self, growth: &SuspectGrowth) -> bool {
        growth.kind.goes_on() && growth.gained_bytes() as f64 >= self.growth.least
    }

    /// Whether a place that does not grow enough to speak of hardly grows for its own size either.
    pub(crate) fn hardly_grows(&self, growth: &SuspectGrowth) -> bool {
        let bytes = growth.bytes.last().copied().unwrap_or(0) as f64;
        !growth.kind.goes_on() || (growth.gained_bytes() as f64) < bytes * HARDLY
    }

    /// Why a place that may be large is none that grows.
    pub(crate) fn excuse(&self, growth: &SuspectGrowth) -> &'static str {
        match growth.kind {
            _ if growth.gained_bytes() == 0 => "it did not grow between the dumps",
            GrowthKind::WarmUp => {
                "it grew at first and hardly any more in the end, as what warms up does"
            }
            GrowthKind::Fluctuating => {
                "it rises and falls between the dumps, as caches and load do"
            }
            _ => "it hardly grew between the dumps",
        }
    }

    /// What speaks against the growth of a pile going on, and how much.
    pub(crate) fn doubts(&self, pile: &Pile, growth: &SuspectGrowth) -> Vec<(f64, String)> {
        let mut doubts = Vec::new();
        match (growth.kind, self.times.len()) {
            (GrowthKind::Recent, 2) if self.warmed_up => {}
            (GrowthKind::Recent, 2) => doubts.push((
                0.1,
                "two dumps cannot tell steady growth from warm-up; a third can".to_owned(),
            )),
            (GrowthKind::Recent, _) => doubts.push((
                0.15,
                "it grew between the last two dumps only, which may be warm-up".to_owned(),
            )),
            (GrowthKind::Stairs, _) => doubts.push((
                0.1,
                "it grew in steps, and not between all of the dumps".to_owned(),
            )),
            _ => {}
        }
        doubts.extend(self.moved(pile).map(|text| (0.3, text)));
        doubts
    }

    /// Where the objects of a new place probably were before: objects of the program that stood
    /// elsewhere and are gone from there.
    fn moved(&self, pile: &Pile) -> Option<String> {
        let element: &Node = self.tree.nodes.get(pile.element)?;
        let before = self.objects.first()?.get(pile.element)?;
        let gained = element.objects.saturating_sub(*before);
        if *before as f64 > element.objects as f64 * NEW_PART
            || owner(&element.class) == Owner::Platform
        {
            return None;
        }
        let class = hash(&[element.class.as_bytes()]);
        let of_class = self.losses.iter().filter(|loss| loss.class == class);
        let loss = of_class.max_by_key(|loss| (loss.objects, Reverse(loss.node)))?;
        (loss.objects >= gained / 2).then(|| {
            let place = loss.node.map(|node| Wording::of(self.tree, node, None));
            format!(
                "{} {} are gone from {}, so they may have moved and not been added",
                leakline_model::grouped(loss.objects),
                short_name(&element.class),
                place.map_or_else(|| "another place".to_owned(), |place| place.chain())
            )
        })
    }
}

/// By node, from the first column to the last.
fn gains(columns: &[Vec<u64>]) -> Vec<u64> {
    match (columns.first(), columns.last()) {
        (Some(first), Some(last)) => {
            let pairs = last.iter().zip(first);
            pairs
                .map(|(last, first)| last.saturating_sub(*first))
                .collect()
        }
        _ => Vec::new(),
    }
}

/// Minutes since the first dump; or the numbers of the dumps, where the times are not all known
/// or do not rise.
fn times(summaries: &[&HeapSummary]) -> (Vec<f64>, Per) {
    let known: Option<Vec<Timestamp>> = summaries.iter().map(|of| of.taken_at).collect();
    match known.as_deref() {
        Some(known @ [first, ..]) if known.is_sorted_by(|a, b| a < b) => {
            let minutes = known.iter().map(|time| time.seconds_since(*first) / 60.0);
            (minutes.collect(), Per::Minute)
        }
        _ => {
            let numbers = (0..summaries.len()).map(|number| number as f64);
            (numbers.collect(), Per::Dump)
        }
    }
}

/// What places have lost since the first dump.
fn losses(summaries: &[&HeapSummary], paths: &[u64]) -> Vec<Loss> {
    let (Some(first), Some(last)) = (summaries.first(), summaries.last()) else {
        return Vec::new();
    };
    let nodes: BTreeMap<u64, usize> = paths.iter().copied().zip(0..).collect();
    let loss = |before: &PlaceSize| {
        let left = last.at(before.path).map_or(0, |place| place.objects);
        (left < before.objects).then(|| Loss {
            class: before.class,
            objects: before.objects - left,
            node: nodes.get(&before.path).copied(),
        })
    };
    first.places.iter().filter_map(loss).collect()
}
