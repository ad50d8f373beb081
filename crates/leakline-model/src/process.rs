//! The identity of a running process.

use crate::{Labels, Resource};

/// One process of one version of one service: what leaks, what is dumped, what restarts.
///
/// OpenTelemetry SDKs choose a new `service.instance.id` at each start, so a restart is a new
/// key. Where an instance id outlives restarts (a pod's name, say), the version still parts
/// one deploy from the next, and whoever keeps state per process must watch for resets.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProcessKey {
    /// The service, as in the `job` label.
    pub service: String,
    /// The instance, as in the `instance` label; may be empty.
    pub instance: String,
    /// The version, as in the `service_version` label; may be empty.
    pub version: String,
}

impl ProcessKey {
    /// The process that sends with this resource.
    pub fn of_resource(resource: &Resource) -> Self {
        ProcessKey {
            service: resource.service(),
            instance: resource.instance().to_owned(),
            version: resource.version().to_owned(),
        }
    }

    /// The process that a series with these labels belongs to; `None` without a `job` label.
    pub fn of_labels(labels: &Labels) -> Option<Self> {
        Some(ProcessKey {
            service: labels.get("job")?.to_owned(),
            instance: labels.get("instance").unwrap_or("").to_owned(),
            version: labels.get("service_version").unwrap_or("").to_owned(),
        })
    }

    /// The PromQL label matchers that select this process: `job="…",instance="…"`.
    pub fn selector(&self) -> String {
        let mut text = format!("job={:?}", self.service);
        if !self.instance.is_empty() {
            text += &format!(",instance={:?}", self.instance);
        }
        if !self.version.is_empty() {
            text += &format!(",service_version={:?}", self.version);
        }
        text
    }
}
