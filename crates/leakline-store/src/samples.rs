//! Runs of samples: sorted by time, each time once, whole milliseconds.
//!
//! Of two samples at one time the one that was kept first stays, as in Prometheus: what has been
//! answered once is answered the same way again.

use leakline_model::{Sample, TimeRange};

/// A run from samples in any order.
pub(crate) fn run_of(samples: &[Sample]) -> Vec<Sample> {
    let mut run: Vec<Sample> = samples
        .iter()
        .map(|sample| Sample {
            timestamp: sample.timestamp.truncate_to_millis(),
            value: sample.value,
        })
        .collect();
    // stable, so that of one time the first comes first
    run.sort_by_key(|sample| sample.timestamp);
    run.dedup_by_key(|sample| sample.timestamp);
    run
}

/// Adds `later` to `run`.
pub(crate) fn merge(run: &mut Vec<Sample>, later: &[Sample]) {
    let (Some(last), Some(first_later)) = (run.last(), later.first()) else {
        run.extend_from_slice(later);
        return;
    };
    if last.timestamp < first_later.timestamp {
        run.extend_from_slice(later);
        return;
    }
    // what lies before `later` stays in place
    let overlap = run.partition_point(|sample| sample.timestamp < first_later.timestamp);
    let tail = run.split_off(overlap);
    let mut earlier = tail.into_iter().peekable();
    let mut later = later.iter().copied().peekable();
    loop {
        match (earlier.peek(), later.peek()) {
            (Some(a), Some(b)) if a.timestamp < b.timestamp => run.extend(earlier.next()),
            (Some(a), Some(b)) if a.timestamp > b.timestamp => run.extend(later.next()),
            (Some(_), Some(_)) => {
                run.extend(earlier.next());
                later.next();
            }
            (Some(_), None) => run.extend(earlier.by_ref()),
            (None, Some(_)) => run.extend(later.by_ref()),
            (None, None) => return,
        }
    }
}

/// The part of `run` inside `range`.
pub(crate) fn inside(run: &[Sample], range: TimeRange) -> &[Sample] {
    let start = run.partition_point(|sample| sample.timestamp < range.start);
    let end = run.partition_point(|sample| sample.timestamp <= range.end);
    run.get(start..end).unwrap_or(&[])
}

#[cfg(test)]
mod tests {
    use leakline_model::Timestamp;

    use super::*;

    fn samples(pairs: &[(i64, f64)]) -> Vec<Sample> {
        pairs
            .iter()
            .map(|&(millis, value)| Sample {
                timestamp: Timestamp::from_millis(millis),
                value,
            })
            .collect()
    }

    #[test]
    fn the_first_of_one_time_stays() {
        assert_eq!(
            run_of(&samples(&[(3, 1.0), (1, 2.0), (3, 3.0), (2, 4.0)])),
            samples(&[(1, 2.0), (2, 4.0), (3, 1.0)])
        );
        let within_one_millisecond = Sample {
            timestamp: Timestamp::from_nanos(1_999_999),
            value: 5.0,
        };
        assert_eq!(run_of(&[within_one_millisecond]), samples(&[(1, 5.0)]));
    }

    #[test]
    fn merging_keeps_order_and_the_earlier_value() {
        let check = |run: &[(i64, f64)], later: &[(i64, f64)], expected: &[(i64, f64)]| {
            let mut merged = samples(run);
            merge(&mut merged, &samples(later));
            assert_eq!(merged, samples(expected));
        };
        check(&[], &[(1, 1.0)], &[(1, 1.0)]);
        check(&[(1, 1.0)], &[], &[(1, 1.0)]);
        check(&[(1, 1.0)], &[(2, 2.0)], &[(1, 1.0), (2, 2.0)]);
        check(&[(2, 1.0)], &[(1, 2.0)], &[(1, 2.0), (2, 1.0)]);
        check(
            &[(1, 1.0), (3, 1.0), (5, 1.0)],
            &[(0, 2.0), (3, 2.0), (4, 2.0), (9, 2.0)],
            &[(0, 2.0), (1, 1.0), (3, 1.0), (4, 2.0), (5, 1.0), (9, 2.0)],
        );
    }
}
