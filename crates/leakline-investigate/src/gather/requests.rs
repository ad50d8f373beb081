//! Requests that a process counted itself, to tell whether its traces are sampled.

use std::collections::BTreeSet;
use std::time::Duration;

use leakline_model::storage::{Queryable, StorageError};
use leakline_model::{Matcher, ProcessKey, Sample, TimeRange, Timestamp};

/// How far beyond a time exports of the request metric are looked for: ten of the usual ones.
const REACH: Duration = Duration::from_secs(600);

/// Requests, and when exactly they were counted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Counted {
    /// From one export of the metric to another.
    pub(super) range: TimeRange,
    pub(super) requests: f64,
}

/// Requests that the process counted about `wanted`. A counter tells how many there were between
/// two exports, and exports seldom fall on the ends of `wanted`; so the answer is for the time
/// between those around it, or the outermost inside it where there are none around. `None` when
/// there are not two exports.
pub(super) fn counted(
    store: &dyn Queryable,
    process: &ProcessKey,
    wanted: TimeRange,
) -> Result<Option<Counted>, StorageError> {
    let matchers = [
        Matcher::metric("http_server_request_duration_seconds_count"),
        Matcher::equal("job", process.service.as_str()),
        Matcher::equal("instance", process.instance.as_str()),
    ];
    let reach = TimeRange::new(wanted.start - REACH, wanted.end + REACH);
    let mut counters: Vec<Vec<Sample>> = Vec::new();
    for series in store.select(&matchers, reach)? {
        let mut samples = series?.samples;
        samples.retain(|sample| sample.value.is_finite());
        counters.push(samples);
    }
    let exports: BTreeSet<Timestamp> = counters.iter().flatten().map(|s| s.timestamp).collect();
    let Some(range) = between_exports(&exports, wanted) else {
        return Ok(None);
    };
    let requests = counters
        .iter()
        .map(|counter| increase(counter, &exports, range))
        .sum();
    Ok(Some(Counted { range, requests }))
}

fn between_exports(exports: &BTreeSet<Timestamp>, wanted: TimeRange) -> Option<TimeRange> {
    let start = exports
        .range(..=wanted.start)
        .next_back()
        .or(exports.first())?;
    let end = exports.range(wanted.end..).next().or(exports.last())?;
    (start < end).then(|| TimeRange::new(*start, *end))
}

/// By how much a counter rose in `range`. A fall is a restart at zero. A counter that first
/// appears at a later export than others began at zero at the one before: a process exports all
/// its counters together.
fn increase(samples: &[Sample], exports: &BTreeSet<Timestamp>, range: TimeRange) -> f64 {
    let Some(first) = samples.first() else {
        return 0.0;
    };
    let before = exports.range(..first.timestamp).next_back();
    let zero = before.map(|time| Sample {
        timestamp: *time,
        value: 0.0,
    });
    let counts: Vec<Sample> = zero.into_iter().chain(samples.iter().copied()).collect();
    counts
        .windows(2)
        .map(|pair| {
            let (before, after) = (pair[0], pair[1]);
            let rise = if after.value < before.value {
                after.value
            } else {
                after.value - before.value
            };
            rise * share_inside(TimeRange::new(before.timestamp, after.timestamp), range)
        })
        .sum()
}

/// The share of `time` that lies inside `range`, 0 to 1.
fn share_inside(time: TimeRange, range: TimeRange) -> f64 {
    let length = time.end.seconds_since(time.start);
    let inside = time
        .end
        .min(range.end)
        .seconds_since(time.start.max(range.start));
    if length > 0.0 {
        (inside / length).clamp(0.0, 1.0)
    } else {
        0.0
    }
}
