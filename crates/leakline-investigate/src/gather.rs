//! Answers to what an investigation asks: which questions to put to the store, the detector and
//! the heap engine. The server and the commands on files carry out the same actions with the
//! same functions; where the store is and where the bytes of a dump come from is theirs to know.

use std::ops::Range;
use std::time::Duration;

use leakline_correlate::{Correlation, Growth, Metrics, Window, attribute, operations};
use leakline_detect::{Assessment, Detector};
use leakline_heap::{
    AnalyzeOptions, DumpFacts, HeapError, HeapSummary, LoadOptions, Progress, References,
};
use leakline_model::storage::{Queryable, ResourceSighting, SpanSelector, StorageError};
use leakline_model::{Matcher, ProcessKey, TimeRange, Timestamp};

use crate::case::{CaseFile, Deploy, HeapFindings, Surroundings};

/// What the report needs to know beside the case: the plot, and the versions that started.
pub fn surroundings(
    detector: &Detector,
    store: &dyn Queryable,
    process: &ProcessKey,
    now: Timestamp,
) -> Result<Surroundings, StorageError> {
    let mut sightings = store.resources(TimeRange::ALL)?;
    sightings.retain(|sighting| sighting.resource.service() == process.service);
    let mut deploys: Vec<Deploy> = sightings
        .iter()
        .map(|sighting| Deploy {
            at: sighting.first_seen,
            version: sighting.resource.version().to_owned(),
            instance: sighting.resource.instance().to_owned(),
            judged: detector
                .assessment(&ProcessKey::of_resource(&sighting.resource))
                .cloned(),
        })
        .collect();
    deploys.sort_by_key(|deploy| deploy.at);
    Ok(Surroundings {
        now,
        plot: detector.plot(process),
        predecessor: predecessor(&sightings, process)
            .map(|key| detector.plot(&key))
            .unwrap_or_default(),
        deploys,
    })
}

/// Processes may overlap this much when one replaces the other: a rolling deploy.
const OVERLAP: Duration = Duration::from_secs(120);

/// The process that `process` replaced: of those that ended by the time it ran, the last.
fn predecessor(sightings: &[ResourceSighting], process: &ProcessKey) -> Option<ProcessKey> {
    let key = |sighting: &ResourceSighting| ProcessKey::of_resource(&sighting.resource);
    let own = sightings
        .iter()
        .find(|sighting| key(sighting) == *process)?;
    sightings
        .iter()
        .filter(|other| key(other) != *process && other.first_seen < own.first_seen)
        .filter(|other| other.last_seen <= own.first_seen + OVERLAP)
        .max_by_key(|other| other.last_seen)
        .map(key)
}

/// A case that nothing but metrics speaks to: what is known of a process that is not, or not
/// yet, under investigation.
pub fn watched_case(detector: &Detector, assessment: &Assessment) -> CaseFile {
    let process = assessment.process.clone();
    let first_seen = detector.first_seen(&process).unwrap_or(assessment.at);
    let mut case = CaseFile::new(process, first_seen);
    case.assessments.push(assessment.clone());
    case
}

/// How dumps are to be analysed.
#[derive(Clone, Copy, Default)]
pub struct DumpOptions<'p> {
    /// Which references hold their referents.
    pub references: References,
    /// Told how far the work on the present dump is.
    pub progress: Option<Progress<'p>>,
}

/// Analyses dumps of one process, oldest first: the report on the last one, ranked by growth since
/// the first, and the facts of each dump. One dump at a time is open and in memory; `dumps` is
/// asked for the next only when the one before is done. `release` is told of parts of it that
/// need not stay in memory for now.
///
/// # Errors
///
/// The first error of `dumps`, or of a dump that cannot be read at all.
pub fn analyze<D, E>(
    dumps: impl IntoIterator<Item = Result<D, E>>,
    options: &DumpOptions<'_>,
    release: impl Fn(&D, Range<usize>) + Sync,
) -> Result<(HeapFindings, Vec<DumpFacts>), E>
where
    D: AsRef<[u8]> + Sync,
    E: From<HeapError>,
{
    let mut findings = HeapFindings::default();
    let mut earlier: Vec<HeapSummary> = Vec::new();
    let mut facts = Vec::new();
    for dump in dumps {
        let dump = dump?;
        let release = |range| release(&dump, range);
        let load = LoadOptions {
            references: options.references,
            progress: options.progress,
            release: Some(&release),
        };
        let heap = leakline_heap::load(dump.as_ref(), &load)?;
        let analyze = AnalyzeOptions {
            earlier: &earlier,
            progress: options.progress,
            ..Default::default()
        };
        let analysis = leakline_heap::analyze(&heap, &analyze);
        facts.push(analysis.report.dump.clone());
        findings = HeapFindings {
            report: analysis.report,
            growth: analysis.growth,
        };
        earlier.push(analysis.summary);
    }
    Ok((findings, facts))
}

/// Which operation keeps what was gained in `window`. `floor` is the floor of the process' heap
/// over time, as the detector's plot has it.
pub fn correlate(
    store: &dyn Queryable,
    process: &ProcessKey,
    window: Window,
    growth: &Growth,
    floor: Vec<(Timestamp, f64)>,
) -> Result<Correlation, StorageError> {
    let selector = SpanSelector::of_service(process.service.as_str(), window.spans_started());
    let operations = operations(store.spans(&selector)?, process, window)?;
    let metrics = Metrics {
        requests: requests(store, process, window.range())?,
        floor,
    };
    Ok(attribute(growth, &operations, &metrics))
}

/// Requests that the process counted inside `range`; `None` when it counts none.
fn requests(
    store: &dyn Queryable,
    process: &ProcessKey,
    range: TimeRange,
) -> Result<Option<f64>, StorageError> {
    let matchers = [
        Matcher::metric("http_server_request_duration_seconds_count"),
        Matcher::equal("job", process.service.as_str()),
        Matcher::equal("instance", process.instance.as_str()),
    ];
    let mut total = None;
    for series in store.select(&matchers, range)? {
        let samples = series?.samples;
        let increase: f64 = samples
            .windows(2)
            .map(|pair| counter_increase(pair[0].value, pair[1].value))
            .sum();
        *total.get_or_insert(0.0) += increase;
    }
    Ok(total)
}

/// From one value of a counter to the next; a fall is a reset to zero.
fn counter_increase(before: f64, after: f64) -> f64 {
    let increase = if after < before {
        after
    } else {
        after - before
    };
    if increase.is_finite() { increase } else { 0.0 }
}
