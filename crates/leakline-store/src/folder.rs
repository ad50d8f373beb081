//! The folder of a store: its lock, its creation, the tables inside.
//!
//! ```text
//! lock        held while the store is open
//! format      one line: "leakline-store" and the version of everything here
//! database/   the LSM tree of fjall
//! new/        a database that is being created; removed and begun again if that was interrupted
//! ```

use std::fs::{self, File, TryLockError};
use std::io::{ErrorKind, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use fjall::config::{BlockSizePolicy, CompressionPolicy};
use fjall::{Database, Keyspace, KeyspaceCreateOptions};

use crate::Options;
use crate::error::{StoreError, damage};
use crate::keys::FORMAT_VERSION;

const LOCK: &str = "lock";
const FORMAT: &str = "format";
const DATABASE: &str = "database";
const NEW: &str = "new";

/// Opens the line in the file `format`.
const PROGRAM: &str = "leakline-store";

/// Bytes of new entries that are held in memory, by table, before they are sorted into files.
const SMALL_TABLE: u64 = 1 << 20;
const LARGE_TABLE: u64 = 8 << 20;

/// Write-ahead journals on disk before tables are forced out; what a recovery reads at most.
const MAX_JOURNALS: u64 = 128 << 20;

/// The key spaces; `keys` draws what they hold.
pub(crate) struct Tables {
    pub(crate) meta: Keyspace,
    pub(crate) series: Keyspace,
    pub(crate) log: Keyspace,
    pub(crate) chunks: Keyspace,
    pub(crate) spans: Keyspace,
    pub(crate) traces: Keyspace,
    pub(crate) resources: Keyspace,
    pub(crate) database: Database,
}

/// Takes the folder for this store alone. The lock lasts as long as the file is open.
pub(crate) fn lock(path: &Path) -> Result<File, StoreError> {
    let io = |action| move |source: std::io::Error| io_error(action, path, source);
    fs::create_dir_all(path).map_err(io("create the store's folder"))?;
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path.join(LOCK))
        .map_err(io("open the lock file"))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::InUse {
            path: path.to_owned(),
        }),
        Err(TryLockError::Error(source)) => Err(io("lock the store")(source)),
    }
}

/// Opens the database in a locked folder; creates it if there is none.
pub(crate) fn open(path: &Path, options: &Options) -> Result<Tables, StoreError> {
    let io = |action| move |source: std::io::Error| io_error(action, path, source);
    let database = path.join(DATABASE);
    if database.try_exists().map_err(io("look for the database"))? {
        check_format(path)?;
    } else {
        create(path, &database, options)?;
    }
    // fjall panics on some damage to its journal; nothing of it is used after that
    catch_unwind(AssertUnwindSafe(|| open_tables(&database, options)))
        .map_err(|_| StoreError::Damaged {
            path: path.to_owned(),
            reason: "the database's journal makes no sense".to_owned(),
        })?
        .map_err(|source| fjall_error("open the database", path, source))
}

/// Makes the database elsewhere and moves it to its place when it is complete: fjall cannot open
/// one whose creation was interrupted.
fn create(path: &Path, database: &Path, options: &Options) -> Result<(), StoreError> {
    let io = |action| move |source: std::io::Error| io_error(action, path, source);
    let new = path.join(NEW);
    if new.try_exists().map_err(io("look for a new database"))? {
        fs::remove_dir_all(&new).map_err(io("remove an unfinished database"))?;
    }
    let tables = open_tables(&new, options)
        .map_err(|source| fjall_error("create the database", path, source))?;
    // closes it
    drop(tables);
    let mut format = File::create(path.join(FORMAT)).map_err(io("write the format"))?;
    writeln!(format, "{PROGRAM} {FORMAT_VERSION}")
        .and_then(|()| format.sync_all())
        .map_err(io("write the format"))?;
    fs::rename(&new, database).map_err(io("name the new database"))?;
    File::open(path)
        .and_then(|folder| folder.sync_all())
        .map_err(io("sync the folder"))
}

fn check_format(path: &Path) -> Result<(), StoreError> {
    let found = match fs::read(path.join(FORMAT)) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).trim().to_owned(),
        Err(error) if error.kind() == ErrorKind::NotFound => "unknown".to_owned(),
        Err(error) => return Err(io_error("read the format", path, error)),
    };
    if found == format!("{PROGRAM} {FORMAT_VERSION}") {
        return Ok(());
    }
    Err(StoreError::UnknownFormat {
        path: path.to_owned(),
        found,
        expected: FORMAT_VERSION,
    })
}

fn open_tables(path: &Path, options: &Options) -> Result<Tables, fjall::Error> {
    let database = Database::builder(path)
        .cache_size(options.cache_bytes)
        .max_journaling_size(MAX_JOURNALS)
        .worker_threads(2)
        .open()?;
    let table = |name, memtable| {
        database.keyspace(name, || {
            KeyspaceCreateOptions::default().max_memtable_size(memtable)
        })
    };
    Ok(Tables {
        meta: table("meta", SMALL_TABLE)?,
        series: table("series", SMALL_TABLE)?,
        log: table("log", LARGE_TABLE)?,
        chunks: database.keyspace("chunks", || {
            KeyspaceCreateOptions::default()
                .max_memtable_size(LARGE_TABLE)
                // chunks are compressed already, and read by the run
                .data_block_compression_policy(CompressionPolicy::disabled())
                .data_block_size_policy(BlockSizePolicy::all(16 << 10))
        })?,
        spans: table("spans", LARGE_TABLE)?,
        traces: table("traces", LARGE_TABLE)?,
        resources: table("resources", SMALL_TABLE)?,
        database,
    })
}

fn io_error(action: &'static str, path: &Path, source: std::io::Error) -> StoreError {
    StoreError::Io {
        action,
        path: path.to_owned(),
        source: source.into(),
    }
}

fn fjall_error(action: &'static str, path: &Path, source: fjall::Error) -> StoreError {
    let path = path.to_owned();
    if let Some(reason) = damage(&source) {
        return StoreError::Damaged { path, reason };
    }
    match source {
        fjall::Error::Locked => StoreError::InUse { path },
        fjall::Error::InvalidVersion(version) => StoreError::UnknownFormat {
            path,
            found: format!("of database version {version:?}"),
            expected: FORMAT_VERSION,
        },
        fjall::Error::Io(source) => StoreError::Io {
            action,
            path,
            source: source.into(),
        },
        other => StoreError::Io {
            action,
            path,
            source: other.into(),
        },
    }
}
