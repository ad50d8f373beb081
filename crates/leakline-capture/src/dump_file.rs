//! The bytes of a dump file, plain or gzip, as one slice.
//!
//! A plain file is mapped into memory. A gzip file (recognised by its first bytes, whatever its
//! name; several members in a row, as the JDK itself writes them) is inflated into a temporary
//! file that has no name, and so is gone when the process is, and that is mapped. It must be a
//! file: a dump is read several times and at any place, and is larger than the memory that its
//! analysis takes. Either way the bytes stay in the page cache and can leave our memory at any
//! time ([`DumpFile::release`]).

mod gzip;
mod spool;

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::ops::Range;
use std::path::{Path, PathBuf};

use leakline_model::ByteSize;
use memmap2::{Mmap, UncheckedAdvice};

use spool::Spool;

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
    /// the file that are done and those there are; not for a pipe, whose length is not known.
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
        let mut source = BufReader::with_capacity(BUFFER, file);
        let is_gzip = source
            .fill_buf()
            .map_err(error("read"))?
            .starts_with(&gzip::MAGIC);
        if metadata.is_file() {
            let file = DumpFile {
                map: map(&source.into_inner()).map_err(error("map"))?,
                problems: Vec::new(),
            };
            if !is_gzip {
                return Ok(file);
            }
            let mut spool = Spool::new(path, true, options)?;
            let problem = gzip::inflate(&file, &mut spool, progress)?;
            spool.finish(problem)
        } else {
            // a pipe cannot be mapped
            let mut spool = Spool::new(path, false, options)?;
            if is_gzip {
                let problem = gzip::inflate_pipe(source, &mut spool)?;
                return spool.finish(problem);
            }
            match spool.append(&mut source, |_| ())? {
                None => spool.finish(None),
                Some(failure) => Err(error("read")(failure)),
            }
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
/// maps some of the range again: 64 KiB, and since 6.18 the whole of what the page cache keeps in
/// one piece, which is up to 2 MiB.
const FAULT_AROUND: usize = 2 << 20;

/// Bytes read at once from what is not mapped.
const BUFFER: usize = 128 << 10;

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
    use std::io::Write;

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
                "the gzip file is damaged near byte 527,081 (invalid gzip header); 700,000 bytes could be inflated, the rest is left out"
            ],
        );
        let mut damaged = packed.clone();
        damaged[packed.len() / 2..packed.len() / 2 + 400].fill(0xff);
        check(
            &damaged,
            &content,
            expect![
                "the gzip file is damaged near byte 527,071 (corrupt gzip stream does not have a matching checksum); 700,001 bytes could be inflated, the rest is left out"
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
