//! Heap dumps from files, analysed with a progress bar.

use std::cell::Cell;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use leakline_capture::{DumpFile, DumpFileError, OpenOptions};
use leakline_heap::{
    Analysis, DumpFacts, Heap, HeapError, HeapIndex, IndexError, Phase, References,
};
use leakline_investigate::HeapFindings;
use leakline_investigate::gather::{self, Dump, DumpOptions};

use crate::index::{self, IndexUse, OpenIndex, Stamp};
use crate::progress::{Progress, Step};

/// Analyses the dumps at `paths`, oldest first: the findings on the last one, and the facts of
/// each. What is wrong with the file around a dump (gzip that is cut off, say) stands among the
/// dump's problems. `warmed_up` says whether the process had warmed up before the first dump.
pub fn analyze(
    paths: &[PathBuf],
    references: References,
    warmed_up: bool,
    indexes: IndexUse,
) -> anyhow::Result<(HeapFindings, Vec<DumpFacts>)> {
    let sizes: Vec<u64> = paths.iter().map(|path| likely_bytes(path)).collect();
    let bar = Progress::over_items(STEPS, &sizes);
    let tell = |phase: Phase, share: f32| bar.set(phase_name(phase), share);
    let present = Cell::new(None);
    let dumps = paths.iter().enumerate().map(|(number, path)| {
        bar.start_item(number);
        present.set(Some(path));
        Ok(DumpOnDisk::find(path, references, indexes, &bar))
    });
    let options = DumpOptions {
        references,
        warmed_up,
        progress: Some(&tell),
    };
    let result = gather::analyze_indexed(dumps, &options);
    result.map_err(|error| match (error, present.get()) {
        (DumpError::Heap(error), Some(path)) => {
            anyhow::Error::new(error).context(format!("cannot analyse {}", path.display()))
        }
        (error, _) => error.into(),
    })
}

/// About how large a dump is, inflated: the JDK's compression saves four fifths.
fn likely_bytes(path: &Path) -> u64 {
    let (path, _) = numbered(path);
    let bytes = std::fs::metadata(path).map_or(0, |file| file.len());
    let is_gzip = path.extension().is_some_and(|extension| extension == "gz");
    bytes.max(1) * if is_gzip { 5 } else { 1 }
}

/// A dump on disk, opened when its bytes are asked for, and its index.
pub struct DumpOnDisk<'d> {
    path: &'d Path,
    /// Which dump of a file that holds several.
    number: Option<u32>,
    references: References,
    bar: &'d Progress,
    index: Option<OpenIndex>,
    /// What it was before it was read, if an index is to be kept.
    kept: Option<Stamp>,
    file: OnceLock<DumpFile>,
}

impl<'d> DumpOnDisk<'d> {
    /// The dump at `path` ([`numbered`]), and its index if there is one to be used.
    pub fn find(
        path: &'d Path,
        references: References,
        indexes: IndexUse,
        bar: &'d Progress,
    ) -> DumpOnDisk<'d> {
        let (path, number) = numbered(path);
        // an index is of the dump that is read when none is chosen
        let indexes = match number {
            Some(_) => IndexUse::Ignore,
            None => indexes,
        };
        let index = match indexes {
            IndexUse::Ignore => None,
            IndexUse::Use | IndexUse::Keep => OpenIndex::beside(path, references),
        };
        DumpOnDisk {
            path,
            number,
            references,
            bar,
            kept: (indexes == IndexUse::Keep).then(|| Stamp::of(path)),
            index,
            file: OnceLock::new(),
        }
    }

    fn file(&self) -> Result<&DumpFile, DumpFileError> {
        if let Some(file) = self.file.get() {
            return Ok(file);
        }
        let file = open(self.path, self.bar)?;
        Ok(self.file.get_or_init(|| file))
    }
}

impl Dump for DumpOnDisk<'_> {
    type Error = DumpError;

    fn bytes(&self) -> Result<&[u8], DumpError> {
        Ok(self.file()?.as_slice())
    }

    fn number(&self) -> Option<u32> {
        self.number
    }

    fn release(&self, range: Range<usize>) {
        if let Some(file) = self.file.get() {
            file.release(range);
        }
    }

    fn problems(&self) -> &[String] {
        match (self.file.get(), &self.index) {
            (Some(file), _) => file.problems(),
            (None, Some(index)) => index.problems(),
            (None, None) => &[],
        }
    }

    fn index(&self) -> Option<HeapIndex<'_>> {
        self.index.as_ref().and_then(OpenIndex::get)
    }

    fn refuse_index(&self, error: IndexError) {
        if let Some(index) = &self.index {
            index.refuse(error);
        }
    }

    fn is_kept(&self) -> bool {
        self.kept.is_some()
    }

    fn keep(&self, heap: &Heap<'_>, analysis: &Analysis) {
        if let Some(stamp) = self.kept {
            let problems = Dump::problems(self);
            index::write(self.path, stamp, self.references, problems, heap, analysis);
        }
    }
}

/// A name like `heap.hprof#2`, taken apart: the file, and which of the dumps in it. A file that is
/// really called so is meant itself.
pub fn numbered(path: &Path) -> (&Path, Option<u32>) {
    let whole = (path, None);
    let Some((file, number)) = path.to_str().and_then(|name| name.rsplit_once('#')) else {
        return whole;
    };
    match number.parse() {
        Ok(number) if !path.exists() => (Path::new(file), Some(number)),
        _ => whole,
    }
}

/// Why a dump could not be analysed.
#[derive(Debug, thiserror::Error)]
pub enum DumpError {
    /// Its file cannot be opened.
    #[error(transparent)]
    File(#[from] DumpFileError),
    /// It is no heap dump.
    #[error(transparent)]
    Heap(#[from] HeapError),
}

/// Opens one dump, inflated if need be.
pub fn open(path: &Path, bar: &Progress) -> Result<DumpFile, DumpFileError> {
    let mut told = |done: u64, total: u64| {
        bar.set(INFLATING.name, done as f32 / total.max(1) as f32);
    };
    DumpFile::open_with(path, &OpenOptions::default(), &mut told)
}

/// Of gzip files. The weights of this and the other steps are hundredths of the time that a plain
/// dump takes, with two cores.
pub const INFLATING: Step = Step::new("inflating", 25.0);
/// See [`Phase::Scan`].
pub const SCANNING: Step = Step::new("finding objects", 13.0);
/// See [`Phase::Link`].
pub const LINKING: Step = Step::new("reading references", 43.0);
/// See [`Phase::Retain`].
pub const RETAINING: Step = Step::new("computing retained sizes", 20.0);
const REPORTING: Step = Step::new("looking for suspects", 24.0);

const STEPS: &[Step] = &[INFLATING, SCANNING, LINKING, RETAINING, REPORTING];

/// What a phase is called on the progress bar.
pub fn phase_name(phase: Phase) -> &'static str {
    let step = match phase {
        Phase::Scan => SCANNING,
        Phase::Link => LINKING,
        Phase::Retain => RETAINING,
        Phase::Report => REPORTING,
    };
    step.name
}
