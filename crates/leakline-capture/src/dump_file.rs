//! The bytes of a dump file, plain or gzip, as one slice.
//!
//! A plain file is mapped into memory. A gzip file (recognised by its first bytes, whatever its
//! name; several members in a row, as the JDK itself writes them) is inflated into a temporary
//! file that has no name, and so is gone when the process is, and that is mapped. Either way
//! the bytes stay in the page cache and can leave our memory at any time
//! ([`DumpFile::release`]).

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;
use leakline_model::{ByteSize, grouped};
use memmap2::{Mmap, UncheckedAdvice};

use crate::target::free_bytes;

/// An open dump.
#[derive(Debug)]
pub struct DumpFile {
    /// `None` for an empty file, which cannot be mapped.
    map: Option<Mmap>,
    problems: Vec<String>,
}

/// How to open a dump.
#[derive(Clone, Debug, Default)]
pub struct OpenOptions {
    /// The most bytes that a gzip file may inflate to. Without it, nine tenths of what is free
    /// where it is inflated.
    pub max_inflated_bytes: Option<u64>,
    /// Where to inflate. Without it, beside the dump or, where that cannot be written to, in
    /// the system's temporary directory.
    pub temporary_directory: Option<PathBuf>,
}

/// Why a dump could not be opened at all.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DumpFileError {
    /// A file could not be worked with.
    #[error("cannot {action} {}: {source}", .path.display())]
    Io {
        /// What was tried, for example `open`.
        action: &'static str,
        /// Where.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A directory.
    #[error("{} is a directory; name the dump file in it", .path.display())]
    Directory {
        /// Its path.
        path: PathBuf,
    },
    /// It begins like gzip, but nothing could be inflated.
    #[error("{} begins like gzip but cannot be inflated: {source}", .path.display())]
    NotGzip {
        /// Its path.
        path: PathBuf,
        /// What the decoder objected to.
        source: io::Error,
    },
    /// It inflates to more than allowed.
    #[error(
        "{} inflates to more than the {limit} allowed in {}; free some space there, name another \
         directory, or raise the limit",
        .path.display(), .directory.display(), limit = ByteSize(*.limit)
    )]
    TooLarge {
        /// Its path.
        path: PathBuf,
        /// Where it was inflated.
        directory: PathBuf,
        /// The most bytes allowed.
        limit: u64,
    },
}

impl DumpFile {
    /// Opens the dump at `path` with the default options.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, DumpFileError> {
        Self::open_with(path, &OpenOptions::default(), &mut |_, _| {})
    }

    /// Opens the dump at `path`. While it is inflated, `progress` is called with the bytes of
    /// the file that are done and those there are (0 when that is not known, as for a pipe).
    pub fn open_with(
        path: impl AsRef<Path>,
        options: &OpenOptions,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Self, DumpFileError> {
        let path = path.as_ref();
        let error = |action| {
            move |source| DumpFileError::Io {
                action,
                path: path.to_owned(),
                source,
            }
        };
        let file = File::open(path).map_err(error("open"))?;
        let metadata = file.metadata().map_err(error("open"))?;
        if metadata.is_dir() {
            return Err(DumpFileError::Directory {
                path: path.to_owned(),
            });
        }
        let total = if metadata.is_file() {
            metadata.len()
        } else {
            0
        };
        let spool = || Spool::new(path, metadata.is_file(), options);
        let mut source = BufReader::with_capacity(BUFFER, file);
        let is_gzip = source
            .fill_buf()
            .map_err(error("read"))?
            .starts_with(&[0x1f, 0x8b]);
        if is_gzip {
            let mut source = MultiGzDecoder::new(Counted { source, bytes: 0 });
            spool()?.fill(
                &mut source,
                |source| source.get_ref().bytes,
                total,
                progress,
            )
        } else if metadata.is_file() {
            let map = map(&source.into_inner()).map_err(error("map"))?;
            Ok(DumpFile {
                map,
                problems: Vec::new(),
            })
        } else {
            // a pipe cannot be mapped
            let mut source = Counted { source, bytes: 0 };
            spool()?.fill(&mut source, |source| source.bytes, total, progress)
        }
    }

    /// The dump.
    pub fn as_slice(&self) -> &[u8] {
        self.map.as_deref().unwrap_or_default()
    }

    /// Gives back the memory that a part of the dump takes in this process. Nothing is lost: it
    /// stays in the page cache, and reading it again maps it again. Pages at the ends of the
    /// range are given back whole, and some before it.
    #[allow(
        unsafe_code,
        reason = "pages that were read count as memory of the process until they are unmapped"
    )]
    pub fn release(&self, range: Range<usize>) {
        let Some(map) = &self.map else { return };
        let start = range.start - range.start % FAULT_AROUND;
        let end = range.end.min(map.len());
        if start < end {
            // SAFETY: the mapping is of a file, shared and read-only, so that pages which are
            // dropped come back with the same bytes.
            let dropped = unsafe {
                map.unchecked_advise_range(UncheckedAdvice::DontNeed, start, end - start)
            };
            // a system that keeps them does no harm
            drop(dropped);
        }
    }

    /// What is wrong with the file around the dump, for people; empty when nothing is.
    pub fn problems(&self) -> &[String] {
        &self.problems
    }
}

impl AsRef<[u8]> for DumpFile {
    fn as_ref(&self) -> &[u8] {
        self.as_slice()
    }
}

/// Linux maps so many bytes around a page that is read, so that reading on from the end of a range
/// maps some of the range again.
const FAULT_AROUND: usize = 64 << 10;

const BUFFER: usize = 128 << 10;

/// A nameless file that a dump is inflated into.
struct Spool<'a> {
    path: &'a Path,
    directory: PathBuf,
    file: File,
    limit: u64,
}

impl<'a> Spool<'a> {
    fn new(path: &'a Path, is_on_disk: bool, options: &OpenOptions) -> Result<Self, DumpFileError> {
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

    /// Takes everything that `source` gives, up to the limit. What comes before damage is kept.
    fn fill<R: Read>(
        mut self,
        source: &mut R,
        done: impl Fn(&R) -> u64,
        total: u64,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<DumpFile, DumpFileError> {
        let mut buffer = vec![0; BUFFER];
        let mut bytes: u64 = 0;
        let mut problems = Vec::new();
        loop {
            let count = match source.read(&mut buffer) {
                Ok(0) => {
                    progress(done(source), total);
                    break;
                }
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(source) if bytes == 0 => {
                    return Err(DumpFileError::NotGzip {
                        path: self.path.to_owned(),
                        source,
                    });
                }
                Err(error) => {
                    problems.push(problem(&error, bytes, done(source), total));
                    break;
                }
            };
            bytes += count as u64;
            if bytes > self.limit {
                return Err(DumpFileError::TooLarge {
                    path: self.path.to_owned(),
                    directory: self.directory,
                    limit: self.limit,
                });
            }
            let chunk = buffer.get(..count).unwrap_or_default();
            self.file
                .write_all(chunk)
                .map_err(|source| DumpFileError::Io {
                    action: "inflate the dump in",
                    path: self.directory.clone(),
                    source,
                })?;
            progress(done(source), total);
        }
        let map = map(&self.file).map_err(|source| DumpFileError::Io {
            action: "map the inflated dump in",
            path: self.directory.clone(),
            source,
        })?;
        Ok(DumpFile { map, problems })
    }
}

fn problem(error: &io::Error, inflated: u64, read: u64, total: u64) -> String {
    let inflated = grouped(inflated);
    if error.kind() == io::ErrorKind::UnexpectedEof {
        format!(
            "the gzip file ends early, at byte {}; {inflated} bytes could be inflated, whatever \
             follows is missing",
            grouped(read)
        )
    } else {
        format!(
            "the gzip file is damaged near byte {} of {} ({error}); {inflated} bytes could be \
             inflated, the rest is left out",
            grouped(read),
            grouped(total)
        )
    }
}

/// Counts the bytes that are taken from it.
struct Counted<R> {
    source: R,
    bytes: u64,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.source.read(buffer)?;
        self.bytes += count as u64;
        Ok(count)
    }
}

impl<R: BufRead> BufRead for Counted<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.source.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.bytes += amount as u64;
        self.source.consume(amount);
    }
}

/// Maps a whole file for reading; `None` when it is empty.
#[allow(
    unsafe_code,
    reason = "reading a dump of many gigabytes into memory first would need as much memory"
)]
fn map(file: &File) -> io::Result<Option<Mmap>> {
    if file.metadata()?.len() == 0 {
        return Ok(None);
    }
    // SAFETY: the bytes must not change while they are borrowed. A temporary file is ours alone:
    // it has no name and is not written to again. A dump on disk is a finished file that nobody
    // has a reason to write to; our own captures are mode 0600 and complete before they get
    // their name. Whoever truncates one while it is analysed ends the analysis with SIGBUS, as
    // with every tool that maps files.
    let map = unsafe { Mmap::map(file) }?;
    Ok(Some(map))
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    /// Bytes that do not compress well, so that a cut falls into the middle of them.
    fn content(length: usize) -> Vec<u8> {
        let mut state = 1_u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8 & 0x3f
        };
        (0..length).map(|_| next()).collect()
    }

    fn open(bytes: &[u8], options: &OpenOptions) -> Result<(DumpFile, (u64, u64)), String> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("dump");
        std::fs::write(&path, bytes).unwrap();
        let mut last = (0, 0);
        let opened = DumpFile::open_with(&path, options, &mut |done, total| {
            assert!(done >= last.0 && done <= total);
            last = (done, total);
        });
        // nothing is left beside it
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
        opened.map(|dump| (dump, last)).map_err(|error| {
            let directory = directory.path().display().to_string();
            error.to_string().replace(&directory, "DIR")
        })
    }

    fn whole(bytes: &[u8]) -> Vec<u8> {
        let (dump, _) = open(bytes, &OpenOptions::default()).unwrap();
        assert_eq!(dump.problems(), [""; 0]);
        dump.as_slice().to_vec()
    }

    #[test]
    fn plain_and_gzip_give_the_same_bytes() {
        let content = content(700_000);
        assert_eq!(whole(&content), content);
        assert_eq!(whole(&gzip(&content)), content);
        let (dump, _) = open(&content, &OpenOptions::default()).unwrap();
        for range in [0..content.len(), 5000..5001, 699_999..usize::MAX / 2, 3..3] {
            dump.release(range);
            assert_eq!(dump.as_slice(), content);
        }
        let (first, second) = content.split_at(300_001);
        let members = [gzip(first), gzip(&[]), gzip(second)].concat();
        assert_eq!(whole(&members), content);
    }

    #[test]
    fn very_short_files() {
        assert_eq!(whole(b""), b"");
        assert_eq!(whole(b"\x1f"), b"\x1f");
        assert_eq!(whole(&gzip(b"")), b"");
        assert_eq!(whole(&gzip(b"x")), b"x");
    }

    #[test]
    fn progress_ends_at_the_end() {
        let bytes = gzip(&content(700_000));
        let (_, last) = open(&bytes, &OpenOptions::default()).unwrap();
        assert_eq!(last, (bytes.len() as u64, bytes.len() as u64));
    }

    #[test]
    fn what_comes_before_damage_is_kept() {
        let check = |bytes: &[u8], content: &[u8], expected: Expect| {
            let (dump, _) = open(bytes, &OpenOptions::default()).unwrap();
            // garbage in the middle of deflate may decode to garbage before it is noticed
            let third = content.len() / 3;
            assert_eq!(dump.as_slice().get(..third), content.get(..third));
            expected.assert_eq(&dump.problems().join("\n"));
        };
        let content = content(700_000);
        let packed = gzip(&content);
        check(
            &packed[..packed.len() / 2],
            &content,
            expect![
                "the gzip file ends early, at byte 263,535; 349,974 bytes could be inflated, whatever follows is missing"
            ],
        );
        check(
            &packed[..packed.len() - 4],
            &content,
            expect![
                "the gzip file ends early, at byte 527,067; 700,000 bytes could be inflated, whatever follows is missing"
            ],
        );
        check(
            &[&packed[..], b"garbage that is no member"].concat(),
            &content,
            expect![
                "the gzip file is damaged near byte 527,081 of 527,096 (invalid gzip header); 700,000 bytes could be inflated, the rest is left out"
            ],
        );
        let mut damaged = packed.clone();
        damaged[packed.len() / 2..packed.len() / 2 + 400].fill(0xff);
        check(
            &damaged,
            &content,
            expect![
                "the gzip file is damaged near byte 527,071 of 527,071 (corrupt gzip stream does not have a matching checksum); 700,001 bytes could be inflated, the rest is left out"
            ],
        );
    }

    #[test]
    fn what_cannot_be_opened() {
        let check = |bytes: &[u8], limit: Option<u64>, expected: Expect| {
            let options = OpenOptions {
                max_inflated_bytes: limit,
                ..OpenOptions::default()
            };
            expected.assert_eq(&open(bytes, &options).unwrap_err());
        };
        check(
            b"\x1f\x8b",
            None,
            expect!["DIR/dump begins like gzip but cannot be inflated: unexpected end of file"],
        );
        check(
            b"\x1f\x8b\x08\x00 not really gzip",
            None,
            expect!["DIR/dump begins like gzip but cannot be inflated: corrupt deflate stream"],
        );
        check(
            &gzip(&vec![0; 10_000_000]),
            Some(1 << 20),
            expect![
                "DIR/dump inflates to more than the 1.00 MiB allowed in DIR; free some space there, name another directory, or raise the limit"
            ],
        );
        let missing = DumpFile::open("/nowhere/heap.hprof").unwrap_err();
        expect!["cannot open /nowhere/heap.hprof: No such file or directory (os error 2)"]
            .assert_eq(&missing.to_string());
        let directory = DumpFile::open("/tmp").unwrap_err();
        expect!["/tmp is a directory; name the dump file in it"].assert_eq(&directory.to_string());
    }

    #[test]
    fn a_pipe_is_read_to_its_end() {
        let content = content(700_000);
        for bytes in [content.clone(), gzip(&content)] {
            let (reader, mut writer) = io::pipe().unwrap();
            let writing = std::thread::spawn(move || writer.write_all(&bytes).unwrap());
            let path = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&reader));
            let dump = DumpFile::open(path).unwrap();
            writing.join().unwrap();
            assert_eq!(dump.as_slice(), content);
        }
    }

    #[test]
    fn a_limit_that_is_just_met() {
        let options = OpenOptions {
            max_inflated_bytes: Some(1000),
            ..OpenOptions::default()
        };
        assert!(open(&gzip(&content(1000)), &options).is_ok());
        assert!(open(&gzip(&content(1001)), &options).is_err());
    }
}
