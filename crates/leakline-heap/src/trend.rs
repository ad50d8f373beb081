//! How a size changes over the dumps of one process: how fast, and in which manner.
//!
//! A series is a few points, seldom more than ten, and time runs from minutes to days. So nothing
//! here depends on the unit of time or of size, and no statistics are made of three points: the
//! kinds are rules that a person can check by looking at the numbers.

use crate::report::GrowthKind;

/// A point: when, in minutes or in dumps, and how much.
pub(crate) type Point = (f64, f64);

/// What changes by less than this part of its size stays as it is.
const FLAT: f64 = 1e-3;
/// What falls back by more than this part of what it gained did not grow, it fluctuates.
const FELL_BACK: f64 = 0.5;
/// An interval with less than this part of the average rate does not count as growth; and growth
/// whose rate fell to less than this part of what it was is over.
const COLLAPSED: f64 = 0.25;

/// The median of the slopes between all pairs of points (Theil 1950, Sen 1968), O(n²); 0 for
/// fewer than two points in time.
fn slope(points: &[Point]) -> f64 {
    let mut slopes: Vec<f64> = Vec::new();
    for (number, later) in points.iter().enumerate() {
        for earlier in &points[..number] {
            let time = later.0 - earlier.0;
            if time > 0.0 {
                slopes.push((later.1 - earlier.1) / time);
            }
        }
    }
    slopes.sort_by(f64::total_cmp);
    let upper = slopes.len() / 2;
    match slopes.len() {
        0 => 0.0,
        odd if odd % 2 == 1 => slopes[upper],
        _ => (slopes[upper - 1] + slopes[upper]) / 2.0,
    }
}

/// How a size changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Trend {
    /// In which manner.
    pub(crate) kind: GrowthKind,
    /// The point from which on it rises; the first, if it does not.
    began: usize,
}

impl Trend {
    /// How fast a series with this trend changes, per unit of time.
    pub(crate) fn rate(&self, points: &[Point]) -> f64 {
        match (self.kind, points.first(), points.last()) {
            // between the foot of one step and the top of another it would be too high
            (GrowthKind::Stairs, Some(first), Some(last)) => slope(&[*first, *last]),
            _ => slope(points.get(self.began..).unwrap_or_default()),
        }
    }
}

/// Times must rise.
pub(crate) fn trend(points: &[Point]) -> Trend {
    let from_the_first = |kind| Trend { kind, began: 0 };
    let (Some(first), Some(last)) = (points.first(), points.last()) else {
        return from_the_first(GrowthKind::Flat);
    };
    let largest = points.iter().map(|point| point.1).fold(0.0, f64::max);
    let (rise, fall) = (largest_rise(points, 1.0), largest_rise(points, -1.0));
    if rise.max(fall) <= largest * FLAT {
        return from_the_first(GrowthKind::Flat);
    }
    let gain = last.1 - first.1;
    if gain < 0.0 && rise <= -gain * FELL_BACK {
        return from_the_first(GrowthKind::Shrinking);
    }
    if gain <= 0.0 || fall > gain * FELL_BACK {
        return from_the_first(GrowthKind::Fluctuating);
    }
    let rises = rises(points, gain / (last.0 - first.0));
    Trend {
        kind: rising_kind(&rises),
        began: rises.began,
    }
}

/// The most by which a later point is above an earlier one; with `sign` -1, below.
fn largest_rise(points: &[Point], sign: f64) -> f64 {
    let mut least = f64::INFINITY;
    let mut rise: f64 = 0.0;
    for point in points {
        least = least.min(sign * point.1);
        rise = rise.max(sign * point.1 - least);
    }
    rise
}

/// Stretches of a series that rise throughout.
#[derive(Default)]
struct Rises {
    /// The point where the first begins.
    began: usize,
    /// Intervals of each.
    lengths: Vec<usize>,
    /// Rates of all their intervals.
    rates: Vec<f64>,
    /// The longest time between two of them.
    longest_rest: f64,
    /// The time since the last.
    rest: f64,
}

/// `average` is the rate of the whole series.
fn rises(points: &[Point], average: f64) -> Rises {
    let mut rises = Rises::default();
    let mut is_rising = false;
    for (number, pair) in points.windows(2).enumerate() {
        let time = pair[1].0 - pair[0].0;
        let rate = (pair[1].1 - pair[0].1) / time;
        if rate < average * COLLAPSED {
            is_rising = false;
            rises.rest += time;
            continue;
        }
        match rises.lengths.last_mut() {
            Some(length) if is_rising => *length += 1,
            before => {
                match before {
                    None => rises.began = number,
                    Some(_) => rises.longest_rest = rises.longest_rest.max(rises.rest),
                }
                rises.lengths.push(1);
            }
        }
        is_rising = true;
        rises.rest = 0.0;
        rises.rates.push(rate);
    }
    rises
}

/// The kind of a series that rises on the whole.
fn rising_kind(rises: &Rises) -> GrowthKind {
    if is_collapsing(&rises.rates) {
        return GrowthKind::WarmUp;
    }
    match (rises.lengths.as_slice(), rises.rest > 0.0) {
        ([1], false) => GrowthKind::Recent,
        ([_], false) => GrowthKind::Steady,
        // stairs whose next step is long overdue have ended
        ([_, _, ..], resting) if !resting || rises.rest <= 2.0 * rises.longest_rest => {
            GrowthKind::Stairs
        }
        _ => GrowthKind::WarmUp,
    }
}

/// Whether rates fall from one to the next, to a small part of what they were.
fn is_collapsing(rates: &[f64]) -> bool {
    let falls = rates.windows(2).all(|pair| pair[1] <= pair[0]);
    match (rates.first(), rates.last()) {
        (Some(first), Some(last)) => falls && *last < first * COLLAPSED,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn kind(points: &[Point]) -> GrowthKind {
        trend(points).kind
    }

    /// One point a minute.
    fn every_minute(values: &[u32]) -> Vec<Point> {
        let values = values.iter().enumerate();
        values
            .map(|(minute, value)| (minute as f64, f64::from(*value)))
            .collect()
    }

    #[test]
    fn kinds_of_growth() {
        let check = |expected: GrowthKind, series: &[&[u32]]| {
            for values in series {
                assert_eq!(kind(&every_minute(values)), expected, "{values:?}");
            }
        };
        check(
            GrowthKind::Flat,
            &[&[], &[5], &[7, 7, 7], &[90_000, 90_010, 89_990], &[0, 0]],
        );
        check(
            GrowthKind::Recent,
            &[&[0, 100], &[5, 9], &[50, 50, 90], &[0, 0, 0, 100]],
        );
        check(
            GrowthKind::Steady,
            &[
                &[100, 200, 300],
                &[100, 200, 250, 330],
                &[1_000, 1_010, 1_020, 1_030],
                // it appears later
                &[0, 0, 100, 200],
                // a dip, and a slow interval
                &[100, 210, 280, 390, 480],
                // ever faster
                &[0, 10, 40, 160],
            ],
        );
        check(
            GrowthKind::WarmUp,
            &[
                &[0, 100, 100],
                &[0, 100, 110],
                &[0, 400, 480, 500, 500],
                // half of the rest each time
                &[0, 800, 1_200, 1_400, 1_500, 1_550],
                &[0, 0, 100, 100],
                &[50, 100, 95, 97],
                // two steps, and then nothing for long
                &[0, 100, 100, 200, 200, 200, 200],
            ],
        );
        check(
            GrowthKind::Stairs,
            &[
                &[0, 100, 100, 200],
                &[0, 100, 100, 200, 200],
                &[0, 0, 100, 100, 200],
                &[10, 10, 20, 20, 20, 30],
            ],
        );
        check(
            GrowthKind::Fluctuating,
            &[
                &[100, 900, 50, 700],
                &[100, 200, 150],
                &[100, 50, 100],
                &[10, 90, 10],
                &[300, 100, 250],
            ],
        );
        check(
            GrowthKind::Shrinking,
            &[&[100, 50], &[100, 50, 0], &[100, 40, 60], &[90, 90, 10]],
        );
    }

    #[test]
    fn rates_count_not_gains() {
        // a hundred in the first minute, and another in the hour that follows
        let series = [(0.0, 0.0), (1.0, 100.0), (61.0, 200.0)];
        assert_eq!(kind(&series), GrowthKind::WarmUp);
        let series = [(0.0, 0.0), (1.0, 100.0), (61.0, 6_100.0)];
        assert_eq!(kind(&series), GrowthKind::Steady);
        assert_eq!(slope(&series), 100.0);
    }

    #[test]
    fn one_odd_dump_does_not_bend_the_rate() {
        assert_eq!(
            slope(&every_minute(&[100, 200, 300, 2_000, 500, 600])),
            100.0
        );
        assert_eq!(slope(&[]), 0.0);
        assert_eq!(slope(&[(3.0, 9.0)]), 0.0);
        assert_eq!(slope(&[(0.0, 9.0), (4.0, 1.0)]), -2.0);
    }

    #[test]
    fn growth_begins_where_it_rises() {
        let began = |values: &[u32]| trend(&every_minute(values)).began;
        assert_eq!(began(&[0, 100, 200]), 0);
        assert_eq!(began(&[10, 10, 11, 100, 200]), 2);
        assert_eq!(began(&[0, 100, 100, 200]), 0);
        assert_eq!(began(&[0, 0, 0, 100]), 2);
        assert_eq!(began(&[100, 50, 100]), 0);
    }

    /// What the documentation says of each kind, interval by interval and pair by pair.
    fn kind_by_definition(points: &[Point]) -> GrowthKind {
        let values: Vec<f64> = points.iter().map(|point| point.1).collect();
        let pairs = || (0..values.len()).flat_map(|b| (0..b).map(move |a| (a, b)));
        let most = |change: &dyn Fn(usize, usize) -> f64| {
            pairs().map(|(a, b)| change(a, b)).fold(0.0, f64::max)
        };
        let rise = most(&|a, b| values[b] - values[a]);
        let fall = most(&|a, b| values[a] - values[b]);
        let largest = values.iter().copied().fold(0.0, f64::max);
        if rise <= largest / 1000.0 && fall <= largest / 1000.0 {
            return GrowthKind::Flat;
        }
        let gain = values[values.len() - 1] - values[0];
        if gain <= 0.0 {
            return match rise <= -gain / 2.0 {
                true if gain < 0.0 => GrowthKind::Shrinking,
                _ => GrowthKind::Fluctuating,
            };
        }
        if fall > gain / 2.0 {
            return GrowthKind::Fluctuating;
        }
        let average = gain / (points[points.len() - 1].0 - points[0].0);
        let rate = |interval: usize| {
            (values[interval + 1] - values[interval])
                / (points[interval + 1].0 - points[interval].0)
        };
        let intervals = points.len() - 1;
        let grew: Vec<bool> = (0..intervals)
            .map(|interval| rate(interval) >= average / 4.0)
            .collect();
        let grown: Vec<usize> = (0..intervals).filter(|interval| grew[*interval]).collect();
        let (first, last) = (grown[0], grown[grown.len() - 1]);
        let slows = grown.windows(2).all(|pair| rate(pair[1]) <= rate(pair[0]));
        if slows && rate(last) < rate(first) / 4.0 {
            return GrowthKind::WarmUp;
        }
        let since = points[intervals].0 - points[last + 1].0;
        if last - first + 1 == grown.len() {
            return match grown.len() {
                _ if since > 0.0 => GrowthKind::WarmUp,
                1 => GrowthKind::Recent,
                _ => GrowthKind::Steady,
            };
        }
        let pauses = grown
            .windows(2)
            .map(|pair| points[pair[1]].0 - points[pair[0] + 1].0);
        match since <= 2.0 * pauses.fold(0.0, f64::max) {
            true => GrowthKind::Stairs,
            false => GrowthKind::WarmUp,
        }
    }

    /// Times and sizes are small powers of two and whole numbers, so that no sum is rounded.
    fn series() -> impl Strategy<Value = Vec<Point>> {
        let point = (1u8..=4, prop_oneof![0u32..8, 0u32..1_000]);
        (prop::collection::vec(point, 1..9), any::<bool>()).prop_map(|(points, sorted)| {
            let mut values: Vec<u32> = points.iter().map(|(_, value)| *value).collect();
            if sorted {
                values.sort_unstable();
            }
            let mut time = 0.0;
            let times = points.iter().map(|(step, _)| {
                time += f64::from(1u32 << step);
                time
            });
            times.zip(values.into_iter().map(f64::from)).collect()
        })
    }

    proptest! {
        #[test]
        fn kinds_are_as_defined(points in series()) {
            prop_assert_eq!(kind(&points), kind_by_definition(&points));
        }

        #[test]
        fn units_do_not_matter(points in series(), time in 1u8..12, size in 1u8..12) {
            let (time, size) = (f64::from(1u32 << time), f64::from(1u32 << size));
            let scaled: Vec<Point> =
                points.iter().map(|(at, value)| (at * time + 64.0, value * size)).collect();
            prop_assert_eq!(kind(&points), kind(&scaled));
            prop_assert_eq!(slope(&points) * size / time, slope(&scaled));
        }

        #[test]
        fn the_rate_lies_between_the_rates_of_intervals(points in series()) {
            let rates: Vec<f64> = points
                .windows(2)
                .map(|pair| (pair[1].1 - pair[0].1) / (pair[1].0 - pair[0].0))
                .collect();
            let least = rates.iter().copied().fold(f64::INFINITY, f64::min);
            let most = rates.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let slope = slope(&points);
            prop_assert!(rates.is_empty() || least <= slope && slope <= most);
        }

        /// What rises by about the same in every interval is never excused.
        #[test]
        fn noise_excuses_no_steady_growth(
            start in 0u32..1_000_000,
            gains in prop::collection::vec(60u32..140, 2..12),
        ) {
            let mut value = start;
            let values: Vec<u32> = std::iter::once(start)
                .chain(gains.iter().map(|gain| { value += gain * 2_000; value }))
                .collect();
            prop_assert_eq!(kind(&every_minute(&values)), GrowthKind::Steady);
        }
    }
}
