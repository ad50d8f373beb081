//! `leakline demo`: a server and a really leaking service in one command.

mod load;
mod service;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use leakline_detect::Verdict;
use leakline_investigate::Form;
use leakline_model::Timestamp;
use leakline_server::{Notice, Server, Settings};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use crate::args::{DemoArguments, Runtime};
use crate::progress::Progress;
use crate::{Outcome, output, serve};
use load::Load;
use service::{BuiltExample, RunningService};

/// The release without the leak, and the one with it.
const HEALTHY_VERSION: &str = "1.4.0";
const LEAKING_VERSION: &str = "1.5.0";
/// How long the healthy release runs before the leaking one is deployed.
const BEFORE_DEPLOY: Duration = Duration::from_secs(60);
/// How long the healthy release is watched with `--healthy`.
const HEALTHY_RUN: Duration = Duration::from_secs(150);
/// When to give up: the report should be there by then.
const LONGEST_RUN: Duration = Duration::from_secs(330);

/// Runs the demo and prints its report.
pub fn run(arguments: &DemoArguments) -> anyhow::Result<Outcome> {
    let Runtime::Java = arguments.runtime.unwrap_or(Runtime::Java);
    if let Some(missing) = service::missing() {
        bail!(
            "the Java demo cannot run: {missing}; on Debian: apt-get install openjdk-17-jdk-headless maven"
        );
    }
    prepare(&arguments.output)?;
    serve::start_logging("warn");
    let example = {
        let _progress = Progress::spinner("building the example service with Maven");
        service::build()?
    };
    serve::runtime()?.block_on(async {
        tokio::select! {
            result = demo(arguments, example) => result,
            () = serve::asked_to_end() => bail!("interrupted"),
        }
    })
}

async fn demo(arguments: &DemoArguments, example: BuiltExample) -> anyhow::Result<Outcome> {
    let server = Server::start(demo_settings(&arguments.output)).await?;
    output::say(&format!(
        "leakline is running; watch it at http://{}",
        server.addresses().api
    ));
    let mut stage = Stage {
        server,
        example,
        output: arguments.output.clone(),
        started: Instant::now(),
    };
    let report = if arguments.healthy {
        stage.healthy().await?
    } else {
        stage.leaking().await?
    };
    stage.server.stop().await;

    for (form, text) in &report {
        output::write(text, Some(&arguments.output.join(form.file_name())))?;
    }
    let html = arguments.output.join(Form::Html.file_name());
    output::say(&format!(
        "the report with its plot is in {}\n",
        html.display()
    ));
    let asked_for = Form::from(arguments.format);
    output::write(report.get(&asked_for).map_or("", String::as_str), None)?;
    Ok(Outcome::Done)
}

/// What tells a folder that an earlier demo has filled from the user's own.
const MARKER: &str = ".leakline-demo";

/// Makes the folder, or clears what an earlier demo has left in it. Anything else is not touched.
fn prepare(folder: &Path) -> anyhow::Result<()> {
    let marker = folder.join(MARKER);
    let is_empty = || fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none());
    if folder.exists() && !marker.exists() && !is_empty() {
        bail!(
            "{} is not empty, and not of an earlier demo; choose another folder with -o",
            folder.display()
        );
    }
    let prepare = || -> std::io::Result<()> {
        fs::create_dir_all(folder)?;
        fs::write(&marker, "")?;
        let data = folder.join("data");
        if data.exists() {
            fs::remove_dir_all(data)?;
        }
        for file in ["telemetry.jsonl", "order-service.log"] {
            if folder.join(file).exists() {
                fs::remove_file(folder.join(file))?;
            }
        }
        Ok(())
    };
    prepare().with_context(|| format!("cannot prepare {}", folder.display()))
}

/// A server for minutes instead of weeks: any free ports, fresh data, verdicts each second.
fn demo_settings(output: &Path) -> Settings {
    let any_port = |mut address: std::net::SocketAddr| {
        address.set_port(0);
        address
    };
    let default = Settings::default();
    Settings {
        otlp_grpc: any_port(default.otlp_grpc),
        otlp_http: any_port(default.otlp_http),
        api: any_port(default.api),
        data: output.join("data"),
        evaluation_interval: Duration::from_secs(1),
        record: Some(output.join("telemetry.jsonl")),
        ..default
    }
}

/// The report in all its forms.
type Report = BTreeMap<Form, String>;

/// Everything that a run of the demo moves.
struct Stage {
    server: Server,
    example: BuiltExample,
    output: std::path::PathBuf,
    started: Instant,
}

impl Stage {
    /// Healthy release, deploy of the leaking one, investigation.
    async fn leaking(&mut self) -> anyhow::Result<Report> {
        let mut notices = self.server.subscribe();
        let healthy = self.start(HEALTHY_VERSION)?;
        let load = Load::start(&healthy.base);
        self.note(&format!(
            "order-service {HEALTHY_VERSION} is running under load"
        ));
        self.watch(&mut notices, BEFORE_DEPLOY, |_| false).await?;
        drop(load);
        healthy.stop();

        let mut leaking = self.start(LEAKING_VERSION)?;
        let load = Load::start(&leaking.base);
        self.note(&format!(
            "order-service {LEAKING_VERSION} is deployed; the load is the same"
        ));
        let patience = LONGEST_RUN.saturating_sub(self.started.elapsed());
        let finished = |notice: &Notice| matches!(notice, Notice::Finished { .. });
        let last = self.watch(&mut notices, patience, finished).await?;
        let (answered, failed) = load.counts();
        drop(load);
        let Some(Notice::Finished { id, .. }) = last else {
            let state = if leaking.is_running() {
                "still running"
            } else {
                "ended"
            };
            bail!(
                "no investigation after {} s; order-service is {state} ({answered} requests answered, {failed} failed)",
                self.started.elapsed().as_secs()
            );
        };
        leaking.stop();
        self.report(&id)
    }

    /// Only the healthy release: ends when it is judged healthy and has been watched long enough.
    async fn healthy(&mut self) -> anyhow::Result<Report> {
        let mut notices = self.server.subscribe();
        let healthy = self.start(HEALTHY_VERSION)?;
        let load = Load::start(&healthy.base);
        self.note(&format!(
            "order-service {HEALTHY_VERSION} is running under load"
        ));
        self.watch(&mut notices, HEALTHY_RUN, |_| false).await?;
        let judged = |server: &Server| {
            server
                .services()
                .iter()
                .any(|service| service.verdict > Verdict::InsufficientData)
        };
        while !judged(&self.server) && self.started.elapsed() < LONGEST_RUN {
            self.watch(&mut notices, Duration::from_secs(1), |_| false)
                .await?;
        }
        let report = self.server.watch_report("order-service");
        drop(load);
        healthy.stop();
        if let Some(entry) = self.server.archive().entries().first() {
            bail!(
                "the healthy release was suspected to leak: {}",
                entry.headline
            );
        }
        let report = report.context("the server has heard nothing of order-service")?;
        let forms = Form::ALL.into_iter();
        Ok(forms
            .map(|form| (form, leakline_investigate::render(&report, form)))
            .collect())
    }

    fn start(&self, version: &str) -> anyhow::Result<RunningService> {
        let _progress = Progress::spinner(&format!("starting order-service {version}"));
        let log = self.output.join("order-service.log");
        self.example
            .start(version, self.server.addresses().otlp_grpc, &log)
    }

    /// Tells what happens, for this long or until `done` says that it has happened.
    async fn watch(
        &mut self,
        notices: &mut Receiver<Notice>,
        how_long: Duration,
        done: impl Fn(&Notice) -> bool,
    ) -> anyhow::Result<Option<Notice>> {
        let deadline = tokio::time::sleep(how_long);
        tokio::pin!(deadline);
        loop {
            let notice = tokio::select! {
                () = &mut deadline => return Ok(None),
                error = self.server.failed() => return Err(error.into()),
                notice = notices.recv() => match notice {
                    Ok(notice) => notice,
                    Err(RecvError::Lagged(_)) => continue,
                    Err(RecvError::Closed) => return Ok(None),
                },
            };
            self.tell(&notice);
            if done(&notice) {
                return Ok(Some(notice));
            }
        }
    }

    fn tell(&self, notice: &Notice) {
        match notice {
            Notice::Verdict(transition) => {
                let assessment = &transition.assessment;
                let verdict = assessment.verdict.as_str().replace('_', " ");
                let why = assessment
                    .evidence
                    .first()
                    .map_or("", |evidence| &evidence.text);
                let version = &assessment.process.version;
                self.note(&format!("order-service {version}: {verdict} ({why})"));
            }
            Notice::Step { text, .. } => self.note(text),
            Notice::Finished { .. } => self.note("the investigation is finished"),
        }
    }

    fn note(&self, text: &str) {
        output::say(&format!(
            "  {}  {text}",
            Timestamp::from(std::time::SystemTime::now()).clock()
        ));
    }

    fn report(&self, id: &str) -> anyhow::Result<Report> {
        let archive = self.server.archive();
        let read = |form| {
            archive
                .report(id, form)
                .context("the report could not be read")
        };
        Form::ALL
            .into_iter()
            .map(|form| Ok((form, read(form)?)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_demo_has_left_is_cleared() {
        let folder = tempfile::tempdir().unwrap();
        let precious = folder.path().join("data/precious");
        fs::create_dir(folder.path().join("data")).unwrap();
        fs::write(&precious, "").unwrap();
        assert!(prepare(folder.path()).is_err());
        assert!(precious.exists());
        fs::remove_dir_all(folder.path().join("data")).unwrap();
        prepare(folder.path()).unwrap();
        fs::create_dir(folder.path().join("data")).unwrap();
        prepare(folder.path()).unwrap();
        assert!(!folder.path().join("data").exists());
    }
}
