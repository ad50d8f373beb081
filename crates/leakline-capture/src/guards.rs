//! What must hold before a service is asked for a dump.

use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::error::Refusal;
use crate::process::Process;

/// The limits that a capture keeps to.
#[derive(Clone, Debug, PartialEq)]
pub struct Guards {
    /// How many times the expected size of the dump must be free, at least 1. The expected size
    /// is an estimate, references take 8 bytes in a dump but often 4 in the heap, and a JDK that
    /// dumps with several threads joins their files at the end.
    pub disk_factor: f64,
    /// Bytes that must stay free on every disk that is written to.
    pub disk_reserve: u64,
    /// The largest dump that may be asked for, by its expected size: the pause grows with it.
    pub max_dump_bytes: Option<u64>,
    /// Time between two captures of one service.
    pub cooldown: Duration,
    /// Instead of `cooldown`, the time between a capture and the one that follows it (see
    /// [`crate::CaptureRequest::follows`]), to have two dumps of one process to compare.
    pub follow_up_cooldown: Duration,
    /// Time for a JVM to open its attach socket and to answer a trivial request.
    pub attach_timeout: Duration,
    /// Time for a JVM to collect and write the dump.
    pub dump_timeout: Duration,
}

impl Default for Guards {
    fn default() -> Self {
        Guards {
            disk_factor: 2.0,
            disk_reserve: 512 << 20,
            max_dump_bytes: None,
            cooldown: Duration::from_secs(5 * 60),
            follow_up_cooldown: Duration::from_secs(20),
            attach_timeout: Duration::from_secs(10),
            dump_timeout: Duration::from_secs(15 * 60),
        }
    }
}

impl Guards {
    pub(crate) fn check_size(&self, expected: u64) -> Result<(), Refusal> {
        match self.max_dump_bytes {
            Some(limit) if expected > limit => Err(Refusal::TooLarge { expected, limit }),
            _ => Ok(()),
        }
    }

    /// Whether a file system with `free` bytes can take `copies` of the dump.
    pub(crate) fn check_disk(
        &self,
        place: &str,
        free: u64,
        expected: u64,
        copies: u32,
    ) -> Result<(), Refusal> {
        let needed = self
            .demand(expected)
            .saturating_mul(u64::from(copies))
            .saturating_add(self.disk_reserve);
        if free >= needed {
            return Ok(());
        }
        Err(Refusal::NotEnoughDisk {
            place: place.to_owned(),
            free,
            expected,
            needed,
        })
    }

    /// Whether a dump that is kept in memory fits there.
    pub(crate) fn check_memory(
        &self,
        place: &str,
        free: Option<u64>,
        expected: u64,
    ) -> Result<(), Refusal> {
        let needed = self.demand(expected);
        match free {
            Some(free) if free < needed => Err(Refusal::NotEnoughMemory {
                place: place.to_owned(),
                free,
                expected,
                needed,
            }),
            _ => Ok(()),
        }
    }

    /// `ago` is the time since the latest capture of `target`, if there was one.
    pub(crate) fn check_cooldown(
        &self,
        target: &str,
        ago: Option<Duration>,
        is_follow_up: bool,
    ) -> Result<(), Refusal> {
        let cooldown = if is_follow_up {
            self.follow_up_cooldown
        } else {
            self.cooldown
        };
        match ago.map(|ago| (ago, cooldown.saturating_sub(ago))) {
            Some((ago, remaining)) if !remaining.is_zero() => Err(Refusal::CoolingDown {
                target: target.to_owned(),
                ago,
                remaining,
            }),
            _ => Ok(()),
        }
    }

    fn demand(&self, expected: u64) -> u64 {
        // a float-to-integer cast saturates
        (expected as f64 * self.disk_factor.max(1.0)).ceil() as u64
    }
}

/// Bytes of memory that `process` can still take: what the host has available, and what its
/// cgroups (version 2) leave, page cache that can be given back not counted as used.
pub(crate) fn free_memory(process: &Process) -> Option<u64> {
    let host = fs::read_to_string("/proc/meminfo")
        .ok()
        .and_then(|text| keyed_number(&text, "MemAvailable:"))
        .map(|kibibytes| kibibytes.saturating_mul(1024));
    let cgroup = fs::read_to_string(process.directory().join("cgroup")).unwrap_or_default();
    let path = cgroup
        .lines()
        .find_map(|line| line.strip_prefix("0::/"))
        // a path outside our own cgroup namespace cannot be looked up
        .filter(|path| !path.starts_with(".."))
        .unwrap_or_default();
    let root = Path::new("/sys/fs/cgroup");
    Path::new(path)
        .ancestors()
        .filter_map(|ancestor| cgroup_headroom(&root.join(ancestor)))
        .chain(host)
        .min()
}

fn cgroup_headroom(directory: &Path) -> Option<u64> {
    let read = |name: &str| fs::read_to_string(directory.join(name)).ok();
    // "max" when there is no limit
    let limit: u64 = read("memory.max")?.trim().parse().ok()?;
    let current: u64 = read("memory.current")?.trim().parse().ok()?;
    let reclaimable = keyed_number(&read("memory.stat")?, "inactive_file").unwrap_or(0);
    Some(limit.saturating_sub(current.saturating_sub(reclaimable)))
}

/// The number behind `key` at the start of a line.
fn keyed_number(text: &str, key: &str) -> Option<u64> {
    text.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        (words.next() == Some(key)).then(|| words.next()?.parse().ok())?
    })
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(outcome: Result<(), Refusal>, expected: Expect) {
        expected.assert_eq(&outcome.map_or_else(|error| error.to_string(), |()| "fine".to_owned()));
    }

    #[test]
    fn each_guard_refuses_with_numbers_and_advice() {
        const GIB: u64 = 1 << 30;
        let guards = Guards {
            max_dump_bytes: Some(4 * GIB),
            ..Guards::default()
        };
        check(guards.check_size(4 * GIB), expect!["fine"]);
        check(
            guards.check_size(4 * GIB + 1),
            expect![
                "the dump would have about 4.00 GiB, more than the 4.00 GiB allowed; raise the largest dump size if the service can afford the pause"
            ],
        );
        check(
            guards.check_disk("/tmp of process 7", 2 * GIB + (512 << 20), GIB, 1),
            expect!["fine"],
        );
        check(
            guards.check_disk("/tmp of process 7", 2 * GIB + (512 << 20), GIB, 2),
            expect![
                "2.50 GiB free in /tmp of process 7, but a dump of about 1.00 GiB needs 4.50 GiB there; free some space, or choose another directory"
            ],
        );
        check(
            guards.check_disk("/dumps", u64::MAX, u64::MAX, 2),
            expect!["fine"],
        );
        check(guards.check_memory("/tmp", None, GIB), expect!["fine"]);
        check(
            guards.check_memory("/tmp of process 7", Some(GIB), GIB),
            expect![
                "/tmp of process 7 is kept in memory and only 1.00 GiB is left, but a dump of about 1.00 GiB needs 2.00 GiB; let the JVM write to a directory on disk"
            ],
        );
        let cooldown = |ago: Option<u64>, is_follow_up| {
            guards.check_cooldown("orders", ago.map(Duration::from_secs), is_follow_up)
        };
        check(cooldown(None, false), expect!["fine"]);
        check(cooldown(Some(300), false), expect!["fine"]);
        check(cooldown(Some(100), true), expect!["fine"]);
        check(
            cooldown(Some(10), true),
            expect!["orders was dumped 10 s ago; wait another 10 s, or shorten the cooldown"],
        );
        check(
            cooldown(Some(100), false),
            expect![
                "orders was dumped 1 min 40 s ago; wait another 3 min 20 s, or shorten the cooldown"
            ],
        );
    }

    #[test]
    fn a_factor_below_one_counts_as_one() {
        for disk_factor in [0.0, -1.0, f64::NAN] {
            let guards = Guards {
                disk_factor,
                ..Guards::default()
            };
            assert_eq!(guards.demand(100), 100);
        }
    }

    #[test]
    fn memory_of_this_process_is_known() {
        let own = Process::open(std::process::id()).unwrap();
        assert!(free_memory(&own).is_some_and(|bytes| bytes > 0));
    }
}
