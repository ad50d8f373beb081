//! One process: its samples, its present life, and the verdict that stands.

use crate::epoch::{Continuity, Epoch};
use crate::explain;
use crate::floor::Floor;
use crate::intake::{Export, Intake};
use crate::trend::{self, Growth};
use crate::{Assessment, GcComparison, Plot, Settings, Transition, Verdict, collector};
use leakline_model::signal::Reading;
use leakline_model::{Labels, ProcessKey, Sample, Timestamp};
use std::time::Duration;

/// What a judgement found, before hysteresis.
#[derive(Clone, Debug, Default)]
pub(crate) struct Finding {
    pub(crate) growth: Option<Growth>,
    /// Seconds since the start of the epoch.
    pub(crate) onset: f64,
}

/// The verdict that stands, and what holds it.
#[derive(Clone, Debug)]
struct Standing {
    verdict: Verdict,
    /// Judgements in a row that said at least `Suspected`, and `Leaking`.
    suspected_in_a_row: u32,
    leaking_in_a_row: u32,
    /// The last judgement that bore the verdict out.
    borne_out_at: Timestamp,
    /// What it found.
    basis: Option<Finding>,
}

impl Standing {
    fn new(at: Timestamp) -> Self {
        Standing {
            verdict: Verdict::InsufficientData,
            suspected_in_a_row: 0,
            leaking_in_a_row: 0,
            borne_out_at: at,
            basis: None,
        }
    }

    /// Takes a judgement. A verdict gets worse when several judgements in a row agree, and
    /// better when its reasons have been gone for a while.
    fn take(&mut self, found: Verdict, finding: &Finding, at: Timestamp, settings: &Settings) {
        let count = |row: u32, holds: bool| if holds { row.saturating_add(1) } else { 0 };
        self.suspected_in_a_row = count(self.suspected_in_a_row, found >= Verdict::Suspected);
        self.leaking_in_a_row = count(self.leaking_in_a_row, found == Verdict::Leaking);
        if found >= Verdict::Suspected {
            self.borne_out_at = at;
            self.basis = Some(finding.clone());
        }
        let worse = if self.leaking_in_a_row >= settings.confirmations {
            Verdict::Leaking
        } else if self.suspected_in_a_row >= settings.confirmations {
            Verdict::Suspected
        } else if found >= Verdict::Suspected {
            // not confirmed yet, and certainly no reason to call it healthy
            self.verdict
        } else {
            found
        };
        if worse > self.verdict || self.verdict <= Verdict::Healthy {
            self.verdict = worse;
        } else if found < Verdict::Suspected {
            let window = self
                .basis
                .as_ref()
                .and_then(|basis| basis.growth.as_ref())
                .map_or(0.0, Growth::length);
            if at.seconds_since(self.borne_out_at) >= settings.release * window {
                self.verdict = found;
                self.basis = None;
            }
        }
    }
}

/// One process.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) key: ProcessKey,
    pub(crate) intake: Intake,
    pub(crate) epoch: Option<Epoch>,
    /// Time of the first export ever.
    pub(crate) first_seen: Option<Timestamp>,
    /// Time of the latest export that was taken.
    pub(crate) last_seen: Option<Timestamp>,
    /// Time of the latest sample received, taken or not.
    pub(crate) last_heard: Timestamp,
    /// The operating system's process id, where resources tell it.
    pid: Option<String>,
    /// When another pid took over this identity.
    new_pid_from: Option<Timestamp>,
    standing: Standing,
    floor: Floor,
    latest: Finding,
    assessment: Option<Assessment>,
}

impl Process {
    pub(crate) fn new(key: ProcessKey) -> Self {
        Process {
            key,
            intake: Intake::default(),
            epoch: None,
            first_seen: None,
            last_seen: None,
            last_heard: Timestamp::MIN,
            pid: None,
            new_pid_from: None,
            standing: Standing::new(Timestamp::MIN),
            floor: Floor::default(),
            latest: Finding::default(),
            assessment: None,
        }
    }

    pub(crate) fn add(&mut self, labels: &Labels, reading: Reading, samples: &[Sample]) {
        for sample in samples {
            self.last_heard = self.last_heard.max(sample.timestamp);
        }
        self.intake.add(labels, reading, samples);
    }

    /// Notes which operating system process sends; another one is a restart.
    pub(crate) fn note_pid(&mut self, pid: &str, at: Timestamp) {
        if self.pid.as_deref().is_some_and(|known| known != pid) {
            self.new_pid_from = Some(at);
        }
        if self.pid.as_deref() != Some(pid) {
            self.pid = Some(pid.to_owned());
        }
    }

    /// Takes all complete exports up to `now` and judges at each new point of the floor.
    pub(crate) fn advance(
        &mut self,
        now: Timestamp,
        settings: &Settings,
        transitions: &mut Vec<Transition>,
    ) {
        let mut taken = false;
        while let Some(export) = self.intake.next(now) {
            taken = true;
            self.first_seen.get_or_insert(export.at);
            self.last_seen = Some(export.at);
            let life = self.epoch.as_ref().map(|epoch| epoch.start);
            let has_new_point = self.take(&export, settings);
            let restarted = life.is_some() && life != self.epoch.as_ref().map(|epoch| epoch.start);
            if has_new_point {
                self.judge(export.at, settings);
            }
            if has_new_point || restarted {
                self.assess(export.at, settings, transitions);
            }
        }
        // a process that gives no floor still deserves to be told why
        let unjudged = self.standing.verdict == Verdict::InsufficientData;
        if let (true, true, Some(at)) = (taken, unjudged, self.last_seen) {
            self.assess(at, settings, transitions);
        }
    }

    /// Takes an export; true when the floor has a new point.
    fn take(&mut self, export: &Export, settings: &Settings) -> bool {
        let restarted = self
            .new_pid_from
            .take_if(|from| *from <= export.at)
            .is_some();
        if self.epoch.is_none() || restarted {
            self.start_epoch(export.at);
        }
        for _ in 0..2 {
            let Some(epoch) = self.epoch.as_mut() else {
                return false;
            };
            let closed = epoch.closed;
            match epoch.take(export, &self.intake, settings) {
                Continuity::Continues => return epoch.closed > closed,
                Continuity::Restarted => self.start_epoch(export.at),
            }
        }
        false
    }

    fn start_epoch(&mut self, at: Timestamp) {
        if self.epoch.is_some() {
            self.intake.forget_parts();
        }
        self.epoch = Some(Epoch::new(at, self.epoch.is_some()));
        self.standing = Standing::new(at);
        self.floor = Floor::default();
        self.latest = Finding::default();
    }

    fn judge(&mut self, at: Timestamp, settings: &Settings) {
        let Some(epoch) = &self.epoch else { return };
        let floor = Floor::of(epoch, settings);
        let limit = Some(epoch.limit).filter(|&limit| limit > 0.0);
        let growth = if epoch.gc_metric {
            trend::judge(&floor, limit, settings)
        } else {
            None
        };
        let found = match &growth {
            Some(growth) if growth.verdict >= Verdict::Suspected => growth.verdict,
            Some(growth)
                if floor.judged().len() >= settings.points_to_judge
                    && (self.standing.verdict == Verdict::Healthy || !growth.is_open(settings)) =>
            {
                Verdict::Healthy
            }
            _ => Verdict::InsufficientData,
        };
        let onset = match &growth {
            Some(growth) if found >= Verdict::Suspected => trend::onset(&floor, growth),
            _ => 0.0,
        };
        self.floor = floor;
        self.latest = Finding { growth, onset };
        self.standing.take(found, &self.latest, at, settings);
    }

    /// What the standing verdict rests on.
    fn basis(&self) -> &Finding {
        let rises =
            self.latest.growth.as_ref().map(|growth| growth.verdict) >= Some(Verdict::Suspected);
        match &self.standing.basis {
            Some(basis) if self.standing.verdict >= Verdict::Suspected && !rises => basis,
            _ => &self.latest,
        }
    }

    /// Says why the verdict stands, and announces it if it is a new one.
    fn assess(&mut self, at: Timestamp, settings: &Settings, transitions: &mut Vec<Transition>) {
        let Some(epoch) = &self.epoch else { return };
        let subject = explain::Subject {
            key: &self.key,
            intake: &self.intake,
            epoch,
            verdict: self.standing.verdict,
            floor: &self.floor,
            finding: self.basis(),
            settings,
        };
        let assessment = explain::assessment(&subject, at);
        let before = self
            .assessment
            .as_ref()
            .map_or(Verdict::InsufficientData, |before| before.verdict);
        if assessment.verdict != before {
            transitions.push(Transition {
                from: before,
                assessment: assessment.clone(),
            });
        }
        self.assessment = Some(assessment);
    }

    pub(crate) fn assessment(&self) -> Option<&Assessment> {
        self.assessment.as_ref()
    }

    /// Whether the process still sends at `now`.
    pub(crate) fn sends(&self, now: Timestamp, settings: &Settings) -> bool {
        let interval = self.epoch.as_ref().map_or(0.0, |epoch| epoch.interval);
        let silence =
            (settings.silent_exports * interval).max(settings.minimum_silence.as_secs_f64());
        self.last_seen
            .is_some_and(|last| now.seconds_since(last) <= silence)
    }

    pub(crate) fn plot(&self) -> Plot {
        let Some(epoch) = &self.epoch else {
            return Plot::default();
        };
        let time = |seconds: f64| epoch_time(epoch, seconds);
        let basis = self.basis();
        let trend = basis
            .growth
            .as_ref()
            .filter(|_| self.standing.verdict >= Verdict::Suspected)
            .map(|growth| {
                [
                    (time(growth.from), growth.base),
                    (time(growth.to), growth.level),
                ]
            });
        let floor = &self.floor;
        Plot {
            used: epoch.used.points().to_vec(),
            floor: floor
                .points
                .iter()
                .map(|point| (time(point.at), point.floor))
                .collect(),
            trend,
            warm_up_end: (floor.warm > 0 || !floor.judged().is_empty())
                .then(|| time(floor.warm_up_end)),
        }
    }

    pub(crate) fn gc_comparison(&self) -> Option<GcComparison> {
        let epoch = self.epoch.as_ref()?;
        let onset = self.assessment.as_ref().and_then(|a| a.onset);
        let warm_up_end = epoch_time(epoch, self.floor.warm_up_end);
        collector::compare(
            epoch.history.iter().collect::<Vec<_>>().into_iter(),
            warm_up_end,
            onset,
        )
    }
}

/// Seconds since the start of an epoch as a time.
pub(crate) fn epoch_time(epoch: &Epoch, seconds: f64) -> Timestamp {
    epoch.start + Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::MAX)
}
