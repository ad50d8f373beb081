//! The store on disk: its options, opening it, appending to it. `flush`, `expire` and `read` have
//! the rest of its methods.

use std::fmt;
use std::fs::File;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use fjall::{OwnedWriteBatch, PersistMode, Readable, Snapshot};
use leakline_model::Timestamp;
use leakline_model::storage::{Appender, Batch, StorageError};

use crate::append::Plan;
use crate::chunk;
use crate::error::{StoreError, storage_error};
use crate::folder::{self, Tables};
use crate::keys::{Day, SeriesId, chunk_key};
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
    pub(crate) options: Options,
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

    pub(crate) fn write_batch(&self) -> OwnedWriteBatch {
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

    pub(crate) fn state_mut(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn writer(&self) -> MutexGuard<'_, Counters> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) fn commit(write: OwnedWriteBatch, action: &'static str) -> Result<(), StorageError> {
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
