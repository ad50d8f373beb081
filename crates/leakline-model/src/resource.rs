//! What sends telemetry: a process and where it runs.

use std::collections::BTreeMap;

/// The attributes of an OpenTelemetry resource, as text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resource {
    /// Attributes by key, for example `process.pid`. Values that are not text are kept as JSON.
    pub attributes: BTreeMap<String, String>,
}

impl Resource {
    /// From pairs of key and value.
    pub fn new<K: Into<String>, V: Into<String>>(pairs: impl IntoIterator<Item = (K, V)>) -> Self {
        Resource {
            attributes: pairs
                .into_iter()
                .map(|(k, v)| (k.into(), v.into()))
                .collect(),
        }
    }

    /// The attribute under `key`, if there is one and it is not empty.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.attributes
            .get(key)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// The service as Prometheus' `job` label has it: `service.namespace/service.name`, or the
    /// name alone; `unknown_service` when none was sent.
    pub fn service(&self) -> String {
        let name = self.get("service.name").unwrap_or("unknown_service");
        match self.get("service.namespace") {
            Some(namespace) => format!("{namespace}/{name}"),
            None => name.to_owned(),
        }
    }

    /// `service.instance.id`; empty when not sent.
    pub fn instance(&self) -> &str {
        self.get("service.instance.id").unwrap_or("")
    }

    /// `service.version`; empty when not sent.
    pub fn version(&self) -> &str {
        self.get("service.version").unwrap_or("")
    }
}
