//! Puts samples back together into exports.
//!
//! A runtime reports a signal in parts (memory pools, collectors), each a series of its own, and
//! samples come in any order. Parts that were measured together carry the same time; summing
//! some of them would show a heap that never was. So samples wait here until their export is
//! complete, and leave in order of time.

use leakline_model::signal::{Reading, Signal};
use leakline_model::{Labels, Sample, Timestamp, is_stale_marker};
use std::collections::BTreeMap;
use std::time::Duration;

/// Exports that may wait between two calls of `evaluate`; beyond, the oldest are taken as they
/// are. Three hours of one export a second.
const MAX_PENDING: usize = 6 * 10_800;
/// Parts of all signals of one process; more are a label explosion and are ignored.
const MAX_PARTS: usize = 256;
/// Incomplete exports in a row after which a missing part counts as gone.
const MISSES_UNTIL_GONE: u32 = 5;
/// How long an export waits for parts that no later export has overtaken.
const GRACE: Duration = Duration::from_secs(5);

/// Index of a part in [`Intake::part`].
pub(crate) type PartId = u16;

/// One part of a signal.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub(crate) signal: Signal,
    pub(crate) name: String,
    pub(crate) nursery: bool,
    /// The labels of the first series that was this part.
    pub(crate) labels: Labels,
    /// Whether exports contain it at present.
    present: bool,
    misses: u32,
}

/// The parts of one signal at one time: all of them for a gauge, any for a counter.
pub(crate) struct Export {
    pub(crate) at: Timestamp,
    pub(crate) signal: Signal,
    pub(crate) values: Vec<(PartId, f64)>,
}

/// When, and in which order at the same time: what explains the heap comes before the heap.
type Slot = (Timestamp, u8);

/// The order of signals at one time; `None` for those that no judgement uses.
fn rank(signal: Signal) -> Option<u8> {
    Some(match signal {
        Signal::GcCount => 0,
        Signal::GcPauseSeconds => 1,
        Signal::LoadedClasses => 2,
        Signal::HeapLimit => 3,
        Signal::HeapAfterGc => 4,
        Signal::HeapUsed => 5,
        _ => return None,
    })
}

fn is_counter(signal: Signal) -> bool {
    matches!(signal, Signal::GcCount | Signal::GcPauseSeconds)
}

/// The samples of one process that wait for their export to be complete.
#[derive(Clone, Debug, Default)]
pub(crate) struct Intake {
    parts: Vec<Part>,
    pending: BTreeMap<Slot, (Signal, Vec<(PartId, f64)>)>,
    /// Everything up to here has left.
    left: Option<Slot>,
}

impl Intake {
    pub(crate) fn part(&self, id: PartId) -> Option<&Part> {
        self.parts.get(usize::from(id))
    }

    pub(crate) fn parts(&self, signal: Signal) -> impl Iterator<Item = &Part> {
        self.parts.iter().filter(move |part| part.signal == signal)
    }

    /// Whether part of `signal` is present that is a nursery, so that nurseries are told apart.
    pub(crate) fn has_nursery(&self, signal: Signal) -> bool {
        self.parts(signal).any(|part| part.present && part.nursery)
    }

    /// Adds samples of one series. Late ones, and values that no runtime can mean, are dropped.
    pub(crate) fn add(&mut self, labels: &Labels, reading: Reading, samples: &[Sample]) {
        let Some(rank) = rank(reading.signal) else {
            return;
        };
        let signal = reading.signal;
        let Some(id) = self.intern(labels, reading) else {
            return;
        };
        for sample in samples {
            let slot = (sample.timestamp, rank);
            let usable = is_stale_marker(sample.value)
                || (sample.value.is_finite() && (0.0..1e18).contains(&sample.value));
            if !usable || self.left.is_some_and(|left| slot <= left) {
                continue;
            }
            let (_, values) = self
                .pending
                .entry(slot)
                .or_insert_with(|| (signal, Vec::new()));
            match values.iter_mut().find(|(part, _)| *part == id) {
                // the same sample sent twice, or corrected
                Some((_, value)) => *value = sample.value,
                None => values.push((id, sample.value)),
            }
        }
    }

    fn intern(&mut self, labels: &Labels, reading: Reading) -> Option<PartId> {
        let known = self
            .parts
            .iter()
            .position(|part| part.signal == reading.signal && part.name == reading.part);
        if let Some(i) = known {
            return PartId::try_from(i).ok();
        }
        if self.parts.len() == MAX_PARTS {
            return None;
        }
        self.parts.push(Part {
            signal: reading.signal,
            name: reading.part,
            nursery: reading.nursery,
            labels: labels.clone(),
            present: false,
            misses: 0,
        });
        PartId::try_from(self.parts.len() - 1).ok()
    }

    /// Forgets which parts are present, as after a restart.
    pub(crate) fn forget_parts(&mut self) {
        for part in &mut self.parts {
            part.present = false;
        }
    }

    /// The next export that is complete and not later than `now`.
    pub(crate) fn next(&mut self, now: Timestamp) -> Option<Export> {
        loop {
            let (&slot, (signal, values)) = self.pending.first_key_value()?;
            let signal = *signal;
            let crowded = self.pending.len() > MAX_PENDING;
            if !crowded && (slot.0 > now || !self.is_ready(slot, signal, values, now)) {
                return None;
            }
            let (slot, (signal, values)) = self.pending.pop_first()?;
            self.left = Some(slot);
            if let Some(export) = self.complete(slot.0, signal, values) {
                return Some(export);
            }
        }
    }

    fn is_ready(
        &self,
        slot: Slot,
        signal: Signal,
        values: &[(PartId, f64)],
        now: Timestamp,
    ) -> bool {
        if is_counter(signal) || slot.0 + GRACE <= now {
            return true;
        }
        let mut expected = self.parts(signal).filter(|part| part.present).count();
        let known = expected > 0;
        for (id, _) in values {
            if self.part(*id).is_some_and(|part| part.present) {
                expected -= 1;
            }
        }
        (known && expected == 0)
            || self
                .pending
                .range((slot.0, u8::MAX)..=(now, u8::MAX))
                .any(|(_, (later, _))| *later == signal)
    }

    /// Notes which parts came; `None` when parts of a gauge are missing.
    fn complete(
        &mut self,
        at: Timestamp,
        signal: Signal,
        mut values: Vec<(PartId, f64)>,
    ) -> Option<Export> {
        let mut missing = false;
        for (i, part) in self.parts.iter_mut().enumerate() {
            if part.signal != signal {
                continue;
            }
            let value = values.iter().find(|(id, _)| usize::from(*id) == i);
            match value {
                Some((_, value)) if is_stale_marker(*value) => part.present = false,
                Some(_) => {
                    part.present = true;
                    part.misses = 0;
                }
                None if part.present => {
                    part.misses += 1;
                    if part.misses >= MISSES_UNTIL_GONE {
                        part.present = false;
                    }
                    missing = true;
                }
                None => {}
            }
        }
        values.retain(|(_, value)| !is_stale_marker(*value));
        let usable = !values.is_empty() && (is_counter(signal) || !missing);
        usable.then_some(Export { at, signal, values })
    }

    #[cfg(test)]
    pub(crate) fn size(&self) -> usize {
        self.pending.len() + self.parts.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use leakline_model::stale_marker;

    fn pool(name: &str) -> Labels {
        Labels::new([
            ("__name__", "jvm_memory_used_bytes"),
            ("jvm_memory_type", "heap"),
            ("jvm_memory_pool_name", name),
        ])
    }

    /// Samples as (pool, second, value), fed one by one; what leaves as (second, sum).
    fn check(samples: &[(&str, i64, f64)], now: i64, expected: &[(i64, f64)]) {
        let mut intake = Intake::default();
        for &(name, second, value) in samples {
            let labels = pool(name);
            let reading = Reading::of_labels(&labels).unwrap();
            let sample = Sample {
                timestamp: Timestamp::from_millis(second * 1000),
                value,
            };
            intake.add(&labels, reading, &[sample]);
        }
        let mut actual = Vec::new();
        while let Some(export) = intake.next(Timestamp::from_millis(now * 1000)) {
            let sum: f64 = export.values.iter().map(|(_, value)| value).sum();
            actual.push((export.at.as_millis() / 1000, sum));
        }
        assert_eq!(actual, expected, "{samples:?}");
    }

    #[test]
    fn exports_are_whole_and_in_order() {
        // any order, a duplicate
        check(
            &[
                ("E", 2, 4.0),
                ("O", 1, 1.0),
                ("E", 1, 2.0),
                ("O", 2, 3.0),
                ("O", 2, 3.0),
            ],
            2,
            &[(1, 3.0), (2, 7.0)],
        );
        // half an export is not summed
        check(
            &[
                ("E", 1, 2.0),
                ("O", 1, 1.0),
                ("O", 2, 3.0),
                ("E", 3, 2.0),
                ("O", 3, 5.0),
            ],
            3,
            &[(1, 3.0), (3, 7.0)],
        );
        // the last export waits for its other half, and nothing after `now` leaves
        check(
            &[
                ("E", 1, 2.0),
                ("O", 1, 1.0),
                ("E", 2, 2.0),
                ("O", 2, 1.0),
                ("O", 3, 3.0),
            ],
            3,
            &[(1, 3.0), (2, 3.0)],
        );
        check(&[("O", 1, 1.0), ("O", 20, 1.0)], 10, &[(1, 1.0)]);
        // NaN, infinity and negative sizes are no values
        check(
            &[
                ("O", 1, 1.0),
                ("O", 2, f64::NAN),
                ("O", 3, -1.0),
                ("O", 4, f64::INFINITY),
                ("O", 5, 2.0),
            ],
            20,
            &[(1, 1.0), (5, 2.0)],
        );
    }

    #[test]
    fn a_part_that_ended_is_not_waited_for() {
        check(
            &[
                ("E", 1, 2.0),
                ("O", 1, 1.0),
                ("E", 2, stale_marker()),
                ("O", 2, 1.0),
                ("O", 3, 1.0),
            ],
            3,
            &[(1, 3.0), (2, 1.0), (3, 1.0)],
        );
        let mut samples = vec![("E", 0, 2.0), ("O", 0, 1.0)];
        samples.extend((1..8).map(|second| ("O", second, 1.0)));
        check(&samples, 8, &[(0, 3.0), (6, 1.0), (7, 1.0)]);
    }
}
