//! Processes to capture from, which end with the test that started them.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use leakline_capture::{CaptureRequest, Process};

/// Keeps some megabytes of strings, says that it is there, and waits.
const HOLDER: &str = r#"
    public class Holder {
        static final java.util.List<String> kept = new java.util.ArrayList<>();
        public static void main(String[] arguments) throws Exception {
            for (int i = 0; i < 50_000; i++) kept.add("kept by Holder " + i);
            System.out.println("ready");
            Thread.sleep(600_000);
        }
    }
"#;

/// A process that these tests started, and its children; killed when dropped.
pub(crate) struct Target {
    child: Child,
    output: BufReader<ChildStdout>,
    /// The JVM itself, which in a namespace is a child of `child`.
    pub(crate) pid: u32,
    _sources: Option<tempfile::TempDir>,
}

impl Target {
    /// Starts a command and waits until it says `ready`.
    pub(crate) fn start(command: &mut Command, sources: Option<tempfile::TempDir>) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .stdin(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        let output = BufReader::new(child.stdout.take().unwrap());
        let pid = child.id();
        let mut target = Target {
            child,
            output,
            pid,
            _sources: sources,
        };
        target.wait_for("ready");
        target
    }

    pub(crate) fn wait_for(&mut self, expected: &str) {
        let mut line = String::new();
        while line.trim() != expected {
            line.clear();
            let read = self.output.read_line(&mut line).unwrap();
            assert!(read > 0, "the target ended before it said {expected:?}");
        }
    }

    pub(crate) fn java(options: &[&str]) -> Self {
        Self::java_under(&[], options)
    }

    /// `java` run by another command, such as `setpriv` with its arguments.
    pub(crate) fn java_under(wrapper: &[&str], options: &[&str]) -> Self {
        let java = java();
        let sources = world_readable_directory();
        let source = sources.path().join("Holder.java");
        fs::write(&source, HOLDER).unwrap();
        let words: Vec<&str> = wrapper
            .iter()
            .copied()
            .chain([java.to_str().unwrap(), "-Xmx64m"])
            .chain(options.iter().copied())
            .chain([source.to_str().unwrap()])
            .collect();
        let (program, arguments) = words.split_first().unwrap();
        Self::start(Command::new(program).args(arguments), Some(sources))
    }

    /// A JVM that is process 1 of its own pid namespace. `mount` is what to mount on its `/tmp`.
    pub(crate) fn java_in_namespace(mount: &str) -> Option<Self> {
        Self::java_in_namespaces(&[], &["--pid", "--mount"], mount)
    }

    /// The same with other kinds of namespaces, made by the user that `wrapper` becomes.
    pub(crate) fn java_in_namespaces(
        wrapper: &[&str],
        kinds: &[&str],
        mount: &str,
    ) -> Option<Self> {
        if !is_root("a JVM in its own namespaces") {
            return None;
        }
        let script = format!("mount {mount} /tmp && exec \"$@\"");
        let unshare = [
            "--fork",
            "--kill-child",
            "--mount-proc",
            "sh",
            "-c",
            &script,
            "sh",
        ];
        let wrapper: Vec<&str> = wrapper
            .iter()
            .chain(&["unshare"])
            .chain(kinds)
            .chain(&unshare)
            .copied()
            .collect();
        let allowed = Command::new(wrapper[0])
            .args(&wrapper[1..])
            .arg("true")
            .status()
            .is_ok_and(|status| status.success());
        if !allowed {
            println!("skipped: {wrapper:?} is not permitted here");
            return None;
        }
        let mut target = Self::java_under(&wrapper, &[]);
        let children = format!("/proc/{0}/task/{0}/children", target.pid);
        target.pid = fs::read_to_string(children)
            .unwrap()
            .trim()
            .parse()
            .unwrap();
        Some(target)
    }

    pub(crate) fn process(&self) -> Process {
        Process::open(self.pid).unwrap()
    }

    pub(crate) fn request(&self) -> CaptureRequest {
        CaptureRequest::heap_dump(self.process())
    }

    pub(crate) fn signal(&self, name: &str) {
        signal(self.pid, name);
    }

    pub(crate) fn is_stopped(&self) -> bool {
        fs::read_to_string(format!("/proc/{}/status", self.pid))
            .unwrap()
            .contains("State:\tT")
    }

    pub(crate) fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None)) && self.process().is_running()
    }

    /// What is left of ours in its `/tmp`. Private folders count only where it has a
    /// `/tmp` of its own: in the host's, other tests are at work at the same time.
    pub(crate) fn left_behind(&self) -> Vec<String> {
        let inner_pid = self.process().inner_pid();
        let trigger = format!(".attach_pid{inner_pid}");
        let own_temporary = inner_pid != self.pid;
        names(Path::new(&format!("/proc/{}/root/tmp", self.pid)))
            .into_iter()
            .filter(|name| *name == trigger || own_temporary && name.starts_with(".leakline-"))
            .collect()
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        if self.pid != self.child.id() {
            signal(self.pid, "KILL");
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        // a JVM that is killed leaves its socket behind
        let _ = fs::remove_file(format!("/tmp/.java_pid{}", self.pid));
    }
}

pub(crate) fn signal(pid: u32, name: &str) {
    let _ = Command::new("kill")
        .args(["-s", name, &pid.to_string()])
        .stderr(Stdio::null())
        .status();
}

pub(crate) fn java() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|directory| directory.join("java"))
        .find(|java| java.is_file())
        .expect("no java in the PATH; install one: apt-get install openjdk-17-jdk-headless")
}

pub(crate) fn is_root(what: &str) -> bool {
    let root = fs::metadata("/proc/self").unwrap().uid() == 0;
    if !root {
        println!("skipped: {what}: needs root");
    }
    root
}

pub(crate) fn world_readable_directory() -> tempfile::TempDir {
    tempfile::Builder::new()
        .permissions(fs::Permissions::from_mode(0o755))
        .tempdir_in(env!("CARGO_TARGET_TMPDIR"))
        .unwrap()
}

pub(crate) fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(directory)
        .into_iter()
        .flatten()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}
