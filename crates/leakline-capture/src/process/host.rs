//! The processes of a host as its procfs shows them, with all that may tell them apart.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use leakline_model::Timestamp;
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat, openat2};
use rustix::time::{ClockId, clock_gettime};

use super::{Status, mapped_machine, nul_separated, status};

/// What procfs says about a process; empty where we may not look.
#[derive(Clone, Debug, Default)]
pub(super) struct Candidate {
    pub(super) pid: u32,
    pub(super) inner_pid: u32,
    pub(super) command: String,
    pub(super) started: Timestamp,
    pub(super) started_ticks: u64,
    /// Names by which its host may go; none when they cannot be told.
    pub(super) host_names: Vec<String>,
    /// Paths that carry the ids of its container and pod.
    pub(super) container_paths: String,
    /// Paths by which its executable may go, the kernel's first; none when they cannot be told.
    pub(super) executables: Vec<String>,
    pub(super) is_jvm: Option<bool>,
    pub(super) environment: Vec<String>,
    pub(super) command_line: Vec<String>,
}

/// A host as its procfs shows it.
pub(super) struct Host<'a> {
    pub(super) proc: &'a Path,
}

impl Host<'_> {
    pub(super) fn name(&self) -> String {
        let name = fs::read_to_string(self.proc.join("sys/kernel/hostname")).unwrap_or_default();
        name.trim().to_owned()
    }

    /// Every process that may be the one, with what there is to know about it. A process that
    /// ends meanwhile, or that we may not look into, is known less about or left out.
    ///
    /// `pid` is the id that it has itself, `executable` a path by which it may go, and
    /// `is_container` tells from the paths of a container whether it may be in it.
    pub(super) fn candidates(
        &self,
        pid: Option<u32>,
        executable: Option<&str>,
        is_container: &dyn Fn(&str) -> bool,
    ) -> Vec<Candidate> {
        let mut pids: Vec<u32> = fs::read_dir(self.proc)
            .into_iter()
            .flatten()
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
            .collect();
        pids.sort_unstable();
        let booted = booted();
        pids.into_iter()
            .filter_map(|outer| self.sketch(outer, booted))
            .filter(|candidate| pid.is_none_or(|pid| pid == candidate.inner_pid))
            .map(|candidate| Candidate {
                container_paths: container_paths(&self.directory(candidate.pid)),
                ..candidate
            })
            .filter(|candidate| is_container(&candidate.container_paths))
            .map(|candidate| self.complete(candidate, executable))
            .collect()
    }

    fn directory(&self, pid: u32) -> PathBuf {
        self.proc.join(pid.to_string())
    }

    /// What is cheap to know of every process of a host.
    fn sketch(&self, pid: u32, booted: Timestamp) -> Option<Candidate> {
        let directory = self.directory(pid);
        // first, so that what is read after it is of this process if its start is the same at
        // the end
        let stat = fs::read_to_string(directory.join("stat")).ok()?;
        let started_ticks = status::start_ticks(&stat)?;
        let status = Status::parse(&fs::read_to_string(directory.join("status")).ok()?)?;
        // kernel threads and zombies have no memory
        if status.resident_bytes == 0 {
            return None;
        }
        Some(Candidate {
            pid,
            inner_pid: status.inner_pid,
            command: status.name,
            started: booted + ticks(started_ticks),
            started_ticks,
            ..Candidate::default()
        })
    }

    fn complete(&self, candidate: Candidate, executable: Option<&str>) -> Candidate {
        let directory = self.directory(candidate.pid);
        let environment = nul_separated(&directory.join("environ"));
        let machine = mapped_machine(&directory).ok();
        let library = machine.as_ref().and_then(Option::as_ref);
        let library = library.map(|(_, path)| path.as_path());
        Candidate {
            host_names: self.host_names(&directory, &environment),
            executables: executables(&directory, library, executable),
            is_jvm: machine.as_ref().map(Option::is_some),
            command_line: nul_separated(&directory.join("cmdline")),
            environment,
            ..candidate
        }
    }

    /// The names its host may go by. Those of another UTS namespace can only be read by entering
    /// it, but container runtimes write them where we can look.
    fn host_names(&self, directory: &Path, environment: &[String]) -> Vec<String> {
        let own_namespace = link_text(&self.proc.join("self/ns/uts"));
        let namespace = link_text(&directory.join("ns/uts"));
        if !namespace.is_empty() && namespace == own_namespace {
            return vec![self.name()];
        }
        let file = fs::read_to_string(directory.join("root/etc/hostname")).unwrap_or_default();
        let variable = environment
            .iter()
            .find_map(|entry| entry.strip_prefix("HOSTNAME="))
            .unwrap_or_default();
        [file.trim(), variable]
            .into_iter()
            .filter(|name| !name.is_empty())
            .map(str::to_owned)
            .collect()
    }
}

/// The cgroup paths, and the sources of the files that a container runtime mounts into `/etc`.
///
/// Inside a cgroup namespace the first says nothing, which is why OpenTelemetry SDKs read the
/// second too. Other mounts are left out: a host sees those of all its containers.
fn container_paths(directory: &Path) -> String {
    let mut paths = fs::read_to_string(directory.join("cgroup")).unwrap_or_default();
    let mounts = fs::read_to_string(directory.join("mountinfo")).unwrap_or_default();
    for mount in mounts.lines() {
        let mut fields = mount.split(' ').skip(3);
        if let (Some(source), Some("/etc/hostname" | "/etc/hosts" | "/etc/resolv.conf")) =
            (fields.next(), fields.next())
        {
            paths.push_str(source);
            paths.push('\n');
        }
    }
    paths
}

/// Paths by which the executable of a process may go: the kernel's; the stated one if it is a
/// link to it; and what Java's SDK makes of the property `java.home`, which with JDK 8 or a
/// launcher of one's own is not what was started.
fn executables(directory: &Path, library: Option<&Path>, stated: Option<&str>) -> Vec<String> {
    let executable = link_text(&directory.join("exe"));
    if executable.is_empty() {
        return Vec::new();
    }
    // an update of its package leaves a process with the old file, which has no name any more
    let executable = executable.trim_end_matches(" (deleted)").to_owned();
    let home = library
        .into_iter()
        .flat_map(Path::ancestors)
        .find(|ancestor| ancestor.file_name().is_some_and(|name| name == "lib"))
        .and_then(Path::parent);
    let java = home.map(|home| home.join("bin/java").display().to_string());
    let link = stated
        .filter(|stated| is_same_file(directory, stated))
        .map(str::to_owned);
    [Some(executable), java, link]
        .into_iter()
        .flatten()
        .collect()
}

/// Whether `path`, as the process sees it, is the file that it runs.
fn is_same_file(directory: &Path, path: &str) -> bool {
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let file = |path: &Path| openat(CWD, path, flags, Mode::empty()).ok();
    let inside = || {
        let root = file(&directory.join("root"))?;
        let resolve = ResolveFlags::IN_ROOT;
        openat2(&root, path, flags, Mode::empty(), resolve).ok()
    };
    let identity = |file| rustix::fs::fstat(file).ok().map(|s| (s.st_dev, s.st_ino));
    let own = file(&directory.join("exe")).and_then(identity);
    own.is_some() && inside().and_then(identity) == own
}

/// When this host was booted, by today's clock.
fn booted() -> Timestamp {
    let nanoseconds = |clock| {
        let time = clock_gettime(clock);
        time.tv_sec
            .saturating_mul(1_000_000_000)
            .saturating_add(time.tv_nsec)
    };
    let since_boot = nanoseconds(ClockId::Boottime);
    Timestamp::from_nanos(nanoseconds(ClockId::Realtime).saturating_sub(since_boot))
}

fn ticks(count: u64) -> Duration {
    let per_second = rustix::param::clock_ticks_per_second().max(1);
    Duration::from_millis(count.saturating_mul(1000) / per_second)
}

fn link_text(path: &Path) -> String {
    let target: PathBuf = fs::read_link(path).unwrap_or_default();
    target.to_string_lossy().into_owned()
}
