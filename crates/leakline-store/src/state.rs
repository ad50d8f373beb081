//! What a disk store holds in memory, and how it is read back when the store is opened.

use std::collections::BTreeSet;
use std::ops::Bound;

use fjall::Keyspace;
use leakline_model::storage::StorageError;
use leakline_model::{Resource, TimeRange, Timestamp};
use prost::Message;

use crate::catalogue::{Catalogue, Sighting};
use crate::error::storage_error;
use crate::folder::Tables;
use crate::head::Head;
use crate::keys::{
    Day, KeyReader, META_HORIZON, META_NEXT, ResourceId, SeriesId, parse_id_key, time_of_bytes,
};
use crate::label_index::LabelIndex;
use crate::records::Pairs;

/// After as many unreadable entries in a row a table is given up.
const MOST_PROBLEMS_IN_A_ROW: usize = 100;

/// Everything of a store that is answered from memory.
pub(crate) struct State {
    pub(crate) index: LabelIndex,
    pub(crate) head: Head,
    /// The days that have chunks.
    pub(crate) chunk_days: BTreeSet<Day>,
    /// The days that have spans.
    pub(crate) span_days: BTreeSet<Day>,
    pub(crate) catalogue: Catalogue,
    /// What is older has expired.
    pub(crate) horizon: Timestamp,
}

/// What the next append uses.
pub(crate) struct Counters {
    /// Above every series and resource id ever given.
    pub(crate) next_id: u64,
    /// Above every block in the log.
    pub(crate) next_block: u64,
}

impl State {
    /// `range` without what has expired.
    pub(crate) fn alive(&self, range: TimeRange) -> TimeRange {
        TimeRange::new(range.start.max(self.horizon), range.end)
    }
}

/// The days of `days` that `range` touches.
pub(crate) fn days_inside(days: &BTreeSet<Day>, range: TimeRange) -> Vec<Day> {
    if range.start > range.end {
        return Vec::new();
    }
    days.range(Day::of(range.start)..=Day::of(range.end))
        .copied()
        .collect()
}

/// Reads the state back. Entries that cannot be read are left out and listed in `problems`.
pub(crate) fn load(
    tables: &Tables,
    problems: &mut Vec<StorageError>,
) -> Result<(State, Counters), StorageError> {
    let meta = |key: &[u8]| -> Result<Option<[u8; 8]>, StorageError> {
        let value = tables
            .meta
            .get(key)
            .map_err(|error| storage_error("read", "header", error))?;
        value
            .map(|value| {
                <[u8; 8]>::try_from(&*value).map_err(|_| StorageError::Damaged {
                    what: "header",
                    reason: "number is not 8 bytes long".to_owned(),
                })
            })
            .transpose()
    };
    let mut state = State {
        index: load_series(&tables.series, problems)?,
        head: Head::default(),
        chunk_days: load_days(&tables.chunks)?,
        span_days: load_days(&tables.spans)?,
        catalogue: load_resources(&tables.resources, problems)?,
        horizon: meta(META_HORIZON)?.map_or(Timestamp::MIN, time_of_bytes),
    };
    let counters = Counters {
        next_id: meta(META_NEXT)?.map_or(0, u64::from_be_bytes),
        next_block: load_log(&tables.log, &mut state, problems)?,
    };
    Ok((state, counters))
}

/// Calls `each` for every entry that can be read.
fn scan(
    table: &Keyspace,
    what: &'static str,
    problems: &mut Vec<StorageError>,
    mut each: impl FnMut(&[u8], &[u8]) -> Result<(), String>,
) -> Result<(), StorageError> {
    let mut in_a_row = 0;
    for entry in table.iter() {
        let problem = match entry.into_inner() {
            Ok((key, value)) => each(&key, &value)
                .err()
                .map(|reason| StorageError::Damaged { what, reason }),
            Err(error) => match storage_error("open the store", what, error) {
                damaged @ StorageError::Damaged { .. } => Some(damaged),
                other => return Err(other),
            },
        };
        match problem {
            None => in_a_row = 0,
            Some(problem) => {
                problems.push(problem);
                in_a_row += 1;
                if in_a_row >= MOST_PROBLEMS_IN_A_ROW {
                    break;
                }
            }
        }
    }
    Ok(())
}

fn load_series(
    table: &Keyspace,
    problems: &mut Vec<StorageError>,
) -> Result<LabelIndex, StorageError> {
    let mut index = LabelIndex::default();
    scan(table, "series", problems, |key, value| {
        match parse_id_key(key).ok_or("unknown kind of key")? {
            (id, false) => {
                let labels = Pairs::decode(value)
                    .map_err(|e| e.to_string())?
                    .into_labels();
                index.insert(SeriesId(id), &labels);
            }
            (id, true) => {
                let day = Day::from_bytes(value.try_into().map_err(|_| "day is not 4 bytes")?);
                let known = index.get_mut(SeriesId(id)).ok_or("day without labels")?;
                known.last_day = Some(day);
                known.last = day.end();
            }
        }
        Ok(())
    })?;
    Ok(index)
}

fn load_resources(
    table: &Keyspace,
    problems: &mut Vec<StorageError>,
) -> Result<Catalogue, StorageError> {
    let mut catalogue = Catalogue::default();
    let mut attributes: Option<(u64, Resource)> = None;
    scan(table, "resource", problems, |key, value| {
        match parse_id_key(key).ok_or("unknown kind of key")? {
            (id, false) => {
                let pairs = Pairs::decode(value).map_err(|e| e.to_string())?;
                attributes = Some((id, pairs.into_resource()));
            }
            (id, true) => {
                let mut reader = KeyReader(value);
                let first = reader.take().ok_or("sighting is cut off")?;
                let last = reader.take().ok_or("sighting is cut off")?;
                let sighting = Sighting {
                    first: time_of_bytes(first),
                    last: time_of_bytes(last),
                };
                let (_, resource) = attributes
                    .take()
                    .filter(|(of, _)| *of == id)
                    .ok_or("sighting without attributes")?;
                catalogue.set(ResourceId(id), &resource, sighting);
            }
        }
        Ok(())
    })?;
    Ok(catalogue)
}

/// Fills the head; answers the number of the next block.
fn load_log(
    table: &Keyspace,
    state: &mut State,
    problems: &mut Vec<StorageError>,
) -> Result<u64, StorageError> {
    let mut next = 0;
    scan(table, "block of the log", problems, |key, value| {
        let block = u64::from_be_bytes(key.try_into().map_err(|_| "unknown kind of key")?);
        next = block.saturating_add(1);
        let mut runs = crate::log::decode(value)?;
        // a series that has expired may still stand in the log
        runs.retain(|(series, _)| state.index.get(*series).is_some());
        for (series, run) in &runs {
            if let (Some(known), Some(last)) = (state.index.get_mut(*series), run.last()) {
                known.last = known.last.max(last.timestamp);
            }
        }
        state.head.active.add(block, runs);
        Ok(())
    })?;
    Ok(next)
}

/// The days in a table whose keys begin with one, found with one seek for each.
fn load_days(table: &Keyspace) -> Result<BTreeSet<Day>, StorageError> {
    let mut days = BTreeSet::new();
    let mut from = Bound::Unbounded;
    while let Some(entry) = table.range::<[u8; 4], _>((from, Bound::Unbounded)).next() {
        let key = entry
            .key()
            .map_err(|error| storage_error("open the store", "list of days", error))?;
        let Some(bytes) = KeyReader(&key).take() else {
            break;
        };
        let day = Day::from_bytes(bytes);
        days.insert(day);
        let Some(next) = day.0.checked_add(1) else {
            break;
        };
        from = Bound::Included(Day(next).to_bytes());
    }
    Ok(days)
}
