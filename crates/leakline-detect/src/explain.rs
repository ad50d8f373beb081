//! Says why: the assessment with its evidence, each reason a sentence with numbers and the query
//! that shows them.

use crate::collector::{self, GcComparison};
use crate::epoch::Epoch;
use crate::floor::Floor;
use crate::intake::Intake;
use crate::process::{Finding, epoch_time};
use crate::query::Queries;
use crate::trend::{Gate, Growth};
use crate::{Assessment, Eta, Evidence, LeakSignal, Settings, Verdict};
use leakline_model::{ByteSize, ProcessKey, SignedByteSize, TimeRange, Timestamp, duration_text};
use std::time::Duration;

/// What an assessment is about.
pub(crate) struct Subject<'a> {
    pub(crate) key: &'a ProcessKey,
    pub(crate) intake: &'a Intake,
    pub(crate) epoch: &'a Epoch,
    pub(crate) verdict: Verdict,
    pub(crate) floor: &'a Floor,
    pub(crate) finding: &'a Finding,
    pub(crate) settings: &'a Settings,
}

/// A change of the collector's work by less than this factor is none.
const UNCHANGED: f64 = 1.25;
/// Times the standard error from the median to the tenth and the ninetieth percentile.
const P10_P90: f64 = 1.2816;

/// The assessment of `subject` with data up to `at`.
pub(crate) fn assessment(subject: &Subject<'_>, at: Timestamp) -> Assessment {
    let growth = subject.finding.growth.as_ref();
    let grows = subject.verdict >= Verdict::Suspected;
    let onset = grows.then(|| epoch_time(subject.epoch, subject.finding.onset));
    let limit = Some(subject.epoch.limit).filter(|&limit| limit > 0.0);
    Assessment {
        at,
        process: subject.key.clone(),
        verdict: subject.verdict,
        signal: LeakSignal::Heap,
        onset,
        eta: growth
            .filter(|_| grows)
            .zip(limit)
            .and_then(|(growth, limit)| eta(growth, limit, subject.epoch)),
        growth_bytes_per_hour: growth.map_or(0.0, |growth| growth.line.slope * 3600.0),
        limit_bytes: limit.map(|limit| limit as u64),
        confidence: confidence(subject, growth),
        evidence: subject.evidence(at, onset),
    }
}

/// When the line reaches the limit, with the slope at its median and at its uncertainty's ends.
fn eta(growth: &Growth, limit: f64, epoch: &Epoch) -> Option<Eta> {
    let slope = growth.line.slope;
    if slope <= 0.0 {
        return None;
    }
    let spread = P10_P90 * growth.test.standard_error;
    let headroom = (limit - growth.level).max(0.0);
    let reached = |slope: f64| epoch_time(epoch, growth.to + headroom / slope);
    Some(Eta {
        p10: reached(slope + spread),
        p50: reached(slope),
        // a slope of nearly nothing would forecast the end of time
        p90: reached((slope - spread).max(slope / 10.0)),
    })
}

/// For growth, how surely it is there, less what its lower bound leaves open. For health, how
/// much there was to see.
fn confidence(subject: &Subject<'_>, growth: Option<&Growth>) -> f64 {
    let Some(growth) = growth else { return 0.0 };
    match subject.verdict {
        Verdict::InsufficientData => 0.0,
        Verdict::Healthy => {
            let points = subject.floor.judged().len() as f64;
            0.95 * points / (points + 3.0)
        }
        Verdict::Suspected | Verdict::Leaking => {
            let sure = (1.0 - growth.test.p_value).clamp(0.0, 0.99);
            let firm = (growth.least_share / growth.share.max(1e-9)).clamp(0.0, 1.0);
            let stage = if subject.verdict == Verdict::Leaking {
                1.0
            } else {
                0.8
            };
            stage * sure * (0.7 + 0.3 * firm)
        }
    }
}

impl Subject<'_> {
    fn queries(&self) -> Queries<'_> {
        Queries {
            key: self.key,
            intake: self.intake,
        }
    }

    /// The time in which growth was watched.
    fn watched(&self, growth: &Growth) -> TimeRange {
        TimeRange::new(
            epoch_time(self.epoch, growth.from),
            epoch_time(self.epoch, growth.to),
        )
    }

    fn evidence(&self, at: Timestamp, onset: Option<Timestamp>) -> Vec<Evidence> {
        let mut evidence = Vec::new();
        if self.verdict == Verdict::InsufficientData {
            evidence.push(self.missing(at));
        }
        if let Some(growth) = self
            .finding
            .growth
            .as_ref()
            .filter(|_| self.epoch.gc_metric)
        {
            if self.verdict >= Verdict::Suspected {
                self.say_growth(growth, &mut evidence);
            } else {
                self.say_no_growth(growth, &mut evidence);
            }
        }
        let warm_up_end = epoch_time(self.epoch, self.floor.warm_up_end);
        if let Some(change) = collector::compare(
            self.epoch.history.iter().collect::<Vec<_>>().into_iter(),
            warm_up_end,
            onset,
        ) {
            self.say_collector(&change, &mut evidence);
        }
        if self.epoch.closed > 0 {
            evidence.push(Evidence {
                kind: "warm_up",
                supports: false,
                text: format!(
                    "the first {} were left out as warm-up",
                    seconds_text(self.floor.warm_up_end)
                ),
                query: self.queries().classes(),
                window: TimeRange::new(self.epoch.start, warm_up_end),
            });
        }
        evidence
    }

    /// What a judgement lacks.
    fn missing(&self, at: Timestamp) -> Evidence {
        let points = self.floor.judged().len();
        let needed = self.settings.points_to_judge;
        let open = self
            .finding
            .growth
            .as_ref()
            .filter(|growth| points >= needed && growth.is_open(self.settings));
        let text = if self.epoch.after_restart && self.epoch.closed == 0 {
            "the process has restarted".to_owned()
        } else if !self.epoch.heap_metric {
            "no heap metric".to_owned()
        } else if !self.epoch.gc_metric {
            "no GC metric, so garbage cannot be told from what is held".to_owned()
        } else if let Some(growth) = open {
            format!(
                "the floor rises, {}, but was watched for {} only, too short to tell a leak from a process that settles",
                rate_text(growth.line.slope, growth.length()),
                seconds_text(growth.length()),
            )
        } else if self.epoch.closed == 0 {
            format!("no collection yet, needs {needed} floor points after warm-up")
        } else {
            format!("{points} floor points after warm-up, needs {needed}")
        };
        Evidence {
            kind: "missing",
            supports: false,
            text,
            query: self.queries().heap(),
            window: match open {
                Some(growth) => self.watched(growth),
                None => TimeRange::new(self.epoch.start, at.max(self.epoch.start)),
            },
        }
    }

    fn say_growth(&self, growth: &Growth, evidence: &mut Vec<Evidence>) {
        let queries = self.queries();
        let floor_query = self.floor_query(growth);
        let window = self.watched(growth);
        evidence.push(Evidence {
            kind: "floor_trend",
            supports: true,
            text: format!(
                "the floor rose from {} to {} in {} ({} points), {}, at least {} % of the start with 95 % confidence; the chance of that without a trend is {}",
                size(growth.base),
                size(growth.level),
                seconds_text(growth.length()),
                growth.points,
                rate_text(growth.line.slope, growth.length()),
                percent(growth.least_share),
                chance(growth.test.p_value),
            ),
            query: floor_query.clone(),
            window,
        });
        evidence.push(Evidence {
            kind: "persistence",
            supports: true,
            text: format!(
                "it still grows: the latest half at {} % and the latest quarter at {} % of the mean rate; the largest single step made {} % of the growth",
                percent(growth.half),
                percent(growth.quarter),
                percent(growth.largest_step.min(1.0)),
            ),
            query: floor_query,
            window,
        });
        evidence.push(self.survival(growth));
        match growth.reach {
            Some(reach) => evidence.push(Evidence {
                kind: "limit",
                supports: reach <= self.settings.horizon_to_suspect,
                text: format!(
                    "at that rate the limit of {} is reached in {}, {:.1} times as long as the growth was watched",
                    size(self.epoch.limit),
                    seconds_text(reach * growth.length()),
                    reach,
                ),
                query: queries.limit(),
                window,
            }),
            None => evidence.push(Evidence {
                kind: "limit",
                supports: false,
                text: "the process sends no limit, so there is no forecast".to_owned(),
                query: String::new(),
                window,
            }),
        }
        for gate in &growth.held_back_by {
            let text = match gate {
                Gate::Points => format!(
                    "{} floor points, needs {} to be sure",
                    growth.points, self.settings.points_to_judge
                ),
                Gate::Day => format!(
                    "watched for less than {}; there is time to see whether load explains it",
                    duration_text(self.settings.period)
                ),
                _ => continue,
            };
            evidence.push(Evidence {
                kind: "missing",
                supports: false,
                text,
                query: String::new(),
                window,
            });
        }
    }

    fn survival(&self, growth: &Growth) -> Evidence {
        let needed = percent(self.settings.surviving_growth);
        let (supports, text) = match growth.surviving_share {
            Some(share) if share >= self.settings.surviving_growth => (
                true,
                format!(
                    "growth of {} % was still there after the whole heap had been collected",
                    percent(share)
                ),
            ),
            Some(share) => (
                false,
                format!(
                    "when the whole heap was last collected, {} % of growth was left, {needed} % would be telling",
                    percent(share)
                ),
            ),
            None => (
                false,
                "the whole heap has not been collected since the growth began, so part of it may be garbage".to_owned(),
            ),
        };
        Evidence {
            kind: "survival",
            supports,
            text,
            query: self.queries().after_gc(),
            window: self.watched(growth),
        }
    }

    /// The reasons against, the trend first.
    fn say_no_growth(&self, growth: &Growth, evidence: &mut Vec<Evidence>) {
        let query = self.floor_query(growth);
        let window = self.watched(growth);
        evidence.push(Evidence {
            kind: "floor_trend",
            supports: false,
            text: format!(
                "the floor went from {} to {} in {} ({} points), {}; the chance of that without a trend is {}",
                size(growth.base),
                size(growth.level),
                seconds_text(growth.length()),
                growth.points,
                rate_text(growth.line.slope, growth.length()),
                chance(growth.test.p_value),
            ),
            query: query.clone(),
            window,
        });
        // what does not rise needs no further reason
        if growth.share < 0.5 * self.settings.surviving_growth {
            return;
        }
        for (kind, text) in growth
            .held_back_by
            .iter()
            .filter_map(|gate| self.against(*gate, growth))
        {
            evidence.push(Evidence {
                kind,
                supports: false,
                text,
                query: query.clone(),
                window,
            });
        }
    }

    /// Why growth is not suspected: the kind of the reason and the reason.
    fn against(&self, gate: Gate, growth: &Growth) -> Option<(&'static str, String)> {
        let said = match gate {
            Gate::Effect => (
                "floor_trend",
                format!(
                    "with 95 % confidence it grew by at least {} % of its start, too little to suspect",
                    percent(growth.least_share.max(0.0))
                ),
            ),
            Gate::Persistence => (
                "persistence",
                format!(
                    "it levels off: the latest half grew at {} % and the latest quarter at {} % of the mean rate",
                    percent(growth.half),
                    percent(growth.quarter)
                ),
            ),
            Gate::OneStep => (
                "persistence",
                format!(
                    "{} % of the growth came in one step",
                    percent(growth.largest_step.min(1.0))
                ),
            ),
            Gate::Horizon => (
                "limit",
                format!(
                    "the limit of {} is {:.0} times as far away as the growth was watched, more than a forecast may reach ({})",
                    size(self.epoch.limit),
                    growth.reach.unwrap_or(f64::INFINITY),
                    self.settings.horizon_to_suspect
                ),
            ),
            Gate::Fall => (
                "persistence",
                format!(
                    "the floor fell further before ({}) than this growth stands out from",
                    size(growth.share * growth.base / growth.over_fall.max(1e-9))
                ),
            ),
            Gate::Garbage => (
                "survival",
                format!(
                    "it is {:.2} % of what was allocated meanwhile; garbage can gather that fast in an old generation that is not collected",
                    growth.kept.unwrap_or(0.0) * 100.0
                ),
            ),
            // said with the trend, or no reason against a suspicion
            Gate::Significance | Gate::Day | Gate::Points | Gate::Surviving => return None,
        };
        Some(said)
    }

    fn say_collector(&self, change: &GcComparison, evidence: &mut Vec<Evidence>) {
        let queries = self.queries();
        let (before, after) = (&change.before, &change.after);
        let window = TimeRange::new(before.range.start, after.range.end);
        // over as long as the present is summed up, so that the query gives that number at the end
        let seconds = after.range.duration().as_secs_f64();
        evidence.push(changed(
            Change {
                kind: "gc_pause",
                what: "share of the time spent in collections",
                counts_up: true,
                query: queries.gc_time(seconds),
                window,
            },
            (before.time_share, after.time_share),
            |share| format!("{:.2} %", share * 100.0),
        ));
        evidence.push(changed(
            Change {
                kind: "gc_frequency",
                what: "collections per minute",
                counts_up: true,
                query: queries.gc_frequency(seconds),
                window,
            },
            (before.collections_per_minute, after.collections_per_minute),
            |count| format!("{count:.1}"),
        ));
        if let (Some(before), Some(after)) =
            (before.freed_per_collection, after.freed_per_collection)
        {
            evidence.push(changed(
                Change {
                    kind: "gc_freed",
                    what: "memory freed by a collection",
                    counts_up: false,
                    // of single collections, which a rate over time does not show
                    query: String::new(),
                    window,
                },
                (before, after),
                size,
            ));
        }
    }

    fn floor_query(&self, growth: &Growth) -> String {
        let interval = self.epoch.interval.max(1.0);
        let stretch = growth.length() / growth.points.max(1) as f64;
        self.queries().floor(stretch.max(3.0 * interval), interval)
    }
}

/// What of the collector's work is compared.
struct Change {
    kind: &'static str,
    what: &'static str,
    /// Whether a rise speaks for a leak, rather than a fall.
    counts_up: bool,
    query: String,
    window: TimeRange,
}

/// One number of the collector before and after.
fn changed(change: Change, (before, after): (f64, f64), text: impl Fn(f64) -> String) -> Evidence {
    let rose = after > before * UNCHANGED;
    let fell = after * UNCHANGED < before;
    let direction = match (rose, fell) {
        (true, _) => "rose",
        (_, true) => "fell",
        _ => "hardly changed",
    };
    Evidence {
        kind: change.kind,
        supports: if change.counts_up { rose } else { fell },
        text: format!(
            "{}: {direction}, {} before, {} now",
            change.what,
            text(before),
            text(after)
        ),
        query: change.query,
        window: change.window,
    }
}

fn size(bytes: f64) -> String {
    ByteSize(bytes.max(0.0) as u64).to_string()
}

fn percent(share: f64) -> String {
    format!("{:.0}", share * 100.0)
}

/// A probability; below one in ten thousand the model behind it means nothing any more.
fn chance(p: f64) -> String {
    if p < 0.0001 {
        "below 0.01 %".to_owned()
    } else {
        format!("{:.2} %", p * 100.0)
    }
}

/// A rate in the unit that suits what was watched.
fn rate_text(bytes_per_second: f64, watched_seconds: f64) -> String {
    let (per, unit) = match watched_seconds {
        ..3600.0 => (60.0, "minute"),
        ..172_800.0 => (3600.0, "hour"),
        _ => (86_400.0, "day"),
    };
    format!(
        "{} per {unit}",
        SignedByteSize((bytes_per_second * per) as i64)
    )
}

fn seconds_text(seconds: f64) -> String {
    // more is not a time any more
    duration_text(Duration::from_secs_f64(seconds.clamp(0.0, 1e9)))
}
