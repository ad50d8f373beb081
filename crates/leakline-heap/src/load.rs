//! From the bytes of a dump to the graph, in two passes: ids, names and the shape of each object,
//! then the references.

use std::ops::Range;
use std::sync::OnceLock;

use leakline_hprof::{Dump, HprofFile};

use crate::class_table::ClassTable;
use crate::error::HeapError;
use crate::graph::{Heap, NONE};
use crate::layout::{self, SizeInput};
use crate::passes::ObjectPasses;
use crate::reachability::{self, Strength};
use crate::records::RecordIndex;
use crate::report::DumpFacts;
use crate::roots::{self, Root, RootKind};
use crate::scan::{Passed, Scan};
use crate::shapes::{Shape, Shapes};
use crate::symbols::Symbols;
use crate::values::ValueRecorder;

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
    /// Which dump of a file that holds several, from 1; the last when not said.
    pub dump: Option<u32>,
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
    let mut passed = Passed::new(&release);
    let file = HprofFile::parse(bytes, |offset| passed.up_to(offset))?;
    let (dump, remarks) = choose(file, options.dump)?;
    let header = dump.hprof.header();
    let mut scan = Scan::of(&dump, &release, &|part| report(Phase::Scan, part));
    scan.problems.splice(0..0, remarks);
    let identifier_bytes = header.identifier_size.bytes() as u32;

    // classes that objects have but the dump does not describe get a class object all the same
    for class in scan.undescribed_classes() {
        scan.ids.insert(class);
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
    let mut found = passes.shapes(&scan.shape_keys, &scan.shape_log, &scan.logged);
    scan.shape_log = Vec::new();
    let has_stack_chunks = passes.measure_stack_chunks(&mut found);
    let (sizes, layout) = layout::sizes(&SizeInput {
        version: header.version,
        identifier_bytes,
        classes: &classes.classes,
        index: &index,
        kinds: &found.kinds,
        shape_of: &found.shape_of,
    });
    let mut has_locals = vec![false; classes.classes.table.len()];
    for thread in &threads {
        let shape = found.shape_of[thread.object as usize];
        has_locals[found.kinds[shape as usize].class as usize] = true;
    }
    let table = found.kinds.iter().zip(sizes).map(|(kind, size)| Shape {
        class: kind.class,
        name: classes.classes.get(kind.class).name,
        size,
        is_leaf: kind.is_leaf() && !has_locals[kind.class as usize],
    });
    let shapes = Shapes::new(table.collect(), found.shape_of);
    let values = ValueRecorder::new(
        &classes.classes,
        &symbols,
        identifier_bytes,
        &shapes,
        bytes,
        &release,
    );
    let links = passes.links(found.row_lengths, &values);
    let values = values.finish();
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
    let facts = DumpFacts {
        identifier_size: identifier_bytes as u8,
        taken_at: dump.taken_at,
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
        layout,
        rows: links.rows,
        edges: links.edges.into(),
        roots,
        threads,
        values,
        facts,
        references: options.references,
        retention: OnceLock::new(),
        totals: OnceLock::new(),
        histogram: OnceLock::new(),
        roots_lost: false,
    };
    heap.complete_roots();
    if has_stack_chunks && heap.add_roots_of_virtual_threads() {
        heap.settle_roots();
    }
    heap.name_threads();
    Ok(heap)
}

/// The dump that is asked for, and what is to be said of the others in its file.
fn choose(file: HprofFile<'_>, number: Option<u32>) -> Result<(Dump<'_>, Vec<String>), HeapError> {
    let mut remarks: Vec<String> = file.problems.iter().map(ToString::to_string).collect();
    let count = file.dumps.len();
    let Some(last) = file.dumps.last() else {
        let problem = file.problems.into_iter().next();
        return Err(HeapError::NoObjects { problem });
    };
    let Some(number) = number else {
        if count > 1 {
            const LISTED: usize = 10;
            let sizes = (1..).zip(&file.dumps).map(|(number, dump)| {
                format!("#{number} of {}", leakline_model::ByteSize(dump.heap_bytes))
            });
            let mut list: Vec<String> = sizes.take(LISTED).collect();
            list.extend((count > LISTED).then(|| "…".to_owned()));
            remarks.insert(
                0,
                format!(
                    "the file holds {count} dumps ({}), and the last is read; put the number of another behind the name of the file, as in heap.hprof#1",
                    list.join(", ")
                ),
            );
        }
        return Ok((*last, remarks));
    };
    let position = (number as usize).checked_sub(1);
    match position.and_then(|position| file.dumps.get(position)) {
        Some(dump) => Ok((*dump, Vec::new())),
        None => Err(HeapError::NoSuchDump { number, count }),
    }
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
