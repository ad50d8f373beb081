//! Object graph of a heap dump: what holds the memory of a JVM, and what probably leaks.
//!
//! [`load`] turns the bytes of an HPROF dump into a [`Heap`], a graph in flat arrays; [`analyze`]
//! finds reachability, dominators, retained sizes and suspects, as a [`HeapReport`]. For several
//! dumps of one process, analyse them oldest first and hand the [`HeapSummary`] of each to the
//! next: then what grew decides. How it all works, and how it compares with other analysers,
//! stands in `docs/heap-analysis.md`.
//!
//! This crate reads no files, inflates nothing (it is handed the dump as bytes), and writes no
//! text but the sentences of its findings; the report's JSON, Markdown and HTML are made
//! elsewhere. Reading the format itself is the business of `leakline-hprof`.
//!
//! ```no_run
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let (first_dump, second_dump): (Vec<u8>, Vec<u8>) = Default::default();
//! use leakline_heap::{AnalyzeOptions, LoadOptions, analyze, load};
//!
//! let first = analyze(&load(&first_dump, &LoadOptions::default())?, &AnalyzeOptions::default());
//! let options = AnalyzeOptions {
//!     earlier: &[first.summary],
//!     ..AnalyzeOptions::default()
//! };
//! let second = analyze(&load(&second_dump, &LoadOptions::default())?, &options);
//! for suspect in &second.report.suspects {
//!     assert!(!suspect.sentence.is_empty());
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Modules, in reading order
//!
//! - `load`: from bytes to graph; `scan` and `passes` go over the dump, `index`, `records`,
//!   `class_table`, `classes`, `shapes`, `layout`, `roots` and `strings` are their parts.
//! - `values`, `twins`: what is kept of the values of objects while references are read.
//! - `graph`: the [`Heap`]; `rows`, `columns` and `bits` are how it comes to be small.
//! - `virtual_threads`: roots that JVMs before JDK 22 leave out.
//! - `retention`, `dominators`: what is held, how strongly, and by what; `reachability`: how
//!   strongly alone.
//! - `paths`: shortest paths from roots. `places` and `place_tree`: every object filed under its
//!   path, so that piles show even where nothing dominates them.
//! - `collections`: what is known of the JDK's collections, frameworks and agents, as data.
//! - `histogram`: sums by class. `native`: what objects keep allocated outside of the heap.
//!   `waste`: what the heap could do without.
//! - `inspect`: looking at single objects, classes, threads and strings.
//! - `trend`: how a size changes over dumps. `suspects`, `growth`: from places to findings.
//!   `analyze`: the report.
//! - `heap_index`: all that was found as bytes, for a second look.

#![deny(clippy::disallowed_methods)]

mod analyze;
mod bits;
mod class_table;
mod classes;
mod collections;
mod columns;
mod dominators;
mod error;
mod fields;
mod graph;
mod growth;
mod heap_index;
mod histogram;
mod index;
pub mod inspect;
mod known_holders;
mod layout;
mod load;
mod native;
mod passes;
mod paths;
mod place_tree;
mod places;
mod reachability;
mod records;
mod report;
mod retention;
mod roots;
mod rows;
mod scan;
mod shapes;
mod strings;
mod suspects;
mod symbols;
mod trend;
mod twins;
mod values;
mod virtual_threads;
mod waste;

pub use analyze::{Analysis, AnalyzeOptions, analyze};
pub use error::HeapError;
pub use graph::Heap;
pub use growth::{HeapSummary, ProgramClasses};
pub use heap_index::{DumpIdentity, HeapIndex, IndexError, IndexSource, write_index};
pub use load::{LoadOptions, Phase, Progress, References, Release, load};
pub use reachability::Strength;
pub use report::*;
pub use roots::{Frame, Local, Root, RootKind, Thread};
