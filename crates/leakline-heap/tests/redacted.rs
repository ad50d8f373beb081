//! A redacted dump gives the same findings as the original.

mod support;

use leakline_heap::{Analysis, Waste};
use leakline_hprof::Hprof;
use leakline_hprof::redact::{Redaction, Text, redact};
use leakline_model::Glob;
use support::{Program, analyze_bytes};

fn redacted(bytes: &[u8], options: &Redaction<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    let hprof = Hprof::parse(bytes).expect("the dump has a header");
    redact(&hprof, options, &mut out).expect("a vector takes everything");
    out
}

/// The same, but for waste, which is all that follows from values.
fn assert_same(one: &Analysis, other: &Analysis) {
    let without_waste = |analysis: &Analysis| {
        let mut report = analysis.report.clone();
        report.waste = Waste::default();
        for suspect in &mut report.suspects {
            suspect.waste = None;
        }
        report
    };
    assert_eq!(without_waste(one), without_waste(other));
    assert_eq!(one.growth, other.growth);
}

#[test]
fn findings_do_not_depend_on_values() {
    let mut program = Program::new();
    let orders = program.instances("shop.Order", 8_000, 200);
    let cache = program.concurrent_map(&orders);
    program.static_field("shop.Controller", "cache", cache);
    let tasks = program.instances("shop.Task", 6_000, 200);
    let queue = program.queue(&tasks);
    let named = program.heap.string("secret");
    let waiting = program.soft(named);
    program.static_field("shop.Soft", "value", waiting);
    program
        .heap
        .thread("consumer-1")
        .frame("shop.Consumer", "run", 12)
        .local(queue)
        .id();
    let original = program.heap.build();
    let expected = analyze_bytes(&original);
    assert_eq!(expected.report.suspects.len(), 2);
    assert_eq!(expected.report.threads[0].name, "consumer-1");

    let keep = [Glob::new("java.lang.Thread.name")];
    let hash = |_: &[u8]| [7; 32];
    for text in [Text::Zero, Text::Hash(&hash)] {
        let options = Redaction {
            keep: &keep,
            text,
            progress: None,
        };
        assert_same(&analyze_bytes(&redacted(&original, &options)), &expected);
    }
}

#[test]
fn a_cut_off_dump_stays_recognised_as_cut_off() {
    let mut program = Program::new();
    let orders = program.instances("shop.Order", 8_000, 200);
    let cache = program.concurrent_map(&orders);
    program.static_field("shop.Controller", "cache", cache);
    let original = program.heap.build();
    let cut = &original[..original.len() - original.len() / 4];
    let (before, after) = (
        analyze_bytes(cut),
        analyze_bytes(&redacted(cut, &Redaction::default())),
    );
    assert!(!before.report.dump.complete);
    assert!(!after.report.dump.complete);
    assert_eq!(after.report.totals, before.report.totals);
    assert_eq!(after.report.suspects, before.report.suspects);
}
