//! Indexes of dumps: found beside the dump, checked against it, and written.
//!
//! An index stands in `DUMP.leakline-index`. One that cannot be used is never an error: a word on
//! standard error, and the dump is read as if there were none. It holds names and no values, but
//! whoever can write it decides what reports say; so it is private, and one of another user is
//! not used.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use leakline_capture::DumpFile;
use leakline_heap::{
    Analysis, DumpIdentity, Heap, HeapIndex, IndexError, IndexSource, References, write_index,
};
use twox_hash::XxHash3_64;

use crate::args::IndexArguments;
use crate::output;

/// What is to be done with indexes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IndexUse {
    /// Those that are there are left alone.
    Ignore,
    /// Those that are there and fit are used.
    Use,
    /// Where there is none that can be used, one is written.
    Keep,
}

impl From<&IndexArguments> for IndexUse {
    fn from(arguments: &IndexArguments) -> IndexUse {
        match (arguments.index, arguments.no_index) {
            (_, true) => IndexUse::Ignore,
            (true, _) => IndexUse::Keep,
            _ => IndexUse::Use,
        }
    }
}

/// An index that belongs to its dump.
pub struct OpenIndex {
    path: PathBuf,
    file: DumpFile,
    source: IndexSource,
}

/// Why there is no index to use.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("{0}")]
    Index(#[from] IndexError),
    #[error("it belongs to another user")]
    OtherUser,
    #[error("it was made from another dump")]
    OtherDump,
    #[error("it was made with --references {}", option(*.0))]
    OtherReferences(References),
    #[error("{0}")]
    Io(String),
}

impl OpenIndex {
    /// The index beside a dump, if there is one that can be used.
    pub fn beside(dump: &Path, references: References) -> Option<OpenIndex> {
        let path = path_beside(dump);
        if !path.exists() {
            return None;
        }
        let opened = Self::open(&path, dump, references);
        opened.map_err(|refusal| refuse(&path, &refusal)).ok()
    }

    fn open(path: &Path, dump: &Path, references: References) -> Result<OpenIndex, Refusal> {
        let unreadable = |error: &dyn std::error::Error| Refusal::Io(error.to_string());
        let owner = path.metadata().map_err(|error| unreadable(&error))?.uid();
        if owner != rustix::process::geteuid().as_raw() {
            return Err(Refusal::OtherUser);
        }
        let file = DumpFile::open(path).map_err(|error| unreadable(&error))?;
        let source = HeapIndex::open(file.as_slice())?.source().clone();
        if source.references != references {
            return Err(Refusal::OtherReferences(source.references));
        }
        if !is_of(&source.dump, dump).map_err(|error| unreadable(&error))? {
            return Err(Refusal::OtherDump);
        }
        Ok(OpenIndex {
            path: path.to_owned(),
            file,
            source,
        })
    }

    /// What it holds.
    pub fn get(&self) -> Option<HeapIndex<'_>> {
        HeapIndex::open(self.file.as_slice()).ok()
    }

    /// What was wrong with the file around the dump.
    pub fn problems(&self) -> &[String] {
        &self.source.problems
    }

    /// Says that it turned out to be of no use.
    pub fn refuse(&self, error: IndexError) {
        refuse(&self.path, &error.into());
    }
}

fn refuse(path: &Path, refusal: &Refusal) {
    output::complain(&format!(
        "{} is not used: {refusal}; the dump is read instead (--index replaces the index, \
         --no-index ignores it)",
        path.display()
    ));
}

fn option(references: References) -> &'static str {
    match references {
        References::Strong => "strong",
        References::All => "all",
    }
}

/// Where the index of a dump stands.
fn path_beside(dump: &Path) -> PathBuf {
    let mut name = dump.as_os_str().to_owned();
    name.push(".leakline-index");
    PathBuf::from(name)
}

/// Length and time of modification of a file, in nanoseconds since 1970; 0 when not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    bytes: u64,
    modified: i64,
}

impl Stamp {
    /// As the file is now.
    pub fn of(path: &Path) -> Stamp {
        path.metadata().map_or(
            Stamp {
                bytes: 0,
                modified: 0,
            },
            |metadata| Stamp {
                bytes: metadata.len(),
                modified: modified(&metadata),
            },
        )
    }
}

/// Writes the index of a dump, and says so if it cannot. `stamp` is from before it was read.
pub fn write(
    dump: &Path,
    stamp: Stamp,
    references: References,
    problems: &[String],
    heap: &Heap<'_>,
    analysis: &Analysis,
) {
    let path = path_beside(dump);
    let written = identify(dump, stamp).and_then(|identity| {
        let source = IndexSource {
            dump: identity,
            references,
            problems: problems.to_vec(),
        };
        write_aside(&path, |out| write_index(heap, analysis, &source, out))
    });
    if let Err(error) = written {
        output::complain(&format!(
            "cannot write the index {}: {error}",
            path.display()
        ));
    }
}

/// There is never half an index: it is written under another name with mode 0600, then renamed.
/// What a crash of the machine leaves behind has wrong checksums.
fn write_aside(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    write(file.as_file_mut())?;
    file.persist(path)?;
    Ok(())
}

/// Whether a file is the dump of this identity. One that was copied or touched is read whole to
/// be sure; otherwise a sample does.
fn is_of(identity: &DumpIdentity, dump: &Path) -> io::Result<bool> {
    let file = File::open(dump)?;
    let metadata = file.metadata()?;
    if metadata.len() != identity.bytes || sample(&file, identity.bytes)? != identity.sample {
        return Ok(false);
    }
    Ok(modified(&metadata) == identity.modified || whole(&file, identity.bytes)? == identity.whole)
}

fn identify(dump: &Path, stamp: Stamp) -> io::Result<DumpIdentity> {
    if !dump.is_file() {
        return Err(io::Error::other("the dump is no file on disk"));
    }
    if Stamp::of(dump) != stamp {
        return Err(io::Error::other("the dump changed while it was read"));
    }
    let file = File::open(dump)?;
    let bytes = stamp.bytes;
    Ok(DumpIdentity {
        bytes,
        modified: stamp.modified,
        sample: sample(&file, bytes)?,
        whole: whole(&file, bytes)?,
    })
}

fn modified(metadata: &std::fs::Metadata) -> i64 {
    let seconds = metadata.mtime().saturating_mul(1_000_000_000);
    seconds.saturating_add(metadata.mtime_nsec())
}

/// Bytes read at once for a hash.
const PIECE: u64 = 64 << 10;
/// Pieces of a sample.
const SAMPLED: u64 = 64;

/// A hash of pieces from all over the file, its beginning and its end among them.
fn sample(file: &File, bytes: u64) -> io::Result<u64> {
    let last = bytes.saturating_sub(PIECE);
    let step = (last / (SAMPLED - 1)).max(PIECE);
    hash(
        file,
        bytes,
        (0..SAMPLED - 1).map(|piece| piece * step).chain([last]),
    )
}

fn whole(file: &File, bytes: u64) -> io::Result<u64> {
    hash(
        file,
        bytes,
        (0..bytes.div_ceil(PIECE)).map(|piece| piece * PIECE),
    )
}

/// A hash of the pieces that begin at these places.
fn hash(file: &File, bytes: u64, places: impl Iterator<Item = u64>) -> io::Result<u64> {
    let mut hasher = XxHash3_64::new();
    let mut piece = vec![0; PIECE as usize];
    for place in places.filter(|place| *place < bytes) {
        let piece = &mut piece[..PIECE.min(bytes - place) as usize];
        file.read_exact_at(piece, place)?;
        std::hash::Hasher::write(&mut hasher, piece);
    }
    Ok(std::hash::Hasher::finish(&hasher))
}
