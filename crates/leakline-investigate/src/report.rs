//! The report of an investigation: what people read, and what JSON carries.

use leakline_correlate::Correlation;
use leakline_detect::Eta;
use leakline_heap::{Accumulated, Holder, PathStep, Pattern, SuspectGrowth};
use leakline_model::{ProcessKey, TimeRange, Timestamp, TraceId};

use crate::case::StepKind;
use crate::plot::PlotView;
use crate::prose::Prose;

/// What the investigation came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Memory grows, and between two dumps one place grew by most of it.
    LeakConfirmed,
    /// Memory grows and will reach the limit; the heap does not (yet) show where for certain.
    LeakLikely,
    /// Memory grows, but not surely.
    Suspected,
    /// Watched, and no growth that cannot be explained.
    NoLeak,
    /// Too little was sent to judge.
    InsufficientData,
}

impl Outcome {
    /// As JSON spells it: `leak_confirmed`, `leak_likely`, `suspected`, `no_leak`,
    /// `insufficient_data`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Outcome::LeakConfirmed => "leak_confirmed",
            Outcome::LeakLikely => "leak_likely",
            Outcome::Suspected => "suspected",
            Outcome::NoLeak => "no_leak",
            Outcome::InsufficientData => "insufficient_data",
        }
    }

    /// Whether there is a leak, as `--fail-on-leak` asks.
    pub const fn is_leak(self) -> bool {
        matches!(self, Outcome::LeakConfirmed | Outcome::LeakLikely)
    }
}

/// The whole report. Made by [`build`](crate::build).
#[derive(Clone, Debug, PartialEq)]
pub struct InvestigationReport {
    /// What it came to.
    pub outcome: Outcome,
    /// Which process.
    pub process: ProcessKey,
    /// When the report was written.
    pub written_at: Timestamp,
    /// From the first to the last data that was used.
    pub watched: TimeRange,
    /// The finding in one line, without a final full stop.
    pub headline: String,
    /// The finding in one paragraph.
    pub summary: Prose,
    /// What happened, oldest first; the forecast may lie in the future.
    pub timeline: Vec<TimelineEntry>,
    /// What holds the memory; `None` when no dump tells.
    pub root_cause: Option<RootCause>,
    /// Which operation fills it.
    pub trace_evidence: TraceEvidence,
    /// What to change; `None` when the root cause is not known.
    pub fix: Option<Fix>,
    /// What comes next if nothing is done.
    pub forecast: Forecast,
    /// What proves it, numbered from 1 in this order.
    pub evidence: Vec<EvidenceItem>,
    /// What could not be done or is not known.
    pub not_known: Vec<Prose>,
    /// Memory over time, to draw.
    pub plot: PlotView,
}

/// One moment of the timeline.
#[derive(Clone, Debug, PartialEq)]
pub struct TimelineEntry {
    /// When.
    pub at: Timestamp,
    /// What kind of moment.
    pub kind: StepKind,
    /// What happened.
    pub text: Prose,
}

/// What holds the memory.
#[derive(Clone, Debug, PartialEq)]
pub struct RootCause {
    /// The finding of the heap analysis in one sentence.
    pub sentence: String,
    /// Who holds it.
    pub holder: Holder,
    /// What piles up.
    pub accumulates: Accumulated,
    /// The kind of place.
    pub pattern: Pattern,
    /// Bytes that letting go would free.
    pub retained_bytes: u64,
    /// That as a share of the reachable heap, 0 to 1.
    pub share: f64,
    /// Change between the dumps; `None` with a single dump.
    pub growth: Option<SuspectGrowth>,
    /// Why it does not stop growing.
    pub why_unbounded: Prose,
    /// What speaks against it.
    pub counter_evidence: Vec<Prose>,
    /// From the GC root to the place where things pile up.
    pub path: Vec<PathStep>,
    /// How sure the heap analysis is, 0 to 1.
    pub confidence: f64,
    /// Sentences on further suspects.
    pub others: Vec<String>,
}

/// Which operation fills the memory.
#[derive(Clone, Debug, PartialEq)]
pub struct TraceEvidence {
    /// The finding in words.
    pub text: Prose,
    /// The ranking; `None` when traces were not compared.
    pub correlation: Option<Correlation>,
}

/// What to change.
#[derive(Clone, Debug, PartialEq)]
pub struct Fix {
    /// In one sentence.
    pub text: Prose,
    /// Step by step.
    pub steps: Vec<Prose>,
    /// The change as Java, where the pattern has a usual form.
    pub code: Option<String>,
    /// What keeps the service alive until then.
    pub until_then: Prose,
}

/// What comes next.
#[derive(Clone, Debug, PartialEq)]
pub struct Forecast {
    /// In words.
    pub text: Prose,
    /// When the limit is reached.
    pub eta: Option<Eta>,
    /// Growth of the floor, bytes per hour.
    pub growth_bytes_per_hour: f64,
    /// The limit.
    pub limit_bytes: Option<u64>,
}

/// One claim and where to check it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EvidenceItem {
    /// The claim.
    pub claim: Prose,
    /// PromQL that shows it.
    pub query: Option<String>,
    /// The time it speaks of.
    pub window: Option<TimeRange>,
    /// Dumps that show it.
    pub dumps: Vec<DumpReference>,
    /// Traces that show it.
    pub traces: Vec<TraceId>,
}

/// Which dump.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DumpReference {
    /// Its file name.
    pub name: String,
}
