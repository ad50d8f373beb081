//! Any bytes are loaded as a heap, analysed, and looked into.

#![no_main]

use leakline_heap::inspect::{Filter, Inspector, Query};
use leakline_heap::{AnalyzeOptions, LoadOptions, References, analyze, load};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    for references in [References::Strong, References::All] {
        let options = LoadOptions {
            references,
            ..LoadOptions::default()
        };
        let Ok(heap) = load(bytes, &options) else {
            return;
        };
        let summary = analyze(&heap, &AnalyzeOptions::default()).summary;
        let options = AnalyzeOptions {
            earlier: &[summary],
            ..AnalyzeOptions::default()
        };
        analyze(&heap, &options);
        look_inside(&Inspector::new(&heap), bytes);
    }
});

fn look_inside(inspector: &Inspector<'_, '_>, bytes: &[u8]) {
    let filter = Filter {
        class: None,
        retained_over: None,
        limit: 5,
    };
    let _ = inspector.histogram(&filter);
    let _ = inspector.paths(&filter);
    let _ = inspector.threads(&filter);
    inspector.strings(&filter);
    let query = Query {
        filter: filter.clone(),
        value: Some("0".to_owned()),
        field: Some(leakline_model::Glob::new("*")),
    };
    let _ = inspector.find(&query);
    let Ok(tree) = inspector.dominators(&filter, 3) else {
        return;
    };
    for node in tree.nodes {
        let _ = inspector.object(bytes, node.object.object_id, 5);
        let _ = inspector.dominated(node.object.object_id, &filter, 3);
    }
}
