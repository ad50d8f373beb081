//! The investigation: from a verdict to a written root cause.
//!
//! - [`Investigation`] is the state machine: verdict → baseline dump → second dump → analysis →
//!   correlation. It does no I/O and reads no clock; a driver feeds it events and carries out
//!   its actions. What it gathers is a [`CaseFile`].
//! - [`build`] turns a case file and its [`Surroundings`] into an [`InvestigationReport`], in the
//!   server and for files alike. [`render`] writes it in each [`Form`].
//! - [`heap_report`] and [`detect_report`] write what `analyze` and `detect` found, in the same
//!   forms; [`inspect_report`] what `heap` finds when it looks inside a dump, and [`diff_report`]
//!   when it compares several.
//! - [`plot`] draws the heap over time as SVG.
//!
//! Names in dumps and telemetry are hostile input: every writer escapes them, and control
//! characters are made visible. The forms of JSON are this crate's own structures and versioned;
//! the types of other crates carry no serde.

#![deny(clippy::disallowed_methods)]

mod advice;
mod build;
mod case;
mod content_report;
pub mod detect_report;
pub mod diff_report;
mod document;
mod form;
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
pub use form::Form;
pub use machine::{Action, Event, Investigation, Settings};
pub use prose::Prose;
pub use report::{
    DumpReference, EvidenceItem, Fix, Forecast, InvestigationReport, Outcome, RootCause,
    TimelineEntry, TraceEvidence,
};

/// The report in the form asked for.
pub fn render(report: &InvestigationReport, form: Form) -> String {
    form.write(|| layout::document(report), || json::investigation(report))
}
