//! Captures from real processes: JVMs in many situations, and things that are no JVM.
//!
//! Needs `java` (JDK 17 or newer, for running a source file) in the PATH. The tests of other
//! users and of namespaces need root; without it they say that they are skipped.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "helpers are held to what their tests are: a failure panics, a skipped test says so"
)]

mod target;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, SystemTime};

use expect_test::{Expect, expect};
use leakline_capture::attach::{Jvm, Version};
use leakline_capture::{
    CancellationFlag, Capture, CaptureError, CaptureKind, CaptureRequest, Capturer, DumpFile,
    Guards, Process, Progress, Sighting, find,
};
use leakline_model::{Resource, Timestamp};

use target::{Target, is_root, names, signal, world_readable_directory};

const NOBODY: u32 = 65534;

fn guards() -> Guards {
    Guards {
        cooldown: Duration::ZERO,
        disk_reserve: 0,
        ..Guards::default()
    }
}

/// A capturer into a directory of its own.
struct Station {
    directory: tempfile::TempDir,
    capturer: Capturer,
    /// Where targets that see the host's file system write.
    spool: PathBuf,
}

impl Station {
    fn new(guards: Guards) -> Self {
        let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let capturer = Capturer::new(directory.path().join("dumps"), guards).unwrap();
        let spool = directory.path().join("spool");
        fs::create_dir(&spool).unwrap();
        Station {
            directory,
            capturer,
            spool,
        }
    }

    fn request(&self, target: &Target) -> CaptureRequest {
        CaptureRequest {
            target_directory: self.spool.clone(),
            ..target.request()
        }
    }

    fn capture(&self, request: &CaptureRequest) -> Result<Capture, CaptureError> {
        self.capturer.capture(request, &mut |_| {})
    }

    /// The capture must not come about, must say `expected`, and must leave nothing but a line
    /// in the audit log.
    fn check_none(&self, outcome: Result<Capture, CaptureError>, pid: u32, expected: Expect) {
        let error = outcome.expect_err("no dump was to come of this");
        let text = error
            .to_string()
            .replace(&pid.to_string(), "PID")
            .replace(&self.directory.path().display().to_string(), "DIR");
        expected.assert_eq(&text);
        assert_eq!(names(self.capturer.directory()), ["audit.jsonl"]);
        assert_eq!(names(&self.spool), [""; 0]);
        let event = match error {
            CaptureError::Refused(_) => "refused",
            CaptureError::Cancelled { .. } => "cancelled",
            _ => "failed",
        };
        let last = self.audit().pop().unwrap();
        assert_eq!(last["event"], event);
        assert_eq!(last["reason"], error.to_string());
    }

    fn audit(&self) -> Vec<serde_json::Value> {
        fs::read_to_string(self.capturer.directory().join("audit.jsonl"))
            .unwrap()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

fn check_dump(capture: &Capture) {
    let metadata = fs::metadata(&capture.path).unwrap();
    assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
    assert_eq!(metadata.uid(), fs::metadata("/proc/self").unwrap().uid());
    assert_eq!(metadata.len(), capture.bytes);
    assert!(capture.started < capture.finished);
    let dump = DumpFile::open(&capture.path).unwrap();
    assert!(dump.as_slice().starts_with(b"JAVA PROFILE 1.0."));
    let kept = b"kept by Holder 49999";
    assert!(
        dump.as_slice()
            .windows(kept.len())
            .any(|window| window == kept)
    );
}

#[test]
fn a_dump_is_taken_and_nothing_is_left_behind() {
    let mut target = Target::java(&[]);
    let station = Station::new(Guards {
        cooldown: Duration::from_secs(3600),
        ..guards()
    });
    let mut request = target.request();
    request.service = Some("orders/eu west".to_owned());
    request.purpose = "test".to_owned();
    let mut steps = Vec::new();
    let capture = station.capturer.capture(&request, &mut |step| {
        steps.push(std::mem::discriminant(&step));
    });
    let capture = capture.unwrap();
    check_dump(&capture);
    let any = |step: Progress| steps.contains(&std::mem::discriminant(&step));
    assert!(any(Progress::Attaching));
    assert!(any(Progress::Dumping {
        bytes: 0,
        expected: 0
    }));

    let name = capture.path.file_name().unwrap().to_string_lossy();
    assert!(
        name.starts_with(&format!("orders-eu-west-{}-2", target.pid)),
        "{name}"
    );
    assert_eq!(names(station.capturer.directory()), ["audit.jsonl", &name]);
    let mode = fs::metadata(station.capturer.directory())
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o700);
    assert_eq!(target.left_behind(), [""; 0]);
    assert!(target.is_alive());

    let audit = station.audit();
    assert_eq!(audit.len(), 2);
    assert_eq!(audit[0]["event"], "started");
    assert_eq!(audit[1]["event"], "captured");
    assert_eq!(audit[1]["target"], "orders/eu west");
    assert_eq!(audit[1]["bytes"], capture.bytes);
    assert_eq!(audit[1]["purpose"], "test");

    // another replica of the service, and a capturer that knows of the first only from the log
    request.kind = CaptureKind::HeapDump { live: false };
    let again = Capturer::new(station.capturer.directory(), Guards::default()).unwrap();
    let error = again.capture(&request, &mut |_| {}).unwrap_err();
    assert!(error.is_refusal());
    let text = error.to_string();
    assert!(text.starts_with("orders/eu west was dumped "), "{text}");
    request.service = Some("billing".to_owned());
    check_dump(&again.capture(&request, &mut |_| {}).unwrap());
}

#[test]
fn a_dump_to_compare_with_another_need_not_wait_so_long() {
    let target = Target::java(&[]);
    let other = Target::java(&[]);
    let station = Station::new(Guards {
        cooldown: Duration::from_secs(3600),
        follow_up_cooldown: Duration::ZERO,
        ..guards()
    });
    let request = |target, follows: Option<&str>| CaptureRequest {
        service: Some("orders".to_owned()),
        follows: follows.map(str::to_owned),
        ..station.request(target)
    };
    let refused = |target, follows| {
        let error = station.capture(&request(target, follows)).unwrap_err();
        assert!(error.to_string().starts_with("orders was dumped "));
        assert!(error.is_refusal());
    };
    let capture = |target, follows| {
        let capture = station.capture(&request(target, follows)).unwrap();
        let name = capture.path.file_name().unwrap().to_owned();
        name.into_string().unwrap()
    };
    let first = capture(&target, None);
    refused(&target, None);
    refused(&target, Some("other.hprof"));
    refused(&other, Some(&first));
    let second = capture(&target, Some(&first));
    // a pair has two
    refused(&target, Some(&first));
    let third = capture(&target, Some(&second));

    // a crash in the middle of the next
    let mut line = station.audit().pop().unwrap();
    line["event"] = "started".into();
    let log = station.capturer.directory().join("audit.jsonl");
    fs::write(
        &log,
        fs::read_to_string(&log).unwrap() + &format!("{line}\n"),
    )
    .unwrap();
    refused(&target, Some(&third));
}

#[test]
fn the_process_is_found_by_its_telemetry() {
    let target = Target::java(&["-Dotel.service.name=orders"]);
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    let sent = |attributes: &[(&str, &str)]| {
        let pid = target.process().inner_pid().to_string();
        let mut resource = Resource::new([("process.pid", pid.as_str())]);
        let host = [("host.name", host.trim()), ("service.name", "orders")];
        for (key, value) in host.iter().chain(attributes) {
            resource
                .attributes
                .insert((*key).to_owned(), (*value).to_owned());
        }
        resource
    };
    let now = Timestamp::from(SystemTime::now());
    let first_seen = |first_seen| Sighting {
        first_seen,
        last_seen: now,
    };
    let java = fs::read_link(format!("/proc/{}/exe", target.pid)).unwrap();
    let attributes = [
        ("process.executable.path", java.to_str().unwrap()),
        ("telemetry.sdk.language", "java"),
    ];
    for attributes in [&[], attributes.as_slice()] {
        let found = find(&sent(attributes), &first_seen(now)).unwrap();
        assert_eq!(found.pid(), target.pid);
    }

    let check = |resource: &Resource, sighting: &Sighting, expected: &str| {
        let error = find(resource, sighting).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    // the pid was that of another process a minute ago
    let before = now - Duration::from_secs(60);
    check(
        &sent(&attributes),
        &first_seen(before),
        ", after the first data at ",
    );
    check(
        &sent(&[("service.name", "billing")]),
        &first_seen(now),
        "is set to send service.name orders, not billing",
    );
    check(
        &sent(&[("process.command_args", r#"["java","-jar","other.jar"]"#)]),
        &first_seen(now),
        "has other arguments than process.command_args",
    );
}

#[test]
fn commands_have_answers() {
    let target = Target::java(&[]);
    let process = target.process();
    let timeout = Duration::from_secs(20);
    let jvm = Jvm::attach(&process, timeout, &CancellationFlag::default()).unwrap();
    let ask = |command: &str, arguments: &[&str]| {
        jvm.execute(command, arguments, timeout, &mut || {})
            .unwrap()
    };
    let properties = ask("properties", &[]);
    assert_eq!(properties.code, 0);
    let specification = properties
        .text
        .lines()
        .find_map(|line| line.strip_prefix("java.specification.version="))
        .unwrap();
    let newest_with_one = 23;
    let expected = if specification.parse::<u32>().unwrap() > newest_with_one {
        Version::Two
    } else {
        Version::One
    };
    assert_eq!(jvm.version(), expected);
    assert!(
        ask("jcmd", &["GC.class_histogram"])
            .text
            .contains("java.lang.String")
    );
    let unknown = ask("no-such-command", &[]);
    assert_ne!(unknown.code, 0);
    assert!(unknown.text.contains("not recognized"), "{unknown:?}");
}

#[test]
fn what_is_no_jvm_survives() {
    for trap in ["", "trap 'exit 3' QUIT;"] {
        let script = format!("{trap} echo ready; while :; do sleep 1; done");
        let mut shell = Target::start(Command::new("sh").args(["-c", &script]), None);
        let station = Station::new(guards());
        station.check_none(
            station.capture(&station.request(&shell)),
            shell.pid,
            expect!["process PID (sh) is not a HotSpot JVM: it has no libjvm.so mapped; give the process id of the java process itself, not of its launch script"],
        );
        assert!(shell.is_alive());
    }
}

#[test]
fn a_jvm_that_does_not_catch_sigquit_is_not_sent_any() {
    // such a JVM listens from its start, so a dump is possible nevertheless
    let mut target = Target::java(&["-Xrs"]);
    let station = Station::new(guards());
    check_dump(&station.capture(&station.request(&target)).unwrap());
    assert!(target.is_alive());

    // but not when its socket is gone
    let socket = format!(
        "/proc/{0}/root/tmp/.java_pid{1}",
        target.pid,
        target.process().inner_pid()
    );
    fs::remove_file(socket).unwrap();
    let station = Station::new(guards());
    station.check_none(
        station.capture(&station.request(&target)),
        target.pid,
        expect!["JVM PID (java) does not catch SIGQUIT, so asking it for a dump would kill it; it is still starting (try again in a moment) or runs with -Xrs (start it without)"],
    );
    assert!(target.is_alive());
    assert_eq!(target.left_behind(), [""; 0]);
}

#[test]
fn a_jvm_that_serves_no_attach_requests() {
    let mut target = Target::java(&["-XX:+DisableAttachMechanism"]);
    let station = Station::new(guards());
    station.check_none(
        station.capture(&station.request(&target)),
        target.pid,
        expect!["JVM PID (java) runs with -XX:+DisableAttachMechanism; restart it without that flag to make heap dumps possible"],
    );
    assert!(target.is_alive());

    // said in a file of arguments, which cannot be seen from outside
    let files = world_readable_directory();
    let file = files.path().join("arguments");
    fs::write(&file, "-XX:+DisableAttachMechanism").unwrap();
    let mut target = Target::java(&[&format!("@{}", file.display())]);
    let station = Station::new(Guards {
        attach_timeout: Duration::from_secs(1),
        ..guards()
    });
    station.check_none(
        station.capture(&station.request(&target)),
        target.pid,
        expect!["JVM PID did not open its attach socket within 1 s; it is hung or swamped, or was started with -XX:+DisableAttachMechanism: look at its standard output for a thread dump, which means the latter"],
    );
    assert!(target.is_alive());
    assert_eq!(target.left_behind(), [""; 0]);
}

#[test]
fn guards_refuse_before_the_jvm_is_asked() {
    let mut target = Target::java(&[]);
    let station = Station::new(guards());
    let request = CaptureRequest {
        expected_bytes: Some(1 << 60),
        ..station.request(&target)
    };
    let error = station.capture(&request).unwrap_err();
    assert!(error.is_refusal());
    let text = error.to_string();
    let (_, text) = text.split_once(" free in ").unwrap();
    let text = text.replace(&station.spool.display().to_string(), "SPOOL");
    expect!["SPOOL of process PID, but a dump of about 1.00 EiB needs 2.00 EiB there; free some space, or choose another directory"]
        .assert_eq(&text.replace(&target.pid.to_string(), "PID"));

    let station = Station::new(Guards {
        max_dump_bytes: Some(1 << 30),
        ..guards()
    });
    station.check_none(
        station.capture(&request),
        target.pid,
        expect!["the dump would have about 1.00 EiB, more than the 1.00 GiB allowed; raise the largest dump size if the service can afford the pause"],
    );

    let station = Station::new(guards());
    let mut refusals = 0;
    let outcome = station
        .capturer
        .capture(&station.request(&target), &mut |step| {
            if step == Progress::Attaching {
                let second = station.capture(&station.request(&target)).unwrap_err();
                let text = second.to_string();
                assert!(text.starts_with("another capture into "), "{text}");
                refusals += 1;
            }
        });
    check_dump(&outcome.unwrap());
    assert_eq!(refusals, 1);
    assert!(target.is_alive());
}

#[test]
fn a_target_directory_that_does_not_exist() {
    let mut target = Target::java(&[]);
    let station = Station::new(guards());
    let request = CaptureRequest {
        target_directory: "/no/such/place".into(),
        ..target.request()
    };
    station.check_none(
        station.capture(&request),
        target.pid,
        expect!["cannot write to /no/such/place of process PID: No such file or directory (os error 2); mount a writable directory there, which the JVM also needs for its attach socket"],
    );
    assert!(target.is_alive());
}

#[test]
fn a_jvm_that_is_stopped() {
    let mut target = Target::java(&[]);
    let station = Station::new(guards());
    target.signal("STOP");
    while !target.is_stopped() {
        std::thread::sleep(Duration::from_millis(1));
    }
    station.check_none(
        station.capture(&station.request(&target)),
        target.pid,
        expect!["process PID (java) is stopped and cannot answer; resume it first"],
    );
    target.signal("CONT");
    assert!(target.is_alive());
}

#[test]
fn a_jvm_that_hangs_in_the_middle() {
    let mut target = Target::java(&[]);
    let station = Station::new(Guards {
        dump_timeout: Duration::from_secs(1),
        ..guards()
    });
    let pid = target.pid;
    let outcome = station
        .capturer
        .capture(&station.request(&target), &mut |step| {
            if matches!(step, Progress::Dumping { .. }) {
                signal(pid, "STOP");
            }
        });
    station.check_none(
        outcome,
        pid,
        expect!["JVM PID did not answer dumpheap within 1 s; it may still be writing: give it longer, or take the dump when it is less busy"],
    );
    target.signal("CONT");
    let station = Station::new(guards());
    check_dump(&station.capture(&station.request(&target)).unwrap());
    assert!(target.is_alive());
}

#[test]
fn a_capture_that_is_cancelled() {
    let mut target = Target::java(&[]);
    let pid = target.pid;
    for step in ["attaching", "dumping"] {
        let station = Station::new(guards());
        let request = station.request(&target);
        let outcome = station.capturer.capture(&request, &mut |progress| {
            match (step, progress) {
                ("attaching", Progress::Attaching) => request.cancellation.cancel(),
                // so that it is still at it
                ("dumping", Progress::Dumping { .. }) => {
                    signal(pid, "STOP");
                    request.cancellation.cancel();
                }
                _ => {}
            }
        });
        target.signal("CONT");
        station.check_none(
            outcome,
            pid,
            expect!["the capture from process PID was cancelled; nothing of a dump was kept"],
        );
        // what was begun counts
        let asked = station
            .audit()
            .iter()
            .any(|line| line["event"] == "started");
        assert_eq!(asked, step == "dumping");
    }
    assert_eq!(target.left_behind(), [""; 0]);
    let station = Station::new(guards());
    check_dump(&station.capture(&station.request(&target)).unwrap());
    assert!(target.is_alive());
}

#[test]
fn a_copy_that_is_cancelled() {
    let Some(mut target) = Target::java_in_namespace("-t tmpfs -o size=512m tmpfs") else {
        return;
    };
    let station = Station::new(guards());
    let request = target.request();
    let outcome = station.capturer.capture(&request, &mut |step| {
        if matches!(step, Progress::Copying { .. }) {
            request.cancellation.cancel();
        }
    });
    station.check_none(
        outcome,
        target.pid,
        expect!["the capture from process PID was cancelled; nothing of a dump was kept"],
    );
    assert_eq!(target.left_behind(), [""; 0]);
    assert!(target.is_alive());
}

/// Run by the test below, to be killed in the middle; by itself it does nothing.
#[test]
fn killed() {
    let (Ok(pid), Ok(directory)) = (
        std::env::var("KILLED_TARGET"),
        std::env::var("KILLED_DIRECTORY"),
    ) else {
        return;
    };
    let directory = PathBuf::from(directory);
    let capturer = Capturer::new(directory.join("dumps"), guards()).unwrap();
    let request = CaptureRequest {
        target_directory: directory.join("spool"),
        ..CaptureRequest::heap_dump(Process::open(pid.parse().unwrap()).unwrap())
    };
    let _ = capturer.capture(&request, &mut |step| {
        if matches!(step, Progress::Dumping { .. }) {
            signal(std::process::id(), "KILL");
        }
    });
}

#[test]
fn a_crash_does_not_end_the_cooldown() {
    let target = Target::java(&[]);
    let station = Station::new(Guards {
        cooldown: Duration::from_secs(3600),
        ..guards()
    });
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "killed"])
        .env("KILLED_TARGET", target.pid.to_string())
        .env("KILLED_DIRECTORY", station.directory.path())
        .status()
        .unwrap();
    assert!(!status.success());
    assert_eq!(names(station.capturer.directory()), ["audit.jsonl"]);
    assert_eq!(station.audit().pop().unwrap()["event"], "started");
    let request = station.request(&target);
    let error = station.capture(&request).unwrap_err().to_string();
    assert!(error.contains(" was dumped "), "{error}");

    // and what it left with the target is gone at the next start
    assert_eq!(names(&station.spool).len(), 1);
    let again = Capturer::new(station.capturer.directory(), guards()).unwrap();
    assert_eq!(names(&station.spool), [""; 0]);
    check_dump(&again.capture(&request, &mut |_| {}).unwrap());
}

#[test]
fn directories_are_swept_and_keep_their_mode() {
    let station = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let directory = station.path();
    fs::set_permissions(directory, fs::Permissions::from_mode(0o755)).unwrap();
    for name in [".partial-1", "kept.hprof"] {
        fs::write(directory.join(name), "half").unwrap();
    }
    Capturer::new(directory, guards()).unwrap();
    assert_eq!(names(directory), ["audit.jsonl", "kept.hprof"]);
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(directory), 0o755);
    assert_eq!(mode(&directory.join("audit.jsonl")), 0o600);
}

#[test]
fn a_jvm_that_dies_in_the_middle() {
    let target = Target::java(&[]);
    let station = Station::new(guards());
    let pid = target.pid;
    let outcome = station
        .capturer
        .capture(&station.request(&target), &mut |step| {
            if matches!(step, Progress::Dumping { .. }) {
                signal(pid, "KILL");
            }
        });
    station.check_none(
        outcome,
        pid,
        expect![
            "process PID ended while leakline waited for its answer; nothing of the dump was kept"
        ],
    );
    drop(target);
    let gone = Process::open(pid).unwrap_err();
    expect!["there is no process PID here; give the process id as this host sees it, not as its container does"]
        .assert_eq(&gone.to_string().replace(&pid.to_string(), "PID"));
}

#[test]
fn a_jvm_in_its_own_namespaces() {
    let Some(mut target) = Target::java_in_namespace("-t tmpfs -o size=512m tmpfs") else {
        return;
    };
    assert_eq!(target.process().inner_pid(), 1);
    let temporary = PathBuf::from(format!("/proc/{}/root/tmp", target.pid));
    // what a killed capture left there, and the socket of an earlier process 1
    fs::create_dir(temporary.join(".leakline-abandoned")).unwrap();
    fs::write(temporary.join(".leakline-abandoned/heap.hprof"), "half").unwrap();
    drop(UnixListener::bind(temporary.join(".java_pid1")).unwrap());
    let station = Station::new(guards());
    let mut copied = 0;
    let capture = station.capturer.capture(&target.request(), &mut |step| {
        if let Progress::Copying { bytes, .. } = step {
            copied = bytes;
        }
    });
    let capture = capture.unwrap();
    check_dump(&capture);
    assert_eq!(copied, capture.bytes);
    assert_eq!(target.left_behind(), [""; 0]);
    assert!(target.is_alive());

    // what is free there is memory
    let request = CaptureRequest {
        expected_bytes: Some(300 << 20),
        ..target.request()
    };
    let error = station.capture(&request).unwrap_err().to_string();
    assert!(error.contains(" free in /tmp of process "), "{error}");
    assert!(
        error.contains("a dump of about 300 MiB needs 600 MiB there"),
        "{error}"
    );
}

#[test]
fn a_jvm_in_its_own_user_namespace() {
    // root inside, user 100000 outside, as in a rootless container
    let outside = [
        "setpriv",
        "--reuid=100000",
        "--regid=100000",
        "--clear-groups",
    ];
    let kinds = ["--user", "--map-root-user", "--pid", "--mount"];
    let mount = "-t tmpfs -o size=64m tmpfs";
    let Some(mut target) = Target::java_in_namespaces(&outside, &kinds, mount) else {
        return;
    };
    assert_eq!(target.process().user(), 100_000);
    let station = Station::new(guards());
    let request = CaptureRequest {
        expected_bytes: Some(20 << 20),
        ..target.request()
    };
    check_dump(&station.capture(&request).unwrap());
    assert_eq!(target.left_behind(), [""; 0]);
    assert!(target.is_alive());
}

#[test]
fn one_file_system_mounted_apart() {
    let spool = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let mount = format!("--bind {}", spool.path().display());
    let Some(target) = Target::java_in_namespace(&mount) else {
        return;
    };
    // the file cannot be renamed, so there must be room for two copies
    let station = Station::new(guards());
    let request = CaptureRequest {
        expected_bytes: Some(1 << 58),
        ..target.request()
    };
    let error = station.capture(&request).unwrap_err().to_string();
    assert!(
        error.contains("a dump of about 256 PiB needs 1.00 EiB there"),
        "{error}"
    );
    check_dump(&station.capture(&target.request()).unwrap());
    assert_eq!(names(spool.path()), [".java_pid1", "hsperfdata_root"]);
}

#[test]
fn a_socket_of_another_process() {
    let Some(mut target) = Target::java_in_namespace("-t tmpfs -o size=512m tmpfs") else {
        return;
    };
    let socket = PathBuf::from(format!("/proc/{}/root/tmp/.java_pid1", target.pid));
    let _listener = UnixListener::bind(socket).unwrap();
    let station = Station::new(guards());
    let own = std::process::id().to_string();
    let error = station.capture(&target.request()).unwrap_err();
    expect!["the attach socket of process PID belongs to process OWN: two containers share /tmp; give each its own /tmp"]
        .assert_eq(&error.to_string().replace(&own, "OWN").replace(&target.pid.to_string(), "PID"));
    assert!(error.is_refusal());
    assert!(target.is_alive());
}

#[test]
fn a_disk_that_fills_up() {
    let Some(mut target) = Target::java_in_namespace("-t tmpfs -o size=1m tmpfs") else {
        return;
    };
    let station = Station::new(guards());
    // a guard that is told wrong
    let request = CaptureRequest {
        expected_bytes: Some(1),
        ..target.request()
    };
    let outcome = station.capture(&request);
    let error = outcome.as_ref().unwrap_err().to_string();
    assert!(error.contains("could not carry out dumpheap"), "{error}");
    assert!(!outcome.as_ref().unwrap_err().is_refusal());
    assert_eq!(names(station.capturer.directory()), ["audit.jsonl"]);
    assert_eq!(target.left_behind(), [""; 0]);
    assert!(target.is_alive());
}

const AS_NOBODY: [&str; 4] = [
    "setpriv",
    "--reuid=65534",
    "--regid=65534",
    "--clear-groups",
];

#[test]
fn a_jvm_of_another_user() {
    if !is_root("a JVM of another user") {
        return;
    }
    let mut target = Target::java_under(&AS_NOBODY, &[]);
    assert_eq!(target.process().user(), NOBODY);
    let station = Station::new(guards());
    check_dump(&station.capture(&target.request()).unwrap());
    assert!(target.is_alive());
}

/// Run as nobody by the test below; by itself it does nothing.
#[test]
fn unprivileged() {
    let (Ok(pid), Ok(directory)) = (
        std::env::var("TARGET_PID"),
        std::env::var("TARGET_DIRECTORY"),
    ) else {
        return;
    };
    let capturer = Capturer::new(directory, guards()).unwrap();
    let process = Process::open(pid.parse().unwrap()).unwrap();
    let outcome = capturer.capture(&CaptureRequest::heap_dump(process), &mut |_| {});
    let text = outcome.map_or_else(|error| error.to_string(), |_| "captured".to_owned());
    println!("outcome: {}", text.replace(&pid, "PID"));
}

#[test]
fn without_root_only_ones_own() {
    if !is_root("what happens without root") {
        return;
    }
    let check = |target: &mut Target, expected: Expect| {
        let directory = tempfile::tempdir().unwrap();
        // the umask does not count here
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o777)).unwrap();
        let output = Command::new(AS_NOBODY[0])
            .args(&AS_NOBODY[1..])
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", "unprivileged", "--nocapture"])
            .env("TARGET_PID", target.pid.to_string())
            .env("TARGET_DIRECTORY", directory.path())
            .output()
            .unwrap();
        let output = String::from_utf8_lossy(&output.stdout).into_owned();
        let outcome = output.lines().find_map(|line| line.split_once("outcome: "));
        expected.assert_eq(outcome.map_or(output.as_str(), |(_, outcome)| outcome));
        assert!(target.is_alive());
    };
    check(
        &mut Target::java_under(&AS_NOBODY, &[]),
        expect!["captured"],
    );
    check(
        &mut Target::java(&[]),
        expect![
            "not permitted to read the memory map of process PID, which runs as user 0, group 0; run leakline as that user and group or as root (in a container also with SYS_PTRACE)"
        ],
    );
}
