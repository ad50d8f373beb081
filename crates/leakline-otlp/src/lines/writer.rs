//! Requests to lines.

use std::io::{self, Write};

use crate::{
    Encoding, ExportMetricsServiceRequest, ExportTraceServiceRequest, OtlpMessage, encode,
};

/// Writes requests as canonical OTLP/JSON, one a line: 64-bit integers as strings, ids in
/// lowercase hexadecimal, enumerations as numbers.
///
/// Each line goes out in one `write_all`, so a process that dies leaves at most its last line cut
/// off. Nothing is buffered here.
#[derive(Debug)]
pub struct Writer<W>(W);

impl<W: Write> Writer<W> {
    /// Writes to `output`.
    pub fn new(output: W) -> Self {
        Writer(output)
    }

    /// Writes a metrics request.
    pub fn metrics(&mut self, request: &ExportMetricsServiceRequest) -> io::Result<()> {
        self.line(request)
    }

    /// Writes a trace request.
    pub fn traces(&mut self, request: &ExportTraceServiceRequest) -> io::Result<()> {
        self.line(request)
    }

    /// Flushes the output.
    pub fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }

    /// Hands the output back.
    pub fn into_inner(self) -> W {
        self.0
    }

    fn line<M: OtlpMessage>(&mut self, request: &M) -> io::Result<()> {
        let mut line = encode(Encoding::Json, request);
        line.push(b'\n');
        self.0.write_all(&line)
    }
}
