//! From the bytes of a dump to the graph, in three passes: ids and names, then the shape of each
//! object, then the references. The passes over objects run in parallel over chunks of the dump.

use std::ops::Range;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed};

use leakline_hprof::{
    ClassDump, HeapRecord, Hprof, PrimitiveType, Value, ValueType, java_class_name,
};
use rayon::prelude::*;

use crate::classes::{Class, ClassFinder, ClassKind, Classes, Field, dump_bytes};
use crate::error::HeapError;
use crate::graph::{Heap, NONE};
use crate::index::{AddressIndex, Finder};
use crate::layout::{self, SizeInput};
use crate::reachability::{self, Strength};
use crate::records::{Chunk, RecordIndex, object_id};
use crate::report::DumpFacts;
use crate::roots::{self, Root, RootKind, Thread};
use crate::rows::Rows;
use crate::scan::{Names, Scan};
use crate::shapes::Shapes;
use crate::symbols::Symbols;

/// Which references keep an object alive.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum References {
    /// The referents of soft, weak, final and phantom references are not held by them. What is
    /// held only that way is counted apart.
    #[default]
    Strong,
    /// All references hold, as Eclipse MAT sees it.
    All,
}

/// What is being done, for a progress bar.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    /// Finding names, classes and objects.
    Scan,
    /// Reading references.
    Link,
    /// Reachability, dominators, retained sizes.
    Retain,
    /// Suspects and the report.
    Report,
}

/// Told the phase and how much of it is done, from 0 to 1; may be called from several threads.
pub type Progress<'p> = &'p (dyn Fn(Phase, f32) + Sync);

/// Told of parts of the dump, as byte ranges, that need not stay in memory for now: the owner of a
/// mapped file can let go of the pages. They are read again later. May be called from several
/// threads.
pub type Release<'r> = &'r (dyn Fn(Range<usize>) + Sync);

/// How to read a dump.
#[derive(Clone, Copy, Default)]
pub struct LoadOptions<'p> {
    /// Which references keep an object alive.
    pub references: References,
    /// Told how far the work is.
    pub progress: Option<Progress<'p>>,
    /// Told what parts of the dump are not needed for now.
    pub release: Option<Release<'p>>,
}

/// Reads a dump (decompressed) into a graph.
///
/// A damaged dump gives what can be read, with [`DumpFacts::problems`]; when its roots are lost,
/// stand-ins keep the answer usable. Memory: about 20 bytes per object and 4 per reference.
pub fn load<'a>(bytes: &'a [u8], options: &LoadOptions<'_>) -> Result<Heap<'a>, HeapError> {
    let report = |phase: Phase, part: f32| {
        if let Some(progress) = options.progress {
            progress(phase, part);
        }
    };
    let release = |range: Range<u64>| {
        if let Some(release) = options.release {
            release(range.start as usize..range.end as usize);
        }
    };
    let hprof = Hprof::parse(bytes)?;
    let mut scan = Scan::of(&hprof, &release, &|part| report(Phase::Scan, part));
    let identifier_bytes = hprof.identifier_size().bytes() as u32;

    // classes that objects have but the dump does not describe get a class object all the same
    for class in &scan.used_classes {
        if !scan.classes.contains_key(class) {
            scan.ids.insert(*class);
        }
    }
    let objects = scan.ids.inserted();
    let builder = std::mem::take(&mut scan.ids);
    let index = builder
        .build()
        .ok_or(HeapError::TooManyObjects { objects })?;
    if index.len() == 0 {
        return Err(HeapError::NoObjects {
            problem: scan.first_problem,
        });
    }
    let repeated = objects - u64::from(index.len());
    if repeated > 0 {
        scan.problems.push(format!(
            "{repeated} objects are described more than once; the last description is used"
        ));
    }

    let mut symbols = Symbols::default();
    let classes = ClassTable::build(&scan, &index, identifier_bytes, &mut symbols);
    let (roots, threads) = roots::resolve(&scan.roots, &scan.names, &index);
    let records = RecordIndex::new(
        std::mem::take(&mut scan.segments),
        std::mem::take(&mut scan.chunks),
    );
    let passes = ObjectPasses {
        records: &records,
        index: &index,
        classes: &classes,
        threads: &threads,
        // two records for one object race for its row
        in_order: repeated > 0,
        progress: &|part| report(Phase::Link, part),
        release: &release,
    };
    let found = passes.found();
    let links = passes.links(found.lengths_of_rows);
    // HotSpot leaves out the class objects of archived classes that were never loaded: a whole
    // dump has some hundreds of references to them
    let many_unresolved = links.unresolved as usize > links.edges.len() / 100;
    if links.unresolved > 0 && (many_unresolved || !scan.complete) {
        scan.problems.push(format!(
            "{} references lead to objects that the dump does not contain",
            leakline_model::grouped(links.unresolved)
        ));
    }
    let undescribed = found.undescribed;
    if undescribed > 0 {
        scan.problems.push(format!(
            "{undescribed} objects are of classes that the dump does not describe; their references are unknown"
        ));
    }
    let sizes = layout::sizes(SizeInput {
        version: hprof.header().version,
        identifier_bytes,
        classes: &classes.classes,
        index: &index,
        class_of: &found.class_of,
        lengths: found.array_lengths,
    });
    let shapes = Shapes::new(&classes.classes, found.class_of, sizes, &found.refers);
    let facts = DumpFacts {
        identifier_size: identifier_bytes as u8,
        taken_at: hprof.header().taken_at,
        complete: scan.complete,
        problems: scan.problems,
        ..DumpFacts::default()
    };
    let mut heap = Heap {
        records,
        index,
        symbols,
        class_edges: vec![NONE; classes.classes.table.len()],
        classes: classes.classes,
        shapes,
        rows: links.rows,
        edges: links.edges.into(),
        roots,
        threads,
        facts,
        references: options.references,
        retention: OnceLock::new(),
        totals: OnceLock::new(),
        histogram: OnceLock::new(),
        roots_lost: false,
    };
    heap.complete_roots();
    heap.name_threads();
    Ok(heap)
}

/// Classes with what the object passes need of them.
struct ClassTable<'a> {
    classes: Classes,
    ids: Vec<u64>,
    /// By class, in the order of `ids`.
    dumps: Vec<Option<ClassDump<'a>>>,
    /// By [`PrimitiveType::code`].
    primitive_arrays: [u32; 16],
}

impl<'a> ClassTable<'a> {
    fn build(
        scan: &Scan<'a>,
        index: &AddressIndex,
        identifier_bytes: u32,
        symbols: &mut Symbols,
    ) -> ClassTable<'a> {
        let mut ids: Vec<u64> = scan.classes.keys().copied().collect();
        ids.extend(
            scan.used_classes
                .iter()
                .filter(|id| !scan.classes.contains_key(id)),
        );
        ids.sort_unstable();
        let mut table: Vec<Class> = Vec::with_capacity(ids.len() + 9);
        let mut superclasses = Vec::with_capacity(ids.len() + 9);
        let mut dumps = Vec::with_capacity(ids.len() + 9);
        for &id in &ids {
            let dump = scan.classes.get(&id);
            let mut class = named_class(id, &scan.names, symbols);
            class.object = index.find(id).unwrap_or(NONE);
            if let Some(dump) = dump {
                describe(&mut class, dump, index, &scan.names, symbols);
            }
            superclasses.push(dump.map_or(0, |dump| dump.super_id));
            dumps.push(dump.copied());
            table.push(class);
        }
        // what the virtual machine must have, even if the dump does not say so
        let mut required = |name: &str, kind: ClassKind| -> u32 {
            let name = symbols.intern(name);
            if let Some(known) = table.iter().position(|class| class.name == name) {
                table[known].kind = kind;
                return known as u32;
            }
            // behind all others, so that the ids stay sorted
            let id = u64::MAX - 16 + (table.len() - ids.len()) as u64;
            table.push(empty_class(id, name, kind));
            superclasses.push(0);
            dumps.push(None);
            table.len() as u32 - 1
        };
        let class_class = required("java.lang.Class", ClassKind::Plain);
        let mut primitive_arrays = [NONE; 16];
        for code in 4..12u8 {
            if let Some(element) = PrimitiveType::from_code(code) {
                let name = format!("{}[]", element.java_name());
                primitive_arrays[usize::from(code)] =
                    required(&name, ClassKind::PrimitiveArray(element));
            }
        }
        ClassTable {
            classes: Classes::new(table, &superclasses, class_class, identifier_bytes, symbols),
            ids,
            dumps,
            primitive_arrays,
        }
    }
}

fn empty_class(id: u64, name: crate::symbols::Symbol, kind: ClassKind) -> Class {
    Class {
        id,
        name,
        object: NONE,
        superclass: None,
        loader: NONE,
        kind,
        fields: Vec::new(),
        slots: Vec::new(),
        static_slots: Vec::new(),
        static_primitive_bytes: 0,
        dump_size: 0,
        referent: None,
        described: matches!(kind, ClassKind::PrimitiveArray(_)),
    }
}

fn named_class(id: u64, names: &Names<'_>, symbols: &mut Symbols) -> Class {
    let name = names
        .class_names
        .get(&id)
        .and_then(|name| names.string(*name))
        .map_or_else(
            || format!("unknown-class-0x{id:x}"),
            |name| java_class_name(&name),
        );
    let kind = if name.ends_with("[]") {
        ClassKind::ObjectArray
    } else {
        ClassKind::Plain
    };
    empty_class(id, symbols.intern(&name), kind)
}

fn describe(
    class: &mut Class,
    dump: &ClassDump<'_>,
    index: &AddressIndex,
    names: &Names<'_>,
    symbols: &mut Symbols,
) {
    let mut name = |id: u64| {
        let text = names
            .string(id)
            .unwrap_or_else(|| format!("field-0x{id:x}"));
        symbols.intern(&text)
    };
    class.fields = dump
        .instance_fields()
        .map(|field| Field {
            name: name(field.name_id),
            value_type: field.value_type,
        })
        .collect();
    for field in dump.static_fields() {
        match field.value {
            Value::Object(_) => class.static_slots.push(name(field.name_id)),
            value => class.static_primitive_bytes += dump_bytes(value.value_type(), 8),
        }
    }
    // old virtual machines list what the constant pool refers to
    for entry in dump.constant_pool() {
        if entry.value.value_type() == ValueType::Object {
            class.static_slots.push(symbols.intern("<constant pool>"));
        }
    }
    class.loader = index.find(dump.loader_id).unwrap_or(NONE);
    class.dump_size = dump.instance_size;
    class.described = true;
}

/// The two passes over all objects.
struct ObjectPasses<'p, 'a> {
    records: &'p RecordIndex<'a>,
    index: &'p AddressIndex,
    classes: &'p ClassTable<'a>,
    threads: &'p [Thread],
    in_order: bool,
    progress: &'p (dyn Fn(f32) + Sync),
    release: &'p (dyn Fn(Range<u64>) + Sync),
}

/// Finds classes, the objects that records describe, and those that they refer to.
type Finders<'f> = (ClassFinder<'f>, Finder<'f>, Finder<'f>);

/// What the first of them finds, by object.
struct Found {
    class_of: Vec<u32>,
    array_lengths: Vec<u32>,
    lengths_of_rows: Vec<u32>,
    /// By class: whether any of its objects has a row of references.
    refers: Vec<bool>,
    undescribed: u64,
}

/// What the second finds.
struct Links {
    rows: Rows<'static>,
    edges: Vec<u32>,
    unresolved: u64,
}

impl<'a> ObjectPasses<'_, 'a> {
    fn found(&self) -> Found {
        let count = self.index.len() as usize;
        // objects without a record are the class objects made for undescribed classes
        let class_of = atomics(count, self.classes.classes.class_class);
        let array_lengths = atomics(count, 0);
        let rows = atomics(count, 0);
        let refers: Vec<AtomicBool> = std::iter::repeat_with(AtomicBool::default)
            .take(self.classes.classes.table.len())
            .collect();
        let undescribed = AtomicU64::new(0);
        self.each_record(0.0, |record, (finder, own, _)| {
            let Some(object) = object_id(&record).and_then(|id| own.find(id)) else {
                return;
            };
            let object = object as usize;
            let (class, array_length, row) = self.shape(&record, finder, &undescribed);
            class_of[object].store(class, Relaxed);
            array_lengths[object].store(array_length, Relaxed);
            rows[object].store(row, Relaxed);
            if row > 0 && !refers[class as usize].load(Relaxed) {
                refers[class as usize].store(true, Relaxed);
            }
        });
        for thread in self.threads {
            let object = thread.object as usize;
            rows[object].fetch_add(thread.locals.len() as u32, Relaxed);
            refers[class_of[object].load(Relaxed) as usize].store(true, Relaxed);
        }
        Found {
            class_of: plain(class_of),
            array_lengths: plain(array_lengths),
            lengths_of_rows: plain(rows),
            refers: refers.into_iter().map(AtomicBool::into_inner).collect(),
            undescribed: undescribed.into_inner(),
        }
    }

    /// Class, array length, and number of references of an object.
    fn shape(
        &self,
        record: &HeapRecord<'a>,
        finder: &mut ClassFinder<'_>,
        undescribed: &AtomicU64,
    ) -> (u32, u32, u32) {
        let classes = &self.classes.classes;
        let mut class_of = |id: u64| {
            let number = finder.find(id);
            if number == NONE {
                return classes.class_class;
            }
            if !classes.get(number).described {
                undescribed.fetch_add(1, Relaxed);
            }
            number
        };
        match *record {
            HeapRecord::Instance { class_id, .. } => {
                let class = class_of(class_id);
                (class, 0, classes.get(class).slots.len() as u32)
            }
            HeapRecord::ObjectArray {
                class_id, elements, ..
            } => {
                let filled = elements
                    .iter()
                    .fold(0u32, |filled, id| filled + u32::from(id != 0));
                (class_of(class_id), elements.len() as u32, filled)
            }
            HeapRecord::PrimitiveArray {
                element_type,
                length,
                ..
            }
            | HeapRecord::PrimitiveArrayWithoutData {
                element_type,
                length,
                ..
            } => (
                self.classes.primitive_arrays[usize::from(element_type.code())],
                length,
                0,
            ),
            HeapRecord::Class(class) => {
                let number = finder.find(class.class_id);
                let statics = match number {
                    NONE => 0,
                    number => classes.get(number).static_slots.len(),
                };
                let row = crate::classes::CLASS_SLOTS.len() + statics;
                (classes.class_class, 0, row as u32)
            }
            HeapRecord::GcRoot(_) | HeapRecord::HeapInfo { .. } => (classes.class_class, 0, 0),
        }
    }

    fn links(&self, lengths_of_rows: Vec<u32>) -> Links {
        let rows = Rows::from_lengths(&lengths_of_rows);
        drop(lengths_of_rows);
        let edges = atomics(rows.edges(), NONE);
        let unresolved = AtomicU64::new(0);
        self.each_record(0.5, |record, (finder, own, others)| {
            let Some(object) = object_id(&record).and_then(|id| own.find(id)) else {
                return;
            };
            let row = &edges[rows.row(object)];
            if self.in_order {
                row.iter().for_each(|edge| edge.store(NONE, Relaxed));
            }
            self.link(&record, finder, row, |id| {
                if id == 0 {
                    return NONE;
                }
                others.find(id).unwrap_or_else(|| {
                    unresolved.fetch_add(1, Relaxed);
                    NONE
                })
            });
        });
        for thread in self.threads {
            let row = &edges[rows.row(thread.object)];
            let behind_fields = row.len().saturating_sub(thread.locals.len());
            for (edge, local) in row[behind_fields..].iter().zip(&thread.locals) {
                edge.store(local.object, Relaxed);
            }
        }
        Links {
            edges: plain(edges),
            rows,
            unresolved: unresolved.into_inner(),
        }
    }

    fn link(
        &self,
        record: &HeapRecord<'a>,
        finder: &mut ClassFinder<'_>,
        row: &[AtomicU32],
        mut resolve: impl FnMut(u64) -> u32,
    ) {
        match *record {
            HeapRecord::Instance {
                class_id, fields, ..
            } => {
                let class = finder.find(class_id);
                if class == NONE {
                    return;
                }
                let size = self.identifier_bytes();
                let slots = &self.classes.classes.get(class).slots;
                for (edge, slot) in row.iter().zip(slots) {
                    let start = slot.offset as usize;
                    let bytes = fields.get(start..start + size).unwrap_or_default();
                    edge.store(resolve(big_endian(bytes)), Relaxed);
                }
            }
            HeapRecord::ObjectArray { elements, .. } => {
                let filled = elements.iter().filter(|id| *id != 0);
                for (edge, id) in row.iter().zip(filled) {
                    edge.store(resolve(id), Relaxed);
                }
            }
            HeapRecord::Class(class) => {
                // the last description of a class counts
                let number = finder.find(class.class_id);
                let dump = (number != NONE)
                    .then(|| self.classes.dumps[number as usize])
                    .flatten()
                    .unwrap_or(class);
                for (edge, id) in row.iter().zip(class_references(&dump)) {
                    edge.store(resolve(id), Relaxed);
                }
            }
            _ => {}
        }
    }

    fn identifier_bytes(&self) -> usize {
        self.records.identifier_bytes()
    }

    fn each_record(
        &self,
        progress_from: f32,
        visit: impl Fn(HeapRecord<'a>, &mut Finders<'_>) + Sync,
    ) {
        let chunks = self.records.chunks();
        let done = AtomicUsize::new(0);
        let chunk = |finders: &mut Finders<'_>, chunk: &Chunk| {
            for record in self.records.records(chunk) {
                visit(record, finders);
            }
            (self.release)(chunk.bytes());
            let done = done.fetch_add(1, Relaxed) + 1;
            (self.progress)(progress_from + 0.5 * done as f32 / chunks.len() as f32);
        };
        let finders = || {
            (
                ClassFinder::new(&self.classes.ids),
                Finder::new(self.index),
                Finder::new(self.index),
            )
        };
        if self.in_order {
            let mut finders = finders();
            chunks.iter().for_each(|next| chunk(&mut finders, next));
        } else {
            chunks.par_iter().for_each_init(finders, chunk);
        }
    }
}

/// References of a class object, in the order of its row.
fn class_references(class: &ClassDump<'_>) -> impl Iterator<Item = u64> {
    let statics = class.static_fields().map(|field| field.value);
    let constants = class.constant_pool().map(|entry| entry.value);
    [
        class.super_id,
        class.loader_id,
        class.signers_id,
        class.protection_domain_id,
    ]
    .into_iter()
    .chain(statics.chain(constants).filter_map(|value| match value {
        Value::Object(id) => Some(id),
        _ => None,
    }))
}

#[inline]
fn big_endian(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0, |value, byte| value << 8 | u64::from(*byte))
}

fn atomics(count: usize, value: u32) -> Vec<AtomicU32> {
    std::iter::repeat_with(|| AtomicU32::new(value))
        .take(count)
        .collect()
}

/// Reuses the memory: both have the same size and alignment.
fn plain(values: Vec<AtomicU32>) -> Vec<u32> {
    values.into_iter().map(AtomicU32::into_inner).collect()
}

impl Heap<'_> {
    /// Adds the roots that the dump does not name, and settles which classes are roots.
    fn complete_roots(&mut self) {
        let has = |kind: RootKind| self.roots.iter().any(|root| root.kind == kind);
        let (has_system_classes, has_threads) = (has(RootKind::SystemClass), has(RootKind::Thread));
        if !has_system_classes {
            // J9 names no system classes; the boot loader's are never unloaded
            let boot =
                self.classes.table.iter().filter(|class| {
                    class.described && class.loader == NONE && class.object != NONE
                });
            self.roots.extend(boot.map(|class| Root {
                object: class.object,
                kind: RootKind::SystemClass,
            }));
        }
        self.settle_roots();
        if self.facts.complete {
            return;
        }
        // up to JDK 24 the JVM writes roots behind the objects, so that a cut loses them; since
        // then it loses the objects between roots and others
        let reached = reachability::strengths(self);
        let lost = reached
            .iter()
            .filter(|strength| **strength == Strength::Unreachable)
            .count();
        if has_threads && lost * 10 < self.len() {
            return;
        }
        self.roots_lost = true;
        let stand_ins = reachability::stand_in_roots(self, &reached);
        self.facts.problems.push(format!(
            "the dump is cut off before its GC roots or what they refer to: {} objects that nothing refers to stand in for them, so garbage may count as live",
            leakline_model::grouped(stand_ins.len() as u64)
        ));
        self.roots.extend(stand_ins.into_iter().map(|object| Root {
            object,
            kind: RootKind::StandIn,
        }));
        self.settle_roots();
    }

    /// One root for each object, of the kind that explains most.
    fn settle_roots(&mut self) {
        self.roots.sort_unstable();
        self.roots.dedup_by_key(|root| root.object);
        self.class_edges = self
            .classes
            .table
            .iter()
            .map(|class| {
                let is_root = self
                    .roots
                    .binary_search_by_key(&class.object, |root| root.object)
                    .is_ok();
                if is_root { NONE } else { class.object }
            })
            .collect();
    }
}
