//! The JSON of `leakline heap`. Documented in `docs/heap-commands.md`; these structures are the
//! contract.

use leakline_heap::inspect::{
    DominatorNode, DuplicateText, FieldValue, FrameView, MergedPath, ObjectRow, Referrer, Rest,
    StringHolder, ThreadView,
};
use leakline_heap::{ClassRow, DumpFacts, Strength};
use serde::Serialize;

use super::{Answer, InspectReport};
use crate::json::{StepJson, pretty, time};

pub(super) fn render(report: &InspectReport<'_>) -> String {
    let (schema, answer) = answer(report.answer);
    pretty(&ReportJson {
        schema,
        dump: report.dump.into(),
        heap: HeapJson {
            objects: report.totals.objects,
            bytes: report.totals.bytes,
        },
        answer,
    })
}

#[derive(Serialize)]
struct ReportJson<'a> {
    schema: &'static str,
    dump: DumpJson<'a>,
    heap: HeapJson,
    #[serde(flatten)]
    answer: AnswerJson<'a>,
}

#[derive(Serialize)]
struct DumpJson<'a> {
    format: &'a str,
    runtime: &'a str,
    identifier_size: u8,
    taken_at: Option<String>,
    complete: bool,
    problems: &'a [String],
}

impl<'a> From<&'a DumpFacts> for DumpJson<'a> {
    fn from(dump: &'a DumpFacts) -> Self {
        DumpJson {
            format: dump.format,
            runtime: dump.runtime,
            identifier_size: dump.identifier_size,
            taken_at: dump.taken_at.map(time),
            complete: dump.complete,
            problems: &dump.problems,
        }
    }
}

#[derive(Serialize)]
struct HeapJson {
    objects: u64,
    bytes: u64,
}

#[derive(Serialize)]
#[serde(untagged)]
enum AnswerJson<'a> {
    Histogram {
        classes: Vec<ClassJson<'a>>,
        rest: RestJson,
    },
    Dominators {
        below: Option<ObjectJson<'a>>,
        objects: Vec<NodeJson<'a>>,
        rest: RestJson,
    },
    Paths {
        objects: u64,
        retained_bytes: u64,
        without_path: u64,
        roots: Vec<PathJson<'a>>,
        rest: RestJson,
    },
    Object(Box<ObjectViewJson<'a>>),
    Found {
        found: u64,
        shallow_bytes: u64,
        objects: Vec<ObjectJson<'a>>,
        rest: RestJson,
    },
    Threads {
        threads: Vec<ThreadJson<'a>>,
        rest: RestJson,
    },
    Strings {
        strings: u64,
        bytes: u64,
        texts: u64,
        wasted_bytes: u64,
        duplicates: Vec<DuplicateJson<'a>>,
        rest: RestJson,
        largest: Vec<ObjectJson<'a>>,
    },
}

fn answer(answer: Answer<'_>) -> (&'static str, AnswerJson<'_>) {
    match answer {
        Answer::Histogram(answer) => (
            "leakline.heap-histogram/1",
            AnswerJson::Histogram {
                classes: all(&answer.rows),
                rest: answer.rest.into(),
            },
        ),
        Answer::Dominators(answer) => (
            "leakline.heap-dominators/1",
            AnswerJson::Dominators {
                below: answer.below.as_ref().map(Into::into),
                objects: all(&answer.nodes),
                rest: answer.rest.into(),
            },
        ),
        Answer::Paths(answer) => (
            "leakline.heap-paths/1",
            AnswerJson::Paths {
                objects: answer.objects,
                retained_bytes: answer.retained_bytes,
                without_path: answer.without_path,
                roots: all(&answer.roots),
                rest: answer.rest.into(),
            },
        ),
        Answer::Object(answer) => (
            "leakline.heap-object/1",
            AnswerJson::Object(Box::new(ObjectViewJson {
                object: (&answer.object).into(),
                held: held(answer.strength),
                superclasses: &answer.superclasses,
                class_loader: answer.loader.as_ref().map(Into::into),
                text: answer.text.as_deref(),
                fields: answer
                    .fields
                    .iter()
                    .map(|field| FieldJson {
                        name: &field.name,
                        value_type: field.type_name,
                        declared_by: &field.declared_by,
                        value: (&field.value).into(),
                    })
                    .collect(),
                length: answer.length,
                elements: all(&answer.elements),
                referrers: all(&answer.referrers),
                rest: answer.other_referrers.into(),
                dominator: answer.dominator.as_ref().map(Into::into),
                path: all(&answer.path),
            })),
        ),
        Answer::Found(answer) => (
            "leakline.heap-find/1",
            AnswerJson::Found {
                found: answer.objects,
                shallow_bytes: answer.shallow_bytes,
                objects: all(&answer.rows),
                rest: answer.rest.into(),
            },
        ),
        Answer::Threads(answer) => (
            "leakline.heap-threads/1",
            AnswerJson::Threads {
                threads: all(&answer.threads),
                rest: answer.rest.into(),
            },
        ),
        Answer::Strings(answer) => (
            "leakline.heap-strings/1",
            AnswerJson::Strings {
                strings: answer.strings,
                bytes: answer.bytes,
                texts: answer.texts,
                wasted_bytes: answer.wasted_bytes,
                duplicates: all(&answer.duplicates),
                rest: answer.other_duplicates.into(),
                largest: all(&answer.largest),
            },
        ),
    }
}

fn all<'a, T, J: From<&'a T>>(rows: &'a [T]) -> Vec<J> {
    rows.iter().map(J::from).collect()
}

fn held(strength: Strength) -> &'static str {
    match strength {
        Strength::Strong => "strong",
        Strength::Soft => "soft",
        Strength::Final => "final",
        Strength::Weak => "weak",
        Strength::Phantom => "phantom",
        Strength::Unreachable => "unreachable",
    }
}

#[derive(Serialize)]
struct RestJson {
    rows: u64,
    bytes: u64,
}

impl From<Rest> for RestJson {
    fn from(rest: Rest) -> Self {
        RestJson {
            rows: rest.rows,
            bytes: rest.bytes,
        }
    }
}

#[derive(Serialize)]
struct ClassJson<'a> {
    class: &'a str,
    objects: u64,
    shallow_bytes: u64,
    retained_bytes: u64,
}

impl<'a> From<&'a ClassRow> for ClassJson<'a> {
    fn from(row: &'a ClassRow) -> Self {
        ClassJson {
            class: &row.class,
            objects: row.objects,
            shallow_bytes: row.shallow_bytes,
            retained_bytes: row.retained_bytes,
        }
    }
}

#[derive(Serialize)]
struct ObjectJson<'a> {
    object_id: String,
    class: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    label: &'a str,
    shallow_bytes: u64,
    retained_bytes: u64,
}

impl<'a> From<&'a ObjectRow> for ObjectJson<'a> {
    fn from(row: &'a ObjectRow) -> Self {
        ObjectJson {
            object_id: format!("{:#x}", row.object_id),
            class: &row.class,
            label: &row.label,
            shallow_bytes: row.shallow_bytes,
            retained_bytes: row.retained_bytes,
        }
    }
}

#[derive(Serialize)]
struct NodeJson<'a> {
    #[serde(flatten)]
    object: ObjectJson<'a>,
    field: Option<&'a str>,
    children: Vec<NodeJson<'a>>,
    rest: RestJson,
}

impl<'a> From<&'a DominatorNode> for NodeJson<'a> {
    fn from(node: &'a DominatorNode) -> Self {
        NodeJson {
            object: (&node.object).into(),
            field: node.field.as_deref(),
            children: all(&node.children),
            rest: node.rest.into(),
        }
    }
}

#[derive(Serialize)]
struct PathJson<'a> {
    step: &'a str,
    class: &'a str,
    object_id: String,
    through: u64,
    objects: u64,
    retained_bytes: u64,
    here: u64,
    children: Vec<PathJson<'a>>,
    rest: RestJson,
}

impl<'a> From<&'a MergedPath> for PathJson<'a> {
    fn from(path: &'a MergedPath) -> Self {
        PathJson {
            step: &path.step,
            class: &path.class,
            object_id: format!("{:#x}", path.object_id),
            through: path.through,
            objects: path.objects,
            retained_bytes: path.retained_bytes,
            here: path.here,
            children: all(&path.children),
            rest: path.rest.into(),
        }
    }
}

#[derive(Serialize)]
struct ObjectViewJson<'a> {
    object: ObjectJson<'a>,
    held: &'static str,
    superclasses: &'a [String],
    class_loader: Option<ObjectJson<'a>>,
    text: Option<&'a str>,
    fields: Vec<FieldJson<'a>>,
    length: Option<u64>,
    elements: Vec<ValueJson<'a>>,
    referrers: Vec<ReferrerJson<'a>>,
    rest: RestJson,
    dominator: Option<ObjectJson<'a>>,
    path: Vec<StepJson<'a>>,
}

#[derive(Serialize)]
struct FieldJson<'a> {
    name: &'a str,
    #[serde(rename = "type")]
    value_type: &'a str,
    declared_by: &'a str,
    value: ValueJson<'a>,
}

/// Primitive values are text: JSON has neither 64-bit integers nor NaN.
#[derive(Serialize)]
#[serde(untagged)]
enum ValueJson<'a> {
    Primitive(&'a str),
    Null,
    Object(ObjectJson<'a>),
    Missing { missing: String },
}

impl<'a> From<&'a FieldValue> for ValueJson<'a> {
    fn from(value: &'a FieldValue) -> Self {
        match value {
            FieldValue::Primitive(text) => ValueJson::Primitive(text),
            FieldValue::Null => ValueJson::Null,
            FieldValue::Object(row) => ValueJson::Object(row.into()),
            FieldValue::Missing { id } => ValueJson::Missing {
                missing: format!("{id:#x}"),
            },
        }
    }
}

#[derive(Serialize)]
struct ReferrerJson<'a> {
    #[serde(flatten)]
    object: ObjectJson<'a>,
    field: &'a str,
}

impl<'a> From<&'a Referrer> for ReferrerJson<'a> {
    fn from(referrer: &'a Referrer) -> Self {
        ReferrerJson {
            object: (&referrer.object).into(),
            field: &referrer.field,
        }
    }
}

#[derive(Serialize)]
struct ThreadJson<'a> {
    name: &'a str,
    object: ObjectJson<'a>,
    frames: Vec<FrameJson<'a>>,
    elsewhere: Vec<ObjectJson<'a>>,
}

impl<'a> From<&'a ThreadView> for ThreadJson<'a> {
    fn from(thread: &'a ThreadView) -> Self {
        ThreadJson {
            name: &thread.name,
            object: (&thread.object).into(),
            frames: all(&thread.frames),
            elsewhere: all(&thread.elsewhere.locals),
        }
    }
}

#[derive(Serialize)]
struct FrameJson<'a> {
    frame: &'a str,
    locals: Vec<ObjectJson<'a>>,
    rest: RestJson,
}

impl<'a> From<&'a FrameView> for FrameJson<'a> {
    fn from(frame: &'a FrameView) -> Self {
        FrameJson {
            frame: &frame.text,
            locals: all(&frame.locals),
            rest: frame.rest.into(),
        }
    }
}

#[derive(Serialize)]
struct DuplicateJson<'a> {
    text: &'a str,
    strings: u64,
    arrays: u64,
    bytes: u64,
    wasted_bytes: u64,
    held_by: Vec<HolderJson<'a>>,
    example: ObjectJson<'a>,
}

impl<'a> From<&'a DuplicateText> for DuplicateJson<'a> {
    fn from(duplicate: &'a DuplicateText) -> Self {
        DuplicateJson {
            text: &duplicate.example.label,
            strings: duplicate.strings,
            arrays: duplicate.arrays,
            bytes: duplicate.bytes,
            wasted_bytes: duplicate.wasted_bytes,
            held_by: all(&duplicate.held_by),
            example: (&duplicate.example).into(),
        }
    }
}

#[derive(Serialize)]
struct HolderJson<'a> {
    class: &'a str,
    field: &'a str,
    references: u64,
}

impl<'a> From<&'a StringHolder> for HolderJson<'a> {
    fn from(holder: &'a StringHolder) -> Self {
        HolderJson {
            class: &holder.class,
            field: &holder.field,
            references: holder.references,
        }
    }
}
