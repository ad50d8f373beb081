//! What probably leaks.
//!
//! [`piles`](piles::piles) finds where things pile up; here piles become suspects: judged,
//! explained, ranked. Size alone convicts nobody: a pile must be large in absolute terms and as
//! a share of the heap, and it must be the program's (or a library's) doing. What the runtime and
//! agents keep for themselves is no suspect unless it is most of a large heap. Between several
//! dumps, growth decides.

mod piles;
mod sharing;
mod wording;

use std::collections::VecDeque;

use leakline_model::{ByteSize, grouped};

pub(crate) use piles::{Limits, Measure, Pile, PileKind, piles};
pub(crate) use wording::Wording;

use crate::collections::{self, Owner, Role, owner, short_name};
use crate::graph::{Heap, NONE};
use crate::growth::{HeapSummary, History};
use crate::paths;
use crate::place_tree::{Node, PlaceTree, Step};
use crate::places::Places;
use crate::report::{Accumulated, GrowthRow, Pattern, Suspect, SuspectGrowth, Totals};
use crate::retention::Retention;
use crate::roots::Thread;

/// Suspects reported at most.
const MAX_SUSPECTS: usize = 20;
/// Smaller piles are noise, whatever their share.
const LEAST_BYTES: u64 = 512 << 10;
/// Share of the heap that makes a pile worth a look.
const LEAST_SHARE: f64 = 0.05;
/// Larger piles are worth a look, whatever their share.
const LARGE_BYTES: u64 = 64 << 20;
/// What grew by this share of the heap since the first dump is worth a look.
const LEAST_GAIN_SHARE: f64 = 0.01;
/// What is less certain is not reported.
const LEAST_CONFIDENCE: f64 = 0.3;

/// Growth by this share of the heap is the least that counts as the whole of it: what moves in a
/// heap that hardly grows explains nothing.
const LEAST_HEAP_GAIN_SHARE: f64 = 0.05;
/// Objects looked at between a map and its first entry.
const MAX_STEPS_TO_A_KEY: usize = 32;
/// What explains less of the heap's growth did not grow to speak of.
const LEAST_PART: f64 = 0.1;
/// What explains this share of the heap's growth is a suspect whoever owns it.
const TELLING_PART: f64 = 0.5;

/// What the piles of a heap came to.
pub(crate) struct Found {
    /// Suspects, most convincing first.
    pub(crate) suspects: Vec<Suspect>,
    /// What would be one of them for its size, but did not grow since the earlier dumps.
    pub(crate) not_growing: Vec<Suspect>,
    /// What grew since the earlier dumps.
    pub(crate) growth: Vec<GrowthRow>,
}

/// Suspects, and what speaks of growth since the earlier dumps.
pub(crate) fn find(
    heap: &Heap<'_>,
    retention: &Retention,
    places: &Places,
    summary: &HeapSummary,
    earlier: &[HeapSummary],
    totals: &Totals,
) -> Found {
    let history = (!earlier.is_empty()).then(|| History::new(earlier, summary));
    let court = Court {
        heap,
        retention,
        places,
        tree: &summary.tree,
        totals,
        history: history.as_ref(),
    };
    let (suspects, not_growing) = court.suspects();
    Found {
        suspects,
        not_growing,
        growth: history
            .as_ref()
            .map_or_else(Vec::new, |history| history.rows(summary)),
    }
}

struct Court<'c, 'a> {
    heap: &'c Heap<'a>,
    retention: &'c Retention<'c>,
    places: &'c Places,
    tree: &'c PlaceTree,
    totals: &'c Totals,
    history: Option<&'c History>,
}

impl Court<'_, '_> {
    /// Suspects, and what is merely large where growth could be seen.
    fn suspects(&self) -> (Vec<Suspect>, Vec<Suspect>) {
        let piles = self.piles();
        let elements: Vec<u32> = piles
            .iter()
            .map(|pile| self.tree.nodes[pile.element].place)
            .collect();
        let shared = sharing::other_holders(self.heap, self.retention, self.places, &elements);
        let mut suspects: Vec<(f64, Suspect)> = piles
            .iter()
            .filter_map(|pile| {
                let place = self.tree.nodes[pile.element].place;
                let other = shared
                    .get(&place)
                    .and_then(|other| self.tree.nodes.iter().position(|node| node.place == *other));
                self.suspect(pile, other)
            })
            .collect();
        suspects.sort_by(|(a, first), (b, second)| {
            b.total_cmp(a)
                .then_with(|| first.sentence.cmp(&second.sentence))
        });
        let grows = |suspect: &Suspect| suspect.growth.as_ref().is_none_or(|g| self.has_grown(g));
        let (mut suspects, mut not_growing): (Vec<Suspect>, Vec<Suspect>) = suspects
            .into_iter()
            .map(|(_, suspect)| suspect)
            .partition(grows);
        suspects.truncate(MAX_SUSPECTS);
        not_growing.truncate(MAX_SUSPECTS);
        (suspects, not_growing)
    }

    /// Piles by size, and piles by growth that are not among them.
    fn piles(&self) -> Vec<Pile> {
        let heap_bytes = self.totals.bytes as f64;
        let least = LEAST_BYTES
            .max((heap_bytes * LEAST_SHARE) as u64)
            .min(LARGE_BYTES);
        let objects: Vec<u64> = self.tree.nodes.iter().map(|node| node.objects).collect();
        let bytes: Vec<u64> = self.tree.nodes.iter().map(|node| node.bytes).collect();
        let measure = Measure {
            objects: &objects,
            bytes: &bytes,
            gained: false,
        };
        let mut found = piles(self.tree, &measure, &Limits::of_size(least));
        if let Some(history) = self.history {
            let least = (LEAST_BYTES / 2).max((heap_bytes * LEAST_GAIN_SHARE) as u64);
            for pile in history.piles(self.tree, least.min(LARGE_BYTES)) {
                let known = |other: &Pile| {
                    other.owner == pile.owner
                        || self.tree.path(pile.owner).contains(&other.owner)
                        || self.tree.path(other.owner).contains(&pile.owner)
                };
                if !found.iter().any(known) {
                    found.push(pile);
                }
            }
        }
        found
    }

    /// The suspect that a pile makes, with its rank; `None` when it is none.
    fn suspect(&self, pile: &Pile, other: Option<usize>) -> Option<(f64, Suspect)> {
        let tree = self.tree;
        let element = &tree.nodes[pile.element];
        let thread = self.thread_of(pile);
        let wording = Wording::of(tree, pile.owner, thread.map(|thread| thread.name.as_str()));
        let (retained_bytes, is_shared) = self.retained(pile);
        let share = retained_bytes as f64 / (self.totals.bytes.max(1)) as f64;
        let growth = self.history.map(|history| history.of(pile));
        let mut verdict = Verdict {
            confidence: 0.0,
            counter_evidence: Vec::new(),
        };
        verdict.weigh_size(share, element.objects, pile.kind);
        // growth says what size alone may mean, and comes before all that excuses a place
        let explained = growth.as_ref().map(|growth| self.explained(growth));
        if let (Some(growth), Some(explained)) = (&growth, explained) {
            verdict.weigh_growth(growth, explained, self.has_grown(growth));
        }
        let tells = explained.is_some_and(|explained| explained >= TELLING_PART);
        let culprit = self.culprit(pile, &wording);
        verdict.weigh_owner(culprit, share, retained_bytes, tells);
        self.weigh_bounds(pile, tells, &mut verdict);
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
            objects: element.objects,
            bytes: match element.retained * 2 >= element.bytes {
                true => element.retained,
                false => element.bytes,
            },
        };
        let shared_with = other
            .filter(|_| is_shared)
            .map(|other| self.shared_text(other));
        if is_shared && shared_with.is_none() {
            verdict.speak_against(0.0, "other places refer to parts of it as well");
        }
        let sentence = self.sentence(pile, &wording, retained_bytes, share, shared_with);
        let rank = match &growth {
            // what grows comes before what is merely large
            Some(growth) => gain(growth) as f64 * verdict.confidence + share * verdict.confidence,
            None => retained_bytes as f64 * verdict.confidence,
        };
        let suspect = Suspect {
            sentence,
            retained_bytes,
            share,
            holder,
            accumulates,
            path: self.path(pile),
            growth,
            confidence: (verdict.confidence * 100.0).round() / 100.0,
            counter_evidence: verdict.counter_evidence,
            pattern: self.pattern(pile),
        };
        Some((rank, suspect))
    }

    /// Bytes freed if the pile went, and whether something besides its owner holds it.
    fn retained(&self, pile: &Pile) -> (u64, bool) {
        let tree = self.tree;
        let all = tree.nodes[pile.place()].bytes;
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
            PileKind::Threads | PileKind::Roots | PileKind::Finalizers
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

    /// The part of the heap's growth since the first dump that a pile explains, 0 to 1.
    fn explained(&self, growth: &SuspectGrowth) -> f64 {
        let heap = self.history.map_or(0, History::heap_gain) as f64;
        let least = self.totals.bytes as f64 * LEAST_HEAP_GAIN_SHARE;
        (gain(growth) as f64 / heap.max(least).max(1.0)).min(1.0)
    }

    /// Whether a pile gained enough to speak of.
    fn has_grown(&self, growth: &SuspectGrowth) -> bool {
        self.explained(growth) >= LEAST_PART || gain(growth) >= LARGE_BYTES
    }

    /// Collections that keep themselves small. The only reason to extend `LinkedHashMap` is to
    /// evict the eldest entry; such a map is a suspect only if it is seen to grow.
    fn weigh_bounds(&self, pile: &Pile, grows: bool, verdict: &mut Verdict) {
        for node in self.tree.path(pile.owner) {
            let class = &self.tree.nodes[node].class;
            if self.evicts(node) {
                verdict.speak_against(
                    if grows { 0.4 } else { 0.7 },
                    &format!(
                        "{} extends LinkedHashMap and may evict its eldest entry",
                        short_name(class)
                    ),
                );
            } else if class.starts_with("com.github.benmanes.caffeine.")
                || class.starts_with("com.google.common.cache.")
                || class.starts_with("org.ehcache.")
            {
                verdict.speak_against(
                    0.3,
                    &format!("{} is a cache that can bound itself", short_name(class)),
                );
                return;
            }
        }
    }

    fn evicts(&self, node: usize) -> bool {
        let place = &self.tree.nodes[node];
        if place.heaviest == NONE || owner(&place.class) == Owner::Platform {
            return false;
        }
        self.heap.classes.inherits(
            self.heap.class_number(place.heaviest),
            "java.util.LinkedHashMap",
            &self.heap.symbols,
        )
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
                todo.extend(targets.filter(|target| *target != NONE).take(4));
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
        bytes: u64,
        share: f64,
        shared_with: Option<String>,
    ) -> String {
        let element = &self.tree.nodes[pile.element];
        let count = grouped(element.objects);
        let class = short_name(&element.class);
        let size = format!("({}, {})", ByteSize(bytes), percent(share));
        let chain = wording.chain();
        let statement = match pile.kind {
            PileKind::Elements | PileKind::Roots if self.holds_loaders(pile) => {
                format!("{chain} holds {count} {class} that keep their class loaders {size}")
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
                format!(
                    "{} roots hold {count} {class} {size}",
                    element_root(&element.step)
                )
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
            PileKind::Threads => return Pattern::ThreadStack,
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
        let Role::Container(pattern) = self.tree.nodes[pile.owner].role else {
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
        let object = self.tree.nodes[pile.place()].heaviest;
        if object == NONE || self.retention.strengths.len() <= object as usize {
            return Vec::new();
        }
        paths::steps(
            self.heap,
            &paths::chain(object, |object| self.places.parent(self.retention, object)),
        )
    }
}

/// What speaks for and against a suspect.
struct Verdict {
    confidence: f64,
    counter_evidence: Vec<String>,
}

impl Verdict {
    fn speak_against(&mut self, weight: f64, evidence: &str) {
        self.confidence -= weight;
        self.counter_evidence.push(evidence.to_owned());
    }

    fn weigh_size(&mut self, share: f64, objects: u64, kind: PileKind) {
        let by_share = (share / 0.3).min(1.0);
        let by_count = ((objects.max(1) as f64).log10() / 4.0).min(1.0);
        self.confidence = 0.45 + 0.25 * by_share + 0.25 * by_count;
        if kind == PileKind::Single {
            self.speak_against(
                0.2,
                "it is one object, which may well have the size it is meant to have",
            );
        }
        if share < LEAST_SHARE {
            self.speak_against(0.1, "it is a small part of the heap");
        }
    }

    /// What the runtime, agents and libraries keep is mostly meant to be kept, unless it is what
    /// makes the heap grow.
    fn weigh_owner(&mut self, culprit: Owner, share: f64, bytes: u64, grows: bool) {
        let (least_share, least_bytes, doubt) = match culprit {
            Owner::Application => return,
            Owner::Library => (0.15, 8 << 20, 0.1),
            Owner::Agent | Owner::Platform => (0.4, 32 << 20, 0.25),
        };
        if !grows && (share < least_share || bytes < least_bytes) {
            self.confidence = 0.0;
        } else {
            self.speak_against(doubt, "no class of the application takes part in it");
        }
    }

    /// Where growth is measured, size is half of the case, and the part of the heap's growth
    /// that the place explains is the other half.
    fn weigh_growth(&mut self, growth: &SuspectGrowth, explained: f64, has_grown: bool) {
        if !has_grown {
            // large, but no larger than before: not a leak, at least not between these dumps
            let grew = if gain(growth) > 0 {
                "hardly grew"
            } else {
                "did not grow"
            };
            return self.speak_against(0.4, &format!("it {grew} between the dumps"));
        }
        self.confidence = self.confidence.min(0.5) + 0.49 * explained;
        if explained < TELLING_PART {
            let evidence = format!(
                "it explains only {} of what the heap gained between the dumps",
                percent(explained)
            );
            self.speak_against(0.1, &evidence);
        }
        let rises = |values: &[u64]| values.windows(2).all(|pair| pair[0] < pair[1]);
        if !rises(&growth.objects) && !rises(&growth.bytes) {
            self.speak_against(0.1, "it did not grow between all of the dumps");
        }
    }
}

/// Bytes gained from the first to the last dump.
fn gain(growth: &SuspectGrowth) -> u64 {
    match (growth.bytes.first(), growth.bytes.last()) {
        (Some(first), Some(last)) => last.saturating_sub(*first),
        _ => 0,
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

/// `91 %`, `0.4 %`.
fn percent(share: f64) -> String {
    let percent = share * 100.0;
    if percent >= 1.0 {
        format!("{percent:.0} %")
    } else {
        format!("{percent:.1} %")
    }
}
