//! What the garbage collector did, before and after.

use crate::history::{Block, GcTotals};
use leakline_model::{TimeRange, Timestamp};

/// What the collector did during a range of time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GcStatistics {
    /// When.
    pub range: TimeRange,
    /// Collections.
    pub collections: f64,
    /// Share of the time spent in collections, 0 to 1.
    pub time_share: f64,
    /// Mean time of a collection in seconds; `None` without a collection.
    pub mean_pause_seconds: Option<f64>,
    /// Collections per minute.
    pub collections_per_minute: f64,
    /// Bytes freed by a collection on average; `None` when exports are too far apart to see
    /// single collections.
    pub freed_per_collection: Option<f64>,
}

/// The collector before and after the growth began.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GcComparison {
    /// Before the onset; the first third after warm-up when the process leaks from its start or
    /// does not leak.
    pub before: GcStatistics,
    /// After the onset; the last third in the same case.
    pub after: GcStatistics,
}

/// Collections on either side below which a comparison would be of single events.
const ENOUGH_COLLECTIONS: f64 = 3.0;

/// Compares what stood before `onset` with what came after; without an onset, or with too little
/// before it, the first third since `warm_up_end` with the last.
pub(crate) fn compare<'a>(
    blocks: impl Iterator<Item = &'a Block> + Clone,
    warm_up_end: Timestamp,
    onset: Option<Timestamp>,
) -> Option<GcComparison> {
    let warm = blocks.filter(move |block| block.start >= warm_up_end);
    let start = warm.clone().next()?.start;
    let end = warm.clone().last()?.end;
    let split = |before: Timestamp, after: Timestamp| {
        let before = statistics(warm.clone().filter(|block| block.end <= before))?;
        let after = statistics(warm.clone().filter(|block| block.start >= after))?;
        let enough =
            before.collections >= ENOUGH_COLLECTIONS && after.collections >= ENOUGH_COLLECTIONS;
        enough.then_some(GcComparison { before, after })
    };
    let third = end.duration_since(start) / 3;
    onset
        .filter(|&onset| onset > start)
        .and_then(|onset| split(onset, onset))
        .or_else(|| split(start + third, end - third))
}

fn statistics<'a>(blocks: impl Iterator<Item = &'a Block>) -> Option<GcStatistics> {
    let mut totals = GcTotals::default();
    let mut range: Option<TimeRange> = None;
    for block in blocks {
        totals.add(&block.gc);
        range = Some(TimeRange::new(
            range.map_or(block.start, |range| range.start),
            block.end,
        ));
    }
    let range = range?;
    let seconds = range.duration().as_secs_f64();
    let positive = |value: f64| value > 0.0;
    if !positive(seconds) {
        return None;
    }
    let per = |total: f64, count: f64| positive(count).then(|| total / count);
    Some(GcStatistics {
        range,
        collections: totals.collections,
        time_share: totals.seconds / seconds,
        mean_pause_seconds: per(totals.seconds, totals.collections),
        collections_per_minute: totals.collections / seconds * 60.0,
        // few single collections seen among many are the untypical ones
        freed_per_collection: per(totals.freed, totals.seen)
            .filter(|_| totals.seen >= 0.5 * totals.collections),
    })
}
