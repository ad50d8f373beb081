//! The API and the start page on port 7171.
//!
//! ```text
//! GET /                                        services and investigations, for people
//! GET /-/healthy, /-/ready                     200 while the server runs, and once it takes data
//! GET /metrics                                 the server's own counters, Prometheus text
//! GET /api/leakline/v1/services                verdicts (schema leakline.detect/1)
//! GET /api/leakline/v1/investigations          the list
//! GET /api/leakline/v1/investigations/ID       one report, form by ?format= or by Accept
//! ```

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use axum::Router;
use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use leakline_investigate::Form;
use leakline_investigate::detect_report::{self, ServiceHistory};
use serde::Deserialize;

use crate::archive::Archive;
use crate::page;
use crate::receiver::Receiver;

#[derive(Clone)]
struct Api {
    receiver: Arc<Receiver>,
    archive: Archive,
}

/// The routes of the API port.
pub(crate) fn routes(receiver: Arc<Receiver>, archive: Archive) -> Router {
    let api = Api { receiver, archive };
    Router::new()
        .route("/", get(start_page))
        .route("/metrics", get(own_metrics))
        .route("/api/leakline/v1/services", get(services))
        .route("/api/leakline/v1/investigations", get(investigations))
        .route("/api/leakline/v1/investigations/{id}", get(investigation))
        .layer(middleware::from_fn_with_state(api.clone(), authorise))
        // probes of orchestrators carry no token
        .route("/-/healthy", get(|| async { "leakline is healthy\n" }))
        .route("/-/ready", get(|| async { "leakline is ready\n" }))
        .with_state(api)
}

async fn authorise(State(api): State<Api>, request: Request, next: Next) -> Response {
    let header = request
        .headers()
        .get(header::AUTHORIZATION)
        .map(|value| value.as_bytes());
    if api.receiver.token.admits(header) {
        return next.run(request).await;
    }
    let challenge = [(
        header::WWW_AUTHENTICATE,
        r#"Basic realm="leakline: any user name, the token as password""#,
    )];
    (StatusCode::UNAUTHORIZED, challenge, "a token is needed\n").into_response()
}

async fn start_page(State(api): State<Api>) -> Html<String> {
    Html(page::start(&service_verdicts(&api), &api.archive.entries()))
}

fn service_verdicts(api: &Api) -> Vec<leakline_detect::ServiceVerdict> {
    api.receiver
        .detector
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .services()
}

async fn services(State(api): State<Api>) -> Response {
    let services = service_verdicts(&api)
        .into_iter()
        .map(ServiceHistory::at_present)
        .collect::<Vec<_>>();
    json(detect_report::render(&services, Form::Json))
}

async fn investigations(State(api): State<Api>) -> Response {
    let list = serde_json::json!({
        "schema": "leakline.investigations/1",
        "investigations": api.archive.entries(),
    });
    json(list.to_string())
}

#[derive(Deserialize)]
struct FormChoice {
    format: Option<String>,
}

async fn investigation(
    State(api): State<Api>,
    Path(id): Path<String>,
    Query(choice): Query<FormChoice>,
    headers: HeaderMap,
) -> Response {
    let accept = headers
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok())
        .unwrap_or("");
    let form = match choice.format.as_deref() {
        Some("json") => Form::Json,
        Some("markdown" | "md") => Form::Markdown,
        Some("html") => Form::Html,
        Some("text") => Form::Text,
        Some(other) => {
            let message =
                format!("unknown format {other:?}; choose text, markdown, html or json\n");
            return (StatusCode::BAD_REQUEST, message).into_response();
        }
        None if accept.contains("text/html") => Form::Html,
        None if accept.contains("text/markdown") => Form::Markdown,
        None => Form::Json,
    };
    match api.archive.report(&id, form) {
        Some(text) => ([(header::CONTENT_TYPE, content_type(form))], text).into_response(),
        None => without_report(&api, &id),
    }
}

fn content_type(form: Form) -> &'static str {
    match form {
        Form::Text => "text/plain; charset=utf-8",
        Form::Markdown => "text/markdown; charset=utf-8",
        Form::Html => "text/html; charset=utf-8",
        Form::Json => "application/json",
    }
}

/// Why there is no report.
fn without_report(api: &Api, id: &str) -> Response {
    let entries = api.archive.entries();
    match entries.into_iter().find(|entry| entry.id == id) {
        Some(entry) if entry.outcome.is_none() => {
            let message = "the investigation is under way; its report is not written yet\n";
            (StatusCode::ACCEPTED, message).into_response()
        }
        Some(entry) => (StatusCode::GONE, format!("{}\n", entry.headline)).into_response(),
        None => (
            StatusCode::NOT_FOUND,
            "no such investigation; see /api/leakline/v1/investigations\n",
        )
            .into_response(),
    }
}

async fn own_metrics(State(api): State<Api>) -> Response {
    let counters = &api.receiver.counters;
    let rows = [
        (
            "leakline_received_requests_total",
            "OTLP requests accepted",
            &counters.requests,
        ),
        (
            "leakline_received_samples_total",
            "samples stored",
            &counters.samples,
        ),
        (
            "leakline_received_spans_total",
            "spans stored",
            &counters.spans,
        ),
        (
            "leakline_rejected_points_total",
            "data points and spans turned away",
            &counters.rejected,
        ),
    ];
    let text: String = rows
        .iter()
        .map(|(name, help, value)| {
            let value = value.load(Ordering::Relaxed);
            format!("# HELP {name} {help}\n# TYPE {name} counter\n{name} {value}\n")
        })
        .collect();
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response()
}

fn json(text: String) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], text).into_response()
}
