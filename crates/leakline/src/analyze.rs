//! `leakline analyze`

use leakline_investigate::heap_report;

use crate::args::{AnalyzeArguments, ReferenceKinds};
use crate::{Outcome, dumps, output};

/// Analyses the dumps and writes the report on the latest.
pub fn run(arguments: &AnalyzeArguments) -> anyhow::Result<Outcome> {
    output::check(arguments.report.output.as_deref())?;
    let references = match arguments.references {
        ReferenceKinds::Strong => leakline_heap::References::Strong,
        ReferenceKinds::All => leakline_heap::References::All,
    };
    let indexes = (&arguments.index).into();
    let (findings, _) = dumps::analyze(&arguments.dumps, references, false, indexes)?;
    let (heap, growth) = (&findings.report, &findings.growth);
    let report = &arguments.report;
    let text = heap_report::render(heap, growth, report.format.into());
    output::write(&text, report.output.as_deref())?;
    let found = !heap.suspects.is_empty();
    Ok(if found && report.fail_on_leak {
        Outcome::LeakFound
    } else {
        Outcome::Done
    })
}
