//! A directory in the target's file system, and a private folder in it that leaves nothing behind.
//!
//! The target's file system is foreign ground: links may point anywhere, and in a shared `/tmp`
//! other users write too. So every path is resolved inside the target's own root, every further
//! step is made relative to an open directory, without following links and with the target's
//! rights, and what was opened is checked rather than what was named.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{
    AtFlags, CWD, Dir, FlockOperation, Mode, OFlags, ResolveFlags, flock, fstat, fstatfs, fstatvfs,
    mkdirat, openat, openat2, unlinkat,
};
use rustix::io::Errno;

use crate::error::{CaptureError, Refusal};
use crate::identity::Identity;
use crate::process::Process;

const OPEN_DIRECTORY: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::CLOEXEC);

/// A directory that the target sees too, held open so that it stays reachable after the target
/// has ended and its mounts are gone.
#[derive(Debug)]
pub(crate) struct TargetDirectory {
    fd: OwnedFd,
    /// Its path as the target sees it.
    path: PathBuf,
    pid: u32,
    identity: Identity,
}

impl TargetDirectory {
    /// Opens `path`, which is absolute and as the target sees it.
    pub(crate) fn open(process: &Process, path: &Path) -> Result<Self, CaptureError> {
        let not_permitted = || Refusal::NotPermitted {
            action: "open the file system",
            pid: process.pid(),
            user: process.user(),
            group: process.group(),
        };
        let root_path = process.directory().join("root");
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = match openat(CWD, &root_path, flags, Mode::empty()) {
            Ok(root) => root,
            Err(Errno::ACCESS | Errno::PERM) => return Err(not_permitted().into()),
            Err(Errno::NOENT | Errno::SRCH) => {
                return Err(Refusal::NoSuchProcess { pid: process.pid() }.into());
            }
            Err(error) => return Err(io_error("open", root_path, error)),
        };
        let fd = open_inside(&root, path).map_err(|error| Refusal::TargetNotWritable {
            pid: process.pid(),
            directory: path.to_owned(),
            reason: io::Error::from(error).to_string(),
        })?;
        Ok(TargetDirectory {
            fd,
            path: path.to_owned(),
            pid: process.pid(),
            identity: process.identity(),
        })
    }

    pub(crate) fn fd(&self) -> &OwnedFd {
        &self.fd
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// A path to `name` in it that works from here, whatever the length of the real one.
    pub(crate) fn path_from_here(&self, name: &str) -> PathBuf {
        use std::os::fd::AsRawFd;
        PathBuf::from(format!("/proc/self/fd/{}/{name}", self.fd.as_raw_fd()))
    }

    /// Whether it is kept in memory, so that what is written there takes the target's memory.
    pub(crate) fn is_in_memory(&self) -> bool {
        const TMPFS_MAGIC: i64 = 0x0102_1994;
        #[allow(
            clippy::useless_conversion,
            reason = "the field's type depends on the platform"
        )]
        fstatfs(&self.fd).is_ok_and(|statistics| i64::from(statistics.f_type) == TMPFS_MAGIC)
    }

    /// Runs `action` with the target's rights.
    pub(crate) fn act<T: Send>(
        &self,
        action: impl FnOnce() -> T + Send,
    ) -> Result<T, CaptureError> {
        self.identity.act(action).map_err(|_| {
            Refusal::NotPermitted {
                action: "take the rights",
                pid: self.pid,
                user: self.identity.user,
                group: self.identity.group,
            }
            .into()
        })
    }

    /// Makes a folder in it that only the target's user may enter.
    pub(crate) fn private_folder(&self) -> Result<PrivateFolder<'_>, CaptureError> {
        let refuse = |error: Errno| {
            CaptureError::from(Refusal::TargetNotWritable {
                pid: self.pid,
                directory: self.path.clone(),
                reason: io::Error::from(error).to_string(),
            })
        };
        let name = format!(
            "{PREFIX}{}",
            random_text().map_err(|error| {
                io_error(
                    "draw random numbers from",
                    PathBuf::from("/dev/urandom"),
                    error,
                )
            })?
        );
        let fd = self
            .act(|| {
                self.remove_abandoned();
                mkdirat(&self.fd, &name, Mode::RWXU)?;
                openat(
                    &self.fd,
                    &name,
                    OPEN_DIRECTORY | OFlags::NOFOLLOW,
                    Mode::empty(),
                )
            })?
            .map_err(refuse)?;
        let folder = PrivateFolder {
            parent: self,
            name,
            fd,
        };
        // held as long as the folder is in use: see `remove_abandoned`
        flock(&folder.fd, FlockOperation::NonBlockingLockExclusive).map_err(refuse)?;
        let metadata = fstat(&folder.fd).map_err(refuse)?;
        let is_private = metadata.st_uid == self.identity.user && metadata.st_mode & 0o077 == 0;
        // before the lock was ours, somebody else may have taken the folder for abandoned
        let is_there = metadata.st_nlink > 0;
        if is_private && is_there {
            Ok(folder)
        } else {
            Err(refuse(if is_there { Errno::PERM } else { Errno::NOENT }))
        }
    }

    /// Removes what captures left in it that were killed.
    pub(crate) fn sweep(&self) -> Result<(), CaptureError> {
        self.act(|| self.remove_abandoned())
    }

    /// Removes folders of captures that were killed before they could: those nobody has locked.
    fn remove_abandoned(&self) {
        for name in entries(&self.fd) {
            if !name.starts_with(PREFIX) {
                continue;
            }
            let flags = OPEN_DIRECTORY | OFlags::NOFOLLOW;
            let Ok(fd) = openat(&self.fd, &name, flags, Mode::empty()) else {
                continue;
            };
            let ours = fstat(&fd).is_ok_and(|metadata| metadata.st_uid == self.identity.user);
            if ours && flock(&fd, FlockOperation::NonBlockingLockExclusive).is_ok() {
                remove_folder(&self.fd, &name, &fd);
            }
        }
    }
}

const PREFIX: &str = ".leakline-";

/// A folder in the target's file system, removed with its files when dropped.
///
/// If the target still writes to a file in it, the file's space is freed when the target closes
/// it: it has no name any more.
#[derive(Debug)]
pub(crate) struct PrivateFolder<'a> {
    parent: &'a TargetDirectory,
    name: String,
    fd: OwnedFd,
}

impl PrivateFolder<'_> {
    pub(crate) fn fd(&self) -> &OwnedFd {
        &self.fd
    }

    /// The path of the file `name` in it, as the target sees it.
    pub(crate) fn path_for_target(&self, name: &str) -> PathBuf {
        self.parent.path.join(&self.name).join(name)
    }

    /// Bytes in its files so far. A JDK that dumps with several threads has a file for each.
    pub(crate) fn bytes(&self) -> u64 {
        entries(&self.fd)
            .iter()
            .filter_map(|name| rustix::fs::statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW).ok())
            .map(|metadata| u64::try_from(metadata.st_size).unwrap_or(0))
            .sum()
    }

    /// Opens a file that the target wrote. `Err` with what is odd about it, when anything is.
    pub(crate) fn open_file(&self, name: &str) -> Result<File, String> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = openat(&self.fd, name, flags, Mode::empty())
            .map(File::from)
            .map_err(|error| format!("cannot be opened: {}", io::Error::from(error)))?;
        let metadata = file.metadata().map_err(|error| error.to_string())?;
        // a link to another file, or another user's, would hand out what is not the target's
        let odd = if !metadata.is_file() {
            Some("is not a regular file")
        } else if metadata.nlink() != 1 {
            Some("has another name elsewhere")
        } else if metadata.uid() != self.parent.identity.user {
            Some("does not belong to the user of the process")
        } else {
            None
        };
        odd.map_or(Ok(file), |odd| Err(odd.to_owned()))
    }
}

impl Drop for PrivateFolder<'_> {
    fn drop(&mut self) {
        let removal = self
            .parent
            .act(|| remove_folder(&self.parent.fd, &self.name, &self.fd));
        if !matches!(removal, Ok(true)) {
            tracing::warn!(
                pid = self.parent.pid,
                folder = %self.parent.path.join(&self.name).display(),
                "a private folder in the target's file system could not be removed"
            );
        }
    }
}

/// Free bytes, for users without privileges, in the file system of `directory`.
pub(crate) fn free_bytes(directory: impl AsFd) -> io::Result<u64> {
    let statistics = fstatvfs(directory)?;
    Ok(statistics.f_bavail.saturating_mul(statistics.f_frsize))
}

/// Opens a directory below `root` as if `root` were the root of the file system.
fn open_inside(root: &OwnedFd, path: &Path) -> Result<OwnedFd, Errno> {
    let inside = path.strip_prefix("/").map_err(|_| Errno::INVAL)?;
    let inside = if inside.as_os_str().is_empty() {
        Path::new(".")
    } else {
        inside
    };
    match openat2(
        root,
        inside,
        OPEN_DIRECTORY,
        Mode::empty(),
        ResolveFlags::IN_ROOT,
    ) {
        Err(Errno::NOSYS) => {
            // before Linux 5.6: step by step, and links not at all
            let open = |directory: &OwnedFd, name: &Path| {
                openat(
                    directory,
                    name,
                    OPEN_DIRECTORY | OFlags::NOFOLLOW,
                    Mode::empty(),
                )
            };
            let mut directory = open(root, Path::new("."))?;
            for component in inside.components() {
                match component {
                    Component::Normal(name) => directory = open(&directory, Path::new(name))?,
                    Component::CurDir => {}
                    _ => return Err(Errno::INVAL),
                }
            }
            Ok(directory)
        }
        outcome => outcome,
    }
}

/// Removes a folder and the files right in it; whether it is gone.
fn remove_folder(parent: &OwnedFd, name: &str, folder: &OwnedFd) -> bool {
    // a JVM whose capture was cancelled may begin another file meanwhile, but not for ever
    const ATTEMPTS: usize = 10;
    for _ in 0..ATTEMPTS {
        for file in entries(folder) {
            let _ = unlinkat(folder, &file, AtFlags::empty());
        }
        match unlinkat(parent, name, AtFlags::REMOVEDIR) {
            Err(Errno::NOTEMPTY | Errno::EXIST) => {}
            outcome => return outcome.is_ok(),
        }
    }
    false
}

/// Names in a directory, those that are not UTF-8 (none of ours) left out.
fn entries(directory: &OwnedFd) -> Vec<String> {
    let Ok(listing) = Dir::read_from(directory) else {
        return Vec::new();
    };
    listing
        .filter_map(|entry| entry.ok()?.file_name().to_str().ok().map(str::to_owned))
        .filter(|name| name != "." && name != "..")
        .collect()
}

fn random_text() -> Result<String, Errno> {
    use std::io::Read;
    let mut bytes = [0; 12];
    File::open("/dev/urandom")
        .and_then(|mut file| file.read_exact(&mut bytes))
        .map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn io_error(action: &'static str, path: PathBuf, error: Errno) -> CaptureError {
    CaptureError::Io {
        action,
        path,
        source: error.into(),
    }
}
