//! From the graph to the report.

use crate::dominators::{DominatorTree, RootedGraph};
use crate::graph::{Heap, NONE};
use crate::growth::HeapSummary;
use crate::load::{Phase, Progress};
use crate::places::Places;
use crate::reachability::{self, Strength};
use crate::report::{ClassRow, DominatorRow, GrowthRow, HeapReport, LocalRow, ThreadRow, Totals};
use crate::suspects;
use crate::symbols::Symbol;

/// What each object is held by, and what it holds.
pub(crate) struct Retention {
    pub(crate) strengths: Vec<Strength>,
    /// Objects that only a soft, weak, final or phantom reference holds: where the less strongly
    /// held parts of the heap begin.
    pub(crate) weak_entries: Vec<u32>,
    /// One tree for each strength, side by side: a reference counts when both ends are held
    /// equally.
    pub(crate) tree: DominatorTree,
    pub(crate) retained: Vec<u64>,
}

struct Held<'h, 'a> {
    heap: &'h Heap<'a>,
    strengths: &'h [Strength],
    weak_entries: &'h [u32],
}

impl RootedGraph for Held<'_, '_> {
    fn len(&self) -> usize {
        self.heap.len()
    }

    fn roots(&self, visit: &mut dyn FnMut(u32)) {
        self.heap.roots().iter().for_each(|root| visit(root.object));
        self.weak_entries.iter().for_each(|object| visit(*object));
    }

    fn successors(&self, vertex: u32, mut visit: impl FnMut(u32)) {
        let strength = self.strengths[vertex as usize];
        let equal = |target: u32| {
            if self.strengths[target as usize] == strength {
                visit(target);
            }
        };
        match self.heap.referent(vertex) {
            Some((weakened, _)) if weakened > strength => {
                self.heap.each_strong_reference(vertex, equal);
            }
            _ => self.heap.each_reference(vertex, equal),
        }
    }
}

impl Retention {
    pub(crate) fn of(heap: &Heap<'_>) -> Retention {
        let strengths = reachability::strengths(heap);
        let mut weak_entries: Vec<u32> = (0..heap.len() as u32)
            .filter(|object| strengths[*object as usize] != Strength::Unreachable)
            .filter_map(|object| {
                let (_, target) = heap.referent(object)?;
                (strengths[target as usize] > strengths[object as usize]).then_some(target)
            })
            .collect();
        weak_entries.sort_unstable();
        weak_entries.dedup();
        let tree = DominatorTree::of(&Held {
            heap,
            strengths: &strengths,
            weak_entries: &weak_entries,
        });
        let retained = tree.retained(|object| heap.shallow(object));
        Retention {
            strengths,
            weak_entries,
            tree,
            retained,
        }
    }
}

/// How to analyse a heap.
#[derive(Clone, Copy)]
pub struct AnalyzeOptions<'o> {
    /// Earlier dumps of the same process, oldest first: then what grew ranks before what is
    /// merely large.
    pub earlier: &'o [HeapSummary],
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
    /// What grew since the earlier dumps, most gained bytes first; empty without any.
    pub growth: Vec<GrowthRow>,
    /// What to keep of this dump for the comparison with later ones: a megabyte or two, however
    /// large the dump.
    pub summary: HeapSummary,
}

/// Analyses a heap: who holds its memory, and what probably leaks.
///
/// Memory, besides the heap's own: up to 60 bytes per object while it runs.
pub fn analyze(heap: &Heap<'_>, options: &AnalyzeOptions<'_>) -> Analysis {
    let progress = |phase: Phase, part: f32| {
        if let Some(progress) = options.progress {
            progress(phase, part);
        }
    };
    progress(Phase::Retain, 0.0);
    let retention = Retention::of(heap);
    progress(Phase::Report, 0.0);
    let totals = totals(heap, &retention);
    let places = Places::of(heap, &retention);
    progress(Phase::Report, 0.6);
    let summary = HeapSummary::new(heap, &totals, &places);
    let (suspects, growth) = suspects::find(
        heap,
        &retention,
        &places,
        &summary,
        options.earlier,
        &totals,
    );
    progress(Phase::Report, 0.9);
    let report = HeapReport {
        dump: heap.facts().clone(),
        totals,
        suspects,
        histogram: histogram(heap, &retention),
        dominators: dominators(heap, &retention, options.dominators),
        threads: threads(heap, &retention, options.threads),
    };
    progress(Phase::Report, 1.0);
    Analysis {
        report,
        growth,
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
            Strength::Final | Strength::Weak | Strength::Phantom => {
                totals.weak_only_bytes += bytes;
            }
            Strength::Strong | Strength::Unreachable => {}
        }
    }
    totals
}

/// Classes of the same name from different loaders share a row.
pub(crate) fn histogram(heap: &Heap<'_>, retention: &Retention) -> Vec<ClassRow> {
    let names = heap.symbols.len();
    let mut rows = vec![(0u64, 0u64, 0u64); names];
    for &object in &retention.tree.order {
        let row = &mut rows[heap.class(object).name.0 as usize];
        row.0 += 1;
        row.1 += heap.shallow(object);
    }
    // how many objects of each class the walk is inside of
    let mut open = vec![0u32; names];
    retention.tree.walk(|object, entered| {
        let name = heap.class(object).name.0 as usize;
        if entered {
            if open[name] == 0 {
                rows[name].2 += retention.retained[object as usize];
            }
            open[name] += 1;
        } else {
            open[name] -= 1;
        }
    });
    let mut histogram: Vec<ClassRow> = rows
        .into_iter()
        .enumerate()
        .filter(|(_, row)| row.0 > 0)
        .map(
            |(name, (objects, shallow_bytes, retained_bytes))| ClassRow {
                class: heap.name(Symbol(name as u32)).to_owned(),
                objects,
                shallow_bytes,
                retained_bytes,
            },
        )
        .collect();
    histogram.sort_by(|a, b| {
        (b.shallow_bytes, b.objects)
            .cmp(&(a.shallow_bytes, a.objects))
            .then_with(|| a.class.cmp(&b.class))
    });
    histogram
}

fn dominators(heap: &Heap<'_>, retention: &Retention, rows: usize) -> Vec<DominatorRow> {
    let mut top: Vec<u32> = retention
        .tree
        .order
        .iter()
        .copied()
        .filter(|object| retention.tree.immediate[*object as usize] == NONE)
        .collect();
    let by_size = |object: &u32| {
        (
            std::cmp::Reverse(retention.retained[*object as usize]),
            *object,
        )
    };
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
            retained_bytes: retention.retained[object as usize],
        })
        .collect()
}

/// Local variables shown of a thread.
const LOCALS: usize = 10;

fn threads(heap: &Heap<'_>, retention: &Retention, rows: usize) -> Vec<ThreadRow> {
    let retained = |object: u32| retention.retained[object as usize];
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
