//! What happened, in order: starts, growth, verdicts, the steps of the investigation, the limit.

use leakline_detect::Verdict;
use leakline_model::{ByteSize, TimeRange, Timestamp, duration_text, grouped};

use super::Builder;
use crate::case::{Deploy, LogEntry, StepKind};
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
                "Forecast: the limit of {} {} (80 % between {} and {}).",
                ByteSize(limit),
                if self.has_passed(&eta) {
                    "would have been reached"
                } else {
                    "is reached"
                },
                phrase::clock_on(eta.p10, self.now()),
                phrase::clock_on(eta.p90, self.now()),
            ));
            entries.push(entry(eta.p50, StepKind::Forecast, text));
        }
        entries.sort_by_key(|entry| entry.at);
        entries
    }

    /// Starts of versions, and of this process.
    fn starts(&self) -> Vec<TimelineEntry> {
        let process = &self.case.process;
        let deploys = &self.surroundings.deploys;
        let (own, others): (Vec<&Deploy>, Vec<&Deploy>) = deploys
            .iter()
            .partition(|deploy| deploy.version == process.version);
        let mut entries: Vec<TimelineEntry> = others
            .iter()
            .map(|deploy| {
                let text = started(&process.service, deploy);
                entry(deploy.at, StepKind::Start, text)
            })
            .collect();
        entries.extend(
            others
                .iter()
                .filter_map(|deploy| healthy(&process.service, deploy)),
        );
        let first = own.first();
        let this = Deploy {
            at: self.case.first_seen,
            version: process.version.clone(),
            instance: process.instance.clone(),
            instances: 1,
            judged: None,
        };
        // of several instances another one may have been the first
        let earlier = first.filter(|deploy| deploy.at < this.at && deploy.instances > 1);
        let start = earlier.map_or(&this, |deploy| *deploy);
        let replaces = others.iter().any(|deploy| deploy.at < start.at);
        entries.push(if replaces {
            let text = Prose::from("Deploy: ").then(started(&process.service, start));
            entry(start.at, StepKind::Deploy, text)
        } else {
            entry(start.at, StepKind::Start, started(&process.service, start))
        });
        if earlier.is_some() {
            let text = started(&process.service, &this);
            entries.push(entry(this.at, StepKind::Start, text));
        }
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

/// `order-service 1.5.0 starts (instance 0a5d3f1e…).`
fn started(service: &str, deploy: &Deploy) -> Prose {
    let name = format!("{service} {}", deploy.version);
    let mut text = Prose::new().code(name.trim_end()).text(" starts");
    if deploy.instances > 1 {
        let count = grouped(deploy.instances as u64);
        text = text.text(format!(" (the first of {count} instances)"));
    } else if !deploy.instance.is_empty() {
        text = text
            .text(" (instance ")
            .code(short_instance(&deploy.instance))
            .text(")");
    }
    text.text(".")
}

/// That another version grows as it should, and why it was judged so.
fn healthy(service: &str, deploy: &Deploy) -> Option<TimelineEntry> {
    let judged = deploy.judged.as_ref();
    let reason = judged.filter(|a| a.verdict == Verdict::Healthy)?;
    let name = format!("{service} {}", deploy.version);
    let mut text = Prose::from("Normal growth: ")
        .code(name.trim_end())
        .text(" is healthy");
    if let Some(evidence) = reason.evidence.first() {
        text = text.text(format!("; {}", evidence.text));
    }
    Some(entry(reason.at, StepKind::Normal, text.text(".")))
}

/// The start of an instance id: enough to tell a handful apart.
fn short_instance(instance: &str) -> String {
    if instance.chars().count() <= 24 {
        return instance.to_owned();
    }
    instance.chars().take(8).chain(['…']).collect()
}
