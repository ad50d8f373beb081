//! `leakline heap`

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use leakline_heap::inspect::{self, Filter, InspectError, Inspector, Query};
use leakline_heap::{
    AnalyzeOptions, DumpFacts, Heap, HeapError, LoadOptions, References, analyze, load,
};
use leakline_investigate::diff_report::{self, DiffOf, DiffReport};
use leakline_investigate::gather::{self, Dump};
use leakline_investigate::inspect_report::{self, Answer, InspectReport};

use crate::args::{
    FilterArguments, Format, HeapArguments, HeapQuestion, InspectArguments, ReferenceKinds,
};
use crate::dumps::DumpOnDisk;
use crate::progress::{Progress, Step};
use crate::{Outcome, dumps, output};

/// Puts the question to the dump and writes the answer.
pub fn run(arguments: &HeapArguments) -> anyhow::Result<Outcome> {
    let one = std::slice::from_ref::<PathBuf>;
    let (dumps, inspect) = match &arguments.question {
        HeapQuestion::Histogram(question) => (&*question.dumps, &question.inspect),
        HeapQuestion::Dominators(question) => (&*question.dumps, &question.inspect),
        HeapQuestion::Paths(question) => (one(&question.dump), &question.inspect),
        HeapQuestion::Object(question) => (one(&question.dump), &question.inspect),
        HeapQuestion::Find(question) => (one(&question.dump), &question.inspect),
        HeapQuestion::Threads(question) => (one(&question.dump), &question.inspect),
        HeapQuestion::Strings(question) => (one(&question.dump), &question.inspect),
    };
    // better said before a large dump is read
    match &arguments.question {
        HeapQuestion::Paths(question)
            if question.object.is_none() && question.filter.class.is_none() =>
        {
            bail!("say what to find paths to: --class 'com.acme.*', or --object ID");
        }
        HeapQuestion::Find(question)
            if question.value.is_none() && question.filter.class.is_none() =>
        {
            bail!("say what to find: --class 'com.acme.*', or --value TEXT, or both");
        }
        HeapQuestion::Dominators(question)
            if question.object.is_some() && question.dumps.len() > 1 =>
        {
            bail!("an object's id is its address in one dump: give that dump alone with --object");
        }
        _ => {}
    }
    let text = match dumps {
        [dump] => ask(&arguments.question, dump, inspect)?,
        dumps => compare(&arguments.question, dumps, inspect)?,
    };
    output::write(&text, inspect.output.as_deref())?;
    Ok(Outcome::Done)
}

/// The question itself; how long it takes depends on it.
const ANSWERING: Step = Step::new("answering", 10.0);

const STEPS: &[Step] = &[
    dumps::INFLATING,
    dumps::SCANNING,
    dumps::LINKING,
    dumps::RETAINING,
    ANSWERING,
];

fn ask(question: &HeapQuestion, dump: &Path, inspect: &InspectArguments) -> anyhow::Result<String> {
    // sums need nothing but what is in an index
    let needs_bytes = !matches!(question, HeapQuestion::Histogram(_));
    look_into(dump, inspect, needs_bytes, |inspector, facts, bytes| {
        let render = |answer: Answer<'_>| {
            let report = InspectReport {
                dump: facts,
                totals: inspector.totals(),
                answer,
            };
            match inspect.format {
                Format::Text => inspect_report::render_text(&report),
                Format::Markdown => inspect_report::render_markdown(&report),
                Format::Html => inspect_report::render_html(&report),
                Format::Json => inspect_report::render_json(&report),
            }
        };
        answer(question, inspector, bytes, inspect.limit, render)
    })
}

/// What changed over several dumps, of which one at a time is in memory.
fn compare(
    question: &HeapQuestion,
    dumps: &[PathBuf],
    inspect: &InspectArguments,
) -> anyhow::Result<String> {
    let (of, filter, depth) = match question {
        HeapQuestion::Dominators(question) => {
            let depth = question.depth.map_or(2, usize::from);
            (DiffOf::Dominators, &question.filter, depth)
        }
        HeapQuestion::Histogram(question) => (DiffOf::Classes, &question.filter, 0),
        _ => bail!("this question is put to one dump at a time"),
    };
    let filter = as_filter(filter, inspect.limit);
    let mut compared = Vec::new();
    let mut sizes = Vec::new();
    for dump in dumps {
        let (dump, of_dump) = look_into(dump, inspect, false, |inspector, facts, _| {
            let of_dump = match of {
                DiffOf::Classes => inspector.class_sizes(),
                DiffOf::Dominators => inspector.dominator_sizes(&filter, depth),
            };
            let classes = inspector.program_classes();
            let dump = diff_report::Dump::new(facts, inspector.totals(), classes);
            Ok((dump, of_dump))
        })?;
        compared.push(dump);
        sizes.push(of_dump);
    }
    let report = DiffReport {
        dumps: compared,
        of,
        diff: inspect::diff(&sizes, &filter)?,
    };
    Ok(diff_report::render(&report, inspect.format.into()))
}

/// Opens a dump, or its index, and asks about it. The facts include what was wrong with its file;
/// its bytes are handed on if they are needed.
fn look_into<A>(
    dump: &Path,
    inspect: &InspectArguments,
    needs_bytes: bool,
    question: impl FnOnce(&Inspector<'_, '_>, &DumpFacts, &[u8]) -> Result<A, InspectError>,
) -> anyhow::Result<A> {
    let cannot = || format!("cannot look into {}", dump.display());
    let bar = Progress::over(STEPS);
    let tell = |phase, share| bar.set(dumps::phase_name(phase), share);
    let references = match inspect.references {
        ReferenceKinds::Strong => References::Strong,
        ReferenceKinds::All => References::All,
    };
    let dump = DumpOnDisk::find(dump, references, (&inspect.index).into(), &bar);
    let heap = match indexed(&dump, needs_bytes)? {
        Some(heap) => heap,
        None => {
            let bytes = dump.bytes()?;
            loaded(&dump, bytes, references, &tell).with_context(cannot)?
        }
    };
    let inspector = Inspector::with_progress(&heap, Some(&tell));
    bar.set(ANSWERING.name, 0.0);
    let mut facts = inspector.facts().clone();
    gather::add_problems(&mut facts, dump.problems());
    let bytes = if needs_bytes { dump.bytes()? } else { &[] };
    question(&inspector, &facts, bytes).with_context(cannot)
}

fn as_filter(filter: &FilterArguments, limit: usize) -> Filter {
    Filter {
        class: filter.class.clone(),
        retained_over: filter.retained_over,
        limit,
    }
}

/// The heap as the index has it, if there is one that can be used.
fn indexed<'d>(dump: &'d DumpOnDisk<'_>, needs_bytes: bool) -> anyhow::Result<Option<Heap<'d>>> {
    let Some(index) = dump.index() else {
        return Ok(None);
    };
    let bytes = needs_bytes.then(|| dump.bytes()).transpose()?;
    let heap = index.heap(bytes);
    Ok(heap.map_err(|error| dump.refuse_index(error)).ok())
}

/// The heap as it is read from the dump; the index is written if it is to be kept.
fn loaded<'d>(
    dump: &'d DumpOnDisk<'_>,
    bytes: &'d [u8],
    references: References,
    progress: leakline_heap::Progress<'_>,
) -> Result<Heap<'d>, HeapError> {
    let options = LoadOptions {
        references,
        dump: dump.number(),
        progress: Some(progress),
        release: Some(&|range| dump.release(range)),
    };
    let heap = load(bytes, &options)?;
    if dump.is_kept() {
        let options = AnalyzeOptions {
            progress: Some(progress),
            ..AnalyzeOptions::default()
        };
        dump.keep(&heap, &analyze(&heap, &options));
    }
    Ok(heap)
}

fn answer(
    question: &HeapQuestion,
    inspector: &Inspector<'_, '_>,
    bytes: &[u8],
    limit: usize,
    render: impl Fn(Answer<'_>) -> String,
) -> Result<String, InspectError> {
    let filter = |filter: &FilterArguments| as_filter(filter, limit);
    Ok(match question {
        HeapQuestion::Histogram(question) => render(Answer::Histogram(
            &inspector.histogram(&filter(&question.filter))?,
        )),
        HeapQuestion::Dominators(question) => {
            let filter = filter(&question.filter);
            let depth = question.depth.map(usize::from);
            let tree = match question.object {
                Some(id) => inspector.dominated(id, &filter, depth.unwrap_or(2))?,
                None => inspector.dominators(&filter, depth.unwrap_or(0))?,
            };
            render(Answer::Dominators(&tree))
        }
        HeapQuestion::Paths(question) => {
            let paths = match question.object {
                Some(id) => inspector.path_to(id)?,
                None => inspector.paths(&filter(&question.filter))?,
            };
            render(Answer::Paths(&paths))
        }
        HeapQuestion::Object(question) => render(Answer::Object(&inspector.object(
            bytes,
            question.object,
            limit,
        )?)),
        HeapQuestion::Find(question) => {
            let query = Query {
                filter: filter(&question.filter),
                value: question.value.clone(),
                field: question.field.clone(),
            };
            render(Answer::Found(&inspector.find(&query)?))
        }
        HeapQuestion::Threads(question) => render(Answer::Threads(
            &inspector.threads(&filter(&question.filter))?,
        )),
        HeapQuestion::Strings(question) => {
            let filter = Filter {
                class: None,
                retained_over: question.wasted_over,
                limit,
            };
            render(Answer::Strings(&inspector.strings(&filter)))
        }
    })
}
