//! What one append writes, decided before anything is written.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use fjall::OwnedWriteBatch;
use leakline_model::storage::Batch;
use leakline_model::{Labels, Resource, Sample};
use prost::Message;

use crate::catalogue::Sighting;
use crate::folder::Tables;
use crate::keys::{
    Day, META_NEXT, META_SPAN_DAY, ResourceId, SeriesId, SpanKey, changing_key, day_key, time_bytes,
};
use crate::records::{Pairs, SpanRecord};
use crate::samples::run_of;
use crate::state::{Counters, State};

/// The writes of one batch.
pub(crate) struct Plan<'a> {
    next_id: u64,
    ids_given: bool,
    block: u64,
    new_series: Vec<(SeriesId, &'a Labels)>,
    runs: Vec<(SeriesId, Vec<Sample>)>,
    resources: Vec<ResourceChange<'a>>,
    spans: Vec<(SpanKey, Vec<u8>)>,
    new_span_days: BTreeSet<Day>,
}

struct ResourceChange<'a> {
    id: ResourceId,
    resource: &'a Resource,
    is_new: bool,
    sighting: Sighting,
}

impl<'a> Plan<'a> {
    pub(crate) fn new(state: &State, counters: &Counters, batch: &'a Batch) -> Self {
        let mut plan = Plan {
            next_id: counters.next_id,
            ids_given: false,
            block: counters.next_block,
            new_series: Vec::new(),
            runs: Vec::new(),
            resources: Vec::new(),
            spans: Vec::new(),
            new_span_days: BTreeSet::new(),
        };
        plan.add_samples(state, batch);
        plan.add_resources(state, batch);
        plan.spans = batch
            .spans
            .iter()
            .filter(|span| span.start >= state.horizon)
            .map(|span| {
                let (key, record) = SpanRecord::of(span);
                (key, record.encode_to_vec())
            })
            .collect();
        plan.new_span_days = plan.spans.iter().map(|(key, _)| key.day()).collect();
        plan.new_span_days
            .retain(|day| !state.span_days.contains(day));
        plan
    }

    fn add_samples(&mut self, state: &State, batch: &'a Batch) {
        let mut new_ids: HashMap<&Labels, SeriesId> = HashMap::new();
        for series in &batch.series {
            let mut run = run_of(&series.samples);
            run.retain(|sample| sample.timestamp >= state.horizon);
            if run.is_empty() {
                continue;
            }
            let id = state
                .index
                .id(&series.labels)
                .or_else(|| new_ids.get(&series.labels).copied())
                .unwrap_or_else(|| {
                    let id = SeriesId(self.give_id());
                    new_ids.insert(&series.labels, id);
                    self.new_series.push((id, &series.labels));
                    id
                });
            self.runs.push((id, run));
        }
    }

    fn add_resources(&mut self, state: &State, batch: &'a Batch) {
        // one batch may name a resource more than once
        let mut sightings: BTreeMap<_, (&Resource, Sighting)> = BTreeMap::new();
        for (resource, seen) in &batch.resources {
            if *seen < state.horizon {
                continue;
            }
            sightings
                .entry(&resource.attributes)
                .or_insert((resource, Sighting::at(*seen)))
                .1
                .include(*seen);
        }
        for (resource, seen) in sightings.into_values() {
            let change = match state.catalogue.get(resource) {
                Some((id, before)) => {
                    let mut sighting = before;
                    sighting.include(seen.first);
                    sighting.include(seen.last);
                    if sighting == before {
                        continue;
                    }
                    ResourceChange {
                        id,
                        resource,
                        is_new: false,
                        sighting,
                    }
                }
                None => ResourceChange {
                    id: ResourceId(self.give_id()),
                    resource,
                    is_new: true,
                    sighting: seen,
                },
            };
            self.resources.push(change);
        }
    }

    fn give_id(&mut self) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        self.ids_given = true;
        id
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.runs.is_empty() && self.resources.is_empty() && self.spans.is_empty()
    }

    pub(crate) fn samples(&self) -> usize {
        self.runs.iter().map(|(_, run)| run.len()).sum()
    }

    pub(crate) fn write(&self, tables: &Tables, write: &mut OwnedWriteBatch) {
        if self.ids_given {
            write.insert(&tables.meta, META_NEXT, self.next_id.to_be_bytes());
        }
        for (id, labels) in &self.new_series {
            let record = Pairs::of_labels(labels).encode_to_vec();
            write.insert(&tables.series, id.0.to_be_bytes(), record);
        }
        if !self.runs.is_empty() {
            let block = crate::log::encode(&self.runs);
            write.insert(&tables.log, self.block.to_be_bytes(), block);
        }
        for change in &self.resources {
            let id = change.id.0;
            if change.is_new {
                let record = Pairs::of_resource(change.resource).encode_to_vec();
                write.insert(&tables.resources, id.to_be_bytes(), record);
            }
            let Sighting { first, last } = change.sighting;
            let sighting = [time_bytes(first), time_bytes(last)].concat();
            write.insert(&tables.resources, changing_key(id), sighting);
        }
        for day in &self.new_span_days {
            write.insert(&tables.meta, day_key(META_SPAN_DAY, *day), []);
        }
        for (key, record) in &self.spans {
            write.insert(&tables.spans, key.span_key(), record.as_slice());
            write.insert(&tables.traces, key.trace_key(), []);
        }
    }

    /// Makes what has been written visible.
    pub(crate) fn apply(self, state: &mut State, counters: &mut Counters) {
        for (id, labels) in self.new_series {
            state.index.insert(id, labels);
        }
        for (id, run) in &self.runs {
            if let (Some(known), Some(last)) = (state.index.get_mut(*id), run.last()) {
                known.last = known.last.max(last.timestamp);
            }
        }
        if !self.runs.is_empty() {
            state.head.active.add(self.block, self.runs);
            counters.next_block = self.block.saturating_add(1);
        }
        for change in self.resources {
            state
                .catalogue
                .set(change.id, change.resource, change.sighting);
        }
        state.span_days.extend(self.new_span_days);
        counters.next_id = self.next_id;
    }
}
