//! The investigation as events in, actions out.

mod common;

use std::time::Duration;

use common::{MIB, assessment, at, correlation, dump, heap_report, process, seconds};
use expect_test::{Expect, expect};
use leakline_detect::{Eta, Verdict};
use leakline_investigate::{Action, Event, HeapFindings, Investigation, Purpose, Settings};
use leakline_model::Timestamp;
use proptest::prelude::*;

/// A line of a test script: seconds after 14:05:30, and what happens then.
type Step = (u64, Event);

fn time(after: u64) -> Timestamp {
    at("14:05:30") + seconds(after)
}

fn assessed(
    verdict: Verdict,
    minutes_left: u64,
    growth_mib_per_minute: f64,
) -> impl Fn(u64) -> Step {
    move |after| {
        let mut assessment = assessment(time(after), verdict);
        assessment.growth_bytes_per_hour = growth_mib_per_minute * 60.0 * MIB as f64;
        let limit = time(minutes_left * 60);
        assessment.eta = (verdict >= Verdict::Suspected).then_some(Eta {
            p10: limit,
            p50: limit + seconds(60),
            p90: limit + seconds(180),
        });
        let floor = Some(100.0 * MIB as f64);
        (after, Event::Assessed { assessment, floor })
    }
}

fn captured(after: u64) -> Step {
    let mut dump = dump(Purpose::Baseline, "x.hprof", "14:00:00", "14:00:01");
    dump.time.earliest = time(after - 1);
    dump.time.likely = time(after - 1);
    dump.time.latest = time(after);
    (after, Event::Captured(dump))
}

fn capture_failed(after: u64, retry: bool) -> Step {
    let reason = "1.20 GiB free, 2.10 GiB needed".to_owned();
    (after, Event::CaptureFailed { reason, retry })
}

fn analyzed(after: u64) -> Step {
    let findings = HeapFindings {
        report: heap_report(),
        growth: Vec::new(),
    };
    (after, Event::Analyzed(Box::new(findings)))
}

fn correlated(after: u64) -> Step {
    (after, Event::Correlated(Box::new(correlation())))
}

/// Plays the script, polling each second; what is asked for, with the second.
fn play(first: Verdict, script: &[Step]) -> String {
    let (_, Event::Assessed { assessment, floor }) = assessed(first, 10, 30.0)(0) else {
        unreachable!()
    };
    let mut investigation =
        Investigation::open(assessment, floor, at("14:02:42"), Settings::default());
    let end = script.last().map_or(0, |(after, _)| *after) + 400;
    let mut said = String::new();
    for second in 0..=end {
        for (_, event) in script.iter().filter(|(after, _)| *after == second) {
            investigation.handle(time(second), event.clone());
        }
        loop {
            match investigation.poll(time(second)) {
                Action::Wait { .. } => break,
                Action::Capture { purpose, .. } => {
                    said += &format!("{second} s: capture {}\n", purpose.as_str());
                }
                Action::Analyze { dumps } => {
                    said += &format!("{second} s: analyze {}\n", dumps.len())
                }
                Action::Correlate { window, growth, .. } => {
                    let range = window.range();
                    said += &format!(
                        "{second} s: correlate {} gained from {} to {}\n",
                        growth.objects,
                        range.start.clock(),
                        range.end.clock()
                    );
                }
                Action::Finish(case) => {
                    said += &format!(
                        "{second} s: finish: {} dumps, heap {}, traces {}\n",
                        case.dumps.len(),
                        case.heap.is_some(),
                        case.traces.is_some()
                    );
                    for shortcoming in &case.shortcomings {
                        said += &format!("- {shortcoming}\n");
                    }
                    assert!(investigation.is_finished());
                    return said;
                }
            }
        }
    }
    said + "still open\n"
}

fn check(first: Verdict, script: &[Step], expected: Expect) {
    expected.assert_eq(&play(first, script));
}

#[test]
fn the_usual_course() {
    // 30 MiB a minute on a floor of 100 MiB: 16 MiB take 32 s, the least wait is 40 s
    let leaking = assessed(Verdict::Leaking, 10, 30.0);
    check(
        Verdict::Suspected,
        &[
            captured(3),
            leaking(20),
            captured(48),
            analyzed(55),
            correlated(56),
        ],
        expect![[r#"
            0 s: capture baseline
            43 s: capture comparison
            48 s: analyze 2
            55 s: correlate 2914 gained from 14:05:32 to 14:06:17
            56 s: finish: 2 dumps, heap true, traces true
        "#]],
    );
}

#[test]
fn a_suspicion_alone_takes_no_second_dump() {
    let suspected = assessed(Verdict::Suspected, 60, 30.0);
    check(
        Verdict::Suspected,
        &[captured(3), suspected(30), suspected(600)],
        expect![[r#"
            0 s: capture baseline
            still open
        "#]],
    );
}

#[test]
fn a_slow_leak_waits_for_size_not_for_the_clock() {
    // 2 MiB a minute: 16 MiB take 8 min
    let leaking = assessed(Verdict::Leaking, 600, 2.0);
    check(
        Verdict::Leaking,
        &[leaking(1), captured(3), leaking(200), leaking(480)],
        expect![[r#"
            0 s: capture baseline
            483 s: capture comparison
            still open
        "#]],
    );
}

#[test]
fn urgency_goes_before_size_and_verdict() {
    // limit in 60 s: half of what is left at the baseline is 28 s
    let suspected = assessed(Verdict::Suspected, 1, 30.0);
    check(
        Verdict::Suspected,
        &[suspected(1), captured(3)],
        expect![[r#"
            0 s: capture baseline
            32 s: capture comparison
            still open
        "#]],
    );
}

#[test]
fn two_dumps_at_once_would_compare_nothing() {
    // the early end of the forecast is already over
    let leaking = assessed(Verdict::Leaking, 0, 30.0);
    check(
        Verdict::Leaking,
        &[leaking(1), captured(3)],
        expect![[r#"
        0 s: capture baseline
        13 s: capture comparison
        still open
    "#]],
    );
}

#[test]
fn a_suspicion_that_stays_one_does_not_keep_the_case_open_for_ever() {
    let suspected = assessed(Verdict::Suspected, 100_000, 0.1);
    let day = 24 * 3600;
    check(
        Verdict::Suspected,
        &[captured(3), suspected(10), captured(day + 5)],
        expect![[r#"
            0 s: capture baseline
            86403 s: capture comparison
            86405 s: analyze 2
            still open
        "#]],
    );
    check(
        Verdict::Suspected,
        &[capture_failed(3, false), suspected(10), suspected(day)],
        expect![[r#"
            0 s: capture baseline
            86400 s: finish: 0 dumps, heap false, traces false
            - baseline heap dump not taken: 1.20 GiB free, 2.10 GiB needed
        "#]],
    );
}

#[test]
fn a_recovery_that_lasts_closes_the_case() {
    let healthy = assessed(Verdict::Healthy, 0, 0.0);
    let leaking = assessed(Verdict::Leaking, 60, 30.0);
    // before a dump at once
    check(
        Verdict::Suspected,
        &[capture_failed(2, true), healthy(3)],
        expect![[r#"
        0 s: capture baseline
        3 s: finish: 0 dumps, heap false, traces false
    "#]],
    );
    check(
        Verdict::Suspected,
        &[captured(3), healthy(20), healthy(620)],
        expect![[r#"
        0 s: capture baseline
        620 s: finish: 1 dumps, heap false, traces false
    "#]],
    );
    // the collection that comes with a dump may hide a leak for a while
    check(
        Verdict::Suspected,
        &[
            captured(3),
            healthy(20),
            leaking(60),
            healthy(100),
            captured(101),
        ],
        expect![[r#"
            0 s: capture baseline
            60 s: capture comparison
            101 s: analyze 2
            still open
        "#]],
    );
}

#[test]
fn a_failed_capture_is_tried_again_with_growing_waits() {
    let leaking = assessed(Verdict::Leaking, 60, 30.0);
    check(
        Verdict::Leaking,
        &[
            leaking(1),
            capture_failed(2, true),
            capture_failed(20, true),
            captured(90),
            captured(135),
        ],
        expect![[r#"
            0 s: capture baseline
            17 s: capture baseline
            80 s: capture baseline
            130 s: capture comparison
            135 s: analyze 2
            still open
        "#]],
    );
}

#[test]
fn without_any_dump_the_metrics_are_reported() {
    check(
        Verdict::Leaking,
        &[capture_failed(2, false)],
        expect![[r#"
            0 s: capture baseline
            2 s: finish: 0 dumps, heap false, traces false
            - baseline heap dump not taken: 1.20 GiB free, 2.10 GiB needed
        "#]],
    );
    // a suspicion is not worth a report; the verdict decides
    let leaking = assessed(Verdict::Leaking, 60, 30.0);
    check(
        Verdict::Suspected,
        &[capture_failed(2, false), leaking(70)],
        expect![[r#"
            0 s: capture baseline
            70 s: finish: 0 dumps, heap false, traces false
            - baseline heap dump not taken: 1.20 GiB free, 2.10 GiB needed
        "#]],
    );
}

#[test]
fn one_dump_is_compared_with_the_start_of_the_process() {
    let leaking = assessed(Verdict::Leaking, 10, 30.0);
    check(
        Verdict::Leaking,
        &[
            leaking(1),
            captured(3),
            capture_failed(50, false),
            analyzed(55),
            correlated(56),
        ],
        expect![[r#"
            0 s: capture baseline
            43 s: capture comparison
            50 s: analyze 1
            55 s: correlate 9412 gained from 14:02:42 to 14:05:32
            56 s: finish: 1 dumps, heap true, traces true
            - comparison heap dump not taken: 1.20 GiB free, 2.10 GiB needed
        "#]],
    );
}

#[test]
fn a_process_that_ends_leaves_what_there_is() {
    check(
        Verdict::Leaking,
        &[
            captured(3),
            (10, Event::ProcessGone),
            analyzed(15),
            correlated(16),
        ],
        expect![[r#"
            0 s: capture baseline
            10 s: analyze 1
            15 s: correlate 9412 gained from 14:02:42 to 14:05:32
            16 s: finish: 1 dumps, heap true, traces true
            - the process ended before a second dump was taken; growth is judged from one
        "#]],
    );
    check(
        Verdict::Leaking,
        &[(1, Event::ProcessGone), capture_failed(4, true)],
        expect![[r#"
            0 s: capture baseline
            4 s: finish: 0 dumps, heap false, traces false
            - baseline heap dump not taken: 1.20 GiB free, 2.10 GiB needed
        "#]],
    );
}

#[test]
fn failures_after_the_dumps_are_reasons_in_the_report() {
    let leaking = assessed(Verdict::Leaking, 10, 30.0);
    let failed =
        |after, event: fn(String) -> Event| (after, event("no spans were sent".to_owned()));
    check(
        Verdict::Leaking,
        &[
            leaking(1),
            captured(3),
            captured(48),
            failed(50, |reason| Event::AnalysisFailed { reason }),
        ],
        expect![[r#"
            0 s: capture baseline
            43 s: capture comparison
            48 s: analyze 2
            50 s: finish: 2 dumps, heap false, traces false
            - the dumps could not be analysed: no spans were sent
        "#]],
    );
    check(
        Verdict::Leaking,
        &[
            leaking(1),
            captured(3),
            captured(48),
            analyzed(50),
            failed(51, |reason| Event::CorrelationFailed { reason }),
        ],
        expect![[r#"
            0 s: capture baseline
            43 s: capture comparison
            48 s: analyze 2
            50 s: correlate 2914 gained from 14:05:32 to 14:06:17
            51 s: finish: 2 dumps, heap true, traces false
            - no operation could be named: no spans were sent
        "#]],
    );
}

fn any_event() -> impl Strategy<Value = Event> {
    let verdict = prop_oneof![
        Just(Verdict::InsufficientData),
        Just(Verdict::Healthy),
        Just(Verdict::Suspected),
        Just(Verdict::Leaking),
    ];
    let rate = prop_oneof![
        Just(0.0),
        Just(f64::NAN),
        Just(f64::INFINITY),
        Just(-5.0),
        0.0..1e12
    ];
    let assessed =
        (verdict, rate, 0_u64..100_000, any::<bool>()).prop_map(|(verdict, rate, left, known)| {
            let mut assessment = assessment(time(0), verdict);
            assessment.growth_bytes_per_hour = rate;
            assessment.eta = known.then(|| Eta {
                p10: time(left),
                p50: time(left + 1),
                p90: Timestamp::MAX,
            });
            Event::Assessed {
                assessment,
                floor: known.then_some(rate),
            }
        });
    prop_oneof![
        6 => assessed,
        3 => (1_u64..100_000).prop_map(|after| captured(after).1),
        2 => any::<bool>().prop_map(|retry| capture_failed(0, retry).1),
        1 => Just(analyzed(0).1),
        1 => Just(correlated(0).1),
        1 => Just(Event::AnalysisFailed { reason: String::new() }),
        1 => Just(Event::CorrelationFailed { reason: String::new() }),
        1 => Just(Event::ProcessGone),
    ]
}

proptest! {
    /// Whatever happens in whatever order: no panic, no second question before the first is
    /// answered, no capture for a purpose that has its dump, and nothing after the end.
    #[test]
    fn it_asks_one_thing_at_a_time(events in prop::collection::vec((0_u64..5_000, any_event()), 0..60)) {
        let opening = assessment(time(0), Verdict::Suspected);
        let mut investigation = Investigation::open(opening, None, at("14:02:42"), Settings::default());
        let mut now = time(0);
        let mut asked: Option<Action> = None;
        let mut attempts = [0_u32; 2];
        for (later, event) in events {
            now = now + Duration::from_secs(later);
            let finished = investigation.is_finished();
            let answered = matches!(
                (&asked, &event),
                (Some(Action::Capture { .. }), Event::Captured(_) | Event::CaptureFailed { .. })
                    | (Some(Action::Analyze { .. }), Event::Analyzed(_) | Event::AnalysisFailed { .. })
                    | (Some(Action::Correlate { .. }), Event::Correlated(_) | Event::CorrelationFailed { .. })
            );
            let dumps = investigation.case().dumps.len();
            if let (Some(Action::Capture { purpose, .. }), Event::Captured(_)) = (&asked, &event) {
                prop_assert_eq!(dumps, *purpose as usize);
            }
            investigation.handle(now, event);
            if answered {
                asked = None;
            }
            prop_assert!(investigation.case().dumps.len() <= 2);
            match investigation.poll(now) {
                Action::Wait { .. } => prop_assert!(!finished),
                Action::Finish(_) => prop_assert!(investigation.is_finished()),
                action => {
                    prop_assert!(!finished);
                    prop_assert!(asked.is_none(), "{action:?} while {asked:?} is open");
                    if let Action::Capture { purpose, process: of } = &action {
                        attempts[*purpose as usize] += 1;
                        prop_assert!(attempts[*purpose as usize] <= Settings::default().capture_attempts);
                        prop_assert_eq!(investigation.case().dumps.len(), *purpose as usize);
                        prop_assert_eq!(of, &process());
                    }
                    asked = Some(action);
                }
            }
        }
    }
}
