//! Points in time and ranges of it. Event time only: nothing here reads a clock.

use std::fmt;
use std::ops::{Add, Sub};
use std::time::{Duration, SystemTime};

/// A point in time: nanoseconds since 1970-01-01T00:00:00Z, years 1678 to 2262.
///
/// OTLP speaks nanoseconds, Prometheus milliseconds; stores of samples keep milliseconds
/// (see [`Timestamp::truncate_to_millis`]).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

/// A text that is not an RFC 3339 time.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
#[error("not a time: {text:?}: {reason}; write it as 2026-11-22T14:00:00Z")]
pub struct TimestampError {
    /// The text as it was given.
    pub text: String,
    /// What the parser objected to.
    pub reason: String,
}

impl Timestamp {
    /// The earliest time that can be said.
    pub const MIN: Timestamp = Timestamp(i64::MIN);
    /// The latest time that can be said.
    pub const MAX: Timestamp = Timestamp(i64::MAX);

    /// From nanoseconds since the epoch.
    pub const fn from_nanos(nanos: i64) -> Self {
        Timestamp(nanos)
    }

    /// From milliseconds since the epoch; saturates outside the years 1678 to 2262.
    pub const fn from_millis(millis: i64) -> Self {
        Timestamp(millis.saturating_mul(1_000_000))
    }

    /// From seconds since the epoch; saturates outside the years 1678 to 2262.
    pub fn from_seconds(seconds: f64) -> Self {
        Timestamp((seconds * 1e9) as i64)
    }

    /// Nanoseconds since the epoch.
    pub const fn as_nanos(self) -> i64 {
        self.0
    }

    /// Milliseconds since the epoch, rounded towards the past.
    pub const fn as_millis(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// Seconds since the epoch; microsecond precision for present dates.
    pub fn as_seconds(self) -> f64 {
        self.0 as f64 / 1e9
    }

    /// The same time with everything below a millisecond dropped.
    pub const fn truncate_to_millis(self) -> Self {
        Self::from_millis(self.as_millis())
    }

    /// Seconds from `earlier` to `self`; negative when `earlier` is in fact later.
    pub fn seconds_since(self, earlier: Timestamp) -> f64 {
        self.0.saturating_sub(earlier.0) as f64 / 1e9
    }

    /// Time from `earlier` to `self`; zero when `earlier` is in fact later.
    pub fn duration_since(self, earlier: Timestamp) -> Duration {
        Duration::from_nanos(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// Reads RFC 3339, for example `2026-11-22T14:00:00Z`.
    pub fn parse(text: &str) -> Result<Self, TimestampError> {
        let error = |reason: String| TimestampError {
            text: text.to_owned(),
            reason,
        };
        let parsed: jiff::Timestamp = text
            .parse()
            .map_err(|e: jiff::Error| error(e.to_string()))?;
        i64::try_from(parsed.as_nanosecond())
            .map(Timestamp)
            .map_err(|_| error("outside the years 1678 to 2262".to_owned()))
    }

    /// `14:05:09`: the time of day in UTC, for lines of a timeline.
    pub fn clock(self) -> String {
        self.to_jiff().map_or_else(
            || self.0.to_string(),
            |time| time.strftime("%H:%M:%S").to_string(),
        )
    }

    /// `2026-11-22 14:05 UTC`: for people, to the minute.
    pub fn minute(self) -> String {
        self.to_jiff().map_or_else(
            || self.0.to_string(),
            |time| time.strftime("%Y-%m-%d %H:%M UTC").to_string(),
        )
    }

    fn to_jiff(self) -> Option<jiff::Timestamp> {
        jiff::Timestamp::from_nanosecond(i128::from(self.0)).ok()
    }
}

impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        match time.duration_since(SystemTime::UNIX_EPOCH) {
            Ok(after) => Timestamp(i64::try_from(after.as_nanos()).unwrap_or(i64::MAX)),
            Err(before) => Timestamp(
                i64::try_from(before.duration().as_nanos()).map_or(i64::MIN, |nanos| -nanos),
            ),
        }
    }
}

/// RFC 3339 in UTC, to the second when there is no fraction, else to the millisecond.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(time) = self.to_jiff() else {
            return write!(f, "{}ns", self.0);
        };
        if self.0.rem_euclid(1_000_000_000) == 0 {
            write!(f, "{}", time.strftime("%Y-%m-%dT%H:%M:%SZ"))
        } else {
            write!(f, "{}", time.strftime("%Y-%m-%dT%H:%M:%S%.3fZ"))
        }
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Add<Duration> for Timestamp {
    type Output = Timestamp;
    fn add(self, duration: Duration) -> Timestamp {
        Timestamp(
            self.0
                .saturating_add(i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)),
        )
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Timestamp;
    fn sub(self, duration: Duration) -> Timestamp {
        Timestamp(
            self.0
                .saturating_sub(i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)),
        )
    }
}

/// A range of time, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeRange {
    /// The first moment inside.
    pub start: Timestamp,
    /// The last moment inside.
    pub end: Timestamp,
}

impl TimeRange {
    /// All of time.
    pub const ALL: TimeRange = TimeRange {
        start: Timestamp::MIN,
        end: Timestamp::MAX,
    };

    /// From `start` to `end`, both included.
    pub const fn new(start: Timestamp, end: Timestamp) -> Self {
        TimeRange { start, end }
    }

    /// Whether `time` lies inside.
    pub fn contains(&self, time: Timestamp) -> bool {
        self.start <= time && time <= self.end
    }

    /// Its length; zero when the ends are the wrong way round.
    pub fn duration(&self) -> Duration {
        self.end.duration_since(self.start)
    }
}

/// A length of time for people, two units at most: `42 s`, `3 min 20 s`, `5 h 10 min`, `12 d`.
pub fn duration_text(duration: Duration) -> String {
    let seconds = duration.as_secs_f64().round() as u64;
    let pair = |big: u64, unit: &str, small: u64, small_unit: &str| {
        if small == 0 {
            format!("{big} {unit}")
        } else {
            format!("{big} {unit} {small} {small_unit}")
        }
    };
    match seconds {
        0 => format!("{} ms", duration.as_millis()),
        1..60 => format!("{seconds} s"),
        60..3_600 => pair(seconds / 60, "min", seconds % 60, "s"),
        3_600..86_400 => pair(seconds / 3_600, "h", seconds % 3_600 / 60, "min"),
        _ => pair(seconds / 86_400, "d", seconds % 86_400 / 3_600, "h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_round_trips() {
        for text in [
            "2026-11-22T14:00:00Z",
            "2026-11-22T14:00:00.250Z",
            "1970-01-01T00:00:00Z",
        ] {
            assert_eq!(Timestamp::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(
            Timestamp::parse("yesterday")
                .unwrap_err()
                .to_string()
                .split(':')
                .next(),
            Some("not a time")
        );
    }

    #[test]
    fn arithmetic_saturates() {
        assert_eq!(Timestamp::MAX + Duration::from_secs(1), Timestamp::MAX);
        assert_eq!(Timestamp::MIN - Duration::from_secs(1), Timestamp::MIN);
        assert_eq!(
            Timestamp::MIN.duration_since(Timestamp::MAX),
            Duration::ZERO
        );
        assert_eq!(Timestamp::from_nanos(-1).as_millis(), -1);
    }

    #[test]
    fn durations_read_well() {
        let check = |seconds: u64, expected: &str| {
            assert_eq!(duration_text(Duration::from_secs(seconds)), expected);
        };
        check(42, "42 s");
        check(200, "3 min 20 s");
        check(18_600, "5 h 10 min");
        check(86_400 * 12, "12 d");
    }
}
