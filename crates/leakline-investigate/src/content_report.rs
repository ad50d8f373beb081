//! The parts of the heap report on what objects contain: native memory behind them, and waste.

use leakline_heap::{
    HeapReport, NativeKind, NativeMemory, Waste, WasteHolder, WasteKind, WasteRow,
};
use leakline_model::{ByteSize, grouped};
use serde::Serialize;

use crate::document::{Block, Table};
use crate::phrase;
use crate::prose::Prose;

/// Less native memory is what every JVM has, and not worth a section.
const LEAST_NATIVE: u64 = 1 << 20;
/// Places that people are shown; JSON has more.
const NATIVE_HOLDERS: usize = 10;
/// Holders of each kind of waste that people are shown.
const WASTE_HOLDERS: usize = 3;

/// Sections on native memory and waste, if there is enough of them.
pub(crate) fn layout(blocks: &mut Vec<Block>, report: &HeapReport) {
    let native = &report.native;
    if native.bytes + native.unreachable_bytes >= LEAST_NATIVE {
        blocks.push(Block::Section("Native memory"));
        blocks.push(Block::Table(kinds(native)));
        if native.unreachable_bytes > 0 {
            let text = format!(
                "{} more are kept by unreachable objects, until the collector finds them.",
                ByteSize(native.unreachable_bytes)
            );
            blocks.push(Block::Paragraph(text.into()));
        }
        if !native.holders.is_empty() {
            blocks.push(Block::Table(native_holders(native)));
        }
    }
    if !report.waste.rows.is_empty() {
        blocks.push(Block::Section("Waste"));
        blocks.push(Block::Table(waste(report)));
        if !report.waste.has_values {
            let text = "Strings or arrays of this dump hold hardly anything but zeros, as after redaction; these were not compared.";
            blocks.push(Block::Paragraph(text.into()));
        }
    }
}

fn kinds(native: &NativeMemory) -> Table {
    let mut table = Table::new(&["#native", "#objects", "what"]);
    for row in &native.kinds {
        table.row([
            ByteSize(row.bytes).to_string().into(),
            grouped(row.objects).into(),
            kind_text(row.kind).into(),
        ]);
    }
    table
}

fn kind_text(kind: NativeKind) -> &'static str {
    match kind {
        NativeKind::DirectBuffers => "direct buffers",
        NativeKind::ForeignMemory => "arenas of java.lang.foreign",
        NativeKind::ZipStreams => "open Inflater and Deflater, estimated",
        NativeKind::MappedFiles => "mapped files (not counted: the system can take the pages back)",
        NativeKind::WrappedMemory => {
            "memory of native code seen through buffers (not counted: owner unknown)"
        }
    }
}

fn native_holders(native: &NativeMemory) -> Table {
    let mut table = Table::new(&["#native", "#objects", "class", "held by"]);
    // of those after the third only what is worth a hundredth
    let least = native.bytes / 100;
    let rows = native.holders.iter().take(NATIVE_HOLDERS).enumerate();
    for (_, holder) in rows.filter(|(i, holder)| *i < 3 || holder.bytes >= least) {
        table.row([
            ByteSize(holder.bytes).to_string().into(),
            grouped(holder.objects).into(),
            Prose::new().code(phrase::short_class(&holder.class)),
            Prose::new().code(&holder.path),
        ]);
    }
    table
}

fn waste(report: &HeapReport) -> Table {
    let mut table = Table::new(&["#wasted", "#share", "what", "held by"]);
    let all = report.totals.bytes.max(1) as f64;
    for row in &report.waste.rows {
        table.row([
            ByteSize(row.bytes).to_string().into(),
            phrase::percent(row.bytes as f64 / all).into(),
            what(row),
            held_by(row),
        ]);
    }
    table
}

fn what(row: &WasteRow) -> Prose {
    let count = grouped(row.objects);
    let class = phrase::short_class(&row.class);
    let text = Prose::from(format!("{count} "));
    match row.kind {
        WasteKind::DuplicateStrings => text.text("duplicate strings"),
        WasteKind::DuplicateArrays => text.text("duplicate ").code(class),
        WasteKind::ZeroArrays => text.code(class).text(" full of zeros"),
        WasteKind::EmptyCollections => text.text("empty ").code(class),
        WasteKind::SparseCollections => text.code(class).text(" at most a quarter full"),
        WasteKind::SparseArrays => text.code(class).text(" at most a quarter full"),
        WasteKind::LooseBuffers => text.code(class).text(" at most a quarter full"),
        WasteKind::BoxedValues => text.text("boxed ").code(class),
        WasteKind::DeadThreadLocals => text.text("values of thread-locals that are gone"),
    }
}

fn held_by(row: &WasteRow) -> Prose {
    let mut text = Prose::new();
    let mut separator = "";
    // of those after the first only what is worth a tenth
    let holders = row.held_by.iter().take(WASTE_HOLDERS).enumerate();
    for (_, holder) in holders.filter(|(i, holder)| *i == 0 || holder.bytes >= row.bytes / 10) {
        let share = phrase::percent(holder.bytes as f64 / row.bytes.max(1) as f64);
        text = text.text(separator).code(holder_text(holder));
        text = text.text(format!(" {share}"));
        separator = ", ";
    }
    text
}

fn holder_text(holder: &WasteHolder) -> String {
    let class = phrase::short_class(&holder.class);
    match holder.field.as_str() {
        "" => class.to_owned(),
        field => format!("{class}.{field}"),
    }
}

#[derive(Serialize)]
pub(crate) struct NativeJson<'a> {
    objects: u64,
    bytes: u64,
    unreachable_bytes: u64,
    kinds: Vec<NativeKindJson>,
    holders: Vec<NativeHolderJson<'a>>,
}

#[derive(Serialize)]
struct NativeKindJson {
    kind: &'static str,
    objects: u64,
    bytes: u64,
    counted: bool,
}

#[derive(Serialize)]
struct NativeHolderJson<'a> {
    path: &'a str,
    class: &'a str,
    objects: u64,
    bytes: u64,
}

impl<'a> From<&'a NativeMemory> for NativeJson<'a> {
    fn from(native: &'a NativeMemory) -> Self {
        let kind = |kind| match kind {
            NativeKind::DirectBuffers => "direct_buffers",
            NativeKind::ForeignMemory => "foreign_memory",
            NativeKind::ZipStreams => "zip_streams",
            NativeKind::MappedFiles => "mapped_files",
            NativeKind::WrappedMemory => "wrapped_memory",
        };
        let kinds = native.kinds.iter().map(|row| NativeKindJson {
            kind: kind(row.kind),
            objects: row.objects,
            bytes: row.bytes,
            counted: row.kind.is_allocated(),
        });
        let holders = native.holders.iter().map(|holder| NativeHolderJson {
            path: &holder.path,
            class: &holder.class,
            objects: holder.objects,
            bytes: holder.bytes,
        });
        NativeJson {
            objects: native.objects,
            bytes: native.bytes,
            unreachable_bytes: native.unreachable_bytes,
            kinds: kinds.collect(),
            holders: holders.collect(),
        }
    }
}

#[derive(Serialize)]
pub(crate) struct WasteJson<'a> {
    has_values: bool,
    rows: Vec<WasteRowJson<'a>>,
}

#[derive(Serialize)]
struct WasteRowJson<'a> {
    kind: &'static str,
    class: &'a str,
    objects: u64,
    wasted_bytes: u64,
    held_by: Vec<WasteHolderJson<'a>>,
}

#[derive(Serialize)]
struct WasteHolderJson<'a> {
    class: &'a str,
    field: Option<&'a str>,
    objects: u64,
    wasted_bytes: u64,
}

impl<'a> From<&'a Waste> for WasteJson<'a> {
    fn from(waste: &'a Waste) -> Self {
        WasteJson {
            has_values: waste.has_values,
            rows: waste.rows.iter().map(WasteRowJson::from).collect(),
        }
    }
}

impl<'a> From<&'a WasteRow> for WasteRowJson<'a> {
    fn from(row: &'a WasteRow) -> Self {
        let held_by = row.held_by.iter().map(|holder| WasteHolderJson {
            class: &holder.class,
            field: Some(holder.field.as_str()).filter(|field| !field.is_empty()),
            objects: holder.objects,
            wasted_bytes: holder.bytes,
        });
        WasteRowJson {
            kind: match row.kind {
                WasteKind::DuplicateStrings => "duplicate_strings",
                WasteKind::DuplicateArrays => "duplicate_arrays",
                WasteKind::ZeroArrays => "zero_arrays",
                WasteKind::EmptyCollections => "empty_collections",
                WasteKind::SparseCollections => "sparse_collections",
                WasteKind::SparseArrays => "sparse_arrays",
                WasteKind::LooseBuffers => "loose_buffers",
                WasteKind::BoxedValues => "boxed_values",
                WasteKind::DeadThreadLocals => "dead_thread_locals",
            },
            class: &row.class,
            objects: row.objects,
            wasted_bytes: row.bytes,
            held_by: held_by.collect(),
        }
    }
}
