//! From samples to changes of verdict.

use crate::{Assessment, Plot, ServiceVerdict, Settings, Verdict};
use leakline_model::storage::Batch;
use leakline_model::{Labels, ProcessKey, Sample, TimeRange, Timestamp};

/// The verdict on a process has changed.
#[derive(Clone, Debug, PartialEq)]
pub struct Transition {
    /// The verdict before; a process starts as [`Verdict::InsufficientData`].
    pub from: Verdict,
    /// The judgement that changed it, with the new verdict.
    pub assessment: Assessment,
}

/// A version of a service was seen for the first time after another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deploy {
    /// When the first process of the version was heard of.
    pub at: Timestamp,
    /// The new version.
    pub version: String,
    /// The version that was new before it.
    pub previous: String,
}

/// What the collector did during a range of time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GcStatistics {
    /// When.
    pub range: TimeRange,
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

/// Judges processes from the samples they send.
#[derive(Debug)]
pub struct Detector {
    #[expect(dead_code, reason = "the judgement comes next")]
    settings: Settings,
}

impl Detector {
    /// A detector that has seen nothing.
    pub fn new(settings: Settings) -> Self {
        Detector { settings }
    }

    /// Takes samples of one series. Series that are no runtime signal are ignored.
    pub fn observe(&mut self, _labels: &Labels, _samples: &[Sample]) {}

    /// Takes everything in a batch, and notes the versions that its resources name.
    pub fn observe_batch(&mut self, batch: &Batch) {
        for series in &batch.series {
            self.observe(&series.labels, &series.samples);
        }
    }

    /// Judges every process with the data up to `now` and returns the verdicts that changed since
    /// the last call, by process.
    pub fn evaluate(&mut self, _now: Timestamp) -> Vec<Transition> {
        Vec::new()
    }

    /// The latest judgement of a process; `None` for a process that was never judged.
    pub fn assessment(&self, _process: &ProcessKey) -> Option<&Assessment> {
        None
    }

    /// The verdict on every service, sorted by service.
    pub fn services(&self) -> Vec<ServiceVerdict> {
        Vec::new()
    }

    /// What to draw for a process; empty for an unknown one.
    pub fn plot(&self, _process: &ProcessKey) -> Plot {
        Plot::default()
    }

    /// The deploys of a service, oldest first.
    pub fn deploys(&self, _service: &str) -> Vec<Deploy> {
        Vec::new()
    }

    /// When a process was first heard of; later than its true start if it was running before.
    pub fn first_seen(&self, _process: &ProcessKey) -> Option<Timestamp> {
        None
    }

    /// When a process was last heard of.
    pub fn last_seen(&self, _process: &ProcessKey) -> Option<Timestamp> {
        None
    }

    /// The collector before and after the onset; `None` when there is too little to compare.
    pub fn gc_comparison(&self, _process: &ProcessKey) -> Option<GcComparison> {
        None
    }
}
