//! A process that appends is killed at random moments. What it was told is kept must be there;
//! nothing else may be.
//!
//! The appending process is this test binary itself, started again to run [`appender`] alone.

#![allow(clippy::unwrap_used, reason = "a test may stop anywhere")]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use leakline_model::storage::{Appender, Batch, Queryable, SpanSelector};
use leakline_model::{
    Labels, Resource, Sample, Series, Span, SpanId, SpanKind, SpanStatus, TimeRange, Timestamp,
    TraceId,
};
use leakline_store::{DiskStore, Options};

const FOLDER: &str = "LEAKLINE_KILL_TEST_FOLDER";
const FIRST: &str = "LEAKLINE_KILL_TEST_FIRST";
const ROUNDS: u64 = 10;
const SERIES: u64 = 20;

/// A head so small that chunks are written and the log is trimmed all the time.
fn options() -> Options {
    Options {
        head_samples: 200,
        head_samples_per_series: 10,
        ..Options::default()
    }
}

/// Everything in batch `number` can be told from the number.
fn batch(number: u64) -> Batch {
    let time = Timestamp::from_millis(1_795_348_800_000 + number as i64 * 1000);
    let series = (0..SERIES)
        .map(|i| Series {
            labels: Labels::new([("__name__", "m".to_owned()), ("i", i.to_string())]),
            samples: vec![Sample {
                timestamp: time,
                value: (number * SERIES + i) as f64,
            }],
        })
        .collect();
    let span = Span {
        trace_id: TraceId(u128::from(number).to_be_bytes()),
        span_id: SpanId([1; 8]),
        parent_id: None,
        service: "orders".to_owned(),
        instance: String::new(),
        operation: format!("operation {number}"),
        kind: SpanKind::Internal,
        status: SpanStatus::Unset,
        start: time,
        end: time,
        attributes: Vec::new(),
    };
    Batch {
        resources: vec![(Resource::new([("service.name", "orders")]), time)],
        series,
        spans: vec![span],
    }
}

/// The process that is killed: appends and says each number once it is kept.
#[test]
fn appender() {
    let (Ok(folder), Ok(first)) = (std::env::var(FOLDER), std::env::var(FIRST)) else {
        return;
    };
    let store = DiskStore::open(folder, options()).unwrap();
    for number in first.parse::<u64>().unwrap().. {
        store.append(&batch(number)).unwrap();
        println!("kept {number}");
    }
}

/// Appends from batch `first` on until it is killed; answers how many batches it said are kept.
fn append_and_kill(folder: &Path, first: u64, after: Duration) -> u64 {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "appender", "--nocapture"])
        .env(FOLDER, folder)
        .env(FIRST, first.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let reader = std::thread::spawn(move || {
        // the test harness may write before the first number on the same line
        lines
            .map_while(Result::ok)
            .filter_map(|line| line.rsplit_once("kept ")?.1.parse::<u64>().ok())
            .last()
    });
    std::thread::sleep(after);
    child.kill().unwrap();
    child.wait().unwrap();
    reader.join().unwrap().map_or(first, |last| last + 1)
}

/// Answers how many batches the store holds, after checking that it holds whole ones only.
fn check(folder: &Path, kept: u64) -> u64 {
    let store = DiskStore::open(folder, options()).unwrap();
    assert_eq!(store.problems().len(), 0);
    let spans: Vec<Span> = store
        .spans(&SpanSelector::of_service("orders", TimeRange::ALL))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    let found = spans.len() as u64;
    // at most the one that was being appended may be there without having been told
    assert!(
        (kept..=kept + 1).contains(&found),
        "{kept} kept, {found} found"
    );
    let expected: Vec<Batch> = (0..found).map(batch).collect();
    assert!(
        spans
            .iter()
            .eq(expected.iter().flat_map(|batch| &batch.spans))
    );

    let series: Vec<Series> = store
        .select(&[], TimeRange::ALL)
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    assert_eq!(series.len() as u64, if found == 0 { 0 } else { SERIES });
    for one in series {
        let expected = expected
            .iter()
            .flat_map(|batch| &batch.series)
            .filter(|series| series.labels == one.labels)
            .flat_map(|series| &series.samples);
        assert!(one.samples.iter().eq(expected), "{}", one.labels);
    }
    let resources = store.resources(TimeRange::ALL).unwrap();
    let last_seen = resources.first().map(|sighting| sighting.last_seen);
    assert_eq!(last_seen, expected.last().map(|batch| batch.resources[0].1));
    found
}

#[test]
fn what_was_kept_survives_kill() {
    let folder = tempfile::tempdir().unwrap();
    let mut kept = 0;
    // the first rounds hit the creation of the store
    for round in 0..ROUNDS {
        // spread over about a second, differently in each run
        let noise = u64::from(std::process::id()).wrapping_mul(2_654_435_761 + round) % 97;
        let after = Duration::from_millis(round * round * 8 + noise);
        kept = check(folder.path(), append_and_kill(folder.path(), kept, after));
    }
    assert!(kept > 0, "nothing was appended in any round");
}
