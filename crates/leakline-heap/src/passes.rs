//! From records to the arrays of the graph: the shape of every object, its row, and what it
//! refers to. Both steps run in parallel over chunks of the dump.
//!
//! Objects are numbered by address and JVMs write them in the order of their addresses, so that
//! the objects of most chunks have numbers that follow one another. Only where they do not is
//! each looked up.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed};

use leakline_hprof::{ClassDump, HeapRecord, Value};
use rayon::prelude::*;

use crate::class_table::ClassTable;
use crate::classes::{CLASS_SLOTS, ClassFinder, ClassNumber, big_endian};
use crate::columns::{atomics, plain};
use crate::graph::NONE;
use crate::index::{AddressIndex, Finder};
use crate::records::{Chunk, RecordIndex, object_id};
use crate::roots::Thread;
use crate::rows::Rows;
use crate::shapes::{ShapeKey, ShapeNumber, ShapeNumbers};
use crate::values::ValueRecorder;

/// What a shape turned out to be, once the classes were known.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ShapeKind {
    pub(crate) class: ClassNumber,
    /// Number of elements of arrays, words of stack of stack chunks; 0 for other objects.
    pub(crate) length: u32,
    /// For class objects: the class that they stand for.
    pub(crate) mirror_of: Option<ClassNumber>,
    /// How many references its objects have, null ones included; `None` where only the
    /// references that are not null count, which is another number for each object.
    row: Option<u32>,
    /// Whether it is the shape of objects of a class that the dump does not describe.
    undescribed: bool,
}

impl ShapeKind {
    /// Whether its objects surely refer to nothing but their class.
    pub(crate) fn is_leaf(&self) -> bool {
        self.row.unwrap_or(self.length) == 0
    }

    fn new(key: ShapeKey, classes: &ClassTable<'_>) -> ShapeKind {
        let table = &classes.classes;
        let class_class = ShapeKind {
            class: table.class_class,
            length: 0,
            mirror_of: None,
            row: Some(0),
            undescribed: false,
        };
        let object = |class_id: u64, length: u32| match classes.number(class_id) {
            None => class_class,
            Some(class) => ShapeKind {
                class,
                length,
                row: Some(table.get(class).slots.len() as u32),
                undescribed: !table.get(class).described,
                ..class_class
            },
        };
        match key {
            ShapeKey::Undescribed => class_class,
            ShapeKey::Instance(class_id) => object(class_id, 0),
            ShapeKey::ObjectArray(class_id, length) => ShapeKind {
                row: None,
                ..object(class_id, length)
            },
            ShapeKey::PrimitiveArray(element, length) => ShapeKind {
                class: classes.primitive_arrays[usize::from(element.code())],
                length,
                ..class_class
            },
            ShapeKey::Class(class_id) => {
                let mirror_of = classes.number(class_id);
                let statics = mirror_of.map_or(0, |class| table.get(class).static_slots.len());
                ShapeKind {
                    mirror_of,
                    row: Some((CLASS_SLOTS.len() + statics) as u32),
                    ..class_class
                }
            }
        }
    }
}

/// What the passes work on.
pub(crate) struct ObjectPasses<'p, 'a> {
    pub(crate) records: &'p RecordIndex<'a>,
    pub(crate) index: &'p AddressIndex,
    pub(crate) classes: &'p ClassTable<'a>,
    pub(crate) threads: &'p [Thread],
    /// Whether records may describe the same object, so that they have to be read in order.
    pub(crate) in_order: bool,
    /// Told how much of the dump has been read, 0 to 1.
    pub(crate) progress: &'p (dyn Fn(f32) + Sync),
    /// Told what of the dump is not needed for now.
    pub(crate) release: &'p (dyn Fn(Range<u64>) + Sync),
}

/// What [`ObjectPasses::shapes`] finds.
pub(crate) struct Found {
    /// By [`ShapeNumber`].
    pub(crate) kinds: Vec<ShapeKind>,
    /// By object.
    pub(crate) shape_of: Vec<ShapeNumber>,
    /// By object.
    pub(crate) row_lengths: Vec<u32>,
    /// Objects of classes that the dump does not describe.
    pub(crate) undescribed: u64,
}

/// What [`ObjectPasses::links`] finds.
pub(crate) struct Links {
    pub(crate) rows: Rows<'static>,
    pub(crate) edges: Vec<u32>,
    /// References to objects that the dump does not contain.
    pub(crate) unresolved: u64,
}

impl<'a> ObjectPasses<'_, 'a> {
    /// The shape of every object and the length of its row, from what the first pass noted:
    /// `log` as in [`Scan::shape_log`](crate::scan::Scan::shape_log), and which part of it belongs
    /// to each chunk.
    pub(crate) fn shapes(&self, keys: &[ShapeKey], log: &[u32], logged: &[Range<usize>]) -> Found {
        let count = self.index.len() as usize;
        let kinds: Vec<ShapeKind> = keys
            .iter()
            .map(|key| ShapeKind::new(*key, self.classes))
            .collect();
        let shape_of = atomics(count, ShapeNumbers::UNDESCRIBED);
        let row_lengths = atomics(count, 0);
        let undescribed = AtomicU64::new(0);
        self.each_chunk(&|| (), |(_, own, _), (), number, chunk| {
            let logged = logged.get(number).cloned().unwrap_or_default();
            let mut log = log[logged].iter().copied();
            let mut undescribed_here = 0;
            let mut file = |object: Option<u32>| {
                let Some(shape) = log.next() else { return };
                let kind = &kinds[shape as usize];
                let row = match kind.row {
                    Some(row) => row,
                    None if kind.length == 0 => 0,
                    None => log.next().unwrap_or(0),
                };
                undescribed_here += u64::from(kind.undescribed);
                if let Some(object) = object {
                    shape_of[object as usize].store(shape, Relaxed);
                    row_lengths[object as usize].store(row, Relaxed);
                }
            };
            match chunk.numbers(self.index) {
                Some(numbers) => numbers.map(Some).for_each(&mut file),
                None => {
                    let ids = self.records.records(chunk);
                    ids.filter_map(|record| object_id(&record))
                        .for_each(|id| file(own.find(id)));
                }
            }
            undescribed.fetch_add(undescribed_here, Relaxed);
        });
        for thread in self.threads {
            let row = &row_lengths[thread.object as usize];
            row.fetch_add(thread.locals.len() as u32, Relaxed);
        }
        Found {
            kinds,
            shape_of: plain(shape_of),
            row_lengths: plain(row_lengths),
            undescribed: undescribed.into_inner(),
        }
    }

    /// Stack chunks that differ by the number of words of stack behind their fields get shapes of
    /// their own; whether there are any. They are few, so that their records are looked up.
    pub(crate) fn measure_stack_chunks(&self, found: &mut Found) -> bool {
        let words_at = |shape: ShapeNumber| {
            let kind = &found.kinds[shape as usize];
            let class = self.classes.classes.get(kind.class);
            class
                .stack_words_at
                .filter(|_| kind.row.is_some_and(|row| row > 0))
        };
        let are_chunks: Vec<bool> = (0..found.kinds.len() as u32)
            .map(|shape| words_at(shape).is_some())
            .collect();
        if !are_chunks.contains(&true) {
            return false;
        }
        let objects = self.index.ids().zip(&found.shape_of);
        let ids: Vec<u64> = objects
            .filter(|(_, shape)| are_chunks[**shape as usize])
            .map(|(id, _)| id)
            .collect();
        let mut numbers: BTreeMap<(ShapeNumber, u32), ShapeNumber> = BTreeMap::new();
        for record in self.records.find(&ids) {
            let HeapRecord::Instance {
                object_id, fields, ..
            } = record
            else {
                continue;
            };
            let Some(object) = self.index.find(object_id) else {
                continue;
            };
            let of = &mut found.shape_of[object as usize];
            let kind = found.kinds[*of as usize];
            let class = self.classes.classes.get(kind.class);
            let Some(at) = class.stack_words_at.filter(|_| kind.length == 0) else {
                continue;
            };
            let bytes = fields.get(at as usize..at as usize + 4).unwrap_or_default();
            let words = big_endian(bytes) as u32;
            *of = *numbers.entry((*of, words)).or_insert_with(|| {
                found.kinds.push(ShapeKind {
                    length: words,
                    ..kind
                });
                found.kinds.len() as u32 - 1
            });
        }
        true
    }

    /// What every object refers to; what is to be kept of their values is told to `values`.
    pub(crate) fn links(&self, row_lengths: Vec<u32>, values: &ValueRecorder<'_>) -> Links {
        let rows = Rows::from_lengths(&row_lengths);
        drop(row_lengths);
        let edges = atomics(rows.edges(), NONE);
        let unresolved = AtomicU64::new(0);
        let done = AtomicUsize::new(0);
        let chunks = self.records.chunks();
        self.each_chunk(
            &|| values.adder(),
            |(classes, own, others), arrays, _, chunk| {
                let mut numbers = chunk.numbers(self.index);
                let mut unresolved_here = 0;
                for record in self.records.records(chunk) {
                    let Some(id) = object_id(&record) else {
                        continue;
                    };
                    let object = match &mut numbers {
                        Some(numbers) => numbers.next(),
                        None => own.find(id),
                    };
                    let Some(object) = object else { continue };
                    let row = &edges[rows.row(object)];
                    if self.in_order {
                        row.iter().for_each(|edge| edge.store(NONE, Relaxed));
                    }
                    if let HeapRecord::PrimitiveArray {
                        element_type,
                        elements,
                        ..
                    } = record
                    {
                        values.array(arrays, object, element_type, elements);
                        continue;
                    }
                    if let HeapRecord::Instance {
                        class_id, fields, ..
                    } = record
                    {
                        values.instance(object, classes.find(class_id), fields);
                    }
                    self.link(&record, classes, row, |id| {
                        if id == 0 {
                            return NONE;
                        }
                        others.find(id).unwrap_or_else(|| {
                            unresolved_here += 1;
                            NONE
                        })
                    });
                }
                unresolved.fetch_add(unresolved_here, Relaxed);
                (self.release)(chunk.bytes());
                let done = done.fetch_add(1, Relaxed) + 1;
                (self.progress)(done as f32 / chunks.len() as f32);
            },
        );
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
                let size = self.records.identifier_bytes();
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

    /// Visits each chunk, with its number, from several threads, each with a state of its own.
    fn each_chunk<State>(
        &self,
        state: &(impl Fn() -> State + Sync),
        visit: impl Fn(&mut Finders<'_>, &mut State, usize, &Chunk) + Sync,
    ) {
        let start = || {
            let finders = (
                ClassFinder::new(&self.classes.ids),
                Finder::new(self.index),
                Finder::new(self.index),
            );
            (finders, state())
        };
        let chunks = self.records.chunks();
        if self.in_order {
            let (mut finders, mut state) = start();
            for (number, chunk) in chunks.iter().enumerate() {
                visit(&mut finders, &mut state, number, chunk);
            }
        } else {
            let chunks = chunks.par_iter().enumerate();
            chunks.for_each_init(start, |(finders, state), (number, chunk)| {
                visit(finders, state, number, chunk);
            });
        }
    }
}

/// Finds classes, the objects that records describe, and those that they refer to.
type Finders<'f> = (ClassFinder<'f>, Finder<'f>, Finder<'f>);

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
