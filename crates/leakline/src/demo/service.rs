//! The example service as a child process: its sources are in this binary, Maven builds them,
//! and the JVM runs under the OpenTelemetry agent.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

macro_rules! example_files {
    ($($path:literal),* $(,)?) => {
        &[$(($path, include_str!(concat!("../../../../examples/order-service-java/", $path)))),*]
    };
}

/// The sources of the example, path and text. A test holds the list against the folder.
const FILES: &[(&str, &str)] = example_files![
    "pom.xml",
    "src/shared/com/example/orders/Order.java",
    "src/shared/com/example/orders/OrderLine.java",
    "src/shared/com/example/orders/OrderRequest.java",
    "src/shared/com/example/orders/OrderService.java",
    "src/shared/com/example/orders/Product.java",
    "src/v1.4.0/com/example/orders/BoundedCache.java",
    "src/v1.4.0/com/example/orders/OrderController.java",
    "src/v1.5.0/com/example/orders/OrderController.java",
];

/// Heap of the example: small, so that the leak is urgent within minutes, and of one size from
/// the start, because a growing one changes the rhythm of the collector.
const HEAP: [&str; 2] = ["-Xms128m", "-Xmx256m"];
/// How long the JVM may take to start and to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is missing to run the example; `None` when everything is there.
pub fn missing() -> Option<&'static str> {
    let answers = |program: &str, argument: &str| {
        let status = Command::new(program)
            .arg(argument)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        status.is_ok_and(|status| status.success())
    };
    if !answers("javac", "-version") {
        return Some("no JDK (javac) is installed; it needs JDK 17 or later");
    }
    if !answers("mvn", "--version") {
        return Some("Maven (mvn) is not installed");
    }
    None
}

/// Both releases, built.
pub struct BuiltExample {
    target: PathBuf,
}

/// Writes the sources into the user's cache folder and builds them there.
pub fn build() -> anyhow::Result<BuiltExample> {
    let folder = cache_folder().join("examples").join("order-service-java");
    for (path, text) in FILES {
        write_if_changed(&folder.join(path), text)?;
    }
    let output = Command::new("mvn")
        .args(["--quiet", "--batch-mode", "package"])
        .current_dir(&folder)
        .stdin(Stdio::null())
        .output()
        .context("cannot run mvn")?;
    if !output.status.success() {
        let (out, err) = (
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        bail!("maven could not build {}:\n{out}{err}", folder.display());
    }
    Ok(BuiltExample {
        target: folder.join("target"),
    })
}

/// Keeps the time of an unchanged file, so that Maven does not compile it again.
fn write_if_changed(path: &Path, text: &str) -> anyhow::Result<()> {
    if fs::read_to_string(path).is_ok_and(|present| present == text) {
        return Ok(());
    }
    let write = || -> std::io::Result<()> {
        path.parent().map_or(Ok(()), fs::create_dir_all)?;
        fs::write(path, text)
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

fn cache_folder() -> PathBuf {
    let set = |name: &str| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let base = set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|home| home.join(".cache")));
    base.unwrap_or_else(std::env::temp_dir).join("leakline")
}

/// A running release of the example; ended when this is dropped.
pub struct RunningService {
    child: Child,
    /// Where it answers, for example `http://127.0.0.1:40123`.
    pub base: String,
}

impl BuiltExample {
    /// Starts a release that sends its telemetry to `otlp_grpc`, and waits until it listens.
    /// What the JVM and the agent print goes to `log`.
    pub fn start(
        &self,
        version: &str,
        otlp_grpc: SocketAddr,
        log: &Path,
    ) -> anyhow::Result<RunningService> {
        let log_file = fs::File::options()
            .create(true)
            .append(true)
            .open(log)
            .with_context(|| format!("cannot write {}", log.display()))?;
        let mut child = Command::new("java")
            .args(HEAP)
            .arg("-javaagent:opentelemetry-javaagent.jar")
            .args(["-jar", &format!("order-service-{version}.jar"), "0"])
            .current_dir(&self.target)
            .env("OTEL_SERVICE_NAME", "order-service")
            .env("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
            .env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{otlp_grpc}"))
            .env("OTEL_LOGS_EXPORTER", "none")
            // minutes stand for hours here: metrics each second rather than each minute
            .env("OTEL_METRIC_EXPORT_INTERVAL", "1000")
            .env("OTEL_SEMCONV_STABILITY_OPT_IN", "code")
            // room for bursts, so that no span is lost and calls can be counted
            .env("OTEL_BSP_SCHEDULE_DELAY", "500")
            .env("OTEL_BSP_MAX_QUEUE_SIZE", "8192")
            .env("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "2048")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log_file)
            .spawn()
            .context("cannot run java")?;
        let stdout = child.stdout.take().context("the service has no output")?;
        // from here on the child is ended whatever happens
        let mut service = RunningService {
            child,
            base: String::new(),
        };
        service.base = first_address(stdout, log)?;
        Ok(service)
    }
}

/// Reads the line `order-service 1.5.0 listening on http://…`, then keeps the pipe empty.
fn first_address(stdout: std::process::ChildStdout, log: &Path) -> anyhow::Result<String> {
    let (send, receive) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            if let Some((_, address)) = line.split_once("listening on ") {
                // fails only when nobody waits any more
                let _ = send.send(address.trim().to_owned());
            }
        }
    });
    receive.recv_timeout(PATIENCE).with_context(|| {
        format!(
            "the example service did not start; what it printed is in {}",
            log.display()
        )
    })
}

impl RunningService {
    /// Asks it to end, and waits until its agent has sent what it still held.
    pub fn stop(mut self) {
        self.end();
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    fn end(&mut self) {
        let pid = i32::try_from(self.child.id())
            .ok()
            .and_then(rustix::process::Pid::from_raw);
        if let Some(pid) = pid.filter(|_| self.is_running()) {
            // it may have ended in between, and then there is nothing to signal
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        let deadline = Instant::now() + PATIENCE;
        while self.is_running() {
            if Instant::now() > deadline {
                let _ = self.child.kill();
                let _ = self.child.wait();
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for RunningService {
    fn drop(&mut self) {
        self.end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_source_of_the_example_is_in_the_binary() {
        let folder =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/order-service-java");
        let mut found = vec!["pom.xml".to_owned()];
        let mut folders = vec![folder.join("src")];
        while let Some(next) = folders.pop() {
            for entry in fs::read_dir(next).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    found.push(
                        path.strip_prefix(&folder)
                            .unwrap()
                            .to_str()
                            .unwrap()
                            .to_owned(),
                    );
                }
            }
        }
        found.sort();
        assert_eq!(
            found,
            FILES.iter().map(|(path, _)| *path).collect::<Vec<_>>()
        );
    }
}
