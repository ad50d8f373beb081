//! `leakline investigate`

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use leakline_correlate::DumpTime;
use leakline_detect::{Assessment, Verdict};
use leakline_heap::References;
use leakline_investigate::{CaseFile, Dump, LogEntry, Purpose, StepKind, gather};
use leakline_model::Timestamp;
use leakline_model::storage::Appender;
use leakline_store::MemoryStore;

use crate::args::InvestigateArguments;
use crate::index::IndexUse;
use crate::telemetry::{Replay, Telemetry};
use crate::{Outcome, dumps, output};

/// The header of a dump says when it was begun; the heap is that of a moment soon after.
const DUMP_TIME_MARGIN: Duration = Duration::from_secs(1);

/// Investigates from files, as the server would have.
pub fn run(arguments: &InvestigateArguments) -> anyhow::Result<Outcome> {
    output::check(arguments.report.output.as_deref())?;
    let store = MemoryStore::default();
    let replay = read(arguments, &store)?;
    let (assessment, changes) = choose(arguments, &replay)?;
    let detector = &replay.detector;
    let mut case = gather::watched_case(detector, &assessment);
    let before: Vec<Assessment> = changes
        .into_iter()
        .filter(|change| change.at < assessment.at)
        .collect();
    case.assessments.splice(0..0, before);
    if arguments.heap.is_empty() {
        case.shortcomings
            .push("no heap dump was given; add them with --heap".to_owned());
    } else {
        add_dumps(&mut case, &arguments.heap)?;
    }
    if arguments.traces.is_empty() {
        case.shortcomings
            .push("no traces were given; add them with --traces".to_owned());
    } else if let Some((window, growth)) = case.question_for_traces() {
        let floor = detector.plot(&case.process).floor;
        case.traces = Some(gather::correlate(
            &store,
            &case.process,
            window,
            &growth,
            floor,
        )?);
    }
    // the report is of the time of its data, and so comes out the same each time
    let now = case
        .dumps
        .iter()
        .map(|dump| dump.time.latest)
        .fold(assessment.at, Timestamp::max);
    let surroundings = gather::surroundings(detector, &store, &case.process, now)?;
    let investigation = leakline_investigate::build(&case, &surroundings);
    let report = &arguments.report;
    let text = leakline_investigate::render(&investigation, report.format.into());
    output::write(&text, report.output.as_deref())?;
    let leak = investigation.outcome.is_leak();
    Ok(if leak && report.fail_on_leak {
        Outcome::LeakFound
    } else {
        Outcome::Done
    })
}

/// Fills the store and shows the detector what the files hold.
fn read(arguments: &InvestigateArguments, store: &MemoryStore) -> anyhow::Result<Replay> {
    let mut telemetry = Telemetry::open(arguments.metrics.iter().chain(&arguments.traces))?;
    let mut replay = Replay::new();
    while let Some((time, batch)) = telemetry.next_batch()? {
        replay.observe(time, &batch);
        store.append(&batch)?;
    }
    replay.finish();
    telemetry.report_problems();
    Ok(replay)
}

/// The process that looked worst at any time, with its changes of verdict: in files, unlike in a
/// server, it has usually ended.
fn choose(
    arguments: &InvestigateArguments,
    replay: &Replay,
) -> anyhow::Result<(Assessment, Vec<Assessment>)> {
    let wanted = |service: &str| {
        arguments
            .service
            .as_deref()
            .is_none_or(|name| name == service)
    };
    let services = replay.detector.services();
    let processes = services
        .iter()
        .filter(|s| wanted(&s.service))
        .flat_map(|s| &s.processes);
    let changes_of = |process: &Assessment| -> Vec<Assessment> {
        let changes = replay
            .transitions
            .iter()
            .map(|transition| &transition.assessment);
        changes
            .filter(|change| change.process == process.process)
            .cloned()
            .collect()
    };
    let worst = processes
        .map(|process| (process.clone(), changes_of(process)))
        .max_by(|(a, changes_of_a), (b, changes_of_b)| {
            let worst = |latest: &Assessment, changes: &[Assessment]| {
                changes
                    .iter()
                    .map(|change| change.verdict)
                    .max()
                    .max(Some(latest.verdict))
            };
            worst(a, changes_of_a)
                .cmp(&worst(b, changes_of_b))
                .then(a.at.cmp(&b.at))
        });
    match (worst, &arguments.service) {
        (Some(worst), _) => Ok(worst),
        (None, Some(name)) => bail!("no runtime metrics of service {name:?} in the data"),
        (None, None) => bail!("the data has no runtime metrics that leakline knows"),
    }
}

fn add_dumps(case: &mut CaseFile, paths: &[PathBuf]) -> anyhow::Result<()> {
    let leaking = |assessment: &Assessment| assessment.verdict == Verdict::Leaking;
    let warmed_up = case.assessments.iter().any(leaking);
    let (findings, facts) = dumps::analyze(paths, References::Strong, warmed_up, IndexUse::Use)?;
    let mut dumps = Vec::new();
    for (path, facts) in paths.iter().zip(facts) {
        let Some(taken_at) = facts.taken_at else {
            bail!(
                "{} does not say when it was taken, so nothing can be joined with it",
                path.display()
            );
        };
        let metadata = path
            .metadata()
            .with_context(|| format!("cannot read {}", path.display()))?;
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        dumps.push((taken_at, name, metadata.len()));
    }
    dumps.sort();
    for (place, (taken_at, name, bytes)) in dumps.into_iter().enumerate() {
        case.log.push(LogEntry {
            at: taken_at,
            kind: StepKind::Capture,
            text: format!("heap dump {name} was taken"),
        });
        case.dumps.push(Dump {
            purpose: if place == 0 {
                Purpose::Baseline
            } else {
                Purpose::Comparison
            },
            name,
            bytes,
            time: DumpTime::around(taken_at, DUMP_TIME_MARGIN),
        });
    }
    case.heap = Some(findings);
    Ok(())
}
