//! Why a store cannot be opened, and how errors of the layers below become ours.

use std::path::PathBuf;

use leakline_model::storage::StorageError;

/// Why a folder cannot be opened as a store.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Another process, or another store in this one, has the folder open.
    #[error(
        "the store in {} is in use by another process; stop that process or choose another folder",
        path.display()
    )]
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// The folder was written by another version.
    #[error(
        "the store in {} has format {found:?}, but this version reads \"leakline-store {expected}\"; \
         open it with the version that wrote it, or choose another folder",
        path.display()
    )]
    UnknownFormat {
        /// The folder.
        path: PathBuf,
        /// What the folder says.
        found: String,
        /// [`crate::FORMAT_VERSION`].
        expected: u32,
    },
    /// What is needed to open the store at all cannot be read.
    #[error(
        "the store in {} is damaged: {reason}; restore it from a copy, or move it away to start anew",
        path.display()
    )]
    Damaged {
        /// The folder.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The file system refused.
    #[error("cannot {action} in {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The folder.
        path: PathBuf,
        /// What the layer below said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// Tells damage, which stays, from failure, which may pass.
pub(crate) fn storage_error(
    action: &'static str,
    what: &'static str,
    error: fjall::Error,
) -> StorageError {
    if let Some(reason) = damage(&error) {
        return StorageError::Damaged { what, reason };
    }
    let source = match error {
        fjall::Error::Io(source) => source.into(),
        fjall::Error::Storage(fjall::LsmError::Io(source)) => source.into(),
        fjall::Error::Poisoned => {
            "an earlier write failed, and nothing more is taken until the store is opened again; \
             free disk space and restart"
                .into()
        }
        other => other.into(),
    };
    StorageError::Unavailable { action, source }
}

/// What is damaged, if it is that.
pub(crate) fn damage(error: &fjall::Error) -> Option<String> {
    use fjall::LsmError;
    match error {
        fjall::Error::Storage(
            error @ (LsmError::ChecksumMismatch { .. }
            | LsmError::Decompress(_)
            | LsmError::InvalidTag(_)
            | LsmError::InvalidTrailer
            | LsmError::InvalidHeader(_)
            | LsmError::Unrecoverable
            | LsmError::Utf8(_)),
        ) => Some(format!("{error:?}")),
        fjall::Error::JournalRecovery(error) => Some(format!("journal: {error:?}")),
        error @ (fjall::Error::Decompress(_)
        | fjall::Error::InvalidTrailer
        | fjall::Error::InvalidTag(_)
        | fjall::Error::Unrecoverable) => Some(format!("{error:?}")),
        _ => None,
    }
}
