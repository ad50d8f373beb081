//! The floor as points for statistics: garbage that was found out taken away, warm-up cut off.

use crate::Settings;
use crate::epoch::Epoch;
use crate::history::Block;
use crate::statistics;
use leakline_model::Timestamp;

/// The floor at one time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Point {
    /// Seconds since the start of the epoch.
    pub(crate) at: f64,
    /// Bytes, without garbage that a later collection has shown to be such.
    pub(crate) floor: f64,
    /// Bytes as they were measured.
    pub(crate) measured: f64,
    /// Whether the whole heap was collected here, so that what stood was held.
    pub(crate) collected: bool,
    /// Collections since the point before.
    pub(crate) collections: f64,
    /// The most that stood in nurseries, bytes; zero where they are not told apart.
    pub(crate) nursery: f64,
}

/// The floor of one epoch.
#[derive(Clone, Debug, Default)]
pub(crate) struct Floor {
    /// All points, oldest first.
    pub(crate) points: Vec<Point>,
    /// Index of the first point after warm-up.
    pub(crate) warm: usize,
    /// Seconds since the start of the epoch when warm-up ended.
    pub(crate) warm_up_end: f64,
    /// The deepest fall of the floor since warm-up ended.
    pub(crate) deepest_fall: f64,
    /// The deepest fall of what was measured, garbage included, since warm-up ended.
    pub(crate) deepest_measured_fall: f64,
}

impl Floor {
    pub(crate) fn of(epoch: &Epoch, settings: &Settings) -> Floor {
        let blocks: Vec<&Block> = epoch.history.iter().chain(epoch.open_block()).collect();
        let mut points: Vec<Point> = blocks
            .iter()
            .map(|block| Point {
                at: block.floor_at.seconds_since(epoch.start),
                floor: block.floor,
                measured: block.floor,
                collected: block.collected,
                collections: block.gc.collections,
                nursery: block.nursery,
            })
            .collect();
        take_away_garbage(&mut points);
        let warm_up_end = warm_up_end(&blocks, &points, epoch.start, settings);
        let warm = points.partition_point(|point| point.at < warm_up_end);
        Floor {
            deepest_fall: deepest_fall(
                points
                    .iter()
                    .skip(warm)
                    .map(|point| (point.floor, point.floor, 0.0)),
            ),
            deepest_measured_fall: deepest_fall(
                blocks
                    .iter()
                    .skip(warm)
                    .map(|block| (block.highest, block.floor, block.fall)),
            ),
            points,
            warm,
            warm_up_end,
        }
    }

    /// The points after warm-up.
    pub(crate) fn judged(&self) -> &[Point] {
        self.points.get(self.warm..).unwrap_or(&[])
    }
}

/// What a collection of the whole heap takes away was garbage that had gathered since the
/// collection before. It is taken to have gathered evenly, so each point loses its share. After
/// the latest such collection garbage gathers again, and as far as known at the same rate.
fn take_away_garbage(points: &mut [Point]) {
    let mut since = 0;
    // bytes of garbage per second between the latest two collections
    let mut rate = None;
    for i in 1..points.len() {
        if !points.get(i).is_some_and(|point| point.collected) {
            continue;
        }
        let next = points
            .iter()
            .skip(i + 1)
            .position(|point| point.collected)
            .map_or(points.len(), |after| i + 1 + after);
        let before = level(points.get(since..i).unwrap_or(&[]).iter().rev());
        let after = level(points.get(i..next).unwrap_or(&[]).iter());
        let fallen = (before - after).max(0.0);
        if let Some(between) = points.get_mut(since..i) {
            let first = between.first().map_or(0.0, |point| point.at);
            let length = between.last().map_or(0.0, |point| point.at - first);
            // what gathered since the start of the process says more about start-up
            if since > 0 && length > 0.0 {
                rate = Some(fallen / length);
            }
            for point in between {
                // a single point in between holds all of the garbage
                let share = if length > 0.0 {
                    (point.at - first) / length
                } else {
                    1.0
                };
                point.floor -= fallen * share;
            }
        }
        since = i;
    }
    let (Some(rate), Some(tail)) = (rate, points.get_mut(since..)) else {
        return;
    };
    let start = tail.first().map_or(0.0, |point| point.at);
    let left = level(tail.iter());
    for point in tail {
        let without = point.measured - rate * (point.at - start);
        point.floor = without.max(point.measured.min(left));
    }
}

/// Where the floor stands at the beginning of `points`: the median of three, since survivor
/// spaces make single points jump.
fn level<'a>(points: impl Iterator<Item = &'a Point>) -> f64 {
    let mut values: Vec<f64> = points.take(3).map(|point| point.measured).collect();
    if values.len() == 2 {
        // no median of two; the nearer one is the better
        values.truncate(1);
    }
    statistics::median(&mut values).unwrap_or(0.0)
}

/// The deepest fall over stretches, each given by its highest, its lowest and its inner fall.
fn deepest_fall(stretches: impl Iterator<Item = (f64, f64, f64)>) -> f64 {
    let mut highest = f64::MIN;
    let mut deepest = 0.0_f64;
    for (high, low, fall) in stretches {
        deepest = deepest.max(fall).max(highest - low);
        highest = highest.max(high);
    }
    deepest
}

/// Warm-up lasts until most classes are loaded and the floor has ended its first steep rise.
fn warm_up_end(blocks: &[&Block], points: &[Point], start: Timestamp, settings: &Settings) -> f64 {
    let minimum = settings.minimum_warm_up.as_secs_f64();
    let (Some(first), Some(last)) = (blocks.first(), blocks.last()) else {
        return minimum;
    };
    let age = last.end.seconds_since(start);
    let loaded = last.classes * settings.settled_classes;
    let classes = blocks
        .iter()
        .find(|block| block.classes >= loaded)
        .map_or(0.0, |block| {
            // a block knows the classes at its end only
            if std::ptr::eq(*block, *first) {
                0.0
            } else {
                block.end.seconds_since(start).min(age)
            }
        });
    let classes = if last.classes > 0.0 { classes } else { 0.0 };
    let series: Vec<(f64, f64)> = points.iter().map(|point| (point.at, point.floor)).collect();
    let jump = statistics::bend(&series, 2).map_or(0.0, |bend| {
        let steep = bend.slope_before > settings.warm_up_slope_ratio * bend.slope_after.max(0.0);
        let early = bend.at - start_of(points) <= age * settings.maximum_warm_up_share;
        if bend.slope_before > 0.0 && steep && early && bend.error_ratio < 0.5 {
            bend.at
        } else {
            0.0
        }
    });
    classes
        .max(jump)
        .min(age * settings.maximum_warm_up_share)
        .max(minimum)
}

fn start_of(points: &[Point]) -> f64 {
    points.first().map_or(0.0, |point| point.at)
}

/// Points as the statistics want them: evenly spaced as far as possible and not too many, each
/// the lowest of its stretch. `collected` survives if any of the stretch was.
pub(crate) fn thin(points: &[Point], at_most: usize) -> Vec<Point> {
    let (Some(first), Some(last)) = (points.first(), points.last()) else {
        return Vec::new();
    };
    if points.len() <= at_most || at_most == 0 {
        return points.to_vec();
    }
    let stretch = (last.at - first.at) / at_most as f64;
    let mut thinned: Vec<Point> = Vec::with_capacity(at_most + 1);
    let mut current = None;
    for point in points {
        let index = ((point.at - first.at) / stretch) as usize;
        match thinned.last_mut() {
            Some(lowest) if current == Some(index) => {
                let collected = lowest.collected || point.collected;
                if point.floor < lowest.floor {
                    *lowest = *point;
                }
                lowest.collected = collected;
            }
            _ => thinned.push(*point),
        }
        current = Some(index);
    }
    thinned
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(at: f64, measured: f64, collected: bool) -> Point {
        Point {
            at,
            floor: measured,
            measured,
            collected,
            collections: 1.0,
            nursery: 0.0,
        }
    }

    /// A floor that holds `held` at each time, garbage that gathers by `garbage` a step, and a
    /// collection every `cycle` steps: what is held must be found to within a step of garbage.
    fn check(held: fn(f64) -> f64, garbage: f64, cycle: usize) {
        let mut points: Vec<_> = (0..100)
            .map(|i| {
                let (t, phase) = (i as f64, (i % cycle) as f64);
                point(t, held(t) + garbage * phase, i > 0 && i % cycle == 0)
            })
            .collect();
        take_away_garbage(&mut points);
        for point in &points {
            let error = point.floor - held(point.at);
            // three steps: the medians on both sides lag by one, the leak's own steps add to it
            assert!(error.abs() <= 3.0 * garbage.max(1.0), "{point:?} {cycle}");
        }
    }

    #[test]
    fn found_out_garbage_is_taken_away() {
        check(|_| 50.0, 10.0, 10);
        check(|_| 50.0, 10.0, 45);
        check(|t| 50.0 + 2.0 * t, 10.0, 10);
        check(|t| 50.0 + 2.0 * t, 10.0, 30);
        check(|t| 50.0 + 2.0 * t, 0.0, 10);
    }

    #[test]
    fn a_fall_without_a_collection_stays() {
        let mut points = [point(0.0, 50.0, false), point(1.0, 40.0, false)];
        let before = points;
        take_away_garbage(&mut points);
        assert_eq!(points, before);
    }

    #[test]
    fn thinning_keeps_lows_and_collections() {
        let points: Vec<_> = (0..100)
            .map(|i| point(f64::from(i), f64::from((i * 37) % 100), i == 42))
            .collect();
        let thinned = thin(&points, 10);
        assert!(thinned.len() <= 11);
        assert!(thinned.iter().any(|p| p.measured == 0.0));
        assert_eq!(thinned.iter().filter(|p| p.collected).count(), 1);
        assert_eq!(thin(&points[..5], 10), points[..5]);
    }
}
