//! `leakline serve`

use anyhow::Context;
use leakline_server::{Server, Settings};
use tracing_subscriber::EnvFilter;

use crate::args::ServeArguments;
use crate::{Outcome, output, settings};

/// Runs the server until it is interrupted or told to end.
pub fn run(arguments: &ServeArguments) -> anyhow::Result<Outcome> {
    let settings = settings::resolve(arguments)?;
    if arguments.print_config {
        output::write(&settings::print(&settings), None)?;
        return Ok(Outcome::Done);
    }
    start_logging("info");
    let runtime = runtime()?;
    let outcome = runtime.block_on(serve(settings));
    // what still runs on other threads must not hold up the end
    runtime.shutdown_background();
    outcome
}

/// Logs go to standard error; `LEAKLINE_LOG` changes how much, as `RUST_LOG` would.
pub fn start_logging(default: &str) {
    let filter =
        EnvFilter::try_from_env("LEAKLINE_LOG").unwrap_or_else(|_| EnvFilter::new(default));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_target(false)
        .init();
}

/// The runtime that a server runs in.
pub fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the async runtime")
}

async fn serve(settings: Settings) -> anyhow::Result<Outcome> {
    let data = settings.data.clone();
    let mut server = Server::start(settings).await?;
    let addresses = server.addresses();
    output::say(&format!(
        "leakline receives OTLP at {} (gRPC) and http://{} (HTTP); web page at http://{}; data in {}",
        addresses.otlp_grpc,
        addresses.otlp_http,
        addresses.api,
        data.display(),
    ));
    tokio::select! {
        error = server.failed() => Err(error.into()),
        () = asked_to_end() => {
            tokio::select! {
                () = server.stop() => {}
                // asked twice: at once
                () = asked_to_end() => {}
            }
            Ok(Outcome::Done)
        }
    }
}

/// Resolves on Ctrl-C or SIGTERM.
pub async fn asked_to_end() {
    use tokio::signal::unix::{SignalKind, signal};
    let terminated = async {
        match signal(SignalKind::terminate()) {
            Ok(mut signals) => {
                signals.recv().await;
            }
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        () = terminated => {}
    }
}
