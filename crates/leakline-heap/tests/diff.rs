//! What classes and dominators gained from one dump to others.

mod support;

use expect_test::{Expect, expect};
use leakline_heap::inspect::{Diff, DiffRest, DiffRow, Filter, Inspector, Size, Sizes, diff};
use leakline_heap::{LoadOptions, load};
use leakline_hprof::heap_builder::ObjectId;
use leakline_model::Glob;
use support::Program;

fn all() -> Filter {
    Filter {
        class: None,
        retained_over: None,
        limit: 100,
    }
}

fn of(class: &str) -> Filter {
    Filter {
        class: Some(Glob::new(class)),
        ..all()
    }
}

/// The sizes of a dump that `build` makes, which is told its number. Garbage in front of all else
/// moves every object to another address in each of them.
fn sizes<S>(
    dumps: usize,
    build: impl Fn(&mut Program, usize),
    ask: impl Fn(&Inspector<'_, '_>) -> S,
) -> Vec<S> {
    let dump = |number| {
        let mut program = Program::new();
        program.instances("app.Garbage", 10 * number, 100);
        build(&mut program, number);
        let bytes = program.heap.build();
        let heap = load(&bytes, &LoadOptions::default()).expect("the dump can be read");
        ask(&Inspector::new(&heap))
    };
    (0..dumps).map(dump).collect()
}

fn told(diff: &Diff) -> String {
    fn rows_of(text: &mut String, rows: &[DiffRow], rest: DiffRest, indent: &str) {
        for row in rows {
            let of = |of: fn(&Size) -> u64| -> Vec<u64> { row.sizes.iter().map(of).collect() };
            let field = row
                .field
                .as_ref()
                .map_or(String::new(), |field| format!("{field}: "));
            *text += &format!(
                "{indent}{field}{} {:?} {:?} {:?}\n",
                row.class,
                of(|size| size.objects),
                of(|size| size.shallow_bytes),
                of(|size| size.retained_bytes),
            );
            rows_of(text, &row.children, row.rest, &format!("{indent}  "));
        }
        if rest.rows > 0 {
            *text += &format!("{indent}… {} more {:+}\n", rest.rows, rest.gained_bytes);
        }
    }
    let mut text = String::new();
    rows_of(&mut text, &diff.rows, diff.rest, "");
    text
}

fn check(dumps: &[Sizes], filter: &Filter, expected: Expect) {
    let text = match diff(dumps, filter) {
        Ok(diff) => told(&diff),
        Err(error) => format!("{error}\n"),
    };
    expected.assert_eq(&text);
}

/// Orders are gained, sessions lost, countries stay.
fn shop(program: &mut Program, dump: usize) {
    let orders = program.instances("app.Order", 10 + 10 * dump, 100);
    let orders = program.map(&orders);
    program.static_field("app.Orders", "ALL", orders);
    let sessions = program.instances("app.Session", 10 - 5 * dump, 40);
    let sessions = program.list(&sessions);
    program.static_field("app.Sessions", "ALL", sessions);
    let countries = program.instances("app.Country", 100, 40);
    let countries = program.list(&countries);
    program.static_field("app.Countries", "ALL", countries);
    if dump == 1 {
        let reports = program.instances("app.Report", 3, 500);
        let reports = program.list(&reports);
        program.static_field("app.Reports", "ALL", reports);
    }
}

#[test]
fn classes_by_what_they_gained() {
    let dumps = sizes(2, shop, |inspector| inspector.class_sizes());
    check(
        &dumps,
        &all(),
        expect![[r#"
        byte[] [120, 128] [7360, 9840] [7360, 9840]
        java.util.HashMap$Node [10, 20] [240, 480] [1600, 3200]
        java.lang.Class [14, 16] [1568, 1792] [11688, 14840]
        app.Order [10, 20] [160, 320] [1360, 2720]
        app.Report [0, 3] [0, 48] [0, 1608]
        java.util.HashMap$Node[] [1, 1] [56, 96] [1992, 3632]
        java.util.ArrayList [2, 3] [48, 72] [8664, 10064]
        java.lang.Object[] [2, 3] [472, 488] [8616, 9992]
        java.util.HashMap [1, 1] [24, 24] [2128, 3768]
        app.Session [10, 5] [160, 80] [720, 360]
    "#]],
    );
    check(
        &dumps,
        &of("app.*"),
        expect![[r#"
        app.Order [10, 20] [160, 320] [1360, 2720]
        app.Report [0, 3] [0, 48] [0, 1608]
        app.Session [10, 5] [160, 80] [720, 360]
    "#]],
    );
    let few = Filter { limit: 2, ..all() };
    check(
        &dumps,
        &few,
        expect![[r#"
        byte[] [120, 128] [7360, 9840] [7360, 9840]
        java.util.HashMap$Node [10, 20] [240, 480] [1600, 3200]
        … 8 more +432
    "#]],
    );
    let large = Filter {
        retained_over: Some(2_000),
        ..of("app.*")
    };
    check(
        &dumps,
        &large,
        expect![[r#"
        app.Order [10, 20] [160, 320] [1360, 2720]
    "#]],
    );
    check(
        &dumps,
        &of("app.order"),
        expect![[r#"
        no class matches "app.order"; did you mean app.Order?
    "#]],
    );
}

#[test]
fn dominators_by_what_they_gained() {
    let dumps = sizes(2, shop, |inspector| inspector.dominator_sizes(&all(), 2));
    check(
        &dumps,
        &all(),
        expect![[r#"
        class app.Reports [0, 1] [0, 112] [0, 1888]
          ALL: java.util.ArrayList [0, 1] [0, 24] [0, 1776]
            []: app.Report [0, 3] [0, 48] [0, 1608]
            class app.Report [0, 1] [0, 112] [0, 112]
        class app.Orders [1, 1] [112, 112] [2240, 3880]
          ALL: java.util.HashMap [1, 1] [24, 24] [2128, 3768]
            []: app.Order [10, 20] [160, 320] [1360, 2720]
        class app.Sessions [1, 1] [112, 112] [1024, 648]
          ALL: java.util.ArrayList [1, 1] [24, 24] [912, 536]
            []: app.Session [10, 5] [160, 80] [720, 360]
    "#]],
    );
    let lists = of("java.util.*List");
    let dumps = sizes(2, shop, |inspector| inspector.dominator_sizes(&lists, 1));
    check(
        &dumps,
        &lists,
        expect![[r#"
        java.util.ArrayList [2, 3] [48, 72] [8664, 10064]
          []: app.Report [0, 3] [0, 48] [0, 1608]
          class app.Report [0, 1] [0, 112] [0, 112]
          []: app.Session [10, 5] [160, 80] [720, 360]
    "#]],
    );
    let none = of("app.Nothing");
    let dumps = sizes(2, shop, |inspector| inspector.dominator_sizes(&none, 1));
    check(
        &dumps,
        &none,
        expect![[r#"
        no class matches "app.Nothing"; names are full, as in java.lang.String; try "*app.Nothing*"
    "#]],
    );
}

/// A chain of any length is one step, and so is a tree; what refers back to its list is still an
/// element of it.
#[test]
fn linked_objects_are_one_node() {
    let build = |program: &mut Program, dump: usize| {
        let link = program.class("app.Link", &["next", "body"]);
        let mut next = ObjectId::NULL;
        for _ in 0..50 * (dump + 1) {
            let body = program.bytes(10);
            let link = program.heap.instance(link);
            next = link.set("next", next).set("body", body).id();
        }
        program.static_field("app.Main", "chain", next);
        let line = program.class("app.Line", &["order"]);
        let order = program.class("app.Order", &["line"]);
        let orders: Vec<ObjectId> = (0..100 * (dump + 1))
            .map(|_| {
                let line = program.heap.instance(line).id();
                let order = program.heap.instance(order).set("line", line).id();
                program.heap.set(line, "order", order);
                order
            })
            .collect();
        let orders = program.list(&orders);
        program.static_field("app.Main2", "orders", orders);
    };
    let dumps = sizes(2, build, |inspector| inspector.dominator_sizes(&all(), 9));
    check(
        &dumps,
        &all(),
        expect![[r#"
        class app.Main2 [1, 1] [112, 112] [4200, 7800]
          orders: java.util.ArrayList [1, 1] [24, 24] [4088, 7688]
            []: app.Order [100, 200] [1600, 3200] [3200, 6400]
              line: app.Line [100, 200] [1600, 3200] [1600, 3200]
        class app.Main [1, 1] [112, 112] [3136, 5936]
          chain: app.Link [50, 100] [1200, 2400] [3024, 5824]
            body: byte[] [50, 100] [1600, 3200] [1600, 3200]
    "#]],
    );
}

/// Objects that moved did not change, and garbage is not counted.
#[test]
fn the_same_heap_at_other_addresses_shows_no_change() {
    let same = |program: &mut Program, _| shop(program, 0);
    for dumps in [
        sizes(3, same, |inspector| inspector.class_sizes()),
        sizes(3, same, |inspector| inspector.dominator_sizes(&all(), 64)),
    ] {
        assert_eq!(diff(&dumps, &all()), Ok(Diff::default()));
    }
}

/// Compared with nothing, a heap gained all that it has.
#[test]
fn sizes_add_up_to_the_heap() {
    for depth in [0, 1, 2, 64] {
        let sizes = sizes(2, shop, |inspector| {
            (
                inspector.totals().bytes,
                inspector.dominator_sizes(&all(), depth),
            )
        });
        for (bytes, sizes) in sizes {
            let diff = diff(&[Sizes::default(), sizes], &all()).expect("no class is asked for");
            let gained: u64 = diff
                .rows
                .iter()
                .map(|row| row.sizes[1].retained_bytes)
                .sum();
            assert_eq!(gained, bytes);
        }
    }
}
