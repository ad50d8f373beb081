//! How fast the store takes and answers runtime metrics, and what they cost on disk.
//!
//! `cargo bench -p leakline-store` prints one line for each figure.
#![allow(clippy::print_stdout, reason = "a benchmark reports to the terminal")]
#![allow(
    clippy::unwrap_used,
    reason = "a benchmark that cannot run should stop"
)]

use std::time::Instant;

use leakline_model::storage::{Appender, Batch, Queryable, SpanSelector};
use leakline_model::{
    Labels, Matcher, Sample, Series, Span, SpanId, SpanKind, SpanStatus, TimeRange, Timestamp,
    TraceId,
};
use leakline_store::{DiskStore, Options};

const INSTANCES: u64 = 100;
const METRICS: u64 = 50;
const MINUTES: u64 = 720;
const SPANS: u64 = 200_000;

/// Numbers below a bound, the same in each run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> f64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) % bound) as f64
    }
}

/// What a JVM sends, roughly: mostly limits and slow counters, some gauges, a few noisy ones.
fn next(metric: u64, value: f64, random: &mut Random) -> f64 {
    match metric {
        0..10 => 2_147_483_648.0 + metric as f64,
        10..25 => value + f64::from(random.below(50) == 0.0),
        25..35 => value + random.below(3),
        35..38 => value + random.below(200),
        38..41 => ((value * 1e3).round() + random.below(300)) / 1e3,
        41..44 => 40.0 + random.below(5),
        44..48 => 3e8 + random.below(1 << 25) * 8.0,
        _ => random.below(1 << 30) / 3e9,
    }
}

fn report(what: &str, count: u64, unit: &str, begin: Instant) {
    let seconds = begin.elapsed().as_secs_f64();
    println!(
        "{what}: {count} {unit} in {seconds:.2} s, {:.0} {unit}/s",
        count as f64 / seconds
    );
}

fn main() {
    let folder = tempfile::tempdir().unwrap();
    let store = DiskStore::open(folder.path(), Options::default()).unwrap();
    let labels: Vec<Vec<Labels>> = (0..INSTANCES)
        .map(|instance| {
            (0..METRICS)
                .map(|metric| {
                    Labels::new([
                        ("__name__", format!("jvm_metric_{metric}")),
                        ("job", "shop/orders".to_owned()),
                        ("instance", format!("instance-{instance}")),
                        ("jvm_memory_pool_name", "G1 Old Gen".to_owned()),
                    ])
                })
                .collect()
        })
        .collect();
    let mut random = Random(1);
    let mut values = vec![0.0; (INSTANCES * METRICS) as usize];
    let begin_of_day = 1_795_305_600_000;

    let begin = Instant::now();
    for minute in 0..MINUTES {
        for instance in 0..INSTANCES {
            let millis = begin_of_day + (minute * 60_000 + instance * 600) as i64;
            let timestamp = Timestamp::from_millis(millis + random.below(4) as i64);
            let series = (0..METRICS)
                .map(|metric| {
                    let value = &mut values[(instance * METRICS + metric) as usize];
                    *value = next(metric, *value, &mut random);
                    Series {
                        labels: labels[instance as usize][metric as usize].clone(),
                        samples: vec![Sample {
                            timestamp,
                            value: *value,
                        }],
                    }
                })
                .collect();
            let batch = Batch {
                series,
                ..Batch::default()
            };
            store.append(&batch).unwrap();
        }
    }
    let samples = INSTANCES * METRICS * MINUTES;
    report("append", samples, "samples", begin);
    println!("chunks: {}", store.chunk_statistics().unwrap());

    let begin = Instant::now();
    let mut read = 0;
    for series in store.select(&[], TimeRange::ALL).unwrap() {
        read += series.unwrap().samples.len() as u64;
    }
    assert_eq!(read, samples);
    report("select all", read, "samples", begin);

    let begin = Instant::now();
    let one = [Matcher::metric("jvm_metric_45")];
    let found = store.select(&one, TimeRange::ALL).unwrap().count() as u64;
    report("select one metric", found, "series", begin);

    let begin = Instant::now();
    for first in (0..SPANS).step_by(500) {
        let spans = (first..first + 500)
            .map(|i| {
                let start = Timestamp::from_millis(begin_of_day + i as i64);
                Span {
                    trace_id: TraceId(
                        (u128::from(i / 10))
                            .wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)
                            .to_be_bytes(),
                    ),
                    span_id: SpanId(i.to_be_bytes()),
                    parent_id: None,
                    service: "shop/orders".to_owned(),
                    instance: "instance-1".to_owned(),
                    operation: "process.order".to_owned(),
                    kind: SpanKind::Server,
                    status: SpanStatus::Unset,
                    start,
                    end: start,
                    attributes: vec![
                        ("http.route".to_owned(), "/orders/{id}".to_owned()),
                        ("thread.name".to_owned(), "http-nio-8080-exec-1".to_owned()),
                    ],
                }
            })
            .collect();
        let batch = Batch {
            spans,
            ..Batch::default()
        };
        store.append(&batch).unwrap();
    }
    report("append", SPANS, "spans", begin);

    let begin = Instant::now();
    let selector = SpanSelector::of_service("shop/orders", TimeRange::ALL);
    let found = store.spans(&selector).unwrap().count() as u64;
    report("read", found, "spans", begin);

    drop(store);
    let begin = Instant::now();
    let store = DiskStore::open(folder.path(), Options::default()).unwrap();
    report("open", store.series_count() as u64, "series", begin);
}
