//! A copy of a dump without the values in it.
//!
//! The copy has the same objects with the same ids, classes, sizes and references, the same
//! roots, threads and stacks; analysing it gives the same answer. Every primitive value is zero:
//! fields, static fields, elements of arrays, and with these the text of every string. What is to
//! stay is named ([`Redaction::keep`]); nothing stays because it looks harmless.
//!
//! # What passes
//!
//! Only what was understood is written, so that nothing unknown slips through:
//!
//! - UTF8 records to which a class, field, frame, thread or heap refers by id. All others are
//!   dropped: HotSpot writes its whole symbol table, and in it the text of every string literal
//!   in the program, passwords among them. A literal that is also a name cannot be told from it.
//! - Of an instance the bytes of its reference fields, as its class describes them. An instance
//!   of a class that the dump does not describe keeps its size, and nothing else.
//! - Roots, arrays of references, headers of records: ids, serials, lengths and types.
//! - Statistics of profiling agents: counts and serials.
//!
//! What is a reference and what a value is taken from the dump: one that was forged so that values
//! pass for ids is beyond this. Records with unknown tags are dropped. Where a heap segment cannot be read on, the copy of it
//! ends with a byte 0, which is no tag, and where the input is cut off, the last segment claims
//! more bytes than there are: so a reader of the copy learns that something is missing.
//!
//! # Cost
//!
//! Up to four passes over the input, which should be mapped, not read into memory. Memory: tables
//! of names and classes, and eight bytes for each object that is kept or hashed by name: a few
//! thread names by default, each string with [`Text::Hash`]. It does not grow with the heap
//! otherwise.

mod copy;
mod plan;
mod rules;

use std::io::{self, BufWriter, Write};

use leakline_model::Glob;

use crate::Hprof;

/// What to keep, and how.
#[derive(Clone, Copy, Default)]
pub struct Redaction<'o> {
    /// Declared fields whose values stay: `java.lang.Thread.name`, `com.acme.Settings.*`, or all
    /// that a class declares: `com.acme.Settings`. Of a reference field it is the string, boxed
    /// value or primitive array that it directly refers to which stays. The class of a primitive
    /// array (`long[]`) keeps the elements of all of them.
    pub keep: &'o [Glob],
    /// What becomes of the text of strings that are not kept.
    pub text: Text<'o>,
    /// Told how much is done, from 0 to 1.
    pub progress: Option<&'o dyn Fn(f32)>,
}

/// What becomes of the text of a string.
#[derive(Clone, Copy, Default)]
pub enum Text<'o> {
    /// It is zeroed.
    #[default]
    Zero,
    /// It is replaced by hexadecimal digits, as many as it has bytes (for a `char[]`:
    /// characters), of a keyed hash: equal texts stay equal, and whoever does not know the key
    /// learns no more than that. Texts of a few characters may become equal by chance.
    ///
    /// The hash must not be invertible by trying likely texts; hence it needs a secret key.
    Hash(&'o dyn Fn(&[u8]) -> [u8; 32]),
}

/// What was done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RedactionSummary {
    /// Objects and classes written.
    pub objects: u64,
    /// Bytes of values that were zeroed or replaced.
    pub redacted_bytes: u64,
    /// Bytes of values that stayed, because [`Redaction::keep`] says so.
    pub kept_bytes: u64,
    /// UTF8 records dropped because nothing refers to them.
    pub dropped_texts: u64,
    /// What could not be read and so was not copied, for people; at most 20.
    pub problems: Vec<String>,
}

/// Writes a redacted copy of a dump, and of the others in the same file. The sink is buffered here, and flushed.
///
/// # Errors
///
/// Those of the sink, and [`InvalidInput`](io::ErrorKind::InvalidInput) for an object above
/// 4 GiB, which no segment can hold. What was written by then is not a dump. A damaged input is
/// no error: see [`RedactionSummary::problems`].
pub fn redact<W: Write>(
    hprof: &Hprof<'_>,
    options: &Redaction<'_>,
    sink: W,
) -> io::Result<RedactionSummary> {
    let mut sink = BufWriter::with_capacity(BUFFER, sink);
    let mut summary = RedactionSummary::default();
    let mut next = Some(*hprof);
    while let Some(hprof) = next.take() {
        let plan = plan::Plan::of(&hprof, options);
        if let Some(start) = plan.next_header {
            match Hprof::parse_at(hprof.bytes(), start) {
                Ok(hprof) => next = Some(hprof),
                Err(problem) => summary.problems.push(problem.to_string()),
            }
        }
        copy::copy(&hprof, plan, options, &mut sink, &mut summary)?;
    }
    sink.flush()?;
    summary.problems.truncate(plan::LISTED_PROBLEMS);
    Ok(summary)
}

/// Bytes collected before the sink is called.
const BUFFER: usize = 64 << 10;
