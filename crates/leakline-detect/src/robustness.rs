//! The detector on input that no service sends: it must not panic and not grow.

use crate::simulation::at;
use crate::{Detector, Settings};
use leakline_model::{Labels, Sample, Timestamp};
use proptest::prelude::*;

const NAMES: [&str; 6] = [
    "jvm_memory_used_bytes",
    "jvm_memory_limit_bytes",
    "jvm_memory_used_after_last_gc_bytes",
    "jvm_gc_duration_seconds_count",
    "jvm_gc_duration_seconds_sum",
    "jvm_class_count",
];

fn value() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<f64>(),
        0.0..1e10,
        0.0..100.0,
        Just(leakline_model::stale_marker()),
        Just(f64::NAN),
    ]
}

fn time() -> impl Strategy<Value = i64> {
    prop_oneof![
        any::<i64>(),
        0..2_000_000_000_000_i64,
        0..600_000_000_000_i64
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn samples_do_no_harm(
        samples in prop::collection::vec((0..6_usize, 0..4_usize, 0..2_usize, time(), value()), 1..400),
    ) {
        let mut detector = Detector::new(Settings::default());
        for (i, (name, part, instance, time, value)) in samples.into_iter().enumerate() {
            let part = ["G1 Eden Space", "G1 Old Gen", "G1 Survivor Space", "other"][part];
            let labels = Labels::new([
                ("__name__", NAMES[name]),
                ("job", "orders"),
                ("instance", ["a", "b"][instance]),
                ("jvm_memory_type", "heap"),
                ("jvm_memory_pool_name", part),
                ("jvm_gc_name", part),
            ]);
            let timestamp = Timestamp::from_nanos(time);
            detector.observe(&labels, &[Sample { timestamp, value }]);
            if i % 7 == 0 {
                detector.evaluate(timestamp);
            }
        }
        detector.evaluate(Timestamp::MAX);
        for service in detector.services() {
            for assessment in service.processes {
                prop_assert!((0.0..=1.0).contains(&assessment.confidence));
                prop_assert!(assessment.growth_bytes_per_hour.is_finite());
                detector.plot(&assessment.process);
            }
        }
    }
}

#[test]
fn state_is_bounded() {
    let mut detector = Detector::new(Settings {
        maximum_processes: 10,
        ..Settings::default()
    });
    // label explosions in parts and instances, and a process that never ends
    for i in 0..30_000_i64 {
        let name = i.to_string();
        let sample = Sample {
            timestamp: at(i as f64),
            value: (i % 50) as f64,
        };
        for (metric, instance, pool) in [
            ("jvm_memory_used_bytes", "a", name.as_str()),
            ("jvm_memory_used_bytes", name.as_str(), "G1 Old Gen"),
            ("jvm_memory_used_bytes", "b", "G1 Old Gen"),
        ] {
            let labels = Labels::new([
                ("__name__", metric),
                ("job", "orders"),
                ("instance", instance),
                ("jvm_memory_type", "heap"),
                ("jvm_memory_pool_name", pool),
            ]);
            detector.observe(&labels, &[sample]);
        }
        let gc = Labels::new([
            ("__name__", "jvm_gc_duration_seconds_count"),
            ("job", "orders"),
            ("instance", "b"),
            ("jvm_gc_name", "x"),
        ]);
        detector.observe(
            &gc,
            &[Sample {
                value: i as f64,
                ..sample
            }],
        );
        if i % 10 == 0 {
            detector.evaluate(sample.timestamp);
        }
    }
    assert!(detector.size() < 10 * 2500, "{}", detector.size());
}
