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
//! - `load`: the passes over the dump; `scan`, `index`, `records`, `classes`, `layout`, `roots`
//!   and `strings` are their parts.
//! - `graph`: the [`Heap`]; `rows`, `shapes` and `bits` are how it comes to be small.
//! - `retention`, `dominators`: what is held, how strongly, and by what; `reachability`: how
//!   strongly alone.
//! - `paths`: shortest paths from roots. `places` and `place_tree`: every object filed under its
//!   path, so that piles show even where nothing dominates them.
//! - `collections`: what is known of the JDK's collections, frameworks and agents, as data.
//! - `histogram`: sums by class.
//! - `inspect`: looking at single objects, classes, threads and strings.
//! - `suspects`, `growth`: from places to findings. `analyze`: the report.
//! - `heap_index`: all that was found as bytes, for a second look.

#![deny(clippy::disallowed_methods)]

mod analyze;
mod bits;
mod classes;
mod collections;
mod dominators;
mod error;
mod graph;
mod growth;
mod heap_index;
mod histogram;
mod index;
pub mod inspect;
mod layout;
mod load;
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

pub use analyze::{Analysis, AnalyzeOptions, analyze};
pub use error::HeapError;
pub use graph::Heap;
pub use growth::{HeapSummary, growth};
pub use heap_index::{DumpIdentity, HeapIndex, IndexError, IndexSource, write_index};
pub use load::{LoadOptions, Phase, Progress, References, Release, load};
pub use reachability::Strength;
pub use report::*;
pub use roots::{Frame, Local, Root, RootKind, Thread};
