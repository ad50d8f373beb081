//! The one way in: whatever the protocol, a request is translated, stored, shown to the detector
//! and, if wanted, recorded.

use std::fs::File;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use leakline_detect::Detector;
use leakline_model::storage::{Appender, StorageError};
use leakline_otlp::{
    ExportMetricsServiceRequest, ExportMetricsServiceResponse, ExportTraceServiceRequest,
    ExportTraceServiceResponse, OtlpMessage, Translated, Translation, lines,
};
use leakline_store::DiskStore;

use crate::token::Token;

/// A request of OTLP: what it means, and how it is answered.
pub(crate) trait Export: OtlpMessage + 'static {
    /// Says what was turned away, if anything was.
    type Response: OtlpMessage + for<'a> From<&'a Translated>;

    fn translate(&self, translation: &Translation) -> Translated;

    fn record(&self, recording: &mut lines::Writer<File>) -> io::Result<()>;
}

impl Export for ExportMetricsServiceRequest {
    type Response = ExportMetricsServiceResponse;

    fn translate(&self, translation: &Translation) -> Translated {
        leakline_otlp::translate_metrics(self, translation)
    }

    fn record(&self, recording: &mut lines::Writer<File>) -> io::Result<()> {
        recording.metrics(self)
    }
}

impl Export for ExportTraceServiceRequest {
    type Response = ExportTraceServiceResponse;

    fn translate(&self, _: &Translation) -> Translated {
        leakline_otlp::translate_traces(self)
    }

    fn record(&self, recording: &mut lines::Writer<File>) -> io::Result<()> {
        recording.traces(self)
    }
}

/// Counts for `/metrics`, since the start of the server.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) requests: AtomicU64,
    pub(crate) samples: AtomicU64,
    pub(crate) spans: AtomicU64,
    pub(crate) rejected: AtomicU64,
}

/// Takes decoded OTLP requests.
pub(crate) struct Receiver {
    pub(crate) store: Arc<DiskStore>,
    pub(crate) detector: Arc<Mutex<Detector>>,
    pub(crate) recording: Option<Mutex<lines::Writer<File>>>,
    pub(crate) translation: Translation,
    pub(crate) token: Token,
    pub(crate) counters: Counters,
}

impl Receiver {
    /// Stores what can be kept of a request; then it survives the server being killed. Blocks on
    /// the disk.
    pub(crate) fn receive<E: Export>(&self, request: &E) -> Result<E::Response, StorageError> {
        let translated = request.translate(&self.translation);
        self.store.append(&translated.batch)?;
        self.detector
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .observe_batch(&translated.batch);
        if let Some(recording) = &self.recording {
            let mut recording = recording.lock().unwrap_or_else(PoisonError::into_inner);
            // the data itself is stored: a recording that fails is no reason to turn it away
            if let Err(error) = request.record(&mut recording) {
                tracing::error!(%error, "cannot write to the recording");
            }
        }
        self.count(&translated);
        Ok(E::Response::from(&translated))
    }

    fn count(&self, translated: &Translated) {
        let batch = &translated.batch;
        let samples: usize = batch.series.iter().map(|series| series.samples.len()).sum();
        self.counters.requests.fetch_add(1, Ordering::Relaxed);
        self.counters
            .samples
            .fetch_add(samples as u64, Ordering::Relaxed);
        self.counters
            .spans
            .fetch_add(batch.spans.len() as u64, Ordering::Relaxed);
        self.counters
            .rejected
            .fetch_add(translated.rejected, Ordering::Relaxed);
    }
}
