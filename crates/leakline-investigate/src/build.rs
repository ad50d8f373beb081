//! From the case file to the report: what is said, in which words, and what proves it.

mod explained;
mod timeline;

use std::time::Duration;

use leakline_correlate::Attribution;
use leakline_detect::{Assessment, Eta, Evidence, Verdict};
use leakline_heap::Suspect;
use leakline_model::{ByteSize, SignedByteSize, TimeRange, Timestamp, duration_text, grouped};

use crate::advice;
use crate::case::{CaseFile, Surroundings, everything, gained};
use crate::heap_report;
use crate::phrase;
use crate::plot::PlotView;
use crate::prose::{Prose, ended, sentence};
use explained::Explained;

use crate::report::{
    DumpReference, EvidenceItem, Forecast, InvestigationReport, Outcome, RootCause, TraceEvidence,
};

/// Below this share of the odds an operation is not named as the one.
const NAMED_FROM: f64 = 0.4;

/// The report on what `case` holds.
pub fn build(case: &CaseFile, surroundings: &Surroundings) -> InvestigationReport {
    let builder = Builder::new(case, surroundings);
    InvestigationReport {
        outcome: builder.outcome,
        process: case.process.clone(),
        written_at: surroundings.now,
        watched: builder.watched(),
        headline: builder.headline(),
        summary: builder.summary(),
        timeline: builder.timeline(),
        root_cause: builder.root_cause(),
        trace_evidence: builder.trace_evidence(),
        fix: builder
            .suspect
            .map(|suspect| advice::fix(suspect, builder.operation().map(|a| a.operation.as_str()))),
        forecast: builder.forecast(),
        evidence: builder.evidence(),
        not_known: builder.not_known(),
        plot: builder.plot(),
    }
}

struct Builder<'a> {
    case: &'a CaseFile,
    surroundings: &'a Surroundings,
    outcome: Outcome,
    /// The assessment that the report is about.
    assessment: Option<&'a Assessment>,
    suspect: Option<&'a Suspect>,
    /// How much of the growth the suspect explains; `None` where that is not known.
    explained: Option<Explained>,
}

impl<'a> Builder<'a> {
    fn new(case: &'a CaseFile, surroundings: &'a Surroundings) -> Self {
        let suspect = case.heap.as_ref().and_then(|heap| heap.prime_suspect());
        let growing = case
            .assessments
            .iter()
            .rfind(|a| a.verdict >= Verdict::Suspected);
        // once the dumps were compared, a verdict that has changed since does not undo them; a
        // process that ended leaves no verdict of its own
        let assessment = match case.latest() {
            Some(latest) if latest.verdict == Verdict::Healthy && suspect.is_none() => Some(latest),
            latest => growing.or(latest),
        };
        let explained = suspect.and_then(|s| Explained::of(case, s, assessment));
        let most = explained.is_some_and(|explained| explained.is_most());
        let outcome = match assessment.map(|a| a.verdict) {
            Some(Verdict::Leaking | Verdict::Suspected) if most => Outcome::LeakConfirmed,
            Some(Verdict::Leaking) => Outcome::LeakLikely,
            Some(Verdict::Suspected) => Outcome::Suspected,
            Some(Verdict::Healthy) => Outcome::NoLeak,
            Some(Verdict::InsufficientData) | None => Outcome::InsufficientData,
        };
        Builder {
            case,
            surroundings,
            outcome,
            assessment,
            suspect,
            explained,
        }
    }

    /// Whether the report is about growth at all.
    fn grows(&self) -> bool {
        !matches!(self.outcome, Outcome::NoLeak | Outcome::InsufficientData)
    }

    /// Whether the forecast lies in the past: what came of it is not known here.
    fn has_passed(&self, eta: &Eta) -> bool {
        eta.p50 < self.now()
    }

    fn now(&self) -> Timestamp {
        self.surroundings.now
    }

    fn watched(&self) -> TimeRange {
        let plot = &self.surroundings.plot;
        let start = plot
            .used
            .first()
            .map_or(self.case.first_seen, |(at, _)| *at);
        let end = plot
            .used
            .last()
            .map(|(at, _)| *at)
            .into_iter()
            .chain(self.case.latest().map(|a| a.at))
            .max()
            .unwrap_or(start);
        TimeRange::new(start.min(self.case.first_seen), end.max(start))
    }

    /// The operation that keeps the objects, if one stands out or ties for it.
    fn operation(&self) -> Option<&'a Attribution> {
        let first = self.case.traces.as_ref()?.attributions.first()?;
        (first.confidence >= NAMED_FROM).then_some(first)
    }

    fn service(&self) -> String {
        let process = &self.case.process;
        match process.version.as_str() {
            "" => process.service.clone(),
            version => format!("{} {version}", process.service),
        }
    }

    fn headline(&self) -> String {
        let service = self.service();
        let holder = self.suspect.map(|s| phrase::holder(&s.holder));
        match (self.outcome, holder) {
            (Outcome::LeakConfirmed, Some(holder)) => format!("{service} leaks through {holder}"),
            (Outcome::LeakLikely, Some(holder)) => {
                format!("{service} leaks, probably through {holder}")
            }
            (Outcome::LeakConfirmed | Outcome::LeakLikely, None) => {
                format!("{service} leaks memory")
            }
            (Outcome::Suspected, _) => format!("{service} may be leaking"),
            (Outcome::NoLeak, _) => format!("{service}: no leak"),
            (Outcome::InsufficientData, _) => format!("{service}: too little data to judge"),
        }
    }

    fn summary(&self) -> Prose {
        let Some(assessment) = self.assessment else {
            return Prose::new()
                .text("Nothing is known about the memory of ")
                .code(self.service())
                .text(": it sent no runtime metrics.");
        };
        match self.outcome {
            Outcome::NoLeak => self.healthy_summary(assessment),
            Outcome::InsufficientData => self.unjudged_summary(assessment),
            _ => {
                let mut summary = self.growth_sentence(assessment);
                if let Some(suspect) = self.suspect {
                    summary = summary.then(self.suspect_sentence(suspect));
                }
                if let Some(operation) = self.operation() {
                    summary = summary.then(operation_sentence(operation));
                }
                match self.suspect {
                    Some(suspect) => summary.text(" Fix: ").then(advice::in_short(suspect)),
                    None => summary.text(" No dump shows what holds the memory."),
                }
            }
        }
    }

    fn healthy_summary(&self, assessment: &Assessment) -> Prose {
        let watched = duration_text(self.watched().duration());
        let mut summary = Prose::new().code(self.service()).text(format!(
            " does not leak. Its heap was watched for {watched}"
        ));
        if let Some(reason) = assessment.evidence.iter().find(|e| !e.supports) {
            summary = summary.text(format!(": {}", reason.text));
        }
        summary = summary.text(".");
        match self.case.dumps.len() {
            0 => summary.text(" No dump was taken."),
            1 => {
                summary.text(" One dump was taken before the growth stopped; it was not analysed.")
            }
            n => summary.text(format!(" {n} dumps were taken.")),
        }
    }

    fn unjudged_summary(&self, assessment: &Assessment) -> Prose {
        let mut summary = Prose::new()
            .code(self.service())
            .text(" cannot be judged yet");
        if let Some(reason) = assessment.evidence.first() {
            summary = summary.text(format!(": {}", reason.text));
        }
        summary.text(".")
    }

    fn growth_sentence(&self, assessment: &Assessment) -> Prose {
        let verb = if self.outcome == Outcome::Suspected {
            " may be leaking: what stays in its heap after collections"
        } else {
            " leaks: what stays in its heap after collections"
        };
        let mut text = Prose::new().code(self.service()).text(verb);
        text = text
            .text(" has grown by ")
            .strong(phrase::rate(assessment.growth_bytes_per_hour));
        if let Some(onset) = assessment.onset {
            text = text.text(format!(
                " since {} UTC",
                phrase::clock_on(onset, self.now())
            ));
            if let Some(relation) = self.relation_to_deploy(onset) {
                text = text.text(format!(", {relation}"));
            }
        }
        if let (Some(eta), Some(limit)) = (&assessment.eta, assessment.limit_bytes) {
            let reaches = match self.has_passed(eta) {
                true => "by that trend it would have reached",
                false => "it reaches",
            };
            text = text
                .text(format!("; {reaches} the limit of {} at ", ByteSize(limit)))
                .then(phrase::eta_prose(eta, self.now()));
        } else if assessment.limit_bytes.is_none() {
            text = text.text("; the process sends no limit, so the time left is not known");
        }
        text.text(".")
    }

    /// `38 s after 1.5.0 started`, when the onset follows a start of this version.
    fn relation_to_deploy(&self, onset: Timestamp) -> Option<String> {
        let version = &self.case.process.version;
        let started = self
            .surroundings
            .deploys
            .iter()
            .filter(|d| d.version == *version)
            .map(|d| d.at)
            .chain([self.case.first_seen])
            .min()?;
        let what = match version.as_str() {
            "" => "the process",
            version => version,
        };
        // an onset is not known more closely than to a few exports
        if onset <= started + Duration::from_secs(5) {
            Some(format!("from the start of {what} on"))
        } else {
            let after = duration_text(onset.duration_since(started));
            Some(format!("{after} after {what} started"))
        }
    }

    fn suspect_sentence(&self, suspect: &Suspect) -> Prose {
        let accumulated = &suspect.accumulates;
        let mut text = Prose::new()
            .text(" ")
            .code(phrase::holder(&suspect.holder))
            .text(format!(" holds {} ", grouped(accumulated.objects)))
            .code(phrase::short_class(&accumulated.class))
            .text(format!(
                " ({}, {} of the heap)",
                ByteSize(suspect.retained_bytes),
                phrase::percent(suspect.share)
            ));
        if let Some(growth) = gained(suspect) {
            text = text.text(format!(", {} more than ", grouped(growth.objects)));
            text = match self.dump_distance() {
                Some(distance) => text.text(format!("{distance} before")),
                None => text.text("in the dump before"),
            };
        }
        text.text(".")
    }

    fn dump_distance(&self) -> Option<String> {
        let between = self.case.between_dumps()?;
        Some(duration_text(between.duration()))
    }

    fn root_cause(&self) -> Option<RootCause> {
        let suspect = self.suspect?;
        let report = &self.case.heap.as_ref()?.report;
        let mut counter_evidence: Vec<Prose> = suspect
            .counter_evidence
            .iter()
            .map(|text| Prose::from(sentence(text)))
            .collect();
        if let Some(assessment) = self.assessment {
            let against = assessment
                .evidence
                .iter()
                .filter(|e| !e.supports && e.kind != "warm_up");
            counter_evidence.extend(against.map(|e| {
                let numbers = self.metric_numbers(|other| std::ptr::eq(other, e));
                Prose::from(sentence(&e.text)).cite(&numbers)
            }));
        }
        Some(RootCause {
            sentence: suspect.sentence.clone(),
            holder: suspect.holder.clone(),
            accumulates: suspect.accumulates.clone(),
            pattern: suspect.pattern,
            retained_bytes: suspect.retained_bytes,
            share: suspect.share,
            growth: suspect.growth.clone(),
            why_unbounded: advice::why_unbounded(suspect, self.operation()),
            counter_evidence,
            path: suspect.path.clone(),
            confidence: suspect.confidence,
            others: report
                .suspects
                .iter()
                .filter(|other| !std::ptr::eq(*other, suspect))
                .map(|other| other.sentence.clone())
                .collect(),
        })
    }

    fn trace_evidence(&self) -> TraceEvidence {
        let text = match (&self.case.traces, self.operation()) {
            (Some(traces), Some(first)) => {
                let mut text = Prose::new()
                    .text(format!("{}, ", capital(&phrase::window(traces.window))))
                    .text(format!("{} ", grouped(traces.growth.objects)))
                    .code(phrase::short_class(&traces.growth.class))
                    .text(" were gained.")
                    .then(operation_sentence(first));
                for doubt in &first.doubts {
                    text = text.text(format!(" {}", sentence(doubt)));
                }
                text.cite(&self.trace_number())
            }
            (Some(_), None) => {
                Prose::from("No operation explains the growth well enough to name it.")
            }
            (None, _) if self.grows() => Prose::from("Traces were not compared."),
            (None, _) => Prose::from("Not needed: there is nothing to explain."),
        };
        TraceEvidence {
            text,
            correlation: self.case.traces.clone(),
        }
    }

    fn forecast(&self) -> Forecast {
        let assessment = self.assessment.filter(|_| self.grows());
        let eta = assessment.and_then(|a| a.eta);
        let limit = self.assessment.and_then(|a| a.limit_bytes);
        let growth = assessment.map_or(0.0, |a| a.growth_bytes_per_hour);
        let text = match (assessment, eta, limit) {
            (None, _, _) => Prose::from("No growth to project."),
            (Some(a), Some(eta), Some(limit)) => self.forecast_text(a, &eta, limit),
            (Some(_), None, Some(limit)) => Prose::from(format!(
                "The limit is {}; when it is reached cannot be said yet.",
                ByteSize(limit)
            )),
            (Some(_), _, None) => Prose::from(
                "The process sends no limit of its heap, so the time left is not known.",
            ),
        };
        Forecast {
            text,
            eta,
            growth_bytes_per_hour: growth,
            limit_bytes: limit,
        }
    }

    fn forecast_text(&self, assessment: &Assessment, eta: &Eta, limit: u64) -> Prose {
        let passed = self.has_passed(eta);
        let reaches = if passed {
            "would have reached"
        } else {
            "reaches"
        };
        let mut text = Prose::new()
            .text(format!(
                "At {} the heap {reaches} its limit of {} at ",
                phrase::rate(assessment.growth_bytes_per_hour),
                ByteSize(limit)
            ))
            .then(phrase::eta_prose(eta, self.now()));
        if eta.p50 > assessment.at {
            text = text.text(format!(
                ", {} after the last data",
                duration_text(eta.p50.duration_since(assessment.at))
            ));
        }
        if passed {
            return text.text(". That time has passed, and the data do not tell what came of it.");
        }
        let busier = assessment
            .evidence
            .iter()
            .any(|e| e.kind == "gc_pause" && e.supports);
        if busier {
            text = text
                .text(". Before that, collections take ever more of the time")
                .cite(&self.metric_numbers(|e| e.kind == "gc_pause"));
        }
        text.text(".")
    }

    fn metric_evidence(&self) -> &'a [Evidence] {
        self.assessment.map_or(&[], |a| &a.evidence)
    }

    /// Numbers of the metric evidence that `wanted` selects: they come first, from 1.
    fn metric_numbers(&self, wanted: impl Fn(&Evidence) -> bool) -> Vec<usize> {
        let evidence = self.metric_evidence().iter().enumerate();
        evidence
            .filter(|(_, e)| wanted(e))
            .map(|(i, _)| i + 1)
            .collect()
    }

    fn heap_number(&self) -> Vec<usize> {
        self.suspect
            .map(|_| self.metric_evidence().len() + 1)
            .into_iter()
            .collect()
    }

    fn trace_number(&self) -> Vec<usize> {
        let before = self.metric_evidence().len() + self.heap_number().len();
        self.operation().map(|_| before + 1).into_iter().collect()
    }

    /// Metrics, then the heap, then traces: the order that the numbers rely on.
    fn evidence(&self) -> Vec<EvidenceItem> {
        let metrics = self.metric_evidence().iter().map(|e| EvidenceItem {
            claim: Prose::from(sentence(&e.text)),
            query: (!e.query.is_empty()).then(|| e.query.clone()),
            window: Some(e.window),
            ..EvidenceItem::default()
        });
        let heap = self.suspect.map(|suspect| EvidenceItem {
            claim: match &self.explained {
                Some(explained) => Prose::from(ended(&suspect.sentence))
                    .text(format!(" {}", sentence(&explained.to_string()))),
                None => Prose::from(ended(&suspect.sentence)),
            },
            window: suspect.growth.as_ref().and(self.case.between_dumps()),
            dumps: self
                .case
                .dumps_by_time()
                .into_iter()
                .map(|dump| DumpReference {
                    name: dump.name.clone(),
                })
                .collect(),
            ..EvidenceItem::default()
        });
        let traces = self.operation().map(|operation| EvidenceItem {
            claim: Prose::new()
                .code(&operation.operation)
                .text(format!(": {}.", operation.reasons.join("; "))),
            window: self.case.traces.as_ref().map(|t| t.window),
            traces: operation.sample_traces.clone(),
            ..EvidenceItem::default()
        });
        metrics.chain(heap).chain(traces).collect()
    }

    fn not_known(&self) -> Vec<Prose> {
        let mut unknown: Vec<Prose> = self
            .case
            .shortcomings
            .iter()
            .map(|text| Prose::from(sentence(text)))
            .collect();
        if let Some(heap) = &self.case.heap {
            let report = &heap.report;
            let problems = report
                .comparison_problems
                .iter()
                .chain(&report.dump.problems);
            unknown.extend(problems.map(|p| Prose::from(sentence(p))));
            if self.suspect.is_none() {
                let text = match report.reachable_bytes.len() {
                    0 | 1 => "The dump shows no place that stands out.",
                    _ => "No place grew between the dumps.",
                };
                unknown.push(text.into());
                unknown.extend(report.not_growing.first().map(heap_report::not_growing));
            }
        }
        if let Some(explained) = self.explained.filter(|explained| !explained.is_most()) {
            unknown.push(Prose::from(format!(
                "{} What holds the rest is not known.",
                sentence(&explained.to_string())
            )));
        }
        if let Some(suspect) = self.suspect
            && suspect.growth.is_none()
        {
            let held = everything(suspect).objects;
            unknown.push(Prose::from(format!(
                "With one dump, growth of the suspect is not measured: all {} objects count as gained since the start of the process.",
                grouped(held)
            )));
        }
        if let Some(traces) = &self.case.traces {
            unknown.extend(traces.notes.iter().map(|n| Prose::from(sentence(n))));
        }
        unknown
    }

    fn plot(&self) -> PlotView {
        let assessment = self.assessment;
        let grows = self.grows();
        PlotView {
            plot: self.surroundings.plot.clone(),
            predecessor: self.surroundings.predecessor.clone(),
            limit_bytes: assessment.and_then(|a| a.limit_bytes),
            eta: assessment.and_then(|a| a.eta).filter(|_| grows),
            onset: assessment.and_then(|a| a.onset).filter(|_| grows),
            deploys: self
                .surroundings
                .deploys
                .iter()
                .map(|d| {
                    (
                        d.at,
                        if d.version.is_empty() {
                            "start".to_owned()
                        } else {
                            d.version.clone()
                        },
                    )
                })
                .collect(),
            captures: self
                .case
                .dumps
                .iter()
                .map(|d| (d.time.likely, format!("{} dump", d.purpose.as_str())))
                .collect(),
        }
    }
}

fn operation_sentence(operation: &Attribution) -> Prose {
    let (low, high) = operation.interval;
    let mut text = Prose::new()
        .text(" Each call of ")
        .code(&operation.operation);
    if let Some(outer) = &operation.runs_inside {
        text = text.text(" (inside ").code(outer).text(")");
    }
    text.text(" keeps ")
        .strong(phrase::number(operation.kept_objects_per_call))
        .text(format!(
            " of them ({} to {}), {}.",
            phrase::number(low),
            phrase::number(high),
            SignedByteSize(operation.kept_bytes_per_call as i64),
        ))
}

fn capital(text: &str) -> String {
    format!("From {text}")
}
