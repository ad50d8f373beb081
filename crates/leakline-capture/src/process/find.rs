//! From the resource that telemetry came with to the process that sent it.
//!
//! `process.pid` is the id that the process sees itself, which inside a container is often 1.
//! So every process of the host whose innermost id is that one is a candidate, and the host's
//! name, the container and the pod decide between them. An id alone proves nothing, for ids are
//! given again: whoever contradicts the resource (see [`super::evidence`]) is out, and something
//! besides the id must tie the process to it. What remains in doubt is an error: a dump of the
//! wrong process is worse than none.

use std::path::Path;

use leakline_model::{Resource, Timestamp};

use super::Process;
use super::evidence::{Evidence, compare};
use super::host::{Candidate, Host};
use crate::error::Refusal;

/// When a process was heard of: the event times of its telemetry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// The first data of the run in question. Where a resource outlives restarts (its instance
    /// is the name of a pod, say), that is the first since the last restart.
    pub first_seen: Timestamp,
    /// The latest data.
    pub last_seen: Timestamp,
}

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
    /// Those with the right id are not the one.
    #[error(
        "not the process that sent the telemetry of {service}: {contradictions}; that one has \
         ended or runs elsewhere: wait for telemetry of the present one, or give its process id"
    )]
    Contradicted {
        /// The service.
        service: String,
        /// Ids and commands of the first of them, and what speaks against each.
        contradictions: String,
    },
    /// One has the right id, and nothing else ties it to the telemetry.
    #[error(
        "process {pid} ({command}) fits {service} ({wanted}), but ids are given again and nothing \
         else ties the two together; have the service send process.executable.path, \
         process.command_args or container.id, or give the process id"
    )]
    Unproven {
        /// The service.
        service: String,
        /// What was looked for.
        wanted: String,
        /// The process.
        pid: u32,
        /// Its command.
        command: String,
    },
    /// It ended just now.
    #[error(transparent)]
    Gone(#[from] Refusal),
}

/// The process of this host that sends telemetry with `resource`, heard of as `sighting` says.
///
/// Found by `process.pid`, `container.id`, `k8s.pod.uid` and `host.name`. A process is refused
/// that started after its first data, or that contradicts any of `process.executable.path`,
/// `process.command_args`, `process.command_line`, `process.creation.time`,
/// `telemetry.sdk.language`, or what the OpenTelemetry settings in its environment and on its
/// command line say of `service.*` and `k8s.*`. What either side does not say counts neither
/// way; but one of these, or the container or pod, must agree.
pub fn find(resource: &Resource, sighting: &Sighting) -> Result<Process, FindError> {
    let host = Host {
        proc: Path::new("/proc"),
    };
    let wanted = Wanted::of(resource)?;
    let candidates = host.candidates(
        wanted.pid,
        resource.get("process.executable.path"),
        &|container_paths| wanted.fits_container(container_paths),
    );
    let chosen = wanted.choose(candidates, sighting, &host.name())?;
    let process = Process::open(chosen.pid)?;
    // between the look at it and its opening its id may have gone to another
    if process.started != chosen.started_ticks {
        return Err(Refusal::NoSuchProcess { pid: chosen.pid }.into());
    }
    Ok(process)
}

/// What a resource says about the process.
#[derive(Debug)]
struct Wanted<'a> {
    resource: &'a Resource,
    service: String,
    pid: Option<u32>,
    container: Option<String>,
    pod: Option<String>,
    host: Option<String>,
}

impl<'a> Wanted<'a> {
    fn of(resource: &'a Resource) -> Result<Self, FindError> {
        let text = |key: &str| resource.get(key).map(str::to_owned);
        let wanted = Wanted {
            resource,
            service: resource.service(),
            pid: resource.get("process.pid").and_then(|pid| pid.parse().ok()),
            // an id that is too short would fit by accident
            container: text("container.id").filter(|id| id.len() >= 8),
            pod: text("k8s.pod.uid").filter(|uid| uid.len() >= 8),
            host: text("host.name"),
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

    fn fits_container(&self, paths: &str) -> bool {
        let has = |id: &Option<String>| id.as_ref().is_none_or(|id| paths.contains(id.as_str()));
        // systemd's cgroup driver writes the uid with underscores
        let has_pod = |uid: &Option<String>| {
            uid.as_ref().is_none_or(|uid| {
                paths.contains(uid.as_str()) || paths.contains(&uid.replace('-', "_"))
            })
        };
        has(&self.container) && has_pod(&self.pod)
    }

    /// The one that fits.
    fn choose(
        &self,
        mut candidates: Vec<Candidate>,
        sighting: &Sighting,
        own_host: &str,
    ) -> Result<Candidate, FindError> {
        candidates.retain(|candidate| {
            self.pid.is_none_or(|pid| pid == candidate.inner_pid)
                && self.fits_container(&candidate.container_paths)
        });
        self.narrow_to_host(&mut candidates, own_host)?;
        let mut judged = self.without_contradicted(candidates, sighting)?;
        narrow(&mut judged, |(_, is_tied)| *is_tied);
        match judged.as_slice() {
            [(only, is_tied)] if *is_tied || self.needs_container() => Ok(only.clone()),
            [(only, _)] => Err(FindError::Unproven {
                service: self.service.clone(),
                wanted: self.text(),
                pid: only.pid,
                command: only.command.clone(),
            }),
            [] => Err(FindError::NotFound {
                service: self.service.clone(),
                wanted: self.text(),
            }),
            several => Err(self.ambiguous(several)),
        }
    }

    fn narrow_to_host(
        &self,
        candidates: &mut Vec<Candidate>,
        own_host: &str,
    ) -> Result<(), FindError> {
        // a container's id is unique in the world; a host's name is only needed without it
        let Some(host) = self.host.as_ref().filter(|_| !self.needs_container()) else {
            return Ok(());
        };
        let here = same_host(host, own_host);
        let has_that_name = |candidate: &Candidate| {
            let mut names = candidate.host_names.iter();
            names.any(|name| same_host(name, host))
        };
        candidates.retain(|candidate| {
            here || candidate.host_names.is_empty() || has_that_name(candidate)
        });
        // a container that sends its own name is nearer than one whose host has that name
        narrow(candidates, has_that_name);
        if candidates.is_empty() && !here {
            return Err(FindError::OtherHost {
                service: self.service.clone(),
                host: host.clone(),
                own_host: own_host.to_owned(),
            });
        }
        Ok(())
    }

    /// Those that nothing speaks against, each with whether something ties it to the resource.
    fn without_contradicted(
        &self,
        candidates: Vec<Candidate>,
        sighting: &Sighting,
    ) -> Result<Vec<(Candidate, bool)>, FindError> {
        let mut judged = Vec::new();
        let mut contradictions = Vec::new();
        for candidate in candidates {
            let evidence = compare(self.resource, sighting, &candidate);
            let contradiction = evidence.iter().find_map(|evidence| match evidence {
                Evidence::Contradicts(reason) => Some(reason),
                Evidence::Agrees | Evidence::Silent => None,
            });
            match contradiction {
                Some(reason) => contradictions.push(format!(
                    "process {} ({}) {reason}",
                    candidate.pid, candidate.command
                )),
                None => judged.push((candidate, evidence.contains(&Evidence::Agrees))),
            }
        }
        if judged.is_empty() && !contradictions.is_empty() {
            return Err(FindError::Contradicted {
                service: self.service.clone(),
                contradictions: first_of(contradictions),
            });
        }
        Ok(judged)
    }

    fn ambiguous(&self, several: &[(Candidate, bool)]) -> FindError {
        let listed = several
            .iter()
            .map(|(candidate, _)| format!("{} ({})", candidate.pid, candidate.command));
        FindError::Ambiguous {
            service: self.service.clone(),
            wanted: self.text(),
            count: several.len(),
            candidates: first_of(listed.collect()),
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

/// The first few of a list, for people.
fn first_of(mut list: Vec<String>) -> String {
    const MOST: usize = 5;
    if list.len() > MOST {
        list.truncate(MOST);
        list.push("…".to_owned());
    }
    list.join(", ")
}

/// Keeps those that `fits`, unless none does.
fn narrow<T>(candidates: &mut Vec<T>, fits: impl Fn(&T) -> bool) {
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

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::{Duration, SystemTime};

    use expect_test::{Expect, expect};

    use super::*;

    const CONTAINER: &str = "3f4a1b2c5d6e7f80913f4a1b2c5d6e7f80913f4a1b2c5d6e7f80913f4a1b2c5d";
    const POD: &str = "0f1e2d3c-aaaa-bbbb-cccc-1234567890ab";

    const JAVA: &str = "/usr/bin/java";

    /// A host `node-1` with a plain JVM, and two containers whose JVM is process 1. They were
    /// started a minute apart, systemd with the epoch.
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
                executables: vec![JAVA.to_owned()],
                started: at("10:01:00"),
                command_line: vec!["java".to_owned(), "-jar".to_owned(), "a.jar".to_owned()],
                ..candidate(4711, 4711, "java", "node-1")
            },
            Candidate {
                container_paths: format!("0::/system.slice/docker-{CONTAINER}.scope"),
                executables: vec![JAVA.to_owned()],
                started: at("10:02:00"),
                ..candidate(5001, 1, "java", "orders-1")
            },
            Candidate {
                container_paths: format!(
                    "0::/kubepods.slice/kubepods-pod{}.slice/cri-containerd-77.scope",
                    POD.replace('-', "_")
                ),
                environment: vec!["OTEL_RESOURCE_ATTRIBUTES=service.name=orders,x=y".to_owned()],
                executables: vec![JAVA.to_owned()],
                started: at("10:03:00"),
                ..candidate(5002, 1, "java", "orders-2")
            },
        ]
    }

    fn at(clock: &str) -> Timestamp {
        Timestamp::parse(&format!("2026-11-22T{clock}Z")).unwrap()
    }

    fn check(attributes: &[(&str, &str)], expected: Expect) {
        check_among(host(), ["10:03:10", "11:00:00"], attributes, expected);
    }

    /// `seen` is when the first and the last data came.
    fn check_among(
        candidates: Vec<Candidate>,
        seen: [&str; 2],
        attributes: &[(&str, &str)],
        expected: Expect,
    ) {
        let attributes = attributes.iter().copied();
        let resource = Resource::new(attributes.chain([("service.name", "orders")]));
        let sighting = Sighting {
            first_seen: at(seen[0]),
            last_seen: at(seen[1]),
        };
        let outcome =
            Wanted::of(&resource).and_then(|wanted| wanted.choose(candidates, &sighting, "node-1"));
        let text = outcome.map_or_else(|error| error.to_string(), |found| found.pid.to_string());
        expected.assert_eq(&text);
    }

    #[test]
    fn one_fits() {
        let java = ("process.executable.path", JAVA);
        check(&[("process.pid", "4711"), java], expect!["4711"]);
        check(
            &[
                ("process.pid", "4711"),
                ("host.name", "NODE-1.example.com"),
                (
                    "process.command_args",
                    r#"["/jdk/bin/java","-jar","a.jar"]"#,
                ),
            ],
            expect!["4711"],
        );
        check(
            &[("process.pid", "1"), ("host.name", "orders-1"), java],
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
    fn what_ties_decides_between_equals() {
        // of the processes 1, the settings of one name the service
        check(&[("process.pid", "1")], expect!["5002"]);
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
    fn an_id_that_was_given_again() {
        let check = |seen, expected| {
            let attributes = [("process.pid", "4711"), ("process.executable.path", JAVA)];
            check_among(host(), seen, &attributes, expected);
        };
        // it was started at 10:01; clocks may part by some seconds
        check(["10:01:00", "10:30:00"], expect!["4711"]);
        check(["10:00:56", "10:30:00"], expect!["4711"]);
        check(
            ["10:00:50", "10:30:00"],
            expect![
                "not the process that sent the telemetry of orders: process 4711 (java) started at 2026-11-22T10:01:00Z, after the first data at 2026-11-22T10:00:50Z; that one has ended or runs elsewhere: wait for telemetry of the present one, or give its process id"
            ],
        );
        check(
            ["09:00:00", "09:30:00"],
            expect![
                "not the process that sent the telemetry of orders: process 4711 (java) started at 2026-11-22T10:01:00Z, after the last data at 2026-11-22T09:30:00Z; that one has ended or runs elsewhere: wait for telemetry of the present one, or give its process id"
            ],
        );
    }

    #[test]
    fn an_id_and_nothing_else() {
        check(
            &[("process.pid", "4711")],
            expect![
                "process 4711 (java) fits orders (process.pid 4711), but ids are given again and nothing else ties the two together; have the service send process.executable.path, process.command_args or container.id, or give the process id"
            ],
        );
    }

    #[test]
    fn contradictions() {
        check(
            &[
                ("process.pid", "4711"),
                ("process.executable.path", "/opt/jdk/bin/java"),
            ],
            expect![
                "not the process that sent the telemetry of orders: process 4711 (java) runs /usr/bin/java, not /opt/jdk/bin/java; that one has ended or runs elsewhere: wait for telemetry of the present one, or give its process id"
            ],
        );
        // not one of the processes 1
        check(
            &[
                ("process.pid", "1"),
                ("process.creation.time", "2026-11-22T09:59:30Z"),
            ],
            expect![
                "not the process that sent the telemetry of orders: process 1 (systemd) started at 1970-01-01T00:00:00Z, not at 2026-11-22T09:59:30Z, process 5001 (java) started at 2026-11-22T10:02:00Z, not at 2026-11-22T09:59:30Z, process 5002 (java) started at 2026-11-22T10:03:00Z, not at 2026-11-22T09:59:30Z; that one has ended or runs elsewhere: wait for telemetry of the present one, or give its process id"
            ],
        );
    }

    #[test]
    fn several_fit() {
        let mut candidates = host();
        for candidate in &mut candidates {
            candidate.environment.clear();
        }
        check_among(
            candidates,
            ["10:03:10", "11:00:00"],
            &[("process.pid", "1")],
            expect![
                "3 processes fit orders (process.pid 1): 1 (systemd), 5001 (java), 5002 (java); have the service send container.id or host.name, or give the process id"
            ],
        );
    }

    /// What a process of these tests sends, were it to send telemetry.
    fn own_resource() -> Resource {
        let host = Host {
            proc: Path::new("/proc"),
        };
        let inner_pid = Process::open(std::process::id()).unwrap().inner_pid();
        Resource::new([
            ("service.name", "tests".to_owned()),
            ("process.pid", inner_pid.to_string()),
            ("host.name", host.name()),
            (
                "process.executable.path",
                fs::read_link("/proc/self/exe")
                    .unwrap()
                    .display()
                    .to_string(),
            ),
        ])
    }

    #[test]
    fn the_process_of_these_tests_is_found() {
        let pid = std::process::id();
        let now = Timestamp::from(SystemTime::now());
        let sighting = |seconds| Sighting {
            first_seen: now - Duration::from_secs(seconds),
            last_seen: now,
        };
        let mut resource = own_resource();
        assert_eq!(find(&resource, &sighting(0)).unwrap().pid(), pid);
        // before it was started there was another of its id
        let error = find(&resource, &sighting(86_400)).unwrap_err();
        assert!(matches!(error, FindError::Contradicted { .. }), "{error}");

        // by a link, as /usr/bin/java is
        let directory = tempfile::tempdir().unwrap();
        let link = directory.path().join("link");
        std::os::unix::fs::symlink("/proc/self/exe", &link).unwrap();
        let executable = fs::canonicalize(&link).unwrap();
        fs::remove_file(&link).unwrap();
        std::os::unix::fs::symlink(executable, &link).unwrap();
        let key = || "process.executable.path".to_owned();
        resource
            .attributes
            .insert(key(), link.display().to_string());
        assert_eq!(find(&resource, &sighting(0)).unwrap().pid(), pid);
        resource.attributes.insert(key(), "/bin/sh".to_owned());
        let error = find(&resource, &sighting(0)).unwrap_err();
        assert!(matches!(error, FindError::Contradicted { .. }), "{error}");
    }
}
