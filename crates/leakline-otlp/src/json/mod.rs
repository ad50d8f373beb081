//! OTLP/JSON to protobuf bytes and back, driven by the tables in [`schema`].
//!
//! The serde implementations of `opentelemetry-proto` are not used: they flatten `oneof` fields,
//! and where a member of one cannot be read (`"asDouble": "NaN"`, a histogram whose sum is text)
//! the whole member vanishes without an error. Here whatever is neither read nor unknown is an
//! error that names the field.

mod reader;
pub(crate) mod schema;
mod wire;
mod writer;

pub(crate) use reader::{Problem, to_protobuf};
pub(crate) use writer::from_protobuf;
