//! Metric and label names as Prometheus makes them from OpenTelemetry's.
//!
//! The rules are those of Prometheus' own OTLP receiver with its default settings (strategy
//! `UnderscoreEscapingWithSuffixes`), which follow "Prometheus and OpenMetrics Compatibility" of
//! the OpenTelemetry specification: `jvm.memory.used` in `By` is `jvm_memory_used_bytes`.

/// What of a metric's type shows in its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricKind {
    /// A gauge: takes `_ratio` where its unit is `1`.
    Gauge,
    /// A monotonic sum: takes `_total`.
    Counter,
    /// A sum that may also fall, a histogram or a summary: takes its unit only.
    Other,
}

/// The name of a metric in Prometheus; `None` when nothing of `name` can be kept.
///
/// Everything but ASCII letters, digits and `:` parts the name into words, which are joined with
/// `_`. The unit follows unless it is one of the words already.
///
/// ```
/// use leakline_otlp::{MetricKind, metric_name};
/// assert_eq!(
///     metric_name("dotnet.gc.heap.total_allocated", "By", MetricKind::Counter).as_deref(),
///     Some("dotnet_gc_heap_allocated_bytes_total"),
/// );
/// ```
pub fn metric_name(name: &str, unit: &str, kind: MetricKind) -> Option<String> {
    let mut words: Vec<&str> = name
        .split(|c| !is_name_character(c))
        .filter(|word| !word.is_empty())
        .collect();
    let (unit_word, per_word) = unit_words(unit);
    let mut unit_word = unit_word.as_str();
    let per_word = per_word.trim_end_matches('_');
    if words.contains(&unit_word) {
        unit_word = "";
    }
    if !per_word.is_empty() {
        unit_word = unit_word.strip_suffix('_').unwrap_or(unit_word);
    }
    words.extend([unit_word, per_word].into_iter().filter(|w| !w.is_empty()));
    match kind {
        MetricKind::Counter => move_to_end(&mut words, "total"),
        MetricKind::Gauge if unit == "1" => move_to_end(&mut words, "ratio"),
        MetricKind::Gauge | MetricKind::Other => {}
    }
    let joined = words.join("_");
    let name = if starts_with_digit(&joined) {
        format!("_{joined}")
    } else {
        joined
    };
    (!only_underscores(&name)).then_some(name)
}

/// The label name for an attribute key; `None` when nothing of the key can be kept.
///
/// Everything but ASCII letters, digits and `_` becomes `_`, one for one.
pub fn label_name(key: &str) -> Option<String> {
    let name: String = key
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .collect();
    let name = if starts_with_digit(&name) {
        format!("key_{name}")
    } else if name.starts_with('_') && !name.starts_with("__") {
        // two underscores are a reserved name, which is kept as such
        format!("key{name}")
    } else {
        name
    };
    (!only_underscores(&name)).then_some(name)
}

fn is_name_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == ':'
}

/// Also true of the empty name.
fn only_underscores(name: &str) -> bool {
    name.bytes().all(|byte| byte == b'_')
}

fn starts_with_digit(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_digit())
}

fn move_to_end<'a>(words: &mut Vec<&'a str>, word: &'a str) {
    words.retain(|w| *w != word);
    words.push(word);
}

/// The words for a unit of the form `main/per`; empty for parts that are missing or only
/// annotations such as `{request}`.
fn unit_words(unit: &str) -> (String, String) {
    let (main, per) = unit.split_once('/').unwrap_or((unit, ""));
    let part = |part: &'_ str, spelled_out: fn(&str) -> Option<&'static str>| -> String {
        let part = part.trim();
        if part.contains(['{', '}']) {
            return String::new();
        }
        spelled_out(part).unwrap_or(part).to_owned()
    };
    let main = part(main, unit_word);
    let per = match part(per, per_unit_word) {
        per if per.is_empty() => per,
        per => format!("per_{per}"),
    };
    let per = match clean(&per) {
        per if per == "per_" => String::new(),
        per => per,
    };
    (clean(&main), per)
}

/// Runs of characters that no name may have become one `_`; none at the start.
fn clean(word: &str) -> String {
    let mut out = String::with_capacity(word.len());
    for c in word.chars() {
        if is_name_character(c) {
            out.push(c);
        } else if !out.is_empty() && !out.ends_with('_') {
            out.push('_');
        }
    }
    out
}

/// Units of UCUM, spelled out.
fn unit_word(unit: &str) -> Option<&'static str> {
    Some(match unit {
        "d" => "days",
        "h" => "hours",
        "min" => "minutes",
        "s" => "seconds",
        "ms" => "milliseconds",
        "us" => "microseconds",
        "ns" => "nanoseconds",
        "By" => "bytes",
        "KiBy" => "kibibytes",
        "MiBy" => "mebibytes",
        "GiBy" => "gibibytes",
        "TiBy" => "tibibytes",
        "KBy" => "kilobytes",
        "MBy" => "megabytes",
        "GBy" => "gigabytes",
        "TBy" => "terabytes",
        "m" => "meters",
        "V" => "volts",
        "A" => "amperes",
        "J" => "joules",
        "W" => "watts",
        "g" => "grams",
        "Cel" => "celsius",
        "Hz" => "hertz",
        "1" => "",
        "%" => "percent",
        _ => return None,
    })
}

/// Units behind a `/`, in the singular.
fn per_unit_word(unit: &str) -> Option<&'static str> {
    Some(match unit {
        "s" => "second",
        "m" => "minute",
        "h" => "hour",
        "d" => "day",
        "w" => "week",
        "mo" => "month",
        "y" => "year",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::MetricKind::{Counter, Gauge, Other};
    use super::*;

    /// Expected names are what `prometheus/otlptranslator` 1.0.0 answers; "" stands for an error.
    #[test]
    #[rustfmt::skip]
    fn metric_names_are_those_of_prometheus() {
        let check = |name: &str, unit: &str, kind: MetricKind, expected: &str| {
            assert_eq!(metric_name(name, unit, kind).unwrap_or_default(), expected, "{name} in {unit}");
        };
        check("jvm.memory.used", "By", Other, "jvm_memory_used_bytes");
        check("jvm.memory.used_after_last_gc", "By", Other, "jvm_memory_used_after_last_gc_bytes");
        check("jvm.gc.duration", "s", Other, "jvm_gc_duration_seconds");
        check("jvm.thread.count", "{thread}", Other, "jvm_thread_count");
        check("jvm.class.loaded", "{class}", Counter, "jvm_class_loaded_total");
        check("process.runtime.jvm.memory.usage", "By", Other, "process_runtime_jvm_memory_usage_bytes");
        check("process.runtime.jvm.gc.duration", "ms", Other, "process_runtime_jvm_gc_duration_milliseconds");
        check("v8js.memory.heap.used", "By", Gauge, "v8js_memory_heap_used_bytes");
        check("v8js.memory.heap.space.available_size", "By", Gauge, "v8js_memory_heap_space_available_size_bytes");
        check("nodejs.eventloop.delay.p99", "s", Gauge, "nodejs_eventloop_delay_p99_seconds");
        check("nodejs.eventloop.utilization", "1", Gauge, "nodejs_eventloop_utilization_ratio");
        check("nodejs.eventloop.time", "s", Counter, "nodejs_eventloop_time_seconds_total");
        check("process.runtime.cpython.gc_count", "By", Counter, "process_runtime_cpython_gc_count_bytes_total");
        check("cpython.gc.collected_objects", "{object}", Counter, "cpython_gc_collected_objects_total");
        check("go.config.gogc", "%", Other, "go_config_gogc_percent");
        check("go.memory.allocated", "By", Counter, "go_memory_allocated_bytes_total");
        check("dotnet.gc.heap.total_allocated", "By", Counter, "dotnet_gc_heap_allocated_bytes_total");
        check("dotnet.gc.last_collection.heap.size", "By", Other, "dotnet_gc_last_collection_heap_size_bytes");
        check("dotnet.gc.pause.time", "s", Counter, "dotnet_gc_pause_time_seconds_total");
        check("k8s.container.memory_limit_utilization", "1", Gauge, "k8s_container_memory_limit_utilization_ratio");
        check("http.server.request.duration", "s", Other, "http_server_request_duration_seconds");
        check("http.requests", "1", Counter, "http_requests_total");
        check("http.requests.total", "{request}", Counter, "http_requests_total");
        check("total.total", "1", Counter, "total");
        check("disk.io", "By/s", Gauge, "disk_io_bytes_per_second");
        check("disk.io.bytes", "By/s", Gauge, "disk_io_bytes_per_second");
        check("speed", "m/h", Gauge, "speed_meters_per_hour");
        check("speed_per_second", "{x}/s", Gauge, "speed_per_second_per_second");
        check("queue", "{item}/{worker}", Gauge, "queue");
        check("fuel", "L/100km", Gauge, "fuel_L_per_100km");
        check("odd", "@/@", Gauge, "odd");
        check("odd", "_a_/s", Gauge, "odd_a_per_second");
        check("odd", "a b_", Gauge, "odd_a_b_");
        check("odd", "/s", Gauge, "odd_per_second");
        check("odd", "By/", Gauge, "odd_bytes");
        check("ratio.of.things", "1", Gauge, "of_things_ratio");
        check("temp", " Cel ", Gauge, "temp_celsius");
        check("already_seconds", "s", Counter, "already_seconds_total");
        check("2xx.responses", "", Counter, "_2xx_responses_total");
        check("a__b...c", "", Gauge, "a_b_c");
        check(":rule:sum", "s", Gauge, ":rule:sum_seconds");
        check("größe", "By", Gauge, "gr_e_bytes");
        check("日本", "By", Gauge, "bytes");
        check("日本", "", Gauge, "");
        check("___", "", Gauge, "");
        check("_", "", Counter, "total");
        check("total", "", Counter, "total");
        check("", "s", Gauge, "seconds");
        check("ratio", "1", Gauge, "ratio");
        check("a/b-c", "ms/min", Other, "a_b_c_milliseconds_per_min");
    }

    #[test]
    fn label_names_are_those_of_prometheus() {
        let check = |key: &str, expected: &str| {
            assert_eq!(label_name(key).unwrap_or_default(), expected, "{key}");
        };
        check("service.name", "service_name");
        check("jvm.memory.pool.name", "jvm_memory_pool_name");
        check("http..route", "http__route");
        check("2xx", "key_2xx");
        check("_private", "key_private");
        check("__reserved__", "__reserved__");
        check("__x", "__x");
        check("größe", "gr__e");
        check("日本", "");
        check("_", "key_");
        check("", "");
        check("le", "le");
        check("a-b/c:d", "a_b_c_d");
        check(".x", "key_x");
    }
}
