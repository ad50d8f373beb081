//! From samples to changes of verdict.

use crate::process::Process;
use crate::{Assessment, GcComparison, Plot, ServiceVerdict, Settings, Verdict};
use leakline_model::signal::Reading;
use leakline_model::storage::Batch;
use leakline_model::{Labels, ProcessKey, Resource, Sample, Timestamp};
use std::collections::BTreeMap;

/// Versions remembered per service.
const MAX_VERSIONS: usize = 64;

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

/// Judges processes from the samples they send.
///
/// Samples may come in any order between two calls of [`Detector::evaluate`]; what is older than
/// the time of the last call is too late and dropped. Memory per process is bounded (about 64 KiB
/// when `evaluate` is called often; the samples in between wait in memory), and so is the number
/// of processes. Feed a long recording in slices of at most an hour or so, each followed by an
/// `evaluate`: of more than 10,800 exports that wait, the oldest are taken as they are.
#[derive(Debug, Default)]
pub struct Detector {
    settings: Settings,
    processes: BTreeMap<ProcessKey, Process>,
    /// First sighting of each version, by service.
    versions: BTreeMap<String, BTreeMap<String, Timestamp>>,
    now: Option<Timestamp>,
}

impl Detector {
    /// A detector that has seen nothing.
    pub fn new(settings: Settings) -> Self {
        Detector {
            settings,
            ..Detector::default()
        }
    }

    /// Takes samples of one series. Series that are no runtime signal, or belong to no process
    /// (no `job` label), are ignored; so are samples that are late, NaN or impossible.
    pub fn observe(&mut self, labels: &Labels, samples: &[Sample]) {
        let Some(reading) = Reading::of_labels(labels) else {
            return;
        };
        let (Some(key), Some(first)) = (
            ProcessKey::of_labels(labels),
            samples.iter().map(|sample| sample.timestamp).min(),
        ) else {
            return;
        };
        self.note_version(&key, first);
        self.processes
            .entry(key)
            .or_insert_with_key(|key| Process::new(key.clone()))
            .add(labels, reading, samples);
    }

    /// Takes everything in a batch, and notes the versions and process ids that its resources
    /// name.
    pub fn observe_batch(&mut self, batch: &Batch) {
        for (resource, at) in &batch.resources {
            self.note_resource(resource, *at);
        }
        for series in &batch.series {
            self.observe(&series.labels, &series.samples);
        }
    }

    fn note_resource(&mut self, resource: &Resource, at: Timestamp) {
        let key = ProcessKey::of_resource(resource);
        self.note_version(&key, at);
        if let (Some(pid), Some(process)) =
            (resource.get("process.pid"), self.processes.get_mut(&key))
        {
            process.note_pid(pid, at);
        }
    }

    fn note_version(&mut self, key: &ProcessKey, at: Timestamp) {
        if key.version.is_empty() {
            return;
        }
        if let Some(first) = self
            .versions
            .get_mut(&key.service)
            .and_then(|versions| versions.get_mut(&key.version))
        {
            *first = (*first).min(at);
            return;
        }
        let versions = self.versions.entry(key.service.clone()).or_default();
        versions.insert(key.version.clone(), at);
        if versions.len() > MAX_VERSIONS
            && let Some(oldest) = versions
                .iter()
                .min_by_key(|(_, first)| **first)
                .map(|(version, _)| version.clone())
        {
            versions.remove(&oldest);
        }
    }

    /// Judges every process with the data up to `now`, event time, and returns the verdicts that
    /// changed since the last call, in order of time. How often it is called changes nothing in
    /// the verdicts, only how soon they are known.
    pub fn evaluate(&mut self, now: Timestamp) -> Vec<Transition> {
        let mut transitions = Vec::new();
        for process in self.processes.values_mut() {
            process.advance(now, &self.settings, &mut transitions);
        }
        // stable: at one time, by process
        transitions.sort_by_key(|transition| transition.assessment.at);
        // what silence means depends on the data: a caller may ask for everything there is
        let heard = self.processes.values().map(|process| process.last_heard);
        self.now = self.now.max(heard.max().map(|heard| heard.min(now)));
        self.forget();
        transitions
    }

    /// Forgets processes that have been silent for long, and the longest silent of too many.
    fn forget(&mut self) {
        let Some(now) = self.now else { return };
        let keep = now - self.settings.forget_after;
        self.processes
            .retain(|_, process| process.last_heard >= keep);
        let excess = self
            .processes
            .len()
            .saturating_sub(self.settings.maximum_processes);
        if excess > 0 {
            let mut silent: Vec<(Timestamp, ProcessKey)> = self
                .processes
                .iter()
                .map(|(key, process)| (process.last_heard, key.clone()))
                .collect();
            silent.sort();
            for (_, key) in silent.into_iter().take(excess) {
                self.processes.remove(&key);
            }
        }
        if self.versions.len() > self.settings.maximum_processes {
            let processes = &self.processes;
            self.versions
                .retain(|service, _| processes.keys().any(|key| key.service == *service));
        }
    }

    /// The latest judgement of a process; `None` for a process that was never judged.
    pub fn assessment(&self, process: &ProcessKey) -> Option<&Assessment> {
        self.processes.get(process)?.assessment()
    }

    /// The verdict on every service, sorted by service. A service is as bad as the worst of its
    /// processes that still send; when none does, as its latest.
    pub fn services(&self) -> Vec<ServiceVerdict> {
        let mut services: Vec<ServiceVerdict> = Vec::new();
        let mut of_service: Vec<&Process> = Vec::new();
        let mut processes = self
            .processes
            .values()
            .filter(|process| process.assessment().is_some())
            .peekable();
        while let Some(process) = processes.next() {
            of_service.push(process);
            let more = processes
                .peek()
                .is_some_and(|next| next.key.service == process.key.service);
            if !more {
                services.extend(self.service(&of_service));
                of_service.clear();
            }
        }
        services
    }

    fn service(&self, processes: &[&Process]) -> Option<ServiceVerdict> {
        let now = self.now?;
        let sends = |process: &&&Process| process.sends(now, &self.settings);
        let verdict = |process: &Process| process.assessment().map(|a| a.verdict);
        let worst = processes
            .iter()
            .filter(sends)
            .filter_map(|process| verdict(process))
            .max()
            .or_else(|| {
                let latest = processes.iter().max_by_key(|process| process.last_seen)?;
                verdict(latest)
            })?;
        let mut assessments: Vec<(bool, Assessment)> = processes
            .iter()
            .filter_map(|process| {
                let assessment = process.assessment()?.clone();
                Some((process.sends(now, &self.settings), assessment))
            })
            .collect();
        // the living before the dead, then the worst first, then the latest
        assessments.sort_by(|(a_sends, a), (b_sends, b)| {
            (b_sends, b.verdict, b.at, &a.process).cmp(&(a_sends, a.verdict, a.at, &b.process))
        });
        Some(ServiceVerdict {
            service: processes.first()?.key.service.clone(),
            verdict: worst,
            processes: assessments.into_iter().map(|(_, a)| a).collect(),
        })
    }

    /// What to draw for a process; empty for an unknown one.
    pub fn plot(&self, process: &ProcessKey) -> Plot {
        self.processes
            .get(process)
            .map(Process::plot)
            .unwrap_or_default()
    }

    /// The deploys of a service, oldest first. The first version ever seen is none; going back to
    /// a version that was seen before is none either.
    pub fn deploys(&self, service: &str) -> Vec<Deploy> {
        let Some(versions) = self.versions.get(service) else {
            return Vec::new();
        };
        let mut sightings: Vec<(Timestamp, &String)> = versions
            .iter()
            .map(|(version, first)| (*first, version))
            .collect();
        sightings.sort();
        sightings
            .iter()
            .zip(sightings.iter().skip(1))
            .map(|((_, previous), (at, version))| Deploy {
                at: *at,
                version: (*version).clone(),
                previous: (*previous).clone(),
            })
            .collect()
    }

    /// When a process was first heard of; later than its true start if it was running before.
    pub fn first_seen(&self, process: &ProcessKey) -> Option<Timestamp> {
        self.processes.get(process)?.first_seen
    }

    /// When a process was last heard of.
    pub fn last_seen(&self, process: &ProcessKey) -> Option<Timestamp> {
        self.processes.get(process)?.last_seen
    }

    /// The collector before and after the onset; `None` when there is too little to compare.
    pub fn gc_comparison(&self, process: &ProcessKey) -> Option<GcComparison> {
        self.processes.get(process)?.gc_comparison()
    }

    /// Everything that is kept, in entries; for tests of its bound.
    #[cfg(test)]
    pub(crate) fn size(&self) -> usize {
        self.processes
            .values()
            .map(|process| {
                let history = process.epoch.as_ref();
                let kept = history.map_or(0, |e| e.history.len() + e.used.points().len());
                process.intake.size() + kept
            })
            .sum()
    }
}
