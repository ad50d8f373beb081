//! Looking inside a heap: single objects, classes, threads and strings, and what holds them.
//!
//! An [`Inspector`] knows who dominates whom; each question has a method and an answer of plain
//! values. Values of fields and texts of strings are decoded from the dump when they are asked
//! for, so nothing is kept for objects that nobody looks at.
//!
//! Memory: that of the retained sizes, and while a question is answered a few bytes per object.

mod content;
mod diff;
mod dominators;
mod find;
mod object;
mod paths;
mod strings;
mod threads;

pub use diff::{Diff, DiffRest, DiffRow, Size, Sizes, diff};
pub use dominators::{DominatorNode, Dominators};
pub use find::{Found, Query};
pub use object::{FieldValue, FieldView, ObjectView, Referrer};
pub use paths::{MergedPath, MergedPaths};
pub use strings::{DuplicateText, StringHolder, Strings};
pub use threads::{FrameView, ThreadView, Threads};

use leakline_model::Glob;

use crate::collections::short_name;
use crate::graph::{Heap, NONE};
use crate::growth::ProgramClasses;
use crate::load::{Phase, Progress};
use crate::reachability::Strength;
use crate::report::{ClassRow, DumpFacts, Totals};
use crate::retention::{Retention, Visitor};

/// Answers questions about a heap.
pub struct Inspector<'h, 'a> {
    heap: &'h Heap<'a>,
    retention: &'h Retention<'a>,
}

/// Which rows of an answer are wanted.
#[derive(Clone, Debug)]
pub struct Filter {
    /// Full class names: `com.acme.*`, `byte[]`.
    pub class: Option<Glob>,
    /// Only what retains more than so many bytes.
    pub retained_over: Option<u64>,
    /// Rows at most.
    pub limit: usize,
}

/// One object in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectRow {
    /// Its id in the dump: its address.
    pub object_id: u64,
    /// Its class; for a class object, `class ` and the name of what it represents.
    pub class: String,
    /// The text of a string, the name of a thread, the length of an array: `[17]`; empty for
    /// others.
    pub label: String,
    /// Its own size.
    pub shallow_bytes: u64,
    /// Bytes that would be freed with it; 0 when it is unreachable.
    pub retained_bytes: u64,
}

/// What a list leaves out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rest {
    /// How many rows.
    pub rows: u64,
    /// Their bytes: retained where the rows are objects, shallow where they are classes.
    pub bytes: u64,
}

/// Classes by shallow size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Histogram {
    /// Largest first.
    pub rows: Vec<ClassRow>,
    /// Classes that match but are beyond the limit.
    pub rest: Rest,
}

/// Why a question has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InspectError {
    /// No class in the dump has such a name.
    #[error("no class matches {pattern:?}; {}", hint(.pattern, .similar))]
    NoSuchClass {
        /// What was asked for.
        pattern: String,
        /// Full names of classes that may have been meant.
        similar: Vec<String>,
    },
    /// No object in the dump has this id.
    #[error(
        "no object at {id:#x}; ids are addresses of this very dump, as `leakline heap find` lists them"
    )]
    NoSuchObject {
        /// What was asked for.
        id: u64,
    },
}

fn hint(pattern: &str, similar: &[String]) -> String {
    match similar {
        [] => format!("names are full, as in java.lang.String; try \"*{pattern}*\""),
        names => format!("did you mean {}?", names.join(" or ")),
    }
}

impl InspectError {
    /// `names` are those that there are.
    fn no_such_class<'n>(glob: &Glob, names: impl Iterator<Item = &'n str>) -> Self {
        const SIMILAR: usize = 3;
        let mut similar: Vec<String> = names
            .filter(|name| short_name(name).eq_ignore_ascii_case(short_name(glob.as_str())))
            .map(str::to_owned)
            .collect();
        similar.sort_unstable();
        similar.dedup();
        similar.truncate(SIMILAR);
        InspectError::NoSuchClass {
            pattern: glob.as_str().to_owned(),
            similar,
        }
    }
}

/// Collects objects as a walk through the dominator tree enters them.
struct Order(Vec<u32>);

impl Visitor for Order {
    fn enter(&mut self, object: u32) {
        self.0.push(object);
    }

    fn enter_owned(&mut self, _owner: u32, _position: u32, object: u32) {
        self.0.push(object);
    }

    fn leave(&mut self, _object: u32) {}
}

impl<'h, 'a> Inspector<'h, 'a> {
    /// Computes what every object retains.
    ///
    /// Memory, besides the heap's own: up to 60 bytes per object while it runs, 20 after.
    pub fn new(heap: &'h Heap<'a>) -> Self {
        Inspector::with_progress(heap, None)
    }

    /// The same; `progress` is told how far that is.
    pub fn with_progress(heap: &'h Heap<'a>, progress: Option<Progress<'_>>) -> Self {
        let tell = |part: f32| {
            if let Some(progress) = progress {
                progress(Phase::Retain, part);
            }
        };
        let retention = heap.retention(&tell);
        Inspector { heap, retention }
    }

    /// What the dump is and what was wrong with it.
    pub fn facts(&self) -> &DumpFacts {
        self.heap.facts()
    }

    /// By what the process is known.
    pub fn program_classes(&self) -> ProgramClasses {
        ProgramClasses::of(self.heap)
    }

    /// Sums over the heap.
    pub fn totals(&self) -> &Totals {
        self.heap.totals()
    }

    /// Classes by shallow size.
    ///
    /// # Errors
    ///
    /// When no class matches.
    pub fn histogram(&self, filter: &Filter) -> Result<Histogram, InspectError> {
        self.classes(filter)?;
        let mut rows = self.heap.histogram().to_vec();
        rows.retain(|row| {
            let is_named = |glob: &Glob| glob.matches(&row.class);
            filter.class.as_ref().is_none_or(is_named)
                && filter
                    .retained_over
                    .is_none_or(|least| row.retained_bytes > least)
        });
        let left_out = rows.split_off(rows.len().min(filter.limit));
        let rest = Rest {
            rows: left_out.len() as u64,
            bytes: left_out.iter().map(|row| row.shallow_bytes).sum(),
        };
        Ok(Histogram { rows, rest })
    }

    // What follows is all that the questions need of the engine.

    fn retained(&self, object: u32) -> u64 {
        self.retention.bytes(object)
    }

    fn strength(&self, object: u32) -> Strength {
        self.retention.strengths[object as usize]
    }

    fn is_reachable(&self, object: u32) -> bool {
        self.strength(object) != Strength::Unreachable
    }

    /// [`NONE`] for top-level and unreachable objects.
    fn dominator(&self, object: u32) -> u32 {
        self.retention.immediate[object as usize]
    }

    /// Reachable objects, each after its dominator.
    fn in_dominator_order(&self) -> Vec<u32> {
        let mut order = Order(Vec::new());
        self.retention.walk(self.heap, &mut order);
        order.0
    }

    fn objects(&self) -> std::ops::Range<u32> {
        0..self.heap.len() as u32
    }

    /// By class number, whether it is asked for; `None` when all are.
    fn classes(&self, filter: &Filter) -> Result<Option<Vec<bool>>, InspectError> {
        let Some(glob) = &filter.class else {
            return Ok(None);
        };
        let names = || {
            let classes = self.heap.classes.table.iter();
            classes.map(|class| self.heap.name(class.name))
        };
        let wanted: Vec<bool> = names().map(|name| glob.matches(name)).collect();
        if wanted.contains(&true) {
            return Ok(Some(wanted));
        }
        Err(InspectError::no_such_class(glob, names()))
    }

    /// Reachable objects that pass the filter, whatever its limit.
    fn matching(&self, filter: &Filter) -> Result<Vec<u32>, InspectError> {
        let classes = self.classes(filter)?;
        let is_wanted = |object: &u32| {
            let of_class = |classes: &Vec<bool>| classes[self.heap.class_number(*object) as usize];
            classes.as_ref().is_none_or(of_class) && self.is_large(*object, filter)
        };
        let objects = self.objects().filter(|object| self.is_reachable(*object));
        Ok(objects.filter(is_wanted).collect())
    }

    fn is_large(&self, object: u32, filter: &Filter) -> bool {
        filter
            .retained_over
            .is_none_or(|least| self.retained(object) > least)
    }

    /// Keeps the `limit` objects that retain most, in that order, and sums up the others.
    fn largest(&self, objects: &mut Vec<u32>, limit: usize) -> Rest {
        let by_size = |object: &u32| (std::cmp::Reverse(self.retained(*object)), *object);
        if objects.len() > limit && limit > 0 {
            objects.select_nth_unstable_by_key(limit - 1, by_size);
        }
        let left_out = objects.split_off(objects.len().min(limit));
        objects.sort_unstable_by_key(by_size);
        Rest {
            rows: left_out.len() as u64,
            bytes: left_out.iter().map(|object| self.retained(*object)).sum(),
        }
    }

    fn resolve(&self, id: u64) -> Result<u32, InspectError> {
        self.heap.find(id).ok_or(InspectError::NoSuchObject { id })
    }
}

fn some(object: u32) -> Option<u32> {
    (object != NONE).then_some(object)
}
