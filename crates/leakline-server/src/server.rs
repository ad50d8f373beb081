//! Starting and stopping: opens the store, fills the detector from it, binds the ports.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use leakline_detect::Detector;
use leakline_investigate::{InvestigationReport, gather};
use leakline_model::storage::{Batch, Queryable, StorageError};
use leakline_model::{Matcher, Series, TimeRange, Timestamp, signal};
use leakline_otlp::{Translation, lines};
use leakline_store::DiskStore;
use tokio::net::TcpListener;
use tokio::sync::{broadcast, watch};
use tokio::task::JoinSet;

use crate::archive::{Archive, make_private_folder};
use crate::clock::now;
use crate::error::ServerError;
use crate::receiver::{Counters, Receiver};
use crate::settings::Settings;
use crate::token::Token;
use crate::watcher::{Notice, Watcher};
use crate::{api, otlp_grpc, otlp_http};

/// Where a running server listens; differs from the settings where those asked for port 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// OTLP over gRPC.
    pub otlp_grpc: SocketAddr,
    /// OTLP over HTTP.
    pub otlp_http: SocketAddr,
    /// API and web page.
    pub api: SocketAddr,
}

/// A running server.
pub struct Server {
    addresses: Addresses,
    archive: Archive,
    receiver: Arc<Receiver>,
    notices: broadcast::Sender<Notice>,
    stop: watch::Sender<bool>,
    tasks: JoinSet<Result<(), ServerError>>,
}

/// How long requests that are under way are waited for at the end.
const PATIENCE: Duration = Duration::from_secs(5);

impl Server {
    /// Opens the store and starts to listen. When this returns, all ports take requests.
    pub async fn start(settings: Settings) -> Result<Server, ServerError> {
        if let Some(address) = settings.unprotected_address() {
            return Err(ServerError::Unprotected { address });
        }
        // ports first: a second server must fail before it touches the first one's data
        let grpc = bind(settings.otlp_grpc, "OTLP/gRPC", "--otlp-grpc").await?;
        let http = bind(settings.otlp_http, "OTLP/HTTP", "--otlp-http").await?;
        let api = bind(settings.api, "API and web page", "--api").await?;
        let addresses = Addresses {
            otlp_grpc: local_address(&grpc)?,
            otlp_http: local_address(&http)?,
            api: local_address(&api)?,
        };

        make_private_folder(&settings.data).map_err(|source| ServerError::File {
            action: "create",
            path: settings.data.clone(),
            source,
        })?;
        let receiver = Arc::new(open_receiver(&settings)?);
        let folder = settings.data.join("investigations");
        let archive = Archive::open(folder.clone())?;
        archive
            .mark_interrupted()
            .map_err(|source| ServerError::File {
                action: "write to",
                path: folder,
                source,
            })?;
        let (notices, _) = broadcast::channel(1024);
        let (stop, stopped) = watch::channel(false);

        let mut tasks = JoinSet::new();
        tasks.spawn(serve_grpc(
            grpc,
            receiver.clone(),
            settings.request_limit,
            stopped.clone(),
        ));
        let otlp = otlp_http::routes(receiver.clone(), settings.request_limit);
        tasks.spawn(serve_http(http, otlp, "OTLP/HTTP", stopped.clone()));
        let api_routes = api::routes(receiver.clone(), archive.clone());
        tasks.spawn(serve_http(api, api_routes, "API", stopped.clone()));
        let watcher = Watcher::new(
            &settings,
            receiver.clone(),
            archive.clone(),
            notices.clone(),
        );
        tasks.spawn(watcher.run(stopped));
        Ok(Server {
            addresses,
            archive,
            receiver,
            notices,
            stop,
            tasks,
        })
    }

    /// Where it listens.
    pub fn addresses(&self) -> Addresses {
        self.addresses
    }

    /// The investigations, finished and under way.
    pub fn archive(&self) -> &Archive {
        &self.archive
    }

    /// The verdicts as they are now.
    pub fn services(&self) -> Vec<leakline_detect::ServiceVerdict> {
        self.receiver
            .detector
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .services()
    }

    /// The report on a service as it stands, from metrics alone; `None` when nothing is known of it.
    pub fn watch_report(&self, service: &str) -> Option<InvestigationReport> {
        let detector = self
            .receiver
            .detector
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let verdict = detector
            .services()
            .into_iter()
            .find(|verdict| verdict.service == service)?;
        let assessment = verdict.processes.first()?;
        let case = gather::watched_case(&detector, assessment);
        let store = &*self.receiver.store;
        let surroundings =
            gather::surroundings(&detector, store, &assessment.process, now()).ok()?;
        Some(leakline_investigate::build(&case, &surroundings))
    }

    /// What happens from now on. A subscriber that is more than 1,024 notices behind loses the
    /// oldest.
    pub fn subscribe(&self) -> broadcast::Receiver<Notice> {
        self.notices.subscribe()
    }

    /// Waits until a part of the server fails.
    pub async fn failed(&mut self) -> ServerError {
        loop {
            match self.tasks.join_next().await {
                Some(Ok(Ok(()))) => {}
                Some(Ok(Err(error))) => return error,
                Some(Err(error)) => {
                    return ServerError::Stopped {
                        purpose: "a task",
                        reason: error.to_string(),
                    };
                }
                None => {
                    return ServerError::Stopped {
                        purpose: "the server",
                        reason: "all parts ended".into(),
                    };
                }
            }
        }
    }

    /// Takes no more requests, finishes those under way within a few seconds, and closes the store.
    pub async fn stop(mut self) {
        // fails only when nobody listens any more, and then there is nothing left to stop
        let _ = self.stop.send(true);
        let finished = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(PATIENCE, finished).await.is_err() {
            // a client that never ends its request must not keep the server alive
            self.tasks.shutdown().await;
        }
    }
}

async fn bind(
    address: SocketAddr,
    purpose: &'static str,
    flag: &'static str,
) -> Result<TcpListener, ServerError> {
    TcpListener::bind(address)
        .await
        .map_err(|source| match source.kind() {
            std::io::ErrorKind::AddrInUse => ServerError::AddressTaken {
                address,
                purpose,
                flag,
            },
            _ => ServerError::Listen {
                address,
                purpose,
                flag,
                source,
            },
        })
}

fn local_address(listener: &TcpListener) -> Result<SocketAddr, ServerError> {
    listener.local_addr().map_err(|error| ServerError::Stopped {
        purpose: "a listener",
        reason: error.to_string(),
    })
}

fn open_receiver(settings: &Settings) -> Result<Receiver, ServerError> {
    let path = settings.data.join("store");
    let store_error = |source: Box<dyn std::error::Error + Send + Sync>| ServerError::Store {
        path: path.clone(),
        source,
    };
    let options = leakline_store::Options {
        retention: Some(settings.retention),
        ..Default::default()
    };
    let store = DiskStore::open(&path, options).map_err(|error| store_error(error.into()))?;
    let mut detector = Detector::new(leakline_detect::Settings::default());
    replay(&store, &mut detector, settings.retention).map_err(|error| store_error(error.into()))?;
    let recording = match &settings.record {
        None => None,
        Some(path) => {
            let file = OpenOptions::new()
                .create(true)
                .append(true)
                .mode(0o600)
                .open(path)
                .map_err(|source| ServerError::File {
                    action: "write the recording",
                    path: path.clone(),
                    source,
                })?;
            Some(Mutex::new(lines::Writer::new(file)))
        }
    };
    Ok(Receiver {
        store: Arc::new(store),
        detector: Arc::new(Mutex::new(detector)),
        recording,
        translation: Translation::default(),
        token: Token::new(settings.token.as_deref()),
        counters: Counters::default(),
    })
}

/// How much of the stored history is in memory at once while the detector is shown it.
const REPLAY_WINDOW: Duration = Duration::from_secs(3600);

/// Shows the detector, in order of time, what was stored before the server stopped.
fn replay(
    store: &DiskStore,
    detector: &mut Detector,
    retention: Duration,
) -> Result<(), StorageError> {
    let end = now();
    let sightings = store.resources(TimeRange::new(end - retention, end))?;
    let Some(first_seen) = sightings.iter().map(|sighting| sighting.first_seen).min() else {
        return Ok(());
    };
    let resources = sightings
        .into_iter()
        .map(|sighting| (sighting.resource, sighting.first_seen))
        .collect();
    detector.observe_batch(&Batch {
        resources,
        ..Batch::default()
    });
    // samples are kept to the millisecond, and so may be a little earlier than their resource
    let mut start = first_seen.max(end - retention).truncate_to_millis();
    while start < end {
        let next = start + REPLAY_WINDOW;
        // a window leaves out its last moment, which is the first of the next one
        let window = TimeRange::new(start, next - Duration::from_millis(1));
        let mut exports: BTreeMap<Timestamp, Batch> = BTreeMap::new();
        for name in signal::metric_names() {
            for series in store.select(&[Matcher::metric(name)], window)? {
                match series {
                    Ok(series) => spread(series, &mut exports),
                    Err(error) => {
                        tracing::warn!(%error, "part of the stored history cannot be read");
                    }
                }
            }
        }
        exports
            .values()
            .for_each(|export| detector.observe_batch(export));
        detector.evaluate(window.end.min(end));
        start = next;
    }
    Ok(())
}

/// Adds each sample of a series to the export that it came with.
fn spread(series: Series, exports: &mut BTreeMap<Timestamp, Batch>) {
    for sample in series.samples {
        let labels = series.labels.clone();
        let export = exports.entry(sample.timestamp).or_default();
        export.series.push(Series {
            labels,
            samples: vec![sample],
        });
    }
}

/// Resolves when the server is told to stop.
async fn told_to_stop(mut stopped: watch::Receiver<bool>) {
    // an error means that the server is gone, which is a reason to stop as well
    let _ = stopped.wait_for(|stop| *stop).await;
}

async fn serve_grpc(
    listener: TcpListener,
    receiver: Arc<Receiver>,
    request_limit: usize,
    stopped: watch::Receiver<bool>,
) -> Result<(), ServerError> {
    let routes = otlp_grpc::routes(receiver, request_limit);
    tonic::transport::Server::builder()
        // requests of one sender wait for each other rather than fill the memory
        .concurrency_limit_per_connection(4)
        .add_routes(routes)
        .serve_with_incoming_shutdown(
            tonic::transport::server::TcpIncoming::from(listener).with_nodelay(Some(true)),
            told_to_stop(stopped),
        )
        .await
        .map_err(|error| ServerError::Stopped {
            purpose: "OTLP/gRPC",
            reason: error.to_string(),
        })
}

async fn serve_http(
    listener: TcpListener,
    routes: axum::Router,
    purpose: &'static str,
    stopped: watch::Receiver<bool>,
) -> Result<(), ServerError> {
    axum::serve(listener, routes)
        .with_graceful_shutdown(told_to_stop(stopped))
        .await
        .map_err(|error| ServerError::Stopped {
            purpose,
            reason: error.to_string(),
        })
}
