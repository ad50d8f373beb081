//! OTLP over HTTP: `POST /v1/metrics` and `POST /v1/traces`, protobuf or JSON, plain or gzip
//! (opentelemetry-proto, `docs/specification.md`, "OTLP/HTTP").

use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use leakline_otlp::{Encoding, ExportMetricsServiceRequest, ExportTraceServiceRequest, Status};

use tokio::sync::Semaphore;

use crate::receiver::{Export, Receiver};

/// Seconds after which a client may try again when the store could not keep a request.
const RETRY_AFTER_SECONDS: HeaderValue = HeaderValue::from_static("5");

#[derive(Clone)]
struct HttpReceiver {
    receiver: Arc<Receiver>,
    /// Bytes, before and after decompression.
    request_limit: usize,
    /// Held while a body is inflated and read.
    turns: Arc<Semaphore>,
}

/// How long a sender may take over a request.
const BODY_TIMEOUT: Duration = Duration::from_secs(60);
/// Bodies that are read at once. A body of JSON takes about ten times its size while it is read.
const BODIES_AT_ONCE: usize = 4;

/// The routes of the OTLP/HTTP port.
pub(crate) fn routes(receiver: Arc<Receiver>, request_limit: usize) -> Router {
    Router::new()
        .route("/v1/metrics", post(export::<ExportMetricsServiceRequest>))
        .route("/v1/traces", post(export::<ExportTraceServiceRequest>))
        .with_state(HttpReceiver {
            receiver,
            request_limit,
            turns: Arc::new(Semaphore::new(BODIES_AT_ONCE)),
        })
}

/// A request that is turned away.
struct Refusal {
    status: StatusCode,
    message: String,
}

impl Refusal {
    fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Refusal {
            status,
            message: message.into(),
        }
    }

    /// `google.rpc.Status` in the encoding of the request, as the specification wants it.
    fn answer(self, encoding: Encoding) -> Response {
        let code = match self.status {
            StatusCode::UNAUTHORIZED => 16,
            StatusCode::SERVICE_UNAVAILABLE => 14,
            StatusCode::PAYLOAD_TOO_LARGE => 8,
            StatusCode::INTERNAL_SERVER_ERROR => 13,
            _ => 3,
        };
        let body = leakline_otlp::encode(
            encoding,
            &Status {
                code,
                message: self.message,
            },
        );
        let mut response = (self.status, content_type(encoding), body).into_response();
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, RETRY_AFTER_SECONDS);
        }
        response
    }
}

fn content_type(encoding: Encoding) -> [(header::HeaderName, &'static str); 1] {
    [(header::CONTENT_TYPE, encoding.content_type())]
}

async fn export<E: Export>(
    State(state): State<HttpReceiver>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let text = |name| {
        headers
            .get(name)
            .and_then(|value: &HeaderValue| value.to_str().ok())
            .unwrap_or("")
    };
    let Some(encoding) = Encoding::from_content_type(text(header::CONTENT_TYPE)) else {
        let message = format!(
            "content-type {:?} is not OTLP; send application/x-protobuf or application/json",
            text(header::CONTENT_TYPE),
        );
        // told in JSON, which people can read
        return Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message).answer(Encoding::Json);
    };
    match receive::<E>(state, &headers, encoding, body).await {
        Ok(response) => (
            StatusCode::OK,
            content_type(encoding),
            leakline_otlp::encode(encoding, &response),
        )
            .into_response(),
        Err(refusal) => refusal.answer(encoding),
    }
}

async fn receive<E: Export>(
    state: HttpReceiver,
    headers: &HeaderMap,
    encoding: Encoding,
    body: Body,
) -> Result<E::Response, Refusal> {
    let authorization = headers
        .get(header::AUTHORIZATION)
        .map(HeaderValue::as_bytes);
    if !state.receiver.token.admits(authorization) {
        let message = "a bearer token is needed: send Authorization: Bearer TOKEN";
        return Err(Refusal::new(StatusCode::UNAUTHORIZED, message));
    }
    let compression = Compression::of(headers)?;
    let limit = state.request_limit;
    let body = tokio::time::timeout(BODY_TIMEOUT, axum::body::to_bytes(body, limit))
        .await
        .map_err(|_| {
            Refusal::new(
                StatusCode::REQUEST_TIMEOUT,
                "the request did not arrive in time",
            )
        })?
        .map_err(|_| too_large(limit))?;
    // senders wait rather than fill the memory
    let turn = state.turns.clone().acquire_owned().await;
    let work = move || {
        let _turn = turn;
        let body = compression.undo(body, limit)?;
        let request: E = leakline_otlp::decode(encoding, &body)
            .map_err(|error| Refusal::new(StatusCode::BAD_REQUEST, error.to_string()))?;
        state
            .receiver
            .receive(&request)
            .map_err(|error| Refusal::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string()))
    };
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?
}

fn too_large(limit: usize) -> Refusal {
    let message = format!("the request is larger than {limit} bytes; send smaller batches");
    Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, message)
}

#[derive(Clone, Copy)]
enum Compression {
    None,
    Gzip,
}

impl Compression {
    fn of(headers: &HeaderMap) -> Result<Compression, Refusal> {
        let value = headers
            .get(header::CONTENT_ENCODING)
            .and_then(|value| value.to_str().ok());
        match value.unwrap_or("").trim().to_ascii_lowercase().as_str() {
            "" | "identity" => Ok(Compression::None),
            "gzip" => Ok(Compression::Gzip),
            other => {
                let message =
                    format!("content-encoding {other:?} is not supported; send gzip or none");
                Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message))
            }
        }
    }

    /// Inflates at most `limit` bytes: a small body may hide a huge one.
    fn undo(self, body: Bytes, limit: usize) -> Result<Bytes, Refusal> {
        let Compression::Gzip = self else {
            return Ok(body);
        };
        let mut inflated = Vec::new();
        flate2::read::MultiGzDecoder::new(&*body)
            .take(limit as u64 + 1)
            .read_to_end(&mut inflated)
            .map_err(|error| {
                Refusal::new(
                    StatusCode::BAD_REQUEST,
                    format!("the body is not gzip: {error}"),
                )
            })?;
        if inflated.len() > limit {
            Err(too_large(limit))
        } else {
            Ok(inflated.into())
        }
    }
}
