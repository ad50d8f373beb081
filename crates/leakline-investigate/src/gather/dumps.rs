//! Dumps of one process: put in order, compared where they can be, analysed.

use std::marker::PhantomData;
use std::ops::Range;

use leakline_heap::{
    Analysis, AnalyzeOptions, DumpFacts, Heap, HeapError, HeapIndex, HeapSummary, IndexError,
    LoadOptions, Progress, References,
};

use crate::case::HeapFindings;

/// How dumps are to be analysed.
#[derive(Clone, Copy, Default)]
pub struct DumpOptions<'p> {
    /// Which references hold their referents.
    pub references: References,
    /// Whether the process is known to have warmed up before the first dump.
    pub warmed_up: bool,
    /// Told how far the work on the present dump is.
    pub progress: Option<Progress<'p>>,
}

/// A dump, and perhaps an index of it.
pub trait Dump: Sync {
    /// Why it cannot be read.
    type Error: From<HeapError>;

    /// Its bytes. Not asked for when an index tells all that is needed.
    fn bytes(&self) -> Result<&[u8], Self::Error>;

    /// Which dump of a file that holds several, from 1; the last when `None`.
    fn number(&self) -> Option<u32> {
        None
    }

    /// Told of parts of the dump that need not stay in memory for now.
    fn release(&self, range: Range<usize>);

    /// What is wrong with the file around it, for people; asked for when it was read.
    fn problems(&self) -> &[String] {
        &[]
    }

    /// What an earlier analysis with the same options left behind.
    fn index(&self) -> Option<HeapIndex<'_>> {
        None
    }

    /// Told when what [`Dump::index`] gave cannot be used; the dump is read instead.
    fn refuse_index(&self, _error: IndexError) {}

    /// Whether [`Dump::keep`] is to be called.
    fn is_kept(&self) -> bool {
        false
    }

    /// Given what an index is made of, after the dump was read: the analysis of this dump alone.
    fn keep(&self, _heap: &Heap<'_>, _analysis: &Analysis) {}
}

/// Analyses dumps without indexes, as [`analyze_indexed`] does. `release` is told of parts of a
/// dump that need not stay in memory for now.
///
/// # Errors
///
/// The first error of `dumps`, or of a dump that cannot be read at all.
pub fn analyze<D, E>(
    dumps: impl IntoIterator<Item = Result<D, E>>,
    options: &DumpOptions<'_>,
    release: impl Fn(&D, Range<usize>) + Sync,
) -> Result<(HeapFindings, Vec<DumpFacts>), E>
where
    D: AsRef<[u8]> + Sync,
    E: From<HeapError>,
{
    let dumps = dumps.into_iter().map(|dump| {
        Ok(Plain {
            dump: dump?,
            release: &release,
            error: PhantomData,
        })
    });
    analyze_indexed(dumps, options)
}

/// A dump without an index.
struct Plain<'r, D, R, E> {
    dump: D,
    release: &'r R,
    error: PhantomData<fn() -> E>,
}

impl<D, R, E> Dump for Plain<'_, D, R, E>
where
    D: AsRef<[u8]> + Sync,
    R: Fn(&D, Range<usize>) + Sync,
    E: From<HeapError>,
{
    type Error = E;

    fn bytes(&self) -> Result<&[u8], E> {
        Ok(self.dump.as_ref())
    }

    fn release(&self, range: Range<usize>) {
        (self.release)(&self.dump, range);
    }
}

/// Analyses dumps of one process, at best oldest first: the report on the latest, ranked by
/// growth since the earliest, and the facts of each dump in the order given.
///
/// Dumps are ordered by the times in their headers when all have one. A dump that is given twice
/// counts once; one that cannot be of the same process, or is incomplete, is not compared, and the
/// report is on the latest that is complete. What was left out stands in
/// [`HeapReport::comparison_problems`](leakline_heap::HeapReport::comparison_problems).
///
/// One dump at a time is in memory, and at most two are open; `dumps` is asked for the next only
/// when the one before is done. Of a dump with an index only that is read, if no other came before
/// it.
///
/// # Errors
///
/// The first error of `dumps`, or of a dump that cannot be read at all.
pub fn analyze_indexed<D: Dump>(
    dumps: impl IntoIterator<Item = Result<D, D::Error>>,
    options: &DumpOptions<'_>,
) -> Result<(HeapFindings, Vec<DumpFacts>), D::Error> {
    let mut series = Series::default();
    let mut findings = Some(HeapFindings::default());
    let mut latest: Option<D> = None;
    for dump in dumps {
        let dump = dump?;
        findings = series.add(&dump, options)?;
        if series.latest() + 1 == series.read.len() {
            latest = Some(dump);
        }
    }
    // what was analysed last is not the latest: only now is known what came before the latest
    findings = findings.filter(|_| series.latest() + 1 >= series.read.len());
    let mut findings = match (findings, latest) {
        (Some(findings), _) => findings,
        (None, Some(dump)) => series.judge(&dump, series.latest(), options)?,
        (None, None) => HeapFindings::default(),
    };
    let order = series.chronological();
    if order.last().is_some_and(|last| *last != series.latest()) {
        findings.report.comparison_problems.push(format!(
            "the report is on dump {}, the latest that is complete",
            series.latest() + 1
        ));
    }
    if !order.is_sorted() {
        let problem = "the dumps were not given oldest first; they are compared in the order of the times in their headers";
        let problems = &mut findings.report.comparison_problems;
        problems.insert(0, problem.to_owned());
    }
    let facts = series.read.into_iter().map(|read| read.facts).collect();
    Ok((findings, facts))
}

/// What is kept of a dump that was read.
struct Read {
    facts: DumpFacts,
    summary: HeapSummary,
}

impl Read {
    fn is_complete(&self) -> bool {
        self.facts.complete
    }
}

/// Dumps read so far, in the order given.
#[derive(Default)]
struct Series {
    read: Vec<Read>,
}

impl Series {
    /// Reads one more dump: the findings on it, compared with those before it; `None` when they
    /// are still to be made.
    fn add<D: Dump>(
        &mut self,
        dump: &D,
        options: &DumpOptions<'_>,
    ) -> Result<Option<HeapFindings>, D::Error> {
        let earlier: Vec<usize> = self.chronological();
        let index = dump.index();
        if let Some(mut analysis) = index.and_then(|index| usable(dump, index.analysis())) {
            self.push(&mut analysis, dump);
            // there may come later ones, so that it need not be compared
            return Ok(earlier.is_empty().then(|| findings(analysis, Vec::new())));
        }
        let heap = load(dump, options)?;
        if dump.is_kept() && !earlier.is_empty() {
            let (alone, _) = self.compare(&heap, self.read.len(), &[], options);
            dump.keep(&heap, &alone);
        }
        let (mut analysis, problems) = self.compare(&heap, self.read.len(), &earlier, options);
        if dump.is_kept() && earlier.is_empty() {
            dump.keep(&heap, &analysis);
        }
        self.push(&mut analysis, dump);
        Ok(Some(findings(analysis, problems)))
    }

    fn push(&mut self, analysis: &mut Analysis, dump: &impl Dump) {
        add_problems(&mut analysis.report.dump, dump.problems());
        self.read.push(Read {
            facts: analysis.report.dump.clone(),
            summary: analysis.summary.clone(),
        });
    }

    /// The findings on a dump that was read before, compared with all others.
    fn judge<D: Dump>(
        &self,
        dump: &D,
        number: usize,
        options: &DumpOptions<'_>,
    ) -> Result<HeapFindings, D::Error> {
        let bytes = dump.bytes()?;
        let index = dump.index();
        let heap = match index.and_then(|index| usable(dump, index.heap(Some(bytes)))) {
            Some(heap) => heap,
            None => load(dump, options)?,
        };
        let mut earlier = self.chronological();
        earlier.retain(|other| *other != number);
        let (mut analysis, problems) = self.compare(&heap, number, &earlier, options);
        add_problems(&mut analysis.report.dump, dump.problems());
        Ok(findings(analysis, problems))
    }

    /// The dumps from the earliest to the latest: by their times when all have one, else as given.
    fn chronological(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.read.len()).collect();
        let time = |number: &usize| self.read.get(*number).and_then(|read| read.facts.taken_at);
        if order.iter().all(|number| time(number).is_some()) {
            order.sort_by_key(time);
        }
        order
    }

    /// The dump that the report is on: the latest that is complete, or of incomplete ones the
    /// latest.
    fn latest(&self) -> usize {
        let order = self.chronological();
        let is_complete = |number: &&usize| self.read.get(**number).is_some_and(Read::is_complete);
        let latest = order.iter().rfind(is_complete).or(order.last());
        latest.copied().unwrap_or(0)
    }

    /// Analyses dump `number` against those of `earlier` that can be compared with it, and says
    /// why others cannot.
    fn compare(
        &self,
        heap: &Heap<'_>,
        number: usize,
        earlier: &[usize],
        options: &DumpOptions<'_>,
    ) -> (Analysis, Vec<String>) {
        let analyze = |numbers: &[usize]| {
            let earlier: Vec<HeapSummary> = numbers
                .iter()
                .filter_map(|number| Some(self.read.get(*number)?.summary.clone()))
                .collect();
            let options = AnalyzeOptions {
                earlier: &earlier,
                warmed_up: options.warmed_up,
                progress: options.progress,
                ..AnalyzeOptions::default()
            };
            leakline_heap::analyze(heap, &options)
        };
        let (complete, mut problems) = self.complete(heap, number, earlier);
        let analysis = analyze(&complete);
        let (comparable, others) = self.comparable(&analysis.summary, number, &complete);
        problems.extend(others);
        if comparable.len() == complete.len() {
            (analysis, problems)
        } else {
            (analyze(&comparable), problems)
        }
    }

    /// Which of `earlier` are complete, and what is said of the others; none of them if dump
    /// `number` is not complete itself.
    fn complete(
        &self,
        heap: &Heap<'_>,
        number: usize,
        earlier: &[usize],
    ) -> (Vec<usize>, Vec<String>) {
        let is_complete = |other: &usize| self.read.get(*other).is_some_and(Read::is_complete);
        if !heap.facts().complete && !earlier.is_empty() {
            let problem = format!(
                "dump {} is incomplete: what it lacks would pass for change, so nothing is compared with it",
                number + 1
            );
            return (Vec::new(), vec![problem]);
        }
        let (complete, incomplete): (Vec<usize>, Vec<usize>) =
            earlier.iter().partition(|other| is_complete(other));
        let problem = |other: &usize| {
            format!(
                "dump {} is incomplete: what it lacks would pass for change, so it is left out of the comparison",
                other + 1
            )
        };
        (complete, incomplete.iter().map(problem).collect())
    }

    /// Which of `earlier` can be compared with dump `number`, and what is wrong with the others.
    fn comparable(
        &self,
        last: &HeapSummary,
        number: usize,
        earlier: &[usize],
    ) -> (Vec<usize>, Vec<String>) {
        let mut comparable: Vec<usize> = Vec::new();
        let mut problems = Vec::new();
        for &other in earlier {
            let Some(Read { summary, .. }) = self.read.get(other) else {
                continue;
            };
            let kept = comparable
                .iter()
                .filter_map(|kept| Some((*kept, &self.read.get(*kept)?.summary)));
            let mut known = kept.chain([(number, last)]);
            if let Some((twin, _)) = known.clone().find(|(_, of)| of.is_same_dump(summary)) {
                let (first, second) = numbers(other, twin);
                problems.push(format!(
                    "dumps {first} and {second} are the same dump; it counts once, and shows no growth"
                ));
                continue;
            }
            if !last.can_follow(summary) {
                problems.push(format!(
                    "dump {} is not of the process that dump {} shows: most classes of its program are not there; it is left out of the comparison",
                    other + 1,
                    number + 1
                ));
                continue;
            }
            let time = summary.taken_at();
            if time.is_some()
                && let Some((twin, _)) = known.find(|(_, of)| of.taken_at() == time)
            {
                let (first, second) = numbers(other, twin);
                problems.push(format!(
                    "dumps {first} and {second} have the same time in their headers, so which came first is not known"
                ));
            }
            comparable.push(other);
        }
        (comparable, problems)
    }
}

/// Two dumps as people count them, the lower number first.
fn numbers(a: usize, b: usize) -> (usize, usize) {
    (a.min(b) + 1, a.max(b) + 1)
}

fn load<'d, D: Dump>(dump: &'d D, options: &DumpOptions<'_>) -> Result<Heap<'d>, D::Error> {
    let load = LoadOptions {
        references: options.references,
        dump: dump.number(),
        progress: options.progress,
        release: Some(&|range| dump.release(range)),
    };
    Ok(leakline_heap::load(dump.bytes()?, &load)?)
}

/// What is wrong with the file comes before what is wrong with the dump in it.
pub fn add_problems(facts: &mut DumpFacts, of_file: &[String]) {
    facts.complete &= of_file.is_empty();
    facts.problems.splice(0..0, of_file.iter().cloned());
}

/// What an index gave, unless it cannot be used.
fn usable<T>(dump: &impl Dump, found: Result<T, IndexError>) -> Option<T> {
    found.map_err(|error| dump.refuse_index(error)).ok()
}

fn findings(analysis: Analysis, problems: Vec<String>) -> HeapFindings {
    let mut report = analysis.report;
    report.comparison_problems = problems;
    HeapFindings {
        report,
        growth: analysis.growth,
    }
}
