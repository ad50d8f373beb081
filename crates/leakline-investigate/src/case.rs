//! The case file: what an investigation has gathered so far, and nothing derived from it.

use std::time::Duration;

use leakline_correlate::{Correlation, DumpTime, Growth, Window};
use leakline_detect::{Assessment, Plot};
use leakline_heap::{GrowthRow, HeapReport, Suspect};
use leakline_model::{ProcessKey, TimeRange, Timestamp};

/// Everything gathered about one process. Filled by [`Investigation`](crate::Investigation), or
/// by hand from files; [`build`](crate::build) makes the report of it.
#[derive(Clone, Debug, PartialEq)]
pub struct CaseFile {
    /// Which process.
    pub process: ProcessKey,
    /// Time of its first data: about when it started.
    pub first_seen: Timestamp,
    /// Assessments at which the verdict changed, oldest first, then the latest.
    pub assessments: Vec<Assessment>,
    /// Dumps taken, oldest first.
    pub dumps: Vec<Dump>,
    /// What the dumps show.
    pub heap: Option<HeapFindings>,
    /// What the traces show.
    pub traces: Option<Correlation>,
    /// What could not be done, as sentences without a final full stop: no dump, no traces.
    pub shortcomings: Vec<String>,
    /// Steps taken, oldest first.
    pub log: Vec<LogEntry>,
}

impl CaseFile {
    /// An empty case.
    pub fn new(process: ProcessKey, first_seen: Timestamp) -> Self {
        CaseFile {
            process,
            first_seen,
            assessments: Vec::new(),
            dumps: Vec::new(),
            heap: None,
            traces: None,
            shortcomings: Vec::new(),
            log: Vec::new(),
        }
    }

    /// What to compare with the traces: between which states, and what was gained between them;
    /// `None` when the dumps show nothing that could be attributed.
    pub fn question_for_traces(&self) -> Option<(Window, Growth)> {
        let suspect = self.heap.as_ref()?.prime_suspect()?;
        let dumps = self.dumps_by_time();
        let last = dumps.last()?.time;
        let (first, growth) = match (dumps.as_slice(), gained(suspect)) {
            ([first, _, ..], Some(growth)) => (first.time, growth),
            // what one dump shows was all kept since the process started
            _ => (
                DumpTime::around(self.first_seen, Duration::ZERO),
                everything(suspect),
            ),
        };
        let onset = self.latest().and_then(|assessment| assessment.onset);
        let mut window = Window::between(first, last);
        window.history =
            TimeRange::new(onset.unwrap_or(first.likely).min(first.likely), last.likely);
        (growth.objects > 0).then_some((window, growth))
    }

    /// Dumps, the oldest first, in whatever order they were given.
    pub(crate) fn dumps_by_time(&self) -> Vec<&Dump> {
        let mut dumps: Vec<&Dump> = self.dumps.iter().collect();
        dumps.sort_by_key(|dump| dump.time.likely);
        dumps
    }

    /// From the first dump to the last; `None` without two.
    pub(crate) fn between_dumps(&self) -> Option<TimeRange> {
        match self.dumps_by_time().as_slice() {
            [first, .., last] if first.time.likely < last.time.likely => {
                Some(TimeRange::new(first.time.likely, last.time.likely))
            }
            _ => None,
        }
    }

    /// The latest assessment.
    pub fn latest(&self) -> Option<&Assessment> {
        self.assessments.last()
    }
}

/// What the report needs to know beside the case itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Surroundings {
    /// When the report is written.
    pub now: Timestamp,
    /// Memory of the process over time.
    pub plot: Plot,
    /// Memory of the process that it replaced: the last one of the service that ended about when
    /// this one started. Empty when there was none.
    pub predecessor: Plot,
    /// Versions of the service that started, one entry each, oldest first; that of the process
    /// itself may be among them.
    pub deploys: Vec<Deploy>,
}

/// A version of the service that started.
#[derive(Clone, Debug, PartialEq)]
pub struct Deploy {
    /// When the first data of its first instance arrived.
    pub at: Timestamp,
    /// The version; empty when the service sends none.
    pub version: String,
    /// The instance; empty when there are several, or it sends no name.
    pub instance: String,
    /// How many instances ran.
    pub instances: usize,
    /// The latest judgement on the worst of its instances; `None` when none was judged.
    pub judged: Option<Assessment>,
}

/// Why a dump is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Purpose {
    /// To compare with, before much has leaked.
    Baseline,
    /// To see what has piled up since the baseline.
    Comparison,
}

impl Purpose {
    /// For people and JSON: `baseline`, `comparison`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Purpose::Baseline => "baseline",
            Purpose::Comparison => "comparison",
        }
    }
}

/// A dump that was taken, or given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dump {
    /// What it is for.
    pub purpose: Purpose,
    /// By what it can be found again: its file name.
    pub name: String,
    /// Size of the file.
    pub bytes: u64,
    /// When it was taken.
    pub time: DumpTime,
}

impl Dump {
    /// How long taking it took, and so at most how long the process stood still.
    pub fn capture(&self) -> TimeRange {
        TimeRange::new(self.time.earliest, self.time.latest)
    }
}

/// What the analysis of the dumps found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HeapFindings {
    /// The report on the latest dump, with growth since the earliest.
    pub report: HeapReport,
    /// Places that grew, ranked; empty with a single dump.
    pub growth: Vec<GrowthRow>,
}

impl HeapFindings {
    /// The suspect that the investigation is about: the first that grew, else the first.
    pub fn prime_suspect(&self) -> Option<&Suspect> {
        let suspects = &self.report.suspects;
        suspects
            .iter()
            .find(|suspect| gained(suspect).is_some_and(|growth| growth.objects > 0))
            .or(suspects.first())
    }
}

/// What the suspect gained between the first and the last dump; `None` with a single dump.
pub(crate) fn gained(suspect: &Suspect) -> Option<Growth> {
    let growth = suspect.growth.as_ref()?;
    let change = |values: &[u64]| Some(values.last()?.saturating_sub(*values.first()?));
    Some(Growth {
        objects: change(&growth.objects)?,
        bytes: change(&growth.bytes)?,
        ..everything(suspect)
    })
}

/// All that the suspect holds, as growth since the start of the process.
pub(crate) fn everything(suspect: &Suspect) -> Growth {
    Growth {
        objects: suspect.accumulates.objects,
        bytes: suspect.accumulates.bytes,
        holder_class: suspect.holder.class.clone(),
        class: suspect.accumulates.class.clone(),
    }
}

/// One step of the investigation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEntry {
    /// When.
    pub at: Timestamp,
    /// What kind of step.
    pub kind: StepKind,
    /// What happened, as a sentence without a final full stop.
    pub text: String,
}

/// Kinds of entries in the log and the timeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StepKind {
    /// The process started.
    Start,
    /// A version started.
    Deploy,
    /// The process is warm; the judgement begins.
    WarmUp,
    /// Growth as it should be.
    Normal,
    /// Memory began to grow.
    Onset,
    /// A verdict.
    Verdict,
    /// The garbage collector works harder.
    Collector,
    /// A dump was taken, or not.
    Capture,
    /// Dumps were analysed, or not.
    Analysis,
    /// Traces were compared, or not.
    Correlation,
    /// The investigation ended.
    End,
    /// The limit will be reached.
    Forecast,
}

impl StepKind {
    /// As JSON spells it.
    pub const fn as_str(self) -> &'static str {
        match self {
            StepKind::Start => "start",
            StepKind::Deploy => "deploy",
            StepKind::WarmUp => "warm_up",
            StepKind::Normal => "normal_growth",
            StepKind::Onset => "onset",
            StepKind::Verdict => "verdict",
            StepKind::Collector => "garbage_collector",
            StepKind::Capture => "capture",
            StepKind::Analysis => "analysis",
            StepKind::Correlation => "correlation",
            StepKind::End => "end",
            StepKind::Forecast => "forecast",
        }
    }
}
