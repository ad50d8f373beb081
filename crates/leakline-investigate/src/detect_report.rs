//! What `leakline detect` judged, in every form.

use leakline_detect::{Assessment, ServiceVerdict, Verdict};
use leakline_model::{ByteSize, Timestamp};
use serde::Serialize;

use crate::document::{Block, Document, Moment, Table, Tone};
use crate::form::Form;
use crate::json::{EtaJson, ReasonJson, pretty, rounded, time};
use crate::phrase;
use crate::plot::{self, PlotView};
use crate::prose::{Prose, ended};

/// One service, judged over the whole of the data.
#[derive(Clone, Debug, PartialEq)]
pub struct ServiceHistory {
    /// The service.
    pub service: String,
    /// The verdict at the end of the data: the worst among the processes that still send.
    pub verdict: Verdict,
    /// The latest assessment of each process, the worst first.
    pub processes: Vec<Assessment>,
    /// Assessments at which the verdict on a process changed, by time. Without `--replay`, the
    /// one assessment of each process at the end of the data.
    pub transitions: Vec<Assessment>,
    /// Memory of the worst process, for HTML; may be empty.
    pub plot: PlotView,
}

impl ServiceHistory {
    /// The verdicts as they are, without what led to them.
    pub fn at_present(service: ServiceVerdict) -> Self {
        ServiceHistory {
            service: service.service,
            verdict: service.verdict,
            transitions: service.processes.clone(),
            processes: service.processes,
            plot: PlotView::default(),
        }
    }
}

/// The verdicts in the form asked for.
pub fn render(services: &[ServiceHistory], form: Form) -> String {
    form.write(|| layout(services), || json(services))
}

fn layout(services: &[ServiceHistory]) -> Document {
    let mut blocks = vec![Block::Section("Services")];
    if services.is_empty() {
        let text =
            "None: the data has no runtime metrics. Leakline reads OpenTelemetry's JVM metrics.";
        blocks.push(Block::Paragraph(text.into()));
    } else {
        blocks.push(Block::Table(overview(services)));
    }
    for service in services.iter().filter(|s| s.verdict != Verdict::Healthy) {
        service_blocks(&mut blocks, service);
    }
    let worst = services.iter().map(|s| s.verdict).max();
    let badge = match worst {
        Some(Verdict::Leaking) => Some((Tone::Bad, "leaking")),
        Some(Verdict::Suspected) => Some((Tone::Warning, "leak suspected")),
        Some(Verdict::Healthy) => Some((Tone::Good, "no leak")),
        Some(Verdict::InsufficientData) | None => Some((Tone::Neutral, "insufficient data")),
    };
    Document {
        title: "Leak verdicts".to_owned(),
        badge: badge.map(|(tone, text)| (tone, text.to_owned())),
        subtitle: subtitle(services),
        blocks,
    }
}

fn subtitle(services: &[ServiceHistory]) -> Prose {
    let processes: usize = services.iter().map(|s| s.processes.len()).sum();
    let latest = services
        .iter()
        .flat_map(|s| &s.processes)
        .map(|a| a.at)
        .max();
    let plural =
        |n: usize, one: &str, many: &str| format!("{n} {}", if n == 1 { one } else { many });
    let mut text = format!(
        "{}, {}",
        plural(services.len(), "service", "services"),
        plural(processes, "process", "processes"),
    );
    if let Some(latest) = latest {
        text += &format!(", data until {latest}");
    }
    text.into()
}

fn overview(services: &[ServiceHistory]) -> Table {
    let mut table = Table::new(&[
        "service",
        "verdict",
        "#sure",
        "#growth",
        "since",
        "limit reached",
    ]);
    for service in services {
        let worst = service.processes.first();
        let growing = worst.filter(|a| a.verdict >= Verdict::Suspected);
        table.row([
            Prose::new().code(&service.service),
            Prose::from(words(service.verdict)),
            worst.map_or(Prose::new(), |a| phrase::percent(a.confidence).into()),
            growing.map_or(Prose::new(), |a| {
                phrase::rate(a.growth_bytes_per_hour).into()
            }),
            growing
                .and_then(|a| Some(phrase::clock_on(a.onset?, a.at)))
                .map_or(Prose::new(), Prose::from),
            growing
                .and_then(|a| Some((a.eta?, a.at)))
                .map_or(Prose::new(), |(eta, at)| phrase::eta(&eta, at).into()),
        ]);
    }
    table
}

const fn words(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::InsufficientData => "insufficient data",
        Verdict::Healthy => "healthy",
        Verdict::Suspected => "suspected",
        Verdict::Leaking => "leaking",
    }
}

fn service_blocks(blocks: &mut Vec<Block>, service: &ServiceHistory) {
    blocks.push(Block::Subsection(service.service.clone()));
    let svg = plot::svg(&service.plot);
    if !svg.is_empty() {
        let words = plot::words(&service.plot);
        blocks.push(Block::Picture { svg, words });
    }
    if let Some(worst) = service.processes.first() {
        blocks.push(Block::Bullets(
            worst
                .evidence
                .iter()
                .map(|e| {
                    let text = Prose::from(if e.supports { "For: " } else { "Against: " })
                        .text(ended(&e.text));
                    if e.query.is_empty() {
                        text
                    } else {
                        text.text(" ").code(&e.query)
                    }
                })
                .collect(),
        ));
        if let Some(limit) = worst.limit_bytes {
            let text = format!("Limit: {}.", ByteSize(limit));
            blocks.push(Block::Paragraph(text.into()));
        }
    }
    if !service.transitions.is_empty() {
        blocks.push(Block::Moments(
            service.transitions.iter().map(moment).collect(),
        ));
    }
}

fn moment(assessment: &Assessment) -> Moment {
    let mut text = Prose::new();
    if !assessment.process.instance.is_empty() {
        text = text.code(&assessment.process.instance).text(": ");
    }
    Moment {
        at: at_text(assessment.at),
        tone: match assessment.verdict {
            Verdict::Leaking => Tone::Bad,
            Verdict::Suspected => Tone::Warning,
            Verdict::Healthy => Tone::Good,
            Verdict::InsufficientData => Tone::Neutral,
        },
        text: text.text(words(assessment.verdict)),
    }
}

fn at_text(at: Timestamp) -> String {
    at.to_string().replace('T', " ").chars().take(19).collect()
}

#[derive(Serialize)]
struct ReportJson<'a> {
    schema: &'static str,
    services: Vec<ServiceJson<'a>>,
}

#[derive(Serialize)]
struct ServiceJson<'a> {
    service: &'a str,
    verdict: &'static str,
    transitions: Vec<TransitionJson<'a>>,
}

#[derive(Serialize)]
struct TransitionJson<'a> {
    at: String,
    instance: &'a str,
    verdict: &'static str,
    signal: &'static str,
    onset: Option<String>,
    eta: Option<EtaJson>,
    growth_bytes_per_hour: i64,
    limit_bytes: Option<u64>,
    confidence: f64,
    evidence: Vec<ReasonJson<'a>>,
}

/// As JSON, schema `leakline.detect/1`.
fn json(services: &[ServiceHistory]) -> String {
    let services = services.iter().map(|service| ServiceJson {
        service: &service.service,
        verdict: service.verdict.as_str(),
        transitions: service.transitions.iter().map(transition_json).collect(),
    });
    pretty(&ReportJson {
        schema: "leakline.detect/1",
        services: services.collect(),
    })
}

fn transition_json(assessment: &Assessment) -> TransitionJson<'_> {
    TransitionJson {
        at: time(assessment.at),
        instance: &assessment.process.instance,
        verdict: assessment.verdict.as_str(),
        signal: assessment.signal.as_str(),
        onset: assessment.onset.map(time),
        eta: assessment.eta.map(EtaJson::from),
        growth_bytes_per_hour: assessment.growth_bytes_per_hour.round() as i64,
        limit_bytes: assessment.limit_bytes,
        confidence: rounded(assessment.confidence),
        evidence: assessment.evidence.iter().map(ReasonJson::from).collect(),
    }
}
