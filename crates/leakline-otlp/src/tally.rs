//! What was wrong with the parts of a request, counted and told in one message.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::text::abridged;

/// A fault of one data point or span, or of a metric and so of all its points.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Fault {
    DeltaTemporality,
    UnknownTemporality,
    MetricName,
    NoTime,
    TimeTooLate,
    NoValue,
    BucketCount,
    BucketOrder,
    TraceId,
    SpanId,
    ParentSpanId,
    NoStart,
    /// Mended, not rejected.
    EndBeforeStart,
    /// Mended, not rejected.
    AttributeKey,
}

impl Fault {
    /// What it is and what to do, after a count.
    fn text(self) -> &'static str {
        match self {
            Fault::DeltaTemporality => {
                "with delta temporality, which is not kept: set \
                 OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE=cumulative in the sender"
            }
            Fault::UnknownTemporality => "of a sum or histogram without aggregation_temporality",
            Fault::MetricName => {
                "of a metric whose name has no ASCII letter or digit to make a Prometheus name of"
            }
            Fault::NoTime => "without time_unix_nano",
            Fault::TimeTooLate => "with a time after the year 2262",
            Fault::NoValue => "with neither as_double nor as_int",
            Fault::BucketCount => "where bucket_counts is not one longer than explicit_bounds",
            Fault::BucketOrder => "where explicit_bounds do not increase",
            Fault::TraceId => "with a trace_id that is not 16 bytes or all zero",
            Fault::SpanId => "with a span_id that is not 8 bytes or all zero",
            Fault::ParentSpanId => "with a parent_span_id that is not 8 bytes",
            Fault::NoStart => "without start_time_unix_nano",
            Fault::EndBeforeStart => "with an end before the start, which is taken for both",
            Fault::AttributeKey => {
                "with an attribute key that has no ASCII letter or digit to make a label of: \
                 attribute left out"
            }
        }
    }

    fn rejects(self) -> bool {
        !matches!(self, Fault::EndBeforeStart | Fault::AttributeKey)
    }
}

struct Found<'a> {
    count: u64,
    /// Name of the first metric or operation that had it.
    first: &'a str,
}

/// Faults by kind, so that the message stays short however much is wrong.
pub(crate) struct Tally<'a> {
    /// What is counted, in the singular.
    item: &'static str,
    found: BTreeMap<Fault, Found<'a>>,
}

impl<'a> Tally<'a> {
    pub(crate) fn of(item: &'static str) -> Self {
        Tally {
            item,
            found: BTreeMap::new(),
        }
    }

    /// Counts `count` items of the metric or operation called `name`.
    pub(crate) fn count(&mut self, fault: Fault, count: usize, name: &'a str) {
        if count == 0 {
            return;
        }
        self.found
            .entry(fault)
            .or_insert(Found {
                count: 0,
                first: name,
            })
            .count += count as u64;
    }

    /// How many items were not kept.
    pub(crate) fn rejected(&self) -> u64 {
        self.found
            .iter()
            .filter(|(fault, _)| fault.rejects())
            .map(|(_, found)| found.count)
            .sum()
    }

    /// One line that tells all; empty when nothing was found.
    pub(crate) fn message(&self) -> String {
        let mut message = String::new();
        for (fault, found) in &self.found {
            let separator = if message.is_empty() { "" } else { "; " };
            let verb = if fault.rejects() { "rejected " } else { "" };
            let plural = if found.count == 1 { "" } else { "s" };
            // writing to a String does not fail
            let _ = write!(
                message,
                "{separator}{verb}{} {}{plural} {} (first in {:?})",
                found.count,
                self.item,
                fault.text(),
                abridged(found.first),
            );
        }
        message
    }
}
