//! The detector over whole lives of simulated services.

use crate::simulation::{EPOCH, Export, MB, Service, at, started};
use crate::{Detector, Settings, Transition, Verdict};
use leakline_model::{ProcessKey, Sample, Timestamp};

fn feed(detector: &mut Detector, export: &Export) {
    for (labels, value) in &export.samples {
        let sample = Sample {
            timestamp: export.at,
            value: *value,
        };
        detector.observe(labels, &[sample]);
    }
}

/// Runs services one after another, judging at each export.
fn run(services: &[Service]) -> (Detector, Vec<Transition>) {
    let mut detector = Detector::new(Settings::default());
    let mut transitions = Vec::new();
    for service in services {
        for export in service.run() {
            feed(&mut detector, &export);
            transitions.extend(detector.evaluate(export.at));
        }
    }
    (detector, transitions)
}

fn key(service: &Service) -> ProcessKey {
    ProcessKey {
        service: "orders".to_owned(),
        instance: service.instance.clone(),
        version: service.version.clone(),
    }
}

/// Seconds after the start when a verdict was first reached.
fn reached(service: &Service, transitions: &[Transition], verdict: Verdict) -> Option<f64> {
    transitions
        .iter()
        .filter(|t| t.assessment.process == key(service))
        .find(|t| t.assessment.verdict == verdict)
        .map(|t| t.assessment.at.seconds_since(EPOCH) - service.start)
}

fn story(transitions: &[Transition]) -> String {
    transitions
        .iter()
        .map(|t| {
            let a = &t.assessment;
            let mut text = format!(
                "{} {:.0} s: {}, onset {:?}, eta {:?}, confidence {:.2}\n",
                a.process.instance,
                a.at.seconds_since(EPOCH),
                a.verdict.as_str(),
                a.onset.map(|onset| onset.seconds_since(EPOCH)),
                a.eta.map(|eta| eta.p50.seconds_since(EPOCH)),
                a.confidence,
            );
            for e in &a.evidence {
                text += &format!(
                    "    {} {}: {}\n",
                    if e.supports { '+' } else { '-' },
                    e.kind,
                    e.text
                );
            }
            text
        })
        .collect()
}

/// A leak must be suspected and judged in time, and its onset placed.
struct Leak {
    name: &'static str,
    service: Service,
    /// Seconds after the start.
    onset: f64,
    onset_error: f64,
    suspected_by: f64,
    leaking_by: f64,
}

fn check_leak(leak: Leak) {
    let Leak { name, service, .. } = &leak;
    let (detector, transitions) = run(std::slice::from_ref(service));
    let story = story(&transitions);
    let suspected = reached(service, &transitions, Verdict::Suspected)
        .or(reached(service, &transitions, Verdict::Leaking))
        .unwrap_or(f64::INFINITY);
    let leaking = reached(service, &transitions, Verdict::Leaking).unwrap_or(f64::INFINITY);
    println!("{name}: suspected {suspected:.0} s, leaking {leaking:.0} s");
    assert!(suspected >= leak.onset, "{name}: before it began\n{story}");
    assert!(
        suspected <= leak.suspected_by,
        "{name}: suspected after {suspected} s\n{story}"
    );
    assert!(
        leaking <= leak.leaking_by,
        "{name}: leaking after {leaking} s\n{story}"
    );
    let flaps = transitions
        .iter()
        .filter(|t| t.assessment.verdict == Verdict::Leaking);
    assert_eq!(flaps.count(), 1, "{name}: leaking more than once\n{story}");
    let assessment = detector.assessment(&key(service)).unwrap();
    assert_eq!(assessment.verdict, Verdict::Leaking, "{name}\n{story}");
    let onset = assessment.onset.unwrap().seconds_since(EPOCH);
    assert!(
        (onset - leak.onset).abs() <= leak.onset_error,
        "{name}: onset {onset} s instead of {} s\n{story}",
        leak.onset
    );
}

/// A healthy service may at worst be called `worst`, and ends as `last`.
fn check_healthy(name: &str, service: &Service, worst: Verdict, last: Verdict) {
    let (detector, transitions) = run(std::slice::from_ref(service));
    let story = story(&transitions);
    let highest = transitions.iter().map(|t| t.assessment.verdict).max();
    println!("{name}: at worst {highest:?}");
    assert!(highest <= Some(worst), "{name}\n{story}");
    let assessment = detector.assessment(&key(service)).unwrap();
    assert_eq!(assessment.verdict, last, "{name}\n{story}");
}

const HOUR: f64 = 3600.0;

/// 30 MB a minute on top of 40 MB.
fn fast_leak(t: f64) -> f64 {
    started(t, 40.0) + 0.5 * MB * t
}

#[test]
fn leaks_are_found() {
    let fast = Service {
        duration: 330.0,
        live: fast_leak,
        ..Service::default()
    };
    for export in [1.0, 2.0, 5.0, 10.0] {
        check_leak(Leak {
            name: "fast, dumped when suspected",
            service: Service {
                export,
                full_collections: &[64.0],
                ..fast.clone()
            },
            onset: 0.0,
            onset_error: 15.0,
            suspected_by: 60.0 + 3.0 * export,
            leaking_by: 150.0,
        });
    }
    for seed in 1..=20 {
        check_leak(Leak {
            name: "fast, other noise",
            service: Service {
                seed,
                allocation: 15.0 * MB + 2.0 * MB * seed as f64,
                full_collections: &[64.0],
                ..fast.clone()
            },
            onset: 0.0,
            onset_error: 15.0,
            suspected_by: 75.0,
            leaking_by: 150.0,
        });
    }
    check_leak(Leak {
        name: "fast, not dumped",
        service: Service {
            promoted_garbage: 0.6 * MB,
            ..fast.clone()
        },
        onset: 0.0,
        onset_error: 15.0,
        suspected_by: 66.0,
        leaking_by: 220.0,
    });
    check_leak(Leak {
        name: "fast, collections far apart",
        service: Service {
            allocation: 13.0 * MB,
            full_collections: &[70.0],
            ..fast.clone()
        },
        onset: 0.0,
        onset_error: 15.0,
        suspected_by: 80.0,
        leaking_by: 160.0,
    });
    let hours = Service {
        duration: 12.0 * HOUR,
        export: 60.0,
        limit: 1000.0 * MB,
        allocation: 20.0 * MB,
        nursery: 300.0 * MB,
        promoted_garbage: 1.0 * MB,
        survivors: 15.0 * MB,
        ..Service::default()
    };
    check_leak(Leak {
        name: "slow",
        service: Service {
            live: |t| started(t, 200.0) + 40.0 * MB * t / HOUR,
            ..hours.clone()
        },
        onset: 0.0,
        onset_error: 1200.0,
        suspected_by: 3.0 * HOUR,
        leaking_by: 6.0 * HOUR,
    });
    check_leak(Leak {
        name: "slow, without after-GC values",
        service: Service {
            live: |t| started(t, 200.0) + 40.0 * MB * t / HOUR,
            sends_after_gc: false,
            ..hours.clone()
        },
        onset: 0.0,
        onset_error: 1200.0,
        suspected_by: 3.0 * HOUR,
        leaking_by: 6.0 * HOUR,
    });
    check_leak(Leak {
        name: "slow, pools not told apart",
        service: Service {
            live: |t| started(t, 200.0) + 40.0 * MB * t / HOUR,
            export: 10.0,
            sends_pools: false,
            ..hours.clone()
        },
        onset: 0.0,
        onset_error: 1800.0,
        // mixed collections do not show in the whole heap unless they free much of it
        suspected_by: 1.0 * HOUR,
        leaking_by: 10.0 * HOUR,
    });
    check_leak(Leak {
        name: "stair",
        service: Service {
            live: |t| started(t, 200.0) + 30.0 * MB * (t / (0.75 * HOUR)).floor(),
            ..hours.clone()
        },
        onset: 0.0,
        onset_error: 1.0 * HOUR,
        suspected_by: 5.0 * HOUR,
        leaking_by: 8.0 * HOUR,
    });
    check_leak(Leak {
        name: "onset mid-run",
        service: Service {
            live: |t| started(t, 200.0) + 150.0 * MB * ((t - 6.0 * HOUR) / HOUR).max(0.0),
            duration: 9.5 * HOUR,
            ..hours.clone()
        },
        onset: 6.0 * HOUR,
        onset_error: 900.0,
        suspected_by: 7.5 * HOUR,
        leaking_by: 8.5 * HOUR,
    });
}

#[test]
fn healthy_services_are_left_alone() {
    let minutes = Service::default();
    for seed in 1..=20 {
        for export in [1.0, 10.0] {
            check_healthy(
                "flat",
                &Service {
                    seed,
                    export,
                    ..minutes.clone()
                },
                Verdict::Healthy,
                Verdict::Healthy,
            );
        }
    }
    check_healthy(
        "cache fills within seconds",
        &Service {
            live: |t| started(t, 30.0) + 20.0 * MB * (t / 20.0).min(1.0),
            ..minutes.clone()
        },
        Verdict::Healthy,
        Verdict::Healthy,
    );
    check_healthy(
        "no GC metric",
        &Service {
            sends_gc: false,
            sends_after_gc: false,
            ..minutes.clone()
        },
        Verdict::InsufficientData,
        Verdict::InsufficientData,
    );
    check_healthy(
        "too short",
        &Service {
            duration: 40.0,
            ..minutes.clone()
        },
        Verdict::InsufficientData,
        Verdict::InsufficientData,
    );
    let days = Service {
        duration: 48.0 * HOUR,
        export: 60.0,
        limit: 1000.0 * MB,
        live: |t| started(t, 200.0),
        allocation: 20.0 * MB,
        nursery: 300.0 * MB,
        promoted_garbage: 0.5 * MB,
        survivors: 15.0 * MB,
        ..Service::default()
    };
    for seed in 1..=5 {
        check_healthy(
            "flat for days",
            &Service {
                seed,
                marking_threshold: 0.25,
                ..days.clone()
            },
            Verdict::Healthy,
            Verdict::Healthy,
        );
    }
    check_healthy(
        "pools not told apart",
        &Service {
            sends_pools: false,
            export: 10.0,
            duration: 12.0 * HOUR,
            ..days.clone()
        },
        Verdict::Suspected,
        Verdict::Healthy,
    );
    check_healthy(
        "noisy",
        &Service {
            survivors: 80.0 * MB,
            marking_threshold: 0.25,
            ..days.clone()
        },
        Verdict::Healthy,
        Verdict::Healthy,
    );
    check_healthy(
        "cache fills to its cap over hours",
        &Service {
            live: |t| started(t, 200.0) + 150.0 * MB * (1.0 - (-t / (2.0 * HOUR)).exp()),
            marking_threshold: 0.25,
            ..days.clone()
        },
        Verdict::Suspected,
        Verdict::Healthy,
    );
    check_healthy(
        "day and night",
        &Service {
            live: |t| {
                started(t, 200.0)
                    + 60.0 * MB * (1.0 - (t / 24.0 / HOUR * std::f64::consts::TAU).cos())
            },
            marking_threshold: 0.25,
            ..days.clone()
        },
        Verdict::Suspected,
        Verdict::Healthy,
    );
    check_healthy(
        "step, then plateau",
        &Service {
            live: |t| started(t, 200.0) + if t > 20.0 * HOUR { 120.0 * MB } else { 0.0 },
            marking_threshold: 0.25,
            ..days.clone()
        },
        Verdict::Healthy,
        Verdict::Healthy,
    );
    // garbage gathers for hours before the old generation is collected, and nothing tells it
    // from a leak until then; afterwards the detector knows
    check_healthy(
        "old generation collected rarely",
        &Service {
            marking_threshold: 0.6,
            promoted_garbage: 0.4 * MB,
            ..days.clone()
        },
        Verdict::Suspected,
        Verdict::Healthy,
    );
}

#[test]
fn a_deploy_that_leaks() {
    let before = Service {
        instance: "a".to_owned(),
        version: "1.4.0".to_owned(),
        duration: 70.0,
        ..Service::default()
    };
    let after = Service {
        instance: "b".to_owned(),
        version: "1.5.0".to_owned(),
        start: 75.0,
        duration: 160.0,
        live: fast_leak,
        full_collections: &[65.0],
        ..Service::default()
    };
    let (detector, transitions) = run(&[before.clone(), after.clone()]);
    let story = story(&transitions);
    let deploys = detector.deploys("orders");
    assert_eq!(deploys.len(), 1);
    assert_eq!(
        (
            deploys[0].at,
            deploys[0].version.as_str(),
            deploys[0].previous.as_str()
        ),
        (at(76.0), "1.5.0", "1.4.0")
    );
    assert!(
        detector.assessment(&key(&before)).unwrap().verdict <= Verdict::Healthy,
        "{story}"
    );
    let services = detector.services();
    assert_eq!(services.len(), 1);
    assert_eq!(services[0].verdict, Verdict::Leaking, "{story}");
    assert_eq!(services[0].processes[0].process, key(&after));
    let assessment = &services[0].processes[0];
    let onset = assessment.onset.unwrap().seconds_since(deploys[0].at);
    assert!(onset.abs() < 30.0, "{onset}\n{story}");
    // 256 MB less 40 MB at 0.5 MB a second, counted from the start
    let eta = assessment.eta.unwrap();
    let end = |time: Timestamp| time.seconds_since(at(75.0));
    assert!(end(eta.p10) <= end(eta.p50) && end(eta.p50) <= end(eta.p90));
    assert!(
        (end(eta.p50) - 432.0).abs() < 60.0,
        "{}\n{story}",
        end(eta.p50)
    );
    let rate = assessment.growth_bytes_per_hour / HOUR / MB;
    assert!((rate - 0.5).abs() < 0.1, "{rate}\n{story}");
    let plot = detector.plot(&key(&after));
    assert!(plot.trend.is_some() && plot.used.len() > 100 && plot.floor.len() > 10);
    assert!(detector.gc_comparison(&key(&after)).is_some());
    assert_eq!(detector.first_seen(&key(&after)), Some(at(76.0)));
}

#[test]
fn replay_is_causal() {
    let service = Service {
        live: fast_leak,
        full_collections: &[64.0],
        duration: 200.0,
        ..Service::default()
    };
    let exports = service.run();
    let (_, whole) = run(std::slice::from_ref(&service));
    assert!(whole.len() >= 2);
    for cut in (0..exports.len()).step_by(13) {
        let until = exports[cut].at;
        // everything is known beforehand, but only judged up to the cut
        let mut detector = Detector::new(Settings::default());
        for export in &exports {
            feed(&mut detector, export);
        }
        let transitions = detector.evaluate(until);
        let expected: Vec<_> = whole
            .iter()
            .filter(|t| t.assessment.at <= until)
            .cloned()
            .collect();
        assert_eq!(transitions, expected, "cut at {until}");
        let rest = detector.evaluate(exports[exports.len() - 1].at);
        assert_eq!(rest, whole[expected.len()..], "rest after {until}");
    }
}

#[test]
fn a_restart_under_the_same_identity_starts_anew() {
    let first = Service {
        live: fast_leak,
        full_collections: &[64.0],
        duration: 200.0,
        ..Service::default()
    };
    let second = Service {
        start: 205.0,
        ..Service::default()
    };
    let (detector, transitions) = run(&[first.clone(), second]);
    let story = story(&transitions);
    let verdicts: Vec<_> = transitions.iter().map(|t| t.assessment.verdict).collect();
    assert_eq!(
        verdicts,
        [
            Verdict::Suspected,
            Verdict::Leaking,
            Verdict::InsufficientData,
            Verdict::Healthy
        ],
        "{story}"
    );
    assert_eq!(
        detector.assessment(&key(&first)).unwrap().verdict,
        Verdict::Healthy
    );
}

#[test]
fn evidence_can_be_run() {
    let service = Service {
        live: fast_leak,
        full_collections: &[64.0],
        duration: 120.0,
        ..Service::default()
    };
    let (detector, _) = run(std::slice::from_ref(&service));
    let assessment = detector.assessment(&key(&service)).unwrap();
    let text: String = assessment
        .evidence
        .iter()
        .map(|e| {
            let sign = if e.supports { '+' } else { '-' };
            let (start, end) = (e.window.start, e.window.end);
            format!(
                "{sign} {}: {}\n  {:.0} s to {:.0} s: {}\n",
                e.kind,
                e.text,
                start.seconds_since(EPOCH),
                end.seconds_since(EPOCH),
                e.query
            )
        })
        .collect();
    expect_test::expect![[r#"
        + floor_trend: the floor rose from 51.5 MiB to 96.5 MiB in 1 min 34 s (27 points), +28.8 MiB per minute, at least 85 % of the start with 95 % confidence; the chance of that without a trend is below 0.01 %
          26 s to 120 s: min_over_time(sum(jvm_memory_used_bytes{job="orders",instance="a",service_version="1.0.0",jvm_memory_type="heap",jvm_memory_pool_name!~"G1 Eden Space"})[4s:1s])
        + persistence: it still grows: the latest half at 105 % and the latest quarter at 101 % of the mean rate; the largest single step made 8 % of the growth
          26 s to 120 s: min_over_time(sum(jvm_memory_used_bytes{job="orders",instance="a",service_version="1.0.0",jvm_memory_type="heap",jvm_memory_pool_name!~"G1 Eden Space"})[4s:1s])
        + survival: growth of 22 % was still there after the whole heap had been collected
          26 s to 120 s: sum(jvm_memory_used_after_last_gc_bytes{job="orders",instance="a",service_version="1.0.0",jvm_memory_type="heap",jvm_memory_pool_name!~"G1 Eden Space"})
        + limit: at that rate the limit of 244 MiB is reached in 5 min 8 s, 3.3 times as long as the growth was watched
          26 s to 120 s: sum(jvm_memory_limit_bytes{job="orders",instance="a",service_version="1.0.0",jvm_memory_type="heap"})
        + gc_pause: share of the time spent in collections: rose, 0.24 % before, 0.34 % now
          23 s to 120 s: sum(rate(jvm_gc_duration_seconds_sum{job="orders",instance="a",service_version="1.0.0"}[29s]))
        - gc_frequency: collections per minute: hardly changed, 15.5 before, 16.6 now
          23 s to 120 s: 60 * sum(rate(jvm_gc_duration_seconds_count{job="orders",instance="a",service_version="1.0.0"}[29s]))
        - gc_freed: memory freed by a collection: hardly changed, 63.6 MiB before, 62.8 MiB now
          23 s to 120 s: 
        - warm_up: the first 22 s were left out as warm-up
          1 s to 23 s: sum(jvm_class_count{job="orders",instance="a",service_version="1.0.0"})
    "#]].assert_eq(&text);
}
