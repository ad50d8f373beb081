//! `leakline heap`

use std::path::Path;

use anyhow::{Context, bail};
use leakline_heap::inspect::{Filter, InspectError, Inspector, Query};
use leakline_heap::{LoadOptions, References, load};
use leakline_investigate::inspect_report::{self, Answer, InspectReport};

use crate::args::{
    FilterArguments, Format, HeapArguments, HeapQuestion, InspectArguments, ReferenceKinds,
};
use crate::progress::Progress;
use crate::{Outcome, dumps, output};

/// Puts the question to the dump and writes the answer.
pub fn run(arguments: &HeapArguments) -> anyhow::Result<Outcome> {
    let (dump, inspect) = match &arguments.question {
        HeapQuestion::Histogram(question) => (&question.dump, &question.inspect),
        HeapQuestion::Dominators(question) => (&question.dump, &question.inspect),
        HeapQuestion::Paths(question) => (&question.dump, &question.inspect),
        HeapQuestion::Object(question) => (&question.dump, &question.inspect),
        HeapQuestion::Find(question) => (&question.dump, &question.inspect),
        HeapQuestion::Threads(question) => (&question.dump, &question.inspect),
        HeapQuestion::Strings(question) => (&question.dump, &question.inspect),
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
        _ => {}
    }
    let text = ask(&arguments.question, dump, inspect)?;
    output::write(&text, inspect.output.as_deref())?;
    Ok(Outcome::Done)
}

fn ask(question: &HeapQuestion, dump: &Path, inspect: &InspectArguments) -> anyhow::Result<String> {
    let cannot = || format!("cannot look into {}", dump.display());
    let bar = Progress::bar("reading");
    let (path, number) = dumps::numbered(dump);
    let file = dumps::open(path, &bar)?;
    let tell = |phase, share| bar.set(dumps::phase_name(phase), share);
    let options = LoadOptions {
        references: match inspect.references {
            ReferenceKinds::Strong => References::Strong,
            ReferenceKinds::All => References::All,
        },
        dump: number,
        progress: Some(&tell),
        release: Some(&|range| file.release(range)),
    };
    let heap = load(file.as_slice(), &options).with_context(cannot)?;
    tell(leakline_heap::Phase::Retain, 0.0);
    let inspector = Inspector::new(&heap);
    let mut facts = inspector.facts().clone();
    facts.complete &= file.problems().is_empty();
    facts.problems.splice(0..0, file.problems().iter().cloned());
    let render = |answer: Answer<'_>| {
        let report = InspectReport {
            dump: &facts,
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
    answer(question, &inspector, file.as_slice(), inspect.limit, render).with_context(cannot)
}

fn answer(
    question: &HeapQuestion,
    inspector: &Inspector<'_, '_>,
    bytes: &[u8],
    limit: usize,
    render: impl Fn(Answer<'_>) -> String,
) -> Result<String, InspectError> {
    let filter = |filter: &FilterArguments| Filter {
        class: filter.class.clone(),
        retained_over: filter.retained_over,
        limit,
    };
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
