//! What grew between dumps of one process.

mod support;

use std::time::Duration;

use expect_test::{Expect, expect};
use leakline_heap::{
    Analysis, AnalyzeOptions, HeapSummary, LoadOptions, Per, Suspect, SuspectGrowth, analyze, load,
};
use leakline_hprof::heap_builder::Form;
use leakline_model::Timestamp;
use support::{Program, suspects};

/// Analyses dumps taken every ten minutes; `build` is told the number of each.
fn series(dumps: usize, build: impl Fn(&mut Program, usize)) -> (Analysis, Vec<HeapSummary>) {
    let seconds: Vec<Option<u64>> = (0..dumps as u64).map(|dump| Some(600 * dump)).collect();
    series_at(&seconds, build)
}

/// Analyses dumps taken so many seconds after the first.
fn series_at(
    seconds: &[Option<u64>],
    build: impl Fn(&mut Program, usize),
) -> (Analysis, Vec<HeapSummary>) {
    let mut earlier: Vec<HeapSummary> = Vec::new();
    let mut last = None;
    for (dump, seconds) in seconds.iter().enumerate() {
        let mut program = Program::new();
        build(&mut program, dump);
        let start = Timestamp::from_millis(1_795_345_200_000);
        let form = Form {
            taken_at: seconds.map(|seconds| start + Duration::from_secs(seconds)),
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
    let (analysis, _) = series(dumps, build);
    let mut text = suspects(&analysis);
    for suspect in &analysis.report.suspects {
        let growth = suspect.growth.as_ref().expect("dumps were compared");
        text += &format!("{} sure: {}\n", suspect.confidence, told(growth));
    }
    for large in &analysis.report.not_growing {
        let against = large.counter_evidence.join("; ");
        text += &format!("= {} ({against})\n", large.sentence);
    }
    for row in &analysis.growth {
        let (path, class) = (&row.path, &row.class);
        text += &format!("+ {path}: {class} {}\n", told(&row.growth));
    }
    expected.assert_eq(&text);
}

fn told(growth: &SuspectGrowth) -> String {
    let SuspectGrowth { objects, bytes, .. } = growth;
    let (kind, rate) = (growth.kind.as_str(), growth.rate);
    format!(
        "{kind} {objects:?} {bytes:?} {} {:.0} per {:?}",
        rate.objects, rate.bytes, rate.per
    )
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
            0.99 sure: steady [1000, 2000, 3000] [260032, 520032, 780032] 100 26000 per Minute
            = static Countries.ALL → HashMap holds 10,000 Country (2.48 MiB, 77 %) (it did not grow between the dumps)
            + static OrderController.responseCache → ConcurrentHashMap: app.Order steady [1000, 2000, 3000] [260032, 520032, 780032] 100 26000 per Minute
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
              but two dumps cannot tell steady growth from warm-up; a third can
            0.89 sure: recent [0, 2000] [0, 872040] 200 87204 per Minute
            + static Bus.listeners → ArrayList: app.Listener recent [0, 2000] [0, 872040] 200 87204 per Minute
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
            0.59 sure: steady [3000, 6000, 9000] [708032, 1416032, 2124032] 300 70800 per Minute
            + static Main.lru → Lru: app.Order steady [3000, 6000, 9000] [708032, 1416032, 2124032] 300 70800 per Minute
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
    let (analysis, _) = series(1, |program, _| {
        let cache = program.instances("app.Order", 5_000, 200);
        let cache = program.map(&cache);
        program.static_field("app.Main", "cache", cache);
    });
    assert!(analysis.growth.is_empty());
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
              but two dumps cannot tell steady growth from warm-up; a third can
            static Users.ALL → HashMap holds 4,600 User (1.14 MiB, 19 %) [Map]
              app.Users ALL by static field
              but it explains only 15 % of what the heap gained between the dumps
              but two dumps cannot tell steady growth from warm-up; a third can
            0.76 sure: recent [2000, 5000] [520032, 1300032] 300 78000 per Minute
            0.37 sure: recent [4000, 4600] [1040040, 1196040] 60 15600 per Minute
            = static Countries.ALL → HashMap holds 8,150 Country (2.02 MiB, 34 %) (it hardly grew between the dumps)
            + static OrderController.responseCache → ConcurrentHashMap: app.Order recent [2000, 5000] [520032, 1300032] 300 78000 per Minute
            + static Users.ALL → HashMap: app.User recent [4000, 4600] [1040040, 1196040] 60 15600 per Minute
            + static Countries.ALL → HashMap: app.Country recent [8000, 8150] [2080040, 2119040] 15 3900 per Minute
            + static Spans.ALL → HashMap: io.opentelemetry.sdk.trace.Span recent [2000, 2150] [520040, 559040] 15 3900 per Minute
            + static Main.recent → Lru: app.Recent recent [4000, 4150] [944032, 979432] 15 3540 per Minute
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
              but two dumps cannot tell steady growth from warm-up; a third can
            0.89 sure: recent [200, 2200] [47240, 519240] 200 47200 per Minute
            = static Main.kept → ArrayList holds 4,000 Kept (3.95 MiB, 89 %) (it did not grow between the dumps)
            + static DeleteOnExitHook.files → ArrayList: java.lang.String recent [200, 2200] [47240, 519240] 200 47200 per Minute
        "#]],
    );
}

/// Many leaks that are alike: each explains little of the growth, and none excuses another.
#[test]
fn equal_leaks_do_not_excuse_one_another() {
    check(
        3,
        |program, dump| {
            for number in 0..12 {
                let orders = program.instances("app.Order", 2_000 + 2_000 * dump, 200);
                let orders = program.map(&orders);
                program.static_field(&format!("app.Shop{number}"), "orders", orders);
            }
        },
        expect![[r#"
            static Shop0.orders → HashMap holds 6,000 Order (1.49 MiB, 8 %) [Map]
              app.Shop0 orders by static field
            static Shop1.orders → HashMap holds 6,000 Order (1.49 MiB, 8 %) [Map]
              app.Shop1 orders by static field
            static Shop10.orders → HashMap holds 6,000 Order (1.49 MiB, 8 %) [Map]
              app.Shop10 orders by static field
            static Shop11.orders → HashMap holds 6,000 Order (1.49 MiB, 8 %) [Map]
              app.Shop11 orders by static field
            static Shop2.orders → HashMap holds 6,000 Order (1.49 MiB, 8 %) [Map]
              app.Shop2 orders by static field
            static Shop3.orders → HashMap holds 6,000 Order (1.49 MiB, 8 %) [Map]
              app.Shop3 orders by static field
            static Shop4.orders → HashMap holds 6,000 Order (1.49 MiB, 8 %) [Map]
              app.Shop4 orders by static field
            static Shop5.orders → HashMap holds 6,000 Order (1.49 MiB, 8 %) [Map]
              app.Shop5 orders by static field
            static Shop6.orders → HashMap holds 6,000 Order (1.49 MiB, 8 %) [Map]
              app.Shop6 orders by static field
            static Shop7.orders → HashMap holds 6,000 Order (1.49 MiB, 8 %) [Map]
              app.Shop7 orders by static field
            static Shop8.orders → HashMap holds 6,000 Order (1.49 MiB, 8 %) [Map]
              app.Shop8 orders by static field
            static Shop9.orders → HashMap holds 6,000 Order (1.49 MiB, 8 %) [Map]
              app.Shop9 orders by static field
            0.99 sure: steady [2000, 4000, 6000] [520040, 1040040, 1560040] 200 52000 per Minute
            0.99 sure: steady [2000, 4000, 6000] [520040, 1040040, 1560040] 200 52000 per Minute
            0.99 sure: steady [2000, 4000, 6000] [520040, 1040040, 1560040] 200 52000 per Minute
            0.99 sure: steady [2000, 4000, 6000] [520040, 1040040, 1560040] 200 52000 per Minute
            0.99 sure: steady [2000, 4000, 6000] [520040, 1040040, 1560040] 200 52000 per Minute
            0.99 sure: steady [2000, 4000, 6000] [520040, 1040040, 1560040] 200 52000 per Minute
            0.99 sure: steady [2000, 4000, 6000] [520040, 1040040, 1560040] 200 52000 per Minute
            0.99 sure: steady [2000, 4000, 6000] [520040, 1040040, 1560040] 200 52000 per Minute
            0.99 sure: steady [2000, 4000, 6000] [520040, 1040040, 1560040] 200 52000 per Minute
            0.99 sure: steady [2000, 4000, 6000] [520040, 1040040, 1560040] 200 52000 per Minute
            0.99 sure: steady [2000, 4000, 6000] [520040, 1040040, 1560040] 200 52000 per Minute
            0.99 sure: steady [2000, 4000, 6000] [520040, 1040040, 1560040] 200 52000 per Minute
            + static Shop0.orders → HashMap: app.Order steady [2000, 4000, 6000] [520040, 1040040, 1560040] 200 52000 per Minute
            + static Shop1.orders → HashMap: app.Order steady [2000, 4000, 6000] [520040, 1040040, 1560040] 200 52000 per Minute
            + static Shop2.orders → HashMap: app.Order steady [2000, 4000, 6000] [520040, 1040040, 1560040] 200 52000 per Minute
            + static Shop3.orders → HashMap: app.Order steady [2000, 4000, 6000] [520040, 1040040, 1560040] 200 52000 per Minute
            + static Shop4.orders → HashMap: app.Order steady [2000, 4000, 6000] [520040, 1040040, 1560040] 200 52000 per Minute
            + static Shop5.orders → HashMap: app.Order steady [2000, 4000, 6000] [520040, 1040040, 1560040] 200 52000 per Minute
            + static Shop6.orders → HashMap: app.Order steady [2000, 4000, 6000] [520040, 1040040, 1560040] 200 52000 per Minute
            + static Shop7.orders → HashMap: app.Order steady [2000, 4000, 6000] [520040, 1040040, 1560040] 200 52000 per Minute
            + static Shop8.orders → HashMap: app.Order steady [2000, 4000, 6000] [520040, 1040040, 1560040] 200 52000 per Minute
            + static Shop9.orders → HashMap: app.Order steady [2000, 4000, 6000] [520040, 1040040, 1560040] 200 52000 per Minute
            + static Shop10.orders → HashMap: app.Order steady [2000, 4000, 6000] [520040, 1040040, 1560040] 200 52000 per Minute
            + static Shop11.orders → HashMap: app.Order steady [2000, 4000, 6000] [520040, 1040040, 1560040] 200 52000 per Minute
        "#]],
    );
}

/// What an engineer on call meets in one process: each place changes in its own manner, and one
/// of them is the leak, though the cache that warms up gained far more.
#[test]
fn the_leak_is_told_from_all_else_that_changes() {
    check(
        5,
        |program, dump| {
            let mut fill = |class: &str, field: &str, count: usize| {
                let things = program.instances(&format!("app.{class}"), count, 200);
                let things = program.map(&things);
                program.static_field(&format!("app.{class}Store"), field, things);
            };
            fill("Order", "all", 500 + 400 * dump);
            fill("Page", "cache", [0, 6_000, 8_000, 8_000, 8_000][dump]);
            fill("Request", "open", [900, 4_000, 100, 3_000, 2_000][dump]);
            fill("Country", "all", 10_000);
            fill(
                "Report",
                "nightly",
                [1_000, 1_000, 1_800, 1_800, 2_600][dump],
            );
            fill("Session", "old", 4_000 - 900 * dump);
        },
        expect![[r#"
            static OrderStore.all → HashMap holds 2,100 Order (533 KiB, 8 %) [Map]
              app.OrderStore all by static field
            static ReportStore.nightly → HashMap holds 2,600 Report (660 KiB, 10 %) [Map]
              app.ReportStore nightly by static field
              but it grew in steps, and not between all of the dumps
            0.99 sure: steady [500, 900, 1300, 1700, 2100] [130040, 234040, 338040, 442040, 546040] 40 10400 per Minute
            0.89 sure: stairs [1000, 1000, 1800, 1800, 2600] [260040, 260040, 468040, 468040, 676040] 40 10400 per Minute
            = static PageStore.cache → HashMap holds 8,000 Page (1.98 MiB, 32 %) (it grew at first and hardly any more in the end, as what warms up does)
            = static CountryStore.all → HashMap holds 10,000 Country (2.48 MiB, 40 %) (it did not grow between the dumps)
            + static OrderStore.all → HashMap: app.Order steady [500, 900, 1300, 1700, 2100] [130040, 234040, 338040, 442040, 546040] 40 10400 per Minute
            + static ReportStore.nightly → HashMap: app.Report stairs [1000, 1000, 1800, 1800, 2600] [260040, 260040, 468040, 468040, 676040] 40 10400 per Minute
            + static PageStore.cache → HashMap: app.Page warm_up [0, 6000, 8000, 8000, 8000] [0, 1560040, 2080040, 2080040, 2080040] 150 39000 per Minute
            + static RequestStore.open → HashMap: app.Request fluctuating [900, 4000, 100, 3000, 2000] [234040, 1040040, 26040, 780040, 520040] -6.25 -1625 per Minute
        "#]],
    );
}

/// Thirty classes that share a list, each too small to matter.
#[test]
fn a_leak_spread_over_many_classes_grows_as_a_whole() {
    check(
        3,
        |program, dump| {
            let kept = program.instances("app.Kept", 4_000, 1_000);
            let kept = program.list(&kept);
            program.static_field("app.Main", "kept", kept);
            let events: Vec<_> = (0..30)
                .flat_map(|class| {
                    program.instances(&format!("app.Event{class}"), 40 * (dump + 1), 200)
                })
                .collect();
            let log = program.list(&events);
            program.static_field("app.EventLog", "events", log);
        },
        expect![[r#"
            static EventLog.events → ArrayList holds 3,600 objects of 30 classes, such as Event0 (833 KiB, 17 %) [Collection]
              app.EventLog events by static field
            0.99 sure: steady [1200, 2400, 3600] [283240, 566440, 849640] 120 28320 per Minute
            = static Main.kept → ArrayList holds 4,000 Kept (3.95 MiB, 83 %) (it did not grow between the dumps)
            + static EventLog.events → ArrayList: app.Event0 steady [1200, 2400, 3600] [283240, 566440, 849640] 120 28320 per Minute
        "#]],
    );
}

/// The leak inside of each tenant is named, not the tenants, of which there are always forty.
#[test]
fn growth_is_named_where_it_happens() {
    check(
        3,
        |program, dump| {
            let tenant = program.class("app.Tenant", &["orders", "audit"]);
            let tenants: Vec<_> = (0..40)
                .map(|_| {
                    let orders = program.instances("app.Order", 300, 200);
                    let orders = program.map(&orders);
                    let audit = program.instances("app.Entry", 40 * dump, 200);
                    let audit = program.list(&audit);
                    let tenant = program.heap.instance(tenant);
                    tenant.set("orders", orders).set("audit", audit).id()
                })
                .collect();
            let tenants = program.concurrent_map(&tenants);
            program.static_field("app.Tenants", "ALL", tenants);
        },
        expect![[r#"
            static Tenants.ALL → ConcurrentHashMap → Tenant.audit → ArrayList holds 3,200 Entry (739 KiB, 19 %) [Collection]
              app.Tenant audit by static field
            0.99 sure: steady [0, 1600, 3200] [0, 379200, 756800] 160 37840 per Minute
            = static Tenants.ALL → ConcurrentHashMap → Tenant.orders → HashMap holds 12,000 Order (2.98 MiB, 80 %) (it did not grow between the dumps)
            + static Tenants.ALL → ConcurrentHashMap → Tenant.audit → ArrayList: app.Entry steady [0, 1600, 3200] [0, 379200, 756800] 160 37840 per Minute
        "#]],
    );
}

#[test]
fn a_buffer_that_grows_is_a_suspect() {
    check(
        3,
        |program, dump| {
            let kept = program.instances("app.Kept", 4_000, 1_000);
            let kept = program.list(&kept);
            program.static_field("app.Main", "kept", kept);
            let buffer = program.class("java.io.ByteArrayOutputStream", &["buf"]);
            let bytes = program.bytes(3_000_000 * (dump + 1));
            let buffer = program.heap.instance(buffer).set("buf", bytes).id();
            program.static_field("app.Recorder", "log", buffer);
        },
        expect![[r#"
            static Recorder.log → ByteArrayOutputStream.buf holds one byte[] (8.58 MiB, 68 %) [Object]
              app.Recorder log by static field
              but it is one object, which may well have the size it is meant to have
            0.99 sure: steady [1, 1, 1] [3000016, 6000016, 9000016] 0 300000 per Minute
            = static Main.kept → ArrayList holds 4,000 Kept (3.95 MiB, 32 %) (it did not grow between the dumps)
            + static Recorder.log → ByteArrayOutputStream.buf: byte[] steady [1, 1, 1] [3000016, 6000016, 9000016] 0 300000 per Minute
        "#]],
    );
}

/// The same objects, held by another field: nothing was added.
#[test]
fn what_moved_may_not_have_been_added() {
    check(
        2,
        |program, dump| {
            let kept = program.instances("app.Kept", 2_000, 1_000);
            let kept = program.list(&kept);
            program.static_field("app.Main", "kept", kept);
            let orders = program.instances("app.Order", 6_000, 200);
            let (old, new) = orders.split_at(if dump == 0 { 5_990 } else { 300 });
            let (old, new) = (program.list(old), program.list(new));
            program.static_field("app.Cache", "young", old);
            program.static_field("app.Cache", "old", new);
        },
        expect![[r#"
            static Cache.old → ArrayList holds 5,700 Order (1.28 MiB, 39 %) [Collection]
              app.Cache old by static field
              but two dumps cannot tell steady growth from warm-up; a third can
              but 5,690 Order are gone from static Cache.young → ArrayList, so they may have moved and not been added
            0.59 sure: recent [10, 5700] [2400, 1345240] 569 134284 per Minute
            = static Main.kept → ArrayList holds 2,000 Kept (1.98 MiB, 59 %) (it did not grow between the dumps)
        "#]],
    );
}

/// Bins of a hash map that become trees, and workers that are numbered anew.
#[test]
fn places_are_found_again_whatever_the_runtime_renames() {
    check(
        3,
        |program, dump| {
            let orders = program.instances("app.Order", 3_000 + 1_000 * dump, 200);
            let (listed, treed) = orders.split_at(3_000 - 900 * dump);
            let fields: &[&str] = &["key", "value", "next"];
            let mut nodes = Vec::new();
            for (class, orders) in [("Node", listed), ("TreeNode", treed)] {
                let class = match class {
                    "Node" => program.node_class(),
                    _ => program.class("java.util.HashMap$TreeNode", fields),
                };
                let node = |order| program.heap.instance(class).set("value", order).id();
                nodes.extend(orders.iter().copied().map(node));
            }
            let map = program.map_of_nodes(&nodes);
            program.static_field("app.Orders", "ALL", map);
            let hidden = format!("app.Script+0x{:016x}", 0x7f00_0000 + dump * 4096);
            let scripts = program.instances(&hidden, 1_000, 200);
            let scripts = program.list(&scripts);
            program.static_field("app.Scripts", "ALL", scripts);
        },
        expect![[r#"
            static Orders.ALL → HashMap holds 5,000 Order (1.24 MiB, 85 %) [Map]
              app.Orders ALL by static field
            0.99 sure: steady [3000, 4000, 5000] [780040, 1040040, 1300040] 100 26000 per Minute
            + static Orders.ALL → HashMap: app.Order steady [3000, 4000, 5000] [780040, 1040040, 1300040] 100 26000 per Minute
        "#]],
    );
}

#[test]
fn without_times_growth_is_counted_from_dump_to_dump() {
    let (analysis, _) = series_at(&[None, Some(0), Some(600)], |program, dump| {
        let orders = program.instances("app.Order", 1_000 * (dump + 1), 200);
        let orders = program.list(&orders);
        program.static_field("app.Orders", "ALL", orders);
    });
    let growth = analysis.report.suspects[0].growth.as_ref().unwrap();
    assert_eq!((growth.rate.objects, growth.rate.per), (1_000.0, Per::Dump));
    assert_eq!(growth.objects_per_minute(), None);
}

/// Minutes or hours: the findings are the same, the rates are not.
#[test]
fn the_pace_of_the_dumps_changes_nothing_but_rates() {
    let at = |seconds: u64| {
        let (analysis, _) = series_at(
            &[0, 1, 2, 3].map(|dump| Some(dump * seconds)),
            |program, dump| {
                let orders = program.instances("app.Order", 1_000 * (dump + 1), 200);
                let orders = program.list(&orders);
                program.static_field("app.Orders", "ALL", orders);
                let pages = program.instances("app.Page", [10, 4_000, 4_100, 4_100][dump], 200);
                let pages = program.list(&pages);
                program.static_field("app.Pages", "ALL", pages);
            },
        );
        let rate = analysis.growth[0].growth.objects_per_minute().unwrap();
        let sentences = |suspects: &[Suspect]| -> Vec<String> {
            let told = suspects.iter();
            told.map(|suspect| suspect.sentence.clone()).collect()
        };
        let report = &analysis.report;
        (
            sentences(&report.suspects),
            sentences(&report.not_growing),
            rate,
        )
    };
    let (suspects, excused, rate) = at(20);
    assert_eq!((suspects.len(), excused.len(), rate), (1, 1, 3_000.0));
    assert_eq!(at(3_600), (suspects, excused, 1_000.0 / 60.0));
}

/// However large a heap, what is kept of it for the comparison is small.
#[test]
fn a_summary_is_small() {
    let (_, summaries) = series(1, |program, _| {
        for class in 0..30_000 {
            let body = program.bytes(4_000);
            program.static_field(&format!("app.Class{class}"), "body", body);
        }
    });
    assert!(summaries[0].memory() < 1 << 20);
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
