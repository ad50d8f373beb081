//! Ticks at round values of bytes and time.

use std::time::Duration;

use leakline_model::{TimeRange, Timestamp};

/// Ticks from 0 to `max` at round binary sizes, four to eight of them, with labels.
pub(crate) fn byte_ticks(max: f64) -> Vec<(f64, String)> {
    let mut step = 1.0;
    while max / step > 8.0 {
        step *= 2.0;
    }
    let count = (max / step).floor() as u32;
    (0..=count)
        .map(|i| step * f64::from(i))
        .map(|bytes| (bytes, byte_label(bytes)))
        .collect()
}

/// `192 MiB`, `1.5 GiB`: no more decimals than needed.
fn byte_label(bytes: f64) -> String {
    const UNITS: [&str; 7] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes == 0.0 {
        return "0".to_owned();
    }
    let mut value = bytes;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    let text = format!("{value:.2}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    format!("{text} {}", UNITS[unit])
}

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
const STEPS: [u64; 24] = [
    1,
    2,
    5,
    10,
    15,
    30,
    MINUTE,
    2 * MINUTE,
    5 * MINUTE,
    10 * MINUTE,
    15 * MINUTE,
    30 * MINUTE,
    HOUR,
    2 * HOUR,
    3 * HOUR,
    6 * HOUR,
    12 * HOUR,
    DAY,
    2 * DAY,
    7 * DAY,
    14 * DAY,
    28 * DAY,
    91 * DAY,
    365 * DAY,
];

/// Ticks inside `range` at round times of UTC, at most nine of them, with labels.
pub(crate) fn time_ticks(range: TimeRange) -> Vec<(Timestamp, String)> {
    let seconds = range.duration().as_secs_f64();
    let longest = STEPS[STEPS.len() - 1];
    let step = STEPS
        .into_iter()
        .find(|step| seconds / *step as f64 <= 9.0)
        .unwrap_or_else(|| longest.saturating_mul((seconds / longest as f64 / 9.0).ceil() as u64));
    let nanos = i64::try_from(step)
        .unwrap_or(i64::MAX)
        .saturating_mul(1_000_000_000);
    let first = range
        .start
        .as_nanos()
        .div_euclid(nanos)
        .saturating_mul(nanos);
    let mut time = Timestamp::from_nanos(first);
    let mut ticks: Vec<(Timestamp, String)> = Vec::new();
    while time <= range.end && ticks.len() < 12 {
        if range.contains(time) {
            let before = ticks.last().map(|(t, _)| *t);
            ticks.push((time, time_label(time, before, step)));
        }
        let next = time + Duration::from_secs(step);
        if next <= time {
            break;
        }
        time = next;
    }
    ticks
}

/// The time of day as exactly as the step needs; the day where it changes.
fn time_label(time: Timestamp, before: Option<Timestamp>, step: u64) -> String {
    let text = time.to_string();
    let day = |t: Timestamp| t.to_string().get(..10).map(str::to_owned);
    let date = || {
        let number = text.get(8..10).unwrap_or("").trim_start_matches('0');
        let month = text
            .get(5..7)
            .and_then(|m| m.parse::<usize>().ok())
            .unwrap_or(0);
        const MONTHS: [&str; 12] = [
            "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
        ];
        let month = MONTHS.get(month.wrapping_sub(1)).unwrap_or(&"");
        format!("{number} {month}")
    };
    if step >= DAY || before.is_some_and(|before| day(before) != day(time)) {
        return date();
    }
    let length = if step < MINUTE { 8 } else { 5 };
    text.get(11..11 + length).unwrap_or("").to_owned()
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn joined<T>(ticks: Vec<(T, String)>) -> String {
        let labels: Vec<String> = ticks.into_iter().map(|(_, label)| label).collect();
        labels.join(" | ")
    }

    #[test]
    fn bytes_have_round_binary_ticks() {
        let check = |max: f64, expected: Expect| expected.assert_eq(&joined(byte_ticks(max)));
        let mib = 1024.0 * 1024.0;
        check(
            266.0 * mib,
            expect!["0 | 64 MiB | 128 MiB | 192 MiB | 256 MiB"],
        );
        check(
            2.1 * 1024.0 * mib,
            expect!["0 | 512 MiB | 1 GiB | 1.5 GiB | 2 GiB"],
        );
        check(
            40.0 * mib,
            expect!["0 | 8 MiB | 16 MiB | 24 MiB | 32 MiB | 40 MiB"],
        );
        check(1.0, expect!["0 | 1 B"]);
    }

    #[test]
    fn times_have_round_ticks() {
        let check = |start: &str, seconds: u64, expected: Expect| {
            let start = Timestamp::parse(start).unwrap();
            let range = TimeRange::new(start, start + Duration::from_secs(seconds));
            expected.assert_eq(&joined(time_ticks(range)));
        };
        check(
            "2026-11-22T14:02:42Z",
            40,
            expect![
                "14:02:45 | 14:02:50 | 14:02:55 | 14:03:00 | 14:03:05 | 14:03:10 | 14:03:15 | 14:03:20"
            ],
        );
        check(
            "2026-11-22T14:02:42Z",
            500,
            expect!["14:03 | 14:04 | 14:05 | 14:06 | 14:07 | 14:08 | 14:09 | 14:10 | 14:11"],
        );
        check(
            "2026-11-22T20:10:00Z",
            8 * HOUR,
            expect!["21:00 | 22:00 | 23:00 | 23 Nov | 01:00 | 02:00 | 03:00 | 04:00"],
        );
        check(
            "2026-11-22T20:10:00Z",
            6 * DAY,
            expect!["23 Nov | 24 Nov | 25 Nov | 26 Nov | 27 Nov | 28 Nov"],
        );
        check(
            "2026-11-22T20:10:00Z",
            400 * DAY,
            expect!["21 Jan | 22 Apr | 22 Jul | 21 Oct"],
        );
        check("1970-01-01T00:00:00Z", 0, expect!["00:00:00"]);
    }

    #[test]
    fn ticks_end_for_all_of_time() {
        assert!(time_ticks(TimeRange::ALL).len() <= 12);
        assert!(byte_ticks(f64::MAX).len() <= 9);
    }
}
