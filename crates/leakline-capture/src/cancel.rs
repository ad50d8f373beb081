//! Ending a capture early, from another thread or a signal handler.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Says to a capture that it is no longer wanted. Clones are one flag; it cannot be taken back.
///
/// It is looked at several times a second while a JVM is waited for, and every 64 MiB while a
/// dump is copied.
#[derive(Clone, Debug, Default)]
pub struct CancellationFlag(Arc<AtomicBool>);

impl CancellationFlag {
    /// Ends the capture with [`crate::CaptureError::Cancelled`], soon.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether the capture is no longer wanted.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl From<Arc<AtomicBool>> for CancellationFlag {
    /// Shares the flag that a signal handler sets.
    fn from(flag: Arc<AtomicBool>) -> Self {
        CancellationFlag(flag)
    }
}
