//! What people and programs are told when they compare dumps.

use expect_test::{Expect, expect};
use leakline_heap::inspect::{Filter, Inspector, diff};
use leakline_heap::{LoadOptions, load};
use leakline_hprof::heap_builder::{Form as DumpForm, HeapBuilder, ObjectId};
use leakline_hprof::{GcRootKind, IdentifierSize, ValueType};
use leakline_investigate::Form;
use leakline_investigate::diff_report::{self, DiffOf, DiffReport, Dump};
use leakline_model::Timestamp;

/// A shop with so many orders, and a class with a name to be wary of.
fn shop(minute: u64, orders: usize) -> Vec<u8> {
    let mut heap = HeapBuilder::new(IdentifierSize::Eight);
    let order = heap
        .class("shop.Order")
        .field("body", ValueType::Object)
        .id();
    let hostile = heap.class("shop.<b>\u{1b}[31m").id();
    let orders: Vec<ObjectId> = (0..orders)
        .map(|_| {
            let body = heap.bytes(&[0; 1000]);
            heap.instance(order).set("body", body).id()
        })
        .collect();
    let all = heap.object_array(order, &orders);
    let strange: Vec<ObjectId> = (0..=minute).map(|_| heap.instance(hostile).id()).collect();
    let strange = heap.object_array(hostile, &strange);
    let main = heap
        .class("shop.Main")
        .static_field("all", all)
        .static_field("strange", strange)
        .id();
    heap.root(main, GcRootKind::StickyClass);
    heap.build_as(&DumpForm {
        taken_at: Some(Timestamp::from_seconds(
            1_795_345_200.0 + 60.0 * minute as f64,
        )),
        ..DumpForm::default()
    })
}

fn check(dumps: &[Vec<u8>], of: DiffOf, form: Form, expected: Expect) {
    let filter = Filter {
        class: None,
        retained_over: None,
        limit: 4,
    };
    let mut compared = Vec::new();
    let mut sizes = Vec::new();
    for dump in dumps {
        let heap = load(dump, &LoadOptions::default()).expect("the dump can be read");
        let inspector = Inspector::new(&heap);
        compared.push(Dump::new(
            inspector.facts(),
            inspector.totals(),
            inspector.program_classes(),
        ));
        sizes.push(match of {
            DiffOf::Classes => inspector.class_sizes(),
            DiffOf::Dominators => inspector.dominator_sizes(&filter, 2),
        });
    }
    let report = DiffReport {
        dumps: compared,
        of,
        diff: diff(&sizes, &filter).expect("no class is asked for"),
    };
    expected.assert_eq(&diff_report::render(&report, form));
}

#[test]
fn classes() {
    let dumps = [shop(0, 10), shop(1, 40), shop(2, 30)];
    check(
        &dumps,
        DiffOf::Classes,
        Form::Text,
        expect![[r#"
            What classes gained
            3 dumps, between which the heap changed by +20.3 KiB

              dump  taken                 objects  reachable
              1     2026-11-22T11:00:00Z       31   10.3 KiB
              2     2026-11-22T11:01:00Z       92   40.7 KiB
              3     2026-11-22T11:02:00Z       73   30.6 KiB

              shape  objects  gained   shallow     gained  retained     gained  class
              ▂█▆         30     +20  29.8 KiB  +19.8 KiB  29.8 KiB  +19.8 KiB  byte[]
              ▂█▆         30     +20     480 B     +320 B  30.2 KiB  +20.2 KiB  shop.Order
              ▃█▇          1       0     136 B      +80 B  30.4 KiB  +20.2 KiB  shop.Order[]
              ▃▆█          3      +2      48 B      +32 B      48 B      +16 B  shop.<b>\u{1b}[31m

            And 2 more that changed, +8 B.
        "#]],
    );
    check(
        &dumps[..2],
        DiffOf::Classes,
        Form::Markdown,
        expect![[r#"
            # What classes gained

            2 dumps, between which the heap changed by +30.4 KiB

            | dump | taken | objects | reachable |  |
            |---|---|--:|--:|---|
            | 1 | 2026-11-22T11:00:00Z | 31 | 10.3 KiB |  |
            | 2 | 2026-11-22T11:01:00Z | 92 | 40.7 KiB |  |

            | shape | objects | gained | shallow | gained | retained | gained | class |
            |---|--:|--:|--:|--:|--:|--:|---|
            | ▂█ | 40 | +30 | 39.7 KiB | +29.8 KiB | 39.7 KiB | +29.8 KiB | `byte[]` |
            | ▂█ | 40 | +30 | 640 B | +480 B | 40.3 KiB | +30.2 KiB | `shop.Order` |
            | ▃█ | 1 | 0 | 176 B | +120 B | 40.5 KiB | +30.4 KiB | `shop.Order[]` |
            | ▄█ | 2 | +1 | 32 B | +16 B | 32 B | 0 | `shop.<b>\u{1b}[31m` |

            And 2 more that changed, +0 B.
        "#]],
    );
    check(
        &dumps[..2],
        DiffOf::Classes,
        Form::Json,
        expect![[r#"
            {
              "schema": "leakline.heap-histogram-diff/1",
              "dumps": [
                {
                  "format": "hprof",
                  "runtime": "jvm",
                  "identifier_size": 8,
                  "taken_at": "2026-11-22T11:00:00Z",
                  "complete": true,
                  "problems": [],
                  "objects": 31,
                  "bytes": 10552
                },
                {
                  "format": "hprof",
                  "runtime": "jvm",
                  "identifier_size": 8,
                  "taken_at": "2026-11-22T11:01:00Z",
                  "complete": true,
                  "problems": [],
                  "objects": 92,
                  "bytes": 41648
                }
              ],
              "comparison_problems": [],
              "classes": [
                {
                  "class": "byte[]",
                  "objects": [
                    10,
                    40
                  ],
                  "shallow_bytes": [
                    10160,
                    40640
                  ],
                  "retained_bytes": [
                    10160,
                    40640
                  ]
                },
                {
                  "class": "shop.Order",
                  "objects": [
                    10,
                    40
                  ],
                  "shallow_bytes": [
                    160,
                    640
                  ],
                  "retained_bytes": [
                    10320,
                    41280
                  ]
                },
                {
                  "class": "shop.Order[]",
                  "objects": [
                    1,
                    1
                  ],
                  "shallow_bytes": [
                    56,
                    176
                  ],
                  "retained_bytes": [
                    10424,
                    41504
                  ]
                },
                {
                  "class": "shop.<b>\u001b[31m",
                  "objects": [
                    1,
                    2
                  ],
                  "shallow_bytes": [
                    16,
                    32
                  ],
                  "retained_bytes": [
                    32,
                    32
                  ]
                }
              ],
              "rest": {
                "rows": 2,
                "gained_bytes": 0
              }
            }
        "#]],
    );
}

#[test]
fn dominators() {
    let dumps = [shop(0, 10), shop(1, 40)];
    check(
        &dumps,
        DiffOf::Dominators,
        Form::Text,
        expect![[r#"
            What dominators gained
            2 dumps, between which the heap changed by +30.4 KiB

              dump  taken                 objects  reachable
              1     2026-11-22T11:00:00Z       31   10.3 KiB
              2     2026-11-22T11:01:00Z       92   40.7 KiB

                     gained   retained    objects     gained  dominator
                  +30.4 KiB   40.7 KiB          1          0  class shop.Main
                  +30.4 KiB   40.5 KiB          1          0   .all → shop.Order[]
                  +30.2 KiB   40.3 KiB         40        +30    [] → shop.Order
                      +16 B       88 B          1          0   .strange → shop.<b>\u{1b}[31m[]
                      +16 B       16 B          1         +1    class shop.<b>\u{1b}[31m
                          0       32 B          2         +1    [] → shop.<b>\u{1b}[31m
        "#]],
    );
    check(
        &dumps,
        DiffOf::Dominators,
        Form::Json,
        expect![[r#"
            {
              "schema": "leakline.heap-dominators-diff/1",
              "dumps": [
                {
                  "format": "hprof",
                  "runtime": "jvm",
                  "identifier_size": 8,
                  "taken_at": "2026-11-22T11:00:00Z",
                  "complete": true,
                  "problems": [],
                  "objects": 31,
                  "bytes": 10552
                },
                {
                  "format": "hprof",
                  "runtime": "jvm",
                  "identifier_size": 8,
                  "taken_at": "2026-11-22T11:01:00Z",
                  "complete": true,
                  "problems": [],
                  "objects": 92,
                  "bytes": 41648
                }
              ],
              "comparison_problems": [],
              "objects": [
                {
                  "field": null,
                  "class": "class shop.Main",
                  "objects": [
                    1,
                    1
                  ],
                  "shallow_bytes": [
                    24,
                    24
                  ],
                  "retained_bytes": [
                    10552,
                    41648
                  ],
                  "children": [
                    {
                      "field": "all",
                      "class": "shop.Order[]",
                      "objects": [
                        1,
                        1
                      ],
                      "shallow_bytes": [
                        56,
                        176
                      ],
                      "retained_bytes": [
                        10424,
                        41504
                      ],
                      "children": [
                        {
                          "field": "[]",
                          "class": "shop.Order",
                          "objects": [
                            10,
                            40
                          ],
                          "shallow_bytes": [
                            160,
                            640
                          ],
                          "retained_bytes": [
                            10320,
                            41280
                          ],
                          "children": [],
                          "rest": {
                            "rows": 0,
                            "gained_bytes": 0
                          }
                        }
                      ],
                      "rest": {
                        "rows": 0,
                        "gained_bytes": 0
                      }
                    },
                    {
                      "field": "strange",
                      "class": "shop.<b>\u001b[31m[]",
                      "objects": [
                        1,
                        1
                      ],
                      "shallow_bytes": [
                        24,
                        24
                      ],
                      "retained_bytes": [
                        72,
                        88
                      ],
                      "children": [
                        {
                          "field": null,
                          "class": "class shop.<b>\u001b[31m",
                          "objects": [
                            0,
                            1
                          ],
                          "shallow_bytes": [
                            0,
                            16
                          ],
                          "retained_bytes": [
                            0,
                            16
                          ],
                          "children": [],
                          "rest": {
                            "rows": 0,
                            "gained_bytes": 0
                          }
                        },
                        {
                          "field": "[]",
                          "class": "shop.<b>\u001b[31m",
                          "objects": [
                            1,
                            2
                          ],
                          "shallow_bytes": [
                            16,
                            32
                          ],
                          "retained_bytes": [
                            32,
                            32
                          ],
                          "children": [],
                          "rest": {
                            "rows": 0,
                            "gained_bytes": 0
                          }
                        }
                      ],
                      "rest": {
                        "rows": 0,
                        "gained_bytes": 0
                      }
                    }
                  ],
                  "rest": {
                    "rows": 0,
                    "gained_bytes": 0
                  }
                }
              ],
              "rest": {
                "rows": 0,
                "gained_bytes": 0
              }
            }
        "#]],
    );
}

#[test]
fn what_is_wrong_with_the_dumps_is_said() {
    let (old, new) = (shop(0, 10), shop(1, 40));
    let cut = old[..old.len() - 9_000].to_vec();
    check(
        &[new.clone(), cut],
        DiffOf::Dominators,
        Form::Text,
        expect![[r#"
            What dominators gained
            2 dumps, between which the heap changed by −39.5 KiB

              dump  taken                 objects  reachable
              1     2026-11-22T11:01:00Z       92   40.7 KiB
              2     2026-11-22T11:00:00Z       10   1.14 KiB  incomplete

            Mind: the dumps were not given oldest first, so what they gained may be what was lost.

                     gained   retained    objects     gained  dominator
                  +1.04 KiB   1.04 KiB          1         +1  shop.Order
                  +1.01 KiB   1.01 KiB          1         +1   .body → byte[]
                      +16 B       16 B          1         +1    class byte[]
                      +16 B       16 B          1         +1   class shop.Order
                      +16 B       16 B          1         +1  class java.lang.Class
                      +16 B       16 B          1         +1  class java.lang.Object
                      +16 B       16 B          1         +1  class shop.<b>\u{1b}[31m

            And 3 more that changed, −40.6 KiB.

            PROBLEMS WITH THE DUMPS
            ────────────────────────────────────────────────────────────────────────────────────────────────────
              • Dump 2: heap segment at byte 599 claims 11293 bytes but 2302 are left; the file is cut off,
                roots and objects that were to follow are missing.
              • Dump 2: heap record PRIMITIVE_ARRAY_DUMP (0x23) after INSTANCE_DUMP (0x21) at byte 2270 goes
                beyond the end of its segment at byte 2901; it is skipped.
              • Dump 2: 2 references lead to objects that the dump does not contain.
              • Dump 2: the dump is cut off before its GC roots or what they refer to: 4 objects that nothing
                refers to stand in for them, so garbage may count as live.
        "#]],
    );
    check(
        &[new.clone(), new],
        DiffOf::Classes,
        Form::Text,
        expect![[r#"
            What classes gained
            2 dumps, between which the heap changed by 0

              dump  taken                 objects  reachable
              1     2026-11-22T11:01:00Z       92   40.7 KiB
              2     2026-11-22T11:01:00Z       92   40.7 KiB

            Nothing that large or of that class changed.
        "#]],
    );
}
