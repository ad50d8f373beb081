//! Retention: what is too old is no longer answered, and its space is freed.

use fjall::Keyspace;
use leakline_model::Timestamp;
use leakline_model::storage::StorageError;

use crate::disk::{DiskStore, commit};
use crate::error::storage_error;
use crate::keys::{
    Day, META_CHUNK_DAY, META_HORIZON, META_SPAN_DAY, ResourceId, changing_key, day_key, time_bytes,
};

/// Entries removed in one write.
const EXPIRE_STEP: usize = 4096;

impl DiskStore {
    /// Drops what is older than the retention allows at `now`: from then on samples, spans and
    /// resources before `now - retention` are neither answered nor taken. Their space is freed
    /// when the whole day (in UTC) is past. A `now` before an earlier one changes nothing.
    pub fn expire(&self, now: Timestamp) -> Result<(), StorageError> {
        let Some(retention) = self.options.retention else {
            return Ok(());
        };
        let _writer = self.writer();
        let horizon = now - retention;
        if horizon <= self.state().horizon {
            return Ok(());
        }
        let mut write = self.write_batch();
        write.insert(&self.tables.meta, META_HORIZON, time_bytes(horizon));
        commit(write, "expire")?;
        self.state_mut().horizon = horizon;

        // nothing answers from here on: an interruption leaves only space unfreed until the next
        // time
        self.expire_days(horizon)?;
        self.expire_series(horizon)?;
        self.expire_resources(horizon)
    }

    fn expire_days(&self, horizon: Timestamp) -> Result<(), StorageError> {
        let past = |day: &&Day| day.end() < horizon;
        let chunk_days: Vec<Day> = self
            .state()
            .chunk_days
            .iter()
            .filter(past)
            .copied()
            .collect();
        for day in chunk_days {
            self.remove_day(&self.tables.chunks, day)?;
            self.forget_day(META_CHUNK_DAY, day)?;
            self.state_mut().chunk_days.remove(&day);
        }
        let span_days: Vec<Day> = self
            .state()
            .span_days
            .iter()
            .filter(past)
            .copied()
            .collect();
        for day in span_days {
            self.remove_day(&self.tables.traces, day)?;
            self.remove_day(&self.tables.spans, day)?;
            self.forget_day(META_SPAN_DAY, day)?;
            self.state_mut().span_days.remove(&day);
        }
        Ok(())
    }

    fn remove_day(&self, table: &Keyspace, day: Day) -> Result<(), StorageError> {
        let mut write = self.write_batch();
        for entry in table.prefix(day.to_bytes()) {
            let key = entry
                .key()
                .map_err(|error| storage_error("expire", "key", error))?;
            write.remove(table, key);
            if write.len() >= EXPIRE_STEP {
                commit(write, "expire")?;
                write = self.write_batch();
            }
        }
        commit(write, "expire")
    }

    fn forget_day(&self, table: &[u8], day: Day) -> Result<(), StorageError> {
        let mut write = self.write_batch();
        write.remove(&self.tables.meta, day_key(table, day));
        commit(write, "expire")
    }

    fn expire_series(&self, horizon: Timestamp) -> Result<(), StorageError> {
        let ended = self.state().index.ended_before(horizon);
        for some in ended.chunks(EXPIRE_STEP) {
            self.remove_ids(&self.tables.series, some.iter().map(|id| id.0))?;
            let mut state = self.state_mut();
            for id in some {
                state.index.remove(*id);
            }
        }
        Ok(())
    }

    fn expire_resources(&self, horizon: Timestamp) -> Result<(), StorageError> {
        let gone: Vec<ResourceId> = self.state().catalogue.last_seen_before(horizon);
        self.remove_ids(&self.tables.resources, gone.iter().map(|id| id.0))?;
        self.state_mut().catalogue.remove(&gone);
        Ok(())
    }

    fn remove_ids(
        &self,
        table: &Keyspace,
        ids: impl Iterator<Item = u64>,
    ) -> Result<(), StorageError> {
        let mut write = self.write_batch();
        for id in ids {
            write.remove(table, id.to_be_bytes());
            write.remove(table, changing_key(id));
        }
        commit(write, "expire")
    }
}
