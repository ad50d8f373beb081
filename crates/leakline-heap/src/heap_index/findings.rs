//! How the report and the summary of a heap are kept in an index.

use super::encoding::{decode_text, encode_text};
use super::{Decoder, Encode, Encoder, encode_fields, encode_variants};
use crate::analyze::Analysis;
use crate::collections::Role;
use crate::place_tree::{Node, PlaceTree, Step};
use crate::report::{
    Accumulated, ClassRow, DominatorRow, DumpFacts, GrowthRow, HeapReport, Holder, LocalRow,
    PathStep, Pattern, Suspect, SuspectGrowth, ThreadRow, Totals,
};
use crate::roots::RootKind;

encode_fields!(Analysis {
    report,
    growth,
    summary
});
encode_fields!(HeapReport {
    dump,
    totals,
    suspects,
    not_growing,
    reachable_bytes,
    comparison_problems,
    histogram,
    dominators,
    threads,
});
encode_fields!(DumpFacts {
    format,
    runtime,
    identifier_size,
    taken_at,
    complete,
    problems,
});
encode_fields!(Totals {
    objects,
    bytes,
    classes,
    gc_roots,
    unreachable_objects,
    unreachable_bytes,
    soft_only_bytes,
    weak_only_bytes,
});
encode_fields!(Suspect {
    sentence,
    retained_bytes,
    share,
    holder,
    accumulates,
    path,
    growth,
    confidence,
    counter_evidence,
    pattern,
});
encode_fields!(Holder {
    class,
    field,
    root,
    thread,
    frame
});
encode_fields!(Accumulated {
    class,
    key_class,
    objects,
    bytes
});
encode_fields!(PathStep {
    class,
    field,
    object_id
});
encode_fields!(SuspectGrowth {
    objects,
    bytes,
    objects_per_minute
});
encode_fields!(ClassRow {
    class,
    objects,
    shallow_bytes,
    retained_bytes
});
encode_fields!(DominatorRow {
    object_id,
    class,
    shallow_bytes,
    retained_bytes
});
encode_fields!(ThreadRow {
    name,
    retained_bytes,
    frames,
    locals
});
encode_fields!(LocalRow {
    frame,
    class,
    retained_bytes
});
encode_fields!(GrowthRow {
    path,
    class,
    objects,
    bytes
});
encode_variants!(Pattern {
    Map,
    Collection,
    Queue,
    Listeners,
    ThreadLocal,
    ThreadStack,
    ClassLoader,
    Finalizer,
    Array,
    LinkedObjects,
    Object,
});
encode_fields!(PlaceTree { nodes });
encode_fields!(Node {
    parent,
    step,
    class,
    role,
    objects,
    own_bytes,
    bytes,
    retained,
    linked,
    largest,
    children,
    heaviest,
    place,
});

impl Encode<'_> for Role {
    fn encode<'s>(&'s self, to: &mut Encoder<'s>) {
        match self {
            Role::Container(pattern) => {
                to.put(&[0]);
                pattern.encode(to);
            }
            Role::Inner => to.put(&[1]),
            Role::Plain => to.put(&[2]),
        }
    }
    fn decode(from: &mut Decoder<'_>) -> Option<Self> {
        Some(match u8::decode(from)? {
            0 => Role::Container(Pattern::decode(from)?),
            1 => Role::Inner,
            2 => Role::Plain,
            _ => return None,
        })
    }
}

impl Encode<'_> for Step {
    fn encode<'s>(&'s self, to: &mut Encoder<'s>) {
        let (number, text): (u8, &str) = match self {
            Step::Class => (0, ""),
            Step::Root(kind) => (1, kind),
            Step::Thread(name) => (2, name),
            Step::FinalizerQueue => (3, ""),
            Step::Static(name) => (4, name),
            Step::Field(name) => (5, name),
            Step::Element => (6, ""),
            Step::Local(method) => (7, method),
            Step::ThreadLocal(holder) => (8, holder),
            Step::OfClass => (9, ""),
        };
        to.put(&[number]);
        encode_text(text, to);
    }
    fn decode(from: &mut Decoder<'_>) -> Option<Self> {
        let number = u8::decode(from)?;
        let text = decode_text(from)?;
        let name = || text.to_owned();
        Some(match number {
            0 => Step::Class,
            1 => Step::Root(fixed_text(text)?),
            2 => Step::Thread(name()),
            3 => Step::FinalizerQueue,
            4 => Step::Static(name()),
            5 => Step::Field(name()),
            6 => Step::Element,
            7 => Step::Local(name()),
            8 => Step::ThreadLocal(name()),
            9 => Step::OfClass,
            _ => return None,
        })
    }
}

/// Texts that are part of the program.
impl Encode<'_> for &'static str {
    fn encode<'s>(&'s self, to: &mut Encoder<'s>) {
        encode_text(self, to);
    }
    fn decode(from: &mut Decoder<'_>) -> Option<Self> {
        fixed_text(decode_text(from)?)
    }
}

fn fixed_text(text: &str) -> Option<&'static str> {
    let facts = DumpFacts::default();
    let root_kinds = RootKind::ALL.iter().map(|kind| kind.text());
    [facts.format, facts.runtime]
        .into_iter()
        .chain(root_kinds)
        .find(|known| *known == text)
}
