//! A running process: who it is, inside its container and out, and whether it is a JVM.
//!
//! Everything comes from procfs (`proc(5)`), read when the process is opened. A [`Process`]
//! holds a pidfd (Linux 5.3), so that a signal can never reach a later process that got the
//! same id.

mod evidence;
mod find;
mod host;
mod options;
mod status;

use std::fs;
use std::io::{self, BufRead, BufReader};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

pub use find::{FindError, Sighting, find};
pub(crate) use status::Status;

use crate::error::Refusal;
use crate::identity::Identity;

/// A process on this host that was alive when it was opened.
#[derive(Debug)]
pub struct Process {
    pid: u32,
    pidfd: OwnedFd,
    status: Status,
    /// Clock ticks from the host's boot to its start: with the id, its identity.
    started: u64,
    command_line: Vec<String>,
}

/// Which virtual machine a process has mapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum VirtualMachine {
    HotSpot,
    OpenJ9,
}

impl Process {
    /// Opens the process with the id `pid`, as this host (the caller's pid namespace) sees it.
    pub fn open(pid: u32) -> Result<Self, Refusal> {
        let missing = || Refusal::NoSuchProcess { pid };
        let raw = i32::try_from(pid)
            .ok()
            .and_then(Pid::from_raw)
            .ok_or_else(missing)?;
        // the pidfd comes first: what is read after it and before a last look at it is of it
        let pidfd = pidfd_open(raw, PidfdFlags::empty()).map_err(|error| match error {
            // the last two: a thread that is no process, depending on the kernel
            Errno::SRCH | Errno::INVAL | Errno::NOENT => missing(),
            _ => Refusal::CannotOpen {
                pid,
                reason: io::Error::from(error).to_string(),
            },
        })?;
        let directory = directory(pid);
        let status = fs::read_to_string(directory.join("status")).map_err(|_| missing())?;
        let status = Status::parse(&status).ok_or_else(missing)?;
        let started = fs::read_to_string(directory.join("stat"))
            .ok()
            .and_then(|stat| status::start_ticks(&stat))
            .ok_or_else(missing)?;
        let process = Process {
            pid,
            pidfd,
            status,
            started,
            command_line: nul_separated(&directory.join("cmdline")),
        };
        if process.is_running() || process.status.state == b'Z' {
            Ok(process)
        } else {
            Err(missing())
        }
    }

    /// Its id as this host sees it.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Its id as it sees itself, in the innermost pid namespace: what an OpenTelemetry SDK
    /// sends as `process.pid`.
    pub fn inner_pid(&self) -> u32 {
        self.status.inner_pid
    }

    /// The user whose rights it has (effective user id).
    pub fn user(&self) -> u32 {
        self.status.user
    }

    /// The group whose rights it has (effective group id).
    pub fn group(&self) -> u32 {
        self.status.group
    }

    /// Bytes of memory it takes, swapped ones included, when it was opened. An upper bound of a
    /// JVM's heap in use, apart from file mappings.
    pub fn memory_bytes(&self) -> u64 {
        self.status
            .resident_bytes
            .saturating_add(self.status.swapped_bytes)
    }

    /// The name of its executable as the kernel keeps it, at most 15 bytes: `java`.
    pub fn command(&self) -> &str {
        &self.status.name
    }

    /// Whether it has not ended since it was opened.
    pub fn is_running(&self) -> bool {
        !self.ends_within(Duration::ZERO)
    }

    /// Whether it has ended, or does so within `patience`.
    pub(crate) fn ends_within(&self, patience: Duration) -> bool {
        let mut ended = [PollFd::new(&self.pidfd, PollFlags::IN)];
        let timeout = Timespec::try_from(patience).unwrap_or_default();
        matches!(poll(&mut ended, Some(&timeout)), Ok(1..))
    }

    /// What tells it from every other process since the host's boot: `process 4711 started 99`.
    pub(crate) fn key(&self) -> String {
        format!("process {} started {}", self.pid, self.started)
    }

    pub(crate) fn identity(&self) -> Identity {
        Identity {
            user: self.status.user,
            group: self.status.group,
        }
    }

    pub(crate) fn directory(&self) -> PathBuf {
        directory(self.pid)
    }

    /// `Some("stopped")` or `Some("a zombie")` when it cannot answer now.
    pub(crate) fn hindrance(&self) -> Option<&'static str> {
        match self.current_status()?.state {
            b'T' | b't' => Some("stopped"),
            b'Z' | b'X' => Some("a zombie"),
            _ => None,
        }
    }

    /// Which virtual machine it has mapped, if any.
    pub(crate) fn virtual_machine(&self) -> io::Result<Option<VirtualMachine>> {
        Ok(mapped_machine(&self.directory())?.map(|(machine, _)| machine))
    }

    /// Whether it handles SIGQUIT now. It is asked anew, because a JVM that starts up has
    /// libjvm.so mapped before it has handlers.
    pub(crate) fn catches_quit(&self) -> bool {
        self.current_status()
            .is_some_and(|status| status.catches_quit)
    }

    fn current_status(&self) -> Option<Status> {
        Status::parse(&fs::read_to_string(self.directory().join("status")).ok()?)
    }

    /// Sends SIGQUIT. Fatal to whatever does not catch it, and to a Go program that does.
    pub(crate) fn send_quit(&self) -> rustix::io::Result<()> {
        pidfd_send_signal(self.pidfd.as_fd(), Signal::QUIT)
    }

    /// Whether its flags say that attaching is off, as far as they can be seen.
    pub(crate) fn disables_attach(&self) -> bool {
        let environment = nul_separated(&self.directory().join("environ"));
        options::disables_attach(&environment, &self.command_line)
    }
}

/// The virtual machine that the process of a procfs directory has mapped, if any, and the path of
/// its library.
///
/// OpenJ9 also maps a `libjvm.so`, which only passes calls on to its own `libj9vm`.
fn mapped_machine(directory: &Path) -> io::Result<Option<(VirtualMachine, PathBuf)>> {
    let maps = BufReader::new(fs::File::open(directory.join("maps"))?);
    let mut found = None;
    for line in maps.split(b'\n') {
        let line = line?;
        // an updated package leaves the old library mapped with " (deleted)" behind its name
        let name = line.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
        let path = || {
            let start = line.iter().position(|byte| *byte == b'/').unwrap_or(0);
            PathBuf::from(String::from_utf8_lossy(line.get(start..).unwrap_or_default()).as_ref())
        };
        if name.starts_with(b"libj9vm") {
            return Ok(Some((VirtualMachine::OpenJ9, path())));
        }
        if found.is_none() && name.starts_with(b"libjvm.so") {
            found = Some((VirtualMachine::HotSpot, path()));
        }
    }
    Ok(found)
}

fn directory(pid: u32) -> PathBuf {
    Path::new("/proc").join(pid.to_string())
}

/// The strings of `cmdline` or `environ`; none when the file cannot be read.
fn nul_separated(path: &Path) -> Vec<String> {
    let bytes = fs::read(path).unwrap_or_default();
    bytes
        .split(|byte| *byte == 0)
        .filter(|part| !part.is_empty())
        .map(|part| String::from_utf8_lossy(part).into_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_knows_itself() {
        let own = Process::open(std::process::id()).unwrap();
        assert!(own.is_running());
        assert!(own.memory_bytes() > 0);
        assert_eq!(own.identity(), Identity::own());
        assert_eq!(own.virtual_machine().unwrap(), None);
        assert_eq!(own.hindrance(), None);
        for pid in [0, u32::MAX, i32::MAX as u32] {
            assert_eq!(
                Process::open(pid).unwrap_err(),
                Refusal::NoSuchProcess { pid }
            );
        }
    }
}
