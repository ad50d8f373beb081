//! PromQL queries that show what the detector saw.

use crate::intake::{Intake, Part};
use leakline_model::ProcessKey;
use leakline_model::signal::{self, Signal};

/// Writes queries for one process.
pub(crate) struct Queries<'a> {
    pub(crate) key: &'a ProcessKey,
    pub(crate) intake: &'a Intake,
}

/// Which pools of the heap.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pools {
    All,
    /// Without nurseries, as the floor is measured.
    Tenured,
}

impl Queries<'_> {
    /// The floor: the lowest the heap stood at in each stretch of `seconds`.
    pub(crate) fn floor(&self, seconds: f64, step: f64) -> String {
        self.selector(Signal::HeapUsed, Pools::Tenured)
            .map(|selector| {
                let (range, step) = (whole_seconds(seconds), whole_seconds(step));
                format!("min_over_time(sum({selector})[{range}:{step}])")
            })
            .unwrap_or_default()
    }

    /// The heap in use.
    pub(crate) fn heap(&self) -> String {
        self.sum(Signal::HeapUsed, Pools::All)
    }

    /// The limit of the pools that the floor is measured in.
    pub(crate) fn limit(&self) -> String {
        self.sum(Signal::HeapLimit, Pools::Tenured)
    }

    /// Classes loaded.
    pub(crate) fn classes(&self) -> String {
        self.sum(Signal::LoadedClasses, Pools::All)
    }

    /// What the latest collections left in the pools that the floor is measured in.
    pub(crate) fn after_gc(&self) -> String {
        self.sum(Signal::HeapAfterGc, Pools::Tenured)
    }

    /// Share of the time spent in collections.
    pub(crate) fn gc_time(&self, seconds: f64) -> String {
        self.rate(Signal::GcPauseSeconds, seconds)
    }

    /// Collections per minute.
    pub(crate) fn gc_frequency(&self, seconds: f64) -> String {
        let rate = self.rate(Signal::GcCount, seconds);
        if rate.is_empty() {
            rate
        } else {
            format!("60 * {rate}")
        }
    }

    fn sum(&self, signal: Signal, pools: Pools) -> String {
        self.selector(signal, pools)
            .map(|selector| format!("sum({selector})"))
            .unwrap_or_default()
    }

    fn rate(&self, signal: Signal, seconds: f64) -> String {
        self.selector(signal, Pools::All)
            .map(|selector| format!("sum(rate({selector}[{}]))", whole_seconds(seconds)))
            .unwrap_or_default()
    }

    /// The series of a signal as they are named here, whatever the SDK.
    fn selector(&self, signal: Signal, pools: Pools) -> Option<String> {
        let parts: Vec<&Part> = self.intake.parts(signal).collect();
        let first = parts.first()?;
        let mut text = format!("{}{{{}", first.labels.metric_name(), self.key.selector());
        for (name, value) in signal::required_labels(&first.labels) {
            text += &format!(",{name}={value:?}");
        }
        if pools == Pools::Tenured {
            let nurseries: Vec<&str> = parts
                .iter()
                .filter(|part| part.nursery)
                .map(|part| part.name.as_str())
                .collect();
            let key = parts.iter().find(|part| part.nursery).and_then(|part| {
                let mut labels = part.labels.iter();
                labels.find(|label| is_part_name(&label.value, part))
            });
            if let Some(key) = key {
                let pattern = nurseries.iter().map(|name| escaped(name));
                let pattern = pattern.collect::<Vec<_>>().join("|");
                text += &format!(",{}!~{pattern:?}", key.name);
            }
        }
        text.push('}');
        Some(text)
    }
}

fn is_part_name(value: &str, part: &Part) -> bool {
    !part.name.is_empty() && value == part.name
}

/// A text as a regular expression that matches it alone.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if r"\.+*?()|[]{}^$".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

fn whole_seconds(seconds: f64) -> String {
    format!("{}s", seconds.clamp(1.0, 1e9).ceil())
}
