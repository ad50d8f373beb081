//! Which resources have sent anything, and when.

use std::collections::BTreeMap;

use leakline_model::storage::ResourceSighting;
use leakline_model::{Resource, TimeRange, Timestamp};

use crate::keys::ResourceId;

/// First and last time of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sighting {
    pub(crate) first: Timestamp,
    pub(crate) last: Timestamp,
}

impl Sighting {
    pub(crate) fn at(time: Timestamp) -> Self {
        Sighting {
            first: time,
            last: time,
        }
    }

    pub(crate) fn include(&mut self, time: Timestamp) {
        self.first = self.first.min(time);
        self.last = self.last.max(time);
    }
}

/// All resources of a store, by attributes. Each costs its texts and about 100 bytes for each
/// attribute.
#[derive(Default)]
pub(crate) struct Catalogue {
    known: BTreeMap<BTreeMap<String, String>, (ResourceId, Sighting)>,
}

impl Catalogue {
    pub(crate) fn get(&self, resource: &Resource) -> Option<(ResourceId, Sighting)> {
        self.known.get(&resource.attributes).copied()
    }

    pub(crate) fn set(&mut self, id: ResourceId, resource: &Resource, sighting: Sighting) {
        match self.known.get_mut(&resource.attributes) {
            Some(known) => *known = (id, sighting),
            None => {
                self.known
                    .insert(resource.attributes.clone(), (id, sighting));
            }
        }
    }

    /// Those heard of inside `range`, by first sighting, then by attributes.
    pub(crate) fn seen(&self, range: TimeRange) -> Vec<ResourceSighting> {
        let mut seen: Vec<ResourceSighting> = self
            .known
            .iter()
            .filter(|(_, (_, sighting))| {
                sighting.first <= range.end && sighting.last >= range.start
            })
            .map(|(attributes, (_, sighting))| ResourceSighting {
                resource: Resource {
                    attributes: attributes.clone(),
                },
                first_seen: sighting.first,
                last_seen: sighting.last,
            })
            .collect();
        seen.sort_by_key(|sighting| sighting.first_seen);
        seen
    }

    pub(crate) fn last_seen_before(&self, horizon: Timestamp) -> Vec<ResourceId> {
        self.known
            .values()
            .filter(|(_, sighting)| sighting.last < horizon)
            .map(|(id, _)| *id)
            .collect()
    }

    pub(crate) fn remove(&mut self, ids: &[ResourceId]) {
        self.known.retain(|_, (id, _)| !ids.contains(id));
    }
}
