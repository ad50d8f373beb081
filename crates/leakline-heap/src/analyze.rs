//! From the graph to the report.

use crate::graph::Heap;
use crate::growth::HeapSummary;
use crate::load::{Phase, Progress};
use crate::places::Places;
use crate::reachability::Strength;
use crate::report::{DominatorRow, GrowthRow, HeapReport, LocalRow, ThreadRow, Totals};
use crate::retention::Retention;
use crate::suspects;

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
    let ((totals, histogram), places) = rayon::join(
        || (*heap.totals(), heap.histogram().to_vec()),
        || Places::of(heap, retention, &|part| progress(Phase::Report, 0.9 * part)),
    );
    let summary = HeapSummary::new(heap, &totals, &places);
    let found = suspects::find(heap, retention, &places, &summary, options.earlier, &totals);
    let report = HeapReport {
        dump: heap.facts().clone(),
        totals,
        suspects: found.suspects,
        not_growing: found.not_growing,
        reachable_bytes: options
            .earlier
            .iter()
            .chain([&summary])
            .map(HeapSummary::bytes)
            .collect(),
        comparison_problems: Vec::new(),
        histogram,
        dominators: dominators(heap, retention, options.dominators),
        threads: threads(heap, retention, options.threads),
    };
    progress(Phase::Report, 1.0);
    Analysis {
        report,
        growth: found.growth,
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
