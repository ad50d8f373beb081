//! What `leakline analyze` found in one dump, or in several of one process, in every form.

use leakline_heap::{GrowthRow, HeapReport, Per, Suspect, SuspectGrowth, ThreadRow};
use leakline_model::{ByteSize, SignedByteSize, Timestamp, grouped};
use serde::Serialize;

use crate::advice;
use crate::content_report::{self, NativeJson, WasteJson};
use crate::document::{Block, Document, Figure, Table, Tone};
use crate::form::Form;
use crate::json::{
    AccumulatedJson, HolderJson, StepJson, SuspectGrowthJson, pretty, rounded, time,
};
use crate::layout::path_text;
use crate::phrase;
use crate::prose::{Prose, ended, sentence, visible};

/// Rows of each table that people are shown; JSON has all.
const ROWS: usize = 20;
/// Places that are large but do not grow, that people are shown.
const NOT_GROWING: usize = 5;
/// Frames of a stack that people are shown.
const FRAMES: usize = 12;

/// The report and what grew between the dumps, in the form asked for.
pub fn render(report: &HeapReport, growth: &[GrowthRow], form: Form) -> String {
    form.write(|| layout(report, growth), || json(report, growth))
}

fn layout(report: &HeapReport, growth: &[GrowthRow]) -> Document {
    let mut blocks = Vec::new();
    blocks.push(Block::Section("Suspects"));
    for problem in &report.comparison_problems {
        let text = Prose::from("Mind: ").text(ended(problem));
        blocks.push(Block::Paragraph(text));
    }
    if report.suspects.is_empty() {
        let growing = growth
            .iter()
            .filter(|row| row.growth.kind.goes_on())
            .count();
        let text = match (report.compared.len(), growing) {
            (0 | 1, _) => "None: no place holds an unusual share of the heap.",
            (_, 0) => "None: nothing goes on growing between the dumps.",
            _ => {
                "None: what grows between the dumps is little, or a small part of what the heap gained."
            }
        };
        blocks.push(Block::Paragraph(text.into()));
    }
    for (i, suspect) in report.suspects.iter().enumerate() {
        suspect_blocks(&mut blocks, i + 1, suspect);
    }
    for large in report.not_growing.iter().take(NOT_GROWING) {
        blocks.push(Block::Paragraph(not_growing(large)));
    }
    if report.compared.len() > 1 {
        blocks.push(Block::Section("Growth"));
        blocks.push(Block::Table(compared(report)));
    }
    if !growth.is_empty() {
        blocks.push(Block::Table(growth_table(growth)));
    }
    blocks.push(Block::Section("Totals"));
    blocks.push(Block::Figures(totals(report)));
    if !report.dump.problems.is_empty() {
        blocks.push(Block::Subsection("Problems with the dump".to_owned()));
        let problems = report.dump.problems.iter();
        blocks.push(Block::Bullets(
            problems.map(|p| sentence(p).into()).collect(),
        ));
    }
    content_report::layout(&mut blocks, report);
    blocks.push(Block::Section("Classes by shallow size"));
    blocks.push(Block::Table(histogram(report)));
    blocks.push(Block::Section("Largest objects"));
    blocks.push(Block::Table(dominators(report)));
    if !report.threads.is_empty() {
        blocks.push(Block::Section("Threads"));
        blocks.push(Block::Table(threads(report)));
        // the stack is of use where the thread holds something
        let holding = |thread: &&ThreadRow| thread.retained_bytes * 20 > report.totals.bytes;
        for thread in report.threads.iter().filter(holding).take(3) {
            stack_blocks(&mut blocks, thread);
        }
    }
    Document {
        title: "Heap report".to_owned(),
        badge: Some(badge(report)),
        subtitle: subtitle(report),
        blocks,
    }
}

fn badge(report: &HeapReport) -> (Tone, String) {
    let incomplete = if report.dump.complete {
        ""
    } else {
        ", dump incomplete"
    };
    match report.suspects.len() {
        0 => (Tone::Good, format!("no suspect{incomplete}")),
        1 => (Tone::Bad, format!("1 suspect{incomplete}")),
        n => (Tone::Bad, format!("{n} suspects{incomplete}")),
    }
}

fn subtitle(report: &HeapReport) -> Prose {
    let dump = &report.dump;
    let mut text = format!("{} of {}", dump.format, dump.runtime);
    if let Some(at) = dump.taken_at {
        text += &format!(", taken {at}");
    }
    text += &format!(", {}-byte ids", dump.identifier_size);
    text += &format!(
        ", {} objects, {}",
        grouped(report.totals.objects),
        ByteSize(report.totals.bytes)
    );
    text.into()
}

fn suspect_blocks(blocks: &mut Vec<Block>, number: usize, suspect: &Suspect) {
    blocks.push(Block::Paragraph(
        Prose::new()
            .text(format!("{number}. "))
            .strong(ended(&suspect.sentence))
            .text(format!(" {} sure.", phrase::percent(suspect.confidence))),
    ));
    if let Some(frame) = &suspect.holder.frame {
        let thread = suspect.holder.thread.as_deref().unwrap_or("unknown");
        let text = Prose::new()
            .text("Held by a local variable of ")
            .code(frame);
        blocks.push(Block::Paragraph(
            text.text(" in thread ").code(thread).text("."),
        ));
    }
    if let Some(growth) = &suspect.growth {
        blocks.push(Block::Paragraph(sentence(&growth_text(growth)).into()));
    }
    blocks.push(Block::Code {
        language: "text",
        text: path_text(&suspect.holder.root, &suspect.path),
    });
    let mut notes: Vec<Prose> = suspect
        .counter_evidence
        .iter()
        .map(|text| Prose::from(format!("Against it: {}", ended(text))))
        .collect();
    if let Some(waste) = &suspect.waste {
        notes.push(Prose::from(sentence(waste)));
    }
    if let Some(known) = suspect.known {
        notes.push(Prose::from(format!("The holder: {}.", known.name)));
    }
    notes.push(Prose::from("Fix: ").then(advice::fix(suspect, None).text));
    blocks.push(Block::Bullets(notes));
}

/// How a suspect grew, from dump to dump.
fn growth_text(growth: &SuspectGrowth) -> String {
    let series = |values: &[u64], text: fn(u64) -> String| {
        let texts: Vec<String> = values.iter().map(|value| text(*value)).collect();
        texts.join(" → ")
    };
    let bytes = series(&growth.bytes, |bytes| ByteSize(bytes).to_string());
    let bytes_rate = phrase::bytes_rate(growth.rate);
    // a buffer that grows stays one object
    if growth.objects.first() == growth.objects.last() {
        return format!("over the dumps: {bytes}, {bytes_rate}");
    }
    format!(
        "over the dumps: {} objects, {}; {bytes}, {bytes_rate}",
        series(&growth.objects, grouped),
        phrase::objects_rate(growth.rate)
    )
}

/// A place that would be a suspect, had it grown.
pub(crate) fn not_growing(large: &Suspect) -> Prose {
    let mut text = Prose::from("Large, but not growing: ").text(large.sentence.as_str());
    let mut separator = "; ";
    for against in &large.counter_evidence {
        text = text.text(format!("{separator}{against}"));
        separator = ", ";
    }
    text.text(".")
}

/// What goes on growing comes first, by its rate; the rate of anything else says nothing.
fn growth_table(growth: &[GrowthRow]) -> Table {
    let rate_column = match growth.first().map(|row| row.growth.rate.per) {
        Some(Per::Dump) => "#a dump",
        _ => "#a minute",
    };
    let mut table = Table::new(&[
        "kind",
        "shape",
        rate_column,
        "#objects",
        "#bytes",
        "#gained",
        "class",
        "place",
    ]);
    for row in growth.iter().take(ROWS) {
        let growth = &row.growth;
        let (first, last) = ends(&growth.objects);
        let (first_bytes, last_bytes) = ends(&growth.bytes);
        let rate = match growth.kind.goes_on() {
            true => ByteSize(growth.rate.bytes.max(0.0) as u64).to_string(),
            false => String::new(),
        };
        table.row([
            phrase::growth_kind(growth.kind).into(),
            phrase::bars(&growth.bytes).into(),
            rate.into(),
            signed(first, last).into(),
            ByteSize(last_bytes).to_string().into(),
            SignedByteSize(change(first_bytes, last_bytes))
                .to_string()
                .into(),
            Prose::new().code(phrase::short_class(&row.class)),
            Prose::new().code(&row.path),
        ]);
    }
    table
}

/// The dumps that were compared: when, and how large the heap was.
fn compared(report: &HeapReport) -> Table {
    let mut table = Table::new(&["dump", "taken", "#reachable"]);
    let times: Vec<Timestamp> = report.compared.iter().flatten().copied().collect();
    let dumps = report.compared.iter().zip(&report.reachable_bytes);
    for (number, (time, bytes)) in dumps.enumerate() {
        let time = time.map_or_else(
            || "unknown".to_owned(),
            |time| match phrase::one_day(&times) {
                true => time.clock(),
                false => time.to_string(),
            },
        );
        table.row([
            format!("{}", number + 1).into(),
            time.into(),
            ByteSize(*bytes).to_string().into(),
        ]);
    }
    table
}

fn ends(values: &[u64]) -> (u64, u64) {
    let first = values.first().copied().unwrap_or(0);
    (first, values.last().copied().unwrap_or(first))
}

fn change(first: u64, last: u64) -> i64 {
    let size = i64::try_from(last.abs_diff(first)).unwrap_or(i64::MAX);
    if last < first { -size } else { size }
}

fn signed(first: u64, last: u64) -> String {
    let sign = if last < first { '−' } else { '+' };
    format!("{sign}{}", grouped(last.abs_diff(first)))
}

fn totals(report: &HeapReport) -> Vec<Figure> {
    let totals = &report.totals;
    let figure = |label, value: String, note: String| Figure { label, value, note };
    let mut figures = vec![
        figure(
            "Reachable",
            ByteSize(totals.bytes).to_string(),
            format!("{} objects", grouped(totals.objects)),
        ),
        figure(
            "Unreachable",
            ByteSize(totals.unreachable_bytes).to_string(),
            format!("{} objects", grouped(totals.unreachable_objects)),
        ),
        figure("Classes", grouped(totals.classes), String::new()),
        figure(
            "GC roots",
            grouped(totals.gc_roots),
            "distinct objects".to_owned(),
        ),
    ];
    let freed = "the collector may free it";
    let finalized = "freed once its finalizer ran";
    let only = [
        ("Softly held only", totals.soft_only_bytes, freed),
        ("Finalizer's only", totals.finalizer_only_bytes, finalized),
        ("Weakly held only", totals.weak_only_bytes, freed),
        ("Phantom held only", totals.phantom_only_bytes, freed),
    ];
    for (label, bytes, note) in only.into_iter().filter(|(_, bytes, _)| *bytes > 0) {
        figures.push(figure(label, ByteSize(bytes).to_string(), note.to_owned()));
    }
    if totals.bytes / 100 < report.native.bytes {
        figures.push(figure(
            "Native memory",
            ByteSize(report.native.bytes).to_string(),
            format!("kept by {} objects", grouped(report.native.objects)),
        ));
    }
    figures
}

fn histogram(report: &HeapReport) -> Table {
    let mut table = Table::new(&["#objects", "#shallow", "#retained", "class"]);
    for row in report.histogram.iter().take(ROWS) {
        table.row([
            grouped(row.objects).into(),
            ByteSize(row.shallow_bytes).to_string().into(),
            ByteSize(row.retained_bytes).to_string().into(),
            Prose::new().code(&row.class),
        ]);
    }
    table
}

/// The first rows, and of those after the fifth only what is worth a thousandth of the heap.
fn large<'a, T>(
    rows: &'a [T],
    report: &HeapReport,
    bytes: impl Fn(&T) -> u64,
) -> impl Iterator<Item = &'a T> {
    let least = report.totals.bytes / 1_000;
    let shown = rows.iter().take(ROWS).enumerate();
    shown
        .filter(move |(i, row)| *i < 5 || bytes(row) >= least)
        .map(|(_, row)| row)
}

fn dominators(report: &HeapReport) -> Table {
    let mut table = Table::new(&["#retained", "#share", "#shallow", "object", "class"]);
    let all = report.totals.bytes.max(1) as f64;
    for row in large(&report.dominators, report, |row| row.retained_bytes) {
        table.row([
            ByteSize(row.retained_bytes).to_string().into(),
            phrase::percent(row.retained_bytes as f64 / all).into(),
            ByteSize(row.shallow_bytes).to_string().into(),
            format!("{:#x}", row.object_id).into(),
            Prose::new().code(&row.class),
        ]);
    }
    table
}

fn threads(report: &HeapReport) -> Table {
    let mut table = Table::new(&["#retained", "#frames", "thread", "innermost frame"]);
    for thread in large(&report.threads, report, |row| row.retained_bytes) {
        let frame = match thread.frames.first() {
            Some(frame) => Prose::new().code(frame),
            None => Prose::new(),
        };
        table.row([
            ByteSize(thread.retained_bytes).to_string().into(),
            grouped(thread.frames.len() as u64).into(),
            Prose::new().code(&thread.name),
            frame,
        ]);
    }
    table
}

fn stack_blocks(blocks: &mut Vec<Block>, thread: &ThreadRow) {
    blocks.push(Block::Subsection(format!("Stack of {}", thread.name)));
    let mut text = String::new();
    for (i, frame) in thread.frames.iter().take(FRAMES).enumerate() {
        text += &format!("at {}\n", visible(frame));
        let here = thread
            .locals
            .iter()
            .filter(|local| local.frame.is_some_and(|f| f as usize == i));
        for local in here {
            text += &format!(
                "     local {} keeps {}\n",
                visible(&local.class),
                ByteSize(local.retained_bytes)
            );
        }
    }
    if thread.frames.len() > FRAMES {
        text += &format!("… {} more\n", thread.frames.len() - FRAMES);
    }
    let language = "text";
    blocks.push(Block::Code { language, text });
}

#[derive(Serialize)]
struct ReportJson<'a> {
    schema: &'static str,
    dump: DumpJson<'a>,
    totals: TotalsJson,
    native: NativeJson<'a>,
    waste: WasteJson<'a>,
    suspects: Vec<SuspectJson<'a>>,
    not_growing: Vec<SuspectJson<'a>>,
    reachable_bytes: &'a [u64],
    compared: Vec<Option<String>>,
    histogram: Vec<ClassJson<'a>>,
    dominators: Vec<DominatorJson<'a>>,
    threads: Vec<ThreadJson<'a>>,
    growth: Vec<GrowthJson<'a>>,
}

#[derive(Serialize)]
struct DumpJson<'a> {
    format: &'a str,
    runtime: &'a str,
    identifier_size: u8,
    taken_at: Option<String>,
    complete: bool,
    problems: Vec<&'a str>,
}

#[derive(Serialize)]
struct TotalsJson {
    objects: u64,
    bytes: u64,
    classes: u64,
    gc_roots: u64,
    unreachable_objects: u64,
    unreachable_bytes: u64,
    soft_only_bytes: u64,
    finalizer_only_bytes: u64,
    weak_only_bytes: u64,
    phantom_only_bytes: u64,
}

#[derive(Serialize)]
struct SuspectJson<'a> {
    sentence: &'a str,
    retained_bytes: u64,
    share: f64,
    native_bytes: u64,
    holder: HolderJson<'a>,
    accumulates: AccumulatedJson<'a>,
    path: Vec<StepJson<'a>>,
    growth: Option<SuspectGrowthJson<'a>>,
    confidence: f64,
    pattern: &'static str,
    counter_evidence: &'a [String],
    waste: Option<&'a str>,
    known: Option<KnownJson>,
}

#[derive(Serialize)]
struct KnownJson {
    name: &'static str,
    advice: &'static str,
}

#[derive(Serialize)]
struct ClassJson<'a> {
    class: &'a str,
    objects: u64,
    shallow_bytes: u64,
    retained_bytes: u64,
}

#[derive(Serialize)]
struct DominatorJson<'a> {
    object_id: String,
    class: &'a str,
    shallow_bytes: u64,
    retained_bytes: u64,
}

#[derive(Serialize)]
struct ThreadJson<'a> {
    name: &'a str,
    retained_bytes: u64,
    frames: &'a [String],
    locals: Vec<LocalJson<'a>>,
}

#[derive(Serialize)]
struct LocalJson<'a> {
    frame: Option<u32>,
    class: &'a str,
    retained_bytes: u64,
}

#[derive(Serialize)]
struct GrowthJson<'a> {
    path: &'a str,
    class: &'a str,
    #[serde(flatten)]
    growth: SuspectGrowthJson<'a>,
}

/// As JSON, schema `leakline.heap-report/1`.
fn json(report: &HeapReport, growth: &[GrowthRow]) -> String {
    let (dump, totals) = (&report.dump, &report.totals);
    pretty(&ReportJson {
        schema: "leakline.heap-report/1",
        dump: DumpJson {
            format: dump.format,
            runtime: dump.runtime,
            identifier_size: dump.identifier_size,
            taken_at: dump.taken_at.map(time),
            complete: dump.complete,
            problems: report
                .comparison_problems
                .iter()
                .chain(&dump.problems)
                .map(String::as_str)
                .collect(),
        },
        totals: TotalsJson {
            objects: totals.objects,
            bytes: totals.bytes,
            classes: totals.classes,
            gc_roots: totals.gc_roots,
            unreachable_objects: totals.unreachable_objects,
            unreachable_bytes: totals.unreachable_bytes,
            soft_only_bytes: totals.soft_only_bytes,
            finalizer_only_bytes: totals.finalizer_only_bytes,
            weak_only_bytes: totals.weak_only_bytes,
            phantom_only_bytes: totals.phantom_only_bytes,
        },
        native: (&report.native).into(),
        waste: (&report.waste).into(),
        suspects: report.suspects.iter().map(suspect_json).collect(),
        not_growing: report.not_growing.iter().map(suspect_json).collect(),
        reachable_bytes: &report.reachable_bytes,
        compared: report.compared.iter().map(|at| at.map(time)).collect(),
        histogram: report
            .histogram
            .iter()
            .map(|row| ClassJson {
                class: &row.class,
                objects: row.objects,
                shallow_bytes: row.shallow_bytes,
                retained_bytes: row.retained_bytes,
            })
            .collect(),
        dominators: report
            .dominators
            .iter()
            .map(|row| DominatorJson {
                object_id: format!("{:#x}", row.object_id),
                class: &row.class,
                shallow_bytes: row.shallow_bytes,
                retained_bytes: row.retained_bytes,
            })
            .collect(),
        threads: report.threads.iter().map(thread_json).collect(),
        growth: growth
            .iter()
            .map(|row| GrowthJson {
                path: &row.path,
                class: &row.class,
                growth: (&row.growth).into(),
            })
            .collect(),
    })
}

fn suspect_json(suspect: &Suspect) -> SuspectJson<'_> {
    SuspectJson {
        sentence: &suspect.sentence,
        retained_bytes: suspect.retained_bytes,
        share: rounded(suspect.share),
        native_bytes: suspect.native_bytes,
        holder: (&suspect.holder).into(),
        accumulates: (&suspect.accumulates).into(),
        path: suspect.path.iter().map(StepJson::from).collect(),
        growth: suspect.growth.as_ref().map(SuspectGrowthJson::from),
        confidence: rounded(suspect.confidence),
        pattern: advice::pattern_name(suspect.pattern),
        counter_evidence: &suspect.counter_evidence,
        waste: suspect.waste.as_deref(),
        known: suspect.known.map(|known| KnownJson {
            name: known.name,
            advice: known.advice,
        }),
    }
}

fn thread_json(thread: &ThreadRow) -> ThreadJson<'_> {
    ThreadJson {
        name: &thread.name,
        retained_bytes: thread.retained_bytes,
        frames: &thread.frames,
        locals: thread
            .locals
            .iter()
            .map(|local| LocalJson {
                frame: local.frame,
                class: &local.class,
                retained_bytes: local.retained_bytes,
            })
            .collect(),
    }
}
