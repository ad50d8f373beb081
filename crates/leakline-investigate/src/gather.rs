//! Answers to what an investigation asks: which questions to put to the store, the detector and
//! the heap engine. The server and the commands on files carry out the same actions with the
//! same functions; where the store is and where the bytes of a dump come from is theirs to know.

mod dumps;
mod requests;
mod versions;

use leakline_correlate::{Correlation, Growth, Metrics, Window, attribute, operations};
use leakline_detect::{Assessment, Detector};
use leakline_model::storage::{Queryable, SpanSelector, StorageError};
use leakline_model::{ProcessKey, TimeRange, Timestamp};

use crate::case::{CaseFile, Surroundings};

pub use dumps::{Dump, DumpOptions, add_problems, analyze, analyze_indexed};

/// What the report needs to know beside the case: the plot, and the versions that started.
pub fn surroundings(
    detector: &Detector,
    store: &dyn Queryable,
    process: &ProcessKey,
    now: Timestamp,
) -> Result<Surroundings, StorageError> {
    let mut sightings = store.resources(TimeRange::ALL)?;
    sightings.retain(|sighting| sighting.resource.service() == process.service);
    Ok(Surroundings {
        now,
        plot: detector.plot(process),
        predecessor: versions::predecessor(&sightings, process)
            .map(|key| detector.plot(&key))
            .unwrap_or_default(),
        deploys: versions::versions(detector, &sightings, process, now),
    })
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

/// Which operation keeps what was gained in `window`. `floor` is the floor of the process' heap
/// over time, as the detector's plot has it.
pub fn correlate(
    store: &dyn Queryable,
    process: &ProcessKey,
    mut window: Window,
    growth: &Growth,
    floor: Vec<(Timestamp, f64)>,
) -> Result<Correlation, StorageError> {
    let counted = requests::counted(store, process, window.range())?;
    if let Some(counted) = counted {
        window.counted = counted.range;
    }
    let selector = SpanSelector::of_service(process.service.as_str(), window.spans_started());
    let operations = operations(store.spans(&selector)?, process, window)?;
    let metrics = Metrics {
        requests: counted.map(|counted| counted.requests),
        floor,
    };
    Ok(attribute(growth, &operations, &metrics))
}
