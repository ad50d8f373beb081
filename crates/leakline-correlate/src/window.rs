//! The time between two dumps, with what is not known about its ends.

use std::time::Duration;

use leakline_model::{TimeRange, Timestamp};

/// How long before the first dump a span that matters may have started.
const LONGEST_USUAL_CALL: Duration = Duration::from_secs(60);

/// When the heap stood as the dump shows it. A dump takes a while, and of that while only its
/// ends are known from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DumpTime {
    /// Not before this.
    pub earliest: Timestamp,
    /// Probably then.
    pub likely: Timestamp,
    /// Not after this.
    pub latest: Timestamp,
}

impl DumpTime {
    /// Taken while the capture ran. A JVM stops all threads early in the capture and lets them
    /// go at its end, so the start is the likely moment.
    pub const fn of_capture(capture: TimeRange) -> Self {
        DumpTime {
            earliest: capture.start,
            likely: capture.start,
            latest: capture.end,
        }
    }

    /// Taken about `time`, give or take `margin`: from the header of a dump whose capture nobody
    /// watched, or the start of a process.
    pub fn around(time: Timestamp, margin: Duration) -> Self {
        DumpTime {
            earliest: time - margin,
            likely: time,
            latest: time + margin,
        }
    }
}

/// What is compared: the heap at `first` with the heap at `last`.
///
/// With a single dump, `first` is the start of the process, when the suspect held nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// The earlier state.
    pub first: DumpTime,
    /// The later state.
    pub last: DumpTime,
    /// A longer time, in which growth of the floor is compared with calls slice by slice; at
    /// best from the onset of the growth. May equal the time between the dumps.
    pub history: TimeRange,
    /// The time in which spans are compared with counted requests: at best exactly between two
    /// exports of the request metric, which seldom fall on dumps. May equal the time between
    /// the dumps.
    pub counted: TimeRange,
}

impl Window {
    /// Between two dumps, without a longer history.
    pub const fn between(first: DumpTime, last: DumpTime) -> Self {
        Window {
            first,
            last,
            history: TimeRange::new(first.likely, last.likely),
            counted: TimeRange::new(first.likely, last.likely),
        }
    }

    /// The time between the dumps, as likely as it can be said.
    pub const fn range(&self) -> TimeRange {
        TimeRange::new(self.first.likely, self.last.likely)
    }

    /// The start times of all spans that can matter, to ask a store for.
    pub fn spans_started(&self) -> TimeRange {
        TimeRange::new(
            self.history
                .start
                .min(self.first.earliest)
                .min(self.counted.start)
                - LONGEST_USUAL_CALL,
            self.history.end.max(self.last.latest).max(self.counted.end),
        )
    }
}
