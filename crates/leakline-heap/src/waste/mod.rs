//! Memory that holds nothing, or what is there already: counted over all objects, with the places
//! that hold it.
//!
//! How full an array of references is follows from the graph alone, so collections need no
//! knowledge of their fields: a table or list is as sparse as the array in it. What is the same
//! as something else, or zero, was noted when the dump was read (see `values`).
//!
//! Waste is no suspect: it says what a heap could do without, not what makes it grow.
//!
//! Memory: 4 bytes for each string whose text is there again, 2 bits for each object, and a few
//! numbers for each place.

mod holders;
mod same;

use std::collections::BTreeMap;
use std::ops::Range;

use leakline_hprof::PrimitiveType;
use rayon::prelude::*;

use crate::bits::Bits;
use crate::classes::{ClassKind, ClassNumber};
use crate::collections::Role;
use crate::graph::{Heap, NONE};
use crate::places::Places;
use crate::reachability::Strength;
use crate::report::{Waste, WasteKind};
use crate::retention::Retention;
use crate::symbols::Symbol;

/// Wasted bytes by kind, by what wastes them, and by place.
type Tallies = BTreeMap<(WasteKind, Symbol, u32), Tally>;

#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    objects: u64,
    bytes: u64,
}

/// Where collections have their first element or their array, `null` or empty when they have
/// none. Names without `java.util.`.
const CONTENT: &[(&str, &str)] = &[
    ("HashMap", "table"),
    ("Hashtable", "table"),
    ("IdentityHashMap", "table"),
    ("WeakHashMap", "table"),
    ("TreeMap", "root"),
    ("ArrayList", "elementData"),
    ("Vector", "elementData"),
    ("LinkedList", "first"),
    ("ArrayDeque", "elements"),
    ("PriorityQueue", "queue"),
    ("concurrent.ConcurrentHashMap", "table"),
    ("concurrent.CopyOnWriteArrayList", "array"),
    ("concurrent.ArrayBlockingQueue", "items"),
    ("concurrent.PriorityBlockingQueue", "queue"),
];

const BOXES: &[&str] = &[
    "java.lang.Boolean",
    "java.lang.Byte",
    "java.lang.Character",
    "java.lang.Short",
    "java.lang.Integer",
    "java.lang.Long",
    "java.lang.Float",
    "java.lang.Double",
];

/// An array of references, or a collection's, is sparse when at most one slot in so many is used.
/// Tables of hash maps that are as full as they are meant to be have every third slot used.
const SPARSE: u64 = 4;
/// An array of fewer bytes that are all zero is more likely a counter than room for nothing.
const LEAST_ZERO_BYTES: u64 = 128;
/// Where static fields do not show that a dump has its values, so many strings, beside the names
/// of threads that redaction leaves, and so many arrays must be other than zero for equality and
/// zeros to say something.
const LEAST_NON_ZERO: u64 = 16;

/// What there is to look at in the objects of a class.
#[derive(Clone, Copy)]
enum Subject {
    None,
    /// A string; where it has its text.
    String(usize),
    Box,
    /// A collection; where it has its content.
    Collection(usize),
    /// A `StringBuilder` or the like; where it has its array.
    Buffer(usize),
    ObjectArray,
    /// An array that may be the text of a string.
    Text,
    /// Any other primitive array.
    Numbers,
}

struct Search<'s, 'a> {
    heap: &'s Heap<'a>,
    retention: &'s Retention<'s>,
    places: &'s Places,
    /// By class.
    subjects: Vec<Subject>,
    /// Boxes that the JDK keeps for all, sorted.
    cached: Vec<u32>,
}

/// What was found in a part of the heap.
#[derive(Default)]
struct Part {
    tallies: Tallies,
    /// Strings whose text other strings may have as well.
    strings: Vec<u32>,
    /// Arrays of which it is known what they waste.
    told: Vec<u32>,
    /// Arrays of bytes or characters, and of numbers, that are not all zero.
    texts: u64,
    numbers: u64,
}

/// All waste of a heap, by place.
pub(crate) struct WasteByPlace {
    tallies: Tallies,
    has_values: bool,
}

impl WasteByPlace {
    /// What is worth a change in a heap of so many bytes.
    pub(crate) fn report(&self, places: &Places, heap_bytes: u64) -> Waste {
        Waste {
            rows: holders::rows(places, &self.tallies, heap_bytes),
            has_values: self.has_values,
        }
    }

    /// The kind of waste that takes most bytes at and below a place.
    pub(crate) fn most_below(&self, places: &Places, place: u32) -> Option<(WasteKind, u64)> {
        let mut kinds: BTreeMap<WasteKind, u64> = BTreeMap::new();
        for ((kind, _, at), tally) in &self.tallies {
            if *at != NONE && places.is_below(*at, place) {
                *kinds.entry(*kind).or_default() += tally.bytes;
            }
        }
        kinds
            .into_iter()
            .max_by_key(|(kind, bytes)| (*bytes, std::cmp::Reverse(*kind)))
    }
}

pub(crate) fn waste(heap: &Heap<'_>, retention: &Retention, places: &Places) -> WasteByPlace {
    let search = Search {
        heap,
        retention,
        places,
        subjects: subjects(heap),
        cached: cached_boxes(heap),
    };
    const PART: u32 = 1 << 16;
    let objects = heap.len() as u32;
    let parts: Vec<Part> = (0..objects.div_ceil(PART))
        .into_par_iter()
        .map(|number| search.part(number * PART..objects.min((number + 1).saturating_mul(PART))))
        .collect();
    let mut all = Part::default();
    for part in parts {
        add(&mut all.tallies, part.tallies);
        all.strings.extend(part.strings);
        all.told.extend(part.told);
        all.texts += part.texts;
        all.numbers += part.numbers;
    }
    search.dead_thread_locals(&mut all.tallies);
    let is_whole = heap.classes.has_static_values;
    let has_texts = is_whole || all.texts >= LEAST_NON_ZERO + heap.threads().len() as u64;
    let has_arrays = is_whole || all.numbers >= LEAST_NON_ZERO;
    all.strings.sort_unstable();
    let same = search.same(&all.strings, &all.told);
    if has_texts {
        add(&mut all.tallies, same.strings);
    }
    if has_arrays {
        add(&mut all.tallies, same.arrays);
    } else {
        all.tallies
            .retain(|(kind, ..), _| *kind != WasteKind::LooseBuffers);
    }
    WasteByPlace {
        tallies: all.tallies,
        has_values: has_texts && has_arrays,
    }
}

fn add(sum: &mut Tallies, tallies: Tallies) {
    for (key, tally) in tallies {
        let entry = sum.entry(key).or_default();
        entry.objects += tally.objects;
        entry.bytes += tally.bytes;
    }
}

impl Search<'_, '_> {
    fn part(&self, objects: Range<u32>) -> Part {
        let mut part = Part::default();
        for object in objects {
            if self.retention.strengths[object as usize] != Strength::Unreachable {
                self.look(object, &mut part);
            }
        }
        part
    }

    #[inline]
    fn look(&self, object: u32, part: &mut Part) {
        let heap = self.heap;
        match self.subject(object) {
            Subject::None => {}
            Subject::String(slot) => {
                // most have a text of their own, and are found through it when it is repeated
                if self.is_private(object) {
                    return;
                }
                let text = self.target(object, slot);
                if text != NONE && !self.retention.owned.contains(text) {
                    part.strings.push(object);
                }
            }
            Subject::Text => {
                part.texts += u64::from(self.has_value(object));
                let is_repeated = heap.values.twins.group(object).is_some();
                if is_repeated && self.retention.owned.contains(object) {
                    let holder = self.retention.immediate[object as usize];
                    if let Subject::String(_) = self.subject(holder) {
                        part.strings.push(holder);
                    }
                }
            }
            Subject::Numbers => {
                part.numbers += u64::from(self.has_value(object));
            }
            Subject::ObjectArray => self.array(object, part),
            Subject::Box => {
                if self.cached.binary_search(&object).is_err() {
                    self.count(part, WasteKind::BoxedValues, object, heap.shallow(object));
                }
            }
            Subject::Collection(slot) => {
                let content = self.target(object, slot);
                let is_array = |content| heap.class_name(content).ends_with("[]");
                if content == NONE || is_array(content) && heap.row(content).is_empty() {
                    self.count(
                        part,
                        WasteKind::EmptyCollections,
                        object,
                        heap.shallow(object),
                    );
                }
            }
            Subject::Buffer(slot) => self.buffer(object, slot, part),
        }
    }

    #[inline]
    fn subject(&self, object: u32) -> Subject {
        self.subjects[self.heap.class_number(object) as usize]
    }

    /// Whether an array surely has elements that are not zero; those of a few bytes do not count.
    fn has_value(&self, array: u32) -> bool {
        let few = self.heap.layout.byte_array_size(8);
        self.heap.shallow(array) > few && !self.heap.values.zeros.contains(array)
    }

    /// Whether nothing else refers to the object, nor to what it refers to.
    fn is_private(&self, object: u32) -> bool {
        self.retention.owned.contains(object) && !self.retention.entangled.contains(object)
    }

    fn target(&self, object: u32, slot: usize) -> u32 {
        self.heap.row(object).get(slot).copied().unwrap_or(NONE)
    }

    /// An array of references, as the content of a collection or by itself.
    fn array(&self, array: u32, part: &mut Part) {
        let heap = self.heap;
        let size = heap.shallow(array);
        let used = heap.row(array).len() as u64;
        let with = |elements| heap.layout.reference_array_size(elements);
        let room = size.saturating_sub(with(0));
        let wasted = size.saturating_sub(with(used));
        if wasted == 0 || (with(used) - with(0)) * SPARSE > room {
            return;
        }
        let (kind, objects) = match (self.is_inner(array), used) {
            // the collection itself was counted as an object
            (true, 0) => (WasteKind::EmptyCollections, 0),
            (true, _) => (WasteKind::SparseCollections, 1),
            (false, _) => (WasteKind::SparseArrays, 1),
        };
        let tally = Tally {
            objects,
            bytes: wasted,
        };
        self.tally(&mut part.tallies, kind, array, tally);
    }

    /// Entries of which the `ThreadLocal` is gone, found from their threads: cleared references
    /// are linked among each other as well, which says nothing of who holds them.
    fn dead_thread_locals(&self, tallies: &mut Tallies) {
        let heap = self.heap;
        for thread in heap.threads() {
            let tables = ["threadLocals", "inheritableThreadLocals"]
                .into_iter()
                .filter_map(|field| heap.field(heap.field(thread.object, field)?, "table"));
            for &entry in tables.flat_map(|table| heap.row(table)) {
                let is_dead = entry != NONE
                    && heap.field(entry, "referent").is_none()
                    && heap.field(entry, "value").is_some();
                if is_dead {
                    let key = (
                        WasteKind::DeadThreadLocals,
                        heap.class(entry).name,
                        self.places.place_of[thread.object as usize],
                    );
                    let tally = tallies.entry(key).or_default();
                    tally.objects += 1;
                    tally.bytes += self.retention.bytes(entry);
                }
            }
        }
    }

    fn is_inner(&self, object: u32) -> bool {
        let place = self.places.place_of[object as usize];
        place != NONE && self.places.places[place as usize].role == Role::Inner
    }

    /// A buffer of text or bytes, by how much of its array is used.
    fn buffer(&self, buffer: u32, slot: usize, part: &mut Part) {
        let heap = self.heap;
        let array = self.target(buffer, slot);
        let Some([count, coder]) = heap.values.fields(buffer) else {
            return;
        };
        if array == NONE {
            return;
        }
        let wide = heap.class_name(array) == "char[]" || coder == 1;
        let used = u64::try_from(count).unwrap_or(0) << u8::from(wide);
        let size = heap.shallow(array);
        let wasted = size.saturating_sub(heap.layout.byte_array_size(used));
        if used * SPARSE <= size && wasted > 0 {
            self.count(part, WasteKind::LooseBuffers, buffer, wasted);
            part.told.push(array);
        }
    }

    fn count(&self, part: &mut Part, kind: WasteKind, object: u32, bytes: u64) {
        let tally = Tally { objects: 1, bytes };
        self.tally(&mut part.tallies, kind, object, tally);
    }

    fn tally(&self, tallies: &mut Tallies, kind: WasteKind, object: u32, tally: Tally) {
        let place = self.places.place_of[object as usize];
        let class = self.heap.classes.get(self.heap.class_number(object)).name;
        let entry = tallies.entry((kind, class, place)).or_default();
        entry.objects += tally.objects;
        entry.bytes += tally.bytes;
    }
}

fn subjects(heap: &Heap<'_>) -> Vec<Subject> {
    let classes = 0..heap.classes.table.len() as u32;
    classes
        .map(|class| subject(heap, class).unwrap_or(Subject::None))
        .collect()
}

fn subject(heap: &Heap<'_>, class: ClassNumber) -> Option<Subject> {
    let of = heap.classes.get(class);
    match of.kind {
        ClassKind::ObjectArray => return Some(Subject::ObjectArray),
        ClassKind::PrimitiveArray(PrimitiveType::Byte | PrimitiveType::Char) => {
            return Some(Subject::Text);
        }
        ClassKind::PrimitiveArray(_) => return Some(Subject::Numbers),
        ClassKind::Plain => {}
    }
    let slot = |field: &str| {
        of.slots
            .iter()
            .position(|slot| heap.name(slot.name) == field)
    };
    let name = heap.name(of.name);
    if BOXES.contains(&name) {
        return Some(Subject::Box);
    }
    if name == "java.lang.String" {
        return slot("value").map(Subject::String);
    }
    heap.classes.ancestry(class).find_map(|ancestor| {
        let name = heap.name(heap.classes.get(ancestor).name);
        match name {
            "java.lang.AbstractStringBuilder" => return slot("value").map(Subject::Buffer),
            "java.io.ByteArrayOutputStream" => return slot("buf").map(Subject::Buffer),
            _ => {}
        }
        let name = name.strip_prefix("java.util.")?;
        let (_, field) = CONTENT.iter().find(|(collection, _)| *collection == name)?;
        slot(field).map(Subject::Collection)
    })
}

/// Boxed values that the JDK has made once for all: what the static fields of `Integer`,
/// `Integer$IntegerCache` and the like refer to, and the elements of arrays there.
fn cached_boxes(heap: &Heap<'_>) -> Vec<u32> {
    let mut cached = Vec::new();
    for &(object, class) in heap.classes.objects() {
        let name = heap.name(heap.classes.get(class).name);
        let outer = name.split_once('$').map_or(name, |(outer, _)| outer);
        if !BOXES.contains(&outer) {
            continue;
        }
        for &target in heap.row(object).iter().filter(|target| **target != NONE) {
            cached.push(target);
            if heap.class_name(target).ends_with("[]") {
                cached.extend_from_slice(heap.row(target));
            }
        }
    }
    cached.sort_unstable();
    cached.dedup();
    cached
}

/// Adds an object; true if it was there already.
fn seen(set: &mut Bits, object: u32) -> bool {
    let seen = set.contains(object);
    set.insert(object);
    seen
}
