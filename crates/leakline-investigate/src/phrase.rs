//! Numbers as people say them.

use std::time::Duration;

use leakline_detect::Eta;
use leakline_heap::{GrowthKind, GrowthRate, Per};
use leakline_model::{ByteSize, TimeRange, Timestamp, duration_text};

use crate::prose::Prose;

/// Bytes per hour in the unit that makes the number easy: `31.2 MiB a minute`, `4.10 MiB a day`.
pub(crate) fn rate(bytes_per_hour: f64) -> String {
    const MIB: f64 = 1024.0 * 1024.0;
    let magnitude = bytes_per_hour.abs();
    let (value, unit) = if magnitude >= 60.0 * MIB {
        (magnitude / 60.0, "a minute")
    } else if magnitude >= MIB {
        (magnitude, "an hour")
    } else {
        (magnitude * 24.0, "a day")
    };
    let sign = if bytes_per_hour < 0.0 { "−" } else { "" };
    format!("{sign}{} {unit}", ByteSize(value as u64))
}

/// A count per minute, or per hour where that is clearer.
pub(crate) fn count_rate(per_minute: f64) -> String {
    if per_minute.abs() >= 1.0 {
        format!("{} a minute", number(per_minute))
    } else {
        format!("{} an hour", number(per_minute * 60.0))
    }
}

/// `minute` or `dump`.
pub(crate) fn per(per: Per) -> &'static str {
    match per {
        Per::Minute => "minute",
        Per::Dump => "dump",
    }
}

/// A count over time: `100 a minute`, `2.50 an hour`, `1,000 a dump`.
pub(crate) fn objects_rate(rate: GrowthRate) -> String {
    match rate.per {
        Per::Minute => count_rate(rate.objects),
        Per::Dump => format!("{} a dump", number(rate.objects)),
    }
}

/// Bytes over time, by the minute if that is much: `31.2 MiB a minute`, `4.10 MiB a dump`.
pub(crate) fn bytes_rate(rate: GrowthRate) -> String {
    match rate.per {
        Per::Minute if rate.bytes >= 1024.0 => {
            format!("{} a minute", ByteSize(rate.bytes as u64))
        }
        Per::Minute => self::rate(rate.bytes * 60.0),
        Per::Dump => format!("{} a dump", ByteSize(rate.bytes.max(0.0) as u64)),
    }
}

/// In which manner something grows, for a table.
pub(crate) fn growth_kind(kind: GrowthKind) -> &'static str {
    match kind {
        GrowthKind::WarmUp => "warm-up",
        other => other.as_str(),
    }
}

/// The shape of a series, one block for each value: `▂▄▆█`; the largest is a full block.
pub(crate) fn bars(values: &[u64]) -> String {
    const BLOCKS: [char; 9] = ['·', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let largest = values.iter().copied().max().unwrap_or(0).max(1);
    let block = |value: &u64| {
        let height = (*value as f64 / largest as f64 * 8.0).ceil() as usize;
        BLOCKS.get(height).copied().unwrap_or('·')
    };
    values.iter().map(block).collect()
}

/// Three significant digits, thousands grouped: `2,914`, `31.2`, `1.00`, `0.031`.
pub(crate) fn number(value: f64) -> String {
    let magnitude = value.abs();
    let text = if magnitude >= 99.95 {
        leakline_model::grouped(magnitude.round() as u64)
    } else if magnitude >= 9.995 {
        format!("{magnitude:.1}")
    } else if magnitude >= 0.0995 {
        format!("{magnitude:.2}")
    } else {
        format!("{magnitude:.3}")
    };
    if value < 0.0 {
        format!("−{text}")
    } else {
        text
    }
}

/// `87 %`.
pub(crate) fn percent(share: f64) -> String {
    let percent = share * 100.0;
    if percent > 0.0 && percent < 1.0 {
        format!("{percent:.1} %")
    } else {
        format!("{percent:.0} %")
    }
}

/// Whether all these times fall on one day.
pub(crate) fn one_day(times: &[Timestamp]) -> bool {
    let day = |t: &Timestamp| t.to_string().split('T').next().map(str::to_owned);
    times.windows(2).all(|pair| day(&pair[0]) == day(&pair[1]))
}

/// The time of day, with the date when that is not the date of `today`.
pub(crate) fn clock_on(time: Timestamp, today: Timestamp) -> String {
    if one_day(&[time, today]) {
        time.clock()
    } else {
        time.minute()
    }
}

/// `14:03:20 to 14:04:08 UTC (48 s)`.
pub(crate) fn window(range: TimeRange) -> String {
    let length = duration_text(range.duration());
    format!("{} ({length})", window_alone(range))
}

/// `14:03:20 to 14:04:08 UTC`.
pub(crate) fn window_alone(range: TimeRange) -> String {
    if one_day(&[range.start, range.end]) {
        format!("{} to {} UTC", range.start.clock(), range.end.clock())
    } else {
        format!("{} to {}", range.start.minute(), range.end.minute())
    }
}

/// `14:12 (80 % between 14:10 and 14:15)`, to the nearest minute.
pub(crate) fn eta(eta: &Eta, today: Timestamp) -> String {
    match eta_parts(eta, today) {
        (at, None) => at,
        (at, Some(interval)) => format!("{at} ({interval})"),
    }
}

/// `14:12` and `80 % between 14:10 and 14:15`.
pub(crate) fn eta_parts(eta: &Eta, today: Timestamp) -> (String, Option<String>) {
    let minute = |time: Timestamp| -> String {
        let time = time + Duration::from_secs(30);
        if one_day(&[time, today]) {
            time.clock().chars().take(5).collect()
        } else {
            time.minute()
        }
    };
    let (early, late) = (minute(eta.p10), minute(eta.p90));
    let interval = (early != late).then(|| format!("80 % between {early} and {late}"));
    (minute(eta.p50), interval)
}

/// The same, with the time standing out.
pub(crate) fn eta_prose(eta: &Eta, today: Timestamp) -> Prose {
    let (at, interval) = eta_parts(eta, today);
    let at = Prose::new().strong(at);
    match interval {
        Some(interval) => at.text(format!(" ({interval})")),
        None => at,
    }
}

/// `OrderController.responseCache`, or what else names the holder.
pub(crate) fn holder(holder: &leakline_heap::Holder) -> String {
    let class = short_class(&holder.class);
    match (&holder.field, &holder.thread) {
        (Some(field), _) if class.is_empty() => field.clone(),
        (Some(field), _) => format!("{class}.{field}"),
        (None, Some(thread)) => format!("thread {thread}"),
        (None, None) => class,
    }
}

/// A class name without its package; arrays and inner classes keep their form.
pub(crate) fn short_class(class: &str) -> String {
    class.rsplit(['.', '/']).next().unwrap_or(class).to_owned()
}
