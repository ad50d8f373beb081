//! What is kept of a process's past: the floor at a resolution that coarsens with age, and the
//! heap in use, thinned for drawing.

use leakline_model::Timestamp;
use std::collections::VecDeque;

/// What the collector did during a block.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct GcTotals {
    /// Collections.
    pub(crate) collections: f64,
    /// Seconds spent in them.
    pub(crate) seconds: f64,
    /// Bytes freed by those that could be seen one by one.
    pub(crate) freed: f64,
    /// How many could be seen one by one.
    pub(crate) seen: f64,
}

impl GcTotals {
    pub(crate) fn add(&mut self, other: &GcTotals) {
        self.collections += other.collections;
        self.seconds += other.seconds;
        self.freed += other.freed;
        self.seen += other.seen;
    }
}

/// A stretch of time that is long enough to have a floor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Block {
    pub(crate) start: Timestamp,
    /// End; the start of the next block.
    pub(crate) end: Timestamp,
    /// The lowest the heap stood at, bytes.
    pub(crate) floor: f64,
    pub(crate) floor_at: Timestamp,
    /// The highest floor among the blocks that were merged into this one.
    pub(crate) highest: f64,
    /// The deepest fall of the floor inside.
    pub(crate) fall: f64,
    /// Whether the whole heap, and not just its nursery, was collected.
    pub(crate) collected: bool,
    /// Classes loaded at the end; zero when unknown.
    pub(crate) classes: f64,
    pub(crate) gc: GcTotals,
    /// The most that stood in nurseries, bytes; zero where they are not told apart.
    pub(crate) nursery: f64,
}

impl Block {
    /// Both together; `self` is the earlier.
    fn merged(mut self, later: &Block) -> Block {
        self.fall = self.fall.max(later.fall).max(self.highest - later.floor);
        self.highest = self.highest.max(later.highest);
        if later.floor < self.floor {
            self.floor = later.floor;
            self.floor_at = later.floor_at;
        }
        self.end = later.end;
        self.collected |= later.collected;
        self.classes = later.classes;
        self.gc.add(&later.gc);
        self.nursery = self.nursery.max(later.nursery);
        self
    }
}

/// Blocks kept per level of resolution.
const BLOCKS_PER_LEVEL: usize = 32;
/// Levels; each holds blocks twice as long as the one before. Sixteen levels reach back 2²¹
/// times the shortest block: weeks of seconds, centuries of minutes.
const LEVELS: usize = 16;

/// Blocks from the latest, one by one, to the oldest, merged by the thousand. At most
/// 32 × 16 = 512 blocks; a new block costs O(1) amortised.
#[derive(Clone, Debug, Default)]
pub(crate) struct History {
    /// The finest level first; inside a level the oldest first.
    levels: Vec<VecDeque<Block>>,
}

impl History {
    pub(crate) fn push(&mut self, block: Block) {
        let mut carried = Some(block);
        let mut level = 0;
        while let Some(block) = carried.take() {
            if level == LEVELS {
                break;
            }
            if self.levels.len() == level {
                self.levels.push(VecDeque::new());
            }
            let Some(blocks) = self.levels.get_mut(level) else {
                break;
            };
            blocks.push_back(block);
            if blocks.len() > BLOCKS_PER_LEVEL
                && let (Some(first), Some(second)) = (blocks.pop_front(), blocks.pop_front())
            {
                carried = Some(first.merged(&second));
            }
            level += 1;
        }
    }

    /// All blocks, oldest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Block> {
        self.levels.iter().rev().flatten()
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.levels.iter().map(VecDeque::len).sum()
    }
}

/// Points for drawing: when there are too many, every second one is dropped from then on.
#[derive(Clone, Debug)]
pub(crate) struct Thinned {
    points: Vec<(Timestamp, f64)>,
    stride: u64,
    seen: u64,
}

impl Default for Thinned {
    fn default() -> Self {
        Thinned {
            points: Vec::new(),
            stride: 1,
            seen: 0,
        }
    }
}

impl Thinned {
    const CAPACITY: usize = 1024;

    pub(crate) fn push(&mut self, at: Timestamp, value: f64) {
        if self.seen.is_multiple_of(self.stride) {
            if self.points.len() == Self::CAPACITY {
                let mut keep = false;
                self.points.retain(|_| {
                    keep = !keep;
                    keep
                });
                self.stride = self.stride.saturating_mul(2);
            }
            self.points.push((at, value));
        }
        self.seen = self.seen.wrapping_add(1);
    }

    pub(crate) fn points(&self) -> &[(Timestamp, f64)] {
        &self.points
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn block(i: i64, floor: f64) -> Block {
        Block {
            start: Timestamp::from_millis(i * 1000),
            end: Timestamp::from_millis(i * 1000 + 1000),
            floor,
            floor_at: Timestamp::from_millis(i * 1000),
            highest: floor,
            fall: 0.0,
            collected: false,
            classes: 0.0,
            nursery: 0.0,
            gc: GcTotals {
                collections: 1.0,
                ..GcTotals::default()
            },
        }
    }

    proptest! {
        /// Merging loses resolution, never time, minima, falls or counts.
        #[test]
        fn merging_keeps_what_it_summarises(floors in prop::collection::vec(0.0..1e9, 1..800)) {
            let mut history = History::default();
            for (i, &floor) in floors.iter().enumerate() {
                history.push(block(i as i64, floor));
            }
            let blocks: Vec<_> = history.iter().copied().collect();
            prop_assert_eq!(blocks.len(), history.len());
            prop_assert!(blocks.windows(2).all(|pair| pair[0].end == pair[1].start));
            prop_assert_eq!(blocks[0].start, Timestamp::from_millis(0));
            let count: f64 = blocks.iter().map(|b| b.gc.collections).sum();
            prop_assert_eq!(count, floors.len() as f64);

            let whole = blocks[1..].iter().fold(blocks[0], |sum, b| sum.merged(b));
            let mut highest = f64::MIN;
            let mut fall = 0.0_f64;
            for &floor in &floors {
                highest = highest.max(floor);
                fall = fall.max(highest - floor);
            }
            prop_assert_eq!(whole.floor, floors.iter().copied().fold(f64::MAX, f64::min));
            prop_assert_eq!((whole.highest, whole.fall), (highest, fall));
        }
    }

    #[test]
    fn space_is_bounded() {
        let mut history = History::default();
        let mut used = Thinned::default();
        for i in 0..200_000 {
            history.push(block(i, 1.0));
            used.push(Timestamp::from_millis(i), 1.0);
        }
        assert!(history.len() <= BLOCKS_PER_LEVEL * LEVELS);
        assert!(used.points().len() <= Thinned::CAPACITY && used.points().len() > 300);
        let bytes = history.len() * size_of::<Block>() + 16 * Thinned::CAPACITY;
        assert!(bytes < 64 * 1024, "{bytes}");
    }
}
