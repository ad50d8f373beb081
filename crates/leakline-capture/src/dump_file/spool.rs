//! A nameless file that a dump is put into when it cannot be mapped as it is.
//!
//! It is a sink: how the bytes come about (inflated by one thread or by several, read from a
//! pipe) is its caller's business.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;

use super::{BUFFER, DumpFile, DumpFileError, OpenOptions, map};
use crate::target::free_bytes;

/// Bytes that are written at once.
const CHUNK: usize = 1 << 20;
/// Buffers that wait to be written.
const WAITING: usize = 16;

/// A nameless file that is filled with a dump.
pub(super) struct Spool<'a> {
    /// The dump that it is for.
    path: &'a Path,
    directory: PathBuf,
    file: File,
    limit: u64,
    bytes: u64,
}

impl<'a> Spool<'a> {
    pub(super) fn new(
        path: &'a Path,
        is_on_disk: bool,
        options: &OpenOptions,
    ) -> Result<Self, DumpFileError> {
        let beside = path
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty())
            .unwrap_or(Path::new("."));
        let candidates = match &options.temporary_directory {
            Some(directory) => vec![directory.clone()],
            // the system's temporary directory is often kept in memory, the dump's own is not
            None if is_on_disk => vec![beside.to_owned(), std::env::temp_dir()],
            None => vec![std::env::temp_dir()],
        };
        let mut failure = None;
        for directory in candidates {
            match tempfile::tempfile_in(&directory) {
                Ok(file) => {
                    let limit = options.max_inflated_bytes.unwrap_or_else(|| {
                        let free = free_bytes(&file).unwrap_or(u64::MAX);
                        free - free / 10
                    });
                    return Ok(Spool {
                        path,
                        directory,
                        file,
                        limit,
                        bytes: 0,
                    });
                }
                Err(source) => failure = Some((directory, source)),
            }
        }
        let (directory, source) =
            failure.unwrap_or_else(|| (beside.to_owned(), io::ErrorKind::NotFound.into()));
        Err(DumpFileError::Io {
            action: "inflate the dump in",
            path: directory,
            source,
        })
    }

    /// The dump that it is for.
    pub(super) fn path(&self) -> &'a Path {
        self.path
    }

    /// Bytes that it has, or has room for.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    fn grown(&self, bytes: u64, count: usize) -> Result<u64, DumpFileError> {
        let bytes = bytes + count as u64;
        if bytes > self.limit {
            return Err(DumpFileError::TooLarge {
                path: self.path.to_owned(),
                directory: self.directory.clone(),
                limit: self.limit,
            });
        }
        Ok(bytes)
    }

    fn write(&self, bytes: &[u8], place: u64) -> Result<(), DumpFileError> {
        self.file
            .write_all_at(bytes, place)
            .map_err(|source| DumpFileError::Io {
                action: "inflate the dump in",
                path: self.directory.clone(),
                source,
            })
    }

    /// Puts what `fill` hands over at the end: it goes on while another thread writes. One thread,
    /// because the system lets no two extend a file at once.
    pub(super) fn write_behind<T>(
        &mut self,
        fill: impl FnOnce(&mut Writer<'_>) -> Result<T, DumpFileError>,
    ) -> Result<T, DumpFileError> {
        let (to_writer, filled) = mpsc::sync_channel::<(Vec<u8>, usize, u64)>(WAITING);
        let (to_filler, emptied) = mpsc::channel::<Vec<u8>>();
        let spool = &*self;
        let (outcome, bytes) = thread::scope(|scope| {
            let thread = scope.spawn(move || {
                for (buffer, count, place) in filled {
                    spool.write(&buffer[..count], place)?;
                    // when nobody wants it back, it was the last
                    drop(to_filler.send(buffer));
                }
                Ok::<_, DumpFileError>(())
            });
            let mut writer = Writer {
                spool,
                bytes: spool.bytes,
                filled: to_writer,
                emptied,
            };
            let outcome = fill(&mut writer);
            let bytes = writer.bytes;
            drop(writer);
            match thread.join() {
                Ok(written) => written.and(outcome).map(|outcome| (outcome, bytes)),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        })?;
        self.bytes = bytes;
        Ok(outcome)
    }

    /// Puts all that `source` gives at the end, up to its end or its first error, which is
    /// returned. `tell` is called now and then.
    pub(super) fn append<R: Read>(
        &mut self,
        source: &mut R,
        mut tell: impl FnMut(&R),
    ) -> Result<Option<io::Error>, DumpFileError> {
        self.write_behind(|writer| {
            loop {
                let mut chunk = writer.emptied().unwrap_or_else(|| vec![0; CHUNK]);
                let (count, end) = fill(source, &mut chunk);
                let goes_on = writer.put(chunk, count)?;
                tell(source);
                match end {
                    End::Full if goes_on => {}
                    End::Failed(error) => return Ok(Some(error)),
                    _ => return Ok(None),
                }
            }
        })
    }

    /// The dump. `problem` is what was wrong with the file it comes from.
    pub(super) fn finish(self, problem: Option<String>) -> Result<DumpFile, DumpFileError> {
        let map = map(&self.file).map_err(|source| DumpFileError::Io {
            action: "map the inflated dump in",
            path: self.directory,
            source,
        })?;
        Ok(DumpFile {
            map,
            problems: problem.into_iter().collect(),
        })
    }
}

/// Takes buffers to be written at the end of a [`Spool`], and gives them back.
pub(super) struct Writer<'w> {
    spool: &'w Spool<'w>,
    bytes: u64,
    filled: mpsc::SyncSender<(Vec<u8>, usize, u64)>,
    emptied: mpsc::Receiver<Vec<u8>>,
}

impl Writer<'_> {
    /// A buffer that has been written, with whatever was in it.
    pub(super) fn emptied(&mut self) -> Option<Vec<u8>> {
        self.emptied.try_recv().ok()
    }

    /// Has the first `count` bytes of a buffer written. False when writing has failed, which
    /// [`Spool::write_behind`] will say.
    pub(super) fn put(&mut self, buffer: Vec<u8>, count: usize) -> Result<bool, DumpFileError> {
        let place = self.bytes;
        self.bytes = self.spool.grown(place, count)?;
        Ok(self.filled.send((buffer, count, place)).is_ok())
    }
}

/// Why a chunk was not filled further.
enum End {
    Full,
    OfSource,
    Failed(io::Error),
}

/// How many bytes were read into the chunk. A decoder that fails forgets what it decoded in the
/// same call, so it is not asked for the whole chunk at once.
fn fill(source: &mut impl Read, chunk: &mut [u8]) -> (usize, End) {
    let mut count = 0;
    while count < chunk.len() {
        let end = chunk.len().min(count + BUFFER);
        match source.read(&mut chunk[count..end]) {
            Ok(0) => return (count, End::OfSource),
            Ok(read) => count += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return (count, End::Failed(error)),
        }
    }
    (count, End::Full)
}
