//! What both stores promise, checked on both; and the disk store against the memory store.

mod damage;

use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use leakline_model::storage::{
    Appender, Batch, Queryable, ResourceSighting, SpanSelector, StorageError,
};
use leakline_model::{
    Labels, Matcher, Resource, Sample, Series, Span, SpanId, SpanKind, SpanStatus, TimeRange,
    Timestamp, TraceId, stale_marker,
};
use proptest::prelude::*;

use crate::{DiskStore, MemoryStore, Options, StoreError};

/// A time of day on which the tests take place.
const NOON: i64 = 1_795_348_800_000;

const RETENTION: Duration = Duration::from_secs(3600);

trait Store: Appender + Queryable {
    fn expire(&self, now: Timestamp);
}

impl Store for DiskStore {
    fn expire(&self, now: Timestamp) {
        DiskStore::expire(self, now).unwrap();
    }
}

impl Store for MemoryStore {
    fn expire(&self, now: Timestamp) {
        MemoryStore::expire(self, now);
    }
}

/// So few samples in the head that all paths are taken.
fn small_head() -> Options {
    Options {
        retention: Some(RETENTION),
        head_samples: 8,
        head_samples_per_series: 2,
        ..Options::default()
    }
}

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(NOON + millis)
}

fn series(labels: &[(&str, &str)], samples: &[(i64, f64)]) -> Series {
    Series {
        labels: Labels::new(labels.iter().copied()),
        samples: samples
            .iter()
            .map(|&(millis, value)| Sample {
                timestamp: at(millis),
                value,
            })
            .collect(),
    }
}

fn span(service: &str, operation: &str, ids: (u8, u8), start: i64) -> Span {
    Span {
        trace_id: TraceId([ids.0; 16]),
        span_id: SpanId([ids.1; 8]),
        parent_id: (ids.1 > 1).then_some(SpanId([1; 8])),
        service: service.to_owned(),
        instance: "pod-1".to_owned(),
        operation: operation.to_owned(),
        kind: SpanKind::Server,
        status: SpanStatus::Error,
        start: at(start) + Duration::from_nanos(7),
        end: at(start + 5),
        attributes: vec![("http.route".to_owned(), "/orders".to_owned())],
    }
}

fn resource(instance: &str) -> Resource {
    Resource::new([
        ("service.name", "orders"),
        ("service.instance.id", instance),
    ])
}

fn samples(series: Vec<Series>) -> Batch {
    Batch {
        series,
        ..Batch::default()
    }
}

fn select(store: &dyn Store, matchers: &[Matcher], range: TimeRange) -> Vec<Series> {
    let found: Result<Vec<Series>, StorageError> = store.select(matchers, range).unwrap().collect();
    let found = found.unwrap();
    let labels: Vec<Labels> = found.iter().map(|series| series.labels.clone()).collect();
    assert_eq!(store.series(matchers, range).unwrap(), labels);
    found
}

fn spans(store: &dyn Store, selector: &SpanSelector) -> Vec<Span> {
    let found: Result<Vec<Span>, StorageError> = store.spans(selector).unwrap().collect();
    let mut found = found.unwrap();
    assert!(found.is_sorted_by_key(|span| (span.start, span.trace_id, span.span_id)));
    // the order of services inside one start and id is open
    found.sort_by_cached_key(|span| {
        (
            span.start,
            span.trace_id,
            span.span_id,
            span.service.clone(),
        )
    });
    found
}

fn check_store(store: &dyn Store) {
    check_samples(store);
    check_spans(store);
    check_resources(store);
    check_expiry(store);
}

fn check_samples(store: &dyn Store) {
    let heap = [("__name__", "heap"), ("job", "orders")];
    let up = [("__name__", "up"), ("job", "orders")];
    store.append(&Batch::default()).unwrap();
    store
        .append(&samples(vec![
            series(&up, &[(0, 1.0), (1000, stale_marker())]),
            series(&heap, &[(2000, 3.0), (0, 1.0)]),
            series(&heap, &[(1000, f64::NAN), (2000, 99.0)]),
            series(&[("__name__", "never")], &[]),
        ]))
        .unwrap();
    // what arrives again, or late, or differs
    store
        .append(&samples(vec![series(
            &heap,
            &[(0, 1.0), (500, 0.5), (2000, -1.0)],
        )]))
        .unwrap();
    let all_heap = series(
        &heap,
        &[(0, 1.0), (500, 0.5), (1000, f64::NAN), (2000, 3.0)],
    );
    let all_up = series(&up, &[(0, 1.0), (1000, stale_marker())]);

    let check = |matchers: &[Matcher], range: TimeRange, expected: &[&Series]| {
        let found = select(store, matchers, range);
        assert_eq!(found.iter().collect::<Vec<_>>(), expected);
    };
    check(&[], TimeRange::ALL, &[&all_heap, &all_up]);
    check(&[Matcher::metric("up")], TimeRange::ALL, &[&all_up]);
    check(
        &[Matcher::metric("up"), Matcher::equal("job", "x")],
        TimeRange::ALL,
        &[],
    );
    check(
        &[Matcher::equal("absent", "")],
        TimeRange::ALL,
        &[&all_heap, &all_up],
    );
    check(&[Matcher::equal("job", "")], TimeRange::ALL, &[]);
    let inclusive = TimeRange::new(at(500), at(1000));
    check(
        &[],
        inclusive,
        &[
            &series(&heap, &[(500, 0.5), (1000, f64::NAN)]),
            &series(&up, &[(1000, stale_marker())]),
        ],
    );
    check(&[], TimeRange::new(at(501), at(999)), &[]);
    check(&[], TimeRange::new(at(1000), at(0)), &[]);
}

fn check_spans(store: &dyn Store) {
    let early = span("orders", "process.order", (1, 1), 0);
    let late = span("orders", "list.orders", (1, 2), 10);
    let other = span("stock", "reserve", (1, 3), 5);
    let next_day = span("orders", "process.order", (2, 1), 86_400_000);
    store
        .append(&Batch {
            spans: vec![next_day.clone(), late.clone(), early.clone()],
            ..Batch::default()
        })
        .unwrap();
    store
        .append(&Batch {
            spans: vec![late.clone(), other.clone(), early.clone()],
            ..Batch::default()
        })
        .unwrap();
    let check = |selector: &SpanSelector, expected: &[&Span]| {
        let found = spans(store, selector);
        assert_eq!(found.iter().collect::<Vec<_>>(), expected);
    };
    let any = SpanSelector {
        service: None,
        operation: None,
        trace_id: None,
        started: TimeRange::ALL,
    };
    check(&any, &[&early, &other, &late, &next_day]);
    check(
        &SpanSelector::of_service("orders", TimeRange::new(early.start, late.start)),
        &[&early, &late],
    );
    check(
        &SpanSelector::of_service("orders", TimeRange::new(at(1), late.start)),
        &[&late],
    );
    check(
        &SpanSelector {
            operation: Some("process.order".to_owned()),
            ..any.clone()
        },
        &[&early, &next_day],
    );
    check(
        &SpanSelector {
            trace_id: Some(TraceId([1; 16])),
            ..any.clone()
        },
        &[&early, &other, &late],
    );
    check(
        &SpanSelector {
            trace_id: Some(TraceId([1; 16])),
            service: Some("stock".to_owned()),
            ..any.clone()
        },
        &[&other],
    );
    check(&SpanSelector::of_service("nobody", TimeRange::ALL), &[]);
    check(
        &SpanSelector::of_service("orders", TimeRange::new(at(9), at(0))),
        &[],
    );

    // a span that was reported while it ran
    let ended = Span {
        end: at(500),
        status: SpanStatus::Ok,
        ..early.clone()
    };
    store
        .append(&Batch {
            spans: vec![ended.clone()],
            ..Batch::default()
        })
        .unwrap();
    check(&any, &[&ended, &other, &late, &next_day]);
}

fn check_resources(store: &dyn Store) {
    let seen = |instance: &str, first: i64, last: i64| ResourceSighting {
        resource: resource(instance),
        first_seen: at(first),
        last_seen: at(last),
    };
    for (instance, time) in [("b", 100), ("a", 200), ("b", 300), ("b", 250), ("c", 100)] {
        store
            .append(&Batch {
                resources: vec![
                    (resource(instance), at(time)),
                    (resource(instance), at(time)),
                ],
                ..Batch::default()
            })
            .unwrap();
    }
    let check = |range: TimeRange, expected: &[ResourceSighting]| {
        assert_eq!(store.resources(range).unwrap(), expected);
    };
    check(
        TimeRange::ALL,
        &[
            seen("b", 100, 300),
            seen("c", 100, 100),
            seen("a", 200, 200),
        ],
    );
    check(TimeRange::new(at(250), at(260)), &[seen("b", 100, 300)]);
    check(TimeRange::new(at(301), at(400)), &[]);
}

fn check_expiry(store: &dyn Store) {
    let hour = 3_600_000;
    store.expire(at(hour + 600));
    let left = select(store, &[], TimeRange::ALL);
    assert_eq!(
        left,
        [
            series(
                &[("__name__", "heap"), ("job", "orders")],
                &[(1000, f64::NAN), (2000, 3.0)]
            ),
            series(
                &[("__name__", "up"), ("job", "orders")],
                &[(1000, stale_marker())]
            ),
        ]
    );
    assert!(store.resources(TimeRange::ALL).unwrap().is_empty());
    assert_eq!(
        spans(store, &SpanSelector::of_service("orders", TimeRange::ALL)).len(),
        1
    );
    // what is too old is not taken, what is new is
    store
        .append(&samples(vec![
            series(&[("__name__", "old")], &[(100, 1.0)]),
            series(
                &[("__name__", "up"), ("job", "orders")],
                &[(599, 1.0), (9000, 1.0)],
            ),
        ]))
        .unwrap();
    assert_eq!(
        select(store, &[Matcher::metric("up")], TimeRange::ALL)[0]
            .samples
            .len(),
        2
    );
    assert!(select(store, &[Matcher::metric("old")], TimeRange::ALL).is_empty());
    // earlier times change nothing
    store.expire(at(0));
    assert_eq!(select(store, &[], TimeRange::ALL).len(), 2);
    store.expire(at(365 * 24 * hour));
    assert!(select(store, &[], TimeRange::ALL).is_empty());
    assert!(spans(store, &SpanSelector::of_service("orders", TimeRange::ALL)).is_empty());
}

#[test]
fn memory_store_keeps_the_promises() {
    check_store(&MemoryStore::with_retention(RETENTION));
}

#[test]
fn disk_store_keeps_the_promises() {
    for head_samples in [1, 4, 1 << 18] {
        let folder = tempfile::tempdir().unwrap();
        let options = Options {
            head_samples,
            ..small_head()
        };
        check_store(&DiskStore::open(folder.path(), options).unwrap());
    }
}

#[test]
fn a_series_that_expired_begins_anew_under_another_id() {
    let folder = tempfile::tempdir().unwrap();
    let one = |millis: i64| samples(vec![series(&[("__name__", "up")], &[(millis, 1.0)])]);
    {
        let store = DiskStore::open(folder.path(), small_head()).unwrap();
        store.append(&one(0)).unwrap();
        DiskStore::expire(&store, at(2 * 86_400_000)).unwrap();
        assert_eq!(store.series_count(), 0);
    }
    let store = DiskStore::open(folder.path(), small_head()).unwrap();
    assert_eq!(store.series_count(), 0);
    // the log still holds a block of the series that was id 0
    store.append(&one(3 * 86_400_000)).unwrap();
    assert_eq!(
        select(&store, &[], TimeRange::ALL),
        one(3 * 86_400_000).series
    );
    assert_eq!(store.problems().len(), 0);
}

/// While samples move from the head into chunks, whoever reads sees each of them.
#[test]
fn readers_see_all_that_was_kept_at_any_moment() {
    const APPENDS: i64 = 3000;
    let folder = tempfile::tempdir().unwrap();
    let store = DiskStore::open(folder.path(), small_head()).unwrap();
    let kept = AtomicI64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut before = 0;
                while before < APPENDS {
                    before = kept.load(Ordering::SeqCst);
                    let found = select(&store, &[Matcher::metric("up")], TimeRange::ALL);
                    let samples = found.first().map_or(&[][..], |series| &series.samples);
                    assert!(samples.len() as i64 >= before);
                    assert!(
                        (0..)
                            .zip(samples)
                            .all(|(i, sample)| sample.timestamp == at(i))
                    );
                }
            });
        }
        for i in 0..APPENDS {
            let up = series(&[("__name__", "up")], &[(i, i as f64)]);
            let other = series(
                &[("__name__", "other"), ("i", &(i % 7).to_string())],
                &[(i, 0.5)],
            );
            store.append(&samples(vec![up, other])).unwrap();
            kept.store(i + 1, Ordering::SeqCst);
        }
    });
}

#[test]
fn a_folder_is_for_one_store_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let store = DiskStore::open(folder.path(), Options::default()).unwrap();
    let second = DiskStore::open(folder.path(), Options::default());
    assert!(matches!(second, Err(StoreError::InUse { .. })));
    drop(store);
    DiskStore::open(folder.path(), Options::default()).unwrap();
}

#[test]
fn errors_say_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let message = |path: &Path| {
        let error = DiskStore::open(path, Options::default()).err().unwrap();
        error
            .to_string()
            .replace(&folder.path().display().to_string(), "FOLDER")
    };
    let store = DiskStore::open(folder.path(), Options::default()).unwrap();
    assert_eq!(
        message(folder.path()),
        "the store in FOLDER is in use by another process; stop that process or choose another folder"
    );
    drop(store);
    std::fs::write(folder.path().join("format"), "leakline-store 99\n").unwrap();
    assert_eq!(
        message(folder.path()),
        "the store in FOLDER has format \"leakline-store 99\", but this version reads \
         \"leakline-store 1\"; open it with the version that wrote it, or choose another folder"
    );
    let file = folder.path().join("file");
    std::fs::write(&file, "x").unwrap();
    assert_eq!(
        message(&file),
        "cannot create the store's folder in FOLDER/file: File exists (os error 17)"
    );
}

#[test]
fn an_unfinished_creation_is_begun_again() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("new")).unwrap();
    std::fs::write(folder.path().join("new").join("0.jnl"), "").unwrap();
    let store = DiskStore::open(folder.path(), Options::default()).unwrap();
    store
        .append(&samples(vec![series(&[("__name__", "up")], &[(0, 1.0)])]))
        .unwrap();
    assert!(!folder.path().join("new").exists());
}

/// One step of the property test.
#[derive(Clone, Debug)]
enum Step {
    Append(Batch),
    Expire(Timestamp),
    Reopen,
}

fn times() -> impl Strategy<Value = Timestamp> {
    let around = |spread: i64| -spread..spread;
    prop_oneof![
        8 => around(20).prop_map(|i| at(i * 1000)),
        4 => around(3000).prop_map(|i| at(i * 60_000)),
        2 => around(5_000_000).prop_map(|i| Timestamp::from_nanos(NOON * 1_000_000 + i)),
        1 => any::<i64>().prop_map(Timestamp::from_nanos),
        1 => prop_oneof![Just(Timestamp::MIN), Just(Timestamp::MAX)],
    ]
}

fn values() -> impl Strategy<Value = f64> {
    prop_oneof![
        (-9_i64..9).prop_map(|value| value as f64),
        any::<u64>().prop_map(f64::from_bits),
        Just(stale_marker()),
        Just(f64::NAN),
    ]
}

fn label_sets() -> impl Strategy<Value = Labels> {
    ("[ab]", "[xy]?", "[xy]?")
        .prop_map(|(name, job, pod)| Labels::new([("__name__", name), ("job", job), ("pod", pod)]))
}

fn some_series() -> impl Strategy<Value = Series> {
    let sample = (times(), values()).prop_map(|(timestamp, value)| Sample { timestamp, value });
    (label_sets(), prop::collection::vec(sample, 0..12))
        .prop_map(|(labels, samples)| Series { labels, samples })
}

fn some_spans() -> impl Strategy<Value = Span> {
    ("[ab]", "[cd]", (1_u8..4, 1_u8..3), times()).prop_map(|(service, operation, ids, start)| {
        Span {
            start,
            end: start + Duration::from_nanos(operation.len() as u64),
            ..span(&service, &operation, ids, 0)
        }
    })
}

fn batches() -> impl Strategy<Value = Batch> {
    let resources = ("[ab]", times()).prop_map(|(instance, time)| (resource(&instance), time));
    (
        prop::collection::vec(resources, 0..3),
        prop::collection::vec(some_series(), 0..6),
        prop::collection::vec(some_spans(), 0..5),
    )
        .prop_map(|(resources, series, spans)| Batch {
            resources,
            series,
            spans,
        })
}

fn steps() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => batches().prop_map(Step::Append),
        2 => Just(Step::Reopen),
        1 => (-3000_i64..3000).prop_map(|minutes| Step::Expire(at(minutes * 60_000))),
    ]
}

fn questions() -> impl Strategy<Value = (Vec<Matcher>, SpanSelector)> {
    let matcher =
        ("__name__|job|pod|none", "[abxy]?", any::<bool>()).prop_map(|(name, value, equal)| {
            Matcher {
                operator: match equal {
                    true => leakline_model::MatchOperator::Equal,
                    false => leakline_model::MatchOperator::NotEqual,
                },
                ..Matcher::equal(name, value)
            }
        });
    let selector = (
        prop::option::of("[abc]"),
        prop::option::of("[cd]"),
        prop::option::of(1_u8..4),
        times(),
        times(),
    )
        .prop_map(|(service, operation, trace, start, end)| SpanSelector {
            service,
            operation,
            trace_id: trace.map(|byte| TraceId([byte; 16])),
            started: TimeRange::new(start, end),
        });
    (prop::collection::vec(matcher, 0..3), selector)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// Whatever is appended in whatever order, both stores answer the same.
    #[test]
    fn disk_and_memory_answer_alike(
        steps in prop::collection::vec(steps(), 1..24),
        questions in prop::collection::vec(questions(), 6),
        head_samples in 1_usize..40,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let options = Options { head_samples, ..small_head() };
        let open = || DiskStore::open(folder.path(), options.clone()).unwrap();
        let memory = MemoryStore::with_retention(RETENTION);
        let mut disk = open();
        for step in &steps {
            match step {
                Step::Append(batch) => {
                    memory.append(batch).unwrap();
                    disk.append(batch).unwrap();
                }
                Step::Expire(now) => {
                    Store::expire(&memory, *now);
                    Store::expire(&disk, *now);
                }
                Step::Reopen => {
                    drop(disk);
                    disk = open();
                    prop_assert_eq!(disk.problems().len(), 0);
                }
            }
        }
        let everything = SpanSelector {
            service: None,
            operation: None,
            trace_id: None,
            started: TimeRange::ALL,
        };
        for (matchers, selector) in questions.iter().chain([&(Vec::new(), everything)]) {
            let range = selector.started;
            prop_assert_eq!(select(&disk, matchers, range), select(&memory, matchers, range));
            prop_assert_eq!(spans(&disk, selector), spans(&memory, selector));
            prop_assert_eq!(disk.resources(range).unwrap(), memory.resources(range).unwrap());
        }
    }
}
