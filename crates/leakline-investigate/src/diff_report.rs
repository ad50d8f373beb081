//! What `leakline heap` finds when it compares dumps, in every form.

use leakline_heap::inspect::{Diff, DiffRest, DiffRow, Size};
use leakline_heap::{DumpFacts, ProgramClasses, Totals};
use leakline_model::{ByteSize, SignedByteSize, grouped};
use serde::Serialize;

use crate::document::{Block, Document, Table};
use crate::form::Form;
use crate::json::{pretty, time};
use crate::phrase;
use crate::prose::{Prose, ended, sentence, visible};

/// What changed over dumps.
#[derive(Clone, Debug)]
pub struct DiffReport {
    /// The dumps, in the order in which they were compared.
    pub dumps: Vec<Dump>,
    /// What was compared.
    pub of: DiffOf,
    /// What changed.
    pub diff: Diff,
}

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiffOf {
    /// `leakline heap histogram`
    Classes,
    /// `leakline heap dominators`
    Dominators,
}

/// One of the dumps.
#[derive(Clone, Debug)]
pub struct Dump {
    facts: DumpFacts,
    classes: ProgramClasses,
    objects: u64,
    bytes: u64,
}

impl Dump {
    /// What the report says of it.
    pub fn new(facts: &DumpFacts, totals: &Totals, classes: ProgramClasses) -> Dump {
        Dump {
            facts: facts.clone(),
            classes,
            objects: totals.objects,
            bytes: totals.bytes,
        }
    }
}

/// The report in the form asked for.
pub fn render(report: &DiffReport, form: Form) -> String {
    form.write(|| layout(report), || json(report))
}

fn layout(report: &DiffReport) -> Document {
    let dumps = &report.dumps;
    let mut blocks = vec![Block::Table(dump_table(dumps))];
    let is_ordered = dumps.windows(2).all(|pair| {
        pair[1].facts.taken_at.is_none() || pair[0].facts.taken_at <= pair[1].facts.taken_at
    });
    if !is_ordered {
        let text = "Mind: the dumps were not given oldest first, so what they gained may be what was lost.";
        blocks.push(Block::Paragraph(text.into()));
    }
    for problem in comparison_problems(dumps) {
        let text = format!("Mind: {}", ended(&problem));
        blocks.push(Block::Paragraph(text.into()));
    }
    let diff = &report.diff;
    let (title, rows) = match report.of {
        DiffOf::Classes => ("What classes gained", class_table(diff)),
        DiffOf::Dominators => ("What dominators gained", tree(diff)),
    };
    if diff.rows.is_empty() {
        blocks.push(Block::Paragraph(
            "Nothing that large or of that class changed.".into(),
        ));
    } else {
        blocks.push(rows);
    }
    blocks.extend(rest(diff.rest).map(|text| Block::Paragraph(text.into())));
    let problems = dumps.iter().enumerate().flat_map(|(number, dump)| {
        let problems = dump.facts.problems.iter();
        problems.map(move |problem| format!("dump {}: {problem}", number + 1))
    });
    let problems: Vec<Prose> = problems.map(|problem| sentence(&problem).into()).collect();
    if !problems.is_empty() {
        blocks.push(Block::Section("Problems with the dumps"));
        blocks.push(Block::Bullets(problems));
    }
    let total = |dump: Option<&Dump>| dump.map_or(0, |dump| dump.bytes);
    let gained = signed(total(dumps.first()), total(dumps.last()));
    Document {
        title: title.to_owned(),
        badge: None,
        subtitle: format!(
            "{} dumps, between which the heap changed by {gained}",
            dumps.len()
        )
        .into(),
        blocks,
    }
}

/// What speaks against comparing the dumps, for people.
fn comparison_problems(dumps: &[Dump]) -> Vec<String> {
    let Some((last, earlier)) = dumps.split_last() else {
        return Vec::new();
    };
    let others = (1..).zip(earlier);
    others
        .filter(|(_, other)| !last.classes.can_follow(&other.classes))
        .map(|(number, _)| {
            format!(
                "dump {number} is not of the process that dump {} shows: most classes of its program are not there",
                dumps.len()
            )
        })
        .collect()
}

type Bytes = fn(&Size) -> u64;

fn shallow(size: &Size) -> u64 {
    size.shallow_bytes
}

fn retained(size: &Size) -> u64 {
    size.retained_bytes
}

fn dump_table(dumps: &[Dump]) -> Table {
    let mut table = Table::new(&["dump", "taken", "#objects", "#reachable", ""]);
    for (number, dump) in dumps.iter().enumerate() {
        let taken = dump.facts.taken_at;
        table.row([
            format!("{}", number + 1).into(),
            taken
                .map_or_else(|| "unknown".to_owned(), |at| at.to_string())
                .into(),
            grouped(dump.objects).into(),
            ByteSize(dump.bytes).to_string().into(),
            if dump.facts.complete {
                ""
            } else {
                "incomplete"
            }
            .into(),
        ]);
    }
    table
}

/// First and last value of a row.
fn ends(row: &DiffRow, of: Bytes) -> (u64, u64) {
    let value = |size: Option<&Size>| size.map_or(0, of);
    (value(row.sizes.first()), value(row.sizes.last()))
}

fn signed(first: u64, last: u64) -> String {
    if first == last {
        return "0".to_owned();
    }
    let size = i64::try_from(first.abs_diff(last)).unwrap_or(i64::MAX);
    SignedByteSize(if last < first { -size } else { size }).to_string()
}

fn signed_count(first: u64, last: u64) -> String {
    match first.cmp(&last) {
        std::cmp::Ordering::Less => format!("+{}", grouped(last - first)),
        std::cmp::Ordering::Equal => "0".to_owned(),
        std::cmp::Ordering::Greater => format!("−{}", grouped(first - last)),
    }
}

fn shape(row: &DiffRow, of: Bytes) -> String {
    let values: Vec<u64> = row.sizes.iter().map(of).collect();
    phrase::bars(&values)
}

fn class_table(diff: &Diff) -> Block {
    let mut table = Table::new(&[
        "shape",
        "#objects",
        "#gained",
        "#shallow",
        "#gained",
        "#retained",
        "#gained",
        "class",
    ]);
    for row in &diff.rows {
        let (before, objects) = ends(row, |size| size.objects);
        let own = ends(row, shallow);
        let all = ends(row, retained);
        table.row([
            shape(row, shallow).into(),
            grouped(objects).into(),
            signed_count(before, objects).into(),
            ByteSize(own.1).to_string().into(),
            signed(own.0, own.1).into(),
            ByteSize(all.1).to_string().into(),
            signed(all.0, all.1).into(),
            Prose::new().code(&row.class),
        ]);
    }
    Block::Table(table)
}

fn tree(diff: &Diff) -> Block {
    let mut text = format!(
        "{:>11}  {:>9}  {:>9}  {:>9}  dominator\n",
        "gained", "retained", "objects", "gained"
    );
    levels(&mut text, &diff.rows, "");
    let language = "text";
    Block::Code { language, text }
}

/// Recursion ends at the depth that was asked for.
fn levels(text: &mut String, rows: &[DiffRow], indent: &str) {
    for row in rows {
        let (before, objects) = ends(row, |size| size.objects);
        let (first, last) = ends(row, retained);
        let field = match row.field.as_deref() {
            Some(field) if field.starts_with(['[', '<']) => format!("{} → ", visible(field)),
            Some(field) => format!(".{} → ", visible(field)),
            None => String::new(),
        };
        *text += &format!(
            "{:>11}  {:>9}  {:>9}  {:>9}  {indent}{field}{}\n",
            signed(first, last),
            ByteSize(last).to_string(),
            grouped(objects),
            signed_count(before, objects),
            visible(&row.class)
        );
        let deeper = format!("{indent} ");
        levels(text, &row.children, &deeper);
        if let Some(rest) = rest(row.rest) {
            *text += &format!("{:>44}  {deeper}{rest}\n", "");
        }
    }
}

fn rest(rest: DiffRest) -> Option<String> {
    let gained = SignedByteSize(rest.gained_bytes);
    match rest.rows {
        0 => None,
        1 => Some(format!("And one more that changed, {gained}.")),
        rows => Some(format!(
            "And {} more that changed, {gained}.",
            grouped(rows)
        )),
    }
}

#[derive(Serialize)]
struct DiffJson<'a> {
    schema: &'static str,
    dumps: Vec<DumpJson<'a>>,
    comparison_problems: Vec<String>,
    #[serde(flatten)]
    rows: RowsJson<'a>,
    rest: DiffRestJson,
}

#[derive(Serialize)]
struct DumpJson<'a> {
    format: &'a str,
    runtime: &'a str,
    identifier_size: u8,
    taken_at: Option<String>,
    complete: bool,
    problems: &'a [String],
    objects: u64,
    bytes: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum RowsJson<'a> {
    Classes(Vec<ClassJson<'a>>),
    Objects(Vec<NodeJson<'a>>),
}

#[derive(Serialize)]
struct SizesJson {
    objects: Vec<u64>,
    shallow_bytes: Vec<u64>,
    retained_bytes: Vec<u64>,
}

#[derive(Serialize)]
struct ClassJson<'a> {
    class: &'a str,
    #[serde(flatten)]
    sizes: SizesJson,
}

#[derive(Serialize)]
struct NodeJson<'a> {
    field: Option<&'a str>,
    class: &'a str,
    #[serde(flatten)]
    sizes: SizesJson,
    children: Vec<NodeJson<'a>>,
    rest: DiffRestJson,
}

#[derive(Serialize)]
struct DiffRestJson {
    rows: u64,
    gained_bytes: i64,
}

/// As JSON, schema `leakline.heap-histogram-diff/1` or `leakline.heap-dominators-diff/1`.
fn json(report: &DiffReport) -> String {
    let rows = &report.diff.rows;
    let (schema, rows) = match report.of {
        DiffOf::Classes => (
            "leakline.heap-histogram-diff/1",
            RowsJson::Classes(rows.iter().map(class_json).collect()),
        ),
        DiffOf::Dominators => (
            "leakline.heap-dominators-diff/1",
            RowsJson::Objects(rows.iter().map(node_json).collect()),
        ),
    };
    pretty(&DiffJson {
        schema,
        dumps: report.dumps.iter().map(dump_json).collect(),
        comparison_problems: comparison_problems(&report.dumps),
        rows,
        rest: rest_json(report.diff.rest),
    })
}

fn dump_json(dump: &Dump) -> DumpJson<'_> {
    DumpJson {
        format: dump.facts.format,
        runtime: dump.facts.runtime,
        identifier_size: dump.facts.identifier_size,
        taken_at: dump.facts.taken_at.map(time),
        complete: dump.facts.complete,
        problems: &dump.facts.problems,
        objects: dump.objects,
        bytes: dump.bytes,
    }
}

fn sizes_json(sizes: &[Size]) -> SizesJson {
    SizesJson {
        objects: sizes.iter().map(|size| size.objects).collect(),
        shallow_bytes: sizes.iter().map(shallow).collect(),
        retained_bytes: sizes.iter().map(retained).collect(),
    }
}

fn class_json(row: &DiffRow) -> ClassJson<'_> {
    ClassJson {
        class: &row.class,
        sizes: sizes_json(&row.sizes),
    }
}

fn node_json(row: &DiffRow) -> NodeJson<'_> {
    NodeJson {
        field: row.field.as_deref(),
        class: &row.class,
        sizes: sizes_json(&row.sizes),
        children: row.children.iter().map(node_json).collect(),
        rest: rest_json(row.rest),
    }
}

fn rest_json(rest: DiffRest) -> DiffRestJson {
    DiffRestJson {
        rows: rest.rows,
        gained_bytes: rest.gained_bytes,
    }
}
