//! Lines to batches.

use std::fmt;
use std::io::{self, Read};

use leakline_model::storage::Batch;
use prost::Message as _;

use super::Line;
use super::source::{Outcome, Source};
use crate::json::{self, schema};
use crate::{
    ExportMetricsServiceRequest, ExportTraceServiceRequest, Translated, Translation,
    translate_metrics, translate_traces,
};

/// The longest line that is read unless told otherwise: 64 MiB, the size that the specification
/// recommends as the limit of a request.
pub const LINE_LIMIT: u64 = 64 << 20;

/// A file in which this many lines are bad before the first good one is taken for something else.
const BAD_LINES_BEFORE_GIVING_UP: u64 = 20;

/// How many problems are kept to be shown; the rest is counted only.
const PROBLEMS_KEPT: usize = 100;

/// Something wrong with a line. The other lines are not affected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Line of the file, from 1.
    pub line: u64,
    /// Column in bytes, from 1, where it is known.
    pub column: Option<usize>,
    /// What is wrong, and in which field.
    pub reason: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}", self.line)?;
        if let Some(column) = self.column {
            write!(f, " column {column}")?;
        }
        write!(f, ": {}", self.reason)
    }
}

/// Why nothing more can be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The input itself failed.
    #[error("cannot read after line {line}: {source}")]
    Input {
        /// The last line that could be read.
        line: u64,
        /// What the input said.
        source: io::Error,
    },
    /// No line was OTLP.
    #[error(
        "not a file of OTLP JSON lines: {first}; each line must be \
         {{\"resourceMetrics\": …}} or {{\"resourceSpans\": …}}, plain or in gzip or zstd, as the \
         Collector's file exporter writes them"
    )]
    NotOtlpLines {
        /// What was wrong first.
        first: Problem,
    },
}

/// Reads a file of OTLP JSON lines, one batch a line.
///
/// The file may be plain, gzip (of several members, too) or zstd; its first bytes tell. A bad line
/// is noted under [`problems`](Reader::problems) and passed over, as are points and spans that are
/// rejected; a last line that is cut off, as a process that was killed leaves it, is such a line.
/// Empty lines and lines of logs or profiles are passed over in silence. Only an input that fails,
/// or in which no line is OTLP, ends in an error, after which nothing more comes.
///
/// Memory: one line of at most [`LINE_LIMIT`], its message and its batch; longer lines are passed
/// over without being held. Up to 128 MiB for the window of zstd. A hundred problems are kept.
pub struct Reader<'r> {
    source: Source<'r>,
    translation: Translation,
    buffer: Vec<u8>,
    line: u64,
    /// Lines with a key that OTLP knows.
    recognised: u64,
    problems: Vec<Problem>,
    problem_count: u64,
    ended: bool,
}

impl<'r> Reader<'r> {
    /// Reads `input`. It need not be buffered. Looks at its first bytes at once.
    pub fn new(input: impl Read + Send + 'r, translation: Translation) -> Result<Self, ReadError> {
        let source = Source::new(input, LINE_LIMIT)
            .map_err(|source| ReadError::Input { line: 0, source })?;
        Ok(Reader {
            source,
            translation,
            buffer: Vec::new(),
            line: 0,
            recognised: 0,
            problems: Vec::new(),
            problem_count: 0,
            ended: false,
        })
    }

    /// Sets the longest line in bytes that is read, instead of [`LINE_LIMIT`].
    #[must_use]
    pub fn with_line_limit(mut self, limit: u64) -> Self {
        self.source.set_limit(limit);
        self
    }

    /// What was wrong so far: the first hundred problems.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// How many problems there were so far, those not kept included.
    pub fn problem_count(&self) -> u64 {
        self.problem_count
    }

    /// How many lines have been read so far, empty and bad ones included.
    pub fn line(&self) -> u64 {
        self.line
    }

    fn next_batch(&mut self) -> Result<Option<Batch>, ReadError> {
        loop {
            let outcome =
                self.source
                    .next_line(&mut self.buffer)
                    .map_err(|source| ReadError::Input {
                        line: self.line,
                        source,
                    })?;
            if let Outcome::End = outcome {
                return self.end();
            }
            self.line += 1;
            match outcome {
                Outcome::Line | Outcome::LastLine => {
                    let is_last = matches!(outcome, Outcome::LastLine);
                    if let Some(batch) = self.translate_line(is_last) {
                        return Ok(Some(batch));
                    }
                }
                Outcome::TooLong => self.note(None, "longer than the limit, passed over".into()),
                Outcome::Damaged(what, error) => {
                    self.note(None, format!("{what}: {error}; nothing after it was read"));
                    return self.end();
                }
                Outcome::End => {}
            }
            if self.recognised == 0 && self.problem_count >= BAD_LINES_BEFORE_GIVING_UP {
                return self.end();
            }
        }
    }

    fn end(&self) -> Result<Option<Batch>, ReadError> {
        match self.problems.first() {
            Some(first) if self.recognised == 0 => Err(ReadError::NotOtlpLines {
                first: first.clone(),
            }),
            _ => Ok(None),
        }
    }

    /// The batch of the line in the buffer; `None` if it holds nothing to keep.
    fn translate_line(&mut self, is_last: bool) -> Option<Batch> {
        if self.buffer.trim_ascii().is_empty() {
            return None;
        }
        let transcoded = match json::to_protobuf(&schema::LINE, &self.buffer) {
            Ok(transcoded) => transcoded,
            Err(problem) => {
                let reason = match problem.field.as_str() {
                    _ if is_last && problem.cut_off => "the last line is cut off".to_owned(),
                    "" => problem.reason,
                    field => format!("in {field}: {}", problem.reason),
                };
                self.note(Some(problem.column), reason);
                return None;
            }
        };
        if !transcoded.recognised {
            let reason = "neither resourceMetrics nor resourceSpans";
            self.note(None, reason.to_owned());
            return None;
        }
        self.recognised += 1;
        let line = match Line::decode(transcoded.bytes.as_slice()) {
            Ok(line) => line,
            // nested deeper than protobuf allows
            Err(error) => {
                self.note(None, error.to_string());
                return None;
            }
        };
        self.translate(line)
    }

    fn translate(&mut self, line: Line) -> Option<Batch> {
        let metrics = ExportMetricsServiceRequest {
            resource_metrics: line.resource_metrics,
        };
        let traces = ExportTraceServiceRequest {
            resource_spans: line.resource_spans,
        };
        let metrics = translate_metrics(&metrics, &self.translation);
        let traces = translate_traces(&traces);
        for Translated { message, .. } in [&metrics, &traces] {
            if !message.is_empty() {
                self.note(None, message.clone());
            }
        }
        let mut batch = metrics.batch;
        batch.resources.extend(traces.batch.resources);
        batch.spans = traces.batch.spans;
        (!batch.is_empty()).then_some(batch)
    }

    fn note(&mut self, column: Option<usize>, reason: String) {
        self.problem_count += 1;
        if self.problems.len() < PROBLEMS_KEPT {
            self.problems.push(Problem {
                line: self.line,
                column,
                reason,
            });
        }
    }
}

impl Iterator for Reader<'_> {
    type Item = Result<Batch, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let item = self.next_batch().transpose();
        self.ended = !matches!(item, Some(Ok(_)));
        item
    }
}

impl fmt::Debug for Reader<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader")
            .field("line", &self.line)
            .field("problem_count", &self.problem_count)
            .finish_non_exhaustive()
    }
}
