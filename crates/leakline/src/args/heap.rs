//! `leakline heap`: the questions that can be put to a dump.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use leakline_model::Glob;

use super::{Format, IndexArguments, ReferenceKinds, TEMPLATE};
use crate::byte_size::parse_byte_size;

/// `leakline heap`
#[derive(Debug, Args)]
#[command(help_template = TEMPLATE, arg_required_else_help = true, before_help = "\
Examples:
  leakline heap histogram heap.hprof --class 'com.acme.*'   which classes take the memory
  leakline heap histogram old.hprof new.hprof               which classes gained memory
  leakline heap dominators heap.hprof                       which objects keep it
  leakline heap paths heap.hprof --class com.acme.Order     what holds all orders
  leakline heap object heap.hprof 0x7ff8a0                  one object, field by field
  leakline heap find heap.hprof --value order-4711          where a text is
  leakline heap threads heap.hprof                          what each stack frame holds
  leakline heap strings heap.hprof                          duplicate and large strings")]
pub struct HeapArguments {
    /// What to ask.
    #[command(subcommand)]
    pub question: HeapQuestion,
}

/// The questions.
#[derive(Debug, Subcommand)]
pub enum HeapQuestion {
    /// Classes: instances, shallow and retained sizes
    Histogram(HistogramArguments),
    /// The largest objects, and what lies below them in the dominator tree
    Dominators(DominatorsArguments),
    /// The shortest paths from GC roots to all instances of a class, merged; or to one object
    Paths(PathsArguments),
    /// One object: fields with values, referrers, dominator, path from a root
    Object(ObjectArguments),
    /// Objects by class, by text of a string, by value of a field
    Find(FindArguments),
    /// Threads: stacks frame by frame with what each frame holds
    Threads(ThreadsArguments),
    /// Strings: duplicates counted in full, and the largest
    Strings(StringsArguments),
}

/// What all questions share.
#[derive(Debug, Args)]
pub struct InspectArguments {
    /// Rows of each list at most
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub limit: usize,
    /// Which references hold memory
    #[arg(long, value_enum, default_value_t = ReferenceKinds::Strong)]
    pub references: ReferenceKinds,
    /// Whether to use and keep an index
    #[command(flatten)]
    pub index: IndexArguments,
    /// Form of the answer
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// Write the answer to FILE instead of standard output
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// Which objects or classes.
#[derive(Debug, Args)]
pub struct FilterArguments {
    /// Only these classes, by full name: com.acme.Order, 'com.acme.*', 'byte[]'
    #[arg(long, value_name = "GLOB", value_parser = parse_glob)]
    pub class: Option<Glob>,
    /// Only what retains more than this: 64K, 10MiB
    #[arg(long, value_name = "SIZE", value_parser = parse_byte_size)]
    pub retained_over: Option<u64>,
}

/// `leakline heap histogram`
#[derive(Debug, Args)]
#[command(help_template = TEMPLATE, before_help = "\
Examples:
  leakline heap histogram heap.hprof --limit 50
  leakline heap histogram heap.hprof --class 'com.acme.*' --retained-over 10MiB --format json
  leakline heap histogram old.hprof new.hprof           what each class gained")]
pub struct HistogramArguments {
    /// The heap dump (HPROF, plain or gzip); with several, oldest first, what changed
    #[arg(required = true, value_name = "DUMP")]
    pub dumps: Vec<PathBuf>,
    /// Which classes
    #[command(flatten)]
    pub filter: FilterArguments,
    /// How to answer
    #[command(flatten)]
    pub inspect: InspectArguments,
}

/// `leakline heap dominators`
#[derive(Debug, Args)]
#[command(help_template = TEMPLATE, before_help = "\
Examples:
  leakline heap dominators heap.hprof                          the largest objects
  leakline heap dominators heap.hprof --class 'java.util.*Map' the largest maps, wherever they are
  leakline heap dominators heap.hprof --object 0x7ff8a0 --depth 4
                                                               what is below one object
  leakline heap dominators old.hprof new.hprof                 what gained memory, and where")]
pub struct DominatorsArguments {
    /// The heap dump (HPROF, plain or gzip); with several, oldest first, what changed
    #[arg(required = true, value_name = "DUMP")]
    pub dumps: Vec<PathBuf>,
    /// Look below this object
    #[arg(long, value_name = "ID", value_parser = parse_id, conflicts_with = "class")]
    pub object: Option<u64>,
    /// Levels of the tree to show [default: 0; with --object or several dumps 2]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(0..=64))]
    pub depth: Option<u8>,
    /// Which objects
    #[command(flatten)]
    pub filter: FilterArguments,
    /// How to answer
    #[command(flatten)]
    pub inspect: InspectArguments,
}

/// `leakline heap paths`
#[derive(Debug, Args)]
#[command(help_template = TEMPLATE, before_help = "\
Examples:
  leakline heap paths heap.hprof --class com.acme.Order
  leakline heap paths heap.hprof --class 'char[]' --retained-over 1MiB
  leakline heap paths heap.hprof --object 0x7ff8a0 --references all")]
pub struct PathsArguments {
    /// The heap dump (HPROF, plain or gzip)
    pub dump: PathBuf,
    /// The path to this object
    #[arg(long, value_name = "ID", value_parser = parse_id, conflicts_with = "class")]
    pub object: Option<u64>,
    /// Which objects
    #[command(flatten)]
    pub filter: FilterArguments,
    /// How to answer
    #[command(flatten)]
    pub inspect: InspectArguments,
}

/// `leakline heap object`
#[derive(Debug, Args)]
#[command(help_template = TEMPLATE, before_help = "\
Examples:
  leakline heap object heap.hprof 0x7ff8a0
  leakline heap object heap.hprof 0x7ff8a0 --limit 1000    all elements, referrers and characters")]
pub struct ObjectArguments {
    /// The heap dump (HPROF, plain or gzip)
    pub dump: PathBuf,
    /// The object's id: its address, as other answers show it
    #[arg(value_name = "ID", value_parser = parse_id)]
    pub object: u64,
    /// How to answer
    #[command(flatten)]
    pub inspect: InspectArguments,
}

/// `leakline heap find`
#[derive(Debug, Args)]
#[command(help_template = TEMPLATE, before_help = "\
Examples:
  leakline heap find heap.hprof --class com.acme.Order         the largest orders
  leakline heap find heap.hprof --value ada@example.com        strings that contain it
  leakline heap find heap.hprof --class com.acme.Order --field id --value 4711
                                                               the order with this id
  leakline heap find heap.hprof --class com.acme.Order --value ada@example.com
                                                               orders with such a string")]
pub struct FindArguments {
    /// The heap dump (HPROF, plain or gzip)
    pub dump: PathBuf,
    /// A text that a string contains, or that a primitive field equals
    #[arg(long, value_name = "TEXT")]
    pub value: Option<String>,
    /// The field that has the value, or refers to the string
    #[arg(long, value_name = "GLOB", value_parser = parse_glob, requires = "value")]
    pub field: Option<Glob>,
    /// Which objects
    #[command(flatten)]
    pub filter: FilterArguments,
    /// How to answer
    #[command(flatten)]
    pub inspect: InspectArguments,
}

/// `leakline heap threads`
#[derive(Debug, Args)]
#[command(help_template = TEMPLATE, before_help = "\
Examples:
  leakline heap threads heap.hprof --retained-over 1MiB
  leakline heap threads heap.hprof --class com.acme.Order      threads with orders on their stack")]
pub struct ThreadsArguments {
    /// The heap dump (HPROF, plain or gzip)
    pub dump: PathBuf,
    /// Which threads
    #[command(flatten)]
    pub filter: FilterArguments,
    /// How to answer
    #[command(flatten)]
    pub inspect: InspectArguments,
}

/// `leakline heap strings`
#[derive(Debug, Args)]
#[command(help_template = TEMPLATE, before_help = "\
Examples:
  leakline heap strings heap.hprof
  leakline heap strings heap.hprof --wasted-over 1MiB --format json")]
pub struct StringsArguments {
    /// The heap dump (HPROF, plain or gzip)
    pub dump: PathBuf,
    /// Only texts whose duplicates waste more than this, and strings that retain more: 64K, 10MiB
    #[arg(long, visible_alias = "retained-over", value_name = "SIZE", value_parser = parse_byte_size)]
    pub wasted_over: Option<u64>,
    /// How to answer
    #[command(flatten)]
    pub inspect: InspectArguments,
}

fn parse_glob(text: &str) -> Result<Glob, std::convert::Infallible> {
    Ok(Glob::new(text))
}

/// Ids as answers show them, `0x7ff8a0`; also `@ 0x7ff8a0` and without the prefix.
fn parse_id(text: &str) -> Result<u64, String> {
    let digits = text.trim_start_matches(['@', ' ']);
    let digits = digits
        .strip_prefix("0x")
        .or_else(|| digits.strip_prefix("0X"))
        .unwrap_or(digits);
    u64::from_str_radix(digits, 16)
        .map_err(|_| format!("not an object id: {text:?}; write the address as 0x7ff8a0"))
}
