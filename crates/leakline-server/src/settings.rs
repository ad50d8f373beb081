//! What the server can be told, with the defaults it starts from.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use crate::token::Token;

/// Everything that a server needs to know before it starts.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where OTLP over gRPC is received.
    pub otlp_grpc: SocketAddr,
    /// Where OTLP over HTTP is received.
    pub otlp_http: SocketAddr,
    /// Where the API and the web page are served.
    pub api: SocketAddr,
    /// The folder of the store, the dumps and the investigations.
    pub data: PathBuf,
    /// How long samples, spans and heap dumps are kept.
    pub retention: Duration,
    /// How often verdicts are formed.
    pub evaluation_interval: Duration,
    /// Whether heap dumps may be taken at all.
    pub capture: bool,
    /// Shortest time between two heap dumps of one service, not counting the second dump of an
    /// investigation that is under way.
    pub capture_cooldown: Duration,
    /// Largest request accepted, before and after decompression, in bytes.
    pub request_limit: usize,
    /// A bearer token that every request must carry.
    pub token: Option<String>,
    /// Allows listening beyond loopback without a token.
    pub insecure: bool,
    /// A file that gets everything received, as OTLP JSON lines.
    pub record: Option<PathBuf>,
}

impl Default for Settings {
    fn default() -> Self {
        let loopback = |port| SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
        Settings {
            otlp_grpc: loopback(4317),
            otlp_http: loopback(4318),
            api: loopback(7171),
            data: PathBuf::from("leakline-data"),
            retention: Duration::from_secs(14 * 24 * 3600),
            evaluation_interval: Duration::from_secs(10),
            capture: true,
            capture_cooldown: Duration::from_secs(6 * 3600),
            // recommended by the OTLP specification, "Request size limit"
            request_limit: 64 << 20,
            token: None,
            insecure: false,
            record: None,
        }
    }
}

impl Settings {
    /// The first address that other machines could reach although no token protects it.
    pub(crate) fn unprotected_address(&self) -> Option<SocketAddr> {
        if Token::new(self.token.as_deref()).protects() || self.insecure {
            return None;
        }
        [self.otlp_grpc, self.otlp_http, self.api]
            .into_iter()
            .find(|address| !address.ip().is_loopback())
    }
}
