//! The audit log: one line for every capture, refusal and failure.
//!
//! `audit.jsonl` stands beside the dumps. It is also the memory of the cooldown, so that neither
//! a restart nor a second command line forgets, and the lock that keeps captures one at a time:
//! an advisory lock (`flock(2)`) that the system gives back when a process dies.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use leakline_model::Timestamp;
use serde::{Deserialize, Serialize};

/// One line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Record {
    /// RFC 3339, when it was decided or done.
    pub(crate) at: String,
    pub(crate) event: Event,
    /// Whose cooldown it starts: the service, or the process when no service is known.
    pub(crate) target: String,
    pub(crate) pid: u32,
    pub(crate) command: String,
    pub(crate) kind: String,
    /// Why it was asked for.
    pub(crate) purpose: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) file: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) bytes: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) pause_seconds: Option<f64>,
    /// Why there is no dump.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Event {
    Captured,
    Refused,
    Failed,
}

/// The log of one directory.
#[derive(Clone, Debug)]
pub(crate) struct AuditLog {
    path: PathBuf,
}

/// Held while a capture is under way.
#[derive(Debug)]
pub(crate) struct Turn {
    _locked: File,
}

impl AuditLog {
    pub(crate) fn in_directory(directory: &Path) -> Self {
        AuditLog {
            path: directory.join("audit.jsonl"),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// `None` while another capture, of this process or another, has its turn.
    pub(crate) fn take_turn(&self) -> io::Result<Option<Turn>> {
        // every opening has a lock of its own, so that this also holds between threads
        let file = self.open()?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Turn { _locked: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// When `target` was last asked for a dump, whether or not one came of it.
    pub(crate) fn latest(&self, target: &str) -> io::Result<Option<Timestamp>> {
        // some thousand lines; a cooldown does not outlast them
        const TAIL: u64 = 1 << 20;
        let mut file = self.open()?;
        let start = file.metadata()?.len().saturating_sub(TAIL);
        file.seek(SeekFrom::Start(start))?;
        let mut tail = Vec::new();
        file.take(TAIL).read_to_end(&mut tail)?;
        // a line that is cut at the start, or was when a disk filled up, is no record
        Ok(tail
            .split(|byte| *byte == b'\n')
            .filter_map(|line| serde_json::from_slice::<Record>(line).ok())
            .filter(|record| record.target == target && record.event != Event::Refused)
            .filter_map(|record| Timestamp::parse(&record.at).ok())
            .max())
    }

    pub(crate) fn append(&self, record: &Record) -> io::Result<()> {
        let mut line = serde_json::to_vec(record)?;
        line.push(b'\n');
        // one write in append mode: lines of several writers do not mix
        self.open()?.write_all(&line)
    }

    fn open(&self) -> io::Result<File> {
        OpenOptions::new()
            .create(true)
            .read(true)
            .append(true)
            .mode(0o600)
            .open(&self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(at: &str, event: Event, target: &str) -> Record {
        Record {
            at: at.to_owned(),
            event,
            target: target.to_owned(),
            pid: 1,
            command: "java".to_owned(),
            kind: "heap dump".to_owned(),
            purpose: "test".to_owned(),
            file: None,
            bytes: None,
            pause_seconds: None,
            reason: None,
        }
    }

    #[test]
    fn the_latest_attempt_counts_and_refusals_do_not() {
        let directory = tempfile::tempdir().unwrap();
        let log = AuditLog::in_directory(directory.path());
        assert_eq!(log.latest("orders").unwrap(), None);
        for (at, event, target) in [
            ("2026-11-22T10:00:00Z", Event::Captured, "orders"),
            ("2026-11-22T11:00:00Z", Event::Failed, "orders"),
            ("2026-11-22T12:00:00Z", Event::Refused, "orders"),
            ("2026-11-22T13:00:00Z", Event::Captured, "billing"),
        ] {
            log.append(&record(at, event, target)).unwrap();
        }
        // a line that a full disk cut off
        log.open().unwrap().write_all(b"{\"at\":\"2026").unwrap();
        let latest = log.latest("orders").unwrap().unwrap();
        assert_eq!(latest.to_string(), "2026-11-22T11:00:00Z");
    }

    #[test]
    fn a_long_log_is_read_from_its_end() {
        let directory = tempfile::tempdir().unwrap();
        let log = AuditLog::in_directory(directory.path());
        let old = record("2026-11-22T10:00:00Z", Event::Captured, "orders");
        log.append(&old).unwrap();
        let filler = serde_json::to_string(&record("2026-11-22T10:00:01Z", Event::Refused, "x"));
        let lines = format!("{}\n", filler.unwrap()).repeat(10_000);
        log.open().unwrap().write_all(lines.as_bytes()).unwrap();
        assert_eq!(log.latest("orders").unwrap(), None);
        let new = record("2026-11-22T11:00:00Z", Event::Captured, "orders");
        log.append(&new).unwrap();
        assert!(log.latest("orders").unwrap().is_some());
    }

    #[test]
    fn one_at_a_time() {
        let directory = tempfile::tempdir().unwrap();
        let log = AuditLog::in_directory(directory.path());
        let turn = log.take_turn().unwrap();
        assert!(turn.is_some());
        assert!(log.take_turn().unwrap().is_none());
        drop(turn);
        assert!(log.take_turn().unwrap().is_some());
    }
}
