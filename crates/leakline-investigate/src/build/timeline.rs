//! What happened, in order: starts, growth, verdicts, the steps of the investigation, the limit.

use leakline_detect::Verdict;
use leakline_model::{ByteSize, TimeRange, Timestamp, duration_text};

use super::Builder;
use crate::case::{LogEntry, StepKind};
use crate::phrase;
use crate::prose::{Prose, ended, sentence};
use crate::report::TimelineEntry;

impl Builder<'_> {
    pub(super) fn timeline(&self) -> Vec<TimelineEntry> {
        let mut entries = self.starts();
        let plot = &self.surroundings.plot;
        if let Some(at) = plot.warm_up_end {
            let text = Prose::from("Warm-up over; from here on growth counts.");
            entries.push(entry(at, StepKind::WarmUp, text));
        }
        let onset = self
            .assessment
            .and_then(|a| a.onset)
            .filter(|_| self.grows());
        if let Some(normal) = self.normal_growth(onset) {
            entries.push(normal);
        }
        if let (Some(at), Some(assessment)) = (onset, self.assessment) {
            let text = Prose::new()
                .text("Abnormal growth begins: ")
                .strong(phrase::rate(assessment.growth_bytes_per_hour))
                .text(" stays after collections.")
                .cite(&self.metric_numbers(|e| e.kind == "floor_trend"));
            entries.push(entry(at, StepKind::Onset, text));
        }
        entries.extend(self.verdicts());
        entries.extend(self.collector());
        entries.extend(self.case.log.iter().map(log_entry));
        if self.grows()
            && let Some(assessment) = self.assessment
            && let (Some(eta), Some(limit)) = (assessment.eta, assessment.limit_bytes)
        {
            let text = Prose::new().text(format!(
                "Forecast: the limit of {} is reached (80 % between {} and {}).",
                ByteSize(limit),
                phrase::clock_on(eta.p10, self.now()),
                phrase::clock_on(eta.p90, self.now()),
            ));
            entries.push(entry(eta.p50, StepKind::Forecast, text));
        }
        entries.sort_by_key(|entry| entry.at);
        entries
    }

    /// Starts of other versions, and of this process.
    fn starts(&self) -> Vec<TimelineEntry> {
        let process = &self.case.process;
        let own = |instance: &str, version: &str| {
            instance == process.instance && version == process.version
        };
        let mut entries: Vec<TimelineEntry> = self
            .surroundings
            .deploys
            .iter()
            .filter(|deploy| !own(&deploy.instance, &deploy.version))
            .map(|deploy| {
                let text = started(&process.service, &deploy.version, &deploy.instance);
                entry(deploy.at, StepKind::Start, text)
            })
            .collect();
        entries.extend(self.surroundings.deploys.iter().filter_map(|deploy| {
            let judged = deploy
                .judged
                .as_ref()
                .filter(|_| !own(&deploy.instance, &deploy.version));
            let reason = judged.filter(|a| a.verdict == Verdict::Healthy)?;
            let name = format!("{} {}", process.service, deploy.version);
            let mut text = Prose::from("Normal growth: ")
                .code(name.trim_end())
                .text(" is healthy");
            if let Some(evidence) = reason.evidence.first() {
                text = text.text(format!("; {}", evidence.text));
            }
            Some(entry(reason.at, StepKind::Normal, text.text(".")))
        }));
        let other_version = self
            .surroundings
            .deploys
            .iter()
            .any(|d| d.version != process.version && d.at < self.case.first_seen);
        let (kind, text) = if other_version {
            let text = Prose::new().text("Deploy: ").then(started(
                &process.service,
                &process.version,
                &process.instance,
            ));
            (StepKind::Deploy, text)
        } else {
            let text = started(&process.service, &process.version, &process.instance);
            (StepKind::Start, text)
        };
        entries.push(entry(self.case.first_seen, kind, text));
        entries
    }

    /// What the floor did between warm-up and onset, or all the time where there is no onset.
    fn normal_growth(&self, onset: Option<Timestamp>) -> Option<TimelineEntry> {
        let plot = &self.surroundings.plot;
        let start = plot.warm_up_end.unwrap_or(self.case.first_seen);
        let end = onset.unwrap_or(self.watched().end);
        let inside = TimeRange::new(start, end);
        let floor: Vec<f64> = plot
            .floor
            .iter()
            .filter(|(at, _)| inside.contains(*at))
            .map(|(_, bytes)| *bytes)
            .collect();
        // two points are a line, not a level
        if floor.len() < 3 {
            return None;
        }
        let low = floor.iter().copied().fold(f64::INFINITY, f64::min);
        let high = floor.iter().copied().fold(0.0, f64::max);
        let text = format!(
            "Normal growth: for {} the floor stays between {} and {}.",
            duration_text(inside.duration()),
            ByteSize(low as u64),
            ByteSize(high as u64),
        );
        Some(entry(start, StepKind::Normal, text.into()))
    }

    /// The moments at which the verdict changed.
    fn verdicts(&self) -> Vec<TimelineEntry> {
        let mut before = None;
        let mut entries = Vec::new();
        for assessment in &self.case.assessments {
            if before == Some(assessment.verdict) {
                continue;
            }
            before = Some(assessment.verdict);
            let confidence = phrase::percent(assessment.confidence);
            let text = match assessment.verdict {
                Verdict::Leaking => format!("Verdict: leaking, {confidence} sure."),
                Verdict::Suspected => format!("Verdict: a leak is suspected, {confidence} sure."),
                Verdict::Healthy => format!("Verdict: healthy, {confidence} sure."),
                Verdict::InsufficientData => "Verdict: not enough data yet.".to_owned(),
            };
            entries.push(entry(assessment.at, StepKind::Verdict, text.into()));
        }
        entries
    }

    /// What the garbage collector says about it.
    fn collector(&self) -> Vec<TimelineEntry> {
        let Some(assessment) = self.assessment.filter(|_| self.grows()) else {
            return Vec::new();
        };
        assessment
            .evidence
            .iter()
            .filter(|e| e.kind.starts_with("gc_") && e.supports)
            .map(|e| {
                let numbers = self.metric_numbers(|other| std::ptr::eq(other, e));
                let text = Prose::new()
                    .text(format!("Garbage collector: {}", ended(&e.text)))
                    .cite(&numbers);
                entry(assessment.at, StepKind::Collector, text)
            })
            .collect()
    }
}

fn entry(at: Timestamp, kind: StepKind, text: Prose) -> TimelineEntry {
    TimelineEntry { at, kind, text }
}

fn log_entry(entry: &LogEntry) -> TimelineEntry {
    TimelineEntry {
        at: entry.at,
        kind: entry.kind,
        text: sentence(&entry.text).into(),
    }
}

fn started(service: &str, version: &str, instance: &str) -> Prose {
    let name = format!("{service} {version}");
    let mut text = Prose::new().code(name.trim_end()).text(" starts");
    if !instance.is_empty() {
        text = text
            .text(" (instance ")
            .code(short_instance(instance))
            .text(")");
    }
    text.text(".")
}

/// The start of an instance id: enough to tell a handful apart.
fn short_instance(instance: &str) -> String {
    if instance.chars().count() <= 24 {
        return instance.to_owned();
    }
    instance.chars().take(8).chain(['…']).collect()
}
