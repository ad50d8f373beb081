//! What the detector says about a process, and why.

use leakline_model::{ProcessKey, TimeRange, Timestamp};

/// The verdict on a process or a service. Ordered by how much it should worry: a service is as
/// bad as the worst of its processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// Something that a judgement needs is missing; the evidence says what.
    InsufficientData,
    /// Judged, and no growth that cannot be explained.
    Healthy,
    /// The floor grows, but not yet for long or surely enough to wake someone.
    Suspected,
    /// The floor grows, surely, and will reach the limit.
    Leaking,
}

impl Verdict {
    /// As contracts and metrics spell it: `insufficient_data`, `healthy`, `suspected`, `leaking`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Verdict::InsufficientData => "insufficient_data",
            Verdict::Healthy => "healthy",
            Verdict::Suspected => "suspected",
            Verdict::Leaking => "leaking",
        }
    }
}

/// What leaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LeakSignal {
    /// The managed heap.
    Heap,
}

impl LeakSignal {
    /// As contracts spell it.
    pub const fn as_str(self) -> &'static str {
        match self {
            LeakSignal::Heap => "heap",
        }
    }
}

/// When memory runs out, as quantiles of the forecast.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Eta {
    /// One in ten forecasts is earlier.
    pub p10: Timestamp,
    /// The median forecast.
    pub p50: Timestamp,
    /// One in ten forecasts is later.
    pub p90: Timestamp,
}

/// One reason for or against a verdict, with numbers, and the query that shows them.
#[derive(Clone, Debug, PartialEq)]
pub struct Evidence {
    /// What kind of reason: `floor_trend`, `gc_pause`, `gc_frequency`, `gc_freed`, `persistence`,
    /// `survival`, `limit`, `missing`, `warm_up`.
    pub kind: &'static str,
    /// Whether it speaks for a leak (true) or against one.
    pub supports: bool,
    /// The reason as a sentence with numbers, without a final full stop.
    pub text: String,
    /// The PromQL query that computes the numbers; empty when none does. It holds for the end of
    /// `window` unless the text says otherwise.
    pub query: String,
    /// The time that the text speaks of.
    pub window: TimeRange,
}

/// The state of one process at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Assessment {
    /// The latest data that the judgement used; it used nothing later.
    pub at: Timestamp,
    /// Which process.
    pub process: ProcessKey,
    /// The verdict.
    pub verdict: Verdict,
    /// What leaks, or would.
    pub signal: LeakSignal,
    /// When the growth began; `None` when there is none.
    pub onset: Option<Timestamp>,
    /// When the limit is reached; `None` without growth or without a known limit.
    pub eta: Option<Eta>,
    /// Growth of the floor, bytes per hour; zero when it could not be estimated.
    pub growth_bytes_per_hour: f64,
    /// The limit that would be hit; `None` when the process sends none.
    pub limit_bytes: Option<u64>,
    /// How sure the verdict is, 0 to 1.
    pub confidence: f64,
    /// Why, most telling first.
    pub evidence: Vec<Evidence>,
}

/// A service and its processes, the worst first.
#[derive(Clone, Debug, PartialEq)]
pub struct ServiceVerdict {
    /// The service.
    pub service: String,
    /// The worst verdict among processes that still send.
    pub verdict: Verdict,
    /// The latest assessment of each process.
    pub processes: Vec<Assessment>,
}

/// What to draw: the memory of one process over time, as the detector saw it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plot {
    /// Heap in use, thinned to at most a few thousand points: time and bytes.
    pub used: Vec<(Timestamp, f64)>,
    /// The floor: what stays after collections.
    pub floor: Vec<(Timestamp, f64)>,
    /// Two ends of the fitted trend, if there is one.
    pub trend: Option<[(Timestamp, f64); 2]>,
    /// Until when the process was warming up; the judgement starts there.
    pub warm_up_end: Option<Timestamp>,
}
