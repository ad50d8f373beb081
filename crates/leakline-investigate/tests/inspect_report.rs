//! What people and programs are told when they look inside a heap.

use expect_test::{Expect, expect};
use leakline_heap::inspect::{Filter, InspectError, Inspector, Query};
use leakline_heap::{Heap, LoadOptions, load};
use leakline_hprof::heap_builder::{HeapBuilder, ObjectId};
use leakline_hprof::{GcRootKind, IdentifierSize, PrimitiveType, ValueType};
use leakline_investigate::inspect_report::{
    Answer, InspectReport, render_html, render_json, render_markdown, render_text,
};
use leakline_model::Glob;

/// A shop with a cache of orders, some with the same customer, and a thread at work on one.
fn shop() -> (Vec<u8>, ObjectId) {
    let mut heap = HeapBuilder::new(IdentifierSize::Eight);
    let base = heap
        .class("shop.Entity")
        .field("version", ValueType::Int)
        .id();
    let order = heap
        .class("shop.Order")
        .extends(base)
        .field("number", ValueType::Long)
        .field("customer", ValueType::Object)
        .field("next", ValueType::Object)
        .field("paid", ValueType::Boolean)
        .id();
    let mut orders = Vec::new();
    for number in 0..6_i64 {
        let customer = heap.string(match number % 3 {
            0 => "Ada Lovelace",
            1 => "Grace Hopper",
            _ => "黄\u{7}",
        });
        let order = heap
            .instance(order)
            .set("number", 4700 + number)
            .set("customer", customer);
        orders.push(order.set("paid", number == 1).id());
    }
    heap.set(orders[0], "next", orders[5]);
    let all = heap.object_array(order, &orders[..5]);
    let body = heap.primitive_array(PrimitiveType::Char, vec![0, b'x', 0, b'y', 0, 1]);
    let cache = heap
        .class("shop.Cache")
        .static_field("all", all)
        .static_field("hits", 17_i64)
        .static_field("body", body)
        .id();
    heap.root(cache, GcRootKind::StickyClass);
    let buffer = heap.bytes(&[0; 1000]);
    heap.thread("worker-1")
        .frame("shop.Worker", "pay", 12)
        .local(orders[1])
        .local(buffer)
        .frame("shop.Worker", "run", 7)
        .id();
    heap.thread("idle").id();
    (heap.build(), orders[0])
}

fn all(limit: usize) -> Filter {
    Filter {
        class: None,
        retained_over: None,
        limit,
    }
}

fn of(class: &str) -> Filter {
    Filter {
        class: Some(Glob::new(class)),
        ..all(20)
    }
}

/// Asks a question about the shop, and compares the answer.
fn check(
    ask: impl Fn(&Inspector<'_, '_>, &dyn Fn(Answer<'_>) -> String) -> Result<String, InspectError>,
    expected: Expect,
) {
    let (bytes, _) = shop();
    let heap: Heap<'_> = load(&bytes, &LoadOptions::default()).expect("the dump can be read");
    let inspector = Inspector::new(&heap);
    let render = |answer: Answer<'_>| {
        let report = InspectReport {
            dump: inspector.facts(),
            totals: inspector.totals(),
            answer,
        };
        // every form can be written
        assert!(render_markdown(&report).starts_with("# "));
        assert!(render_html(&report).contains("</html>"));
        assert!(render_json(&report).starts_with("{\n  \"schema\": \"leakline.heap-"));
        let text = render_text(&report);
        // without what is the same in all
        let mut lines = text.lines();
        let title = lines.next().unwrap_or_default();
        let rest: Vec<&str> = lines.skip(2).collect();
        format!("{title}\n{}\n", rest.join("\n"))
    };
    let text = ask(&inspector, &render).unwrap_or_else(|error| format!("{error}\n"));
    expected.assert_eq(&text);
}

#[test]
fn histogram() {
    check(
        |heap, render| Ok(render(Answer::Histogram(&heap.histogram(&of("shop.*"))?))),
        expect![[r#"
            Classes by shallow size
              objects  shallow  retained  class
                    6    240 B     560 B  shop.Order
                    1     40 B     520 B  shop.Order[]
        "#]],
    );
    check(
        |heap, render| Ok(render(Answer::Histogram(&heap.histogram(&all(2))?))),
        expect![[r#"
            Classes by shallow size
              objects   shallow  retained  class
                    9  1.21 KiB  1.21 KiB  byte[]
                    6     240 B     560 B  shop.Order

            And 5 more classes, 480 B.
        "#]],
    );
    check(
        |heap, render| Ok(render(Answer::Histogram(&heap.histogram(&of("order"))?))),
        expect![[r#"
            no class matches "order"; did you mean shop.Order?
        "#]],
    );
    check(
        |heap, render| Ok(render(Answer::Histogram(&heap.histogram(&of("Ordre"))?))),
        expect![[r#"
            no class matches "Ordre"; names are full, as in java.lang.String; try "*Ordre*"
        "#]],
    );
}

#[test]
fn dominators() {
    check(
        |heap, render| Ok(render(Answer::Dominators(&heap.dominators(&all(3), 2)?))),
        expect![[r#"
            Objects by retained size
                 retained   share  object
                 1.06 KiB    56 %  java.lang.Thread @ 0x700000af8 "worker-1"
                   1016 B    52 %     <local variable of shop.Worker.pay> → byte[1000] @ 0x700000660
                     48 B     2 %     .name → java.lang.String @ 0x700000ae0 "worker-1"
                     24 B     1 %        .value → byte[8] @ 0x700000ac8
                    592 B    30 %  class shop.Cache @ 0x7000005f0
                    520 B    27 %     .all → shop.Order[5] @ 0x700000540
                    184 B     9 %        [] → shop.Order @ 0x7000002d8
                     96 B     5 %        [] → shop.Order @ 0x7000003f0
                     96 B     5 %        [] → shop.Order @ 0x700000450
                    104 B     5 %        … 2 more
                     40 B     2 %     .body → char[3] @ 0x7000005d8
                     16 B   0.8 %        <class> → class char[] @ 0x700000568
                     96 B     5 %  shop.Order @ 0x700000338
                     56 B     3 %     .customer → java.lang.String @ 0x700000320 "Grace Hopper"
                     32 B     2 %        .value → byte[12] @ 0x700000300
                    184 B     9 %  … 7 more
        "#]],
    );
    check(
        |heap, render| {
            Ok(render(Answer::Dominators(
                &heap.dominators(&of("shop.Order"), 0)?,
            )))
        },
        expect![[r#"
            Objects by retained size
                 retained   share  object
                    184 B     9 %  [] → shop.Order @ 0x7000002d8
                     96 B     5 %  shop.Order @ 0x700000338
                     96 B     5 %  [] → shop.Order @ 0x7000003f0
                     96 B     5 %  [] → shop.Order @ 0x700000450
                     88 B     4 %  [] → shop.Order @ 0x700000390
                     88 B     4 %  .next → shop.Order @ 0x7000004a8
        "#]],
    );
    let order = shop().1.0;
    check(
        move |heap, render| {
            Ok(render(Answer::Dominators(&heap.dominated(
                order,
                &all(20),
                2,
            )?)))
        },
        expect![[r#"
            Objects by retained size
            Below shop.Order @ 0x7000002d8, which retains 184 B and takes 40 B itself:

                 retained   share  object
                     88 B     4 %  .next → shop.Order @ 0x7000004a8
                     48 B     2 %     .customer → java.lang.String @ 0x700000490 "黄\u{7}"
                     56 B     3 %  .customer → java.lang.String @ 0x7000002c0 "Ada Lovelace"
                     32 B     2 %     .value → byte[12] @ 0x700000230
        "#]],
    );
}

#[test]
fn paths() {
    check(
        |heap, render| Ok(render(Answer::Paths(&heap.paths(&of("shop.Order"))?))),
        expect![[r#"
            Paths from GC roots
            6 objects, retaining 560 B.

                    objects   retained  path
                          5      464 B  system class → class shop.Cache @ 0x7000005f0
                          5      464 B   .all → shop.Order[] @ 0x700000540
                          5      464 B    [] → shop.Order ×4  (4 of them here)
                          1        0 B     .next → shop.Order @ 0x7000004a8
                          1       96 B  thread → java.lang.Thread "worker-1" @ 0x700000af8
                          1       96 B   <local variable of shop.Worker.pay> → shop.Order @ 0x700000338
        "#]],
    );
    check(
        |heap, render| Ok(render(Answer::Paths(&heap.paths(&of("byte[]"))?))),
        expect![[r#"
            Paths from GC roots
            9 objects, retaining 1.21 KiB.

                    objects   retained  path
                          5      144 B  system class → class shop.Cache @ 0x7000005f0
                          5      144 B   .all → shop.Order[] @ 0x700000540
                          5      144 B    [] → shop.Order ×4
                          4      120 B     .customer → java.lang.String ×4
                          4      120 B      .value → byte[] ×4
                          1       24 B     .next → shop.Order @ 0x7000004a8
                          1       24 B      .customer → java.lang.String @ 0x700000490
                          1       24 B       .value → byte[] @ 0x700000478
                          3   1.05 KiB  thread → java.lang.Thread "worker-1" @ 0x700000af8
                          1     1016 B   <local variable of shop.Worker.pay> → byte[] @ 0x700000660
                          1       32 B   <local variable of shop.Worker.pay> → shop.Order @ 0x700000338
                          1       32 B    .customer → java.lang.String @ 0x700000320
                          1       32 B     .value → byte[] @ 0x700000300
                          1       24 B   .name → java.lang.String @ 0x700000ae0
                          1       24 B    .value → byte[] @ 0x700000ac8
                          1       24 B  thread → java.lang.Thread "idle" @ 0x700000bb0
                          1       24 B   .name → java.lang.String @ 0x700000b98
                          1       24 B    .value → byte[] @ 0x700000b80
        "#]],
    );
    check(
        |heap, render| Ok(render(Answer::Paths(&heap.path_to(0x1234)?))),
        expect![[r#"
            no object at 0x1234; ids are addresses of this very dump, as `leakline heap find` lists them
        "#]],
    );
}

#[test]
fn object() {
    let (bytes, order) = shop();
    let heap: Heap<'_> = load(&bytes, &LoadOptions::default()).expect("the dump can be read");
    let cache = {
        let inspector = Inspector::new(&heap);
        let view = inspector.object(&bytes, order.0, 20).unwrap();
        view.path[0].object_id
    };
    let array = {
        let inspector = Inspector::new(&heap);
        let query = Query {
            filter: of("char[]"),
            value: None,
            field: None,
        };
        inspector.find(&query).unwrap().rows[0].object_id
    };
    let show = |id: u64, expected: Expect| {
        let (bytes, _) = shop();
        check(
            |heap, render| Ok(render(Answer::Object(&heap.object(&bytes, id, 20)?))),
            expected,
        );
    };
    show(
        order.0,
        expect![[r#"
            Object
              Object        shop.Order @ 0x7000002d8
              Shallow       40 B
              Retained      184 B
              Held          strongly
              Extends       shop.Entity, java.lang.Object
              Dominated by  shop.Order[5] @ 0x700000540

            FIELDS
            ────────────────────────────────────────────────────────────────────────────────────────────────────
              field     type       declared by  value
              number    long       Order        4700
              customer  reference  Order        java.lang.String @ 0x7000002c0 "Ada Lovelace"
              next      reference  Order        shop.Order @ 0x7000004a8
              paid      boolean    Order        false
              version   int        Entity       0

            REFERRED TO BY
            ────────────────────────────────────────────────────────────────────────────────────────────────────
              retained  field  object
                 520 B  []     shop.Order[5] @ 0x700000540

            PATH FROM A GC ROOT
            ────────────────────────────────────────────────────────────────────────────────────────────────────
                root
                └─ class shop.Cache @ 0x7000005f0  .all
                   └─ shop.Order[] @ 0x700000540  []
                      └─ shop.Order @ 0x7000002d8
        "#]],
    );
    show(
        cache,
        expect![[r#"
            Object
              Object    class shop.Cache @ 0x7000005f0
              Shallow   32 B
              Retained  592 B
              Held      strongly
              Extends   java.lang.Object

            FIELDS
            ────────────────────────────────────────────────────────────────────────────────────────────────────
              field  type       declared by  value
              all    reference  Cache        shop.Order[5] @ 0x700000540
              hits   long       Cache        17
              body   reference  Cache        char[3] @ 0x7000005d8

            REFERRED TO BY
            ────────────────────────────────────────────────────────────────────────────────────────────────────
            Nothing in the heap.

            PATH FROM A GC ROOT
            ────────────────────────────────────────────────────────────────────────────────────────────────────
                root
                └─ class shop.Cache @ 0x7000005f0
        "#]],
    );
    show(
        array,
        expect![[r#"
            Object
              Object        char[3] @ 0x7000005d8
              Shallow       24 B
              Retained      40 B
              Held          strongly
              Extends       java.lang.Object
              Dominated by  class shop.Cache @ 0x7000005f0

            ELEMENTS
            ────────────────────────────────────────────────────────────────────────────────────────────────────
                [0] x
                [1] y
                [2] \u0001

            REFERRED TO BY
            ────────────────────────────────────────────────────────────────────────────────────────────────────
              retained  field  object
                 592 B  body   class shop.Cache @ 0x7000005f0

            PATH FROM A GC ROOT
            ────────────────────────────────────────────────────────────────────────────────────────────────────
                root
                └─ class shop.Cache @ 0x7000005f0  .body
                   └─ char[] @ 0x7000005d8
        "#]],
    );
}

#[test]
fn find() {
    let find = |filter: Filter, value: Option<&str>, field: Option<&str>, expected: Expect| {
        let query = Query {
            filter,
            value: value.map(str::to_owned),
            field: field.map(Glob::new),
        };
        check(
            |heap, render| Ok(render(Answer::Found(&heap.find(&query)?))),
            expected,
        );
    };
    find(
        all(20),
        Some("Hopper"),
        None,
        expect![[r#"
            Objects found
            2 objects, 48 B without what they refer to.

              retained  shallow  object
                  56 B     24 B  java.lang.String @ 0x700000320 "Grace Hopper"
                  56 B     24 B  java.lang.String @ 0x700000438 "Grace Hopper"
        "#]],
    );
    find(
        all(20),
        Some("黄"),
        None,
        expect![[r#"
            Objects found
            2 objects, 48 B without what they refer to.

              retained  shallow  object
                  48 B     24 B  java.lang.String @ 0x700000378 "黄\u{7}"
                  48 B     24 B  java.lang.String @ 0x700000490 "黄\u{7}"
        "#]],
    );
    find(
        of("shop.Order"),
        Some("4703"),
        Some("number"),
        expect![[r#"
            Objects found
            1 object, 40 B without what they refer to.

              retained  shallow  object
                  96 B     40 B  shop.Order @ 0x7000003f0
        "#]],
    );
    find(
        of("shop.Order"),
        Some("Ada"),
        None,
        expect![[r#"
            Objects found
            2 objects, 80 B without what they refer to.

              retained  shallow  object
                 184 B     40 B  shop.Order @ 0x7000002d8
                  96 B     40 B  shop.Order @ 0x7000003f0
        "#]],
    );
    find(
        of("shop.Order"),
        Some("true"),
        Some("pa*"),
        expect![[r#"
            Objects found
            1 object, 40 B without what they refer to.

              retained  shallow  object
                  96 B     40 B  shop.Order @ 0x700000338
        "#]],
    );
    find(
        of("shop.Order"),
        Some("4703"),
        Some("version"),
        expect![[r#"
            Objects found
            No reachable object is like that.
        "#]],
    );
}

#[test]
fn threads() {
    check(
        |heap, render| Ok(render(Answer::Threads(&heap.threads(&all(20))?))),
        expect![[r#"
            Threads
            worker-1: java.lang.Thread at 0x700000af8 retains 1.06 KiB

                at shop.Worker.pay (Worker.java:12)
                       1016 B  byte[1000] @ 0x700000660
                         96 B  shop.Order @ 0x700000338
                at shop.Worker.run (Worker.java:7)

            idle: java.lang.Thread at 0x700000bb0 retains 72 B

                no stack recorded
        "#]],
    );
    check(
        |heap, render| Ok(render(Answer::Threads(&heap.threads(&of("shop.Order"))?))),
        expect![[r#"
            Threads
            worker-1: java.lang.Thread at 0x700000af8 retains 1.06 KiB

                at shop.Worker.pay (Worker.java:12)
                         96 B  shop.Order @ 0x700000338
                at shop.Worker.run (Worker.java:7)
        "#]],
    );
}

#[test]
fn strings() {
    check(
        |heap, render| Ok(render(Answer::Strings(&heap.strings(&all(3))))),
        expect![[r#"
            Strings
              Strings               416 B (8, 21 %)
              Different texts       5
              Wasted by duplicates  160 B (8 %)

            DUPLICATES
            ────────────────────────────────────────────────────────────────────────────────────────────────────
              wasted  strings  held by         text
                56 B        2  Order.customer  "Ada Lovelace"
                56 B        2  Order.customer  "Grace Hopper"
                48 B        2  Order.customer  "黄\u{7}"

            LARGEST
            ────────────────────────────────────────────────────────────────────────────────────────────────────
              retained  shallow  object
                  56 B     24 B  java.lang.String @ 0x7000002c0 "Ada Lovelace"
                  56 B     24 B  java.lang.String @ 0x700000320 "Grace Hopper"
                  56 B     24 B  java.lang.String @ 0x7000003d8 "Ada Lovelace"
        "#]],
    );
}

#[test]
fn json() {
    let (bytes, order) = shop();
    let heap = load(&bytes, &LoadOptions::default()).unwrap();
    let inspector = Inspector::new(&heap);
    let check = |answer: Answer<'_>, expected: Expect| {
        let report = InspectReport {
            dump: inspector.facts(),
            totals: inspector.totals(),
            answer,
        };
        expected.assert_eq(&render_json(&report));
    };
    check(
        Answer::Histogram(&inspector.histogram(&of("shop.Order")).unwrap()),
        expect![[r#"
            {
              "schema": "leakline.heap-histogram/1",
              "dump": {
                "format": "hprof",
                "runtime": "jvm",
                "identifier_size": 8,
                "taken_at": "2026-11-22T11:00:00Z",
                "complete": true,
                "problems": []
              },
              "heap": {
                "objects": 37,
                "bytes": 1960
              },
              "classes": [
                {
                  "class": "shop.Order",
                  "objects": 6,
                  "shallow_bytes": 240,
                  "retained_bytes": 560
                }
              ],
              "rest": {
                "rows": 0,
                "bytes": 0
              }
            }
        "#]],
    );
    check(
        Answer::Object(&inspector.object(&bytes, order.0, 3).unwrap()),
        expect![[r#"
            {
              "schema": "leakline.heap-object/1",
              "dump": {
                "format": "hprof",
                "runtime": "jvm",
                "identifier_size": 8,
                "taken_at": "2026-11-22T11:00:00Z",
                "complete": true,
                "problems": []
              },
              "heap": {
                "objects": 37,
                "bytes": 1960
              },
              "object": {
                "object_id": "0x7000002d8",
                "class": "shop.Order",
                "shallow_bytes": 40,
                "retained_bytes": 184
              },
              "held": "strong",
              "superclasses": [
                "shop.Entity",
                "java.lang.Object"
              ],
              "class_loader": null,
              "text": null,
              "fields": [
                {
                  "name": "number",
                  "type": "long",
                  "declared_by": "shop.Order",
                  "value": "4700"
                },
                {
                  "name": "customer",
                  "type": "reference",
                  "declared_by": "shop.Order",
                  "value": {
                    "object_id": "0x7000002c0",
                    "class": "java.lang.String",
                    "label": "\"Ada Lovelace\"",
                    "shallow_bytes": 24,
                    "retained_bytes": 56
                  }
                },
                {
                  "name": "next",
                  "type": "reference",
                  "declared_by": "shop.Order",
                  "value": {
                    "object_id": "0x7000004a8",
                    "class": "shop.Order",
                    "shallow_bytes": 40,
                    "retained_bytes": 88
                  }
                },
                {
                  "name": "paid",
                  "type": "boolean",
                  "declared_by": "shop.Order",
                  "value": "false"
                },
                {
                  "name": "version",
                  "type": "int",
                  "declared_by": "shop.Entity",
                  "value": "0"
                }
              ],
              "length": null,
              "elements": [],
              "referrers": [
                {
                  "object_id": "0x700000540",
                  "class": "shop.Order[]",
                  "label": "[5]",
                  "shallow_bytes": 40,
                  "retained_bytes": 520,
                  "field": "[]"
                }
              ],
              "rest": {
                "rows": 0,
                "bytes": 0
              },
              "dominator": {
                "object_id": "0x700000540",
                "class": "shop.Order[]",
                "label": "[5]",
                "shallow_bytes": 40,
                "retained_bytes": 520
              },
              "path": [
                {
                  "class": "class shop.Cache",
                  "field": "all",
                  "object_id": "0x7000005f0"
                },
                {
                  "class": "shop.Order[]",
                  "field": "[]",
                  "object_id": "0x700000540"
                },
                {
                  "class": "shop.Order",
                  "field": null,
                  "object_id": "0x7000002d8"
                }
              ]
            }
        "#]],
    );
    check(
        Answer::Paths(&inspector.path_to(order.0).unwrap()),
        expect![[r#"
            {
              "schema": "leakline.heap-paths/1",
              "dump": {
                "format": "hprof",
                "runtime": "jvm",
                "identifier_size": 8,
                "taken_at": "2026-11-22T11:00:00Z",
                "complete": true,
                "problems": []
              },
              "heap": {
                "objects": 37,
                "bytes": 1960
              },
              "objects": 1,
              "retained_bytes": 184,
              "without_path": 0,
              "roots": [
                {
                  "step": "system class",
                  "class": "class shop.Cache",
                  "object_id": "0x7000005f0",
                  "through": 1,
                  "objects": 1,
                  "retained_bytes": 184,
                  "here": 0,
                  "children": [
                    {
                      "step": "all",
                      "class": "shop.Order[]",
                      "object_id": "0x700000540",
                      "through": 1,
                      "objects": 1,
                      "retained_bytes": 184,
                      "here": 0,
                      "children": [
                        {
                          "step": "[]",
                          "class": "shop.Order",
                          "object_id": "0x7000002d8",
                          "through": 1,
                          "objects": 1,
                          "retained_bytes": 184,
                          "here": 1,
                          "children": [],
                          "rest": {
                            "rows": 0,
                            "bytes": 0
                          }
                        }
                      ],
                      "rest": {
                        "rows": 0,
                        "bytes": 0
                      }
                    }
                  ],
                  "rest": {
                    "rows": 0,
                    "bytes": 0
                  }
                }
              ],
              "rest": {
                "rows": 0,
                "bytes": 0
              }
            }
        "#]],
    );
}
