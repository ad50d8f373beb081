//! What `leakline heap` finds when it looks inside a dump, in every form.

mod json;

use leakline_heap::inspect::{
    DominatorNode, Dominators, FieldValue, Found, FrameView, Histogram, MergedPath, MergedPaths,
    ObjectRow, ObjectView, Rest, Strings, ThreadView, Threads,
};
use leakline_heap::{DumpFacts, Strength, Totals};
use leakline_model::{ByteSize, grouped};

use crate::document::{self, Block, Document, Figure, Table};
use crate::layout::path_text;
use crate::phrase;
use crate::prose::{Prose, sentence, visible};

/// An answer, and the heap that it is about.
#[derive(Clone, Copy, Debug)]
pub struct InspectReport<'r> {
    /// The dump.
    pub dump: &'r DumpFacts,
    /// Sums over its heap.
    pub totals: &'r Totals,
    /// The answer.
    pub answer: Answer<'r>,
}

/// The answer to each question.
#[derive(Clone, Copy, Debug)]
pub enum Answer<'r> {
    /// `leakline heap histogram`
    Histogram(&'r Histogram),
    /// `leakline heap dominators`
    Dominators(&'r Dominators),
    /// `leakline heap paths`
    Paths(&'r MergedPaths),
    /// `leakline heap object`
    Object(&'r ObjectView),
    /// `leakline heap find`
    Found(&'r Found),
    /// `leakline heap threads`
    Threads(&'r Threads),
    /// `leakline heap strings`
    Strings(&'r Strings),
}

/// For a terminal.
pub fn render_text(report: &InspectReport<'_>) -> String {
    document::text(&layout(report))
}

/// As Markdown.
pub fn render_markdown(report: &InspectReport<'_>) -> String {
    document::markdown(&layout(report))
}

/// As one self-contained HTML file.
pub fn render_html(report: &InspectReport<'_>) -> String {
    document::html(&layout(report))
}

/// As JSON, schema `leakline.heap-histogram/1` and so on.
pub fn render_json(report: &InspectReport<'_>) -> String {
    json::render(report)
}

fn layout(report: &InspectReport<'_>) -> Document {
    let totals = report.totals;
    let (title, mut blocks) = match report.answer {
        Answer::Histogram(answer) => ("Classes by shallow size", histogram(answer)),
        Answer::Dominators(answer) => ("Objects by retained size", dominators(answer, totals)),
        Answer::Paths(answer) => ("Paths from GC roots", paths(answer)),
        Answer::Object(answer) => ("Object", object(answer)),
        Answer::Found(answer) => ("Objects found", found(answer)),
        Answer::Threads(answer) => ("Threads", threads(answer)),
        Answer::Strings(answer) => ("Strings", strings(answer, totals)),
    };
    if !report.dump.problems.is_empty() {
        blocks.push(Block::Section("Problems with the dump"));
        let problems = report.dump.problems.iter();
        blocks.push(Block::Bullets(
            problems.map(|problem| sentence(problem).into()).collect(),
        ));
    }
    let taken = report.dump.taken_at;
    let taken = taken.map_or_else(String::new, |at| format!(", taken {at}"));
    Document {
        title: title.to_owned(),
        badge: None,
        subtitle: format!(
            "{} of {}{taken}, {} objects, {}",
            report.dump.format,
            report.dump.runtime,
            grouped(totals.objects),
            ByteSize(totals.bytes)
        )
        .into(),
        blocks,
    }
}

fn bytes(count: u64) -> String {
    ByteSize(count).to_string()
}

fn nothing(what: &str) -> Block {
    Block::Paragraph(format!("No {what} that large or of that class.").into())
}

/// What a list leaves out; `what` is the plural.
fn beside(rest: Rest, what: &str) -> Option<Block> {
    (rest.rows > 0).then(|| {
        let retained = bytes(rest.bytes);
        let text = match rest.rows {
            1 => format!("And one more, {retained}."),
            rows => format!("And {} more {what}, {retained}.", grouped(rows)),
        };
        Block::Paragraph(text.into())
    })
}

fn objects(count: u64) -> String {
    match count {
        1 => "1 object".to_owned(),
        _ => format!("{} objects", grouped(count)),
    }
}

fn histogram(answer: &Histogram) -> Vec<Block> {
    if answer.rows.is_empty() {
        return vec![nothing("classes")];
    }
    let mut table = Table::new(&["#objects", "#shallow", "#retained", "class"]);
    for row in &answer.rows {
        table.row([
            grouped(row.objects).into(),
            bytes(row.shallow_bytes).into(),
            bytes(row.retained_bytes).into(),
            Prose::new().code(&row.class),
        ]);
    }
    let mut blocks = vec![Block::Table(table)];
    blocks.extend(beside(answer.rest, "classes"));
    blocks
}

/// `com.acme.Order @ 0x70 "text"`
fn named(row: &ObjectRow) -> String {
    let label = match row.label.as_str() {
        "" => String::new(),
        // the length of an array belongs into its brackets
        label if label.starts_with('[') && row.class.ends_with("[]") => {
            let class = row.class.trim_end_matches("[]");
            let inner = &row.class[class.len() + 2..];
            return format!("{class}{label}{inner} @ {:#x}", row.object_id);
        }
        label => format!(" {}", cut(&visible(label))),
    };
    format!("{} @ {:#x}{label}", row.class, row.object_id)
}

/// Control characters take more room when they are made visible.
fn cut(label: &str) -> String {
    const WIDTH: usize = 90;
    match label.char_indices().nth(WIDTH) {
        Some((end, _)) => format!("{}…\"", &label[..end]),
        None => label.to_owned(),
    }
}

fn dominators(answer: &Dominators, totals: &Totals) -> Vec<Block> {
    let mut blocks = Vec::new();
    if let Some(below) = &answer.below {
        let text = Prose::from("Below ").code(named(below)).text(format!(
            ", which retains {} and takes {} itself:",
            bytes(below.retained_bytes),
            bytes(below.shallow_bytes)
        ));
        blocks.push(Block::Paragraph(text));
    }
    if answer.nodes.is_empty() && answer.rest.rows == 0 {
        blocks.push(nothing("objects"));
        return blocks;
    }
    let mut text = format!("{:>9}  {:>6}  object\n", "retained", "share");
    tree(&mut text, &answer.nodes, answer.rest, totals, "");
    let language = "text";
    blocks.push(Block::Code { language, text });
    blocks
}

/// Recursion ends at the depth that was asked for.
fn tree(text: &mut String, nodes: &[DominatorNode], rest: Rest, totals: &Totals, indent: &str) {
    let size = |count: u64| {
        let share = count as f64 / totals.bytes.max(1) as f64;
        format!("{:>9}  {:>6}", bytes(count), phrase::percent(share))
    };
    for node in nodes {
        let field = match &node.field {
            Some(field) if field.starts_with(['[', '<']) => format!("{} → ", visible(field)),
            Some(field) => format!(".{} → ", visible(field)),
            None => String::new(),
        };
        let object = visible(&named(&node.object));
        let retained = size(node.object.retained_bytes);
        *text += &format!("{retained}  {indent}{field}{object}\n");
        tree(
            text,
            &node.children,
            node.rest,
            totals,
            &format!("{indent}   "),
        );
    }
    if rest.rows > 0 {
        let retained = size(rest.bytes);
        *text += &format!("{retained}  {indent}… {} more\n", grouped(rest.rows));
    }
}

fn paths(answer: &MergedPaths) -> Vec<Block> {
    let summary = format!(
        "{}, retaining {}.",
        objects(answer.objects),
        bytes(answer.retained_bytes)
    );
    let mut blocks = vec![Block::Paragraph(summary.into())];
    if answer.without_path > 0 {
        let text = format!(
            "To {} no strong path leads: soft, weak, phantom or final references hold it; `--references all` follows those too.",
            objects(answer.without_path)
        );
        blocks.push(Block::Paragraph(text.into()));
    }
    if answer.roots.is_empty() {
        return blocks;
    }
    let mut text = format!("{:>11}  {:>9}  path\n", "objects", "retained");
    path_tree(&mut text, &answer.roots, answer.rest, "");
    let language = "text";
    blocks.push(Block::Code { language, text });
    blocks
}

/// Recursion ends where paths are cut.
fn path_tree(text: &mut String, steps: &[MergedPath], rest: Rest, indent: &str) {
    for step in steps {
        let name = match step.step.as_str() {
            // a root, or not a field
            name if indent.is_empty() || name.starts_with(['[', '<']) => visible(name),
            name => format!(".{}", visible(name)),
        };
        let class = visible(&step.class);
        let through = match step.through {
            0 | 1 => format!(" @ {:#x}", step.object_id),
            through => format!(" ×{}", grouped(through)),
        };
        let here = if step.here > 0 && !step.children.is_empty() {
            format!("  ({} of them here)", grouped(step.here))
        } else {
            String::new()
        };
        *text += &format!(
            "{:>11}  {:>9}  {indent}{name} → {class}{through}{here}\n",
            grouped(step.objects),
            bytes(step.retained_bytes)
        );
        // deep paths stay readable without running off the page
        let deeper = match indent.len() {
            ..40 => format!("{indent} "),
            _ => indent.to_owned(),
        };
        path_tree(text, &step.children, step.rest, &deeper);
    }
    if rest.rows > 0 {
        let retained = bytes(rest.bytes);
        *text += &format!(
            "{:>11}  {retained:>9}  {indent}… {} more\n",
            "",
            grouped(rest.rows)
        );
    }
}

fn strength(strength: Strength) -> &'static str {
    match strength {
        Strength::Strong => "strongly",
        Strength::Soft => "by soft references alone",
        Strength::Final => "by its finalizer alone",
        Strength::Weak => "by weak references alone",
        Strength::Phantom => "by phantom references alone",
        Strength::Unreachable => "by nothing, it is garbage",
    }
}

fn object(answer: &ObjectView) -> Vec<Block> {
    let row = &answer.object;
    let figure = |label, value: String| Figure {
        label,
        value,
        note: String::new(),
    };
    let mut figures = vec![
        figure("Object", named(row)),
        figure("Shallow", bytes(row.shallow_bytes)),
        figure("Retained", bytes(row.retained_bytes)),
        figure("Held", strength(answer.strength).to_owned()),
    ];
    if !answer.superclasses.is_empty() {
        figures.push(figure("Extends", answer.superclasses.join(", ")));
    }
    if let Some(loader) = &answer.loader {
        figures.push(figure("Class loader", named(loader)));
    }
    if let Some(dominator) = &answer.dominator {
        figures.push(figure("Dominated by", named(dominator)));
    }
    let mut blocks = vec![Block::Figures(figures)];
    if let Some(text) = &answer.text {
        blocks.push(Block::Section("Text"));
        let text = format!("{}\n", visible(text));
        let language = "text";
        blocks.push(Block::Code { language, text });
    }
    if !answer.fields.is_empty() {
        blocks.push(Block::Section("Fields"));
        let mut table = Table::new(&["field", "type", "declared by", "value"]);
        for field in &answer.fields {
            table.row([
                Prose::new().code(&field.name),
                field.type_name.to_owned().into(),
                Prose::new().code(phrase::short_class(&field.declared_by)),
                Prose::new().code(value_text(&field.value)),
            ]);
        }
        blocks.push(Block::Table(table));
    }
    if let Some(length) = answer.length {
        elements(&mut blocks, length, &answer.elements);
    }
    blocks.push(Block::Section("Referred to by"));
    if answer.referrers.is_empty() {
        blocks.push(Block::Paragraph("Nothing in the heap.".into()));
    } else {
        let mut table = Table::new(&["#retained", "field", "object"]);
        for referrer in &answer.referrers {
            table.row([
                bytes(referrer.object.retained_bytes).into(),
                Prose::new().code(&referrer.field),
                Prose::new().code(named(&referrer.object)),
            ]);
        }
        blocks.push(Block::Table(table));
    }
    blocks.extend(beside(answer.other_referrers, "objects"));
    if !answer.path.is_empty() {
        blocks.push(Block::Section("Path from a GC root"));
        let text = path_text("root", &answer.path);
        let language = "text";
        blocks.push(Block::Code { language, text });
    }
    blocks
}

fn elements(blocks: &mut Vec<Block>, length: u64, elements: &[FieldValue]) {
    blocks.push(Block::Section("Elements"));
    let mut text = String::new();
    for (index, element) in elements.iter().enumerate() {
        text += &format!("[{index}] {}\n", visible(&value_text(element)));
    }
    let left = length - elements.len() as u64;
    if left > 0 {
        text += &format!("… {} more\n", grouped(left));
    }
    let language = "text";
    blocks.push(Block::Code { language, text });
}

fn value_text(value: &FieldValue) -> String {
    match value {
        FieldValue::Primitive(text) => text.clone(),
        FieldValue::Null => "null".to_owned(),
        FieldValue::Object(row) => named(row),
        FieldValue::Missing { id } => format!("{id:#x}, not in the dump"),
    }
}

fn object_table(rows: &[ObjectRow]) -> Block {
    let mut table = Table::new(&["#retained", "#shallow", "object"]);
    for row in rows {
        table.row([
            bytes(row.retained_bytes).into(),
            bytes(row.shallow_bytes).into(),
            Prose::new().code(named(row)),
        ]);
    }
    Block::Table(table)
}

fn found(answer: &Found) -> Vec<Block> {
    if answer.objects == 0 {
        return vec![Block::Paragraph("No reachable object is like that.".into())];
    }
    let summary = format!(
        "{}, {} without what they refer to.",
        objects(answer.objects),
        bytes(answer.shallow_bytes)
    );
    let mut blocks = vec![Block::Paragraph(summary.into()), object_table(&answer.rows)];
    blocks.extend(beside(answer.rest, "objects"));
    blocks
}

fn threads(answer: &Threads) -> Vec<Block> {
    if answer.threads.is_empty() {
        return vec![nothing("threads")];
    }
    let mut blocks = Vec::new();
    for thread in &answer.threads {
        thread_blocks(&mut blocks, thread);
    }
    blocks.extend(beside(answer.rest, "threads"));
    blocks
}

fn thread_blocks(blocks: &mut Vec<Block>, thread: &ThreadView) {
    let name = match thread.name.as_str() {
        "" => "(no name)",
        name => name,
    };
    blocks.push(Block::Subsection(format!(
        "{name}: {} at {:#x} retains {}",
        thread.object.class,
        thread.object.object_id,
        bytes(thread.object.retained_bytes)
    )));
    let mut text = String::new();
    for frame in &thread.frames {
        text += &format!("at {}\n", visible(&frame.text));
        locals(&mut text, frame);
    }
    if !thread.elsewhere.locals.is_empty() {
        text += "in frames that the dump does not tell\n";
        locals(&mut text, &thread.elsewhere);
    }
    if text.is_empty() {
        text = "no stack recorded\n".to_owned();
    }
    let language = "text";
    blocks.push(Block::Code { language, text });
}

fn locals(text: &mut String, frame: &FrameView) {
    for local in &frame.locals {
        let retained = bytes(local.retained_bytes);
        *text += &format!("{retained:>13}  {}\n", visible(&named(local)));
    }
    if frame.rest.rows > 0 {
        let retained = bytes(frame.rest.bytes);
        *text += &format!("{retained:>13}  … {} more\n", grouped(frame.rest.rows));
    }
}

fn strings(answer: &Strings, totals: &Totals) -> Vec<Block> {
    let share = |count: u64| phrase::percent(count as f64 / totals.bytes.max(1) as f64);
    let figure = |label, value: String, note: String| Figure { label, value, note };
    let mut blocks = vec![Block::Figures(vec![
        figure(
            "Strings",
            bytes(answer.bytes),
            format!("{}, {}", grouped(answer.strings), share(answer.bytes)),
        ),
        figure("Different texts", grouped(answer.texts), String::new()),
        figure(
            "Wasted by duplicates",
            bytes(answer.wasted_bytes),
            share(answer.wasted_bytes),
        ),
    ])];
    blocks.push(Block::Section("Duplicates"));
    if answer.duplicates.is_empty() {
        blocks.push(Block::Paragraph("None.".into()));
    } else {
        let mut table = Table::new(&["#wasted", "#strings", "held by", "text"]);
        for row in &answer.duplicates {
            let holder = row.held_by.first().map_or_else(String::new, |holder| {
                let class = phrase::short_class(&holder.class);
                match holder.field.as_str() {
                    "[]" => class,
                    field => format!("{class}.{}", field.trim_start_matches("static ")),
                }
            });
            table.row([
                bytes(row.wasted_bytes).into(),
                grouped(row.strings).into(),
                Prose::new().code(holder),
                Prose::new().code(cut(&visible(&row.example.label))),
            ]);
        }
        blocks.push(Block::Table(table));
    }
    blocks.extend(beside(answer.other_duplicates, "texts"));
    if !answer.largest.is_empty() {
        blocks.push(Block::Section("Largest"));
        blocks.push(object_table(&answer.largest));
    }
    blocks
}
