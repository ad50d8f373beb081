//! Takes heap dumps from running processes without hurting them, and opens dump files.
//!
//! The edge of Leakline that touches processes. It finds the process that sent telemetry
//! ([`process::find`]), speaks HotSpot's attach protocol without a JDK on the host ([`attach`]),
//! and takes a dump behind guards that refuse rather than risk the service ([`Capturer`]).
//! [`DumpFile`] gives the bytes of a dump, plain or gzip, to whoever reads the format.
//!
//! What it is not: it decides neither when a dump is due (that is the investigation's) nor what
//! stands in it (`leakline-hprof`). It is synchronous; a server calls it from a blocking thread.
//! Memory use is a few buffers, whatever the size of the dump.
//!
//! # What a dump does to the target
//!
//! A dump of live objects forces a full collection, and the JVM stands still while it collects
//! and writes. Nothing is loaded into the target. It is asked with SIGQUIT to open its attach
//! socket, but only once it is certain that it is a HotSpot JVM that catches that signal: most
//! other programs die of it. The file is written by the JVM, as its own user, into a private
//! folder in its own file system, which is removed whatever happens.
//!
//! # Refusals and failures
//!
//! [`CaptureError::Refused`] says that a guard or a precondition held the capture back and that
//! the target was not asked for a dump; every other [`CaptureError`] is a capture that was
//! begun and went wrong, or was cancelled ([`CancellationFlag`]). All leave no half file behind;
//! for what a killed Leakline leaves, see [`Capturer::capture`].
//!
//! Suggested reading order: [`process`], [`attach`], [`Guards`], [`Capturer`], [`DumpFile`].

pub mod attach;
mod audit;
mod cancel;
mod capturer;
mod dump_file;
mod error;
mod guards;
mod identity;
pub mod process;
mod target;

pub use cancel::CancellationFlag;
pub use capturer::{Capture, CaptureKind, CaptureRequest, Capturer, Progress};
pub use dump_file::{DumpFile, DumpFileError, OpenOptions};
pub use error::{CaptureError, Refusal};
pub use guards::Guards;
pub use process::{FindError, Process, Sighting, find};
