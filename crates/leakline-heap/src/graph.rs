//! The object graph: a structure of arrays over dense object indices.
//!
//! Objects are numbered by address. Per object there are its class, its size, and its row of
//! references (compressed sparse rows); nothing is allocated for a single object. Rows are laid
//! out so that the position of a reference tells its name:
//!
//! - instance: one entry for each reference field, own fields first, [`NONE`] where it is null
//!   (a thread has the objects on its stack behind them);
//! - array: the references that are not null, in order;
//! - class object: [`CLASS_SLOTS`](crate::classes::CLASS_SLOTS), then its static fields.
//!
//! The reference from every object to its class is not stored: it follows from the class.
//!
//! Memory: 4 bytes and a few bits per object, 4 bytes per reference, and the index.

use std::borrow::Cow;
use std::sync::OnceLock;

use crate::analyze::totals;
use crate::classes::{Class, ClassKind, ClassNumber, Classes};
use crate::heap_index::encode_fields;
use crate::histogram::histogram;
use crate::index::AddressIndex;
use crate::layout::Layout;
use crate::load::References;
use crate::places;
use crate::reachability::Strength;
use crate::records::RecordIndex;
use crate::report::{ClassRow, DumpFacts, Totals};
use crate::retention::Retention;
use crate::roots::{Root, Thread};
use crate::rows::Rows;
use crate::shapes::Shapes;
use crate::symbols::{Symbol, Symbols};
use crate::values::Values;

/// No object: a null reference, the parent of a top-level object.
pub(crate) const NONE: u32 = u32::MAX;

/// Sizes are kept in units of eight bytes; no JVM aligns objects to less.
pub(crate) const SIZE_UNIT: u64 = 8;

/// A dump as a graph. Made by [`load`](crate::load); borrows the dump's bytes, from which the
/// content of single objects (names of threads, strings) is read when it is asked for.
pub struct Heap<'a> {
    pub(crate) records: RecordIndex<'a>,
    pub(crate) index: AddressIndex,
    pub(crate) symbols: Symbols,
    pub(crate) classes: Classes,
    pub(crate) shapes: Shapes<'a>,
    pub(crate) layout: Layout,
    pub(crate) rows: Rows<'a>,
    pub(crate) edges: Cow<'a, [u32]>,
    /// By class: the class object, unless it is a root; then the reference to it says nothing.
    pub(crate) class_edges: Vec<u32>,
    pub(crate) roots: Vec<Root>,
    pub(crate) threads: Vec<Thread>,
    pub(crate) values: Values,
    pub(crate) facts: DumpFacts,
    pub(crate) references: References,
    /// See [`Heap::retention`].
    pub(crate) retention: OnceLock<Retention<'a>>,
    /// See [`Heap::totals`].
    pub(crate) totals: OnceLock<Totals>,
    /// See [`Heap::histogram`].
    pub(crate) histogram: OnceLock<Vec<ClassRow>>,
    /// Whether stand-ins replace roots that are missing from the dump.
    pub(crate) roots_lost: bool,
}

encode_fields!(Heap<'a> {
    records,
    index,
    symbols,
    classes,
    shapes,
    layout,
    rows,
    edges,
    class_edges,
    roots,
    threads,
    values,
    facts,
    references,
    retention,
    totals,
    histogram,
    roots_lost
});

impl<'a> Heap<'a> {
    /// Number of objects, unreachable ones included.
    pub fn len(&self) -> usize {
        self.shapes.len()
    }

    /// Whether there is no object. Never so for a heap that was loaded.
    pub fn is_empty(&self) -> bool {
        self.shapes.len() == 0
    }

    /// What the dump is and what was wrong with it.
    pub fn facts(&self) -> &DumpFacts {
        &self.facts
    }

    /// The objects that the collector starts from, by index.
    pub fn roots(&self) -> &[Root] {
        &self.roots
    }

    /// The live threads.
    pub fn threads(&self) -> &[Thread] {
        &self.threads
    }

    /// What each object is held by and what it retains; computed when it is first asked for, and
    /// `progress` told how far that is, 0 to 1.
    pub(crate) fn retention(&self, progress: &dyn Fn(f32)) -> &Retention<'a> {
        self.retention
            .get_or_init(|| Retention::of(self, &places::detached(self), progress))
    }

    /// Sums over the heap; computed when they are first asked for.
    pub(crate) fn totals(&self) -> &Totals {
        self.totals
            .get_or_init(|| totals(self, self.retention(&|_| ())))
    }

    /// Sums by class, most bytes first; computed when they are first asked for.
    pub(crate) fn histogram(&self) -> &[ClassRow] {
        self.histogram
            .get_or_init(|| histogram(self, self.retention(&|_| ())))
    }

    /// The index of the object with this id.
    pub fn find(&self, id: u64) -> Option<u32> {
        self.index.find(id)
    }

    /// The id of an object: its address.
    pub fn id(&self, object: u32) -> u64 {
        self.index.id(object)
    }

    /// Bytes of the object itself, as the JVM counts them.
    #[inline]
    pub fn shallow(&self, object: u32) -> u64 {
        u64::from(self.shapes.get(object).size) * SIZE_UNIT
    }

    /// The name of the object's class, as in source.
    pub fn class_name(&self, object: u32) -> &str {
        self.symbols.name(self.class(object).name)
    }

    /// The class name for people: class objects are named after what they stand for.
    pub fn display_class(&self, object: u32) -> String {
        match self.class_of_mirror(object) {
            Some(class) => format!("class {}", self.symbols.name(self.classes.get(class).name)),
            None => self.class_name(object).to_owned(),
        }
    }

    #[inline]
    pub(crate) fn class(&self, object: u32) -> &Class {
        self.classes.get(self.class_number(object))
    }

    #[inline]
    pub(crate) fn class_number(&self, object: u32) -> ClassNumber {
        self.shapes.get(object).class
    }

    /// The class that a class object stands for; `None` for other objects.
    #[inline]
    pub(crate) fn class_of_mirror(&self, object: u32) -> Option<ClassNumber> {
        let may_be = self.class_number(object) == self.classes.class_class;
        may_be.then(|| self.classes.of_object(object)).flatten()
    }

    /// The stored row of references, without the one to the class.
    #[inline]
    pub(crate) fn row(&self, object: u32) -> &[u32] {
        &self.edges[self.rows.row(object)]
    }

    #[inline]
    pub(crate) fn class_edge(&self, object: u32) -> u32 {
        self.class_edges[self.class_number(object) as usize]
    }

    /// Every reference that is not null, whatever its strength; the one to the class first.
    #[inline]
    pub(crate) fn each_reference(&self, object: u32, mut visit: impl FnMut(u32)) {
        let class = self.class_edge(object);
        if class != NONE {
            visit(class);
        }
        for &target in self.row(object) {
            if target != NONE {
                visit(target);
            }
        }
    }

    /// Every reference but the referent of a soft, weak, final or phantom one.
    #[inline]
    pub(crate) fn each_strong_reference(&self, object: u32, mut visit: impl FnMut(u32)) {
        let Some((_, slot)) = self.referent_slot(object) else {
            return self.each_reference(object, visit);
        };
        let class = self.class_edge(object);
        if class != NONE {
            visit(class);
        }
        for (position, &target) in self.row(object).iter().enumerate() {
            if target != NONE && position != slot as usize {
                visit(target);
            }
        }
    }

    /// The referent of a soft, weak, final or phantom reference; `None` for other objects,
    /// cleared references, and when all references count alike.
    #[inline]
    pub(crate) fn referent(&self, object: u32) -> Option<(Strength, u32)> {
        let (strength, slot) = self.referent_slot(object)?;
        let target = *self.row(object).get(slot as usize)?;
        (target != NONE).then_some((strength, target))
    }

    #[inline]
    pub(crate) fn referent_slot(&self, object: u32) -> Option<(Strength, u32)> {
        match self.references {
            References::Strong => self.class(object).referent,
            References::All => None,
        }
    }

    /// What the reference at `position` of the object's row is called.
    pub(crate) fn edge_name(&self, object: u32, position: usize) -> EdgeName {
        if let Some(class) = self.class_of_mirror(object) {
            let class = self.classes.get(class);
            return match position.checked_sub(crate::classes::CLASS_SLOTS.len()) {
                None => EdgeName::OfClass(position),
                Some(slot) => class
                    .static_slots
                    .get(slot)
                    .map_or(EdgeName::Element, |name| EdgeName::Static(*name)),
            };
        }
        let class = self.class(object);
        match class.kind {
            ClassKind::Plain => match class.slots.get(position) {
                Some(slot) => EdgeName::Field(slot.name),
                None => EdgeName::Local,
            },
            _ => EdgeName::Element,
        }
    }

    /// The value of a reference field by name, own or inherited.
    pub(crate) fn field(&self, object: u32, name: &str) -> Option<u32> {
        let class = self.class(object);
        let position = class
            .slots
            .iter()
            .position(|slot| self.symbols.name(slot.name) == name)?;
        let target = *self.row(object).get(position)?;
        (target != NONE).then_some(target)
    }

    pub(crate) fn name(&self, symbol: Symbol) -> &str {
        self.symbols.name(symbol)
    }
}

/// What a reference is called.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub(crate) enum EdgeName {
    /// Instance field.
    Field(Symbol),
    /// Static field.
    Static(Symbol),
    /// Array element.
    Element,
    /// Object on a thread's stack.
    Local,
    /// Entry of [`CLASS_SLOTS`](crate::classes::CLASS_SLOTS).
    OfClass(usize),
}
