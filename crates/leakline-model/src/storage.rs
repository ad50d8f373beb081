//! The traits that every store of metrics and spans implements.
//!
//! Nothing above these traits knows whether it talks to the embedded store, to memory filled
//! from files, or to a server elsewhere.

use crate::{Labels, Matcher, Resource, Series, Span, TimeRange, Timestamp, TraceId};

/// What arrives together: one OTLP request, or one block of a file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch {
    /// The resources that sent it, with the time of the latest data from each.
    pub resources: Vec<(Resource, Timestamp)>,
    /// Samples by series. The same series may stand here more than once.
    pub series: Vec<Series>,
    /// Spans.
    pub spans: Vec<Span>,
}

impl Batch {
    /// Whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.resources.is_empty() && self.series.is_empty() && self.spans.is_empty()
    }
}

/// A resource and when it was heard of.
#[derive(Clone, Debug, PartialEq)]
pub struct ResourceSighting {
    /// The resource.
    pub resource: Resource,
    /// Time of its first data.
    pub first_seen: Timestamp,
    /// Time of its latest data.
    pub last_seen: Timestamp,
}

/// Which spans are wanted. All conditions must hold.
#[derive(Clone, Debug)]
pub struct SpanSelector {
    /// Of this service only.
    pub service: Option<String>,
    /// Of this operation only.
    pub operation: Option<String>,
    /// Of this trace only.
    pub trace_id: Option<TraceId>,
    /// Only spans that started inside this range.
    pub started: TimeRange,
}

impl SpanSelector {
    /// All spans of `service` that started inside `started`.
    pub fn of_service(service: impl Into<String>, started: TimeRange) -> Self {
        SpanSelector {
            service: Some(service.into()),
            operation: None,
            trace_id: None,
            started,
        }
    }

    /// Whether `span` meets every condition.
    pub fn matches(&self, span: &Span) -> bool {
        self.service
            .as_ref()
            .is_none_or(|service| *service == span.service)
            && self
                .operation
                .as_ref()
                .is_none_or(|operation| *operation == span.operation)
            && self
                .trace_id
                .is_none_or(|trace_id| trace_id == span.trace_id)
            && self.started.contains(span.start)
    }
}

/// Why a store could not answer or keep something.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StorageError {
    /// The disk or the network failed; trying again later may help.
    #[error("storage failed to {action}: {source}")]
    Unavailable {
        /// What was tried, for example `write samples`.
        action: &'static str,
        /// What the layer below said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// What is stored cannot be read; trying again will not help.
    #[error("stored {what} is damaged: {reason}; the rest of the store remains readable")]
    Damaged {
        /// What kind of entry.
        what: &'static str,
        /// What is wrong with it.
        reason: String,
    },
}

/// An answer that is read as it comes, so that it need not fit in memory at once.
pub type Answer<'a, T> = Box<dyn Iterator<Item = Result<T, StorageError>> + 'a>;

/// A store that keeps what it is given.
pub trait Appender: Send + Sync {
    /// Keeps the whole batch, or nothing of it. When this returns, the batch survives the
    /// process being killed. The same sample or span given twice is kept once.
    fn append(&self, batch: &Batch) -> Result<(), StorageError>;
}

/// A store that answers questions.
pub trait Queryable: Send + Sync {
    /// The series whose labels meet all `matchers`, sorted by labels, with their samples inside
    /// `range`; series without a sample there are left out. Times have millisecond precision.
    fn select(
        &self,
        matchers: &[Matcher],
        range: TimeRange,
    ) -> Result<Answer<'_, Series>, StorageError>;

    /// The label sets that meet all `matchers` and have a sample inside `range`, sorted.
    fn series(&self, matchers: &[Matcher], range: TimeRange) -> Result<Vec<Labels>, StorageError>;

    /// The spans that `selector` wants, by start time, then by id.
    fn spans(&self, selector: &SpanSelector) -> Result<Answer<'_, Span>, StorageError>;

    /// The resources that sent anything inside `range`, by first sighting.
    fn resources(&self, range: TimeRange) -> Result<Vec<ResourceSighting>, StorageError>;
}
