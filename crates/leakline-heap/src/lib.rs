//! Object graph of a heap dump.

mod analyze;
mod classes;
mod collections;
mod dominators;
mod error;
mod graph;
mod growth;
mod index;
mod layout;
mod load;
mod paths;
mod place_tree;
mod places;
mod reachability;
mod records;
mod report;
mod roots;
mod scan;
mod strings;
mod suspects;
mod symbols;

pub use analyze::{Analysis, AnalyzeOptions, analyze};
pub use error::HeapError;
pub use graph::Heap;
pub use growth::{HeapSummary, growth};
pub use load::{LoadOptions, Phase, Progress, References, load};
pub use reachability::Strength;
pub use report::*;
pub use roots::{Frame, Local, Root, RootKind, Thread};
