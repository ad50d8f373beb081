//! The way of samples from the head into chunks.

use fjall::{OwnedWriteBatch, Snapshot};
use leakline_model::storage::StorageError;
use leakline_model::{Sample, Timestamp};

use crate::chunk;
use crate::disk::{DiskStore, commit};
use crate::keys::{Day, META_CHUNK_DAY, SeriesId, changing_key, chunk_key, day_key};

/// Samples moved at once when appends have to wait for it.
const FLUSH_STEP: usize = 1 << 16;

/// Blocks of the log removed in one write.
const TRIM_STEP: u64 = 64;

impl DiskStore {
    /// Moves about `samples` samples from the head into chunks, sealing it first if it is full.
    ///
    /// Chunks are written before the samples leave the head, and both before they leave the log:
    /// whoever reads the head first and the chunks after sees each sample at least once, at any
    /// moment and after any interruption.
    pub(crate) fn flush(&self, samples: usize) -> Result<(), StorageError> {
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
    pub(crate) fn make_room(&self) -> Result<(), StorageError> {
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
}
