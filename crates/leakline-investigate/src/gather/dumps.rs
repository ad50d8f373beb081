//! Dumps of one process: put in order, compared where they can be, analysed.

use std::ops::Range;

use leakline_heap::{
    Analysis, AnalyzeOptions, DumpFacts, Heap, HeapError, HeapSummary, LoadOptions, Progress,
    References,
};

use crate::case::HeapFindings;

/// How dumps are to be analysed.
#[derive(Clone, Copy, Default)]
pub struct DumpOptions<'p> {
    /// Which references hold their referents.
    pub references: References,
    /// Whether the process is known to have warmed up before the first dump.
    pub warmed_up: bool,
    /// Which dump of each file that holds several, from 1, in the order of the files; the last
    /// where none is named.
    pub numbers: &'p [Option<u32>],
    /// Told how far the work on the present dump is.
    pub progress: Option<Progress<'p>>,
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
/// when the one before is done. `release` is told of parts of a dump that need not stay in memory
/// for now.
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
    let mut series = Series::default();
    let mut findings = HeapFindings::default();
    let mut latest: Option<D> = None;
    for dump in dumps {
        let dump = dump?;
        findings = series.add(
            &Source {
                bytes: dump.as_ref(),
                position: series.read.len(),
                release: &|range| release(&dump, range),
            },
            options,
        )?;
        if series.latest() + 1 == series.read.len() {
            latest = Some(dump);
        }
    }
    // what was analysed last is not the latest: only now is known what came before the latest
    if let Some(dump) = latest.filter(|_| series.latest() + 1 < series.read.len()) {
        let source = Source {
            bytes: dump.as_ref(),
            position: series.latest(),
            release: &|range| release(&dump, range),
        };
        findings = series.judge(&source, options)?;
    }
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

/// An open dump.
struct Source<'s> {
    bytes: &'s [u8],
    /// Position among the dumps given.
    position: usize,
    release: &'s (dyn Fn(Range<usize>) + Sync),
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
    /// Reads one more dump: the findings on it, compared with those before it.
    fn add(
        &mut self,
        source: &Source<'_>,
        options: &DumpOptions<'_>,
    ) -> Result<HeapFindings, HeapError> {
        let heap = load(source, options)?;
        let earlier: Vec<usize> = self.chronological();
        let (analysis, problems) = self.compare(&heap, source.position, &earlier, options);
        self.read.push(Read {
            facts: analysis.report.dump.clone(),
            summary: analysis.summary.clone(),
        });
        Ok(findings(analysis, problems))
    }

    /// The findings on a dump that was read before, compared with all others.
    fn judge(
        &self,
        source: &Source<'_>,
        options: &DumpOptions<'_>,
    ) -> Result<HeapFindings, HeapError> {
        let heap = load(source, options)?;
        let mut earlier = self.chronological();
        earlier.retain(|other| *other != source.position);
        let (analysis, problems) = self.compare(&heap, source.position, &earlier, options);
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

fn load<'s>(source: &Source<'s>, options: &DumpOptions<'s>) -> Result<Heap<'s>, HeapError> {
    let load = LoadOptions {
        references: options.references,
        dump: options.numbers.get(source.position).copied().flatten(),
        progress: options.progress,
        release: Some(source.release),
    };
    leakline_heap::load(source.bytes, &load)
}

fn findings(analysis: Analysis, problems: Vec<String>) -> HeapFindings {
    let mut report = analysis.report;
    report.comparison_problems = problems;
    HeapFindings {
        report,
        growth: analysis.growth,
    }
}
