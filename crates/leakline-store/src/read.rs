//! Questions to the store on disk.

use std::collections::{BTreeSet, VecDeque};

use fjall::{Iter, Readable, Snapshot, UserValue};
use leakline_model::storage::{Answer, Queryable, ResourceSighting, SpanSelector, StorageError};
use leakline_model::{Labels, Matcher, Sample, Series, Span, TimeRange, TraceId};
use prost::Message;

use crate::chunk;
use crate::disk::DiskStore;
use crate::error::storage_error;
use crate::keys::{Day, SeriesId, SpanKey, service_hash, time_bytes};
use crate::records::SpanRecord;
use crate::samples::{inside, merge};
use crate::state::days_inside;

impl Queryable for DiskStore {
    fn select(
        &self,
        matchers: &[Matcher],
        range: TimeRange,
    ) -> Result<Answer<'_, Series>, StorageError> {
        let found = self.state().index.select(matchers);
        Ok(Box::new(found.into_iter().flat_map(move |(labels, id)| {
            let mut problems = Vec::new();
            let samples = self.samples(id, range, &mut problems);
            let series = (!samples.is_empty()).then_some(Ok(Series { labels, samples }));
            problems.into_iter().map(Err).chain(series)
        })))
    }

    fn series(&self, matchers: &[Matcher], range: TimeRange) -> Result<Vec<Labels>, StorageError> {
        let mut found = self.state().index.select(matchers);
        let mut failure = Ok(());
        found.retain(|(_, id)| {
            failure.is_ok()
                && self.has_sample(*id, range).unwrap_or_else(|error| {
                    failure = Err(error);
                    false
                })
        });
        failure.map(|()| found.into_iter().map(|(labels, _)| labels).collect())
    }

    fn spans(&self, selector: &SpanSelector) -> Result<Answer<'_, Span>, StorageError> {
        let state = self.state();
        let mut selector = selector.clone();
        selector.started = state.alive(selector.started);
        let days = days_inside(&state.span_days, selector.started).into();
        Ok(Box::new(SpanScan {
            store: self,
            snapshot: self.tables.database.snapshot(),
            selector,
            days,
            streams: BTreeSet::new(),
            failed: VecDeque::new(),
            next_stream: 0,
        }))
    }

    fn resources(&self, range: TimeRange) -> Result<Vec<ResourceSighting>, StorageError> {
        let state = self.state();
        Ok(state.catalogue.seen(state.alive(range)))
    }
}

impl DiskStore {
    /// The samples of a series. Chunks that cannot be read are left out and told.
    fn samples(
        &self,
        series: SeriesId,
        range: TimeRange,
        problems: &mut Vec<StorageError>,
    ) -> Vec<Sample> {
        // the head before the chunks: see `DiskStore::flush`
        let (head, days, range) = {
            let state = self.state();
            let range = state.alive(range);
            let days = days_inside(&state.chunk_days, range);
            (state.head.samples(series, range), days, range)
        };
        let snapshot = self.tables.database.snapshot();
        let mut run = Vec::new();
        for day in days {
            for chunk in self.chunks_of(&snapshot, series, day) {
                let decoded = chunk.and_then(|(start, value)| {
                    let header = chunk::header(start, &value).map_err(damaged_chunk)?;
                    if header.end < range.start || header.start > range.end {
                        return Ok(Vec::new());
                    }
                    chunk::decode(start, &value).map_err(damaged_chunk)
                });
                match decoded {
                    // what was kept first, in chunks, goes before the head
                    Ok(samples) => merge(&mut run, inside(&samples, range)),
                    Err(problem) => problems.push(problem),
                }
            }
        }
        merge(&mut run, &head);
        run
    }

    /// Whether a series has a sample inside `range` that can be read.
    fn has_sample(&self, series: SeriesId, range: TimeRange) -> Result<bool, StorageError> {
        let (days, range) = {
            let state = self.state();
            let range = state.alive(range);
            if state.head.has_sample(series, range) {
                return Ok(true);
            }
            (days_inside(&state.chunk_days, range), range)
        };
        let snapshot = self.tables.database.snapshot();
        // the latest days are the likeliest
        for day in days.into_iter().rev() {
            for chunk in self.chunks_of(&snapshot, series, day) {
                let (start, value) = match chunk {
                    Ok(chunk) => chunk,
                    Err(StorageError::Damaged { .. }) => continue,
                    Err(error) => return Err(error),
                };
                let Ok(header) = chunk::header(start, &value) else {
                    continue;
                };
                // only a range that lies between two samples needs more than the header
                let has = range.contains(header.start)
                    || range.contains(header.end)
                    || (header.start < range.start
                        && range.end < header.end
                        && chunk::decode(start, &value)
                            .is_ok_and(|samples| !inside(&samples, range).is_empty()));
                if has {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }
}

fn damaged_chunk(reason: String) -> StorageError {
    StorageError::Damaged {
        what: "chunk",
        reason,
    }
}

fn damaged_span(reason: impl Into<String>) -> StorageError {
    StorageError::Damaged {
        what: "span",
        reason: reason.into(),
    }
}

fn read_error(error: fjall::Error) -> StorageError {
    storage_error("read spans", "span", error)
}

/// Spans by start time: day after day, inside a day the services merged.
struct SpanScan<'a> {
    store: &'a DiskStore,
    snapshot: Snapshot,
    selector: SpanSelector,
    days: VecDeque<Day>,
    /// What is left of the present day, by the next span of each service.
    streams: BTreeSet<Stream>,
    /// Problems not yet told.
    failed: VecDeque<StorageError>,
    next_stream: usize,
}

/// The spans of one service, or of one trace, on one day.
struct Stream {
    key: SpanKey,
    /// `None` when the value stands under the key in another table.
    value: Option<UserValue>,
    number: usize,
    rest: Iter,
}

impl PartialEq for Stream {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Stream {}

impl PartialOrd for Stream {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Stream {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.key, self.number).cmp(&(other.key, other.number))
    }
}

impl SpanScan<'_> {
    /// Begins to read `day`.
    fn open(&mut self, day: Day) {
        if let Some(trace) = self.selector.trace_id {
            return self.open_trace(day, trace);
        }
        if let Some(service) = &self.selector.service {
            return self.open_service(day, service_hash(service));
        }
        let mut service = [0; 8];
        loop {
            let from = [&day.to_bytes()[..], &service].concat();
            let to = [&day.to_bytes()[..], &[0xff; 40]].concat();
            let Some(entry) = self
                .snapshot
                .range(&self.store.tables.spans, from..=to)
                .next()
            else {
                return;
            };
            match entry.key() {
                Ok(key) => match SpanKey::of_span_key(&key) {
                    Some(key) => service = key.service,
                    None => return self.failed.push_back(damaged_span("short key")),
                },
                Err(error) => return self.failed.push_back(read_error(error)),
            }
            self.open_service(day, service);
            match u64::from_be_bytes(service).checked_add(1) {
                Some(next) => service = next.to_be_bytes(),
                None => return,
            }
        }
    }

    fn open_service(&mut self, day: Day, service: [u8; 8]) {
        let started = self.selector.started;
        let key = |time, rest: u8| {
            [
                &day.to_bytes()[..],
                &service,
                &time_bytes(time),
                &[rest; 24],
            ]
            .concat()
        };
        let range = key(started.start, 0)..=key(started.end, 0xff);
        let rest = self.snapshot.range(&self.store.tables.spans, range);
        self.advance(rest);
    }

    fn open_trace(&mut self, day: Day, trace: TraceId) {
        let started = self.selector.started;
        let key = |time, rest: u8| {
            [
                &day.to_bytes()[..],
                &trace.0,
                &time_bytes(time),
                &[rest; 16],
            ]
            .concat()
        };
        let range = key(started.start, 0)..=key(started.end, 0xff);
        let rest = self.snapshot.range(&self.store.tables.traces, range);
        self.advance(rest);
    }

    /// Puts `rest` among the streams, unless it has ended.
    fn advance(&mut self, mut rest: Iter) {
        let Some(entry) = rest.next() else {
            return;
        };
        // after an error of the layer below the scan cannot be trusted to advance
        let (key, value) = match entry.into_inner() {
            Ok(entry) => entry,
            Err(error) => return self.failed.push_back(read_error(error)),
        };
        let by_trace = self.selector.trace_id.is_some();
        let parsed = match by_trace {
            true => SpanKey::of_trace_key(&key),
            false => SpanKey::of_span_key(&key),
        };
        let Some(key) = parsed else {
            return self.failed.push_back(damaged_span("short key"));
        };
        self.next_stream += 1;
        self.streams.insert(Stream {
            key,
            value: (!by_trace).then_some(value),
            number: self.next_stream,
            rest,
        });
    }

    fn span(&self, key: &SpanKey, value: Option<UserValue>) -> Result<Span, StorageError> {
        let value = match value {
            Some(value) => value,
            None => self
                .snapshot
                .get(&self.store.tables.spans, key.span_key())
                .map_err(read_error)?
                .ok_or_else(|| damaged_span("in the index of traces but not stored"))?,
        };
        SpanRecord::decode(&*value)
            .map_err(|error| error.to_string())
            .and_then(|record| record.into_span(key))
            .map_err(damaged_span)
    }
}

impl Iterator for SpanScan<'_> {
    type Item = Result<Span, StorageError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(problem) = self.failed.pop_front() {
                return Some(Err(problem));
            }
            let Some(stream) = self.streams.pop_first() else {
                let day = self.days.pop_front()?;
                self.open(day);
                continue;
            };
            let span = self.span(&stream.key, stream.value);
            self.advance(stream.rest);
            match span {
                Ok(span) if !self.selector.matches(&span) => {}
                answer => return Some(answer),
            }
        }
    }
}
