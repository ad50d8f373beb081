//! From the graph to the report.

use crate::graph::Heap;
use crate::growth::{HeapSummary, History};
use crate::load::{Phase, Progress};
use crate::native::Native;
use crate::place_tree::PlaceTree;
use crate::places::Places;
use crate::reachability::Strength;
use crate::report::{
    DominatorRow, GrowthRow, HeapReport, LocalRow, NativeHolder, NativeMemory, ThreadRow, Totals,
};
use crate::retention::Retention;
use crate::suspects::{self, Wording};
use crate::waste::waste;

/// How to analyse a heap.
#[derive(Clone, Copy)]
pub struct AnalyzeOptions<'o> {
    /// Earlier dumps of the same process, oldest first: then what grew ranks before what is
    /// merely large.
    pub earlier: &'o [HeapSummary],
    /// Whether it is known, from metrics say, that the process had warmed up before the first
    /// dump: then what two dumps show is growth.
    pub warmed_up: bool,
    /// Rows of [`HeapReport::dominators`] at most.
    pub dominators: usize,
    /// Rows of [`HeapReport::threads`] at most.
    pub threads: usize,
    /// Told how far the work is.
    pub progress: Option<Progress<'o>>,
}

impl Default for AnalyzeOptions<'_> {
    fn default() -> Self {
        AnalyzeOptions {
            earlier: &[],
            warmed_up: false,
            dominators: 100,
            threads: 1000,
            progress: None,
        }
    }
}

/// What was found in a dump.
#[derive(Clone, Debug)]
pub struct Analysis {
    /// The findings.
    pub report: HeapReport,
    /// What grew since the earlier dumps: first what goes on growing, fastest first. Empty without
    /// any.
    pub growth: Vec<GrowthRow>,
    /// What to keep of this dump for the comparison with later ones: a megabyte at most, however
    /// large the dump.
    pub summary: HeapSummary,
}

/// Analyses a heap: who holds its memory, and what probably leaks.
///
/// Memory, besides the heap's own: 13 bytes per object, and more for objects that several others
/// refer to (see the crate's `retention` module).
pub fn analyze(heap: &Heap<'_>, options: &AnalyzeOptions<'_>) -> Analysis {
    let progress = |phase: Phase, part: f32| {
        if let Some(progress) = options.progress {
            progress(phase, part);
        }
    };
    progress(Phase::Retain, 0.0);
    let retention = heap.retention(&|part| progress(Phase::Retain, part));
    progress(Phase::Report, 0.0);
    let Native { owners, memory } = Native::of(heap, &retention.strengths);
    let ((totals, histogram), places) = rayon::join(
        || (*heap.totals(), heap.histogram().to_vec()),
        || {
            let told = |part| progress(Phase::Report, 0.8 * part);
            Places::of(heap, retention, &owners, &told)
        },
    );
    let tree = PlaceTree::new(&places);
    let summary = HeapSummary::new(heap, &totals, &tree);
    let compared = || options.earlier.iter().chain([&summary]);
    let history =
        (!options.earlier.is_empty()).then(|| History::new(compared(), &tree, options.warmed_up));
    let waste = waste(heap, retention, &places);
    let found = suspects::find(
        heap,
        retention,
        &places,
        &waste,
        &tree,
        history.as_ref(),
        &totals,
    );
    progress(Phase::Report, 0.9);
    let report = HeapReport {
        dump: heap.facts().clone(),
        totals,
        native: NativeMemory {
            holders: native_holders(&tree),
            ..memory
        },
        waste: waste.report(&places, totals.bytes),
        suspects: found.suspects,
        not_growing: found.not_growing,
        reachable_bytes: compared().map(HeapSummary::bytes).collect(),
        compared: compared().map(HeapSummary::taken_at).collect(),
        comparison_problems: Vec::new(),
        histogram,
        dominators: dominators(heap, retention, options.dominators),
        threads: threads(heap, retention, options.threads),
    };
    progress(Phase::Report, 1.0);
    Analysis {
        report,
        growth: history.map_or_else(Vec::new, |history| history.rows()),
        summary,
    }
}

pub(crate) fn totals(heap: &Heap<'_>, retention: &Retention) -> Totals {
    let mut totals = Totals {
        classes: heap
            .classes
            .objects()
            .iter()
            .filter(|(object, _)| retention.strengths[*object as usize] != Strength::Unreachable)
            .count() as u64,
        gc_roots: heap.roots().len() as u64,
        ..Totals::default()
    };
    for (object, strength) in retention.strengths.iter().enumerate() {
        let bytes = heap.shallow(object as u32);
        let (count, sum) = match strength {
            Strength::Unreachable => (
                &mut totals.unreachable_objects,
                &mut totals.unreachable_bytes,
            ),
            _ => (&mut totals.objects, &mut totals.bytes),
        };
        *count += 1;
        *sum += bytes;
        match strength {
            Strength::Soft => totals.soft_only_bytes += bytes,
            Strength::Final => totals.finalizer_only_bytes += bytes,
            Strength::Weak => totals.weak_only_bytes += bytes,
            Strength::Phantom => totals.phantom_only_bytes += bytes,
            Strength::Strong | Strength::Unreachable => {}
        }
    }
    totals
}

/// Places shown that hold native memory.
const NATIVE_HOLDERS: usize = 100;

fn native_holders(tree: &PlaceTree) -> Vec<NativeHolder> {
    let numbers = 0..tree.nodes.len();
    let mut nodes: Vec<usize> = numbers
        .filter(|node| tree.nodes[*node].own_native > 0)
        .collect();
    nodes.sort_by_key(|node| (std::cmp::Reverse(tree.nodes[*node].own_native), *node));
    nodes.truncate(NATIVE_HOLDERS);
    nodes
        .into_iter()
        .map(|node| NativeHolder {
            path: Wording::of(tree, node, None).chain(),
            class: tree.nodes[node].class.clone(),
            objects: tree.nodes[node].native_owners,
            bytes: tree.nodes[node].own_native,
        })
        .collect()
}

fn dominators(heap: &Heap<'_>, retention: &Retention, rows: usize) -> Vec<DominatorRow> {
    let mut top: Vec<u32> = retention.top_level().collect();
    let by_size = |object: &u32| (std::cmp::Reverse(retention.bytes(*object)), *object);
    if top.len() > rows && rows > 0 {
        top.select_nth_unstable_by_key(rows - 1, by_size);
    }
    top.truncate(rows);
    top.sort_unstable_by_key(by_size);
    top.into_iter()
        .map(|object| DominatorRow {
            object_id: heap.id(object),
            class: heap.display_class(object),
            shallow_bytes: heap.shallow(object),
            retained_bytes: retention.bytes(object),
        })
        .collect()
}

/// Local variables shown of a thread.
const LOCALS: usize = 10;

fn threads(heap: &Heap<'_>, retention: &Retention, rows: usize) -> Vec<ThreadRow> {
    let retained = |object: u32| retention.bytes(object);
    let mut threads: Vec<&crate::roots::Thread> = heap.threads().iter().collect();
    threads.sort_by_key(|thread| (std::cmp::Reverse(retained(thread.object)), thread.object));
    threads.truncate(rows);
    threads
        .into_iter()
        .map(|thread| {
            let mut locals = thread.locals.clone();
            locals.sort_by_key(|local| (std::cmp::Reverse(retained(local.object)), *local));
            locals.dedup_by_key(|local| local.object);
            ThreadRow {
                name: thread.name.clone(),
                retained_bytes: retained(thread.object),
                frames: thread.frames.iter().map(ToString::to_string).collect(),
                locals: locals
                    .into_iter()
                    .filter(|local| local.object != thread.object)
                    .take(LOCALS)
                    .map(|local| LocalRow {
                        frame: local.frame,
                        class: heap.display_class(local.object),
                        retained_bytes: retained(local.object),
                    })
                    .collect(),
            }
        })
        .collect()
}
