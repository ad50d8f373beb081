//! From the resource that telemetry came with to the process that sent it.
//!
//! `process.pid` is the id that the process sees itself, which inside a container is often 1.
//! So every process of the host whose innermost id is that one is a candidate, and the host's
//! name, the container and the pod decide between them. What remains in doubt is an error:
//! a dump of the wrong process is worse than none.

use std::fs;
use std::path::{Path, PathBuf};

use leakline_model::Resource;

use super::{Process, Status, nul_separated};
use crate::error::Refusal;

/// Why no single process could be told from a resource.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum FindError {
    /// The resource does not say enough.
    #[error(
        "{service} sends neither process.pid nor container.id nor k8s.pod.uid; turn on the \
         process resource detector of its OpenTelemetry SDK, or give the process id"
    )]
    Unidentified {
        /// The service.
        service: String,
    },
    /// It runs elsewhere.
    #[error(
        "{service} runs on host {host}, not on this one ({own_host}); capture it there with \
         `leakline capture --pid`"
    )]
    OtherHost {
        /// The service.
        service: String,
        /// The host it names.
        host: String,
        /// The name of this host.
        own_host: String,
    },
    /// Nothing fits.
    #[error(
        "no process on this host fits {service} ({wanted}); it has ended or been restarted, or \
         runs on another host"
    )]
    NotFound {
        /// The service.
        service: String,
        /// What was looked for.
        wanted: String,
    },
    /// Several fit.
    #[error(
        "{count} processes fit {service} ({wanted}): {candidates}; have the service send \
         container.id or host.name, or give the process id"
    )]
    Ambiguous {
        /// The service.
        service: String,
        /// What was looked for.
        wanted: String,
        /// How many fit.
        count: usize,
        /// Ids and commands of the first of them.
        candidates: String,
    },
    /// It ended just now.
    #[error(transparent)]
    Gone(#[from] Refusal),
}

/// The process of this host that sends telemetry with `resource`.
///
/// Uses `process.pid`, `container.id`, `k8s.pod.uid` and `host.name`; where several processes
/// still fit, `process.executable.path`, `service.instance.id` and `service.name`.
pub fn find(resource: &Resource) -> Result<Process, FindError> {
    let host = Host {
        proc: Path::new("/proc"),
    };
    let wanted = Wanted::of(resource)?;
    let candidates = host.candidates(&wanted);
    let chosen = wanted.choose(candidates, &host.name())?;
    Ok(Process::open(chosen)?)
}

/// What a resource says about the process.
#[derive(Debug)]
struct Wanted {
    service: String,
    pid: Option<u32>,
    container: Option<String>,
    pod: Option<String>,
    host: Option<String>,
    executable: Option<String>,
    instance: Option<String>,
    service_name: Option<String>,
}

/// What procfs says about a process.
#[derive(Clone, Debug, Default)]
struct Candidate {
    pid: u32,
    inner_pid: u32,
    command: String,
    /// Names by which its host may go; none when they cannot be told.
    host_names: Vec<String>,
    /// Paths that carry the ids of its container and pod.
    container_paths: String,
    executable: String,
    /// Its environment and command line.
    settings: Vec<String>,
}

impl Wanted {
    fn of(resource: &Resource) -> Result<Self, FindError> {
        let text = |key: &str| resource.get(key).map(str::to_owned);
        let wanted = Wanted {
            service: resource.service(),
            pid: resource.get("process.pid").and_then(|pid| pid.parse().ok()),
            // an id that is too short would fit by accident
            container: text("container.id").filter(|id| id.len() >= 8),
            pod: text("k8s.pod.uid").filter(|uid| uid.len() >= 8),
            host: text("host.name"),
            executable: text("process.executable.path"),
            instance: text("service.instance.id"),
            service_name: text("service.name"),
        };
        if wanted.pid.is_none() && wanted.container.is_none() && wanted.pod.is_none() {
            return Err(FindError::Unidentified {
                service: wanted.service,
            });
        }
        Ok(wanted)
    }

    fn needs_container(&self) -> bool {
        self.container.is_some() || self.pod.is_some()
    }

    fn fits_container(&self, candidate: &Candidate) -> bool {
        let paths = &candidate.container_paths;
        let has = |id: &Option<String>| id.as_ref().is_none_or(|id| paths.contains(id.as_str()));
        // systemd's cgroup driver writes the uid with underscores
        let has_pod = |uid: &Option<String>| {
            uid.as_ref().is_none_or(|uid| {
                paths.contains(uid.as_str()) || paths.contains(&uid.replace('-', "_"))
            })
        };
        has(&self.container) && has_pod(&self.pod)
    }

    /// The id of the one that fits.
    fn choose(&self, mut candidates: Vec<Candidate>, own_host: &str) -> Result<u32, FindError> {
        candidates.retain(|candidate| {
            self.pid.is_none_or(|pid| pid == candidate.inner_pid) && self.fits_container(candidate)
        });
        // a container's id is unique in the world; a host's name is only needed without it
        if let Some(host) = self.host.as_ref().filter(|_| !self.needs_container()) {
            let here = same_host(host, own_host);
            candidates.retain(|candidate| {
                here || candidate.host_names.is_empty()
                    || candidate
                        .host_names
                        .iter()
                        .any(|name| same_host(name, host))
            });
            // a container that sends its own name is nearer than one whose host has that name
            narrow(&mut candidates, |candidate| {
                candidate
                    .host_names
                    .iter()
                    .any(|name| same_host(name, host))
            });
            if candidates.is_empty() && !here {
                return Err(FindError::OtherHost {
                    service: self.service.clone(),
                    host: host.clone(),
                    own_host: own_host.to_owned(),
                });
            }
        }
        if let Some(executable) = &self.executable {
            narrow(&mut candidates, |candidate| {
                candidate.executable == *executable
            });
        }
        for hint in [&self.instance, &self.service_name].into_iter().flatten() {
            narrow(&mut candidates, |candidate| {
                candidate
                    .settings
                    .iter()
                    .any(|setting| mentions(setting, hint))
            });
        }
        match candidates.as_slice() {
            [only] => Ok(only.pid),
            [] => Err(FindError::NotFound {
                service: self.service.clone(),
                wanted: self.text(),
            }),
            several => Err(self.ambiguous(several)),
        }
    }

    fn ambiguous(&self, several: &[Candidate]) -> FindError {
        let mut listed: Vec<String> = several
            .iter()
            .take(5)
            .map(|candidate| format!("{} ({})", candidate.pid, candidate.command))
            .collect();
        if several.len() > listed.len() {
            listed.push("…".to_owned());
        }
        FindError::Ambiguous {
            service: self.service.clone(),
            wanted: self.text(),
            count: several.len(),
            candidates: listed.join(", "),
        }
    }

    fn text(&self) -> String {
        let pid = self.pid.map(|pid| pid.to_string());
        [
            ("process.pid", &pid),
            ("container.id", &self.container),
            ("k8s.pod.uid", &self.pod),
            ("host.name", &self.host),
        ]
        .into_iter()
        .filter_map(|(key, value)| value.as_ref().map(|value| format!("{key} {value}")))
        .collect::<Vec<_>>()
        .join(", ")
    }
}

/// Keeps those that `fits`, unless none does.
fn narrow(candidates: &mut Vec<Candidate>, fits: impl Fn(&Candidate) -> bool) {
    if candidates.iter().any(&fits) {
        candidates.retain(fits);
    }
}

/// Whether two names mean one host: one of them may lack the domain.
fn same_host(a: &str, b: &str) -> bool {
    let (a, b) = (a.to_ascii_lowercase(), b.to_ascii_lowercase());
    let first_label = |name: &str| name.split('.').next().unwrap_or_default().to_owned();
    a == b || (a.contains('.') != b.contains('.') && first_label(&a) == first_label(&b))
}

/// Whether an OpenTelemetry setting (`OTEL_SERVICE_NAME=a`, `-Dotel.service.name=a`,
/// `OTEL_RESOURCE_ATTRIBUTES=service.name=a,…`) has `value` as one of its values.
fn mentions(setting: &str, value: &str) -> bool {
    let is_ours = setting.starts_with("OTEL_") || setting.starts_with("-Dotel.");
    is_ours
        && setting
            .split(['=', ','])
            .skip(1)
            .any(|part| part.trim() == value)
}

/// A host as its procfs shows it.
struct Host<'a> {
    proc: &'a Path,
}

impl Host<'_> {
    fn name(&self) -> String {
        let name = fs::read_to_string(self.proc.join("sys/kernel/hostname")).unwrap_or_default();
        name.trim().to_owned()
    }

    /// Every process that may be the one, with what there is to know about it. A process that
    /// ends meanwhile, or that we may not look into, is known less about or left out.
    fn candidates(&self, wanted: &Wanted) -> Vec<Candidate> {
        let mut pids: Vec<u32> = fs::read_dir(self.proc)
            .into_iter()
            .flatten()
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
            .collect();
        pids.sort_unstable();
        pids.into_iter()
            .filter_map(|pid| self.candidate(pid, wanted))
            .collect()
    }

    fn candidate(&self, pid: u32, wanted: &Wanted) -> Option<Candidate> {
        let directory = self.proc.join(pid.to_string());
        let status = Status::parse(&fs::read_to_string(directory.join("status")).ok()?)?;
        let other_pid = wanted.pid.is_some_and(|pid| pid != status.inner_pid);
        // kernel threads and zombies have no memory
        if other_pid || status.resident_bytes == 0 {
            return None;
        }
        let mut settings = nul_separated(&directory.join("environ"));
        let host_names = self.host_names(&directory, &settings);
        settings.extend(nul_separated(&directory.join("cmdline")));
        Some(Candidate {
            pid,
            inner_pid: status.inner_pid,
            command: status.name,
            host_names,
            container_paths: if wanted.needs_container() {
                container_paths(&directory)
            } else {
                String::new()
            },
            executable: link_text(&directory.join("exe")),
            settings,
        })
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

fn link_text(path: &Path) -> String {
    let target: PathBuf = fs::read_link(path).unwrap_or_default();
    target.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    const CONTAINER: &str = "3f4a1b2c5d6e7f80913f4a1b2c5d6e7f80913f4a1b2c5d6e7f80913f4a1b2c5d";
    const POD: &str = "0f1e2d3c-aaaa-bbbb-cccc-1234567890ab";

    /// A host `node-1` with a plain JVM, and two containers whose JVM is process 1.
    fn host() -> Vec<Candidate> {
        let candidate = |pid, inner_pid, command: &str, host: &str| Candidate {
            pid,
            inner_pid,
            command: command.to_owned(),
            host_names: vec![host.to_owned()],
            ..Candidate::default()
        };
        vec![
            candidate(1, 1, "systemd", "node-1"),
            Candidate {
                executable: "/usr/bin/java".to_owned(),
                ..candidate(4711, 4711, "java", "node-1")
            },
            Candidate {
                container_paths: format!("0::/system.slice/docker-{CONTAINER}.scope"),
                executable: "/usr/bin/java".to_owned(),
                ..candidate(5001, 1, "java", "orders-1")
            },
            Candidate {
                container_paths: format!(
                    "0::/kubepods.slice/kubepods-pod{}.slice/cri-containerd-77.scope",
                    POD.replace('-', "_")
                ),
                settings: vec!["OTEL_RESOURCE_ATTRIBUTES=service.name=orders,x=y".to_owned()],
                executable: "/usr/bin/java".to_owned(),
                ..candidate(5002, 1, "java", "orders-2")
            },
        ]
    }

    fn check(attributes: &[(&str, &str)], expected: Expect) {
        let resource = Resource::new(
            attributes
                .iter()
                .copied()
                .chain([("service.name", "orders")]),
        );
        let outcome = Wanted::of(&resource).and_then(|wanted| wanted.choose(host(), "node-1"));
        expected.assert_eq(&outcome.map_or_else(|error| error.to_string(), |pid| pid.to_string()));
    }

    #[test]
    fn one_fits() {
        check(&[("process.pid", "4711")], expect!["4711"]);
        check(
            &[("process.pid", "4711"), ("host.name", "NODE-1.example.com")],
            expect!["4711"],
        );
        check(
            &[("process.pid", "1"), ("host.name", "orders-1")],
            expect!["5001"],
        );
        check(
            &[
                ("process.pid", "1"),
                ("container.id", CONTAINER),
                ("host.name", "alias"),
            ],
            expect!["5001"],
        );
        check(&[("container.id", &CONTAINER[..12])], expect!["5001"]);
        check(
            &[("process.pid", "1"), ("k8s.pod.uid", POD)],
            expect!["5002"],
        );
    }

    #[test]
    fn settings_decide_between_equals() {
        // the host itself is meant by name, and its process 1 is no java
        check(
            &[
                ("process.pid", "1"),
                ("process.executable.path", "/usr/bin/java"),
            ],
            expect!["5002"],
        );
    }

    #[test]
    fn none_fits() {
        check(
            &[("host.name", "node-1")],
            expect![
                "orders sends neither process.pid nor container.id nor k8s.pod.uid; turn on the process resource detector of its OpenTelemetry SDK, or give the process id"
            ],
        );
        check(
            &[("process.pid", "12"), ("host.name", "node-1")],
            expect![
                "no process on this host fits orders (process.pid 12, host.name node-1); it has ended or been restarted, or runs on another host"
            ],
        );
        check(
            &[("process.pid", "4711"), ("host.name", "node-2")],
            expect![
                "orders runs on host node-2, not on this one (node-1); capture it there with `leakline capture --pid`"
            ],
        );
        check(
            &[("process.pid", "4711"), ("container.id", "ffffffffffff")],
            expect![
                "no process on this host fits orders (process.pid 4711, container.id ffffffffffff); it has ended or been restarted, or runs on another host"
            ],
        );
    }

    #[test]
    fn several_fit() {
        let mut candidates = host();
        for candidate in &mut candidates {
            candidate.settings.clear();
        }
        let resource = Resource::new([("service.name", "orders"), ("process.pid", "1")]);
        let error = Wanted::of(&resource)
            .and_then(|wanted| wanted.choose(candidates, "node-1"))
            .unwrap_err();
        expect!["3 processes fit orders (process.pid 1): 1 (systemd), 5001 (java), 5002 (java); have the service send container.id or host.name, or give the process id"]
            .assert_eq(&error.to_string());
    }

    #[test]
    fn only_opentelemetry_settings_count() {
        assert!(mentions("OTEL_SERVICE_NAME=orders", "orders"));
        assert!(mentions(
            "-Dotel.resource.attributes=a=b,service.instance.id=i1",
            "i1"
        ));
        assert!(!mentions("NAME=orders", "orders"));
        assert!(!mentions("OTEL_SERVICE_NAME=orders-2", "orders"));
    }

    #[test]
    fn the_process_of_these_tests_is_found() {
        let pid = std::process::id();
        let host = Host {
            proc: Path::new("/proc"),
        };
        let inner_pid = Process::open(pid).unwrap().inner_pid().to_string();
        let resource = Resource::new([
            ("service.name", "tests".to_owned()),
            ("process.pid", inner_pid),
            ("host.name", host.name()),
            (
                "process.executable.path",
                link_text(Path::new("/proc/self/exe")),
            ),
        ]);
        assert_eq!(find(&resource).unwrap().pid(), pid);
    }
}
