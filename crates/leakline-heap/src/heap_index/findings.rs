//! How the report and the summary of a heap are kept in an index.

use super::encoding::{decode_text, encode_text};
use super::{Decoder, Encode, Encoder, encode_fields, encode_variants};
use crate::analyze::Analysis;
use crate::known_holders;
use crate::report::{
    Accumulated, ClassRow, DominatorRow, DumpFacts, GrowthKind, GrowthRate, GrowthRow, HeapReport,
    Holder, KnownHolder, LocalRow, NativeHolder, NativeKind, NativeMemory, NativeRow, PathStep,
    Pattern, Per, Suspect, SuspectGrowth, ThreadRow, Totals, Waste, WasteHolder, WasteKind,
    WasteRow,
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
    compared,
    native,
    waste,
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
    finalizer_only_bytes,
    weak_only_bytes,
    phantom_only_bytes,
});
encode_fields!(Suspect {
    sentence,
    retained_bytes,
    share,
    native_bytes,
    holder,
    accumulates,
    path,
    growth,
    confidence,
    counter_evidence,
    waste,
    pattern,
    known,
});
encode_fields!(KnownHolder { name, advice });
encode_fields!(NativeMemory {
    objects,
    bytes,
    unreachable_bytes,
    kinds,
    holders
});
encode_fields!(NativeRow {
    kind,
    objects,
    bytes
});
encode_fields!(NativeHolder {
    path,
    class,
    objects,
    bytes
});
encode_variants!(NativeKind {
    DirectBuffers,
    ForeignMemory,
    ZipStreams,
    MappedFiles,
    WrappedMemory
});
encode_fields!(Waste { rows, has_values });
encode_fields!(WasteRow {
    kind,
    class,
    objects,
    bytes,
    held_by
});
encode_fields!(WasteHolder {
    class,
    field,
    objects,
    bytes
});
encode_variants!(WasteKind {
    DuplicateStrings,
    DuplicateArrays,
    ZeroArrays,
    EmptyCollections,
    SparseCollections,
    SparseArrays,
    LooseBuffers,
    BoxedValues,
    DeadThreadLocals
});
encode_variants!(GrowthKind {
    Steady,
    Stairs,
    Recent,
    WarmUp,
    Fluctuating,
    Flat,
    Shrinking
});
encode_fields!(GrowthRate {
    objects,
    bytes,
    per
});
encode_variants!(Per { Minute, Dump });
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
    kind,
    rate
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
    growth
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
    let known = known_holders::all().flat_map(|holder| [holder.name, holder.advice]);
    [facts.format, facts.runtime]
        .into_iter()
        .chain(root_kinds)
        .chain(known)
        .find(|known| *known == text)
}
