//! What keeps a collection from growing without end, as far as one dump shows it.
//!
//! A leak and a cache at its limit look alike but for the limit: a number that the program keeps
//! beside the collection and calls so, or a collection that cannot grow by its nature.

use leakline_hprof::Value;
use leakline_model::grouped;

use super::piles::{Pile, PileKind};
use crate::collections::{self, Owner, Role, is_limit, owner, short_name};
use crate::graph::{Heap, NONE};
use crate::place_tree::PlaceTree;
use crate::places::Places;
use crate::retention::Retention;

/// Why a pile may end by itself.
pub(super) struct Bound {
    /// How much it speaks against a leak, 0 to 1.
    pub(super) weight: f64,
    pub(super) evidence: String,
}

/// It cannot grow, or no further.
const CERTAIN: f64 = 0.7;
/// It has a limit, but much more would have to pile up before that is reached.
const DISTANT: f64 = 0.3;
/// Objects on the way to a collection, its own classes not counted, in which a limit is looked
/// for.
const NEAR: usize = 2;
/// Steps up from a collection.
const MAX_STEPS: usize = 8;
/// A limit so many times as high as what is there is none.
const FARTHEST: u64 = 16;
/// Fewer threads are usual: what each of them has once is not many.
const USUAL_THREADS: u64 = 64;

pub(super) struct Bounds<'b, 'a> {
    pub(super) heap: &'b Heap<'a>,
    pub(super) retention: &'b Retention<'b>,
    pub(super) places: &'b Places,
    pub(super) tree: &'b PlaceTree,
}

/// A number beside a collection that is called a limit.
struct Limit {
    name: String,
    value: u64,
}

impl Bounds<'_, '_> {
    /// What bounds the pile, if anything does.
    pub(super) fn of(&self, pile: &Pile) -> Option<Bound> {
        let holders = self.tree.nodes[pile.owner].objects.max(1);
        if pile.kind == PileKind::Threads && holders < USUAL_THREADS {
            return Some(Bound {
                weight: DISTANT,
                evidence: format!("a pool of {holders} threads is nothing unusual"),
            });
        }
        let container = self.tree.nodes[pile.owner].heaviest;
        if pile.kind != PileKind::Elements || container == NONE {
            return None;
        }
        self.by_nature(container)
            .or_else(|| self.by_limit(container, pile.objects(self.tree) / holders))
            .or_else(|| self.by_length(container, pile))
    }

    /// Whether this is a cache that was made without any limit: it has numbers for limits, and
    /// none is set.
    pub(super) fn is_unlimited(&self, cache: u32) -> bool {
        if cache == NONE {
            return false;
        }
        let heap = self.heap;
        match heap.class_name(cache) {
            "com.github.benmanes.caffeine.cache.UnboundedLocalCache" => true,
            "com.google.common.cache.LocalCache" => heap
                .fields_of(cache)
                .iter()
                .filter(|field| {
                    let name = heap.name(field.name);
                    name == "maxWeight" || name.starts_with("expireAfter")
                })
                .all(|field| number(field.value).unwrap_or(0) == 0),
            _ => false,
        }
    }

    /// Collections that cannot grow, and those made to stay small.
    fn by_nature(&self, container: u32) -> Option<Bound> {
        let heap = self.heap;
        let certain = |evidence| {
            Some(Bound {
                weight: CERTAIN,
                evidence,
            })
        };
        for object in self.wrapped(container) {
            let class = heap.class_name(object);
            let short = short_name(class);
            if collections::is_immutable(class) {
                return certain(format!("{short} cannot grow"));
            }
            if collections::is_view(class) && self.holds_alone(object) {
                return certain(format!(
                    "{short} cannot be added to, and nothing else refers to what is behind it"
                ));
            }
            let lru = "java.util.LinkedHashMap";
            if owner(class) != Owner::Platform
                && heap
                    .classes
                    .inherits(heap.class_number(object), lru, &heap.symbols)
            {
                return certain(format!(
                    "{short} extends LinkedHashMap and may evict its eldest entry"
                ));
            }
        }
        None
    }

    /// A collection and those that it only wraps, outermost first.
    fn wrapped(&self, container: u32) -> Vec<u32> {
        let heap = self.heap;
        let mut found = vec![container];
        for _ in 0..4 {
            let last = found[found.len() - 1];
            let inner = heap.row(last).iter().copied().find(|object| {
                // a synchronized collection refers to itself as what to lock
                *object != NONE
                    && !found.contains(object)
                    && collections::is_wrapper(heap.class_name(last))
                    && self.is_collection(*object)
            });
            match inner {
                Some(inner) => found.push(inner),
                None => break,
            }
        }
        found
    }

    fn is_collection(&self, object: u32) -> bool {
        let heap = self.heap;
        heap.classes
            .ancestry(heap.class_number(object))
            .any(|class| collections::is_container(heap.name(heap.classes.get(class).name)))
    }

    /// Whether only this wrapper refers to the collection behind it.
    fn holds_alone(&self, wrapper: u32) -> bool {
        let inner = self.wrapped(wrapper).get(1).copied();
        inner.is_some_and(|inner| self.retention.immediate[inner as usize] == wrapper)
    }

    /// A limit in the collection, in an object nearby, or among the constants of its class.
    fn by_limit(&self, container: u32, each: u64) -> Option<Bound> {
        // some elements may have been found on a shorter way
        let reached = |limit: &Limit| limit.value + limit.value / 50 >= each;
        let nearest = self
            .limits(container)
            .into_iter()
            .filter(|limit| reached(limit) && limit.value / FARTHEST <= each)
            .min_by(|a, b| a.value.cmp(&b.value).then_with(|| a.name.cmp(&b.name)))?;
        let (name, value) = (&nearest.name, grouped(nearest.value));
        Some(match nearest.value <= each * 2 {
            true => Bound {
                weight: CERTAIN,
                evidence: format!("{name} bounds it to {value}"),
            },
            false => Bound {
                weight: DISTANT,
                evidence: format!("{name} bounds it to {value}, which it is far from"),
            },
        })
    }

    fn limits(&self, container: u32) -> Vec<Limit> {
        let heap = self.heap;
        let mut limits = Vec::new();
        let mut near = 0;
        let mut object = container;
        for _ in 0..MAX_STEPS {
            if object == NONE || near == NEAR {
                break;
            }
            if let Some(class) = heap.class_of_mirror(object) {
                self.constants(class, &mut limits);
                break;
            }
            let class = heap.class_number(object);
            let of_platform = owner(heap.class_name(object)) == Owner::Platform;
            // of the runtime's classes only collections speak of the limit that users set
            if !of_platform || object == container {
                let fields = heap.fields_of(object);
                limits.extend(fields.iter().filter_map(|field| {
                    let name = heap.name(field.name);
                    let declared_by = heap.name(heap.classes.get(field.declared_by).name);
                    let wanted = match owner(declared_by) {
                        Owner::Platform => name == "capacity",
                        _ => is_limit(name),
                    };
                    let name = format!("{}.{name}", short_name(declared_by));
                    limit(name, number(field.value)?).filter(|_| wanted)
                }));
            }
            if !of_platform && !heap.class_name(object).ends_with("[]") {
                self.constants(class, &mut limits);
                near += 1;
            }
            object = self.places.parent(self.retention, object);
        }
        limits
    }

    /// Constants of a class that are called limits.
    fn constants(&self, class: u32, limits: &mut Vec<Limit>) {
        let class = self.heap.classes.get(class);
        let declared_by = self.heap.name(class.name);
        if owner(declared_by) == Owner::Platform {
            return;
        }
        limits.extend(class.static_limits.iter().filter_map(|(name, value)| {
            let name = format!("{}.{}", short_name(declared_by), self.heap.name(*name));
            limit(name, *value)
        }));
    }

    /// An array in an object of the program that knows a position, but no size that would tell
    /// how much of the array is in use: a buffer that is written round and round.
    fn by_length(&self, array: u32, pile: &Pile) -> Option<Bound> {
        let heap = self.heap;
        let is_array = matches!(
            self.tree.nodes[pile.owner].role,
            Role::Container(crate::report::Pattern::Array)
        );
        let holder = self.places.parent(self.retention, array);
        if !is_array || holder == NONE || owner(heap.class_name(holder)) == Owner::Platform {
            return None;
        }
        let (length, filled) = match heap.records.find(&[heap.id(array)]).first() {
            Some(leakline_hprof::HeapRecord::ObjectArray { elements, .. }) => {
                (elements.len() as u64, heap.row(array).len() as u64)
            }
            _ => return None,
        };
        let numbers: Vec<u64> = heap
            .fields_of(holder)
            .iter()
            .filter_map(|field| number(field.value))
            .collect();
        let is_ring = filled == length
            && pile.objects(self.tree) <= length
            && !numbers.is_empty()
            && !numbers.contains(&length);
        is_ring.then(|| Bound {
            weight: CERTAIN,
            evidence: format!(
                "it is an array of {} that is full, beside a position",
                grouped(length)
            ),
        })
    }
}

fn limit(name: String, value: u64) -> Option<Limit> {
    (value > 0).then_some(Limit { name, value })
}

fn number(value: Value) -> Option<u64> {
    match value {
        Value::Int(value) => u64::try_from(value).ok(),
        Value::Long(value) => u64::try_from(value).ok(),
        _ => None,
    }
}
