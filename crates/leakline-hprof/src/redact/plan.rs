//! The passes before the copy: names that are needed, rules of classes, values that stay.

use std::collections::{BTreeMap, HashMap};

use super::Redaction;
use super::rules::{ClassRules, Fate, Keeping, Names, reference};
use crate::{ClassDump, HeapRecord, HeapSegment, Hprof, HprofError, RecordBody, Value};

/// What the copy goes by.
pub(super) struct Plan<'a> {
    pub(super) names: Names<'a>,
    /// Ids of UTF8 records that something refers to, sorted.
    used_names: Vec<u64>,
    /// By [`HeapSegment::dump`].
    pub(super) dumps: BTreeMap<u32, DumpPlan>,
    /// How much of each segment can be read, in the order of the input.
    pub(super) segments: Vec<SegmentPlan>,
    pub(super) problems: Problems,
    /// Where another dump with a header of its own starts.
    pub(super) next_header: Option<u64>,
}

/// What is known of one dump of the file.
#[derive(Default)]
pub(super) struct DumpPlan {
    pub(super) classes: HashMap<u64, ClassRules>,
    /// Objects that stay as they are, sorted.
    kept: Vec<u64>,
    /// Arrays whose content is replaced by its hash, sorted.
    hashed: Vec<u64>,
    /// Found by the present pass: the sets that it searches must not change before it is over.
    found: Vec<(u64, Fate)>,
}

/// The readable part of a segment, and where it can be cut: segments hold less than 4 GiB, but a
/// HEAP_DUMP of old JVMs may be larger.
#[derive(Debug, Default)]
pub(super) struct SegmentPlan {
    /// Byte offsets in the input; the first is the segment's start, the last behind its last
    /// readable record.
    pub(super) cuts: Vec<u64>,
    /// Bytes that follow and cannot be read.
    pub(super) lost: u64,
}

/// What went wrong; a hostile input could have something for every byte.
#[derive(Default)]
pub(super) struct Problems(pub(super) Vec<String>);

pub(super) const LISTED_PROBLEMS: usize = 20;

impl Problems {
    pub(super) fn add(&mut self, problem: impl ToString) {
        if self.0.len() < LISTED_PROBLEMS {
            self.0.push(problem.to_string());
        }
    }
}

/// The largest segment that is written when one must be cut.
pub(super) const SEGMENT_BYTES: u64 = 1 << 30;

impl DumpPlan {
    pub(super) fn fate(&self, object: u64) -> Fate {
        if self.kept.binary_search(&object).is_ok() {
            Fate::Keep
        } else if self.hashed.binary_search(&object).is_ok() {
            Fate::Hash
        } else {
            Fate::Zero
        }
    }

    fn note(&mut self, object: u64, fate: Fate) {
        self.found.push((object, fate));
    }

    fn settle(&mut self) {
        for (object, fate) in std::mem::take(&mut self.found) {
            match fate {
                Fate::Keep => self.kept.push(object),
                Fate::Hash => self.hashed.push(object),
                Fate::Zero => {}
            }
        }
        for ids in [&mut self.kept, &mut self.hashed] {
            ids.sort_unstable();
            ids.dedup();
        }
    }
}

impl<'a> Plan<'a> {
    pub(super) fn of(hprof: &Hprof<'a>, options: &Redaction<'_>) -> Plan<'a> {
        let mut plan = Plan {
            names: Names::default(),
            used_names: Vec::new(),
            dumps: BTreeMap::new(),
            segments: Vec::new(),
            problems: Problems::default(),
            next_header: None,
        };
        let progress = |part: f32| {
            if let Some(progress) = options.progress {
                progress(part);
            }
        };
        let segments = plan.read_records(hprof);
        let mut classes: BTreeMap<u32, BTreeMap<u64, ClassDump<'a>>> = BTreeMap::new();
        for segment in &segments {
            progress(0.2 * share(segment, hprof));
            plan.read_segment(segment, classes.entry(segment.dump).or_default());
        }
        plan.used_names.sort_unstable();
        plan.used_names.dedup();

        let keeping = Keeping::new(options);
        let size = hprof.identifier_size();
        for (dump, classes) in &classes {
            let mut rules = DumpPlan {
                classes: keeping.classes(classes, &plan.names, size),
                ..DumpPlan::default()
            };
            for class in classes.values() {
                let kept = keeping.static_fields(class, &plan.names);
                for (position, field) in class.static_fields().enumerate() {
                    if let Value::Object(id) = field.value
                        && kept.binary_search(&position).is_ok()
                    {
                        rules.note(id, Fate::Keep);
                    }
                }
            }
            plan.dumps.insert(*dump, rules);
        }
        // the characters of a string that stays are found only when the string is known
        for (pass, from) in [Pass::Followed, Pass::Values].into_iter().zip([0.2, 0.4]) {
            for segment in &segments {
                progress(from + 0.2 * share(segment, hprof));
                if let Some(dump) = plan.dumps.get_mut(&segment.dump) {
                    dump.read_instances(segment, pass);
                }
            }
            plan.dumps.values_mut().for_each(DumpPlan::settle);
        }
        plan
    }

    pub(super) fn is_used(&self, name: u64) -> bool {
        self.used_names.binary_search(&name).is_ok()
    }

    fn read_records(&mut self, hprof: &Hprof<'a>) -> Vec<HeapSegment<'a>> {
        let mut segments = Vec::new();
        for record in hprof.records() {
            match record.map(|record| record.body) {
                Ok(RecordBody::Utf8 { id, text }) => self.names.texts.push((id, text)),
                Ok(RecordBody::LoadClass {
                    class_id, name_id, ..
                }) => {
                    self.names.classes.insert(class_id, name_id);
                    self.used_names.push(name_id);
                }
                Ok(RecordBody::Frame {
                    method_name_id,
                    signature_id,
                    source_file_id,
                    ..
                }) => {
                    let names = [method_name_id, signature_id, source_file_id];
                    self.used_names.extend(names);
                }
                Ok(RecordBody::StartThread {
                    name_id,
                    group_name_id,
                    parent_group_name_id,
                    ..
                }) => {
                    let names = [name_id, group_name_id, parent_group_name_id];
                    self.used_names.extend(names);
                }
                Ok(RecordBody::HeapDump(segment) | RecordBody::HeapDumpSegment(segment)) => {
                    segments.push(segment);
                }
                Ok(_) => {}
                Err(HprofError::ConcatenatedDump { offset }) => self.next_header = Some(offset),
                Err(problem) => self.problems.add(problem),
            }
        }
        self.names.texts.sort_unstable();
        segments
    }

    /// Classes, names, and how far the segment can be read.
    fn read_segment(
        &mut self,
        segment: &HeapSegment<'a>,
        classes: &mut BTreeMap<u64, ClassDump<'a>>,
    ) {
        let mut records = segment.records();
        let mut plan = SegmentPlan {
            cuts: vec![segment.offset],
            lost: 0,
        };
        let must_be_cut = segment.bytes.len() as u64 >= u64::from(u32::MAX);
        let mut readable = segment.offset;
        while let Some(record) = records.next() {
            match record {
                Ok(HeapRecord::Class(class)) => {
                    let statics = class.static_fields().map(|field| field.name_id);
                    let instance = class.instance_fields().map(|field| field.name_id);
                    self.used_names.extend(statics.chain(instance));
                    classes.insert(class.class_id, class);
                }
                Ok(HeapRecord::HeapInfo { name_id, .. }) => self.used_names.push(name_id),
                Ok(_) => {}
                Err(problem) => {
                    self.problems.add(problem);
                    break;
                }
            }
            let start = plan.cuts.last().copied().unwrap_or_default();
            if must_be_cut && readable > start && records.offset() - start > SEGMENT_BYTES {
                plan.cuts.push(readable);
            }
            readable = records.offset();
        }
        plan.cuts.push(readable);
        plan.lost = segment.end() - readable;
        self.segments.push(plan);
    }
}

/// How far a segment is into the input.
fn share(segment: &HeapSegment<'_>, hprof: &Hprof<'_>) -> f32 {
    segment.offset as f32 / hprof.bytes().len().max(1) as f32
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Pass {
    /// What kept or hashed fields refer to.
    Followed,
    /// What kept strings refer to.
    Values,
}

impl DumpPlan {
    fn read_instances(&mut self, segment: &HeapSegment<'_>, pass: Pass) {
        let needs_pass = match pass {
            Pass::Followed => self
                .classes
                .values()
                .any(|class| !class.followed.is_empty()),
            Pass::Values => !self.kept.is_empty(),
        };
        if !needs_pass {
            return;
        }
        let size = segment.identifier_size;
        for record in segment.records().map_while(Result::ok) {
            let HeapRecord::Instance {
                object_id,
                class_id,
                fields,
                ..
            } = record
            else {
                continue;
            };
            let Some(class) = self.classes.get(&class_id) else {
                continue;
            };
            match pass {
                Pass::Followed => self.found.extend(
                    class
                        .followed
                        .iter()
                        .filter_map(|(at, fate)| Some((reference(fields, *at, size)?, *fate))),
                ),
                Pass::Values => {
                    if let Some(Some(characters)) = class.value
                        && self.kept.binary_search(&object_id).is_ok()
                        && let Some(array) = reference(fields, characters, size)
                    {
                        self.found.push((array, Fate::Keep));
                    }
                }
            }
        }
    }
}
