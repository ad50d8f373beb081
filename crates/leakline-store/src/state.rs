//! What a disk store holds in memory, and how it is read back when the store is opened.

use std::collections::BTreeSet;

use fjall::Keyspace;
use leakline_model::storage::StorageError;
use leakline_model::{Resource, TimeRange, Timestamp};
use prost::Message;

use crate::catalogue::{Catalogue, Sighting};
use crate::error::storage_error;
use crate::folder::Tables;
use crate::head::Head;
use crate::keys::{
    Day, KeyReader, META_CHUNK_DAY, META_HORIZON, META_NEXT, META_SPAN_DAY, ResourceId, SeriesId,
    changing_key, parse_id_key, time_of_bytes,
};
use crate::label_index::LabelIndex;
use crate::records::Pairs;

/// How many ids are tried one by one around a damaged block, and how often before the rest of the
/// table is given up.
const DAMAGED_STRETCH: u64 = 256;
const MOST_DAMAGED_STRETCHES: usize = 1000;

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
        chunk_days: load_days(&tables.meta, META_CHUNK_DAY)?,
        span_days: load_days(&tables.meta, META_SPAN_DAY)?,
        catalogue: load_resources(&tables.resources, problems)?,
        horizon: meta(META_HORIZON)?.map_or(Timestamp::MIN, time_of_bytes),
    };
    let counters = Counters {
        next_id: meta(META_NEXT)?.map_or(0, u64::from_be_bytes),
        next_block: load_log(&tables.log, &mut state, problems)?,
    };
    Ok((state, counters))
}

/// Calls `each` for every entry of a table with ids for keys, as far as it can be read.
///
/// Where a block is damaged the scan ends, and what stands beside it is read id by id.
fn scan(
    table: &Keyspace,
    what: &'static str,
    problems: &mut Vec<StorageError>,
    mut each: impl FnMut(&[u8], &[u8]) -> Result<(), String>,
) -> Result<(), StorageError> {
    let mut visit = |key: &[u8], value: &[u8], problems: &mut Vec<StorageError>| {
        if let Err(reason) = each(key, value) {
            problems.push(StorageError::Damaged { what, reason });
        }
    };
    let mut next_id = 0_u64;
    for _ in 0..MOST_DAMAGED_STRETCHES {
        let mut damage = None;
        for entry in table.range(next_id.to_be_bytes()..) {
            match entry.into_inner() {
                Ok((key, value)) => {
                    if let Some((id, _)) = parse_id_key(&key) {
                        next_id = id.saturating_add(1);
                    }
                    visit(&key, &value, problems);
                }
                Err(error) => {
                    damage = Some(storage_error("open the store", what, error));
                    break;
                }
            }
        }
        match damage {
            None => return Ok(()),
            Some(damaged @ StorageError::Damaged { .. }) => problems.push(damaged),
            Some(other) => return Err(other),
        }
        // The scan may have lost the entry before the damage: of `next_id - 1`, perhaps, what
        // changes.
        let last = next_id.saturating_add(DAMAGED_STRETCH);
        if let Some(before) = next_id.checked_sub(1) {
            let key = changing_key(before);
            if let Ok(Some(value)) = table.get(key) {
                visit(&key, &value, problems);
            }
        }
        for id in next_id..last {
            for key in [&id.to_be_bytes()[..], &changing_key(id)] {
                if let Ok(Some(value)) = table.get(key) {
                    visit(key, &value, problems);
                }
            }
        }
        next_id = last;
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

/// The days that a table has.
fn load_days(meta: &Keyspace, table: &[u8]) -> Result<BTreeSet<Day>, StorageError> {
    meta.prefix(table)
        .map(|entry| {
            let key = entry
                .key()
                .map_err(|error| storage_error("open the store", "list of days", error))?;
            let bytes = key.last_chunk().copied().unwrap_or_default();
            Ok(Day::from_bytes(bytes))
        })
        .collect()
}
