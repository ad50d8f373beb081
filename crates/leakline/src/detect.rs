//! `leakline detect`

use std::collections::BTreeMap;

use leakline_detect::{Assessment, Detector, Verdict};
use leakline_investigate::detect_report::{self, ServiceHistory};
use leakline_investigate::plot::PlotView;

use crate::args::DetectArguments;
use crate::telemetry::{Replay, Telemetry};
use crate::{Outcome, output};

/// Judges the services in the files and writes the verdicts.
pub fn run(arguments: &DetectArguments) -> anyhow::Result<Outcome> {
    output::check(arguments.report.output.as_deref())?;
    let mut telemetry = Telemetry::open(&arguments.files)?;
    let mut replay = Replay::new();
    while let Some((time, batch)) = telemetry.next_batch()? {
        replay.observe(time, &batch);
    }
    replay.finish();
    telemetry.report_problems();

    let mut services = histories(&replay, arguments.replay);
    if let Some(name) = &arguments.service {
        services.retain(|service| service.service == *name);
        if services.is_empty() {
            anyhow::bail!("no service {name:?} in the data; without --service all are judged");
        }
    }
    let report = &arguments.report;
    let text = detect_report::render(&services, report.format.into());
    output::write(&text, report.output.as_deref())?;
    let leak = services.iter().any(|service| {
        service
            .transitions
            .iter()
            .any(|transition| transition.verdict == Verdict::Leaking)
    });
    Ok(if leak && report.fail_on_leak {
        Outcome::LeakFound
    } else {
        Outcome::Done
    })
}

/// All services with their changes of verdict or, without `replay`, their last verdicts.
fn histories(replay: &Replay, all_transitions: bool) -> Vec<ServiceHistory> {
    let mut transitions: BTreeMap<&str, Vec<Assessment>> = BTreeMap::new();
    for transition in &replay.transitions {
        let service = transition.assessment.process.service.as_str();
        transitions
            .entry(service)
            .or_default()
            .push(transition.assessment.clone());
    }
    let services = replay.detector.services().into_iter();
    services
        .map(|service| ServiceHistory {
            transitions: if all_transitions {
                transitions
                    .remove(service.service.as_str())
                    .unwrap_or_default()
            } else {
                service.processes.clone()
            },
            plot: service
                .processes
                .first()
                .map(|worst| plot(&replay.detector, worst))
                .unwrap_or_default(),
            service: service.service,
            verdict: service.verdict,
            processes: service.processes,
        })
        .collect()
}

fn plot(detector: &Detector, worst: &Assessment) -> PlotView {
    let deploys = detector.deploys(&worst.process.service);
    PlotView {
        plot: detector.plot(&worst.process),
        limit_bytes: worst.limit_bytes,
        eta: worst.eta,
        onset: worst.onset,
        deploys: deploys
            .into_iter()
            .map(|deploy| (deploy.at, deploy.version))
            .collect(),
        ..PlotView::default()
    }
}
