//! Why there is no dump: refusals, where nothing was asked of the target, and failures.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use leakline_model::{ByteSize, duration_text};

/// Why a capture did not come about.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CaptureError {
    /// Held back by a guard or a precondition; the target was not asked for a dump.
    #[error(transparent)]
    Refused(#[from] Refusal),

    /// The JVM did not open its attach socket.
    #[error(
        "JVM {pid} did not open its attach socket within {waited}; it is hung or swamped, or was \
         started with -XX:+DisableAttachMechanism: look at its standard output for a thread dump, \
         which means the latter",
        waited = duration_text(*.waited)
    )]
    AttachTimedOut {
        /// The process.
        pid: u32,
        /// How long it was given.
        waited: Duration,
    },

    /// The JVM accepted the connection and closed it again.
    #[error(
        "JVM {pid} closed the attach connection without an answer to {command}; it serves only \
         its own user and group ({user}:{group}): run leakline as them, or as root"
    )]
    ConnectionClosed {
        /// The process.
        pid: u32,
        /// What it was asked.
        command: String,
        /// The user it runs as.
        user: u32,
        /// The group it runs as.
        group: u32,
    },

    /// The JVM took too long over a command. It may still be at it.
    #[error(
        "JVM {pid} did not answer {command} within {waited}; it may still be writing: give it \
         longer, or take the dump when it is less busy",
        waited = duration_text(*.waited)
    )]
    AnswerTimedOut {
        /// The process.
        pid: u32,
        /// What it was asked.
        command: String,
        /// How long it was given.
        waited: Duration,
    },

    /// The process ended while it was being worked with.
    #[error("process {pid} ended while leakline {activity}; nothing of the dump was kept")]
    Died {
        /// The process.
        pid: u32,
        /// What was going on.
        activity: &'static str,
    },

    /// It was ended early by [`crate::CancellationFlag`]. If the JVM was asked already, it writes
    /// on, for it cannot be stopped, but to a file without a name, whose space is freed when it
    /// is done.
    #[error("the capture from process {pid} was cancelled; nothing of a dump was kept")]
    Cancelled {
        /// The process.
        pid: u32,
    },

    /// The JVM said that it could not do it.
    #[error("JVM {pid} could not carry out {command}: {answer}")]
    Rejected {
        /// The process.
        pid: u32,
        /// What it was asked.
        command: String,
        /// The JVM's own words.
        answer: String,
    },

    /// What came over the attach socket is not the protocol.
    #[error("JVM {pid} does not speak the attach protocol as expected: {reason}")]
    Protocol {
        /// The process.
        pid: u32,
        /// What is wrong.
        reason: String,
    },

    /// The JVM reported success, but the file is not a dump.
    #[error("JVM {pid} reported a dump, but its file {reason}; it said: {answer}")]
    NotADump {
        /// The process.
        pid: u32,
        /// What is wrong with the file.
        reason: String,
        /// The JVM's own words.
        answer: String,
    },

    /// A file could not be worked with.
    #[error("cannot {action} {}: {source}", .path.display())]
    Io {
        /// What was tried, for example `create directory`.
        action: &'static str,
        /// Where.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl CaptureError {
    /// Whether a guard or precondition held the capture back, so that the target was not
    /// touched: exit code 3 of the command line.
    pub fn is_refusal(&self) -> bool {
        matches!(self, CaptureError::Refused(_))
    }
}

/// Why the target was left alone. Each message ends in what to do.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// There is no such process.
    #[error(
        "there is no process {pid} here; give the process id as this host sees it, not as its \
         container does"
    )]
    NoSuchProcess {
        /// The process id that was asked for.
        pid: u32,
    },

    /// The system cannot hold on to a process.
    #[error(
        "cannot open process {pid}: {reason}; leakline needs Linux 5.3 or newer, and in a sandbox \
         the system call pidfd_open"
    )]
    CannotOpen {
        /// The process id that was asked for.
        pid: u32,
        /// What the system said.
        reason: String,
    },

    /// The process exists but does not run.
    #[error("process {pid} ({command}) is {state} and cannot answer; resume it first")]
    NotRunning {
        /// The process.
        pid: u32,
        /// Its command.
        command: String,
        /// `stopped` or `a zombie`.
        state: &'static str,
    },

    /// The process is something else than a JVM.
    #[error(
        "process {pid} ({command}) is not a HotSpot JVM: it has no libjvm.so mapped; \
         give the process id of the java process itself, not of its launch script"
    )]
    NotJvm {
        /// The process.
        pid: u32,
        /// Its command.
        command: String,
    },

    /// A JVM that does not catch SIGQUIT, which would kill it.
    #[error(
        "JVM {pid} ({command}) does not catch SIGQUIT, so asking it for a dump would kill it; \
         it is still starting (try again in a moment) or runs with -Xrs (start it without)"
    )]
    SignalNotCaught {
        /// The process.
        pid: u32,
        /// Its command.
        command: String,
    },

    /// An OpenJ9 JVM.
    #[error(
        "JVM {pid} ({command}) is OpenJ9, which speaks another protocol; take the dump with its \
         own `jcmd {pid} Dump.heap`, or run the service on a HotSpot JVM"
    )]
    OpenJ9 {
        /// The process.
        pid: u32,
        /// Its command.
        command: String,
    },

    /// The JVM was told at its start not to serve attach requests.
    #[error(
        "JVM {pid} ({command}) runs with -XX:+DisableAttachMechanism; restart it without that \
         flag to make heap dumps possible"
    )]
    AttachDisabled {
        /// The process.
        pid: u32,
        /// Its command.
        command: String,
    },

    /// The attach socket of that name belongs to another process.
    #[error(
        "the attach socket of process {pid} belongs to process {owner}: two containers share \
         /tmp; give each its own /tmp"
    )]
    ForeignSocket {
        /// The process.
        pid: u32,
        /// The process that listens on the socket.
        owner: u32,
    },

    /// The system does not let us.
    #[error(
        "not permitted to {action} of process {pid}, which runs as user {user}, group {group}; \
         run leakline as that user and group or as root (in a container also with SYS_PTRACE)"
    )]
    NotPermitted {
        /// What was tried, for example `open the file system`.
        action: &'static str,
        /// The process.
        pid: u32,
        /// The user it runs as.
        user: u32,
        /// The group it runs as.
        group: u32,
    },

    /// The target's own file system cannot take the file.
    #[error(
        "cannot write to {} of process {pid}: {reason}; mount a writable directory there, which \
         the JVM also needs for its attach socket",
        .directory.display()
    )]
    TargetNotWritable {
        /// The process.
        pid: u32,
        /// The directory as the target sees it.
        directory: PathBuf,
        /// What the system said.
        reason: String,
    },

    /// Too little free disk.
    #[error(
        "{free} free in {place}, but a dump of about {expected} needs {needed} there; free some \
         space, or choose another directory",
        free = ByteSize(*.free), expected = ByteSize(*.expected), needed = ByteSize(*.needed)
    )]
    NotEnoughDisk {
        /// Which directory.
        place: String,
        /// Free bytes there.
        free: u64,
        /// Bytes the dump is expected to have.
        expected: u64,
        /// Bytes that must be free.
        needed: u64,
    },

    /// The dump would be written to memory that the target does not have.
    #[error(
        "{place} is kept in memory and only {free} is left, but a dump of about {expected} needs \
         {needed}; let the JVM write to a directory on disk",
        free = ByteSize(*.free), expected = ByteSize(*.expected), needed = ByteSize(*.needed)
    )]
    NotEnoughMemory {
        /// Which directory.
        place: String,
        /// Free bytes of memory.
        free: u64,
        /// Bytes the dump is expected to have.
        expected: u64,
        /// Bytes that must be free.
        needed: u64,
    },

    /// Larger than allowed.
    #[error(
        "the dump would have about {expected}, more than the {limit} allowed; raise the largest \
         dump size if the service can afford the pause",
        expected = ByteSize(*.expected), limit = ByteSize(*.limit)
    )]
    TooLarge {
        /// Bytes the dump is expected to have.
        expected: u64,
        /// Bytes allowed.
        limit: u64,
    },

    /// Too soon after the capture before.
    #[error(
        "{target} was dumped {ago} ago; wait another {remaining}, or shorten the cooldown",
        ago = duration_text(*.ago), remaining = duration_text(*.remaining)
    )]
    CoolingDown {
        /// The service or process.
        target: String,
        /// Time since the capture before.
        ago: Duration,
        /// Time until the next is allowed.
        remaining: Duration,
    },

    /// Another capture is under way.
    #[error(
        "another capture into {} is under way; only one runs at a time: try again when it is done",
        .directory.display()
    )]
    Busy {
        /// Where the dumps go.
        directory: PathBuf,
    },
}
