//! An index gives what the dump gives, or nothing.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use leakline_heap::inspect::{Filter, Inspector};
use leakline_heap::{
    AnalyzeOptions, DumpIdentity, HeapIndex, IndexError, IndexSource, LoadOptions, References,
    analyze, load, write_index,
};
use leakline_hprof::heap_builder::{Form, ObjectId};
use proptest::prelude::*;
use support::Program;

/// A dump with something of everything that an index holds.
fn dump() -> Vec<u8> {
    let mut program = Program::new();
    let orders = program.instances("com.acme.Order", 5000, 200);
    let (held, weakly) = orders.split_at(4000);
    let map = program.map(held);
    program.static_field("com.acme.Shop", "orders", map);
    let keys: Vec<ObjectId> = program.instances("com.acme.Key", 1000, 16);
    let keyed = program.keyed_map(&keys, weakly);
    let reference = program.soft(keyed);
    program.static_field("com.acme.Cache", "soft", reference);
    let local = program.thread_local();
    program.static_field("com.acme.Shop", "LOCAL", local);
    let list = program.list(&keys);
    program.thread_locals(local, list);
    program.finalizers(&keys[..10]);
    program.heap.build_as(&Form::default())
}

fn source(references: References) -> IndexSource {
    IndexSource {
        dump: DumpIdentity {
            bytes: 1,
            modified: -2,
            sample: 3,
            whole: u64::MAX,
        },
        references,
        problems: vec!["a problem of the file".to_owned()],
    }
}

fn index_of(dump: &[u8], references: References) -> Vec<u8> {
    let options = LoadOptions {
        references,
        ..LoadOptions::default()
    };
    let heap = load(dump, &options).unwrap();
    let analysis = analyze(&heap, &AnalyzeOptions::default());
    let mut index = Vec::new();
    write_index(&heap, &analysis, &source(references), &mut index).unwrap();
    index
}

/// All that can be asked, as text.
fn answers(inspector: &Inspector<'_, '_>, dump: &[u8]) -> String {
    let filter = Filter {
        class: None,
        retained_over: None,
        limit: 50,
    };
    let order = Filter {
        class: Some(leakline_model::Glob::new("com.acme.*")),
        ..filter.clone()
    };
    let objects = inspector.dominators(&filter, 3).unwrap();
    let first = objects.nodes[0].object.object_id;
    format!(
        "{:?}\n{:?}\n{:?}\n{objects:?}\n{:?}\n{:?}\n{:?}\n{:?}",
        inspector.facts(),
        inspector.totals(),
        inspector.histogram(&filter),
        inspector.paths(&order),
        inspector.threads(&filter),
        inspector.strings(&filter),
        inspector.object(dump, first, 50),
    )
}

/// What an index says, compared with what the dump says: an error, or the same.
fn check(index: &[u8], dump: &[u8], references: References) -> Result<(), IndexError> {
    let index = HeapIndex::open(index)?;
    assert_eq!(*index.source(), source(references));
    let options = LoadOptions {
        references,
        ..LoadOptions::default()
    };
    let heap = load(dump, &options).unwrap();
    let analysis = analyze(&heap, &AnalyzeOptions::default());
    let indexed = index.analysis()?;
    assert_eq!(indexed.report, analysis.report);
    assert_eq!(indexed.growth, analysis.growth);
    assert_eq!(
        format!("{:?}", indexed.summary),
        format!("{:?}", analysis.summary)
    );
    let indexed = index.heap(Some(dump))?;
    assert_eq!(
        answers(&Inspector::new(&indexed), dump),
        answers(&Inspector::new(&heap), dump)
    );
    // compared with another dump, it is analysed as if it had been read
    let options = AnalyzeOptions {
        earlier: &[analysis.summary],
        ..AnalyzeOptions::default()
    };
    let again = analyze(&indexed, &options);
    assert_eq!(again.report, analyze(&heap, &options).report);
    Ok(())
}

#[test]
fn an_index_gives_what_the_dump_gives() {
    let dump = dump();
    for references in [References::Strong, References::All] {
        let index = index_of(&dump, references);
        assert_eq!(index_of(&dump, references), index);
        check(&index, &dump, references).unwrap();
        // wherever it stands in memory
        let mut shifted = vec![0; 3];
        shifted.extend_from_slice(&index);
        check(&shifted[3..], &dump, references).unwrap();
    }
}

#[test]
fn sums_need_no_dump() {
    let dump = dump();
    let index = index_of(&dump, References::Strong);
    let heap = HeapIndex::open(&index).unwrap().heap(None).unwrap();
    let filter = Filter {
        class: None,
        retained_over: None,
        limit: usize::MAX,
    };
    let expected = load(&dump, &LoadOptions::default()).unwrap();
    assert_eq!(
        Inspector::new(&heap).histogram(&filter),
        Inspector::new(&expected).histogram(&filter)
    );
}

#[test]
fn another_dump_is_refused() {
    let dump = dump();
    let index = index_of(&dump, References::Strong);
    let short = &dump[..dump.len() / 2];
    let heap = HeapIndex::open(&index).unwrap().heap(Some(short));
    assert_eq!(heap.err(), Some(IndexError::Damaged));
}

#[test]
fn what_is_no_index_of_this_version() {
    let index = index_of(&dump(), References::Strong);
    let changed = |place: usize, value: u8| {
        let mut index = index.clone();
        index[place] = value;
        HeapIndex::open(&index).err().map(|error| error.to_string())
    };
    let message = |text: &str| Some(text.to_owned());
    assert_eq!(
        changed(0, b'J'),
        message("it is not an index of a heap dump")
    );
    assert_eq!(
        changed(9, 1),
        message("it was written by another version of leakline (format 257, expected 1)")
    );
    assert_eq!(
        changed(16, 0),
        message("it was written on a machine with another byte order")
    );
    assert_eq!(changed(24, 0), message("it is damaged"));
    assert_eq!(changed(40, 0), message("it is damaged"));
    assert!(HeapIndex::open(b"").is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn damage_is_noticed(
        place in any::<prop::sample::Index>(),
        change in 1u8..,
        cut in prop::option::weighted(0.2, any::<prop::sample::Index>()),
    ) {
        use std::sync::LazyLock;
        static DUMP: LazyLock<Vec<u8>> = LazyLock::new(dump);
        static INDEX: LazyLock<Vec<u8>> = LazyLock::new(|| index_of(&DUMP, References::Strong));
        let mut index = INDEX.clone();
        match cut {
            Some(cut) => index.truncate(cut.index(index.len())),
            None => {
                let place = place.index(index.len());
                index[place] ^= change;
            }
        }
        // between two blocks nothing is lost
        if check(&index, &DUMP, References::Strong).is_ok() {
            prop_assert_eq!(cut.map(|cut| cut.index(INDEX.len())), None);
            let place = place.index(INDEX.len());
            prop_assert_eq!(INDEX[place], 0);
        }
    }
}
