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
    if joined.bytes().all(|byte| byte == b'_') {
        return None;
    }
    Some(if starts_with_digit(&joined) {
        format!("_{joined}")
    } else {
        joined
    })
}

/// The label name for an attribute key; `None` when nothing of the key can be kept.
///
/// Everything but ASCII letters, digits and `_` becomes `_`, one for one.
pub fn label_name(key: &str) -> Option<String> {
    let name: String = key
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .collect();
    if name.bytes().all(|byte| byte == b'_') {
        return None;
    }
    Some(if starts_with_digit(&name) {
        format!("key_{name}")
    } else if name.starts_with('_') && !name.starts_with("__") {
        // one leading underscore is left to Prometheus' own use, two are reserved names kept as such
        format!("key{name}")
    } else {
        name
    })
}

fn is_name_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == ':'
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
