//! Entries that make no sense, and files whose bytes have changed.

use std::path::Path;

use leakline_model::storage::{Appender, Batch, Queryable, SpanSelector, StorageError};
use leakline_model::{Series, Span, TimeRange};

use super::{at, resource, samples, select, series, small_head, span};
use crate::{DiskStore, Options, StoreError};

#[test]
fn damaged_entries_are_told_and_the_rest_is_answered() {
    let folder = tempfile::tempdir().unwrap();
    let a = series(&[("__name__", "a")], &[(0, 1.0), (1000, 2.0)]);
    let b = series(&[("__name__", "b")], &[(0, 1.0), (1000, 2.0)]);
    let good = span("orders", "good", (1, 1), 0);
    let bad = span("orders", "bad", (1, 2), 1);
    let store = DiskStore::open(
        folder.path(),
        Options {
            head_samples: 1,
            ..small_head()
        },
    )
    .unwrap();
    store
        .append(&Batch {
            resources: vec![(resource("x"), at(0)), (resource("y"), at(0))],
            series: vec![a, b.clone()],
            spans: vec![good.clone(), bad],
        })
        .unwrap();
    let tables = &store.tables;
    let first = |table: &fjall::Keyspace| table.first_key_value().unwrap().key().unwrap();
    let last = |table: &fjall::Keyspace| table.last_key_value().unwrap().key().unwrap();
    tables
        .chunks
        .insert(first(&tables.chunks), "nonsense")
        .unwrap();
    tables.spans.insert(last(&tables.spans), [0xff; 9]).unwrap();

    let found: Vec<_> = store.select(&[], TimeRange::ALL).unwrap().collect();
    assert_eq!(found.len(), 2);
    assert_eq!(
        found[0].as_ref().unwrap_err().to_string(),
        "stored chunk is damaged: unknown kind of chunk 110; the rest of the store remains readable"
    );
    assert_eq!(found[1].as_ref().unwrap(), &b);
    assert_eq!(
        store.series(&[], TimeRange::ALL).unwrap(),
        std::slice::from_ref(&b.labels)
    );
    for trace_id in [None, Some(good.trace_id)] {
        let selector = SpanSelector {
            trace_id,
            ..SpanSelector::of_service("orders", TimeRange::ALL)
        };
        let found: Vec<_> = store.spans(&selector).unwrap().collect();
        assert_eq!(found[0].as_ref().unwrap(), &good);
        assert!(matches!(
            found[1],
            Err(StorageError::Damaged { what: "span", .. })
        ));
        assert_eq!(found.len(), 2);
    }

    // samples that would join the damaged chunk are kept all the same
    let more = series(&[("__name__", "a")], &[(2000, 3.0)]);
    store.append(&samples(vec![more.clone()])).unwrap();
    store
        .append(&Batch {
            spans: vec![good],
            ..Batch::default()
        })
        .unwrap();
    let last_found = store.select(&[], TimeRange::ALL).unwrap().nth(1).unwrap();
    assert_eq!(last_found.unwrap(), more);

    let first_resource = first(&tables.resources);
    tables.resources.insert(first_resource, [0xff; 9]).unwrap();
    tables
        .series
        .insert(first(&tables.series), [0xff; 9])
        .unwrap();
    tables
        .log
        .insert(u64::MAX.to_be_bytes(), [0xff; 9])
        .unwrap();
    drop(store);
    let store = DiskStore::open(folder.path(), small_head()).unwrap();
    assert!(store.problems().len() >= 3, "{:?}", store.problems());
    assert_eq!(store.series(&[], TimeRange::ALL).unwrap(), [b.labels]);
    assert_eq!(store.resources(TimeRange::ALL).unwrap().len(), 1);
}

fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Copies a closed store, with one byte of `victim` changed.
fn damaged_copy(from: &Path, to: &Path, victim: &Path, offset: usize) {
    for file in files(from) {
        let target = to.join(file.strip_prefix(from).unwrap());
        std::fs::create_dir_all(target.parent().unwrap()).unwrap();
        let mut bytes = std::fs::read(&file).unwrap();
        if file == victim {
            bytes[offset] ^= 0x55;
        }
        std::fs::write(target, bytes).unwrap();
    }
}

/// Bytes change under the LSM tree: either it is told at once, or what can be read is true, and
/// most of it can.
#[test]
fn damaged_files_are_told() {
    const SERIES: usize = 1500;
    let folder = tempfile::tempdir().unwrap();
    let options = Options {
        head_samples_per_series: 0,
        ..small_head()
    };
    let store = DiskStore::open(folder.path(), options).unwrap();
    let sample = |i: usize| (i as i64 % 50, i as f64 / 7.0);
    let all: Vec<Series> = (0..SERIES)
        .map(|i| series(&[("__name__", &format!("metric_{i:04}"))], &[sample(i)]))
        .collect();
    let all_spans: Vec<Span> = (0..200)
        .map(|i| span("orders", "process.order", (i, 1), i64::from(i)))
        .collect();
    store
        .append(&Batch {
            resources: vec![(resource("a"), at(0))],
            series: all.clone(),
            spans: all_spans.clone(),
        })
        .unwrap();
    while store.state().head.sealed.is_some() {
        store.append(&samples(vec![all[0].clone()])).unwrap();
    }
    let tables = &store.tables;
    for table in [
        &tables.series,
        &tables.chunks,
        &tables.spans,
        &tables.traces,
    ] {
        table.rotate_memtable_and_wait().unwrap();
    }
    let folder_of = |table: &fjall::Keyspace| table.path().to_owned();
    let checks = [
        // a damaged block costs the series in it, not the others
        (folder_of(&tables.series), SERIES - 300, 200),
        (folder_of(&tables.chunks), SERIES - 600, 200),
        // and the spans after it on that day
        (folder_of(&tables.spans), SERIES, 1),
        (folder_of(&tables.traces), SERIES, 200),
    ];
    drop(store);
    for (table, least_series, least_spans) in checks {
        let victim = files(&table.join("tables")).remove(0);
        let length = std::fs::metadata(&victim).unwrap().len() as usize;
        for offset in [length / 4, length / 2] {
            let copy = tempfile::tempdir().unwrap();
            damaged_copy(folder.path(), copy.path(), &victim, offset);
            let store = match DiskStore::open(copy.path(), small_head()) {
                Ok(store) => store,
                Err(error) => {
                    assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
                    continue;
                }
            };
            let mut problems = store.problems().len();
            let mut told = |error: StorageError| {
                assert!(matches!(error, StorageError::Damaged { .. }), "{error}");
                problems += 1;
            };
            let found: Vec<Series> = store
                .select(&[], TimeRange::ALL)
                .unwrap()
                .filter_map(|series| series.map_err(&mut told).ok())
                .collect();
            assert!(found.iter().all(|series| all.contains(series)));
            let spans: Vec<Span> = store
                .spans(&SpanSelector::of_service("orders", TimeRange::ALL))
                .unwrap()
                .filter_map(|span| span.map_err(&mut told).ok())
                .collect();
            assert!(spans.iter().all(|span| all_spans.contains(span)));
            let trace = SpanSelector {
                trace_id: Some(all_spans[100].trace_id),
                ..SpanSelector::of_service("orders", TimeRange::ALL)
            };
            for span in store.spans(&trace).unwrap() {
                let _ = span.map_err(&mut told);
            }
            assert!(found.len() >= least_series && spans.len() >= least_spans);
            let complete = found.len() == SERIES && spans.len() == 200;
            assert!(complete || problems > 0);
        }
    }
}

#[test]
fn a_damaged_journal_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let store = DiskStore::open(folder.path(), small_head()).unwrap();
    let all = series(&[("__name__", "up")], &[(0, 1.0)]);
    for _ in 0..10 {
        store.append(&samples(vec![all.clone()])).unwrap();
    }
    drop(store);
    let journal = folder.path().join("database").join("0.jnl");
    for offset in 0..200 {
        let copy = tempfile::tempdir().unwrap();
        damaged_copy(folder.path(), copy.path(), &journal, offset);
        match DiskStore::open(copy.path(), small_head()) {
            Ok(store) => {
                let found = select(&store, &[], TimeRange::ALL);
                assert!(found.is_empty() || found == [all.clone()]);
            }
            Err(error) => assert!(matches!(error, StoreError::Damaged { .. }), "{error}"),
        }
    }
}
