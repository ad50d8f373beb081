//! Every threshold of the detector.

/// Every threshold of the detector, with the reason for its default.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Settings {}
