//! The store on disk: opening it and writing to it. Reading is in [`crate::read`].

use std::fmt;
use std::fs::File;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use fjall::{Keyspace, OwnedWriteBatch, PersistMode, Readable, Snapshot};
use leakline_model::storage::{Appender, Batch, StorageError};
use leakline_model::{Sample, Timestamp};

use crate::append::Plan;
use crate::chunk;
use crate::error::{StoreError, storage_error};
use crate::folder::{self, Tables};
use crate::keys::{
    Day, META_CHUNK_DAY, META_HORIZON, META_SPAN_DAY, ResourceId, SeriesId, changing_key,
    chunk_key, day_key, time_bytes,
};
use crate::state::{self, Counters, State};

/// When an append counts as kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// When the operating system has it: survives the process being killed at any moment. A power
    /// failure or a crash of the kernel may lose what the system had not written to disk yet, on
    /// Linux the last half minute: whole appends, latest first.
    #[default]
    Process,
    /// When the disk has it (`fdatasync` for each append): survives a power failure too, and is
    /// slower by the disk's flush time for each append.
    Disk,
}

/// How a store behaves. `Options::default()` suits a server.
#[derive(Clone, Debug)]
pub struct Options {
    /// How far back [`DiskStore::expire`] keeps data; `None` keeps everything.
    pub retention: Option<Duration>,
    /// When an append counts as kept.
    pub durability: Durability,
    /// Memory for blocks read from disk, in bytes.
    pub cache_bytes: u64,
    /// Samples that may gather in memory (16 bytes each) before they are moved into chunks.
    pub head_samples: usize,
    /// The same for each series; the larger of the two limits holds. More samples at once make
    /// better chunks with less work.
    pub head_samples_per_series: usize,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            retention: None,
            durability: Durability::Process,
            cache_bytes: 32 << 20,
            head_samples: 1 << 18,
            head_samples_per_series: 64,
        }
    }
}

/// A store in a folder of its own.
///
/// All methods may be called from many threads; appends queue behind one another, queries do not
/// wait for them. Dropping the store closes it; nothing is lost if that never happens.
pub struct DiskStore {
    pub(crate) tables: Tables,
    pub(crate) state: RwLock<State>,
    /// Held by whoever changes the store.
    writer: Mutex<Counters>,
    options: Options,
    problems: Vec<StorageError>,
    /// Last, so that it is released last.
    _lock: File,
}

/// What the samples in chunks cost on disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChunkStatistics {
    /// Chunks there are.
    pub chunks: u64,
    /// Samples in those that can be read.
    pub samples: u64,
    /// Bytes of all of them, keys included.
    pub bytes: u64,
}

/// `1200 chunks, 614400 samples, 0.74 bytes a sample`.
impl fmt::Display for ChunkStatistics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let per_sample = self.bytes as f64 / self.samples.max(1) as f64;
        write!(
            f,
            "{} chunks, {} samples, {per_sample:.2} bytes a sample",
            self.chunks, self.samples
        )
    }
}

/// Samples that leave the head for each one that comes in: above one, so that a sealed generation
/// is gone before the next one is full.
const FLUSHED_PER_SAMPLE: usize = 2;

/// Samples flushed at once when appends have to wait for it.
const FLUSH_STEP: usize = 1 << 16;

/// Blocks of the log, or expired entries, removed in one write.
const TRIM_STEP: u64 = 64;
const EXPIRE_STEP: usize = 4096;

impl DiskStore {
    /// Opens the store in the folder `path`; creates both when they do not exist.
    ///
    /// Takes a time that grows with the number of series and with the samples that are not yet in
    /// chunks, not with the size of the store.
    pub fn open(path: impl AsRef<Path>, options: Options) -> Result<Self, StoreError> {
        let path = path.as_ref();
        let lock = folder::lock(path)?;
        let tables = folder::open(path, &options)?;
        let mut problems = Vec::new();
        let (state, counters) =
            state::load(&tables, &mut problems).map_err(|error| match error {
                StorageError::Damaged { what, reason } => StoreError::Damaged {
                    path: path.to_owned(),
                    reason: format!("{what}: {reason}"),
                },
                other => StoreError::Io {
                    action: "read the store",
                    path: path.to_owned(),
                    source: other.into(),
                },
            })?;
        Ok(DiskStore {
            tables,
            state: RwLock::new(state),
            writer: Mutex::new(counters),
            options,
            problems,
            _lock: lock,
        })
    }

    /// What could not be read when the store was opened, and was left out.
    pub fn problems(&self) -> &[StorageError] {
        &self.problems
    }

    /// How many series there are.
    pub fn series_count(&self) -> usize {
        self.state().index.len()
    }

    /// Bytes on disk, without file system overhead. Counts space set aside for the journal as
    /// used.
    pub fn disk_bytes(&self) -> Result<u64, StorageError> {
        self.tables
            .database
            .disk_space()
            .map_err(|error| storage_error("measure disk space", "store", error))
    }

    /// What the samples in chunks cost. Reads all chunks.
    pub fn chunk_statistics(&self) -> Result<ChunkStatistics, StorageError> {
        let mut statistics = ChunkStatistics::default();
        for entry in self.tables.chunks.iter() {
            let (key, value) = entry
                .into_inner()
                .map_err(|error| storage_error("read samples", "chunk", error))?;
            let header = chunk::header(Timestamp::MIN, &value);
            statistics.chunks += 1;
            statistics.samples += header.map_or(0, |header| header.count as u64);
            statistics.bytes += (key.len() + value.len()) as u64;
        }
        Ok(statistics)
    }

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

    /// Moves about `samples` samples from the head into chunks, sealing it first if it is full.
    ///
    /// Chunks are written before the samples leave the head, and both before they leave the log:
    /// whoever reads the head first and the chunks after sees each sample at least once, at any
    /// moment and after any interruption.
    fn flush(&self, samples: usize) -> Result<(), StorageError> {
        self.seal_if_full();
        let (runs, blocks, horizon) = {
            let state = self.state();
            let Some(sealed) = &state.head.sealed else {
                return Ok(());
            };
            (sealed.first(samples), sealed.blocks, state.horizon)
        };
        if runs.is_empty() {
            return self.trim_log(blocks);
        }
        let snapshot = self.tables.database.snapshot();
        let mut write = self.write_batch();
        let mut written = Vec::new();
        for (series, run) in &runs {
            let alive = run.partition_point(|sample| sample.timestamp < horizon);
            let days = run
                .get(alive..)
                .unwrap_or(&[])
                .chunk_by(|a, b| Day::of(a.timestamp) == Day::of(b.timestamp));
            for run in days {
                let day = self.write_chunks(&snapshot, &mut write, *series, run)?;
                written.push((*series, day));
            }
        }
        self.note_days(&mut write, &written);
        commit(write, "write chunks")?;

        let mut state = self.state_mut();
        for (series, day) in written {
            state.chunk_days.insert(day);
            if let Some(known) = state.index.get_mut(series) {
                known.last_day = known.last_day.max(Some(day));
            }
        }
        if let Some(sealed) = &mut state.head.sealed {
            for (series, _) in runs {
                sealed.remove(series);
            }
        }
        Ok(())
    }

    fn seal_if_full(&self) {
        let options = &self.options;
        let mut state = self.state_mut();
        let head = &mut state.head;
        if head.sealed.is_none()
            && head
                .active
                .is_full(options.head_samples, options.head_samples_per_series)
        {
            head.sealed = Some(std::mem::take(&mut head.active));
        }
    }

    /// Adds `run`, all of one day, to the chunks of a series.
    fn write_chunks(
        &self,
        snapshot: &Snapshot,
        write: &mut OwnedWriteBatch,
        series: SeriesId,
        run: &[Sample],
    ) -> Result<Day, StorageError> {
        let day = run
            .first()
            .map_or(Day(0), |sample| Day::of(sample.timestamp));
        let mut existing = Vec::new();
        for chunk in self.chunks_of(snapshot, series, day) {
            match chunk {
                Ok(chunk) => existing.push(chunk),
                // whoever reads them is told; what comes now must be kept all the same
                Err(StorageError::Damaged { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        for piece in chunk::place(&existing, run) {
            let value = chunk::encode(&piece).map_err(|error| StorageError::Unavailable {
                action: "compress samples",
                source: error.into(),
            })?;
            let start = piece
                .first()
                .map_or(Timestamp::MIN, |sample| sample.timestamp);
            write.insert(
                &self.tables.chunks,
                chunk_key(day, series, day.offset(start)),
                value,
            );
        }
        Ok(day)
    }

    /// Writes the days that are new: to the store, and to each series.
    fn note_days(&self, write: &mut OwnedWriteBatch, written: &[(SeriesId, Day)]) {
        let state = self.state();
        let mut new_days: Vec<Day> = Vec::new();
        for (series, day) in written {
            if !state.chunk_days.contains(day) && !new_days.contains(day) {
                new_days.push(*day);
                write.insert(&self.tables.meta, day_key(META_CHUNK_DAY, *day), []);
            }
            if let Some(known) = state.index.get(*series)
                && known.last_day < Some(*day)
            {
                write.insert(&self.tables.series, changing_key(series.0), day.to_bytes());
            }
        }
    }

    /// Removes blocks of the log whose samples are all in chunks.
    fn trim_log(&self, blocks: Option<(u64, u64)>) -> Result<(), StorageError> {
        let Some((first, last)) = blocks else {
            self.state_mut().head.sealed = None;
            return Ok(());
        };
        let end = last.min(first.saturating_add(TRIM_STEP - 1));
        let mut write = self.write_batch();
        for block in first..=end {
            write.remove(&self.tables.log, block.to_be_bytes());
        }
        commit(write, "trim the log")?;
        if let Some(sealed) = &mut self.state_mut().head.sealed {
            sealed.blocks = (end < last).then_some((end.saturating_add(1), last));
        }
        Ok(())
    }

    /// Waits until the head may grow again.
    fn make_room(&self) -> Result<(), StorageError> {
        loop {
            {
                let state = self.state();
                let full = state.head.active.is_full(
                    self.options.head_samples,
                    self.options.head_samples_per_series,
                );
                if !full || state.head.sealed.is_none() {
                    return Ok(());
                }
            }
            self.flush(FLUSH_STEP)?;
        }
    }

    fn write_batch(&self) -> OwnedWriteBatch {
        let mode = match self.options.durability {
            Durability::Process => PersistMode::Buffer,
            Durability::Disk => PersistMode::SyncData,
        };
        self.tables.database.batch().durability(Some(mode))
    }

    /// The chunks of a series on a day, by time.
    pub(crate) fn chunks_of(
        &self,
        snapshot: &Snapshot,
        series: SeriesId,
        day: Day,
    ) -> impl Iterator<Item = Result<(Timestamp, fjall::UserValue), StorageError>> {
        let first = chunk_key(day, series, 0);
        let last = chunk_key(day, series, u32::MAX);
        // after an error of the layer below the scan cannot be trusted to advance
        let mut failed = false;
        snapshot
            .range(&self.tables.chunks, first..=last)
            .map_while(move |entry| {
                if failed {
                    return None;
                }
                Some(entry.into_inner().map_err(|error| {
                    failed = true;
                    storage_error("read samples", "chunk", error)
                }))
            })
            .map(move |entry| {
                let (key, value) = entry?;
                let offset = key
                    .last_chunk()
                    .map_or(0, |bytes| u32::from_be_bytes(*bytes));
                Ok((day.time_at(offset), value))
            })
    }

    pub(crate) fn state(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn state_mut(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn writer(&self) -> MutexGuard<'_, Counters> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn commit(write: OwnedWriteBatch, action: &'static str) -> Result<(), StorageError> {
    write
        .commit()
        .map_err(|error| storage_error(action, "journal", error))
}

impl Appender for DiskStore {
    fn append(&self, batch: &Batch) -> Result<(), StorageError> {
        let mut counters = self.writer();
        self.make_room()?;
        let plan = Plan::new(&self.state(), &counters, batch);
        if plan.is_empty() {
            return Ok(());
        }
        let mut write = self.write_batch();
        plan.write(&self.tables, &mut write);
        commit(write, "write")?;
        let samples = plan.samples();
        plan.apply(&mut self.state_mut(), &mut counters);
        // The batch is kept, so this is no error of the append. What fails here fails again in
        // `make_room`, and is told there, before the head grows beyond its limit.
        let _ = self.flush(samples.saturating_mul(FLUSHED_PER_SAMPLE).max(1));
        Ok(())
    }
}
