//! One life of a process, from its start to its end or restart: turns exports into blocks.

use crate::Settings;
use crate::history::{Block, GcTotals, History, Thinned};
use crate::intake::{Export, Intake, PartId};
use leakline_model::Timestamp;
use leakline_model::signal::Signal;
use std::collections::BTreeMap;

/// A fall of the tenured heap by this share is a collection of it, whatever the metrics of the
/// collector say: nothing else makes it smaller.
const FALL_OF_A_COLLECTION: f64 = 0.05;

/// The same where only the whole heap is known and the floor is what falls: it lies on the bottom
/// of a sawtooth that samples do not always meet.
const FALL_OF_THE_FLOOR: f64 = 0.25;

/// What a counter said.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Continuity {
    Continues,
    /// It fell: the process has started anew.
    Restarted,
}

/// One life of a process.
#[derive(Clone, Debug)]
pub(crate) struct Epoch {
    /// Time of the first export.
    pub(crate) start: Timestamp,
    /// Whether a restart of the same process began it.
    pub(crate) after_restart: bool,
    pub(crate) history: History,
    /// The whole heap in use, nurseries included.
    pub(crate) used: Thinned,
    /// The block that grows.
    open: Option<Block>,
    open_samples: u32,
    /// Blocks closed so far.
    pub(crate) closed: u64,
    /// Whether any metric of the collector was seen.
    pub(crate) gc_metric: bool,
    /// Whether the heap in use was seen.
    pub(crate) heap_metric: bool,
    /// Whether nurseries are told apart from the rest of the heap.
    pub(crate) separated: bool,
    /// Whether the collector has generations and collects the young one alone.
    generational: bool,
    /// The floor of the latest closed block.
    last_floor: f64,
    /// The limit that the floor would hit; zero when unknown.
    pub(crate) limit: f64,
    /// Seconds between exports, smoothed; zero until known.
    pub(crate) interval: f64,
    /// Collections since the start.
    pub(crate) collections: f64,
    counters: BTreeMap<PartId, f64>,
    after_gc: BTreeMap<PartId, f64>,
    classes: f64,
    /// What happened since the last export of the heap.
    since_heap: GcTotals,
    collected_since_heap: bool,
    /// What a collection of the whole heap left over since the last export of the heap.
    left_by_collection: Option<f64>,
    last_heap: Option<HeapSample>,
}

/// The heap at one export.
#[derive(Clone, Copy, Debug)]
struct HeapSample {
    at: Timestamp,
    /// All pools.
    total: f64,
    /// Without nurseries where they are told apart.
    resident: f64,
    /// Without nurseries and survivor spaces.
    tenured: f64,
}

impl Epoch {
    pub(crate) fn new(start: Timestamp, after_restart: bool) -> Self {
        Epoch {
            start,
            after_restart,
            history: History::default(),
            used: Thinned::default(),
            open: None,
            open_samples: 0,
            closed: 0,
            gc_metric: false,
            heap_metric: false,
            separated: false,
            generational: false,
            last_floor: 0.0,
            limit: 0.0,
            interval: 0.0,
            collections: 0.0,
            counters: BTreeMap::new(),
            after_gc: BTreeMap::new(),
            classes: 0.0,
            since_heap: GcTotals::default(),
            collected_since_heap: false,
            left_by_collection: None,
            last_heap: None,
        }
    }

    /// The block that still grows, if what it shows is final: away from nurseries the heap only
    /// changes at collections, and the next collection closes the block.
    pub(crate) fn open_block(&self) -> Option<&Block> {
        self.open.as_ref().filter(|_| self.separated)
    }

    pub(crate) fn take(
        &mut self,
        export: &Export,
        intake: &Intake,
        settings: &Settings,
    ) -> Continuity {
        match export.signal {
            Signal::GcCount => return self.take_collections(export, intake),
            Signal::GcPauseSeconds => return self.take_pauses(export, intake),
            Signal::LoadedClasses => self.classes = export.values.iter().map(|(_, v)| v).sum(),
            Signal::HeapLimit => self.take_limit(export, intake),
            Signal::HeapAfterGc => self.take_after_gc(export, intake),
            Signal::HeapUsed => self.take_heap(export, intake, settings),
            _ => {}
        }
        Continuity::Continues
    }

    /// How much a counter rose; `None` when it fell.
    fn rise(&mut self, id: PartId, value: f64) -> Option<f64> {
        let before = self.counters.insert(id, value).unwrap_or(0.0);
        (value >= before).then_some(value - before)
    }

    fn take_collections(&mut self, export: &Export, intake: &Intake) -> Continuity {
        self.gc_metric = true;
        for &(id, value) in &export.values {
            let Some(rise) = self.rise(id, value) else {
                return Continuity::Restarted;
            };
            let name = intake.part(id).map_or("", |part| part.name.as_str());
            // ZGC and Shenandoah report each cycle, and besides the pauses that belong to it
            if name.contains("Pauses") {
                continue;
            }
            self.since_heap.collections += rise;
            self.collections += rise;
            self.generational |= collects_nursery(name);
            self.collected_since_heap |= rise > 0.0 && collects_whole_heap(name);
        }
        Continuity::Continues
    }

    fn take_pauses(&mut self, export: &Export, intake: &Intake) -> Continuity {
        self.gc_metric = true;
        for &(id, value) in &export.values {
            let Some(rise) = self.rise(id, value) else {
                return Continuity::Restarted;
            };
            // cycles run beside the program; only their pauses stop it
            if intake
                .part(id)
                .is_none_or(|part| !part.name.contains("Cycles"))
            {
                self.since_heap.seconds += rise;
            }
        }
        Continuity::Continues
    }

    /// The floor cannot use what is reserved for nurseries; a limit of zero is none.
    fn take_limit(&mut self, export: &Export, intake: &Intake) {
        let separated = intake.has_nursery(Signal::HeapUsed);
        self.limit = export
            .values
            .iter()
            .filter(|(id, _)| !separated || intake.part(*id).is_some_and(|part| !part.nursery))
            .map(|(_, value)| value)
            .sum();
    }

    /// The value of a pool is as old as the pool's latest collection: on G1 that of the old
    /// generation moves only at mixed and full collections, and ZGC sends zeros. Only a tenured
    /// value that has just changed says anything.
    fn take_after_gc(&mut self, export: &Export, intake: &Intake) {
        let mut sum = 0.0;
        let mut fresh = false;
        for &(id, value) in &export.values {
            let Some(part) = intake.part(id) else {
                continue;
            };
            let before = self.after_gc.insert(id, value);
            if !part.nursery {
                sum += value;
                fresh |= !is_survivor(&part.name)
                    && value > 0.0
                    && before.is_some_and(|before| before != value);
            }
        }
        if fresh {
            self.left_by_collection = Some(sum);
            self.collected_since_heap = true;
        }
    }

    fn take_heap(&mut self, export: &Export, intake: &Intake, settings: &Settings) {
        self.heap_metric = true;
        self.separated = intake.has_nursery(Signal::HeapUsed);
        let mut sample = HeapSample {
            at: export.at,
            total: 0.0,
            resident: 0.0,
            tenured: 0.0,
        };
        for &(id, value) in &export.values {
            let Some(part) = intake.part(id) else {
                continue;
            };
            sample.total += value;
            if !part.nursery {
                sample.resident += value;
                if !is_survivor(&part.name) {
                    sample.tenured += value;
                }
            }
        }
        self.used.push(sample.at, sample.total);
        let floor = match self.left_by_collection.take() {
            Some(left) => left.min(sample.resident),
            None => sample.resident,
        };
        if let Some(last) = self.last_heap.replace(sample) {
            let gap = sample.at.seconds_since(last.at);
            self.interval += (gap - self.interval) * if self.interval > 0.0 { 0.2 } else { 1.0 };
            if self.since_heap.collections == 1.0 && sample.total < last.total {
                self.since_heap.freed += last.total - sample.total;
                self.since_heap.seen += 1.0;
            }
            self.collected_since_heap |= if self.separated {
                sample.tenured < last.tenured * (1.0 - FALL_OF_A_COLLECTION)
            } else {
                !self.generational && self.since_heap.collections > 0.0
            };
        }
        self.extend(&sample, floor, settings);
    }

    /// Closes the open block if it has seen enough, and adds the export to the open one.
    fn extend(&mut self, sample: &HeapSample, floor: f64, settings: &Settings) {
        let at = sample.at;
        let nursery = sample.total - sample.resident;
        let (cycles, samples) = if self.separated {
            (settings.cycles_per_point, 1)
        } else {
            (
                settings.cycles_per_point_whole_heap,
                settings.samples_per_point_whole_heap,
            )
        };
        let since = std::mem::take(&mut self.since_heap);
        let collected = std::mem::take(&mut self.collected_since_heap);
        if let Some(mut block) = self.open {
            let cycles_so_far = block.gc.collections + since.collections;
            if since.collections > 0.0
                && cycles_so_far >= f64::from(cycles.max(1))
                && self.open_samples >= samples
            {
                // the collection ends the block, so its work belongs there; what it left over
                // is the first floor of the next
                block.gc.add(&since);
                block.end = at;
                block.collected |=
                    !self.separated && block.floor < self.last_floor * (1.0 - FALL_OF_THE_FLOOR);
                self.last_floor = block.floor;
                self.history.push(block);
                self.closed += 1;
                self.open = Some(self.block(at, floor, nursery, collected));
                self.open_samples = 1;
            } else {
                block.gc.add(&since);
                block.end = at;
                block.collected |= collected;
                block.classes = self.classes;
                block.nursery = block.nursery.max(nursery);
                if floor <= block.floor {
                    block.floor = floor;
                    block.highest = floor;
                    block.floor_at = at;
                }
                self.open = Some(block);
                self.open_samples = self.open_samples.saturating_add(1);
            }
        } else {
            let mut block = self.block(at, floor, nursery, collected);
            block.start = self.start.min(at);
            self.open = Some(block);
            self.open_samples = 1;
        }
    }

    fn block(&self, at: Timestamp, floor: f64, nursery: f64, collected: bool) -> Block {
        Block {
            start: at,
            end: at,
            floor,
            floor_at: at,
            highest: floor,
            fall: 0.0,
            collected,
            classes: self.classes,
            gc: GcTotals::default(),
            nursery,
        }
    }
}

/// Survivor spaces hold what the latest collections spared, for a few collections more.
fn is_survivor(part: &str) -> bool {
    part.contains("Survivor")
}

/// Whether the collections counted under this name leave the old generation alone.
fn collects_nursery(part: &str) -> bool {
    ["minor", "Young", "Copy", "Scavenge", "ParNew"]
        .iter()
        .any(|word| part.contains(word))
        && !collects_whole_heap(part)
}

/// Whether the collections counted under this name (collector and action) reach the whole heap:
/// HotSpot's full collections, V8's mark-compact. Mixed collections of G1 count as minor; they
/// are recognised by what they do.
fn collects_whole_heap(part: &str) -> bool {
    part.contains("major") || part.contains("Old Generation") || part.contains("MarkSweep")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_collections_are_told_from_minor_ones() {
        for (part, expected, nursery) in [
            ("G1 Young Generation/end of minor GC", false, true),
            ("G1 Old Generation/end of major GC", true, false),
            ("PS MarkSweep/end of major GC", true, false),
            ("Copy/end of minor GC", false, true),
            ("MarkSweepCompact/end of major GC", true, false),
            ("ZGC Cycles/end of GC cycle", false, false),
            ("minor", false, true),
            ("major", true, false),
            ("incremental", false, false),
        ] {
            assert_eq!(collects_whole_heap(part), expected, "{part}");
            assert_eq!(collects_nursery(part), nursery, "{part}");
        }
    }
}
