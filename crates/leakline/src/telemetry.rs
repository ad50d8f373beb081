//! Telemetry from files: OTLP JSON lines, several files put in order of time.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context;
use leakline_detect::{Detector, Transition};
use leakline_model::Timestamp;
use leakline_model::storage::Batch;
use leakline_otlp::Translation;
use leakline_otlp::lines::Reader;

use crate::output;
use crate::progress::Progress;

/// How often a replay forms verdicts, in event time: as often as a server does by default.
const EVALUATION_INTERVAL: Duration = Duration::from_secs(10);

/// The batches of several files, by time of their latest data. Within one file the order of
/// lines is kept: it is the order in which they arrived.
pub struct Telemetry {
    files: Vec<TelemetryFile>,
    progress: Progress,
    total_bytes: u64,
    read_bytes: Arc<AtomicU64>,
}

struct TelemetryFile {
    path: PathBuf,
    reader: Reader<'static>,
    next: Option<(Timestamp, Batch)>,
}

impl Telemetry {
    /// Opens all files; a file given twice is read once.
    pub fn open<'p>(paths: impl IntoIterator<Item = &'p PathBuf>) -> anyhow::Result<Telemetry> {
        let mut unique: Vec<&PathBuf> = Vec::new();
        for path in paths {
            if !unique.contains(&path) {
                unique.push(path);
            }
        }
        let read_bytes = Arc::new(AtomicU64::new(0));
        let mut telemetry = Telemetry {
            files: Vec::new(),
            progress: Progress::bar("reading telemetry"),
            total_bytes: 0,
            read_bytes: read_bytes.clone(),
        };
        for path in unique {
            let (mut file, bytes) = TelemetryFile::open(path, read_bytes.clone())?;
            file.advance()?;
            telemetry.files.push(file);
            telemetry.total_bytes += bytes;
        }
        Ok(telemetry)
    }

    /// The next batch and the time of its latest data; `None` at the end of all files.
    pub fn next_batch(&mut self) -> anyhow::Result<Option<(Timestamp, Batch)>> {
        let done = self.read_bytes.load(Ordering::Relaxed);
        self.progress.set(
            "reading telemetry",
            done as f32 / self.total_bytes.max(1) as f32,
        );
        let earliest = self
            .files
            .iter_mut()
            .filter(|file| file.next.is_some())
            .min_by_key(|file| file.next.as_ref().map(|(time, _)| *time));
        let Some(file) = earliest else {
            return Ok(None);
        };
        let batch = file.next.take();
        file.advance()?;
        Ok(batch)
    }

    /// Says on standard error what could not be read; the rest was.
    pub fn report_problems(&self) {
        for file in &self.files {
            for problem in file.reader.problems().iter().take(5) {
                output::complain(&format!("{}: {problem}", file.path.display()));
            }
            if file.reader.problem_count() > 5 {
                let more = file.reader.problem_count() - 5;
                output::complain(&format!("{}: {more} more problems", file.path.display()));
            }
        }
    }
}

impl TelemetryFile {
    fn open(path: &Path, read_bytes: Arc<AtomicU64>) -> anyhow::Result<(TelemetryFile, u64)> {
        let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
        let bytes = file.metadata().map_or(0, |metadata| metadata.len());
        let counted = CountedRead {
            inner: file,
            read_bytes,
        };
        let reader = Reader::new(counted, Translation::default())
            .with_context(|| format!("cannot read {}", path.display()))?;
        Ok((
            TelemetryFile {
                path: path.to_owned(),
                reader,
                next: None,
            },
            bytes,
        ))
    }

    fn advance(&mut self) -> anyhow::Result<()> {
        self.next = match self.reader.next().transpose() {
            Ok(batch) => batch.map(|batch| (latest_time(&batch), batch)),
            Err(error) => {
                return Err(error).with_context(|| format!("cannot read {}", self.path.display()));
            }
        };
        Ok(())
    }
}

fn latest_time(batch: &Batch) -> Timestamp {
    let samples = batch
        .series
        .iter()
        .flat_map(|series| &series.samples)
        .map(|sample| sample.timestamp);
    let spans = batch.spans.iter().map(|span| span.end);
    samples.chain(spans).max().unwrap_or(Timestamp::MIN)
}

/// Counts what has been read, for the progress bar.
struct CountedRead {
    inner: File,
    read_bytes: Arc<AtomicU64>,
}

impl Read for CountedRead {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.read_bytes.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

/// A detector that is shown telemetry as a server would have been: in event time, with verdicts
/// formed at a fixed interval, so that nothing is known earlier than it was.
pub struct Replay {
    /// The detector, with all that it has been shown.
    pub detector: Detector,
    /// Every change of verdict, by time.
    pub transitions: Vec<Transition>,
    next_evaluation: Option<Timestamp>,
    latest: Timestamp,
}

impl Replay {
    /// A detector that has been shown nothing.
    pub fn new() -> Replay {
        Replay {
            detector: Detector::new(leakline_detect::Settings::default()),
            transitions: Vec::new(),
            next_evaluation: None,
            latest: Timestamp::MIN,
        }
    }

    /// Shows it the next batch, whose latest data is of `time`.
    pub fn observe(&mut self, time: Timestamp, batch: &Batch) {
        let due = *self
            .next_evaluation
            .get_or_insert(time + EVALUATION_INTERVAL);
        if time >= due {
            self.transitions.extend(self.detector.evaluate(due));
            // times without data need no verdicts of their own
            self.next_evaluation = Some(time + EVALUATION_INTERVAL);
        }
        self.detector.observe_batch(batch);
        self.latest = self.latest.max(time);
    }

    /// Forms the last verdicts. Returns the time of the latest data.
    pub fn finish(&mut self) -> Timestamp {
        self.transitions.extend(self.detector.evaluate(self.latest));
        self.latest
    }
}
