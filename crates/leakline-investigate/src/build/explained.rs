//! How much of a process' growth the suspect explains. A place that grew beside much greater
//! growth elsewhere is not the leak that was seen in the metrics.

use std::fmt;

use leakline_detect::Assessment;
use leakline_heap::Suspect;
use leakline_model::ByteSize;

use crate::case::{CaseFile, gained};
use crate::phrase;

/// This share of the growth makes a suspect the cause.
const MOST: f64 = 0.5;

/// What the suspect gained between the dumps, and what memory gained in that time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Explained {
    suspect_bytes: f64,
    memory_bytes: f64,
}

impl Explained {
    /// Growth of memory is what the dumps themselves show to be reachable, or what the trend of
    /// the floor says, whichever is more. `None` when the suspect did not grow, or with neither.
    pub(super) fn of(
        case: &CaseFile,
        suspect: &Suspect,
        assessment: Option<&Assessment>,
    ) -> Option<Explained> {
        let gained = gained(suspect).filter(|gained| gained.objects > 0)?;
        let reachable = match case.heap.as_ref()?.report.reachable_bytes.as_slice() {
            [first, .., last] => *last as f64 - *first as f64,
            _ => 0.0,
        };
        let floor = case
            .between_dumps()
            .zip(assessment)
            .and_then(|(between, assessment)| {
                // the floor grows from the onset on
                let start = between.start.max(assessment.onset?);
                let hours = between.end.seconds_since(start).max(0.0) / 3600.0;
                Some(assessment.growth_bytes_per_hour * hours)
            });
        let memory_bytes = reachable.max(floor.unwrap_or(0.0));
        (memory_bytes > 0.0).then_some(Explained {
            suspect_bytes: gained.bytes as f64,
            memory_bytes,
        })
    }

    fn share(self) -> f64 {
        (self.suspect_bytes / self.memory_bytes).min(1.0)
    }

    pub(super) fn is_most(self) -> bool {
        self.share() >= MOST
    }
}

impl fmt::Display for Explained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the {} that it gained between the dumps explain {} of the growth of the heap in that time ({})",
            ByteSize(self.suspect_bytes as u64),
            phrase::percent(self.share()),
            ByteSize(self.memory_bytes as u64),
        )
    }
}
