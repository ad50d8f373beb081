//! The head: samples that are in the log but not yet in chunks.

use std::collections::BTreeMap;

use leakline_model::{Sample, TimeRange};

use crate::keys::SeriesId;
use crate::samples::{inside, merge};

/// A series with as many samples in the head seals it, however few samples there are in all:
/// out-of-order samples are inserted at a cost that grows with the run.
const LONGEST_RUN: usize = 8192;

/// As many blocks of the log seal the head, however small they are.
const MOST_BLOCKS: u64 = 65_536;

/// Two generations: one that grows, and one that is sealed and on its way into chunks.
#[derive(Default)]
pub(crate) struct Head {
    pub(crate) active: Generation,
    pub(crate) sealed: Option<Generation>,
}

/// Samples of a stretch of the log.
#[derive(Default)]
pub(crate) struct Generation {
    series: BTreeMap<SeriesId, Vec<Sample>>,
    samples: usize,
    longest: usize,
    /// First and last block of the log that hold these samples.
    pub(crate) blocks: Option<(u64, u64)>,
}

impl Head {
    /// The samples of a series inside `range`.
    pub(crate) fn samples(&self, series: SeriesId, range: TimeRange) -> Vec<Sample> {
        let mut run = Vec::new();
        // the sealed ones came first
        for generation in self.sealed.iter().chain([&self.active]) {
            if let Some(samples) = generation.series.get(&series) {
                merge(&mut run, inside(samples, range));
            }
        }
        run
    }

    /// Whether a series has a sample inside `range`.
    pub(crate) fn has_sample(&self, series: SeriesId, range: TimeRange) -> bool {
        self.sealed.iter().chain([&self.active]).any(|generation| {
            generation
                .series
                .get(&series)
                .is_some_and(|samples| !inside(samples, range).is_empty())
        })
    }
}

impl Generation {
    /// Adds the runs of one block of the log.
    pub(crate) fn add(&mut self, block: u64, runs: Vec<(SeriesId, Vec<Sample>)>) {
        let first = self.blocks.map_or(block, |(first, _)| first);
        self.blocks = Some((first, block));
        for (series, run) in runs {
            let samples = self.series.entry(series).or_default();
            let before = samples.len();
            if samples.is_empty() {
                *samples = run;
            } else {
                merge(samples, &run);
            }
            self.samples += samples.len() - before;
            self.longest = self.longest.max(samples.len());
        }
    }

    /// Whether it is time to seal it.
    pub(crate) fn is_full(&self, samples: usize, samples_per_series: usize) -> bool {
        let limit = samples.max(self.series.len().saturating_mul(samples_per_series));
        let blocks = self.blocks.map_or(0, |(first, last)| last - first + 1);
        self.samples >= limit || self.longest >= LONGEST_RUN || blocks >= MOST_BLOCKS
    }

    /// Its first series, with about `samples` samples.
    pub(crate) fn first(&self, samples: usize) -> Vec<(SeriesId, Vec<Sample>)> {
        let mut taken = 0;
        self.series
            .iter()
            .take_while(|(_, run)| {
                let more = taken < samples;
                taken += run.len();
                more
            })
            .map(|(series, run)| (*series, run.clone()))
            .collect()
    }

    pub(crate) fn remove(&mut self, series: SeriesId) {
        if let Some(run) = self.series.remove(&series) {
            self.samples -= run.len();
        }
    }
}
