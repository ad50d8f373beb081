//! The order and form in which an investigation is laid out on the page.

use leakline_correlate::{Attribution, Correlation};
use leakline_heap::{PathStep, Per, SuspectGrowth};
use leakline_model::{ByteSize, SpanKind, Timestamp, grouped};

use crate::case::StepKind;
use crate::document::{Block, Document, EvidenceBlock, Figure, Moment, Table, Tone};
use crate::phrase;
use crate::plot;
use crate::prose::{Prose, ended, sentence, visible};
use crate::report::{EvidenceItem, InvestigationReport, Outcome, RootCause, TimelineEntry};

/// Operations that people are shown; JSON has all.
const OPERATIONS: usize = 5;

/// The investigation as a document.
pub(crate) fn document(report: &InvestigationReport) -> Document {
    let mut blocks = vec![
        Block::Section("Summary"),
        Block::Lead(report.summary.clone()),
        Block::Figures(figures(report)),
    ];
    let svg = plot::svg(&report.plot);
    if !svg.is_empty() {
        let words = plot::words(&report.plot);
        blocks.push(Block::Picture { svg, words });
    }
    blocks.push(Block::Section("Timeline"));
    blocks.push(Block::Moments(moments(report)));
    // of a healthy service there is nothing to say under these headings
    if report.outcome != Outcome::NoLeak {
        findings(&mut blocks, report);
    }
    blocks.push(Block::Section("Evidence"));
    evidence(&mut blocks, report);
    Document {
        title: report.headline.clone(),
        badge: Some(badge(report.outcome)),
        subtitle: subtitle(report),
        blocks,
    }
}

fn findings(blocks: &mut Vec<Block>, report: &InvestigationReport) {
    blocks.push(Block::Section("Root cause"));
    root_cause(blocks, report);
    blocks.push(Block::Section("Trace evidence"));
    blocks.push(Block::Paragraph(report.trace_evidence.text.clone()));
    if let Some(correlation) = &report.trace_evidence.correlation {
        trace_evidence(blocks, correlation);
    }
    blocks.push(Block::Section("Fix"));
    fix(blocks, report);
    blocks.push(Block::Section("Forecast"));
    blocks.push(Block::Paragraph(report.forecast.text.clone()));
}

fn badge(outcome: Outcome) -> (Tone, String) {
    let (tone, text) = match outcome {
        Outcome::LeakConfirmed => (Tone::Bad, "leak confirmed"),
        Outcome::LeakLikely => (Tone::Bad, "leak likely"),
        Outcome::Suspected => (Tone::Warning, "leak suspected"),
        Outcome::NoLeak => (Tone::Good, "no leak"),
        Outcome::InsufficientData => (Tone::Neutral, "insufficient data"),
    };
    (tone, text.to_owned())
}

fn subtitle(report: &InvestigationReport) -> Prose {
    let mut text = Prose::from(format!("Investigated {}", report.written_at.minute()));
    if !report.process.instance.is_empty() {
        text = text.text(" · instance ").code(&report.process.instance);
    }
    text
}

fn figures(report: &InvestigationReport) -> Vec<Figure> {
    let mut figures = Vec::new();
    let mut add = |label, value: String, note: String| figures.push(Figure { label, value, note });
    if report.forecast.growth_bytes_per_hour > 0.0 {
        let note = match report.plot.onset {
            Some(onset) => format!("since {} UTC", phrase::clock_on(onset, report.written_at)),
            None => String::new(),
        };
        add(
            "Growth",
            phrase::rate(report.forecast.growth_bytes_per_hour),
            note,
        );
    }
    if let (Some(eta), Some(limit)) = (&report.forecast.eta, report.forecast.limit_bytes) {
        let (at, interval) = phrase::eta_parts(eta, report.written_at);
        let at = format!("{} UTC", at.trim_end_matches(" UTC"));
        let limit = format!("limit {}", ByteSize(limit));
        let note = interval.map_or(limit.clone(), |interval| format!("{interval}, {limit}"));
        let label = match eta.p50 < report.written_at {
            true => "Forecast, passed",
            false => "Out of memory at",
        };
        add(label, at, note);
    }
    if let Some(cause) = &report.root_cause {
        let note = format!(
            "{}, {} of the heap",
            ByteSize(cause.retained_bytes),
            phrase::percent(cause.share)
        );
        add("Held by", phrase::holder(&cause.holder), note);
    }
    let correlation = report.trace_evidence.correlation.as_ref();
    if let Some(first) = correlation.and_then(|c| c.attributions.first()) {
        let note = format!(
            "{} kept per call",
            phrase::number(first.kept_objects_per_call)
        );
        add("Filled by", first.operation.clone(), note);
    }
    if !report.outcome.is_leak() && report.outcome != Outcome::Suspected {
        let watched = leakline_model::duration_text(report.watched.duration());
        add("Watched", watched, phrase::window_alone(report.watched));
        if let Some((_, floor)) = report.plot.plot.floor.last() {
            let note = match report.forecast.limit_bytes {
                Some(limit) => format!("limit {}", ByteSize(limit)),
                None => String::new(),
            };
            add(
                "Stays after collections",
                ByteSize(*floor as u64).to_string(),
                note,
            );
        }
    }
    figures
}

fn moments(report: &InvestigationReport) -> Vec<Moment> {
    let times: Vec<Timestamp> = report.timeline.iter().map(|entry| entry.at).collect();
    let one_day = phrase::one_day(&times);
    let moment = |entry: &TimelineEntry| Moment {
        at: if one_day {
            entry.at.clock()
        } else {
            entry
                .at
                .to_string()
                .replace('T', " ")
                .chars()
                .take(19)
                .collect()
        },
        tone: match entry.kind {
            StepKind::Onset | StepKind::Forecast => Tone::Bad,
            StepKind::Verdict if report.outcome == Outcome::NoLeak => Tone::Good,
            StepKind::Verdict | StepKind::Collector | StepKind::Deploy => Tone::Warning,
            StepKind::Normal | StepKind::Analysis | StepKind::Correlation => Tone::Good,
            StepKind::Start | StepKind::WarmUp | StepKind::Capture | StepKind::End => Tone::Neutral,
        },
        text: entry.text.clone(),
    };
    report.timeline.iter().map(moment).collect()
}

fn root_cause(blocks: &mut Vec<Block>, report: &InvestigationReport) {
    let Some(cause) = &report.root_cause else {
        let text = "Not known: no dump shows what holds the memory.";
        blocks.push(Block::Paragraph(text.into()));
        return;
    };
    blocks.push(Block::Paragraph(
        Prose::new()
            .strong(ended(&cause.sentence))
            .text(" ")
            .then(cause.why_unbounded.clone()),
    ));
    if let Some(growth) = &cause.growth {
        blocks.push(Block::Table(growth_table(cause, growth)));
    }
    blocks.push(Block::Subsection("Path from the root".to_owned()));
    blocks.push(Block::Code {
        language: "text",
        text: path_text(&cause.holder.root, &cause.path),
    });
    blocks.push(Block::Subsection("Counter-evidence".to_owned()));
    if cause.counter_evidence.is_empty() {
        blocks.push(Block::Paragraph("Nothing found.".into()));
    } else {
        blocks.push(Block::Bullets(cause.counter_evidence.clone()));
    }
    if !cause.others.is_empty() {
        blocks.push(Block::Subsection("Other suspects".to_owned()));
        let others = cause.others.iter().map(|o| Prose::from(ended(o)));
        blocks.push(Block::Bullets(others.collect()));
    }
}

fn growth_table(cause: &RootCause, growth: &SuspectGrowth) -> Table {
    let mut table = Table::new(&["dump", "#objects", "#bytes kept", "#bytes each"]);
    let dumps = growth.objects.iter().zip(&growth.bytes).enumerate();
    for (i, (&objects, &bytes)) in dumps {
        let each = bytes.checked_div(objects).unwrap_or(0);
        table.row([
            Prose::from(format!("{}", i + 1)),
            grouped(objects).into(),
            ByteSize(bytes).to_string().into(),
            ByteSize(each).to_string().into(),
        ]);
    }
    if let (Some(first), Some(last)) = (growth.objects.first(), growth.objects.last())
        && growth.rate.per == Per::Minute
    {
        let gained = last.saturating_sub(*first);
        let gained_bytes = match growth.bytes.as_slice() {
            [first, .., last] => last.saturating_sub(*first),
            _ => 0,
        };
        table.row([
            Prose::new()
                .text("gained ")
                .code(phrase::short_class(&cause.accumulates.class)),
            Prose::from(format!(
                "{} ({})",
                grouped(gained),
                phrase::objects_rate(growth.rate)
            )),
            ByteSize(gained_bytes).to_string().into(),
            ByteSize(gained_bytes.checked_div(gained).unwrap_or(0))
                .to_string()
                .into(),
        ]);
    }
    table
}

/// The path as an indented tree: one object a line, each with the field that leads on.
pub(crate) fn path_text(root: &str, path: &[PathStep]) -> String {
    let mut text = format!("{}\n", visible(root));
    for (depth, step) in path.iter().enumerate() {
        let field = match &step.field {
            // slots and local variables are no fields
            Some(field) if field.starts_with(['[', '<']) => format!("  {}", visible(field)),
            Some(field) => format!("  .{}", visible(field)),
            None => String::new(),
        };
        // deeper steps stay readable without running off the page
        let indent = "   ".repeat(depth.min(20));
        let class = visible(&step.class);
        text += &format!("{indent}└─ {class} @ {:#x}{field}\n", step.object_id);
    }
    text
}

fn trace_evidence(blocks: &mut Vec<Block>, correlation: &Correlation) {
    if !correlation.attributions.is_empty() {
        let mut table = Table::new(&[
            "operation",
            "#calls",
            "#kept per call",
            "#95 % interval",
            "#bytes per call",
            "#sure",
        ]);
        for operation in correlation.attributions.iter().take(OPERATIONS) {
            let (low, high) = operation.interval;
            table.row([
                operation_cell(operation),
                grouped(operation.calls).into(),
                phrase::number(operation.kept_objects_per_call).into(),
                format!("{} to {}", phrase::number(low), phrase::number(high)).into(),
                ByteSize(operation.kept_bytes_per_call.max(0.0) as u64)
                    .to_string()
                    .into(),
                phrase::percent(operation.confidence).into(),
            ]);
        }
        blocks.push(Block::Table(table));
    }
    if let Some(first) = correlation.attributions.first() {
        let reasons = first.reasons.iter().chain(&first.doubts);
        let mut items: Vec<Prose> = reasons.map(|r| Prose::from(sentence(r))).collect();
        if !first.sample_traces.is_empty() {
            let mut samples = Prose::from("Sample traces: ");
            for (i, trace) in first.sample_traces.iter().enumerate() {
                let separator = if i == 0 { "" } else { ", " };
                samples = samples.text(separator).code(trace.to_string());
            }
            items.push(samples.text("."));
        }
        blocks.push(Block::Bullets(items));
    }
}

fn operation_cell(operation: &Attribution) -> Prose {
    let text = Prose::new().code(&operation.operation);
    match (&operation.runs_inside, operation.kind) {
        (Some(outer), _) => text.text(" inside ").code(outer),
        (None, SpanKind::Server) => text.text(" (server)"),
        (None, SpanKind::Consumer) => text.text(" (consumer)"),
        (None, _) => text,
    }
}

fn fix(blocks: &mut Vec<Block>, report: &InvestigationReport) {
    let Some(fix) = &report.fix else {
        let text = match report.outcome {
            Outcome::NoLeak => "Nothing to fix.",
            Outcome::InsufficientData => "Nothing can be advised yet.",
            _ => {
                "Without a root cause there is no fix to name. Take a dump with `leakline capture` and run `leakline analyze` on it."
            }
        };
        blocks.push(Block::Paragraph(text.into()));
        return;
    };
    blocks.push(Block::Paragraph(fix.text.clone()));
    blocks.push(Block::Steps(fix.steps.clone()));
    if let Some(code) = &fix.code {
        blocks.push(Block::Code {
            language: "java",
            text: code.clone(),
        });
    }
    blocks.push(Block::Paragraph(fix.until_then.clone()));
}

fn evidence(blocks: &mut Vec<Block>, report: &InvestigationReport) {
    if report.evidence.is_empty() {
        blocks.push(Block::Paragraph("None.".into()));
    } else {
        let items = report.evidence.iter().enumerate();
        blocks.push(Block::Evidence(
            items.map(|(i, item)| evidence_block(i + 1, item)).collect(),
        ));
    }
    if !report.not_known.is_empty() {
        blocks.push(Block::Subsection("Limits of this evidence".to_owned()));
        blocks.push(Block::Bullets(report.not_known.clone()));
    }
}

fn evidence_block(number: usize, item: &EvidenceItem) -> EvidenceBlock {
    let mut sources = Vec::new();
    if let Some(query) = &item.query {
        sources.push(("query", query.clone()));
    }
    if let Some(window) = item.window {
        sources.push(("window", format!("{} to {}", window.start, window.end)));
    }
    for dump in &item.dumps {
        sources.push(("dump", dump.name.clone()));
    }
    if !item.traces.is_empty() {
        let ids: Vec<String> = item.traces.iter().map(ToString::to_string).collect();
        sources.push(("traces", ids.join(", ")));
    }
    EvidenceBlock {
        number,
        claim: item.claim.clone(),
        sources,
    }
}
