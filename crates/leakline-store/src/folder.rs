//! The folder of a store: its lock, its creation, the tables inside.
//!
//! ```text
//! lock        held while the store is open
//! database/   the LSM tree of fjall
//! new/        a database that is being created; removed and begun again if that was interrupted
//! ```

use std::fs::{self, File, TryLockError};
use std::path::Path;

use fjall::config::{BlockSizePolicy, CompressionPolicy};
use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};

use crate::Options;
use crate::error::{StoreError, damage};
use crate::keys::{FORMAT_VERSION, META_FORMAT};

const LOCK: &str = "lock";
const DATABASE: &str = "database";
const NEW: &str = "new";

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
    if !database.try_exists().map_err(io("look for the database"))? {
        // Made elsewhere and moved here when complete: fjall cannot open a database whose
        // creation was interrupted.
        let new = path.join(NEW);
        if new.try_exists().map_err(io("look for a new database"))? {
            fs::remove_dir_all(&new).map_err(io("remove an unfinished database"))?;
        }
        create(&new, options).map_err(|source| fjall_error("create the database", path, source))?;
        fs::rename(&new, &database).map_err(io("name the new database"))?;
        File::open(path)
            .and_then(|folder| folder.sync_all())
            .map_err(io("sync the folder"))?;
    }
    let tables = open_tables(&database, options)
        .map_err(|source| fjall_error("open the database", path, source))?;
    check_format(&tables, path)?;
    Ok(tables)
}

fn create(new: &Path, options: &Options) -> Result<(), fjall::Error> {
    let tables = open_tables(new, options)?;
    tables
        .meta
        .insert(META_FORMAT, FORMAT_VERSION.to_be_bytes())?;
    tables.database.persist(PersistMode::SyncAll)
}

fn check_format(tables: &Tables, path: &Path) -> Result<(), StoreError> {
    let format = tables
        .meta
        .get(META_FORMAT)
        .map_err(|source| fjall_error("read the format version", path, source))?;
    let unknown = |found| StoreError::UnknownFormat {
        path: path.to_owned(),
        found,
        expected: FORMAT_VERSION,
    };
    match format.as_deref().map(<[u8; 4]>::try_from) {
        Some(Ok(bytes)) if u32::from_be_bytes(bytes) == FORMAT_VERSION => Ok(()),
        Some(Ok(bytes)) => Err(unknown(u32::from_be_bytes(bytes).to_string())),
        Some(Err(_)) => Err(unknown("that is not a number".to_owned())),
        None => Err(unknown("of another program".to_owned())),
    }
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
