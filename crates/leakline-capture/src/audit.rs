//! The audit log: a line before a JVM is asked for a dump, and one for what came of it or why it
//! was not asked.
//!
//! `audit.jsonl` stands beside the dumps, mode 0600. The first line is on disk before the JVM is
//! asked, so that a crash in the middle is remembered too. It is also the memory of the cooldown, so that neither
//! a restart nor a second command line forgets, and the lock that keeps captures one at a time:
//! an advisory lock (`flock(2)`) that the system gives back when a process dies.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, Permissions, TryLockError};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use leakline_model::Timestamp;
use rustix::fs::OFlags;
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
    /// Which process with that id; empty in old logs.
    #[serde(default)]
    pub(crate) process: String,
    pub(crate) kind: String,
    /// Where the JVM writes, as it sees it itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) target_directory: Option<PathBuf>,
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
    /// The JVM is about to be asked.
    Started,
    Captured,
    /// The JVM was not asked.
    Refused,
    Failed,
    Cancelled,
}

/// What the log knows of a target.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct History {
    /// When it was last asked for a dump, whether or not one came of it.
    pub(crate) attempted: Option<Timestamp>,
    /// Whether it is not known what came of that, because the capture was killed.
    pub(crate) is_unfinished: bool,
    /// The latest dump of it: its file, and the process it was taken from.
    pub(crate) captured: Option<(PathBuf, String)>,
}

impl History {
    fn take(&mut self, record: Record, at: Timestamp) {
        match record.event {
            Event::Refused => return,
            // if the JVM was asked, there is a line that says when
            Event::Cancelled => {
                self.is_unfinished = false;
                return;
            }
            Event::Started | Event::Failed => {}
            Event::Captured => {
                let file = record.file.map(PathBuf::from).unwrap_or_default();
                self.captured = Some((file, record.process));
            }
        }
        self.is_unfinished = record.event == Event::Started;
        self.attempted = self.attempted.max(Some(at));
    }
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

    /// What is known of `target` at the time `now`. A later time is that of a clock that was
    /// wrong.
    pub(crate) fn history(&self, target: &str, now: Timestamp) -> io::Result<History> {
        let mut history = History::default();
        for record in self.records()? {
            let record = record?;
            let at = Timestamp::parse(&record.at).ok().filter(|at| *at <= now);
            if let Some(at) = at.filter(|_| record.target == target) {
                history.take(record, at);
            }
        }
        Ok(history)
    }

    /// Captures that were started and of which no more is known: killed, unless they are under
    /// way. The latest of each process.
    pub(crate) fn unfinished(&self) -> io::Result<Vec<Record>> {
        let mut unfinished = BTreeMap::new();
        for record in self.records()? {
            let record = record?;
            match record.event {
                Event::Started => unfinished.insert(record.process.clone(), record),
                Event::Captured | Event::Failed | Event::Cancelled => {
                    unfinished.remove(&record.process)
                }
                Event::Refused => None,
            };
        }
        Ok(unfinished.into_values().collect())
    }

    /// The records in their order, the oldest of a very long log left out.
    fn records(&self) -> io::Result<impl Iterator<Item = io::Result<Record>>> {
        // more than a hundred thousand lines; a cooldown does not outlast them
        const TAIL: u64 = 64 << 20;
        let mut file = self.open()?;
        let start = file.metadata()?.len().saturating_sub(TAIL);
        file.seek(SeekFrom::Start(start))?;
        let lines = BufReader::new(file.take(TAIL)).split(b'\n');
        // a line that is cut at the start, or was when a disk filled up, is no record
        Ok(lines.filter_map(|line| {
            line.map(|line| serde_json::from_slice(&line).ok())
                .transpose()
        }))
    }

    /// Writes a line, and waits until it is on disk.
    pub(crate) fn append(&self, record: &Record) -> io::Result<()> {
        let mut line = Vec::new();
        let mut file = self.open()?;
        if !ends_with_newline(&mut file)? {
            // a full disk cut off the line before; this one must not be lost with it
            line.push(b'\n');
        }
        serde_json::to_writer(&mut line, record)?;
        line.push(b'\n');
        // one write in append mode: lines of several writers do not mix
        file.write_all(&line)?;
        file.sync_data()
    }

    fn open(&self) -> io::Result<File> {
        // in a directory that others may write to, the name could lead elsewhere
        let flags = OFlags::NOFOLLOW.bits();
        let file = OpenOptions::new()
            .create(true)
            .read(true)
            .append(true)
            .mode(0o600)
            .custom_flags(i32::try_from(flags).unwrap_or_default())
            .open(&self.path)?;
        if file.metadata()?.mode() & 0o077 != 0 {
            file.set_permissions(Permissions::from_mode(0o600))?;
        }
        Ok(file)
    }
}

fn ends_with_newline(file: &mut File) -> io::Result<bool> {
    if file.seek(SeekFrom::End(0))? == 0 {
        return Ok(true);
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn record(at: &str, event: Event, target: &str) -> Record {
        Record {
            at: format!("2026-11-22T{at}:00Z"),
            event,
            target: target.to_owned(),
            pid: 1,
            command: "java".to_owned(),
            process: "process 1 started 2".to_owned(),
            kind: "heap dump".to_owned(),
            target_directory: None,
            purpose: "test".to_owned(),
            file: (event == Event::Captured).then(|| format!("/dumps/{at}")),
            bytes: None,
            pause_seconds: None,
            reason: None,
        }
    }

    /// The history of `orders` at 15:00 after these events, in an otherwise empty log.
    fn check(events: &[(&str, Event)], expected: Expect) {
        let directory = tempfile::tempdir().unwrap();
        let log = AuditLog::in_directory(directory.path());
        for (at, event) in events {
            log.append(&record(at, *event, "orders")).unwrap();
            log.append(&record(at, Event::Captured, "billing")).unwrap();
        }
        let now = Timestamp::parse("2026-11-22T15:00:00Z").unwrap();
        let history = log.history("orders", now).unwrap();
        let attempted = history.attempted.map(Timestamp::clock);
        let captured = history.captured.map(|(file, _)| file);
        expected.assert_eq(&format!(
            "attempted {attempted:?}, unfinished {}, captured {captured:?}",
            history.is_unfinished
        ));
    }

    #[test]
    fn attempts_count_and_refusals_do_not() {
        use Event::*;
        check(
            &[],
            expect!["attempted None, unfinished false, captured None"],
        );
        check(
            &[("10:00", Captured)],
            expect![[
                r#"attempted Some("10:00:00"), unfinished false, captured Some("/dumps/10:00")"#
            ]],
        );
        check(
            &[("10:00", Captured), ("11:00", Failed)],
            expect![[
                r#"attempted Some("11:00:00"), unfinished false, captured Some("/dumps/10:00")"#
            ]],
        );
        check(
            &[("10:00", Captured), ("11:00", Refused)],
            expect![[
                r#"attempted Some("10:00:00"), unfinished false, captured Some("/dumps/10:00")"#
            ]],
        );
        check(
            &[("10:00", Cancelled)],
            expect!["attempted None, unfinished false, captured None"],
        );
        check(
            &[("10:00", Started), ("10:05", Captured)],
            expect![[
                r#"attempted Some("10:05:00"), unfinished false, captured Some("/dumps/10:05")"#
            ]],
        );
        check(
            &[("10:00", Started), ("10:05", Cancelled)],
            expect![[r#"attempted Some("10:00:00"), unfinished false, captured None"#]],
        );
        // killed in the middle
        check(
            &[("10:00", Captured), ("11:00", Started)],
            expect![[
                r#"attempted Some("11:00:00"), unfinished true, captured Some("/dumps/10:00")"#
            ]],
        );
        // when the clock was wrong
        check(
            &[("10:00", Captured), ("20:00", Failed)],
            expect![[
                r#"attempted Some("10:00:00"), unfinished false, captured Some("/dumps/10:00")"#
            ]],
        );
    }

    #[test]
    fn what_is_unfinished() {
        use Event::*;
        let check = |events: &[Event], expected: &[&str]| {
            let directory = tempfile::tempdir().unwrap();
            let log = AuditLog::in_directory(directory.path());
            for (event, process) in events.iter().zip(["a", "a", "b"]) {
                let record = Record {
                    process: process.to_owned(),
                    ..record("10:00", *event, "orders")
                };
                log.append(&record).unwrap();
            }
            let unfinished = log.unfinished().unwrap();
            let processes: Vec<&str> = unfinished.iter().map(|r| r.process.as_str()).collect();
            assert_eq!(processes, expected);
        };
        check(&[], &[]);
        check(&[Started, Captured, Started], &["b"]);
        check(&[Started, Refused, Captured], &["a"]);
        check(&[Captured, Started, Started], &["a", "b"]);
        check(&[Started, Failed, Cancelled], &[]);
    }

    #[test]
    fn a_line_that_a_full_disk_cut_off() {
        let directory = tempfile::tempdir().unwrap();
        let log = AuditLog::in_directory(directory.path());
        log.open().unwrap().write_all(b"{\"at\":\"2026").unwrap();
        log.append(&record("10:00", Event::Started, "orders"))
            .unwrap();
        let history = log.history("orders", Timestamp::MAX).unwrap();
        assert!(history.is_unfinished);
    }

    #[test]
    fn no_flood_of_refusals_ends_a_cooldown() {
        let directory = tempfile::tempdir().unwrap();
        let log = AuditLog::in_directory(directory.path());
        log.append(&record("10:00", Event::Captured, "orders"))
            .unwrap();
        let filler = serde_json::to_string(&record("10:01", Event::Refused, "orders"));
        let lines = format!("{}\n", filler.unwrap()).repeat(10_000);
        log.open().unwrap().write_all(lines.as_bytes()).unwrap();
        let history = log.history("orders", Timestamp::MAX).unwrap();
        assert!(history.attempted.is_some());
    }

    #[test]
    fn it_is_for_its_owner_only() {
        let directory = tempfile::tempdir().unwrap();
        let log = AuditLog::in_directory(directory.path());
        let mode = || std::fs::metadata(log.path()).unwrap().mode() & 0o777;
        log.append(&record("10:00", Event::Started, "orders"))
            .unwrap();
        assert_eq!(mode(), 0o600);
        std::fs::set_permissions(log.path(), Permissions::from_mode(0o644)).unwrap();
        log.append(&record("10:01", Event::Captured, "orders"))
            .unwrap();
        assert_eq!(mode(), 0o600);

        // and no link to another file
        let elsewhere = directory.path().join("elsewhere");
        std::fs::rename(log.path(), &elsewhere).unwrap();
        std::os::unix::fs::symlink(&elsewhere, log.path()).unwrap();
        assert!(log.open().is_err());
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
