//! The store that forgets when the process ends.

use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use leakline_model::storage::{
    Answer, Appender, Batch, Queryable, ResourceSighting, SpanSelector, StorageError,
};
use leakline_model::{
    Labels, Matcher, Resource, Sample, Series, Span, SpanId, TimeRange, Timestamp, TraceId,
};

/// A store in memory: for commands that read files, for tests, and as the plain statement of
/// what [`crate::DiskStore`] must answer.
///
/// Nothing is compressed and nothing expires by itself: a sample costs about 30 bytes, a span
/// its texts and about 250 bytes.
#[derive(Debug, Default)]
pub struct MemoryStore {
    contents: RwLock<Contents>,
    retention: Option<Duration>,
}

/// In the order of answers: start, trace, span, service.
type SpanKey = (Timestamp, TraceId, SpanId, String);

#[derive(Debug)]
struct Contents {
    series: BTreeMap<Labels, BTreeMap<Timestamp, f64>>,
    spans: BTreeMap<SpanKey, Span>,
    /// First and last sighting by attributes.
    resources: BTreeMap<BTreeMap<String, String>, (Timestamp, Timestamp)>,
    horizon: Timestamp,
}

impl Default for Contents {
    fn default() -> Self {
        Contents {
            series: BTreeMap::new(),
            spans: BTreeMap::new(),
            resources: BTreeMap::new(),
            horizon: Timestamp::MIN,
        }
    }
}

impl MemoryStore {
    /// An empty store that keeps everything.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty store from which [`MemoryStore::expire`] drops what is older than `retention`.
    pub fn with_retention(retention: Duration) -> Self {
        MemoryStore {
            contents: RwLock::default(),
            retention: Some(retention),
        }
    }

    /// Drops what is older than the retention allows at `now`; see [`crate::DiskStore::expire`].
    pub fn expire(&self, now: Timestamp) {
        let Some(retention) = self.retention else {
            return;
        };
        let mut contents = self
            .contents
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        let horizon = contents.horizon.max(now - retention);
        contents.horizon = horizon;
        for samples in contents.series.values_mut() {
            samples.retain(|time, _| *time >= horizon);
        }
        contents.series.retain(|_, samples| !samples.is_empty());
        contents.spans.retain(|_, span| span.start >= horizon);
        contents.resources.retain(|_, (_, last)| *last >= horizon);
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, Contents> {
        self.contents.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Appender for MemoryStore {
    fn append(&self, batch: &Batch) -> Result<(), StorageError> {
        let mut contents = self
            .contents
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        let horizon = contents.horizon;
        for series in &batch.series {
            for sample in &series.samples {
                let time = sample.timestamp.truncate_to_millis();
                if time >= horizon {
                    contents
                        .series
                        .entry(series.labels.clone())
                        .or_default()
                        .entry(time)
                        .or_insert(sample.value);
                }
            }
        }
        for span in batch.spans.iter().filter(|span| span.start >= horizon) {
            let key = (
                span.start,
                span.trace_id,
                span.span_id,
                span.service.clone(),
            );
            contents.spans.insert(key, span.clone());
        }
        for (resource, seen) in batch.resources.iter().filter(|(_, seen)| *seen >= horizon) {
            let (first, last) = contents
                .resources
                .entry(resource.attributes.clone())
                .or_insert((*seen, *seen));
            *first = (*first).min(*seen);
            *last = (*last).max(*seen);
        }
        Ok(())
    }
}

impl Queryable for MemoryStore {
    fn select(
        &self,
        matchers: &[Matcher],
        range: TimeRange,
    ) -> Result<Answer<'_, Series>, StorageError> {
        let found: Vec<Series> = self
            .read()
            .series
            .iter()
            .filter(|(labels, _)| matchers.iter().all(|matcher| matcher.matches(labels)))
            .map(|(labels, samples)| Series {
                labels: labels.clone(),
                samples: samples
                    .iter()
                    .filter(|(time, _)| range.contains(**time))
                    .map(|(&timestamp, &value)| Sample { timestamp, value })
                    .collect(),
            })
            .filter(|series| !series.samples.is_empty())
            .collect();
        Ok(Box::new(found.into_iter().map(Ok)))
    }

    fn series(&self, matchers: &[Matcher], range: TimeRange) -> Result<Vec<Labels>, StorageError> {
        self.select(matchers, range)?
            .map(|series| series.map(|series| series.labels))
            .collect()
    }

    fn spans(&self, selector: &SpanSelector) -> Result<Answer<'_, Span>, StorageError> {
        let found: Vec<Span> = self
            .read()
            .spans
            .values()
            .filter(|span| selector.matches(span))
            .cloned()
            .collect();
        Ok(Box::new(found.into_iter().map(Ok)))
    }

    fn resources(&self, range: TimeRange) -> Result<Vec<ResourceSighting>, StorageError> {
        let mut sightings: Vec<ResourceSighting> = self
            .read()
            .resources
            .iter()
            .filter(|(_, (first, last))| *first <= range.end && *last >= range.start)
            .map(|(attributes, &(first_seen, last_seen))| ResourceSighting {
                resource: Resource {
                    attributes: attributes.clone(),
                },
                first_seen,
                last_seen,
            })
            .collect();
        // stable: of one time by attributes
        sightings.sort_by_key(|sighting| sighting.first_seen);
        Ok(sightings)
    }
}
