//! Heap dumps from files, analysed with a progress bar.

use std::cell::Cell;
use std::path::{Path, PathBuf};

use leakline_capture::{DumpFile, DumpFileError, OpenOptions};
use leakline_heap::{DumpFacts, HeapError, Phase, References};
use leakline_investigate::HeapFindings;
use leakline_investigate::gather::{self, DumpOptions};

use crate::progress::Progress;

/// Analyses the dumps at `paths`, oldest first: the findings on the last one, and the facts of
/// each. What is wrong with the file around a dump (gzip that is cut off, say) stands among the
/// dump's problems. `warmed_up` says whether the process had warmed up before the first dump.
pub fn analyze(
    paths: &[PathBuf],
    references: References,
    warmed_up: bool,
) -> anyhow::Result<(HeapFindings, Vec<DumpFacts>)> {
    let bar = Progress::bar("reading");
    let tell = |phase: Phase, share: f32| bar.set(phase_name(phase), share);
    let mut problems: Vec<Vec<String>> = Vec::new();
    let present = Cell::new(None);
    let named: Vec<(&Path, Option<u32>)> = paths.iter().map(|path| numbered(path)).collect();
    let numbers: Vec<Option<u32>> = named.iter().map(|(_, number)| *number).collect();
    let dumps = paths.iter().zip(&named).map(|(name, (path, _))| {
        present.set(Some(name));
        let file = open(path, &bar)?;
        problems.push(file.problems().to_vec());
        Ok(file)
    });
    let options = DumpOptions {
        references,
        warmed_up,
        numbers: &numbers,
        progress: Some(&tell),
    };
    let result = gather::analyze::<_, DumpError>(dumps, &options, DumpFile::release);
    let (mut findings, mut facts) = result.map_err(|error| match (error, present.get()) {
        (DumpError::Heap(error), Some(path)) => {
            anyhow::Error::new(error).context(format!("cannot analyse {}", path.display()))
        }
        (error, _) => error.into(),
    })?;
    // the report is on one of the dumps, wherever that stands in the order given
    let is_reported = |facts: &DumpFacts| *facts == findings.report.dump;
    let reported = facts.iter().rposition(is_reported);
    for (facts, problems) in facts.iter_mut().zip(problems) {
        facts.complete &= problems.is_empty();
        facts.problems.splice(0..0, problems);
    }
    if let Some(facts) = reported.and_then(|number| facts.get(number)) {
        findings.report.dump = facts.clone();
    }
    Ok((findings, facts))
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
enum DumpError {
    #[error(transparent)]
    File(#[from] DumpFileError),
    #[error(transparent)]
    Heap(#[from] HeapError),
}

/// Opens one dump, inflated if need be.
pub fn open(path: &Path, bar: &Progress) -> Result<DumpFile, DumpFileError> {
    let mut told = |done: u64, total: u64| {
        bar.set(
            "inflating",
            if total == 0 {
                0.0
            } else {
                done as f32 / total as f32
            },
        );
    };
    DumpFile::open_with(path, &OpenOptions::default(), &mut told)
}

/// What a phase is called on the progress bar.
pub fn phase_name(phase: Phase) -> &'static str {
    match phase {
        Phase::Scan => "finding objects",
        Phase::Link => "reading references",
        Phase::Retain => "computing retained sizes",
        Phase::Report => "looking for suspects",
    }
}
