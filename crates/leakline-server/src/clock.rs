//! The one clock of the server.

use std::time::SystemTime;

use leakline_model::Timestamp;

/// The present, as event time.
pub(crate) fn now() -> Timestamp {
    Timestamp::from(SystemTime::now())
}
