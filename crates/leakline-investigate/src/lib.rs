//! The investigation: from a verdict to a written root cause.
//!
//! - [`Investigation`] is the state machine: verdict → baseline dump → second dump → analysis →
//!   correlation. It does no I/O and reads no clock; a driver feeds it events and carries out
//!   its actions. What it gathers is a [`CaseFile`].
//! - [`build`] turns a case file and its [`Surroundings`] into an [`InvestigationReport`], in the
//!   server and for files alike. [`render_markdown`], [`render_html`], [`render_text`] and
//!   [`render_json`] write it.
//! - [`heap_report`] and [`detect_report`] write what `analyze` and `detect` found, in the same
//!   forms; [`inspect_report`] what `heap` finds when it looks inside a dump.
//! - [`plot`] draws the heap over time as SVG.
//!
//! Names in dumps and telemetry are hostile input: every writer escapes them, and control
//! characters are made visible. The forms of JSON are this crate's own structures and versioned;
//! the types of other crates carry no serde.

#![deny(clippy::disallowed_methods)]

mod advice;
mod build;
mod case;
pub mod detect_report;
mod document;
pub mod gather;
pub mod heap_report;
pub mod inspect_report;
mod json;
mod layout;
mod machine;
mod phrase;
pub mod plot;
mod prose;
mod report;

pub use build::build;
pub use case::{CaseFile, Deploy, Dump, HeapFindings, LogEntry, Purpose, StepKind, Surroundings};
pub use machine::{Action, Event, Investigation, Settings};
pub use prose::Prose;
pub use report::{
    DumpReference, EvidenceItem, Fix, Forecast, InvestigationReport, Outcome, RootCause,
    TimelineEntry, TraceEvidence,
};

/// The report as Markdown.
pub fn render_markdown(report: &InvestigationReport) -> String {
    document::markdown(&layout::document(report))
}

/// The report as one self-contained HTML file.
pub fn render_html(report: &InvestigationReport) -> String {
    document::html(&layout::document(report))
}

/// The report for a terminal, 100 columns wide.
pub fn render_text(report: &InvestigationReport) -> String {
    document::text(&layout::document(report))
}

/// The report as JSON, schema `leakline.investigation/1`.
pub fn render_json(report: &InvestigationReport) -> String {
    json::investigation(report)
}
