//! Judges the floor: looks at windows that end now, from the whole life to the latest minute, and
//! asks of each whether the growth in it is a leak's.

use crate::floor::{Floor, Point, thin};
use crate::statistics::{self, Line, TrendTest};
use crate::{Settings, Verdict};
use std::time::Duration;

/// Points per window; the statistics cost the square of it.
const POINTS_PER_WINDOW: usize = 48;
/// Times the standard error to the lower 95 % bound of a slope.
const LOWER_BOUND: f64 = 1.645;

/// What a window shows, gate by gate.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Growth {
    /// First and last point, seconds since the start of the epoch.
    pub(crate) from: f64,
    pub(crate) to: f64,
    pub(crate) points: usize,
    /// Robust line through the floor.
    pub(crate) line: Line,
    pub(crate) test: TrendTest,
    /// The line at the window's start, bytes.
    pub(crate) base: f64,
    /// The line at the window's end, bytes.
    pub(crate) level: f64,
    /// Growth over the window as a share of `base`: estimate and lower 95 % bound.
    pub(crate) share: f64,
    pub(crate) least_share: f64,
    /// Growth that outlived a collection of the whole heap, as a share of `base`.
    pub(crate) surviving_share: Option<f64>,
    /// Slope of the latest half and of the latest quarter relative to the whole.
    pub(crate) half: f64,
    pub(crate) quarter: f64,
    /// Share of the growth that came in one rise.
    pub(crate) largest_step: f64,
    /// Time until the line reaches the limit over the window's length; `None` without a limit.
    pub(crate) reach: Option<f64>,
    /// Growth relative to the deepest fall before.
    pub(crate) over_fall: f64,
    /// Growth relative to what was allocated meanwhile; `None` when that is unknown.
    pub(crate) kept: Option<f64>,
    /// The line at the window's end relative to the limit; zero without a limit.
    pub(crate) filled: f64,
    /// The gates that hold back a suspicion, or else the verdict `leaking`.
    pub(crate) held_back_by: Vec<Gate>,
    /// What this window alone says.
    pub(crate) verdict: Verdict,
}

impl Growth {
    pub(crate) fn length(&self) -> f64 {
        self.to - self.from
    }
}

/// A condition that growth must meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Gate {
    Significance,
    Effect,
    Persistence,
    OneStep,
    Horizon,
    Fall,
    Garbage,
    Day,
    Points,
    Surviving,
}

/// The most telling window: the one with the worst verdict, of several the longest. `None` when
/// there is too little for any.
pub(crate) fn judge(floor: &Floor, limit: Option<f64>, settings: &Settings) -> Option<Growth> {
    let points = floor.judged();
    let (first, last) = (points.first()?, points.last()?);
    let span = last.at - first.at;
    let mut best: Option<Growth> = None;
    let mut length = span;
    while length >= settings.minimum_window.as_secs_f64() {
        let from = points.partition_point(|point| point.at < last.at - length);
        let window = points.get(from..)?;
        if window.len() < settings.points_to_suspect {
            break;
        }
        // most windows of most processes do not rise; only the whole life is looked at anyway
        if (best.is_none() || rises(window, settings))
            && let Some(growth) = examine(window, floor, limit, settings)
            && best
                .as_ref()
                .is_none_or(|best| growth.verdict > best.verdict)
        {
            best = Some(growth);
        }
        length /= 2.0;
    }
    best
}

/// Whether the end of a window stands above its start by anything worth a test.
fn rises(window: &[Point], settings: &Settings) -> bool {
    let quarter = window.len().div_ceil(4);
    let mean = |points: &[Point]| points.iter().map(|p| p.floor).sum::<f64>() / points.len() as f64;
    match (window.get(..quarter), window.get(window.len() - quarter..)) {
        (Some(start), Some(end)) => {
            mean(end) - mean(start) > 0.5 * settings.surviving_growth * mean(start).max(1.0)
        }
        _ => false,
    }
}

fn examine(
    window: &[Point],
    floor: &Floor,
    limit: Option<f64>,
    settings: &Settings,
) -> Option<Growth> {
    // exports rarely catch a nursery when it is full, so the fullest of all stands for each
    let nursery = window.iter().map(|point| point.nursery).fold(0.0, f64::max);
    let collections: f64 = window.iter().skip(1).map(|point| point.collections).sum();
    let allocated = nursery * collections;
    let window = thin(window, POINTS_PER_WINDOW);
    let series: Vec<(f64, f64)> = window.iter().map(|point| (point.at, point.floor)).collect();
    let line = statistics::theil_sen(&series)?;
    let test = statistics::test_trend(&series)?;
    let (first, last) = (window.first()?, window.last()?);
    let length = last.at - first.at;
    let base = line.at(first.at).max(1.0);
    let level = line.at(last.at);
    let rise = line.slope * length;
    let least_rise = (line.slope - LOWER_BOUND * test.standard_error) * length;
    let surviving_share = surviving_growth(&window, &line, base).map(|left| left / base);
    // where most of the rise was tested, past falls of garbage no longer matter
    let settled = surviving_share.is_some_and(|share| share * base >= 0.5 * rise);
    let fall = if settled {
        floor.deepest_fall
    } else {
        floor.deepest_measured_fall
    };
    let mut growth = Growth {
        from: first.at,
        to: last.at,
        points: window.len(),
        line,
        test,
        base,
        level,
        share: rise / base,
        least_share: least_rise / base,
        surviving_share,
        half: latest_slope(&series, &line, 0.5),
        quarter: latest_slope(&series, &line, 0.25),
        largest_step: largest_step(&series, rise),
        reach: limit.map(|limit| reach(limit - level, line.slope, length)),
        over_fall: if fall > 0.0 {
            rise / fall
        } else {
            f64::INFINITY
        },
        kept: (allocated > 0.0).then(|| rise / allocated),
        filled: limit.map_or(0.0, |limit| level / limit),
        held_back_by: Vec::new(),
        verdict: Verdict::Healthy,
    };
    let suspicion = growth.gates(settings, Verdict::Suspected);
    if suspicion.is_empty() {
        growth.held_back_by = growth.gates(settings, Verdict::Leaking);
        growth.verdict = if growth.held_back_by.is_empty() {
            Verdict::Leaking
        } else {
            Verdict::Suspected
        };
    } else {
        growth.held_back_by = suspicion;
    }
    Some(growth)
}

/// What of the rise stood when the whole heap was last collected inside the window.
///
/// Where nurseries are collected without the rest, garbage may stand on the floor. The start of
/// the window bounds what was held then from above; what such a collection leaves is held now.
fn surviving_growth(window: &[Point], line: &Line, base: f64) -> Option<f64> {
    let collection = window.iter().rposition(|point| point.collected)?;
    // the line must have risen by then too: a single high point is noise
    let left = window
        .iter()
        .skip(collection)
        .take(3)
        .map(|point| point.floor.min(line.at(point.at)))
        .fold(f64::MAX, f64::min);
    // and the start must be one that was measured: under a floor that bends, the line starts low
    let quarter = window.get(..window.len().div_ceil(4))?;
    let start = statistics::median(&mut quarter.iter().map(|p| p.floor).collect::<Vec<_>>())?;
    Some(left - start.max(base))
}

/// The slope of the latest `share` of a series relative to that of the whole; zero when the whole
/// does not rise.
fn latest_slope(series: &[(f64, f64)], line: &Line, share: f64) -> f64 {
    let (Some(first), Some(last)) = (series.first(), series.last()) else {
        return 0.0;
    };
    let start = last.0 - (last.0 - first.0) * share;
    // at the edge one more point does less harm than one too few
    let from = series
        .partition_point(|&(x, _)| x < start - 1e-9)
        .min(series.len().saturating_sub(3));
    match series.get(from..).and_then(statistics::theil_sen) {
        Some(latest) if line.slope > 0.0 => latest.slope / line.slope,
        _ => 0.0,
    }
}

impl Growth {
    /// Whether this may yet become a suspicion: it grows surely and steadily, and was only not
    /// watched for long enough. Nobody would call that healthy.
    pub(crate) fn is_open(&self, settings: &Settings) -> bool {
        self.verdict == Verdict::Healthy
            && self
                .held_back_by
                .iter()
                .all(|gate| matches!(gate, Gate::Horizon | Gate::Effect))
            && self
                .reach
                .is_some_and(|reach| reach <= settings.open_horizon * settings.horizon_to_suspect)
    }

    /// Whether a whole period of load was watched, or there is no time to wait for one. Without a
    /// limit the time in which the floor doubles stands for what is left.
    fn outlasts(&self, period: Duration) -> bool {
        let left = self.reach.map_or_else(
            || self.base / self.line.slope.max(f64::MIN_POSITIVE),
            |reach| reach * self.length(),
        );
        let period = period.as_secs_f64();
        self.length() >= period || left <= period
    }

    /// The gates that `verdict` does not pass.
    fn gates(&self, settings: &Settings, verdict: Verdict) -> Vec<Gate> {
        let leaking = verdict == Verdict::Leaking;
        let survived = self
            .surviving_share
            .is_some_and(|share| share >= settings.surviving_growth);
        let least_growth = if self.reach.is_none() {
            settings.growth_without_limit
        } else if survived {
            settings.surviving_growth
        } else {
            settings.growth_to_suspect
        };
        let pick = |to_suspect: f64, to_judge: f64| if leaking { to_judge } else { to_suspect };
        let significance = pick(
            settings.significance_to_suspect,
            settings.significance_to_judge,
        );
        let horizon = pick(settings.horizon_to_suspect, settings.horizon_to_judge);
        let conditions = [
            (Gate::Significance, self.test.p_value <= significance),
            (Gate::Effect, self.least_share >= least_growth),
            (
                Gate::Persistence,
                self.half >= settings.persistence_of_half
                    && self.quarter >= settings.persistence_of_quarter,
            ),
            (Gate::OneStep, self.largest_step <= settings.largest_step),
            (
                Gate::Horizon,
                self.reach.is_none_or(|reach| reach <= horizon),
            ),
            (Gate::Fall, self.over_fall >= settings.growth_over_fall),
            (
                Gate::Garbage,
                survived
                    || self.filled >= settings.filled
                    || self.kept.is_none_or(|kept| kept >= settings.kept_share),
            ),
            (Gate::Day, !leaking || self.outlasts(settings.period)),
            (
                Gate::Points,
                !leaking || self.points >= settings.points_to_judge,
            ),
            (Gate::Surviving, !leaking || survived),
        ];
        conditions
            .into_iter()
            .filter(|(_, passed)| !passed)
            .map(|(gate, _)| gate)
            .collect()
    }
}

fn reach(headroom: f64, slope: f64, length: f64) -> f64 {
    if slope <= 0.0 {
        f64::INFINITY
    } else {
        (headroom.max(0.0) / slope) / length
    }
}

/// The largest share of `rise` between two neighbouring points that stays: measured on medians
/// of three, so that a single high point is no step.
fn largest_step(series: &[(f64, f64)], rise: f64) -> f64 {
    if rise <= 0.0 {
        return 1.0;
    }
    let smooth: Vec<f64> = series
        .windows(3)
        .filter_map(|three| statistics::median(&mut three.iter().map(|p| p.1).collect::<Vec<_>>()))
        .collect();
    let step = smooth
        .windows(2)
        .map(|pair| pair[1] - pair[0])
        .fold(0.0, f64::max);
    step / rise
}

/// When the growth began, in seconds since the start of the epoch.
///
/// The floor is taken to rise in two straight pieces. If it rose before the bend too, at a rate
/// worth the name, it has been growing since the process started: warm-up hides the first part.
pub(crate) fn onset(floor: &Floor, growth: &Growth) -> f64 {
    /// Slope before the bend, relative to after, below which it was not yet the same growth.
    const QUIET: f64 = 0.34;
    /// What share of a straight line's error the bend may leave. Noise around a line leaves more.
    const BETTER: f64 = 0.3;
    let points = thin(floor.judged(), 4 * POINTS_PER_WINDOW);
    let series: Vec<(f64, f64)> = points.iter().map(|point| (point.at, point.floor)).collect();
    let Some(first) = series.first() else {
        return 0.0;
    };
    match statistics::bend(&series, 3.max(series.len() / 16)) {
        Some(bend) if bend.slope_before < QUIET * bend.slope_after && bend.error_ratio < BETTER => {
            bend.at
        }
        // only a late window grows, and the bend is blurred: the window is the best guess
        _ if growth.from > first.0 + 0.25 * (growth.to - first.0) => growth.from,
        _ => 0.0,
    }
}
