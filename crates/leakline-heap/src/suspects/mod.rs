//! What probably leaks.
//!
//! [`piles`](piles::piles) finds where things pile up; here piles become suspects: judged,
//! explained, ranked. Size alone convicts nobody: a pile must be large in absolute terms and as
//! a share of the heap, and it must be the program's (or a library's) doing. What the runtime and
//! agents keep for themselves is no suspect unless it is most of a large heap. Between several
//! dumps, growth decides.

mod bounds;
mod piles;
mod sharing;
mod verdict;
mod wording;

use std::collections::VecDeque;

use leakline_model::{ByteSize, grouped};

use bounds::Bounds;
pub(crate) use piles::{Limits, Measure, Pile, PileKind, piles};
use verdict::Verdict;
pub(crate) use wording::Wording;

use crate::collections::{self, Owner, owner, short_name};
use crate::graph::{Heap, NONE};
use crate::growth::History;
use crate::known_holders::{COLLECTED_THREAD_LOCALS, known_holder};
use crate::paths;
use crate::place_tree::{Node, PlaceTree, Step};
use crate::places::Places;
use crate::report::{Accumulated, KnownHolder, Pattern, Suspect, Totals, WasteKind};
use crate::retention::Retention;
use crate::roots::{RootKind, Thread};
use crate::waste::WasteByPlace;

/// Suspects reported at most.
const MAX_SUSPECTS: usize = 20;
/// Smaller piles are noise, whatever their share.
const LEAST_BYTES: u64 = 768 << 10;
/// Share of the heap that makes a pile worth a look.
const LEAST_SHARE: f64 = 0.05;
/// Larger piles are worth a look, whatever their share.
const LARGE_BYTES: u64 = 64 << 20;
/// What grew by this share of the heap since the first dump is worth a look.
const LEAST_GAIN_SHARE: f64 = 0.01;
/// Fewer places that differ by class are not many.
const LEAST_ALIKE: usize = 4;
/// What is less certain is not reported.
const LEAST_CONFIDENCE: f64 = 0.3;

/// Objects looked at between a map and its first entry.
const MAX_STEPS_TO_A_KEY: usize = 32;
/// Caches that can be told to evict, by the beginning of their names.
const SELF_BOUNDING: &[&str] = &[
    "com.github.benmanes.caffeine.",
    "com.google.common.cache.",
    "org.ehcache.",
];
/// What explains this share of the heap's growth is a suspect whoever owns it.
const TELLING_PART: f64 = 0.5;

/// What the piles of a heap came to.
pub(crate) struct Found {
    /// Suspects, most convincing first.
    pub(crate) suspects: Vec<Suspect>,
    /// What would be one of them for its size, but did not grow since the earlier dumps.
    pub(crate) not_growing: Vec<Suspect>,
}

/// Suspects, and what speaks of growth since the earlier dumps.
pub(crate) fn find(
    heap: &Heap<'_>,
    retention: &Retention,
    places: &Places,
    waste: &WasteByPlace,
    tree: &PlaceTree,
    history: Option<&History<'_>>,
    totals: &Totals,
) -> Found {
    let court = Court {
        heap,
        retention,
        places,
        waste,
        tree,
        totals,
        history,
    };
    let mut judged = court.judged(&court.piles());
    if history.is_none() {
        let kinds = tree.of_kinds(Court::least_bytes(totals.bytes));
        let court = Court {
            tree: &kinds,
            ..court
        };
        court.add_kinds(&mut judged);
    }
    let (suspects, not_growing) = court.suspects(judged);
    Found {
        suspects,
        not_growing,
    }
}

/// A suspect before all are ranked.
struct Judged {
    rank: f64,
    suspect: Suspect,
    /// The place that holds it.
    place: u32,
    /// Whether no class makes up half of what is held.
    is_mixed: bool,
}

#[derive(Clone, Copy)]
struct Court<'c, 'a> {
    heap: &'c Heap<'a>,
    retention: &'c Retention<'c>,
    places: &'c Places,
    waste: &'c WasteByPlace,
    tree: &'c PlaceTree,
    totals: &'c Totals,
    history: Option<&'c History<'c>>,
}

impl Court<'_, '_> {
    /// Suspects with their rank, and the place that holds them.
    fn judged(&self, piles: &[Pile]) -> Vec<Judged> {
        let elements: Vec<u32> = piles
            .iter()
            .map(|pile| self.tree.nodes[pile.element].place)
            .collect();
        let shared = sharing::other_holders(self.heap, self.retention, self.places, &elements);
        piles
            .iter()
            .filter_map(|pile| {
                let place = self.tree.nodes[pile.element].place;
                let other = shared
                    .get(&place)
                    .and_then(|other| self.tree.nodes.iter().position(|node| node.place == *other));
                let (rank, suspect) = self.suspect(pile, other)?;
                Some(Judged {
                    rank,
                    suspect,
                    place: self.tree.nodes[pile.owner].place,
                    is_mixed: pile.is_mixed(self.tree),
                })
            })
            .collect()
    }

    /// In a tree of kinds: what many places hold that differ by class, each of them too small to
    /// be seen. It says more than that the container of those classes holds many classes.
    fn add_kinds(&self, judged: &mut Vec<Judged>) {
        let path_of = |pile: &Pile| self.tree.path(pile.owner);
        let mut piles = self.piles();
        piles.retain(|pile| {
            let path = path_of(pile);
            path.iter()
                .any(|node| self.tree.nodes[*node].alike >= LEAST_ALIKE)
        });
        for pile in &piles {
            let above: Vec<u32> = path_of(pile)
                .iter()
                .map(|node| self.tree.nodes[*node].place)
                .collect();
            judged.retain(|other| !(other.is_mixed && above.contains(&other.place)));
        }
        judged.extend(self.judged(&piles));
    }

    /// Suspects, and what is merely large where growth could be seen.
    fn suspects(&self, mut judged: Vec<Judged>) -> (Vec<Suspect>, Vec<Suspect>) {
        judged.sort_by(|a, b| {
            b.rank
                .total_cmp(&a.rank)
                .then_with(|| a.suspect.sentence.cmp(&b.suspect.sentence))
        });
        let grows = |suspect: &Suspect| match (self.history, &suspect.growth) {
            (Some(history), Some(growth)) => history.grows(growth),
            _ => true,
        };
        let (mut suspects, mut not_growing): (Vec<Suspect>, Vec<Suspect>) = judged
            .into_iter()
            .map(|judged| judged.suspect)
            .partition(grows);
        not_growing.retain(|large| match (self.history, &large.growth) {
            (Some(history), Some(growth)) => history.hardly_grows(growth),
            _ => true,
        });
        suspects.truncate(MAX_SUSPECTS);
        not_growing.truncate(MAX_SUSPECTS);
        (suspects, not_growing)
    }

    /// What is smaller is no suspect, where so much memory is known of.
    fn least_bytes(bytes: u64) -> u64 {
        LEAST_BYTES
            .max((bytes as f64 * LEAST_SHARE) as u64)
            .min(LARGE_BYTES)
    }

    /// Piles by growth, and those by size in the heap and outside of it that are not among them.
    fn piles(&self) -> Vec<Pile> {
        let limits = |bytes: u64| Limits::of_size(Self::least_bytes(bytes));
        let tree = self.tree;
        let mut found = piles(tree, &Measure::heap(tree), &limits(self.totals.bytes));
        for pile in piles(tree, &Measure::native(tree), &limits(self.all_bytes())) {
            let known = |other: &Pile| {
                other.owner == pile.owner
                    || tree.path(pile.owner).contains(&other.owner)
                    || tree.path(other.owner).contains(&pile.owner)
            };
            if !found.iter().any(known) {
                found.push(pile);
            }
        }
        if let Some(history) = self.history {
            let least = (self.all_bytes() as f64 * LEAST_GAIN_SHARE) as u64;
            let gained = history.piles(least.clamp(LEAST_BYTES / 2, LARGE_BYTES));
            found.retain(|pile| !self.is_found_in(pile, &gained, history));
            found.extend(gained);
        }
        found
    }

    /// Whether what a pile gained is found at, above or below its place as well: growth says more
    /// precisely than size where it happens.
    fn is_found_in(&self, pile: &Pile, gained: &[Pile], history: &History<'_>) -> bool {
        let is_at_or_below = |a: usize, b: usize| a == b || self.tree.path(a).contains(&b);
        let gain = history.gain(pile.owner);
        let within = gained
            .iter()
            .filter(|other| is_at_or_below(other.owner, pile.owner));
        let found: u64 = within.map(|other| other.bytes).sum();
        let mut around = gained
            .iter()
            .filter(|other| is_at_or_below(pile.owner, other.owner));
        found > 0 && found >= gain / 2 || around.any(|other| gain >= other.bytes / 2)
    }

    /// Bytes of the heap, and those that its objects keep outside of it.
    fn all_bytes(&self) -> u64 {
        let native = self.tree.nodes.first().map_or(0, |node| node.native);
        self.totals.bytes.saturating_add(native)
    }

    /// The suspect that a pile makes, with its rank; `None` when it is none.
    fn suspect(&self, pile: &Pile, other: Option<usize>) -> Option<(f64, Suspect)> {
        let tree = self.tree;
        let element = &tree.nodes[pile.element];
        let thread = self.thread_of(pile);
        let wording = Wording::of(tree, pile.owner, thread.map(|thread| thread.name.as_str()));
        let (retained_bytes, is_shared) = self.retained(pile);
        let share = retained_bytes as f64 / (self.totals.bytes.max(1)) as f64;
        let native_bytes = tree.nodes[pile.owner].native;
        let all_bytes = retained_bytes.saturating_add(native_bytes);
        // a place may be a large part of the heap, or of all memory that is known of
        let weight = share.max(all_bytes as f64 / self.all_bytes().max(1) as f64);
        let growth = self.history.map(|history| history.of(pile));
        let mut verdict = Verdict {
            confidence: 0.0,
            counter_evidence: Vec::new(),
        };
        verdict.weigh_size(weight, element.objects, pile.kind);
        // growth says what size alone may mean, and comes before all that excuses a place
        let tells = match (self.history, &growth) {
            (Some(history), Some(growth)) => verdict.weigh_growth(history, pile, growth),
            _ => false,
        };
        let known = self.known(pile);
        // what is known in the runtime is known for the applications' leaks
        let culprit = match known.is_some() && wording.holder_owner() == Owner::Platform {
            true => Owner::Application,
            false => self.culprit(pile, &wording),
        };
        verdict.weigh_owner(culprit, weight, all_bytes, tells);
        self.weigh_bounds(pile, tells, &mut verdict);
        let is_stack = match pile.kind {
            // what is linked is held by whatever holds the first of it
            PileKind::Linked => wording.local_method().is_some(),
            _ => self.pattern(pile) == Pattern::ThreadStack,
        };
        verdict.weigh_kind(pile, tree.container(pile.owner), is_stack);
        let alike = tree.path(pile.owner);
        let alike = alike.iter().map(|node| tree.nodes[*node].alike).max();
        if alike.is_some_and(|alike| alike >= LEAST_ALIKE) {
            verdict.speak_against(
                0.1,
                "none of the places that are alike holds much by itself",
            );
        }
        if self.heap.roots_lost {
            verdict.speak_against(
                0.15,
                "the dump is cut off, so the holder is a guess from the references that are left",
            );
        }
        if wording.is_stand_in() {
            verdict.speak_against(0.2, "what refers to it is not in the dump");
        }
        if verdict.confidence < LEAST_CONFIDENCE {
            return None;
        }

        let mut holder = wording.holder();
        if pile.kind == PileKind::Threads {
            self.name_frame(pile, &mut holder);
        } else if let Some(method) = wording.local_method() {
            holder.frame = Some(
                thread
                    .and_then(|thread| frame_of(thread, &method))
                    .unwrap_or(method),
            );
        }
        let accumulates = Accumulated {
            class: element.class.clone(),
            key_class: self.key_class(pile),
            objects: self.elements(pile).map(|node| node.objects).sum(),
            bytes: self
                .elements(pile)
                .map(|node| match node.retained * 2 >= node.bytes {
                    true => node.retained,
                    false => node.bytes,
                })
                .sum(),
        };
        let shared_with = other
            .filter(|_| is_shared)
            .map(|other| self.shared_text(other));
        if is_shared && shared_with.is_none() {
            verdict.speak_against(0.0, "other places refer to parts of it as well");
        }
        let size = size_text(retained_bytes, share, native_bytes);
        let sentence = self.sentence(pile, &wording, &size, shared_with);
        let rank = match &growth {
            // what grows comes before what is merely large
            Some(growth) if growth.kind.goes_on() => {
                (growth.rate.bytes + weight) * verdict.confidence
            }
            Some(growth) => (growth.gained_bytes() as f64 + weight) * verdict.confidence,
            None => all_bytes as f64 * verdict.confidence,
        };
        let suspect = Suspect {
            sentence,
            retained_bytes,
            share,
            native_bytes,
            holder,
            accumulates,
            path: self.path(pile),
            growth,
            confidence: (verdict.confidence * 100.0).round() / 100.0,
            counter_evidence: verdict.counter_evidence,
            waste: self.waste_text(pile, retained_bytes),
            pattern: self.pattern(pile),
            known,
        };
        Some((rank, suspect))
    }

    /// The places of what piles up: of all classes, where none of them is most.
    fn elements(&self, pile: &Pile) -> impl Iterator<Item = &Node> {
        let places = match pile.is_mixed(self.tree) {
            true => pile.elements.clone(),
            false => vec![pile.element],
        };
        places.into_iter().map(|place| &self.tree.nodes[place])
    }

    /// What most of the pile is, if that is waste.
    fn waste_text(&self, pile: &Pile, retained_bytes: u64) -> Option<String> {
        let place = self.tree.nodes[pile.owner].place;
        let (kind, bytes) = self.waste.most_below(self.places, place)?;
        let text = match kind {
            WasteKind::DuplicateStrings => "duplicate strings",
            WasteKind::DuplicateArrays => "duplicate arrays",
            WasteKind::ZeroArrays => "arrays of zeros",
            WasteKind::EmptyCollections => "empty collections",
            WasteKind::SparseCollections => "unused room in collections",
            WasteKind::SparseArrays => "unused room in arrays",
            WasteKind::LooseBuffers => "unused room in buffers",
            WasteKind::BoxedValues => "boxed values",
            // the thread-local is said already
            WasteKind::DeadThreadLocals => return None,
        };
        let is_most = bytes >= LEAST_BYTES && bytes >= retained_bytes / 2;
        is_most.then(|| format!("{} of it are {text}", ByteSize(bytes)))
    }

    /// Bytes freed if the pile went, and whether something besides its owner holds it.
    fn retained(&self, pile: &Pile) -> (u64, bool) {
        let tree = self.tree;
        let all = tree.nodes[pile.owner].bytes;
        let owner = tree.nodes[pile.owner].retained;
        if owner * 2 >= all {
            return (owner, false);
        }
        // no single object holds it: what its elements hold, at the level where they hold most
        let between = tree
            .path(pile.element)
            .into_iter()
            .filter(|node| *node >= pile.owner)
            .map(|node| tree.nodes[node].retained)
            .max()
            .unwrap_or(0);
        let held = if between * 2 >= all { between } else { all };
        let alone = matches!(
            pile.kind,
            PileKind::Threads | PileKind::Variables | PileKind::Roots | PileKind::Finalizers
        );
        (held, !alone)
    }

    /// Whose fault it would be.
    fn culprit(&self, pile: &Pile, wording: &Wording<'_>) -> Owner {
        if wording.passes_agent() {
            return Owner::Agent;
        }
        let element = owner(&self.tree.nodes[pile.element].class);
        let below = self
            .tree
            .path(pile.element)
            .into_iter()
            .filter(|node| *node > pile.owner)
            .filter_map(|node| match &self.tree.nodes[node].step {
                Step::Local(method) => Some(owner(method)),
                _ => None,
            })
            .max()
            .unwrap_or(Owner::Platform);
        element.max(below).max(wording.holder_owner())
    }

    /// What is known of the field nearest to the pile that anything is known of.
    fn known(&self, pile: &Pile) -> Option<KnownHolder> {
        let path = self.tree.path(pile.owner);
        path.iter().rev().find_map(|node| {
            let place = &self.tree.nodes[*node];
            let field = match &place.step {
                Step::Field(field) | Step::Static(field) => field,
                Step::ThreadLocal(name) if name.is_empty() => return Some(COLLECTED_THREAD_LOCALS),
                _ => return None,
            };
            let holder = &self.tree.nodes[place.parent];
            if holder.heaviest == NONE {
                return None;
            }
            let heap = self.heap;
            let class = heap
                .class_of_mirror(holder.heaviest)
                .unwrap_or_else(|| heap.class_number(holder.heaviest));
            known_holder(field, |name| {
                heap.classes.inherits(class, name, &heap.symbols)
            })
        })
    }

    /// What cannot grow, or no further, is a suspect only if it is seen to grow.
    fn weigh_bounds(&self, pile: &Pile, grows: bool, verdict: &mut Verdict) {
        let bounds = Bounds {
            heap: self.heap,
            retention: self.retention,
            places: self.places,
            tree: self.tree,
        };
        if self.holds_loaders(pile) {
            return;
        }
        if let Some(bound) = bounds.of(pile) {
            let weight = bound.weight.min(if grows { 0.4 } else { 1.0 });
            return verdict.speak_against(weight, &bound.evidence);
        }
        let path = self.tree.path(pile.owner);
        let cache = path.iter().find(|node| {
            let class = &self.tree.nodes[**node].class;
            SELF_BOUNDING.iter().any(|known| class.starts_with(known))
        });
        let unlimited = |node: &usize| bounds.is_unlimited(self.tree.nodes[*node].heaviest);
        if let Some(&cache) = cache.filter(|_| !path.iter().any(unlimited)) {
            let class = short_name(&self.tree.nodes[cache].class);
            verdict.speak_against(0.3, &format!("{class} is a cache that can bound itself"));
        }
        let is_pool = |node: &usize| {
            let class = &self.tree.nodes[*node].class;
            class.starts_with("io.netty.buffer.Pool")
        };
        if self.tree.path(pile.element).iter().any(is_pool) {
            verdict.speak_against(
                if grows { 0.2 } else { 0.4 },
                "Netty's pool keeps what it has allocated for the next use",
            );
        }
    }

    /// The class of a map's keys, as its first entry has it.
    fn key_class(&self, pile: &Pile) -> Option<String> {
        if self.pattern(pile) != Pattern::Map {
            return None;
        }
        let map = self.tree.nodes[pile.owner].heaviest;
        let mut todo = VecDeque::from([map]);
        for _ in 0..MAX_STEPS_TO_A_KEY {
            let object = todo.pop_front().filter(|object| *object != NONE)?;
            if let Some(key) = self.heap.field(object, "key") {
                return Some(self.heap.class_name(key).to_owned());
            }
            if object == map || owner(self.heap.class_name(object)) == Owner::Platform {
                let targets = self.heap.row(object).iter().copied();
                let is_data =
                    |target: &u32| *target != NONE && self.heap.class_of_mirror(*target).is_none();
                todo.extend(targets.filter(is_data).take(4));
            }
        }
        None
    }

    /// The thread at the beginning of the pile's chain, if there is exactly one.
    fn thread_of(&self, pile: &Pile) -> Option<&Thread> {
        let first = *self.tree.path(pile.owner).first()?;
        let place = &self.tree.nodes[first];
        let is_one = matches!(place.step, Step::Thread(_)) && place.objects == 1;
        is_one.then(|| self.thread(place.heaviest)).flatten()
    }

    fn thread(&self, object: u32) -> Option<&Thread> {
        self.heap
            .threads()
            .iter()
            .find(|thread| thread.object == object)
    }

    /// For a pile that many threads hold: in which frame.
    fn name_frame(&self, pile: &Pile, holder: &mut crate::report::Holder) {
        for node in self.tree.path(pile.element) {
            match &self.tree.nodes[node].step {
                Step::Local(method) if !method.is_empty() => {
                    let frame = self
                        .thread(self.tree.nodes[pile.owner].heaviest)
                        .and_then(|thread| frame_of(thread, method));
                    let class = method.rsplit_once('.').map_or("", |(class, _)| class);
                    holder.class = class.to_owned();
                    holder.root = "thread stack".to_owned();
                    holder.frame = Some(frame.unwrap_or_else(|| method.clone()));
                }
                Step::ThreadLocal(name) if !name.is_empty() => {
                    let (class, field) = name.rsplit_once('.').unwrap_or((name, ""));
                    holder.class = class.to_owned();
                    holder.field = (!field.is_empty()).then(|| field.to_owned());
                    holder.root = "thread local".to_owned();
                }
                _ => {}
            }
        }
    }

    fn shared_text(&self, other: usize) -> String {
        let first = self.tree.path(other).first().copied().unwrap_or(0);
        let thread = Some(&self.tree.nodes[first])
            .filter(|place| place.objects == 1)
            .and_then(|place| self.thread(place.heaviest));
        let name = thread.map(|thread| thread.name.as_str());
        let wording = Wording::of(self.tree, other, name);
        if self.tree.nodes[other].class == collections::THREAD_LOCAL_ENTRY {
            return format!("thread locals of {}", wording.threads_text());
        }
        wording.chain()
    }

    fn sentence(
        &self,
        pile: &Pile,
        wording: &Wording<'_>,
        size: &str,
        shared_with: Option<String>,
    ) -> String {
        let element = &self.tree.nodes[pile.element];
        let count = grouped(element.objects);
        let class = short_name(&element.class);
        let chain = wording.chain() + &wording.containers_below(pile.element);
        let statement = match pile.kind {
            PileKind::Elements | PileKind::Variables | PileKind::Roots
                if self.holds_loaders(pile) =>
            {
                format!("{chain} holds {count} {class} that keep their class loaders {size}")
            }
            PileKind::Elements if pile.is_mixed(self.tree) => {
                let objects = self.elements(pile).map(|node| node.objects).sum();
                let (objects, classes) = (grouped(objects), pile.classes(self.tree));
                format!(
                    "{chain} holds {objects} objects of {classes} classes, such as {class} {size}"
                )
            }
            PileKind::Variables => {
                let holds = if wording.is_plural() { "hold" } else { "holds" };
                format!("{chain} {holds} {count} {class} {size}")
            }
            PileKind::Elements => match self.outer_objects(pile) {
                Some(outer) => format!(
                    "{chain} holds {count} {class}, which keep {} {} through this$0 {size}",
                    grouped(outer.objects),
                    short_name(&outer.class)
                ),
                None => format!("{chain} holds {count} {class} {size}"),
            },
            PileKind::Linked => format!("{chain} links {count} {class} {size}"),
            PileKind::Threads => {
                let local = Wording::of(self.tree, pile.element, None);
                let place = match local.local_method() {
                    Some(method) => format!("in a local variable of {}", method_text(&method)),
                    None => format!("through {}", local.chain()),
                };
                let threads = wording.threads_text();
                let place = match self.holds_loaders(pile) {
                    true => format!("that keep their class loaders, {place}"),
                    false => place,
                };
                if pile.element == pile.owner {
                    format!("{threads} are alive and hold {size}")
                } else {
                    format!("{threads} hold {count} {class} {place} {size}")
                }
            }
            PileKind::Finalizers => {
                format!("{count} {class} wait for their finalizer {size}")
            }
            PileKind::Roots if wording.is_stand_in() => {
                format!("{count} {class} whose holder is not in the cut-off dump {size}")
            }
            PileKind::Roots => {
                match element_root(&self.tree.nodes[self.tree.path(pile.owner)[0]].step) {
                    stack if stack == RootKind::VirtualThread.text() => {
                        format!("{count} {class} on stacks of waiting virtual threads {size}")
                    }
                    root => format!("{root} roots hold {count} {class} {size}"),
                }
            }
            PileKind::Single => format!("{chain} holds one {class} {size}"),
        };
        match shared_with {
            Some(other) => format!("{statement}, held as well by {other}"),
            None => statement,
        }
    }

    /// The objects that the elements, being inner objects, belong to, when they are most of what
    /// the elements keep.
    fn outer_objects(&self, pile: &Pile) -> Option<&Node> {
        let element = &self.tree.nodes[pile.element];
        element
            .children
            .iter()
            .map(|child| &self.tree.nodes[*child])
            .find(|child| {
                matches!(&child.step, Step::Field(name) if name == "this$0")
                    && child.bytes * 2 >= element.bytes
            })
    }

    fn pattern(&self, pile: &Pile) -> Pattern {
        match pile.kind {
            PileKind::Threads | PileKind::Variables if self.holds_loaders(pile) => {
                return Pattern::ClassLoader;
            }
            PileKind::Threads => return Pattern::ThreadStack,
            PileKind::Variables => {
                return match self.tree.nodes[pile.owner].step {
                    Step::ThreadLocal(_) => Pattern::ThreadLocal,
                    _ => Pattern::ThreadStack,
                };
            }
            PileKind::Finalizers => return Pattern::Finalizer,
            PileKind::Linked => return Pattern::LinkedObjects,
            PileKind::Single | PileKind::Roots => return Pattern::Object,
            PileKind::Elements => {}
        }
        let path = self.tree.path(pile.owner);
        let has = |wanted: fn(&Step) -> bool| {
            path.iter().any(|node| wanted(&self.tree.nodes[*node].step))
        };
        if self.holds_loaders(pile) {
            return Pattern::ClassLoader;
        }
        if has(|step| matches!(step, Step::ThreadLocal(_))) {
            return Pattern::ThreadLocal;
        }
        let Some(pattern) = self.tree.container(pile.owner) else {
            return Pattern::Object;
        };
        let names_listeners = path.iter().any(|node| match &self.tree.nodes[*node].step {
            Step::Static(name) | Step::Field(name) => is_listener(name),
            _ => false,
        }) || is_listener(&self.tree.nodes[pile.element].class);
        if has(|step| matches!(step, Step::Local(_))) {
            Pattern::ThreadStack
        } else if names_listeners && pattern != Pattern::Queue {
            Pattern::Listeners
        } else {
            pattern
        }
    }

    /// Whether the elements keep class loaders alive, about one each.
    fn holds_loaders(&self, pile: &Pile) -> bool {
        let elements = self.tree.nodes[pile.element].objects;
        let mut todo = vec![pile.element];
        for _ in 0..64 {
            let Some(node) = todo.pop() else { break };
            for &child in &self.tree.nodes[node].children {
                let place = &self.tree.nodes[child];
                if place.step == Step::OfClass && place.objects * 2 >= elements {
                    return elements > 1;
                }
                if place.objects * 2 >= elements && place.objects <= elements * 2 {
                    todo.push(child);
                }
            }
        }
        false
    }

    fn path(&self, pile: &Pile) -> Vec<crate::report::PathStep> {
        let object = self.tree.nodes[pile.owner].heaviest;
        if object == NONE || self.retention.strengths.len() <= object as usize {
            return Vec::new();
        }
        paths::steps(
            self.heap,
            &paths::chain(object, |object| self.places.parent(self.retention, object)),
        )
    }
}

fn frame_of(thread: &Thread, method: &str) -> Option<String> {
    thread
        .frames
        .iter()
        .find(|frame| {
            method
                .strip_prefix(frame.class.as_str())
                .and_then(|rest| rest.strip_prefix('.'))
                == Some(frame.method.as_str())
        })
        .map(ToString::to_string)
}

fn method_text(method: &str) -> String {
    match method.rsplit_once('.') {
        Some((class, method)) => format!("{}.{method}", short_name(class)),
        None => method.to_owned(),
    }
}

fn element_root(step: &Step) -> &'static str {
    match step {
        Step::Root(kind) => kind,
        _ => "root",
    }
}

fn is_listener(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["listener", "callback", "observer", "subscriber"]
        .iter()
        .any(|word| name.contains(word))
}

/// `(2.21 GiB, 91 %)`, `(31.2 KiB, and 200 MiB of native memory)`.
fn size_text(bytes: u64, share: f64, native: u64) -> String {
    let mut parts = vec![ByteSize(bytes).to_string()];
    // a part that says nothing beside the other is left out
    if native < bytes {
        parts.push(percent(share));
    }
    if native > bytes / 10 {
        parts.push(format!("and {} of native memory", ByteSize(native)));
    }
    format!("({})", parts.join(", "))
}

/// `91 %`, `0.4 %`.
fn percent(share: f64) -> String {
    let percent = share * 100.0;
    if percent >= 1.0 {
        format!("{percent:.0} %")
    } else {
        format!("{percent:.1} %")
    }
}
