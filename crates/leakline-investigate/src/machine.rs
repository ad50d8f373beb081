//! The investigation of one process as a state machine without I/O.
//!
//! The driver loops: it asks [`Investigation::poll`] what to do, does it, and reports what came
//! of it with [`Investigation::handle`]. An action is handed out once; until its outcome is
//! reported, `poll` says to wait. Assessments are reported whenever the detector makes one.
//!
//! ```text
//! suspected or leaking ──▶ baseline dump ──▶ wait until enough must have leaked and the verdict
//! is leaking ──▶ comparison dump ──▶ analysis ──▶ correlation ──▶ finished
//! ```
//!
//! Whatever fails on the way leaves a sentence in [`CaseFile::shortcomings`], and the
//! investigation goes on with what there is.

use std::time::Duration;

use leakline_correlate::{Correlation, Growth, Window};
use leakline_detect::{Assessment, Verdict};
use leakline_model::{ByteSize, ProcessKey, Timestamp, duration_text, grouped};

use crate::case::{CaseFile, Dump, HeapFindings, LogEntry, Purpose, StepKind};
use crate::phrase;

/// What must hold before the second dump is taken, and how long to try.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// This much must have leaked since the baseline, at the least, in bytes.
    pub min_leaked_bytes: f64,
    /// And this much of the floor, 0 to 1.
    pub min_leaked_share: f64,
    /// And this long it must be: fewer calls than run in this time prove little.
    pub min_wait: Duration,
    /// Longer than this the second dump does not wait, whatever the verdict, nor a case in which
    /// no dump can be taken.
    pub max_wait: Duration,
    /// Once a dump is taken, growth must have been gone for this long for the case to be closed.
    /// The collection that comes with a dump frees what had merely not been collected yet, and for
    /// a while that hides a leak.
    pub recovery: Duration,
    /// How often a capture is tried.
    pub capture_attempts: u32,
    /// Wait after the first failed capture; each further one waits four times as long.
    pub first_retry: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            min_leaked_bytes: 16.0 * 1024.0 * 1024.0,
            min_leaked_share: 0.1,
            min_wait: Duration::from_secs(40),
            max_wait: Duration::from_secs(24 * 3600),
            recovery: Duration::from_secs(10 * 60),
            capture_attempts: 3,
            first_retry: Duration::from_secs(15),
        }
    }
}

/// What the driver should do next.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Nothing, until an event comes or this time is reached.
    Wait {
        /// When to poll again without an event; `None` for never.
        until: Option<Timestamp>,
    },
    /// Take a dump of the process. Answer: [`Event::Captured`] or [`Event::CaptureFailed`].
    Capture {
        /// Which process.
        process: ProcessKey,
        /// What for.
        purpose: Purpose,
    },
    /// Analyse these dumps, oldest first. Answer: [`Event::Analyzed`] or
    /// [`Event::AnalysisFailed`].
    Analyze {
        /// The dumps.
        dumps: Vec<Dump>,
    },
    /// Find the operation that keeps the objects. Answer: [`Event::Correlated`] or
    /// [`Event::CorrelationFailed`].
    Correlate {
        /// Whose spans.
        process: ProcessKey,
        /// Between which states.
        window: Window,
        /// What was gained.
        growth: Growth,
    },
    /// Write the report; the investigation is over and says this from now on.
    Finish(Box<CaseFile>),
}

/// What the driver reports.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The detector judged the process.
    Assessed {
        /// Its judgement.
        assessment: Assessment,
        /// The floor at that time in bytes, if known.
        floor: Option<f64>,
    },
    /// The dump was taken.
    Captured(Dump),
    /// The dump was refused by a guard, or failed.
    CaptureFailed {
        /// Why, as a sentence without a final full stop.
        reason: String,
        /// Whether trying again later can help.
        retry: bool,
    },
    /// The dumps were analysed.
    Analyzed(Box<HeapFindings>),
    /// The dumps could not be analysed.
    AnalysisFailed {
        /// Why, as a sentence without a final full stop.
        reason: String,
    },
    /// The traces were compared.
    Correlated(Box<Correlation>),
    /// The traces could not be compared.
    CorrelationFailed {
        /// Why, as a sentence without a final full stop.
        reason: String,
    },
    /// The process has ended.
    ProcessGone,
}

/// Where the investigation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// A capture is due from this time on.
    CaptureDue {
        purpose: Purpose,
        from: Timestamp,
        attempt: u32,
    },
    Capturing {
        purpose: Purpose,
        attempt: u32,
    },
    /// The baseline is taken; more must leak.
    Accumulating,
    /// No dump can be taken; only metrics decide whether there is anything to report.
    WatchingOnly,
    AnalysisDue,
    Analyzing,
    CorrelationDue,
    Correlating,
    Finished,
}

/// The investigation of one process.
#[derive(Clone, Debug)]
pub struct Investigation {
    settings: Settings,
    state: State,
    case: CaseFile,
    floor: Option<f64>,
    gone: bool,
    /// Since when the verdict has been healthy without a break.
    healthy_since: Option<Timestamp>,
}

/// Changes of verdict that are kept; a verdict that flaps must not fill memory.
const MAX_ASSESSMENTS: usize = 200;
/// Steps that are kept.
const MAX_LOG: usize = 1_000;
/// The second dump must be taken before this many times the duration of a dump remain.
const DUMPS_BEFORE_LIMIT: u32 = 3;
/// However urgent, the second dump is not taken sooner than this after the first.
const LEAST_GAP: Duration = Duration::from_secs(10);

impl Investigation {
    /// Opens the investigation of the process that `assessment` suspects.
    pub fn open(
        assessment: Assessment,
        floor: Option<f64>,
        first_seen: Timestamp,
        settings: Settings,
    ) -> Self {
        let at = assessment.at;
        let case = CaseFile::new(assessment.process.clone(), first_seen);
        let mut investigation = Investigation {
            settings,
            state: State::CaptureDue {
                purpose: Purpose::Baseline,
                from: at,
                attempt: 1,
            },
            case,
            floor: None,
            gone: false,
            healthy_since: None,
        };
        investigation.assessed(assessment, floor);
        investigation
    }

    /// Which process it is about.
    pub fn process(&self) -> &ProcessKey {
        &self.case.process
    }

    /// What has been gathered so far.
    pub fn case(&self) -> &CaseFile {
        &self.case
    }

    /// Whether it is over.
    pub fn is_finished(&self) -> bool {
        self.state == State::Finished
    }

    /// What to do at this time. Each action but waiting and finishing is said once.
    pub fn poll(&mut self, now: Timestamp) -> Action {
        if self.state == State::Accumulating && self.recovery().is_some_and(|at| at <= now) {
            self.close_without_leak(now);
        }
        if self.state == State::WatchingOnly && self.deadline().is_some_and(|at| at <= now) {
            let text = "closed: no dump could be taken, and the verdict did not get surer";
            self.log(now, StepKind::End, text.to_owned());
            self.state = State::Finished;
        }
        if self.state == State::Accumulating
            && self.case.latest().is_some_and(|a| self.is_time(a, now))
        {
            self.state = State::CaptureDue {
                purpose: Purpose::Comparison,
                from: now,
                attempt: 1,
            };
        }
        match self.state {
            State::CaptureDue {
                purpose,
                from,
                attempt,
            } if from <= now => {
                self.state = State::Capturing { purpose, attempt };
                Action::Capture {
                    process: self.case.process.clone(),
                    purpose,
                }
            }
            State::CaptureDue { from, .. } => Action::Wait { until: Some(from) },
            State::AnalysisDue => {
                self.state = State::Analyzing;
                Action::Analyze {
                    dumps: self.case.dumps.clone(),
                }
            }
            State::CorrelationDue => match self.correlation() {
                Some(action) => {
                    self.state = State::Correlating;
                    action
                }
                None => {
                    self.state = State::Finished;
                    Action::Finish(Box::new(self.case.clone()))
                }
            },
            State::Accumulating => Action::Wait {
                until: self.case.latest().and_then(|a| self.due(a)),
            },
            State::WatchingOnly => Action::Wait {
                until: self.deadline(),
            },
            State::Finished => Action::Finish(Box::new(self.case.clone())),
            State::Capturing { .. } | State::Analyzing | State::Correlating => {
                Action::Wait { until: None }
            }
        }
    }

    /// Takes in what happened. Events that answer nothing that was asked are ignored.
    pub fn handle(&mut self, now: Timestamp, event: Event) {
        match (event, self.state) {
            (_, State::Finished) => {}
            (Event::Assessed { assessment, floor }, _)
                if assessment.process == self.case.process =>
            {
                self.assessed(assessment, floor);
                self.judge(now);
            }
            (Event::Captured(dump), State::Capturing { purpose, .. }) => {
                self.captured(Dump { purpose, ..dump });
            }
            (Event::CaptureFailed { reason, retry }, State::Capturing { purpose, attempt }) => {
                self.capture_failed(now, purpose, attempt, &reason, retry);
            }
            (Event::Analyzed(findings), State::Analyzing) => self.analyzed(now, *findings),
            (Event::AnalysisFailed { reason }, State::Analyzing) => {
                self.log(
                    now,
                    StepKind::Analysis,
                    format!("the dumps could not be analysed: {reason}"),
                );
                self.case
                    .shortcomings
                    .push(format!("the dumps could not be analysed: {reason}"));
                self.state = State::Finished;
            }
            (Event::Correlated(correlation), State::Correlating) => {
                self.correlated(now, *correlation);
            }
            (Event::CorrelationFailed { reason }, State::Correlating) => {
                self.case
                    .shortcomings
                    .push(format!("no operation could be named: {reason}"));
                self.log(
                    now,
                    StepKind::Correlation,
                    format!("no operation could be named: {reason}"),
                );
                self.state = State::Finished;
            }
            (Event::ProcessGone, state) => self.process_gone(now, state),
            _ => {}
        }
    }

    fn assessed(&mut self, assessment: Assessment, floor: Option<f64>) {
        self.floor = floor.or(self.floor);
        let assessments = &mut self.case.assessments;
        // between two changes only the latest is kept, so that the last entry is always current
        if let [.., before, last] = assessments.as_mut_slice()
            && before.verdict == last.verdict
            && last.verdict == assessment.verdict
        {
            *last = assessment;
            return;
        }
        if assessments.len() >= MAX_ASSESSMENTS {
            assessments.remove(1);
        }
        assessments.push(assessment);
    }

    /// Ends, or goes on watching, by the latest verdict.
    fn judge(&mut self, now: Timestamp) {
        let Some(verdict) = self.case.latest().map(|a| a.verdict) else {
            return;
        };
        self.healthy_since = match verdict {
            Verdict::Healthy => self.healthy_since.or(Some(now)),
            _ => None,
        };
        match (self.state, verdict) {
            // nothing has been spent yet, and a new suspicion opens a new case
            (State::CaptureDue { .. } | State::WatchingOnly, Verdict::Healthy)
                if self.case.dumps.is_empty() =>
            {
                self.close_without_leak(now);
            }
            (State::WatchingOnly, Verdict::Leaking) => self.state = State::Finished,
            _ => {}
        }
    }

    fn close_without_leak(&mut self, now: Timestamp) {
        let text = "growth stopped; closed without a leak".to_owned();
        self.log(now, StepKind::End, text);
        self.state = State::Finished;
    }

    /// When growth has been gone for long enough to close the case, if it stays away.
    fn recovery(&self) -> Option<Timestamp> {
        Some(self.healthy_since? + self.settings.recovery)
    }

    /// When to go on with what there is: an open case keeps other replicas from being looked into.
    fn deadline(&self) -> Option<Timestamp> {
        let last_step = self.case.dumps.last().map(|dump| dump.time.latest);
        let opened = self
            .case
            .assessments
            .first()
            .map(|assessment| assessment.at);
        Some(last_step.or(opened)? + self.settings.max_wait)
    }

    /// Whether the second dump is to be taken now.
    fn is_time(&self, assessment: &Assessment, now: Timestamp) -> bool {
        let urgent = self.last_moment(assessment).is_some_and(|at| at <= now);
        urgent
            || self.deadline().is_some_and(|at| at <= now)
            || assessment.verdict == Verdict::Leaking
                && self.enough_leaked(assessment).is_some_and(|at| at <= now)
    }

    /// When to look again without a new assessment.
    fn due(&self, assessment: &Assessment) -> Option<Timestamp> {
        let enough = match assessment.verdict {
            Verdict::Leaking => self.enough_leaked(assessment),
            _ => None,
        };
        [
            enough,
            self.last_moment(assessment),
            self.recovery(),
            self.deadline(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// When enough must have leaked since the baseline, at the present rate.
    fn enough_leaked(&self, assessment: &Assessment) -> Option<Timestamp> {
        let baseline = self.case.dumps.first()?;
        let amount = self
            .settings
            .min_leaked_bytes
            .max(self.settings.min_leaked_share * self.floor.unwrap_or(0.0));
        let rate = assessment.growth_bytes_per_hour / 3600.0;
        let wait = if rate > 0.0 && rate.is_finite() {
            Duration::try_from_secs_f64(amount / rate).unwrap_or(Duration::MAX)
        } else {
            Duration::MAX
        };
        let wait = wait.min(self.settings.max_wait).max(self.settings.min_wait);
        Some(baseline.time.latest + wait)
    }

    /// The last moment at which a dump is still safe: at most half of the time that was left at
    /// the baseline is waited, and a few dumps must still fit in before the earliest forecast.
    fn last_moment(&self, assessment: &Assessment) -> Option<Timestamp> {
        let baseline = self.case.dumps.first()?;
        let limit = assessment.eta?.p10;
        let taken = baseline.time.latest;
        let half = taken + limit.duration_since(taken) / 2;
        let dumps = limit - baseline.capture().duration() * DUMPS_BEFORE_LIMIT;
        // an early forecast is wide, and two dumps at once would compare nothing
        Some(half.min(dumps).max(taken + LEAST_GAP))
    }

    fn captured(&mut self, dump: Dump) {
        let text = format!(
            "{} heap dump {} taken in {} ({})",
            dump.purpose.as_str(),
            dump.name,
            duration_text(dump.capture().duration()),
            ByteSize(dump.bytes),
        );
        self.log(dump.time.likely, StepKind::Capture, text);
        let purpose = dump.purpose;
        self.case.dumps.push(dump);
        if purpose == Purpose::Baseline && !self.gone {
            self.state = State::Accumulating;
        } else {
            self.state = State::AnalysisDue;
        }
    }

    fn capture_failed(
        &mut self,
        now: Timestamp,
        purpose: Purpose,
        attempt: u32,
        reason: &str,
        retry: bool,
    ) {
        let text = format!("{} heap dump not taken: {reason}", purpose.as_str());
        self.log(now, StepKind::Capture, text.clone());
        if retry && !self.gone && attempt < self.settings.capture_attempts {
            let wait = self.settings.first_retry * 4_u32.saturating_pow(attempt - 1);
            self.state = State::CaptureDue {
                purpose,
                from: now + wait,
                attempt: attempt + 1,
            };
        } else {
            self.case.shortcomings.push(text);
            self.without_further_dumps();
        }
    }

    /// No more dumps will come: go on with those there are.
    fn without_further_dumps(&mut self) {
        let leaking = self
            .case
            .latest()
            .is_some_and(|a| a.verdict == Verdict::Leaking);
        if !self.case.dumps.is_empty() {
            self.state = State::AnalysisDue;
        } else if leaking || self.gone {
            self.state = State::Finished;
        } else {
            // a suspicion alone, without a dump, is nothing to report yet
            self.state = State::WatchingOnly;
        }
    }

    fn analyzed(&mut self, now: Timestamp, findings: HeapFindings) {
        let text = match findings.prime_suspect() {
            Some(suspect) => format!("heap analysed: {}", suspect.sentence),
            None if findings.report.reachable_bytes.len() > 1 => {
                "heap analysed: nothing grew between the dumps".to_owned()
            }
            None => "heap analysed: nothing stands out".to_owned(),
        };
        self.log(now, StepKind::Analysis, text);
        self.case.heap = Some(findings);
        self.state = State::CorrelationDue;
    }

    fn correlation(&self) -> Option<Action> {
        let (window, growth) = self.case.question_for_traces()?;
        let process = self.case.process.clone();
        Some(Action::Correlate {
            process,
            window,
            growth,
        })
    }

    fn correlated(&mut self, now: Timestamp, correlation: Correlation) {
        let text = match correlation.attributions.first() {
            Some(first) => format!(
                "traces compared: {} calls of {}, {} objects kept per call",
                grouped(first.calls),
                first.operation,
                phrase::number(first.kept_objects_per_call),
            ),
            None => "traces compared: no operation explains the growth".to_owned(),
        };
        self.log(now, StepKind::Correlation, text);
        self.case.traces = Some(correlation);
        self.state = State::Finished;
    }

    fn process_gone(&mut self, now: Timestamp, state: State) {
        if self.gone {
            return;
        }
        self.gone = true;
        self.log(now, StepKind::End, "the process ended".to_owned());
        let before_second_dump = matches!(
            state,
            State::CaptureDue { .. } | State::Accumulating | State::WatchingOnly
        );
        if before_second_dump {
            let text = match self.case.dumps.len() {
                0 => "the process ended before a dump was taken",
                _ => "the process ended before a second dump was taken; growth is judged from one",
            };
            self.case.shortcomings.push(text.to_owned());
            self.without_further_dumps();
        }
    }

    fn log(&mut self, at: Timestamp, kind: StepKind, text: String) {
        if self.case.log.len() < MAX_LOG {
            self.case.log.push(LogEntry { at, kind, text });
        }
    }
}
