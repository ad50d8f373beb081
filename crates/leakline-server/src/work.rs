//! Carries out what investigations ask for: captures, analyses, correlations.
//!
//! Each piece of work runs on a thread of its own and ends in one event. Work that needs much
//! memory or the target's disk takes turns.

use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use leakline_capture::{
    CancellationFlag, Capture, CaptureError, CaptureRequest, Capturer, DumpFile, DumpFileError,
    FindError, Guards, Sighting,
};
use leakline_correlate::DumpTime;
use leakline_detect::Detector;
use leakline_heap::HeapError;
use leakline_investigate::gather::{self, DumpOptions};
use leakline_investigate::{Action, Dump, Event, HeapFindings, Purpose};
use leakline_model::storage::{Queryable, ResourceSighting};
use leakline_model::{ProcessKey, TimeRange, Timestamp};
use leakline_store::DiskStore;

/// How long a capture may take to end once it is cancelled.
const PATIENCE: Duration = Duration::from_secs(3);

/// What came of a piece of work, and for which investigation.
pub(crate) type Outcome = (ProcessKey, Event);

/// A piece of work, and what it needs to know beside.
pub(crate) struct Job {
    pub(crate) process: ProcessKey,
    pub(crate) action: Action,
    /// The name of the dump that a further one is to be compared with.
    pub(crate) follows: Option<String>,
}

pub(crate) struct Workshop {
    store: Arc<DiskStore>,
    detector: Arc<Mutex<Detector>>,
    /// Where dumps go; `None` when none may be taken.
    dumps: Option<PathBuf>,
    /// Between the first dumps of two investigations of one service.
    cooldown: Duration,
    /// Held by captures and analyses: one at a time.
    turn: Mutex<()>,
    cancellation: CancellationFlag,
}

impl Workshop {
    pub(crate) fn new(
        store: Arc<DiskStore>,
        detector: Arc<Mutex<Detector>>,
        dumps: Option<PathBuf>,
        cooldown: Duration,
    ) -> Self {
        Workshop {
            store,
            detector,
            dumps,
            cooldown,
            turn: Mutex::new(()),
            cancellation: CancellationFlag::default(),
        }
    }

    /// Removes heap dumps that were written before `horizon`.
    pub(crate) fn expire_dumps(&self, horizon: Timestamp) {
        let Some(files) = self
            .dumps
            .as_ref()
            .and_then(|folder| std::fs::read_dir(folder).ok())
        else {
            return;
        };
        for path in files.flatten().map(|file| file.path()) {
            let written = path
                .metadata()
                .and_then(|metadata| metadata.modified())
                .map(Timestamp::from);
            let is_dump = path
                .extension()
                .is_some_and(|extension| extension == "hprof");
            if is_dump && written.is_ok_and(|written| written < horizon) {
                match std::fs::remove_file(&path) {
                    Ok(()) => {
                        tracing::info!(dump = %path.display(), "an old heap dump was removed")
                    }
                    Err(error) => tracing::error!(%error, dump = %path.display(), "cannot remove"),
                }
            }
        }
    }

    /// Begins the work; the event that answers it comes through `outcomes`.
    pub(crate) fn begin(self: &Arc<Self>, job: Job, outcomes: Sender<Outcome>) {
        let workshop = self.clone();
        std::thread::spawn(move || {
            let process = job.process.clone();
            // a bug in an analysis must end one investigation, not all that would follow
            let failure = failure_of(&job.action);
            let work = AssertUnwindSafe(|| workshop.carry_out(job));
            if let Some(event) = std::panic::catch_unwind(work).unwrap_or(failure) {
                // fails only when the server has stopped
                let _ = outcomes.send((process, event));
            }
        });
    }

    /// Cancels a capture that is under way, and waits a little for it to clean up.
    pub(crate) fn cancel(&self) {
        self.cancellation.cancel();
        let deadline = Instant::now() + PATIENCE;
        while matches!(self.turn.try_lock(), Err(TryLockError::WouldBlock))
            && Instant::now() < deadline
        {
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Whether the process is known to run on this host no longer. False when it cannot be told.
    pub(crate) fn has_ended(&self, process: &ProcessKey) -> bool {
        let Ok(resource) = self.resource(process) else {
            return false;
        };
        let sighting = self.sighting(process, &resource);
        matches!(
            leakline_capture::find(&resource.resource, &sighting),
            Err(FindError::NotFound { .. } | FindError::Contradicted { .. })
        )
    }

    fn carry_out(&self, job: Job) -> Option<Event> {
        let process = &job.process;
        match job.action {
            Action::Capture { process, purpose } => {
                Some(match self.capture(&process, purpose, job.follows) {
                    Ok(dump) => Event::Captured(dump),
                    Err(failure) => Event::CaptureFailed {
                        reason: failure.reason,
                        retry: failure.retry,
                    },
                })
            }
            Action::Analyze { dumps } => Some(match self.analyze(&dumps) {
                Ok(findings) => Event::Analyzed(Box::new(findings)),
                Err(error) => Event::AnalysisFailed {
                    reason: error.to_string(),
                },
            }),
            Action::Correlate { window, growth, .. } => {
                let floor = {
                    let detector = self.detector.lock().unwrap_or_else(PoisonError::into_inner);
                    detector.plot(process).floor
                };
                Some(
                    match gather::correlate(&*self.store, process, window, &growth, floor) {
                        Ok(correlation) => Event::Correlated(Box::new(correlation)),
                        Err(error) => Event::CorrelationFailed {
                            reason: error.to_string(),
                        },
                    },
                )
            }
            Action::Wait { .. } | Action::Finish(_) => None,
        }
    }

    fn capture(
        &self,
        process: &ProcessKey,
        purpose: Purpose,
        follows: Option<String>,
    ) -> Result<Dump, Failure> {
        let Some(directory) = &self.dumps else {
            return Err(Failure::final_(
                "heap dumps are switched off (--capture false)",
            ));
        };
        let resource = self.resource(process)?;
        let sighting = self.sighting(process, &resource);
        let target = leakline_capture::find(&resource.resource, &sighting)
            .map_err(|error| Failure::final_(error.to_string()))?;
        let guards = Guards {
            cooldown: self.cooldown,
            ..Guards::default()
        };
        let capturer = Capturer::new(directory, guards).map_err(Failure::from)?;
        let mut request = CaptureRequest::heap_dump(target);
        request.service = Some(process.service.clone());
        request.purpose = format!("{} dump: leak suspected", purpose.as_str());
        request.follows = follows;
        request.cancellation = self.cancellation.clone();
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let capture = capturer.capture(&request, &mut |_| {})?;
        Ok(dump(&capture, purpose))
    }

    /// The latest resource that the process sent.
    fn resource(&self, process: &ProcessKey) -> Result<ResourceSighting, Failure> {
        let sightings = self
            .store
            .resources(TimeRange::ALL)
            .map_err(|error| Failure {
                reason: error.to_string(),
                retry: true,
            })?;
        sightings
            .into_iter()
            .filter(|sighting| ProcessKey::of_resource(&sighting.resource) == *process)
            .max_by_key(|sighting| sighting.last_seen)
            .ok_or_else(|| Failure::final_("the process has sent no resource attributes"))
    }

    /// When the run that the verdict is about was heard of. A resource may be that of earlier
    /// runs too, where the instance is the name of a pod; the detector notices restarts.
    fn sighting(&self, process: &ProcessKey, resource: &ResourceSighting) -> Sighting {
        let detector = self.detector.lock().unwrap_or_else(PoisonError::into_inner);
        let run = detector.plot(process).used.first().map(|(time, _)| *time);
        Sighting {
            first_seen: run.map_or(resource.first_seen, |run| run.max(resource.first_seen)),
            last_seen: resource.last_seen,
        }
    }

    fn analyze(&self, dumps: &[Dump]) -> Result<HeapFindings, AnalysisError> {
        let directory = self.dumps.as_ref().ok_or(AnalysisError::SwitchedOff)?;
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let files = dumps
            .iter()
            .map(|dump| Ok::<_, AnalysisError>(DumpFile::open(directory.join(&dump.name))?));
        // dumps are taken of processes whose metrics grow, and not while these warm up
        let options = DumpOptions {
            warmed_up: true,
            ..DumpOptions::default()
        };
        let (findings, _) = gather::analyze(files, &options, DumpFile::release)?;
        Ok(findings)
    }
}

/// What an action ends in when carrying it out panics.
fn failure_of(action: &Action) -> Option<Event> {
    let reason = "an internal error, which the log tells more of".to_owned();
    match action {
        Action::Capture { .. } => Some(Event::CaptureFailed {
            reason,
            retry: false,
        }),
        Action::Analyze { .. } => Some(Event::AnalysisFailed { reason }),
        Action::Correlate { .. } => Some(Event::CorrelationFailed { reason }),
        Action::Wait { .. } | Action::Finish(_) => None,
    }
}

fn dump(capture: &Capture, purpose: Purpose) -> Dump {
    let name = capture
        .path
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    Dump {
        purpose,
        name,
        bytes: capture.bytes,
        time: DumpTime::of_capture(TimeRange::new(capture.started, capture.finished)),
    }
}

/// Why there are no findings.
#[derive(Debug, thiserror::Error)]
enum AnalysisError {
    #[error("heap dumps are switched off")]
    SwitchedOff,
    #[error(transparent)]
    File(#[from] DumpFileError),
    #[error(transparent)]
    Heap(#[from] HeapError),
}

/// Why there is no dump.
struct Failure {
    reason: String,
    /// Whether trying again later can help.
    retry: bool,
}

impl Failure {
    fn final_(reason: impl Into<String>) -> Self {
        Failure {
            reason: reason.into(),
            retry: false,
        }
    }
}

impl From<CaptureError> for Failure {
    fn from(error: CaptureError) -> Self {
        // what a guard refuses now it may allow later: disk is freed, a cooldown ends
        let retry = matches!(error, CaptureError::Refused(_));
        Failure {
            reason: error.to_string(),
            retry,
        }
    }
}
