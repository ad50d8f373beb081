//! JSON forms of what several reports share, and of the investigation.
//!
//! These structures are the contract; they are private so that only text leaves the crate.

use leakline_correlate::{Attribution, Correlation};
use leakline_detect::{Eta, Evidence};
use leakline_heap::{Accumulated, Holder, PathStep, SuspectGrowth};
use leakline_model::{SpanKind, TimeRange, Timestamp};
use serde::Serialize;

use crate::phrase;
use crate::plot::PlotView;
use crate::report::{EvidenceItem, InvestigationReport, RootCause};

/// Pretty-printed, with a final line break.
pub(crate) fn pretty<T: Serialize>(value: &T) -> String {
    // only maps with keys that are no text can fail, and there are none
    let mut text = serde_json::to_string_pretty(value).unwrap_or_default();
    text.push('\n');
    text
}

/// Times as RFC 3339.
pub(crate) fn time(time: Timestamp) -> String {
    time.to_string()
}

/// To four decimals: more would be noise, and different from machine to machine.
pub(crate) fn rounded(value: f64) -> f64 {
    (value * 1e4).round() / 1e4
}

#[derive(Serialize)]
pub(crate) struct EtaJson {
    p10: String,
    p50: String,
    p90: String,
}

impl From<Eta> for EtaJson {
    fn from(eta: Eta) -> Self {
        EtaJson {
            p10: time(eta.p10),
            p50: time(eta.p50),
            p90: time(eta.p90),
        }
    }
}

#[derive(Serialize)]
pub(crate) struct ReasonJson<'a> {
    kind: &'a str,
    supports: bool,
    text: &'a str,
    query: &'a str,
    window: WindowJson,
}

impl<'a> From<&'a Evidence> for ReasonJson<'a> {
    fn from(evidence: &'a Evidence) -> Self {
        ReasonJson {
            kind: evidence.kind,
            supports: evidence.supports,
            text: &evidence.text,
            query: &evidence.query,
            window: evidence.window.into(),
        }
    }
}

#[derive(Serialize)]
pub(crate) struct HolderJson<'a> {
    class: &'a str,
    field: Option<&'a str>,
    root: &'a str,
    thread: Option<&'a str>,
    frame: Option<&'a str>,
}

impl<'a> From<&'a Holder> for HolderJson<'a> {
    fn from(holder: &'a Holder) -> Self {
        HolderJson {
            class: &holder.class,
            field: holder.field.as_deref(),
            root: &holder.root,
            thread: holder.thread.as_deref(),
            frame: holder.frame.as_deref(),
        }
    }
}

#[derive(Serialize)]
pub(crate) struct AccumulatedJson<'a> {
    class: &'a str,
    key_class: Option<&'a str>,
    objects: u64,
    bytes: u64,
}

impl<'a> From<&'a Accumulated> for AccumulatedJson<'a> {
    fn from(accumulated: &'a Accumulated) -> Self {
        AccumulatedJson {
            class: &accumulated.class,
            key_class: accumulated.key_class.as_deref(),
            objects: accumulated.objects,
            bytes: accumulated.bytes,
        }
    }
}

#[derive(Serialize)]
pub(crate) struct StepJson<'a> {
    class: &'a str,
    field: Option<&'a str>,
    object_id: String,
}

impl<'a> From<&'a PathStep> for StepJson<'a> {
    fn from(step: &'a PathStep) -> Self {
        StepJson {
            class: &step.class,
            field: step.field.as_deref(),
            object_id: format!("{:#x}", step.object_id),
        }
    }
}

#[derive(Serialize)]
pub(crate) struct SuspectGrowthJson<'a> {
    objects: &'a [u64],
    bytes: &'a [u64],
    objects_per_minute: Option<f64>,
    kind: &'static str,
    rate: RateJson,
}

#[derive(Serialize)]
struct RateJson {
    per: &'static str,
    objects: f64,
    bytes: f64,
}

impl<'a> From<&'a SuspectGrowth> for SuspectGrowthJson<'a> {
    fn from(growth: &'a SuspectGrowth) -> Self {
        SuspectGrowthJson {
            objects: &growth.objects,
            bytes: &growth.bytes,
            objects_per_minute: growth.objects_per_minute().map(rounded),
            kind: growth.kind.as_str(),
            rate: RateJson {
                per: phrase::per(growth.rate.per),
                objects: rounded(growth.rate.objects),
                bytes: rounded(growth.rate.bytes),
            },
        }
    }
}

#[derive(Serialize)]
struct WindowJson {
    start: String,
    end: String,
}

impl From<TimeRange> for WindowJson {
    fn from(range: TimeRange) -> Self {
        WindowJson {
            start: time(range.start),
            end: time(range.end),
        }
    }
}

#[derive(Serialize)]
struct InvestigationJson<'a> {
    schema: &'static str,
    outcome: &'static str,
    headline: &'a str,
    process: ProcessJson<'a>,
    written_at: String,
    watched: WindowJson,
    summary: String,
    timeline: Vec<MomentJson>,
    root_cause: Option<RootCauseJson<'a>>,
    trace_evidence: TraceEvidenceJson<'a>,
    fix: Option<FixJson<'a>>,
    forecast: ForecastJson,
    evidence: Vec<EvidenceJson<'a>>,
    not_known: Vec<String>,
    plot: PlotJson<'a>,
}

#[derive(Serialize)]
struct ProcessJson<'a> {
    service: &'a str,
    instance: &'a str,
    version: &'a str,
}

#[derive(Serialize)]
struct MomentJson {
    at: String,
    kind: &'static str,
    text: String,
}

#[derive(Serialize)]
struct RootCauseJson<'a> {
    sentence: &'a str,
    holder: HolderJson<'a>,
    accumulates: AccumulatedJson<'a>,
    pattern: &'static str,
    retained_bytes: u64,
    share: f64,
    growth: Option<SuspectGrowthJson<'a>>,
    why_unbounded: String,
    counter_evidence: Vec<String>,
    path: Vec<StepJson<'a>>,
    confidence: f64,
    others: &'a [String],
}

#[derive(Serialize)]
struct TraceEvidenceJson<'a> {
    text: String,
    window: Option<WindowJson>,
    gained: Option<AccumulatedJson<'a>>,
    operations: Vec<OperationJson<'a>>,
    notes: &'a [String],
}

#[derive(Serialize)]
struct OperationJson<'a> {
    operation: &'a str,
    kind: &'static str,
    runs_inside: Option<&'a str>,
    calls: u64,
    calls_known: bool,
    kept_objects_per_call: f64,
    kept_objects_per_call_low: f64,
    kept_objects_per_call_high: f64,
    kept_bytes_per_call: f64,
    confidence: f64,
    reasons: &'a [String],
    doubts: &'a [String],
    sample_traces: Vec<String>,
}

#[derive(Serialize)]
struct FixJson<'a> {
    text: String,
    steps: Vec<String>,
    code: Option<&'a str>,
    until_then: String,
}

#[derive(Serialize)]
struct ForecastJson {
    text: String,
    eta: Option<EtaJson>,
    growth_bytes_per_hour: i64,
    limit_bytes: Option<u64>,
}

#[derive(Serialize)]
struct EvidenceJson<'a> {
    number: usize,
    claim: String,
    query: Option<&'a str>,
    window: Option<WindowJson>,
    dumps: Vec<DumpJson<'a>>,
    traces: Vec<String>,
}

#[derive(Serialize)]
struct DumpJson<'a> {
    name: &'a str,
}

/// Points are pairs of milliseconds since the epoch and bytes.
#[derive(Serialize)]
struct PlotJson<'a> {
    used: Vec<(i64, f64)>,
    floor: Vec<(i64, f64)>,
    trend: Option<[(i64, f64); 2]>,
    warm_up_end: Option<String>,
    onset: Option<String>,
    deploys: Vec<(String, &'a str)>,
    captures: Vec<(String, &'a str)>,
}

/// The investigation as JSON, schema `leakline.investigation/1`.
pub(crate) fn investigation(report: &InvestigationReport) -> String {
    let process = &report.process;
    pretty(&InvestigationJson {
        schema: "leakline.investigation/1",
        outcome: report.outcome.as_str(),
        headline: &report.headline,
        process: ProcessJson {
            service: &process.service,
            instance: &process.instance,
            version: &process.version,
        },
        written_at: time(report.written_at),
        watched: report.watched.into(),
        summary: report.summary.to_string(),
        timeline: report
            .timeline
            .iter()
            .map(|entry| MomentJson {
                at: time(entry.at),
                kind: entry.kind.as_str(),
                text: entry.text.to_string(),
            })
            .collect(),
        root_cause: report.root_cause.as_ref().map(root_cause),
        trace_evidence: TraceEvidenceJson {
            text: report.trace_evidence.text.to_string(),
            ..trace_evidence(report.trace_evidence.correlation.as_ref())
        },
        fix: report.fix.as_ref().map(|fix| FixJson {
            text: fix.text.to_string(),
            steps: fix.steps.iter().map(ToString::to_string).collect(),
            code: fix.code.as_deref(),
            until_then: fix.until_then.to_string(),
        }),
        forecast: ForecastJson {
            text: report.forecast.text.to_string(),
            eta: report.forecast.eta.map(EtaJson::from),
            growth_bytes_per_hour: report.forecast.growth_bytes_per_hour.round() as i64,
            limit_bytes: report.forecast.limit_bytes,
        },
        evidence: report
            .evidence
            .iter()
            .enumerate()
            .map(|(i, item)| evidence(i + 1, item))
            .collect(),
        not_known: report.not_known.iter().map(ToString::to_string).collect(),
        plot: plot(&report.plot),
    })
}

fn root_cause(cause: &RootCause) -> RootCauseJson<'_> {
    RootCauseJson {
        sentence: &cause.sentence,
        holder: (&cause.holder).into(),
        accumulates: (&cause.accumulates).into(),
        pattern: crate::advice::pattern_name(cause.pattern),
        retained_bytes: cause.retained_bytes,
        share: rounded(cause.share),
        growth: cause.growth.as_ref().map(SuspectGrowthJson::from),
        why_unbounded: cause.why_unbounded.to_string(),
        counter_evidence: cause
            .counter_evidence
            .iter()
            .map(ToString::to_string)
            .collect(),
        path: cause.path.iter().map(StepJson::from).collect(),
        confidence: rounded(cause.confidence),
        others: &cause.others,
    }
}

fn trace_evidence(correlation: Option<&Correlation>) -> TraceEvidenceJson<'_> {
    TraceEvidenceJson {
        text: String::new(),
        window: correlation.map(|c| c.window.into()),
        gained: correlation.map(|c| AccumulatedJson {
            class: &c.growth.class,
            key_class: None,
            objects: c.growth.objects,
            bytes: c.growth.bytes,
        }),
        operations: correlation
            .map(|c| c.attributions.iter().map(operation).collect())
            .unwrap_or_default(),
        notes: correlation.map_or(&[], |c| &c.notes),
    }
}

fn operation(attribution: &Attribution) -> OperationJson<'_> {
    OperationJson {
        operation: &attribution.operation,
        kind: match attribution.kind {
            SpanKind::Unspecified => "unspecified",
            SpanKind::Internal => "internal",
            SpanKind::Server => "server",
            SpanKind::Client => "client",
            SpanKind::Producer => "producer",
            SpanKind::Consumer => "consumer",
        },
        runs_inside: attribution.runs_inside.as_deref(),
        calls: attribution.calls,
        calls_known: attribution.calls_known,
        kept_objects_per_call: rounded(attribution.kept_objects_per_call),
        kept_objects_per_call_low: rounded(attribution.interval.0),
        kept_objects_per_call_high: rounded(attribution.interval.1),
        kept_bytes_per_call: rounded(attribution.kept_bytes_per_call),
        confidence: rounded(attribution.confidence),
        reasons: &attribution.reasons,
        doubts: &attribution.doubts,
        sample_traces: attribution
            .sample_traces
            .iter()
            .map(ToString::to_string)
            .collect(),
    }
}

fn evidence(number: usize, item: &EvidenceItem) -> EvidenceJson<'_> {
    EvidenceJson {
        number,
        claim: item.claim.to_string(),
        query: item.query.as_deref(),
        window: item.window.map(WindowJson::from),
        dumps: item
            .dumps
            .iter()
            .map(|dump| DumpJson { name: &dump.name })
            .collect(),
        traces: item.traces.iter().map(ToString::to_string).collect(),
    }
}

fn plot(view: &PlotView) -> PlotJson<'_> {
    let point = |(at, bytes): &(Timestamp, f64)| (at.as_millis(), bytes.round());
    PlotJson {
        used: view.plot.used.iter().map(point).collect(),
        floor: view.plot.floor.iter().map(point).collect(),
        trend: view
            .plot
            .trend
            .as_ref()
            .map(|ends| [point(&ends[0]), point(&ends[1])]),
        warm_up_end: view.plot.warm_up_end.map(time),
        onset: view.onset.map(time),
        deploys: view
            .deploys
            .iter()
            .map(|(at, name)| (time(*at), name.as_str()))
            .collect(),
        captures: view
            .captures
            .iter()
            .map(|(at, name)| (time(*at), name.as_str()))
            .collect(),
    }
}
