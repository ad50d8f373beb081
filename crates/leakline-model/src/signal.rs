//! Which metric means what: the alias table from the names that SDKs send to canonical signals.
//!
//! Names change between versions of SDKs, and the same Prometheus name carries different labels
//! in different dialects (`jvm_memory_used_bytes` is OpenTelemetry's with `jvm_memory_type`, but
//! Micrometer's with `area`). The table is therefore keyed on name *and* label keys. It works on
//! the Prometheus form of a series, so it serves OTLP, files and Prometheus servers alike.

use crate::Labels;

/// What a runtime tells about itself, whatever the SDK calls it. Sizes are in bytes, times in
/// seconds, counts are plain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Signal {
    /// Heap in use, garbage included. A gauge, in parts (memory pools).
    HeapUsed,
    /// Heap obtained from the operating system. A gauge, in parts.
    HeapCommitted,
    /// The most that the heap may grow to. A gauge, in parts; pools without a limit send none.
    HeapLimit,
    /// Heap in use right after the latest collection *of that pool*. A gauge, in parts. Stale
    /// for a pool that the latest collections did not touch.
    HeapAfterGc,
    /// Memory of the runtime outside the heap (metaspace, code cache). A gauge, in parts.
    NonHeapUsed,
    /// Time spent in garbage collection. A counter of seconds, in parts (collector, action).
    GcPauseSeconds,
    /// Garbage collections. A counter, in parts (collector, action).
    GcCount,
    /// Classes loaded at the moment. A gauge.
    LoadedClasses,
    /// Threads, or goroutines. A gauge, in parts.
    Threads,
    /// Requests handled. A counter, in parts (routes).
    Requests,
}

/// What one series says: a signal, or one part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The signal.
    pub signal: Signal,
    /// Which part of it, for example the memory pool. The signal's value is the sum over parts.
    pub part: String,
    /// Whether the part is a nursery, where new objects live until the next collection
    /// (`Eden`, `new_space`). What stands there says nothing about a leak.
    pub nursery: bool,
}

/// A row of the alias table.
struct Alias {
    /// Metric name as Prometheus has it.
    metric: &'static str,
    /// Labels that must be present with these values; an empty value means "any".
    requires: &'static [(&'static str, &'static str)],
    /// What it means.
    signal: Signal,
    /// Labels whose values together name the part.
    parts: &'static [&'static str],
}

const fn alias(
    metric: &'static str,
    requires: &'static [(&'static str, &'static str)],
    signal: Signal,
    parts: &'static [&'static str],
) -> Alias {
    Alias {
        metric,
        requires,
        signal,
        parts,
    }
}

/// OpenTelemetry Java instrumentation 2.x; names from semantic conventions, `runtime/jvm-metrics`.
const JVM_HEAP: &[(&str, &str)] = &[("jvm_memory_type", "heap")];
const JVM_NON_HEAP: &[(&str, &str)] = &[("jvm_memory_type", "non_heap")];
const JVM_POOL: &[&str] = &["jvm_memory_pool_name"];
const JVM_GC: &[&str] = &["jvm_gc_name", "jvm_gc_action"];
/// OpenTelemetry Java instrumentation before 2.0.
const JVM_1_HEAP: &[(&str, &str)] = &[("type", "heap"), ("pool", "")];
const JVM_1_POOL: &[&str] = &["pool"];
const JVM_1_GC: &[&str] = &["gc", "action"];
/// Micrometer, scraped or over OTLP. A pool without a limit has the limit -1.
const MICROMETER_HEAP: &[(&str, &str)] = &[("area", "heap"), ("id", "")];
const MICROMETER_POOL: &[&str] = &["id"];
const MICROMETER_GC: &[&str] = &["gc", "action", "cause"];
/// Node.js, `@opentelemetry/instrumentation-runtime-node` 0.34.
const V8_SPACE: &[&str] = &["v8js_heap_space_name"];

#[rustfmt::skip]
const ALIASES: &[Alias] = &[
    alias("jvm_memory_used_bytes", JVM_HEAP, Signal::HeapUsed, JVM_POOL),
    alias("jvm_memory_committed_bytes", JVM_HEAP, Signal::HeapCommitted, JVM_POOL),
    alias("jvm_memory_limit_bytes", JVM_HEAP, Signal::HeapLimit, JVM_POOL),
    alias("jvm_memory_used_after_last_gc_bytes", JVM_HEAP, Signal::HeapAfterGc, JVM_POOL),
    alias("jvm_memory_used_bytes", JVM_NON_HEAP, Signal::NonHeapUsed, JVM_POOL),
    alias("jvm_gc_duration_seconds_sum", &[("jvm_gc_name", "")], Signal::GcPauseSeconds, JVM_GC),
    alias("jvm_gc_duration_seconds_count", &[("jvm_gc_name", "")], Signal::GcCount, JVM_GC),
    alias("jvm_class_count", &[], Signal::LoadedClasses, &[]),
    alias("jvm_thread_count", &[], Signal::Threads, &["jvm_thread_daemon", "jvm_thread_state"]),
    alias("process_runtime_jvm_memory_usage_bytes", JVM_1_HEAP, Signal::HeapUsed, JVM_1_POOL),
    alias("process_runtime_jvm_memory_committed_bytes", JVM_1_HEAP, Signal::HeapCommitted, JVM_1_POOL),
    alias("process_runtime_jvm_memory_limit_bytes", JVM_1_HEAP, Signal::HeapLimit, JVM_1_POOL),
    alias("process_runtime_jvm_memory_usage_after_last_gc_bytes", JVM_1_HEAP, Signal::HeapAfterGc, JVM_1_POOL),
    alias("process_runtime_jvm_gc_duration_seconds_sum", &[("gc", "")], Signal::GcPauseSeconds, JVM_1_GC),
    alias("process_runtime_jvm_gc_duration_seconds_count", &[("gc", "")], Signal::GcCount, JVM_1_GC),
    alias("process_runtime_jvm_classes_current_loaded", &[], Signal::LoadedClasses, &[]),
    alias("jvm_memory_used_bytes", MICROMETER_HEAP, Signal::HeapUsed, MICROMETER_POOL),
    alias("jvm_memory_committed_bytes", MICROMETER_HEAP, Signal::HeapCommitted, MICROMETER_POOL),
    alias("jvm_memory_max_bytes", MICROMETER_HEAP, Signal::HeapLimit, MICROMETER_POOL),
    alias("jvm_gc_pause_seconds_sum", &[("action", "")], Signal::GcPauseSeconds, MICROMETER_GC),
    alias("jvm_gc_pause_seconds_count", &[("action", "")], Signal::GcCount, MICROMETER_GC),
    alias("jvm_classes_loaded_classes", &[], Signal::LoadedClasses, &[]),
    alias("v8js_memory_heap_used_bytes", &[("v8js_heap_space_name", "")], Signal::HeapUsed, V8_SPACE),
    alias("v8js_gc_duration_seconds_sum", &[("v8js_gc_type", "")], Signal::GcPauseSeconds, &["v8js_gc_type"]),
    alias("v8js_gc_duration_seconds_count", &[("v8js_gc_type", "")], Signal::GcCount, &["v8js_gc_type"]),
    alias("http_server_request_duration_seconds_count", &[], Signal::Requests,
        &["http_request_method", "http_route", "http_response_status_code", "error_type", "url_scheme"]),
];

impl Alias {
    fn of_labels(labels: &Labels) -> Option<&'static Alias> {
        let name = labels.metric_name();
        ALIASES.iter().find(|alias| {
            alias.metric == name
                && alias.requires.iter().all(|(key, value)| {
                    labels
                        .get(key)
                        .is_some_and(|actual| value.is_empty() || actual == *value)
                })
        })
    }
}

impl Reading {
    /// What the series with these labels says; `None` for a metric that is no runtime signal.
    pub fn of_labels(labels: &Labels) -> Option<Reading> {
        let alias = Alias::of_labels(labels)?;
        let part = alias
            .parts
            .iter()
            .map(|key| labels.get(key).unwrap_or(""))
            .collect::<Vec<_>>()
            .join("/");
        let nursery = is_nursery(&part);
        Some(Reading {
            signal: alias.signal,
            part,
            nursery,
        })
    }
}

/// The labels and values that tell a signal's series from others of the same metric name, for
/// example `jvm_memory_type="heap"`: what a query needs beside the identity of the process.
pub fn required_labels(
    labels: &Labels,
) -> impl Iterator<Item = (&'static str, &'static str)> + use<> {
    let requires = Alias::of_labels(labels).map_or(&[][..], |alias| alias.requires);
    requires
        .iter()
        .copied()
        .filter(|(_, value)| !value.is_empty())
}

/// Every metric name that [`Reading::of_labels`] can understand, each once: what to ask a store for.
pub fn metric_names() -> Vec<&'static str> {
    let mut names: Vec<_> = ALIASES.iter().map(|alias| alias.metric).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// HotSpot calls its nurseries "G1 Eden Space", "PS Eden Space", "Eden Space"; V8 calls its own
/// `new_space` and `new_large_object_space`. ZGC's "Young Generation" is none: what survives stays
/// there for several collections.
fn is_nursery(part: &str) -> bool {
    part.contains("Eden") || part.starts_with("new_")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(labels: &[(&str, &str)], expected: Option<(Signal, &str, bool)>) {
        let reading = Reading::of_labels(&Labels::new(labels.iter().copied()));
        let actual = reading
            .as_ref()
            .map(|r| (r.signal, r.part.as_str(), r.nursery));
        assert_eq!(actual, expected, "{labels:?}");
    }

    #[test]
    fn names_and_label_keys_decide() {
        check(
            &[
                ("__name__", "jvm_memory_used_bytes"),
                ("jvm_memory_type", "heap"),
                ("jvm_memory_pool_name", "G1 Eden Space"),
            ],
            Some((Signal::HeapUsed, "G1 Eden Space", true)),
        );
        check(
            &[
                ("__name__", "jvm_memory_used_bytes"),
                ("jvm_memory_type", "non_heap"),
                ("jvm_memory_pool_name", "Metaspace"),
            ],
            Some((Signal::NonHeapUsed, "Metaspace", false)),
        );
        check(
            &[
                ("__name__", "jvm_gc_duration_seconds_count"),
                ("jvm_gc_name", "G1 Young Generation"),
                ("jvm_gc_action", "end of minor GC"),
            ],
            Some((
                Signal::GcCount,
                "G1 Young Generation/end of minor GC",
                false,
            )),
        );
        check(
            &[("__name__", "jvm_memory_used_bytes"), ("area", "heap")],
            None,
        );
        check(
            &[
                ("__name__", "jvm_memory_used_bytes"),
                ("area", "heap"),
                ("id", "PS Eden Space"),
            ],
            Some((Signal::HeapUsed, "PS Eden Space", true)),
        );
        check(
            &[
                ("__name__", "jvm_gc_pause_seconds_count"),
                ("gc", "G1 Old Generation"),
                ("action", "end of major GC"),
                ("cause", "System.gc()"),
            ],
            Some((
                Signal::GcCount,
                "G1 Old Generation/end of major GC/System.gc()",
                false,
            )),
        );
        check(
            &[
                ("__name__", "process_runtime_jvm_memory_usage_bytes"),
                ("type", "heap"),
                ("pool", "G1 Old Gen"),
            ],
            Some((Signal::HeapUsed, "G1 Old Gen", false)),
        );
        check(&[("__name__", "up")], None);
    }
}
