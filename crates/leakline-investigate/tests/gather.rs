//! What is asked of the store and the heap engine, and what is made of dumps that do not belong
//! together.

use expect_test::{Expect, expect};
use leakline_correlate::{Attribution, DumpTime, Growth, Window};
use leakline_detect::{Detector, Settings};
use leakline_heap::{HeapError, HeapReport};
use leakline_hprof::heap_builder::{Form as DumpForm, HeapBuilder, ObjectId};
use leakline_hprof::{GcRootKind, IdentifierSize, ValueType};
use leakline_investigate::gather::{self, DumpOptions};
use leakline_investigate::{Form, heap_report};
use leakline_model::storage::{Appender, Batch};
use leakline_model::{
    Labels, ProcessKey, Resource, Sample, Series, Span, SpanId, SpanKind, SpanStatus, TimeRange,
    Timestamp, TraceId,
};
use leakline_store::MemoryStore;

fn at(seconds: f64) -> Timestamp {
    Timestamp::from_seconds(1_795_345_200.0 + seconds)
}

fn process() -> ProcessKey {
    ProcessKey {
        service: "shop".to_owned(),
        instance: "a".to_owned(),
        version: "2".to_owned(),
    }
}

/// Ten calls a second of each of two routes over ten minutes; the second begins later. Every
/// `traced`th call is traced, and the counter is exported every minute, in the middle of it.
fn store(traced: usize, exports_until: f64) -> MemoryStore {
    let mut batch = Batch::default();
    for (route, begins) in [("GET /a", 0), ("GET /b", 250)] {
        let calls: Vec<f64> = (begins * 10..6_000)
            .map(|i| f64::from(i) / 10.0 + 0.05)
            .collect();
        for (number, end) in calls.iter().enumerate().step_by(traced) {
            let mut trace_id = [begins as u8; 16];
            trace_id[..8].copy_from_slice(&(number as u64 + 1).to_be_bytes());
            let mut span_id = [begins as u8; 8];
            span_id[..4].copy_from_slice(&(number as u32 + 1).to_be_bytes());
            batch.spans.push(Span {
                trace_id: TraceId(trace_id),
                span_id: SpanId(span_id),
                parent_id: None,
                service: "shop".to_owned(),
                instance: "a".to_owned(),
                operation: route.to_owned(),
                kind: SpanKind::Server,
                status: SpanStatus::Unset,
                start: at(end - 0.01),
                end: at(*end),
                attributes: Vec::new(),
            });
        }
        let exports = (0..20).map(|i| 30.0 + 60.0 * f64::from(i));
        let samples = exports
            .filter(|time| *time <= exports_until)
            .map(|time| Sample {
                timestamp: at(time),
                value: calls.iter().filter(|end| **end <= time).count() as f64,
            })
            .filter(|sample| sample.value > 0.0)
            .collect();
        batch.series.push(Series {
            labels: Labels::new([
                ("__name__", "http_server_request_duration_seconds_count"),
                ("job", "shop"),
                ("instance", "a"),
                ("http_route", route),
            ]),
            samples,
        });
    }
    let store = MemoryStore::new();
    store.append(&batch).expect("answered");
    store
}

/// One object was kept by each call of `GET /a` from `start` to `end`.
fn attribution(store: &MemoryStore, start: f64, end: f64) -> (Attribution, Vec<String>) {
    let dump = |time| DumpTime::of_capture(TimeRange::new(at(time), at(time)));
    let objects = (10.0 * (end - start)) as u64;
    let growth = Growth {
        objects,
        bytes: 100 * objects,
        ..Growth::default()
    };
    let window = Window::between(dump(start), dump(end));
    let correlation =
        gather::correlate(store, &process(), window, &growth, Vec::new()).expect("answered");
    let of_a = |a: &&Attribution| a.operation == "GET /a";
    let first = correlation
        .attributions
        .iter()
        .find(of_a)
        .expect("answered");
    (first.clone(), correlation.notes)
}

/// Wherever dumps fall between the exports of the request metric, what a call keeps comes out
/// the same, traced or not.
#[test]
fn what_a_call_keeps_does_not_depend_on_when_requests_are_exported() {
    for traced in [1, 2, 10] {
        let store = store(traced, 600.0);
        for start in [100.0, 117.0, 149.0, 151.0, 203.0] {
            for length in [41.0, 59.0, 61.0, 119.0, 200.0] {
                let (a, notes) = attribution(&store, start, start + length);
                let case = format!("1 in {traced}, {start} s and {length} s on: {notes:?}");
                assert!(a.calls_known, "{case}");
                let kept = a.kept_objects_per_call;
                assert!((kept - 1.0).abs() < 0.03, "{kept} kept, {case}");
            }
        }
    }
}

#[test]
fn requests_are_counted_from_one_export_to_another() {
    let notes = |traced, exports_until, start, end| {
        let store = store(traced, exports_until);
        let (a, notes) = attribution(&store, start, end);
        format!("{} calls, {}\n", a.calls, notes.join("; "))
    };
    let mut text = notes(2, 600.0, 160.0, 220.0);
    // as seen right after the last dump: the export that follows it is still to come
    text += &notes(2, 270.0, 160.0, 280.0);
    text += &notes(1, 600.0, 160.0, 279.0);
    // a route that appears in this time was never called before
    text += &notes(2, 600.0, 220.0, 320.0);
    // the process has exported once, and later not at all
    text += &notes(2, 30.0, 20.0, 80.0);
    text += &notes(2, 0.0, 160.0, 220.0);
    expect![[r#"
        600 calls, traces are sampled: 700 server spans for 1,400 requests in 2 min; calls are scaled by 2.0
        1200 calls, traces are sampled: 700 server spans for 1,400 requests in 2 min; calls are scaled by 2.0
        1190 calls, traces are not sampled: 2,600 server spans for 2,600 requests in 3 min
        1000 calls, traces are sampled: 1,000 server spans for 2,000 requests in 2 min; calls are scaled by 2.0
        300 calls, calls are counted from spans; no request metric tells whether traces are sampled
        300 calls, calls are counted from spans; no request metric tells whether traces are sampled
    "#]].assert_eq(&text);
}

/// A dump in which `App.first` and `App.second` hold so many objects.
fn dump(app: &str, seconds: Option<f64>, first: usize, second: usize) -> Vec<u8> {
    let mut heap = HeapBuilder::new(IdentifierSize::Eight);
    let object = heap.class("java.lang.Object").id();
    let list = heap
        .class("java.util.ArrayList")
        .field("elementData", ValueType::Object)
        .id();
    let mut lists: Vec<ObjectId> = Vec::new();
    for (class, count) in [("First", first), ("Second", second)] {
        let class = heap
            .class(&format!("{app}.{class}"))
            .field("body", ValueType::Object)
            .id();
        let elements: Vec<ObjectId> = (0..count)
            .map(|_| {
                let body = heap.bytes(&[0; 400]);
                heap.instance(class).set("body", body).id()
            })
            .collect();
        let array = heap.object_array(object, &elements);
        lists.push(heap.instance(list).set("elementData", array).id());
    }
    let main = heap
        .class(&format!("{app}.Main"))
        .static_field("first", lists[0])
        .static_field("second", lists[1])
        .id();
    heap.root(main, GcRootKind::StickyClass);
    heap.build_as(&DumpForm {
        taken_at: seconds.map(at),
        ..DumpForm::default()
    })
}

fn report(dumps: &[&[u8]]) -> (HeapReport, String) {
    let dumps = dumps.iter().map(Ok::<_, HeapError>);
    let (findings, facts) =
        gather::analyze(dumps, &DumpOptions::default(), |_, _| ()).expect("readable");
    assert!(facts.contains(&findings.report.dump));
    let text = heap_report::render(&findings.report, &findings.growth, Form::Text);
    (findings.report, text)
}

/// The findings as people read them, without tables.
fn check(dumps: &[&[u8]], expected: Expect) {
    let (_, text) = report(dumps);
    let start = text.find("SUSPECTS").expect("a section");
    let end = text.find("TOTALS").expect("a section");
    let lines = text[start..end]
        .lines()
        .skip(2)
        .filter(|line| !line.is_empty());
    let text: Vec<&str> = lines.collect();
    expected.assert_eq(&(text.join("\n") + "\n"));
}

#[test]
fn dumps_are_compared_in_the_order_of_their_times() {
    let (early, middle, late) = (
        dump("shop", Some(0.0), 5_000, 5_000),
        dump("shop", Some(60.0), 5_000, 7_000),
        dump("shop", Some(120.0), 5_000, 9_000),
    );
    let (in_order, _) = report(&[&early, &middle, &late]);
    assert!(in_order.comparison_problems.is_empty());
    for shuffled in [
        [&late, &middle, &early],
        [&middle, &late, &early],
        [&late, &early, &middle],
        [&middle, &early, &late],
    ] {
        let (mut report, _) = report(&shuffled.map(|dump| &dump[..]));
        assert_eq!(report.comparison_problems.len(), 1);
        report.comparison_problems.clear();
        assert_eq!(report, in_order);
    }
    check(
        &[&late, &early],
        expect![[r#"
            Mind: the dumps were not given oldest first; they are compared in the order of the times in their
            headers.
            1. static Main.second → ArrayList holds 9,000 Second (3.74 MiB, 64 %). 89 % sure.
            Over the dumps: 5,000 → 9,000 objects, 2,000 a minute; 2.08 MiB → 3.74 MiB, 852 KiB a minute.
                static field
                └─ class shop.Main @ 0x7005d2710  .second
                   └─ java.util.ArrayList @ 0x7005d2700
              • Against it: two dumps cannot tell steady growth from warm-up; a third can.
              • Fix: Remove from Main.second what is no longer needed, or keep only the latest.
            Large, but not growing: static Main.first → ArrayList holds 5,000 First (2.08 MiB, 36 %); it did not
            grow between the dumps.
            GROWTH
            ────────────────────────────────────────────────────────────────────────────────────────────────────
              dump  taken     reachable
              1     11:00:00   4.16 MiB
              2     11:02:00   5.82 MiB
              kind    shape  a minute  objects     bytes     gained  class   place
              recent  ▅█      852 KiB   +4,000  3.74 MiB  +1.66 MiB  Second  static Main.second → ArrayList
        "#]],
    );
}

/// What fills the heap is named even where it does not grow.
#[test]
fn what_does_not_grow_is_named() {
    let (early, late) = (
        dump("shop", Some(0.0), 5_000, 10),
        dump("shop", Some(60.0), 5_000, 20),
    );
    check(
        &[&early, &late],
        expect![[r#"
            None: nothing goes on growing between the dumps.
            Large, but not growing: static Main.first → ArrayList holds 5,000 First (2.08 MiB, 100 %); it did
            not grow between the dumps.
            GROWTH
            ────────────────────────────────────────────────────────────────────────────────────────────────────
              dump  taken     reachable
              1     11:00:00   2.08 MiB
              2     11:01:00   2.09 MiB
        "#]],
    );
}

/// The same dump twice shows no growth, and so neither guilt nor innocence.
#[test]
fn a_dump_given_twice_counts_once() {
    let early = dump("shop", Some(0.0), 5_000, 10);
    let late = dump("shop", Some(60.0), 9_000, 10);
    check(
        &[&early, &early],
        expect![[r#"
        Mind: dumps 1 and 2 are the same dump; it counts once, and shows no growth.
        1. static Main.first → ArrayList holds 5,000 First (2.08 MiB, 100 %). 93 % sure.
            static field
            └─ class shop.Main @ 0x7002157f8  .first
               └─ java.util.ArrayList @ 0x700214650
          • Fix: Remove from Main.first what is no longer needed, or keep only the latest.
    "#]],
    );
    let (twice, _) = report(&[&early, &early, &late]);
    assert_eq!(twice.comparison_problems.len(), 1);
    let growth = twice.suspects[0].growth.as_ref().unwrap();
    assert_eq!(growth.objects, [5_000, 9_000]);
}

#[test]
fn dumps_of_two_programs_are_not_compared() {
    let shop = dump("shop", Some(0.0), 5_000, 5_000);
    let bank = dump("bank", Some(60.0), 5_000, 9_000);
    check(
        &[&shop, &bank],
        expect![[r#"
        Mind: dump 1 is not of the process that dump 2 shows: most classes of its program are not there; it
        is left out of the comparison.
        1. static Main.second → ArrayList holds 9,000 Second (3.74 MiB, 64 %). 95 % sure.
            static field
            └─ class bank.Main @ 0x7005d2710  .second
               └─ java.util.ArrayList @ 0x7005d2700
          • Fix: Remove from Main.second what is no longer needed, or keep only the latest.
        2. static Main.first → ArrayList holds 5,000 First (2.08 MiB, 36 %). 93 % sure.
            static field
            └─ class bank.Main @ 0x7005d2710  .first
               └─ java.util.ArrayList @ 0x700214650
          • Fix: Remove from Main.first what is no longer needed, or keep only the latest.
    "#]],
    );
}

/// What a cut-off dump lacks is no change, wherever in the series it stands.
#[test]
fn incomplete_dumps_are_not_compared() {
    let dumps: Vec<Vec<u8>> = (0..4)
        .map(|number| {
            dump(
                "shop",
                Some(60.0 * number as f64),
                5_000,
                3_000 * (number + 1),
            )
        })
        .collect();
    let [first, second, third, fourth] = [0, 1, 2, 3].map(|number| &dumps[number][..]);
    let (whole, _) = report(&[first, second, fourth]);
    let (with_cut, _) = report(&[first, second, &third[..third.len() / 2], fourth]);
    assert_eq!(with_cut.suspects, whole.suspects);
    check(
        &[first, second, &third[..third.len() / 2], fourth],
        expect![[r#"
            Mind: dump 3 is incomplete: what it lacks would pass for change, so it is left out of the
            comparison.
            1. static Main.second → ArrayList holds 12,000 Second (4.99 MiB, 71 %). 99 % sure.
            Over the dumps: 3,000 → 6,000 → 12,000 objects, 3,000 a minute; 1.25 MiB → 2.49 MiB → 4.99 MiB,
            1.25 MiB a minute.
                static field
                └─ class shop.Main @ 0x700711c70  .second
                   └─ java.util.ArrayList @ 0x700711c60
              • Fix: Remove from Main.second what is no longer needed, or keep only the latest.
            Large, but not growing: static Main.first → ArrayList holds 5,000 First (2.08 MiB, 29 %); it did not
            grow between the dumps.
            GROWTH
            ────────────────────────────────────────────────────────────────────────────────────────────────────
              dump  taken     reachable
              1     11:00:00   3.33 MiB
              2     11:01:00   4.57 MiB
              3     11:03:00   7.07 MiB
              kind    shape  a minute  objects     bytes     gained  class   place
              steady  ▃▅█    1.25 MiB   +9,000  4.99 MiB  +3.74 MiB  Second  static Main.second → ArrayList
        "#]],
    );
    // the latest is cut off: the one before is reported on
    check(
        &[first, second, &third[..third.len() / 2]],
        expect![[r#"
            Mind: dump 3 is incomplete: what it lacks would pass for change, so it is left out of the
            comparison.
            Mind: the report is on dump 2, the latest that is complete.
            1. static Main.second → ArrayList holds 6,000 Second (2.49 MiB, 55 %). 89 % sure.
            Over the dumps: 3,000 → 6,000 objects, 3,000 a minute; 1.25 MiB → 2.49 MiB, 1.25 MiB a minute.
                static field
                └─ class shop.Main @ 0x7004931b0  .second
                   └─ java.util.ArrayList @ 0x7004931a0
              • Against it: two dumps cannot tell steady growth from warm-up; a third can.
              • Fix: Remove from Main.second what is no longer needed, or keep only the latest.
            Large, but not growing: static Main.first → ArrayList holds 5,000 First (2.08 MiB, 45 %); it did not
            grow between the dumps.
            GROWTH
            ────────────────────────────────────────────────────────────────────────────────────────────────────
              dump  taken     reachable
              1     11:00:00   3.33 MiB
              2     11:01:00   4.57 MiB
              kind    shape  a minute  objects     bytes     gained  class   place
              recent  ▅█     1.25 MiB   +3,000  2.49 MiB  +1.25 MiB  Second  static Main.second → ArrayList
        "#]],
    );
    // nothing is complete, so nothing is compared
    check(
        &[&first[..first.len() / 2], &second[..second.len() / 2]],
        expect![[r#"
            Mind: dump 2 is incomplete: what it lacks would pass for change, so nothing is compared with it.
            1. static Main.first → ArrayList holds 5,000 First (2.08 MiB, 91 %). 78 % sure.
                static field
                └─ class shop.Main @ 0x7004931b0  .first
                   └─ java.util.ArrayList @ 0x700214650
              • Against it: the dump is cut off, so the holder is a guess from the references that are left.
              • Fix: Remove from Main.first what is no longer needed, or keep only the latest.
        "#]],
    );
}

#[test]
fn without_times_the_order_given_counts() {
    let few = dump("shop", None, 5_000, 5_000);
    let many = dump("shop", None, 5_000, 9_000);
    let (growing, _) = report(&[&few, &many]);
    assert_eq!(growing.suspects.len(), 1);
    assert!(growing.comparison_problems.is_empty());
    let (shrinking, _) = report(&[&many, &few]);
    assert_eq!(shrinking.suspects.len(), 0);
    assert_eq!(shrinking.not_growing.len(), 2);
    let same_time = |second| dump("shop", Some(0.0), 5_000, second);
    let (report, _) = report(&[&same_time(5_000), &same_time(9_000)]);
    assert_eq!(report.comparison_problems.len(), 1);
    assert_eq!(report.suspects.len(), 1);
}

/// Hundreds of replicas and restarts of a week leave one row for each version that matters.
#[test]
fn versions_that_do_not_matter_are_left_out() {
    let store = MemoryStore::new();
    let instance = |version: &str, name: &str, first: f64, last: f64| {
        let resource = || {
            Resource::new([
                ("service.name", "shop"),
                ("service.version", version),
                ("service.instance.id", name),
            ])
        };
        for time in [first, last] {
            let batch = Batch {
                resources: vec![(resource(), at(time))],
                ..Batch::default()
            };
            store.append(&batch).unwrap();
        }
    };
    for number in 0..50 {
        let start = f64::from(number);
        instance("0", &format!("old-{number}"), start, 500.0 + start);
        instance("1", &format!("gone-{number}"), 1_000.0 + start, 1_500.0);
        instance("1", &format!("before-{number}"), 2_000.0 + start, 3_010.0);
        instance("2", &format!("beside-{number}"), 3_000.0 + start, 9_000.0);
    }
    instance("2", "a", 3_020.0, 9_000.0);
    instance("3", "canary", 8_000.0, 9_000.0);
    let detector = Detector::new(Settings::default());
    let surroundings = gather::surroundings(&detector, &store, &process(), at(9_000.0)).unwrap();
    let said: Vec<(f64, &str, usize, &str)> = surroundings
        .deploys
        .iter()
        .map(|d| {
            let time = d.at.seconds_since(at(0.0));
            (time, &*d.version, d.instances, &*d.instance)
        })
        .collect();
    assert_eq!(
        said,
        [
            (1_000.0, "1", 50, ""),
            (3_000.0, "2", 51, ""),
            (8_000.0, "3", 1, "canary"),
        ]
    );
}

#[test]
fn the_first_error_ends_the_analysis() {
    let dumps: [Result<&[u8], HeapError>; 1] = [Ok(b"no dump")];
    assert!(gather::analyze(dumps, &DumpOptions::default(), |_, _| ()).is_err());
    let none: [Result<&[u8], HeapError>; 0] = [];
    assert!(gather::analyze(none, &DumpOptions::default(), |_, _| ()).is_ok());
}
