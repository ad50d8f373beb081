//! The embedded store: samples, spans and resources in a folder on disk ([`DiskStore`]) or in
//! memory ([`MemoryStore`]), behind the same traits, `Appender` and `Queryable` of
//! `leakline-model`.
//!
//! It is for one machine: Leakline keeps here what it receives when nobody points it at a larger
//! store. It knows nothing of OTLP, PromQL or names of metrics, it reads no clock, and it starts
//! no threads of its own (the LSM tree below has two).
//!
//! # Promises
//!
//! - An append is kept whole or not at all. When it returns, it survives the process being killed
//!   at any moment; [`Durability`] says what a power failure may take.
//! - Values come back to the bit, NaN payloads and staleness markers included. Times of samples
//!   are whole milliseconds.
//! - Of two samples of a series at one millisecond the first stays. Of two spans with the same
//!   service, start and ids the last stays (senders that report a span while it runs send it again
//!   when it ends). Samples may come in any order.
//! - A resource answers for a range of time when that range touches the time from its first to its
//!   last sighting.
//! - What is damaged on disk is left out and told, never a panic: while opening through
//!   [`DiskStore::problems`], afterwards through `StorageError::Damaged` in the answer.
//! - One process at a time has a folder open; the next is told [`StoreError::InUse`].
//!
//! # How it works
//!
//! An append is one atomic write to an LSM tree (`fjall`): its samples as one block of the log,
//! its spans and resources under their own keys. The samples also gather in memory, in the
//! head. When that is full it is sealed, and each further append moves some series of it
//! into chunks compressed by `pco`, until the blocks of the log that held them can go.
//! A query merges chunks and head. `keys` draws all that stands on disk; `docs/storage.md` tells
//! it at more length.
//!
//! # Memory
//!
//! Beside the cache ([`Options::cache_bytes`]) and about 30 MB of the LSM tree's write buffers:
//! for each series about 40 bytes a label and 1 KiB of samples in the head
//! ([`Options::head_samples_per_series`] × 16 bytes), so about 1.5 KiB; for each resource its
//! attributes. Answers are read as they are asked for, one series or span at a time.

mod append;
mod catalogue;
mod chunk;
mod disk;
mod error;
mod expire;
mod flush;
mod folder;
mod head;
mod keys;
mod label_index;
mod log;
mod memory;
mod read;
mod records;
mod samples;
mod state;
#[cfg(test)]
mod tests;

pub use disk::{ChunkStatistics, DiskStore, Durability, Options};
pub use error::StoreError;
pub use keys::FORMAT_VERSION;
pub use memory::MemoryStore;
