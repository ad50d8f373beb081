//! The server: receives OTLP, stores it, judges services, takes heap dumps of those that leak,
//! and keeps the investigations.
//!
//! This crate is where the network, the clock and the threads are. What it decides with is
//! elsewhere: verdicts in `leakline-detect`, the course of an investigation in
//! `leakline-investigate`; [`Server`] only carries data between them.
//!
//! ```text
//! otlp_grpc, otlp_http ──► receiver ──► store
//!                             │
//!                             └───► detector ──► watcher ──► capture, heap, correlate
//!                                                   │
//!                        api ◄── archive ◄──────────┘ reports
//! ```

mod admission;
mod api;
mod archive;
mod clock;
mod error;
mod otlp_grpc;
mod otlp_http;
mod page;
mod receiver;
mod server;
mod settings;
mod token;
mod watcher;
mod work;

pub use archive::{Archive, InvestigationEntry};
pub use error::ServerError;
pub use server::{Addresses, Server};
pub use settings::Settings;
pub use watcher::Notice;
