//! Forms verdicts at a fixed interval and conducts the investigations that they open.
//!
//! One thread owns all investigations. What takes long (a capture, an analysis) runs on a thread
//! of its own and reports back as an event, so that verdicts on other services do not wait.

use std::collections::BTreeMap;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use leakline_detect::{Assessment, Detector, Transition, Verdict};
use leakline_investigate::{Action, CaseFile, Event, Form, Investigation, Surroundings, gather};
use leakline_model::{ProcessKey, Timestamp};
use tokio::sync::{broadcast, watch};

use crate::admission::Admission;
use crate::archive::{Archive, InvestigationEntry};
use crate::clock::now;
use crate::error::ServerError;
use crate::receiver::Receiver;
use crate::settings::Settings;
use crate::work::{Job, Outcome, Workshop};

/// A process under investigation that has sent nothing for this long is looked for.
const SILENCE: Duration = Duration::from_secs(60);
/// And after this long it has ended, wherever it ran: longer than an outage of the network or a
/// Collector usually lasts.
const GONE_AFTER: Duration = Duration::from_secs(15 * 60);
/// How soon a told stop is noticed.
const STOP_LATENCY: Duration = Duration::from_millis(200);
/// How often old data is dropped from the store.
const EXPIRY_INTERVAL: Duration = Duration::from_secs(600);

/// Something that happened, for logs and for those who watch.
#[derive(Clone, Debug)]
pub enum Notice {
    /// The verdict on a process changed.
    Verdict(Box<Transition>),
    /// An investigation took a step.
    Step {
        /// When.
        at: Timestamp,
        /// Of which service.
        service: String,
        /// What was done or found, without a final full stop.
        text: String,
    },
    /// An investigation is over and its report is written.
    Finished {
        /// Of which service.
        service: String,
        /// Its name in the [`Archive`].
        id: String,
    },
}

/// An investigation under way.
struct Open {
    entry: InvestigationEntry,
    investigation: Investigation,
    /// How many entries of its log have been told.
    told: usize,
}

pub(crate) struct Watcher {
    interval: Duration,
    cooldown: Duration,
    retention: Duration,
    receiver: Arc<Receiver>,
    archive: Archive,
    workshop: Arc<Workshop>,
    notices: broadcast::Sender<Notice>,
    open: BTreeMap<ProcessKey, Open>,
    outcomes: (mpsc::Sender<Outcome>, mpsc::Receiver<Outcome>),
}

impl Watcher {
    pub(crate) fn new(
        settings: &Settings,
        receiver: Arc<Receiver>,
        archive: Archive,
        notices: broadcast::Sender<Notice>,
    ) -> Self {
        Watcher {
            interval: settings.evaluation_interval.max(Duration::from_millis(100)),
            cooldown: settings.capture_cooldown,
            retention: settings.retention,
            workshop: Arc::new(Workshop::new(
                receiver.store.clone(),
                receiver.detector.clone(),
                settings.capture.then(|| settings.data.join("dumps")),
                settings.capture_cooldown,
            )),
            receiver,
            archive,
            notices,
            open: BTreeMap::new(),
            outcomes: mpsc::channel(),
        }
    }

    /// Works until told to stop. A capture under way is then cancelled, other work abandoned.
    pub(crate) async fn run(self, stopped: watch::Receiver<bool>) -> Result<(), ServerError> {
        tokio::task::spawn_blocking(move || self.watch(&stopped))
            .await
            .map_err(|error| ServerError::Stopped {
                purpose: "detection",
                reason: error.to_string(),
            })
    }

    fn watch(mut self, stopped: &watch::Receiver<bool>) {
        let mut next_evaluation = Instant::now();
        let mut next_expiry = Instant::now();
        // an error means that the server was dropped without being told to stop
        while !*stopped.borrow() && stopped.has_changed().is_ok() {
            let wait = next_evaluation
                .saturating_duration_since(Instant::now())
                .min(STOP_LATENCY);
            match self.outcomes.1.recv_timeout(wait) {
                Ok((process, event)) => self.tell(&process, event),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
            }
            if Instant::now() >= next_evaluation {
                self.evaluate(now());
                next_evaluation = Instant::now() + self.interval;
            }
            if Instant::now() >= next_expiry {
                if let Err(error) = self.receiver.store.expire(now()) {
                    tracing::error!(%error, "old data cannot be dropped");
                }
                self.workshop.expire_dumps(now() - self.retention);
                next_expiry = Instant::now() + EXPIRY_INTERVAL;
            }
        }
        self.workshop.cancel();
    }

    fn evaluate(&mut self, now: Timestamp) {
        let receiver = self.receiver.clone();
        let mut detector = receiver
            .detector
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let transitions = detector.evaluate(now);
        for transition in &transitions {
            let assessment = &transition.assessment;
            tracing::info!(
                service = assessment.process.service,
                instance = assessment.process.instance,
                version = assessment.process.version,
                verdict = assessment.verdict.as_str(),
                "verdict changed"
            );
            // fails only when nobody watches
            let _ = self
                .notices
                .send(Notice::Verdict(Box::new(transition.clone())));
        }
        let under_way: Vec<ProcessKey> = self.open.keys().cloned().collect();
        let judged: Vec<Outcome> = under_way
            .iter()
            .filter_map(|process| judged(&detector, process))
            .collect();
        let silent: Vec<(ProcessKey, Duration)> = under_way
            .into_iter()
            .map(|process| (process.clone(), silence(&detector, &process, now)))
            .filter(|(_, silence)| *silence > SILENCE)
            .collect();
        for assessment in worrying(&detector) {
            let entries = self.archive.entries();
            let admission = Admission {
                now,
                cooldown: self.cooldown,
                entries: &entries,
            };
            let last_seen = detector
                .last_seen(&assessment.process)
                .unwrap_or(assessment.at);
            if admission.admits(&assessment, last_seen) {
                let floor = latest_floor(&detector, &assessment.process);
                let first_seen = detector
                    .first_seen(&assessment.process)
                    .unwrap_or(assessment.at);
                self.open(assessment, floor, first_seen, now);
            }
        }
        drop(detector);
        for (process, event) in judged {
            self.tell(&process, event);
        }
        for (process, silence) in silent {
            // the network may be out, and the process none the worse for it
            if silence > GONE_AFTER || self.workshop.has_ended(&process) {
                self.tell(&process, Event::ProcessGone);
            }
        }
        let processes: Vec<ProcessKey> = self.open.keys().cloned().collect();
        processes
            .iter()
            .for_each(|process| self.advance(process, now));
    }

    fn open(
        &mut self,
        assessment: Assessment,
        floor: Option<f64>,
        first_seen: Timestamp,
        now: Timestamp,
    ) {
        let process = assessment.process.clone();
        let entry = InvestigationEntry {
            id: Archive::id(&process.service, now),
            service: process.service.clone(),
            version: process.version.clone(),
            instance: process.instance.clone(),
            opened: now.to_string(),
            finished: None,
            outcome: None,
            headline: "suspected to leak; evidence is being gathered".to_owned(),
        };
        tracing::info!(
            service = process.service,
            id = entry.id,
            "investigation opened"
        );
        self.save(&entry);
        let settings = leakline_investigate::Settings::default();
        let investigation = Investigation::open(assessment, floor, first_seen, settings);
        self.open.insert(
            process,
            Open {
                entry,
                investigation,
                told: 0,
            },
        );
    }

    fn tell(&mut self, process: &ProcessKey, event: Event) {
        let now = now();
        if let Some(open) = self.open.get_mut(process) {
            open.investigation.handle(now, event);
        }
        self.advance(process, now);
    }

    /// Does what the investigation asks for, until it has to wait.
    fn advance(&mut self, process: &ProcessKey, now: Timestamp) {
        let Some(open) = self.open.get_mut(process) else {
            return;
        };
        loop {
            let action = open.investigation.poll(now);
            match action {
                Action::Wait { .. } => break,
                Action::Finish(case) => {
                    let id = open.entry.id.clone();
                    self.tell_steps(process);
                    self.finish(&id, *case, now);
                    return;
                }
                work => {
                    let latest_dump = open.investigation.case().dumps.last();
                    let follows = latest_dump.map(|dump| dump.name.clone());
                    let job = Job {
                        process: process.clone(),
                        action: work,
                        follows,
                    };
                    self.workshop.begin(job, self.outcomes.0.clone());
                }
            }
        }
        self.tell_steps(process);
    }

    fn tell_steps(&mut self, process: &ProcessKey) {
        let Some(open) = self.open.get_mut(process) else {
            return;
        };
        let log = &open.investigation.case().log;
        for step in log.iter().skip(open.told) {
            let service = process.service.clone();
            tracing::info!(service, step = step.text, "investigation");
            let _ = self.notices.send(Notice::Step {
                at: step.at,
                service,
                text: step.text.clone(),
            });
        }
        open.told = log.len();
    }

    fn finish(&mut self, id: &str, case: CaseFile, now: Timestamp) {
        let process = case.process.clone();
        let surroundings = self.surroundings(&process, now);
        let report = leakline_investigate::build(&case, &surroundings);
        for form in Form::ALL {
            let text = leakline_investigate::render(&report, form);
            if let Err(error) = self.archive.save_report(id, form, &text) {
                tracing::error!(%error, id, "the report cannot be written");
            }
        }
        if let Some(mut open) = self.open.remove(&process) {
            open.entry.finished = Some(now.to_string());
            open.entry.outcome = Some(report.outcome.as_str().to_owned());
            open.entry.headline = report.headline.clone();
            self.save(&open.entry);
        }
        tracing::info!(service = process.service, id, "investigation finished");
        let _ = self.notices.send(Notice::Finished {
            service: process.service.clone(),
            id: id.to_owned(),
        });
    }

    fn surroundings(&self, process: &ProcessKey, now: Timestamp) -> Surroundings {
        let detector = self
            .receiver
            .detector
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        gather::surroundings(&detector, &*self.receiver.store, process, now).unwrap_or_else(
            |error| {
                // without its deploys the timeline is poorer, and the report still right
                tracing::warn!(%error, "the timeline misses the deploys");
                Surroundings {
                    now,
                    plot: detector.plot(process),
                    ..Surroundings::default()
                }
            },
        )
    }

    fn save(&self, entry: &InvestigationEntry) {
        if let Err(error) = self.archive.save_entry(entry) {
            tracing::error!(%error, id = entry.id, "the investigation cannot be saved");
        }
    }
}

/// What the detector now says of a process under investigation.
fn judged(detector: &Detector, process: &ProcessKey) -> Option<Outcome> {
    let assessment = detector.assessment(process)?.clone();
    let floor = latest_floor(detector, process);
    Some((process.clone(), Event::Assessed { assessment, floor }))
}

/// How long a process has been silent.
fn silence(detector: &Detector, process: &ProcessKey, now: Timestamp) -> Duration {
    let last_seen = detector.last_seen(process);
    last_seen.map_or(Duration::ZERO, |last_seen| now.duration_since(last_seen))
}

fn latest_floor(detector: &Detector, process: &ProcessKey) -> Option<f64> {
    detector.plot(process).floor.last().map(|(_, bytes)| *bytes)
}

/// Processes that are suspected or leaking, the worst first.
fn worrying(detector: &Detector) -> Vec<Assessment> {
    let mut processes: Vec<Assessment> = detector
        .services()
        .into_iter()
        .flat_map(|service| service.processes)
        .filter(|process| process.verdict >= Verdict::Suspected)
        .collect();
    processes.sort_by(|a, b| {
        b.verdict
            .cmp(&a.verdict)
            .then(b.confidence.total_cmp(&a.confidence))
    });
    processes
}
