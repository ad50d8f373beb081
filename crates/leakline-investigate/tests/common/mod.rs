//! A leak as the demo has it, and its healthy twin, made by hand.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test file compiles this module and uses part of it"
)]

use std::time::Duration;

use leakline_correlate::{Attribution, Correlation, DumpTime, Growth};
use leakline_detect::{Assessment, Eta, Evidence, LeakSignal, Plot, Verdict};
use leakline_heap::{
    Accumulated, ClassRow, DominatorRow, DumpFacts, GrowthKind, GrowthRate, GrowthRow, HeapReport,
    Holder, LocalRow, NativeHolder, NativeKind, NativeMemory, NativeRow, PathStep, Pattern, Per,
    Suspect, SuspectGrowth, ThreadRow, Totals, Waste, WasteHolder, WasteKind, WasteRow,
};
use leakline_investigate::{
    CaseFile, Deploy, Dump, HeapFindings, LogEntry, Purpose, StepKind, Surroundings,
};
use leakline_model::{ProcessKey, SpanKind, TimeRange, Timestamp, TraceId};

pub const MIB: u64 = 1024 * 1024;

pub fn at(clock: &str) -> Timestamp {
    Timestamp::parse(&format!("2026-11-22T{clock}Z")).expect("a time of day")
}

pub fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

pub fn process() -> ProcessKey {
    ProcessKey {
        service: "order-service".to_owned(),
        instance: "0a5d3f1e-6a1c-4f0e-9e53-1f5f2f0c7d11".to_owned(),
        version: "1.5.0".to_owned(),
    }
}

pub fn assessment(time: Timestamp, verdict: Verdict) -> Assessment {
    let grows = verdict >= Verdict::Suspected;
    let evidence = |kind, supports, text: &str, query: &str| Evidence {
        kind,
        supports,
        text: text.to_owned(),
        query: query.to_owned(),
        window: TimeRange::new(at("14:03:20"), time),
    };
    let evidence = if grows {
        vec![
            evidence(
                "floor_trend",
                true,
                "the floor grew from 41.2 MiB to 131 MiB in 3 min 10 s, 28.4 MiB a minute (95 % interval 26.9 to 29.8)",
                "sum(jvm_memory_used_after_last_gc_bytes{job=\"order-service\",service_version=\"1.5.0\"})",
            ),
            evidence(
                "gc_frequency",
                true,
                "collections went from 4.1 to 11.6 a minute",
                "sum(rate(jvm_gc_duration_seconds_count{job=\"order-service\"}[1m]))",
            ),
            evidence(
                "gc_freed",
                true,
                "each collection frees 38.0 MiB, 61.2 MiB at first",
                "",
            ),
            evidence(
                "persistence",
                false,
                "the growth has lasted only 3 min 10 s",
                "",
            ),
        ]
    } else {
        vec![evidence(
            "floor_trend",
            false,
            "the floor stays at 40.9 MiB, within 1.2 MiB",
            "sum(jvm_memory_used_after_last_gc_bytes{job=\"order-service\"})",
        )]
    };
    Assessment {
        at: time,
        process: process(),
        verdict,
        signal: LeakSignal::Heap,
        onset: grows.then(|| at("14:03:20")),
        eta: grows.then(|| Eta {
            p10: at("14:09:40"),
            p50: at("14:10:50"),
            p90: at("14:12:30"),
        }),
        growth_bytes_per_hour: if grows { 28.4 * 60.0 * MIB as f64 } else { 0.0 },
        limit_bytes: Some(256 * MIB),
        confidence: match verdict {
            Verdict::Leaking => 0.97,
            _ => 0.8,
        },
        evidence,
    }
}

/// A sawtooth over a floor that grows from the onset on, one point every 5 s.
pub fn plot(end: Timestamp, leaks: bool) -> Plot {
    let start = at("14:02:42");
    let onset = at("14:03:20");
    let mut plot = Plot::default();
    let mut time = start;
    let mut garbage = 0.0;
    let mut i = 0;
    while time <= end {
        let warm = (time.seconds_since(start) / 30.0).min(1.0) * 26.0;
        let leaked = if leaks {
            time.seconds_since(onset).max(0.0) / 60.0 * 28.4
        } else {
            0.0
        };
        let floor = 15.0 + warm + leaked + f64::from(i * 7 % 5) * 0.4;
        garbage = if garbage > 48.0 { 3.0 } else { garbage + 11.0 };
        plot.used.push((time, (floor + garbage) * MIB as f64));
        if i % 2 == 0 {
            plot.floor.push((time, floor * MIB as f64));
        }
        time = time + seconds(5);
        i += 1;
    }
    plot.warm_up_end = Some(at("14:03:12"));
    if leaks {
        let value = |t: Timestamp| (41.0 + t.seconds_since(onset) / 60.0 * 28.4) * MIB as f64;
        plot.trend = Some([(onset, value(onset)), (end, value(end))]);
    }
    plot
}

/// The level heap of the version before.
fn predecessor_plot() -> Plot {
    let mut plot = plot(at("14:05:00"), false);
    let earlier = |points: &mut Vec<(Timestamp, f64)>| {
        points
            .iter_mut()
            .for_each(|(time, _)| *time = *time - seconds(157));
        points.retain(|(time, _)| *time < at("14:02:36"));
    };
    earlier(&mut plot.used);
    earlier(&mut plot.floor);
    plot
}

pub fn surroundings(leaks: bool) -> Surroundings {
    Surroundings {
        now: at("14:07:02"),
        plot: plot(at("14:06:55"), leaks),
        predecessor: predecessor_plot(),
        deploys: vec![
            Deploy {
                at: at("14:00:05"),
                version: "1.4.0".to_owned(),
                instance: "c0ffee00-1111-4222-8333-444455556666".to_owned(),
                instances: 1,
                judged: Some(assessment(at("14:02:35"), Verdict::Healthy)),
            },
            Deploy {
                at: at("14:02:42"),
                version: "1.5.0".to_owned(),
                instance: process().instance,
                instances: 1,
                judged: None,
            },
        ],
    }
}

pub fn dump(purpose: Purpose, name: &str, start: &str, end: &str) -> Dump {
    Dump {
        purpose,
        name: name.to_owned(),
        bytes: 121 * MIB,
        time: DumpTime::of_capture(TimeRange::new(at(start), at(end))),
    }
}

pub fn suspect() -> Suspect {
    Suspect {
        sentence: "static OrderController.responseCache → ConcurrentHashMap holds 9,412 Order (88.1 MiB, 87 %)".to_owned(),
        retained_bytes: 88 * MIB + 104_857,
        share: 0.874,
        native_bytes: 0,
        holder: Holder {
            class: "com.example.orders.OrderController".to_owned(),
            field: Some("responseCache".to_owned()),
            root: "static field".to_owned(),
            thread: None,
            frame: None,
        },
        accumulates: Accumulated {
            class: "com.example.orders.Order".to_owned(),
            key_class: Some("java.lang.String".to_owned()),
            objects: 9_412,
            bytes: 88 * MIB,
        },
        path: vec![
            PathStep {
                class: "class com.example.orders.OrderController".to_owned(),
                field: Some("responseCache".to_owned()),
                object_id: 0xf000_1000,
            },
            PathStep {
                class: "java.util.concurrent.ConcurrentHashMap".to_owned(),
                field: None,
                object_id: 0xf000_2040,
            },
        ],
        growth: Some(SuspectGrowth {
            objects: vec![6_498, 9_412],
            bytes: vec![61 * MIB, 88 * MIB],
            kind: GrowthKind::Recent,
            rate: per_minute(3_122.1, 30_331_995.0),
        }),
        confidence: 0.95,
        counter_evidence: vec![
            "the map is 4 min old; a cache that fills for the first time looks the same".to_owned(),
        ],
        waste: None,
        pattern: Pattern::Map,
        known: None,
    }
}

pub fn heap_report() -> HeapReport {
    let class = |class: &str, objects, shallow_bytes, retained_bytes| ClassRow {
        class: class.to_owned(),
        objects,
        shallow_bytes,
        retained_bytes,
    };
    HeapReport {
        dump: DumpFacts {
            taken_at: Some(at("14:06:31.204")),
            ..DumpFacts::default()
        },
        totals: Totals {
            objects: 412_903,
            bytes: 101 * MIB,
            classes: 9_312,
            gc_roots: 3_204,
            unreachable_objects: 0,
            unreachable_bytes: 0,
            soft_only_bytes: 734_003,
            finalizer_only_bytes: 0,
            weak_only_bytes: 20_480,
            phantom_only_bytes: 0,
        },
        native: NativeMemory {
            objects: 212,
            bytes: 65 * MIB,
            unreachable_bytes: 2 * MIB,
            kinds: vec![
                NativeRow {
                    kind: NativeKind::DirectBuffers,
                    objects: 212,
                    bytes: 65 * MIB,
                },
                NativeRow {
                    kind: NativeKind::MappedFiles,
                    objects: 1,
                    bytes: 24 * MIB,
                },
            ],
            holders: vec![NativeHolder {
                path: "static ReportWriter.buffers → ArrayList".to_owned(),
                class: "java.nio.DirectByteBuffer".to_owned(),
                objects: 212,
                bytes: 65 * MIB,
            }],
        },
        waste: Waste {
            rows: vec![
                WasteRow {
                    kind: WasteKind::DuplicateStrings,
                    class: "java.lang.String".to_owned(),
                    objects: 61_204,
                    bytes: 5 * MIB,
                    held_by: vec![
                        WasteHolder {
                            class: "com.example.orders.Order".to_owned(),
                            field: "status".to_owned(),
                            objects: 50_114,
                            bytes: 4 * MIB,
                        },
                        WasteHolder {
                            class: "thread main".to_owned(),
                            field: String::new(),
                            objects: 11_090,
                            bytes: MIB,
                        },
                    ],
                },
                WasteRow {
                    kind: WasteKind::EmptyCollections,
                    class: "java.util.HashMap".to_owned(),
                    objects: 9_412,
                    bytes: 2 * MIB,
                    held_by: vec![WasteHolder {
                        class: "com.example.orders.Order".to_owned(),
                        field: "tags".to_owned(),
                        objects: 9_412,
                        bytes: 2 * MIB,
                    }],
                },
            ],
            has_values: true,
        },
        suspects: vec![suspect()],
        not_growing: Vec::new(),
        reachable_bytes: vec![73 * MIB, 101 * MIB],
        compared: vec![Some(at("14:03:21")), Some(at("14:04:17"))],
        comparison_problems: Vec::new(),
        histogram: vec![
            class("byte[]", 121_005, 84 * MIB, 84 * MIB),
            class("java.lang.String", 98_114, 2_354_736, 9 * MIB),
            class("com.example.orders.Order", 9_412, 301_184, 87 * MIB),
            class(
                "java.util.concurrent.ConcurrentHashMap$Node",
                31_009,
                992_288,
                88 * MIB,
            ),
        ],
        dominators: vec![
            DominatorRow {
                object_id: 0xf000_2040,
                class: "java.util.concurrent.ConcurrentHashMap".to_owned(),
                shallow_bytes: 64,
                retained_bytes: 88 * MIB,
            },
            DominatorRow {
                object_id: 0xf010_0000,
                class: "class io.opentelemetry.javaagent.bootstrap.internal.InstrumentationConfigurationAndMore".to_owned(),
                shallow_bytes: 120,
                retained_bytes: 2 * MIB,
            },
        ],
        threads: vec![
            ThreadRow {
                name: "queue-consumer".to_owned(),
                retained_bytes: 8 * MIB,
                frames: vec![
                    "java.lang.Thread.sleep (Native Method)".to_owned(),
                    "RefB.consume (RefB.java:17)".to_owned(),
                ],
                locals: vec![LocalRow {
                    frame: Some(1),
                    class: "java.util.concurrent.LinkedBlockingQueue".to_owned(),
                    retained_bytes: 8 * MIB,
                }],
            },
            ThreadRow {
                name: "main".to_owned(),
                retained_bytes: 12_288,
                frames: Vec::new(),
                locals: Vec::new(),
            },
        ],
    }
}

fn per_minute(objects: f64, bytes: f64) -> GrowthRate {
    GrowthRate {
        objects,
        bytes,
        per: Per::Minute,
    }
}

pub fn growth_rows() -> Vec<GrowthRow> {
    vec![
        GrowthRow {
            path: "static OrderController.responseCache → ConcurrentHashMap".to_owned(),
            class: "com.example.orders.Order".to_owned(),
            growth: SuspectGrowth {
                objects: vec![6_498, 9_412],
                bytes: vec![61 * MIB, 88 * MIB],
                kind: GrowthKind::Recent,
                rate: per_minute(3_122.1, 30_331_995.0),
            },
        },
        GrowthRow {
            path: "static Metrics.buffers → ArrayList".to_owned(),
            class: "byte[]".to_owned(),
            growth: SuspectGrowth {
                objects: vec![40, 38],
                bytes: vec![40_960, 38_912],
                kind: GrowthKind::Shrinking,
                rate: per_minute(-2.1, -2_194.3),
            },
        },
    ]
}

pub fn correlation() -> Correlation {
    let trace = |n: u8| {
        let mut id = [0x4b; 16];
        id[0] = n;
        TraceId(id)
    };
    let operation = |name: &str, calls: u64, confidence, inside: Option<&str>| Attribution {
        operation: name.to_owned(),
        kind: SpanKind::Internal,
        calls,
        calls_known: true,
        kept_objects_per_call: 2_914.0 / calls as f64,
        interval: (2_810.0 / calls as f64, 3_021.0 / calls as f64),
        kept_bytes_per_call: 27.0 * MIB as f64 / calls as f64,
        confidence,
        runs_inside: inside.map(str::to_owned),
        reasons: vec![format!("2,914 gained in {calls} calls")],
        doubts: Vec::new(),
        sample_traces: vec![trace(1), trace(2), trace(3)],
    };
    Correlation {
        window: TimeRange::new(at("14:05:35"), at("14:06:31")),
        growth: Growth {
            objects: 2_914,
            bytes: 27 * MIB,
            holder_class: "com.example.orders.OrderController".to_owned(),
            class: "com.example.orders.Order".to_owned(),
        },
        attributions: vec![
            operation("process.order", 2_911, 0.9, Some("POST /orders")),
            operation("get.order", 5_870, 0.02, Some("GET /orders/{id}")),
            operation("health", 11, 0.0, None),
        ],
        notes: vec![
            "traces are not sampled: 8,792 server spans for 8,801 requests in 1 min".to_owned(),
        ],
    }
}

pub fn leak_case() -> CaseFile {
    let log = |clock, kind, text: &str| LogEntry {
        at: at(clock),
        kind,
        text: text.to_owned(),
    };
    CaseFile {
        assessments: vec![
            assessment(at("14:05:30"), Verdict::Suspected),
            assessment(at("14:06:10"), Verdict::Leaking),
            assessment(at("14:06:25"), Verdict::Leaking),
        ],
        dumps: vec![
            dump(
                Purpose::Baseline,
                "order-service-1.hprof",
                "14:05:35",
                "14:05:36",
            ),
            dump(
                Purpose::Comparison,
                "order-service-2.hprof",
                "14:06:31",
                "14:06:32",
            ),
        ],
        heap: Some(HeapFindings {
            report: heap_report(),
            growth: growth_rows(),
        }),
        traces: Some(correlation()),
        log: vec![
            log(
                "14:05:35",
                StepKind::Capture,
                "baseline heap dump order-service-1.hprof taken in 1 s (74.2 MiB)",
            ),
            log(
                "14:06:31",
                StepKind::Capture,
                "comparison heap dump order-service-2.hprof taken in 1 s (121 MiB)",
            ),
            log(
                "14:06:40",
                StepKind::Analysis,
                &format!("heap analysed: {}", suspect().sentence),
            ),
            log(
                "14:06:41",
                StepKind::Correlation,
                "traces compared: 2,911 calls of process.order, 1.00 objects kept per call",
            ),
        ],
        ..CaseFile::new(process(), at("14:02:42"))
    }
}

pub fn healthy_case() -> CaseFile {
    CaseFile {
        assessments: vec![assessment(at("14:06:55"), Verdict::Healthy)],
        ..CaseFile::new(process(), at("14:02:42"))
    }
}
