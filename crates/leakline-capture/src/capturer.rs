//! One guarded capture: checks, the dump itself, and its way into our directory.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use leakline_model::{ByteSize, Timestamp, duration_text};
use rustix::fs::{AtFlags, Mode, OFlags, fchown, openat, renameat, statat, unlinkat};
use rustix::io::Errno;

use crate::attach::{Answer, Jvm, LAST_BREATH};
use crate::audit::{AuditLog, Event, History, Record, Turn};
use crate::cancel::CancellationFlag;
use crate::error::{CaptureError, Refusal};
use crate::guards::{Guards, free_memory};
use crate::identity::Identity;
use crate::process::Process;
use crate::target::{PrivateFolder, TargetDirectory, free_bytes};

/// What to capture, and from whom.
#[derive(Debug)]
pub struct CaptureRequest {
    /// The process.
    pub process: Process,
    /// What to take.
    pub kind: CaptureKind,
    /// The service it belongs to. The cooldown is per service, so that of several replicas one
    /// at a time is dumped; without a service it is per process.
    pub service: Option<String>,
    /// Why it is taken, for the audit log: `leak suspected since 10:31`.
    pub purpose: String,
    /// How large the dump may become, when it is known (heap in use, say). Otherwise the memory
    /// that the process takes stands for it.
    pub expected_bytes: Option<u64>,
    /// Where the target writes, absolute and as the target sees it; `/tmp` suits most.
    pub target_directory: PathBuf,
    /// The name of the file of an earlier dump that this one is to be compared with. If that is
    /// the latest dump of the service, is of the same process, and no later attempt was cut off
    /// by a crash, [`Guards::follow_up_cooldown`] counts in place of [`Guards::cooldown`].
    pub follows: Option<String>,
    /// Ends the capture early.
    pub cancellation: CancellationFlag,
}

/// What can be captured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CaptureKind {
    /// A HotSpot heap dump in HPROF.
    HeapDump {
        /// Only what is reachable. Forces a full collection before the dump, which is part of
        /// the pause.
        live: bool,
    },
}

impl CaptureRequest {
    /// A dump of live objects by way of the target's `/tmp`.
    pub fn heap_dump(process: Process) -> Self {
        CaptureRequest {
            process,
            kind: CaptureKind::HeapDump { live: true },
            service: None,
            purpose: String::new(),
            expected_bytes: None,
            target_directory: PathBuf::from("/tmp"),
            follows: None,
            cancellation: CancellationFlag::default(),
        }
    }

    /// Whose cooldown it heeds: no later process with the same id.
    fn target(&self) -> String {
        self.service.clone().unwrap_or_else(|| self.process.key())
    }

    /// Whose cooldown it heeds, for people.
    fn name(&self) -> String {
        let process = || format!("process {}", self.process.pid());
        self.service.clone().unwrap_or_else(process)
    }

    /// Whether it is the second of two dumps, the first of which the log knows.
    fn is_follow_up(&self, history: &History) -> bool {
        let (Some(follows), Some((file, process))) = (&self.follows, &history.captured) else {
            return false;
        };
        // after a crash nobody can tell how often this was tried
        !history.is_unfinished
            && file
                .file_name()
                .is_some_and(|name| name == follows.as_str())
            && *process == self.process.key()
    }

    fn check_wanted(&self) -> Result<(), CaptureError> {
        if self.cancellation.is_cancelled() {
            return Err(CaptureError::Cancelled {
                pid: self.process.pid(),
            });
        }
        Ok(())
    }

    fn expected(&self) -> u64 {
        self.expected_bytes
            .unwrap_or_else(|| self.process.memory_bytes())
    }
}

/// A dump that was taken.
#[derive(Clone, Debug, PartialEq)]
pub struct Capture {
    /// The file: mode 0600, ours.
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
    /// When the JVM was asked.
    pub started: Timestamp,
    /// When it had written the dump. The heap is that of a moment between the two.
    pub finished: Timestamp,
    /// Time between question and answer: the application stood still no longer than this.
    pub pause: Duration,
}

/// How far a capture has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Progress {
    /// The JVM is asked to open its attach socket.
    Attaching,
    /// The JVM collects and writes.
    Dumping {
        /// Bytes written so far.
        bytes: u64,
        /// Bytes expected; the dump may become larger or smaller.
        expected: u64,
    },
    /// The file is copied out of the target's file system.
    Copying {
        /// Bytes copied so far.
        bytes: u64,
        /// Bytes there are.
        total: u64,
    },
}

/// Takes captures into one directory, one at a time.
#[derive(Debug)]
pub struct Capturer {
    directory: PathBuf,
    guards: Guards,
    audit: AuditLog,
}

/// The name of the dump while it is still with the target.
const DUMP: &str = "heap.hprof";
/// How names of unfinished files in our directory begin.
const PARTIAL: &str = ".partial-";

impl Capturer {
    /// For dumps in `directory`, which is created with mode 0700 if it does not exist. One that
    /// exists keeps its mode: what stands in it is readable for its owner only in any case; but
    /// a warning is logged where others may write, for they could replace or remove dumps.
    ///
    /// Unfinished files of captures that were killed are removed there and, where the process
    /// still runs, from the directory by way of which it was to be dumped; unless a capture into
    /// `directory` is under way.
    pub fn new(directory: impl Into<PathBuf>, guards: Guards) -> Result<Self, CaptureError> {
        let directory = directory.into();
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&directory)
            .map_err(|source| CaptureError::Io {
                action: "create directory",
                path: directory.clone(),
                source,
            })?;
        if fs::metadata(&directory).is_ok_and(|metadata| metadata.mode() & 0o022 != 0) {
            tracing::warn!(
                directory = %directory.display(),
                "others may write to the directory of heap dumps; take that from them: chmod go-w"
            );
        }
        let audit = AuditLog::in_directory(&directory);
        let capturer = Capturer {
            directory,
            guards,
            audit,
        };
        // what cannot be locked now is told when a capture is asked for
        if let Ok(Some(_turn)) = capturer.audit.take_turn() {
            capturer.remove_unfinished();
            capturer.remove_abandoned();
        }
        Ok(capturer)
    }

    /// Where the dumps and the audit log are.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Takes one capture, or says why not. Blocks until the file is in its place.
    ///
    /// However it ends, it leaves a line in the audit log and no unfinished file, unless its own
    /// process is killed (SIGKILL, a crash, a signal that is not caught). Then the log still says
    /// that it was started, which counts for the cooldown, and what is left goes with the next
    /// [`Capturer::new`]. Until then the JVM writes on and its file stays, and if it has ended
    /// before, until the next capture by way of the same directory. So catch signals and cancel
    /// ([`CaptureRequest::cancellation`]).
    pub fn capture(
        &self,
        request: &CaptureRequest,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Capture, CaptureError> {
        let outcome = self.guarded(request, progress);
        self.record(request, &outcome);
        outcome
    }

    fn guarded(
        &self,
        request: &CaptureRequest,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Capture, CaptureError> {
        let _turn = self.take_turn()?;
        self.remove_unfinished();
        let expected = request.expected();
        self.check_cooldown(request)?;
        self.guards.check_size(expected)?;
        let CaptureKind::HeapDump { live } = request.kind;
        // nothing is written before it is certain that this is a JVM, and nothing is sent to it
        // before there is room for the dump
        Jvm::check(&request.process)?;
        let place = TargetDirectory::open(&request.process, &request.target_directory)?;
        let own = self.open_directory()?;
        let folder = place.private_folder()?;
        self.check_space(request, &place, &folder, &own)?;
        request.check_wanted()?;
        progress(Progress::Attaching);
        let timeout = self.guards.attach_timeout;
        let jvm = Jvm::attach(&request.process, timeout, &request.cancellation)?;
        // if nobody could remember the pause, there must be none
        self.audit
            .append(&Record {
                target_directory: Some(request.target_directory.clone()),
                ..line(request, Event::Started)
            })
            .and_then(|()| own.sync_all())
            .map_err(|source| self.audit_error("write the audit log", source))?;
        let started = Timestamp::from(SystemTime::now());
        let answer = self.dump(&jvm, &folder, live, expected, progress)?;
        let finished = Timestamp::from(SystemTime::now());
        let file = checked_dump(&request.process, &folder, &answer)?;
        let path = self.directory.join(file_name(request, started));
        let bytes = self.keep(request, &folder, file, &own, &path, progress)?;
        Ok(Capture {
            path,
            bytes,
            started,
            finished,
            pause: answer.took,
        })
    }

    fn take_turn(&self) -> Result<Turn, CaptureError> {
        let busy = || Refusal::Busy {
            directory: self.directory.clone(),
        };
        let turn = self.audit.take_turn();
        let turn = turn.map_err(|source| self.audit_error("open the audit log", source))?;
        Ok(turn.ok_or_else(busy)?)
    }

    fn check_cooldown(&self, request: &CaptureRequest) -> Result<(), CaptureError> {
        let now = Timestamp::from(SystemTime::now());
        let history = self.audit.history(&request.target(), now);
        let history = history.map_err(|source| self.audit_error("read the audit log", source))?;
        let ago = history.attempted.map(|latest| now.duration_since(latest));
        let is_follow_up = request.is_follow_up(&history);
        Ok(self
            .guards
            .check_cooldown(&request.name(), ago, is_follow_up)?)
    }

    /// Disk, and memory where the target's directory is kept there.
    fn check_space(
        &self,
        request: &CaptureRequest,
        place: &TargetDirectory,
        folder: &PrivateFolder<'_>,
        own: &File,
    ) -> Result<(), CaptureError> {
        let expected = request.expected();
        let free = |directory: &dyn std::os::fd::AsFd, path: &Path| {
            free_bytes(directory.as_fd()).map_err(|source| CaptureError::Io {
                action: "find the free space of",
                path: path.to_owned(),
                source,
            })
        };
        let their_name = format!(
            "{} of process {}",
            place.path().display(),
            request.process.pid()
        );
        let own_name = self.directory.display().to_string();
        // one file system can hold both directories and yet not let a file be renamed from one
        // to the other, when they are mounted apart: then both copies stand there for a while
        let one_file_system = match (rustix::fs::fstat(folder.fd()), rustix::fs::fstat(own)) {
            (Ok(theirs), Ok(ours)) => theirs.st_dev == ours.st_dev,
            _ => false,
        };
        let copies = if one_file_system && !can_rename(place, folder, own) {
            2
        } else {
            1
        };
        let theirs = free(folder.fd(), place.path())?;
        self.guards
            .check_disk(&their_name, theirs, expected, copies)?;
        if !one_file_system {
            let ours = free(own, &self.directory)?;
            self.guards.check_disk(&own_name, ours, expected, 1)?;
        }
        if place.is_in_memory() {
            let memory = free_memory(&request.process);
            self.guards.check_memory(&their_name, memory, expected)?;
        }
        Ok(())
    }

    fn dump(
        &self,
        jvm: &Jvm<'_>,
        folder: &PrivateFolder<'_>,
        live: bool,
        expected: u64,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Answer, CaptureError> {
        let path = folder.path_for_target(DUMP);
        let path = path.to_string_lossy();
        let scope = if live { "-live" } else { "-all" };
        jvm.execute(
            "dumpheap",
            &[&path, scope],
            self.guards.dump_timeout,
            &mut || {
                progress(Progress::Dumping {
                    bytes: folder.bytes(),
                    expected,
                });
            },
        )
    }

    /// Brings the dump into our directory under `path`; its size.
    fn keep(
        &self,
        request: &CaptureRequest,
        folder: &PrivateFolder<'_>,
        dump: File,
        own: &File,
        path: &Path,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<u64, CaptureError> {
        let error = |action| {
            move |source| CaptureError::Io {
                action,
                path: path.to_owned(),
                source,
            }
        };
        let metadata = dump.metadata().map_err(error("look at the dump for"))?;
        let partial = format!("{PARTIAL}{}", metadata.ino());
        match renameat(folder.fd(), DUMP, own, &partial) {
            Ok(()) => {
                let guard = Unfinished {
                    directory: own,
                    name: &partial,
                };
                take_over(&dump, own, &partial).map_err(error("take over"))?;
                renameat(own, &partial, own, path.file_name().unwrap_or_default())
                    .map_err(|errno| error("name")(errno.into()))?;
                // nothing of that name is left to remove
                drop(guard);
            }
            Err(Errno::XDEV) => {
                let mut copied = |bytes| {
                    let total = metadata.len();
                    progress(Progress::Copying { bytes, total });
                    request.cancellation.is_cancelled()
                };
                let is_whole = self.copy(dump, path, &mut copied);
                if !is_whole.map_err(error("copy the dump to"))? {
                    request.check_wanted()?;
                }
            }
            Err(errno) => return Err(error("move the dump to")(errno.into())),
        }
        own.sync_all().map_err(error("write"))?;
        Ok(metadata.len())
    }

    /// Whether all of it was copied: `is_enough` is told the bytes so far and may end it.
    fn copy(
        &self,
        dump: File,
        path: &Path,
        is_enough: &mut dyn FnMut(u64) -> bool,
    ) -> io::Result<bool> {
        const STEP: u64 = 64 << 20;
        let copy = tempfile::Builder::new()
            .prefix(PARTIAL)
            .tempfile_in(&self.directory)?;
        let mut bytes = 0;
        loop {
            // between files this is done inside the kernel
            match io::copy(&mut (&dump).take(STEP), &mut copy.as_file())? {
                0 => break,
                count => bytes += count,
            }
            if is_enough(bytes) {
                return Ok(false);
            }
        }
        copy.as_file().sync_all()?;
        copy.persist_noclobber(path).map_err(|error| error.error)?;
        Ok(true)
    }

    /// Files of captures that were killed. It is our turn, so nobody writes them any more.
    fn remove_unfinished(&self) {
        let unfinished = fs::read_dir(&self.directory)
            .into_iter()
            .flatten()
            .filter_map(Result::ok)
            .filter(|entry| entry.file_name().to_string_lossy().starts_with(PARTIAL));
        for entry in unfinished {
            let _ = fs::remove_file(entry.path());
        }
    }

    /// What killed captures left with processes that still run. It is our turn, so none of them
    /// is under way.
    fn remove_abandoned(&self) {
        for record in self.audit.unfinished().unwrap_or_default() {
            let process = Process::open(record.pid).ok();
            let process = process.filter(|process| process.key() == record.process);
            if let (Some(process), Some(directory)) = (process, record.target_directory)
                && let Ok(place) = TargetDirectory::open(&process, &directory)
                && let Err(error) = place.sweep()
            {
                tracing::warn!(%error, "what a killed capture left could not be looked for");
            }
        }
    }

    fn open_directory(&self) -> Result<File, CaptureError> {
        File::open(&self.directory).map_err(|source| CaptureError::Io {
            action: "open",
            path: self.directory.clone(),
            source,
        })
    }

    fn audit_error(&self, action: &'static str, source: io::Error) -> CaptureError {
        CaptureError::Io {
            action,
            path: self.audit.path().to_owned(),
            source,
        }
    }

    fn record(&self, request: &CaptureRequest, outcome: &Result<Capture, CaptureError>) {
        let event = match outcome {
            Ok(_) => Event::Captured,
            Err(CaptureError::Refused(_)) => Event::Refused,
            Err(CaptureError::Cancelled { .. }) => Event::Cancelled,
            Err(_) => Event::Failed,
        };
        let capture = outcome.as_ref().ok();
        let record = Record {
            file: capture.map(|capture| capture.path.display().to_string()),
            bytes: capture.map(|capture| capture.bytes),
            pause_seconds: capture.map(|capture| capture.pause.as_secs_f64()),
            reason: outcome.as_ref().err().map(ToString::to_string),
            ..line(request, event)
        };
        trace(&record, outcome);
        if let Err(error) = self.audit.append(&record) {
            tracing::error!(%error, "a capture could not be written to the audit log");
        }
    }
}

/// A line of the audit log, as of now, without what came of the capture.
fn line(request: &CaptureRequest, event: Event) -> Record {
    let CaptureKind::HeapDump { live } = request.kind;
    let kind = if live {
        "heap dump, live objects"
    } else {
        "heap dump, all objects"
    };
    Record {
        at: Timestamp::from(SystemTime::now()).to_string(),
        event,
        target: request.target(),
        pid: request.process.pid(),
        command: request.process.command().to_owned(),
        process: request.process.key(),
        kind: kind.to_owned(),
        target_directory: None,
        purpose: request.purpose.clone(),
        file: None,
        bytes: None,
        pause_seconds: None,
        reason: None,
    }
}

fn trace(record: &Record, outcome: &Result<Capture, CaptureError>) {
    let Record {
        target: of,
        pid,
        kind,
        purpose,
        ..
    } = record;
    match outcome {
        Ok(capture) => tracing::info!(
            of, pid, kind, purpose,
            file = %capture.path.display(),
            size = %ByteSize(capture.bytes),
            pause = duration_text(capture.pause),
            "captured"
        ),
        Err(error) if error.is_refusal() => {
            tracing::warn!(of, pid, kind, purpose, reason = %error, "capture refused");
        }
        Err(CaptureError::Cancelled { .. }) => {
            tracing::warn!(of, pid, kind, purpose, "capture cancelled");
        }
        Err(error) => tracing::error!(of, pid, kind, purpose, reason = %error, "capture failed"),
    }
}

/// A file in our directory that is removed unless it was renamed.
struct Unfinished<'a> {
    directory: &'a File,
    name: &'a str,
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        let _ = unlinkat(self.directory, self.name, AtFlags::empty());
    }
}

/// Whether a file in the private folder can be renamed into our directory.
fn can_rename(place: &TargetDirectory, folder: &PrivateFolder<'_>, own: &File) -> bool {
    let probe = format!("{PARTIAL}probe");
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
    let created = place.act(|| openat(folder.fd(), &probe, flags, Mode::RUSR));
    let renamed =
        matches!(created, Ok(Ok(_))) && renameat(folder.fd(), &probe, own, &probe).is_ok();
    if renamed {
        let _ = unlinkat(own, &probe, AtFlags::empty());
    }
    renamed
}

/// Opens what the JVM wrote and makes sure that it is a complete dump.
fn checked_dump(
    process: &Process,
    folder: &PrivateFolder<'_>,
    answer: &Answer,
) -> Result<File, CaptureError> {
    let pid = process.pid();
    let said = || answer.text.trim().to_owned();
    // every JDK says this, and only when it got to the end; the code is 0 in any case
    if answer.code != 0 || !answer.text.contains("Heap dump file created") {
        // a JDK that streams its answers sends the code first and may die before the rest
        if process.ends_within(LAST_BREATH) {
            return Err(CaptureError::Died {
                pid,
                activity: "waited for its answer",
            });
        }
        return Err(CaptureError::Rejected {
            pid,
            command: "dumpheap".to_owned(),
            answer: said(),
        });
    }
    let not_a_dump = |reason: String| CaptureError::NotADump {
        pid,
        reason,
        answer: said(),
    };
    let file = folder.open_file(DUMP).map_err(not_a_dump)?;
    let mut magic = [0; 12];
    let read = std::os::unix::fs::FileExt::read_exact_at(&file, &mut magic, 0);
    if read.is_err() || magic != *b"JAVA PROFILE" {
        return Err(not_a_dump(
            "does not begin with \"JAVA PROFILE\"".to_owned(),
        ));
    }
    Ok(file)
}

/// Makes a file that was renamed into our directory ours alone, after a last look that it is
/// the one that was checked.
fn take_over(dump: &File, own: &File, name: &str) -> io::Result<()> {
    let metadata = dump.metadata()?;
    let named = statat(own, name, AtFlags::SYMLINK_NOFOLLOW)?;
    if (named.st_dev, named.st_ino) != (metadata.dev(), metadata.ino()) {
        return Err(io::Error::other("the target replaced the file"));
    }
    let identity = Identity::own();
    if metadata.uid() != identity.user {
        let user = rustix::fs::Uid::from_raw(identity.user);
        let group = rustix::fs::Gid::from_raw(identity.group);
        fchown(dump, Some(user), Some(group))?;
    }
    dump.set_permissions(fs::Permissions::from_mode(0o600))?;
    dump.sync_all()
}

/// `orders-4711-20261122T140000.250Z.hprof`
fn file_name(request: &CaptureRequest, started: Timestamp) -> String {
    let service = request
        .service
        .as_deref()
        .unwrap_or(request.process.command());
    let safe: String = service
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || "-_".contains(c) {
                c
            } else {
                '-'
            }
        })
        .take(64)
        .collect();
    let time = started.to_string().replace(['-', ':'], "");
    format!("{safe}-{}-{time}.hprof", request.process.pid())
}
