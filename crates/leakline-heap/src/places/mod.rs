//! Places: every object filed under the path of field names that leads to it.
//!
//! All objects that the same path reaches share a place: `static Shop.orders → ArrayList →
//! Object[] → Order` is one, however many orders there are (the rule of LeakCanary's Shark:
//! merge objects by the edge names of their shortest path). This shows what piles up where even
//! if no single object dominates it, and the paths of one dump can be found again in another.
//!
//! The search for shortest paths starts where people look for a cause: first at static fields,
//! then at other roots, then at threads, and on their stacks last. Classes loaded several times
//! under one name (redeployed code) are no start: what keeps their loaders is the question.
//! Paths that run in circles (`Node.next → Node.next → …`) are folded.

mod filing;

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use crate::bits::{Bits, RankedBits};
use crate::classes::CLASS_SLOTS;
use crate::collections::{self, Owner, Role};
use crate::graph::{EdgeName, Heap, NONE};
use crate::reachability::Strength;
use crate::retention::{Retention, Telling};
use crate::roots::{RootKind, Thread};
use crate::symbols::{Symbol, Symbols};
use filing::Filing;

/// What leads from one place to the next.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Edge {
    /// From nowhere: a class whose static fields are starts.
    Class,
    /// From nowhere: a root of this kind.
    Root(RootKind),
    /// From nowhere: threads; the name with its numbers blanked.
    Thread(Symbol),
    /// From nowhere: objects that wait for their finalizer.
    FinalizerQueue,
    Static(Symbol),
    Field(Symbol),
    Element,
    /// A local variable: `Class.method`.
    Local(Symbol),
    /// A thread-local value: the field that holds the `ThreadLocal`.
    ThreadLocal(Symbol),
    /// From an object to its class, or one of [`CLASS_SLOTS`].
    OfClass,
}

/// Objects that one path reaches.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) parent: u32,
    pub(crate) edge: Edge,
    pub(crate) class: Symbol,
    pub(crate) role: Role,
    pub(crate) objects: u64,
    /// Shallow bytes of its objects.
    pub(crate) own_bytes: u64,
    /// Shallow bytes of its objects and of all places below.
    pub(crate) bytes: u64,
    /// What its objects retain together, by dominators.
    pub(crate) retained: u64,
    /// Bytes outside of the heap that are freed with its objects, and how many objects have any.
    pub(crate) own_native: u64,
    pub(crate) native_owners: u64,
    /// With those of all places below.
    pub(crate) native: u64,
    /// Of the object that has most of them.
    pub(crate) largest_native: u64,
    /// How many of its objects were reached from another of them.
    pub(crate) linked: u64,
    /// The object that retains most, and how much.
    pub(crate) heaviest: (u32, u64),
    depth: u32,
    /// The child found last: most objects of a place have the same children.
    recent: (Edge, Symbol, u32),
}

/// All places of a heap, each after its parent.
pub(crate) struct Places {
    pub(crate) places: Vec<Place>,
    pub(crate) symbols: Symbols,
    /// Place of each object; [`NONE`] for objects in none.
    pub(crate) place_of: Vec<u32>,
    /// Objects that are not owned, and the object before each of them on its shortest path.
    entry_points: RankedBits,
    parents: Vec<u32>,
}

/// Beyond this many places, further paths are filed under their beginning.
const MAX_PLACES: usize = 1 << 20;
/// Likewise for paths of more steps.
const MAX_DEPTH: u32 = 128;

impl Places {
    /// `native`: objects with memory outside of the heap, and how much. `progress` is told how far
    /// the work is, 0 to 1.
    pub(crate) fn of(
        heap: &Heap<'_>,
        retention: &Retention,
        native: &[(u32, u64)],
        progress: &dyn Fn(f32),
    ) -> Places {
        let mut search = Search::new(heap, retention);
        search.static_fields();
        search.other_roots();
        search.class_slots();
        search.threads();
        search.books_of_the_runtime();
        search.finalizer_queue();
        let mut filing = Filing::new(search);
        let mut filing_told = Telling::new(&mut filing, heap.len(), progress);
        retention.walk(heap, &mut filing_told);
        let mut search = filing.into_search();
        search.count_native(native);
        search.finish()
    }

    /// The object before this one on its shortest path; [`NONE`] at a start.
    pub(crate) fn parent(&self, retention: &Retention, object: u32) -> u32 {
        if retention.owned.contains(object) {
            return retention.immediate[object as usize];
        }
        self.parents[self.entry_points.rank(object)]
    }

    /// Whether one place lies at or below another.
    pub(crate) fn is_below(&self, place: u32, above: u32) -> bool {
        let mut current = place;
        // parents stand before their children
        while current > above && current != NONE {
            current = self.places[current as usize].parent;
        }
        current == above
    }
}

struct Search<'s, 'a> {
    heap: &'s Heap<'a>,
    retention: &'s Retention<'s>,
    found: Places,
    children: HashMap<(u32, Edge, Symbol), u32, BuildHasherDefault<PlaceHasher>>,
    queue: std::collections::VecDeque<u32>,
    /// Only objects held this strongly are filed.
    level: Strength,
    /// Class objects whose static fields are starts, those of the application first.
    starts: Vec<(u32, u32)>,
    /// What holds each `ThreadLocal`, by object.
    thread_locals: Vec<(u32, Symbol)>,
    /// By class: its name for filing.
    class_names: Vec<Symbol>,
    /// The JDK collection that a class extends, by the name of the class.
    collection_names: HashMap<Symbol, Symbol>,
    /// By symbol: whether it is a class of nodes inside a JDK collection.
    nodes: Vec<bool>,
    thread_local_entry: Symbol,
    /// The name under which the constants of an enum are filed.
    constants: Symbol,
    /// By class: the symbol of `class Name`.
    class_object_names: HashMap<u32, Symbol>,
}

impl<'s, 'a> Search<'s, 'a> {
    fn new(heap: &'s Heap<'a>, retention: &'s Retention) -> Self {
        let mut symbols = heap.symbols.clone();
        let class_names: Vec<Symbol> = heap
            .classes
            .table
            .iter()
            .map(|class| {
                let name = heap.name(class.name);
                match collections::canonical(name) {
                    same if same == name => class.name,
                    other => symbols.intern(other),
                }
            })
            .collect();
        let collection_names = (0..heap.classes.table.len() as u32)
            .filter_map(|class| {
                let collection = heap
                    .classes
                    .ancestry(class)
                    .map(|ancestor| heap.classes.get(ancestor).name)
                    .find(|name| collections::is_container(heap.name(*name)))?;
                Some((heap.classes.get(class).name, collection))
            })
            .collect();
        let thread_local_entry = symbols.intern(collections::THREAD_LOCAL_ENTRY);
        let constants = symbols.intern("<constants>");
        let mut nodes = vec![false; symbols.len()];
        for name in &class_names {
            nodes[name.0 as usize] = collections::is_node(symbols.name(*name));
        }
        let entry_points = RankedBits::new(retention.owned.complement());
        let nowhere = symbols.intern("");
        let root = Place {
            parent: NONE,
            edge: Edge::Root(RootKind::Unknown),
            class: nowhere,
            role: Role::Plain,
            objects: 1,
            own_bytes: 0,
            bytes: 0,
            retained: 0,
            own_native: 0,
            native_owners: 0,
            native: 0,
            largest_native: 0,
            linked: 0,
            heaviest: (NONE, 0),
            depth: 0,
            recent: (Edge::Class, nowhere, NONE),
        };
        let mut search = Search {
            heap,
            retention,
            found: Places {
                places: vec![root],
                symbols,
                place_of: vec![NONE; heap.len()],
                parents: vec![NONE; entry_points.len()],
                entry_points,
            },
            children: HashMap::default(),
            queue: std::collections::VecDeque::new(),
            level: Strength::Strong,
            starts: starting_classes(heap, retention),
            thread_locals: Vec::new(),
            class_names,
            collection_names,
            nodes,
            thread_local_entry,
            constants,
            class_object_names: HashMap::new(),
        };
        search.thread_locals = search.named_thread_locals();
        search
    }

    /// Which static field holds each `ThreadLocal`: its name for people.
    fn named_thread_locals(&mut self) -> Vec<(u32, Symbol)> {
        let mut named = Vec::new();
        for &(object, class) in self.heap.classes.objects() {
            let class = self.heap.classes.get(class);
            let statics = self.heap.row(object).iter().skip(CLASS_SLOTS.len());
            for (&target, field) in statics.zip(&class.static_slots) {
                if target == NONE {
                    continue;
                }
                let target_class = self.heap.class_number(target);
                if self.heap.classes.inherits(
                    target_class,
                    "java.lang.ThreadLocal",
                    &self.heap.symbols,
                ) {
                    let name = format!("{}.{}", self.heap.name(class.name), self.heap.name(*field));
                    named.push((target, self.found.symbols.intern(&name)));
                }
            }
        }
        named.sort_unstable();
        named.dedup_by_key(|(object, _)| *object);
        named
    }

    fn static_fields(&mut self) {
        // no path may lead through a start or a thread: they begin paths of their own
        for (object, class) in self.starts.clone() {
            let name = self.heap.classes.get(class).name;
            let place = self.child(0, Edge::Class, name);
            self.file(object, place, NONE, false);
        }
        for thread in self.heap.threads() {
            if self.in_search(thread.object) {
                let name = self.found.symbols.intern(&blank_numbers(&thread.name));
                let class = self.class_names[self.heap.class_number(thread.object) as usize];
                let place = self.child(0, Edge::Thread(name), class);
                self.file(thread.object, place, NONE, false);
            }
        }
        self.values_of_static_fields(|class| !collections::keeps_books(class));
    }

    /// What only the runtime's own registers of threads lead to.
    fn books_of_the_runtime(&mut self) {
        self.values_of_static_fields(collections::keeps_books);
    }

    fn values_of_static_fields(&mut self, wanted: impl Fn(&str) -> bool) {
        for (object, class) in self.starts.clone() {
            if wanted(self.heap.name(self.heap.classes.get(class).name)) {
                let statics = CLASS_SLOTS.len()..self.heap.row(object).len();
                self.expand_part(object, statics);
            }
        }
        self.run();
    }

    fn other_roots(&mut self) {
        for root in self.heap.roots() {
            if self.in_search(root.object) {
                let class = self.class_name(root.object);
                let place = self.child(0, Edge::Root(root.kind), class);
                self.file(root.object, place, NONE, true);
            }
        }
        self.run();
    }

    fn class_slots(&mut self) {
        for (object, _) in self.starts.clone() {
            let end = CLASS_SLOTS.len().min(self.heap.row(object).len());
            self.expand_part(object, 0..end);
        }
        self.run();
    }

    /// Thread locals say most, then variables of the application's methods; where a library
    /// method waits for work says least.
    fn threads(&mut self) {
        let heap = self.heap;
        let fields_of = |thread: &Thread| {
            let fields = heap.class(thread.object).slots.len();
            fields.min(heap.row(thread.object).len())
        };
        for thread in heap.threads() {
            for position in 0..fields_of(thread) {
                let slot = heap.class(thread.object).slots.get(position);
                if slot.is_some_and(|slot| heap.name(slot.name).ends_with("hreadLocals")) {
                    self.expand_part(thread.object, position..position + 1);
                }
            }
        }
        self.run();
        self.locals(|owner| owner > Owner::Platform);
        for thread in heap.threads() {
            self.expand_part(thread.object, 0..fields_of(thread));
        }
        self.run();
        self.locals(|_| true);
    }

    /// Objects on stacks, in frames whose class belongs to one of the wanted.
    fn locals(&mut self, wanted: impl Fn(Owner) -> bool) {
        for thread in self.heap.threads() {
            if self.found.place_of[thread.object as usize] == NONE {
                continue;
            }
            for local in &thread.locals {
                let frame = local
                    .frame
                    .and_then(|frame| thread.frames.get(frame as usize));
                let owner = frame.map_or(Owner::Platform, |frame| collections::owner(&frame.class));
                if wanted(owner) && self.in_search(local.object) {
                    let method = frame.map_or_else(String::new, |frame| {
                        format!("{}.{}", frame.class, frame.method)
                    });
                    let method = self.found.symbols.intern(&method);
                    self.reach(thread.object, local.object, Edge::Local(method));
                }
            }
        }
        self.run();
    }

    fn finalizer_queue(&mut self) {
        self.level = Strength::Final;
        let heap = self.heap;
        for &object in &self.retention.weak_entries {
            if self.in_search(object) {
                let class = self.class_name(object);
                let place = self.child(0, Edge::FinalizerQueue, class);
                self.file(object, place, NONE, true);
            }
        }
        debug_assert_eq!(heap.len(), self.found.place_of.len());
        self.run();
    }

    /// Whether nothing below the object is of interest to the search, nor has other paths: it is
    /// filed when the search is over.
    fn is_private(&self, object: u32) -> bool {
        self.retention.owned.contains(object) && !self.retention.entangled.contains(object)
    }

    fn in_search(&self, object: u32) -> bool {
        self.found.place_of[object as usize] == NONE
            && self.retention.strengths[object as usize] == self.level
    }

    fn run(&mut self) {
        while let Some(object) = self.queue.pop_front() {
            let row = self.heap.row(object).len();
            self.expand_part(object, 0..row);
            let class = self.heap.class_number(object);
            let class = self.heap.classes.get(class).object;
            if class != NONE && self.in_search(class) {
                self.reach(object, class, Edge::OfClass);
            }
        }
    }

    /// Files what part of an object's row refers to.
    fn expand_part(&mut self, object: u32, part: std::ops::Range<usize>) {
        if self.found.place_of[object as usize] == NONE {
            return;
        }
        let heap = self.heap;
        let row = heap.row(object);
        let referent = heap.class(object).referent;
        for position in part {
            let target = row[position];
            if target == NONE || !self.in_search(target) || self.is_private(target) {
                continue;
            }
            if referent
                .is_some_and(|(strength, slot)| slot as usize == position && strength > self.level)
                && heap.referent(object).is_some()
            {
                continue;
            }
            let edge = self.edge(object, position);
            self.reach(object, target, edge);
        }
    }

    fn edge(&mut self, object: u32, position: usize) -> Edge {
        match self.heap.edge_name(object, position) {
            EdgeName::Field(name) => {
                let class = self.class_names[self.heap.class_number(object) as usize];
                if class == self.thread_local_entry && self.heap.name(name) == "value" {
                    return Edge::ThreadLocal(self.thread_local_name(object));
                }
                Edge::Field(name)
            }
            EdgeName::Static(name) => Edge::Static(match self.is_constant(object, position) {
                true => self.constants,
                false => name,
            }),
            EdgeName::Element | EdgeName::Local => Edge::Element,
            EdgeName::OfClass(_) => Edge::OfClass,
        }
    }

    /// Whether a static field of an enum is one of its constants. They are filed together: what
    /// each of them holds is one thing, held by the enum.
    fn is_constant(&self, class_object: u32, position: usize) -> bool {
        let heap = self.heap;
        let Some(&constant) = heap.row(class_object).get(position) else {
            return false;
        };
        constant != NONE
            && heap.class_of_mirror(class_object).is_some_and(|class| {
                let of_class = heap.class_number(constant);
                let is_enum = |class: u32| {
                    let above = heap.classes.get(class).superclass;
                    above.is_some_and(|above| {
                        heap.name(heap.classes.get(above).name) == "java.lang.Enum"
                    })
                };
                is_enum(class)
                    && (of_class == class || heap.classes.get(of_class).superclass == Some(class))
            })
    }

    /// The name of the `ThreadLocal` that is the key of an entry: the field that holds it,
    /// otherwise its class with a dot behind; empty when it is gone.
    fn thread_local_name(&mut self, entry: u32) -> Symbol {
        let Some(key) = self.heap.field(entry, "referent") else {
            return self.found.symbols.intern("");
        };
        match self
            .thread_locals
            .binary_search_by_key(&key, |(object, _)| *object)
        {
            Ok(position) => self.thread_locals[position].1,
            Err(_) => {
                let name = self.field_of(key).unwrap_or_else(|| {
                    let class = self.heap.class_name(key);
                    format!("{class}.")
                });
                self.found.symbols.intern(&name)
            }
        }
    }

    /// `Class.field` of the object that an object was found through.
    fn field_of(&self, object: u32) -> Option<String> {
        let heap = self.heap;
        let holder = self.found.parent(self.retention, object);
        if holder == NONE {
            return None;
        }
        let position = heap.row(holder).iter().position(|to| *to == object)?;
        match heap.edge_name(holder, position) {
            EdgeName::Field(name) => {
                let class = heap.class_name(holder);
                Some(format!("{class}.{}", heap.name(name)))
            }
            _ => None,
        }
    }

    fn class_name(&mut self, object: u32) -> Symbol {
        match self.heap.class_of_mirror(object) {
            None => self.class_names[self.heap.class_number(object) as usize],
            Some(class) => {
                if let Some(symbol) = self.class_object_names.get(&class) {
                    return *symbol;
                }
                let name = format!(
                    "class {}",
                    self.heap.name(self.heap.classes.get(class).name)
                );
                let symbol = self.found.symbols.intern(&name);
                self.class_object_names.insert(class, symbol);
                symbol
            }
        }
    }

    fn reach(&mut self, from: u32, object: u32, edge: Edge) {
        let place = self.place_behind(from, object, edge);
        let parent = self.found.place_of[from as usize];
        self.put(object, parent, place);
        self.file(object, place, from, true);
    }

    /// Files an object that was reached from one in another place, or in the same.
    #[inline]
    fn put(&mut self, object: u32, parent: u32, place: u32) {
        self.found.place_of[object as usize] = place;
        if place <= parent {
            self.found.places[place as usize].linked += 1;
        }
    }

    /// The place of an object that is reached over this edge.
    fn place_behind(&mut self, from: u32, object: u32, edge: Edge) -> u32 {
        let class = if self.heap.class_number(object) == self.heap.classes.class_class {
            self.class_name(object)
        } else {
            self.class_names[self.heap.class_number(object) as usize]
        };
        // `head` and `last` of a queue lead to the same nodes
        let edge = match edge {
            Edge::Field(_) if self.is_node(class) => Edge::Element,
            other => other,
        };
        self.child(self.found.place_of[from as usize], edge, class)
    }

    /// Whether the class is one of nodes or entries inside a JDK collection.
    fn is_node(&self, class: Symbol) -> bool {
        self.nodes.get(class.0 as usize) == Some(&true)
    }

    fn file(&mut self, object: u32, place: u32, from: u32, expand: bool) {
        self.found.place_of[object as usize] = place;
        if !self.retention.owned.contains(object) {
            let rank = self.found.entry_points.rank(object);
            self.found.parents[rank] = from;
        }
        if expand {
            self.queue.push_back(object);
        }
    }

    /// The place that `edge` leads to from `parent`; made when it is new.
    fn child(&mut self, parent: u32, edge: Edge, class: Symbol) -> u32 {
        let recent = self.found.places[parent as usize].recent;
        if recent.0 == edge && recent.1 == class && recent.2 != NONE {
            return recent.2;
        }
        let place = match self.children.get(&(parent, edge, class)) {
            Some(place) => *place,
            None => {
                let place = self.fold(parent, edge, class);
                self.children.insert((parent, edge, class), place);
                place
            }
        };
        self.found.places[parent as usize].recent = (edge, class, place);
        place
    }

    /// The place that a new path leads to: an ancestor when the path runs in a circle, otherwise
    /// a new place.
    fn fold(&mut self, parent: u32, edge: Edge, class: Symbol) -> u32 {
        let holder = &self.found.places[parent as usize];
        if self.found.places.len() >= MAX_PLACES || holder.depth >= MAX_DEPTH {
            return parent;
        }
        if let Some(ancestor) = self.circle(parent, edge, class) {
            return ancestor;
        }
        let by_field = matches!(edge, Edge::Field(_));
        let as_collection =
            |class: Symbol| self.collection_names.get(&class).copied().unwrap_or(class);
        let holder_class = self.found.symbols.name(as_collection(holder.class));
        let role = collections::role(
            self.found.symbols.name(as_collection(class)),
            (parent != 0).then_some((holder_class, holder.role)),
            by_field,
        );
        let place = Place {
            parent,
            edge,
            class,
            role,
            objects: 0,
            own_bytes: 0,
            bytes: 0,
            retained: 0,
            own_native: 0,
            native_owners: 0,
            native: 0,
            largest_native: 0,
            linked: 0,
            heaviest: (NONE, 0),
            depth: holder.depth + 1,
            recent: (Edge::Class, class, NONE),
        };
        self.found.places.push(place);
        self.found.places.len() as u32 - 1
    }

    /// The ancestor that a path comes back to. `Node.next → Node` and the application's own
    /// `Category.children → ArrayList → Category` are circles; a map in an object in a map is
    /// none, and of longer ways round only the third turn is taken for one.
    fn circle(&self, parent: u32, edge: Edge, class: Symbol) -> Option<u32> {
        let owner_of = |class: Symbol| collections::owner(self.found.symbols.name(class));
        let of_platform = owner_of(class) == Owner::Platform;
        let is_array = self.found.symbols.name(class).ends_with("[]");
        let mut passed_other = false;
        // a list whose links are of several classes, all of them behind the same field
        let mut same_field = true;
        let mut turn = None;
        let mut ancestor = parent;
        while ancestor != 0 && edge != Edge::OfClass {
            let place = &self.found.places[ancestor as usize];
            if place.edge == Edge::Class {
                break;
            }
            if place.class == class {
                let linked = if of_platform {
                    !is_array && (ancestor == parent || same_field)
                } else {
                    !passed_other
                };
                if linked {
                    return Some(ancestor);
                }
                if place.edge == edge {
                    if turn.is_some() {
                        return turn;
                    }
                    turn = Some(ancestor);
                }
            } else if owner_of(place.class) != Owner::Platform {
                if of_platform {
                    break;
                }
                passed_other = true;
            }
            same_field &= place.edge == edge && place.role == Role::Plain;
            ancestor = place.parent;
        }
        None
    }

    fn count_native(&mut self, owners: &[(u32, u64)]) {
        for (object, bytes) in owners {
            let place = self.found.place_of[*object as usize];
            if let Some(place) = self.found.places.get_mut(place as usize) {
                place.own_native = place.own_native.saturating_add(*bytes);
                place.native_owners += 1;
                place.largest_native = place.largest_native.max(*bytes);
            }
        }
    }

    fn finish(self) -> Places {
        let mut found = self.found;
        for number in (0..found.places.len()).rev() {
            let place = &mut found.places[number];
            place.bytes += place.own_bytes;
            place.native = place.native.saturating_add(place.own_native);
            let (bytes, native, parent) = (place.bytes, place.native, place.parent);
            if parent != NONE {
                let parent = &mut found.places[parent as usize];
                parent.bytes += bytes;
                parent.native = parent.native.saturating_add(native);
            }
        }
        found
    }
}

/// Objects from which paths start, and through which no other paths lead: classes with static
/// fields, if they turn out to be held, and threads.
pub(crate) fn detached(heap: &Heap<'_>) -> Bits {
    let mut detached = Bits::new(heap.len());
    for (object, _) in loaded_once(heap) {
        detached.insert(object);
    }
    for thread in heap.threads() {
        detached.insert(thread.object);
    }
    detached
}

/// Class objects whose static fields begin paths: those reachable, but for classes of which
/// several loaders have one of the same name.
fn starting_classes(heap: &Heap<'_>, retention: &Retention) -> Vec<(u32, u32)> {
    let mut starts: Vec<(u32, u32)> = loaded_once(heap)
        .filter(|(object, _)| retention.strengths[*object as usize] == Strength::Strong)
        .collect();
    starts.sort_by_key(|(object, class)| {
        let name = heap.name(heap.classes.get(*class).name);
        (std::cmp::Reverse(collections::owner(name)), *object)
    });
    starts
}

/// Classes of which no other has the same name, with their objects.
fn loaded_once(heap: &Heap<'_>) -> impl Iterator<Item = (u32, u32)> {
    let mut loaded: HashMap<Symbol, u32> = HashMap::new();
    for (_, class) in heap.classes.objects() {
        *loaded.entry(heap.classes.get(*class).name).or_default() += 1;
    }
    let all = heap.classes.objects().iter().copied();
    all.filter(move |(_, class)| loaded.get(&heap.classes.get(*class).name) == Some(&1))
}

/// `http-nio-8080-exec-12` → `http-nio-*-exec-*`: threads of a pool differ by number.
pub(crate) fn blank_numbers(name: &str) -> String {
    let mut blanked = String::with_capacity(name.len());
    for character in name.chars() {
        if !character.is_ascii_digit() {
            blanked.push(character);
        } else if !blanked.ends_with('*') {
            blanked.push('*');
        }
    }
    blanked
}

/// Keys are a few small numbers: multiplying spreads them well enough.
#[derive(Default)]
struct PlaceHasher(u64);

impl Hasher for PlaceHasher {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }
    fn write_u32(&mut self, value: u32) {
        self.write_u64(u64::from(value));
    }
    fn write_u64(&mut self, value: u64) {
        self.0 = (self.0.rotate_left(5) ^ value).wrapping_mul(0x51_7c_c1_b7_27_22_0a_95);
    }
    fn write_isize(&mut self, value: isize) {
        self.write_u64(value as u64);
    }
}
