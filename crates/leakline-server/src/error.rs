//! Why a server does not start, or stops.

use std::net::SocketAddr;
use std::path::PathBuf;

/// An error that ends the server.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// Another program listens there.
    #[error(
        "{address} is taken by another program ({purpose}); stop it, or choose another address with {flag}"
    )]
    AddressTaken {
        /// The address.
        address: SocketAddr,
        /// What it was wanted for, for example `OTLP/gRPC`.
        purpose: &'static str,
        /// The flag that changes it.
        flag: &'static str,
    },
    /// The address cannot be listened on for another reason.
    #[error(
        "cannot listen on {address} for {purpose}: {source}; choose another address with {flag}"
    )]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What it was wanted for.
        purpose: &'static str,
        /// The flag that changes it.
        flag: &'static str,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// It would be open to the network without protection.
    #[error(
        "{address} can be reached from other machines; set a token with --token (or LEAKLINE_TOKEN), or accept the risk with --insecure"
    )]
    Unprotected {
        /// The address.
        address: SocketAddr,
    },
    /// The store in the data folder does not open.
    #[error("cannot open the store in {}: {source}", path.display())]
    Store {
        /// The data folder.
        path: PathBuf,
        /// What the store said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A file or folder of the server cannot be used.
    #[error("cannot {action} {}: {source}", path.display())]
    File {
        /// What was tried, for example `create`.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A listener failed while it ran.
    #[error("{purpose} stopped: {reason}")]
    Stopped {
        /// What was served.
        purpose: &'static str,
        /// Why it ended.
        reason: String,
    },
}
