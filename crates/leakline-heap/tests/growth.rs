//! What grew between dumps of one process.

mod support;

use std::time::Duration;

use expect_test::{Expect, expect};
use leakline_heap::{Analysis, AnalyzeOptions, HeapSummary, LoadOptions, analyze, growth, load};
use leakline_hprof::heap_builder::Form;
use leakline_model::Timestamp;
use support::{Program, suspects};

/// Analyses dumps taken every ten minutes; `build` is told the number of each.
fn series(dumps: usize, build: impl Fn(&mut Program, usize)) -> (Analysis, Vec<HeapSummary>) {
    let mut earlier: Vec<HeapSummary> = Vec::new();
    let mut last = None;
    for dump in 0..dumps {
        let mut program = Program::new();
        build(&mut program, dump);
        let start = Timestamp::from_millis(1_795_345_200_000);
        let form = Form {
            taken_at: Some(start + Duration::from_secs(600 * dump as u64)),
            ..Form::default()
        };
        let bytes = program.heap.build_as(&form);
        let heap = load(&bytes, &LoadOptions::default()).expect("the dump can be read");
        let options = AnalyzeOptions {
            earlier: &earlier,
            ..AnalyzeOptions::default()
        };
        let analysis = analyze(&heap, &options);
        earlier.push(analysis.summary.clone());
        last = Some(analysis);
    }
    (last.expect("one dump at least"), earlier)
}

fn check(dumps: usize, build: impl Fn(&mut Program, usize), expected: Expect) {
    let (analysis, summaries) = series(dumps, build);
    assert_eq!(growth(&summaries), analysis.growth);
    let mut text = suspects(&analysis);
    for suspect in &analysis.report.suspects {
        text += &format!("{:?}\n", suspect.growth);
    }
    for row in &analysis.growth {
        let (path, class) = (&row.path, &row.class);
        text += &format!("+ {path}: {class} {:?} {:?}\n", row.objects, row.bytes);
    }
    expected.assert_eq(&text);
}

#[test]
fn what_grows_comes_before_what_is_large() {
    check(
        3,
        |program, dump| {
            // what is loaded once: large, and of one size
            let countries = program.instances("app.Country", 10_000, 200);
            let countries = program.map(&countries);
            program.static_field("app.Countries", "ALL", countries);
            let orders = program.instances("app.Order", 1_000 * (dump + 1), 200);
            let orders = program.concurrent_map(&orders);
            program.static_field("app.OrderController", "responseCache", orders);
        },
        expect![[r#"
            static OrderController.responseCache → ConcurrentHashMap holds 3,000 Order (762 KiB, 23 %) [Map]
              app.OrderController responseCache by static field
            Some(SuspectGrowth { objects: [1000, 2000, 3000], bytes: [260032, 520032, 780032], objects_per_minute: Some(100.0) })
            + static OrderController.responseCache → ConcurrentHashMap: app.Order [1000, 2000, 3000] [260032, 520032, 780032]
        "#]],
    );
}

#[test]
fn a_place_that_is_new_grew_from_nothing() {
    check(
        2,
        |program, dump| {
            let kept = program.instances("app.Kept", 100, 5_000);
            let kept = program.list(&kept);
            program.static_field("app.Main", "kept", kept);
            if dump == 1 {
                let listeners = program.instances("app.Listener", 2_000, 400);
                let listeners = program.list(&listeners);
                program.static_field("app.Bus", "listeners", listeners);
            }
        },
        expect![[r#"
            static Bus.listeners → ArrayList holds 2,000 Listener (852 KiB, 63 %) [Listeners]
              app.Bus listeners by static field
            Some(SuspectGrowth { objects: [0, 2000], bytes: [0, 872040], objects_per_minute: Some(200.0) })
            + static Bus.listeners → ArrayList: app.Listener [0, 2000] [0, 872040]
        "#]],
    );
}

#[test]
fn a_cache_that_should_evict_but_grows_is_a_suspect() {
    check(
        3,
        |program, dump| {
            let orders = program.instances("app.Order", 3_000 * (dump + 1), 200);
            let cache = program.evicting_map(&orders);
            program.static_field("app.Main", "lru", cache);
        },
        expect![[r#"
            static Main.lru → Lru holds 9,000 Order (2.03 MiB, 100 %) [Map]
              app.Main lru by static field
              but Lru extends LinkedHashMap and may evict its eldest entry
            Some(SuspectGrowth { objects: [3000, 6000, 9000], bytes: [708032, 1416032, 2124032], objects_per_minute: Some(300.0) })
            + static Main.lru → Lru: app.Order [3000, 6000, 9000] [708032, 1416032, 2124032]
        "#]],
    );
}

#[test]
fn a_steady_heap_has_no_suspect() {
    check(
        3,
        |program, _| {
            let cache = program.instances("app.Order", 5_000, 200);
            let cache = program.map(&cache);
            program.static_field("app.Main", "cache", cache);
        },
        expect![""],
    );
}

#[test]
fn one_dump_shows_no_growth() {
    let (analysis, summaries) = series(1, |program, _| {
        let cache = program.instances("app.Order", 5_000, 200);
        let cache = program.map(&cache);
        program.static_field("app.Main", "cache", cache);
    });
    assert!(analysis.growth.is_empty() && growth(&summaries).is_empty());
    assert!(growth(&[]).is_empty());
    assert_eq!(analysis.report.suspects[0].growth, None);
}
