//! Which series there are, and which of them meet a set of matchers.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use leakline_model::{Label, Labels, MatchOperator, Matcher, Timestamp};

use crate::keys::{Day, SeriesId};

/// All label sets of a store, by id and by label.
///
/// Per series: 32 bytes and 8 of postings for each label, about 150 bytes beside; equal names
/// and values are held once for all series.
#[derive(Default)]
pub(crate) struct LabelIndex {
    ids: HashMap<Labels, SeriesId>,
    series: BTreeMap<SeriesId, KnownSeries>,
    /// Ids by label name and value, ascending.
    postings: BTreeMap<Arc<str>, BTreeMap<Arc<str>, Vec<SeriesId>>>,
}

/// What is known of a series without reading its samples.
pub(crate) struct KnownSeries {
    pub(crate) labels: Labels,
    /// No sample is later than this.
    pub(crate) last: Timestamp,
    /// The last day as it stands on disk; `None` while all samples are in the head.
    pub(crate) last_day: Option<Day>,
}

impl LabelIndex {
    pub(crate) fn id(&self, labels: &Labels) -> Option<SeriesId> {
        self.ids.get(labels).copied()
    }

    pub(crate) fn get(&self, id: SeriesId) -> Option<&KnownSeries> {
        self.series.get(&id)
    }

    pub(crate) fn get_mut(&mut self, id: SeriesId) -> Option<&mut KnownSeries> {
        self.series.get_mut(&id)
    }

    pub(crate) fn len(&self) -> usize {
        self.series.len()
    }

    /// Adds a series. Ids must come in ascending order.
    pub(crate) fn insert(&mut self, id: SeriesId, labels: &Labels) {
        let shared = Labels::new(labels.iter().map(|label| self.post(id, label)));
        self.ids.insert(shared.clone(), id);
        self.series.insert(
            id,
            KnownSeries {
                labels: shared,
                last: Timestamp::MIN,
                last_day: None,
            },
        );
    }

    /// Notes that `id` has `label`; answers the shared copies of name and value.
    fn post(&mut self, id: SeriesId, label: &Label) -> (Arc<str>, Arc<str>) {
        let name = match self.postings.get_key_value(&label.name) {
            Some((name, _)) => name.clone(),
            None => label.name.clone(),
        };
        let values = self.postings.entry(name.clone()).or_default();
        let value = match values.get_key_value(&label.value) {
            Some((value, _)) => value.clone(),
            None => label.value.clone(),
        };
        values.entry(value.clone()).or_default().push(id);
        (name, value)
    }

    pub(crate) fn remove(&mut self, id: SeriesId) {
        let Some(known) = self.series.remove(&id) else {
            return;
        };
        self.ids.remove(&known.labels);
        for label in &known.labels {
            let Some(values) = self.postings.get_mut(&label.name) else {
                continue;
            };
            if let Some(ids) = values.get_mut(&label.value) {
                if let Ok(position) = ids.binary_search(&id) {
                    ids.remove(position);
                }
                if ids.is_empty() {
                    values.remove(&label.value);
                }
            }
            if values.is_empty() {
                self.postings.remove(&label.name);
            }
        }
    }

    /// The series that meet all `matchers`, sorted by labels.
    pub(crate) fn select(&self, matchers: &[Matcher]) -> Vec<(Labels, SeriesId)> {
        let mut found: Vec<(Labels, SeriesId)> = match self.shortest_postings(matchers) {
            Some(ids) => ids
                .iter()
                .filter_map(|id| self.series.get_key_value(id))
                .filter_map(|entry| meeting(entry, matchers))
                .collect(),
            None => self
                .series
                .iter()
                .filter_map(|entry| meeting(entry, matchers))
                .collect(),
        };
        found.sort();
        found
    }

    /// The series all of whose samples are before `horizon`.
    pub(crate) fn ended_before(&self, horizon: Timestamp) -> Vec<SeriesId> {
        self.series
            .iter()
            .filter(|(_, known)| known.last < horizon)
            .map(|(id, _)| *id)
            .collect()
    }

    /// The shortest list that holds every series wanted; `None` when no matcher names a value.
    fn shortest_postings(&self, matchers: &[Matcher]) -> Option<&[SeriesId]> {
        matchers
            .iter()
            .filter(|matcher| {
                // `name=""` asks for series without that label, which have no postings
                matcher.operator == MatchOperator::Equal && !matcher.value.is_empty()
            })
            .map(|matcher| {
                self.postings
                    .get(&matcher.name)
                    .and_then(|values| values.get(&matcher.value))
                    .map_or(&[][..], Vec::as_slice)
            })
            .min_by_key(|ids| ids.len())
    }
}

fn meeting(
    (id, known): (&SeriesId, &KnownSeries),
    matchers: &[Matcher],
) -> Option<(Labels, SeriesId)> {
    matchers
        .iter()
        .all(|matcher| matcher.matches(&known.labels))
        .then(|| (known.labels.clone(), *id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn removal_leaves_nothing_behind() {
        let mut index = LabelIndex::default();
        let labels = Labels::new([("__name__", "up"), ("job", "a")]);
        index.insert(SeriesId(1), &labels);
        index.insert(
            SeriesId(2),
            &Labels::new([("__name__", "up"), ("job", "b")]),
        );
        index.remove(SeriesId(1));
        assert_eq!(index.id(&labels), None);
        assert!(index.select(&[Matcher::equal("job", "a")]).is_empty());
        assert_eq!(index.select(&[Matcher::metric("up")]).len(), 1);
        index.remove(SeriesId(2));
        assert!(index.postings.is_empty());
        assert!(index.ids.is_empty());
    }
}
