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
        text += &format!("{:?} {} sure\n", suspect.growth, suspect.confidence);
    }
    for large in &analysis.report.not_growing {
        let against = large.counter_evidence.join("; ");
        text += &format!("= {} ({against})\n", large.sentence);
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
            Some(SuspectGrowth { objects: [1000, 2000, 3000], bytes: [260032, 520032, 780032], objects_per_minute: Some(100.0) }) 0.99 sure
            = static Countries.ALL → HashMap holds 10,000 Country (2.48 MiB, 77 %) (it did not grow between the dumps)
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
            Some(SuspectGrowth { objects: [0, 2000], bytes: [0, 872040], objects_per_minute: Some(200.0) }) 0.99 sure
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
            Some(SuspectGrowth { objects: [3000, 6000, 9000], bytes: [708032, 1416032, 2124032], objects_per_minute: Some(300.0) }) 0.59 sure
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
        expect![[r#"
            = static Main.cache → HashMap holds 5,000 Order (1.24 MiB, 100 %) (it did not grow between the dumps)
        "#]],
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

/// Growth that matters to nobody makes nobody a suspect: an agent's cache that warms up, a map
/// that evicts, and a large map that moves a little, beside the one that makes the heap grow.
#[test]
fn growth_that_explains_little_convicts_nobody() {
    check(
        2,
        |program, dump| {
            let spans =
                program.instances("io.opentelemetry.sdk.trace.Span", 2_000 + 150 * dump, 200);
            let spans = program.map(&spans);
            program.static_field("io.opentelemetry.javaagent.Spans", "ALL", spans);
            let recent = program.instances("app.Recent", 4_000 + 150 * dump, 200);
            let recent = program.evicting_map(&recent);
            program.static_field("app.Main", "recent", recent);
            let countries = program.instances("app.Country", 8_000 + 150 * dump, 200);
            let countries = program.map(&countries);
            program.static_field("app.Countries", "ALL", countries);
            let users = program.instances("app.User", 4_000 + 600 * dump, 200);
            let users = program.map(&users);
            program.static_field("app.Users", "ALL", users);
            let orders = program.instances("app.Order", 2_000 + 3_000 * dump, 200);
            let orders = program.concurrent_map(&orders);
            program.static_field("app.OrderController", "responseCache", orders);
        },
        expect![[r#"
            static OrderController.responseCache → ConcurrentHashMap holds 5,000 Order (1.24 MiB, 21 %) [Map]
              app.OrderController responseCache by static field
            static Users.ALL → HashMap holds 4,600 User (1.14 MiB, 19 %) [Map]
              app.Users ALL by static field
              but it explains only 15 % of what the heap gained between the dumps
            Some(SuspectGrowth { objects: [2000, 5000], bytes: [520032, 1300032], objects_per_minute: Some(300.0) }) 0.86 sure
            Some(SuspectGrowth { objects: [4000, 4600], bytes: [1040040, 1196040], objects_per_minute: Some(60.0) }) 0.47 sure
            = static Countries.ALL → HashMap holds 8,150 Country (2.02 MiB, 34 %) (it hardly grew between the dumps)
            + static OrderController.responseCache → ConcurrentHashMap: app.Order [2000, 5000] [520032, 1300032]
            + static Users.ALL → HashMap: app.User [4000, 4600] [1040040, 1196040]
            + static Countries.ALL → HashMap: app.Country [8000, 8150] [2080040, 2119040]
            + static Spans.ALL → HashMap: io.opentelemetry.sdk.trace.Span [2000, 2150] [520040, 559040]
            + static Main.recent → Lru: app.Recent [4000, 4150] [944032, 979432]
        "#]],
    );
}

/// A place of the runtime's own that makes the heap grow is a leak, `DeleteOnExitHook` for one.
#[test]
fn a_place_of_the_runtime_that_makes_the_heap_grow_is_a_suspect() {
    check(
        2,
        |program, dump| {
            let kept = program.instances("app.Kept", 4_000, 1_000);
            let kept = program.list(&kept);
            program.static_field("app.Main", "kept", kept);
            let files = program.instances("java.lang.String", 200 + 2_000 * dump, 200);
            let files = program.list(&files);
            program.static_field("java.io.DeleteOnExitHook", "files", files);
        },
        expect![[r#"
            static DeleteOnExitHook.files → ArrayList holds 2,200 String (507 KiB, 11 %) [Collection]
              java.io.DeleteOnExitHook files by static field
            Some(SuspectGrowth { objects: [200, 2200], bytes: [47240, 519240], objects_per_minute: Some(200.0) }) 0.99 sure
            = static Main.kept → ArrayList holds 4,000 Kept (3.95 MiB, 89 %) (it did not grow between the dumps)
            + static DeleteOnExitHook.files → ArrayList: java.lang.String [200, 2200] [47240, 519240]
        "#]],
    );
}

#[test]
fn dumps_know_whether_they_are_of_one_process() {
    let summary = |class: &str, orders: usize| {
        let (_, mut summaries) = series(1, |program, _| {
            let orders = program.instances(&format!("{class}.Order"), orders, 200);
            let orders = program.list(&orders);
            program.static_field(&format!("{class}.Main"), "orders", orders);
        });
        summaries.remove(0)
    };
    let (early, late, other) = (
        summary("shop", 100),
        summary("shop", 900),
        summary("bank", 900),
    );
    assert!(late.can_follow(&early) && early.can_follow(&early));
    assert!(!late.can_follow(&other) && !other.can_follow(&early));
    assert!(early.is_same_dump(&summary("shop", 100)));
    assert!(!early.is_same_dump(&late) && !late.is_same_dump(&other));
}

#[test]
fn a_map_tells_the_class_of_its_keys() {
    let (analysis, _) = series(1, |program, _| {
        let orders = program.instances("app.Order", 5_000, 200);
        let keys = program.instances("app.OrderId", 5_000, 8);
        let map = program.keyed_map(&keys, &orders);
        program.static_field("app.Main", "orders", map);
    });
    let accumulates = &analysis.report.suspects[0].accumulates;
    assert_eq!(accumulates.key_class.as_deref(), Some("app.OrderId"));
}
