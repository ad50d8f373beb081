//! The server from outside: OTLP over both protocols, answers to malformed requests, restart.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::io::Write;
use std::path::Path;

use leakline_server::{Server, ServerError, Settings};

const METRICS: &str = r#"{"resourceMetrics":[{"resource":{"attributes":[
  {"key":"service.name","value":{"stringValue":"orders"}},
  {"key":"service.instance.id","value":{"stringValue":"pod-1"}}]},
 "scopeMetrics":[{"metrics":[{"name":"jvm.memory.used","unit":"By","sum":{"aggregationTemporality":2,"isMonotonic":false,
  "dataPoints":[POINTS]}}]}]}]}"#;

const POINT: &str = r#"{"attributes":[{"key":"jvm.memory.type","value":{"stringValue":"heap"}},
  {"key":"jvm.memory.pool.name","value":{"stringValue":"Tenured Gen"}}],"timeUnixNano":"TIME","asInt":"1000"}"#;

fn metrics(points: &[&str]) -> String {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    METRICS
        .replace("POINTS", &points.join(","))
        .replace("TIME", &now.as_nanos().to_string())
}

fn settings(data: &Path) -> Settings {
    let any = "127.0.0.1:0".parse().unwrap();
    Settings {
        otlp_grpc: any,
        otlp_http: any,
        api: any,
        data: data.to_owned(),
        request_limit: 10_000,
        ..Settings::default()
    }
}

fn agent() -> ureq::Agent {
    ureq::Agent::config_builder()
        .http_status_as_error(false)
        .build()
        .into()
}

struct Answer {
    status: u16,
    content_type: String,
    body: String,
}

async fn post(url: String, headers: &[(&str, &str)], body: Vec<u8>) -> Answer {
    let headers: Vec<(String, String)> = headers
        .iter()
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
        .collect();
    tokio::task::spawn_blocking(move || {
        let mut request = agent().post(url);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        answer(request.send(&body[..]).unwrap())
    })
    .await
    .unwrap()
}

async fn get(url: String) -> Answer {
    tokio::task::spawn_blocking(move || answer(agent().get(url).call().unwrap()))
        .await
        .unwrap()
}

fn answer(mut response: ureq::http::Response<ureq::Body>) -> Answer {
    Answer {
        status: response.status().as_u16(),
        content_type: response
            .headers()
            .get("content-type")
            .map_or(String::new(), |value| value.to_str().unwrap().to_owned()),
        body: String::from_utf8_lossy(&response.body_mut().read_to_vec().unwrap()).into_owned(),
    }
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

const JSON: (&str, &str) = ("content-type", "application/json; charset=utf-8");

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_is_kept_over_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(settings(folder.path())).await.unwrap();
    let base = format!("http://{}", server.addresses().otlp_http);
    let whole = post(
        format!("{base}/v1/metrics"),
        &[JSON],
        metrics(&[POINT]).into_bytes(),
    )
    .await;
    assert_eq!((whole.status, whole.body.as_str()), (200, "{}"));
    assert_eq!(whole.content_type, "application/json");
    let packed = [JSON, ("content-encoding", "gzip")];
    let packed = post(
        format!("{base}/v1/metrics"),
        &packed,
        gzip(metrics(&[POINT]).as_bytes()),
    )
    .await;
    assert_eq!(packed.status, 200);
    let protobuf = [("content-type", "application/x-protobuf")];
    let empty = post(format!("{base}/v1/traces"), &protobuf, Vec::new()).await;
    assert_eq!((empty.status, empty.body.as_str()), (200, ""));
    server.stop().await;

    let server = Server::start(settings(folder.path())).await.unwrap();
    let api = format!("http://{}", server.addresses().api);
    assert_eq!(get(format!("{api}/-/healthy")).await.status, 200);
    assert_eq!(get(format!("{api}/-/ready")).await.status, 200);
    let services = get(format!("{api}/api/leakline/v1/services")).await;
    assert!(
        services.body.contains(r#""service": "orders""#),
        "{}",
        services.body
    );
    assert!(
        services.body.contains(r#""verdict": "insufficient_data""#),
        "{}",
        services.body
    );
    assert!(get(api.clone()).await.body.contains("orders"));
    let list = get(format!("{api}/api/leakline/v1/investigations")).await;
    assert_eq!(
        list.body,
        r#"{"investigations":[],"schema":"leakline.investigations/1"}"#
    );
    assert_eq!(
        get(format!("{api}/api/leakline/v1/investigations/none"))
            .await
            .status,
        404
    );
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_requests_get_the_status_that_the_specification_names() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(settings(folder.path())).await.unwrap();
    let url = format!("http://{}/v1/metrics", server.addresses().otlp_http);
    let check = async |headers: &[(&str, &str)], body: Vec<u8>, status: u16, message: &str| {
        let answer = post(url.clone(), headers, body).await;
        assert_eq!(answer.status, status, "{}", answer.body);
        assert!(answer.body.contains(message), "{}", answer.body);
    };
    check(
        &[JSON],
        b"{\"resourceMetrics\": 5}".to_vec(),
        400,
        "resourceMetrics",
    )
    .await;
    check(
        &[("content-type", "application/x-protobuf")],
        b"\xff\xff".to_vec(),
        400,
        "protobuf",
    )
    .await;
    check(
        &[("content-type", "text/plain")],
        b"hello".to_vec(),
        415,
        "content-type",
    )
    .await;
    check(
        &[JSON, ("content-encoding", "br")],
        b"{}".to_vec(),
        415,
        "content-encoding",
    )
    .await;
    check(
        &[JSON, ("content-encoding", "gzip")],
        b"{}".to_vec(),
        400,
        "gzip",
    )
    .await;
    check(&[JSON], vec![b' '; 20_000], 413, "larger than 10000 bytes").await;
    let bomb = gzip(&vec![b' '; 1_000_000]);
    assert!(bomb.len() < 10_000);
    check(
        &[JSON, ("content-encoding", "gzip")],
        bomb,
        413,
        "larger than 10000 bytes",
    )
    .await;
    // one bad point costs that point only
    let untimed = r#"{"asInt":"1"}"#;
    let partial = metrics(&[POINT, untimed]).into_bytes();
    check(
        &[JSON],
        partial,
        200,
        r#""partialSuccess":{"rejectedDataPoints":"1""#,
    )
    .await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_are_guarded() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(settings(folder.path())).await.unwrap();
    let taken = Settings {
        otlp_http: server.addresses().otlp_http,
        ..settings(folder.path())
    };
    let error = Server::start(taken).await.err().unwrap();
    assert!(
        matches!(
            error,
            ServerError::AddressTaken {
                flag: "--otlp-http",
                ..
            }
        ),
        "{error}"
    );
    let open = Settings {
        api: "0.0.0.0:0".parse().unwrap(),
        ..settings(folder.path())
    };
    let error = Server::start(open).await.err().unwrap();
    assert!(matches!(error, ServerError::Unprotected { .. }), "{error}");
    let same_data = Server::start(settings(folder.path())).await.err().unwrap();
    assert!(
        matches!(same_data, ServerError::Store { .. }),
        "{same_data}"
    );
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings {
        token: Some("s3cret".to_owned()),
        ..settings(folder.path())
    };
    let server = Server::start(settings).await.unwrap();
    let url = format!("http://{}/v1/metrics", server.addresses().otlp_http);
    assert_eq!(post(url.clone(), &[JSON], b"{}".to_vec()).await.status, 401);
    let authorised = [JSON, ("authorization", "Bearer s3cret")];
    assert_eq!(post(url, &authorised, b"{}".to_vec()).await.status, 200);
    let api = format!("http://{}", server.addresses().api);
    assert_eq!(
        get(format!("{api}/api/leakline/v1/services")).await.status,
        401
    );
    assert_eq!(get(format!("{api}/-/healthy")).await.status, 200);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_token_protects_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let open = Settings {
        token: Some(" ".to_owned()),
        otlp_grpc: "0.0.0.0:0".parse().unwrap(),
        ..settings(folder.path())
    };
    let error = Server::start(open).await.err().unwrap();
    assert!(matches!(error, ServerError::Unprotected { .. }), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_never_ends_does_not_keep_the_server_alive() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(settings(folder.path())).await.unwrap();
    let mut stream = std::net::TcpStream::connect(server.addresses().otlp_http).unwrap();
    let half = "POST /v1/metrics HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{";
    stream.write_all(half.as_bytes()).unwrap();
    // once it is being read, whoever waits for its end waits for ever
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    server.stop().await;
    drop(stream);
}
