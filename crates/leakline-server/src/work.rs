//! Carries out what investigations ask for: captures, analyses, correlations.
//!
//! Each piece of work runs on a thread of its own and ends in one event. Work that needs much
//! memory or the target's disk takes turns.

use std::path::PathBuf;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use leakline_capture::{
    Capture, CaptureError, CaptureRequest, Capturer, DumpFile, DumpFileError, Guards,
};
use leakline_correlate::DumpTime;
use leakline_detect::Detector;
use leakline_heap::HeapError;
use leakline_investigate::gather::{self, DumpOptions};
use leakline_investigate::{Action, Dump, Event, HeapFindings, Purpose};
use leakline_model::storage::Queryable;
use leakline_model::{ProcessKey, Resource, TimeRange};
use leakline_store::DiskStore;

/// Between two dumps of one service, whoever asks for them. Short, because the two dumps of one
/// investigation are meant; how often a service is investigated, the watcher decides.
const COOLDOWN: Duration = Duration::from_secs(20);

/// What came of a piece of work, and for which investigation.
pub(crate) type Outcome = (ProcessKey, Event);

pub(crate) struct Workshop {
    store: Arc<DiskStore>,
    detector: Arc<Mutex<Detector>>,
    /// Where dumps go; `None` when none may be taken.
    dumps: Option<PathBuf>,
    /// Held by captures and analyses: one at a time.
    turn: Mutex<()>,
}

impl Workshop {
    pub(crate) fn new(
        store: Arc<DiskStore>,
        detector: Arc<Mutex<Detector>>,
        dumps: Option<PathBuf>,
    ) -> Self {
        Workshop {
            store,
            detector,
            dumps,
            turn: Mutex::new(()),
        }
    }

    /// Begins what `action` asks for; the event that answers it comes through `outcomes`.
    pub(crate) fn begin(
        self: &Arc<Self>,
        process: ProcessKey,
        action: Action,
        outcomes: Sender<Outcome>,
    ) {
        let workshop = self.clone();
        std::thread::spawn(move || {
            if let Some(event) = workshop.carry_out(&process, action) {
                // fails only when the server has stopped
                let _ = outcomes.send((process, event));
            }
        });
    }

    fn carry_out(&self, process: &ProcessKey, action: Action) -> Option<Event> {
        match action {
            Action::Capture { process, purpose } => Some(match self.capture(&process, purpose) {
                Ok(dump) => Event::Captured(dump),
                Err(failure) => Event::CaptureFailed {
                    reason: failure.reason,
                    retry: failure.retry,
                },
            }),
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

    fn capture(&self, process: &ProcessKey, purpose: Purpose) -> Result<Dump, Failure> {
        let Some(directory) = &self.dumps else {
            return Err(Failure::final_(
                "heap dumps are switched off (--capture false)",
            ));
        };
        let resource = self.resource(process)?;
        let target = leakline_capture::find(&resource)
            .map_err(|error| Failure::final_(error.to_string()))?;
        let guards = Guards {
            cooldown: COOLDOWN,
            ..Guards::default()
        };
        let capturer = Capturer::new(directory, guards).map_err(Failure::from)?;
        let mut request = CaptureRequest::heap_dump(target);
        request.service = Some(process.service.clone());
        request.purpose = format!("{} dump: leak suspected", purpose.as_str());
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let capture = capturer.capture(&request, &mut |_| {})?;
        Ok(dump(&capture, purpose))
    }

    /// The latest resource that the process sent.
    fn resource(&self, process: &ProcessKey) -> Result<Resource, Failure> {
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
            .map(|sighting| sighting.resource)
            .ok_or_else(|| Failure::final_("the process has sent no resource attributes"))
    }

    fn analyze(&self, dumps: &[Dump]) -> Result<HeapFindings, AnalysisError> {
        let directory = self.dumps.as_ref().ok_or(AnalysisError::SwitchedOff)?;
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let files = dumps
            .iter()
            .map(|dump| Ok::<_, AnalysisError>(DumpFile::open(directory.join(&dump.name))?));
        let (findings, _) = gather::analyze(files, &DumpOptions::default(), DumpFile::release)?;
        Ok(findings)
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
        sha256: String::new(),
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
